//! The limits of one run. If a plan exceeds a limit, nothing is changed: a plan that large is
//! probably a mistake.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{PlanInput, PlannedChange};
use crate::model::inventory::AccountId;
use crate::model::policy::remediation::RemediationPolicy;

/// A limit that the plan exceeds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExceededLimit {
    /// More changes than one run may make.
    Changes { due: usize, allowed: usize },
    /// More users of one account than one run may change.
    Share {
        account: AccountId,
        /// The number of users to change.
        due: usize,
        /// The number of users that one run may change.
        allowed: usize,
        /// The number of users in the account.
        users: usize,
    },
}

/// Returns the limits that the changes exceed. Changes to remediation tags do not count because
/// they remove no access.
#[must_use]
pub fn exceeded_limits(
    changes: &[PlannedChange],
    input: &PlanInput,
    policy: &RemediationPolicy,
) -> Vec<ExceededLimit> {
    let mut exceeded = Vec::new();
    let mut changed_users: BTreeMap<AccountId, BTreeSet<&str>> = BTreeMap::new();
    let mut due = 0;
    for change in changes.iter().filter(|change| change.kind.removes_access()) {
        due += 1;
        changed_users.entry(change.target.account).or_default().insert(&change.user_id);
    }
    let allowed = usize::try_from(policy.max_changes).unwrap_or(usize::MAX);
    if due > allowed {
        exceeded.push(ExceededLimit::Changes { due, allowed });
    }
    for (account, changed_users) in changed_users {
        let users = input.accounts.get(&account).map_or(0, |it| it.users);
        let share = usize::try_from(policy.max_share).unwrap_or(usize::MAX);
        // Rounded up, so that one user of a small account can be changed.
        let allowed = users.saturating_mul(share).div_ceil(100);
        if changed_users.len() > allowed {
            exceeded.push(ExceededLimit::Share {
                account,
                due: changed_users.len(),
                allowed,
                users,
            });
        }
    }
    exceeded
}
