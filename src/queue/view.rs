//! Rows of the queue's pages, and the per-user issues. They show dates instead of ages, so that a run
//! without news writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use super::exemptions::suggested_exemptions;
use super::limited_list::LimitedList;
use super::observation::{FindingRef, ObservedFinding};
use super::remediation_entry::{RemediationEntry, RemediationEvent};
use super::remediation_progress::{NameList, RemediationProgress, UserResources};
use super::state::{FindingState, QueueEntry, QueueState};
use super::update::{UserKey, user_key_of};
use crate::allowlist::SuggestedExemption;
use crate::audit::{FindingId, RemediationAction};
use crate::model::identity::Partition;
use crate::model::inventory::{AccountId, CredentialKind};
use crate::model::policy::Level;
use crate::report::cli_steps::{CliSteps, deactivate_listed};
use crate::templates::{SafeText, escape_invisible};

/// The maximum number of findings for which a user issue has commands and exemptions.
const MAX_LISTED: usize = 30;
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
    last_service: Option<String>,
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
            last_service: finding.last_service.as_deref().map(truncate_name),
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
            let next = it.progress.next.map(|(_, from)| from);
            (next, *account, it.user.clone(), it.kind, it.id_ending.clone(), **id)
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
    /// The user's page in the console; `None` for an unknown partition.
    console_url: Option<SafeText>,
    /// The commands that deactivate the credentials.
    deactivate: CliSteps,
    /// The exemptions to add to the allowlist.
    suggested_exemptions: String,
    /// The path of the allowlist, if it is known.
    allowlist: Option<String>,
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

/// Whether a person can deactivate the credential, or delete it if it is a password.
fn is_deactivated_by_hand(finding: &FindingRef) -> bool {
    matches!(
        finding.rule.remediation().action,
        RemediationAction::DeactivateAndDelete | RemediationAction::DeletePassword
    )
}

/// How long a suggested exemption is valid.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExemptionDays {
    pub(super) today: NaiveDate,
    /// The policy's `max_exemption_days`.
    pub(super) max_days: u32,
}

impl ExemptionDays {
    /// The expiry date in an issue about findings that are open since this day. It changes every few
    /// weeks at most, so that an issue is not edited every day.
    fn expiry_date(self, since: NaiveDate) -> NaiveDate {
        let last = SuggestedExemption::suggested_expiry_date(self.today, self.max_days);
        let days = (last - self.today).num_days();
        let step = (days / 3).max(1);
        let age = (self.today - since).num_days().max(0);
        last.checked_sub_signed(chrono::TimeDelta::days(age % step)).unwrap_or(last)
    }
}

/// A per-user issue with at most this many rows: open findings, then the others. `entries` are the
/// user's.
pub(super) fn user_issue_view(
    rows: &RowBuilder<'_>,
    user_key: &UserKey,
    entries: &[(FindingId, &QueueEntry)],
    max_rows: usize,
    exemption_days: ExemptionDays,
    allowlist: Option<&str>,
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
    let user = finding.map_or(name.as_str(), |it| &it.user);
    // As many as the rows, and no more than a person would paste.
    let listed = shown.min(MAX_LISTED);
    let open_findings =
        || open.iter().take(listed).map(|(account, _, entry)| (*account, &entry.finding));
    let since = open.iter().filter_map(|(_, _, entry)| entry.open_since()).max();
    let partition = rows.queue_state.partitions.get(account).map(String::as_str);
    let partition: Option<Partition> = partition.unwrap_or(Partition::Aws.id()).parse().ok();
    UserIssueView {
        allowlist: allowlist.map(truncate_name),
        console_url: partition.map(|it| SafeText::console_url(it, user)),
        deactivate: deactivate_listed(
            user,
            open_findings()
                .filter(|(_, it)| is_deactivated_by_hand(it))
                .filter_map(|(_, it)| Some((it.kind?, it.slot, it.id_ending.as_deref()))),
        ),
        suggested_exemptions: since.map_or_else(String::new, |since| {
            suggested_exemptions(open_findings(), exemption_days.expiry_date(since))
        }),
        account: SafeText::new(*account),
        alias: rows.queue_state.aliases.get(account).map(|alias| truncate_name(alias)),
        user: truncate_name(user),
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
