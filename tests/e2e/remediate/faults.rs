//! What goes wrong while a plan is carried out: everything is done once or told, and the journal
//! knows which.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::guards::{key_of, stale};
use super::meanwhile::{events, ran_meanwhile};
use super::world::{Run, World};
use stand_ins::aws::StandIn;

/// The calls that write in a deactivation and a deletion of credentials.
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

/// A user with a stale credential of every kind.
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

/// The answers to a call of this action, by their status.
fn answers(world: &World, action: &str) -> Vec<u16> {
    let log = world.account.log().into_iter();
    log.filter(|it| it.action == action).map(|it| it.status).collect()
}

/// Asserts that every step of the journal that was begun has one end, and that it was done.
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
fn what_is_throttled_fails_or_is_cut_off_is_done_in_the_end_and_once() {
    for (what, fault) in [
        ("throttled", json!({"throttle": {"max": 3, "actions": WRITES}})),
        ("5xx", json!({"error": {"max": 3, "actions": WRITES}})),
        ("unavailable", json!({"error": {"max": 3, "actions": WRITES, "status": 503}})),
        ("cut off", json!({"reset": {"max": 3, "actions": WRITES}})),
    ] {
        let world = stale(&["anna"]);
        world.account.faults(fault.clone());
        world.apply(0.0);
        world.account.faults(fault);
        world.account.reset_log();
        world.apply(14.0);
        assert_eq!(world.key_statuses("anna"), ["Inactive"], "{what}");
        // Each three times in vain, and then once; what is cut off was carried out before.
        assert_eq!(answers(&world, "UpdateAccessKey").len(), 4, "{what}");
        assert_eq!(answers(&world, "TagUser"), [200], "{what}");
        assert_all_done(&world);
    }
}

#[test]
fn an_answer_that_gets_lost_after_each_kind_of_call_is_no_second_deed() {
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
            // It is gone by then.
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
fn a_denial_half_way_ends_one_users_changes_and_nobody_elses() {
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
    let told = "iam:UpdateAccessKey failed: AccessDenied: ";
    assert!(
        failed.contains("bert, ") && failed.contains(": deactivate (") && failed.contains(told),
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
fn a_deed_whose_answer_was_lost_and_that_is_refused_then_may_have_been_done() {
    let world = stale(&["anna"]);
    world.apply(0.0);
    let nothing = || {};
    let denied = json!({"deny": ["UpdateAccessKey"]});
    let at = ("UpdateAccessKey", 1);
    let run = ran_meanwhile(&world, (14.0, &["--apply"]), at, nothing, denied);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert_eq!(world.key_statuses("anna"), ["Inactive"]);
    let journal = world.journal();
    let failed = journal.iter().find(|it| it["event"] == "failed").unwrap();
    assert_eq!(failed["refused"], json!(false), "{failed}");

    // So that it can be undone.
    let undo =
        ["remediate", "--undo", "iam-stocktake-journal.jsonl", "--now", &world.written(14.0)];
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
fn a_session_that_runs_out_ends_the_run_and_the_next_one_goes_on() {
    let world = stale(&["anna", "bert"]);
    world.apply(0.0);
    let expired = json!({"expired": {"after": 0}});
    let at = ("UpdateAccessKey", 1);
    let run = ran_meanwhile(&world, (14.0, &["--apply"]), at, || {}, expired);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.stdout.matches("failed: ExpiredToken: ").count(), 2, "{}", run.stdout);
    assert_eq!(world.key_statuses("bert"), ["Active"]);
    world.account.faults(json!({}));
    world.account.reset_log();
    world.apply(14.0);
    assert_eq!(world.key_statuses("anna"), ["Inactive"]);
    assert_eq!(world.key_statuses("bert"), ["Inactive"]);
    // What was done without being known is found out, and not done again.
    assert_eq!(answers(&world, "UpdateAccessKey"), [200]);
    let settled: Vec<_> =
        world.journal().into_iter().filter(|it| it["event"] == "settled").collect();
    assert_eq!((settled.len(), &settled[0]["done"]), (1, &json!(true)));
}

#[test]
fn a_call_that_takes_longer_than_the_run_may_is_told_and_found_out_by_the_next() {
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
    let settled: Vec<_> =
        world.journal().into_iter().filter(|it| it["event"] == "settled").collect();
    assert_eq!((settled.len(), &settled[0]["done"]), (1, &json!(true)));
    assert_eq!(world.key_statuses("anna"), ["Inactive"]);
}

#[test]
fn too_many_tags_are_told_at_once() {
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
fn nothing_is_done_where_no_journal_can_be_kept() {
    let world = stale(&["anna"]);
    std::fs::create_dir(world.sandbox.path("folder")).unwrap();
    for journal in ["folder", "nowhere/journal.jsonl", "allow.yml/journal.jsonl", "/dev/full"] {
        let run = world.run(0.0, &["--apply", "--journal", journal]);
        assert_eq!(run.code, 2, "{journal}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(&format!("{journal}: ")), "{journal}: {}", run.stderr);
        assert_eq!(world.account.log().len(), 0, "{journal}");
    }
}

/// A run whose files cannot grow beyond so many blocks, as on a disk that is full.
fn on_a_full_disk(world: &World, day: f64, blocks: u32) -> Run {
    let command = world.command(day, &["--apply"]);
    let mut limited = std::process::Command::new("sh");
    // Without the signal that would end the program, it is told of the limit by an error.
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
fn nothing_is_done_that_cannot_be_written_down() {
    let world = stale(&["anna", "bert", "carl", "dora", "emil", "fred"]);
    let told = "nothing is done that cannot be written down";
    let run = on_a_full_disk(&world, 0.0, 0);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(told), "{}", run.stderr);
    assert_eq!(world.writes(), [""; 0]);

    // And with room for some lines: no call without its line.
    let run = on_a_full_disk(&world, 0.0, 2);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(told), "{}", run.stderr);
    let text = world.sandbox.read("iam-stocktake-journal.jsonl");
    let begun = text.matches("\"event\":\"begin\"").count();
    let wrote = world.writes().len();
    assert!(0 < wrote && wrote <= begun && wrote < 6, "{wrote} of {begun}");

    // The next run goes on behind the line that was cut off.
    world.apply(0.0);
    for name in ["anna", "bert", "carl", "dora", "emil", "fred"] {
        assert_eq!(world.tags(name).len(), 1, "{name}");
    }
}

#[test]
fn a_journal_with_a_broken_line_within_is_refused() {
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
fn neither_a_secret_nor_a_whole_key_id_is_printed() {
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
