//! A queue over several weeks, with one issue and with per-user issues.

use serde_json::json;

use super::page::{Rendered, rendered};
use stand_ins::world::{EMPTY, FIRST, Run, RunOptions, World, visible};

/// A step: the day, the change in AWS before it, whether alice has an exemption, what the run
/// writes, and its outputs `stale-count`, `new-count` and `overdue-count`.
struct Step {
    name: &'static str,
    day: i64,
    change: serde_json::Value,
    exempts_alice: bool,
    acts: &'static [&'static str],
    counts: [&'static str; 3],
}

/// All steps, with the writes of a run in the mode.
fn life(acts: [&'static [&'static str]; 14]) -> Vec<Step> {
    let key = |user: &str, status: &str| json!([{ "set_key_status": { "user": user, "status": status } }]);
    let carol = json!([{"create_user": {
        "name": "carol", "created": 700, "keys": [{"created": 600, "last_used": 300}],
    }}]);
    let steps = [
        ("first", 0, json!([]), false, ["2", "2", "0"]),
        ("the next day", 1, json!([]), false, ["2", "0", "0"]),
        ("last checked", 8, json!([]), false, ["2", "0", "0"]),
        ("one more", 9, carol, false, ["3", "1", "0"]),
        ("one cleared", 10, key("bob", "Inactive"), false, ["2", "0", "0"]),
        ("one exempted", 11, json!([]), true, ["1", "0", "0"]),
        ("as before", 12, json!([]), true, ["1", "0", "0"]),
        ("the exemption expired", 21, json!([]), true, ["2", "1", "0"]),
        ("due", 39, json!([]), true, ["2", "0", "0"]),
        ("overdue", 40, json!([]), true, ["2", "0", "1"]),
        ("still overdue", 41, json!([]), true, ["2", "0", "1"]),
        ("all cleared", 42, json!([]), true, ["0", "0", "0"]),
        ("nothing left", 43, json!([]), true, ["0", "0", "0"]),
        ("one returned", 44, key("alice", "Active"), true, ["1", "1", "0"]),
    ];
    let mut steps: Vec<_> = steps
        .into_iter()
        .zip(acts)
        .map(|((name, day, change, exempts_alice, counts), acts)| Step {
            name,
            day,
            change,
            exempts_alice,
            acts,
            counts,
        })
        .collect();
    steps[11].change = json!([
        { "set_key_status": { "user": "alice", "status": "Inactive" } },
        { "delete_user": { "user": "carol" } },
    ]);
    steps
}

/// Runs all steps, and returns the Markdown of the pages that changed.
fn live(world: &World, mode: &str, steps: Vec<Step>) -> String {
    world.user("alice", 200);
    world.user("bob", 150);
    let exemption = format!(
        "version: 1\nexemptions:\n  - {{ user: alice, reason: Moves to OIDC, owner: Team A, \
         expires: {} }}\n",
        world.date(20)
    );
    let mut pages = String::new();
    for step in steps {
        world.account.change(step.change);
        let allowlist = if step.exempts_alice { &exemption } else { EMPTY };
        let before = world.queue();
        let inputs = &[("publish", mode)];
        let run =
            world.run(RunOptions { day: step.day, allowlist, inputs, ..RunOptions::default() });
        let (name, log) = (step.name, &run.log);
        assert_eq!(run.acts(), step.acts, "{name}: {log}");
        assert_eq!(run.code, 0, "{name}: {log}");
        let counts = ["stale-count", "new-count", "overdue-count"].map(|it| run.output(it));
        assert_eq!(counts, step.counts, "{name}: {log}");
        let result = if step.counts[0] == "0" { "clean" } else { "stale" };
        assert_eq!((run.output("result"), run.output("gate")), (result, "not-evaluated"));
        if step.name != "last checked" {
            pages.push_str(&written(world, &run, name));
        } else {
            assert_only_the_date_differs(world, &before, step.day);
        }
    }
    pages
}

/// The pages that a run wrote, for a snapshot.
fn written(world: &World, run: &Run, step: &str) -> String {
    let mut pages = String::new();
    let mut before = "";
    for write in &run.writes {
        let Some(body) = write.body["body"].as_str() else { continue };
        // A new queue issue is written a second time, with its state.
        if visible(body) == before {
            continue;
        }
        before = visible(body);
        let what = format!("{} {}", write.method, write.path);
        let state = write.body["state"].as_str().unwrap_or("as it was");
        let page = format!("\n======== {step}: {what}, {state}\n{}\n", visible(body));
        pages.push_str(&world.normalized(&page));
    }
    pages
}

/// Asserts that only the date of the last check changed.
fn assert_only_the_date_differs(world: &World, before: &[stand_ins::github::Issue], day: i64) {
    let checked = |day| format!("Last checked: {}", world.date(day));
    for (before, after) in before.iter().zip(world.queue()) {
        let body = visible(&after.body).replace(&checked(day), &checked(0));
        assert_eq!(body, visible(&before.body));
        assert_eq!((&after.title, &after.state), (&before.title, &before.state));
    }
}

#[test]
fn queue_issue_follows_findings_over_time() {
    let world = World::new();
    let silently: &[&str] = &["PATCH issues/1"];
    let aloud: &[&str] = &["POST issues/1/comments", "PATCH issues/1"];
    let acts = [
        &FIRST,
        &[][..],
        silently,
        aloud,
        silently,
        silently,
        &[],
        aloud,
        silently,
        aloud,
        &[],
        silently,
        &[],
        aloud,
    ];
    let pages = live(&world, "auto", life(acts));
    insta::assert_snapshot!("one_issue", pages);
    let issue = world.queue_issue();
    assert_eq!((issue.number, issue.state.as_str()), (1, "open"));
    assert_eq!(issue.state_reason.as_deref(), Some("reopened"));
    assert_eq!(issue.comments.len(), 4);
}

#[test]
fn user_issues_follow_findings_over_time() {
    let world = World::new();
    let acts: [&[&str]; 14] = [
        &[
            "POST labels",
            "POST issues",
            "POST issues",
            "POST issues",
            "PATCH issues/3",
            "PATCH labels/iam-stocktake",
        ],
        &[],
        &["PATCH issues/3"],
        &["POST issues", "POST issues/3/comments", "PATCH issues/3"],
        &["PATCH issues/2", "PATCH issues/3"],
        &["PATCH issues/1", "PATCH issues/3"],
        &[],
        &["POST issues/1/comments", "PATCH issues/1", "POST issues/3/comments", "PATCH issues/3"],
        // The suggested exemption of carol gets a later date.
        &["PATCH issues/4", "PATCH issues/3"],
        &["POST issues/4/comments", "PATCH issues/4", "POST issues/3/comments", "PATCH issues/3"],
        &[],
        &["PATCH issues/1", "PATCH issues/4", "PATCH issues/3"],
        &[],
        &["POST issues/1/comments", "PATCH issues/1", "POST issues/3/comments", "PATCH issues/3"],
    ];
    let pages = live(&world, "issue-per-user", life(acts));
    insta::assert_snapshot!("issue_per_user", pages);
    let state = |number| {
        let issue = world.repo.issue(number);
        (issue.state, issue.state_reason.unwrap_or_default())
    };
    let is = |state: &str, reason: &str| (state.to_owned(), reason.to_owned());
    assert_eq!(
        [1, 2, 3, 4].map(state),
        [
            is("open", "reopened"),
            is("closed", "completed"),
            is("open", "reopened"),
            is("closed", "completed"),
        ]
    );
    let queue_issue = rendered(&world.queue_issue().body);
    assert_eq!(queue_issue.boxes, [(false, "alice".to_owned())]);
    assert!(world.queue_issue().body.contains("#1"), "{}", world.queue_issue().body);
}

#[test]
fn pages_render_as_task_lists_and_struck_lines() {
    let world = World::new();
    for (user, unused) in [("alice", 200), ("bob", 150), ("carol", 120)] {
        world.user(user, unused);
    }
    world.day(0, EMPTY);
    world.account.change(json!([{ "delete_key": { "user": "bob" } }]));
    world.day(1, EMPTY);
    let body = world.queue_issue().body;
    let Rendered { boxes, struck, headings, html, comments, links, .. } = rendered(&body);
    let open = |user: &str| (false, user.to_owned());
    assert_eq!(boxes, [open("alice"), open("carol")]);
    assert_eq!(struck, ["bob"]);
    assert_eq!(headings, [format!("Account {}", world.account.id())]);
    assert_eq!(html, ["<details>\n<summary>Recently resolved</summary>", "</details>"]);
    let (api, repository) = (world.repo.api_url(), world.repo.full_name());
    assert_eq!(links, [format!("{api}/{repository}/actions/workflows/audit.yml")]);
    // The queue's marker, one per user, and the state.
    let is =
        |beginning: &str| comments.iter().filter(|comment| comment.starts_with(beginning)).count();
    let counts = [
        "<!-- iam-stocktake:queue v1 name=default -->",
        "<!-- u:",
        "<!-- iam-stocktake:queue-state",
    ];
    assert_eq!(counts.map(is), [1, 2, 1], "{comments:?}");
    assert_eq!(comments.len(), 4, "{comments:?}");
}
