//! The comment on a pull request: one, ours, kept up to date, and no more than a service.

use serde_json::json;

use crate::pull_request::with_alice_known;
use stand_ins::world::{EMPTY, QUICK, RunOptions};

const MARKER: &str = "<!-- iam-stocktake:pull-request v1 queue=default -->";

#[test]
fn a_comment_that_cannot_be_written_is_a_warning_and_is_in_the_summary() {
    let (world, pull) = with_alice_known();
    world.repo.faults(json!([{ "status": 403, "method": "POST", "path": "/comments$" }]));

    let known = world.check(&pull, EMPTY, 0);
    world.user("bob", 150);
    let new = world.check(&pull, EMPTY, 0);

    assert_eq!((known.code, known.output("gate")), (0, "passed"), "{}", known.log);
    assert_eq!((known.acts(), known.output("comment-url")), (vec![], ""), "{}", known.log);
    assert_eq!((new.code, new.output("gate")), (1, "failed"), "{}", new.log);
    assert_eq!((new.acts().len(), new.output("comment-url")), (1, ""), "{}", new.log);
    let warning = "warning: the comment on the pull request was not written";
    assert!(new.log.contains(warning), "{}", new.log);
    assert!(new.log.contains("`pull-requests: write`"), "{}", new.log);
    let warning = "This text could not be added as a comment on the pull request.";
    assert!(new.summary.contains(warning), "{}", new.summary);
    assert!(known.summary.contains("### No new findings"), "{}", known.summary);
    assert!(new.summary.contains("1 new finding blocks the merge"), "{}", new.summary);
}

#[test]
fn a_locked_pull_request_stays_locked_and_its_gate_is_evaluated() {
    let (world, pull) = with_alice_known();
    world.repo.as_person().lock(pull.number);
    world.user("bob", 150);
    let run = world.check(&pull, EMPTY, 0);
    assert_eq!((run.code, run.output("gate")), (1, "failed"), "{}", run.log);
    assert_eq!(run.acts(), ["POST issues/2/comments"], "a person's lock is not ours to undo");
    assert!(run.log.contains("warning: the comment on the pull request was not written"));
    assert!(run.log.contains("Unlock conversation"), "{}", run.log);
    assert!(run.summary.contains("1 new finding blocks the merge"), "{}", run.summary);
}

#[test]
fn a_comment_is_updated_only_if_it_has_changed() {
    let (world, pull) = with_alice_known();
    world.user("bob", 150);
    let blocked = world.check(&pull, EMPTY, 0);
    assert_eq!(blocked.acts(), ["POST issues/2/comments"]);
    let comment = world.repo.comments(2).remove(0);

    let again = world.check(&pull, EMPTY, 0);
    assert_eq!(again.acts(), [""; 0], "{}", again.log);
    assert_eq!(again.code, 1);

    world.day(1, EMPTY);
    let passed = world.check(&pull, EMPTY, 1);
    assert_eq!(passed.acts(), [format!("PATCH issues/comments/{}", comment.id)]);
    let comments = world.repo.comments(2);
    assert_eq!((comments.len(), comments[0].id), (1, comment.id));
    assert!(comments[0].body.contains("### No new findings"), "{}", comments[0].body);
    assert_eq!(world.check(&pull, EMPTY, 1).acts(), [""; 0]);
    let urls = [&blocked, &again, &passed].map(|run| run.output("comment-url"));
    assert!(urls.iter().all(|url| url.ends_with(&format!("-{}", comment.id))), "{urls:?}");
}

#[test]
fn a_comment_of_another_account_is_not_updated() {
    let (world, pull) = with_alice_known();
    world.user("bob", 150);
    let forged = format!("{MARKER}\n### All is well");
    world.repo.by("secteam").comment(pull.number, &forged);
    world.repo.as_bot().comment(pull.number, &format!("Not at the start: {MARKER}"));

    let run = world.check(&pull, EMPTY, 0);

    assert_eq!(run.acts(), ["POST issues/2/comments"], "{}", run.log);
    let comments = world.repo.comments(pull.number);
    assert_eq!((comments.len(), comments[0].body.as_str()), (3, forged.as_str()));
    assert!(comments[2].body.starts_with(MARKER));
}

#[test]
fn each_queue_in_a_repository_has_its_own_comment() {
    let (world, pull) = with_alice_known();
    world.check(&pull, EMPTY, 0);
    let inputs = [QUICK[0], ("queue", "production")];

    let run = world.run(RunOptions {
        event: "pull_request",
        pull: Some(&pull),
        inputs: &inputs,
        ..RunOptions::default()
    });

    assert_eq!(run.acts(), ["POST issues/2/comments"], "{}", run.log);
    assert_eq!(run.output("gate"), "not-evaluated", "that queue is not there yet");
}

#[test]
fn a_dry_run_shows_the_changes_and_makes_none() {
    let (world, pull) = with_alice_known();
    world.user("bob", 150);
    let inputs = [QUICK[0], ("dry-run", "true")];

    let run = world.run(RunOptions {
        event: "pull_request",
        pull: Some(&pull),
        inputs: &inputs,
        ..RunOptions::default()
    });

    assert_eq!((run.code, run.acts()), (1, vec![]), "{}", run.log);
    assert!(run.log.contains("would comment on #2"), "{}", run.log);
    assert!(run.summary.contains("1 new finding blocks the merge"), "{}", run.summary);
}

#[test]
fn a_comment_is_created_only_if_it_has_content() {
    let (world, pull) = with_alice_known();
    let quiet = world.check(&pull, EMPTY, 0);
    assert_eq!((quiet.acts(), quiet.output("comment-url")), (vec![], ""), "{}", quiet.log);
    assert!(quiet.summary.contains("### No new findings"), "{}", quiet.summary);

    world.user("bob", 150);
    assert_eq!(world.check(&pull, EMPTY, 0).acts(), ["POST issues/2/comments"]);
    // The comment is updated when it is no longer true.
    world.day(0, EMPTY);
    let settled = world.check(&pull, EMPTY, 0).acts();
    assert!(settled.len() == 1 && settled[0].starts_with("PATCH issues/comments/"), "{settled:?}");
}

#[test]
fn three_hundred_issues_and_five_hundred_comments_hide_nothing() {
    let (world, pull) = with_alice_known();
    let issues: Vec<_> =
        (1..=300).map(|n| (format!("Issue {n}"), "About a user".to_owned())).collect();
    world.repo.as_bot().create_issues(&issues, &["iam-stocktake"]);
    let comments: Vec<_> = (1..=500).map(|n| format!("Comment {n}")).collect();
    world.repo.as_person().create_comments(pull.number, &comments);

    let known = world.check(&pull, EMPTY, 0);
    assert_eq!((known.code, known.output("issue-number")), (0, "1"), "{}", known.log);
    assert_eq!(known.acts(), [""; 0]);
    world.user("bob", 150);
    assert_eq!(world.check(&pull, EMPTY, 0).acts(), ["POST issues/2/comments"]);
    world.user("carol", 150);
    let new = world.check(&pull, EMPTY, 0);
    assert_eq!(new.code, 1);
    // The comment is on the last of the pages.
    let ours = &world.repo.comments(pull.number)[500];
    assert_eq!(new.acts(), [format!("PATCH issues/comments/{}", ours.id)]);
    assert!(ours.body.contains("`carol`"), "{}", ours.body);
}
