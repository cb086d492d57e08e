//! Audit → Markdown, JSON and a table for the terminal.

pub mod cli_steps;
mod danger;
mod failure;
pub mod json;
mod markdown;
mod terminal;
mod user_remediation;
mod view;

use std::collections::BTreeMap;

pub use failure::failure_summary;
pub use markdown::{MarkdownOptions, markdown};
pub use terminal::{TableOptions, summary, table};

use crate::audit::{Audit, Finding};
use crate::model::inventory::AccountId;

/// The findings of each account that has any.
fn by_account(audit: &Audit) -> BTreeMap<AccountId, &[Finding]> {
    // They are ordered by account.
    let runs = audit.findings.chunk_by(|a, b| a.user.account == b.user.account);
    runs.filter_map(|run| Some((run.first()?.user.account, run))).collect()
}
