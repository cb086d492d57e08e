//! How long the texts of the queue state may be.

/// The longest text that a memory holds, in characters. IAM's own are at most 256 characters long.
pub const MAX_TEXT_CHARS: usize = 256;
/// The longest user name that a memory holds, in characters; IAM's have at most 64.
pub const MAX_USER_NAME_CHARS: usize = 512;

/// The beginning of a text that is no longer than a memory holds.
#[must_use]
pub fn truncate(text: &str) -> String {
    text.chars().take(MAX_TEXT_CHARS).collect()
}
