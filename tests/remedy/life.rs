//! The stages over the days.

use serde_json::json;

use super::world::{ALLOWLIST, World};

/// A user with one key that was last used 200 days ago.
fn stale() -> World {
    World::new(
        ALLOWLIST,
        json!([
            {"name": "ci-deploy", "created": 400, "keys": [{"created": 300, "last_used": 200}]},
            {"name": "alice", "created": 400, "keys": [{"created": 300, "last_used": 1}]},
        ]),
    )
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
