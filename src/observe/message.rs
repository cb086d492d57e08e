//! Shortens messages from AWS and the SDK to one line.

use crate::model::inventory::reason_start;

/// The maximum length of an error message, in characters.
pub(super) const MAX_MESSAGE_CHARS: usize = 300;

/// The first line of a message, without secrets, and cut to [`MAX_MESSAGE_CHARS`].
pub(super) fn one_line(text: &str) -> String {
    // Redact before shortening: half a token would not be recognized.
    let line = crate::secrets::redact(text.lines().next().unwrap_or_default());
    let line = with_short_ids(&line);
    let Some((end, _)) = line.char_indices().nth(MAX_MESSAGE_CHARS) else { return line };
    let cut = |text: &str, length: usize| text.chars().take(length).collect::<String>();
    // AWS puts the reason for a denial at the end of the message, after long ARNs.
    match reason_start(&line).and_then(|start| line.get(start..)) {
        Some(reason) => {
            let reason = cut(reason, MAX_MESSAGE_CHARS / 3);
            format!("{}… {reason}", cut(&line, MAX_MESSAGE_CHARS * 2 / 3))
        }
        None => format!("{}…", line.get(..end).unwrap_or_default()),
    }
}

/// Shortens credential IDs in a text to their last four characters.
///
/// Source: "Understanding unique ID prefixes", IAM User Guide.
fn with_short_ids(text: &str) -> String {
    const PREFIXES: [&str; 4] = ["ACCA", "AKIA", "APKA", "ASIA"];
    let words = text.split_inclusive(|it: char| !it.is_ascii_alphanumeric());
    let short = words.map(|word| {
        let id = word.trim_end_matches(|it: char| !it.is_ascii_alphanumeric());
        let (id, rest) = word.split_at(id.len());
        let is_id = id.len() >= 16 && PREFIXES.iter().any(|it| id.starts_with(it));
        match id.get(id.len().saturating_sub(4)..).filter(|_| is_id) {
            Some(ending) => format!("…{ending}{rest}"),
            None => word.to_owned(),
        }
    });
    short.collect()
}

/// The innermost source of an error. It says what happened; the outer ones say where.
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    one_line(&crate::cause::root_cause(error))
}

/// Outer SDK messages that say nothing about the cause.
const WRAPPERS: [&str; 7] = [
    "an error occurred while loading credentials",
    "an error occurred while loading an access token",
    "the credential provider was not enabled",
    "the credentials provider was not properly configured",
    "unexpected credentials error",
    "service error",
    "unhandled error",
];

/// An error with its sources in one line, from the outermost to the innermost. If the line would be
/// too long, only the innermost source.
pub(crate) fn cause_chain(error: &dyn std::error::Error) -> String {
    let mut messages: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        let is_new = !messages.last().is_some_and(|before| before.contains(&text));
        if is_new && !WRAPPERS.iter().any(|it| text.starts_with(it)) {
            messages.push(text);
        }
        #[expect(deprecated, reason = "the SDK error about an SSO token only implements `cause`")]
        let cause = error.cause();
        next = cause;
    }
    let whole = messages.join(": ");
    let is_short = whole.chars().count() <= MAX_MESSAGE_CHARS && !whole.contains('\n');
    let root_cause = messages.pop().unwrap_or_else(|| error.to_string());
    one_line(if is_short { &whole } else { &root_cause })
}
