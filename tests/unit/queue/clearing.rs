//! What clears a finding, and what does not.

use super::*;
use iam_stocktake::model::policy::Level;
use iam_stocktake::queue::observation::{InvalidAudit, Observation};
use iam_stocktake::queue::state::FindingState;

/// A queue with these findings since July 1.
fn harness_with(found: &[Found]) -> Harness {
    let mut harness = harness();
    harness.run("2026-07-01", &[Audit::on("2026-07-01", found)]);
    harness
}

fn state(harness: &Harness, id: FindingId) -> &'static str {
    match harness.entry(id).state {
        FindingState::Open { .. } => "open",
        FindingState::Exempted { .. } => "exempted",
        FindingState::Cleared { .. } => "cleared",
        FindingState::NotCounted { .. } => "not counted",
    }
}

/// The state of a key that the audit of the next day does not find.
fn after(audit: Audit) -> &'static str {
    let found = access_key("alice");
    let mut harness = harness_with(std::slice::from_ref(&found));
    harness.run("2026-07-02", &[audit]);
    let queue_issue = harness.queue_issue();
    // Open findings and ignored findings keep the queue open.
    let needs_to_be_open =
        ["- [ ]", "Not counted since"].iter().any(|it| queue_issue.body.contains(it));
    assert_eq!(queue_issue.is_open, needs_to_be_open, "{}", queue_issue.body);
    state(&harness, found.id())
}

fn clean_audit() -> Audit {
    Audit::on("2026-07-02", &[])
}

#[test]
fn complete_observation_clears_removed_credentials() {
    assert_eq!(after(clean_audit()), "cleared");
}

#[test]
fn incomplete_or_exported_evidence_clears_nothing() {
    let rule = "stale-access-key";
    for coverage in ["incomplete", "snapshot", "not-shown"] {
        assert_eq!(after(clean_audit().coverage(rule, coverage)), "open", "{coverage}");
    }
    // The evidence of another rule does not matter.
    assert_eq!(after(clean_audit().coverage("stale-password", "snapshot")), "cleared");
}

#[test]
fn unaudited_account_keeps_its_findings_and_last_audit_date() {
    let (here, there) = (access_key("alice"), access_key("bob").in_account(OTHER_ACCOUNT));
    let mut harness = harness();
    harness.run(
        "2026-07-01",
        &[
            Audit::on("2026-07-01", std::slice::from_ref(&here)),
            Audit::of(OTHER_ACCOUNT, "2026-07-01", std::slice::from_ref(&there)),
        ],
    );
    harness.run("2026-07-02", &[clean_audit()]);
    assert_eq!((state(&harness, here.id()), state(&harness, there.id())), ("cleared", "open"));
    let page = harness.page();
    assert!(page.contains("> Incomplete since 2026-07-01: "), "{page}");
    assert!(page.contains("in account 444455556666.\n"), "{page}");
    // It is audited again, but the other account is not.
    let audit = Audit::of(OTHER_ACCOUNT, "2026-07-03", &[]);
    harness.run("2026-07-03", &[audit]);
    assert_eq!(state(&harness, there.id()), "cleared");
    let page = harness.page();
    assert!(page.contains("> Incomplete since 2026-07-02: "), "{page}");
}

#[test]
fn rejects_an_audit_older_than_the_queue_state() {
    let mut harness = harness_with(&[access_key("alice")]);
    let before = harness.tracker.clone();
    let refused = harness.try_run("2026-07-02", &[Audit::on("2026-06-30", &[])]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the evidence in the audit of account 111122223333 is from 2026-06-30 06:00:00 UTC, but \
         the queue has newer evidence, from 2026-07-01 06:00:00 UTC"
    );
    assert_eq!(harness.queue_issue().body, before.issues[&1].shown.body);
    // The same audit again changes nothing, and other accounts are independent.
    let same = Audit::on("2026-07-01", &[access_key("alice")]);
    assert_eq!(harness.run("2026-07-01", &[same]).plan, NOTHING);
    assert!(harness.try_run("2026-07-02", &[Audit::of(OTHER_ACCOUNT, "2026-06-30", &[])]).is_ok());
}

#[test]
fn incomplete_audits_also_outdate_older_audits() {
    let found = access_key("alice");
    let mut audit = Audit::on("2026-07-02", std::slice::from_ref(&found));
    for coverage in audit.0.accounts[0].complete.values_mut() {
        *coverage = "incomplete".into();
    }
    let mut harness = harness();
    harness.run("2026-07-02", &[audit]);
    assert!(harness.try_run("2026-07-03", &[Audit::on("2026-07-01", &[])]).is_err());
    assert_eq!(state(&harness, found.id()), "open");
}

#[test]
fn two_day_old_audit_adds_findings_and_clears_none() {
    let (alice, bob) = (access_key("alice"), access_key("bob"));
    let mut harness = harness_with(std::slice::from_ref(&alice));
    harness.run("2026-07-04", &[Audit::on("2026-07-02", std::slice::from_ref(&bob))]);
    assert_eq!((state(&harness, alice.id()), state(&harness, bob.id())), ("open", "open"));
    // 24 hours are allowed.
    harness.run("2026-07-06", &[Audit::on("2026-07-05", std::slice::from_ref(&bob))]);
    assert_eq!(state(&harness, alice.id()), "cleared");
}

#[test]
fn rejects_an_audit_from_the_future() {
    let refused = Observation::of(&[Audit::on("2026-07-02", &[]).0], on("2026-07-01"));
    assert_eq!(refused, Err((0, InvalidAudit::FromFuture(on("2026-07-02")))));
}

#[test]
fn rejects_an_account_in_two_audits() {
    let audit = Audit::on("2026-07-01", &[]).0;
    let refused = Observation::of(&[audit.clone(), audit], on("2026-07-01"));
    assert_eq!(refused, Err((1, InvalidAudit::DuplicateAccount(ACCOUNT.parse().unwrap()))));
}

#[test]
fn unknown_findings_keep_their_last_state() {
    let alice = access_key("alice");
    let unknown = alice.clone().unknown();
    let mut harness = harness_with(std::slice::from_ref(&alice));
    let before = harness.page();
    let audit = Audit::on("2026-07-02", &[unknown]).coverage("stale-access-key", "incomplete");
    harness.run("2026-07-02", &[audit]);
    assert_eq!(state(&harness, alice.id()), "open");
    let row = |page: &str| page.lines().find(|it| it.starts_with("- [")).unwrap().to_owned();
    assert_eq!(row(&harness.page()), row(&before));
}

#[test]
fn findings_that_were_always_unknown_do_not_enter_the_queue() {
    let mut harness = harness();
    let audit = Audit::on("2026-07-01", &[access_key("alice").unknown()])
        .coverage("stale-access-key", "incomplete");
    harness.run("2026-07-01", &[audit]);
    assert_eq!(harness.queue_state().entries.len(), 0);
}

#[test]
fn queue_stays_open_while_evidence_is_missing() {
    let mut harness = harness();
    let audit = Audit::on("2026-07-01", &[]).coverage("stale-access-key", "incomplete");
    harness.run("2026-07-01", &[audit]);
    assert!(harness.queue_issue().is_open);
    let page = harness.page();
    assert!(!page.contains("**No open findings.**"), "{page}");
    let warning = "> Never audited completely: stale-access-key in account 111122223333.";
    assert!(page.contains(warning), "{page}");
    // With all evidence, the queue issue can be closed.
    let ran = harness.run("2026-07-02", &[Audit::on("2026-07-02", &[])]);
    assert_eq!(ran.plan, "edit and close as completed issue #1, the queue issue: 0 open\n");
}

#[test]
fn less_strict_policy_clears_nothing() {
    assert_eq!(after(clean_audit().without_rule("stale-access-key")), "not counted");
    assert_eq!(after(clean_audit().stale_after_days(365)), "not counted");
    let notice = access_key("alice").level("notice");
    assert_eq!(after(Audit::on("2026-07-02", &[notice])), "not counted");
    // With a threshold that still includes the finding, it is cleared.
    assert_eq!(after(clean_audit().stale_after_days(180)), "cleared");
}

#[test]
fn findings_return_when_the_policy_is_strict_again() {
    let alice = access_key("alice");
    let mut harness = harness_with(std::slice::from_ref(&alice));
    let ran = harness.run("2026-07-02", &[clean_audit().stale_after_days(365)]);
    assert_eq!(ran.update.dismissed, [alice.id()]);
    let page = harness.page();
    let line = "- `alice`: access key&nbsp;…`WXYZ`, last used 2026-01-01. Not counted since \
                2026-07-02 because of the policy.";
    assert!(page.contains(line), "{page}");
    let ran = harness.run("2026-07-03", &[Audit::on("2026-07-03", std::slice::from_ref(&alice))]);
    assert_eq!((ran.update.new.len(), ran.update.returned), (0, vec![alice.id()]));
    // It is cleared while the policy ignores it, which is noticed later.
    harness.run("2026-07-04", &[Audit::on("2026-07-04", &[]).without_rule("stale-access-key")]);
    harness.run("2026-07-05", &[Audit::on("2026-07-05", &[])]);
    assert_eq!(state(&harness, alice.id()), "cleared");
}

#[test]
fn queue_has_the_newest_level_of_a_finding() {
    let alice = access_key("alice");
    let mut harness = harness_with(&[alice.clone().level("warning")]);
    harness.run("2026-07-02", &[Audit::on("2026-07-02", std::slice::from_ref(&alice))]);
    assert_eq!(harness.entry(alice.id()).level, Level::Error);
}

#[test]
fn user_issue_stays_open_while_the_policy_ignores_its_finding() {
    let alice = access_key("alice");
    let mut harness = harness_per_user();
    harness.run("2026-07-01", &[Audit::on("2026-07-01", std::slice::from_ref(&alice))]);
    harness.run("2026-07-02", &[clean_audit().without_rule("stale-access-key")]);
    assert!(harness.tracker.issue(1).is_open);
    harness.run("2026-07-03", &[Audit::on("2026-07-03", &[])]);
    assert!(!harness.tracker.issue(1).is_open);
}

#[test]
fn changed_expiry_tag_does_not_clear_findings() {
    let alice =
        access_key("alice").of("expired-user", "error", None).reference("expired", "2026-06-01");
    let mut harness = harness();
    let tagged = |day: &str, found: &[Found], tag: &str| Audit::on(day, found).expiry_tag(tag);
    let found = std::slice::from_ref(&alice);
    harness.run("2026-07-01", &[tagged("2026-07-01", found, "expires-on")]);
    harness.run("2026-07-02", &[tagged("2026-07-02", &[], "until")]);
    assert_eq!(state(&harness, alice.id()), "not counted");
    harness.run("2026-07-03", &[tagged("2026-07-03", &[], "until")]);
    assert_eq!(state(&harness, alice.id()), "not counted");
    // With the same tag it is cleared.
    harness.run("2026-07-04", &[tagged("2026-07-04", found, "until")]);
    harness.run("2026-07-05", &[tagged("2026-07-05", &[], "until")]);
    assert_eq!(state(&harness, alice.id()), "cleared");
}

#[test]
fn live_evidence_without_ssh_keys_clears_other_service_credentials() {
    let rule = "old-service-credential";
    let old = |kind| {
        access_key("alice").of(rule, "warning", Some(kind)).reference("created", "2025-01-01")
    };
    let (ssh, service) = (old("ssh-key"), old("service-specific-credential"));
    let mut harness = harness_with(&[ssh.clone(), service.clone()]);
    harness.run("2026-07-02", &[clean_audit().coverage(rule, "not-shown")]);
    assert_eq!((state(&harness, ssh.id()), state(&harness, service.id())), ("open", "cleared"));
}

#[test]
fn root_key_in_daily_use_causes_no_changes() {
    let used = |day: &str| {
        let mut key =
            access_key("<root_account>").of("root-access-key", "warning", Some("access-key"));
        key.0.credential.as_mut().unwrap().created = Some(on("2020-01-01"));
        Audit::on(day, &[key.last_used(day)])
    };
    let mut harness = harness();
    harness.run("2026-07-01", &[used("2026-07-01")]);
    assert_eq!(harness.run("2026-07-02", &[used("2026-07-02")]).plan, NOTHING);
}

#[test]
fn fractions_of_a_second_cause_no_changes() {
    let mut audit = Audit::on("2026-07-01", &[access_key("alice")]);
    let moment = audit.0.findings[0].reference_date.as_mut().unwrap();
    *moment += chrono::TimeDelta::milliseconds(250);
    audit.0.generated_at += chrono::TimeDelta::milliseconds(250);
    let mut harness = harness();
    harness.run("2026-07-01", std::slice::from_ref(&audit));
    assert_eq!(harness.run("2026-07-01", &[audit]).plan, NOTHING);
}

#[test]
fn resolved_findings_are_shown_for_a_month_and_kept_for_six_months() {
    let alice = access_key("alice");
    let mut harness = harness_with(std::slice::from_ref(&alice));
    let mut clean = |day: &str| {
        harness.run(day, &[Audit::on(day, &[])]);
        (
            harness.page().contains("`alice`"),
            harness.queue_state().entries.find(&alice.id()).is_some(),
        )
    };
    assert_eq!(clean("2026-07-02"), (true, true));
    assert_eq!(clean("2026-08-01"), (true, true));
    assert_eq!(clean("2026-08-10"), (false, true));
    assert_eq!(clean("2026-12-29"), (false, true));
    assert_eq!(clean("2027-01-10"), (false, false));
}

#[test]
fn run_on_the_next_day_changes_nothing() {
    for per_user in [false, true] {
        let mut harness = Harness::new(Language::English, per_user);
        let (key, password) = (access_key("alice"), password("alice"));
        harness.run("2026-07-01", &[Audit::on("2026-07-01", &[key, password.clone()])]);
        let audit = |day: &str| Audit::on(day, std::slice::from_ref(&password));
        harness.run("2026-07-02", &[audit("2026-07-02")]);
        // The key is no longer listed as resolved.
        harness.run("2026-08-05", &[audit("2026-08-05")]);
        assert_eq!(harness.run("2026-08-06", &[audit("2026-08-06")]).plan, NOTHING);
    }
}
