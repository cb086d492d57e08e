//! What the queue's pages show: dates instead of ages, so that a run without news writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use super::limited_list::LimitedList;
use super::observation::{FindingRef, ObservedFinding};
use super::remediation_progress::{NameList, RemediationProgress, UserResources};
use super::state::{FindingState, QueueEntry, QueueState};
use super::update::{UserKey, user_key_of};
use crate::audit::FindingId;
use crate::model::inventory::{AccountId, CredentialKind};
use crate::model::policy::{Level, Rule};
use crate::templates::{SafeText, escape_invisible};

/// How many days findings are shown after they are no longer open.
const RESOLVED_SHOWN_DAYS: i64 = 30;
/// The longest name that is shown, in characters. IAM's names are shorter, but audits can contain
/// anything.
const MAX_NAME_CHARS: usize = 128;
/// The maximum number of warnings about incomplete rules, and of the accounts in each.
const MAX_UNOBSERVED: usize = 10;
const MAX_ACCOUNTS: usize = 50;

/// A row with a finding.
#[derive(Debug, Clone, Serialize)]
pub(super) struct FindingRow {
    /// The marker that identifies its box.
    marker: SafeText,
    ticked: bool,
    id: SafeText,
    account: SafeText,
    user: String,
    kind: Option<&'static str>,
    slot: Option<u8>,
    id_ending: Option<String>,
    rule: SafeText,
    level: &'static str,
    reference: Option<&'static str>,
    reference_date: Option<SafeText>,
    owner: Option<String>,
    remediation: Option<QueueRemediationView>,
    /// A [`FindingState`] in kebab case.
    state: &'static str,
    /// The day since which it has that state; `None` if it is not in the queue.
    since: Option<SafeText>,
    due: Option<SafeText>,
    overdue: bool,
    acknowledged: bool,
    /// The per-user issue, if there is one.
    issue: Option<SafeText>,
}

/// The remediation of a credential.
#[derive(Debug, Clone, Serialize)]
struct QueueRemediationView {
    /// `notified`, `deactivated` or `inactive`.
    reached: &'static str,
    since: SafeText,
    /// `deactivate` or `delete`, and its first day; `None` if it is unknown.
    next: Option<&'static str>,
    next_from: Option<SafeText>,
}

impl From<RemediationProgress> for QueueRemediationView {
    fn from(progress: RemediationProgress) -> Self {
        Self {
            reached: progress.reached.id(),
            since: SafeText::new(progress.since),
            next: progress.next.map(|(stage, _)| stage.id()),
            next_from: progress.next.map(|(_, from)| SafeText::new(from)),
        }
    }
}

impl FindingRow {
    /// A finding that need not be in the queue.
    pub(super) fn of(
        account: AccountId,
        id: FindingId,
        finding: &FindingRef,
        level: Level,
    ) -> Self {
        Self {
            marker: SafeText::row_marker(&id),
            ticked: false,
            id: SafeText::new(id),
            account: SafeText::new(account),
            user: truncate_name(&finding.user),
            kind: finding.kind.map(CredentialKind::id),
            slot: finding.slot,
            id_ending: finding.id_ending.clone(),
            rule: SafeText::new(finding.rule),
            level: level.id(),
            reference: finding.reference.map(|(what, _)| what.id()),
            reference_date: finding.reference.map(|(_, at)| SafeText::new(at.day())),
            owner: finding.owner.as_deref().map(truncate_name),
            remediation: finding.progress.map(Into::into),
            state: "open",
            since: None,
            due: None,
            overdue: false,
            acknowledged: false,
            issue: None,
        }
    }

    /// A finding in the queue.
    pub(super) fn from_entry(id: FindingId, seen: &ObservedFinding, entry: &QueueEntry) -> Self {
        Self {
            since: entry.open_since().map(SafeText::new),
            overdue: matches!(entry.state, FindingState::Open { overdue_reported: true, .. }),
            ..Self::of(seen.account, id, &seen.finding, seen.level)
        }
    }
}

/// What rows are made from.
pub(super) struct RowBuilder<'a> {
    pub(super) queue_state: &'a QueueState,
    pub(super) due_within_days: u32,
    /// The checked boxes.
    pub(super) ticked: &'a BTreeSet<FindingId>,
    /// The numbers of the per-user issues.
    pub(super) issues: &'a BTreeMap<UserKey, u64>,
}

impl RowBuilder<'_> {
    pub(super) fn row(&self, account: AccountId, id: FindingId, entry: &QueueEntry) -> FindingRow {
        let finding = &entry.finding;
        let (since, acknowledged, overdue) = match entry.state {
            FindingState::Open { since, acknowledged, overdue_reported } => {
                (since, acknowledged, overdue_reported)
            }
            FindingState::Exempted { since: day }
            | FindingState::Cleared { on: day }
            | FindingState::NotCounted { since: day } => (day, false, false),
        };
        let issue = self.issues.get(&user_key_of(account, finding));
        FindingRow {
            ticked: self.ticked.contains(&id),
            state: entry.state.into(),
            since: Some(SafeText::new(since)),
            due: entry.due(self.due_within_days).map(SafeText::new),
            overdue,
            acknowledged,
            issue: issue.map(|number| SafeText::issue(None, *number)),
            ..FindingRow::of(account, id, finding, entry.level)
        }
    }

    /// The rows of the first of these findings, all of which are in the queue state.
    pub(super) fn first(&self, most: usize, ids: &[FindingId]) -> LimitedList<FindingRow> {
        let row = |id: &FindingId| {
            let (account, entry) = self.queue_state.entries.find(id)?;
            Some(self.row(account, *id, entry))
        };
        LimitedList::of(ids.iter().take(most).filter_map(row).collect(), ids.len())
    }
}

/// Text to show: invisible characters are made visible, and long text is shortened.
fn truncate_name(text: &str) -> String {
    let text = escape_invisible(text);
    match text.char_indices().nth(MAX_NAME_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}

/// A finding of an account in the queue state.
pub(super) type Entry<'a> = (AccountId, FindingId, &'a QueueEntry);

/// The open findings, the longest disuse first.
fn open_entries<'a>(entries: impl Iterator<Item = Entry<'a>>) -> Vec<Entry<'a>> {
    let mut open: Vec<_> = entries.filter(|(_, _, entry)| entry.open_since().is_some()).collect();
    open.sort_by(|one, other| sort_key(*one).cmp(&sort_key(*other)));
    open
}

/// The findings that are no longer open, the latest first. `today` is the day on which the queue
/// was last written, so that the page does not change with time alone.
fn resolved_entries<'a>(
    entries: impl Iterator<Item = Entry<'a>>,
    today: NaiveDate,
) -> Vec<Entry<'a>> {
    let day = |entry: &QueueEntry| match entry.state {
        FindingState::Open { .. } => None,
        FindingState::Cleared { on: day }
        | FindingState::Exempted { since: day }
        | FindingState::NotCounted { since: day } => Some(day),
    };
    let is_recent = |entry: &QueueEntry| {
        day(entry).is_some_and(|day| (today - day).num_days() <= RESOLVED_SHOWN_DAYS)
    };
    let mut resolved: Vec<_> = entries.filter(|(_, _, entry)| is_recent(entry)).collect();
    resolved.sort_by(|one, other| {
        day(other.2).cmp(&day(one.2)).then_with(|| sort_key(*one).cmp(&sort_key(*other)))
    });
    resolved
}

fn sort_key((account, id, entry): Entry<'_>) -> impl Ord + use<'_> {
    let date = entry.finding.reference_date();
    (date.is_none(), date, account, entry.finding.user.as_str(), id)
}

/// An account in the queue issue.
#[derive(Debug, Serialize)]
pub(super) struct QueueAccountView {
    id: SafeText,
    alias: Option<String>,
    rows: Vec<FindingRow>,
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
    rows_left_out: usize,
    resolved: Vec<FindingRow>,
    resolved_left_out: usize,
    due_within_days: u32,
    per_user: bool,
    /// The number of users who will get their issues in later runs.
    without_issue: usize,
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
}

impl QueuePage<'_> {
    /// The maximum number of rows.
    pub(super) fn max_rows(&self) -> usize {
        self.rows.queue_state.entries.len()
    }

    /// The queue issue with at most this many rows: open findings first, then the others.
    pub(super) fn view(&self, max_rows: usize) -> QueueView {
        let queue_state = self.rows.queue_state;
        let entries = || queue_state.entries.iter().map(|(account, id, it)| (account, *id, it));
        let open = open_entries(entries());
        let resolved = resolved_entries(entries(), queue_state.checked);
        let users: BTreeSet<_> =
            open.iter().map(|(account, _, it)| user_key_of(*account, &it.finding)).collect();
        let without_issue = users.iter().filter(|it| !self.rows.issues.contains_key(*it)).count();
        let shown = max_rows.min(open.len());
        let resolved_shown = (max_rows - shown).min(resolved.len());
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
            accounts: self.accounts(open.get(..shown).unwrap_or_default()),
            rows_left_out: open.len() - shown,
            resolved: resolved
                .iter()
                .take(resolved_shown)
                .map(|(account, id, entry)| self.rows.row(*account, *id, entry))
                .collect(),
            resolved_left_out: resolved.len() - resolved_shown,
            due_within_days: self.rows.due_within_days,
            per_user: self.per_user,
            without_issue: if self.per_user { without_issue } else { 0 },
            checked: SafeText::new(queue_state.checked),
        }
    }

    fn accounts(&self, open: &[Entry<'_>]) -> Vec<QueueAccountView> {
        let mut rows: BTreeMap<AccountId, Vec<FindingRow>> = BTreeMap::new();
        for (account, id, entry) in open {
            rows.entry(*account).or_default().push(self.rows.row(*account, *id, entry));
        }
        let view =
            |(id, rows)| QueueAccountView { id: SafeText::new(id), alias: self.alias(id), rows };
        rows.into_iter().map(view).collect()
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

/// A per-user issue.
#[derive(Debug, Serialize)]
pub(super) struct UserIssueView {
    account: SafeText,
    alias: Option<String>,
    user: String,
    owner: Option<String>,
    open: usize,
    rows: Vec<FindingRow>,
    resolved: Vec<FindingRow>,
    rows_left_out: usize,
    due_within_days: u32,
    /// The first due date.
    due: Option<SafeText>,
    /// What is deleted with the user; `None` if it is unknown.
    user_resources: Option<UserResourcesView>,
}

/// What a user has besides credentials.
#[derive(Debug, Serialize)]
struct UserResourcesView {
    mfa: Option<bool>,
    groups: NameListView,
    attached_policies: NameListView,
    inline_policies: NameListView,
}

#[derive(Debug, Serialize)]
struct NameListView {
    names: Vec<String>,
    more: usize,
}

impl From<&NameList> for NameListView {
    fn from(names: &NameList) -> Self {
        Self { names: names.names.iter().map(|it| truncate_name(it)).collect(), more: names.more }
    }
}

impl From<&UserResources> for UserResourcesView {
    fn from(has: &UserResources) -> Self {
        Self {
            mfa: has.mfa,
            groups: (&has.groups).into(),
            attached_policies: (&has.attached_policies).into(),
            inline_policies: (&has.inline_policies).into(),
        }
    }
}

/// A per-user issue with at most this many rows: open findings, then the others. `entries` are the
/// user's.
pub(super) fn user_issue_view(
    rows: &RowBuilder<'_>,
    user_key: &UserKey,
    entries: &[(FindingId, &QueueEntry)],
    max_rows: usize,
) -> UserIssueView {
    let (account, name) = user_key;
    let entries = || entries.iter().map(|(id, entry)| (*account, *id, *entry));
    let open = open_entries(entries());
    let resolved = resolved_entries(entries(), rows.queue_state.checked);
    // The name as in the evidence.
    let finding = open.iter().chain(&resolved).map(|(_, _, entry)| &entry.finding).next();
    let shown = max_rows.min(open.len());
    let resolved_shown = (max_rows - shown).min(resolved.len());
    let row = |(account, id, entry): &Entry<'_>| rows.row(*account, *id, entry);
    let unresolved = open.iter().map(|(_, _, entry)| *entry).filter(|entry| entry.needs_action());
    UserIssueView {
        account: SafeText::new(*account),
        alias: rows.queue_state.aliases.get(account).map(|alias| truncate_name(alias)),
        user: truncate_name(finding.map_or(name, |it| &it.user)),
        owner: finding.and_then(|it| it.owner.as_deref()).map(truncate_name),
        rows: open.iter().take(shown).map(row).collect(),
        resolved: resolved.iter().take(resolved_shown).map(row).collect(),
        rows_left_out: open.len() - shown + resolved.len() - resolved_shown,
        open: open.len(),
        due_within_days: rows.due_within_days,
        due: unresolved
            .filter_map(|entry| entry.due(rows.due_within_days))
            .min()
            .map(SafeText::new),
        user_resources: rows.queue_state.user_resources.get(*account, name).map(Into::into),
    }
}

/// The comment about changes.
#[derive(Debug, Serialize)]
pub(super) struct ChangesView {
    pub(super) new: LimitedList<FindingRow>,
    pub(super) returned: LimitedList<FindingRow>,
    pub(super) overdue: LimitedList<FindingRow>,
    /// The run's page.
    pub(super) run: Option<SafeText>,
}
