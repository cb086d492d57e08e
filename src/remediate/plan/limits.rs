//! How much may be changed in one run. Beyond that nothing at all is done: a plan that is far too
//! large is more likely a mistake than a good day's work.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{PlanInput, PlannedChange};
use crate::model::inventory::AccountId;
use crate::model::policy::remediation::RemediationPolicy;

/// A limit that a plan is beyond.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExceededLimit {
    /// More is to be changed than may be in a run.
    Changes {
        /// So many changes are due.
        due: usize,
        /// So many are allowed.
        allowed: usize,
    },
    /// More of an account's users are touched than may be in a run.
    Share {
        /// The account.
        account: AccountId,
        /// So many users are touched.
        due: usize,
        /// So many are allowed.
        allowed: usize,
        /// So many users the account has.
        users: usize,
    },
}

/// The limits that these changes are beyond. Our own tags are not counted: they take nothing from
/// anybody.
#[must_use]
pub fn exceeded_limits(
    changes: &[PlannedChange],
    input: &PlanInput,
    policy: &RemediationPolicy,
) -> Vec<ExceededLimit> {
    let mut held = Vec::new();
    let mut touched: BTreeMap<AccountId, BTreeSet<&str>> = BTreeMap::new();
    let mut due = 0;
    for change in changes.iter().filter(|change| change.kind.removes_access()) {
        due += 1;
        touched.entry(change.target.account).or_default().insert(&change.user_id);
    }
    let allowed = usize::try_from(policy.max_changes).unwrap_or(usize::MAX);
    if due > allowed {
        held.push(ExceededLimit::Changes { due, allowed });
    }
    for (account, touched) in touched {
        let users = input.accounts.get(&account).map_or(0, |it| it.users);
        let share = usize::try_from(policy.max_share).unwrap_or(usize::MAX);
        // Rounded up: of a small account one user may be touched.
        let allowed = users.saturating_mul(share).div_ceil(100);
        if touched.len() > allowed {
            held.push(ExceededLimit::Share { account, due: touched.len(), allowed, users });
        }
    }
    held
}
