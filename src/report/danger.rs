//! The order in which people read findings: by danger, each user once.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::audit::{Finding, FindingStatus};
use crate::model::policy::{Level, Rule};

/// The findings of one account grouped by user, the most dangerous user first: root keys, then by level,
/// then by days. Findings of users who recently changed their password are last, and notices after them.
pub(super) fn by_danger<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<Vec<&'a Finding>> {
    let mut by_user: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        by_user.entry(&finding.user.name).or_default().push(finding);
    }
    let mut users: Vec<_> = by_user.into_values().collect();
    for of_user in &mut users {
        of_user.sort_by_key(|finding| danger(finding));
    }
    // The most dangerous finding of a user is the first one. Users of equal danger stay sorted by name.
    users.sort_by_key(|of_user| of_user.first().map(|first| danger(first)));
    users
}

/// Whether the finding is an open notice.
pub(super) fn is_notice(finding: &Finding) -> bool {
    finding.level == Level::Notice && finding.status == FindingStatus::Open
}

/// Sorts findings, the most dangerous first.
fn danger(finding: &Finding) -> impl Ord + use<> {
    (
        is_notice(finding),
        finding.rule != Rule::RootAccessKey,
        finding.recently_reset(),
        Reverse(finding.level),
        finding.status != FindingStatus::Unknown,
        Reverse(finding.days),
    )
}
