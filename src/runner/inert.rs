//! Escapes workflow commands in text, so that the runner does not execute them.
//!
//! The runner executes a line that starts with `::` after white space, or that contains `##[`
//! anywhere (`ActionCommand` of actions/runner). It compares strings by culture rules, which ignore
//! zero-width characters, so `:\u{200b}:` may count as `::`. Therefore only ASCII characters end
//! the start of a line or separate these signs here.
//!
//! A command is escaped with a backslash before its last character, `:\:` and `##\[`. This needs no
//! lookahead, so the text can be written in chunks of any size.

use std::fmt::Write as _;

/// Escapes commands in a text that is written character by character.
#[derive(Debug, Default)]
pub(super) struct CommandEscaper {
    start: LineStart,
    /// The number of consecutive `#` before this position.
    hashes: usize,
    /// A carriage return that is not written yet: followed by a line feed, it ends a line.
    carriage_return: bool,
    is_within_line: bool,
}

/// How the line starts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum LineStart {
    /// Only white space.
    #[default]
    Blank,
    Colon,
    /// Other text.
    Text,
}

impl CommandEscaper {
    /// Appends the character to `shown`. Control characters are made visible, because they can move
    /// the cursor, and the runner treats a carriage return as a line break. So are characters that
    /// reorder text.
    pub(super) fn push(&mut self, character: char, shown: &mut String) {
        if character == '\n' {
            *self = Self::default();
            shown.push('\n');
            return;
        }
        self.flush_carriage_return(shown);
        self.is_within_line = true;
        match character {
            '\r' => self.carriage_return = true,
            '\t' => self.put(character, shown),
            _ if character.is_control() || reorders(character) => {
                self.put_code_point(character, shown);
            }
            _ => self.put(character, shown),
        }
    }

    /// Writes a carriage return that is not followed by a line feed.
    pub(super) fn flush_carriage_return(&mut self, shown: &mut String) {
        if std::mem::take(&mut self.carriage_return) {
            self.put_code_point('\r', shown);
        }
    }

    /// Whether the current line has no line break yet.
    pub(super) const fn is_within_line(&self) -> bool {
        self.is_within_line
    }

    fn put(&mut self, character: char, shown: &mut String) {
        let is_colons = character == ':' && self.start == LineStart::Colon;
        let is_bracket = character == '[' && self.hashes >= 2;
        if is_colons || is_bracket {
            shown.push('\\');
        }
        shown.push(character);
        if !character.is_ascii() {
            return;
        }
        self.hashes = if character == '#' { self.hashes + 1 } else { 0 };
        self.start = match (self.start, character) {
            (LineStart::Blank, ' ' | '\t') => LineStart::Blank,
            (LineStart::Blank, ':') => LineStart::Colon,
            _ => LineStart::Text,
        };
    }

    fn put_code_point(&mut self, character: char, shown: &mut String) {
        (self.start, self.hashes) = (LineStart::Text, 0);
        // Writing to a String cannot fail.
        let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
    }
}

/// Whether the character changes the direction of text.
///
/// Source: "Unicode Bidirectional Algorithm", section "Explicit Directional Formatting Characters".
const fn reorders(character: char) -> bool {
    matches!(character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Escapes commands in JSON without changing its meaning: the bracket of a command is written as
/// `\u005b`. No line of JSON starts with a colon.
#[must_use]
pub fn inert_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len() + 8);
    let mut hashes = 0;
    for character in json.chars() {
        if character == '[' && hashes >= 2 {
            shown.push_str("\\u005b");
        } else {
            shown.push(character);
        }
        // The runner ignores some non-ASCII characters.
        if character.is_ascii() {
            hashes = if character == '#' { hashes + 1 } else { 0 };
        }
    }
    shown
}

/// The text with all commands escaped.
#[must_use]
pub fn inert(text: &str) -> String {
    let mut escaper = CommandEscaper::default();
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        escaper.push(character, &mut shown);
    }
    escaper.flush_carriage_return(&mut shown);
    shown
}

#[cfg(test)]
mod tests {
    use super::{inert, inert_json};

    #[test]
    fn workflow_commands_are_escaped() {
        for (text, shown) in [
            ("::error::x", r":\:error::x"),
            (" \t ::error::x", " \t :\\:error::x"),
            ("a\n::error::x", "a\n:\\:error::x"),
            ("a\r\n::error::x", "a\n:\\:error::x"),
            (":::", r":\::"),
            ("\u{a0}::error::x", "\u{a0}:\\:error::x"),
            ("\u{feff}:\u{200b}:error::x", "\u{feff}:\u{200b}\\:error::x"),
            ("a ##[add-mask]x", r"a ##\[add-mask]x"),
            ("###[x]##[y]", r"###\[x]##\[y]"),
            ("#\u{ad}#\u{ad}[x]", "#\u{ad}#\u{ad}\\[x]"),
        ] {
            assert_eq!(inert(text), shown, "{text:?}");
        }
    }

    #[test]
    fn escaped_json_is_equivalent() {
        let value = serde_json::json!({ "##[a]": ["###[b]", "#\u{200b}#[c", "\n::error::d", [1]] });
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let shown = inert_json(&text);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
            assert_eq!(inert(&shown), shown);
            assert_ne!(shown, text);
        }
    }

    #[test]
    fn bidirectional_marks_are_made_visible() {
        assert_eq!(inert("a\u{202e}b\u{2066}c\u{200f}"), r"a\u{202e}b\u{2066}c\u{200f}");
    }

    #[test]
    fn other_text_is_unchanged() {
        for text in [
            "arn:aws:iam::111122223333:user/alice",
            ": one colon: and another",
            "対象: 3 :: 4",
            "# #[a] #[b]",
            "## heading [link](x)",
            "##\n[x]",
            "\ttabs\tand\n\n  spaces\n",
            r"C:\::",
            "",
        ] {
            assert_eq!(inert(text), text);
        }
    }

    #[test]
    fn control_characters_are_made_visible() {
        assert_eq!(inert("\u{1b}[2K\u{9b}1A\u{8}"), r"\u{1b}[2K\u{9b}1A\u{8}");
        assert_eq!(inert("10 %\r::error::x\r"), r"10 %\u{d}::error::x\u{d}");
        assert_eq!(inert("##\u{0}[x]"), r"##\u{0}[x]");
        assert_eq!(inert("\r\r\n\n"), "\\u{d}\n\n");
    }
}
