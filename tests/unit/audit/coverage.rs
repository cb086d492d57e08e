//! How complete the evidence was, and who is to be looked at again.

use super::*;

// Coverage

fn coverage(audit: &Audit) -> Vec<(&'static str, &'static str)> {
    let coverage = audit.accounts[0].coverage.iter();
    coverage.map(|(rule, coverage)| (rule.id(), coverage.id())).collect()
}

#[test]
fn a_report_is_a_snapshot_that_does_not_show_what_some_rules_need() {
    let root = Row::of("<root_account>").with("arn", "arn:aws:iam::111122223333:root");
    let expected = [
        ("stale-password", "snapshot"),
        ("stale-access-key", "snapshot"),
        ("expired-user", "not-shown"),
        ("root-access-key", "snapshot"),
        ("old-service-credential", "not-shown"),
        ("inactive-access-key", "snapshot"),
        ("user-without-credentials", "not-shown"),
        ("unrotated-access-key", "snapshot"),
        ("unlisted-user", "snapshot"),
    ];
    let audit = judged_by(&exported(&[root, Row::of("alice").key_used(1, 1)]), &everything());
    assert_eq!(coverage(&audit), expected);
    assert_eq!(audit.accounts[0].incomplete_rules().count(), 0);
}

#[test]
fn a_report_without_the_root_users_row_does_not_show_the_root_users_keys() {
    let audit = judged(&exported(&[Row::of("alice")]));
    assert_eq!(audit.accounts[0].coverage[&Rule::RootAccessKey], Coverage::NotShown);
    assert_eq!(audit.outcome(), AuditOutcome::Clean);
}

#[test]
fn live_evidence_of_everything_is_complete() {
    let audit = judged_by(&live(vec![with_key("alice")]), &everything());
    assert_eq!(coverage(&audit), Rule::ALL.map(|rule| (rule.id(), "complete")));
}

#[test]
fn a_live_look_that_failed_leaves_the_rules_incomplete_that_needed_it() {
    let failed = User { password_evidence: Evidence::NotReChecked, ..with_key("alice") };
    assert_eq!(
        incomplete(&live(vec![failed])),
        ["stale-password", "user-without-credentials", "unlisted-user"]
    );
    let failed = User { access_key_evidence: Evidence::NotReChecked, ..with_key("alice") };
    let account = live(vec![failed]);
    assert_eq!(
        incomplete(&account),
        ["stale-access-key", "inactive-access-key", "unrotated-access-key"]
    );
    assert_eq!(judged(&account).outcome(), AuditOutcome::Incomplete);
}

/// The rules that are incomplete in an account of healthy users with this gap.
fn incomplete_for(piece: EvidenceItem) -> Vec<&'static str> {
    let gap = EvidenceGap {
        piece,
        cause: GapCause::Denied,
        action: "iam:Something",
        message: "AccessDenied".to_owned(),
        users: 0,
    };
    incomplete(&Account { gaps: vec![gap], ..live(vec![with_key("alice")]) })
}

#[test]
fn a_gap_leaves_exactly_the_rules_incomplete_that_needed_the_evidence() {
    assert_eq!(incomplete_for(EvidenceItem::CredentialReport), Rule::ALL.map(Rule::id));
    let all_but_root: Vec<_> =
        Rule::ALL.map(Rule::id).into_iter().filter(|id| *id != "root-access-key").collect();
    assert_eq!(incomplete_for(EvidenceItem::Users), all_but_root);
    assert_eq!(
        incomplete_for(EvidenceItem::LoginProfile),
        ["stale-password", "user-without-credentials", "unlisted-user"]
    );
    assert_eq!(
        incomplete_for(EvidenceItem::AccessKeyUse),
        ["stale-access-key", "inactive-access-key", "unrotated-access-key"]
    );
    for piece in [
        EvidenceItem::SigningCertificates,
        EvidenceItem::SshKeys,
        EvidenceItem::ServiceSpecificCredentials,
    ] {
        let rules = ["old-service-credential", "user-without-credentials"];
        assert_eq!(incomplete_for(piece), rules, "{piece:?}");
    }
    assert_eq!(incomplete_for(EvidenceItem::Tags), ["expired-user"]);
    for ornament in [EvidenceItem::Owners, EvidenceItem::Alias, EvidenceItem::LastAccessed] {
        assert_eq!(incomplete_for(ornament), [""; 0], "{ornament:?}");
    }
}

#[test]
fn a_fetched_report_without_a_second_look_lets_nothing_be_cleared() {
    let fetched = |hours| {
        let report_generated_at = Some(now() - TimeDelta::hours(hours));
        let account = exported(&[Row::of("alice").key_used(1, 1)]);
        judged(&Account {
            evidence_source: EvidenceSource::FetchedReport,
            report_generated_at,
            ..account
        })
    };
    let audit = fetched(4);
    assert_eq!(audit.accounts[0].coverage[&Rule::StaleAccessKey], Coverage::Snapshot);
    assert_eq!(audit.accounts[0].coverage[&Rule::OldServiceCredential], Coverage::NotShown);
    assert_eq!(audit.outcome(), AuditOutcome::Clean);
    assert_eq!(fetched(25).outcome(), AuditOutcome::Incomplete);
}

#[test]
fn live_evidence_older_than_a_day_is_incomplete() {
    let audited = |hours| {
        let report_generated_at = Some(now() - TimeDelta::hours(hours));
        judged(&Account { report_generated_at, ..live(vec![with_key("alice")]) })
    };
    assert_eq!(audited(24).outcome(), AuditOutcome::Clean);
    assert_eq!(audited(25).outcome(), AuditOutcome::Incomplete);
    let undated = Account { report_generated_at: None, ..live(vec![with_key("alice")]) };
    assert_eq!(judged(&undated).outcome(), AuditOutcome::Incomplete);
}

#[test]
fn a_candidate_whom_nobody_looked_at_again_lets_nothing_be_cleared() {
    let unchecked = |used| User {
        password_evidence: Evidence::CredentialReport,
        access_key_evidence: Evidence::CredentialReport,
        access_keys: smallvec![key("AKIAXXXXXXXXXXXXAAAA", used)],
        ..live_user("alice")
    };
    let of_keys =
        |used| judged(&live(vec![unchecked(used)])).accounts[0].coverage[&Rule::StaleAccessKey];
    assert_eq!(of_keys(1), Coverage::Complete, "the sweep clears the healthy");
    assert_eq!(of_keys(100), Coverage::Snapshot);
}

/// The rules that live evidence of this user (and a root user, if there is one) leaves incomplete.
fn incomplete(account: &Account<'_>) -> Vec<&'static str> {
    let audit = judged_by(account, &everything());
    audit.accounts[0].incomplete_rules().map(Rule::id).collect()
}

#[test]
fn what_live_evidence_lacks_makes_the_rules_incomplete_that_need_it() {
    let alice = || with_key("alice");
    let without_tags = User { tags: None, ..alice() };
    assert_eq!(incomplete(&live(vec![without_tags])), ["expired-user"]);
    let without_others = User { other_credentials_complete: false, ..alice() };
    assert_eq!(incomplete(&live(vec![without_others])), ["old-service-credential"]);
    // Only who shows no credential at all can turn out to have none.
    let bare = User { other_credentials_complete: false, ..live_user("alice") };
    assert_eq!(
        incomplete(&live(vec![bare])),
        ["old-service-credential", "user-without-credentials"]
    );
    // Whom the sweep clears, nobody asks for SSH keys unless told to.
    let cleared = User {
        password_evidence: Evidence::CredentialReport,
        access_key_evidence: Evidence::CredentialReport,
        other_credentials_complete: false,
        ..alice()
    };
    let account = live(vec![cleared]);
    assert_eq!(incomplete(&account), [""; 0]);
    let audit = judged(&account);
    assert_eq!(audit.accounts[0].coverage[&Rule::OldServiceCredential], Coverage::NotShown);
    let without_root = Account { root: None, ..live(vec![alice()]) };
    // The root user's signing certificates are in the report alone.
    assert_eq!(incomplete(&without_root), ["root-access-key", "old-service-credential"]);
}

#[test]
fn a_rule_with_an_unknown_verdict_is_incomplete_and_the_others_are_not() {
    let row = Row::of("alice").password_used(1).with("password_last_used", "?");
    let audit = judged(&exported(&[row]));
    assert_eq!(audit.accounts[0].incomplete_rules().collect::<Vec<_>>(), [Rule::StalePassword]);
    assert_eq!(audit.accounts[0].coverage[&Rule::StaleAccessKey], Coverage::Snapshot);
}

#[test]
fn credentials_that_nobody_saw_leave_every_rule_about_keys_incomplete() {
    let hidden = || User { hidden_credentials: true, ..with_key("alice") };
    assert_eq!(
        incomplete(&live(vec![hidden()])),
        ["stale-access-key", "inactive-access-key", "unrotated-access-key"]
    );
    let row = Row::of("alice").key_used(1, 1).with("additional_credentials_info", "3 keys");
    let account = exported(&[row]);
    let audit = judged_by(&account, &everything());
    let coverage = &audit.accounts[0].coverage;
    assert_eq!(coverage[&Rule::StaleAccessKey], Coverage::Incomplete);
    assert_eq!(coverage[&Rule::InactiveAccessKey], Coverage::Incomplete);
    assert_eq!(coverage[&Rule::UnrotatedAccessKey], Coverage::Incomplete);
    // With the stale rule off, the others must not pass for clean.
    let others =
        policy(&[(Rule::StaleAccessKey, Level::Off), (Rule::UnrotatedAccessKey, Level::Error)]);
    assert_eq!(judged_by(&account, &others).outcome(), AuditOutcome::Incomplete);
    // A rule of notices does not stop a run.
    assert_eq!(judged(&account).accounts[0].coverage[&Rule::InactiveAccessKey], Coverage::NotShown);
}

#[test]
fn hidden_credentials_of_the_root_user_are_not_taken_for_none() {
    let row = Row::of("<root_account>").with("additional_credentials_info", "3 access keys");
    let audit = judged(&exported(&[row]));
    assert_eq!(audit.accounts[0].incomplete_rules().collect::<Vec<_>>(), [Rule::RootAccessKey]);
}

#[test]
fn an_exemption_of_the_root_user_is_not_unused_where_no_root_user_was_seen() {
    let list = allowlist(&[
        "{user: <root_account>, rules: [root-access-key], reason: r, owner: o, expires: 2026-12-31}",
    ]);
    let matched =
        |rows: &[Row]| weighed(&exported(rows), &list, &Policy::default()).exemptions[0].matched;
    assert_eq!(matched(&[Row::of("alice")]), ExemptionMatch::NotAudited);
    assert_eq!(matched(&[Row::of("alice"), Row::of("<root_account>")]), ExemptionMatch::Users(1));
}

#[test]
fn an_unlisted_user_whose_exemption_cannot_be_tested_says_so() {
    let list = allowlist(&[
        "{user: alice, user_id: AIDACKCEVSQ6C2EXAMPLE, reason: r, owner: o, expires: 2026-12-31}",
    ]);
    let unlisted = policy(&[(Rule::UnlistedUser, Level::Error)]);
    let account = exported(&[Row::of("alice").key_used(1, 1)]);
    let audit = weighed(&account, &list, &unlisted);
    assert_eq!(audit.findings[0].rule, Rule::UnlistedUser);
    assert_eq!(audit.findings[0].notes, [Note::ExemptionNeedsLiveEvidence(0)]);
}

#[test]
fn an_account_without_users_is_judged_like_any_other() {
    let audit = judged_by(&live(Vec::new()), &everything());
    assert_eq!(coverage(&audit), Rule::ALL.map(|rule| (rule.id(), "complete")));
    assert_eq!((audit.accounts[0].users, audit.outcome()), (0, AuditOutcome::Clean));
}

// Candidates

fn candidates(account: &Account<'_>) -> Vec<String> {
    let policy = Policy::default();
    audit::flagged_users(account, &policy, now()).map(|user| user.name.to_string()).collect()
}

#[test]
fn a_candidate_is_a_user_whom_the_sweep_cannot_clear() {
    let root = Row::of("<root_account>").with("arn", "arn:aws:iam::111122223333:root");
    let account = exported(&[
        root.password_used(400).key_used(1, 400),
        Row::of("healthy").password_used(1).key_used(1, 1),
        Row::of("nothing"),
        Row::of("stale-password").password_used(90),
        Row::of("stale-key").password_used(1).key_used(2, 90),
        Row::of("just-not").password_used(89).key_used(1, 89),
        Row::of("inactive-key").key_used(1, 400).with("access_key_1_active", "false"),
        Row::of("unknown-date").key_used(1, 1).with("access_key_1_last_used_date", "?"),
        Row::of("unknown-flag").with("password_enabled", "?"),
        Row::of("hidden").with("additional_credentials_info", "3 keys"),
    ]);
    assert_eq!(
        candidates(&account),
        ["stale-password", "stale-key", "unknown-date", "unknown-flag", "hidden"]
    );
    assert_eq!(judged(&account).accounts[0].flagged_users, 5);
    assert_eq!(judged(&account).accounts[0].users, 9);
}

#[test]
fn an_exempted_user_is_a_candidate_all_the_same() {
    let audit = weigh(&stale_alice(), &exemption("user: alice"));
    assert_eq!(audit.accounts[0].flagged_users, 1);
}
