//! `iam-stocktake allowlist`, through the real binary.

use stand_ins::sandbox::{NOW, Ran, Sandbox, report, repository};

const GOOD: &str = "version: 1\nexemptions:\n  - user: ci-deploy\n    reason: r\n    owner: o\n    expires: 2026-12-31\n";

fn check(sandbox: &Sandbox, files: &[&str]) -> Ran {
    sandbox.run(&[&["allowlist", "check"], files, &["--now", NOW]].concat())
}

#[test]
fn check_accepts_valid_files_and_reports_all_problems_of_invalid_ones() {
    let sandbox = Sandbox::new();
    sandbox.file("good.yml", GOOD);
    let ran = check(&sandbox, &["good.yml"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (0, "good.yml: ok, 1 exemption\n", "")
    );

    sandbox
        .file("bad.yml", "version: 1\nexemptions:\n  - user: a\n    reson: r\n    expires: soon\n");
    let ran = check(&sandbox, &["good.yml", "bad.yml", "gone.yml"]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.stdout, "good.yml: ok, 1 exemption\n");
    for expected in [
        "error[unknown-key]",
        "--> bad.yml:4:5",
        "did you mean `reason`?",
        "error[invalid-date]",
        "error[missing-key]",
        "error: bad.yml: 3 problems",
        "error[unreadable-file]",
        "error: gone.yml: 1 problem",
    ] {
        assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
    }
}

#[test]
fn check_reads_standard_input_and_reports_expiring_exemptions() {
    let text = GOOD.replace("2026-12-31", "2026-07-14");
    let ran =
        Sandbox::new().run_with_stdin(&["allowlist", "check", "-", "--now", NOW], text.as_bytes());
    assert_eq!(ran.code, 0);
    assert_eq!(ran.stdout, "standard input: ok, 1 exemption\n");
    assert!(ran.stderr.contains("notice[exemption-expires-soon]"), "{}", ran.stderr);
    let ran = Sandbox::new().run_with_stdin(
        &["allowlist", "check", "-", "--now", "2026-07-15T00:00:00Z"],
        text.as_bytes(),
    );
    assert!(ran.stderr.contains("notice[exemption-expired]"), "{}", ran.stderr);
}

#[test]
fn example_allowlist_passes() {
    let sandbox = Sandbox::new();
    let example = std::fs::read_to_string(repository("examples/iam-allowlist.yml")).unwrap();
    sandbox.file("allow.yml", example);
    let ran = check(&sandbox, &["allow.yml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn schema_prints_the_committed_schema() {
    let ran = Sandbox::new().run(&["allowlist", "schema"]);
    let committed = std::fs::read_to_string(repository("schemas/allowlist.schema.json")).unwrap();
    assert_eq!((ran.code, ran.stdout), (0, committed));
}

#[test]
fn suggestion_is_invalid_until_it_is_completed() {
    let old = "2025-01-01T00:00:00Z";
    let sandbox = Sandbox::new();
    sandbox.file(
        "report.csv",
        report("111122223333", &[("smith,john", old, old), ("other", old, "-")]),
    );
    let audit = |allowlist: &str| {
        sandbox.run(&[
            "audit",
            "--credential-report",
            "report.csv",
            "--allowlist",
            allowlist,
            "--now",
            NOW,
            "--output",
            "audit.json",
        ])
    };
    assert_eq!(audit("none").code, 1);
    let suggest = ["allowlist", "suggest", "audit.json", "--user", "Smith,John", "--now", NOW];
    let ran = sandbox.run(&suggest);
    assert_eq!(
        ran.stdout,
        "  - user: \"smith,john\"\n    account: \"111122223333\"\n    \
         credentials: [\"access-key\", \"password\"]\n    reason: \"\"\n    owner: \"\"\n    \
         expires: 2026-09-28\n"
    );
    sandbox.file("allow.yml", format!("version: 1\nexemptions:\n{}", ran.stdout));
    let rejected = check(&sandbox, &["allow.yml"]);
    assert_eq!((rejected.code, rejected.stderr.matches("error[empty-text]").count()), (2, 2));
    assert_eq!(audit("allow.yml").code, 2);

    let filled = sandbox.read("allow.yml").replace("\"\"", "because");
    sandbox.file("allow.yml", filled);
    assert_eq!(check(&sandbox, &["allow.yml"]).code, 0);
    let ran = audit("allow.yml");
    assert_eq!(ran.code, 1, "the other user's finding stays");
    assert!(sandbox.read("audit.json").contains("\"exempted\": 2"));

    // Exempted findings are not suggested.
    let ran = sandbox.run(&suggest);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("no open finding"), "{}", ran.stderr);
}

#[test]
fn suggest_accepts_a_finding_id_and_rejects_files_that_are_not_audits() {
    let old = "2025-01-01T00:00:00Z";
    let sandbox = Sandbox::new();
    sandbox.file("report.csv", report("111122223333", &[("a", old, "-"), ("b", old, "-")]));
    sandbox.run(&[
        "audit",
        "--credential-report",
        "report.csv",
        "--allowlist",
        "none",
        "--now",
        NOW,
        "--output",
        "audit.json",
    ]);
    let audit: serde_json::Value = serde_json::from_str(&sandbox.read("audit.json")).unwrap();
    let id = audit["findings"][1]["id"].as_str().unwrap();
    let ran = sandbox.run(&[
        "allowlist",
        "suggest",
        "audit.json",
        "--id",
        id,
        "--expires",
        "2026-08-01",
        "--now",
        NOW,
    ]);
    assert!(ran.stdout.contains("user: \"b\"") && !ran.stdout.contains("user: \"a\""));
    assert!(ran.stdout.contains("expires: 2026-08-01"));

    sandbox
        .file("no.json", "{}")
        .file("v2.json", sandbox.read("audit.json").replace("audit/v1", "audit/v2"));
    for (file, expected) in [
        ("no.json", "is not an audit JSON: missing field"),
        ("v2.json", "has the schema `iam-stocktake/audit/v2`"),
        ("gone.json", "cannot be read"),
    ] {
        let ran = sandbox.run(&["allowlist", "suggest", file]);
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
}

#[test]
fn pattern_that_looks_like_a_regular_expression_and_matches_no_user_gets_a_hint() {
    let old = "2025-01-01T00:00:00Z";
    let sandbox = Sandbox::new();
    sandbox.file("report.csv", report("111122223333", &[("svc-a", old, "-")]));
    let audited = |pattern: &str, more: &[&str]| {
        let entry = format!(
            "version: 1\nexemptions:\n  - pattern: \"{pattern}\"\n    reason: r\n    owner: o\n    \
             expires: 2026-12-31\n"
        );
        sandbox.file("allow.yml", entry);
        let fixed = ["audit", "--credential-report", "report.csv", "--allowlist", "allow.yml"];
        let ran = sandbox.run(&[&fixed[..], &["--now", NOW], more].concat());
        ran.stdout
    };
    for more in [&["--format", "table"][..], &["--format", "markdown"]] {
        let text = audited("svc-.*", more);
        assert!(text.contains("matches no user"), "{text}");
        assert!(
            text.contains("not a regular expression, and `.` matches only a dot. Did you mean"),
            "{text}"
        );
        assert!(text.contains("svc-*"), "{text}");
        let text = audited("svc-x*", more);
        assert!(text.contains("matches no user") && !text.contains("regular"), "{text}");
        // The pattern matches a user, so there is no warning.
        assert!(!audited("svc-*", more).contains("matches no user"));
    }
    let text = audited("svc-.*", &["--format", "markdown", "--language", "ja"]);
    assert!(text.contains("正規表現ではなく") && text.contains("svc-*"), "{text}");
}

#[test]
fn account_id_without_leading_zeros_gets_a_hint_everywhere() {
    let sandbox = Sandbox::new();
    for (flag, id, is_reported) in [
        ("--accounts", "12345678901", true),
        ("--accounts", "123456789", true),
        ("--accounts", "1234567890123", false),
        ("--accounts", "acme", false),
        ("--allowed-account-ids", "12345678901", true),
    ] {
        let ran = sandbox.run(&["audit", flag, id]);
        assert_eq!(ran.code, 2, "{flag} {id}: {}", ran.stderr);
        let hint = ran.stderr.contains("A leading zero may be missing");
        assert_eq!(hint, is_reported, "{flag} {id}: {}", ran.stderr);
    }
}
