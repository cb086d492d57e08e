//! The examples in the README and the documentation work.

use crate::cli::examples::audit;
use stand_ins::sandbox::repository;

fn read(document: &str) -> String {
    std::fs::read_to_string(repository(document)).unwrap()
}

/// The content of the first code block that starts with `start`.
fn block<'a>(text: &'a str, start: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("```{start}")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn first_command_prints_the_output_in_the_readme() {
    let command = "cargo run -- audit --credential-report examples/credential-report.csv \
                   --allowlist examples/iam-allowlist.yml --now 2026-06-30T12:00:00Z\n";
    assert!(read("README.md").contains(command));
    assert_eq!(audit(&[]), read("examples/report.txt"));
}

#[test]
fn workflow_in_the_readme_is_the_scheduled_example() {
    let readme = read("README.md");
    assert_eq!(block(&readme, "yaml\n"), read("examples/workflows/scheduled.yml"));
}

#[test]
fn allowlist_in_the_readme_is_valid_and_the_documented_diagnostic_is_real() {
    let sandbox = stand_ins::sandbox::Sandbox::new();
    let readme = read("README.md");
    sandbox.file("good.yml", format!("version: 1{}", block(&readme, "yaml\nversion: 1")));
    let now = ["--now", stand_ins::sandbox::NOW];
    let ran = sandbox.run(&[&["allowlist", "check", "good.yml"], &now[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    let bad = "version: 1\nexemptions:\n  - user: ci-deploy\n    reson: Legacy Jenkins agent\n    \
               owner: o\n    expires: 2026-12-31\n";
    sandbox.file(".github/iam-allowlist.yml", bad);
    let ran =
        sandbox.run(&[&["allowlist", "check", ".github/iam-allowlist.yml"], &now[..]].concat());
    let documentation = read("docs/allowlist.md");
    assert!(ran.stderr.contains(block(&documentation, "text\n")), "{}", ran.stderr);
}

#[test]
fn template_of_the_documentation_renders() {
    let documentation = read("docs/template.md");
    let sandbox = stand_ins::sandbox::Sandbox::new();
    sandbox.file("mine.md", block(&documentation, "jinja\n"));
    let template = sandbox.path("mine.md");
    let report = audit(&["--format", "markdown", "--template", template.to_str().unwrap()]);
    assert!(
        report.starts_with(
            "# 19 open findings on 2026-06-30\n\n## 111122223333\n\n- `<root_account>`"
        )
    );
}
