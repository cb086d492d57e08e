//! The plan for the issues, as a value: computed from what is wanted and what is there, printed by
//! `--dry-run`, and carried out by `apply`.

mod assignees;
mod queue_issue;
mod user_issues;

use std::collections::BTreeSet;
use std::fmt;

use chrono::NaiveDate;

pub use assignees::MAX_ASSIGNEES;
pub use queue_issue::{MAX_INLINE_CHARS, MAX_INLINE_CHARS_LOCKED, MAX_PART_CHARS, QueueIssueDraft};

use super::markers;
use super::snapshot::{DuplicateIssue, ExistingIssue, QueueSnapshot};
use super::state::{QueueName, QueueState};
use super::update::{QueueUpdate, UserKey, user_key_of};
use super::view::{ChangesView, RowBuilder};
use crate::model::identity::RepositoryName;
use crate::model::inventory::AccountId;
use crate::model::policy::Rule;
use crate::templates::{Language, Page, SafeText, TemplateError, render};

/// The maximum number of findings of a kind in the comment. Further findings are counted.
const MAX_NAMED: usize = 10;
/// GitHub rejects bodies with more than 65,536 characters. This limit is well below, in bytes.
pub const MAX_BODY_BYTES: usize = 60_000;

/// What the queue should look like.
#[derive(Debug, Clone)]
pub struct QueueOptions {
    pub queue: QueueName,
    /// Whether each user has an issue.
    pub per_user: bool,
    /// The title of a new queue issue.
    pub title: Option<String>,
    /// Labels in addition to the fixed one.
    pub labels: Vec<String>,
    /// The assignees of new issues.
    pub assignees: Vec<String>,
    /// Whether owners are assigned to the issues of their users.
    pub assign_owners: bool,
    /// The language of issues and comments.
    pub language: Language,
    /// The days after which an open finding is overdue.
    pub due_within_days: u32,
    /// The day of the run.
    pub today: NaiveDate,
    /// The run's page, for links.
    pub run: Option<SafeText>,
    /// The run's page, for the queue state; `None` outside of a workflow run.
    pub run_url: Option<String>,
    /// The longest exemption that the policies of all accounts allow, in days.
    pub max_exemption_days: u32,
    /// The path of the allowlist, if it is known.
    pub allowlist: Option<String>,
    /// The name of the workflow's file; `None` outside of a workflow run.
    pub workflow: Option<String>,
    /// The URL of GitHub, and the repository of the workflow; `None` outside of a workflow run.
    pub workflow_host: Option<(String, RepositoryName)>,
    /// The rules for which this run has all requested evidence.
    pub observed_now: BTreeSet<(AccountId, Rule)>,
}

impl QueueOptions {
    /// The fixed label and the others, without duplicates.
    fn all_labels(&self) -> Vec<String> {
        let mut labels = vec![markers::label(&self.queue)];
        for label in &self.labels {
            // GitHub compares labels without case.
            if !labels.iter().any(|other| other.eq_ignore_ascii_case(label)) {
                labels.push(label.clone());
            }
        }
        labels
    }
}

/// A change of an issue's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateChange {
    /// Reopen it.
    Reopen,
    /// Close it, because nothing is open.
    CloseCompleted,
    /// Close it, because a person acknowledged everything that is open.
    CloseNotPlanned,
}

#[derive(Debug, Clone)]
pub enum QueueChange {
    /// Create a label if it does not exist.
    CreateLabel(String),
    /// Close the duplicate of a parallel run, and link the issue to keep.
    CloseDuplicate {
        /// The duplicate.
        duplicate: DuplicateIssue,
        /// The comment that links the issue to keep.
        comment: String,
    },
    /// Restore labels that someone removed.
    AddLabels {
        /// The issue.
        number: u64,
        /// The labels.
        labels: Vec<String>,
    },
    /// Create a per-user issue.
    CreateUserIssue {
        /// The user.
        user_key: UserKey,
        /// Its title.
        title: String,
        /// Its body.
        body: String,
        /// Its labels.
        labels: Vec<String>,
        /// Its assignees.
        assignees: Vec<String>,
    },
    /// Update a per-user issue.
    UpdateUserIssue {
        /// The issue.
        number: u64,
        /// The new body, if it changes.
        body: Option<BodyEdit>,
        /// Its new state, if it changes.
        state_change: Option<StateChange>,
        /// A comment.
        comment: Option<String>,
    },
    /// Create or write the queue issue, and the queue state in it.
    WriteQueueIssue(Box<QueueIssueDraft>),
    /// Write the number of the queue issue into the description of the label, after the first state
    /// is written. From then on, no other issue is the queue issue.
    RecordNumber {
        /// The label.
        label: String,
        /// The queue issue, if this plan does not create it.
        queue_issue: Option<u64>,
    },
}

/// A new body. If someone changed the old one in the meantime, a new plan is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyEdit {
    /// The new body.
    pub body: String,
    /// The body that the plan is based on.
    pub previous_body: String,
}

/// All changes, in the order in which they are carried out.
#[derive(Debug, Clone, Default)]
pub struct QueuePlan {
    /// The changes.
    pub changes: Vec<QueueChange>,
    /// Assignees that are not valid logins.
    pub invalid_logins: BTreeSet<String>,
}

impl QueuePlan {
    /// Whether there are no changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Computes the plan. `previous` is the state in the snapshot.
///
/// # Errors
/// [`TemplateError`] when a page cannot be rendered.
pub fn plan(
    snapshot: &QueueSnapshot,
    previous: Option<&QueueState>,
    update: &QueueUpdate,
    options: &QueueOptions,
) -> Result<QueuePlan, TemplateError> {
    let (mut changes, mut invalid_logins) = (Vec::new(), BTreeSet::new());
    for duplicate in &snapshot.duplicates {
        let of = SafeText::issue(None, duplicate.original);
        let comment = render(
            Page::DuplicateIssue,
            options.language,
            std::collections::BTreeMap::from([("of", of)]),
        )?;
        changes.push(QueueChange::CloseDuplicate { duplicate: *duplicate, comment });
    }
    let creates_user_issues =
        options.per_user && user_issues::needs_user_issue(snapshot, &update.queue_state);
    let queue_issue = queue_issue::plan(snapshot, previous, update, options, creates_user_issues)?;
    if options.per_user {
        // They show the state that the queue issue will have, so that the next run finds them
        // unchanged.
        let queue_state =
            queue_issue.as_ref().map_or(&update.queue_state, QueueIssueDraft::queue_state);
        changes.extend(user_issues::plan(
            snapshot,
            queue_state,
            update,
            options,
            &mut invalid_logins,
        )?);
    }
    let unlabeled = unlabeled(snapshot, &markers::label(&options.queue));
    let creates_queue_issue = queue_issue.as_ref().is_some_and(|draft| draft.existing.is_none());
    if creates_queue_issue {
        assignees::logins(options.assignees.iter().map(String::as_str), &mut invalid_logins);
    }
    let mut ordered = Vec::new();
    if creates_user_issues || creates_queue_issue || !unlabeled.is_empty() {
        ordered.extend(options.all_labels().into_iter().map(QueueChange::CreateLabel));
    }
    let label =
        |number| QueueChange::AddLabels { number, labels: vec![markers::label(&options.queue)] };
    ordered.extend(unlabeled.into_iter().map(label));
    ordered.extend(changes);
    ordered.extend(queue_issue.map(|draft| QueueChange::WriteQueueIssue(Box::new(draft))));
    if snapshot.number.is_none() {
        let label = markers::label(&options.queue);
        let queue_issue = snapshot.queue_issue.as_ref().map(|queue_issue| queue_issue.number);
        ordered.push(QueueChange::RecordNumber { label, queue_issue });
    }
    Ok(QueuePlan { changes: ordered, invalid_logins })
}

/// The issues without the fixed label. Other labels are up to people.
fn unlabeled(snapshot: &QueueSnapshot, fixed: &str) -> Vec<u64> {
    let is_label = |label: &String| label.eq_ignore_ascii_case(fixed);
    let issues = snapshot.queue_issue.iter().chain(snapshot.user_issues.values());
    let unlabeled = issues.filter(|issue| !issue.labels.iter().any(is_label));
    unlabeled.map(|issue| issue.number).collect()
}

/// The comment about changes, if any of them is worth one.
fn change_comment(
    update: &QueueUpdate,
    rows: &RowBuilder<'_>,
    options: &QueueOptions,
) -> Result<Option<String>, TemplateError> {
    if !update.has_reportable_changes() {
        return Ok(None);
    }
    let events: Vec<_> = update.remediation.iter().collect();
    let view = ChangesView {
        new: rows.first(MAX_NAMED, &update.new),
        returned: rows.first(MAX_NAMED, &update.returned),
        overdue: rows.first(MAX_NAMED, &update.overdue),
        remediation: rows.remediation_groups(MAX_NAMED, &events),
        run: options.run.clone(),
    };
    render(Page::QueueChanges, options.language, view).map(Some)
}

/// The comment on a reopened issue: what to do about a bot, once, or that a person closed it too
/// early.
fn reopen_comment(
    existing: &ExistingIssue,
    options: &QueueOptions,
) -> Result<Option<String>, TemplateError> {
    match (&existing.closed_by_bot, existing.unexplained_bot()) {
        (Some(_), None) => Ok(None),
        (_, Some(bot)) => {
            let label = markers::label(&options.queue);
            let context = std::collections::BTreeMap::from([("bot", bot), ("label", &label)]);
            let text = render(Page::ClosedByBot, options.language, context)?;
            Ok(Some(format!("{}\n{}", markers::CLOSED_BY_BOT, text.trim_end())))
        }
        (None, None) => render(Page::StillOpen, options.language, ()).map(Some),
    }
}

impl fmt::Display for QueuePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "nothing to change");
        }
        self.changes.iter().try_for_each(|change| writeln!(f, "{change}"))
    }
}

impl fmt::Display for QueueChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateLabel(label) => {
                write!(f, "create the label {label:?} if it does not exist")
            }
            Self::CloseDuplicate { duplicate, .. } => {
                write!(
                    f,
                    "close issue #{}, a duplicate of #{}",
                    duplicate.number, duplicate.original
                )
            }
            Self::AddLabels { number, labels } => write!(f, "label issue #{number}: {labels:?}"),
            Self::CreateUserIssue { title, assignees, .. } if assignees.is_empty() => {
                write!(f, "create issue {title:?}")
            }
            Self::CreateUserIssue { title, assignees, .. } => {
                write!(f, "create issue {title:?}, assigned to {}", assignees.join(", "))
            }
            Self::UpdateUserIssue { number, body, state_change, comment } => write_edit(
                f,
                &format!("issue #{number}"),
                body.is_some(),
                *state_change,
                comment.is_some(),
            ),
            Self::WriteQueueIssue(draft) => draft.fmt(f),
            Self::RecordNumber { label, .. } => {
                write!(
                    f,
                    "store the number of the queue issue in the description of the label {label:?}"
                )
            }
        }
    }
}

fn write_edit(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    edits: bool,
    state_change: Option<StateChange>,
    comments: bool,
) -> fmt::Result {
    let state_action = match state_change {
        Some(StateChange::Reopen) => Some("reopen"),
        Some(StateChange::CloseCompleted) => Some("close as completed"),
        Some(StateChange::CloseNotPlanned) => Some("close as not planned"),
        None => None,
    };
    let actions = [edits.then_some("edit"), state_action, comments.then_some("comment on")];
    let actions: Vec<_> = actions.into_iter().flatten().collect();
    write!(f, "{} {what}", actions.join(" and "))
}

/// The users with open findings, the longest disuse first.
fn users_by_disuse(queue_state: &QueueState) -> Vec<UserKey> {
    let mut open: Vec<_> = queue_state
        .open()
        .map(|(account, id, entry)| {
            (entry.finding.reference_date(), user_key_of(account, &entry.finding), *id)
        })
        .collect();
    // Findings without a date come last.
    open.sort_by(|a, b| (a.0.is_none(), a).cmp(&(b.0.is_none(), b)));
    let mut users = Vec::new();
    let mut seen = BTreeSet::new();
    for (_, user_key, _) in open {
        if seen.insert(user_key.clone()) {
            users.push(user_key);
        }
    }
    users
}
