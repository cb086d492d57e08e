//! What people do with the queue's issues, and how the next run handles it.

use serde_json::json;

use super::page::rendered;
use stand_ins::http;
use stand_ins::world::{EMPTY, RunOptions, World};

/// A queue with alice and bob.
fn kept() -> World {
    let world = World::new();
    world.user("alice", 200);
    world.user("bob", 150);
    assert_eq!(world.day(0, EMPTY).code, 0);
    world
}

/// Checks the box of a user, or the first box in the user's own issue, as GitHub does when someone
/// selects it.
fn check_box(world: &World, number: u64, user: &str) {
    let body = world.repo.issue(number).body;
    let in_queue_issue = format!("- [ ] `{user}`");
    let box_ = if body.contains(&in_queue_issue) { &in_queue_issue } else { "- [ ] " };
    let ticked = body.replacen(box_, &box_.replace("[ ]", "[x]"), 1);
    assert_ne!(ticked, body);
    world.repo.as_person().edit_body(number, &ticked);
}

fn boxes(world: &World) -> Vec<(bool, String)> {
    rendered(&world.queue_issue().body).boxes
}

fn named(ticked: bool, user: &str) -> (bool, String) {
    (ticked, user.to_owned())
}

#[test]
fn checked_box_stays_checked_and_changes_nothing_else() {
    let world = kept();
    check_box(&world, 1, "alice");
    assert_eq!(world.day(1, EMPTY).acts(), [""; 0]);
    world.user("carol", 300);
    let run = world.day(2, EMPTY);
    assert_eq!(run.output("stale-count"), "3");
    assert_eq!(boxes(&world), [named(false, "carol"), named(true, "alice"), named(false, "bob")]);
}

#[test]
fn box_that_is_checked_during_a_run_stays_checked() {
    let world = kept();
    world.user("carol", 300);
    // The run reads the issue again before it writes. The fault delays that request.
    world.repo.faults(json!([{ "hold": 2, "method": "GET", "path": "/issues/1$" }]));
    world.repo.reset_log();
    let started = world.start(RunOptions { day: 1, ..RunOptions::default() });
    while !world.repo.log().iter().any(|it| it.path.ends_with("/issues/1")) {
        std::thread::yield_now();
    }
    let log = world.repo.log();
    let first = log.iter().find(|it| it.path.ends_with("/issues/1")).unwrap();
    assert_eq!(first.method, "GET", "the run reads the issue again before it writes");
    check_box(&world, 1, "alice");
    let line = format!("GET /repos/{}/issues/1", world.repo.full_name());
    let authorization = format!("Bearer {}", world.repo.token());
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Accept", "application/vnd.github+json"),
        ("User-Agent", "a person's browser"),
        ("X-GitHub-Api-Version", "2022-11-28"),
    ];
    assert_eq!(http::send(world.repo.port(), &line, &headers, b"").unwrap().status, 200);
    let run = started.finish(&world.repo);
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(boxes(&world), [named(false, "carol"), named(true, "alice"), named(false, "bob")]);
    assert_eq!(run.acts(), ["POST issues/1/comments", "PATCH issues/1"]);
}

#[test]
fn closing_as_not_planned_acknowledges_until_a_new_finding() {
    let world = kept();
    world.repo.as_person().close(1, "not_planned");
    let run = world.day(1, EMPTY);
    assert_eq!((run.code, run.output("stale-count")), (0, "2"), "{}", run.log);
    let queue_issue = world.queue_issue();
    assert_eq!((queue_issue.state.as_str(), queue_issue.comments.len()), ("closed", 0));
    assert_eq!(queue_issue.state_reason.as_deref(), Some("not_planned"));
    assert!(
        queue_issue.body.to_lowercase().contains("closed without an exemption"),
        "{}",
        queue_issue.body
    );
    assert_eq!(world.day(2, EMPTY).acts(), [""; 0]);

    world.user("carol", 300);
    let run = world.day(3, EMPTY);
    assert_eq!(run.acts(), ["POST issues/1/comments", "PATCH issues/1"], "{}", run.log);
    let queue_issue = world.queue_issue();
    assert_eq!((queue_issue.state.as_str(), queue_issue.comments.len()), ("open", 1));
    let news = &queue_issue.comments[0].body;
    assert!(news.contains("`carol`") && !news.contains("`alice`"), "{news}");
    assert_eq!(world.day(4, EMPTY).acts(), [""; 0]);
}

#[test]
fn queue_closed_as_completed_too_early_reopens_with_one_comment() {
    let world = kept();
    world.repo.as_person().close(1, "completed");
    let run = world.day(1, EMPTY);
    assert_eq!(run.acts(), ["POST issues/1/comments", "PATCH issues/1"], "{}", run.log);
    assert_eq!(world.queue_issue().state, "open");
    assert_eq!(world.day(2, EMPTY).acts(), [""; 0]);
}

#[test]
fn closing_a_user_issue_as_not_planned_acknowledges_one_user() {
    let world = World::new();
    world.user("alice", 200);
    world.user("bob", 150);
    let per_user = &[("publish", "issue-per-user")];
    world.day_with(0, per_user);
    check_box(&world, 2, "bob");
    world.repo.as_person().close(1, "not_planned");
    let run = world.day_with(1, per_user);
    assert_eq!((run.code, run.output("stale-count")), (0, "2"), "{}", run.log);
    let alice = world.repo.issue(1);
    assert_eq!((alice.state.as_str(), alice.comments.len()), ("closed", 0));
    assert_eq!(world.queue_issue().state, "open");
    assert!(rendered(&world.repo.issue(2).body).boxes[0].0);
    assert_eq!(world.day_with(2, per_user).acts(), [""; 0]);
}

#[test]
fn comments_titles_assignees_and_labels_of_people_stay() {
    let world = kept();
    let person = world.repo.as_person();
    person.edit_title(1, "Old keys, see wiki");
    let id = person.comment(1, "I ask bob.");
    person.create_label("security");
    person.add_label(1, "security");
    person.act(&[("PATCH", "/issues/1".to_owned(), json!({ "assignees": ["octocat"] }))]);
    world.user("carol", 300);
    let run = world.day(1, EMPTY);
    assert_eq!(run.acts(), ["POST issues/1/comments", "PATCH issues/1"], "{}", run.log);
    let sent: Vec<_> = run.writes[1].body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(sent, ["body"]);
    let queue_issue = world.queue_issue();
    assert_eq!(queue_issue.title, "Old keys, see wiki");
    assert_eq!(queue_issue.assignees, ["octocat"]);
    assert_eq!(queue_issue.labels, ["iam-stocktake", "security"]);
    assert_eq!(
        (queue_issue.comments[0].id, queue_issue.comments[0].body.as_str()),
        (id, "I ask bob.")
    );
}

#[test]
fn edited_page_is_restored_without_other_changes() {
    let world = kept();
    let before = world.queue_issue().body;
    let without_bob: Vec<_> = before.lines().filter(|line| !line.contains("`bob`")).collect();
    world.repo.as_person().edit_body(1, &without_bob.join("\n"));
    assert_eq!(world.day(1, EMPTY).acts(), ["PATCH issues/1"]);
    assert_eq!(boxes(&world), [named(false, "alice"), named(false, "bob")]);
    // GitHub's form sends CRLF line ends.
    let body = world.queue_issue().body;
    world.repo.as_person().edit_body(1, &body.replace('\n', "\r\n"));
    assert_eq!(world.day(2, EMPTY).acts(), [""; 0]);
}

#[test]
fn issue_by_a_stranger_is_not_the_queue() {
    let world = kept();
    let forged = world.queue_issue().body;
    let other = World::new();
    other.user("alice", 200);
    let person = other.repo.by("secteam");
    person.create_label("iam-stocktake");
    person.create_issue("Forged", &forged, &["iam-stocktake"]);
    // It is unknown whether it was meant to be the queue.
    let run = other.day(0, EMPTY);
    assert_eq!((run.code, run.acts()), (3, vec![]), "{}", run.log);
    assert!(run.log.contains("issue #1 by secteam"), "{}", run.log);
    other.repo.as_person().remove_label(1, "iam-stocktake");
    let run = other.day(0, EMPTY);
    assert_eq!((run.code, run.output("issue-number")), (0, "2"), "{}", run.log);
    // If there is a queue, it is ignored.
    other.repo.as_person().add_label(1, "iam-stocktake");
    let run = other.day(1, EMPTY);
    assert_eq!((run.code, run.acts()), (0, vec![]), "{}", run.log);
    assert_eq!(other.repo.issue(1).body, forged);
}
