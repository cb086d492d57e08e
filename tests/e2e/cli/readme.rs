//! The README tells the truth.

use crate::cli::examples::audit;
use stand_ins::sandbox::repository;

fn readme() -> String {
    std::fs::read_to_string(repository("README.md")).unwrap()
}

#[test]
fn the_first_command_prints_what_the_readme_says() {
    let command = "cargo run --release -- audit --credential-report examples/credential-report.csv \
                   --allowlist examples/iam-allowlist.yml --now 2026-06-30T12:00:00Z\n";
    assert!(readme().contains(command));
    let committed = std::fs::read_to_string(repository("examples/report.txt")).unwrap();
    assert_eq!(audit(&[]), committed);
}

#[test]
fn the_allowlist_of_the_readme_passes_and_its_diagnostic_is_real() {
    let text = readme();
    let block = |kind: &str| {
        let (_, rest) = text.split_once(&format!("```{kind}")).unwrap();
        rest.split_once("```").unwrap().0.trim_start_matches('\n')
    };
    let sandbox = stand_ins::sandbox::Sandbox::new();
    sandbox.file("good.yml", format!("version: 1\n{}", block("yaml\nversion: 1")));
    let now = ["--now", stand_ins::sandbox::NOW];
    let ran = sandbox.run(&[&["allowlist", "check", "good.yml"], &now[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    let bad = "version: 1\nexemptions:\n  - user: ci-deploy\n    reson: Legacy Jenkins agent\n    \
               owner: o\n    expires: 2026-12-31\n";
    sandbox.file(".github/iam-allowlist.yml", bad);
    let ran =
        sandbox.run(&[&["allowlist", "check", ".github/iam-allowlist.yml"], &now[..]].concat());
    assert!(ran.stderr.contains(block("text")), "{}", ran.stderr);
}

#[test]
fn the_template_of_the_documentation_renders() {
    let text = std::fs::read_to_string(repository("docs/template.md")).unwrap();
    let (_, rest) = text.split_once("```jinja\n").unwrap();
    let sandbox = stand_ins::sandbox::Sandbox::new();
    sandbox.file("mine.md", rest.split_once("```").unwrap().0);
    let template = sandbox.path("mine.md");
    let report = audit(&["--format", "markdown", "--template", template.to_str().unwrap()]);
    assert!(
        report.starts_with("# 19 to remedy on 2026-06-30\n\n## 111122223333\n\n- `soap-gateway`")
    );
}

#[test]
fn every_diagnostic_is_documented() {
    let text = std::fs::read_to_string(repository("docs/allowlist.md")).unwrap();
    let documented: Vec<&str> = text
        .split_once("## Diagnostics")
        .unwrap()
        .1
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let codes: Vec<_> =
        iam_stocktake::allowlist::DiagnosticCode::ALL.iter().map(|code| code.id()).collect();
    assert_eq!(documented, codes);
}

#[test]
fn the_rules_table_is_that_of_the_program() {
    use iam_stocktake::model::policy::Rule;
    let text = readme();
    for rule in Rule::ALL {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{rule}` |"))).unwrap();
        let level = match rule {
            Rule::ExpiredUser => "error once `expiry_tag` is set",
            _ => rule.default_level().id(),
        };
        let controls: Vec<_> = rule.controls().iter().map(ToString::to_string).collect();
        let end = format!("| {level} | {} |", controls.join(", ")).replace("|  |", "| |");
        assert!(row.ends_with(&end), "{row} does not end with {end}");
    }
}
