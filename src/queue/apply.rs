//! Carries a plan out.
//!
//! Everything is looked at again just before it is written: whatever somebody has changed meanwhile
//! calls for another plan. The memory is written last, so that a run that ends half-way leaves a
//! queue that knows less, and never more, than what was done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::board::{Board, Twin};
use super::ledger::Person;
use super::markers;
use super::markers::MemoryBlock;
use super::memory::QueueName;
use super::plan::{
    Change, Edit, IndexDraft, MOST_ASSIGNEES, MOST_INLINE, MOST_INLINE_LOCKED, PART, Plan, Turn,
};
use super::read::{self, Trust, Unread};
use super::warning::Warning;
use crate::github::{
    Error, Issue, IssueChange, Kind, NewIssue, NewLabel, Repository, State, StateReason,
};
use crate::report::{Language, Page, Plain, TemplateError, page};

/// How often it is looked whether a new issue is listed, and the first pause between; each further
/// one is twice as long.
const LOOKS: usize = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Why a plan was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// GitHub said no.
    #[error(transparent)]
    GitHub(#[from] Error),
    /// What is there cannot be read again.
    #[error(transparent)]
    Unread(Unread),
    /// A page cannot be rendered.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// What came of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It was carried out.
    Done {
        /// The index, if it was made or written.
        index: Option<(u64, String)>,
        /// What did not go as planned, and does no harm.
        warnings: Vec<Warning>,
    },
    /// Somebody has changed what it was planned on: plan anew.
    Moved,
}

/// Carries plans out in a repository.
pub struct Applier<'a> {
    /// Where.
    pub repository: &'a Repository<'a>,
    /// Whom the user named as trusted with the queue besides the token's own account.
    pub queue_author: Option<&'a str>,
    /// Which queue.
    pub queue: &'a QueueName,
    /// The language of what people are shown.
    pub language: Language,
    /// What the plan was computed from.
    pub board: &'a Board,
}

/// How far a plan was carried out.
#[derive(Default)]
struct Progress {
    /// The users' issues that were made.
    people: BTreeMap<Person, u64>,
    index: Option<(u64, String)>,
    /// Whether issues can be assigned to a login, as far as it was asked.
    assignable: BTreeMap<String, bool>,
    /// Who was not assigned, though they were to be.
    not_assigned: BTreeSet<String>,
    warnings: Vec<Warning>,
}

impl Applier<'_> {
    /// Carries the plan out, in its order.
    ///
    /// # Errors
    /// [`Failed`] at the first change that GitHub refuses.
    pub async fn apply(&self, plan: &Plan) -> Result<Applied, Failed> {
        let not_assigned = plan.not_logins.clone();
        let mut progress = Progress { not_assigned, ..Progress::default() };
        for change in &plan.changes {
            if !self.carry_out(change, &mut progress).await? {
                return Ok(Applied::Moved);
            }
        }
        let Progress { index, not_assigned, mut warnings, .. } = progress;
        warnings.extend(Warning::not_assigned(&not_assigned));
        Ok(Applied::Done { index, warnings })
    }

    /// Carries one change out; `false` where somebody has changed what it was planned on.
    async fn carry_out(&self, change: &Change, progress: &mut Progress) -> Result<bool, Failed> {
        match change {
            Change::CreateLabel(label) => self.make_sure_of(label).await?,
            Change::CloseTwin { twin, comment } => {
                self.close_twin(*twin, comment, progress).await?;
            }
            Change::AddLabels { number, labels } => {
                let add = async || self.repository.add_labels(*number, labels).await;
                self.unlocked(*number, add).await?;
            }
            Change::CreatePerson { person, title, body, labels, assignees } => {
                let new = new_issue(title, body, labels, assignees);
                let issue = self.create(new, progress).await?;
                progress.people.insert(person.clone(), issue.number);
            }
            Change::EditPerson { number, body, turn, comment } => {
                if let Some(Edit { instead_of, .. }) = body
                    && self.repository.issue(*number).await?.body != *instead_of
                {
                    return Ok(false);
                }
                if let Some(comment) = comment {
                    self.tell(*number, comment, progress).await?;
                }
                let body = body.as_ref().map(|edit| edit.body.clone());
                self.update(*number, body, *turn).await?;
            }
            Change::Index(draft) => return self.index(draft, progress).await,
            Change::RecordNumber { label, index } => {
                let made = progress.index.as_ref().map(|(number, _)| *number);
                if let Some(number) = made.or(*index) {
                    return Ok(self.record_number(label, number).await?);
                }
            }
        }
        Ok(true)
    }

    async fn make_sure_of(&self, label: &str) -> Result<(), Error> {
        if self.repository.label(label).await?.is_some() {
            return Ok(());
        }
        self.create_label(label, "IAM credentials to remediate".to_owned()).await
    }

    async fn create_label(&self, label: &str, description: String) -> Result<(), Error> {
        let (name, color) = (label.to_owned(), "b60205".to_owned());
        self.repository.create_label(&NewLabel { name, color, description }).await
    }

    /// Names the index in the description of the label; `false` where that names another issue now.
    async fn record_number(&self, label: &str, number: u64) -> Result<bool, Error> {
        let description = markers::label_description(number);
        let Some(found) = self.repository.label(label).await? else {
            self.create_label(label, description).await?;
            return Ok(true);
        };
        match markers::queue_number(found.description.as_deref()) {
            Ok(None) => self.repository.describe_label(label, &description).await?,
            Ok(Some(named)) if named == number => {}
            // A parallel run was quicker, or somebody wrote into it.
            Ok(Some(_)) | Err(_) => return Ok(false),
        }
        Ok(true)
    }

    /// Creates an issue. GitHub refuses the whole of it for one login that cannot be assigned, and
    /// leaves assignees out in silence where the token may not assign.
    async fn create(&self, mut new: NewIssue, progress: &mut Progress) -> Result<Issue, Error> {
        let after = self.board.highest_issue;
        new.assignees = self.assignable(new.assignees, progress).await;
        match self.repository.create_issue(&new, after).await {
            Err(error) if error.kind == Kind::Unprocessable && !new.assignees.is_empty() => {
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

    /// The first of the logins to whom issues can be assigned, as many as GitHub takes. The others
    /// are remembered.
    async fn assignable(&self, logins: Vec<String>, progress: &mut Progress) -> Vec<String> {
        let mut assignable = Vec::new();
        for login in logins {
            if assignable.len() == MOST_ASSIGNEES {
                break;
            }
            let known = progress.assignable.get(&login).copied();
            let is_assignable = match known {
                Some(known) => known,
                // Where GitHub does not tell, making the issue does.
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

    async fn close_twin(
        &self,
        twin: Twin,
        comment: &str,
        progress: &mut Progress,
    ) -> Result<(), Error> {
        self.tell(twin.number, comment, progress).await?;
        self.update(twin.number, None, Some(Turn::SetAside)).await
    }

    /// Writes to an issue; where its conversation is locked, unlocks it and writes once more.
    async fn unlocked<T>(
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

    /// Comments on an issue. Where it is locked and stays so, that is a warning: what the comment
    /// tells stands in the issue as well.
    async fn tell(&self, number: u64, body: &str, progress: &mut Progress) -> Result<(), Error> {
        match self.unlocked(number, async || self.comment(number, body).await).await {
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
        turn: Option<Turn>,
    ) -> Result<(), Error> {
        let state = turn.map(|turn| match turn {
            Turn::Reopen => (State::Open, Some(StateReason::Reopened)),
            Turn::Complete => (State::Closed, Some(StateReason::Completed)),
            Turn::SetAside => (State::Closed, Some(StateReason::NotPlanned)),
        });
        let change = IssueChange { body, state, ..IssueChange::default() };
        let update = async || self.repository.update_issue(number, &change).await;
        self.unlocked(number, update).await.map(drop)
    }

    async fn index(&self, draft: &IndexDraft, progress: &mut Progress) -> Result<bool, Failed> {
        match &draft.existing {
            None => self.create_index(draft, progress).await,
            Some(existing) => {
                if self.repository.issue(existing.number).await?.body != existing.body {
                    return Ok(false);
                }
                let body = if draft.writes_body {
                    let block = MemoryBlock::of(&existing.body).ok();
                    match self.body(draft, existing.number, block, progress).await {
                        Err(failed) => return Err(self.reopened_at_least(draft, failed).await),
                        body => Some(body?),
                    }
                } else {
                    None
                };
                // Told twice is better than never, should the run end between the two.
                if let Some(comment) = &draft.comment {
                    self.tell(existing.number, comment, progress).await?;
                }
                if body.is_some() || draft.turn.is_some() {
                    self.update(existing.number, body, draft.turn).await?;
                }
                progress.index = Some((existing.number, existing.url.clone()));
                Ok(true)
            }
        }
    }

    /// Opens an index whose memory could not be written since its conversation is locked, so that
    /// people see it. One that a person set aside stays closed: open, it would mean that a person
    /// has taken that back.
    async fn reopened_at_least(&self, draft: &IndexDraft, failed: Failed) -> Failed {
        let is_locked = matches!(&failed, Failed::GitHub(error) if error.is_locked());
        let existing = draft.existing.as_ref().filter(|_| is_locked);
        if let (Some(shown), Some(Turn::Reopen)) = (existing, draft.turn)
            && shown.set_aside().is_none()
            && let Err(error) = self.update(shown.number, None, draft.turn).await
        {
            tracing::debug!(%error, "the issue was not opened");
        }
        failed
    }

    async fn create_index(
        &self,
        draft: &IndexDraft,
        progress: &mut Progress,
    ) -> Result<bool, Failed> {
        let block = MemoryBlock::new(&draft.packed_empty(), Vec::new(), Vec::new());
        let body = draft.body(&progress.people, &block)?;
        let new = new_issue(&draft.title, &body, &draft.labels, &draft.assignees);
        let issue = self.create(new, progress).await?;
        // A parallel run may have made one as well, and sets its own aside if it is the later one.
        let board = self.board_with(issue.number).await?;
        if let Some(index) = board.index.filter(|index| index.number != issue.number) {
            let of = BTreeMap::from([("of", Plain::issue(None, index.number))]);
            let twin = Twin { number: issue.number, of: index.number };
            self.close_twin(twin, &page(Page::Twin, self.language, of)?, progress).await?;
            return Ok(false);
        }
        let body = self.body(draft, issue.number, Some(block), progress).await?;
        self.update(issue.number, Some(body), draft.turn).await?;
        progress.index = Some((issue.number, issue.url));
        Ok(true)
    }

    /// What is there, once it shows the issue that was just made: a list lags behind, and one that
    /// does not show our own does not show another's.
    async fn board_with(&self, number: u64) -> Result<Board, Failed> {
        // Only now GitHub may have said whom the token belongs to: the author of the issue.
        let trust = Trust::of(self.repository.github(), self.queue_author).await?;
        let mut pause = FIRST_PAUSE;
        let mut look = 1;
        loop {
            let read = read::board_with(self.repository, &trust, self.queue, number).await;
            let (board, is_shown) = read.map_err(Failed::Unread)?;
            if is_shown || look == LOOKS {
                return Ok(board);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            look += 1;
        }
    }

    /// The index's body, once the memory's parts are written into comments that the present memory
    /// does not need.
    async fn body(
        &self,
        draft: &IndexDraft,
        number: u64,
        present: Option<MemoryBlock>,
        progress: &Progress,
    ) -> Result<String, Failed> {
        let packed = draft.packed(number);
        let (in_use, mut free) = present.map_or_else(Default::default, |it| (it.parts, it.spare));
        let mut parts = Vec::new();
        if packed.text.len() > MOST_INLINE {
            free.reverse();
            for text in chunks(&packed.text) {
                let body = draft.part(text)?;
                let written = match free.pop() {
                    Some(id) => self.rewrite_part(number, id, &body).await,
                    None => self.new_part(number, &body).await,
                };
                match written {
                    Ok(id) => parts.push(id),
                    // A locked issue takes no comment; with fewer rows its body may hold it all.
                    Err(error) if error.is_locked() && packed.text.len() <= MOST_INLINE_LOCKED => {
                        free.extend(parts.drain(..).rev());
                        break;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            free.reverse();
        }
        let spare = in_use.into_iter().chain(free).collect();
        Ok(draft.body(&progress.people, &MemoryBlock::new(&packed, parts, spare))?)
    }

    async fn rewrite_part(&self, number: u64, id: u64, body: &str) -> Result<u64, Error> {
        let update = async || self.repository.update_comment(id, body).await;
        match self.unlocked(number, update).await {
            // Somebody has deleted it.
            Err(error) if error.kind == Kind::NotFound => self.new_part(number, body).await,
            outcome => outcome.map(|comment| comment.id),
        }
    }

    async fn new_part(&self, number: u64, body: &str) -> Result<u64, Error> {
        let create = async || {
            let comments = self.repository.comments(number).await?;
            let newest = comments.iter().map(|comment| comment.id).max().unwrap_or_default();
            self.repository.create_comment(number, body, newest).await
        };
        self.unlocked(number, create).await.map(|comment| comment.id)
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

/// The text in parts of at most [`PART`] characters; it is of one-byte characters alone.
fn chunks(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (part, behind) = rest.split_at_checked(PART).unwrap_or((rest, ""));
        rest = behind;
        Some(part)
    })
}
