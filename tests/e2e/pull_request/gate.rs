//! What blocks a merge: new and overdue findings, but nothing that is unknown.

use serde_json::json;

use crate::pull_request::{allowlist_of, exemption, with_alice_known};
use stand_ins::world::{EMPTY, QUICK, Run, RunOptions, World};

#[test]
fn a_new_finding_blocks_and_is_listed() {
    let (world, pull) = with_alice_known();
    world.user("bob", 150);

    let run = world.check(&pull, EMPTY, 0);

    assert_eq!((run.code, run.output("gate")), (1, "failed"), "{}", run.log);
    assert_eq!(run.acts(), ["POST issues/2/comments"]);
    let comments = world.repo.comments(2);
    assert_eq!((comments.len(), comments[0].author.as_str()), (1, "github-actions[bot]"));
    let body = &comments[0].body;
    assert!(body.starts_with("<!-- iam-stocktake:pull-request v1 queue=default -->\n"), "{body}");
    assert!(body.contains("### 1 new finding blocks the merge"), "{body}");
    assert!(body.contains("`bob`: access key&nbsp;…"), "{body}");
    let (blocking, known) = body.split_once("1 finding is already known").unwrap();
    assert!(!blocking.contains("alice") && known.contains("`alice`"), "{body}");
    assert!(known.contains("The queue is #1."), "{body}");
    assert!(
        body.contains(
            "1. **Remediate:** follow the steps for each user in the [report of the run]("
        ),
        "{body}"
    );
    assert!(
        body.contains(
            "2. **Exempt:** in this pull request, add these lines to `exemptions` in \
             `.github/iam-allowlist.yml`"
        ),
        "{body}"
    );
    assert!(body.contains("  - user: \"bob\"\n"), "{body}");
    assert!(
        body.contains("3. **Not related to this pull request:** run the scheduled workflow"),
        "{body}"
    );
    let counts = ["stale-count", "new-count", "overdue-count", "exempted-count"];
    assert_eq!(counts.map(|name| run.output(name)), ["2", "1", "0", "0"]);
    assert_eq!((run.output("result"), run.output("issue-number")), ("stale", "1"));
    let url = run.output("comment-url");
    assert!(url.ends_with(&format!("#issuecomment-{}", comments[0].id)), "{url}");
    let (_, said) = body.split_once('\n').unwrap();
    assert!(run.summary.contains(said.trim_end()), "{}", run.summary);
    assert!(run.summary.contains("# IAM stocktake: 2 open findings"), "{}", run.summary);
}

#[test]
fn a_known_finding_does_not_block_and_its_issue_is_linked() {
    let (world, pull) = with_alice_known();

    let run = world.check(&pull, EMPTY, 0);

    assert_eq!((run.code, run.output("gate")), (0, "passed"), "{}", run.log);
    let body = &run.summary;
    assert!(body.contains("### No new findings"), "{body}");
    assert!(
        body.contains("1 finding is already known") && body.contains("The queue is #1."),
        "{body}"
    );
    assert_eq!((run.output("new-count"), run.output("stale-count")), ("0", "1"));
}

/// Checks on a day, with a choice of what fails.
fn failing_on(what: &str, day: i64) -> Run {
    let (world, pull) = with_alice_known();
    let inputs = [QUICK[0], ("fail-on", what)];
    world.run(RunOptions {
        event: "pull_request",
        pull: Some(&pull),
        inputs: &inputs,
        day,
        ..RunOptions::default()
    })
}

#[test]
fn overdue_findings_block_if_requested() {
    for (what, day, code, gate, overdue) in [
        ("overdue", 30, 0, "passed", "0"),
        ("overdue", 31, 1, "failed", "1"),
        ("new, overdue", 31, 1, "failed", "1"),
        ("new", 31, 0, "passed", "1"),
        ("any", 0, 1, "failed", "0"),
        ("none", 31, 0, "not-evaluated", "1"),
    ] {
        let run = failing_on(what, day);
        let found = (run.code, run.output("gate"), run.output("overdue-count"));
        assert_eq!(found, (code, gate, overdue), "{what} on day {day}: {}", run.log);
    }
    let run = failing_on("overdue", 31);
    assert!(run.summary.contains("1 finding is overdue. See #1."), "{}", run.summary);
}

#[test]
fn without_a_queue_new_findings_are_unknown_and_a_warning_is_shown() {
    let world = World::new();
    world.user("alice", 200);
    let pull = world.pull(EMPTY, EMPTY);

    let run = world.check(&pull, EMPTY, 0);

    assert_eq!((run.code, run.output("gate")), (0, "not-evaluated"), "{}", run.log);
    assert_eq!((run.output("new-count"), run.output("stale-count")), ("0", "1"));
    let body = &world.repo.comments(1)[0].body;
    assert!(body.contains("### New findings cannot be determined"), "{body}");
    assert!(body.contains("> [!WARNING]\n> There is no queue yet"), "{body}");
    assert!(body.contains("**Run the scheduled workflow once**"), "{body}");
    assert_eq!(world.queue(), [], "a pull request makes no queue");
    let warning = "::warning::there is no remediation queue yet, so the gate was not evaluated";
    assert!(run.log.contains(warning), "{}", run.log);
}

#[test]
fn without_a_queue_fail_on_any_blocks() {
    let world = World::new();
    world.user("alice", 200);
    let pull = world.pull(EMPTY, EMPTY);
    let inputs = [("fail-on", "any")];

    let run = world.run(RunOptions {
        event: "pull_request",
        pull: Some(&pull),
        inputs: &inputs,
        ..RunOptions::default()
    });

    assert_eq!((run.code, run.output("gate")), (1, "failed"), "{}", run.log);
    let body = &world.repo.comments(1)[0].body;
    assert!(body.contains("### The merge is blocked"), "{body}");
}

#[test]
fn a_damaged_queue_state_is_incomplete() {
    let (world, pull) = with_alice_known();
    let body = world.queue_issue().body;
    // One character of the queue state is changed.
    let at = body.rfind("\n-->").unwrap() - 10;
    let other = if &body[at..=at] == "A" { "B" } else { "A" };
    let damaged = format!("{}{other}{}", &body[..at], &body[at + 1..]);
    world.repo.as_person().edit_body(1, &damaged);

    let run = world.check(&pull, EMPTY, 0);

    assert_eq!((run.code, run.output("gate")), (3, "not-evaluated"), "{}", run.log);
    assert_eq!(run.output("new-count"), "0");
    assert!(run.log.contains("the queue state in acme/"), "{}", run.log);
    assert!(run.log.contains("is damaged"), "{}", run.log);
    assert!(run.summary.contains("The queue could not be read or written"), "{}", run.summary);
    assert_eq!(run.acts(), [""; 0], "no comment without a known queue state");
}

#[test]
fn incomplete_evidence_is_never_clean() {
    let (world, pull) = with_alice_known();
    world.account.faults(json!({ "deny": ["iam:GetAccessKeyLastUsed"] }));

    let run = world.check(&pull, EMPTY, 0);

    assert_eq!((run.code, run.output("result")), (3, "incomplete"), "{}", run.log);
    let body = &world.repo.comments(2)[0].body;
    assert!(body.contains("Some evidence is missing"), "{body}");
    let account = format!("- Account {}: ", world.account.id());
    assert!(body.contains(&account) && body.contains("stale-access-key"), "{body}");
}

#[test]
fn incomplete_evidence_and_a_new_finding_exit_with_the_higher_code() {
    let (world, pull) = with_alice_known();
    world.user("bob", 150);
    world.account.faults(json!({ "deny": ["iam:GetAccessKeyLastUsed"] }));

    let run = world.check(&pull, EMPTY, 0);

    assert_eq!((run.code, run.output("gate")), (3, "failed"), "{}", run.log);
}

#[test]
fn a_stopped_schedule_does_not_look_clean() {
    let (world, pull) = with_alice_known();
    let warning = format!(
        "The queue was last checked on {}, so the scheduled workflow might be disabled",
        world.date(0)
    );

    let at_eight = world.check(&pull, EMPTY, 8);
    assert!(!at_eight.summary.contains("last checked on"), "{}", at_eight.summary);
    let at_nine = world.check(&pull, EMPTY, 9);
    assert!(at_nine.summary.contains(&warning), "{}", at_nine.summary);
    assert!(world.repo.comments(2)[0].body.contains(&warning));
    assert_eq!((at_eight.code, at_nine.code), (0, 0));
}

#[test]
fn a_merge_group_evaluates_the_gate_and_publishes_nothing() {
    let (world, pull) = with_alice_known();
    let options =
        || RunOptions { event: "merge_group", pull: Some(&pull), ..RunOptions::default() };

    let known = world.run(options());
    assert_eq!((known.code, known.output("gate")), (0, "passed"), "{}", known.log);

    world.user("bob", 150);
    let new = world.run(options());
    assert_eq!((new.code, new.output("gate")), (1, "failed"), "{}", new.log);
    assert_eq!([known.acts(), new.acts()], [[""; 0], [""; 0]]);
    assert!(new.summary.contains("findings are not published for this event"), "{}", new.summary);
    assert!(new.summary.contains("| `bob` |"), "{}", new.summary);
}

#[test]
fn uncovered_findings_block_with_fail_on_uncovered_only() {
    let world = World::new();
    world.user("alice", 200);
    let exempting = allowlist_of(&[exemption("alice", &world.date(20))]);
    world.day(0, &exempting);
    let pull = world.pull(&exempting, EMPTY);
    // A new finding that the pull request has nothing to do with.
    world.user("bob", 150);
    for (fail_on, code) in [("uncovered", 1), ("overdue", 0), ("none", 0)] {
        let run = world.run(RunOptions {
            event: "pull_request",
            pull: Some(&pull),
            inputs: &[QUICK[0], ("fail-on", fail_on)],
            ..RunOptions::default()
        });
        assert_eq!(run.code, code, "{fail_on}: {}", run.log);
    }
    let other = world.pull_from("other", &exempting, &exempting);
    let run = world.run(RunOptions {
        event: "pull_request",
        pull: Some(&other),
        allowlist: &exempting,
        inputs: &[QUICK[0], ("fail-on", "uncovered")],
        ..RunOptions::default()
    });
    assert_eq!((run.code, run.output("new-count")), (0, "1"), "{}", run.log);
}

#[test]
fn a_merged_change_of_the_allowlist_does_not_block_the_next_pull_request() {
    let world = World::new();
    world.user("alice", 200);
    let exempting = allowlist_of(&[exemption("alice", &world.date(20))]);
    world.day(0, &exempting);
    let pull = world.pull(&exempting, EMPTY);
    assert_eq!(world.check(&pull, EMPTY, 0).code, 0);
    // The merge. Until the workflow runs, the finding is not in the queue.
    let next = world.pull_from("next", EMPTY, EMPTY);
    assert_eq!(world.check(&next, EMPTY, 0).code, 1);
    let run = world.run(RunOptions { event: "push", ..RunOptions::default() });
    assert_eq!((run.code, run.output("new-count")), (0, "1"), "{}", run.log);
    assert_eq!(world.check(&next, EMPTY, 0).code, 0);
}
