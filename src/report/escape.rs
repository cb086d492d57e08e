//! Foreign text in Markdown, HTML, shell scripts and Terraform, so that it stays text.
//!
//! User names, paths, tags, reasons and owners are untrusted: none may break a table, mention a
//! person, link, open a comment or run in a script.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use minijinja::Value;

/// Makes characters visible that would otherwise move or hide what stands beside them: control
/// characters, line breaks, bidirectional marks and zero-width characters, as `\u{202e}`.
#[must_use]
pub fn escape_invisible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_invisible(character) {
            push_code_point(&mut shown, character);
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

fn push_code_point(text: &mut String, character: char) {
    // Writing to a String cannot fail.
    let _ = write!(text, "\\u{{{:x}}}", u32::from(character));
}

/// A code span that the text cannot leave.
pub(super) fn code_span(text: &str) -> String {
    let text = escape_invisible(text);
    if text.is_empty() {
        return "` `".to_owned();
    }
    let fence = "`".repeat(longest_run(&text, '`') + 1);
    // A backtick at the edge would join the fence, and Markdown strips one space from both sides.
    let edge = |c: char| c == '`' || c == ' ';
    let pad = if text.starts_with(edge) || text.ends_with(edge) { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A code span for a table's cell, where a bar would end the cell in spite of the code span.
///
/// Outside of a table the backslash before the bar would be shown.
pub(super) fn code_cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut previous = ' ';
    for character in text.chars() {
        match (previous, character) {
            // `\|` of the text's own would be read as an escaped bar.
            ('\\', '|') => push_code_point(&mut escaped, '|'),
            (_, '|') => escaped.push_str("\\|"),
            _ => escaped.push(character),
        }
        previous = character;
    }
    code_span(&escaped)
}

/// Text inside an HTML element. All punctuation is written as character references, so that
/// neither HTML nor a search for mentions and links finds anything in it.
pub(super) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in escape_invisible(text).chars() {
        if character.is_ascii_punctuation() {
            let _ = write!(escaped, "&#{};", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// A fenced code block that the content cannot leave. The content's own text must be inert.
pub(super) fn fenced(content: &str, language: &str) -> String {
    let fence = "`".repeat((longest_run(content, '`') + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}", content.trim_matches('\n'))
}

/// One word of a POSIX shell, in single quotes unless it is letters, digits and dashes alone.
/// Control characters cannot stand in a script that people paste: they become visible, and the
/// name is then no user's.
pub(super) fn shell_word(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return text.to_owned();
    }
    format!("'{}'", escape_invisible(text).replace('\'', "'\\''"))
}

/// A string of the Terraform language.
pub(super) fn hcl_string(text: &str) -> String {
    let escaped = escape_invisible(text)
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace("${", "$${")
        .replace("%{", "%%{");
    format!("\"{escaped}\"")
}

/// A path segment or fragment of a URL.
pub(super) fn url_component(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut url, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
        url
    })
}

fn longest_run(text: &str, of: char) -> usize {
    let (longest, _) = text.chars().fold((0, 0), |(longest, run), character| {
        let run = if character == of { run + 1 } else { 0 };
        (longest.max(run), run)
    });
    longest
}

/// A text that is known to be harmless in Markdown: a number, a date, an account id.
pub(super) fn safe_value(text: impl fmt::Display) -> Value {
    Value::from_safe_string(format!("{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_end_a_code_span() {
        for (text, expected) in [
            ("alice", "`alice`"),
            ("a`b", "``a`b``"),
            ("`", "`` ` ``"),
            ("``a", "``` ``a ```"),
            (" a ", "`  a  `"),
            ("", "` `"),
            ("a\nb", "`a\\u{a}b`"),
            ("a\u{202e}b", "`a\\u{202e}b`"),
        ] {
            assert_eq!(code_span(text), expected, "{text:?}");
        }
    }

    #[test]
    fn pipe_does_not_end_a_table_cell() {
        assert_eq!(code_cell("a|b"), "`a\\|b`");
        assert_eq!(code_cell("a\\|b"), "`a\\\\u{7c}b`");
    }

    #[test]
    fn shell_word_is_one_word() {
        assert_eq!(shell_word("list-access-keys"), "list-access-keys");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("~a"), "'~a'");
        assert_eq!(shell_word("a'b$(x)"), "'a'\\''b$(x)'");
        assert_eq!(shell_word("a\nb"), "'a\\u{a}b'");
    }

    #[test]
    fn terraform_string_interpolates_nothing() {
        assert_eq!(hcl_string("a\"${b}%{c}\\"), "\"a\\\"$${b}%%{c}\\\\\"");
    }

    #[test]
    fn html_has_no_markup_and_no_mentions() {
        assert_eq!(html("<b>@a #1 -->"), "&#60;b&#62;&#64;a &#35;1 &#45;&#45;&#62;");
    }

    #[test]
    fn a_fence_is_longer_than_any_in_the_content() {
        assert_eq!(fenced("a\n````\nb\n", "sh"), "`````sh\na\n````\nb\n`````");
    }
}
