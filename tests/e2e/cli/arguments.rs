//! Contradictory arguments: the error names only arguments that were given.

use stand_ins::sandbox::Sandbox;

/// The message, without usage and hints.
fn error_of(arguments: &[&str]) -> String {
    let ran = Sandbox::new().run(arguments);
    assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
    ran.stderr.split("\n\n").next().unwrap().trim_start_matches("error: ").to_owned()
}

#[test]
fn conflict_lists_the_arguments_in_use() {
    let report = ["audit", "--credential-report", "x.csv"];
    for (more, words) in [
        (&["--accounts", "111122223333"][..], "cannot be used with '--accounts <"),
        (&["--recheck=false"], "cannot be used with '--recheck <true|false>'"),
        (&["--timeout=5"], "cannot be used with '--timeout <"),
        (
            &["--ssh-keys", "all", "--timeout", "5"],
            "cannot be used with:\n  --ssh-keys <flagged|all>\n  --timeout <SECONDS>",
        ),
    ] {
        let message = error_of(&[&report, more].concat());
        assert!(message.contains(words), "{more:?}: {message}");
        assert_eq!(message.matches("--").count(), 1 + more.len().div_ceil(2), "{message}");
    }
    for (arguments, named) in [
        (&["remediate", "--undo", "--stage", "delete"][..], &["--undo", "--stage"][..]),
        (&["remediate", "--undo", "--output=p.json"], &["--undo", "--output"]),
        (&["remediate", "--apply", "--plan", "p", "--user", "bob"], &["--plan", "--user"]),
        (&["remediate", "--user", "bob", "--audit", "a"], &["--audit", "--user"]),
        (&["remediate", "--apply", "--plan", "p", "--stage", "delete"], &["--plan", "--stage"]),
        (&["remediate", "--apply", "--plan", "p", "--audit", "a"], &["--plan", "--audit"]),
        (
            &["iam-policy", "--remediate", "delete", "--recheck", "false"],
            &["--remediate", "--recheck"],
        ),
    ] {
        let message = error_of(arguments);
        let flags = message.split(['\'', ' ', '=']).filter(|word| word.starts_with("--"));
        let mut flags: Vec<_> = flags.collect();
        flags.sort_unstable();
        let mut named = named.to_vec();
        named.sort_unstable();
        assert_eq!(flags, named, "{message}");
    }
}

#[test]
fn missing_required_argument_is_reported() {
    for (arguments, message) in [
        (
            &["audit", "--report-generated-at", "2026-06-30T12:00:00Z"][..],
            "the following required arguments were not provided:\n  --credential-report <FILE>",
        ),
        (&["remediate", "--plan", "p.json"], "'--plan' needs '--apply'"),
        (
            &["remediate", "--apply", "--plan-digest", &"0".repeat(64)],
            "'--plan-digest' needs '--plan'",
        ),
    ] {
        let error = error_of(arguments);
        assert!(error.starts_with(message), "{error}");
    }
}
