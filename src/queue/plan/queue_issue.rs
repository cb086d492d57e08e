//! The queue issue, and the queue state in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::super::fit::fit_rows;
use super::super::markers::{self, StateBlock};
use super::super::queue_page::QueuePage;
use super::super::snapshot::{ExistingIssue, QueueSnapshot};
use super::super::state::{PackedState, QueueEntry, QueueState};
use super::super::update::{QueueUpdate, UserKey, user_key_of};
use super::super::view::RowBuilder;
use super::{
    MAX_BODY_BYTES, QueueOptions, StateChange, assignees, change_comment, reopen_comment,
    write_edit,
};
use crate::audit::FindingId;
use crate::model::inventory::AccountId;
use crate::model::policy::Rule;
use crate::templates::{Page, SafeText, TemplateError, render};

/// The longest state in the body of the queue issue, in characters.
pub const MAX_INLINE_CHARS: usize = 20_000;
/// The longest state in the body of a queue issue whose conversation is locked, in characters.
/// There is still space for some rows.
pub const MAX_INLINE_CHARS_LOCKED: usize = 45_000;
/// The longest part of a state in a comment.
pub const MAX_PART_CHARS: usize = 55_000;
/// The default title.
const DEFAULT_TITLE: &str = "IAM credentials to remediate";
/// The days after which "last checked" is updated, even if nothing else changed: a weekly schedule
/// should show that it works.
const RECHECK_INTERVAL_DAYS: i64 = 7;
/// The checkboxes of the queue issue belong to users, not to findings.
static NO_FINDING: BTreeSet<FindingId> = BTreeSet::new();

/// The new queue issue. Its body is complete when the numbers of its issues and comments are known.
#[derive(Debug, Clone)]
pub struct QueueIssueDraft {
    /// The existing queue issue.
    pub existing: Option<ExistingIssue>,
    /// Whether the body is written; otherwise only the state changes.
    pub writes_body: bool,
    /// The new state, if it changes.
    pub state_change: Option<StateChange>,
    /// A comment.
    pub comment: Option<String>,
    /// The title of a new one.
    pub title: String,
    /// The labels of a new one.
    pub labels: Vec<String>,
    /// The assignees of a new one.
    pub assignees: Vec<String>,
    options: QueueOptions,
    queue_state: QueueState,
    ticked_users: BTreeSet<String>,
    issues: BTreeMap<UserKey, u64>,
    incomplete_now: BTreeSet<(AccountId, Rule)>,
}

/// What to do about the queue issue; `None` for nothing. `creates_user_issues` says whether
/// per-user issues will be created, which it will link.
pub(super) fn plan(
    snapshot: &QueueSnapshot,
    previous: Option<&QueueState>,
    update: &QueueUpdate,
    options: &QueueOptions,
    creates_user_issues: bool,
) -> Result<Option<QueueIssueDraft>, TemplateError> {
    let mut draft = QueueIssueDraft::new(snapshot, update, options);
    let entries = || draft.queue_state.entries.values();
    let has_open_findings = entries().any(|entry| entry.open_since().is_some());
    let calls = entries().any(QueueEntry::needs_action);
    let is_open = draft.existing.as_ref().is_none_or(|existing| existing.is_open);
    draft.state_change = match (is_open, has_open_findings, calls) {
        (false, _, true) => Some(StateChange::Reopen),
        // If evidence is missing, or the policy ignores a finding, it is not certain that
        // everything is done.
        (true, false, _) if update.is_complete() => Some(StateChange::CloseCompleted),
        (true, true, false) => Some(StateChange::CloseNotPlanned),
        _ => None,
    };
    draft.writes_body = creates_user_issues || draft.needs_update(previous)?;
    if draft.writes_body {
        draft.queue_state.checked = options.today;
        draft.queue_state.run.clone_from(&options.run_url);
        draft.queue_state.workflow.clone_from(&options.workflow);
        draft.queue_state.advance_generation();
        draft.queue_state.drop_old_entries(options.today);
    }
    // People are notified of a new issue anyway, and of one that another run is about to fill.
    if draft.existing.is_some() {
        let news = match previous {
            Some(_) => change_comment(update, &draft.rows(), options)?,
            None => None,
        };
        draft.comment = draft.comment_text(news)?;
    }
    let acts = draft.writes_body || draft.state_change.is_some() || draft.comment.is_some();
    Ok(acts.then_some(draft))
}

impl QueueIssueDraft {
    /// The comment on an existing queue issue: what is new, and why it is open again.
    fn comment_text(&self, news: Option<String>) -> Result<Option<String>, TemplateError> {
        let Some(existing) =
            self.existing.as_ref().filter(|_| self.state_change == Some(StateChange::Reopen))
        else {
            return Ok(news);
        };
        Ok(match news {
            None => reopen_comment(existing, &self.options)?,
            Some(news) if existing.unexplained_bot().is_none() => Some(news),
            // The marker of an explanation is the first line of the comment.
            Some(news) => reopen_comment(existing, &self.options)?
                .map(|explanation| format!("{explanation}\n\n{news}")),
        })
    }

    fn new(snapshot: &QueueSnapshot, update: &QueueUpdate, options: &QueueOptions) -> Self {
        let entries = update.queue_state.entries.iter();
        let user_keys: BTreeSet<_> =
            entries.map(|(account, _, entry)| user_key_of(account, &entry.finding)).collect();
        let number = |user_key: UserKey| {
            let existing = snapshot.user_issues.get(&markers::user_hash(&user_key))?;
            Some((user_key, existing.number))
        };
        let issues = if options.per_user {
            user_keys.into_iter().filter_map(number).collect()
        } else {
            BTreeMap::new()
        };
        let names = options.assignees.iter().map(String::as_str);
        let mut queue_state = update.queue_state.clone();
        if !options.per_user {
            // Only per-user issues show them, so they are no reason to write otherwise.
            queue_state.user_resources.clear();
        }
        Self {
            existing: snapshot.queue_issue.clone(),
            writes_body: false,
            state_change: None,
            comment: None,
            title: options.title.clone().unwrap_or_else(|| DEFAULT_TITLE.to_owned()),
            labels: options.all_labels(),
            assignees: assignees::logins(names, &mut BTreeSet::new()),
            options: options.clone(),
            queue_state,
            ticked_users: snapshot
                .queue_issue
                .as_ref()
                .map_or_else(BTreeSet::new, |it| markers::ticked_users(&it.body)),
            issues,
            incomplete_now: update.incomplete.clone(),
        }
    }

    /// Whether the queue issue must be written: its content changed, or "last checked" is too old.
    fn needs_update(&self, previous: Option<&QueueState>) -> Result<bool, TemplateError> {
        let (Some(previous), Some(existing)) = (previous, &self.existing) else { return Ok(true) };
        let age = (self.options.today - previous.checked).num_days();
        if age >= RECHECK_INTERVAL_DAYS || !previous.has_same_content(&self.queue_state) {
            return Ok(true);
        }
        // The same body, with the current state.
        let Ok(block) = StateBlock::of(&existing.body) else { return Ok(true) };
        Ok(self.body(&BTreeMap::new(), &block)? != existing.body.trim_end())
    }

    /// The state after this plan.
    pub(super) const fn queue_state(&self) -> &QueueState {
        &self.queue_state
    }

    /// The state for the issue with this number. If its text is longer than [`MAX_INLINE_CHARS`],
    /// it needs comments.
    #[must_use]
    pub fn packed(&self, issue: u64) -> PackedState {
        QueueState { issue: Some(issue), ..self.queue_state.clone() }.pack()
    }

    /// An empty state for a new queue issue: a state contains the number of its issue, which is not
    /// known before. If the run ends then, the queue is empty and not damaged.
    #[must_use]
    pub fn packed_empty(&self) -> PackedState {
        QueueState::new(self.options.today).pack()
    }

    /// A comment with a part of the state.
    ///
    /// # Errors
    /// [`TemplateError`] when its page cannot be rendered.
    pub fn part(&self, text: &str) -> Result<String, TemplateError> {
        let page = render(Page::StatePart, self.options.language, ())?;
        Ok(markers::part_comment(page.trim_end(), text))
    }

    /// The whole body. `more_issues` are the issues created since the plan was made.
    ///
    /// # Errors
    /// [`TemplateError`] when the page cannot be rendered.
    pub fn body(
        &self,
        more_issues: &BTreeMap<UserKey, u64>,
        block: &StateBlock,
    ) -> Result<String, TemplateError> {
        let mut issues = self.issues.clone();
        issues.extend(more_issues.iter().map(|(user_key, number)| (user_key.clone(), *number)));
        let block = block.written();
        Ok(format!("{}\n\n{block}", self.visible_body(&issues, block.len())?))
    }

    /// The visible text, with as many rows as fit beside a state of this size in bytes.
    fn visible_body(
        &self,
        issues: &BTreeMap<UserKey, u64>,
        room: usize,
    ) -> Result<String, TemplateError> {
        let queue_page = QueuePage {
            rows: RowBuilder { issues, ..self.rows() },
            observed_now: &self.options.observed_now,
            incomplete_now: &self.incomplete_now,
            per_user: self.options.per_user,
            runs: self.runs_page(),
            ticked_users: &self.ticked_users,
        };
        let marker = markers::queue_marker(&self.options.queue);
        let render = |rows: usize| {
            let text = render(Page::QueueIssue, self.options.language, queue_page.view(rows))?;
            Ok(format!("{marker}\n{}", text.trim_end()))
        };
        let longest = MAX_BODY_BYTES.saturating_sub(room + 2);
        fit_rows(queue_page.max_rows(), longest, render)
    }

    fn rows(&self) -> RowBuilder<'_> {
        RowBuilder {
            queue_state: &self.queue_state,
            due_within_days: self.options.due_within_days,
            ticked: &NO_FINDING,
            issues: &self.issues,
        }
    }

    /// The page with the runs of the workflow that last wrote the queue state. Another workflow that
    /// writes the same queue is no reason to write.
    fn runs_page(&self) -> Option<SafeText> {
        let file = self.queue_state.workflow.as_deref()?;
        let (server_url, repository) = self.options.workflow_host.as_ref()?;
        Some(SafeText::runs(server_url, repository, file))
    }
}

impl fmt::Display for QueueIssueDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.queue_state.open().count();
        match &self.existing {
            None => {
                write!(f, "create issue {:?}, the queue issue: {open} open", self.title)?;
                if self.state_change == Some(StateChange::CloseCompleted) {
                    write!(f, "; and close it")
                } else {
                    Ok(())
                }
            }
            Some(existing) => {
                let what = format!("issue #{}, the queue issue: {open} open", existing.number);
                write_edit(f, &what, self.writes_body, self.state_change, self.comment.is_some())
            }
        }
    }
}
