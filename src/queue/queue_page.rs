//! The queue issue: the open findings of each user, and what was resolved recently.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use super::markers;
use super::state::{FindingState, QueueEntry};
use super::update::{UserKey, user_key_of};
use super::view::{
    Entry, FindingRow, RemediationRow, RowBuilder, open_entries, resolved_entries, truncate_name,
};
use crate::model::inventory::AccountId;
use crate::model::policy::{Level, Rule};
use crate::templates::SafeText;

/// The maximum number of warnings about incomplete rules, and of the accounts in each.
const MAX_UNOBSERVED: usize = 10;
const MAX_ACCOUNTS: usize = 50;
/// The maximum number of findings of a user. IAM's limits are lower, but audits can contain anything.
const MAX_FINDINGS_OF_USER: usize = 30;

/// An account in the queue issue.
#[derive(Debug, Serialize)]
pub(super) struct QueueAccountView {
    id: SafeText,
    alias: Option<String>,
    users: Vec<UserRow>,
}

/// A user with open findings.
#[derive(Debug, Serialize)]
struct UserRow {
    /// The marker that identifies the user's checkbox.
    marker: SafeText,
    ticked: bool,
    name: String,
    owner: Option<String>,
    /// The per-user issue, if there is one.
    issue: Option<SafeText>,
    rows: Vec<FindingRow>,
    rows_left_out: usize,
}

/// Rules that are incomplete now, in some accounts.
#[derive(Debug, Serialize)]
pub(super) struct UnobservedRules {
    /// The day on which they were last complete; `None` for never.
    since: Option<SafeText>,
    rules: Vec<SafeText>,
    accounts: Vec<AccountName>,
    /// The number of further accounts.
    more: usize,
}

#[derive(Debug, Serialize)]
struct AccountName {
    id: SafeText,
    alias: Option<String>,
}

/// The queue issue.
#[derive(Debug, Serialize)]
pub(super) struct QueueView {
    open: usize,
    errors: usize,
    overdue: usize,
    acknowledged: usize,
    users: usize,
    unobserved: Vec<UnobservedRules>,
    /// Whether there are further warnings of that kind.
    more_unobserved: bool,
    accounts: Vec<QueueAccountView>,
    /// The users who are not shown, and the number of their findings.
    users_left_out: usize,
    rows_left_out: usize,
    /// Deactivated credentials that will be deleted.
    waiting: Vec<RemediationRow>,
    waiting_left_out: usize,
    resolved: Vec<FindingRow>,
    resolved_left_out: usize,
    due_within_days: u32,
    per_user: bool,
    /// The number of users who will get their issues in later runs.
    without_issue: usize,
    /// The page with the runs of the workflow.
    runs: Option<SafeText>,
    checked: SafeText,
}

/// What the queue issue is made from.
pub(super) struct QueuePage<'a> {
    pub(super) rows: RowBuilder<'a>,
    /// The complete rules of this run, by account.
    pub(super) observed_now: &'a BTreeSet<(AccountId, Rule)>,
    /// The incomplete rules of this run, by account.
    pub(super) incomplete_now: &'a BTreeSet<(AccountId, Rule)>,
    pub(super) per_user: bool,
    /// The page with the runs of the workflow.
    pub(super) runs: Option<SafeText>,
    /// The users whose checkbox is selected, by the key in their marker.
    pub(super) ticked_users: &'a BTreeSet<String>,
}

impl QueuePage<'_> {
    /// The maximum number of rows: users with open findings, credentials that wait for
    /// their deletion, and findings that were resolved.
    pub(super) fn max_rows(&self) -> usize {
        self.rows.queue_state.entries.len() + self.rows.queue_state.remediations.len()
    }

    /// The queue issue with at most this many rows: users with open findings first, the longest disuse
    /// before the others, and then resolved findings.
    pub(super) fn view(&self, max_rows: usize) -> QueueView {
        let queue_state = self.rows.queue_state;
        let entries = || queue_state.entries.iter().map(|(account, id, it)| (account, *id, it));
        let open = open_entries(entries());
        let resolved = resolved_entries(entries(), queue_state.checked);
        let users = by_user(&open);
        let has_no_issue = |(key, _): &&(UserKey, _)| !self.rows.issues.contains_key(key);
        let without_issue = users.iter().filter(has_no_issue).count();
        let (shown, left_out) = users.split_at(max_rows.min(users.len()));
        let mut waiting = self.rows.waiting_for_deletion(None);
        let waiting_count = waiting.len();
        waiting.truncate(max_rows - shown.len());
        let resolved_shown = (max_rows - shown.len() - waiting.len()).min(resolved.len());
        let count =
            |of: fn(&QueueEntry) -> bool| open.iter().filter(|(_, _, entry)| of(entry)).count();
        let mut unobserved = self.unobserved();
        let more_unobserved = unobserved.len() > MAX_UNOBSERVED;
        unobserved.truncate(MAX_UNOBSERVED);
        QueueView {
            unobserved,
            more_unobserved,
            open: open.len(),
            errors: count(|entry| entry.level == Level::Error),
            overdue: count(|entry| {
                matches!(entry.state, FindingState::Open { overdue_reported: true, .. })
            }),
            acknowledged: count(|entry| !entry.needs_action()),
            users: users.len(),
            accounts: self.accounts(shown),
            users_left_out: left_out.len(),
            rows_left_out: left_out.iter().map(|(_, entries)| entries.len()).sum(),
            waiting_left_out: waiting_count - waiting.len(),
            waiting,
            resolved: resolved
                .iter()
                .take(resolved_shown)
                .map(|(account, id, entry)| self.rows.row(*account, *id, entry))
                .collect(),
            resolved_left_out: resolved.len() - resolved_shown,
            due_within_days: self.rows.due_within_days,
            per_user: self.per_user,
            without_issue: if self.per_user { without_issue } else { 0 },
            runs: self.runs.clone(),
            checked: SafeText::new(queue_state.checked),
        }
    }

    fn accounts(&self, users: &[(UserKey, Vec<Entry<'_>>)]) -> Vec<QueueAccountView> {
        let mut rows: BTreeMap<AccountId, Vec<UserRow>> = BTreeMap::new();
        for (user_key, entries) in users {
            rows.entry(user_key.0).or_default().extend(self.user_row(user_key, entries));
        }
        let view =
            |(id, users)| QueueAccountView { id: SafeText::new(id), alias: self.alias(id), users };
        rows.into_iter().map(view).collect()
    }

    fn user_row(&self, user_key: &UserKey, entries: &[Entry<'_>]) -> Option<UserRow> {
        let (_, _, first) = entries.first()?;
        let key = markers::user_hash(user_key);
        let shown = entries.iter().take(MAX_FINDINGS_OF_USER);
        let owner = entries.iter().find_map(|(_, _, entry)| entry.finding.owner.as_deref());
        let issue = self.rows.issues.get(user_key);
        Some(UserRow {
            ticked: self.ticked_users.contains(&key),
            marker: SafeText::user_marker(&key),
            name: truncate_name(&first.finding.user),
            owner: owner.map(truncate_name),
            issue: issue.map(|number| SafeText::issue(None, *number)),
            rows: shown.map(|(account, id, entry)| self.rows.row(*account, *id, entry)).collect(),
            rows_left_out: entries.len().saturating_sub(MAX_FINDINGS_OF_USER),
        })
    }

    fn alias(&self, account: AccountId) -> Option<String> {
        self.rows.queue_state.aliases.get(&account).map(|alias| truncate_name(alias))
    }

    /// The rules that are incomplete in this run, or that an earlier run observed and this one did
    /// not. Accounts with the same rules are combined.
    fn unobserved(&self) -> Vec<UnobservedRules> {
        let observed = &self.rows.queue_state.observed;
        let before = observed
            .iter()
            .filter(|(account, rule, _)| !self.observed_now.contains(&(*account, **rule)))
            .map(|(account, rule, observed)| (account, *rule, Some(observed.at.day())));
        let never = self.incomplete_now.iter().copied();
        let never = never
            .filter(|(account, rule)| observed.get(*account, rule).is_none())
            .map(|(account, rule)| (account, rule, None));
        let mut rules: BTreeMap<(Option<NaiveDate>, AccountId), BTreeSet<Rule>> = BTreeMap::new();
        for (account, rule, day) in before.chain(never) {
            rules.entry((day, account)).or_default().insert(rule);
        }
        let mut grouped: BTreeMap<(Option<NaiveDate>, BTreeSet<Rule>), Vec<AccountId>> =
            BTreeMap::new();
        for ((day, account), rules) in rules {
            grouped.entry((day, rules)).or_default().push(account);
        }
        let name = |id: &AccountId| AccountName { id: SafeText::new(*id), alias: self.alias(*id) };
        let view = |((day, rules), accounts): ((Option<NaiveDate>, BTreeSet<Rule>), Vec<_>)| {
            UnobservedRules {
                since: day.map(SafeText::new),
                rules: rules.into_iter().map(SafeText::new).collect(),
                more: accounts.len().saturating_sub(MAX_ACCOUNTS),
                accounts: accounts.iter().take(MAX_ACCOUNTS).map(name).collect(),
            }
        };
        grouped.into_iter().map(view).collect()
    }
}

/// The findings of each user, in the order of each user's first finding.
fn by_user<'a>(open: &[Entry<'a>]) -> Vec<(UserKey, Vec<Entry<'a>>)> {
    let mut users: Vec<(UserKey, Vec<Entry<'a>>)> = Vec::new();
    let mut places: BTreeMap<UserKey, usize> = BTreeMap::new();
    for entry in open {
        let user_key = user_key_of(entry.0, &entry.2.finding);
        let place = *places.entry(user_key.clone()).or_insert_with(|| {
            users.push((user_key, Vec::new()));
            users.len() - 1
        });
        if let Some((_, entries)) = users.get_mut(place) {
            entries.push(*entry);
        }
    }
    users
}
