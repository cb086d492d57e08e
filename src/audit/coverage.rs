//! How complete the evidence of each rule is in one account. Only a complete rule can clear a
//! finding.

use std::collections::BTreeMap;

use super::criteria::Criteria;
use super::evidence_age::EvidenceAge;
use super::finding::{Coverage, Finding, FindingStatus};
use super::rules::Availability;
use super::user_state::is_flagged;
use crate::model::inventory::{Account, Evidence, EvidenceItem, EvidenceSource, User};
use crate::model::policy::Rule;

/// The coverage of every enabled rule. `findings` and `age` belong to the account.
pub(super) fn of(
    account: &Account<'_>,
    criteria: Criteria<'_>,
    findings: &[Finding],
    age: EvidenceAge,
) -> BTreeMap<Rule, Coverage> {
    let of_rule = |rule: Rule| {
        let lacks = |item: EvidenceItem| rule.requires(item);
        if age.problem.is_some() || account.gaps.iter().any(|gap| lacks(gap.item)) {
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

/// The coverage that the account's evidence allows, as far as the evidence could be collected.
fn from_evidence_source(rule: Rule, account: &Account<'_>, criteria: Criteria<'_>) -> Coverage {
    match (rule.availability(account, criteria), account.evidence_source) {
        (Availability::Shown, EvidenceSource::Live) => Coverage::Complete,
        (Availability::Shown, _) => Coverage::Snapshot,
        (Availability::LeftOut, _) => Coverage::NotShown,
        (Availability::Missing, _) => Coverage::Incomplete,
    }
}

/// The coverage that the evidence of the users allows in a live account.
fn from_user_evidence(rule: Rule, account: &Account<'_>, criteria: Criteria<'_>) -> Coverage {
    if account.evidence_source != EvidenceSource::Live {
        return Coverage::Complete;
    }
    let needs = |item: EvidenceItem| rule.requires(item);
    let for_user = |user: &User<'_>| {
        let mut weakest = Evidence::ReChecked;
        if needs(EvidenceItem::LoginProfile) {
            weakest = weakest.max(user.password_evidence);
        }
        // A rule that needs only the list of keys has a gap if the list is missing.
        if needs(EvidenceItem::AccessKeyUse) {
            weakest = weakest.max(user.access_key_evidence);
        }
        match weakest {
            Evidence::ReChecked => Coverage::Complete,
            Evidence::NotReChecked => Coverage::Incomplete,
            // The credential report clears users who are not flagged; flagged users should have
            // been re-checked.
            Evidence::CredentialReport if is_flagged(user, criteria) => Coverage::Snapshot,
            Evidence::CredentialReport => Coverage::Complete,
        }
    };
    account.users.iter().map(for_user).max().unwrap_or(Coverage::Complete)
}
