//! Per-user issues: one for each user with open findings.

use std::collections::{BTreeMap, BTreeSet};

use super::super::fit::fit_rows;
use super::super::markers;
use super::super::snapshot::{ExistingIssue, QueueSnapshot};
use super::super::state::{QueueEntry, QueueState};
use super::super::update::{QueueUpdate, UserKey, user_key_of};
use super::super::view::{ChangesView, ExemptionDays, RowBuilder, user_issue_view};
use super::{
    BodyEdit, MAX_BODY_BYTES, MAX_NAMED, QueueChange, QueueOptions, StateChange, assignees,
    reopen_comment, users_by_disuse,
};
use crate::audit::FindingId;
use crate::templates::{Page, TemplateError, escape_invisible, render};

/// The maximum number of issues that a run creates: GitHub has limits, and people are notified.
const MAX_CREATED_PER_RUN: usize = 20;
/// The maximum number of issues with a comment about news in a run.
const MAX_NEWS_PER_RUN: usize = 20;
/// The longest name in a title. GitHub allows 256 characters for a title.
const MAX_NAME_CHARS: usize = 150;

/// The rows of a user's own issue do not link it.
static NO_ISSUE: BTreeMap<UserKey, u64> = BTreeMap::new();

/// What is known about one user.
type UserEntries<'a> = Vec<(FindingId, &'a QueueEntry)>;

/// Whether a user needs an issue and has none.
pub(super) fn needs_user_issue(snapshot: &QueueSnapshot, queue_state: &QueueState) -> bool {
    queue_state.entries.iter().any(|(account, _, entry)| {
        let key = || markers::user_hash(&user_key_of(account, &entry.finding));
        entry.needs_action() && !snapshot.user_issues.contains_key(&key())
    })
}

/// What to do about the per-user issues. `queue_state` is the new state.
pub(super) fn plan(
    snapshot: &QueueSnapshot,
    queue_state: &QueueState,
    update: &QueueUpdate,
    options: &QueueOptions,
    invalid_logins: &mut BTreeSet<String>,
) -> Result<Vec<QueueChange>, TemplateError> {
    let mut entries_by_user: BTreeMap<UserKey, UserEntries<'_>> = BTreeMap::new();
    for (account, id, entry) in queue_state.entries.iter() {
        let user_key = user_key_of(account, &entry.finding);
        entries_by_user.entry(user_key).or_default().push((*id, entry));
    }
    // Users with open findings come first, the longest disuse before the others.
    let open = users_by_disuse(queue_state);
    let users_with_open_findings: BTreeSet<_> = open.iter().collect();
    let settled =
        entries_by_user.keys().filter(|user_key| !users_with_open_findings.contains(user_key));
    let mut changes = Vec::new();
    let (mut created, mut with_news) = (0, 0);
    let announced: BTreeSet<_> = update.new.iter().chain(&update.returned).copied().collect();
    for user_key in open.iter().chain(settled) {
        let entries = entries_by_user.get(user_key).map(Vec::as_slice).unwrap_or_default();
        let is_former = update.former_accounts.contains(&user_key.0);
        let user = UserIssue { user_key, entries, queue_state, options, is_former };
        match snapshot.user_issues.get(&markers::user_hash(user_key)) {
            Some(existing) => {
                let news =
                    if with_news < MAX_NEWS_PER_RUN { user.news(update, existing)? } else { None };
                with_news += usize::from(news.is_some());
                changes.extend(user.edit(existing, &announced, news)?);
            }
            None if created < MAX_CREATED_PER_RUN && user.needs_action() => {
                changes.extend(user.create(invalid_logins)?);
                created += 1;
            }
            None => {}
        }
    }
    Ok(changes)
}

/// A user, and what is known about the user.
struct UserIssue<'a> {
    user_key: &'a UserKey,
    entries: &'a [(FindingId, &'a QueueEntry)],
    queue_state: &'a QueueState,
    options: &'a QueueOptions,
    /// Whether the account is a former account.
    is_former: bool,
}

impl UserIssue<'_> {
    fn needs_action(&self) -> bool {
        self.entries.iter().any(|(_, entry)| entry.needs_action())
    }

    /// The body of the issue; `before` is the old body, whose checked boxes are kept.
    fn body(&self, before: &str) -> Result<String, TemplateError> {
        let ticked = markers::ticked(before);
        let rows = self.rows(&ticked);
        let marker = markers::user_marker(&self.options.queue, self.user_key);
        let render = |max_rows| {
            let view = user_issue_view(
                &rows,
                self.user_key,
                self.entries,
                max_rows,
                self.exemption_days(),
                self.options.allowlist.as_deref(),
            );
            let text = render(Page::UserIssue, self.options.language, view)?;
            Ok(format!("{marker}\n{}", text.trim_end()))
        };
        fit_rows(self.entries.len(), MAX_BODY_BYTES, render)
    }

    fn create(
        &self,
        invalid_logins: &mut BTreeSet<String>,
    ) -> Result<Option<QueueChange>, TemplateError> {
        let Some((_, entry)) = self.entries.first() else { return Ok(None) };
        let (account, _) = self.user_key;
        let name = sanitize_title(&entry.finding.user);
        Ok(Some(QueueChange::CreateUserIssue {
            user_key: self.user_key.clone(),
            title: format!("IAM user {name} of account {account}: credentials to remediate"),
            body: self.body("")?,
            labels: self.options.all_labels(),
            assignees: self.assignees(invalid_logins),
        }))
    }

    fn assignees(&self, invalid_logins: &mut BTreeSet<String>) -> Vec<String> {
        let owners = self.entries.iter().filter_map(|(_, entry)| entry.finding.owner.as_deref());
        let owners = owners.filter(|_| self.options.assign_owners);
        let names = self.options.assignees.iter().map(String::as_str).chain(owners);
        assignees::logins(names, invalid_logins)
    }

    /// The comment about what is new for this user, if anything is.
    fn news(
        &self,
        update: &QueueUpdate,
        existing: &ExistingIssue,
    ) -> Result<Option<String>, TemplateError> {
        let is_of_user = |id: &&FindingId| self.entries.iter().any(|(of, _)| of == *id);
        let of_user = |ids: &[FindingId]| -> Vec<FindingId> {
            ids.iter().filter(is_of_user).copied().collect()
        };
        let events = update.remediation.iter().filter(|it| it.user_key() == *self.user_key);
        let events: Vec<_> = events.collect();
        let (new, returned) = (of_user(&update.new), of_user(&update.returned));
        let overdue = of_user(&update.overdue);
        if new.is_empty() && returned.is_empty() && overdue.is_empty() && events.is_empty() {
            return Ok(None);
        }
        let ticked = markers::ticked(&existing.body);
        let rows = self.rows(&ticked);
        let view = ChangesView {
            new: rows.first(MAX_NAMED, &new),
            returned: rows.first(MAX_NAMED, &returned),
            overdue: rows.first(MAX_NAMED, &overdue),
            remediation: rows.remediation_groups(MAX_NAMED, &events),
            run: self.options.run.clone(),
        };
        render(Page::QueueChanges, self.options.language, view).map(Some)
    }

    const fn exemption_days(&self) -> ExemptionDays {
        ExemptionDays { today: self.options.today, max_days: self.options.max_exemption_days }
    }

    fn rows<'r>(&'r self, ticked: &'r BTreeSet<FindingId>) -> RowBuilder<'r> {
        RowBuilder {
            queue_state: self.queue_state,
            due_within_days: self.options.due_within_days,
            ticked,
            issues: &NO_ISSUE,
        }
    }

    /// `announced` are the findings in this run's comment on the queue issue. `news` is the comment
    /// about what is new for the user.
    fn edit(
        &self,
        existing: &ExistingIssue,
        announced: &BTreeSet<FindingId>,
        news: Option<String>,
    ) -> Result<Option<QueueChange>, TemplateError> {
        let has_open_findings = self.entries.iter().any(|(_, entry)| entry.open_since().is_some());
        let all_done =
            self.is_former || !self.entries.iter().any(|(_, entry)| entry.is_not_counted());
        let state_change = match (existing.is_open, has_open_findings, self.needs_action()) {
            (false, _, true) => Some(StateChange::Reopen),
            (true, false, _) if all_done => Some(StateChange::CloseCompleted),
            (true, true, false) => Some(StateChange::CloseNotPlanned),
            _ => None,
        };
        // An issue that stays closed is updated only with news.
        if !existing.is_open && state_change.is_none() && news.is_none() {
            return Ok(None);
        }
        let body = self.body(&existing.body)?;
        let edit = (body != existing.body.trim_end())
            .then(|| BodyEdit { body, previous_body: existing.body.clone() });
        let is_announced = self.entries.iter().any(|(id, _)| announced.contains(id));
        // The explanation about a bot is written even if the queue issue has a comment about the finding.
        let says_why = !is_announced && news.is_none();
        let explains = says_why || existing.unexplained_bot().is_some();
        let reopening = if state_change == Some(StateChange::Reopen) && explains {
            reopen_comment(existing, self.options)?
        } else {
            None
        };
        // The marker of an explanation is the first line of the comment.
        let comments: Vec<_> = reopening.into_iter().chain(news).collect();
        let comment = (!comments.is_empty()).then(|| comments.join("\n\n"));
        let changes = edit.is_some() || state_change.is_some() || comment.is_some();
        Ok(changes.then_some(QueueChange::UpdateUserIssue {
            number: existing.number,
            body: edit,
            state_change,
            comment,
        }))
    }
}

/// A user name in a title, which has no code spans: an `@` or a `#` before a letter would mention
/// or link someone, and a backtick would start a code span.
fn sanitize_title(name: &str) -> String {
    let name =
        escape_invisible(name).replace('@', "(at)").replace('#', "(number)").replace('`', "'");
    match name.char_indices().nth(MAX_NAME_CHARS) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name,
    }
}
