//! A user is deleted and another user is created with the same name during a run: the new user is
//! not changed.

use serde_json::{Value, json};

use super::user_deletion::{add_due, allowlist_with_deletions, everything};
use super::world::{ALLOWLIST, World};
use stand_ins::sandbox::Ran;

/// Runs until a call is held, replaces `bob` with another user of the same name, and continues.
/// Returns the exit code, the new user before and after, and the output.
fn replaced(world: &World, day: f64, (action, when): (&str, &str)) -> (i32, Value, Value, String) {
    world.account.reset_log();
    world.account.faults(json!({"hold": {"action": action, "nth": 1, "when": when}}));
    let run = world.run_until_held(day, &["--apply"]);
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
fn deletion_stops_for_another_user_with_the_name() {
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
            let world = World::new(&allowlist_with_deletions(), json!([]));
            add_due(&world, everything("bob", "Inactive"));
            let (code, before, after, output) = replaced(&world, 0.0, (action, when));
            assert_eq!(after, before, "{when} {action}: {output}");
            // The response to the last call was lost, but the user was deleted.
            let expected = if action == "DeleteUser" { 0 } else { 4 };
            assert_eq!(code, expected, "{when} {action}: {output}");
        }
    }
}

#[test]
fn notice_and_deactivation_stop_for_another_user_with_the_name() {
    let user = json!({"name": "bob", "created": 400, "keys": [{"created": 300, "last_used": 200}]});
    for (day, action) in [(0.0, "TagUser"), (14.0, "UpdateAccessKey"), (14.0, "TagUser")] {
        for when in ["before", "after"] {
            let world = World::new(ALLOWLIST, json!([user]));
            if day > 0.0 {
                world.apply(0.0);
            }
            let (code, before, after, output) = replaced(&world, day, (action, when));
            assert_eq!(after, before, "{when} {action}: {output}");
            let takes_something = day > 0.0;
            assert_eq!(code, if takes_something { 4 } else { 0 }, "{when} {action}: {output}");
            assert!(
                output.contains("the user no longer exists, or another user has the name"),
                "{when} {action}: {output}"
            );
        }
    }
}

#[test]
fn user_id_is_checked_right_before_each_call() {
    let world = World::new(&allowlist_with_deletions(), json!([]));
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
