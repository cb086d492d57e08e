//! A dry run prints its plan, and changes nothing.

use serde_json::json;

use stand_ins::github::Exchange;
use stand_ins::world::{EMPTY, Run, World};

/// Asserts that a run wrote nothing, and printed each of these changes.
fn assert_planned(run: &Run, changes: &[&str]) {
    assert_eq!((run.code, run.acts()), (0, vec![]), "{}", run.log);
    let plan: Vec<_> = run.log.lines().filter(|line| line.contains(": would ")).collect();
    assert_eq!(plan.len(), changes.len(), "{}", run.log);
    for (line, change) in plan.iter().zip(changes) {
        assert!(line.contains(change), "{line}: {change}");
        assert!(run.summary.contains(change), "{change}: {}", run.summary);
    }
}

#[test]
fn dry_run_prints_the_plan_in_log_and_summary() {
    let world = World::new();
    world.user("alice", 200);
    let dry = &[("dry-run", "true")];
    let queue_issue = "create issue \"IAM credentials to remediate\", the queue issue: 1 open";
    let run = world.day_with(0, dry);
    let label = "create the label \"iam-stocktake\" if it does not exist";
    let number =
        "store the number of the queue issue in the description of the label \"iam-stocktake\"";
    assert_planned(&run, &[label, queue_issue, number]);
    assert_eq!((run.output("issue-number"), run.output("new-count")), ("", "1"));
    assert_eq!(world.repo.issues(), []);

    world.day(0, EMPTY);
    let run = world.day_with(1, dry);
    assert_planned(&run, &["nothing to change"]);
    assert_eq!(run.output("issue-number"), "1");

    world.user("bob", 150);
    let before = world.queue_issue();
    let run = world.day_with(1, dry);
    assert_planned(&run, &["edit and comment on issue #1, the queue issue: 2 open"]);
    assert_eq!((run.output("new-count"), run.output("stale-count")), ("1", "2"));
    assert_eq!(world.queue_issue(), before);
}

#[test]
fn dry_run_prints_every_kind_of_change() {
    let world = World::new();
    world.user("alice", 200);
    world.user("bob", 150);
    world.day_with(0, &[("publish", "issue-per-user")]);
    world.account.change(json!([{ "delete_user": { "user": "bob" } }]));
    world.user("carol", 100);
    let dry = [("publish", "issue-per-user"), ("dry-run", "true"), ("assignees", "octocat")];
    let run = world.day_with(1, &dry);
    assert_eq!((run.code, run.acts()), (0, vec![]), "{}", run.log);
    for change in ["create issue", "carol", "assigned to octocat", "close as completed issue #2"] {
        assert!(run.summary.contains(change), "{change}: {}", run.summary);
    }
    let read_only = |it: &Exchange| it.method == "GET" || it.path == "/graphql";
    assert!(world.repo.log().iter().all(read_only));
}

#[test]
fn dry_run_of_publish_prints_the_plan() {
    let world = World::new();
    world.user("alice", 200);
    world.audit("audit.json", 0);
    let run = world.publish(0, &["audit.json", "--publish", "issue", "--dry-run"]);
    assert_eq!((run.code, run.acts()), (0, vec![]), "{}", run.log);
    assert!(run.log.contains("would create issue \"IAM credentials to remediate\""), "{}", run.log);
}
