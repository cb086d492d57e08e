//! The name of a queue.

use std::fmt;

/// The name of a queue. A repository can have several queues.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueName(String);

/// GitHub allows 50 characters for the name of a label, which contains the queue's name.
const MAX_QUEUE_NAME_CHARS: usize = 36;

impl QueueName {
    /// The default queue.
    const DEFAULT: &str = "default";

    /// Whether it is the default queue.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.0 == Self::DEFAULT
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a queue's name has 1 to {MAX_QUEUE_NAME_CHARS} lower-case letters, digits, and single dashes \
     between them"
)]
pub struct InvalidQueueName;

impl std::str::FromStr for QueueName {
    type Err = InvalidQueueName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let of_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        // Two dashes would end the HTML comment with the marker.
        let valid = (1..=MAX_QUEUE_NAME_CHARS).contains(&text.len())
            && text.split('-').all(|word| !word.is_empty() && word.bytes().all(of_word));
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidQueueName) }
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
