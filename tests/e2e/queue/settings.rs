//! Settings of the queue, its issues, and the gate.

use serde_json::json;

use stand_ins::github::GitHub;
use stand_ins::world::{EMPTY, RunOptions, World, visible};

#[test]
fn queue_can_be_in_another_private_repository() {
    let world = World::new();
    world.user("alice", 200);
    let other = GitHub::shared().repository("private");
    let token = world.repo.personal_token().to_owned();
    let inputs = [("queue-repository", other.full_name()), ("github-token", token.as_str())];
    let run = world.day_with(0, &inputs);
    assert_eq!((run.code, run.output("issue-number")), (0, "1"), "{}", run.log);
    assert_eq!((world.repo.issues().len(), other.issues().len()), (0, 1));
    assert!(run.output("issue-url").contains(other.full_name()), "{}", run.output("issue-url"));
    let link = format!("{}#1", other.full_name());
    assert!(run.summary.contains(&link), "{}", run.summary);
    assert_eq!(other.issues()[0].author, "octocat");
    other.reset_log();
    assert_eq!(world.day_with(1, &inputs).code, 0);
    assert_eq!((other.writes().len(), other.violations().len()), (0, 0));

    // The job's token cannot read the repository.
    let run = world.day_with(1, &inputs[..1]);
    assert_eq!((run.code, run.output("result")), (3, "incomplete"), "{}", run.log);
    assert!(run.log.contains("GITHUB_TOKEN only has access to its own repository"), "{}", run.log);
}

#[test]
fn two_queues_in_one_repository_are_independent() {
    let world = World::new();
    world.user("alice", 200);
    world.day(0, EMPTY);
    let other = [("queue", "other"), ("issue-title", "The other queue")];
    let run = world.day_with(0, &other);
    let acts = ["POST labels", "POST issues", "PATCH issues/2", "PATCH labels/iam-stocktake:other"];
    assert_eq!((run.acts(), run.output("new-count")), (acts.map(str::to_owned).to_vec(), "1"));
    world.user("bob", 150);
    assert_eq!(world.day_with(1, &other).acts(), ["POST issues/2/comments", "PATCH issues/2"]);
    let bodies = [1, 2].map(|number| world.repo.issue(number).body);
    assert_eq!(bodies.each_ref().map(|body| body.contains("`bob`")), [false, true]);
    assert!(bodies[1].starts_with("<!-- iam-stocktake:queue v1 name=other -->\n"));
    assert_eq!(world.repo.issue(2).title, "The other queue");
    assert_eq!(world.day(1, EMPTY).acts(), ["POST issues/1/comments", "PATCH issues/1"]);
}

#[test]
fn new_issue_has_title_labels_and_assignees() {
    let world = World::new();
    world.user("alice", 200);
    let inputs = [
        ("issue-title", "Keys that nobody uses"),
        ("labels", "security, IAM-Stocktake\n# a comment\nteam: platform\n"),
        ("assignees", "octocat\nsecteam"),
    ];
    let run = world.day_with(0, &inputs);
    assert_eq!(run.code, 0, "{}", run.log);
    let queue_issue = world.queue_issue();
    assert_eq!(queue_issue.title, "Keys that nobody uses");
    assert_eq!(queue_issue.labels, ["iam-stocktake", "security", "team: platform"]);
    assert_eq!(queue_issue.assignees, ["octocat", "secteam"]);
    // They apply to new issues only.
    let later = [("issue-title", "Another"), ("labels", "more"), ("assignees", "")];
    assert_eq!(world.day_with(1, &later).acts(), [""; 0]);
}

#[test]
fn owner_with_a_valid_login_is_assigned_to_the_user_issue() {
    let world = World::new();
    let user = |name: &str, owner: &str| {
        json!({"create_user": {
            "name": name, "created": 700, "tags": { "owner": owner },
            "keys": [{"created": 600, "last_used": 200}],
        }})
    };
    world.account.change(json!([user("alice", "@octocat"), user("bob", "Team A <a@b.example>")]));
    let inputs = [("publish", "issue-per-user"), ("assign-owners", "true")];
    let run = world.day_with(0, &inputs);
    assert_eq!(run.code, 0, "{}", run.log);
    let of = |user: &str| {
        let issues = world.queue();
        issues.into_iter().find(|issue| issue.title.contains(user)).unwrap().assignees
    };
    assert_eq!((of("alice"), of("bob")), (vec!["octocat".to_owned()], vec![]));
    let warnings: Vec<_> =
        run.log.lines().filter(|line| line.starts_with("warning: not assigned")).collect();
    assert_eq!(warnings.len(), 1, "{}", run.log);
    assert!(warnings[0].ends_with(": Team A <a@b.example>"), "{}", warnings[0]);
    assert_eq!(world.queue_issue().assignees, [""; 0]);
    assert_eq!(world.day_with(1, &inputs).acts(), [""; 0]);
}

#[test]
fn language_of_the_queue_can_change_to_japanese() {
    let world = World::new();
    world.user("alice", 200);
    let japanese = &[("language", "ja")];
    world.day_with(0, japanese);
    let first = world.queue_issue();
    assert!(visible(&first.body).contains("アクセスキー"), "{}", first.body);
    assert_eq!(world.day_with(0, japanese).acts(), [""; 0]);
    // A change of the language causes no comment.
    assert_eq!(world.day(0, EMPTY).acts(), ["PATCH issues/1"]);
    assert!(!visible(&world.queue_issue().body).contains("アクセスキー"));
    let run = world.day_with(0, japanese);
    assert_eq!(run.acts(), ["PATCH issues/1"]);
    assert_eq!(visible(&world.queue_issue().body), visible(&first.body));
    assert!(run.summary.contains("アクセスキー"), "{}", run.summary);
}

/// A run on a day with inputs: its exit code, and its outputs for the gate, new findings and overdue
/// findings.
fn gate(world: &World, day: i64, inputs: &[(&str, &str)]) -> (i32, [String; 3]) {
    let run = world.day_with(day, inputs);
    (run.code, ["gate", "new-count", "overdue-count"].map(|name| run.output(name).to_owned()))
}

fn is(code: i32, outputs: [&str; 3]) -> (i32, [String; 3]) {
    (code, outputs.map(str::to_owned))
}

#[test]
fn gate_of_a_schedule_depends_on_fail_on() {
    let world = World::new();
    world.user("alice", 200);
    let new = &[("fail-on", "new")];
    assert_eq!(gate(&world, 0, new), is(1, ["failed", "1", "0"]));
    // The queue was still updated.
    assert_eq!(world.queue().len(), 1);
    assert_eq!(gate(&world, 1, new), is(0, ["passed", "0", "0"]));
    assert_eq!(gate(&world, 1, &[("fail-on", "any")]), is(1, ["failed", "0", "0"]));
    assert_eq!(gate(&world, 1, &[("fail-on", "none")]), is(0, ["not-evaluated", "0", "0"]));
    assert_eq!(gate(&world, 1, &[]), is(0, ["not-evaluated", "0", "0"]));

    // Due within five days: overdue on the sixth.
    let overdue = &[("fail-on", "overdue"), ("due-within-days", "5")];
    assert_eq!(gate(&world, 5, overdue), is(0, ["passed", "0", "0"]));
    assert_eq!(gate(&world, 6, overdue), is(1, ["failed", "0", "1"]));
    assert_eq!(world.repo.comments(1).len(), 1);
    assert_eq!(gate(&world, 7, overdue), is(1, ["failed", "0", "1"]));
    assert_eq!(world.repo.comments(1).len(), 1);
    let both = &[("fail-on", "new,\noverdue"), ("due-within-days", "60")];
    assert_eq!(gate(&world, 7, both), is(0, ["passed", "0", "0"]));

    world.account.change(json!([{ "delete_user": { "user": "alice" } }]));
    assert_eq!(gate(&world, 8, &[("fail-on", "any")]), is(0, ["passed", "0", "0"]));
    assert_eq!(gate(&world, 8, overdue), is(0, ["passed", "0", "0"]));
}

#[test]
fn gate_on_another_branch_only_reads_the_queue() {
    let world = World::new();
    world.user("alice", 200);
    let branch = &[("GITHUB_REF", "refs/heads/feature")];
    let run_with = |day: i64, inputs: &[(&str, &str)]| {
        world.run(RunOptions {
            day,
            inputs,
            event: "push",
            environment: branch,
            ..RunOptions::default()
        })
    };
    let run = run_with(0, &[("fail-on", "new")]);
    assert_eq!((run.code, run.output("gate")), (0, "not-evaluated"), "{}", run.log);
    let warning = "::warning::there is no remediation queue yet, so the gate was not evaluated";
    assert!(run.log.contains(warning), "{}", run.log);
    let run = run_with(0, &[("fail-on", "any")]);
    assert_eq!((run.code, run.output("gate")), (1, "failed"), "{}", run.log);
    assert!(!run.log.contains("::warning::"), "{}", run.log);
    world.day(0, EMPTY);
    world.user("bob", 150);
    let run = run_with(1, &[("fail-on", "new")]);
    assert_eq!((run.code, run.output("gate"), run.output("new-count")), (1, "failed", "1"));
    assert_eq!(run.writes.len(), 0);
}

#[test]
fn highest_exit_code_wins() {
    let world = World::new();
    world.user("alice", 200);
    world.day(0, EMPTY);
    world.user("bob", 150);
    let any = &[("fail-on", "any")];
    world.repo.faults(json!([{ "status": 403, "method": "PATCH" }]));
    let run = world.day_with(1, any);
    assert_eq!((run.code, run.output("gate"), run.output("result")), (4, "failed", "error"));
    world.repo.faults(json!([{ "status": 403, "path": "/issues$" }]));
    let run = world.day_with(1, any);
    assert_eq!((run.code, run.output("gate"), run.output("result")), (3, "failed", "incomplete"));
    // With a damaged queue, it is unknown which findings are new.
    let run = world.day_with(1, &[("fail-on", "new")]);
    assert_eq!((run.code, run.output("gate")), (3, "not-evaluated"), "{}", run.log);
}
