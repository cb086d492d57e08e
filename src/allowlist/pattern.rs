//! Patterns over user names: `*` stands for any run of characters, everything else for itself.

/// The literal characters that a pattern needs at least, so that it cannot mean "everybody".
pub(super) const MIN_LITERALS: usize = 3;

/// A pattern that matches whole user names without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// The literal parts between the stars, in lower case.
    parts: Vec<String>,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PatternError {
    /// A character that no user name has.
    Character(char),
    /// Fewer than [`MIN_LITERALS`] literal characters.
    TooBroad,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self, PatternError> {
        if let Some(other) = text.chars().find(|c| *c != '*' && !is_user_name_char(*c)) {
            return Err(PatternError::Character(other));
        }
        if text.chars().filter(|c| *c != '*').count() < MIN_LITERALS {
            return Err(PatternError::TooBroad);
        }
        let parts = text.split('*').map(str::to_ascii_lowercase).collect();
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole of `lower_case_name` matches.
    #[must_use]
    pub fn matches(&self, lower_case_name: &str) -> bool {
        let [first, middle @ .., last] = self.parts.as_slice() else {
            return self.parts.first().is_some_and(|only| only == lower_case_name);
        };
        // Most names differ in the first character already; every user meets every pattern.
        if first.bytes().next().is_some_and(|byte| !lower_case_name.as_bytes().starts_with(&[byte]))
        {
            return false;
        }
        let Some(rest) = lower_case_name.strip_prefix(first.as_str()) else { return false };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
        for part in middle {
            // The leftmost place leaves most room for the parts behind it.
            let Some(at) = rest.find(part.as_str()) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        true
    }
}

/// Whether IAM takes the character in a user name: `[\w+=,.@-]`.
#[must_use]
pub fn is_user_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names_without_case() {
        for (pattern, name, expected) in [
            ("ses-smtp-*", "ses-smtp-a", true),
            ("ses-smtp-*", "ses-smtp-", true),
            ("SES-smtp-*", "ses-smtp-a", true),
            ("ses-smtp-*", "my-ses-smtp-a", false),
            ("*-bot", "deploy-bot", true),
            ("*-bot", "deploy-bot2", false),
            ("a*b*c", "abbc", true),
            ("a*b*c", "acb", false),
            // The first and the last part may not share characters.
            ("aba*aba", "aba", false),
            ("aba*aba", "ababa", false),
            ("aba*aba", "abaaba", true),
            ("*abc*", "xxabcxx", true),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("a.c*x", "abcx", false),
        ] {
            let matches = Pattern::new(pattern).map(|it| it.matches(name));
            assert_eq!(matches, Ok(expected), "{pattern} against {name}");
        }
    }

    #[test]
    fn a_pattern_that_means_everybody_is_refused() {
        for pattern in ["*", "**", "a*", "ab*", "*a*b*"] {
            assert_eq!(Pattern::new(pattern), Err(PatternError::TooBroad), "{pattern}");
        }
        assert_eq!(Pattern::new("abc?"), Err(PatternError::Character('?')));
    }
}
