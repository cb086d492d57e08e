//! Bots that close issues: only a person's decision counts.

use serde_json::json;

use stand_ins::world::{EMPTY, World};

/// A queue with alice and bob.
fn kept() -> World {
    let world = World::new();
    world.user("alice", 200);
    world.user("bob", 150);
    assert_eq!(world.day(0, EMPTY).code, 0);
    world
}

const ACKNOWLEDGED: &str = "closed without an exemption";

#[test]
fn queue_closed_by_a_bot_is_reopened_and_explained_once() {
    // `actions/stale` uses the job's token, like this program.
    for (bot, reason) in [
        ("stale[bot]", "not_planned"),
        ("github-actions[bot]", "not_planned"),
        ("stale[bot]", "completed"),
        ("stale[bot]", "duplicate"),
    ] {
        let world = kept();
        world.repo.by(bot).close(1, reason);
        let run = world.day(1, EMPTY);
        let acts = ["POST issues/1/comments", "PATCH issues/1"];
        assert_eq!((run.code, run.acts()), (0, acts.map(str::to_owned).to_vec()), "{}", run.log);
        let queue_issue = world.queue_issue();
        assert_eq!(
            (queue_issue.state.as_str(), queue_issue.comments.len()),
            ("open", 1),
            "{bot} {reason}"
        );
        assert!(!queue_issue.body.contains(ACKNOWLEDGED), "{}", queue_issue.body);
        let said = &queue_issue.comments[0].body;
        for word in [&format!("`{bot}`"), "label `iam-stocktake`", "`exempt-issue-labels`"] {
            assert!(said.contains(word), "{said}");
        }
        for day in 2..4 {
            world.repo.by(bot).close(1, reason);
            assert_eq!(world.day(day, EMPTY).acts(), ["PATCH issues/1"], "{bot} {reason}");
            assert_eq!(world.queue_issue().state, "open");
        }
        world.repo.as_person().close(1, "not_planned");
        assert_eq!(world.day(4, EMPTY).acts(), ["PATCH issues/1"]);
        let queue_issue = world.queue_issue();
        assert_eq!(queue_issue.state, "closed", "a person's decision counts");
        assert!(queue_issue.body.contains(ACKNOWLEDGED), "{}", queue_issue.body);
        assert_eq!(world.day(5, EMPTY).acts(), [""; 0]);
    }
}

#[test]
fn bot_cannot_acknowledge_user_issues_or_the_queue() {
    let world = World::new();
    world.user("alice", 200);
    world.user("bob", 150);
    let per_user = &[("publish", "issue-per-user")];
    assert_eq!(world.day_with(0, per_user).code, 0);
    let bot = world.repo.by("stale[bot]");
    // What a person acknowledged stays acknowledged.
    world.repo.as_person().close(2, "not_planned");
    assert_eq!(world.day_with(1, per_user).code, 0);
    for day in 2..5 {
        bot.close(1, "not_planned");
        if day > 2 {
            bot.close(3, "not_planned");
        }
        let run = world.day_with(day, per_user);
        assert_eq!((run.code, run.output("stale-count")), (0, "2"), "{}", run.log);
        let states = [1, 2, 3].map(|number| world.repo.issue(number).state);
        assert_eq!(states, ["open", "closed", "open"], "day {day}");
        let said = [1, 2, 3].map(|number| world.repo.comments(number).len());
        assert_eq!(said, [1, 0, usize::from(day > 2)], "day {day}");
    }
}

#[test]
fn one_comment_has_the_explanation_and_the_news() {
    let world = kept();
    world.repo.by("stale[bot]").close(1, "not_planned");
    world.user("carol", 300);
    assert_eq!(world.day(1, EMPTY).acts(), ["POST issues/1/comments", "PATCH issues/1"]);
    let said = world.queue_issue().comments[0].body.clone();
    assert!(said.contains("`carol`") && said.contains("`exempt-issue-labels`"), "{said}");
    world.repo.by("stale[bot]").close(1, "not_planned");
    assert_eq!(world.day(2, EMPTY).acts(), ["PATCH issues/1"]);
}

#[test]
fn bot_can_close_a_queue_without_open_findings() {
    let world = kept();
    world.repo.by("stale[bot]").close(1, "not_planned");
    for user in ["alice", "bob"] {
        world.account.change(json!([{ "delete_user": { "user": user } }]));
    }
    let run = world.day(1, EMPTY);
    assert_eq!((run.code, run.acts()), (0, vec!["PATCH issues/1".to_owned()]), "{}", run.log);
    assert_eq!(
        (world.queue_issue().state.as_str(), world.queue_issue().comments.len()),
        ("closed", 0)
    );
}

#[test]
fn deleted_account_counts_as_a_person() {
    let world = kept();
    world.repo.as_person().close(1, "not_planned");
    world.repo.faults(json!([{ "null_user": true, "path": "/issues/1$" }]));
    assert_eq!(world.day(1, EMPTY).code, 0);
    assert_eq!(world.queue_issue().state, "closed");
    assert!(world.queue_issue().body.contains(ACKNOWLEDGED));
}

#[test]
fn reads_closers_only_for_issues_that_need_action() {
    let world = kept();
    let requests = |run: &stand_ins::world::Run| {
        run.requests
            .iter()
            .filter(|it| it.method == "GET" && it.path.ends_with("/issues/1"))
            .count()
    };
    assert_eq!(requests(&world.day(1, EMPTY)), 0, "an open queue costs nothing more");
    world.repo.as_person().close(1, "not_planned");
    assert!(requests(&world.day(2, EMPTY)) > 0);
    assert_eq!(requests(&world.day(3, EMPTY)), 0, "an acknowledged queue costs nothing more");
}
