//! Text in which the runner finds no workflow command.
//!
//! The runner takes a line for a command that begins with `::` behind white space, or that holds
//! `##[` anywhere (`ActionCommand` of actions/runner). It compares by the rules of a culture, which
//! pass over zero-width characters, so that `:\u{200b}:` may count as `::`. Here only ASCII parts
//! what would be a command: other characters neither end a line's start nor part the signs.
//!
//! A command is broken by a backslash before its last sign, `:\:` and `##\[`, which people see and
//! can take away again. It needs no look ahead, so the text may come in pieces of any size.

use std::fmt::Write as _;

/// Breaks commands in a text that comes character by character.
#[derive(Debug, Default)]
pub(super) struct CommandEscaper {
    start: LineStart,
    /// How many `#` stand in a row just here.
    hashes: usize,
    /// A carriage return was pushed and not shown yet: with a line feed it is the end of a line.
    carriage_return: bool,
    is_within_line: bool,
}

/// How much of `::` a line has begun with.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum LineStart {
    /// White space at most.
    #[default]
    Blank,
    /// One colon.
    Colon,
    /// The line begins otherwise.
    Text,
}

impl CommandEscaper {
    /// Appends the character to what is shown. Control characters become visible: they move the
    /// cursor, and a carriage return begins a line for the runner. So do marks that reorder text.
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

    /// Shows a carriage return that no line feed followed.
    pub(super) fn flush_carriage_return(&mut self, shown: &mut String) {
        if std::mem::take(&mut self.carriage_return) {
            self.put_code_point('\r', shown);
        }
    }

    /// Whether the line that was begun has no end yet.
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

/// Whether the character changes the direction of the text around it.
///
/// Source: "Unicode Bidirectional Algorithm", section "Explicit Directional Formatting Characters".
const fn reorders(character: char) -> bool {
    matches!(character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// JSON in which the runner finds no command, and which says the same: where a command begins within
/// a text, its bracket is written as `\u005b`. No line of JSON begins with a colon.
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
        // The runner passes over some characters that are not ASCII.
        if character.is_ascii() {
            hashes = if character == '#' { hashes + 1 } else { 0 };
        }
    }
    shown
}

/// The whole text, with every command in it broken.
#[must_use]
pub fn inert(text: &str) -> String {
    let mut breaker = CommandEscaper::default();
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        breaker.push(character, &mut shown);
    }
    breaker.flush_carriage_return(&mut shown);
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
