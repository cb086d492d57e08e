//! When a remediation tag is set again, so that the days restart.

use serde_json::json;

use super::stages::stale;
use super::world::{ALLOWLIST, Run, World};

/// An allowlist that exempts the user until the given day.
fn allowlist_with_exemption(world: &World, day: f64) -> String {
    let last = world.at(day).date_naive();
    format!(
        "{ALLOWLIST}exemptions:\n  - user: ci-deploy\n    reason: moves to OIDC\n    \
         owner: platform\n    expires: {last}\n"
    )
}

/// Asserts that the user has one tag that was set on the given day.
fn assert_since(world: &World, name: &str, day: f64) {
    let [tag] = &world.tags(name)[..] else { panic!("{:?}", world.tags(name)) };
    let expected = format!(" notified since={0} seen={0}", world.written(day));
    assert!(tag.ends_with(&expected), "{tag} is not of day {day}");
}

fn assert_new_notice(run: &Run, why: &str) {
    assert!(run.stdout.contains(&format!("give notice again, because {why} (")), "{}", run.stdout);
}

#[test]
fn days_restart_after_an_exemption_that_a_run_saw() {
    let world = stale();
    world.apply(0.0);
    world.allow(&allowlist_with_exemption(&world, 5.0));
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
fn days_restart_if_the_journal_shows_a_removed_tag() {
    let world = stale();
    world.apply(0.0);
    let key = world.user("ci-deploy")["tags"].as_object().unwrap().keys().next().unwrap().clone();
    world.account.change(json!([{"untag_user": {"user": "ci-deploy", "keys": [key]}}]));
    assert_new_notice(&world.apply(14.0), "the remediation tag was removed");
    assert_since(&world, "ci-deploy", 14.0);
    assert_eq!(world.key_statuses("ci-deploy"), ["Active"]);

    // Without the journal, no run knows that there was a tag.
    world.account.change(json!([{"untag_user": {"user": "ci-deploy", "keys": [key]}}]));
    std::fs::remove_file(world.sandbox.path("iam-stocktake-journal.jsonl")).unwrap();
    let run = world.apply(20.0);
    assert!(run.stdout.contains("give notice ("), "{}", run.stdout);
    assert_since(&world, "ci-deploy", 20.0);
}
