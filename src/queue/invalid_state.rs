//! Why a queue cannot be read.

/// Why a queue state cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQueueState {
    /// The issue has no queue state.
    #[error("the issue holds no memory")]
    MissingBlock,
    /// This program did not write the first line.
    #[error("the line before the memory is damaged")]
    Header,
    /// A comment with a part of the state was deleted, or is by another author.
    #[error("part {0} of the memory is missing")]
    MissingPart(usize),
    /// The checksum does not match the text.
    #[error("the memory's checksum does not fit")]
    Checksum,
    /// The text is not a queue state.
    #[error("the memory cannot be unpacked")]
    Unreadable,
    /// A text or a list is longer than any that the program writes.
    #[error("the memory holds a text or a list that is too long")]
    TooLong,
    /// The generation is higher than possible.
    #[error("the memory's generation {0} cannot be reached")]
    Generation(u64),
    /// The issue in the label's description does not exist.
    #[error("the issue that the label names as the queue is gone")]
    IssueNotFound,
    /// The issue in the label's description does not begin like a queue issue.
    #[error("the issue's body does not begin with the queue's marker")]
    MissingMarker,
    /// The label's description names an issue with an empty queue state.
    #[error("the issue holds an empty memory")]
    Empty,
    /// The state was copied from another issue.
    #[error(
        "the memory belongs to {}{}",
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
    #[error("the label's description does not name one issue as the queue")]
    Label,
    /// Another version of the program wrote it.
    #[error("the memory is of version {0}, which this version does not know")]
    Version(u32),
}
