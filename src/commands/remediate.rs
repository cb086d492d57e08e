//! What a remedy leaves behind: on the command line, and in a job.

use std::path::Path;

use secrecy::SecretString;

use super::allowlist::DetailLevel;
use super::job::{self, JobReport};
use super::publish_target::check_remediation_allowed;
use super::remediation_run::{self, RemediationOutcome, UndoOutcome};
use super::{Exit, Streams, files, report_folder};
use crate::cause::reason;
use crate::files::Staged;
use crate::remediate::pages::{self, RemediationReport, UndoReport};
use crate::remediate::plan::RemediationPlan;
use crate::runner::checkout::relative_to_workspace;
use crate::runner::command::{Annotation, AnnotationLevel};
use crate::runner::job::Job;
use crate::settings::{Format, RemediateSettings, Task};
use crate::templates::{TemplateError, escape_invisible};

/// The names of the files in the report's folder.
const PLAN: &str = "iam-stocktake-plan.json";
const MARKDOWN: &str = "iam-stocktake-plan.md";

/// The output that names the journal.
const JOURNAL: &str = "journal";

/// What is said of a run that ends with another exit code than 0 though nothing went wrong.
const OUTCOMES: [(Exit, &str); 3] = [
    (Exit::GateFailed, "the plan exceeds a limit, so it cannot be carried out"),
    (Exit::Incomplete, "evidence is missing: nothing is done about the users it is missing for"),
    (Exit::WriteFailed, "some changes were not made: the log says which, and why"),
];

/// Where a remedy is run, and who may read of it.
#[derive(Clone, Copy)]
pub(super) struct RunContext<'a> {
    /// The token for GitHub, which is asked who may read what is left behind.
    pub(super) token: Option<&'a SecretString>,
    /// Whether users are named although everybody can read it.
    pub(super) publish_in_public: bool,
    /// The folder for a plan; `None` where files are named by the command line.
    pub(super) report_dir: Option<&'a Path>,
    /// The job; `None` outside of one.
    pub(super) job: Option<&'a Job>,
}

/// Runs the command.
pub(super) fn remediate(settings: &RemediateSettings, streams: &mut Streams<'_>) -> Exit {
    job::run(None, streams, |job, job_report, streams| {
        let context = RunContext { token: None, publish_in_public: false, report_dir: None, job };
        run(settings, context, job_report, streams).unwrap_or_else(|exit| exit)
    })
}

/// Plans, applies or undoes, and leaves behind what came of it. An `Err` has been told to the user.
pub(super) fn run(
    settings: &RemediateSettings,
    context: RunContext<'_>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> Result<Exit, Exit> {
    check_remediation_allowed(context.token, context.publish_in_public, context.job, streams)?;
    // A plan names users, and was admitted here.
    streams.redacted = false;
    job_report.outcomes.extend(OUTCOMES.map(|(exit, outcome)| (exit, outcome.to_owned())));
    if let Task::Undo { journal, users, .. } = &settings.task {
        let outcome = remediation_run::undo(settings, journal, users, streams)?;
        return show_undo(&outcome, settings, context, streams);
    }
    // Before the run, so that a panic in it loses neither the journal nor where it is.
    name_journal(settings, context, job_report);
    let outcome = remediation_run::run(settings, DetailLevel::Lines, streams);
    leave_journal(settings, context, job_report, streams);
    let outcome = outcome?;
    let shown = RemediationOutput { settings, outcome: &outcome };
    let exit = shown.show(context, streams)?;
    Ok(exit.max(shown.write_job_report(context, job_report, streams)?))
}

fn show_undo(
    outcome: &UndoOutcome,
    settings: &RemediateSettings,
    context: RunContext<'_>,
    streams: &mut Streams<'_>,
) -> Result<Exit, Exit> {
    let undo_report = UndoReport { undo: &outcome.undo, undone: outcome.undone.as_ref() };
    let text = or_report(pages::undo_text(undo_report, settings.language), streams)?;
    let printed = print(&text, context, streams);
    if outcome.undone.is_none() && !outcome.undo.steps.is_empty() {
        streams.hint("nothing was changed: add --apply to do it");
    }
    Ok(outcome.exit.max(printed))
}

/// The text of a page; an error is reported.
fn or_report(
    page: Result<String, TemplateError>,
    streams: &mut Streams<'_>,
) -> Result<String, Exit> {
    page.map_err(|error| {
        streams.error(&escape_invisible(&error.to_string()));
        Exit::WriteFailed
    })
}

/// Prints a result. A job has one log for everything.
fn print(text: &str, context: RunContext<'_>, streams: &mut Streams<'_>) -> Exit {
    if context.job.is_none() {
        return streams.print(text);
    }
    streams.eprint(text);
    Exit::Done
}

/// Leaves the journal to the steps behind, however the run has ended; where there is none its output
/// is empty.
fn leave_journal(
    settings: &RemediateSettings,
    context: RunContext<'_>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) {
    let path = &settings.journal;
    if context.job.is_some() && settings.task.changes() && path.exists() {
        report_folder::give_away(std::slice::from_ref(path), context.job, streams);
    } else {
        job_report.outputs.retain(|(name, _)| *name != JOURNAL);
    }
}

/// Tells the steps behind where the journal is.
fn name_journal(settings: &RemediateSettings, context: RunContext<'_>, job_report: &mut JobReport) {
    if context.job.is_some() && settings.task.changes() {
        let path_for_steps = relative_to_workspace(&settings.journal).display().to_string();
        job_report.outputs.push((JOURNAL, path_for_steps));
    }
}

/// What a run came to, for people and for the steps behind.
struct RemediationOutput<'a> {
    settings: &'a RemediateSettings,
    outcome: &'a RemediationOutcome,
}

impl RemediationOutput<'_> {
    /// Writes the files that the command line names, and prints what came of the run.
    fn show(&self, context: RunContext<'_>, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
        let Self { settings, outcome } = self;
        let mut exit = outcome.exit;
        for output in &settings.outputs {
            let name = output.path.display().to_string();
            let text = self.rendered(output.format, streams)?;
            let staged = files::stage(&output.path, text.as_bytes());
            match staged.and_then(Staged::publish) {
                Ok(()) => {
                    streams.eprintln(&format!(
                        "wrote {} ({})",
                        escape_invisible(&name),
                        output.format.id()
                    ));
                }
                Err(error) => {
                    streams.error(&escape_invisible(&format!(
                        "{name} cannot be written: {}",
                        reason(&error)
                    )));
                    exit = Exit::WriteFailed;
                }
            }
        }
        if let Some(format) = settings.stdout {
            let text = self.rendered(format, streams)?;
            exit = exit.max(print(&text, context, streams));
        }
        let plan = &outcome.saved.plan;
        if settings.task == Task::Plan && context.report_dir.is_none() && !plan.changes.is_empty() {
            streams.hint("nothing was changed: add --apply to carry the plan out");
        }
        Ok(exit)
    }

    /// Leaves files, outputs and the summary of a job.
    fn write_job_report(
        &self,
        context: RunContext<'_>,
        job_report: &mut JobReport,
        streams: &mut Streams<'_>,
    ) -> Result<Exit, Exit> {
        let Self { settings, outcome } = self;
        let mut exit = Exit::Done;
        if let (Some(folder), Task::Plan) = (context.report_dir, &settings.task) {
            let reports = vec![
                (PLAN, "plan", outcome.saved.to_json()),
                (MARKDOWN, "report-markdown", self.rendered(Format::Markdown, streams)?),
            ];
            exit = report_folder::write(folder, reports, context.job, job_report, streams);
        }
        let plan = &outcome.saved.plan;
        let takes_something = plan.changes.iter().filter(|it| it.kind.removes_access());
        let result = match outcome.exit {
            Exit::Incomplete => "incomplete",
            _ if plan.changes.is_empty() => "clean",
            _ => "stale",
        };
        job_report.outputs.extend([
            ("result", result.to_owned()),
            ("plan-digest", outcome.saved.digest.clone()),
            ("change-count", takes_something.count().to_string()),
        ]);
        job_report.annotations.extend(self.annotations());
        if context.job.is_some() {
            job_report.add_to_summary(&self.for_summary(job_report.summary.len()));
        }
        Ok(exit)
    }

    /// What whoever looks at the run is to see without reading the summary.
    fn annotations(&self) -> Vec<Annotation> {
        let mut annotations = Vec::new();
        if !self.outcome.saved.plan.exceeded_limits.is_empty() {
            let says = "nothing at all is done: the plan is beyond a limit, as the summary says";
            annotations.push(Annotation::new(AnnotationLevel::Error, says));
        }
        let applied = self.outcome.applied.as_ref();
        if applied.is_some_and(|it| !it.failed.is_empty() || !it.skipped.is_empty()) {
            let says = "some changes were not made: the summary says which, and why";
            annotations.push(Annotation::new(AnnotationLevel::Error, says));
        }
        annotations
    }

    /// The Markdown for the summary: as many rows as there is room for behind what stands there
    /// already.
    fn for_summary(&self, taken: usize) -> String {
        let most = match self.settings.max_rows {
            0 => usize::MAX,
            rows => rows,
        };
        let rows = most.min(longest_list(&self.outcome.saved.plan));
        let text = job::fit_into_summary(taken, rows, |rows| self.markdown(rows).ok());
        if text.is_empty() {
            // What takes something away is not cut: the page says where all of it is.
            let remediation_report =
                RemediationReport { is_brief: true, ..self.remediation_report(1) };
            let brief =
                || pages::remediation_markdown(remediation_report, self.settings.language).ok();
            return job::fit_into_summary(taken, 1, |_| brief());
        }
        text
    }

    fn markdown(&self, max_rows: usize) -> Result<String, TemplateError> {
        pages::remediation_markdown(self.remediation_report(max_rows), self.settings.language)
    }

    fn remediation_report(&self, max_rows: usize) -> RemediationReport<'_> {
        RemediationReport {
            saved: &self.outcome.saved,
            policy: &self.outcome.policy,
            applied: self.outcome.applied.as_ref(),
            missing: &self.outcome.missing,
            journal: &self.settings.journal,
            other_journals: &self.settings.other_journals,
            max_rows,
            is_brief: false,
        }
    }

    fn rendered(&self, format: Format, streams: &mut Streams<'_>) -> Result<String, Exit> {
        let max_rows = self.settings.max_rows;
        match format {
            Format::Json => Ok(self.outcome.saved.to_json()),
            Format::Table => {
                let report = self.remediation_report(max_rows);
                or_report(pages::remediation_text(report, self.settings.language), streams)
            }
            Format::Markdown => or_report(self.markdown(max_rows), streams),
        }
    }
}

fn longest_list(plan: &RemediationPlan) -> usize {
    let lists = [plan.changes.len(), plan.waiting.len(), plan.by_hand.len(), plan.skipped.len()];
    lists.into_iter().max().unwrap_or_default()
}
