//! Asks GitHub what it shows of a queue.

use super::board::{Board, BotClosing, Shown};
use super::markers::{self, LABEL, MemoryBlock};
use super::memory::{Memory, QueueName};
use crate::github::{Comment, Error, Issue, IssueFilter, Repository};

/// Whose issues a workflow's own token makes.
const WORKFLOW: &str = "github-actions[bot]";

/// Whether somebody is trusted with a queue: `login` is ours.
#[must_use]
pub fn is_trusted(author: Option<&str>, login: &str) -> bool {
    author.is_some_and(|author| author == login || author == WORKFLOW)
}

impl From<Issue> for Shown {
    fn from(issue: Issue) -> Self {
        Self {
            number: issue.number,
            url: issue.url,
            body: issue.body,
            is_open: issue.is_open,
            closed_as: issue.state_reason,
            closed_at: issue.closed_at,
            labels: issue.labels,
            closed_by_bot: None,
        }
    }
}

/// The issues of queues: those with the fixed label by those who are trusted.
///
/// # Errors
/// [`Error`] when they cannot be listed.
pub async fn labelled(repository: &Repository<'_>, login: &str) -> Result<Vec<Shown>, Error> {
    let filter = IssueFilter { label: Some(LABEL.to_owned()), creator: None };
    let issues = repository.issues(&filter).await?.into_iter();
    Ok(issues.filter(|it| is_trusted(it.author.as_deref(), login)).map(Shown::from).collect())
}

/// How a queue's issues are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// By the fixed label, and by their authors only if the index is not among them.
    ByLabel,
    /// By their authors too: somebody may have taken the label away, from an issue or from the
    /// repository. Before an issue is made, nothing else tells that it is not there.
    ByAuthor,
}

/// A queue as GitHub shows it; `login` is ours.
///
/// # Errors
/// [`Error`] when it cannot be read.
pub async fn board(
    repository: &Repository<'_>,
    login: &str,
    queue: &QueueName,
    search: Search,
) -> Result<Board, Error> {
    let mut issues = labelled(repository, login).await?;
    let mut board = Board::of(issues.clone(), queue);
    if search == Search::ByAuthor || board.index.is_none() {
        for creator in [login, WORKFLOW].into_iter().take(if login == WORKFLOW { 1 } else { 2 }) {
            let filter = IssueFilter { label: None, creator: Some(creator.to_owned()) };
            issues.extend(repository.issues(&filter).await?.into_iter().map(Shown::from));
        }
        issues.sort_by_key(|issue| issue.number);
        issues.dedup_by_key(|issue| issue.number);
        board = Board::of(issues, queue);
    }
    let Some(index) = &board.index else { return Ok(board) };
    let in_comments = MemoryBlock::of(&index.body)
        .is_ok_and(|block| !block.parts.is_empty() || !block.spare.is_empty());
    if in_comments {
        let comments = repository.comments(index.number).await?.into_iter();
        board.comments = comments
            .filter(|it| is_trusted(it.author.as_deref(), login))
            .map(|Comment { id, body, .. }| (id, body))
            .collect();
    }
    Ok(board)
}

/// Looks up who closed the issues whose findings still call for action, since only a person's
/// decision counts. A list may leave out who closed an issue, so each is read by itself.
///
/// # Errors
/// [`Error`] when an issue or its comments cannot be read.
pub async fn closings(
    repository: &Repository<'_>,
    login: &str,
    board: &mut Board,
    memory: Option<&Memory>,
    per_user: bool,
) -> Result<(), Error> {
    for shown in board.closed_too_early(memory, per_user) {
        let issue = repository.issue(shown.number).await?;
        (shown.is_open, shown.closed_as, shown.closed_at) =
            (issue.is_open, issue.state_reason, issue.closed_at);
        // Where the account is gone, it was a person's.
        let Some(bot) = issue.closed_by.filter(|it| it.is_bot && !shown.is_open) else { continue };
        let is_explanation = |comment: &Comment| {
            is_trusted(comment.author.as_deref(), login)
                && markers::begins_with(&comment.body, markers::CLOSED_BY_BOT)
        };
        let is_explained = repository.comments(shown.number).await?.iter().any(is_explanation);
        shown.closed_by_bot = Some(BotClosing { login: bot.login, is_explained });
    }
    Ok(())
}
