//! How complete the evidence of each rule was in one account. Only a complete rule may clear a
//! finding.

use std::collections::BTreeMap;

use super::evidence_age::EvidenceAge;
use super::finding::{Coverage, Finding, FindingStatus};
use super::rules::{self, Criteria};
use crate::model::inventory::{Account, Evidence, EvidenceItem, EvidenceSource, User};
use crate::model::policy::{Level, Rule};

/// The coverage of every rule that is on. `findings` and `age` are the account's.
pub(super) fn of(
    account: &Account<'_>,
    criteria: Criteria<'_>,
    findings: &[Finding],
    age: EvidenceAge,
) -> BTreeMap<Rule, Coverage> {
    let of_rule = |rule| {
        let lacks = |piece: EvidenceItem| rules_requiring(piece).contains(&rule);
        if age.problem.is_some() || account.gaps.iter().any(|gap| lacks(gap.piece)) {
            return Coverage::Incomplete;
        }
        let from_user_evidence = from_user_evidence(rule, account, criteria);
        from_user_evidence.max(from_evidence_source(rule, account, criteria))
    };
    let mut coverage: BTreeMap<Rule, Coverage> =
        criteria.policy.enabled_rules().map(|rule| (rule, of_rule(rule))).collect();
    for finding in findings.iter().filter(|finding| finding.status == FindingStatus::Unknown) {
        coverage.insert(finding.rule, Coverage::Incomplete);
    }
    coverage
}

/// The rules that need a piece of evidence, and are incomplete without it.
#[must_use]
pub(super) const fn rules_requiring(piece: EvidenceItem) -> &'static [Rule] {
    match piece {
        EvidenceItem::CredentialReport => &Rule::ALL,
        // Who is there now is asked by every rule about users.
        EvidenceItem::Users => &[
            Rule::StalePassword,
            Rule::StaleAccessKey,
            Rule::ExpiredUser,
            Rule::OldServiceCredential,
            Rule::InactiveAccessKey,
            Rule::UserWithoutCredentials,
            Rule::UnrotatedAccessKey,
            Rule::UnlistedUser,
        ],
        EvidenceItem::LoginProfile => {
            &[Rule::StalePassword, Rule::UserWithoutCredentials, Rule::UnlistedUser]
        }
        EvidenceItem::AccessKeys => &[
            Rule::StaleAccessKey,
            Rule::InactiveAccessKey,
            Rule::UserWithoutCredentials,
            Rule::UnrotatedAccessKey,
            Rule::UnlistedUser,
        ],
        // Without it the report's keys stand, so that their age and state are the report's too.
        EvidenceItem::AccessKeyUse => {
            &[Rule::StaleAccessKey, Rule::InactiveAccessKey, Rule::UnrotatedAccessKey]
        }
        EvidenceItem::SigningCertificates
        | EvidenceItem::SshKeys
        | EvidenceItem::ServiceSpecificCredentials => {
            &[Rule::OldServiceCredential, Rule::UserWithoutCredentials]
        }
        EvidenceItem::Tags => &[Rule::ExpiredUser],
        EvidenceItem::Owners
        | EvidenceItem::Alias
        | EvidenceItem::LastAccessed
        | EvidenceItem::Holdings => &[],
    }
}

/// What the form of the evidence lets a rule say, were there nothing amiss with any user.
fn from_evidence_source(rule: Rule, account: &Account<'_>, criteria: Criteria<'_>) -> Coverage {
    match account.evidence_source {
        EvidenceSource::ExportedReport | EvidenceSource::FetchedReport => {
            if is_evidence_shown(rule, account, criteria) {
                Coverage::Snapshot
            } else if is_about_listed_keys(rule) && criteria.policy.level(rule) >= Level::Warning {
                // A user whose keys are hidden is an exception, not what was chosen to do without.
                Coverage::Incomplete
            } else {
                Coverage::NotShown
            }
        }
        EvidenceSource::Live if is_evidence_shown(rule, account, criteria) => Coverage::Complete,
        // Listing everybody's SSH keys costs a call a user, and is the user's choice.
        EvidenceSource::Live
            if rule == Rule::OldServiceCredential
                && account.root.is_some()
                && account.users.iter().all(|user| {
                    user.other_credentials_complete || user.evidence() != Evidence::ReChecked
                }) =>
        {
            Coverage::NotShown
        }
        EvidenceSource::Live => Coverage::Incomplete,
    }
}

const fn is_about_listed_keys(rule: Rule) -> bool {
    matches!(rule, Rule::UnrotatedAccessKey | Rule::InactiveAccessKey)
}

/// What the users' own evidence lets a rule say in a live account.
fn from_user_evidence(rule: Rule, account: &Account<'_>, criteria: Criteria<'_>) -> Coverage {
    if account.evidence_source != EvidenceSource::Live {
        return Coverage::Complete;
    }
    let needs = |piece: EvidenceItem| rules_requiring(piece).contains(&rule);
    let for_user = |user: &User<'_>| {
        let mut weakest = Evidence::ReChecked;
        if needs(EvidenceItem::LoginProfile) {
            weakest = weakest.max(user.password_evidence);
        }
        // What hangs on the list of keys alone has a gap where that could not be had.
        if needs(EvidenceItem::AccessKeyUse) {
            weakest = weakest.max(user.access_key_evidence);
        }
        match weakest {
            Evidence::ReChecked => Coverage::Complete,
            Evidence::NotReChecked => Coverage::Incomplete,
            // The sweep clears the healthy; whoever it cannot clear was to be looked at.
            Evidence::CredentialReport if rules::is_flagged(user, criteria) => Coverage::Snapshot,
            Evidence::CredentialReport => Coverage::Complete,
        }
    };
    account.users.iter().map(for_user).max().unwrap_or(Coverage::Complete)
}

/// Whether the evidence shows all that the rule needs.
fn is_evidence_shown(rule: Rule, account: &Account<'_>, criteria: Criteria<'_>) -> bool {
    match rule {
        Rule::RootAccessKey => account.root.is_some(),
        // The root user's signing certificates are in the report alone.
        Rule::OldServiceCredential => {
            account.root.is_some()
                && account.users.iter().all(|user| user.other_credentials_complete)
        }
        Rule::UserWithoutCredentials if account.evidence_source == EvidenceSource::Live => account
            .users
            .iter()
            .all(|user| user.other_credentials_complete || !rules::has_no_visible_credential(user)),
        Rule::UserWithoutCredentials => {
            account.users.iter().all(|user| user.other_credentials_complete)
        }
        Rule::ExpiredUser => {
            criteria.policy.expiry_tag.is_none()
                || account.users.iter().all(|user| user.tags.is_some())
        }
        Rule::StaleAccessKey | Rule::InactiveAccessKey | Rule::UnrotatedAccessKey => {
            account.users.iter().all(|user| !user.hidden_credentials)
        }
        Rule::StalePassword | Rule::UnlistedUser => true,
    }
}
