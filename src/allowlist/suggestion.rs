//! Suggested exemptions for credentials that must stay.

use std::fmt;

use chrono::{Days, NaiveDate};

use crate::model::inventory::CredentialKind;
use crate::model::policy::Rule;

/// An exemption with an empty reason and owner. It is invalid until they are filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestedExemption {
    pub user: String,
    pub account: String,
    /// The user's unique id, if it is known.
    pub user_id: Option<String>,
    /// Credentials as in the allowlist; empty for all.
    pub credentials: Vec<String>,
    /// The rules to exempt from. The rules about disuse need not be named.
    pub rules: Vec<Rule>,
    /// The expiry date.
    pub expires: NaiveDate,
}

/// A finding to exempt.
#[derive(Debug, Clone, Copy)]
pub struct ExemptedFinding<'a> {
    pub user: &'a str,
    pub account: &'a str,
    /// The user's unique id, if it is known.
    pub user_id: Option<&'a str>,
    pub rule: Rule,
    /// The credential's kind, and the last four characters of its id if it is known; `None` if the
    /// finding is about the user.
    pub credential: Option<(&'a str, Option<&'a str>)>,
}

impl ExemptedFinding<'_> {
    fn is_stale(&self) -> bool {
        self.rule.finds_disuse()
    }

    /// The credential as in the allowlist, which only has passwords and access keys.
    fn credential_selector(&self) -> Option<String> {
        let key = CredentialKind::AccessKey.id();
        match self.credential {
            Some((kind, Some(ending))) if kind == key => Some(format!("{key}:{ending}")),
            Some((kind, _)) if kind == key || kind == CredentialKind::Password.id() => {
                Some(kind.to_owned())
            }
            // Access keys that the report does not show.
            None if self.is_stale() => Some(key.to_owned()),
            _ => None,
        }
    }
}

/// How long a suggested exemption is valid, in days.
const SUGGESTED_DAYS: u32 = 90;

impl SuggestedExemption {
    /// The expiry date of an exemption suggested on `today`, if exemptions can be valid for
    /// `max_days`.
    #[must_use]
    pub fn suggested_expiry_date(today: NaiveDate, max_days: u32) -> NaiveDate {
        let days = Days::new(SUGGESTED_DAYS.min(max_days).into());
        today.checked_add_days(days).unwrap_or(NaiveDate::MAX)
    }

    /// Combines a user's stale credentials into one exemption, with one more for each other rule.
    #[must_use]
    pub fn for_findings<'a>(
        findings: impl Iterator<Item = ExemptedFinding<'a>>,
        expires: NaiveDate,
    ) -> Vec<Self> {
        let mut suggestions: Vec<Self> = Vec::new();
        for finding in findings {
            let same = suggestions.iter_mut().find(|it| {
                it.user == finding.user
                    && it.account == finding.account
                    && match it.rules.first() {
                        Some(first) if first.finds_disuse() => finding.is_stale(),
                        first => first == Some(&finding.rule),
                    }
            });
            let credential = finding.credential_selector();
            if let Some(suggestion) = same {
                suggestion.credentials.extend(credential);
                suggestion.rules.push(finding.rule);
            } else {
                suggestions.push(Self {
                    user: finding.user.to_owned(),
                    account: finding.account.to_owned(),
                    user_id: finding.user_id.map(str::to_owned),
                    credentials: credential.into_iter().collect(),
                    rules: vec![finding.rule],
                    expires,
                });
            }
        }
        for suggestion in &mut suggestions {
            suggestion.credentials.sort();
            suggestion.credentials.dedup();
            suggestion.rules.sort();
            suggestion.rules.dedup();
        }
        suggestions
    }
}

impl SuggestedExemption {
    /// The entry of the `exemptions` list, ending with a line feed.
    pub(super) fn entry(&self, style: EntryStyle, reason: &str, owner: &str) -> String {
        let mut lines = vec![
            format!("user: {}", quoted(&self.user)),
            format!("account: {}", quoted(&self.account)),
        ];
        lines.extend(self.user_id.as_ref().map(|id| format!("user_id: {}", quoted(id))));
        if !self.credentials.is_empty() {
            let quoted: Vec<_> = self.credentials.iter().map(|it| quoted(it)).collect();
            lines.push(format!("credentials: [{}]", quoted.join(", ")));
        }
        if !self.rules.iter().all(|rule| rule.finds_disuse()) {
            let ids: Vec<_> = self.rules.iter().map(|rule| rule.id()).collect();
            lines.push(format!("rules: [{}]", ids.join(", ")));
        }
        lines.push(format!("reason: {}", quoted(reason)));
        lines.push(format!("owner: {}", quoted(owner)));
        lines.push(format!("expires: {}", self.expires));
        let dash = format!("{:<1$}", "-", style.keys);
        let keys = " ".repeat(style.keys);
        let starts = std::iter::once(&dash).chain(std::iter::repeat(&keys));
        let indented = starts.zip(lines).map(|(start, line)| {
            let indentation = " ".repeat(style.dash);
            format!("{indentation}{start}{line}\n")
        });
        indented.collect()
    }

    /// The entry as in a new file, with this reason and owner.
    #[must_use]
    pub fn filled(&self, reason: &str, owner: &str) -> String {
        self.entry(EntryStyle::default(), reason, owner)
    }
}

/// Writes the entry as in a new file, with an empty reason and owner.
impl fmt::Display for SuggestedExemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.filled("", ""))
    }
}

/// How the entries of a list are indented, in columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryStyle {
    /// Before the dash.
    pub(super) dash: usize,
    /// From the dash to the keys.
    pub(super) keys: usize,
}

impl Default for EntryStyle {
    fn default() -> Self {
        Self { dash: 2, keys: 2 }
    }
}

/// A YAML double-quoted scalar on one line. Quotes, backslashes and invisible characters are
/// escaped: YAML does not allow some of these and reads others as line ends, and nobody should
/// paste what they cannot see.
fn quoted(text: &str) -> String {
    use fmt::Write as _;
    let mut quoted = String::from("\"");
    for c in text.chars() {
        // Writing to a string cannot fail.
        let _ = match (c, u32::from(c)) {
            ('\'', _) => write!(quoted, "{c}"),
            _ if c.escape_debug().len() == 1 => write!(quoted, "{c}"),
            (_, code @ ..=0xFF) => write!(quoted, "\\x{code:02x}"),
            (_, code @ ..=0xFFFF) => write!(quoted, "\\u{code:04x}"),
            (_, code) => write!(quoted, "\\U{code:08x}"),
        };
    }
    quoted.push('"');
    quoted
}
