//! The action, run by the runner.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Instant;

use serde_json::Value;

use super::runner::{Job, run};
use super::world::{EMPTY, FIRST, World, exempting};
use stand_ins::aws::Seed;

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
fn a_scheduled_job_makes_the_queue_and_the_next_one_writes_nothing() {
    let world = World::new();
    world.user("alice", 200);

    let first = run(&world, Job::default());
    assert_eq!(first.code, 0, "{}", first.log);
    assert_eq!(first.acts, FIRST);
    assert_eq!((first.output("result"), first.output("new-count")), ("stale", "1"));
    assert!(world.queue_issue().body.contains("`alice`"));
    assert!(first.summary.contains("`alice`"), "{}", first.summary);
    let tokens = world.account.token_requests();
    assert!(!tokens.is_empty() && tokens.iter().all(|it| it.authorized), "{tokens:?}");

    let second = run(&world, Job::default());
    assert_eq!((second.code, second.output("new-count")), (0, "0"), "{}", second.log);
    assert_eq!(second.acts, [""; 0]);
}

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
fn a_pull_request_is_blocked_until_it_exempts_what_is_new() {
    let world = World::new();
    world.user("alice", 200);
    assert_eq!(run(&world, Job::default()).code, 0);
    world.user("bob", 150);

    let pull = world.pull(EMPTY);
    let job = |pull| Job { event: "pull_request", pull: Some(pull), ..Job::default() };
    let comments = format!("POST issues/{}/comments", pull.number);
    let blocked = run(&world, job(&pull));
    assert_eq!(blocked.code, 1, "{}", blocked.log);
    assert_eq!(blocked.acts, [comments]);
    assert_eq!((blocked.output("gate"), blocked.output("new-count")), ("failed", "1"));
    assert!(world.repo.comments(pull.number)[0].body.contains("`bob`"));

    let pull = world.push(&pull, &exempting("bob"));
    let exempted = run(&world, job(&pull));
    assert_eq!(exempted.code, 0, "{}", exempted.log);
    assert_eq!((exempted.output("gate"), exempted.output("new-count")), ("passed", "0"));
    assert_eq!(world.repo.comments(pull.number).len(), 1, "the comment is edited");
}

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
fn what_is_left_in_the_workspace_belongs_to_whose_the_workspace_is() {
    let world = World::new();
    world.user("alice", 200);
    let done = run(&world, Job { with: &[("report-dir", "out/reports")], ..Job::default() });
    assert_eq!(done.code, 0, "{}", done.log);
    let owner = world.workspace().metadata().unwrap().uid();
    assert_ne!(owner, 0, "the runner is not root");
    assert_eq!(done.output("report-json"), "out/reports/iam-stocktake.json");
    for name in ["out", "out/reports", done.output("report-json"), done.output("report-markdown")] {
        let made = world.workspace().join(name).metadata().unwrap();
        assert_eq!(made.uid(), owner, "{name}");
    }
    let report =
        fs::read_to_string(world.workspace().join(done.output("report-markdown"))).unwrap();
    assert!(report.contains("`alice`"), "{report}");
}

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
fn inputs_with_dashes_reach_the_binary() {
    let world = World::new();
    world.user("alice", 200);
    let patient = run(&world, Job { with: &[("stale-after-days", "201")], ..Job::default() });
    assert_eq!((patient.code, patient.output("result")), (0, "clean"), "{}", patient.log);

    let misspelt = run(&world, Job { with: &[("stale-after-day", "45")], ..Job::default() });
    assert_eq!(misspelt.code, 2, "{}", misspelt.log);
    assert!(misspelt.log.contains("did you mean `stale-after-days`?"), "{}", misspelt.log);
}

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
#[allow(clippy::print_stdout, reason = "the time is to be read, and nothing hangs on it")]
fn an_account_of_a_thousand_users_is_audited_and_published_whole() {
    let world = World::with(Seed::users(1_000, 7));
    let truth = world.account.truth();
    let is_stale = |user: &&Value| user["stale"] == true;
    let stale: Vec<_> = truth["users"].as_array().unwrap().iter().filter(is_stale).collect();
    assert!(stale.len() > 100, "the population is too healthy: {}", stale.len());

    let began = Instant::now();
    let done = run(&world, Job::default());
    println!("1 000 users, {} of them stale: {:.1?} in all", stale.len(), began.elapsed());
    assert_eq!((done.code, done.output("result")), (0, "stale"), "{}", done.log);
    assert_eq!(&done.acts[..2], ["POST labels", "POST issues"]);
    let report = fs::read_to_string(world.workspace().join(done.output("report-json"))).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let found: BTreeSet<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["rule"].as_str().unwrap().starts_with("stale-"))
        .map(|it| &it["user"])
        .map(Value::to_string)
        .collect();
    let expected: BTreeSet<_> = stale.iter().map(|it| it["user"].to_string()).collect();
    assert_eq!(found, expected);
}
