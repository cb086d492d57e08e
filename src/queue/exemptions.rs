//! The exemptions to paste into the allowlist, for findings in the queue.

use chrono::NaiveDate;

use super::observation::FindingRef;
use crate::allowlist::{ExemptedFinding, SuggestedExemption};
use crate::model::inventory::AccountId;

/// The exemptions of these findings as entries of `exemptions`, sorted by user.
pub(super) fn suggested_exemptions<'a>(
    findings: impl Iterator<Item = (AccountId, &'a FindingRef)>,
    expires: NaiveDate,
) -> String {
    let mut findings: Vec<_> =
        findings.map(|(account, finding)| (account.to_string(), finding)).collect();
    findings.sort_by_key(|(account, it)| {
        (account.clone(), it.user.clone(), it.rule, it.kind, it.id_ending.clone())
    });
    let findings = findings.iter().map(|(account, finding)| ExemptedFinding {
        user: &finding.user,
        account,
        user_id: None,
        rule: finding.rule,
        credential: finding.kind.map(|kind| (kind.id(), finding.id_ending.as_deref())),
    });
    SuggestedExemption::for_findings(findings, expires).iter().map(ToString::to_string).collect()
}
