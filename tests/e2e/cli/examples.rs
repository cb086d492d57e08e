//! The example reports in `examples/` and the committed schemas are current. `UPDATE_EXPECT=1` updates
//! them.

use iam_stocktake::templates::Language;
use stand_ins::expect::Expectations;
use stand_ins::gfm::assert_same_outline;
use stand_ins::sandbox::{NOW, Sandbox, repository};

/// Compares with a committed file, or writes it.
#[track_caller]
pub(crate) fn assert_current(name: &str, content: &str) {
    let mut expectations = Expectations::default();
    expectations.check(&repository(name), content);
    expectations.finish();
}

/// Audits the example data.
pub(crate) fn audit(more: &[&str]) -> String {
    let sandbox = Sandbox::new();
    let arguments = [
        &[
            "audit",
            "--credential-report",
            "examples/credential-report.csv",
            "--allowlist",
            "examples/iam-allowlist.yml",
            "--now",
            NOW,
        ],
        more,
    ]
    .concat();
    let output = sandbox.command(&arguments).current_dir(repository("")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn example_reports_are_current() {
    let reports = Language::ALL.map(|language| {
        let report = audit(&["--format", "markdown", "--language", language.id()]);
        assert_current(&format!("examples/report.{language}.md"), &report);
        report
    });
    assert_same_outline(&reports);
    assert_current("examples/report.txt", &audit(&["--format", "table"]));
    assert_current("examples/audit.json", &audit(&["--format", "json"]));
}

#[test]
fn all_languages_have_the_same_content() {
    // The structure of the report does not depend on the language: tables, details, code and dates.
    let skeleton = |language: Language| {
        let report = audit(&["--format", "markdown", "--language", language.id()]);
        let count = |what: &str| report.matches(what).count();
        let mut code: Vec<String> = report
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .filter(|it| !it.contains('\n'))
            .collect();
        let kinds = ["\n#", "\n|", "<details>", "</details>", "```sh", "```diff", "```yaml"];
        // The order of words differs between languages.
        code.sort();
        (kinds.map(count), code)
    };
    let english = skeleton(Language::English);
    for language in Language::ALL {
        assert_eq!(skeleton(language), english, "{language}");
    }
}

#[test]
fn audit_json_conforms_to_its_committed_schema() {
    let schema = iam_stocktake::report::json::schema();
    let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    assert_current("schemas/audit-v1.schema.json", &text);
    let validator = stand_ins::jsonschema::validator_for(&schema).unwrap();
    let audit: serde_json::Value = serde_json::from_str(&audit(&["--format", "json"])).unwrap();
    let problems: Vec<_> = validator.iter_errors(&audit).map(|it| it.to_string()).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    assert_eq!(audit["schema"], "iam-stocktake/audit/v1");
}

#[test]
fn audit_json_reads_back_to_the_same_value() {
    use iam_stocktake::report::json::v1;
    let text = audit(&["--format", "json"]);
    let read: v1::Audit = serde_json::from_str(&text).unwrap();
    assert_eq!(format!("{}\n", serde_json::to_string_pretty(&read).unwrap()), text);
}
