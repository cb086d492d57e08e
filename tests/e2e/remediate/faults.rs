//! Failures while a plan is applied: each change is made once or reported, and the journal says
//! which.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::concurrent_change::{events, run_with_change};
use super::skips::{key_of, stale};
use super::world::{Run, World};
use stand_ins::aws::StandIn;

/// The IAM calls that deactivate and delete credentials.
const WRITES: [&str; 11] = [
    "TagUser",
    "UntagUser",
    "DeleteLoginProfile",
    "UpdateAccessKey",
    "UpdateSSHPublicKey",
    "UpdateSigningCertificate",
    "UpdateServiceSpecificCredential",
    "DeleteAccessKey",
    "DeleteSSHPublicKey",
    "DeleteSigningCertificate",
    "DeleteServiceSpecificCredential",
];

/// A user with one stale credential of each kind.
fn all_kinds() -> World {
    let allowlist = "version: 1\nremediation: {delete_after_days: 30, delete_passwords: true, \
                     max_changes: 20, max_share: 100, max_gap_days: 60, rules: [stale-password, \
                     stale-access-key, old-service-credential]}\n";
    World::new(
        allowlist,
        json!([{
            "name": "alice",
            "password": {"changed": 400, "last_used": 200},
            "keys": [{"created": 300, "last_used": 200}],
            "ssh_keys": [{"created": 300}],
            "certificates": [{"created": 300}],
            "service_credentials": [{"created": 300}],
        }]),
    )
}

/// The status codes of the responses to an action.
fn answers(world: &World, action: &str) -> Vec<u16> {
    let log = world.account.log().into_iter();
    log.filter(|it| it.action == action).map(|it| it.status).collect()
}

/// Asserts that each started step in the journal is recorded as done exactly once.
#[track_caller]
fn assert_all_done(world: &World) {
    let mut ends: BTreeMap<(String, u64), Vec<String>> = BTreeMap::new();
    for line in world.journal() {
        let Some(n) = line["n"].as_u64() else { continue };
        let step = ends.entry((line["run"].to_string(), n)).or_default();
        step.push(line["event"].as_str().unwrap().to_owned());
    }
    assert!(!ends.is_empty());
    for (step, events) in ends {
        assert_eq!(events, ["begin", "done"], "{step:?}");
    }
}

#[test]
fn failed_calls_are_retried_until_they_succeed_once() {
    for (what, fault) in [
        ("throttled", json!({"throttle": {"max": 3, "actions": WRITES}})),
        ("5xx", json!({"error": {"max": 3, "actions": WRITES}})),
        ("unavailable", json!({"error": {"max": 3, "actions": WRITES, "status": 503}})),
        ("connection reset", json!({"reset": {"max": 3, "actions": WRITES}})),
    ] {
        let world = stale(&["anna"]);
        world.account.faults(fault.clone());
        world.apply(0.0);
        world.account.faults(fault);
        world.account.reset_log();
        world.apply(14.0);
        assert_eq!(world.key_statuses("anna"), ["Inactive"], "{what}");
        // Three failed attempts, then one that succeeds. Attempts with a closed connection were
        // carried out.
        assert_eq!(answers(&world, "UpdateAccessKey").len(), 4, "{what}");
        assert_eq!(answers(&world, "TagUser"), [200], "{what}");
        assert_all_done(&world);
    }
}

#[test]
fn calls_can_be_repeated_after_a_lost_response() {
    let world = all_kinds();
    let lost: Vec<_> = WRITES.map(|it| json!({"actions": [it], "max": 1})).into();
    world.account.faults(json!({ "lost": lost }));
    for day in [0.0, 14.0, 44.0] {
        world.apply(day);
    }
    for action in WRITES {
        let answers = answers(&world, action);
        let again = if [
            "DeleteAccessKey",
            "DeleteSSHPublicKey",
            "DeleteSigningCertificate",
            "DeleteServiceSpecificCredential",
            "DeleteLoginProfile",
        ]
        .contains(&action)
        {
            // The credential no longer exists.
            404
        } else {
            200
        };
        assert_eq!(answers[..2], [200, again], "{action}");
    }
    let alice = world.user("alice");
    for kind in ["keys", "ssh_keys", "certificates", "service_credentials"] {
        assert_eq!(alice[kind], json!([]), "{kind}");
    }
    assert_eq!((&alice["password"], &alice["tags"]), (&json!(false), &json!({})));
    assert_all_done(&world);
}

#[test]
fn denied_call_stops_the_changes_of_one_user_only() {
    let key = json!({"created": 300, "last_used": 200});
    let world = stale(&["anna", "carl"]);
    world.account.change(json!([{"create_user": {"name": "bert", "keys": [key, key]}}]));
    world.apply(0.0);
    let bert = format!("arn:aws:iam::{}:user/bert", world.account.id());
    world.account.policy(json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "iam:UpdateAccessKey", "Resource": bert},
    ]}));
    world.account.reset_log();
    let run = world.run(14.0, &["--apply"]);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    let failed = run.stdout.split_once("Failed:\n").unwrap_or_else(|| panic!("{}", run.stdout)).1;
    let message = "iam:UpdateAccessKey failed: AccessDenied: ";
    assert!(
        failed.contains("bert, ") && failed.contains(": deactivate (") && failed.contains(message),
        "{failed}"
    );
    assert!(run.stdout.contains("an earlier change for this user was not made"), "{}", run.stdout);

    assert_eq!(world.key_statuses("bert"), ["Active", "Active"]);
    assert_eq!(answers(&world, "UpdateAccessKey"), [200, 403, 200]);
    assert_eq!(world.key_statuses("anna"), ["Inactive"]);
    assert_eq!(world.key_statuses("carl"), ["Inactive"]);
    let events = events(&world.journal());
    let second_run = events.iter().rposition(|it| it == "run").unwrap();
    assert_eq!(
        events[second_run + 1..],
        [
            "begin deactivate anna",
            "done",
            "begin tag anna",
            "done",
            "begin deactivate bert",
            "failed",
            "skipped bert",
            "begin deactivate carl",
            "done",
            "begin tag carl",
            "done",
            "end",
        ]
    );
    let journal = world.journal();
    let failed = journal.iter().find(|it| it["event"] == "failed").unwrap();
    assert_eq!(failed["refused"], json!(true));
}

#[test]
fn lost_response_followed_by_a_denial_has_an_unknown_result() {
    let world = stale(&["anna"]);
    world.apply(0.0);
    let nothing = || {};
    let denied = json!({"deny": ["UpdateAccessKey"]});
    let at = ("UpdateAccessKey", 1);
    let run = run_with_change(&world, (14.0, &["--apply"]), at, nothing, denied);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert_eq!(world.key_statuses("anna"), ["Inactive"]);
    let journal = world.journal();
    let failed = journal.iter().find(|it| it["event"] == "failed").unwrap();
    assert_eq!(failed["refused"], json!(false), "{failed}");

    // The credential can still be undone.
    let undo = ["remediate", "--undo", "--now", &world.written(14.0)];
    world.account.faults(json!({}));
    let undone = world
        .sandbox
        .command(&[&undo[..], &["--apply"]].concat())
        .envs(world.account.environment())
        .env("HOME", "/nowhere")
        .output()
        .unwrap();
    assert_eq!(undone.status.code(), Some(0), "{}", String::from_utf8_lossy(&undone.stderr));
    assert_eq!(world.key_statuses("anna"), ["Active"]);
}

#[test]
fn next_run_continues_after_an_expired_session() {
    let world = stale(&["anna", "bert"]);
    world.apply(0.0);
    let expired = json!({"expired": {"after": 0}});
    let at = ("UpdateAccessKey", 1);
    let run = run_with_change(&world, (14.0, &["--apply"]), at, || {}, expired);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.stdout.matches("failed: ExpiredToken: ").count(), 2, "{}", run.stdout);
    assert_eq!(world.key_statuses("bert"), ["Active"]);
    world.account.faults(json!({}));
    world.account.reset_log();
    world.apply(14.0);
    assert_eq!(world.key_statuses("anna"), ["Inactive"]);
    assert_eq!(world.key_statuses("bert"), ["Inactive"]);
    // The deactivation with the unknown result is resolved, not repeated.
    assert_eq!(answers(&world, "UpdateAccessKey"), [200]);
    let resolved: Vec<_> =
        world.journal().into_iter().filter(|it| it["event"] == "settled").collect();
    assert_eq!((resolved.len(), &resolved[0]["done"]), (1, &json!(true)));
}

#[test]
fn next_run_resolves_a_call_that_timed_out() {
    let world = stale(&["anna"]);
    world.apply(0.0);
    world.account.faults(json!({"slow": {"seconds": 120, "actions": ["UpdateAccessKey"]}}));
    let run = world.run(14.0, &["--apply", "--timeout", "12"]);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert!(
        run.stdout.contains("iam:UpdateAccessKey failed: no response within "),
        "{}",
        run.stdout
    );
    world.account.faults(json!({}));
    world.apply(14.0);
    let resolved: Vec<_> =
        world.journal().into_iter().filter(|it| it["event"] == "settled").collect();
    assert_eq!((resolved.len(), &resolved[0]["done"]), (1, &json!(true)));
    assert_eq!(world.key_statuses("anna"), ["Inactive"]);
}

#[test]
fn tag_quota_error_is_reported_without_retries() {
    let world = stale(&["anna", "bert"]);
    world.account.faults(json!({"error": {
        "actions": ["TagUser"], "nth": 1, "code": "LimitExceeded", "status": 409,
        "message": "Cannot exceed quota for TagsPerUser: 50",
    }}));
    let run = world.run(0.0, &["--apply"]);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("iam:TagUser failed: LimitExceeded: "), "{}", run.stdout);
    assert_eq!(answers(&world, "TagUser"), [409, 200]);
    assert_eq!((world.tags("anna").len(), world.tags("bert").len()), (0, 1));
}

#[test]
fn nothing_is_changed_without_a_journal() {
    let world = stale(&["anna"]);
    std::fs::create_dir(world.sandbox.path("folder")).unwrap();
    for journal in ["folder", "nowhere/journal.jsonl", "allow.yml/journal.jsonl", "/dev/full"] {
        let run = world.run(0.0, &["--apply", "--journal", journal]);
        assert_eq!(run.code, 2, "{journal}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(&format!("{journal}: ")), "{journal}: {}", run.stderr);
        assert_eq!(world.account.log().len(), 0, "{journal}");
    }
}

/// A run that cannot write files larger than this number of blocks, as on a full disk.
fn on_a_full_disk(world: &World, day: f64, blocks: u32) -> Run {
    let command = world.command(day, &["--apply"]);
    let mut limited = std::process::Command::new("sh");
    // Without the trap, the signal would end the program before it sees the error.
    limited
        .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""), "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap())
        .env_clear()
        .envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let output = limited.output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        plan: Value::Null,
    }
}

#[test]
fn nothing_is_changed_if_the_journal_cannot_be_written() {
    let world = stale(&["anna", "bert", "carl", "dora", "emil", "fred"]);
    let message = "no further changes were made, because each one must be in the journal";
    let run = on_a_full_disk(&world, 0.0, 0);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(message), "{}", run.stderr);
    assert_eq!(world.writes(), [""; 0]);

    // With room for a few lines, no call is made without its line.
    let run = on_a_full_disk(&world, 0.0, 2);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(message), "{}", run.stderr);
    let text = world.sandbox.read("iam-stocktake-journal.jsonl");
    let begin_lines = text.matches("\"event\":\"begin\"").count();
    let wrote = world.writes().len();
    assert!(0 < wrote && wrote <= begin_lines && wrote < 6, "{wrote} of {begin_lines}");

    // The next run continues after the incomplete line.
    world.apply(0.0);
    for name in ["anna", "bert", "carl", "dora", "emil", "fred"] {
        assert_eq!(world.tags(name).len(), 1, "{name}");
    }
}

#[test]
fn damaged_journal_is_rejected() {
    let world = stale(&["anna"]);
    world.apply(0.0);
    let text = world.sandbox.read("iam-stocktake-journal.jsonl");
    let broken = text.replacen("\"event\":\"begin\"", "\"event\":\"beg", 1);
    assert_ne!(broken, text);
    world.sandbox.file("iam-stocktake-journal.jsonl", &broken);
    world.account.reset_log();
    for arguments in [&["--apply"][..], &[]] {
        let run = world.run(14.0, arguments);
        assert_eq!(run.code, 2, "{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("iam-stocktake-journal.jsonl, line 2: "), "{}", run.stderr);
    }
    assert_eq!(world.account.log().len(), 0);
    assert_eq!(world.sandbox.read("iam-stocktake-journal.jsonl"), broken);
}

#[test]
fn no_secret_or_full_key_id_is_printed() {
    let world = stale(&["anna"]);
    let key = key_of(&world, "anna");
    world.apply(0.0);
    world.account.faults(json!({"error": {
        "actions": ["UpdateAccessKey"], "code": "NoSuchEntity", "status": 404,
        "message": format!("The Access Key with id {key} cannot be found."),
    }}));
    let run = world.run(14.0, &["--apply", "--verbose"]);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    world.account.faults(json!({}));
    let again = world.apply(14.0);
    let printed = [run.stdout, run.stderr, again.stdout, again.stderr].concat();
    assert!(printed.contains(&format!("…{}", &key[16..])), "{printed}");
    assert!(!printed.contains(&key), "{printed}");
    for secret in StandIn::shared().secrets() {
        assert!(!printed.contains(&secret), "{printed}");
    }
    let journal = world.sandbox.read("iam-stocktake-journal.jsonl");
    for secret in StandIn::shared().secrets() {
        assert!(!journal.contains(&secret), "{journal}");
    }
}
