//! Locked conversations.

use serde_json::{Value, json};

use super::many::{audit, publish};
use super::page::rendered;
use stand_ins::world::{EMPTY, World};

/// GitHub's response to a write to a locked conversation.
fn refused() -> Value {
    json!({ "message": "Unable to create comment because issue is locked." })
}

/// Denies the token to unlock.
fn deny_unlock(world: &World) {
    world.repo.faults(json!([{ "status": 403, "method": "DELETE", "path": "/lock$" }]));
}

/// A queue that was closed as completed and then locked, and bob as a new finding.
fn closed_and_locked() -> World {
    let world = World::new();
    world.user("alice", 200);
    assert_eq!(world.day(0, EMPTY).code, 0);
    world.account.change(json!([{ "delete_user": { "user": "alice" } }]));
    assert_eq!(world.day(1, EMPTY).code, 0);
    assert_eq!(world.queue_issue().state, "closed");
    world.repo.as_person().lock(1);
    world.user("bob", 150);
    world
}

fn boxes(world: &World) -> Vec<String> {
    rendered(&world.queue_issue().body).boxes.into_iter().map(|(_, name)| name).collect()
}

#[test]
fn closed_and_locked_queue_is_unlocked_and_reopened() {
    let world = closed_and_locked();
    let run = world.day(2, EMPTY);
    assert_eq!((run.code, run.output("new-count")), (0, "1"), "{}", run.log);
    let comment = "POST issues/1/comments";
    assert_eq!(run.acts(), [comment, "DELETE issues/1/lock", comment, "PATCH issues/1"]);
    let queue_issue = world.queue_issue();
    assert_eq!(
        (queue_issue.state.as_str(), queue_issue.locked, queue_issue.comments.len()),
        ("open", false, 1)
    );
    assert_eq!(boxes(&world), ["bob"]);
    assert_eq!(world.day(3, EMPTY).acts(), [""; 0]);
}

#[test]
fn locked_queue_is_written_without_the_comment() {
    let world = closed_and_locked();
    deny_unlock(&world);
    let run = world.day(2, EMPTY);
    assert_eq!((run.code, run.output("result")), (0, "stale"), "{}", run.log);
    let warning = run.log.lines().find(|line| line.starts_with("warning: ")).unwrap_or_default();
    assert!(warning.contains("issue #1 is locked") && warning.contains("Unlock"), "{}", run.log);
    let queue_issue = world.queue_issue();
    assert_eq!(
        (queue_issue.state.as_str(), queue_issue.locked, queue_issue.comments.len()),
        ("open", true, 0)
    );
    assert_eq!(boxes(&world), ["bob"]);
    assert_eq!(world.day(3, EMPTY).acts(), [""; 0]);
}

#[test]
fn queue_stays_locked_if_no_comment_is_needed() {
    let world = World::new();
    world.user("alice", 200);
    world.user("bob", 150);
    assert_eq!(world.day(0, EMPTY).code, 0);
    world.repo.as_person().lock(1);
    world.account.change(json!([{ "delete_user": { "user": "bob" } }]));
    let run = world.day(1, EMPTY);
    assert_eq!((run.code, run.acts()), (0, vec!["PATCH issues/1".to_owned()]), "{}", run.log);
    assert!(world.queue_issue().locked);
}

#[test]
fn writes_that_a_lock_rejects_succeed_after_unlocking() {
    let world = closed_and_locked();
    world.repo.as_person().remove_label(1, "iam-stocktake");
    // All writes, whichever GitHub rejects on a locked issue.
    let once = |method: &str, path: &str| json!({ "status": 403, "body": refused(), "method": method, "path": path, "max": 1 });
    world.repo.faults(json!([once("POST", "/issues/1/labels$"), once("PATCH", "/issues/1$")]));
    let run = world.day(2, EMPTY);
    assert_eq!(run.code, 0, "{}", run.log);
    let label = "POST issues/1/labels";
    let (unlock, edit) = ("DELETE issues/1/lock", "PATCH issues/1");
    let acts: Vec<_> = run.acts().into_iter().filter(|act| act != "POST labels").collect();
    assert_eq!(acts, [label, unlock, label, "POST issues/1/comments", edit, unlock, edit]);
    assert_eq!(boxes(&world), ["bob"]);
}

#[test]
fn locked_user_issue_is_unlocked_too() {
    let world = World::new();
    world.user("alice", 200);
    let per_user = &[("publish", "issue-per-user")];
    assert_eq!(world.day_with(0, per_user).code, 0);
    let person = world.repo.as_person();
    person.close(1, "completed");
    person.lock(1);
    let run = world.day_with(1, per_user);
    let comment = "POST issues/1/comments";
    assert_eq!(run.acts(), [comment, "DELETE issues/1/lock", comment, "PATCH issues/1"]);
    let alice = world.repo.issue(1);
    assert_eq!((alice.state.as_str(), alice.locked, alice.comments.len()), ("open", false, 1));
}

/// The numbers of users for a state that needs comments, and for one that fits into no body.
const LARGE: usize = 1_200;
const TOO_LARGE: usize = 3_000;

/// A locked queue with an empty state, and an audit of so many users.
fn locked_before_a_large_state(users: usize) -> World {
    let world = World::new();
    audit(&world, "none.json", 0, 0);
    audit(&world, "small.json", 1, 1);
    audit(&world, "large.json", users, 2);
    assert_eq!(publish(&world, "none.json", 0, "issue").code, 0);
    assert_eq!(publish(&world, "small.json", 1, "issue").code, 0);
    world.repo.as_person().lock(world.queue_issue().number);
    world
}

#[test]
fn large_state_is_written_after_unlocking() {
    let world = locked_before_a_large_state(LARGE);
    let run = publish(&world, "large.json", 2, "issue");
    assert_eq!(run.code, 0, "{}", run.log);
    assert!(
        world.queue_issue().body.contains(" parts=")
            && !world.queue_issue().body.contains(" parts= ")
    );
    assert!(!world.queue_issue().locked);
    assert_eq!(publish(&world, "large.json", 2, "issue").acts(), [""; 0]);
}

#[test]
fn large_state_stays_in_the_body_of_a_locked_queue_if_it_fits() {
    let world = locked_before_a_large_state(LARGE);
    deny_unlock(&world);
    let run = publish(&world, "large.json", 2, "issue");
    assert_eq!(run.code, 0, "{}", run.log);
    assert!(world.queue_issue().body.contains(" parts= "), "the state is in the body");
    assert!(boxes(&world).len() > 10, "{}", boxes(&world).len());
    assert_eq!(publish(&world, "large.json", 2, "issue").acts(), [""; 0]);
}

#[test]
fn state_that_does_not_fit_into_a_locked_queue_ends_the_run_with_a_hint() {
    let world = locked_before_a_large_state(TOO_LARGE);
    let before = world.queue_issue().body;
    deny_unlock(&world);
    let run = publish(&world, "large.json", 2, "issue");
    assert_eq!(run.code, 4, "{}", run.log);
    assert!(run.log.contains("issue is locked"), "{}", run.log);
    let help = run.log.lines().find(|line| line.starts_with("help: ")).unwrap_or_default();
    assert!(help.contains("Unlock conversation") && !help.contains("permissions"), "{}", run.log);
    assert_eq!(world.queue_issue().body, before);
    // The hint is correct.
    world.repo.faults(json!([]));
    let run = publish(&world, "large.json", 2, "issue");
    assert_eq!(run.code, 0, "{}", run.log);
}
