//! How long the texts of the queue state may be.

/// The longest text that a memory holds, in characters. IAM's own are at most 256 characters long.
pub const LONGEST_TEXT: usize = 256;
/// The longest user name that a memory holds, in characters; IAM's have at most 64.
pub const LONGEST_USER: usize = 512;

/// The beginning of a text that is no longer than a memory holds.
#[must_use]
pub fn bounded(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}
