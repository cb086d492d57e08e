//! When the clock of a stage starts anew: whoever is to act gets the whole of the days.

use serde_json::json;

use super::life::stale;
use super::world::{ALLOWLIST, Run, World};

/// An allowlist that exempts the key through a day.
fn exempting(world: &World, day: f64) -> String {
    let last = world.at(day).date_naive();
    format!(
        "{ALLOWLIST}exemptions:\n  - user: ci-deploy\n    reason: moves to OIDC\n    \
         owner: platform\n    expires: {last}\n"
    )
}

/// Asserts that the one clock of a user started on a day, and gives the run.
fn assert_since(world: &World, name: &str, day: f64) {
    let [tag] = &world.tags(name)[..] else { panic!("{:?}", world.tags(name)) };
    let says = format!(" notified since={0} seen={0}", world.written(day));
    assert!(tag.ends_with(&says), "{tag} is not of day {day}");
}

fn assert_anew(run: &Run, why: &str) {
    assert!(run.stdout.contains(&format!("give notice again, because {why} (")), "{}", run.stdout);
}

#[test]
fn when_an_exemption_has_lapsed_that_no_run_saw() {
    let world = stale();
    world.apply(0.0);
    world.allow(&exempting(&world, 5.0));
    assert_anew(&world.apply(20.0), "an exemption expired");
    assert_since(&world, "ci-deploy", 20.0);
    assert_eq!(world.key_statuses("ci-deploy"), ["Active"]);
    // It lapsed before this clock started, which so goes on.
    world.apply(34.0);
    assert_eq!(world.key_statuses("ci-deploy"), ["Inactive"]);
}

#[test]
fn when_an_exemption_has_lapsed_that_a_run_saw() {
    let world = stale();
    world.apply(0.0);
    world.allow(&exempting(&world, 5.0));
    let run = world.apply(3.0);
    assert!(run.stdout.contains("remove the notice: exempted"), "{}", run.stdout);
    assert!(run.stdout.contains(": exempt until "), "{}", run.stdout);
    assert_eq!(world.tags("ci-deploy"), [""; 0]);
    let run = world.apply(20.0);
    assert!(run.stdout.contains("give notice ("), "{}", run.stdout);
    assert_since(&world, "ci-deploy", 20.0);
    assert_eq!(world.key_statuses("ci-deploy"), ["Active"]);
}

#[test]
fn when_an_exemption_has_lapsed_after_the_deactivation() {
    let world = stale();
    world.apply(0.0);
    world.apply(14.0);
    world.allow(&exempting(&world, 30.0));
    let run = world.apply(44.0);
    let anew = "start the waiting period before deletion again, because an exemption expired (";
    assert!(run.stdout.contains(anew), "{}", run.stdout);
    world.apply(73.9);
    assert_eq!(world.key_statuses("ci-deploy"), ["Inactive"]);
    world.apply(74.0);
    assert_eq!(world.key_statuses("ci-deploy"), [""; 0]);
}

#[test]
fn when_the_password_was_changed() {
    let allowlist =
        ALLOWLIST.replace("remediation:", "policy: { stale_after_days: 5 }\nremediation:");
    let password = json!({"changed": 300, "last_used": 200});
    let user = json!([{"name": "bob", "created": 400, "password": password}]);
    let world = World::new(&format!("{allowlist}  delete_passwords: true\n"), user);
    world.apply(0.0);
    world.set_day(2.0);
    world.account.change(json!([{"set_password": {"user": "bob", "changed": 0}}]));
    assert_anew(&world.apply(14.0), "the password was changed");
    assert_since(&world, "bob", 14.0);
    world.apply(27.9);
    assert_eq!(world.user("bob")["password"], true);
    world.apply(28.0);
    assert_eq!(world.user("bob")["password"], false);
}

#[test]
fn when_no_run_has_seen_it_for_longer_than_the_policy_allows() {
    let (goes_on, came_back) = (stale(), stale());
    for (world, day, status) in [(&goes_on, 60.0, "Inactive"), (&came_back, 60.5, "Active")] {
        world.apply(0.0);
        world.apply(day);
        assert_eq!(world.key_statuses("ci-deploy"), [status], "day {day}");
    }
    assert_since(&came_back, "ci-deploy", 60.5);
    came_back.allow(&ALLOWLIST.replace("max_gap_days: 60", "max_gap_days: 3"));
    assert_anew(&came_back.apply(64.0), "no run has checked it for a long time");
}

#[test]
fn when_the_tag_has_vanished_which_the_journal_tells() {
    let world = stale();
    world.apply(0.0);
    let key = world.user("ci-deploy")["tags"].as_object().unwrap().keys().next().unwrap().clone();
    world.account.change(json!([{"untag_user": {"user": "ci-deploy", "keys": [key]}}]));
    assert_anew(&world.apply(14.0), "the remediation tag was removed");
    assert_since(&world, "ci-deploy", 14.0);
    assert_eq!(world.key_statuses("ci-deploy"), ["Active"]);

    // Without the journal nothing tells that there was one.
    world.account.change(json!([{"untag_user": {"user": "ci-deploy", "keys": [key]}}]));
    std::fs::remove_file(world.sandbox.path("iam-stocktake-journal.jsonl")).unwrap();
    let run = world.apply(20.0);
    assert!(run.stdout.contains("give notice ("), "{}", run.stdout);
    assert_since(&world, "ci-deploy", 20.0);
}

#[test]
fn when_the_tag_says_nothing_that_can_be_read_or_is_of_a_day_to_come() {
    for says in ["notified", "notified since=2020-01-01 seen=2020-01-01", "to come"] {
        let world = stale();
        world.apply(0.0);
        let tags = world.user("ci-deploy")["tags"].clone();
        let key = tags.as_object().unwrap().keys().next().unwrap().clone();
        let to_come = format!("notified since={0} seen={0}", world.written(30.0));
        let value = if says == "to come" { &to_come } else { says };
        world.account.change(json!([{"tag_user": {"user": "ci-deploy", "tags": {key: value}}}]));
        assert_anew(&world.apply(14.0), "the remediation tag is not readable");
        assert_since(&world, "ci-deploy", 14.0);
        assert_eq!(world.key_statuses("ci-deploy"), ["Active"]);
    }
}
