//! The policy for a pull request: the strictest one of the head, the merge base, and the tip of the base
//! branch. If one of them is missing, the others apply.

use serde_json::json;

use stand_ins::github::Pull;
use stand_ins::world::{ALLOWLIST, EMPTY, QUICK, Run, RunOptions, World};

const BROKEN: &str = "version: 1\nexemptions: [\n";
const LOOSE: &str = "version: 1\npolicy: { stale_after_days: 400 }\n";
const STRICT: &str = "version: 1\npolicy: { stale_after_days: 45 }\n";

/// The allowlists of the merge base and of the tip of the base branch.
struct Base<'a> {
    parted: Option<&'a str>,
    tip: Option<&'a str>,
}

/// A world with an empty queue, these users, and a pull request.
fn proposed(base: &Base<'_>, head: &str, users: &[(&str, i64)]) -> (World, Pull) {
    let world = World::new();
    assert_eq!(world.day(0, EMPTY).code, 0);
    users.iter().for_each(|(name, unused)| world.user(name, *unused));
    let mut pull = world.pull(base.parted.unwrap_or_default(), head);
    if base.tip != base.parted {
        pull.base_sha = match base.tip {
            // Of the same content, parent and second, it would be the pull request's own commit.
            Some(tip) => world.repo.commit("main", ALLOWLIST, &format!("{tip}# By others\n")),
            None => world.repo.remove("main", ALLOWLIST),
        };
    }
    (world, pull)
}

fn checked(world: &World, pull: &Pull, event: &str, head: &str) -> Run {
    world.run(RunOptions { event, pull: Some(pull), allowlist: head, ..RunOptions::default() })
}

/// Checks a pull request of the head with `bob`, whose key is unused for 150 days.
fn with_bob(base: &Base<'_>, head: &str) -> (Run, String) {
    let (world, pull) = proposed(base, head, &[("bob", 150)]);
    let run = checked(&world, &pull, "pull_request", head);
    // The report follows.
    let body = run.summary.split("> Evidence:").next().unwrap().to_owned();
    (run, body)
}

#[test]
fn the_policy_is_the_strictest_of_head_merge_base_and_tip() {
    // Each is the strictest once: what is unused for 60 days counts wherever one of them says so.
    for (parted, tip, head) in
        [(STRICT, LOOSE, LOOSE), (LOOSE, STRICT, LOOSE), (EMPTY, STRICT, EMPTY)]
    {
        let base = Base { parted: Some(parted), tip: Some(tip) };
        let (world, pull) = proposed(&base, head, &[("carol", 60)]);
        let run = checked(&world, &pull, "pull_request", head);
        // Not every earlier allowlist has the finding, but the pull request is not its only cause.
        assert_eq!(run.output("stale-count"), "1", "{parted} {tip} {head}: {}", run.log);
        let body = &world.repo.comments(pull.number)[0].body;
        assert!(body.contains("- `stale_after_days`: `45` → "), "{body}");
        assert!(body.contains("**This pull request loosens the policy.**"), "{body}");
    }
    for (base, head) in [(EMPTY, STRICT), (LOOSE, STRICT)] {
        let (world, pull) =
            proposed(&Base { parted: Some(base), tip: Some(base) }, head, &[("carol", 60)]);
        let run = checked(&world, &pull, "pull_request", head);
        // Its own stricter policy brings that back, which is listed and does not block.
        assert_eq!((run.code, run.output("new-count")), (0, "0"), "{}", run.log);
        let body = &world.repo.comments(pull.number)[0].body;
        assert!(body.contains("**This pull request uncovers 1 finding**"), "{body}");
        assert!(body.contains("`carol`") && !body.contains("loosens"), "{body}");
    }
}

#[test]
fn a_policy_that_is_stricter_only_at_the_tip_blocks_new_findings() {
    let (world, pull) =
        proposed(&Base { parted: Some(STRICT), tip: Some(STRICT) }, LOOSE, &[("carol", 60)]);
    for event in ["pull_request", "merge_group"] {
        let run = checked(&world, &pull, event, LOOSE);
        assert_eq!((run.code, run.output("gate")), (1, "failed"), "{event}: {}", run.log);
    }
    // The merge group is built upon a commit from before the base became stricter.
    let mut pull = pull;
    pull.base_sha = world.repo.commit("main", ALLOWLIST, LOOSE);
    world.repo.commit("main", ALLOWLIST, STRICT);
    let run = checked(&world, &pull, "merge_group", LOOSE);
    assert_eq!(run.output("stale-count"), "1", "{}", run.log);
}

#[test]
fn a_base_file_that_is_invalid_or_missing_in_one_commit_is_ignored() {
    for other in [Some(BROKEN), None] {
        for base in
            [Base { parted: other, tip: Some(EMPTY) }, Base { parted: Some(EMPTY), tip: other }]
        {
            let (run, body) = with_bob(&base, LOOSE);
            assert_eq!((run.code, run.output("gate")), (1, "failed"), "{}", run.log);
            assert!(body.contains("- `stale_after_days`: `90` → `400`"), "{body}");
            assert!(!body.contains("policy is unknown"), "{body}");
            let is_told = run.log.contains("is invalid in one of the two base commits");
            assert_eq!(is_told, other.is_some(), "{}", run.log);
        }
        // The other one counts, and not the defaults.
        let (run, body) = with_bob(&Base { parted: other, tip: Some(LOOSE) }, LOOSE);
        assert_eq!((run.code, run.output("stale-count")), (0, "0"), "{}", run.log);
        assert!(!body.contains("loosens"), "{body}");
    }
}

#[test]
fn the_first_allowlist_is_compared_with_the_defaults() {
    let none = Base { parted: None, tip: None };
    let (run, body) = with_bob(&none, LOOSE);
    assert_eq!((run.code, run.output("gate")), (1, "failed"), "{}", run.log);
    assert!(body.contains("- `stale_after_days`: `90` → `400`"), "{body}");
    assert!(!body.contains("unknown"), "{body}");
    let (world, pull) = proposed(&none, EMPTY, &[]);
    for event in ["pull_request", "merge_group"] {
        let run = checked(&world, &pull, event, EMPTY);
        assert_eq!((run.code, run.output("gate")), (0, "passed"), "{event}: {}", run.log);
    }
}

#[test]
fn a_base_that_is_invalid_in_both_commits_has_an_unknown_policy_and_can_be_repaired() {
    let broken = Base { parted: Some(BROKEN), tip: Some("version: [\n") };
    let (world, pull) = proposed(&broken, EMPTY, &[]);
    for event in ["pull_request", "merge_group"] {
        let run = checked(&world, &pull, event, EMPTY);
        assert_eq!((run.code, run.output("gate")), (0, "passed"), "{event}: {}", run.log);
        assert!(run.log.contains("so the earlier policy is unknown"), "{}", run.log);
    }
    let body = &world.repo.comments(pull.number)[0].body;
    assert!(body.contains("**its policy is unknown**"), "{body}");

    // What is stricter of head and defaults counts, and what the head loosens is listed.
    let (run, body) = with_bob(&broken, LOOSE);
    assert_eq!((run.code, run.output("gate")), (1, "failed"), "{}", run.log);
    assert!(body.contains("- `stale_after_days`: `90` → `400`"), "{body}");
    assert!(body.contains("**its policy is unknown**"), "{body}");
}

#[test]
fn a_base_file_that_cannot_be_read_in_one_commit_is_incomplete_and_the_other_is_used() {
    let base = Base { parted: Some(EMPTY), tip: Some(EMPTY) };
    for event in ["pull_request", "merge_group"] {
        let (world, pull) = proposed(&base, LOOSE, &[("bob", 150)]);
        for skip in [0, 1] {
            let fault = json!({ "status": 403, "path": "/contents/", "skip": skip, "max": 1,
                "body": { "message": "Resource not accessible by integration" } });
            world.repo.faults(json!([fault]));
            let run = checked(&world, &pull, event, LOOSE);
            assert_eq!((run.code, run.output("gate")), (3, "failed"), "{event}: {}", run.log);
            assert!(run.log.contains("Resource not accessible"), "{}", run.log);
        }
        let fault = json!({ "status": 403, "path": "/contents/",
            "body": { "message": "Resource not accessible by integration" } });
        world.repo.faults(json!([fault]));
        let run = checked(&world, &pull, event, LOOSE);
        assert_eq!(run.code, 3, "{event}: {}", run.log);
        assert_eq!(run.output("gate"), "not-evaluated", "{event}: {}", run.log);
        assert!(!run.summary.contains("loosens the policy"), "{}", run.summary);
        if event == "pull_request" {
            assert!(run.summary.contains("could not be compared with"), "{}", run.summary);
        }
    }
}

#[test]
fn a_missing_file_means_nothing_if_the_commit_cannot_be_read() {
    let (world, pull) = proposed(&Base { parted: None, tip: None }, EMPTY, &[]);
    world.repo.faults(json!([{ "status": 404, "path": "/(contents|compare)/",
        "body": { "message": "Not Found" } }]));
    for event in ["pull_request", "merge_group"] {
        let run = checked(&world, &pull, event, EMPTY);
        assert_eq!(run.code, 3, "{event}: {}", run.log);
    }
}

#[test]
fn the_remediation_policy_is_compared_with_both_commits() {
    let careful = "version: 1\nremediation: {}\n";
    let bolder = "version: 1\nremediation: { max_changes: 50 }\n";
    for (parted, tip) in [(careful, bolder), (bolder, careful)] {
        let (world, pull) = proposed(&Base { parted: Some(parted), tip: Some(tip) }, bolder, &[]);
        let run = checked(&world, &pull, "pull_request", bolder);
        assert_eq!(run.code, 0, "{}", run.log);
        let body = run.summary.split("> Evidence:").next().unwrap();
        assert!(body.contains("- `max_changes`: `5` → `50`"), "{body}");
    }
}

#[test]
fn a_new_former_account_is_listed_unless_both_commits_have_it() {
    let head = "version: 1\nformer_accounts:\n  - { account: \"999988887777\", reason: Closed, \
                owner: Platform }\n";
    for (parted, tip, listed) in
        [(EMPTY, EMPTY, true), (head, EMPTY, true), (EMPTY, head, true), (head, head, false)]
    {
        let (world, pull) = proposed(&Base { parted: Some(parted), tip: Some(tip) }, head, &[]);
        let run = checked(&world, &pull, "pull_request", head);
        assert_eq!(run.code, 0, "{}", run.log);
        let body = run.summary.split("> Evidence:").next().unwrap();
        assert_eq!(body.contains("removes accounts from the audit"), listed, "{body}");
        assert_eq!(body.contains("- 999988887777: `Closed`, owner `Platform`"), listed, "{body}");
    }
    let inputs = [QUICK[0]];
    let (world, pull) = proposed(&Base { parted: Some(EMPTY), tip: Some(EMPTY) }, head, &[]);
    let options = RunOptions {
        event: "pull_request",
        pull: Some(&pull),
        allowlist: head,
        inputs: &inputs,
        ..RunOptions::default()
    };
    assert_eq!((world.run(options).code, world.repo.comments(pull.number).len()), (0, 1));
}

/// The base branch became looser after the pull request branched off, which the pull request cannot
/// help: its head is what merging gives.
#[test]
fn findings_only_of_the_merge_base_policy_are_listed_and_not_new() {
    let short = "version: 1\npolicy: { max_exemption_days: 30 }\n";
    let exempting = |world: &World| {
        format!("{EMPTY}exemptions:\n{}", crate::pull_request::exemption("carol", &world.date(100)))
    };
    for (parted, is_exempted) in [(STRICT, false), (short, true)] {
        let unused = if is_exempted { 150 } else { 60 };
        let world = World::new();
        let newer = if is_exempted { exempting(&world) } else { EMPTY.to_owned() };
        assert_eq!(world.day(0, &newer).code, 0);
        world.user("carol", unused);
        let mut pull = world.pull(parted, &newer);
        pull.base_sha = world.repo.commit("main", ALLOWLIST, &format!("{newer}# By others\n"));
        let run = checked(&world, &pull, "pull_request", &newer);
        let found = (run.code, run.output("gate"), run.output("new-count"));
        assert_eq!(found, (0, "passed", "0"), "{parted}: {}", run.log);
        let body = &world.repo.comments(pull.number)[0].body;
        assert!(body.contains("open only under the older policy"), "{body}");
        assert!(body.contains("`carol`") && !body.contains("uncovers"), "{body}");
        // What the pull request itself would let pass still blocks.
        world.user("dave", 95);
        let run = checked(&world, &pull, "pull_request", LOOSE);
        assert_eq!((run.code, run.output("gate")), (1, "failed"), "{parted}: {}", run.log);
    }
}

#[test]
fn the_expiry_tag_of_the_tip_is_used_and_is_not_a_change_of_the_pull_request() {
    let tag = |tag: &str| format!("version: 1\npolicy: {{ expiry_tag: {tag} }}\n");
    let (one, two) = (tag("expires-on"), tag("valid-until"));
    for (parted, tip, head, listed) in [
        (one.as_str(), two.as_str(), two.as_str(), None),
        (&one, EMPTY, EMPTY, None),
        (&two, &one, &two, Some("`expires-on` → `valid-until`")),
        (&one, &one, EMPTY, Some("`expires-on` → none")),
    ] {
        let (world, pull) = proposed(&Base { parted: Some(parted), tip: Some(tip) }, head, &[]);
        let run = checked(&world, &pull, "pull_request", head);
        assert_eq!(run.code, 0, "{}", run.log);
        let body = run.summary.split("> Evidence:").next().unwrap();
        assert_eq!(body.contains("loosens the policy"), listed.is_some(), "{body}");
        let change = listed.unwrap_or_default();
        assert!(body.contains(change), "{change}: {body}");
    }
}
