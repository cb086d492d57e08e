//! The stages over the days: notice, deactivation, deletion.

use serde_json::json;

use super::world::{ALLOWLIST, World};

/// A user with one key that was last used 200 days ago, and one who is at work.
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

/// The statuses of all that a user can sign with, kind by kind.
pub(crate) fn statuses(world: &World, name: &str) -> Vec<String> {
    let user = world.user(name);
    let kinds = ["keys", "ssh_keys", "service_credentials", "certificates"];
    let all = kinds.iter().flat_map(|kind| user[*kind].as_array().unwrap().clone());
    all.map(|it| it["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_key_is_notified_then_deactivated_on_its_day_and_deleted_on_its_day() {
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
fn a_key_that_was_used_again_is_left_alone() {
    let world = stale();
    world.apply(0.0);
    world.set_day(5.0);
    world.account.change(json!([{"use_key": {"user": "ci-deploy"}}]));
    world.account.reset_log();
    let run = world.apply(14.0);
    let used = format!("it was used on {}", world.at(5.0).date_naive());
    assert!(run.stdout.contains(&format!("remove the notice: {used}")), "{}", run.stdout);
    assert!(run.stdout.contains("Skipped:"), "{}", run.stdout);
    assert_eq!(world.writes(), ["iam:UntagUser"]);
    assert_eq!(world.key_statuses("ci-deploy"), ["Active"]);
    assert_eq!(world.tags("ci-deploy"), [""; 0]);
}

#[test]
fn a_key_that_a_person_activated_again_starts_anew() {
    let world = stale();
    world.apply(0.0);
    world.apply(14.0);
    world.account.change(json!([{"set_key_status": {"user": "ci-deploy", "status": "Active"}}]));
    let run = world.apply(20.0);
    assert!(
        run.stdout.contains("give notice again, because the credential was re-enabled"),
        "{}",
        run.stdout
    );
    world.apply(33.9);
    assert_eq!(world.key_statuses("ci-deploy"), ["Active"]);
    world.apply(34.0);
    assert_eq!(world.key_statuses("ci-deploy"), ["Inactive"]);
}

#[test]
fn a_password_is_named_for_a_person_to_remove() {
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
fn a_password_is_deleted_where_the_policy_says_so() {
    let world = with_password(&format!("{ALLOWLIST}  delete_passwords: true\n"));
    world.apply(0.0);
    world.apply(13.9);
    assert_eq!(world.user("bob")["password"], true);
    world.apply(14.0);
    assert_eq!(world.user("bob")["password"], false);
    assert_eq!(world.tags("bob"), [""; 0]);
}

#[test]
fn credentials_of_all_kinds_go_through_the_stages() {
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
fn nothing_is_deleted_unless_the_policy_says_when() {
    let never = ALLOWLIST.replace("  delete_after_days: 30\n", "");
    let world = of_all_kinds(&never);
    world.apply(0.0);
    world.apply(14.0);
    world.apply(74.0);
    world.apply(134.0);
    assert_eq!(statuses(&world, "robot"), ["Inactive"; 4]);
}

#[test]
fn by_default_what_is_only_old_is_not_deactivated() {
    let world = of_all_kinds("version: 1\nremediation: {max_gap_days: 60, max_share: 100}\n");
    world.apply(0.0);
    let [tag] = &world.tags("robot")[..] else { panic!("{:?}", world.tags("robot")) };
    assert!(tag.starts_with("access-key:"), "{tag}");
    world.apply(14.0);
    assert_eq!(statuses(&world, "robot"), ["Inactive", "Active", "Active", "Active"]);
}

#[test]
fn an_exemption_protects_everything_of_its_user() {
    let expires = (chrono::Utc::now() + chrono::TimeDelta::days(60)).date_naive();
    let exempting = |more: &str| {
        format!(
            "{ALLOWLIST}exemptions:\n  - {{user: robot, reason: needed, owner: ops, expires: \
             {expires}{more}}}\n"
        )
    };
    for (more, expected) in [
        ("", ["Active"; 4]),
        (", rules: [stale-access-key]", ["Active", "Inactive", "Inactive", "Inactive"]),
        (", rules: [old-service-credential]", ["Inactive", "Active", "Active", "Active"]),
    ] {
        let world = of_all_kinds(&exempting(more));
        world.apply(0.0);
        world.apply(14.0);
        assert_eq!(statuses(&world, "robot"), expected, "{more}");
    }
}

#[test]
fn a_second_run_on_the_same_day_writes_nothing() {
    let world = of_all_kinds(ALLOWLIST);
    for day in [0.0, 14.0, 44.0] {
        world.apply(day);
        world.account.reset_log();
        world.apply(day);
        assert_eq!(world.writes(), [""; 0], "day {day}");
    }
}

#[test]
fn a_clock_is_renewed_a_day_before_half_of_the_gap_has_passed() {
    let world = stale();
    world.allow("version: 1\nremediation: { deactivate_after_days: 90, max_gap_days: 20 }\n");
    world.apply(0.0);
    world.account.reset_log();
    world.apply(9.0);
    assert_eq!(world.writes(), [""; 0]);
    world.apply(10.5);
    assert_eq!(world.writes(), ["iam:TagUser"]);
    let [tag] = &world.tags("ci-deploy")[..] else { panic!() };
    let says = format!(" notified since={} seen={}", world.written(0.0), world.written(10.5));
    assert!(tag.ends_with(&says), "{tag}");
    // Seen on day 10.5, so that it goes on until day 30.5.
    let run = world.apply(30.5);
    assert!(run.stdout.contains("say that the notice still holds"), "{}", run.stdout);
}
