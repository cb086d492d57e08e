//! The exemption to paste for a credential that must stay.

use std::fmt;

use chrono::{Days, NaiveDate};

use crate::model::inventory::CredentialKind;
use crate::model::policy::Rule;

/// An exemption with reason and owner left to fill in: a check refuses it until they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestedExemption {
    /// The user's name.
    pub user: String,
    /// The account's id.
    pub account: String,
    /// The user's unique id, where it is known.
    pub user_id: Option<String>,
    /// Credentials in the allowlist's words; all if empty.
    pub credentials: Vec<String>,
    /// The rules to exempt from; the two stale ones need not be named.
    pub rules: Vec<Rule>,
    /// The last day.
    pub expires: NaiveDate,
}

/// A finding that somebody wants to excuse.
#[derive(Debug, Clone, Copy)]
pub struct ExemptedFinding<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The account's id.
    pub account: &'a str,
    /// The user's unique id, where it is known.
    pub user_id: Option<&'a str>,
    /// The rule.
    pub rule: Rule,
    /// The credential's kind, and the last four characters of its id where that is known; `None`
    /// for a verdict on the user as such.
    pub credential: Option<(&'a str, Option<&'a str>)>,
}

impl ExemptedFinding<'_> {
    fn is_stale(&self) -> bool {
        self.rule.finds_disuse()
    }

    /// The credential in the allowlist's words, which know passwords and access keys alone.
    fn credential_selector(&self) -> Option<String> {
        let key = CredentialKind::AccessKey.id();
        match self.credential {
            Some((kind, Some(ending))) if kind == key => Some(format!("{key}:{ending}")),
            Some((kind, _)) if kind == key || kind == CredentialKind::Password.id() => {
                Some(kind.to_owned())
            }
            // Keys that the report does not show.
            None if self.is_stale() => Some(key.to_owned()),
            _ => None,
        }
    }
}

/// How long a suggested exemption holds.
const SUGGESTED_DAYS: u32 = 90;

impl SuggestedExemption {
    /// The last day of an exemption that is suggested `today`, where exemptions may reach
    /// `max_days` ahead.
    #[must_use]
    pub fn suggested_expiry_date(today: NaiveDate, max_days: u32) -> NaiveDate {
        let days = Days::new(SUGGESTED_DAYS.min(max_days).into());
        today.checked_add_days(days).unwrap_or(NaiveDate::MAX)
    }

    /// Makes one exemption of a user's stale credentials, and one for each other rule.
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

/// Writes the entry of the `exemptions` list, indented as such, ending with a line feed.
impl fmt::Display for SuggestedExemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  - user: {}", quoted(&self.user))?;
        writeln!(f, "    account: {}", quoted(&self.account))?;
        if let Some(id) = &self.user_id {
            writeln!(f, "    user_id: {}", quoted(id))?;
        }
        if !self.credentials.is_empty() {
            let quoted: Vec<_> = self.credentials.iter().map(|it| quoted(it)).collect();
            writeln!(f, "    credentials: [{}]", quoted.join(", "))?;
        }
        if !self.rules.iter().all(|rule| rule.finds_disuse()) {
            let ids: Vec<_> = self.rules.iter().map(|rule| rule.id()).collect();
            writeln!(f, "    rules: [{}]", ids.join(", "))?;
        }
        writeln!(f, "    reason: \"\"")?;
        writeln!(f, "    owner: \"\"")?;
        writeln!(f, "    expires: {}", self.expires)
    }
}

/// A YAML double-quoted scalar on one line. Quotes and backslashes are escaped, and so is what
/// cannot be seen: YAML forbids some of it, takes some for a line end, and none of it should be
/// pasted unseen.
fn quoted(text: &str) -> String {
    use fmt::Write as _;
    let mut quoted = String::from("\"");
    for c in text.chars() {
        // Writing to a String cannot fail.
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
