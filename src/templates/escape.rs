//! Escaping for Markdown, HTML, shell scripts, Terraform and URLs.
//!
//! User names, paths, tags, reasons and owners are untrusted. They cannot break a table, mention a
//! person, link, open a comment or run in a script.

use std::borrow::Cow;
use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a path segment or a fragment of a URL encodes.
const URL_COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Makes invisible characters visible, as `\u{202e}`: control characters, line breaks, bidirectional
/// marks and zero-width characters, which could move or hide the text beside them.
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

/// A fenced code block that the content cannot leave, with `prefix` before each line but the first.
/// Untrusted text in the content must be escaped already.
pub(super) fn fenced(content: &str, language: &str, prefix: &str) -> String {
    let fence = "`".repeat((longest_run(content, '`') + 1).max(3));
    let block = format!("{fence}{language}\n{}\n{fence}", content.trim_matches('\n'));
    block.replace('\n', &format!("\n{prefix}"))
}

/// One word of a POSIX shell. A script that people paste cannot have invisible characters, so these
/// become visible: the word then names no user.
#[must_use]
pub fn shell_word(text: &str) -> String {
    // Only a NUL byte cannot be quoted, and it is invisible.
    let word = shlex::try_quote(&escape_invisible(text)).map(Cow::into_owned);
    word.unwrap_or_else(|_| "''".to_owned())
}

/// A string literal of the Terraform language in which nothing is interpolated.
///
/// Source: "Strings and Templates", Terraform documentation.
pub(super) fn hcl_string(text: &str) -> String {
    let mut literal = String::from("\"");
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let opens_template = matches!(character, '$' | '%') && characters.peek() == Some(&'{');
        match character {
            '"' | '\\' => literal.extend(['\\', character]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            // After the same sign, a doubled sign would belong to that one.
            _ if opens_template && !literal.ends_with(character) => {
                literal.extend([character, character]);
            }
            _ if opens_template || is_invisible(character) => {
                let code = u32::from(character);
                // Writing to a String cannot fail.
                let _ = if code > 0xffff {
                    write!(literal, "\\U{code:08x}")
                } else {
                    write!(literal, "\\u{code:04x}")
                };
            }
            _ => literal.push(character),
        }
    }
    literal.push('"');
    literal
}

/// A path segment or fragment of a URL.
pub(super) fn url_component(text: &str) -> String {
    utf8_percent_encode(text, URL_COMPONENT).to_string()
}

fn longest_run(text: &str, of: char) -> usize {
    let (longest, _) = text.chars().fold((0, 0), |(longest, run), character| {
        let run = if character == of { run + 1 } else { 0 };
        (longest.max(run), run)
    });
    longest
}

#[cfg(test)]
mod tests {
    use stand_ins::hcl;
    use stand_ins::hcl::eval::{Context, Evaluate as _};
    use stand_ins::proptest::prelude::*;

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
        assert_eq!(shell_word("a'b$(x)!"), "\"a'b\"'$(x)!'");
        assert_eq!(shell_word("a\n\0b"), "\"a\\\\u{a}\\\\u{0}b\"");
    }

    /// The value that Terraform reads from a literal.
    fn read(literal: &str) -> hcl::Value {
        let body: hcl::Body = hcl::parse(&format!("x = {literal}\n")).unwrap();
        let attribute = body.attributes().next().unwrap();
        attribute.expr().evaluate(&Context::new()).unwrap()
    }

    #[test]
    fn terraform_string_interpolates_nothing() {
        for (text, literal) in [
            ("plain", r#""plain""#),
            ("${var.x}", r#""$${var.x}""#),
            ("%{ if true }", r#""%%{ if true }""#),
            ("$${x}", r#""$\u0024{x}""#),
            ("50% of $5", r#""50% of $5""#),
            ("say \"hi\"\\", r#""say \"hi\"\\""#),
            ("a\nb\tc\u{7}\u{202e}", r#""a\nb\tc\u0007\u202e""#),
        ] {
            assert_eq!(hcl_string(text), literal);
            assert_eq!(read(literal), hcl::Value::from(text));
        }
    }

    proptest! {
        #[test]
        fn every_terraform_string_round_trips(
            text in r#"[ -~\n\t\u{80}-\u{ff}\u{e0000}-\u{e0010}]{0,20}|[$%{}"\\a]{0,12}"#
        ) {
            prop_assert_eq!(read(&hcl_string(&text)), hcl::Value::from(text));
        }
    }

    #[test]
    fn url_component_encodes_reserved_characters() {
        assert_eq!(url_component("a-b_c.d/e f@é"), "a-b_c.d%2Fe%20f%40%C3%A9");
    }

    #[test]
    fn html_has_no_markup_and_no_mentions() {
        assert_eq!(html("<b>@a #1 -->"), "&#60;b&#62;&#64;a &#35;1 &#45;&#45;&#62;");
    }

    #[test]
    fn a_fence_is_longer_than_any_in_the_content() {
        assert_eq!(fenced("a\n````\nb\n", "sh", ""), "`````sh\na\n````\nb\n`````");
        assert_eq!(fenced("a\nb", "", "> "), "```\n> a\n> b\n> ```");
    }
}
