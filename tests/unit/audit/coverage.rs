//! Coverage, and flagged users.

use super::*;

// Coverage

fn coverage(audit: &Audit) -> Vec<(&'static str, &'static str)> {
    let coverage = audit.accounts[0].coverage.iter();
    coverage.map(|(rule, coverage)| (rule.id(), coverage.id())).collect()
}

#[test]
fn report_is_a_snapshot_without_the_evidence_for_some_rules() {
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
    let audit = audited_by(&exported(&[root, Row::of("alice").key_used(1, 1)]), &all_rules());
    assert_eq!(coverage(&audit), expected);
    assert_eq!(audit.accounts[0].incomplete_rules().count(), 0);
}

#[test]
fn report_without_the_root_user_does_not_show_root_keys() {
    let audit = audited(&exported(&[Row::of("alice")]));
    assert_eq!(audit.accounts[0].coverage[&Rule::RootAccessKey], Coverage::NotShown);
    assert_eq!(audit.outcome(), AuditOutcome::Clean);
}

#[test]
fn complete_live_evidence_is_complete() {
    let audit = audited_by(&live(vec![with_key("alice")]), &all_rules());
    assert_eq!(coverage(&audit), Rule::ALL.map(|rule| (rule.id(), "complete")));
}

#[test]
fn failed_call_makes_the_rules_that_need_it_incomplete() {
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
    assert_eq!(audited(&account).outcome(), AuditOutcome::Incomplete);
}

/// The rules that are incomplete in an account with this gap and without findings.
fn incomplete_for(item: EvidenceItem) -> Vec<&'static str> {
    let gap = EvidenceGap {
        item,
        cause: GapCause::Denied,
        action: "iam:Something",
        message: "AccessDenied".to_owned(),
        users: 0,
    };
    incomplete(&Account { gaps: vec![gap], ..live(vec![with_key("alice")]) })
}

#[test]
fn gap_makes_exactly_the_rules_that_need_the_evidence_incomplete() {
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
    for optional in [EvidenceItem::Owners, EvidenceItem::Alias, EvidenceItem::LastAccessed] {
        assert_eq!(incomplete_for(optional), [""; 0], "{optional:?}");
    }
}

#[test]
fn fetched_report_without_re_check_clears_nothing() {
    let fetched = |hours| {
        let report_generated_at = Some(now() - TimeDelta::hours(hours));
        let account = exported(&[Row::of("alice").key_used(1, 1)]);
        audited(&Account {
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
    let aged = |hours| {
        let report_generated_at = Some(now() - TimeDelta::hours(hours));
        audited(&Account { report_generated_at, ..live(vec![with_key("alice")]) })
    };
    assert_eq!(aged(24).outcome(), AuditOutcome::Clean);
    assert_eq!(aged(25).outcome(), AuditOutcome::Incomplete);
    let undated = Account { report_generated_at: None, ..live(vec![with_key("alice")]) };
    assert_eq!(audited(&undated).outcome(), AuditOutcome::Incomplete);
}

#[test]
fn flagged_user_without_re_check_clears_nothing() {
    let unchecked = |used| User {
        password_evidence: Evidence::CredentialReport,
        access_key_evidence: Evidence::CredentialReport,
        access_keys: smallvec![key("AKIAXXXXXXXXXXXXAAAA", used)],
        ..live_user("alice")
    };
    let of_keys =
        |used| audited(&live(vec![unchecked(used)])).accounts[0].coverage[&Rule::StaleAccessKey];
    assert_eq!(of_keys(1), Coverage::Complete, "the report clears the other users");
    assert_eq!(of_keys(100), Coverage::Snapshot);
}

/// The rules that are incomplete in this account.
fn incomplete(account: &Account<'_>) -> Vec<&'static str> {
    let audit = audited_by(account, &all_rules());
    audit.accounts[0].incomplete_rules().map(Rule::id).collect()
}

#[test]
fn missing_live_evidence_makes_the_rules_that_need_it_incomplete() {
    let alice = || with_key("alice");
    let without_tags = User { tags: None, ..alice() };
    assert_eq!(incomplete(&live(vec![without_tags])), ["expired-user"]);
    let without_others = User { other_credentials_complete: false, ..alice() };
    assert_eq!(incomplete(&live(vec![without_others])), ["old-service-credential"]);
    // Only a user without visible credentials can have none at all.
    let bare = User { other_credentials_complete: false, ..live_user("alice") };
    assert_eq!(
        incomplete(&live(vec![bare])),
        ["old-service-credential", "user-without-credentials"]
    );
    // By default, SSH keys are listed for flagged users only.
    let cleared = User {
        password_evidence: Evidence::CredentialReport,
        access_key_evidence: Evidence::CredentialReport,
        other_credentials_complete: false,
        ..alice()
    };
    let account = live(vec![cleared]);
    assert_eq!(incomplete(&account), [""; 0]);
    let audit = audited(&account);
    assert_eq!(audit.accounts[0].coverage[&Rule::OldServiceCredential], Coverage::NotShown);
    let without_root = Account { root: None, ..live(vec![alice()]) };
    // Only the report shows the root user's signing certificates.
    assert_eq!(incomplete(&without_root), ["root-access-key", "old-service-credential"]);
}

#[test]
fn unknown_finding_makes_only_its_rule_incomplete() {
    let row = Row::of("alice").password_used(1).with("password_last_used", "?");
    let audit = audited(&exported(&[row]));
    assert_eq!(audit.accounts[0].incomplete_rules().collect::<Vec<_>>(), [Rule::StalePassword]);
    assert_eq!(audit.accounts[0].coverage[&Rule::StaleAccessKey], Coverage::Snapshot);
}

#[test]
fn hidden_credentials_make_every_rule_about_keys_incomplete() {
    let hidden = || User { hidden_credentials: true, ..with_key("alice") };
    assert_eq!(
        incomplete(&live(vec![hidden()])),
        ["stale-access-key", "inactive-access-key", "unrotated-access-key"]
    );
    let row = Row::of("alice").key_used(1, 1).with("additional_credentials_info", "3 keys");
    let account = exported(&[row]);
    let audit = audited_by(&account, &all_rules());
    let coverage = &audit.accounts[0].coverage;
    assert_eq!(coverage[&Rule::StaleAccessKey], Coverage::Incomplete);
    assert_eq!(coverage[&Rule::InactiveAccessKey], Coverage::Incomplete);
    assert_eq!(coverage[&Rule::UnrotatedAccessKey], Coverage::Incomplete);
    // The other rules are not clean if the stale rule is off.
    let others =
        policy(&[(Rule::StaleAccessKey, Level::Off), (Rule::UnrotatedAccessKey, Level::Error)]);
    assert_eq!(audited_by(&account, &others).outcome(), AuditOutcome::Incomplete);
    // A rule with level notice is not required.
    assert_eq!(
        audited(&account).accounts[0].coverage[&Rule::InactiveAccessKey],
        Coverage::NotShown
    );
}

#[test]
fn hidden_credentials_of_the_root_user_are_incomplete() {
    let row = Row::of("<root_account>").with("additional_credentials_info", "3 access keys");
    let audit = audited(&exported(&[row]));
    assert_eq!(audit.accounts[0].incomplete_rules().collect::<Vec<_>>(), [Rule::RootAccessKey]);
}

#[test]
fn root_exemption_is_not_unused_in_a_report_without_the_root_user() {
    let list = allowlist(&[
        "{user: <root_account>, rules: [root-access-key], reason: r, owner: o, expires: 2026-12-31}",
    ]);
    let matched = |rows: &[Row]| {
        audited_with(&exported(rows), &list, &Policy::default()).exemptions[0].matched
    };
    assert_eq!(matched(&[Row::of("alice")]), ExemptionMatch::NotAudited);
    assert_eq!(matched(&[Row::of("alice"), Row::of("<root_account>")]), ExemptionMatch::Users(1));
}

#[test]
fn unlisted_user_whose_exemption_needs_live_evidence_has_a_note() {
    let list = allowlist(&[
        "{user: alice, user_id: AIDACKCEVSQ6C2EXAMPLE, reason: r, owner: o, expires: 2026-12-31}",
    ]);
    let unlisted = policy(&[(Rule::UnlistedUser, Level::Error)]);
    let account = exported(&[Row::of("alice").key_used(1, 1)]);
    let audit = audited_with(&account, &list, &unlisted);
    assert_eq!(audit.findings[0].rule, Rule::UnlistedUser);
    assert_eq!(audit.findings[0].notes, [Note::ExemptionNeedsLiveEvidence(0)]);
}

#[test]
fn account_without_users_is_audited() {
    let audit = audited_by(&live(Vec::new()), &all_rules());
    assert_eq!(coverage(&audit), Rule::ALL.map(|rule| (rule.id(), "complete")));
    assert_eq!((audit.accounts[0].users, audit.outcome()), (0, AuditOutcome::Clean));
}

// Flagged users

fn flagged(account: &Account<'_>) -> Vec<String> {
    let policy = Policy::default();
    audit::flagged_users(account, &policy, now()).map(|user| user.name.to_string()).collect()
}

#[test]
fn flagged_users_are_those_that_the_report_cannot_clear() {
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
        flagged(&account),
        ["stale-password", "stale-key", "unknown-date", "unknown-flag", "hidden"]
    );
    assert_eq!(audited(&account).accounts[0].flagged_users, 5);
    assert_eq!(audited(&account).accounts[0].users, 9);
}

#[test]
fn exempted_user_is_flagged() {
    let audit = audited_exempting(&stale_alice(), &exemption("user: alice"));
    assert_eq!(audit.accounts[0].flagged_users, 1);
}
