//! Several journals: each kind of job writes its own journal and reads all of them.

use serde_json::json;

use super::stages::stale;
use super::world::{Run, World};

const NOTIFY: [&str; 4] = ["--journal", "notify.jsonl", "--other-journals", "apply.jsonl"];
const APPLY: [&str; 4] = ["--journal", "apply.jsonl", "--other-journals", "notify.jsonl"];

fn notify(world: &World, day: f64) -> Run {
    let run = world.run(day, &[&["--apply", "--stage", "notify"], &NOTIFY[..]].concat());
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    run
}

fn apply(world: &World, day: f64) -> Run {
    let run = world.run(day, &[&["--apply"], &APPLY[..]].concat());
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    run
}

fn runs(world: &World, journal: &str) -> usize {
    world.sandbox.read(journal).matches(r#""event":"run""#).count()
}

#[test]
fn each_job_reads_all_journals_and_writes_its_own() {
    let world = stale();
    notify(&world, 0.0);
    assert!(!world.sandbox.path("apply.jsonl").exists());
    // Somebody removes the tag. Only the journal of the other job shows that it was set.
    let tag = world.user("ci-deploy")["tags"].as_object().unwrap().keys().next().unwrap().clone();
    world.account.change(json!([{"untag_user": {"user": "ci-deploy", "keys": [tag]}}]));
    let separate = world.run(1.0, &["--journal", "apply.jsonl"]);
    assert!(!separate.stdout.contains("the remediation tag was removed"), "{}", separate.stdout);
    let both = world.run(1.0, &APPLY);
    assert!(both.stdout.contains("the remediation tag was removed"), "{}", both.stdout);

    notify(&world, 2.0);
    apply(&world, 16.0);
    assert_eq!(world.key_statuses("ci-deploy"), ["Inactive"]);
    assert_eq!((runs(&world, "notify.jsonl"), runs(&world, "apply.jsonl")), (2, 1));
    // A notify run updates the tag of the other job. Undo with one journal reads the other one.
    notify(&world, 46.0);
    let undo =
        ["--undo", "--journal", "apply.jsonl", "--other-journals", "notify.jsonl", "--apply"];
    let undone = world.run(46.5, &undo);
    assert_eq!(undone.code, 0, "{}{}", undone.stdout, undone.stderr);
    assert_eq!(world.key_statuses("ci-deploy"), ["Active"]);
}

#[test]
fn overlapping_jobs_lose_no_journal_lines() {
    let world = stale();
    notify(&world, 0.0);
    world.account.change(json!([{"create_user": {
        "name": "late", "created": 400, "keys": [{"created": 300, "last_used": 200}],
    }}]));
    // A deactivation is in progress while another user gets a notice.
    world
        .account
        .faults(json!({"hold": {"action": "UpdateAccessKey", "nth": 1, "when": "before"}}));
    let applying = world.run_until_held(14.0, &[&["--apply"], &APPLY[..]].concat());
    let notified = notify(&world, 14.0);
    assert!(notified.stdout.contains("late, access key"), "{}", notified.stdout);
    world.account.faults(json!({}));
    let applied = applying.wait_with_output().unwrap();
    // The other job has already given the planned notice. That does not matter.
    assert_eq!(applied.status.code(), Some(0), "{}", String::from_utf8_lossy(&applied.stdout));
    assert_eq!(world.key_statuses("ci-deploy"), ["Inactive"]);
    assert_eq!(world.tags("late").len(), 1);
    for journal in ["notify.jsonl", "apply.jsonl"] {
        let lines = world.sandbox.read(journal);
        let of = |event: &str| lines.matches(&format!(r#""event":"{event}""#)).count();
        assert_eq!(of("begin"), of("done"), "{journal}: {lines}");
        assert_eq!(of("run"), of("end"), "{journal}: {lines}");
    }
    // Both jobs continue from the combined journals.
    apply(&world, 28.0);
    assert_eq!(world.key_statuses("late"), ["Inactive"]);
}

#[test]
fn step_left_open_by_another_job_is_resolved() {
    let world = stale();
    notify(&world, 0.0);
    world.account.faults(json!({"hold": {"action": "UpdateAccessKey", "nth": 1, "when": "after"}}));
    let mut run = world.run_until_held(14.0, &[&["--apply"], &APPLY[..]].concat());
    run.kill().unwrap();
    run.wait().unwrap();
    world.account.faults(json!({}));
    notify(&world, 14.1);
    let tags = world.tags("ci-deploy");
    assert!(tags[0].contains(" deactivated since="), "{tags:?}");
    let undo =
        ["--undo", "--journal", "apply.jsonl", "--other-journals", "notify.jsonl", "--apply"];
    let undone = world.run(15.0, &undo);
    assert_eq!(undone.code, 0, "{}{}", undone.stdout, undone.stderr);
    assert_eq!(world.key_statuses("ci-deploy"), ["Active"]);
}
