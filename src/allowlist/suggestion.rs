//! The exemption to paste for a credential that must stay.

use std::fmt;

use chrono::NaiveDate;

use crate::policy::Rule;

/// An exemption with reason and owner left to fill in: a check refuses it until they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
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

/// Writes the entry of the `exemptions` list, indented as such, ending with a line feed.
impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  - user: {}", quoted(&self.user))?;
        writeln!(f, "    account: {}", quoted(&self.account))?;
        if let Some(id) = &self.user_id {
            writeln!(f, "    user_id: {id}")?;
        }
        if !self.credentials.is_empty() {
            let quoted: Vec<_> = self.credentials.iter().map(|it| quoted(it)).collect();
            writeln!(f, "    credentials: [{}]", quoted.join(", "))?;
        }
        if !self.rules.iter().all(|rule| Rule::STALE.contains(rule)) {
            let ids: Vec<_> = self.rules.iter().map(|rule| rule.id()).collect();
            writeln!(f, "    rules: [{}]", ids.join(", "))?;
        }
        writeln!(f, "    reason: \"\"")?;
        writeln!(f, "    owner: \"\"")?;
        writeln!(f, "    expires: {}", self.expires)
    }
}

/// A YAML double-quoted scalar; every JSON string is one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
