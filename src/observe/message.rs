//! Messages of AWS and of the SDK, shortened to a line for people.

use crate::model::inventory::reason_start;

/// How much of an error's text is kept, in characters.
pub(super) const MAX_MESSAGE_CHARS: usize = 300;

/// The first line of a message, without secrets, and no longer than people read.
pub(super) fn one_line(text: &str) -> String {
    // Before it is shortened: half a token is still to be recognized.
    let line = crate::secrets::redact(text.lines().next().unwrap_or_default());
    let line = with_short_ids(&line);
    let Some((end, _)) = line.char_indices().nth(MAX_MESSAGE_CHARS) else { return line };
    let cut = |text: &str, length: usize| text.chars().take(length).collect::<String>();
    // Why a call was denied stands at the end of AWS's message, behind long ARNs.
    match reason_start(&line).and_then(|start| line.get(start..)) {
        Some(reason) => {
            let reason = cut(reason, MAX_MESSAGE_CHARS / 3);
            format!("{}… {reason}", cut(&line, MAX_MESSAGE_CHARS * 2 / 3))
        }
        None => format!("{}…", line.get(..end).unwrap_or_default()),
    }
}

/// A text that shows of the ids of credentials the last four characters, as we do everywhere.
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

/// The last of an error's causes, which says what happened; the outer ones say where.
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    one_line(&crate::cause::root_cause(error))
}

/// What the SDK says around a cause of its credentials, and what says nothing.
const WRAPPERS: [&str; 7] = [
    "an error occurred while loading credentials",
    "an error occurred while loading an access token",
    "the credential provider was not enabled",
    "the credentials provider was not properly configured",
    "unexpected credentials error",
    "service error",
    "unhandled error",
];

/// An error with its causes in one line, from the outermost to the innermost: each says more than
/// the one before. Where they are too long, the innermost alone.
pub(crate) fn cause_chain(error: &dyn std::error::Error) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        let is_new = !told.last().is_some_and(|before| before.contains(&text));
        if is_new && !WRAPPERS.iter().any(|it| text.starts_with(it)) {
            told.push(text);
        }
        #[expect(
            deprecated,
            reason = "the SDK's error about a token of single sign-on has no source"
        )]
        let cause = error.cause();
        next = cause;
    }
    let whole = told.join(": ");
    let is_short = whole.chars().count() <= MAX_MESSAGE_CHARS && !whole.contains('\n');
    let root_cause = told.pop().unwrap_or_else(|| error.to_string());
    one_line(if is_short { &whole } else { &root_cause })
}
