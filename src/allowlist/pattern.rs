//! Patterns for user names: `*` matches any characters, and every other character matches itself.

/// The minimum number of literal characters, so that a pattern cannot match every user.
pub(super) const MIN_LITERALS: usize = 3;

/// A pattern that matches whole user names, without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// The literal parts between the `*`.
    parts: Vec<String>,
}

/// Why a pattern is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PatternError {
    /// A character that is not allowed in user names.
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
        let parts = text.split('*').map(str::to_owned).collect();
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole of the name matches, compared without case.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let [first, middle @ .., last] = self.parts.as_slice() else {
            return self.parts.first().is_some_and(|only| only.eq_ignore_ascii_case(name));
        };
        let Some(rest) = without_start(name.as_bytes(), first.as_bytes()) else { return false };
        let Some(mut rest) = without_end(rest, last.as_bytes()) else { return false };
        for part in middle.iter().filter(|part| !part.is_empty()) {
            // The leftmost match leaves the most room for the following parts.
            let part = part.as_bytes();
            let at = (0..rest.len()).find(|at| {
                rest.get(*at..*at + part.len()).is_some_and(|it| it.eq_ignore_ascii_case(part))
            });
            let Some(behind) = at.and_then(|at| rest.get(at + part.len()..)) else { return false };
            rest = behind;
        }
        true
    }
}

impl Pattern {
    /// The pattern that was probably meant, if this one looks like a regular expression.
    #[must_use]
    pub fn suggested_pattern(&self) -> Option<String> {
        let text = self.as_str();
        let meant = text.replace(".*", "*").replace(".+", "*");
        (meant != text).then_some(meant)
    }
}

fn without_start<'a>(text: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(start.len())?;
    head.eq_ignore_ascii_case(start).then_some(rest)
}

fn without_end<'a>(text: &'a [u8], end: &[u8]) -> Option<&'a [u8]> {
    let (rest, tail) = text.split_at_checked(text.len().checked_sub(end.len())?)?;
    tail.eq_ignore_ascii_case(end).then_some(rest)
}

/// Whether IAM allows the character in a user name: `[\w+=,.@-]`.
#[must_use]
pub fn is_user_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regex_like_pattern_gets_a_suggestion() {
        for (pattern, meant) in [
            ("svc-.*", Some("svc-*")),
            (".*-svc-.+", Some("*-svc-*")),
            ("svc-*", None),
            ("first.last", None),
            ("a.b*", None),
        ] {
            let pattern = Pattern::new(pattern).unwrap();
            assert_eq!(pattern.suggested_pattern().as_deref(), meant);
        }
    }

    #[test]
    fn pattern_matches_whole_names_ignoring_case() {
        for (pattern, name, expected) in [
            ("ses-smtp-*", "ses-smtp-a", true),
            ("ses-smtp-*", "ses-smtp-", true),
            ("SES-smtp-*", "ses-smtp-a", true),
            ("ses-smtp-*", "my-ses-smtp-a", false),
            ("*-bot", "deploy-bot", true),
            ("*-bot", "deploy-bot2", false),
            ("a*b*c", "abbc", true),
            ("a*b*c", "acb", false),
            ("a*b*c", "ABxbC", true),
            ("ab**c", "abc", true),
            ("ab**c", "ab", false),
            // The first and the last part must not overlap.
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
    fn overly_broad_pattern_is_rejected() {
        for pattern in ["*", "**", "a*", "ab*", "*a*b*"] {
            assert_eq!(Pattern::new(pattern), Err(PatternError::TooBroad), "{pattern}");
        }
        assert_eq!(Pattern::new("abc?"), Err(PatternError::Character('?')));
    }
}
