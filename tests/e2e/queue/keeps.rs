//! What must not close or clear anything: missing evidence, another policy, or a changed queue.

use serde_json::json;

use super::page::rendered;
use stand_ins::aws::{Seed, StandIn};
use stand_ins::world::{EMPTY, Run, RunOptions, World};

/// A queue with alice and bob, open since the first day.
fn kept() -> World {
    let world = World::new();
    world.user("alice", 200);
    world.user("bob", 150);
    assert_eq!(world.day(0, EMPTY).code, 0);
    world
}

/// The users with a box in the queue issue, which must be open and without struck lines.
fn open_users(world: &World) -> Vec<String> {
    let queue_issue = world.queue_issue();
    assert_eq!(queue_issue.state, "open");
    let page = rendered(&queue_issue.body);
    assert_eq!(page.struck, [""; 0], "{}", queue_issue.body);
    page.boxes.into_iter().map(|(_, name)| name).collect()
}

/// What changes in the queue or the run, and the result of the run on the next day.
struct Case {
    name: &'static str,
    prepare: fn(&World),
    options: RunOptions<'static>,
    code: i32,
    acts: &'static [&'static str],
    /// Whether the queue issue may be edited, to show what is incomplete.
    may_edit: bool,
    /// A text in the log or the summary.
    says: &'static str,
}

/// A case without changes.
fn case(name: &'static str) -> Case {
    let options = RunOptions { day: 1, ..RunOptions::default() };
    Case { name, prepare: |_| {}, options, code: 0, acts: &[], may_edit: false, says: "" }
}

/// Damages the state in the body of the queue issue.
fn damage(world: &World, change: impl Fn(&str) -> String) {
    let queue_issue = world.queue_issue();
    world.repo.as_person().edit_body(queue_issue.number, &change(&queue_issue.body));
}

/// Denies the auditor some actions.
fn deny(world: &World, actions: &[&str]) {
    world.account.policy(json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
        { "Effect": "Deny", "Action": actions, "Resource": "*" },
    ]}));
}

fn without_evidence() -> [Case; 3] {
    [
        Case {
            prepare: |world| {
                deny(world, &["iam:ListAccessKeys"]);
                world.account.change(json!([{ "delete_key": { "user": "alice" } }]));
            },
            code: 3,
            may_edit: true,
            says: "iam:ListAccessKeys",
            ..case("the re-check is denied, and a key is deleted")
        },
        Case {
            prepare: |world| {
                deny(world, &["iam:GetCredentialReport", "iam:GenerateCredentialReport"]);
                world.account.change(json!([{ "delete_key": { "user": "alice" } }]));
            },
            code: 3,
            may_edit: true,
            says: "iam:GenerateCredentialReport",
            ..case("there is no credential report, and a key is deleted")
        },
        Case {
            prepare: |world| {
                world.account.change(json!([{ "delete_key": { "user": "alice" } }]));
            },
            options: RunOptions { inputs: &[("recheck", "false")], ..case("").options },
            may_edit: true,
            ..case("there is no re-check, and a key is deleted")
        },
    ]
}

fn with_a_changed_queue() -> [Case; 5] {
    let damaged = "the queue state in";
    [
        Case {
            prepare: |world| world.repo.as_person().remove_label(1, "iam-stocktake"),
            acts: &["POST issues/1/labels"],
            ..case("the label is removed from the issue")
        },
        Case {
            prepare: |world| damage(world, |body| body.replace("generation=1", "generation=2")),
            code: 3,
            says: damaged,
            ..case("the state has another generation")
        },
        Case {
            prepare: |world| damage(world, |body| body.replacen("\neN", "\nfN", 1)),
            code: 3,
            says: damaged,
            ..case("the state has another letter")
        },
        Case {
            prepare: |world| {
                damage(world, |body| {
                    body.split("<!-- iam-stocktake:queue-state").next().unwrap().into()
                });
            },
            code: 3,
            says: damaged,
            ..case("the state is removed")
        },
        Case {
            options: RunOptions { event: "workflow_dispatch", ..case("").options },
            ..case("the workflow is started by hand, and nothing is new")
        },
    ]
}

fn on_other_occasions() -> [Case; 3] {
    let feature = &[("GITHUB_REF", "refs/heads/feature"), ("GITHUB_REF_NAME", "feature")];
    let other = "Nothing was published, because only runs on the default branch update the queue.";
    [
        Case {
            prepare: |world| world.user("carol", 300),
            options: RunOptions {
                event: "workflow_dispatch",
                environment: feature,
                ..case("").options
            },
            says: other,
            ..case("the workflow is started by hand on another branch")
        },
        Case {
            prepare: |world| {
                world.account.change(json!([{ "delete_user": { "user": "alice" } }]));
            },
            options: RunOptions { event: "push", environment: feature, ..case("").options },
            says: other,
            ..case("a push to another branch")
        },
        Case {
            prepare: |world| world.user("carol", 300),
            options: RunOptions { inputs: &[("publish", "none")], ..case("").options },
            ..case("nothing is to be published")
        },
    ]
}

/// Prepares a case, and returns the run of the next day.
fn after(case: &Case, world: &World) -> Run {
    (case.prepare)(world);
    let RunOptions { day, event, allowlist, inputs, environment, .. } = case.options;
    let run = world.run(RunOptions {
        day,
        event,
        allowlist,
        inputs,
        environment,
        ..RunOptions::default()
    });
    let (name, log) = (case.name, &run.log);
    assert_eq!(run.code, case.code, "{name}: {log}");
    let acts = run.acts();
    let is_edit = case.may_edit && acts == ["PATCH issues/1"];
    assert!(is_edit || acts == case.acts, "{name}: {acts:?}: {log}");
    let said = run.log.contains(case.says) || run.summary.contains(case.says);
    assert!(said, "{name}: {log}\n{}", run.summary);
    if case.code == 3 {
        assert_eq!(run.output("result"), "incomplete", "{name}");
    }
    run
}

/// Asserts that the queue has the same open users.
fn assert_unchanged(cases: impl IntoIterator<Item = Case>) {
    for case in cases {
        let world = kept();
        after(&case, &world);
        assert_eq!(open_users(&world), ["alice", "bob"], "{}", case.name);
    }
}

#[test]
fn missing_evidence_clears_nothing() {
    assert_unchanged(without_evidence());
}

#[test]
fn changed_queue_is_repaired_or_left_alone() {
    assert_unchanged(with_a_changed_queue());
}

#[test]
fn runs_that_cannot_publish_say_why() {
    assert_unchanged(on_other_occasions());
}

#[test]
fn findings_that_the_policy_ignores_are_not_cleared() {
    for (allowlist, inputs) in [
        (EMPTY, &[("stale-after-days", "180")][..]),
        ("version: 1\npolicy: { stale_after_days: 180 }\n", &[]),
    ] {
        let world = kept();
        let run = world.run(RunOptions { day: 1, allowlist, inputs, ..RunOptions::default() });
        assert_eq!((run.code, run.acts()), (0, vec!["PATCH issues/1".to_owned()]), "{}", run.log);
        assert_eq!(open_users(&world), ["alice"]);
        assert!(
            world.queue_issue().body.contains("Not counted since"),
            "{}",
            world.queue_issue().body
        );
        // The policy includes it again.
        let back = world.day(2, EMPTY);
        assert_eq!((back.output("new-count"), back.output("stale-count")), ("1", "2"));
        assert_eq!(open_users(&world), ["alice", "bob"]);
    }
    let world = kept();
    let off = "version: 1\npolicy: { rules: { stale-access-key: off } }\n";
    assert_eq!(world.day(1, off).code, 0);
    let queue_issue = world.queue_issue();
    assert_eq!(queue_issue.state, "open", "ignored findings are not cleared");
    let body = queue_issue.body;
    assert_eq!(rendered(&body).struck, [""; 0], "{body}");
    assert_eq!(body.matches("Not counted since").count(), 2, "{body}");
}

#[test]
fn unaudited_account_keeps_its_findings() {
    let world = World::new();
    let other = StandIn::shared().account(Seed::empty());
    world.user("alice", 200);
    let bob = json!([{"create_user": {
        "name": "bob", "created": 700, "keys": [{"created": 600, "last_used": 150}],
    }}]);
    other.change(bob);
    other.make_report(1.0);
    let both = format!("{}\n{}", world.account.id(), other.id());
    let run = world.day_with(0, &[("accounts", &both)]);
    assert_eq!((run.code, run.output("stale-count")), (0, "2"), "{}", run.log);

    other.change(json!([{ "delete_user": { "user": "bob" } }]));
    let alone = world.day_with(1, &[("accounts", world.account.id())]);
    assert_eq!((alone.code, alone.output("result")), (3, "incomplete"), "{}", alone.log);
    assert_eq!(open_users(&world), ["alice", "bob"]);
    let since = format!("since {}", world.date(0));
    assert!(world.queue_issue().body.contains(&since), "{}", world.queue_issue().body);
    assert_eq!(world.day_with(2, &[("accounts", world.account.id())]).acts(), [""; 0]);

    // Audited again, and removed.
    other.make_report(1.0 - 72.0);
    let run = world.day_with(3, &[("accounts", &both)]);
    assert_eq!((run.code, run.acts()), (0, vec!["PATCH issues/1".to_owned()]), "{}", run.log);
    let page = rendered(&world.queue_issue().body);
    assert_eq!((page.boxes.len(), page.struck), (1, vec!["bob".to_owned()]));
}

#[test]
fn user_issues_without_a_label_are_not_duplicated() {
    // Deleting the label starts a new queue, which keeps the per-user issues.
    for (prepare, issues) in [
        ((|world| world.repo.as_person().delete_label("iam-stocktake")) as fn(&World), 4),
        (|world| world.repo.as_person().remove_label(1, "iam-stocktake"), 3),
    ] {
        let world = World::new();
        world.user("alice", 200);
        world.user("bob", 150);
        let per_user = &[("publish", "issue-per-user")];
        assert_eq!(world.day_with(0, per_user).acts().len(), 6);
        prepare(&world);
        for day in 1..3 {
            let run = world.day_with(day, per_user);
            assert_eq!(run.code, 0, "{}", run.log);
        }
        assert_eq!(world.repo.issues().len(), issues);
        let of_users = world.repo.issues().into_iter().filter(|it| it.body.contains(":user v1"));
        assert_eq!(of_users.count(), 2);
    }
}
