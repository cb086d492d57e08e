//! The pages of a remediation: the plan and its result, as Markdown and for a terminal; and the undo
//! plan and its result.

mod plan_view;
mod undo_view;

use std::path::{Path, PathBuf};

use super::plan::file::SavedPlan;
use super::{ApplyResult, MissingEvidence, UndoPlan, UndoResult};
use crate::model::policy::remediation::RemediationPolicy;
use crate::templates::{Language, Page, TemplateError, render};

/// A remediation plan and, once it was applied, its result.
#[derive(Debug, Clone, Copy)]
pub struct RemediationReport<'a> {
    pub saved: &'a SavedPlan,
    /// The policy that the plan follows.
    pub policy: &'a RemediationPolicy,
    /// The result; `None` if the plan was not applied.
    pub applied: Option<&'a ApplyResult>,
    pub missing: &'a MissingEvidence,
    /// The journal that records each step, if the plan was applied.
    pub journal: &'a Path,
    /// The journals of other jobs.
    pub other_journals: &'a [PathBuf],
    /// The most rows of a list; 0 for all. Deactivations and deletions are never left out.
    pub max_rows: usize,
    /// Whether the Markdown has counts only, because there is no room even for all deactivations and
    /// deletions.
    pub is_brief: bool,
}

/// An undo plan and, once it was applied, its result.
#[derive(Debug, Clone, Copy)]
pub struct UndoReport<'a> {
    pub undo: &'a UndoPlan,
    /// The result; `None` if the plan was not applied.
    pub undone: Option<&'a UndoResult>,
}

/// The plan and its result as Markdown, ending with one line feed.
///
/// # Errors
/// [`TemplateError`] if the template does not fit the view.
pub fn remediation_markdown(
    report: RemediationReport<'_>,
    language: Language,
) -> Result<String, TemplateError> {
    render(Page::Plan, language, plan_view::view(report))
}

/// The plan and its result as text for a terminal, ending with one line feed.
///
/// # Errors
/// [`TemplateError`] if the template does not fit the view.
pub fn remediation_text(
    report: RemediationReport<'_>,
    language: Language,
) -> Result<String, TemplateError> {
    render(Page::PlanText, language, plan_view::view(report))
}

/// The undo plan and its result as Markdown, ending with one line feed.
///
/// # Errors
/// [`TemplateError`] if the template does not fit the view.
pub fn undo_markdown(report: UndoReport<'_>, language: Language) -> Result<String, TemplateError> {
    render(Page::Undo, language, undo_view::view(report))
}

/// The undo plan and its result as text for a terminal, ending with one line feed.
///
/// # Errors
/// [`TemplateError`] if the template does not fit the view.
pub fn undo_text(report: UndoReport<'_>, language: Language) -> Result<String, TemplateError> {
    render(Page::UndoText, language, undo_view::view(report))
}
