//! The limits of one run. `max_changes` and `max_share` are caps: the longest unused credentials are
//! remediated first, and the rest waits for the next runs. If more than half of the users of an
//! account are due, that is probably a mistake, and nothing is changed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::tag_state::{TagState, needs_refresh};
use super::{ChangeKind, Facts, PlanInput, PlanSettings, PlannedChange, RemediationPlan};
use crate::model::inventory::AccountId;

/// The number of users from which more than half of an account is a mistake. In a smaller account,
/// half of the users are a few people.
const MIN_USERS_FOR_MISTAKE: usize = 10;

/// A limit that keeps due changes waiting for the next runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReachedLimit {
    /// `max_changes`: more changes are due than one run may make.
    Changes { due: usize, allowed: usize },
    /// `max_share`: more users of one account are due than one run may change.
    Share {
        account: AccountId,
        /// The number of users that are due.
        due: usize,
        /// The number of users that one run may change.
        allowed: usize,
        /// The number of users in the account.
        users: usize,
    },
}

/// An account in which more than half of the users are due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TooManyDue {
    pub account: AccountId,
    /// The number of users that are due.
    pub due: usize,
    /// The number of users in the account.
    pub users: usize,
}

/// A user with due changes, as positions in the plan.
struct DueUser {
    account: AccountId,
    user_id: String,
    /// The oldest date among the changes.
    unused_since: DateTime<Utc>,
    changes: Vec<usize>,
}

/// Applies the limits of one run to a plan of everything that is due. Changes to remediation tags
/// do not count because they remove no access.
#[must_use]
pub fn limit(
    mut plan: RemediationPlan,
    input: &PlanInput,
    settings: PlanSettings<'_>,
) -> RemediationPlan {
    let due = due_users(&plan.changes, input);
    let due_per_account = count_per_account(&due);
    let users = |account: AccountId| input.accounts.get(&account).map_or(0, |it| it.users);
    for (account, due) in &due_per_account {
        let users = users(*account);
        if users >= MIN_USERS_FOR_MISTAKE && due.saturating_mul(2) > users {
            plan.exceeded_limits.push(TooManyDue { account: *account, due: *due, users });
        }
    }
    if !plan.exceeded_limits.is_empty() {
        return plan;
    }
    let share = usize::try_from(settings.remediation.max_share).unwrap_or(usize::MAX);
    // Rounded up, and at least one, so that a small account makes progress.
    let allowed_users = |account| users(account).saturating_mul(share).div_ceil(100).max(1);
    let allowed = usize::try_from(settings.remediation.max_changes).unwrap_or(usize::MAX);
    let total = due.iter().map(|it| it.changes.len()).sum();

    let mut chosen: BTreeSet<usize> = BTreeSet::new();
    let mut changed_users: BTreeMap<AccountId, usize> = BTreeMap::new();
    // A saved plan was limited when it was created.
    let mut reached: BTreeSet<ReachedLimit> = plan.reached_limits.drain(..).collect();
    for user in due {
        let (account, changed) = (user.account, changed_users.entry(user.account).or_default());
        if *changed >= allowed_users(account) {
            reached.insert(ReachedLimit::Share {
                account,
                due: due_per_account.get(&account).copied().unwrap_or_default(),
                allowed: allowed_users(account),
                users: users(account),
            });
            continue;
        }
        let left = allowed.saturating_sub(chosen.len());
        if user.changes.len() > left {
            reached.insert(ReachedLimit::Changes { due: total, allowed });
        }
        *changed += usize::from(left > 0);
        chosen.extend(user.changes.into_iter().take(left));
    }
    plan.reached_limits = reached.into_iter().collect();
    delay_others(plan, &chosen, input, settings)
}

/// The users with due changes, in the order in which they are remediated: first the deletions that
/// an earlier run started, then one user of each account, then the others; in each group the longest
/// unused first.
fn due_users(changes: &[PlannedChange], input: &PlanInput) -> Vec<DueUser> {
    let mut users: BTreeMap<(AccountId, &str), Vec<usize>> = BTreeMap::new();
    for (position, change) in changes.iter().enumerate() {
        if change.kind.removes_access() {
            let user = (change.target.account, change.user_id.as_str());
            users.entry(user).or_default().push(position);
        }
    }
    let date_of =
        |position: &usize| changes.get(*position).map_or(DateTime::<Utc>::MAX_UTC, unused_since);
    let users = users.into_iter().map(|((account, user_id), mut changes)| {
        changes.sort_by_key(date_of);
        let unused_since = changes.first().map_or(DateTime::<Utc>::MAX_UTC, date_of);
        DueUser { account, user_id: user_id.to_owned(), unused_since, changes }
    });
    let mut users: Vec<DueUser> = users.collect();
    users.sort_by_key(|user| user.unused_since);
    let mut seen = BTreeSet::new();
    let rank = |user: &DueUser| {
        let is_started = input.partially_deleted.contains(&user.user_id);
        (Reverse(is_started), Reverse(seen.insert(user.account)))
    };
    users.sort_by_cached_key(rank);
    users
}

/// The date since which the credential is unused; for a user, the date of the notice.
fn unused_since(change: &PlannedChange) -> DateTime<Utc> {
    let Facts { last_used, created, tag, .. } = &change.facts;
    let date = last_used.or(*created).or(tag.map(|(_, since)| since));
    date.unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn count_per_account(due: &[DueUser]) -> BTreeMap<AccountId, usize> {
    let mut counts = BTreeMap::new();
    for user in due {
        *counts.entry(user.account).or_default() += 1;
    }
    counts
}

/// Moves the due changes that were not chosen to the delayed ones. Their tags are renewed like those
/// of all others that wait, so that the days do not start again.
fn delay_others(
    plan: RemediationPlan,
    chosen: &BTreeSet<usize>,
    input: &PlanInput,
    settings: PlanSettings<'_>,
) -> RemediationPlan {
    let RemediationPlan { changes: due, mut delayed, .. } = plan;
    let mut changes = Vec::new();
    for (position, change) in due.into_iter().enumerate() {
        if !change.kind.removes_access() || chosen.contains(&position) {
            changes.push(change);
            continue;
        }
        if needs_renewal(&change, input, settings) {
            let facts = Facts { credentials: Vec::new(), ..change.facts.clone() };
            changes.push(PlannedChange { kind: ChangeKind::RenewTag, facts, ..change.clone() });
        }
        delayed.push(change);
    }
    RemediationPlan { changes, delayed, ..plan }
}

fn needs_renewal(change: &PlannedChange, input: &PlanInput, settings: PlanSettings<'_>) -> bool {
    let is_user = |user_record: &&crate::model::inventory::UserRecord| {
        user_record.account == change.target.account
            && user_record.user.id.as_deref() == Some(change.user_id.as_str())
    };
    let user_record = input.user_records.iter().find(is_user);
    let tag = user_record.map(|it| TagState::of(&change.target.subject, &it.user));
    matches!(tag, Some(TagState::Valid(tag)) if needs_refresh(tag, settings))
}
