//! Why a queue cannot be read or updated, and what to do about it.

use super::Exit;
use super::error::CommandError;
use crate::github::Error;
use crate::model::identity::RepositoryName;
use crate::queue::apply::ApplyError;
use crate::queue::markers;
use crate::queue::read::QueueReadError;
use crate::queue::snapshot::UntrustedIssue;
use crate::queue::state::{InvalidQueueState, QueueName};
use crate::queue::update::OutdatedEvidence;
use crate::templates::TemplateError;

/// Why the queue was not read or updated.
#[derive(Debug, thiserror::Error)]
pub(super) enum QueueError {
    /// Reading from GitHub failed.
    #[error(transparent)]
    Read(Error),
    /// The issues that look like the queue were created by accounts that are not trusted.
    #[error("{}", untrusted_queue_message(.issues, .own_logins))]
    UntrustedIssues {
        /// The issues.
        issues: Vec<UntrustedIssue>,
        /// The logins of the token's account, if they are known.
        own_logins: Vec<String>,
    },
    /// The label does not identify the queue issue.
    #[error("the label `{label}` of {repository} is damaged: {error}")]
    Label {
        /// The label.
        label: String,
        /// The repository of the label.
        repository: RepositoryName,
        /// The cause.
        error: InvalidQueueState,
    },
    /// The queue state exceeds the limits for reading it.
    #[error("the queue state is too large to be read again, so nothing was written")]
    TooLarge,
    /// The queue state is damaged.
    #[error("the queue state in {issue} is damaged: {error}")]
    Damaged {
        /// The queue issue.
        issue: String,
        /// The cause.
        error: InvalidQueueState,
        /// The label of the queue.
        label: String,
    },
    /// The audits are older than those in the queue.
    #[error(transparent)]
    Older(#[from] OutdatedEvidence),
    /// Writing to GitHub failed.
    #[error(transparent)]
    Unwritten(Error),
    /// Every plan had a conflict.
    #[error("the queue was changed by another user or run during every attempt to write it")]
    TooManyConflicts,
    /// A template cannot be rendered.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl From<QueueError> for CommandError {
    fn from(error: QueueError) -> Self {
        let (exit, hint, message) = (error.exit(), error.hint(), error.to_string());
        match error {
            QueueError::Read(error) | QueueError::Unwritten(error) => {
                Self::from(error).with_exit(exit)
            }
            _ => Self::new(exit, message).with_hint(hint),
        }
    }
}

impl QueueError {
    pub(super) fn from_read_error(
        error: QueueReadError,
        repository: &RepositoryName,
        queue: &QueueName,
    ) -> Self {
        match error {
            QueueReadError::GitHub(error) => Self::Read(error),
            QueueReadError::UntrustedIssues { issues, own_logins } => {
                Self::UntrustedIssues { issues, own_logins }
            }
            QueueReadError::Label(error) => {
                let (label, repository) = (markers::label(queue), repository.clone());
                Self::Label { label, repository, error }
            }
        }
    }

    pub(super) fn from_apply_error(
        error: ApplyError,
        repository: &RepositoryName,
        queue: &QueueName,
    ) -> Self {
        match error {
            ApplyError::GitHub(error) | ApplyError::Read(QueueReadError::GitHub(error)) => {
                Self::Unwritten(error)
            }
            ApplyError::Read(error) => Self::from_read_error(error, repository, queue),
            ApplyError::Template(error) => Self::Template(error),
        }
    }

    const fn exit(&self) -> Exit {
        match self {
            Self::Read(_)
            | Self::Damaged { .. }
            | Self::Label { .. }
            | Self::UntrustedIssues { .. } => Exit::Incomplete,
            Self::Older(_)
            | Self::Unwritten(_)
            | Self::TooManyConflicts
            | Self::TooLarge
            | Self::Template(_) => Exit::WriteFailed,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Read(error) | Self::Unwritten(error) => error.hint(),
            Self::Damaged { error: InvalidQueueState::IssueNotFound, label, .. } => format!(
                "if the issue was transferred, transfer it back; or, to start over, delete the label \
                 `{label}`: the next run creates a new queue in which everything is new"
            ),
            Self::Damaged { label, .. } => format!(
                "restore the issue's body, or the comments with parts of the queue state, from their \
                 edit history; or, to start over, delete the label `{label}`: the next run creates a \
                 new queue in which everything is new"
            ),
            Self::Label { label, .. } => format!(
                "end the description of `{label}` with the number of the queue issue, such as `#12`; \
                 or, to start over, delete the label"
            ),
            Self::UntrustedIssues { issues, own_logins } => {
                untrusted_queue_hint(issues, !own_logins.is_empty())
            }
            Self::TooLarge => {
                "split the accounts between several queues: set a different `queue` for each part"
                    .to_owned()
            }
            Self::Older(_) => "publish newer audits; nothing was written".to_owned(),
            Self::TooManyConflicts => {
                "add a `concurrency` group to the workflow, so that only one run writes at a time"
                    .to_owned()
            }
            Self::Template(_) => "this is a bug: please report it".to_owned(),
        }
    }
}

/// Issues with their authors, as in `issue #7 by mallory`.
pub(super) fn describe_issues(issues: &[UntrustedIssue]) -> String {
    let named = |it: &UntrustedIssue| {
        let author = it.author.as_deref().unwrap_or("a deleted account");
        format!("issue #{} by {author}", it.number)
    };
    issues.iter().map(named).collect::<Vec<_>>().join(", ")
}

fn untrusted_queue_message(issues: &[UntrustedIssue], own_logins: &[String]) -> String {
    let own_logins = if own_logins.is_empty() {
        "the account of the token is unknown".to_owned()
    } else {
        format!("the token belongs to {}", own_logins.join(", "))
    };
    format!(
        "the queue issue was created by an account that is not trusted: {}; {own_logins}",
        describe_issues(issues)
    )
}

/// If the account of the token is unknown, the issues may belong to it, so the hint deletes nothing.
fn untrusted_queue_hint(issues: &[UntrustedIssue], is_known: bool) -> String {
    let author = issues.iter().find_map(|it| it.author.as_deref()).unwrap_or("LOGIN");
    let mut hint = format!(
        "if you trust that account, for example because an earlier token belonged to it, set \
         `queue-author: {author}`"
    );
    if is_known {
        hint.push_str(
            "; otherwise, remove the label from these issues, or delete the label to start over",
        );
    }
    hint
}
