//! Two parallel runs.

use serde_json::json;

use stand_ins::world::{EMPTY, RunOptions, World};

/// Starts two parallel runs on one day, and asserts that both succeed.
fn two_runs(world: &World, inputs: &[(&str, &str)]) {
    let begin = || world.start(RunOptions { inputs, ..RunOptions::default() });
    let both = [begin(), begin()];
    for run in both.map(|run| run.finish(&world.repo)) {
        assert_eq!(run.code, 0, "{}", run.log);
        assert_eq!(run.output("issue-url").rsplit('/').next(), Some(run.output("issue-number")));
    }
}

/// The numbers of the queue's open issues.
fn open(world: &World) -> Vec<u64> {
    let open = |issue: &stand_ins::github::Issue| issue.state == "open";
    world.queue().iter().filter(|issue| open(issue)).map(|issue| issue.number).collect()
}

#[test]
fn parallel_first_runs_leave_one_open_issue() {
    for more in [json!({ "hide": [], "path": "^$" }), json!({ "hide": 2, "path": "/issues$" })] {
        let world = World::new();
        world.user("alice", 200);
        let hold = json!({ "hold": 2, "method": "POST", "path": "/issues$" });
        world.repo.faults(json!([hold, more]));
        world.repo.reset_log();
        two_runs(&world, &[]);
        world.repo.faults(json!([]));
        assert_eq!(open(&world), [1], "{more}");
        let loser = world.repo.issue(2);
        assert_eq!(loser.state, "closed");
        let [comment] = loser.comments.as_slice() else { panic!("{:?}", loser.comments) };
        assert!(comment.body.contains("#1"), "{}", comment.body);
        assert_eq!(world.repo.issue(1).comments, []);
        assert_eq!(world.day(1, EMPTY).acts(), [""; 0]);
    }
}

#[test]
fn run_continues_in_a_queue_that_the_second_list_shows() {
    let world = World::new();
    world.user("alice", 200);
    world.day(0, EMPTY);
    world.user("bob", 150);
    // The first run ended before it wrote the number into the label, so only lists show the issue.
    world.repo.as_person().describe_label("iam-stocktake", "");
    // Lists show it only after a run has computed its plan, which reads this many lists.
    world.repo.faults(json!([{ "hide": [1], "path": "/issues$" }]));
    assert!(world.day_with(1, &[("dry-run", "true")]).log.contains("would create issue"));
    let lists = world.repo.log().iter().filter(|it| it.path.ends_with("/issues")).count();
    world.repo.faults(json!([{ "hide": [1], "path": "/issues$", "max": lists }]));
    let run = world.day(1, EMPTY);
    let acts = [
        "POST issues",
        "POST issues/2/comments",
        "PATCH issues/2",
        "POST issues/1/comments",
        "PATCH issues/1",
        "PATCH labels/iam-stocktake",
    ];
    assert_eq!((run.code, run.acts()), (0, acts.map(str::to_owned).to_vec()), "{}", run.log);
    assert_eq!((run.output("issue-number"), run.output("new-count")), ("1", "1"));
    assert_eq!(open(&world), [1]);
    assert!(world.repo.comments(2)[0].body.contains("#1"));
}

#[test]
fn next_run_closes_duplicates_of_ended_runs() {
    let world = World::new();
    world.user("alice", 200);
    world.day(0, EMPTY);
    let body = world.repo.issue(1).body;
    world.repo.as_bot().create_issue("IAM credentials to remediate", &body, &["iam-stocktake"]);
    let run = world.day(1, EMPTY);
    assert_eq!(run.acts(), ["POST issues/2/comments", "PATCH issues/2"], "{}", run.log);
    assert_eq!(open(&world), [1]);
    assert_eq!(world.day(2, EMPTY).acts(), [""; 0]);
}

#[test]
fn parallel_runs_leave_one_open_issue_per_user() {
    let world = World::new();
    world.user("alice", 200);
    world.repo.faults(json!([{ "hold": 2, "method": "POST", "path": "/issues$" }]));
    world.repo.reset_log();
    let per_user = &[("publish", "issue-per-user")];
    two_runs(&world, per_user);
    world.day_with(1, per_user);
    let titles: Vec<_> = open(&world).iter().map(|it| world.repo.issue(*it).title).collect();
    assert_eq!(titles.len(), 2, "{titles:?}");
    assert_ne!(titles[0], titles[1]);
    assert_eq!(world.day_with(2, per_user).acts(), [""; 0]);
}
