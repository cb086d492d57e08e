//! `iam-stocktake remediate`: the output on the command line and in a job.

use std::path::Path;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::error::{CommandError, CommandResult};
use super::job::{self, JobReport};
use super::publish_target::check_remediation_allowed;
use super::remediation_request::{RemediationRequest, Task};
use super::remediation_run::{self, RemediationOutcome};
use super::undo_run::{self, UndoOutcome};
use super::{Exit, MAX_ROWS, Streams, files, report_folder};
use crate::cli::{ActionRemediateArgs, Output, PlanFormat, RemediateArgs};
use crate::remediate::pages::{self, RemediationReport, UndoReport};
use crate::remediate::plan::RemediationPlan;
use crate::runner;
use crate::runner::checkout::relative_to_workspace;
use crate::runner::command::{Annotation, AnnotationLevel};
use crate::runner::job::Job;
use crate::templates::{Language, TemplateError};

/// The names of the files in the report folder.
const PLAN: &str = "iam-stocktake-plan.json";
const MARKDOWN: &str = "iam-stocktake-plan.md";

/// The reasons for exit codes other than 0 without an error.
const OUTCOMES: [(Exit, &str); 3] = [
    (
        Exit::GateFailed,
        "more than half of the users of an account are due, so the plan cannot be applied",
    ),
    (Exit::Incomplete, "evidence is missing, so users without it are not changed"),
    (Exit::WriteFailed, "some changes were not made; see the log for the reasons"),
];

/// The environment of a run.
#[derive(Clone, Copy)]
struct RunContext<'a> {
    /// The GitHub token, to request the visibility of the repository.
    token: Option<&'a SecretString>,
    /// Whether users may be shown in public.
    allow_public: bool,
    /// The folder for a plan; `None` if the command line sets the files.
    report_dir: Option<&'a Path>,
    /// The job; `None` outside of one.
    job: Option<&'a Job>,
}

/// Runs the command.
pub(super) fn remediate(
    args: &RemediateArgs,
    now: DateTime<Utc>,
    streams: &mut Streams<'_>,
) -> Exit {
    job::run(streams, |job, job_report, streams| {
        let request = RemediationRequest::of_command_line(args, now)?;
        let context = RunContext { token: None, allow_public: false, report_dir: None, job };
        run(&request, context, job_report, streams)
    })
}

/// Runs `command: remediate` of the action.
pub(super) fn run_in_action(
    args: &ActionRemediateArgs,
    now: DateTime<Utc>,
    job: Option<&Job>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> CommandResult {
    let request = RemediationRequest::of_inputs(args, now)?;
    let token = runner::github_token();
    let context = RunContext {
        token: token.as_ref(),
        allow_public: args.public.allow_public,
        report_dir: Some(&args.report.report_dir),
        job,
    };
    run(&request, context, job_report, streams)
}

/// Plans, applies, or undoes, and writes the results.
fn run(
    settings: &RemediationRequest,
    context: RunContext<'_>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> CommandResult {
    check_remediation_allowed(context.token, context.allow_public, context.job, streams)?;
    // The check allows user names.
    streams.redacted = false;
    job_report.outcomes.extend(OUTCOMES.map(|(exit, outcome)| (exit, outcome.to_owned())));
    // Before the run, so that the output `journal` is also set after a panic.
    set_journal_output(settings, context, job_report);
    if let Task::Undo { .. } = &settings.task {
        let outcome = undo_run::undo(settings, streams);
        publish_journal(settings, context, job_report, streams);
        let language = settings.args.language.language;
        return Ok(show_undo(&outcome?, language, context, job_report, streams)?);
    }
    let outcome = remediation_run::run(settings, streams);
    publish_journal(settings, context, job_report, streams);
    let outcome = outcome?;
    let shown = RemediationOutput { settings, outcome: &outcome };
    let exit = shown.show(context, streams)?;
    Ok(exit.max(shown.write_job_report(context, job_report, streams)?))
}

fn show_undo(
    outcome: &UndoOutcome,
    language: Language,
    context: RunContext<'_>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> Result<Exit, CommandError> {
    let undo_report = UndoReport { undo: &outcome.undo, undone: outcome.undone.as_ref() };
    print(&pages::undo_text(undo_report, language)?, context, streams)?;
    if context.job.is_some() {
        let activations = outcome.undo.activations();
        let result = match outcome.exit {
            Exit::Incomplete => "incomplete",
            _ if activations == 0 => "clean",
            _ => "stale",
        };
        job_report.outputs.extend([
            (Output::Result, result.to_owned()),
            (Output::ChangeCount, activations.to_string()),
        ]);
        let page = pages::undo_markdown(undo_report, language)?;
        job_report.add_to_summary(&job::fit_into_summary(job_report.summary.len(), 1, |_| {
            Some(page.clone())
        }));
    }
    let is_shown = outcome.undone.is_none() && !outcome.undo.steps.is_empty();
    if is_shown && context.report_dir.is_none() {
        streams.hint("nothing was changed; add --apply to make these changes");
    }
    Ok(outcome.exit)
}

/// Prints a result. A job has only one log.
fn print(
    text: &str,
    context: RunContext<'_>,
    streams: &mut Streams<'_>,
) -> Result<(), CommandError> {
    if context.job.is_none() {
        return streams.print(text);
    }
    streams.eprint(text);
    Ok(())
}

/// Makes the journal available to later steps, even after an error. Without a journal, its output is
/// empty.
fn publish_journal(
    settings: &RemediationRequest,
    context: RunContext<'_>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) {
    let path = &settings.args.journal;
    if context.job.is_some() && settings.task.changes() && path.exists() {
        report_folder::change_owner(std::slice::from_ref(path), context.job, streams);
    } else {
        job_report.outputs.retain(|(name, _)| *name != Output::Journal);
    }
}

/// Sets the output `journal` for later steps.
fn set_journal_output(
    settings: &RemediationRequest,
    context: RunContext<'_>,
    job_report: &mut JobReport,
) {
    if context.job.is_some() && settings.task.changes() {
        let path_for_steps = relative_to_workspace(&settings.args.journal).display().to_string();
        job_report.outputs.push((Output::Journal, path_for_steps));
    }
}

/// The output of a run.
struct RemediationOutput<'a> {
    settings: &'a RemediationRequest,
    outcome: &'a RemediationOutcome,
}

impl RemediationOutput<'_> {
    /// Writes the files of the command line, and prints the result.
    fn show(&self, context: RunContext<'_>, streams: &mut Streams<'_>) -> CommandResult {
        let Self { settings, outcome } = self;
        let mut exit = outcome.exit;
        for output in &settings.output {
            let text = self.rendered(output.format)?;
            match files::write(&output.path, text.as_bytes()) {
                Ok(()) => streams.wrote(output),
                Err(error) => exit = exit.max(streams.report(error)),
            }
        }
        if let Some(format) = settings.stdout {
            let printed = print(&self.rendered(format)?, context, streams);
            exit = printed.map_or_else(|error| exit.max(streams.report(error)), |()| exit);
        }
        let plan = &outcome.saved.plan;
        if settings.task == Task::Plan && context.report_dir.is_none() && !plan.changes.is_empty() {
            streams.hint("nothing was changed; add --apply to apply the plan");
        }
        Ok(exit)
    }

    /// Writes the files, outputs, and summary of a job.
    fn write_job_report(
        &self,
        context: RunContext<'_>,
        job_report: &mut JobReport,
        streams: &mut Streams<'_>,
    ) -> CommandResult {
        let Self { settings, outcome } = self;
        let mut exit = Exit::Done;
        if let (Some(folder), Task::Plan) = (context.report_dir, &settings.task) {
            let reports = vec![
                (PLAN, Output::Plan, outcome.saved.to_json()),
                (MARKDOWN, Output::ReportMarkdown, self.rendered(PlanFormat::Markdown)?),
            ];
            exit = report_folder::write(folder, reports, context.job, job_report, streams);
        }
        let plan = &outcome.saved.plan;
        let access_changes = plan.changes.iter().filter(|it| it.kind.removes_access());
        let result = match outcome.exit {
            Exit::Incomplete => "incomplete",
            _ if plan.changes.is_empty() => "clean",
            _ => "stale",
        };
        job_report.outputs.extend([
            (Output::Result, result.to_owned()),
            (Output::PlanDigest, outcome.saved.digest.clone()),
            (Output::ChangeCount, access_changes.count().to_string()),
        ]);
        job_report.annotations.extend(self.annotations());
        if context.job.is_some() {
            job_report.add_to_summary(&self.for_summary(job_report.summary.len()));
        }
        Ok(exit)
    }

    /// The annotations of the run.
    fn annotations(&self) -> Vec<Annotation> {
        let mut annotations = Vec::new();
        if !self.outcome.saved.plan.exceeded_limits.is_empty() {
            let message = "nothing was changed: more than half of the users of an account are due; see \
                           the summary";
            annotations.push(Annotation::new(AnnotationLevel::Error, message));
        }
        let applied = self.outcome.applied.as_ref();
        if applied.is_some_and(|it| !it.failed.is_empty() || !it.skipped.is_empty()) {
            let message = "some changes were not made; see the summary for the reasons";
            annotations.push(Annotation::new(AnnotationLevel::Error, message));
        }
        annotations
    }

    /// The Markdown for the summary, with as many rows as fit after the `taken` bytes.
    fn for_summary(&self, taken: usize) -> String {
        let rows = MAX_ROWS.min(longest_list(&self.outcome.saved.plan));
        let text = job::fit_into_summary(taken, rows, |rows| self.markdown(rows).ok());
        if text.is_empty() {
            // Changes that remove access are not shortened: the brief page refers to the complete list.
            let remediation_report =
                RemediationReport { is_brief: true, ..self.remediation_report(1) };
            let brief = || {
                pages::remediation_markdown(
                    remediation_report,
                    self.settings.args.language.language,
                )
                .ok()
            };
            return job::fit_into_summary(taken, 1, |_| brief());
        }
        text
    }

    fn markdown(&self, max_rows: usize) -> Result<String, TemplateError> {
        pages::remediation_markdown(
            self.remediation_report(max_rows),
            self.settings.args.language.language,
        )
    }

    fn remediation_report(&self, max_rows: usize) -> RemediationReport<'_> {
        RemediationReport {
            saved: &self.outcome.saved,
            policy: &self.outcome.policy,
            applied: self.outcome.applied.as_ref(),
            missing: &self.outcome.missing,
            journal: &self.settings.args.journal,
            other_journals: &self.settings.args.other_journals,
            max_rows,
            is_brief: false,
        }
    }

    fn rendered(&self, format: PlanFormat) -> Result<String, TemplateError> {
        match format {
            PlanFormat::Json => Ok(self.outcome.saved.to_json()),
            PlanFormat::Table => {
                let report = self.remediation_report(MAX_ROWS);
                pages::remediation_text(report, self.settings.args.language.language)
            }
            PlanFormat::Markdown => self.markdown(MAX_ROWS),
        }
    }
}

fn longest_list(plan: &RemediationPlan) -> usize {
    let lists = [&plan.changes, &plan.delayed].map(Vec::len).into_iter();
    let lists = lists.chain([plan.waiting.len(), plan.by_hand.len(), plan.skipped.len()]);
    lists.max().unwrap_or_default()
}
