//! Why a run failed, for a job's summary.

use super::escape::{escape_invisible, fenced};

/// What the summary says of a run that failed: a caution with the exit code and these lines, which
/// may hold anybody's text.
#[must_use]
pub fn failure_summary(exit_code: u8, lines: &[&str]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| escape_invisible(line)).collect();
    let quoted = fenced(&lines.join("\n"), "text").replace('\n', "\n> ");
    format!(
        "> [!CAUTION]\n> **iam-stocktake ended with exit code {exit_code}:**\n>\n> {quoted}\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::failure_summary;

    #[test]
    fn text_cannot_end_its_code_block() {
        let told = failure_summary(2, &["a ```\n> b @octocat", "````", "\u{202e}c"]);
        assert_eq!(
            told,
            "> [!CAUTION]\n> **iam-stocktake ended with exit code 2:**\n>\n> `````text\n\
             > a ```\\u{a}> b @octocat\n> ````\n> \\u{202e}c\n> `````\n\n"
        );
    }
}
