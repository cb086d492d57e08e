//! The scripts in the report, run by a shell with a stand-in for the AWS CLI.

use std::process::Command;

use crate::cli::hostile::{HOSTILE, hostile_report};
use stand_ins::sandbox::{Sandbox, markdown, report};

/// Records its arguments, with one file per call and one line per argument, and prints a response.
const AWS: &str = r#"#!/usr/bin/env bash
call=$(printf '%s/calls/%03d' "$STAND_IN" "$(ls "$STAND_IN/calls" | wc -l)")
printf '%s\0' "$@" > "$call"
[ "$2" != "${FAIL:-}" ] || { echo "An error occurred (${CODE:-AccessDenied})" >&2; exit 254; }
case "$*" in
  "sts get-caller-identity"*) echo "${ACCOUNT:-111122223333}" ;;
  *User.CreateDate*) echo "${CREATED-2024-01-01T00:00:00+00:00}" ;;
  *PasswordLastUsed*) echo "${PASSWORD_USED-None}" ;;
  *get-access-key-last-used*) echo "${KEY_USED-2025-01-01T00:00:00+00:00}" ;;
  *list-access-keys*"[AccessKeyId,CreateDate]"*)
    printf 'AKIAIOSFODNN7EXAMPLE\t%s\n' "${KEY_MADE-2024-01-01T00:00:00+00:00}" ;;
  "iam list-access-keys"*) echo "${KEYS-AKIAIOSFODNN7EXAMPLE}" ;;
  "iam list-signing-certificates"*) echo CERT1 ;;
  "iam list-ssh-public-keys"*Active*) printf '%s' "${ACTIVE_SSH-}" ;;
  "iam list-service-specific-credentials"*Active*) printf '%s' "${ACTIVE_SERVICE-}" ;;
  "iam list-ssh-public-keys"*) echo SSH1 ;;
  "iam list-service-specific-credentials"*) printf 'SVC1\nSVC2\n' ;;
  "iam list-mfa-devices"*) printf 'arn:aws:iam::111122223333:mfa/phone\nGAHT12345678\n' ;;
  "iam list-user-policies"*) echo inline ;;
  "iam list-attached-user-policies"*) echo 'arn:aws:iam::aws:policy/*' ;;
  "iam list-groups-for-user"*) echo staff ;;
esac
"#;

struct Shell {
    sandbox: Sandbox,
}

/// The result of a script: its exit code, and the arguments of its calls.
struct Outcome {
    code: i32,
    stderr: String,
    calls: Vec<Vec<String>>,
}

impl Outcome {
    fn names(&self) -> Vec<&str> {
        self.calls.iter().map(|call| call[1].as_str()).collect()
    }

    /// The calls that change something.
    fn changes(&self) -> Vec<&Vec<String>> {
        let reads = |name: &str| name.starts_with("list-") || name.starts_with("get-");
        self.calls.iter().filter(|call| !reads(&call[1])).collect()
    }
}

impl Shell {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        sandbox.file("bin/aws.sh", AWS).file("calls/.keep", "");
        // Another process writes the executable. If this process did, a child that another test forks at
        // the same time could keep the file open ("text file busy").
        let installed = Command::new("install")
            .args(["-m", "755"])
            .args([sandbox.path("bin/aws.sh"), sandbox.path("bin/aws")])
            .status();
        assert!(installed.unwrap().success());
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

/// A name as in a script, with invisible characters escaped.
fn pasted(name: &str) -> String {
    iam_stocktake::templates::escape_invisible(name).into_owned()
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
                let nameless = ["delete-virtual-mfa-device", "get-access-key-last-used"];
                assert!(nameless.contains(&call[1].as_str()), "{call:?}");
            }
        }
        let expected = ["bin", "calls", "script.sh"];
        assert_eq!(shell.sandbox.names(), expected, "the name ran: {script}");
    }
    let expected: std::collections::BTreeSet<_> = HOSTILE.iter().map(|it| pasted(it)).collect();
    assert_eq!(names, expected);
}

#[test]
fn script_stops_before_it_changes_another_account() {
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
fn deactivation_changes_only_stale_credentials() {
    let shell = Shell::new();
    // The key is stale, and the password is in use.
    let report = rendered(&report("111122223333", &[("mixed", NEW, OLD)]));
    let scripts = blocks(&report, "sh");
    let outcome = shell.run(&scripts[0], &[]);
    let looks = ["get-caller-identity", "list-access-keys", "get-access-key-last-used"];
    assert_eq!(outcome.names(), [&looks[..], &["update-access-key"]].concat());
    assert_eq!(
        outcome.calls[1][5],
        "AccessKeyMetadata[?starts_with(CreateDate, '2024-01-01T00:00:00')].[AccessKeyId]"
    );
    assert_eq!(
        outcome.calls[3],
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
    // The user is not deleted: the second script deletes only the key.
    let outcome = shell.run(&scripts[1], &[]);
    assert_eq!(outcome.names(), [&looks[..], &["update-access-key", "delete-access-key"]].concat());
    assert!(report.contains("other credentials in use"), "{report}");
}

#[test]
fn script_changes_nothing_if_the_keys_differ_from_the_report() {
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
fn user_is_deleted_in_the_order_that_iam_requires() {
    let shell = Shell::new();
    let report = rendered(&report("111122223333", &[("leaver", OLD, OLD)]));
    let scripts = blocks(&report, "sh");
    let outcome = shell.run(&scripts[1], &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let changes: Vec<_> = outcome
        .changes()
        .into_iter()
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
fn deletion_stops_at_the_first_call_that_fails() {
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
fn user_with_active_exempted_or_unknown_credentials_is_never_deleted() {
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

#[test]
fn credentials_used_or_created_since_the_report_stop_every_script() {
    let shell = Shell::new();
    let of_user = blocks(&rendered(&report("111122223333", &[("leaver", OLD, OLD)])), "sh");
    let of_key = blocks(&rendered(&report("111122223333", &[("mixed", NEW, OLD)])), "sh");
    let [deactivate, delete_user] = of_user.as_slice() else { panic!("two scripts") };
    let [_, delete_key] = of_key.as_slice() else { panic!("two scripts") };
    let later = "2026-06-29T00:00:00+00:00";
    for (script, variable, value) in [
        (deactivate, "KEY_USED", later),
        (delete_key, "KEY_USED", later),
        (delete_user, "KEY_USED", later),
        (delete_user, "KEY_MADE", later),
        (delete_user, "PASSWORD_USED", later),
        (delete_user, "CREATED", "2025-05-05T00:00:00+00:00"),
        (delete_user, "ACTIVE_SSH", "APKAIOSFODNN7EXAMPLE"),
        (delete_user, "ACTIVE_SERVICE", "ACCAIOSFODNN7EXAMPLE"),
    ] {
        let outcome = shell.run(script, &[(variable, value)]);
        assert_eq!(outcome.code, 1, "{variable}: {}", outcome.stderr);
        assert_eq!(outcome.changes(), Vec::<&Vec<String>>::new(), "{variable}");
    }
    // The password is checked right before its deletion, when the key is already inactive.
    let outcome = shell.run(deactivate, &[("PASSWORD_USED", later)]);
    assert_eq!(outcome.code, 1);
    assert!(!outcome.names().contains(&"delete-login-profile"));
}

#[test]
fn login_profile_that_cannot_be_read_is_not_treated_as_missing() {
    let shell = Shell::new();
    let scripts = blocks(&rendered(&report("111122223333", &[("leaver", OLD, OLD)])), "sh");
    let fails = |code| shell.run(&scripts[1], &[("FAIL", "get-login-profile"), ("CODE", code)]);
    let denied = fails("AccessDenied");
    assert_eq!((denied.code, denied.names().last()), (1, Some(&"get-login-profile")));
    assert!(denied.stderr.contains("AccessDenied"), "{}", denied.stderr);
    assert_eq!(fails("NoSuchEntity").names().last(), Some(&"delete-user"));
}

#[test]
fn no_script_changes_what_needs_a_confirmation() {
    let scripts = |report: &str, allowlist: &str| {
        let rendered = markdown(report, Some(allowlist), &[]).stdout;
        assert!(
            rendered.contains("**Ask first.**") || rendered.contains("**Check first.**"),
            "{rendered}"
        );
        blocks(&rendered, "sh").len()
    };
    let none = "version: 1\n";
    let user = report("111122223333", &[("someone", OLD, "-")]);
    let reset = user
        .replace(",true,2025-01-01T00:00:00Z,2024-01-01T00:00:00Z", &format!(",true,{OLD},{NEW}"));
    assert_ne!(reset, user);
    assert_eq!(scripts(&reset, none), 0, "a password that was just changed");
    let unreadable = reset.replace(NEW, "last week");
    assert_eq!(scripts(&unreadable, none), 0, "the time of the change is unknown");
    let pinned = "version: 1\nexemptions:\n  - {user: someone, user_id: AIDACKCEVSQ6C2EXAMPLE, \
                  reason: r, owner: o, expires: 2026-12-31}\n";
    assert_eq!(scripts(&user, pinned), 0, "an exemption may mean it");
}
