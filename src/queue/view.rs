//! Rows of the queue's pages, and the per-user issues. They show dates instead of ages, so that a run
//! without news writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use super::limited_list::LimitedList;
use super::observation::{FindingRef, ObservedFinding};
use super::remediation_entry::{RemediationEntry, RemediationEvent};
use super::remediation_progress::{NameList, RemediationProgress, UserResources};
use super::state::{FindingState, QueueEntry, QueueState};
use super::update::{UserKey, user_key_of};
use crate::audit::FindingId;
use crate::model::inventory::{AccountId, CredentialKind};
use crate::model::policy::Level;
use crate::templates::{SafeText, escape_invisible};

/// How many days findings are shown after they are no longer open.
const RESOLVED_SHOWN_DAYS: i64 = 30;
/// The longest name that is shown, in characters. IAM's names are shorter, but audits can contain
/// anything.
const MAX_NAME_CHARS: usize = 128;

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

/// A credential or user in a remediation.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RemediationRow {
    account: SafeText,
    user: String,
    owner: Option<String>,
    kind: Option<&'static str>,
    slot: Option<u8>,
    id_ending: Option<String>,
    remediation: QueueRemediationView,
    /// The per-user issue, if there is one.
    issue: Option<SafeText>,
}

/// Events of one kind.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RemediationGroup {
    /// A [`RemediationEventKind`](super::remediation_entry::RemediationEventKind) in kebab case.
    event: &'static str,
    list: LimitedList<RemediationRow>,
}

impl RowBuilder<'_> {
    pub(super) fn remediation_row(
        &self,
        account: AccountId,
        entry: &RemediationEntry,
    ) -> RemediationRow {
        let issue = self.issues.get(&(account, entry.user.to_ascii_lowercase()));
        RemediationRow {
            account: SafeText::new(account),
            user: truncate_name(&entry.user),
            owner: entry.owner.as_deref().map(truncate_name),
            kind: entry.kind.map(CredentialKind::id),
            slot: None,
            id_ending: entry.id_ending.clone(),
            remediation: entry.progress.into(),
            issue: issue.map(|number| SafeText::issue(None, *number)),
        }
    }

    /// The events by kind, with at most this many rows of each kind. They are sorted by kind.
    pub(super) fn remediation_groups(
        &self,
        most: usize,
        events: &[&RemediationEvent],
    ) -> Vec<RemediationGroup> {
        let groups = events.chunk_by(|one, other| one.kind == other.kind);
        let view = |group: &[&RemediationEvent]| {
            let row = |it: &&RemediationEvent| self.remediation_row(it.account, &it.entry);
            let event = group.first()?.kind.into();
            Some(RemediationGroup { event, list: LimitedList::new(group.iter(), most, row) })
        };
        groups.filter_map(view).collect()
    }

    /// The deactivated credentials that will be deleted, the next one first. `user_key` selects one
    /// user's. Credentials with an open finding are left out, because the finding's row shows them.
    pub(super) fn waiting_for_deletion(&self, user_key: Option<&UserKey>) -> Vec<RemediationRow> {
        let is_open = |account: AccountId, it: &RemediationEntry| {
            self.queue_state.open().any(|(of, _, entry)| {
                let finding = &entry.finding;
                of == account
                    && finding.user.eq_ignore_ascii_case(&it.user)
                    && (finding.kind, &finding.id_ending) == (it.kind, &it.id_ending)
            })
        };
        let remediations = self.queue_state.remediations.iter();
        let mut waiting: Vec<_> = remediations
            .filter(|(account, _, it)| {
                user_key.is_none_or(|key| *key == (*account, it.user.to_ascii_lowercase()))
            })
            .filter(|(_, _, it)| it.progress.reached.is_inactive() && it.progress.next.is_some())
            .filter(|(account, _, it)| !is_open(*account, it))
            .collect();
        waiting.sort_by_key(|(account, id, it)| {
            (it.progress.next.map(|(_, from)| from), *account, it.user.clone(), **id)
        });
        waiting.iter().map(|(account, _, it)| self.remediation_row(*account, it)).collect()
    }
}

/// Text to show: invisible characters are made visible, and long text is shortened.
pub(super) fn truncate_name(text: &str) -> String {
    let text = escape_invisible(text);
    match text.char_indices().nth(MAX_NAME_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}

/// A finding of an account in the queue state.
pub(super) type Entry<'a> = (AccountId, FindingId, &'a QueueEntry);

/// The open findings, the longest disuse first.
pub(super) fn open_entries<'a>(entries: impl Iterator<Item = Entry<'a>>) -> Vec<Entry<'a>> {
    let mut open: Vec<_> = entries.filter(|(_, _, entry)| entry.open_since().is_some()).collect();
    open.sort_by(|one, other| sort_key(*one).cmp(&sort_key(*other)));
    open
}

/// The findings that are no longer open, the latest first. `today` is the day on which the queue
/// was last written, so that the page does not change with time alone.
pub(super) fn resolved_entries<'a>(
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
    /// Deactivated credentials that will be deleted.
    waiting: Vec<RemediationRow>,
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
        waiting: rows.waiting_for_deletion(Some(user_key)),
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
    /// What happened in remediations, by kind.
    pub(super) remediation: Vec<RemediationGroup>,
    /// The run's page.
    pub(super) run: Option<SafeText>,
}
