//! The job summary of a run that failed.

use serde::Serialize;

use crate::templates::{Language, Page, TemplateError, escape_invisible, render};

#[derive(Serialize)]
struct FailureView {
    exit_code: u8,
    /// The messages, one line each.
    messages: String,
}

/// The job summary of a run that failed, with its messages. They can contain untrusted text.
///
/// # Errors
/// [`TemplateError`] if the template does not fit the view.
pub fn failure_summary(
    language: Language,
    exit_code: u8,
    messages: &[&str],
) -> Result<String, TemplateError> {
    let lines: Vec<_> = messages.iter().map(|message| escape_invisible(message)).collect();
    render(Page::Failure, language, FailureView { exit_code, messages: lines.join("\n") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_cannot_end_its_code_block() {
        let messages = ["a ```\n> b @octocat", "````", "\u{202e}c"];
        let summary = failure_summary(Language::English, 2, &messages).unwrap();
        assert_eq!(
            summary,
            "> [!CAUTION]\n> **iam-stocktake failed with exit code 2:**\n>\n> `````text\n\
             > a ```\\u{a}> b @octocat\n> ````\n> \\u{202e}c\n> `````\n"
        );
    }
}
