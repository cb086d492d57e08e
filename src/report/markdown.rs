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
    /// A template to use instead of the built-in one.
    pub template: Option<UserTemplate>,
}

/// Renders the audit as Markdown, ending with one line feed.
///
/// # Errors
/// [`TemplateError`] if the user's own template is invalid or takes too long.
pub fn markdown(audit: &Audit, options: &MarkdownOptions) -> Result<String, TemplateError> {
    let view = view(audit, options.max_rows);
    match &options.template {
        Some(template) => render_user_template(template, options.language, view),
        None => render(Page::Report, options.language, view),
    }
}
