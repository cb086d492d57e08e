//! Accounts in the queue that a run did not audit, and former accounts.

use super::*;
use iam_stocktake::queue::gate::unaudited;
use iam_stocktake::queue::observation::{InvalidAudit, Observation};
use iam_stocktake::queue::state::FindingState;

/// A queue with two accounts, and a finding in the second.
fn two_accounts(mut harness: Harness) -> (Harness, Found) {
    let bob = password("bob").in_account(OTHER_ACCOUNT);
    let other = Audit::of(OTHER_ACCOUNT, "2026-07-01", std::slice::from_ref(&bob));
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &[]), other]);
    (harness, bob)
}

fn missing(harness: &Harness, audits: &[Audit]) -> Vec<String> {
    let json: Vec<_> = audits.iter().map(|audit| audit.0.clone()).collect();
    let observation = Observation::of(&json, on("2026-07-02")).unwrap();
    unaudited(&observation, &harness.queue_state()).iter().map(ToString::to_string).collect()
}

#[test]
fn accounts_in_the_queue_are_missing_unless_audited_or_former() {
    let (harness, _) = two_accounts(harness());
    let one = || Audit::on("2026-07-02", &[]);
    assert_eq!(missing(&harness, &[one()]), [OTHER_ACCOUNT]);
    assert_eq!(missing(&harness, &[]), [ACCOUNT, OTHER_ACCOUNT]);
    assert_eq!(missing(&harness, &[one(), Audit::of(OTHER_ACCOUNT, "2026-07-02", &[])]), [""; 0]);
    assert_eq!(missing(&harness, &[one().former_account(OTHER_ACCOUNT)]), [""; 0]);
    // An account with findings only, which another program may have written.
    let mut queue_state = harness.queue_state();
    queue_state.audited.clear();
    let observation = Observation::of(&[one().0], on("2026-07-02")).unwrap();
    assert_eq!(unaudited(&observation, &queue_state).len(), 1);
}

#[test]
fn missing_account_keeps_its_findings_and_the_queue_open() {
    let (mut harness, bob) = two_accounts(harness());
    harness.run("2026-07-02", &[Audit::on("2026-07-02", &[])]);
    assert!(matches!(harness.entry(bob.id()).state, FindingState::Open { .. }));

    // Nothing is open, but it is not certain that everything is done.
    let mut harness = super::harness();
    let alice = password("alice");
    let other = Audit::of(OTHER_ACCOUNT, "2026-07-01", &[]);
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &[alice]), other.clone()]);
    harness.run("2026-07-02", &[Audit::on("2026-07-02", &[])]);
    assert!(harness.queue_issue().is_open, "{}", harness.page());
    let other = Audit::of(OTHER_ACCOUNT, "2026-07-03", &[]);
    harness.run("2026-07-03", &[Audit::on("2026-07-03", &[]), other]);
    assert!(!harness.queue_issue().is_open, "{}", harness.page());
}

#[test]
fn findings_of_a_former_account_do_not_keep_the_queue_open() {
    for per_user in [false, true] {
        let (mut harness, bob) = two_accounts(Harness::new(Language::English, per_user));
        let audit = |day| Audit::on(day, &[]).former_account(OTHER_ACCOUNT);

        let ran = harness.run("2026-07-02", &[audit("2026-07-02")]);

        assert_eq!((ran.update.dismissed, ran.update.cleared), (vec![bob.id()], vec![]));
        assert!(harness.entry(bob.id()).is_not_counted());
        assert!(!harness.page().contains("Incomplete since"), "{}", harness.page());
        assert!(harness.tracker.issues.values().all(|it| !it.shown.is_open), "{}", harness.page());
        let ran = harness.run("2026-07-03", &[audit("2026-07-03")]);
        assert_eq!(ran.plan, NOTHING);
        // The account is still in the queue, so removing the entry is noticed.
        assert_eq!(missing(&harness, &[Audit::on("2026-07-02", &[])]), [OTHER_ACCOUNT]);
        // When the account is audited again, its findings return.
        let other = Audit::of(OTHER_ACCOUNT, "2026-07-05", std::slice::from_ref(&bob));
        let ran = harness.run("2026-07-05", &[Audit::on("2026-07-05", &[]), other]);
        assert_eq!(ran.update.returned, [bob.id()]);
    }
}

#[test]
fn rejects_a_former_account_that_is_audited() {
    let former = Audit::on("2026-07-01", &[]).former_account(OTHER_ACCOUNT).0;
    let other = Audit::of(OTHER_ACCOUNT, "2026-07-01", &[]).0;
    let id = OTHER_ACCOUNT.parse().unwrap();
    for (audits, index) in [([former.clone(), other.clone()], 0), ([other, former], 1)] {
        let refused = Observation::of(&audits, on("2026-07-01"));
        assert_eq!(refused, Err((index, InvalidAudit::FormerAccountAudited(id))));
    }
}

/// An old allowlist may have changed since, and one of several may be from another branch.
#[test]
fn former_accounts_need_all_audits_and_a_recent_one() {
    let former = |day| Audit::on(day, &[]).former_account(OTHER_ACCOUNT).0;
    let third = "777788889999";
    let alone = |day| Audit::of(third, day, &[]).0;
    let also = |day| Audit::of(third, day, &[]).former_account(OTHER_ACCOUNT).0;
    let (today, old) = ("2026-07-10", "2026-07-01");
    for (audits, expected) in [
        (vec![former(today)], 1),
        (vec![former(old)], 0),
        (vec![former(today), also(today)], 1),
        (vec![former(today), also(old)], 1),
        (vec![former(old), also(old)], 0),
        (vec![former(today), alone(today)], 0),
        (vec![former(old), alone(today)], 0),
        (vec![alone(today), former(today)], 0),
    ] {
        let observation = Observation::of(&audits, on(today)).unwrap();
        let lists: Vec<_> =
            audits.iter().map(|it| (it.generated_at, it.former_accounts.len())).collect();
        assert_eq!(observation.former_accounts.len(), expected, "{lists:?}");
    }
}

#[test]
fn old_audits_cannot_list_former_accounts() {
    let (mut harness, bob) = two_accounts(harness());
    let mut audit = Audit::on("2026-07-20", &[]).former_account(OTHER_ACCOUNT);
    audit.0.accounts[0].report_generated_at = Some(on("2026-07-02"));
    audit.0.accounts[0].evidence = "exported-report".into();
    let ran = harness.run("2026-07-20", std::slice::from_ref(&audit));
    assert_eq!(ran.update.unaudited.len(), 1);
    assert!(matches!(harness.entry(bob.id()).state, FindingState::Open { .. }));
}
