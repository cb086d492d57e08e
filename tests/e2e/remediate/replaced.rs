//! A user who is deleted, and another who is created under the name, between two calls of a run:
//! the other one is left alone.

use serde_json::{Value, json};

use super::whole_user::{add_due, deleting, everything};
use super::world::{ALLOWLIST, World};
use stand_ins::sandbox::Ran;

/// Runs on a day until a call is held, replaces `bob` by another user of the name who has everything,
/// and lets the run go on. Gives its exit code, and what the new user had and has.
fn replaced(world: &World, day: f64, (action, when): (&str, &str)) -> (i32, Value, Value, String) {
    world.account.reset_log();
    world.account.faults(json!({"hold": {"action": action, "nth": 1, "when": when}}));
    let run = world.held(day, &["--apply"]);
    if !world.user("bob").is_null() {
        world.account.change(json!([{"delete_user": {"user": "bob"}}]));
    }
    let mut another = everything("bob", "Active");
    another["mfa"] = json!(["GAHT87654321"]);
    world.account.change(json!([{"create_user": another}]));
    let before = world.user("bob");
    world.account.faults(json!({}));
    let ran = Ran::from(run.wait_with_output().unwrap());
    (ran.code, before, world.user("bob"), ran.stdout + &ran.stderr)
}

#[test]
fn a_deletion_ends_where_another_user_has_the_name() {
    for action in [
        "DeleteLoginProfile",
        "DeleteAccessKey",
        "DeleteSSHPublicKey",
        "DeactivateMFADevice",
        "DeleteUserPolicy",
        "DetachUserPolicy",
        "RemoveUserFromGroup",
        "DeleteUser",
    ] {
        for when in ["before", "after"] {
            let world = World::new(&deleting(), json!([]));
            add_due(&world, everything("bob", "Inactive"));
            let (code, before, after, told) = replaced(&world, 0.0, (action, when));
            assert_eq!(after, before, "{when} {action}: {told}");
            // The answer to the last call got lost: the user whom it was about is gone.
            let expected = if action == "DeleteUser" { 0 } else { 4 };
            assert_eq!(code, expected, "{when} {action}: {told}");
        }
    }
}

#[test]
fn a_notice_and_a_deactivation_end_where_another_user_has_the_name() {
    let user = json!({"name": "bob", "created": 400, "keys": [{"created": 300, "last_used": 200}]});
    for (day, action) in [(0.0, "TagUser"), (14.0, "UpdateAccessKey"), (14.0, "TagUser")] {
        for when in ["before", "after"] {
            let world = World::new(ALLOWLIST, json!([user]));
            if day > 0.0 {
                world.apply(0.0);
            }
            let (code, before, after, told) = replaced(&world, day, (action, when));
            assert_eq!(after, before, "{when} {action}: {told}");
            let takes_something = day > 0.0;
            assert_eq!(code, if takes_something { 4 } else { 0 }, "{when} {action}: {told}");
            assert!(
                told.contains("the user no longer exists, or another user has the name"),
                "{when} {action}: {told}"
            );
        }
    }
}

#[test]
fn who_has_the_name_is_asked_right_before_each_call() {
    let world = World::new(&deleting(), json!([]));
    add_due(&world, everything("bob", "Inactive"));
    world.account.reset_log();
    world.apply(0.0);
    let log = world.account.log();
    let reads = ["Get", "List", "Generate", "Assume"];
    let writes = log
        .iter()
        .enumerate()
        .filter(|(_, call)| !reads.iter().any(|it| call.action.starts_with(it)));
    let mut count = 0;
    for (at, call) in writes {
        count += 1;
        assert_eq!(log[at - 1].action, "GetUser", "before {}", call.action);
    }
    assert_eq!(count, 26);
    assert_eq!(world.user("bob"), Value::Null);
}
