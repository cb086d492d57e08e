//! Why a queue cannot be read.

/// Why a queue state cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQueueState {
    /// The issue has no queue state.
    #[error("the issue has no queue state")]
    MissingBlock,
    /// This program did not write the first line.
    #[error("the line before the queue state is damaged")]
    Header,
    /// A comment with a part of the state was deleted, or is by another author.
    #[error("part {0} of the queue state is missing")]
    MissingPart(usize),
    /// The checksum does not match the text.
    #[error("the checksum of the queue state does not match")]
    Checksum,
    /// The text is not a queue state.
    #[error("the queue state cannot be read")]
    Unreadable,
    /// A text or a list is longer than any that iam-stocktake writes.
    #[error("the queue state has a text or a list that is too long")]
    TooLong,
    /// The generation is higher than possible.
    #[error("the queue state has an invalid generation, {0}")]
    Generation(u64),
    /// The issue in the label's description does not exist.
    #[error("the queue issue in the label's description does not exist")]
    IssueNotFound,
    /// The issue in the label's description does not begin like a queue issue.
    #[error("the issue's body does not start with the queue's marker")]
    MissingMarker,
    /// The label's description names an issue with an empty queue state.
    #[error("the issue has an empty queue state")]
    Empty,
    /// The state was copied from another issue.
    #[error(
        "the queue state belongs to {}{}",
        .issue.map_or_else(|| "no issue".to_owned(), |number| format!("issue #{number}")),
        .run.as_deref().map(|run| format!(" and was written by {run}")).unwrap_or_default()
    )]
    OtherIssue {
        /// The issue in the state.
        issue: Option<u64>,
        /// The run that wrote it.
        run: Option<String>,
    },
    /// The label's description does not name one issue.
    #[error("the label's description does not name exactly one queue issue")]
    Label,
    /// Another version of iam-stocktake wrote it.
    #[error("this version of iam-stocktake cannot read version {0} of the queue state")]
    Version(u32),
}
