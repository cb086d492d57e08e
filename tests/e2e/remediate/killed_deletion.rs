//! Deletions of whole users killed at each kind of call: the next run finishes them, and touches
//! nobody else.

use serde_json::{Value, json};

use super::killed::{MOMENTS, assert_journal_tells_all, kill};
use super::whole_user::{add_due, deleting, everything};
use super::world::World;

/// The kinds of calls of which a deletion is made.
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

/// An account with a user who has everything and is to be deleted on day 0.
fn due() -> World {
    let world = World::new(&deleting(), json!([]));
    add_due(&world, everything("departed", "Inactive"));
    world
}

/// The records of deletions in the journal.
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
fn killed_at_any_call_it_is_finished_by_the_next_run() {
    for action in ACTIONS {
        for when in MOMENTS {
            let point = format!("killed {when} {action}");
            let world = due();
            kill(&world, 0.0, action, when);
            world.apply(0.2);
            assert_eq!(world.user("departed"), Value::Null, "{point}");
            assert_eq!(world.account.virtual_mfa_devices(), [""; 0], "{point}");
            assert_journal_tells_all(&world, &point);
            let [record] = &records(&world)[..] else { panic!("{point}: not one record") };
            assert_is_whole(record, &point);
            // A call that was carried out is not made again where it shows.
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
fn a_user_who_was_created_anew_meanwhile_is_left_untouched() {
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
        let anew = json!({"create_user": {
            "name": "departed", "path": "/ci/", "created": 1, "groups": ["admins"],
            "tags": {"team": "new"}, "keys": [{"created": 1, "last_used": 0}],
            "inline_policies": ["first"], "password": {"changed": 1, "last_used": 0},
        }});
        let delete = json!({"delete_user": {"user": "departed"}});
        let is_gone = world.user("departed").is_null();
        world.account.change(if is_gone { json!([anew]) } else { json!([delete, anew]) });
        let before = world.user("departed");
        world.account.reset_log();
        for day in [0.2, 0.4] {
            world.apply(day);
        }
        assert_eq!(world.writes(), [""; 0], "{point}");
        assert_eq!(world.user("departed"), before, "{point}");
        // Whatever became of the call, nothing of the one before is left.
        let settled = world.journal().into_iter().find(|line| line["event"] == "settled");
        assert_eq!(settled.unwrap()["done"], true, "{point}");
    }
}

#[test]
fn a_user_who_was_created_anew_meanwhile_has_days_of_their_own() {
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
fn a_device_that_is_another_users_by_now_is_left_to_them() {
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
fn a_key_that_others_deactivated_is_not_activated_by_undoing_a_deletion_half_done() {
    for when in MOMENTS {
        let world = due();
        kill(&world, 0.0, "DeleteAccessKey", when);
        let undo = ["--undo", "iam-stocktake-journal.jsonl", "--apply"];
        let run = world.run(0.2, &undo);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        assert!(!run.stdout.contains(": activate"), "{}", run.stdout);
        let keys = world.key_statuses("departed");
        assert!(keys.iter().all(|status| status == "Inactive") && !keys.is_empty(), "{keys:?}");
        world.apply(0.4);
        assert_eq!(world.user("departed"), Value::Null);
    }
}

#[test]
fn a_deletion_half_done_stops_for_a_user_who_came_back() {
    let world = due();
    kill(&world, 0.0, "DeleteUserPolicy", "after");
    world.account.change(json!([{"add_key": {"user": "departed", "created": 0}}]));
    world.account.reset_log();
    world.apply(0.2);
    assert_eq!(world.writes(), ["iam:UntagUser"; 2]);
    assert_eq!(world.key_statuses("departed"), ["Active"]);
}
