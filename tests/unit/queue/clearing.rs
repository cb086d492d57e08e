//! What clears a finding, and the many things that do not.

use super::*;
use iam_stocktake::queue::observation::{InvalidAudit, Observation};
use iam_stocktake::queue::state::FindingState;

/// A desk whose queue holds these findings since the first of July.
fn desk_with(found: &[Found]) -> Desk {
    let mut desk = desk();
    desk.run("2026-07-01", &[Audit::on("2026-07-01", found)]);
    desk
}

fn state(desk: &Desk, id: FindingId) -> &'static str {
    match desk.queue_state().entries[&id].state {
        FindingState::Open { .. } => "open",
        FindingState::Exempted { .. } => "exempted",
        FindingState::Cleared { .. } => "cleared",
        FindingState::NotCounted { .. } => "not counted",
    }
}

/// What becomes of a key that the next day's audit does not find.
fn after(audit: Audit) -> &'static str {
    let found = access_key("alice");
    let mut desk = desk_with(std::slice::from_ref(&found));
    desk.run("2026-07-02", &[audit]);
    let index = desk.index();
    // What is listed keeps it open, and so does what the policy looks away from.
    let holds = ["- [ ]", "Not counted since"].iter().any(|it| index.body.contains(it));
    assert_eq!(index.is_open, holds, "{}", index.body);
    state(&desk, found.id())
}

fn gone() -> Audit {
    Audit::on("2026-07-02", &[])
}

#[test]
fn a_complete_observation_clears_what_is_gone() {
    assert_eq!(after(gone()), "cleared");
}

#[test]
fn what_was_not_observed_completely_and_live_is_not_cleared() {
    let rule = "stale-access-key";
    for coverage in ["incomplete", "snapshot", "not-shown"] {
        assert_eq!(after(gone().coverage(rule, coverage)), "open", "{coverage}");
    }
    // Another rule's evidence is no matter.
    assert_eq!(after(gone().coverage("stale-password", "snapshot")), "cleared");
}

#[test]
fn an_account_that_was_not_audited_keeps_its_findings_and_the_day_of_its_last_audit() {
    let (here, there) = (access_key("alice"), access_key("bob").in_account(OTHER_ACCOUNT));
    let mut desk = desk();
    desk.run(
        "2026-07-01",
        &[
            Audit::on("2026-07-01", std::slice::from_ref(&here)),
            Audit::of(OTHER_ACCOUNT, "2026-07-01", std::slice::from_ref(&there)),
        ],
    );
    desk.run("2026-07-02", &[gone()]);
    assert_eq!((state(&desk, here.id()), state(&desk, there.id())), ("cleared", "open"));
    let page = desk.page();
    assert!(page.contains("> Incomplete since 2026-07-01: "), "{page}");
    assert!(page.contains("in account 444455556666.\n"), "{page}");
    // It is audited again, and the other is not.
    let audit = Audit::of(OTHER_ACCOUNT, "2026-07-03", &[]);
    desk.run("2026-07-03", &[audit]);
    assert_eq!(state(&desk, there.id()), "cleared");
    let page = desk.page();
    assert!(page.contains("> Incomplete since 2026-07-02: "), "{page}");
}

#[test]
fn an_audit_that_is_older_than_the_memory_is_refused() {
    let mut desk = desk_with(&[access_key("alice")]);
    let before = desk.tracker.clone();
    let refused = desk.try_run("2026-07-02", &[Audit::on("2026-06-30", &[])]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the evidence in the audit of account 111122223333 is from 2026-06-30 06:00:00 UTC, but \
         the queue has newer evidence, from 2026-07-01 06:00:00 UTC"
    );
    assert_eq!(desk.index().body, before.issues[&1].shown.body);
    // The same audit again says nothing new, and another account is another matter.
    let same = Audit::on("2026-07-01", &[access_key("alice")]);
    assert_eq!(desk.run("2026-07-01", &[same]).plan, NOTHING);
    assert!(desk.try_run("2026-07-02", &[Audit::of(OTHER_ACCOUNT, "2026-06-30", &[])]).is_ok());
}

#[test]
fn an_audit_whose_evidence_was_all_incomplete_counts_as_newer_too() {
    let found = access_key("alice");
    let mut audit = Audit::on("2026-07-02", std::slice::from_ref(&found));
    for coverage in audit.0.accounts[0].complete.values_mut() {
        *coverage = "incomplete".into();
    }
    let mut desk = desk();
    desk.run("2026-07-02", &[audit]);
    assert!(desk.try_run("2026-07-03", &[Audit::on("2026-07-01", &[])]).is_err());
    assert_eq!(state(&desk, found.id()), "open");
}

#[test]
fn an_audit_of_the_day_before_yesterday_adds_findings_and_clears_none() {
    let (alice, bob) = (access_key("alice"), access_key("bob"));
    let mut desk = desk_with(std::slice::from_ref(&alice));
    desk.run("2026-07-04", &[Audit::on("2026-07-02", std::slice::from_ref(&bob))]);
    assert_eq!((state(&desk, alice.id()), state(&desk, bob.id())), ("open", "open"));
    // Twenty-four hours are not too many.
    desk.run("2026-07-06", &[Audit::on("2026-07-05", std::slice::from_ref(&bob))]);
    assert_eq!(state(&desk, alice.id()), "cleared");
}

#[test]
fn an_audit_that_is_still_to_come_is_refused_lest_it_outdate_all_others() {
    let refused = Observation::of(&[Audit::on("2026-07-02", &[]).0], on("2026-07-01"));
    assert_eq!(refused, Err((0, InvalidAudit::FromFuture(on("2026-07-02")))));
}

#[test]
fn an_account_is_taken_from_one_audit_alone() {
    let audit = Audit::on("2026-07-01", &[]).0;
    let refused = Observation::of(&[audit.clone(), audit], on("2026-07-01"));
    assert_eq!(refused, Err((1, InvalidAudit::DuplicateAccount(ACCOUNT.parse().unwrap()))));
}

#[test]
fn a_finding_that_cannot_be_judged_stays_as_it_was_seen_last() {
    let alice = access_key("alice");
    let unknown = alice.clone().unknown();
    let mut desk = desk_with(std::slice::from_ref(&alice));
    let before = desk.page();
    let audit = Audit::on("2026-07-02", &[unknown]).coverage("stale-access-key", "incomplete");
    desk.run("2026-07-02", &[audit]);
    assert_eq!(state(&desk, alice.id()), "open");
    let row = |page: &str| page.lines().find(|it| it.starts_with("- [")).unwrap().to_owned();
    assert_eq!(row(&desk.page()), row(&before));
}

#[test]
fn a_finding_that_nobody_could_ever_judge_does_not_enter() {
    let mut desk = desk();
    let audit = Audit::on("2026-07-01", &[access_key("alice").unknown()])
        .coverage("stale-access-key", "incomplete");
    desk.run("2026-07-01", &[audit]);
    assert_eq!(desk.queue_state().entries.len(), 0);
}

#[test]
fn where_evidence_is_missing_nothing_is_called_done() {
    let mut desk = desk();
    let audit = Audit::on("2026-07-01", &[]).coverage("stale-access-key", "incomplete");
    desk.run("2026-07-01", &[audit]);
    assert!(desk.index().is_open);
    let page = desk.page();
    assert!(!page.contains("**No open findings.**"), "{page}");
    let warning = "> Never audited completely: stale-access-key in account 111122223333.";
    assert!(page.contains(warning), "{page}");
    // Once it was had, the index can be closed.
    let ran = desk.run("2026-07-02", &[Audit::on("2026-07-02", &[])]);
    assert_eq!(ran.plan, "edit and close as completed issue #1, the queue issue: 0 open\n");
}

#[test]
fn a_policy_that_asks_for_less_clears_nothing() {
    assert_eq!(after(gone().without_rule("stale-access-key")), "not counted");
    assert_eq!(after(gone().stale_after_days(365)), "not counted");
    let notice = access_key("alice").level("notice");
    assert_eq!(after(Audit::on("2026-07-02", &[notice])), "not counted");
    // A threshold that the finding would still have passed says nothing.
    assert_eq!(after(gone().stale_after_days(180)), "cleared");
}

#[test]
fn a_finding_that_the_policy_let_go_is_back_when_it_asks_for_it_again() {
    let alice = access_key("alice");
    let mut desk = desk_with(std::slice::from_ref(&alice));
    let ran = desk.run("2026-07-02", &[gone().stale_after_days(365)]);
    assert_eq!(ran.update.dismissed, [alice.id()]);
    let page = desk.page();
    let line = "- `alice`: access key&nbsp;…`WXYZ`, last used 2026-01-01. Not counted since \
                2026-07-02 because of the policy.";
    assert!(page.contains(line), "{page}");
    let ran = desk.run("2026-07-03", &[Audit::on("2026-07-03", std::slice::from_ref(&alice))]);
    assert_eq!((ran.update.new.len(), ran.update.returned), (0, vec![alice.id()]));
    // It goes for another reason while the policy does not ask for it: that is seen later.
    desk.run("2026-07-04", &[Audit::on("2026-07-04", &[]).without_rule("stale-access-key")]);
    desk.run("2026-07-05", &[Audit::on("2026-07-05", &[])]);
    assert_eq!(state(&desk, alice.id()), "cleared");
}

#[test]
fn another_expiry_tag_is_another_policy_and_stays_so() {
    let alice =
        access_key("alice").of("expired-user", "error", None).reference("expired", "2026-06-01");
    let mut desk = desk();
    let tagged = |day: &str, found: &[Found], tag: &str| Audit::on(day, found).expiry_tag(tag);
    let found = std::slice::from_ref(&alice);
    desk.run("2026-07-01", &[tagged("2026-07-01", found, "expires-on")]);
    desk.run("2026-07-02", &[tagged("2026-07-02", &[], "until")]);
    assert_eq!(state(&desk, alice.id()), "not counted");
    desk.run("2026-07-03", &[tagged("2026-07-03", &[], "until")]);
    assert_eq!(state(&desk, alice.id()), "not counted");
    // By the same tag it is cleared.
    desk.run("2026-07-04", &[tagged("2026-07-04", found, "until")]);
    desk.run("2026-07-05", &[tagged("2026-07-05", &[], "until")]);
    assert_eq!(state(&desk, alice.id()), "cleared");
}

#[test]
fn live_evidence_without_ssh_keys_clears_the_other_service_credentials() {
    let rule = "old-service-credential";
    let old = |kind| {
        access_key("alice").of(rule, "warning", Some(kind)).reference("created", "2025-01-01")
    };
    let (ssh, service) = (old("ssh-key"), old("service-specific-credential"));
    let mut desk = desk_with(&[ssh.clone(), service.clone()]);
    desk.run("2026-07-02", &[gone().coverage(rule, "not-shown")]);
    assert_eq!((state(&desk, ssh.id()), state(&desk, service.id())), ("open", "cleared"));
}

#[test]
fn a_root_key_in_daily_use_is_no_news_from_day_to_day() {
    let used = |day: &str| {
        let mut key =
            access_key("<root_account>").of("root-access-key", "warning", Some("access-key"));
        key.0.credential.as_mut().unwrap().created = Some(on("2020-01-01"));
        Audit::on(day, &[key.last_used(day)])
    };
    let mut desk = desk();
    desk.run("2026-07-01", &[used("2026-07-01")]);
    assert_eq!(desk.run("2026-07-02", &[used("2026-07-02")]).plan, NOTHING);
}

#[test]
fn parts_of_a_second_are_no_difference() {
    let mut audit = Audit::on("2026-07-01", &[access_key("alice")]);
    let moment = audit.0.findings[0].reference_date.as_mut().unwrap();
    *moment += chrono::TimeDelta::milliseconds(250);
    audit.0.generated_at += chrono::TimeDelta::milliseconds(250);
    let mut desk = desk();
    desk.run("2026-07-01", std::slice::from_ref(&audit));
    assert_eq!(desk.run("2026-07-01", &[audit]).plan, NOTHING);
}

#[test]
fn what_was_settled_is_shown_for_a_month_and_forgotten_after_half_a_year() {
    let alice = access_key("alice");
    let mut desk = desk_with(std::slice::from_ref(&alice));
    let mut clean = |day: &str| {
        desk.run(day, &[Audit::on(day, &[])]);
        (desk.page().contains("`alice`"), desk.queue_state().entries.contains_key(&alice.id()))
    };
    assert_eq!(clean("2026-07-02"), (true, true));
    assert_eq!(clean("2026-08-01"), (true, true));
    assert_eq!(clean("2026-08-10"), (false, true));
    assert_eq!(clean("2026-12-29"), (false, true));
    assert_eq!(clean("2027-01-10"), (false, false));
}

#[test]
fn a_run_the_day_after_has_nothing_to_do_whatever_the_passing_of_days_hides() {
    for per_user in [false, true] {
        let mut desk = Desk::new(Language::English, per_user);
        let (key, password) = (access_key("alice"), password("alice"));
        desk.run("2026-07-01", &[Audit::on("2026-07-01", &[key, password.clone()])]);
        let audit = |day: &str| Audit::on(day, std::slice::from_ref(&password));
        desk.run("2026-07-02", &[audit("2026-07-02")]);
        // The key is no longer shown among what was settled.
        desk.run("2026-08-05", &[audit("2026-08-05")]);
        assert_eq!(desk.run("2026-08-06", &[audit("2026-08-06")]).plan, NOTHING);
    }
}
