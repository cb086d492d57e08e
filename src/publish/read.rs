//! Asks GitHub what it shows of a queue.

use super::board::{Board, Shown};
use super::markers::{LABEL, MemoryBlock};
use super::memory::QueueName;
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
