//! The stages over time: notice, deactivation, deletion.

use serde_json::json;

use super::world::{ALLOWLIST, World};

/// A user with a key that was last used 200 days ago, and a user whose key is in use.
pub(crate) fn stale() -> World {
    World::new(
        ALLOWLIST,
        json!([
            {"name": "ci-deploy", "created": 400, "keys": [{"created": 300, "last_used": 200}]},
            {"name": "alice", "created": 400, "keys": [{"created": 300, "last_used": 1}]},
        ]),
    )
}

/// A user with a password that was last used 200 days ago.
fn with_password(allowlist: &str) -> World {
    let password = json!({"changed": 300, "last_used": 200});
    World::new(allowlist, json!([{"name": "bob", "created": 400, "password": password}]))
}

/// A user with one old credential of each kind that can be deactivated.
pub(crate) fn of_all_kinds(allowlist: &str) -> World {
    World::new(
        allowlist,
        json!([{
            "name": "robot", "created": 400,
            "keys": [{"created": 300, "last_used": 200}],
            "ssh_keys": [{"created": 300}],
            "service_credentials": [{"created": 300}],
            "certificates": [{"created": 300}],
        }]),
    )
}

/// The status of all credentials that can be deactivated, kind by kind.
pub(crate) fn statuses(world: &World, name: &str) -> Vec<String> {
    let user = world.user(name);
    let kinds = ["keys", "ssh_keys", "service_credentials", "certificates"];
    let all = kinds.iter().flat_map(|kind| user[*kind].as_array().unwrap().clone());
    all.map(|it| it["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn key_gets_a_notice_then_is_deactivated_and_deleted_when_due() {
    let world = stale();
    world.apply(0.0);
    assert_eq!(world.key_statuses("ci-deploy"), ["Active"]);
    let [tag] = &world.tags("ci-deploy")[..] else { panic!() };
    assert!(tag.ends_with(&format!(" notified since={0} seen={0}", world.written(0.0))), "{tag}");

    world.apply(13.9);
    assert_eq!(world.key_statuses("ci-deploy"), ["Active"]);
    world.apply(14.0);
    assert_eq!(world.key_statuses("ci-deploy"), ["Inactive"]);

    world.apply(43.9);
    assert_eq!(world.key_statuses("ci-deploy"), ["Inactive"]);
    world.apply(44.0);
    assert_eq!(world.key_statuses("ci-deploy"), [""; 0]);
    assert_eq!(world.tags("ci-deploy"), [""; 0]);
    assert_eq!(world.key_statuses("alice"), ["Active"]);
    assert_eq!(world.tags("alice"), [""; 0]);
}

#[test]
fn key_used_again_is_skipped() {
    let world = stale();
    world.apply(0.0);
    world.set_day(5.0);
    world.account.change(json!([{"use_key": {"user": "ci-deploy"}}]));
    world.account.reset_log();
    let run = world.apply(14.0);
    let used = format!("the credential was used on {}", world.at(5.0).date_naive());
    assert!(run.stdout.contains(&format!("remove the notice: {used}")), "{}", run.stdout);
    assert!(run.stdout.contains("Skipped:"), "{}", run.stdout);
    assert_eq!(world.writes(), ["iam:UntagUser"]);
    assert_eq!(world.key_statuses("ci-deploy"), ["Active"]);
    assert_eq!(world.tags("ci-deploy"), [""; 0]);
}

#[test]
fn password_is_listed_for_removal_by_hand() {
    let world = with_password(ALLOWLIST);
    world.apply(0.0);
    assert!(!world.apply(13.9).stdout.contains("Manual removal required"));
    world.account.reset_log();
    let run = world.apply(14.0);
    let row = format!("Manual removal required:\n  {} bob, password\n", world.account.id());
    assert!(run.stdout.contains(&row), "{}", run.stdout);
    assert_eq!(world.writes(), [""; 0]);
    assert_eq!(world.user("bob")["password"], true);
}

#[test]
fn credentials_of_all_kinds_go_through_all_stages() {
    let world = of_all_kinds(ALLOWLIST);
    world.apply(0.0);
    assert_eq!(world.tags("robot").len(), 4);
    assert_eq!(statuses(&world, "robot"), ["Active"; 4]);
    world.apply(14.0);
    assert_eq!(statuses(&world, "robot"), ["Inactive"; 4]);
    let tags = world.tags("robot");
    assert!(tags.iter().all(|tag| tag.contains(" deactivated since=")), "{tags:?}");
    world.apply(43.9);
    assert_eq!(statuses(&world, "robot"), ["Inactive"; 4]);
    world.apply(44.0);
    assert_eq!(statuses(&world, "robot"), [""; 0]);
    assert_eq!(world.tags("robot"), [""; 0]);
}

#[test]
fn second_run_on_the_same_day_writes_nothing() {
    let world = of_all_kinds(ALLOWLIST);
    for day in [0.0, 14.0, 44.0] {
        world.apply(day);
        world.account.reset_log();
        world.apply(day);
        assert_eq!(world.writes(), [""; 0], "day {day}");
    }
}

#[test]
fn tag_is_updated_before_half_of_the_maximum_gap() {
    let world = stale();
    world.allow("version: 1\nremediation: { deactivate_after_days: 90, max_gap_days: 20 }\n");
    world.apply(0.0);
    world.account.reset_log();
    world.apply(9.0);
    assert_eq!(world.writes(), [""; 0]);
    world.apply(10.5);
    assert_eq!(world.writes(), ["iam:TagUser"]);
    let [tag] = &world.tags("ci-deploy")[..] else { panic!() };
    let expected = format!(" notified since={} seen={}", world.written(0.0), world.written(10.5));
    assert!(tag.ends_with(&expected), "{tag}");
    // The tag was last seen on day 10.5, so it is valid until day 30.5.
    let run = world.apply(30.5);
    assert!(run.stdout.contains("renew the notice"), "{}", run.stdout);
}
