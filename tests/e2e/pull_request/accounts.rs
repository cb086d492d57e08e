//! Accounts in the queue that a check does not audit, and accounts that are no longer audited.

use stand_ins::github::Pull;
use stand_ins::world::{EMPTY, QUICK, RunOptions, World};

/// A repository whose queue knows the account of the world and another, in which `bob` is stale; and
/// a pull request. Gives the id of the other account.
fn two_accounts(visibility: &str) -> (World, Pull, String) {
    let world = World::in_repository(visibility);
    world.audit("a.json", 0);
    let other = World::new();
    other.user("bob", 300);
    other.audit("audit.json", 0);
    world.sandbox.file("b.json", other.sandbox.read("audit.json"));
    let run = world.publish(0, &["a.json", "b.json", "--publish", "issue", "--allow-public"]);
    assert_eq!(run.code, 0, "{}", run.log);
    let pull = world.pull(EMPTY, EMPTY);
    let id = other.account.id().to_owned();
    (world, pull, id)
}

fn former(account: &str) -> String {
    format!(
        "{EMPTY}former_accounts:\n  - account: \"{account}\"\n    reason: Closed in June\n    owner: Platform\n"
    )
}

#[test]
fn an_account_that_was_not_audited_makes_the_check_incomplete() {
    let (world, pull, other) = two_accounts("private");
    for (event, fail_on) in [
        ("pull_request", "auto"),
        ("pull_request", "any"),
        ("pull_request", "none"),
        ("pull_request", "any,new,overdue"),
        ("merge_group", "auto"),
        ("merge_group", "any"),
    ] {
        let inputs = [QUICK[0], ("fail-on", fail_on)];
        let options =
            RunOptions { event, pull: Some(&pull), inputs: &inputs, ..RunOptions::default() };
        let run = world.run(options);
        let found = (run.code, run.output("result"));
        assert_eq!(found, (3, "incomplete"), "{event} {fail_on}: {}", run.log);
        let said = format!("This run did not audit 1 account in the queue: {other}.");
        assert!(run.summary.contains(&said), "{event} {fail_on}: {}", run.summary);
        assert!(run.log.contains(&format!("were not audited: {other}")), "{}", run.log);
    }
    let body = &world.repo.comments(pull.number)[0].body;
    assert!(body.contains(&other) && body.contains("in the available evidence"), "{body}");
}

#[test]
fn a_job_that_publishes_nothing_reads_the_queue_only_for_the_gate() {
    let (world, pull, _) = two_accounts("private");
    for event in ["schedule", "pull_request", "merge_group"] {
        for (fail_on, code, gate, asks) in [
            ("auto", 0, "not-evaluated", false),
            ("any", 0, "passed", false),
            ("new", 3, "passed", true),
        ] {
            let inputs = [QUICK[0], ("publish", "none"), ("fail-on", fail_on)];
            let pull = (event != "schedule").then_some(&pull);
            let run =
                world.run(RunOptions { event, pull, inputs: &inputs, ..RunOptions::default() });
            let found = (run.code, run.output("gate"));
            assert_eq!(found, (code, gate), "{event} {fail_on}: {}", run.log);
            let asked = run.requests.iter().any(|it| it.path.contains("/issues"));
            assert_eq!(asked, asks, "{event} {fail_on}");
        }
    }
}

#[test]
fn a_former_account_does_not_make_the_check_incomplete() {
    let (world, _, other) = two_accounts("private");
    let head = former(&other);
    let pull = world.pull_from("dropping", EMPTY, &head);

    let run = world.check(&pull, &head, 0);

    assert_eq!((run.code, run.output("gate")), (0, "passed"), "{}", run.log);
    let body = &world.repo.comments(pull.number)[0].body;
    assert!(body.contains("**This pull request removes accounts from the audit.**"), "{body}");
    assert!(body.contains(&format!("- {other}: `Closed in June`, owner `Platform`")), "{body}");

    // After the merge, the queue does not count its findings, and closes.
    let run = world.day(0, &head);
    assert_eq!((run.code, run.output("result")), (0, "clean"), "{}", run.log);
    let index = world.queue_issue();
    assert_eq!(index.state, "closed", "{}", index.body);
    let run = world.day(0, &head);
    assert_eq!((run.code, run.acts()), (0, vec![]), "{}", run.log);
    // Without the entry it is missing again.
    let run = world.day(0, EMPTY);
    assert_eq!((run.code, run.output("result")), (3, "incomplete"), "{}", run.log);
}

#[test]
fn a_former_account_that_is_audited_is_rejected_on_its_line() {
    let (world, _, _) = two_accounts("private");
    let head = former(world.account.id());
    let pull = world.pull_from("contradicting", EMPTY, &head);
    let accounts = [QUICK[0], ("accounts", world.account.id())];
    for inputs in [&QUICK[..], &accounts] {
        for event in ["schedule", "pull_request"] {
            let pull = (event == "pull_request").then_some(&pull);
            let options =
                RunOptions { event, pull, allowlist: &head, inputs, ..RunOptions::default() };
            let run = world.run(options);
            assert_eq!((run.code, run.acts()), (2, vec![]), "{event}: {}", run.log);
            let place =
                "::error title=former-account-audited,file=.github/iam-allowlist.yml,line=3,";
            assert!(run.log.contains(place), "{event}: {}", run.log);
        }
    }
    // The head removes the former account: the entry of the base does not matter if the account is
    // audited again.
    let pull = world.pull_from("taking-back", &head, EMPTY);
    let run = world.check(&pull, EMPTY, 0);
    assert_eq!(run.code, 3, "the other account is missing still: {}", run.log);
}

#[test]
fn in_public_accounts_that_were_not_audited_are_only_counted() {
    let (world, _, other) = two_accounts("public");
    let head = former(world.account.id());
    let run = world.run(RunOptions { allowlist: &head, ..RunOptions::default() });
    assert_eq!(run.code, 2, "{}", run.log);
    let place = "error[former-account-audited]: .github/iam-allowlist.yml:3:5";
    assert!(run.log.contains(place), "{}", run.log);
    assert!(!run.log.contains("Closed in June"), "{}", run.log);
    let head = former("999988887777");
    let pull = world.pull_from("dropping", EMPTY, &head);
    let run = world.check(&pull, &head, 0);
    assert_eq!(run.code, 3, "{}", run.log);
    let body = &world.repo.comments(pull.number)[0].body;
    for text in [body, &run.log, &run.summary] {
        for name in [other.as_str(), "999988887777", "Closed in June"] {
            assert!(!text.contains(name), "{name}: {text}");
        }
    }
    assert!(body.contains("did not audit 1 account in the queue."), "{body}");
    assert!(body.contains("the queue no longer counts the findings of 1 account."), "{body}");
}
