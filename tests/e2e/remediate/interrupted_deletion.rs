//! User deletions that are killed during a call: the next run finishes them and changes no other
//! user.

use serde_json::{Value, json};

use super::interrupted::{MOMENTS, assert_journal_is_complete, kill};
use super::user_deletion::{add_due, allowlist_with_deletions, everything};
use super::world::World;

/// The actions of a user deletion.
const ACTIONS: [&str; 12] = [
    "DeleteLoginProfile",
    "UpdateAccessKey",
    "DeleteAccessKey",
    "DeleteSigningCertificate",
    "DeleteSSHPublicKey",
    "DeleteServiceSpecificCredential",
    "DeactivateMFADevice",
    "DeleteVirtualMFADevice",
    "DeleteUserPolicy",
    "DetachUserPolicy",
    "RemoveUserFromGroup",
    "DeleteUser",
];

/// An account with a user that has everything and is deleted on day 0.
fn due() -> World {
    let world = World::new(&allowlist_with_deletions(), json!([]));
    add_due(&world, everything("departed", "Inactive"));
    world
}

/// The deletion records in the journal.
fn records(world: &World) -> Vec<Value> {
    let mut records = world.journal();
    records.retain(|line| line["event"] == "deletion");
    records
}

fn assert_is_whole(record: &Value, point: &str) {
    let counts =
        [("groups", 3), ("inline_policies", 3), ("attached_policies", 3), ("mfa_devices", 3)];
    for (part, count) in counts {
        let part = record["holdings"][part].as_array().unwrap();
        assert_eq!(part.len(), count, "{point}: {part:?}");
    }
}

#[test]
fn next_run_finishes_a_killed_deletion() {
    for action in ACTIONS {
        for when in MOMENTS {
            let point = format!("killed {when} {action}");
            let world = due();
            kill(&world, 0.0, action, when);
            world.apply(0.2);
            assert_eq!(world.user("departed"), Value::Null, "{point}");
            assert_eq!(world.account.virtual_mfa_devices(), [""; 0], "{point}");
            assert_journal_is_complete(&world, &point);
            let [record] = &records(&world)[..] else { panic!("{point}: not one record") };
            assert_is_whole(record, &point);
            // A call that was carried out is not repeated if its effect is visible.
            let is_again = action == "DeleteUser" && when == "before";
            let made = world.account.counts()["iam:DeleteUser"];
            assert_eq!(made, if is_again { 2 } else { 1 }, "{point}");
            world.account.reset_log();
            world.apply(0.4);
            assert_eq!(world.writes(), [""; 0], "{point}");
        }
    }
}

#[test]
fn new_user_with_the_same_name_is_not_changed() {
    let points = [
        ("DeleteAccessKey", "before"),
        ("DeleteUserPolicy", "after"),
        ("DeleteUser", "before"),
        ("DeleteUser", "after"),
    ];
    for (action, when) in points {
        let point = format!("killed {when} {action}");
        let world = due();
        kill(&world, 0.0, action, when);
        let new_user = json!({"create_user": {
            "name": "departed", "path": "/ci/", "created": 1, "groups": ["admins"],
            "tags": {"team": "new"}, "keys": [{"created": 1, "last_used": 0}],
            "inline_policies": ["first"], "password": {"changed": 1, "last_used": 0},
        }});
        let delete = json!({"delete_user": {"user": "departed"}});
        let is_gone = world.user("departed").is_null();
        world.account.change(if is_gone { json!([new_user]) } else { json!([delete, new_user]) });
        let before = world.user("departed");
        world.account.reset_log();
        for day in [0.2, 0.4] {
            world.apply(day);
        }
        assert_eq!(world.writes(), [""; 0], "{point}");
        assert_eq!(world.user("departed"), before, "{point}");
        // Whatever the result of the call was, the earlier user no longer exists.
        let resolved = world.journal().into_iter().find(|line| line["event"] == "settled");
        assert_eq!(resolved.unwrap()["done"], true, "{point}");
    }
}

#[test]
fn new_user_with_the_same_name_has_its_own_days() {
    let world = due();
    kill(&world, 0.0, "DeleteUserPolicy", "after");
    let clock = format!("notified since={} seen={}", world.written(-5.0), world.written(-1.0));
    world.account.change(json!([
        {"delete_user": {"user": "departed"}},
        {"create_user": {
            "name": "departed", "created": 400, "tags": {"iam-stocktake:user": clock},
            "keys": [{"created": 300, "last_used": 200, "status": "Inactive"}],
        }},
    ]));
    world.apply(0.2);
    world.apply(24.9);
    assert!(!world.user("departed").is_null());
    world.apply(25.0);
    assert_eq!(world.user("departed"), Value::Null);
    assert_eq!(records(&world).len(), 2);
}

#[test]
fn device_assigned_to_another_user_is_kept() {
    let world = due();
    kill(&world, 0.0, "DeleteVirtualMFADevice", "before");
    let actions = ["DeleteVirtualMFADevice"];
    let conflict = json!({"actions": actions, "code": "DeleteConflict", "status": 409});
    world.account.faults(json!({"error": conflict}));
    world.apply(0.2);
    assert_eq!(world.user("departed"), Value::Null);
    assert_eq!(world.account.virtual_mfa_devices().len(), 1);
}

#[test]
fn undo_of_a_partial_deletion_activates_no_key() {
    for when in MOMENTS {
        let world = due();
        kill(&world, 0.0, "DeleteAccessKey", when);
        let undo = ["--undo", "--apply"];
        let run = world.run(0.2, &undo);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        assert!(!run.stdout.contains(": reactivate"), "{}", run.stdout);
        let keys = world.key_statuses("departed");
        assert!(keys.iter().all(|status| status == "Inactive") && !keys.is_empty(), "{keys:?}");
        world.apply(0.4);
        assert_eq!(world.user("departed"), Value::Null);
    }
}

#[test]
fn partial_deletion_stops_if_the_user_is_active_again() {
    let world = due();
    kill(&world, 0.0, "DeleteUserPolicy", "after");
    world.account.change(json!([{"add_key": {"user": "departed", "created": 0}}]));
    world.account.reset_log();
    world.apply(0.2);
    assert_eq!(world.writes(), ["iam:UntagUser"; 2]);
    assert_eq!(world.key_statuses("departed"), ["Active"]);
}
