//! Two overlapping runs with separate journals: neither replaces a tag that the other one has just
//! set.

use serde_json::json;

use super::stages::stale;
use super::world::{ALLOWLIST, World};
use stand_ins::sandbox::Ran;

/// Gives notices with a separate journal. `change` is called between the last re-check of the
/// credentials and the call that writes.
fn notify_with_change(world: &World, day: f64, change: impl FnOnce()) -> Ran {
    // The first `GetUser` is for the plan, the second for the re-check. The third one compares the
    // user id.
    world.account.faults(json!({"hold": {"action": "GetUser", "nth": 3, "when": "before"}}));
    world.account.reset_log();
    let journals = ["--journal", "notify.jsonl", "--other-journals", "iam-stocktake-journal.jsonl"];
    let run =
        world.run_until_held(day, &[&["--apply", "--stage", "notify"], &journals[..]].concat());
    change();
    world.account.faults(json!({}));
    Ran::from(run.wait_with_output().unwrap())
}

#[test]
fn tag_set_by_an_overlapping_run_is_kept() {
    let allowlist_with_exemption = |world: &World| {
        let expires = world.at(100.0).date_naive();
        format!(
            "{ALLOWLIST}exemptions:\n  - {{user: ci-deploy, reason: r, owner: o, expires: {expires}}}\n"
        )
    };
    for what in ["renewed", "cleared"] {
        let world = stale();
        world.apply(0.0);
        if what == "cleared" {
            world.allow(&allowlist_with_exemption(&world));
        }
        let value = format!("deactivated since={0} seen={0}", world.written(40.0));
        let ran = notify_with_change(&world, 40.0, || {
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
        let expected = "another run changed the remediation tag";
        assert!(ran.stdout.contains(expected), "{what}: {}{}", ran.stdout, ran.stderr);
    }
}
