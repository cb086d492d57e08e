//! The runner: inputs, the allowlist in the workspace, the debug log, and output files.

use std::os::unix::fs::{MetadataExt as _, chown};

use stand_ins::world::{EMPTY, Run, RunOptions, World};

/// Asserts that a run failed before its first request, with this message.
fn refused(world: &World, run: &Run, says: &str) {
    assert_eq!((run.code, run.output("result")), (2, "error"), "{says}: {}", run.log);
    assert!(run.log.contains(says), "{says}: {}", run.log);
    assert_eq!(world.repo.log().len(), 0, "{says}");
    assert!(world.account.log().is_empty(), "{says}");
    let is_annotation = |line: &str| line.starts_with("::error");
    assert!(run.log.lines().any(is_annotation), "{says}: {}", run.log);
}

#[test]
fn unknown_input_is_named_with_a_suggestion() {
    let world = World::new();
    for (name, says) in [
        ("stale-after-day", "`stale-after-day` (did you mean `stale-after-days`?)"),
        ("stale_after_days", "`stale_after_days` (did you mean `stale-after-days`?)"),
        ("colour", "unknown input: `colour`"),
        // Command-line options are not inputs.
        ("now", "unknown input: `now`"),
    ] {
        refused(&world, &world.day_with(0, &[(name, "45")]), says);
    }
}

#[test]
fn invalid_input_value_is_rejected_with_the_input_name() {
    let world = World::new();
    let long = "x".repeat(257);
    for (name, value) in [
        ("stale-after-days", "ninety"),
        ("stale-after-days", "0"),
        ("due-within-days", "-1"),
        ("publish", "issues"),
        ("fail-on", "newish"),
        ("fail-on", "new, none"),
        ("dry-run", "yes"),
        ("recheck", "1"),
        ("command", "audit"),
        ("stage", "notify"),
        ("queue", "Two Words"),
        ("queue-repository", "acme"),
        ("issue-title", &long),
        ("report-dir", "../elsewhere"),
        ("accounts", "1234"),
        ("accounts", "111122223333\n111122223333"),
        ("role-to-assume", "arn:aws:iam::1:user/x"),
        ("language", "fr"),
        ("timeout", "soon"),
    ] {
        let run = world.day_with(0, &[(name, value)]);
        refused(&world, &run, name);
        assert!(!run.log.contains("panicked"), "{}", run.log);
    }
}

#[test]
fn switches_accept_yaml_booleans() {
    let world = World::new();
    world.user("alice", 200);
    for on in ["true", "True", "TRUE"] {
        assert_eq!(world.day_with(0, &[("dry-run", on)]).writes.len(), 0, "{on}");
    }
    for off in ["false", "False", "FALSE", "", " "] {
        let world = World::new();
        assert_ne!(world.day_with(0, &[("dry-run", off)]).writes.len(), 0, "{off}");
    }
}

#[test]
fn missing_allowlist_ends_the_run() {
    let world = World::new();
    world.user("alice", 200);
    let run = world.run(RunOptions { allowlist: "", ..RunOptions::default() });
    assert_eq!((run.code, run.output("result")), (2, "error"), "{}", run.log);
    assert!(run.log.contains("actions/checkout"), "{}", run.log);
    assert_eq!(run.writes.len(), 0);
    let elsewhere = &[("allowlist", "elsewhere.yml")];
    let run = world.run(RunOptions { allowlist: "", inputs: elsewhere, ..RunOptions::default() });
    assert_eq!(run.code, 2, "{}", run.log);
    assert!(run.log.contains("elsewhere.yml"), "{}", run.log);
    // Running without an allowlist must be explicit.
    let none = &[("allowlist", "none")];
    let run = world.run(RunOptions { allowlist: "", inputs: none, ..RunOptions::default() });
    assert_eq!((run.code, run.output("stale-count")), (0, "1"), "{}", run.log);
}

#[test]
fn invalid_allowlist_is_annotated_on_its_lines() {
    let world = World::new();
    let broken = "version: 1\nexemptions:\n  - user: alice\n    reasn: Typo\n    owner: Team A\n    \
                  expires: someday\n";
    let run = world.day(0, broken);
    assert_eq!((run.code, run.output("result")), (2, "error"), "{}", run.log);
    let annotations: Vec<_> = run.log.lines().filter(|line| line.starts_with("::error ")).collect();
    for line in ["line=4", "line=6"] {
        let of_file = |it: &&&str| it.contains("file=.github/iam-allowlist.yml");
        let on_line = |it: &&&str| it.contains(&format!("{line},"));
        assert!(annotations.iter().filter(of_file).any(|it| on_line(&it)), "{line}: {}", run.log);
    }
    assert_eq!(world.repo.writes().len(), 0);
    assert!(world.account.log().is_empty());
}

#[test]
fn exemptions_that_need_attention_are_annotated() {
    let world = World::new();
    world.user("alice", 200);
    let entry = |user: &str, day: i64| {
        let expires = world.date(day);
        format!("  - {{ user: {user}, reason: R, owner: O, expires: {expires} }}\n")
    };
    let entries = [entry("alice", -1), entry("ALICE", 5), entry("nobody", 200)].concat();
    let run = world.day(0, &format!("version: 1\nexemptions:\n{entries}"));
    assert_eq!((run.code, run.output("exempted-count")), (0, "1"), "{}", run.log);
    let notices: Vec<_> = run.log.lines().filter(|line| line.starts_with("::notice ")).collect();
    let on = |line: u32, says: &str| {
        let line = format!("line={line},");
        notices.iter().any(|it| it.contains(&line) && it.contains(says))
    };
    assert!(on(3, "expired") && on(4, "expire") && on(4, "case") && on(5, "matches no user"));
}

#[test]
fn debug_log_has_every_call() {
    let world = World::new();
    world.user("alice", 200);
    let calls = |run: &Run| run.log.lines().filter(|line| line.contains("answered")).count();
    let debugging = |value| {
        let environment = &[("RUNNER_DEBUG", value)];
        world.run(RunOptions { environment, ..RunOptions::default() })
    };
    let run = debugging("1");
    assert_eq!(run.code, 0, "{}", run.log);
    for call in ["action=\"iam:GetCredentialReport\"", "method=GET", "method=POST", "/issues"] {
        assert!(run.log.contains(call), "{call}: {}", run.log);
    }
    assert!(calls(&run) >= 5, "{}", run.log);
    let secret = world.repo.token();
    let masked = format!("::add-mask::{secret}");
    assert_eq!(run.log.matches(secret).count(), run.log.matches(&masked).count());
    for value in ["", "0"] {
        assert_eq!(calls(&debugging(value)), 0);
    }
}

#[test]
fn debug_log_of_a_public_repository_has_no_names() {
    let world = World::in_repository("public");
    world.user("alice", 200);
    world.account.policy(serde_json::json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
        { "Effect": "Deny", "Action": "iam:ListAccessKeys", "Resource": "*" },
    ]}));
    let run =
        world.run(RunOptions { environment: &[("RUNNER_DEBUG", "1")], ..RunOptions::default() });
    assert_eq!(run.code, 3, "{}", run.log);
    assert!(run.log.contains("failed action=\"iam:ListAccessKeys\""), "{}", run.log);
    assert!(!run.log.contains("alice"), "{}", run.log);
}

#[test]
fn runner_file_that_cannot_be_written_is_an_error() {
    for variable in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
        let world = World::new();
        world.user("alice", 200);
        let environment = &[(variable, "/nowhere/at/all")];
        let run = world.run(RunOptions { environment, ..RunOptions::default() });
        assert_eq!(run.code, 4, "{}", run.log);
        let says = format!("cannot write /nowhere/at/all ({variable})");
        assert!(run.log.contains(&says), "{}", run.log);
        // The queue is not affected.
        assert_eq!(world.queue().len(), 1);
        if variable == "GITHUB_STEP_SUMMARY" {
            assert_eq!(run.output("result"), "error");
        }
    }
}

#[test]
fn reports_have_the_owner_of_the_workspace() {
    let world = World::new();
    world.user("alice", 200);
    // Only root can change the owner of a folder.
    let given = chown(world.sandbox.path("."), Some(4_711), Some(4_712)).is_ok();
    let run = world.day_with(0, &[("report-dir", "reports/iam")]);
    assert_eq!(run.code, 0, "{}", run.log);
    let expected = ["reports/iam/iam-stocktake.md", "reports/iam/iam-stocktake.json"];
    assert_eq!(["report-markdown", "report-json"].map(|name| run.output(name)), expected);
    let workspace = world.sandbox.path(".").metadata().unwrap();
    for name in ["reports", "reports/iam"].iter().chain(&expected) {
        let made = world.sandbox.path(name).metadata().unwrap();
        assert_eq!((made.uid(), made.gid()), (workspace.uid(), workspace.gid()), "{name}");
        assert_eq!(given, made.uid() == 4_711);
    }
    let audit: serde_json::Value =
        serde_json::from_str(&world.sandbox.read("reports/iam/iam-stocktake.json")).unwrap();
    assert_eq!(audit["run"]["event"], "schedule");
    assert_eq!(audit["run"]["repository"], world.repo.full_name());
}

#[test]
fn unwritable_reports_are_an_error() {
    let world = World::new();
    world.user("alice", 200);
    world.sandbox.file("reports", "a file where the folder is to be");
    let run = world.day_with(0, &[("report-dir", "reports")]);
    assert_eq!((run.code, run.output("result")), (4, "error"), "{}", run.log);
    assert!(run.log.contains("cannot be written") && run.log.contains("`report-dir`"));
    assert_eq!(world.queue().len(), 1);
}

#[test]
fn missing_runner_variable_is_named() {
    let world = World::new();
    let run = world.run(RunOptions {
        environment: &[("GITHUB_EVENT_PATH", "")],
        allowlist: EMPTY,
        ..RunOptions::default()
    });
    assert_eq!(run.code, 2, "{}", run.log);
    assert!(run.log.contains("GITHUB_EVENT_PATH is not set"), "{}", run.log);
}
