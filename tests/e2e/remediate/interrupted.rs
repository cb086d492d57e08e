//! Runs that are killed during a call: the next run finishes the work, and the journal is complete.

use serde_json::{Value, json};

use super::stages::{of_all_kinds, stale, statuses};
use super::world::{ALLOWLIST, World};

/// When a run is killed: before or after the call is carried out.
pub(crate) const MOMENTS: [&str; 2] = ["before", "after"];

/// Applies a plan on the given day, and kills the run before or after the first call of an action
/// is carried out. Then removes the faults of the stand-in.
pub(crate) fn kill(world: &World, day: f64, action: &str, when: &str) {
    kill_run(world, day, &["--apply"], (action, when));
}

/// The same for a run with these arguments.
fn kill_run(world: &World, day: f64, arguments: &[&str], (action, when): (&str, &str)) {
    world.account.reset_log();
    world.account.faults(json!({"hold": {"action": action, "nth": 1, "when": when}}));
    let mut run = world.run_until_held(day, arguments);
    run.kill().unwrap();
    run.wait().unwrap();
    world.account.faults(json!({}));
}

/// The IAM action of a step in the journal.
fn action_of(begin: &Value) -> String {
    let update = |what: &str| format!("Update{what}");
    let delete = |what: &str| format!("Delete{what}");
    let kind = match begin["kind"].as_str().unwrap_or_default() {
        "access-key" => "AccessKey",
        "ssh-key" => "SSHPublicKey",
        "signing-certificate" => "SigningCertificate",
        _ => "ServiceSpecificCredential",
    };
    match begin["step"].as_str().unwrap() {
        "tag" => "TagUser".to_owned(),
        "untag" => "UntagUser".to_owned(),
        "deactivate" | "activate" => update(kind),
        "delete-credential" => delete(kind),
        "delete-password" => delete("LoginProfile"),
        "deactivate-mfa-device" => "DeactivateMFADevice".to_owned(),
        "delete-virtual-mfa-device" => delete("VirtualMFADevice"),
        "delete-inline-policy" => delete("UserPolicy"),
        "detach-policy" => "DetachUserPolicy".to_owned(),
        "remove-from-group" => "RemoveUserFromGroup".to_owned(),
        "delete-user" => delete("User"),
        other => panic!("no such step: {other}"),
    }
}

/// Asserts that the journal recorded each call before it was made, that each step has a result, and
/// that the result of the interrupted step is correct.
pub(crate) fn assert_journal_is_complete(world: &World, point: &str) {
    let journal = world.journal();
    let of = |event: &'static str| journal.iter().filter(move |line| line["event"] == event);
    let began: Vec<_> = of("begin").map(action_of).collect();
    let wrote: Vec<_> = world.writes().iter().map(|it| it.replace("iam:", "")).collect();
    assert!(began.ends_with(&wrote) && !wrote.is_empty(), "{point}: {wrote:?} of {began:?}");
    for begin in of("begin") {
        let is_done = of("done").any(|it| it["run"] == begin["run"] && it["n"] == begin["n"]);
        let resolved: Vec<_> =
            of("settled").filter(|it| it["of"] == begin["run"] && it["n"] == begin["n"]).collect();
        assert_eq!(usize::from(is_done) + resolved.len(), 1, "{point}: {begin}");
        // The result cannot be seen for a virtual device, which is deleted again. It cannot be seen
        // for the keys of a deleted user either, because they were inactive before.
        let step = begin["step"].as_str().unwrap();
        let is_told = step != "delete-virtual-mfa-device"
            && (step, begin["user"].as_str()) != ("deactivate", Some("departed"));
        if let [resolved] = resolved[..]
            && is_told
        {
            assert_eq!(resolved["done"], point.contains("after"), "{point}: {begin}");
        }
    }
    assert!(of("settled").count() == 1, "{point}");
    assert_eq!(of("end").count() + 1, of("run").count(), "{point}: one run was cut off");
}

/// Kills a run before and after the first call of each action. The next run, some hours later, must
/// finish the work. A third run must have nothing to do.
fn at_each_point(
    actions: &[&str],
    day: f64,
    ready: impl Fn() -> World,
    check: impl Fn(&World, &str),
) {
    for action in actions {
        for when in MOMENTS {
            let point = format!("killed {when} {action}");
            let world = ready();
            kill(&world, day, action, when);
            world.apply(day + 0.2);
            check(&world, &point);
            assert_journal_is_complete(&world, &point);
            world.account.reset_log();
            world.apply(day + 0.2);
            assert_eq!(world.writes(), [""; 0], "{point}");
        }
    }
}

#[test]
fn interrupted_notice_is_given_once() {
    at_each_point(&["TagUser"], 0.0, stale, |world, point| {
        let [tag] = &world.tags("ci-deploy")[..] else { panic!("{point}") };
        let day = if point.contains("after") { 0.0 } else { 0.2 };
        assert!(tag.contains(&format!("notified since={}", world.written(day))), "{point}: {tag}");
    });
}

#[test]
fn interrupted_deactivation_is_finished() {
    assert_deactivations_are_finished(ALLOWLIST);
}

#[test]
fn interrupted_deactivation_is_finished_without_deletions() {
    assert_deactivations_are_finished(&ALLOWLIST.replace("  delete_after_days: 30\n", ""));
}

/// The next run finishes interrupted deactivations, and they can be undone.
fn assert_deactivations_are_finished(allowlist: &str) {
    let notified = || {
        let world = of_all_kinds(allowlist);
        world.apply(0.0);
        world
    };
    let actions = [
        "UpdateAccessKey",
        "UpdateSSHPublicKey",
        "UpdateServiceSpecificCredential",
        "UpdateSigningCertificate",
        "TagUser",
    ];
    at_each_point(&actions, 14.0, notified, |world, point| {
        assert_eq!(statuses(world, "robot"), ["Inactive"; 4], "{point}");
        let tags = world.tags("robot");
        assert_eq!(tags.iter().filter(|it| it.contains(" deactivated ")).count(), 4, "{point}");
        let run = world.run(14.2, &["--undo"]);
        assert_eq!(run.stdout.matches(": reactivate\n").count(), 4, "{point}: {}", run.stdout);
    });
}

#[test]
fn interrupted_credential_deletion_is_finished() {
    let deactivated = || {
        let world = of_all_kinds(ALLOWLIST);
        world.apply(0.0);
        world.apply(14.0);
        world
    };
    let actions = [
        "DeleteAccessKey",
        "DeleteSSHPublicKey",
        "DeleteServiceSpecificCredential",
        "DeleteSigningCertificate",
        "UntagUser",
    ];
    at_each_point(&actions, 44.0, deactivated, |world, point| {
        assert_eq!(statuses(world, "robot"), [""; 0], "{point}");
        assert_eq!(world.tags("robot"), [""; 0], "{point}");
    });
}

#[test]
fn interrupted_undo_is_finished_and_the_days_restart() {
    let undo = ["--undo", "--apply"];
    for action in ["UpdateAccessKey", "UntagUser"] {
        for when in MOMENTS {
            let point = format!("killed {when} {action}");
            let world = stale();
            world.apply(0.0);
            world.apply(14.0);
            kill_run(&world, 15.0, &undo, (action, when));
            // If the key is active already, the next run cleans up the tag.
            if action == "UpdateAccessKey" {
                let run = world.run(15.2, &undo);
                assert_eq!(run.code, 0, "{point}: {}{}", run.stdout, run.stderr);
            }
            assert_eq!(world.key_statuses("ci-deploy"), ["Active"], "{point}");
            let run = world.apply(16.0);
            assert!(run.stdout.contains("give notice"), "{point}: {}", run.stdout);
            assert!(
                !run.stdout.contains("the remediation tag was removed"),
                "{point}: {}",
                run.stdout
            );
            world.apply(29.9);
            assert_eq!(world.key_statuses("ci-deploy"), ["Active"], "{point}");
        }
    }
}

#[test]
fn journal_with_an_incomplete_last_line_is_continued() {
    let world = stale();
    world.apply(0.0);
    kill(&world, 14.0, "UpdateAccessKey", "before");
    let path = world.sandbox.path("iam-stocktake-journal.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let torn = &text[..text.len() - 40];
    std::fs::write(&path, torn).unwrap();

    let run = world.apply(14.2);
    let number = torn.lines().count();
    let message =
        format!("note: iam-stocktake-journal.jsonl: line {number} is incomplete, because a");
    assert!(run.stderr.contains(&message), "{}", run.stderr);
    assert_eq!(world.key_statuses("ci-deploy"), ["Inactive"]);
    let text = std::fs::read_to_string(&path).unwrap();
    let whole = &torn[..torn.rfind('\n').unwrap() + 1];
    let behind = text.strip_prefix(whole).unwrap();
    assert!(behind.lines().next().unwrap().contains(r#""event":"run""#), "{behind}");
    world.apply(44.2);
    assert_eq!(world.key_statuses("ci-deploy"), [""; 0]);
}

#[test]
fn journal_in_use_is_refused() {
    let world = stale();
    world.apply(0.0);
    let hold = json!({"hold": {"action": "UpdateAccessKey", "nth": 1, "when": "before"}});
    world.account.faults(hold);
    let first = world.run_until_held(14.0, &["--apply"]);
    let before = (world.journal(), world.user("ci-deploy"));
    world.account.reset_log();
    let second = world.run(14.0, &["--apply"]);
    assert_eq!(second.code, 2, "{}", second.stderr);
    assert!(second.stderr.contains("another run is using this journal"), "{}", second.stderr);
    let undo = ["--undo", "--apply"];
    assert_eq!(world.run(14.0, &undo).code, 2);
    assert_eq!(world.writes(), [""; 0]);
    assert_eq!((world.journal(), world.user("ci-deploy")), before);

    world.account.faults(json!({}));
    let first = first.wait_with_output().unwrap();
    assert_eq!(first.status.code(), Some(0));
    assert_eq!(world.key_statuses("ci-deploy"), ["Inactive"]);
}

#[test]
fn step_stays_open_while_evidence_about_its_user_is_missing() {
    let world = stale();
    world.apply(0.0);
    kill(&world, 14.0, "UpdateAccessKey", "after");
    let resolved = || {
        let journal = world.journal();
        journal.into_iter().filter(|line| line["event"] == "settled").collect::<Vec<_>>()
    };

    world.account.faults(json!({ "deny": ["ListAccessKeys"] }));
    let run = world.run(14.1, &["--apply"]);
    assert_eq!((run.code, resolved().len()), (3, 0), "{}{}", run.stdout, run.stderr);

    world.account.faults(json!({}));
    world.apply(14.2);
    assert_eq!(resolved()[0]["done"], true);
    // The deactivation can be undone.
    let undo = ["--undo", "--apply"];
    let mut undo = world.sandbox.command(&[&["remediate"], &undo[..]].concat());
    let undone = undo.envs(world.account.environment()).output().unwrap();
    assert!(undone.status.success(), "{}", String::from_utf8_lossy(&undone.stderr));
    assert_eq!(world.key_statuses("ci-deploy"), ["Active"]);
}
