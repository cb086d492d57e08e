//! The example workflows, run by act.

use serde_json::json;

use super::act::{act, example, with_role};
use super::world::{ALLOWLIST, EMPTY, FIRST, World, exempting, user};
use stand_ins::aws::{Seed, StandIn};

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
fn the_scheduled_workflow_makes_the_queue_and_then_writes_nothing() {
    let world = World::new();
    world.user("alice", 200);
    let workflow = with_role("scheduled.yml", world.account.role_arn());

    let first = act(&world, &workflow, "schedule", None);
    assert_eq!(first.code, 0, "{}", first.log());
    assert_eq!(world.acts(), FIRST, "{}", first.log());
    assert!(world.queue_issue().body.contains("`alice`"));

    let second = act(&world, &workflow, "schedule", None);
    assert_eq!(second.code, 0, "{}", second.log());
    assert_eq!(world.acts(), [""; 0], "{}", second.log());
}

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
fn the_workflow_of_pull_requests_fails_its_job_until_the_finding_is_exempted() {
    let world = World::new();
    let scheduled = with_role("scheduled.yml", world.account.role_arn());
    world.user("alice", 200);
    let queue = act(&world, &scheduled, "schedule", None);
    assert_eq!(queue.code, 0, "{}", queue.log());
    world.acts();
    world.user("bob", 150);

    let workflow = with_role("pull-request.yml", world.account.role_arn());
    let pull = world.pull(EMPTY);
    let blocked = act(&world, &workflow, "pull_request", Some(&pull));
    assert_eq!(blocked.code, 1, "{}", blocked.log());
    assert_eq!(world.acts(), [format!("POST issues/{}/comments", pull.number)]);
    assert!(world.repo.comments(pull.number)[0].body.contains("`bob`"));

    let pull = world.push(&pull, &exempting("bob"));
    let exempted = act(&world, &workflow, "pull_request", Some(&pull));
    assert_eq!(exempted.code, 0, "{}", exempted.log());
    assert_eq!(world.repo.comments(pull.number).len(), 1, "the comment is edited");
}

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
fn the_matrix_publishes_the_accounts_of_all_its_jobs_in_one_queue() {
    let world = World::with(Seed::empty().id("111122223333"));
    let other = StandIn::shared().account(Seed::empty().id("444455556666"));
    world.user("alice", 200);
    user(&other, "bob", 150);
    let workflow = example("matrix.yml");
    assert!(workflow.contains(":role/iam-stocktake-audit"));
    let workflow = workflow.replace(":role/iam-stocktake-audit", ":role/audit");

    let done = act(&world, &workflow, "schedule", None);
    assert_eq!(done.code, 0, "{}", done.log());
    assert_eq!(world.acts(), FIRST, "{}", done.log());
    let body = world.queue_issue().body;
    for expected in ["111122223333", "`alice`", "444455556666", "`bob`"] {
        assert!(body.contains(expected), "{expected}: {body}");
    }

    // An account that cannot be audited fails its job; the others are published.
    user(&world.account, "carol", 300);
    other.faults(json!({ "deny": ["GetCredentialReport"] }));
    let done = act(&world, &workflow, "schedule", None);
    assert_eq!(done.code, 1, "{}", done.log());
    assert_eq!(world.acts(), ["POST issues/1/comments", "PATCH issues/1"], "{}", done.log());
    let body = world.queue_issue().body;
    assert!(body.contains("`carol`") && body.contains("`bob`"), "{body}");
    assert!(
        body.contains("Incomplete since") && body.contains("in account 444455556666."),
        "{body}"
    );
}

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
fn the_workflow_of_the_remedy_gives_notice_then_plans_and_applies_and_tells_the_queue() {
    let world = World::new();
    world.file(ALLOWLIST, "version: 1\nremediation: { max_share: 100 }\n");
    let keys = [("alice", 200), ("bob", 150)].map(|(name, days)| {
        let user =
            json!({"name": name, "created": 400, "keys": [{"created": 300, "last_used": days}]});
        let made = world.account.change(json!([{ "create_user": user }]));
        made[0]["keys"][0].as_str().unwrap().to_owned()
    });
    // A run notified Alice three weeks ago, and yesterday's run confirmed it.
    let ago =
        |days| (chrono::Utc::now() - chrono::TimeDelta::days(days)).format("%FT%TZ").to_string();
    let tag = format!("iam-stocktake:access-key:{}", keys[0]);
    let said = format!("notified since={} seen={}", ago(21), ago(1));
    world.account.change(json!([{"tag_user": {"user": "alice", "tags": {(tag): said}}}]));

    let workflow = with_role("remediate.yml", world.account.role_arn());
    let done = act(&world, &workflow, "schedule", None);
    assert_eq!(done.code, 0, "{}", done.log());
    let status = |name: &str| world.account.user(name)["keys"][0]["status"].clone();
    assert_eq!((status("alice"), status("bob")), (json!("Inactive"), json!("Active")));
    let tags = world.account.user("bob")["tags"].clone();
    assert!(tags.to_string().contains("notified since="), "{tags}");
    // The queue was written after the remediation.
    let body = world.queue_issue().body;
    assert!(body.contains("`bob`") && !body.contains("`alice`"), "{body}");

    // The next run has this journal, finds nothing due, and does not wait for approval.
    world.account.reset_log();
    let next = act(&world, &workflow, "schedule", None);
    assert_eq!(next.code, 0, "{}", next.log());
    let writes = ["TagUser", "UntagUser", "UpdateAccessKey"];
    let wrote = world.account.log().into_iter().filter(|it| writes.contains(&it.action.as_str()));
    assert_eq!(wrote.count(), 0, "{}", next.log());
    // Each kind of job keeps its own journal. All runs of act have the same number.
    let kept = std::fs::read_dir(world.kept_beside("_cache")).unwrap();
    let mut kept: Vec<_> = kept.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    kept.sort();
    let kinds = ["apply", "notify"].map(|kind| format!("iam-stocktake-journal-{kind}-"));
    assert_eq!(kept.len(), kinds.len(), "{kept:?}");
    assert!(kept.iter().zip(&kinds).all(|(name, kind)| name.starts_with(kind)), "{kept:?}");
}

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
fn the_workflow_for_enterprise_servers_trusts_the_roots_of_the_bundle() {
    let world = World::new();
    world.user("alice", 200);
    let workflow = with_role("enterprise-server.yml", world.account.role_arn());

    // Without the bundle no client can be created, and nothing counts as clean.
    let without = act(&world, &workflow, "schedule", None);
    assert_eq!(without.code, 1, "{}", without.log());
    assert!(without.log().contains("SSL_CERT_FILE"), "{}", without.log());
    assert_eq!(world.acts(), [""; 0]);

    let bundle = std::fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap();
    world.file(".github/ca-bundle.pem", &bundle);
    let done = act(&world, &workflow, "schedule", None);
    assert_eq!(done.code, 0, "{}", done.log());
    assert_eq!(world.acts(), FIRST);
}
