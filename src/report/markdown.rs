//! The Markdown report.

use super::view::view;
use crate::audit::Audit;
use crate::templates::{Language, Page, TemplateError, UserTemplate, render, render_user_template};

/// How the report is written.
#[derive(Debug, Clone, Default)]
pub struct MarkdownOptions {
    pub language: Language,
    /// The most rows that a table shows; 0 for all.
    pub max_rows: usize,
    /// Whether the commands have the full IDs of access keys and other credentials. Set it only for a
    /// report that only people with access to the account can read.
    pub full_ids: bool,
    /// A template to use instead of the built-in one.
    pub template: Option<UserTemplate>,
}

/// Renders the audit as Markdown, ending with one line feed.
///
/// # Errors
/// [`TemplateError`] if the user's own template is invalid or takes too long.
pub fn markdown(audit: &Audit, options: &MarkdownOptions) -> Result<String, TemplateError> {
    let view = view(audit, options.max_rows, options.full_ids);
    match &options.template {
        Some(template) => render_user_template(template, options.language, view),
        None => render(Page::Report, options.language, view),
    }
}
