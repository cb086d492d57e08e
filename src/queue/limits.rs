//! Limits on the length of texts in the queue state.

/// The longest text, in characters. Texts of IAM have at most 256.
pub const MAX_TEXT_CHARS: usize = 256;
/// The longest user name, in characters. IAM's have at most 64.
pub const MAX_USER_NAME_CHARS: usize = 512;

/// The beginning of a text, up to the limit.
#[must_use]
pub fn truncate(text: &str) -> String {
    text.chars().take(MAX_TEXT_CHARS).collect()
}
