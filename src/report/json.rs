//! The audit as JSON, for programs. Versioned: what reads v1 reads every later v1.

mod from_audit;
mod incomplete_reason;
mod text;
pub mod v1;

pub use incomplete_reason::IncompleteReason;

use crate::audit::Audit;

/// The audit as JSON v1, indented, ending with a line feed.
#[must_use]
pub fn json(audit: &Audit) -> String {
    to_json(&v1::Audit::from(audit))
}

/// JSON v1, indented, ending with a line feed.
#[must_use]
pub fn to_json(audit: &v1::Audit) -> String {
    let mut text = serde_json::to_string_pretty(audit)
        // Strings, numbers, lists and maps with text keys: none of them can fail.
        .unwrap_or_default();
    text.push('\n');
    text
}

/// The JSON Schema of v1.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(v1::Audit).to_value()
}
