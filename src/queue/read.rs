//! Reads the queue from GitHub.

use super::markers::{self, StateBlock};
use super::snapshot::{BotClosure, ExistingIssue, QueueSnapshot, UntrustedIssue};
use super::state::{InvalidQueueState, QueueName, QueueState};
use crate::github::{Comment, Error, ErrorKind, GitHub, Issue, IssueFilter, Repository};

/// The authors whose issues and comments belong to the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedAuthors {
    /// The logins of the token's account; empty if GitHub does not say.
    own_logins: Vec<String>,
    /// The author in the setting `queue-author`.
    queue_author: Option<String>,
}

impl TrustedAuthors {
    /// The token's account, and the author in the setting.
    ///
    /// # Errors
    /// [`Error`] when the login cannot be read.
    pub async fn of(github: &GitHub, queue_author: Option<&str>) -> Result<Self, Error> {
        let own_logins = github.logins().await?;
        Ok(Self { own_logins, queue_author: queue_author.map(str::to_owned) })
    }

    /// Whether an account's issues and comments are trusted. GitHub compares logins without case.
    #[must_use]
    pub fn includes(&self, author: Option<&str>) -> bool {
        let is_named = |author: &str| self.creators().any(|it| it.eq_ignore_ascii_case(author));
        author.is_some_and(is_named)
    }

    /// Whether it is the token's account.
    #[must_use]
    pub fn is_own(&self, author: Option<&str>) -> bool {
        author
            .is_some_and(|author| self.own_logins.iter().any(|it| it.eq_ignore_ascii_case(author)))
    }

    /// Whether GitHub said which account the token belongs to.
    #[must_use]
    pub const fn knows_own_login(&self) -> bool {
        !self.own_logins.is_empty()
    }

    /// The logins of the token's account.
    #[must_use]
    pub fn own_logins(&self) -> &[String] {
        &self.own_logins
    }

    fn creators(&self) -> impl Iterator<Item = &String> {
        let named = self.queue_author.iter();
        self.own_logins.iter().chain(named.filter(|it| !self.is_own(Some(it.as_str()))))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum QueueReadError {
    /// GitHub returned an error.
    #[error(transparent)]
    GitHub(#[from] Error),
    /// The description of the label is damaged.
    #[error("{0}")]
    Label(InvalidQueueState),
    /// Only authors who are not trusted wrote issues with the queue's marker.
    #[error("every issue with the queue's marker is by an author who is not trusted")]
    UntrustedIssues {
        /// The issues.
        issues: Vec<UntrustedIssue>,
        /// The logins of the token's account, as far as GitHub says.
        own_logins: Vec<String>,
    },
}

impl From<Issue> for UntrustedIssue {
    fn from(issue: Issue) -> Self {
        Self { number: issue.number, author: issue.author }
    }
}

impl From<Issue> for ExistingIssue {
    fn from(issue: Issue) -> Self {
        Self {
            is_not_planned: issue.is_not_planned(),
            number: issue.number,
            url: issue.url,
            body: issue.body,
            is_open: issue.is_open,
            closed_at: issue.closed_at,
            labels: issue.labels,
            closed_by_bot: None,
        }
    }
}

/// How to find a queue's issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueSearch {
    /// By the queue's label.
    ByLabel,
    /// Also by author, because someone may have removed the label from a per-user issue. This is
    /// the only way to see that it exists before it is created. The queue issue itself is never
    /// searched by author: deleting the label starts a new queue.
    ByAuthor,
}

/// The issues of a label.
struct LabeledIssues {
    /// The issue number in the label's description.
    number: Option<u64>,
    /// The issues with the label, and the one with that number, by trusted authors.
    issues: Vec<ExistingIssue>,
    /// The issues with the queue's marker by other authors.
    untrusted: Vec<UntrustedIssue>,
}

/// Reads a queue, with the comments that have parts of its state.
///
/// # Errors
/// [`QueueReadError`] when it cannot be read, or is by an author who is not trusted.
pub async fn read_snapshot(
    repository: &Repository<'_>,
    trusted_authors: &TrustedAuthors,
    queue: &QueueName,
    search: IssueSearch,
) -> Result<QueueSnapshot, QueueReadError> {
    let mut labeled = labeled(repository, trusted_authors, queue).await?;
    let mut highest = 0;
    if search == IssueSearch::ByAuthor {
        let issues = issues_by_author(repository, trusted_authors).await?;
        highest = issues.iter().map(|issue| issue.number).max().unwrap_or_default();
        let of_user =
            |issue: &ExistingIssue| markers::parse_user_hash(&issue.body, queue).is_some();
        labeled.issues.extend(issues.into_iter().filter(of_user));
        labeled.issues.sort_by_key(|issue| issue.number);
        labeled.issues.dedup_by_key(|issue| issue.number);
    }
    let mut snapshot = labeled.into_snapshot(queue);
    snapshot.highest_issue = snapshot.highest_issue.max(highest);
    let Some(queue_issue) = &snapshot.queue_issue else { return Ok(snapshot) };
    let in_comments = StateBlock::of(&queue_issue.body)
        .is_ok_and(|block| !block.parts.is_empty() || !block.spare.is_empty());
    if in_comments {
        let comments = repository.comments(queue_issue.number).await?.into_iter();
        snapshot.comments = comments
            .filter(|it| trusted_authors.includes(it.author.as_deref()))
            .map(|Comment { id, body, .. }| (id, body))
            .collect();
    }
    Ok(snapshot)
}

/// Finds out who closed issues with findings that need action, because only a person's decision
/// counts. A list may not say who closed an issue, so each one is read.
///
/// # Errors
/// [`Error`] when an issue or its comments cannot be read.
pub async fn find_closers(
    repository: &Repository<'_>,
    trusted_authors: &TrustedAuthors,
    snapshot: &mut QueueSnapshot,
    queue_state: Option<&QueueState>,
    per_user: bool,
) -> Result<(), Error> {
    for existing in snapshot.closed_needing_action(queue_state, per_user) {
        let issue = repository.issue(existing.number).await?;
        (existing.is_open, existing.is_not_planned, existing.closed_at) =
            (issue.is_open, issue.is_not_planned(), issue.closed_at);
        // If the account was deleted, it was a person's.
        let Some(bot) = issue.closed_by.filter(|it| it.is_bot && !existing.is_open) else {
            continue;
        };
        let is_explanation = |comment: &Comment| {
            trusted_authors.includes(comment.author.as_deref())
                && markers::begins_with(&comment.body, markers::CLOSED_BY_BOT)
        };
        let is_explained = repository.comments(existing.number).await?.iter().any(is_explanation);
        existing.closed_by_bot = Some(BotClosure { login: bot.login, is_explained });
    }
    Ok(())
}

/// Reads the issues of the label without comments, and whether they include a new issue.
///
/// # Errors
/// [`QueueReadError`] when it cannot be read, or is by an author who is not trusted.
pub async fn read_snapshot_with(
    repository: &Repository<'_>,
    trusted_authors: &TrustedAuthors,
    queue: &QueueName,
    number: u64,
) -> Result<(QueueSnapshot, bool), QueueReadError> {
    let labeled = labeled(repository, trusted_authors, queue).await?;
    let is_shown = labeled.issues.iter().any(|issue| issue.number == number);
    Ok((labeled.into_snapshot(queue), is_shown))
}

impl LabeledIssues {
    fn into_snapshot(self, queue: &QueueName) -> QueueSnapshot {
        QueueSnapshot {
            untrusted: self.untrusted,
            ..QueueSnapshot::of(self.issues, queue, self.number)
        }
    }
}

async fn labeled(
    repository: &Repository<'_>,
    trusted_authors: &TrustedAuthors,
    queue: &QueueName,
) -> Result<LabeledIssues, QueueReadError> {
    let label = markers::label(queue);
    let filter = IssueFilter { label: Some(label.clone()), creator: None };
    let mut issues = repository.issues(&filter).await?;
    let found = repository.label(&label).await?;
    let description = found.and_then(|label| label.description);
    let number = markers::queue_number(description.as_deref()).map_err(QueueReadError::Label)?;
    if let Some(number) = number
        && !issues.iter().any(|issue| issue.number == number)
    {
        issues.extend(repository.find_issue(number).await?);
    }
    let (trusted, untrusted): (Vec<_>, Vec<_>) =
        issues.into_iter().partition(|issue| trusted_authors.includes(issue.author.as_deref()));
    reject_untrusted(&trusted, &untrusted, trusted_authors, queue, number)?;
    let untrusted = untrusted.into_iter().filter(|issue| markers::is_marked(&issue.body, queue));
    Ok(LabeledIssues {
        number,
        untrusted: untrusted.map(UntrustedIssue::from).collect(),
        issues: trusted.into_iter().map(ExistingIssue::from).collect(),
    })
}

/// Rejects a queue issue by an author who is not trusted. Ignoring it would create a second one, or
/// let everyone who can write issues control the gate.
fn reject_untrusted(
    trusted: &[Issue],
    untrusted: &[Issue],
    trusted_authors: &TrustedAuthors,
    queue: &QueueName,
    number: Option<u64>,
) -> Result<(), QueueReadError> {
    let marker = markers::queue_marker(queue);
    let passes = |issue: &&Issue| match number {
        Some(number) => issue.number == number,
        // A per-user issue alone is not a queue.
        None => markers::begins_with(&issue.body, &marker),
    };
    let issues: Vec<_> =
        untrusted.iter().filter(passes).cloned().map(UntrustedIssue::from).collect();
    if issues.is_empty() || trusted.iter().any(|issue| passes(&issue)) {
        return Ok(());
    }
    Err(QueueReadError::UntrustedIssues {
        issues,
        own_logins: trusted_authors.own_logins().to_vec(),
    })
}

/// All issues by trusted authors.
async fn issues_by_author(
    repository: &Repository<'_>,
    trusted_authors: &TrustedAuthors,
) -> Result<Vec<ExistingIssue>, Error> {
    let mut found = Vec::new();
    for creator in trusted_authors.creators() {
        let filter = IssueFilter { label: None, creator: Some(creator.clone()) };
        match repository.issues(&filter).await {
            Ok(issues) => found.extend(issues.into_iter().map(ExistingIssue::from)),
            // GitHub rejects the filter if the account was deleted.
            Err(error) if error.kind == ErrorKind::Unprocessable => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
