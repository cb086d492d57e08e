//! The remediation plan, and what became of it, for people.

mod text;
mod view;

use std::path::{Path, PathBuf};

use super::Language;
use super::markdown::{TemplateError, render_template};
use crate::model::policy::remediation::RemediationPolicy;
use crate::remediate::plan::file::SavedPlan;
use crate::remediate::{ApplyResult, MissingEvidence, UndoPlan, UndoResult};

pub use text::{remediation_text, undo_text};

/// A plan, and what became of it.
#[derive(Debug, Clone, Copy)]
pub struct RemediationReport<'a> {
    /// The plan.
    pub saved: &'a SavedPlan,
    /// What it was made by.
    pub policy: &'a RemediationPolicy,
    /// What became of it, where it was carried out.
    pub applied: Option<&'a ApplyResult>,
    /// What evidence is missing.
    pub missing: &'a MissingEvidence,
    /// The file in which every step stands, where it was carried out.
    pub journal: &'a Path,
    /// The journals of other jobs.
    pub other_journals: &'a [PathBuf],
    /// The most rows of a list; 0 for all. What takes something away is never left out.
    pub max_rows: usize,
    /// Whether the Markdown has no lists at all: there is no room even for what takes something
    /// away.
    pub is_brief: bool,
}

/// An undo plan, and what became of it.
#[derive(Debug, Clone, Copy)]
pub struct UndoReport<'a> {
    /// What is to be undone.
    pub undo: &'a UndoPlan,
    /// What became of it, where it was done.
    pub undone: Option<&'a UndoResult>,
}

/// The plan and what became of it as Markdown, ending with one line feed.
///
/// # Errors
/// [`TemplateError`] when template and view do not fit each other.
pub fn remediation_markdown(
    report: RemediationReport<'_>,
    language: Language,
) -> Result<String, TemplateError> {
    render_template(&format!("{}/remedy_plan.md.j2", language.id()), view::view(report))
}
