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

/// Writes the files and sets their outputs.
pub(super) fn write(
    audit: &Audit,
    json: &v1::Audit,
    settings: &CheckArgs,
    full_ids: bool,
    template: Option<&UserTemplate>,
    job: Option<&Job>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> Result<Exit, CommandError> {
    let options =
        MarkdownOptions { template: template.cloned(), ..options(settings, MAX_ROWS, full_ids) };
    let markdown = report::markdown(audit, &options).map_err(|it| audit::template_error(&it))?;
    let reports = vec![
        (MARKDOWN, Output::ReportMarkdown, markdown),
        (JSON, Output::ReportJson, report::json::to_json(json)),
    ];
    Ok(report_folder::write(&settings.report.report_dir, reports, job, job_report, streams))
}

const fn options(settings: &CheckArgs, max_rows: usize, full_ids: bool) -> MarkdownOptions {
    MarkdownOptions {
        language: settings.publish.language.language,
        max_rows,
        full_ids,
        template: None,
    }
}

/// The report for the summary, with as many rows as fit after the `taken` bytes.
pub(super) fn for_summary(
    audit: &Audit,
    settings: &CheckArgs,
    full_ids: bool,
    taken: usize,
) -> String {
    fit_into_summary(taken, MAX_ROWS.min(audit.findings.len()), |rows| {
        report::markdown(audit, &options(settings, rows, full_ids)).ok()
    })
}
