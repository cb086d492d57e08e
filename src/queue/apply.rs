//! Carries out a plan.
//!
//! Everything is read again just before it is written: if someone changed it in the meantime, a new
//! plan is needed. The queue state is written last, so a run that ends early leaves a state that
//! records less than was done, and never more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::markers;
use super::markers::StateBlock;
use super::plan::{
    BodyEdit, MAX_ASSIGNEES, MAX_INLINE_CHARS, MAX_INLINE_CHARS_LOCKED, MAX_PART_CHARS,
    QueueChange, QueueIssueDraft, QueuePlan, StateChange,
};
use super::read::{self, QueueReadError, TrustedAuthors};
use super::snapshot::{DuplicateIssue, QueueSnapshot};
use super::state::QueueName;
use super::update::UserKey;
use super::warning::Warning;
use crate::github::{
    Error, ErrorKind, Issue, IssueChange, IssueState, NewIssue, NewLabel, Repository, StateReason,
};
use crate::templates::{Language, Page, SafeText, TemplateError, render};

/// How often to check whether a new issue is listed, and the first pause; each pause is twice as
/// long as the one before.
const MAX_LIST_ATTEMPTS: usize = 5;
const INITIAL_BACKOFF: Duration = Duration::from_millis(500);

/// Why a plan was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// GitHub returned an error.
    #[error(transparent)]
    GitHub(#[from] Error),
    /// The queue cannot be read again.
    #[error(transparent)]
    Read(QueueReadError),
    /// A page cannot be rendered.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// The result of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplyOutcome {
    /// It was carried out.
    Done {
        /// The queue issue, if it was created or written.
        queue_issue: Option<(u64, String)>,
        /// Problems that do no harm.
        warnings: Vec<Warning>,
    },
    /// Someone changed what the plan is based on: a new plan is needed.
    Conflict,
}

/// Carries out plans in a repository.
pub struct QueueWriter<'a> {
    pub repository: &'a Repository<'a>,
    /// The author that is trusted in addition to the token's account.
    pub queue_author: Option<&'a str>,
    pub queue: &'a QueueName,
    /// The language of issues and comments.
    pub language: Language,
    /// The queue that the plan is based on.
    pub snapshot: &'a QueueSnapshot,
}

/// The progress of a plan.
#[derive(Default)]
struct ApplyProgress {
    /// The created per-user issues.
    user_issues: BTreeMap<UserKey, u64>,
    queue_issue: Option<(u64, String)>,
    /// Whether issues can be assigned to a login, as far as that was checked.
    assignable: BTreeMap<String, bool>,
    /// The logins that could not be assigned.
    not_assigned: BTreeSet<String>,
    warnings: Vec<Warning>,
}

impl QueueWriter<'_> {
    /// Carries out the changes of the plan, in order.
    ///
    /// # Errors
    /// [`ApplyError`] at the first change that GitHub refuses.
    pub async fn apply(&self, plan: &QueuePlan) -> Result<ApplyOutcome, ApplyError> {
        let not_assigned = plan.invalid_logins.clone();
        let mut progress = ApplyProgress { not_assigned, ..ApplyProgress::default() };
        for change in &plan.changes {
            if !self.apply_change(change, &mut progress).await? {
                return Ok(ApplyOutcome::Conflict);
            }
        }
        let ApplyProgress { queue_issue, not_assigned, mut warnings, .. } = progress;
        warnings.extend(Warning::not_assigned(&not_assigned));
        Ok(ApplyOutcome::Done { queue_issue, warnings })
    }

    /// Carries out one change; `false` if someone changed what the plan is based on.
    async fn apply_change(
        &self,
        change: &QueueChange,
        progress: &mut ApplyProgress,
    ) -> Result<bool, ApplyError> {
        match change {
            QueueChange::CreateLabel(label) => self.ensure_label(label).await?,
            QueueChange::CloseDuplicate { duplicate, comment } => {
                self.close_duplicate(*duplicate, comment, progress).await?;
            }
            QueueChange::AddLabels { number, labels } => {
                let add = async || self.repository.add_labels(*number, labels).await;
                self.with_unlock(*number, add).await?;
            }
            QueueChange::CreateUserIssue { user_key, title, body, labels, assignees } => {
                let new = new_issue(title, body, labels, assignees);
                let issue = self.create(new, progress).await?;
                progress.user_issues.insert(user_key.clone(), issue.number);
            }
            QueueChange::UpdateUserIssue { number, body, state_change, comment } => {
                if let Some(BodyEdit { previous_body, .. }) = body
                    && self.repository.issue(*number).await?.body != *previous_body
                {
                    return Ok(false);
                }
                if let Some(comment) = comment {
                    self.post_comment(*number, comment, progress).await?;
                }
                let body = body.as_ref().map(|edit| edit.body.clone());
                self.update(*number, body, *state_change).await?;
            }
            QueueChange::WriteQueueIssue(draft) => {
                return self.write_queue_issue(draft, progress).await;
            }
            QueueChange::RecordNumber { label, queue_issue } => {
                let created = progress.queue_issue.as_ref().map(|(number, _)| *number);
                if let Some(number) = created.or(*queue_issue) {
                    return Ok(self.record_number(label, number).await?);
                }
            }
        }
        Ok(true)
    }

    async fn ensure_label(&self, label: &str) -> Result<(), Error> {
        if self.repository.label(label).await?.is_some() {
            return Ok(());
        }
        self.create_label(label, "IAM credentials to remediate".to_owned()).await
    }

    async fn create_label(&self, label: &str, description: String) -> Result<(), Error> {
        let (name, color) = (label.to_owned(), "b60205".to_owned());
        self.repository.create_label(&NewLabel { name, color, description }).await
    }

    /// Writes the number of the queue issue into the description of the label; `false` if it names
    /// another issue now.
    async fn record_number(&self, label: &str, number: u64) -> Result<bool, Error> {
        let description = markers::label_description(number);
        let Some(found) = self.repository.label(label).await? else {
            self.create_label(label, description).await?;
            return Ok(true);
        };
        match markers::queue_number(found.description.as_deref()) {
            Ok(None) => self.repository.describe_label(label, &description).await?,
            Ok(Some(named)) if named == number => {}
            // A parallel run was faster, or someone edited the description.
            Ok(Some(_)) | Err(_) => return Ok(false),
        }
        Ok(true)
    }

    /// Creates an issue. GitHub rejects the issue if one login cannot be assigned, and silently
    /// drops assignees if the token cannot assign.
    async fn create(
        &self,
        mut new: NewIssue,
        progress: &mut ApplyProgress,
    ) -> Result<Issue, Error> {
        let after = self.snapshot.highest_issue;
        new.assignees = self.assignable(new.assignees, progress).await;
        match self.repository.create_issue(&new, after).await {
            Err(error) if error.kind == ErrorKind::Unprocessable && !new.assignees.is_empty() => {
                let names = std::mem::take(&mut new.assignees);
                let issue = self.repository.create_issue(&new, after).await?;
                let why = Some(error.to_string());
                progress.warnings.push(Warning::NotAssigned { names, why });
                Ok(issue)
            }
            Ok(issue) => {
                let is_assigned = |login: &String| {
                    issue.assignees.iter().any(|it| it.eq_ignore_ascii_case(login))
                };
                let missing = new.assignees.into_iter().filter(|login| !is_assigned(login));
                progress.not_assigned.extend(missing);
                Ok(issue)
            }
            outcome => outcome,
        }
    }

    /// The first logins that can be assigned, up to GitHub's limit. The others are recorded.
    async fn assignable(&self, logins: Vec<String>, progress: &mut ApplyProgress) -> Vec<String> {
        let mut assignable = Vec::new();
        for login in logins {
            if assignable.len() == MAX_ASSIGNEES {
                break;
            }
            let known = progress.assignable.get(&login).copied();
            let is_assignable = match known {
                Some(known) => known,
                // If GitHub does not say, creating the issue shows it.
                None => self.repository.is_assignable(&login).await.unwrap_or(true),
            };
            progress.assignable.insert(login.clone(), is_assignable);
            if is_assignable {
                assignable.push(login);
            } else {
                progress.not_assigned.insert(login);
            }
        }
        assignable
    }

    async fn close_duplicate(
        &self,
        duplicate: DuplicateIssue,
        comment: &str,
        progress: &mut ApplyProgress,
    ) -> Result<(), Error> {
        self.post_comment(duplicate.number, comment, progress).await?;
        self.update(duplicate.number, None, Some(StateChange::CloseNotPlanned)).await
    }

    /// Writes to an issue. If its conversation is locked, unlocks it and writes again.
    async fn with_unlock<T>(
        &self,
        number: u64,
        write: impl AsyncFn() -> Result<T, Error>,
    ) -> Result<T, Error> {
        match write().await {
            Err(error) if error.is_locked() => match self.repository.unlock(number).await {
                Ok(()) => write().await,
                Err(refused) => {
                    tracing::debug!(%refused, number, "the issue stays locked");
                    Err(error)
                }
            },
            outcome => outcome,
        }
    }

    /// Comments on an issue. If it is locked and cannot be unlocked, that is a warning: the issue
    /// contains the information as well.
    async fn post_comment(
        &self,
        number: u64,
        body: &str,
        progress: &mut ApplyProgress,
    ) -> Result<(), Error> {
        match self.with_unlock(number, async || self.comment(number, body).await).await {
            Err(error) if error.is_locked() => {
                progress.warnings.push(Warning::Locked { number, why: error.message });
                Ok(())
            }
            outcome => outcome,
        }
    }

    async fn comment(&self, number: u64, body: &str) -> Result<(), Error> {
        let comments = self.repository.comments(number).await?;
        let newest = comments.iter().map(|comment| comment.id).max().unwrap_or_default();
        self.repository.create_comment(number, body, newest).await.map(drop)
    }

    async fn update(
        &self,
        number: u64,
        body: Option<String>,
        state_change: Option<StateChange>,
    ) -> Result<(), Error> {
        let state = state_change.map(|state_change| match state_change {
            StateChange::Reopen => (IssueState::Open, StateReason::Reopened),
            StateChange::CloseCompleted => (IssueState::Closed, StateReason::Completed),
            StateChange::CloseNotPlanned => (IssueState::Closed, StateReason::NotPlanned),
        });
        let (state, state_reason) = state.unzip();
        let change = IssueChange { body, state, state_reason };
        let update = async || self.repository.update_issue(number, &change).await;
        self.with_unlock(number, update).await.map(drop)
    }

    async fn write_queue_issue(
        &self,
        draft: &QueueIssueDraft,
        progress: &mut ApplyProgress,
    ) -> Result<bool, ApplyError> {
        match &draft.existing {
            None => self.create_queue_issue(draft, progress).await,
            Some(existing) => {
                if self.repository.issue(existing.number).await?.body != existing.body {
                    return Ok(false);
                }
                let body = if draft.writes_body {
                    let block = StateBlock::of(&existing.body).ok();
                    match self.body(draft, existing.number, block, progress).await {
                        Err(failed) => return Err(self.reopen_after_failure(draft, failed).await),
                        body => Some(body?),
                    }
                } else {
                    None
                };
                // If the run ends between the two, a second comment is better than none.
                if let Some(comment) = &draft.comment {
                    self.post_comment(existing.number, comment, progress).await?;
                }
                if body.is_some() || draft.state_change.is_some() {
                    self.update(existing.number, body, draft.state_change).await?;
                }
                progress.queue_issue = Some((existing.number, existing.url.clone()));
                Ok(true)
            }
        }
    }

    /// Opens a queue issue whose state could not be written because the conversation is locked, so
    /// that people see it. An issue that a person acknowledged stays closed, because opening it
    /// would mean that a person took that back.
    async fn reopen_after_failure(
        &self,
        draft: &QueueIssueDraft,
        failed: ApplyError,
    ) -> ApplyError {
        let is_locked = matches!(&failed, ApplyError::GitHub(error) if error.is_locked());
        let existing = draft.existing.as_ref().filter(|_| is_locked);
        if let (Some(existing), Some(StateChange::Reopen)) = (existing, draft.state_change)
            && existing.closed_as_not_planned_at().is_none()
            && let Err(error) = self.update(existing.number, None, draft.state_change).await
        {
            tracing::debug!(%error, "the issue was not opened");
        }
        failed
    }

    async fn create_queue_issue(
        &self,
        draft: &QueueIssueDraft,
        progress: &mut ApplyProgress,
    ) -> Result<bool, ApplyError> {
        let block = StateBlock::new(&draft.packed_empty(), Vec::new(), Vec::new());
        let body = draft.body(&progress.user_issues, &block)?;
        let new = new_issue(&draft.title, &body, &draft.labels, &draft.assignees);
        let issue = self.create(new, progress).await?;
        // A parallel run may have created one as well, and closes its own if that has the higher
        // number.
        let snapshot = self.read_snapshot_with(issue.number).await?;
        if let Some(queue_issue) =
            snapshot.queue_issue.filter(|queue_issue| queue_issue.number != issue.number)
        {
            let of = BTreeMap::from([("of", SafeText::issue(None, queue_issue.number))]);
            let duplicate = DuplicateIssue { number: issue.number, original: queue_issue.number };
            self.close_duplicate(
                duplicate,
                &render(Page::DuplicateIssue, self.language, of)?,
                progress,
            )
            .await?;
            return Ok(false);
        }
        let body = self.body(draft, issue.number, Some(block), progress).await?;
        self.update(issue.number, Some(body), draft.state_change).await?;
        progress.queue_issue = Some((issue.number, issue.url));
        Ok(true)
    }

    /// The queue, once it shows the issue that was just created: a list that does not show it yet
    /// may not show another run's issue either.
    async fn read_snapshot_with(&self, number: u64) -> Result<QueueSnapshot, ApplyError> {
        // GitHub may only now show the token's account: the author of the issue.
        let trusted_authors =
            TrustedAuthors::of(self.repository.github(), self.queue_author).await?;
        let mut pause = INITIAL_BACKOFF;
        let mut attempt = 1;
        loop {
            let read =
                read::read_snapshot_with(self.repository, &trusted_authors, self.queue, number)
                    .await;
            let (snapshot, is_shown) = read.map_err(ApplyError::Read)?;
            if is_shown || attempt == MAX_LIST_ATTEMPTS {
                return Ok(snapshot);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }

    /// The body of the queue issue, after the parts of the state are written into comments that the
    /// present state does not use.
    async fn body(
        &self,
        draft: &QueueIssueDraft,
        number: u64,
        present: Option<StateBlock>,
        progress: &ApplyProgress,
    ) -> Result<String, ApplyError> {
        let packed = draft.packed(number);
        let (in_use, mut free) = present.map_or_else(Default::default, |it| (it.parts, it.spare));
        let mut parts = Vec::new();
        if packed.text.len() > MAX_INLINE_CHARS {
            free.reverse();
            for text in split_into_parts(&packed.text) {
                let body = draft.part(text)?;
                let written = match free.pop() {
                    Some(id) => self.rewrite_part(number, id, &body).await,
                    None => self.create_part(number, &body).await,
                };
                match written {
                    Ok(id) => parts.push(id),
                    // A locked issue accepts no comments; with fewer rows, the body may have space
                    // for the whole state.
                    Err(error)
                        if error.is_locked() && packed.text.len() <= MAX_INLINE_CHARS_LOCKED =>
                    {
                        free.extend(parts.drain(..).rev());
                        break;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            free.reverse();
        }
        let spare = in_use.into_iter().chain(free).collect();
        Ok(draft.body(&progress.user_issues, &StateBlock::new(&packed, parts, spare))?)
    }

    async fn rewrite_part(&self, number: u64, id: u64, body: &str) -> Result<u64, Error> {
        let update = async || self.repository.update_comment(id, body).await;
        match self.with_unlock(number, update).await {
            // Someone deleted it.
            Err(error) if error.kind == ErrorKind::NotFound => self.create_part(number, body).await,
            outcome => outcome.map(|comment| comment.id),
        }
    }

    async fn create_part(&self, number: u64, body: &str) -> Result<u64, Error> {
        let create = async || {
            let comments = self.repository.comments(number).await?;
            let newest = comments.iter().map(|comment| comment.id).max().unwrap_or_default();
            self.repository.create_comment(number, body, newest).await
        };
        self.with_unlock(number, create).await.map(|comment| comment.id)
    }
}

fn new_issue(title: &str, body: &str, labels: &[String], assignees: &[String]) -> NewIssue {
    NewIssue {
        title: title.to_owned(),
        body: body.to_owned(),
        labels: labels.to_vec(),
        assignees: assignees.to_vec(),
    }
}

/// Splits the text into parts of at most [`MAX_PART_CHARS`] characters. It is ASCII.
fn split_into_parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (part, behind) = rest.split_at_checked(MAX_PART_CHARS).unwrap_or((rest, ""));
        rest = behind;
        Some(part)
    })
}
