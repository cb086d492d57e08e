//! The commands in the report of an exported credential report, run by each shell with a stand-in for
//! the AWS CLI.

use std::collections::BTreeSet;

use crate::cli::hostile::{HOSTILE, hostile_report};
use stand_ins::sandbox::{Sandbox, markdown, report};
use stand_ins::shell;

/// Records its arguments, with one file per call and one line per argument.
const AWS: &str = r#"#!/usr/bin/env bash
call=$(printf '%s/calls/%03d' "$STAND_IN" "$(ls "$STAND_IN/calls" | wc -l)")
printf '%s\0' "$@" > "$call"
[ "$2" != "${FAIL:-}" ] || { echo "An error occurred (AccessDenied)" >&2; exit 254; }
[ "$1" = iam ] || echo "${ACCOUNT:-111122223333}"
"#;

struct Shell {
    sandbox: Sandbox,
    program: &'static str,
}

/// The result of a block: its exit code, and the arguments of its calls.
struct Outcome {
    code: i32,
    calls: Vec<Vec<String>>,
}

impl Outcome {
    fn names(&self) -> Vec<&str> {
        self.calls.iter().map(|call| call[1].as_str()).collect()
    }
}

impl Shell {
    fn each() -> impl Iterator<Item = Self> {
        shell::installed().map(|program| {
            let sandbox = Sandbox::new();
            sandbox.file("calls/.keep", "");
            shell::install(&sandbox, "aws", AWS);
            Self { sandbox, program }
        })
    }

    fn run(&self, script: &str, variables: &[(&str, &str)]) -> Outcome {
        let output = shell::command(&self.sandbox, self.program, script)
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
        Outcome { code: output.status.code().unwrap(), calls }
    }
}

fn rendered(report: &str) -> String {
    markdown(report, None, &[]).stdout
}

/// A name as in a command, with invisible characters escaped.
fn pasted(name: &str) -> String {
    iam_stocktake::templates::escape_invisible(name).into_owned()
}

#[test]
fn every_block_passes_the_name_as_one_argument() {
    let blocks = shell::blocks(&rendered(&hostile_report()));
    for shell in Shell::each() {
        let mut names = BTreeSet::new();
        for block in &blocks {
            let outcome = shell.run(block, &[]);
            assert_eq!(outcome.code, 0, "{}: {block}", shell.program);
            for call in outcome.calls.iter().filter(|call| call[0] == "iam") {
                names.insert(match call[2].strip_prefix("--user-name=") {
                    Some(name) => name.to_owned(),
                    None => {
                        assert_eq!(call[2], "--user-name", "{block}");
                        call[3].clone()
                    }
                });
            }
            let expected = ["bin", "calls", "script"];
            assert_eq!(shell.sandbox.names(), expected, "the name ran: {block}");
        }
        let expected: BTreeSet<_> = HOSTILE.iter().map(|it| pasted(it)).collect();
        assert_eq!(names, expected, "{}", shell.program);
    }
}

#[test]
fn block_stops_before_it_calls_iam_in_another_account() {
    let blocks = shell::blocks(&rendered(&hostile_report()));
    for shell in Shell::each() {
        for block in &blocks {
            let outcome = shell.run(block, &[("ACCOUNT", "999999999999")]);
            assert_eq!(outcome.code, 1, "{}: {block}", shell.program);
            assert_eq!(outcome.names(), ["get-caller-identity"]);
        }
    }
}

const OLD: &str = "2025-01-01T00:00:00Z";
const NEW: &str = "2026-06-20T00:00:00Z";
const CHECK: &str =
    "[ \"$(aws sts get-caller-identity --query Account --output text)\" = 111122223333 ]";

#[test]
fn exported_report_says_which_key_to_pick() {
    // The key is stale, and the password is in use.
    let report = rendered(&report("111122223333", &[("mixed", NEW, OLD)]));
    let list = format!("{CHECK} &&\naws iam list-access-keys --user-name mixed");
    assert_eq!(shell::blocks(&report), [list.clone(), list]);
    let pick = "- Pick the access key created at `2024-01-01T00:00:00+00:00`, and run \
                `aws iam update-access-key --user-name mixed --access-key-id ID --status Inactive` \
                with its ID.";
    assert!(report.contains(pick), "{report}");
    // The user is not deleted.
    let pick = "`aws iam delete-access-key --user-name mixed --access-key-id ID`";
    assert!(report.contains(pick), "{report}");
    assert!(report.contains("other credentials in use"), "{report}");
}

#[test]
fn block_stops_at_the_first_call_that_fails() {
    let blocks = shell::blocks(&rendered(&report("111122223333", &[("leaver", OLD, OLD)])));
    let delete = blocks.iter().find(|it| it.contains("delete-user ")).unwrap();
    for shell in Shell::each() {
        assert_eq!(
            shell.run(delete, &[]).names(),
            ["get-caller-identity", "delete-login-profile", "delete-user"]
        );
        for fails in ["get-caller-identity", "delete-login-profile", "delete-user"] {
            let outcome = shell.run(delete, &[("FAIL", fails)]);
            assert_ne!(outcome.code, 0, "{fails}");
            assert_eq!(outcome.names().last(), Some(&fails));
        }
    }
}

#[test]
fn user_with_active_exempted_or_unknown_credentials_is_never_deleted() {
    let deletes_user = |report: &str, allowlist: &str| {
        let rendered = markdown(report, Some(allowlist), &[]).stdout;
        rendered.contains("aws iam delete-user ")
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

#[test]
fn no_command_changes_what_needs_a_confirmation() {
    let blocks = |report: &str, allowlist: &str| {
        let rendered = markdown(report, Some(allowlist), &[]).stdout;
        assert!(
            rendered.contains("**Ask first.**") || rendered.contains("**Check first.**"),
            "{rendered}"
        );
        shell::blocks(&rendered).len()
    };
    let none = "version: 1\n";
    let user = report("111122223333", &[("someone", OLD, "-")]);
    let reset = user
        .replace(",true,2025-01-01T00:00:00Z,2024-01-01T00:00:00Z", &format!(",true,{OLD},{NEW}"));
    assert_ne!(reset, user);
    assert_eq!(blocks(&reset, none), 0, "a password that was just changed");
    let unreadable = reset.replace(NEW, "last week");
    assert_eq!(blocks(&unreadable, none), 0, "the time of the change is unknown");
    let pinned = "version: 1\nexemptions:\n  - {user: someone, user_id: AIDACKCEVSQ6C2EXAMPLE, \
                  reason: r, owner: o, expires: 2026-12-31}\n";
    assert_eq!(blocks(&user, pinned), 0, "an exemption may mean it");
}
