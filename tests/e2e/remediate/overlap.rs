//! Two runs with journals of their own that overlap: none replaces a tag that the other has just set.

use serde_json::json;

use super::life::stale;
use super::world::{ALLOWLIST, World};
use stand_ins::sandbox::Ran;

/// Carries out notices on a day with a journal of its own, and lets something happen between its
/// last look at the user's credentials and its call that writes.
fn notified_meanwhile(world: &World, day: f64, happens: impl FnOnce()) -> Ran {
    // The survey looks at the user first, the change again; the third call compares the user's id.
    world.account.faults(json!({"hold": {"action": "GetUser", "nth": 3, "when": "before"}}));
    world.account.reset_log();
    let journals = ["--journal", "notify.jsonl", "--other-journals", "iam-stocktake-journal.jsonl"];
    let run = world.held(day, &[&["--apply", "--stage", "notify"], &journals[..]].concat());
    happens();
    world.account.faults(json!({}));
    Ran::from(run.wait_with_output().unwrap())
}

#[test]
fn a_tag_that_another_run_has_just_set_is_neither_replaced_nor_removed() {
    let exempting = |world: &World| {
        let expires = world.at(100.0).date_naive();
        format!(
            "{ALLOWLIST}exemptions:\n  - {{user: ci-deploy, reason: r, owner: o, expires: {expires}}}\n"
        )
    };
    for what in ["renewed", "cleared"] {
        let world = stale();
        world.apply(0.0);
        if what == "cleared" {
            world.allow(&exempting(&world));
        }
        let value = format!("deactivated since={0} seen={0}", world.written(40.0));
        let ran = notified_meanwhile(&world, 40.0, || {
            let tags = world.user("ci-deploy")["tags"].as_object().unwrap().clone();
            let key = tags.keys().find(|it| it.starts_with("iam-stocktake:")).unwrap().clone();
            world.account.change(json!([
                {"set_key_status": {"user": "ci-deploy", "status": "Inactive"}},
                {"tag_user": {"user": "ci-deploy", "tags": {key: value}}},
            ]));
        });
        assert_eq!(world.writes(), [""; 0], "{what}: {}{}", ran.stdout, ran.stderr);
        assert!(
            world.tags("ci-deploy")[0].ends_with(&value),
            "{what}: {:?}",
            world.tags("ci-deploy")
        );
        let says = "another run changed the remediation tag";
        assert!(ran.stdout.contains(says), "{what}: {}{}", ran.stdout, ran.stderr);
    }
}
