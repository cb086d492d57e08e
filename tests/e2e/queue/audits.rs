//! `publish`: audits of other jobs in one queue.

use serde_json::{Value, json};

use super::page::rendered;
use stand_ins::world::{EMPTY, FIRST, RunOptions, World};

const QUEUE: [&str; 2] = ["--publish", "issue"];

/// Publishes files into the queue, and returns the run.
fn publish(world: &World, day: i64, files: &[&str]) -> stand_ins::world::Run {
    world.publish(day, &[files, &QUEUE].concat())
}

/// Another account that a job has audited.
fn audited_elsewhere(world: &World, name: &str, user: &str) {
    let other = World::new();
    other.user(user, 300);
    other.audit("audit.json", 0);
    world.sandbox.file(name, other.sandbox.read("audit.json"));
}

/// Changes an audit in a file.
fn edited(world: &World, from: &str, to: &str, edit: impl Fn(&mut Value)) {
    let mut audit: Value = serde_json::from_str(&world.sandbox.read(from)).unwrap();
    edit(&mut audit);
    world.sandbox.file(to, audit.to_string());
}

#[test]
fn matrix_of_jobs_publishes_into_one_queue() {
    let world = World::new();
    world.user("alice", 200);
    // One audit is from the command line, one is the report of the action.
    world.audit("a.json", 0);
    let other = World::new();
    other.user("bob", 300);
    let run = other.run(RunOptions { inputs: &[("publish", "none")], ..RunOptions::default() });
    assert_eq!(run.writes.len(), 0);
    world.sandbox.file("b.json", other.sandbox.read(run.output("report-json")));

    let run = publish(&world, 0, &["a.json", "b.json"]);
    assert_eq!((run.code, run.acts().len()), (0, 4), "{}", run.log);
    let page = rendered(&world.queue_issue().body);
    let mut names: Vec<_> = page.boxes.into_iter().map(|(_, name)| name).collect();
    names.sort();
    assert_eq!(names, ["alice", "bob"]);
    assert_eq!(page.headings.len(), 2);

    for files in [["a.json", "b.json"], ["b.json", "a.json"]] {
        let run = publish(&world, 0, &files);
        assert_eq!((run.code, run.acts()), (0, vec![]), "{}", run.log);
    }
}

#[test]
fn rejects_an_audit_with_an_invalid_user_name() {
    let world = World::new();
    world.user("alice", 200);
    world.audit("a.json", 0);
    edited(&world, "a.json", "b.json", |audit| {
        audit["findings"][0]["user"] = json!("n".repeat(1_000_000));
    });
    let run = publish(&world, 0, &["b.json"]);
    assert_eq!((run.code, run.acts()), (2, vec![]), "{}", run.log);
    assert!(run.log.contains("it has a user name with 1000000 characters"), "{}", run.log);
}

#[test]
fn publish_in_a_job_sets_outputs_and_summary() {
    let world = World::new();
    world.user("alice", 200);
    world.audit("a.json", 0);
    let run = world.publish_in_job("schedule", 0, &["a.json"]);
    assert_eq!((run.code, run.acts()), (0, FIRST.map(str::to_owned).to_vec()));
    let outputs = ["result", "gate", "stale-count", "new-count", "issue-number"];
    let expected = ["stale", "not-evaluated", "1", "1", "1"];
    assert_eq!(outputs.map(|it| run.output(it)), expected);
    assert!(run.summary.contains("open finding"), "{}", run.summary);
    let run = world.publish_in_job("schedule", 0, &["a.json", "--fail-on", "any"]);
    assert_eq!((run.code, run.output("gate")), (1, "failed"));
}

#[test]
fn audit_of_a_pull_request_is_not_published_into_the_queue() {
    let world = World::new();
    world.user("alice", 200);
    world.audit("a.json", 0);
    for event in ["pull_request", "pull_request_target", "merge_group"] {
        edited(&world, "a.json", "b.json", |audit| {
            audit["run"] = json!({ "event": event, "ref": "refs/pull/1/merge",
                "repository": "acme/iam", "id": "1" });
        });
        let run = publish(&world, 0, &["b.json"]);
        assert_eq!((run.code, world.repo.issues().len()), (2, 0), "{event}: {}", run.log);
        assert!(run.log.contains(&format!("b.json: was created by the event `{event}`")));
    }
}

#[test]
fn report_of_the_action_names_its_event() {
    let world = World::new();
    world.user("alice", 200);
    world.day(0, EMPTY);
    world.repo.branch("feature", "main");
    world.repo.commit("feature", "a.txt", "a");
    let pull = world.repo.pull("A change", "feature", "main");
    let options = RunOptions { event: "pull_request", pull: Some(&pull), ..RunOptions::default() };
    let run = world.run(options);
    assert_eq!(run.code, 0, "{}", run.log);
    let run = publish(&world, 0, &[run.output("report-json")]);
    assert_eq!((run.code, run.acts()), (2, vec![]), "{}", run.log);
}

#[test]
fn rejects_all_invalid_audits_by_name() {
    let world = World::new();
    world.user("alice", 200);
    world.audit("a.json", 0);
    let sandbox = &world.sandbox;
    sandbox.file("empty.json", "").file("list.json", "[]").file("text.json", "no JSON");
    edited(&world, "a.json", "v2.json", |audit| audit["schema"] = json!("iam-stocktake/audit/v2"));
    let files = ["a.json", "empty.json", "list.json", "text.json", "v2.json", "missing.json"];
    let run = publish(&world, 0, &files);
    assert_eq!((run.code, world.repo.log().len()), (2, 0), "{}", run.log);
    for said in [
        "empty.json: is not an audit JSON",
        "list.json: is not an audit JSON",
        "text.json: is not an audit JSON",
        "v2.json: has the schema `iam-stocktake/audit/v2`, not `iam-stocktake/audit/v1`",
        "missing.json: cannot be read",
    ] {
        assert!(run.log.contains(said), "{said}: {}", run.log);
    }
    edited(&world, "a.json", "rule.json", |audit| {
        audit["findings"][0]["rule"] = json!("stale-fax");
    });
    let run = publish(&world, 0, &["rule.json"]);
    assert_eq!((run.code, run.acts()), (2, vec![]), "{}", run.log);
    assert!(
        run.log.contains("rule.json: its rule `stale-fax` is not supported by this version"),
        "{}",
        run.log
    );
}

#[test]
fn rejects_two_audits_of_one_account() {
    let world = World::new();
    world.user("alice", 200);
    world.audit("a.json", 0);
    world.audit("later.json", 1);
    let run = publish(&world, 1, &["a.json", "later.json"]);
    assert_eq!((run.code, run.acts()), (2, vec![]), "{}", run.log);
    let said = format!("account {} is in another audit too", world.account.id());
    assert!(run.log.contains(&said), "{}", run.log);
}

#[test]
fn audit_older_than_the_queue_state_writes_nothing() {
    let world = World::new();
    world.user("alice", 200);
    world.audit("old.json", 0);
    world.day(1, EMPTY);
    let before = world.queue_issue();
    for run in
        [publish(&world, 1, &["old.json"]), world.publish_in_job("schedule", 1, &["old.json"])]
    {
        assert_eq!((run.code, run.acts()), (4, vec![]), "{}", run.log);
        assert!(run.log.contains("the queue has newer evidence"), "{}", run.log);
        assert!(["", "error"].contains(&run.output("result")), "{}", run.output("result"));
    }
    assert_eq!(world.queue_issue(), before);
}

#[test]
fn two_day_old_audit_adds_findings_and_clears_none() {
    let world = World::new();
    world.user("alice", 200);
    world.day(0, EMPTY);
    world.account.change(json!([{ "delete_user": { "user": "alice" } }]));
    world.user("bob", 150);
    world.audit("audit.json", 1);
    let run = publish(&world, 3, &["audit.json"]);
    assert_eq!(run.code, 3, "{}", run.log);
    let page = rendered(&world.queue_issue().body);
    assert_eq!((page.boxes.len(), page.struck.len()), (2, 0), "{}", world.queue_issue().body);
}

#[test]
fn old_or_missing_evidence_is_never_clean() {
    let world = World::new();
    world.audit("audit.json", 0);
    edited(&world, "audit.json", "none.json", |audit| audit["accounts"] = json!([]));
    world.day(0, EMPTY);
    world.repo.branch("feature", "main");
    world.repo.commit("feature", "a.txt", "a");
    let pull = world.repo.pull("A change", "feature", "main");
    let in_pull = |audits: &str, day| {
        let inputs = [("command", "publish"), ("audits", audits)];
        let options = RunOptions {
            event: "pull_request",
            pull: Some(&pull),
            inputs: &inputs,
            day,
            ..RunOptions::default()
        };
        world.run(options)
    };
    let nowhere =
        |audits: &str, day| world.publish_in_job("schedule", day, &[audits, "--publish", "none"]);
    type Published<'a> = &'a dyn Fn(&str, i64) -> stand_ins::world::Run;
    // In a pull request even recent audits are not clean, because its changes are unknown.
    let runs: [(Published<'_>, (i32, &str)); 2] =
        [(&in_pull, (3, "incomplete")), (&nowhere, (0, "clean"))];
    for (run, expected) in runs {
        let fresh = run("audit.json", 0);
        assert_eq!((fresh.code, fresh.output("result")), expected, "{}", fresh.log);
        let old = run("audit.json", 331);
        assert_eq!((old.code, old.output("result")), (3, "incomplete"), "{}", old.log);
        assert!(old.log.contains("older than --max-evidence-age allows"), "{}", old.log);
        let none = run("none.json", 0);
        assert_eq!(none.code, 2, "{}", none.log);
        assert!(none.log.contains("none.json: it has no accounts"), "{}", none.log);
    }
    let more = ["audit.json", "--publish", "none", "--max-evidence-age", "400"];
    assert_eq!(world.publish_in_job("schedule", 331, &more).code, 0);
}

#[test]
fn older_audits_are_rejected_only_when_the_queue_is_written() {
    let world = World::new();
    world.user("alice", 200);
    world.audit("old.json", 0);
    edited(&world, "old.json", "pull.json", |audit| {
        audit["generated_at"] = json!(world.moment(0));
    });
    world.day(1, EMPTY);
    world.repo.branch("feature", "main");
    world.repo.commit("feature", "a.txt", "a");
    let pull = world.repo.pull("A change", "feature", "main");
    let inputs = [("command", "publish"), ("audits", "pull.json"), ("max-evidence-age", "2")];
    let options = RunOptions {
        event: "pull_request",
        pull: Some(&pull),
        inputs: &inputs,
        day: 1,
        ..RunOptions::default()
    };
    let run = world.run(options);
    assert_eq!((run.code, run.output("result")), (3, "incomplete"), "{}", run.log);
    assert!(!run.log.contains("the queue has newer evidence"), "{}", run.log);
    let run = publish(&world, 1, &["pull.json", "--max-evidence-age", "2"]);
    assert_eq!((run.code, run.acts()), (4, vec![]), "{}", run.log);
    assert!(run.log.contains("the queue has newer evidence"), "{}", run.log);
}

/// The audits used the allowlist of the pull request, and do not show where it is less strict.
#[test]
fn audits_of_earlier_jobs_are_incomplete_in_pull_requests_and_merge_groups() {
    let world = World::new();
    world.audit("audit.json", 0);
    world.day(0, EMPTY);
    let pull = world.pull(EMPTY, "version: 1\npolicy: { stale_after_days: 400 }\n");
    for event in ["pull_request", "merge_group"] {
        for fail_on in ["any", "new", "none"] {
            let inputs = [("command", "publish"), ("audits", "audit.json"), ("fail-on", fail_on)];
            let options =
                RunOptions { event, pull: Some(&pull), inputs: &inputs, ..RunOptions::default() };
            let of_action = world.run(options);
            // The event file of this job does not even name the pull request.
            let of_command = world.publish_in_job(event, 0, &["audit.json", "--fail-on", fail_on]);
            for run in [of_action, of_command] {
                let found = (run.code, run.output("gate"), run.output("result"));
                let expected = (3, "not-evaluated", "incomplete");
                assert_eq!(found, expected, "{event} {fail_on}: {}", run.log);
                assert!(run.log.contains("in a job that audits the accounts"), "{}", run.log);
            }
        }
    }
    assert!(world.repo.comments(pull.number)[0].body.contains("could not be compared"));
}

#[test]
fn failed_job_makes_the_run_incomplete_and_others_are_published() {
    let world = World::new();
    world.user("alice", 200);
    world.audit("a.json", 0);
    audited_elsewhere(&world, "b.json", "bob");
    publish(&world, 0, &["a.json", "b.json"]);
    world.user("carol", 300);
    world.audit("a.json", 1);
    let run = publish(&world, 1, &["a.json"]);
    assert_eq!(run.code, 3, "{}", run.log);
    assert!(run.log.contains("accounts in the queue were not audited: "), "{}", run.log);
    let page = rendered(&world.queue_issue().body);
    assert_eq!((page.boxes.len(), page.struck.len()), (3, 0), "{}", world.queue_issue().body);
    // The same without changes, and in a job.
    let run = world.publish_in_job("schedule", 1, &["a.json"]);
    assert_eq!((run.code, run.output("result"), run.acts()), (3, "incomplete", vec![]));
    assert!(run.summary.contains("did not audit 1 account in the queue"));
}

#[test]
fn reads_standard_input_and_requires_a_mode_outside_actions() {
    let world = World::new();
    world.user("alice", 200);
    world.audit("a.json", 0);
    let run = world.publish(0, &["a.json"]);
    assert_eq!((run.code, world.repo.log().len()), (2, 0), "{}", run.log);
    assert!(run.log.contains("--publish issue"), "{}", run.log);

    let run = world.publish(0, &["-", "--publish", "issue"]);
    assert_eq!(run.code, 2, "{}", run.log);
    assert!(run.log.contains("standard input: is not an audit JSON"), "{}", run.log);
    let arguments = ["publish", "-", "--publish", "issue", "--now", &world.moment(0)];
    let mut command = world.sandbox.command(&arguments);
    command.env("GITHUB_TOKEN", world.repo.token()).env("GITHUB_API_URL", world.repo.api_url());
    command.env("GITHUB_REPOSITORY", world.repo.full_name());
    command.stdin(std::fs::File::open(world.sandbox.path("a.json")).unwrap());
    let ran = stand_ins::sandbox::Ran::from(command.output().unwrap());
    assert_eq!((ran.code, world.queue().len()), (0, 1), "{}", ran.stderr);
}

#[test]
fn missing_token_or_repository_is_named() {
    let world = World::new();
    world.audit("a.json", 0);
    let arguments = ["publish", "a.json", "--publish", "issue", "--now", &world.moment(0)];
    let ran = world.sandbox.run(&arguments);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no GitHub token"), "{}", ran.stderr);
    assert!(ran.stderr.contains("GITHUB_TOKEN"), "{}", ran.stderr);
    let mut command = world.sandbox.command(&arguments);
    command.env("GITHUB_TOKEN", world.repo.token()).env("GITHUB_API_URL", world.repo.api_url());
    let ran = stand_ins::sandbox::Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("--queue-repository OWNER/NAME"), "{}", ran.stderr);
    command.args(["--queue-repository", world.repo.full_name()]);
    let ran = stand_ins::sandbox::Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(world.queue().len(), 1);
}
