//! Authors: every kind of token finds its own issues and comments, and ignores those of others.

use serde_json::json;

use stand_ins::github::Pull;
use stand_ins::world::{EMPTY, Run, RunOptions, World};

const APP: &str = "acme-audit[bot]";
const WORKFLOW: &str = "github-actions[bot]";

/// The inputs of a run with a token and an additional trusted author.
fn with<'a>(token: &'a str, queue_author: &'a str) -> Vec<(&'a str, &'a str)> {
    let author = Some(("queue-author", queue_author)).filter(|_| !queue_author.is_empty());
    [("github-token", token)].into_iter().chain(author).collect()
}

fn check(world: &World, pull: &Pull, inputs: &[(&str, &str)], day: i64) -> Run {
    world.run(RunOptions {
        event: "pull_request",
        pull: Some(pull),
        inputs,
        day,
        ..RunOptions::default()
    })
}

/// Each kind of token, with its author.
fn tokens(world: &World) -> [(String, &'static str); 3] {
    let repo = &world.repo;
    [(repo.token(), WORKFLOW), (repo.personal_token(), "octocat"), (repo.app_token(), APP)]
        .map(|(token, author)| (token.to_owned(), author))
}

#[test]
fn every_kind_of_token_keeps_one_queue_and_one_comment() {
    for kind in 0..3 {
        let world = World::new();
        world.user("alice", 200);
        let (token, author) = tokens(&world)[kind].clone();
        let inputs = with(&token, "");
        for day in 0..3 {
            let run = world.day_with(day, &inputs);
            assert_eq!((run.code, run.output("issue-number")), (0, "1"), "{author}: {}", run.log);
        }
        assert_eq!(world.queue_issue().author, author);
        assert_eq!(world.repo.issues().len(), 1, "{author}");
        let pull = world.pull(EMPTY, EMPTY);
        world.user("bob", 150);
        for _ in 0..3 {
            let run = check(&world, &pull, &inputs, 3);
            assert_eq!((run.code, run.output("gate")), (1, "failed"), "{author}: {}", run.log);
            assert_eq!(run.output("new-count"), "1");
        }
        let comments = world.repo.comments(pull.number);
        assert_eq!((comments.len(), comments[0].author.as_str()), (1, author));
    }
}

#[test]
fn token_of_the_input_has_precedence_over_the_variable() {
    let world = World::new();
    world.user("alice", 200);
    let inputs = with(world.repo.personal_token(), "");
    let environment = [("GITHUB_TOKEN", world.repo.token())];
    let run = world.run(RunOptions {
        inputs: &inputs,
        environment: &environment,
        ..RunOptions::default()
    });
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(world.queue_issue().author, "octocat");
}

#[test]
fn every_kind_of_token_keeps_one_issue_per_user() {
    for kind in 0..3 {
        let world = World::new();
        world.user("alice", 200);
        world.user("bob", 150);
        let (token, author) = tokens(&world)[kind].clone();
        let inputs = [with(&token, ""), vec![("publish", "issue-per-user")]].concat();
        for day in 0..3 {
            assert_eq!(world.day_with(day, &inputs).code, 0, "{author}");
        }
        let issues = world.repo.issues();
        assert_eq!(issues.len(), 3, "{author}");
        assert!(issues.iter().all(|issue| issue.author == author), "{author}");
    }
}

/// Makes GitHub not say which account the token belongs to.
fn say_nothing(world: &World) {
    world.repo.faults(json!([
        { "status": 404, "path": "^/graphql$" },
        { "status": 403, "path": "^/user$" },
    ]));
}

#[test]
fn author_of_a_new_issue_identifies_the_token() {
    let world = World::new();
    world.user("alice", 200);
    say_nothing(&world);
    let token = world.repo.app_token().to_owned();
    let first = world.day_with(0, &with(&token, ""));
    assert_eq!((first.code, first.output("issue-number")), (0, "1"), "{}", first.log);
    // The next run cannot know that the queue is its own, and creates no second one.
    let run = world.day_with(1, &with(&token, ""));
    assert_eq!((run.code, run.acts()), (3, vec![]), "{}", run.log);
    assert!(run.log.contains("issue #1 by acme-audit[bot]"), "{}", run.log);
    assert!(run.log.contains("the account of the token is unknown"), "{}", run.log);
    assert!(run.log.contains("set `queue-author: acme-audit[bot]`"), "{}", run.log);
    let named = with(&token, APP);
    assert_eq!((world.day_with(1, &named).code, world.repo.issues().len()), (0, 1));

    // The comment is found by the author of a new one, which is deleted.
    let pull = world.pull(EMPTY, EMPTY);
    let marker = "<!-- iam-stocktake:pull-request v1 queue=default -->\nForged";
    world.repo.as_person().comment(pull.number, marker);
    world.user("bob", 150);
    for day in 1..3 {
        let run = check(&world, &pull, &named, day);
        assert_eq!(run.code, 1, "{}", run.log);
        let comments = world.repo.comments(pull.number);
        let authors: Vec<_> = comments.iter().map(|it| it.author.as_str()).collect();
        assert_eq!(authors, ["octocat", APP]);
        assert_eq!(
            run.output("comment-url").rsplit('-').next(),
            Some(comments[1].id.to_string().as_str())
        );
    }
}

#[test]
fn duplicate_comments_are_removed() {
    let world = World::new();
    world.user("alice", 200);
    world.day(0, EMPTY);
    // A comment is created only if there is something to report.
    world.user("bob", 150);
    let pull = world.pull(EMPTY, EMPTY);
    world.check(&pull, EMPTY, 0);
    let body = world.repo.comments(pull.number)[0].body.clone();
    world.repo.as_bot().comment(pull.number, &body);
    world.repo.as_person().comment(pull.number, &body);
    let run = world.check(&pull, EMPTY, 0);
    assert_eq!(run.acts().len(), 1, "{:?}", run.acts());
    let comments = world.repo.comments(pull.number);
    let authors: Vec<_> = comments.iter().map(|it| it.author.as_str()).collect();
    assert_eq!(authors, [WORKFLOW, "octocat"]);
}

#[test]
fn different_tokens_need_the_queue_author() {
    for is_app in [true, false] {
        let world = World::new();
        world.user("alice", 200);
        let [(job, _), _, (app, _)] = tokens(&world);
        let (schedule, author, checking) =
            if is_app { (app, APP, job) } else { (job, WORKFLOW, app) };
        assert_eq!(world.day_with(0, &with(&schedule, "")).code, 0);
        let pull = world.pull(EMPTY, EMPTY);
        // Marker and label are not enough to be the queue.
        let run = check(&world, &pull, &with(&checking, ""), 0);
        assert_eq!((run.code, run.output("gate")), (3, "not-evaluated"), "{}", run.log);
        assert!(run.log.contains(&format!("issue #1 by {author}")), "{}", run.log);
        assert_eq!(run.acts(), [""; 0]);
        let run = check(&world, &pull, &with(&checking, author), 0);
        assert_eq!((run.code, run.output("gate")), (0, "passed"), "{}", run.log);
        world.user("bob", 150);
        let author = author.replace("a", "A");
        let run = check(&world, &pull, &with(&checking, &author), 0);
        assert_eq!((run.code, run.output("new-count")), (1, "1"), "{}", run.log);
    }
}

#[test]
fn queue_continues_with_a_new_token_and_the_queue_author() {
    let world = World::new();
    world.user("alice", 200);
    world.user("bob", 150);
    let per_user = ("publish", "issue-per-user");
    world.day_with(0, &[per_user]);
    let app = world.repo.app_token().to_owned();
    let before = world.repo.issues();
    let run = world.day_with(1, &[with(&app, ""), vec![per_user]].concat());
    assert_eq!((run.code, run.acts()), (3, vec![]), "{}", run.log);
    assert_eq!(world.repo.issues(), before);

    let named = [with(&app, WORKFLOW), vec![per_user]].concat();
    assert_eq!(world.day_with(1, &named).acts(), [""; 0]);
    world.user("carol", 300);
    let run = world.day_with(2, &named);
    assert_eq!((run.code, run.output("new-count")), (0, "1"), "{}", run.log);
    let authors: Vec<_> = world.repo.issues().into_iter().map(|issue| issue.author).collect();
    assert_eq!(authors, [WORKFLOW, WORKFLOW, WORKFLOW, APP]);
    assert_eq!(world.day_with(3, &named).acts(), [""; 0]);
    assert_eq!(world.queue_issue().number, 3);
}

#[test]
fn other_workflows_cannot_forge_the_queue_of_an_app_token() {
    let world = World::new();
    world.user("alice", 200);
    let app = world.repo.app_token().to_owned();
    let inputs = with(&app, "");
    world.day_with(0, &inputs);
    // It has all users, and is older or newer than the queue.
    let forged = world.queue_issue().body.replace("`alice`", "`bob`");
    world.repo.as_bot().create_issue("IAM credentials to remediate", &forged, &["iam-stocktake"]);
    world.user("bob", 150);
    let pull = world.pull(EMPTY, EMPTY);
    let run = check(&world, &pull, &inputs, 1);
    assert_eq!((run.code, run.output("issue-number")), (1, "1"), "{}", run.log);
    let notice = "note: ignored, because the author is not trusted: issue #2 by \
                  github-actions[bot]";
    assert!(run.log.contains(notice), "{}", run.log);
    let run = world.day_with(1, &inputs);
    assert_eq!((run.code, run.output("issue-number")), (0, "1"), "{}", run.log);
    assert!(run.log.contains(notice), "{}", run.log);
    let forgery = world.repo.issue(2);
    assert_eq!((forgery.state.as_str(), &forgery.body), ("open", &forged));
    // Without another queue, no second one is created.
    let other = World::new();
    other.user("alice", 200);
    other.repo.as_bot().create_label("iam-stocktake");
    other.repo.as_bot().create_issue("Forged", &forged, &["iam-stocktake"]);
    let run = other.day_with(0, &with(other.repo.app_token(), ""));
    assert_eq!((run.code, run.acts()), (3, vec![]), "{}", run.log);
    assert!(run.log.contains("issue #1 by github-actions[bot]"), "{}", run.log);
}

#[test]
fn older_issue_with_a_copied_body_is_ignored() {
    // The queue of another repository, with another number.
    let source = World::new();
    source.user("alice", 200);
    source.repo.as_person().create_issue("Something", "else", &[]);
    source.day(0, EMPTY);
    let copied = source.repo.issue(2).body;
    let world = World::new();
    world.user("alice", 200);
    let bot = world.repo.as_bot();
    bot.create_label("iam-stocktake");
    bot.create_issue("IAM credentials to remediate", &copied, &["iam-stocktake"]);
    let run = world.day(0, EMPTY);
    assert_eq!((run.code, run.acts()), (3, vec![]), "{}", run.log);
    assert!(
        run.log.contains("the queue state belongs to issue #2 and was written by "),
        "{}",
        run.log
    );
    // Without the label it is ignored.
    world.repo.as_person().remove_label(1, "iam-stocktake");
    let run = world.day(0, EMPTY);
    assert_eq!((run.code, run.output("issue-number")), (0, "2"), "{}", run.log);
}
