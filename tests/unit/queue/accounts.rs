//! Accounts that the queue knows and a run did not audit, and accounts that are no longer audited.

use super::*;
use iam_stocktake::queue::gate::unaudited;
use iam_stocktake::queue::observation::{InvalidAudit, Observation};
use iam_stocktake::queue::state::FindingState;

/// A desk whose queue knows two accounts, with a finding in the second.
fn two_accounts(mut desk: Desk) -> (Desk, Found) {
    let bob = password("bob").in_account(OTHER_ACCOUNT);
    let other = Audit::of(OTHER_ACCOUNT, "2026-07-01", std::slice::from_ref(&bob));
    desk.run("2026-07-01", &[Audit::on("2026-07-01", &[]), other]);
    (desk, bob)
}

fn missing(desk: &Desk, audits: &[Audit]) -> Vec<String> {
    let json: Vec<_> = audits.iter().map(|audit| audit.0.clone()).collect();
    let observation = Observation::of(&json, on("2026-07-02")).unwrap();
    unaudited(&observation, &desk.queue_state()).iter().map(ToString::to_string).collect()
}

#[test]
fn an_account_that_the_queue_knows_is_missing_unless_it_is_audited_or_former() {
    let (desk, _) = two_accounts(desk());
    let one = || Audit::on("2026-07-02", &[]);
    assert_eq!(missing(&desk, &[one()]), [OTHER_ACCOUNT]);
    assert_eq!(missing(&desk, &[]), [ACCOUNT, OTHER_ACCOUNT]);
    assert_eq!(missing(&desk, &[one(), Audit::of(OTHER_ACCOUNT, "2026-07-02", &[])]), [""; 0]);
    assert_eq!(missing(&desk, &[one().former_account(OTHER_ACCOUNT)]), [""; 0]);
    // One that is known by its findings alone, as in a queue state of other making.
    let mut queue_state = desk.queue_state();
    queue_state.audited.clear();
    let observation = Observation::of(&[one().0], on("2026-07-02")).unwrap();
    assert_eq!(unaudited(&observation, &queue_state).len(), 1);
}

#[test]
fn an_account_that_is_missing_keeps_its_findings_and_the_queue_open() {
    let (mut desk, bob) = two_accounts(desk());
    desk.run("2026-07-02", &[Audit::on("2026-07-02", &[])]);
    assert!(matches!(desk.queue_state().entries[&bob.id()].state, FindingState::Open { .. }));

    // Nothing is open, and yet nobody can say that all is done.
    let mut desk = super::desk();
    let alice = password("alice");
    let other = Audit::of(OTHER_ACCOUNT, "2026-07-01", &[]);
    desk.run("2026-07-01", &[Audit::on("2026-07-01", &[alice]), other.clone()]);
    desk.run("2026-07-02", &[Audit::on("2026-07-02", &[])]);
    assert!(desk.index().is_open, "{}", desk.page());
    let other = Audit::of(OTHER_ACCOUNT, "2026-07-03", &[]);
    desk.run("2026-07-03", &[Audit::on("2026-07-03", &[]), other]);
    assert!(!desk.index().is_open, "{}", desk.page());
}

#[test]
fn findings_of_a_former_account_are_not_counted_and_do_not_keep_the_queue_open() {
    for per_user in [false, true] {
        let (mut desk, bob) = two_accounts(Desk::new(Language::English, per_user));
        let audit = |day| Audit::on(day, &[]).former_account(OTHER_ACCOUNT);

        let ran = desk.run("2026-07-02", &[audit("2026-07-02")]);

        assert_eq!((ran.update.dismissed, ran.update.cleared), (vec![bob.id()], vec![]));
        assert!(desk.queue_state().entries[&bob.id()].is_not_counted());
        assert!(!desk.page().contains("Incomplete since"), "{}", desk.page());
        assert!(desk.tracker.issues.values().all(|it| !it.shown.is_open), "{}", desk.page());
        let ran = desk.run("2026-07-03", &[audit("2026-07-03")]);
        assert_eq!(ran.plan, NOTHING);
        // The queue still knows the account: the entry cannot be dropped unseen.
        assert_eq!(missing(&desk, &[Audit::on("2026-07-02", &[])]), [OTHER_ACCOUNT]);
        // Audited again, what is found there is back.
        let other = Audit::of(OTHER_ACCOUNT, "2026-07-05", std::slice::from_ref(&bob));
        let ran = desk.run("2026-07-05", &[Audit::on("2026-07-05", &[]), other]);
        assert_eq!(ran.update.returned, [bob.id()]);
    }
}

#[test]
fn an_account_is_not_former_and_audited_at_once() {
    let former = Audit::on("2026-07-01", &[]).former_account(OTHER_ACCOUNT).0;
    let other = Audit::of(OTHER_ACCOUNT, "2026-07-01", &[]).0;
    let id = OTHER_ACCOUNT.parse().unwrap();
    for (audits, index) in [([former.clone(), other.clone()], 0), ([other, former], 1)] {
        let refused = Observation::of(&audits, on("2026-07-01"));
        assert_eq!(refused, Err((index, InvalidAudit::FormerAccountAudited(id))));
    }
}

/// An old allowlist may have been changed since, and one of several may be of another branch.
#[test]
fn an_account_is_former_only_by_all_audits_and_by_a_recent_one() {
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
fn an_old_audit_retires_no_account() {
    let (mut desk, bob) = two_accounts(desk());
    let mut audit = Audit::on("2026-07-20", &[]).former_account(OTHER_ACCOUNT);
    audit.0.accounts[0].report_generated_at = Some(on("2026-07-02"));
    audit.0.accounts[0].evidence = "exported-report".into();
    let ran = desk.run("2026-07-20", std::slice::from_ref(&audit));
    assert_eq!(ran.update.unaudited.len(), 1);
    assert!(matches!(desk.queue_state().entries[&bob.id()].state, FindingState::Open { .. }));
}
