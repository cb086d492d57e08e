//! What people see each day of a remediation: `remediate` changes IAM, and the next scheduled run tells
//! people in the queue issue and in the user's issue.

use serde_json::json;

use stand_ins::sandbox::Ran;
use stand_ins::world::{ALLOWLIST, Run, RunOptions, World, visible};

/// The default settings.
const DEFAULTS: &str = "version: 1\nremediation: {}\n";

/// Every kind of credential is deactivated, and deleted 30 days later.
const DELETING: &str = "version: 1\nremediation:\n  delete_after_days: 30\n  delete_passwords: true\n  owners: [team-ci]\n  \
                        max_share: 100\n  max_changes: 10\n  \
                        rules: [stale-password, stale-access-key, old-service-credential, \
                        inactive-access-key]\n";

/// An account with ten users. One of them has stale credentials.
fn world(robot: serde_json::Value) -> World {
    let world = World::new();
    world.account.change(json!([{ "create_user": robot }]));
    for number in 0..9 {
        world.user(&format!("in-use-{number}"), 1);
    }
    world
}

/// Runs `remediate --apply` on a day.
fn remediate(world: &World, day: i64, allowlist: &str) -> String {
    world.sandbox.file(ALLOWLIST, allowlist);
    world.account.make_report(1.0 - 24.0 * day as f64);
    let now = world.moment(day);
    let mut command =
        world.sandbox.command(&["remediate", "--apply", "--quiet", "--now", &now, "--allowlist"]);
    command.arg(ALLOWLIST).env("HOME", world.sandbox.path("home"));
    let ran = Ran::from(command.envs(world.account.environment()).output().unwrap());
    assert_eq!(ran.code, 0, "day {day}: {}{}", ran.stdout, ran.stderr);
    ran.stdout
}

/// Runs the scheduled workflow on a day.
fn queue(world: &World, day: i64, allowlist: &str) -> Run {
    let run = world.run(RunOptions {
        day,
        allowlist,
        inputs: &[("publish", "issue-per-user")],
        ..RunOptions::default()
    });
    assert_eq!(run.code, 0, "day {day}: {}", run.log);
    run
}

/// What a run wrote, for a snapshot.
fn written(world: &World, run: &Run, day: i64) -> String {
    let mut pages = String::new();
    let mut before = "";
    for write in &run.writes {
        let Some(body) = write.body["body"].as_str() else { continue };
        if visible(body) == before {
            continue;
        }
        before = visible(body);
        let state = write.body["state"].as_str().unwrap_or("as it was");
        let page = format!(
            "\n======== day {day}: {} {}, {state}\n{}\n",
            write.method,
            write.path,
            visible(body)
        );
        pages.push_str(&world.normalized(&page));
    }
    pages
}

/// A remediation on each of these days, each followed by the scheduled run of the next day.
fn days(world: &World, allowlist: &str, days: &[i64]) -> String {
    let mut pages = String::new();
    for &day in days {
        remediate(world, day, allowlist);
        let run = queue(world, day + 1, allowlist);
        pages.push_str(&written(world, &run, day + 1));
        // The next day is quiet.
        let again = queue(world, day + 2, allowlist);
        assert_eq!(again.acts(), [""; 0], "day {}: {}", day + 2, again.log);
    }
    pages
}

#[test]
fn notice_deactivation_and_undo_with_default_settings() {
    let world = world(json!({
        "name": "robot", "created": 700,
        "password": {"changed": 300, "last_used": 200},
        "keys": [{"created": 600, "last_used": 210}],
    }));
    queue(&world, 0, DEFAULTS);
    let mut pages = days(&world, DEFAULTS, &[0, 7, 14]);
    assert_eq!(world.account.user("robot")["keys"][0]["status"], "Inactive");

    // What undo does: it reactivates the key, and removes the tag.
    let user = world.account.user("robot");
    let tags = user["tags"].as_object().unwrap().keys();
    let key: Vec<_> = tags.filter(|tag| tag.starts_with("iam-stocktake:access-key")).collect();
    world.account.change(json!([
        { "set_key_status": { "user": "robot", "status": "Active" } },
        { "untag_user": { "user": "robot", "keys": key } },
    ]));
    let run = queue(&world, 17, DEFAULTS);
    pages.push_str(&written(&world, &run, 17));
    assert_eq!(queue(&world, 18, DEFAULTS).acts(), [""; 0]);
    insta::assert_snapshot!("default_settings", pages);
}

#[test]
fn every_kind_of_credential_is_announced_until_it_is_deleted() {
    let world = world(json!({
        "name": "robot", "created": 700, "tags": {"owner": "team-ci"},
        "password": {"changed": 300, "last_used": 200},
        "keys": [{"created": 600, "last_used": 210}],
        "ssh_keys": [{"created": 310}],
        "service_credentials": [{"created": 320}],
        "certificates": [{"created": 330}],
    }));
    queue(&world, 0, DELETING);
    let pages = days(&world, DELETING, &[0, 7, 14, 21, 28, 37, 44]);
    insta::assert_snapshot!("every_kind", pages);
    assert!(!world.queue_issue().body.contains("waiting for deletion"));
    assert_eq!(world.queue_issue().state, "closed");
}
