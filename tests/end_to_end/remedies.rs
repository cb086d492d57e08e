//! The scripts of the report, run by a shell with a stand-in for the AWS CLI.

use std::process::Command;

use crate::hostile::{HOSTILE, hostile_report};
use crate::sandbox::{Sandbox, markdown, report};

/// Records its arguments, one file a call and one line an argument, and answers what is asked.
const AWS: &str = r#"#!/usr/bin/env bash
call=$(printf '%s/calls/%03d' "$STAND_IN" "$(ls "$STAND_IN/calls" | wc -l)")
printf '%s\0' "$@" > "$call"
[ "$2" != "${FAIL:-}" ] || exit 254
case "$1 $2" in
  "sts get-caller-identity") echo "${ACCOUNT:-111122223333}" ;;
  "iam list-access-keys") echo "${KEYS-AKIAIOSFODNN7EXAMPLE}" ;;
  "iam list-signing-certificates") echo CERT1 ;;
  "iam list-ssh-public-keys") echo SSH1 ;;
  "iam list-service-specific-credentials") printf 'SVC1\nSVC2\n' ;;
  "iam list-mfa-devices") printf 'arn:aws:iam::111122223333:mfa/phone\nGAHT12345678\n' ;;
  "iam list-user-policies") echo inline ;;
  "iam list-attached-user-policies") echo 'arn:aws:iam::aws:policy/*' ;;
  "iam list-groups-for-user") echo staff ;;
esac
"#;

struct Shell {
    sandbox: Sandbox,
}

/// What a script came to: its exit code and the calls that it made, as lists of arguments.
struct Outcome {
    code: i32,
    stderr: String,
    calls: Vec<Vec<String>>,
}

impl Outcome {
    fn names(&self) -> Vec<&str> {
        self.calls.iter().map(|call| call[1].as_str()).collect()
    }
}

impl Shell {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        sandbox.file("bin/aws", AWS).file("calls/.keep", "");
        let status = Command::new("chmod").arg("+x").arg(sandbox.path("bin/aws")).status();
        assert!(status.unwrap().success());
        Self { sandbox }
    }

    fn run(&self, script: &str, variables: &[(&str, &str)]) -> Outcome {
        self.sandbox.file("script.sh", script);
        let path =
            format!("{}:{}", self.sandbox.path("bin").display(), std::env::var("PATH").unwrap());
        let output = Command::new("bash")
            .arg(self.sandbox.path("script.sh"))
            .current_dir(self.sandbox.path(""))
            .env("PATH", path)
            .env("STAND_IN", self.sandbox.path(""))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let mut calls = Vec::new();
        for entry in 0.. {
            let path = self.sandbox.path(&format!("calls/{entry:03}"));
            let Ok(call) = std::fs::read_to_string(&path) else { break };
            std::fs::remove_file(path).unwrap();
            calls.push(call.trim_end_matches('\0').split('\0').map(str::to_owned).collect());
        }
        Outcome {
            code: output.status.code().unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            calls,
        }
    }
}

fn rendered(report: &str) -> String {
    markdown(report, None, &[]).stdout
}

/// The fenced blocks of one kind, in order.
fn blocks(report: &str, kind: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = report.lines();
    while let Some(line) = lines.next() {
        let ticks = line.chars().take_while(|c| *c == '`').count();
        if ticks < 3 || &line[ticks..] != kind {
            continue;
        }
        let fence = &line[..ticks];
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != fence).collect();
        blocks.push(block.join("\n"));
    }
    blocks
}

/// What a script shows of a name with characters that nobody could paste.
fn pasted(name: &str) -> String {
    iam_stocktake::report::visible(name).into_owned()
}

#[test]
fn every_script_parses_and_passes_the_name_as_one_argument() {
    let scripts = blocks(&rendered(&hostile_report()), "sh");
    assert_eq!(scripts.len(), 2 * HOSTILE.len());
    let shell = Shell::new();
    let mut names = std::collections::BTreeSet::new();
    for script in scripts {
        shell.sandbox.file("script.sh", &script);
        let path = shell.sandbox.path("script.sh");
        let check = Command::new("bash").arg("-n").arg(path).output().unwrap();
        assert!(check.status.success(), "{script}");
        let outcome = shell.run(&script, &[]);
        assert_eq!(outcome.code, 0, "{}\n{script}", outcome.stderr);
        for call in outcome.calls.iter().filter(|call| call[0] == "iam") {
            if let Some(at) = call.iter().position(|argument| argument == "--user-name") {
                names.insert(call[at + 1].clone());
            } else {
                assert_eq!(call[1], "delete-virtual-mfa-device");
            }
        }
        let expected = ["bin", "calls", "script.sh"];
        assert_eq!(shell.sandbox.names(), expected, "the name ran: {script}");
    }
    let expected: std::collections::BTreeSet<_> = HOSTILE.iter().map(|it| pasted(it)).collect();
    assert_eq!(names, expected);
}

#[test]
fn a_script_stops_before_it_does_anything_in_another_account() {
    let shell = Shell::new();
    for script in blocks(&rendered(&hostile_report()), "sh") {
        let outcome = shell.run(&script, &[("ACCOUNT", "999999999999")]);
        assert_eq!(outcome.code, 1);
        assert_eq!(outcome.names(), ["get-caller-identity"]);
        assert!(outcome.stderr.contains("111122223333"), "{}", outcome.stderr);
    }
}

const OLD: &str = "2025-01-01T00:00:00Z";
const NEW: &str = "2026-06-20T00:00:00Z";

#[test]
fn deactivation_touches_what_is_stale_and_nothing_else() {
    let shell = Shell::new();
    // The key is stale, the password beside it is in use.
    let report = rendered(&report("111122223333", &[("mixed", NEW, OLD)]));
    let scripts = blocks(&report, "sh");
    let outcome = shell.run(&scripts[0], &[]);
    assert_eq!(outcome.names(), ["get-caller-identity", "list-access-keys", "update-access-key"]);
    assert_eq!(
        outcome.calls[1][5],
        "AccessKeyMetadata[?starts_with(CreateDate, '2024-01-01T00:00:00')].[AccessKeyId]"
    );
    assert_eq!(
        outcome.calls[2],
        [
            "iam",
            "update-access-key",
            "--user-name",
            "mixed",
            "--access-key-id",
            "AKIAIOSFODNN7EXAMPLE",
            "--status",
            "Inactive",
        ]
    );
    // The user stays: the second script deletes that key alone.
    let outcome = shell.run(&scripts[1], &[]);
    assert_eq!(
        outcome.names(),
        ["get-caller-identity", "list-access-keys", "update-access-key", "delete-access-key"]
    );
    assert!(report.contains("The user is in use"), "{report}");
}

#[test]
fn a_script_that_finds_other_keys_than_the_report_had_does_nothing() {
    let shell = Shell::new();
    let scripts = blocks(&rendered(&report("111122223333", &[("mixed", NEW, OLD)])), "sh");
    for keys in ["", "AKIAIOSFODNN7EXAMPLE\nAKIAI44QH8DHBEXAMPLE"] {
        for script in &scripts {
            let outcome = shell.run(script, &[("KEYS", keys)]);
            assert_eq!(outcome.code, 1);
            assert_eq!(outcome.names(), ["get-caller-identity", "list-access-keys"]);
        }
    }
}

#[test]
fn a_whole_user_is_deleted_in_the_order_that_iam_asks_for() {
    let shell = Shell::new();
    let report = rendered(&report("111122223333", &[("leaver", OLD, OLD)]));
    let scripts = blocks(&report, "sh");
    let outcome = shell.run(&scripts[1], &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let changes: Vec<_> = outcome
        .calls
        .iter()
        .filter(|call| !call[1].starts_with("list-") && !call[1].starts_with("get-"))
        .map(|call| {
            let id = call.iter().skip(4).find(|argument| !argument.starts_with("--"));
            format!("{} {}", call[1], id.map_or("", String::as_str))
        })
        .collect();
    assert_eq!(
        changes,
        [
            "update-access-key AKIAIOSFODNN7EXAMPLE",
            "delete-login-profile ",
            "delete-access-key AKIAIOSFODNN7EXAMPLE",
            "delete-signing-certificate CERT1",
            "delete-ssh-public-key SSH1",
            "delete-service-specific-credential SVC1",
            "delete-service-specific-credential SVC2",
            "deactivate-mfa-device arn:aws:iam::111122223333:mfa/phone",
            "delete-virtual-mfa-device ",
            "deactivate-mfa-device GAHT12345678",
            "delete-user-policy inline",
            "detach-user-policy arn:aws:iam::aws:policy/*",
            "remove-user-from-group staff",
            "delete-user ",
        ]
    );
}

#[test]
fn a_deletion_stops_at_the_first_call_that_fails() {
    let shell = Shell::new();
    let scripts = blocks(&rendered(&report("111122223333", &[("leaver", OLD, OLD)])), "sh");
    for fails in
        ["list-access-keys", "list-mfa-devices", "delete-ssh-public-key", "list-groups-for-user"]
    {
        let outcome = shell.run(&scripts[1], &[("FAIL", fails)]);
        assert_ne!(outcome.code, 0, "{fails}");
        assert_eq!(outcome.names().last(), Some(&fails));
    }
}

#[test]
fn a_user_with_something_in_use_exempted_or_unknown_is_never_to_be_deleted_whole() {
    let deletes_user = |report: &str, allowlist: &str| {
        let rendered = markdown(report, Some(allowlist), &[]).stdout;
        blocks(&rendered, "sh").iter().any(|script| script.contains("delete-user "))
    };
    let none = "version: 1\n";
    let user = |password, key| report("111122223333", &[("someone", password, key)]);
    assert!(deletes_user(&user(OLD, OLD), none));
    assert!(!deletes_user(&user(OLD, NEW), none));
    assert!(!deletes_user(&user(OLD, "garbage"), none));
    let exempt = "version: 1\nexemptions:\n  - {user: someone, credentials: [password], \
                  reason: r, owner: o, expires: 2026-12-31}\n";
    assert!(!deletes_user(&user(OLD, OLD), exempt));
}
