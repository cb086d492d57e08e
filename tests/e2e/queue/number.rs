//! The number of the queue issue in the label's description: it identifies the queue issue, and
//! distinguishes a damaged queue from a missing one.

use serde_json::json;

use stand_ins::github::Pull;
use stand_ins::world::{EMPTY, Run, RunOptions, World};

const LABEL: &str = "iam-stocktake";

/// A queue with alice, a pull request, and bob as a new finding.
fn with_news() -> (World, Pull) {
    let world = World::new();
    world.user("alice", 200);
    assert_eq!(world.day(0, EMPTY).code, 0);
    let pull = world.pull(EMPTY, EMPTY);
    world.user("bob", 150);
    (world, pull)
}

/// The last description that the run sent for a label.
fn described(run: &Run) -> Option<(String, String)> {
    let mut writes = run.writes.iter().rev();
    let write = writes.find(|it| it.path.contains("/labels/") && it.method == "PATCH")?;
    let name = write.path.rsplit('/').next().unwrap().to_owned();
    Some((name, write.body["description"].as_str().unwrap().to_owned()))
}

#[test]
fn label_gets_the_number_after_the_first_state_is_written() {
    let world = World::new();
    world.user("alice", 200);
    let run = world.day(0, EMPTY);
    let acts = ["POST labels", "POST issues", "PATCH issues/1", "PATCH labels/iam-stocktake"];
    assert_eq!(run.acts(), acts, "{}", run.log);
    let text = "IAM credentials to remediate. The queue is issue #1";
    assert_eq!(described(&run), Some((LABEL.to_owned(), text.to_owned())));
    assert_eq!(world.day(1, EMPTY).acts(), [""; 0]);
    // The label of a named queue contains the name.
    let run = world.day_with(1, &[("queue", "other")]);
    let text = "IAM credentials to remediate. The queue is issue #2";
    assert_eq!(described(&run), Some(("iam-stocktake:other".to_owned(), text.to_owned())));
    assert_eq!(world.repo.issue(2).labels, ["iam-stocktake:other"]);
}

/// Damages the queue, and asserts that the gate and the schedule fail, and that deleting the label
/// starts a new queue.
fn assert_stops(name: &str, says: &str, prepare: impl Fn(&World)) {
    let (world, pull) = with_news();
    prepare(&world);
    for event in ["pull_request", "merge_group", "schedule"] {
        let pull = Some(&pull).filter(|_| event != "schedule");
        let run = world.run(RunOptions { event, pull, day: 1, ..RunOptions::default() });
        assert_eq!((run.code, run.acts()), (3, vec![]), "{name}, {event}: {}", run.log);
        assert_eq!(run.output("result"), "incomplete", "{name}, {event}");
        assert_eq!(run.output("gate"), "not-evaluated", "{name}, {event}");
        assert!(run.log.contains(says), "{name}, {event}: {}", run.log);
        assert!(run.log.contains("delete the label"), "{name}, {event}: {}", run.log);
    }
    world.repo.faults(json!([]));
    world.repo.as_person().delete_label(LABEL);
    let run = world.check(&pull, EMPTY, 1);
    assert_eq!((run.code, run.output("gate")), (0, "not-evaluated"), "{name}: {}", run.log);
    let run = world.day(1, EMPTY);
    assert_eq!((run.code, run.output("new-count")), (0, "2"), "{name}: {}", run.log);
    assert_eq!(run.output("issue-number"), "3", "{name}");
    let run = world.check(&pull, EMPTY, 1);
    assert_eq!((run.code, run.output("gate")), (0, "passed"), "{name}: {}", run.log);
}

#[test]
fn queue_issue_without_its_first_line_stops_the_gate() {
    assert_stops("no first line", "does not start with the queue's marker", |world| {
        let body = world.queue_issue().body;
        let (_, rest) = body.split_once('\n').unwrap();
        world.repo.as_person().edit_body(1, rest);
    });
}

#[test]
fn queue_issue_with_an_empty_body_stops_the_gate() {
    assert_stops("empty", "does not start with the queue's marker", |world| {
        world.repo.as_person().edit_body(1, "");
    });
}

#[test]
fn deleted_queue_issue_stops_the_gate() {
    // GitHub responds with 410 for deleted issues, 404 for hidden ones, and redirects for moved ones.
    let moved = json!({ "status": 200, "body": {
        "number": 7, "title": "t", "state": "open", "created_at": "2026-11-24T12:00:00Z",
        "user": { "login": "github-actions[bot]" },
    }});
    for answer in [json!({ "status": 410 }), json!({ "status": 404 }), moved] {
        assert_stops(
            "gone",
            "the queue issue in the label's description does not exist",
            |world| {
                let mut gone = answer.clone();
                (gone["path"], gone["method"]) = (json!("/issues/1$"), json!("GET"));
                world.repo.faults(json!([gone, { "hide": [1], "path": "/issues$" }]));
            },
        );
    }
}

#[test]
fn label_with_several_issues_stops_the_gate() {
    assert_stops("two numbers", "does not name exactly one queue issue", |world| {
        world.repo.as_person().describe_label(LABEL, "#1, before #7");
    });
}

#[test]
fn empty_state_in_the_issue_of_the_label_stops_the_gate() {
    assert_stops("an empty state", "has an empty queue state", |world| {
        // The body of an issue whose run ended before it wrote the state.
        let other = World::new();
        other.user("alice", 200);
        other.repo.faults(json!([{ "status": 403, "method": "PATCH" }]));
        assert_eq!(other.day(0, EMPTY).code, 4);
        world.repo.as_person().edit_body(1, &other.repo.issue(1).body);
    });
}

#[test]
fn next_run_continues_in_the_issue_of_a_label_without_a_number() {
    let (world, pull) = with_news();
    for description in ["", "IAM credentials that nobody uses"] {
        world.repo.as_person().describe_label(LABEL, description);
        let run = world.check(&pull, EMPTY, 1);
        assert_eq!((run.code, run.output("gate")), (0, "not-evaluated"), "{}", run.log);
    }
    let run = world.day(1, EMPTY);
    let acts = ["POST issues/1/comments", "PATCH issues/1", "PATCH labels/iam-stocktake"];
    assert_eq!((run.code, run.acts()), (0, acts.map(str::to_owned).to_vec()), "{}", run.log);
    assert_eq!(run.output("new-count"), "1");
}

#[test]
fn first_run_that_ends_at_any_write_leaves_one_queue() {
    for (method, path) in [
        ("POST", "/labels$"),
        ("POST", "/issues$"),
        ("PATCH", "/issues/1$"),
        ("PATCH", "/labels/iam-stocktake$"),
    ] {
        let world = World::new();
        world.user("alice", 200);
        world.repo.faults(json!([{ "status": 403, "method": method, "path": path }]));
        assert_eq!(world.day(0, EMPTY).code, 4, "{method} {path}");
        world.repo.faults(json!([]));
        let run = world.day(0, EMPTY);
        assert_eq!((run.code, run.output("issue-number")), (0, "1"), "{path}: {}", run.log);
        assert_eq!(world.repo.issues().len(), 1, "{method} {path}");
        assert_eq!(world.day(1, EMPTY).acts(), [""; 0], "{method} {path}");
    }
}

#[test]
fn other_issues_with_label_and_marker_are_not_the_queue() {
    let world = World::new();
    world.user("alice", 200);
    // Older than the queue, and labeled later.
    world.repo.as_bot().create_issue("Notes", "to be edited", &[]);
    world.day(0, EMPTY);
    let body = world.repo.issue(2).body;
    world.repo.as_bot().edit_body(1, &body);
    world.repo.as_bot().add_label(1, LABEL);
    let run = world.day(1, EMPTY);
    assert_eq!((run.code, run.output("issue-number")), (0, "2"), "{}", run.log);
    // It has the same author and body as the queue issue.
    assert_eq!(run.acts(), ["POST issues/1/comments", "PATCH issues/1"]);
    assert_eq!(world.repo.issue(1).state, "closed");
    assert_eq!(world.day(2, EMPTY).acts(), [""; 0]);
}

/// A create request that succeeds but returns 502, and lists that show the issue later.
fn lagging(path: &str) -> serde_json::Value {
    json!([
        { "status": 502, "after": true, "method": "POST", "path": path, "max": 1 },
        { "hide": 3, "path": "/(issues|comments)$" },
    ])
}

#[test]
fn issues_that_lists_show_late_are_created_once() {
    let world = World::new();
    world.user("alice", 200);
    world.repo.faults(lagging("/issues$"));
    let run = world.day_with(0, &[("publish", "issue-per-user")]);
    assert_eq!(run.code, 0, "{}", run.log);
    let made = run.acts().iter().filter(|act| *act == "POST issues").count();
    assert_eq!((made, world.repo.issues().len()), (2, 2), "{:?}", run.acts());

    world.user("bob", 150);
    world.repo.faults(lagging("/comments$"));
    let run = world.day(1, EMPTY);
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(world.repo.comments(2).len(), 1, "the comment is written once");

    world.user("carol", 150);
    let pull = world.pull(EMPTY, EMPTY);
    world.repo.faults(lagging("/comments$"));
    assert_eq!(world.check(&pull, EMPTY, 1).code, 1);
    assert_eq!(world.repo.comments(pull.number).len(), 1);

    // A label can be created only once.
    let world = World::new();
    world.user("alice", 200);
    world.repo.faults(lagging("/labels$"));
    let run = world.day(0, EMPTY);
    assert_eq!((run.code, world.repo.issues().len()), (0, 1), "{}", run.log);
}
