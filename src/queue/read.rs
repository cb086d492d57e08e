//! Asks GitHub what it shows of a queue.

use super::board::{Board, BotClosing, Foreign, Shown};
use super::markers::{self, MemoryBlock};
use super::memory::{Damage, Memory, QueueName};
use crate::github::{Comment, Error, GitHub, Issue, IssueFilter, Kind, Repository};

/// Whose issues and comments are taken for a queue's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The logins of the token's own account; none while GitHub does not say.
    us: Vec<String>,
    /// Whom the user named.
    queue_author: Option<String>,
}

impl Trust {
    /// The account that the token belongs to, and the one that the user named.
    ///
    /// # Errors
    /// [`Error`] when GitHub cannot be asked.
    pub async fn of(github: &GitHub, queue_author: Option<&str>) -> Result<Self, Error> {
        let us = github.logins().await?;
        Ok(Self { us, queue_author: queue_author.map(str::to_owned) })
    }

    /// Whether what an account wrote is the queue's own. GitHub compares logins without case.
    #[must_use]
    pub fn covers(&self, author: Option<&str>) -> bool {
        let is_named = |author: &str| self.creators().any(|it| it.eq_ignore_ascii_case(author));
        author.is_some_and(is_named)
    }

    /// Whether it is the token's own account.
    #[must_use]
    pub fn is_us(&self, author: Option<&str>) -> bool {
        author.is_some_and(|author| self.us.iter().any(|it| it.eq_ignore_ascii_case(author)))
    }

    /// Whether GitHub said whom the token belongs to.
    #[must_use]
    pub const fn knows_us(&self) -> bool {
        !self.us.is_empty()
    }

    /// The logins of the token's own account.
    #[must_use]
    pub fn us(&self) -> &[String] {
        &self.us
    }

    fn creators(&self) -> impl Iterator<Item = &String> {
        let named = self.queue_author.iter();
        self.us.iter().chain(named.filter(|it| !self.is_us(Some(it.as_str()))))
    }
}

/// Why a queue cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// GitHub could not be asked.
    #[error(transparent)]
    GitHub(#[from] Error),
    /// The description of the label is damaged.
    #[error("{0}")]
    Label(Damage),
    /// Others than those who are trusted wrote what passes for the queue issue, and nobody else did.
    #[error("every issue that passes for the queue is by an account that is not trusted")]
    Foreign {
        /// The issues.
        issues: Vec<Foreign>,
        /// The logins of the token's own account, as far as GitHub says.
        us: Vec<String>,
    },
}

impl From<Issue> for Foreign {
    fn from(issue: Issue) -> Self {
        Self { number: issue.number, author: issue.author }
    }
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

/// How a queue's issues are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// By the queue's label.
    ByLabel,
    /// By their authors too: somebody may have taken the label off a user's issue. Before an issue
    /// is made, nothing else tells that it is not there. The queue issue itself is never looked for
    /// so: whoever deletes the label starts over.
    ByAuthor,
}

/// What the label of a queue leads to.
struct Labelled {
    /// The issue number in the label's description.
    number: Option<u64>,
    /// The issues with the label, and the one of that number, by those who are trusted.
    issues: Vec<Shown>,
    /// The issues that pass for the queue's, by others.
    foreign: Vec<Foreign>,
}

/// A queue as GitHub shows it, with the comments that its memory needs.
///
/// # Errors
/// [`Unread`] when it cannot be read, or is not of those who are trusted.
pub async fn board(
    repository: &Repository<'_>,
    trust: &Trust,
    queue: &QueueName,
    search: Search,
) -> Result<Board, Unread> {
    let mut labelled = labelled(repository, trust, queue).await?;
    let mut highest = 0;
    if search == Search::ByAuthor {
        let issues = by_author(repository, trust).await?;
        highest = issues.iter().map(|issue| issue.number).max().unwrap_or_default();
        let of_user = |issue: &Shown| markers::key_of_person(&issue.body, queue).is_some();
        labelled.issues.extend(issues.into_iter().filter(of_user));
        labelled.issues.sort_by_key(|issue| issue.number);
        labelled.issues.dedup_by_key(|issue| issue.number);
    }
    let mut board = labelled.board(queue);
    board.highest_issue = board.highest_issue.max(highest);
    let Some(index) = &board.index else { return Ok(board) };
    let in_comments = MemoryBlock::of(&index.body)
        .is_ok_and(|block| !block.parts.is_empty() || !block.spare.is_empty());
    if in_comments {
        let comments = repository.comments(index.number).await?.into_iter();
        board.comments = comments
            .filter(|it| trust.covers(it.author.as_deref()))
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
    trust: &Trust,
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
            trust.covers(comment.author.as_deref())
                && markers::begins_with(&comment.body, markers::CLOSED_BY_BOT)
        };
        let is_explained = repository.comments(shown.number).await?.iter().any(is_explanation);
        shown.closed_by_bot = Some(BotClosing { login: bot.login, is_explained });
    }
    Ok(())
}

/// What the label leads to, without comments; and whether that shows an issue that was just made.
///
/// # Errors
/// [`Unread`] when it cannot be read, or is not of those who are trusted.
pub async fn board_with(
    repository: &Repository<'_>,
    trust: &Trust,
    queue: &QueueName,
    number: u64,
) -> Result<(Board, bool), Unread> {
    let labelled = labelled(repository, trust, queue).await?;
    let is_shown = labelled.issues.iter().any(|issue| issue.number == number);
    Ok((labelled.board(queue), is_shown))
}

impl Labelled {
    fn board(self, queue: &QueueName) -> Board {
        Board { foreign: self.foreign, ..Board::of(self.issues, queue, self.number) }
    }
}

async fn labelled(
    repository: &Repository<'_>,
    trust: &Trust,
    queue: &QueueName,
) -> Result<Labelled, Unread> {
    let label = markers::label(queue);
    let filter = IssueFilter { label: Some(label.clone()), creator: None };
    let mut issues = repository.issues(&filter).await?;
    let found = repository.label(&label).await?;
    let description = found.and_then(|label| label.description);
    let number = markers::queue_number(description.as_deref()).map_err(Unread::Label)?;
    if let Some(number) = number
        && !issues.iter().any(|issue| issue.number == number)
    {
        issues.extend(repository.issue_if_there(number).await?);
    }
    let (ours, others): (Vec<_>, Vec<_>) =
        issues.into_iter().partition(|issue| trust.covers(issue.author.as_deref()));
    refuse_foreign(&ours, &others, trust, queue, number)?;
    let foreign = others.into_iter().filter(|issue| markers::is_marked(&issue.body, queue));
    Ok(Labelled {
        number,
        foreign: foreign.map(Foreign::from).collect(),
        issues: ours.into_iter().map(Shown::from).collect(),
    })
}

/// Refuses to go on where the queue issue is by an account that is not trusted: to take it for none
/// would make a second one, or let whoever may write issues decide about the gate.
fn refuse_foreign(
    ours: &[Issue],
    others: &[Issue],
    trust: &Trust,
    queue: &QueueName,
    number: Option<u64>,
) -> Result<(), Unread> {
    let marker = markers::index(queue);
    let passes = |issue: &&Issue| match number {
        Some(number) => issue.number == number,
        // A user's issue alone is no queue that could be meant.
        None => markers::begins_with(&issue.body, &marker),
    };
    let issues: Vec<_> = others.iter().filter(passes).cloned().map(Foreign::from).collect();
    if issues.is_empty() || ours.iter().any(|issue| passes(&issue)) {
        return Ok(());
    }
    Err(Unread::Foreign { issues, us: trust.us().to_vec() })
}

/// All issues by those who are trusted.
async fn by_author(repository: &Repository<'_>, trust: &Trust) -> Result<Vec<Shown>, Error> {
    let mut found = Vec::new();
    for creator in trust.creators() {
        let filter = IssueFilter { label: None, creator: Some(creator.clone()) };
        match repository.issues(&filter).await {
            Ok(issues) => found.extend(issues.into_iter().map(Shown::from)),
            // An account that is gone cannot be filtered by.
            Err(error) if error.kind == Kind::Unprocessable => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
