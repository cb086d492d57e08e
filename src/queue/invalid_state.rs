//! Why a queue cannot be used.

/// Why a memory cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQueueState {
    /// The issue has no memory.
    #[error("the issue holds no memory")]
    MissingBlock,
    /// Its first line is none that was written by this program.
    #[error("the line before the memory is damaged")]
    Header,
    /// A comment that holds a part of it is gone or is another's.
    #[error("part {0} of the memory is missing")]
    MissingPart(usize),
    /// Text and checksum do not fit each other.
    #[error("the memory's checksum does not fit")]
    Checksum,
    /// It is no memory.
    #[error("the memory cannot be unpacked")]
    Unreadable,
    /// It holds a text that is longer than any that is written.
    #[error("the memory holds a text or a list that is too long")]
    TooLong,
    /// It counts writes that nobody can have made.
    #[error("the memory's generation {0} cannot be reached")]
    Generation(u64),
    /// The issue that the label's description names is not there.
    #[error("the issue that the label names as the queue is gone")]
    IssueNotFound,
    /// The issue that the label's description names does not begin as a queue issue does.
    #[error("the issue's body does not begin with the queue's marker")]
    MissingMarker,
    /// The label's description names an issue, and the issue holds the memory of a queue that was
    /// never written.
    #[error("the issue holds an empty memory")]
    Empty,
    /// It was copied from another issue.
    #[error(
        "the memory belongs to {}{}",
        .issue.map_or_else(|| "no issue".to_owned(), |number| format!("issue #{number}")),
        .run.as_deref().map(|run| format!(" and was written by {run}")).unwrap_or_default()
    )]
    OtherIssue {
        /// The issue that it names.
        issue: Option<u64>,
        /// The run that wrote it.
        run: Option<String>,
    },
    /// The label's description does not name one issue.
    #[error("the label's description does not name one issue as the queue")]
    Label,
    /// A newer version of this program has written it.
    #[error("the memory is of version {0}, which this version does not know")]
    Version(u32),
}
