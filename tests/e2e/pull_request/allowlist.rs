//! What a pull request does to the allowlist: exemptions that it adds and takes, a policy that it
//! loosens, and files that cannot be read.

use crate::pull_request::{allowlist_of, exemption, with_alice_known};
use stand_ins::world::{ALLOWLIST, EMPTY, QUICK, RunOptions, World};

#[test]
fn an_exemption_in_the_pull_request_exempts_and_the_comment_says_so() {
    let (world, _) = with_alice_known();
    world.user("bob", 150);
    let head = allowlist_of(&[exemption("bob", &world.date(90))]);
    let pull = world.pull_from("exempting", EMPTY, &head);

    let run = world.check(&pull, &head, 0);

    assert_eq!((run.code, run.output("gate")), (0, "passed"), "{}", run.log);
    let body = &world.repo.comments(pull.number)[0].body;
    assert!(body.contains("**This pull request exempts 1 finding:**\n\n- Account "), "{body}");
    assert!(body.contains("`bob`: access key"), "{body}");
    assert_eq!((run.output("new-count"), run.output("exempted-count")), ("0", "1"));
}

#[test]
fn a_removed_exemption_uncovers_findings_and_does_not_block() {
    let world = World::new();
    world.user("bob", 150);
    let base = allowlist_of(&[exemption("bob", &world.date(90))]);
    let pull = world.pull(&base, EMPTY);
    assert_eq!(world.day(0, &base).output("stale-count"), "0");

    for event in ["pull_request", "merge_group"] {
        let options =
            RunOptions { event, pull: Some(&pull), allowlist: EMPTY, ..RunOptions::default() };
        let run = world.run(options);
        let found = (run.code, run.output("gate"), run.output("new-count"));
        assert_eq!(found, (0, "passed", "0"), "{event}: {}", run.log);
        assert_eq!(run.output("stale-count"), "1", "{event}");
    }
    let body = &world.repo.comments(pull.number)[0].body;
    let said = "**This pull request uncovers 1 finding** because it removes an exemption";
    assert!(body.contains(said) && body.contains("`bob`: access key"), "{body}");
}

/// Checks a pull request that has `bob` new and this head; gives the comment.
fn with_bob_blocked_by(base: &str, head: &str) -> String {
    let world = World::new();
    world.user("alice", 200);
    assert_eq!(world.day(0, base).code, 0);
    world.user("bob", 150);
    let pull = world.pull(base, head);
    let run = world.check(&pull, head, 0);
    assert_eq!((run.code, run.output("gate")), (1, "failed"), "{head}{}", run.log);
    let body = world.repo.comments(pull.number)[0].body.clone();
    assert!(body.contains("1 new finding blocks the merge") && body.contains("`bob`"), "{body}");
    assert!(body.contains("**This pull request loosens the policy.**"), "{body}");
    body
}

#[test]
fn a_loosened_policy_is_not_used_and_is_listed() {
    let strict = "version: 1\npolicy:\n  stale_after_days: 60\n";
    for (base, policy, listed) in [
        (EMPTY, "rules: { stale-access-key: off }", "- `stale-access-key`: `error` → `off`"),
        (EMPTY, "rules: { stale-access-key: notice }", "- `stale-access-key`: `error` → `notice`"),
        (EMPTY, "stale_after_days: 3650", "- `stale_after_days`: `90` → `3650`"),
        (strict, "stale_after_days: 160", "- `stale_after_days`: `60` → `160`"),
        (strict, "max_exemption_days: 366", "- `stale_after_days`: `60` → `90`"),
    ] {
        let body = with_bob_blocked_by(base, &format!("version: 1\npolicy:\n  {policy}\n"));
        assert!(body.contains(listed), "{policy}: {body}");
    }
}

#[test]
fn a_change_of_the_remediation_policy_is_listed_and_does_not_block() {
    let (world, _) = with_alice_known();
    let head = "version: 1\nremediation: { delete_after_days: 30, owners: [\"*\"] }\n";
    let careful = "version: 1\nremediation: {}\n";
    for (branch, base, first) in [
        ("bolder", careful, "- `delete_after_days`: none → `30`"),
        (
            "anew",
            EMPTY,
            "- `deactivate_after_days`: none → `14`\n- `delete_after_days`: none → `30`",
        ),
    ] {
        let pull = world.pull_from(branch, base, head);

        let run = world.check(&pull, head, 0);

        assert_eq!((run.code, run.output("gate")), (0, "passed"), "{branch}: {}", run.log);
        let body = &world.repo.comments(pull.number)[0].body;
        let list = body
            .split_once("**This pull request changes the remediation settings**")
            .expect(body)
            .1;
        let list = list.split_once("\n\n").unwrap().1;
        assert!(list.starts_with(first), "{branch}: {body}");
        assert!(list.contains("\n- `owners`: none → `*`\n"), "{branch}: {body}");
    }
    let pull = world.pull_from("as-careful", careful, careful);
    assert_eq!(world.check(&pull, careful, 0).code, 0);
    let comments = world.repo.comments(pull.number);
    let is_unlisted = |body: &str| !body.contains("remediation settings");
    assert!(comments.iter().all(|it| is_unlisted(&it.body)), "{comments:?}");
}

#[test]
fn an_exemption_longer_than_the_base_allows_does_not_exempt() {
    let world = World::new();
    let far = world.date(3000);
    let entry = exemption("bob", &far);
    let head = format!("version: 1\npolicy: {{ max_exemption_days: 3650 }}\nexemptions:\n{entry}");

    let body = with_bob_blocked_by(EMPTY, &head);

    assert!(body.contains("- `max_exemption_days`: `365` → `3650`"), "{body}");
    let reach = format!("- `exemption of bob`: `{}` → `{far}`", world.date(365));
    assert!(body.contains(&reach), "{body}");
    assert!(!body.contains("This pull request exempts"), "{body}");
}

#[test]
fn a_pattern_for_all_users_is_rejected_on_its_line() {
    let (world, _) = with_alice_known();
    let everybody = exemption("x", &world.date(90)).replace("user: x", "pattern: \"*\"");
    let head = allowlist_of(&[everybody]);
    let pull = world.pull_from("everybody", EMPTY, &head);

    let run = world.check(&pull, &head, 0);

    assert_eq!((run.code, run.output("result")), (2, "error"), "{}", run.log);
    let place = "::error title=pattern-too-broad,file=.github/iam-allowlist.yml,line=3,col=";
    assert!(run.log.contains(place), "{}", run.log);
    assert_eq!(run.acts(), [""; 0]);
}

#[test]
fn a_base_without_an_allowlist_has_no_exemptions_and_the_default_policy() {
    let world = World::new();
    world.user("alice", 200);
    world.user("bob", 150);
    assert_eq!(world.day(0, EMPTY).code, 0);
    let entry = exemption("bob", &world.date(90));
    let head = format!("version: 1\npolicy: {{ stale_after_days: 180 }}\nexemptions:\n{entry}");
    let pull = world.pull("", &head);

    let run = world.check(&pull, &head, 0);

    assert_eq!((run.code, run.output("gate")), (0, "passed"), "{}", run.log);
    let body = &world.repo.comments(pull.number)[0].body;
    assert!(body.contains("This pull request exempts 1 finding:"), "{body}");
    assert!(body.contains("- `stale_after_days`: `90` → `180`"), "{body}");
}

#[test]
fn an_invalid_base_has_no_exemptions_and_can_be_repaired() {
    let world = World::new();
    world.user("bob", 150);
    let head = allowlist_of(&[exemption("bob", &world.date(90))]);
    let pull = world.pull("version: 1\nexemptions: [\n", &head);
    assert_eq!(world.day(0, &head).code, 0);

    let run = world.check(&pull, &head, 0);

    assert_eq!((run.code, run.output("gate")), (0, "passed"), "{}", run.log);
    assert!(
        run.log.contains("is invalid in the base branch, so the earlier policy is unknown"),
        "{}",
        run.log
    );
    assert!(run.summary.contains("This pull request exempts 1 finding:"), "{}", run.summary);
}

#[test]
fn an_invalid_head_fails_with_its_problems_on_their_lines() {
    let (world, _) = with_alice_known();
    let head = "version: 1\nexemptions:\n  - user: bob\n    reason: \"\"\n    ownr: x\n";
    let pull = world.pull_from("broken", EMPTY, head);
    world.account.reset_log();

    let run = world.check(&pull, head, 0);

    let outputs = (run.output("result"), run.output("gate"));
    assert_eq!((run.code, outputs), (2, ("error", "not-evaluated")));
    for (code, line) in [("empty-text", 4), ("unknown-key", 5), ("missing-key", 3)] {
        let place = format!("::error title={code},file={ALLOWLIST},line={line},col=");
        assert!(run.log.contains(&place), "{place}: {}", run.log);
    }
    assert!(run.log.contains("4 |     reason: \"\""), "the log shows the line: {}", run.log);
    assert_eq!((run.acts(), world.account.log().len()), (vec![], 0));
}

#[test]
fn the_base_is_the_merge_base_of_the_pull_request() {
    let world = World::new();
    world.user("alice", 200);
    world.user("bob", 150);
    assert_eq!(world.day(0, EMPTY).code, 0);
    let mut pull = world.pull(EMPTY, EMPTY);
    // The base now exempts bob and is stricter. Both apply.
    let entry = exemption("bob", &world.date(90));
    let newer = format!("version: 1\npolicy: {{ stale_after_days: 45 }}\nexemptions:\n{entry}");
    pull.base_sha = world.repo.commit("main", ALLOWLIST, &newer);

    let run = world.check(&pull, EMPTY, 0);

    assert_eq!((run.code, run.output("gate")), (0, "passed"), "{}", run.log);
    let body = &world.repo.comments(pull.number)[0].body;
    assert!(!body.contains("uncovers"), "{body}");
    assert!(body.contains("- `stale_after_days`: `45` → `90`"), "{body}");
    let compared = format!("/compare/{}...{}", pull.base_sha, pull.head_sha);
    assert!(run.requests.iter().any(|it| it.path.ends_with(&compared)));
}

#[test]
fn a_base_that_cannot_be_read_is_incomplete() {
    let (world, pull) = with_alice_known();
    world.repo.permissions(serde_json::json!({ "contents": "none" }));

    let run = world.check(&pull, "version: 1\nremediation: {}\n", 0);

    assert_eq!(run.code, 3, "{}", run.log);
    assert!(run.log.contains("`contents: read`"), "{}", run.log);
    // It is unknown whether the remediation settings are new.
    assert!(!run.summary.contains("remediation settings"), "{}", run.summary);
}

#[test]
fn a_check_without_a_comment_uses_the_stricter_policy_too() {
    let (world, _) = with_alice_known();
    world.user("bob", 150);
    let head = "version: 1\npolicy:\n  rules: { stale-access-key: off }\n";
    let pull = world.pull_from("loosening", EMPTY, head);
    for (event, publish) in [("pull_request", "none"), ("merge_group", "auto")] {
        let inputs = [QUICK[0], ("publish", publish), ("fail-on", "new")];
        let options = RunOptions {
            event,
            pull: Some(&pull),
            allowlist: head,
            inputs: &inputs,
            ..RunOptions::default()
        };
        let run = world.run(options);
        assert_eq!((run.code, run.output("new-count")), (1, "1"), "{event}: {}", run.log);
        assert_eq!(run.acts(), [""; 0], "{event}");
    }
}
