//! SSH keys in the queue are re-checked even if the user has no other finding.

use serde_json::json;

use stand_ins::world::{EMPTY, World};

#[test]
fn removed_ssh_key_in_the_queue_is_cleared() {
    let world = World::new();
    // The SSH keys of the other user are never listed, so the rule is never complete.
    world.account.change(json!([
        {"create_user": {"name": "erin", "created": 400, "keys": [{"created": 5, "last_used": 1}]}},
        {"create_user": {"name": "pusher", "created": 400, "keys": [{"created": 300, "last_used": 200}]}},
        {"add_ssh_key": {"user": "pusher", "created": 200}},
    ]));
    let first = world.day(0, EMPTY);
    assert_eq!((first.code, first.output("stale-count")), (0, "2"), "{}", first.log);

    // The access key is in use again, so only the queue requires a re-check.
    world.account.change(json!([{"use_key": {"user": "pusher", "at": 0}}]));
    let second = world.day(1, EMPTY);
    assert_eq!(second.output("stale-count"), "1", "{}", second.log);
    assert!(world.queue_issue().body.contains("SSH key"), "{}", world.queue_issue().body);

    world.account.change(json!([{"delete_ssh_keys": {"user": "pusher"}}]));
    let third = world.day(2, EMPTY);
    assert_eq!(third.output("stale-count"), "0", "{}", third.log);
    let queue_issue = world.queue_issue();
    assert_eq!(
        (queue_issue.state.as_str(), queue_issue.state_reason.as_deref()),
        ("closed", Some("completed"))
    );
    assert!(queue_issue.body.contains("~~`pusher`: SSH key"), "{}", queue_issue.body);
}

#[test]
fn new_warning_does_not_count_for_the_gate() {
    let world = World::new();
    assert_eq!(world.day(0, EMPTY).code, 0);
    // Level warning.
    world.account.change(json!([
        {"create_user": {"name": "pusher", "created": 400, "keys": [{"created": 5, "last_used": 1}]}},
        {"add_ssh_key": {"user": "pusher", "created": 200}},
    ]));
    let run = world.day_with(1, &[("ssh-keys", "all"), ("fail-on", "new")]);
    assert_eq!((run.code, run.output("gate")), (0, "passed"), "{}", run.log);
    let counts = ["stale-count", "new-count", "overdue-count"].map(|name| run.output(name));
    assert_eq!(counts, ["1", "1", "0"], "{}", run.log);
    let line = "1 open, 1 new, 0 overdue (errors and warnings); gate (errors only): passed";
    assert!(run.log.contains(line), "{}", run.log);
    let counted = "**1 open finding**, 1 new, 0 overdue (levels error and warning).";
    assert!(run.summary.contains(counted), "{}", run.summary);
}
