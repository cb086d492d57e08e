//! The reports of a job: files in the workspace, and the job summary.

use super::error::CommandError;
use super::job::{JobReport, fit_into_summary};
use super::{Exit, MAX_ROWS, Streams, audit, report_folder};
use crate::audit::Audit;
use crate::cli::{CheckArgs, Output};
use crate::report::json::v1;
use crate::report::{self, MarkdownOptions};
use crate::runner::job::Job;
use crate::templates::UserTemplate;

/// The names of the files in the report's folder.
const MARKDOWN: &str = "iam-stocktake.md";
const JSON: &str = "iam-stocktake.json";

/// The options of the reports. `full_ids` is whether they may have the full IDs of credentials.
pub(super) fn options(
    settings: &CheckArgs,
    full_ids: bool,
    template: Option<UserTemplate>,
) -> MarkdownOptions {
    let language = settings.publish.language.language;
    MarkdownOptions { language, max_rows: MAX_ROWS, full_ids, template }
}

/// Writes the files and sets their outputs.
pub(super) fn write(
    audit: &Audit,
    json: &v1::Audit,
    settings: &CheckArgs,
    options: &MarkdownOptions,
    job: Option<&Job>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> Result<Exit, CommandError> {
    let markdown = report::markdown(audit, options).map_err(|it| audit::template_error(&it))?;
    let reports = vec![
        (MARKDOWN, Output::ReportMarkdown, markdown),
        (JSON, Output::ReportJson, report::json::to_json(json)),
    ];
    Ok(report_folder::write(&settings.report.report_dir, reports, job, job_report, streams))
}

/// The report for the summary, with as many rows as fit after the `taken` bytes.
pub(super) fn for_summary(audit: &Audit, options: &MarkdownOptions, taken: usize) -> String {
    fit_into_summary(taken, MAX_ROWS.min(audit.findings.len()), |max_rows| {
        let options = MarkdownOptions { max_rows, template: None, ..options.clone() };
        report::markdown(audit, &options).ok()
    })
}
