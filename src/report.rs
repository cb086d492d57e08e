//! Audit → Markdown, JSON and a table for the terminal.

mod escape;
mod failure;
pub mod json;
mod markdown;
mod page;
mod remediation;
mod terminal;
mod user_remediation;
mod view;

use std::collections::BTreeMap;
use std::str::FromStr;

pub use escape::escape_invisible;
pub use failure::failure_summary;
pub use markdown::{MarkdownOptions, TemplateError, UserTemplate, markdown};
pub use page::{PageTemplate, SafeText, render_page};
pub use remediation::{
    RemediationReport, UndoReport, remediation_markdown, remediation_text, undo_text,
};
pub use terminal::{TableOptions, table};

use crate::audit::{Audit, Finding};
use crate::model::inventory::AccountId;

/// The languages that the Markdown report is written in. Each is a folder of templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Japanese.
    Japanese,
}

impl Language {
    /// All languages.
    pub const ALL: [Self; 2] = [Self::English, Self::Japanese];

    /// The language's code, which is also its folder's name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }
}

/// A text that names no language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown language")]
pub struct UnknownLanguage;

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|language| language.id() == text).ok_or(UnknownLanguage)
    }
}

/// What is published of a credential's id: its last four characters.
fn id_ending(id: &str) -> String {
    let length = id.chars().count();
    id.chars().skip(length.saturating_sub(4)).collect()
}

/// The findings of each account that has any.
fn by_account(audit: &Audit) -> BTreeMap<AccountId, &[Finding]> {
    // They are ordered by account.
    let runs = audit.findings.chunk_by(|a, b| a.user.account == b.user.account);
    runs.filter_map(|run| Some((run.first()?.user.account, run))).collect()
}
