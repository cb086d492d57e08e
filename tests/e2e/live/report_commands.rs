//! The commands in the report of a live audit: each block runs unchanged in each shell against the
//! stand-in, does what it says, and stops in another account.

use serde_json::{Value, json};

use super::audit_with;
use stand_ins::aws::{Account, Seed, StandIn};
use stand_ins::sandbox::{Ran, Sandbox};
use stand_ins::shell;

/// With an expiry tag, the audit reads the tags, groups and policies of all users.
const ALLOWLIST: &str = "version: 1\npolicy: { expiry_tag: expires }\n";

/// A small AWS CLI.
const AWS: &str = "#!/bin/sh\nexec \"$PYTHON\" \"$AWS_CLI\" \"$@\"\n";

/// 50 users of all kinds, among them one with everything that a user can have.
fn account() -> Account {
    let account = StandIn::shared().account(Seed::users(48, 7));
    account.change(json!([
        {"create_user": {
            "name": "everything", "created": 400, "mfa": true,
            "password": {"changed": 400, "last_used": 200},
            "keys": [{"created": 300, "last_used": 200}, {"created": 300, "last_used": 250}],
            "groups": ["staff", "ops"], "inline_policies": ["own", "=ls"],
            "attached_policies": ["team-web"],
        }},
        {"create_user": {
            "name": "=ls", "created": 400, "keys": [{"created": 300, "last_used": 200}],
        }},
    ]));
    account.make_report(1.0);
    account
}

fn report(account: &Account) -> String {
    let sandbox = Sandbox::new();
    sandbox.file("allow.yml", ALLOWLIST);
    let arguments = ["audit", "--allowlist", "allow.yml", "--format", "markdown", "--quiet"];
    let mut command = sandbox.command(&arguments);
    command.env("HOME", sandbox.path("home")).envs(account.environment());
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    ran.stdout
}

struct Shell {
    sandbox: Sandbox,
    program: &'static str,
}

impl Shell {
    fn each() -> impl Iterator<Item = Self> {
        shell::installed().map(|program| {
            let sandbox = Sandbox::new();
            shell::install(&sandbox, "aws", AWS);
            Self { sandbox, program }
        })
    }

    /// The exit code and standard error of a block with the credentials of this account.
    fn run(&self, block: &str, account: &Account) -> (i32, String) {
        let output = shell::command(&self.sandbox, self.program, block)
            .env("PYTHON", stand_ins::aws::python())
            .env("AWS_CLI", stand_ins::services::sources().join("aws_cli.py"))
            .envs(account.environment())
            .output()
            .unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

/// The blocks that deactivate, and the blocks that delete.
fn by_stage(report: &str) -> (Vec<String>, Vec<String>) {
    let (mut deactivate, mut delete) = (Vec::new(), Vec::new());
    for user in report.split("<details>") {
        let (first, second) = user.split_once("**Delete").unwrap_or((user, ""));
        deactivate.extend(shell::blocks(first));
        delete.extend(shell::blocks(second));
    }
    (deactivate, delete)
}

#[test]
fn deactivation_leaves_no_stale_credential() {
    for shell in Shell::each() {
        let account = account();
        let (blocks, _) = by_stage(&report(&account));
        assert!(blocks.len() > 10, "{}", blocks.len());
        for block in &blocks {
            assert_eq!(
                shell.run(block, &account),
                (0, String::new()),
                "{}: {block}",
                shell.program
            );
        }
        account.make_report(0.0);
        let audited = audit_with(ALLOWLIST, &account.environment(), &[]);
        let stale = |finding: &&Value| {
            ["stale-password", "stale-access-key"].contains(&finding["rule"].as_str().unwrap())
        };
        for finding in audited.findings().filter(stale) {
            let is_excluded = finding["notes"].as_array().is_some_and(|it| !it.is_empty());
            assert!(is_excluded, "{}: {finding:#}", shell.program);
        }
    }
}

#[test]
fn deletion_removes_the_user_or_is_refused_because_something_is_left() {
    for shell in Shell::each() {
        let account = account();
        let mut deleted = Vec::new();
        for block in &by_stage(&report(&account)).1 {
            let (code, message) = shell.run(block, &account);
            let name =
                block.lines().last().unwrap().strip_prefix("aws iam delete-user --user-name ");
            let Some(name) = name.map(|it| it.trim_matches('\'')) else {
                assert_eq!((code, message), (0, String::new()), "{}: {block}", shell.program);
                continue;
            };
            if code == 0 {
                assert_eq!(account.user(name), Value::Null, "{block}");
                deleted.push(name.to_owned());
            } else {
                // A signing certificate has no ID in the credential report, so the block before lists it.
                assert!(message.contains("(DeleteConflict)"), "{message}\n{block}");
                assert_ne!(account.user(name)["certificates"], json!([]), "{block}");
            }
        }
        assert!(deleted.len() > 3, "{deleted:?}");
        for name in ["everything", "=ls"] {
            assert!(deleted.contains(&name.to_owned()), "{deleted:?}");
        }
    }
}

#[test]
fn every_block_stops_in_another_account() {
    let blocks = shell::blocks(&report(&account()));
    let other = StandIn::shared().account(Seed::empty());
    for shell in Shell::each() {
        other.reset_log();
        for block in &blocks {
            assert_eq!(shell.run(block, &other), (1, String::new()), "{block}");
        }
        let called: Vec<_> = other.log().iter().map(stand_ins::aws::Call::name).collect();
        assert_eq!(called, vec!["sts:GetCallerIdentity"; blocks.len()], "{}", shell.program);
    }
}
