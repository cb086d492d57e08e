//! `iam-stocktake remediate`: the settings, and the output on the command line and in a job.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::allowlist::DetailLevel;
use super::job::{self, JobReport};
use super::publish_target::check_remediation_allowed;
use super::remediation_run::{self, RemediationOutcome, RemediationRequest, SavedPlanFile, Task};
use super::undo_run::{self, UndoOutcome};
use super::{Exit, MAX_ROWS, Streams, files, report_folder};
use crate::cause::reason;
use crate::cli::{
    self, ActionRemediateArgs, Format, Output, RemediateArgs, RemediationArgs, RemediationTask,
};
use crate::files::Staged;
use crate::remediate::pages::{self, RemediationReport, UndoReport};
use crate::remediate::plan::RemediationPlan;
use crate::runner;
use crate::runner::checkout::{as_relative, relative_to_workspace};
use crate::runner::command::{Annotation, AnnotationLevel};
use crate::runner::job::Job;
use crate::templates::{Language, TemplateError, escape_invisible};

/// The names of the files in the report folder.
const PLAN: &str = "iam-stocktake-plan.json";
const MARKDOWN: &str = "iam-stocktake-plan.md";

/// The reasons for exit codes other than 0 without an error.
const OUTCOMES: [(Exit, &str); 3] = [
    (Exit::GateFailed, "the plan exceeds a limit, so it cannot be applied"),
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
        let request = match request(args, now) {
            Ok(request) => request,
            Err(message) => {
                streams.error(&message);
                return Exit::Usage;
            }
        };
        let context = RunContext { token: None, allow_public: false, report_dir: None, job };
        run(&request, context, job_report, streams).unwrap_or_else(|exit| exit)
    })
}

/// Runs `command: remediate` of the action. An error has been reported.
pub(super) fn run_in_action(
    args: &ActionRemediateArgs,
    now: DateTime<Utc>,
    job: Option<&Job>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> Result<Exit, Exit> {
    let request = action_request(args, now).map_err(|message| {
        streams.error(&message);
        Exit::Usage
    })?;
    let token = runner::github_token();
    let context = RunContext {
        token: token.as_ref(),
        allow_public: args.public.allow_public,
        report_dir: Some(&args.report.report_dir),
        job,
    };
    run(&request, context, job_report, streams)
}

/// The request of the command line.
fn request(args: &RemediateArgs, now: DateTime<Utc>) -> Result<RemediationRequest, String> {
    let RemediationArgs { plan, plan_digest, .. } = &args.remediation;
    let wrong = [
        (plan.is_some() && !args.apply, "'--plan' needs '--apply'"),
        (plan_digest.is_some() && plan.is_none(), "'--plan-digest' needs '--plan'"),
        (!args.user.is_empty() && args.undo.is_none(), "'--user' needs '--undo'"),
    ];
    if let Some((_, message)) = wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
        return Err(message.to_owned());
    }
    let saved = plan.clone().map(|file| SavedPlanFile { file, digest: plan_digest.clone() });
    let users = args.user.iter().map(|user| user.to_ascii_lowercase()).collect();
    let task = match (&args.undo, args.apply) {
        (Some(journal), apply) => Task::Undo { journal: journal.clone(), users, apply },
        (None, true) => Task::Apply(saved),
        (None, false) => Task::Plan,
    };
    check_time(args.clock.now, &task)?;
    Ok(RemediationRequest {
        args: args.remediation.clone(),
        task,
        stdout: args.format.or(args.output.is_empty().then_some(Format::Table)),
        output: args.output.clone(),
        quiet: args.verbosity.quiet || args.verbosity.verbose,
        now: args.clock.now.unwrap_or(now),
    })
}

/// The request of the action's inputs.
fn action_request(
    args: &ActionRemediateArgs,
    now: DateTime<Utc>,
) -> Result<RemediationRequest, String> {
    let mut shared = args.remediation.clone();
    shared.plan = shared.plan.as_ref().map(files::in_workspace);
    shared.audit = shared.audit.as_ref().map(files::in_workspace);
    if let cli::AllowlistSetting::File(path) = &mut shared.allowlist.allowlist {
        *path = as_relative(path.clone());
    }
    shared.journal = journal_path("journal", &shared.journal)?;
    for journal in &mut shared.other_journals.0 {
        *journal = journal_path("other-journals", journal)?;
    }
    let saved = match (&shared.plan, &shared.plan_digest) {
        (None, None) => None,
        // An empty expression must not remove the approval.
        (Some(_), None) => {
            return Err(
                "the input `plan` needs `plan-digest`, the digest of the approved plan".to_owned()
            );
        }
        (None, Some(_)) => return Err("the input `plan-digest` needs `plan`".to_owned()),
        (Some(file), digest) => Some(SavedPlanFile { file: file.clone(), digest: digest.clone() }),
    };
    let task = match (args.task, saved) {
        (RemediationTask::Plan, Some(_)) => {
            return Err("the input `plan` needs `task: apply`".to_owned());
        }
        (RemediationTask::Plan, None) => Task::Plan,
        (RemediationTask::Apply, saved) => Task::Apply(saved),
    };
    check_time(args.clock.now, &task)?;
    Ok(RemediationRequest {
        args: shared,
        task,
        stdout: Some(Format::Table),
        output: Vec::new(),
        quiet: true,
        now: args.clock.now.unwrap_or(now),
    })
}

/// A journal of a job must be in its workspace.
fn journal_path(input: &str, path: &Path) -> Result<PathBuf, String> {
    cli::in_workspace(path.to_path_buf())
        .map_err(|error| format!("the input `{input}` has `{}`: {error}", path.display()))
}

/// Refuses `--now` for changes, except in tests.
fn check_time(now: Option<DateTime<Utc>>, task: &Task) -> Result<(), String> {
    if now.is_some() && task.changes() && !is_local() {
        return Err(
            "'--now' with '--apply' is only for tests, in which AWS_ENDPOINT_URL is a local \
                    address"
                .to_owned(),
        );
    }
    Ok(())
}

/// Whether all requests to AWS stay on this machine. The environment has precedence over the profile.
#[expect(clippy::disallowed_methods, reason = "the environment is read at the edge")]
fn is_local() -> bool {
    let variable = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
    let is_loopback = |url: &String| {
        let uri: Option<http::Uri> = url.parse().ok();
        let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let all = variable("AWS_ENDPOINT_URL");
    let endpoint = |service| variable(service).or_else(|| all.clone());
    // The SDK accepts `TRUE` as well.
    variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
        .is_none_or(|it| it.eq_ignore_ascii_case("false"))
        && ["AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_STS"]
            .into_iter()
            .all(|service| endpoint(service).as_ref().is_some_and(is_loopback))
}

/// Plans, applies, or undoes, and writes the results. An error has been reported.
fn run(
    settings: &RemediationRequest,
    context: RunContext<'_>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> Result<Exit, Exit> {
    check_remediation_allowed(context.token, context.allow_public, context.job, streams)?;
    // The check allows user names.
    streams.redacted = false;
    job_report.outcomes.extend(OUTCOMES.map(|(exit, outcome)| (exit, outcome.to_owned())));
    if let Task::Undo { journal, users, .. } = &settings.task {
        let outcome = undo_run::undo(settings, journal, users, streams)?;
        return show_undo(&outcome, settings.args.language.language, context, streams);
    }
    // Before the run, so that the output `journal` is also set after a panic.
    set_journal_output(settings, context, job_report);
    let outcome = remediation_run::run(settings, DetailLevel::Lines, streams);
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
    streams: &mut Streams<'_>,
) -> Result<Exit, Exit> {
    let undo_report = UndoReport { undo: &outcome.undo, undone: outcome.undone.as_ref() };
    let text = or_report(pages::undo_text(undo_report, language), streams)?;
    let printed = print(&text, context, streams);
    if outcome.undone.is_none() && !outcome.undo.steps.is_empty() {
        streams.hint("nothing was changed; add --apply to make these changes");
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

/// Prints a result. A job has only one log.
fn print(text: &str, context: RunContext<'_>, streams: &mut Streams<'_>) -> Exit {
    if context.job.is_none() {
        return streams.print(text);
    }
    streams.eprint(text);
    Exit::Done
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
    fn show(&self, context: RunContext<'_>, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
        let Self { settings, outcome } = self;
        let mut exit = outcome.exit;
        for output in &settings.output {
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
    ) -> Result<Exit, Exit> {
        let Self { settings, outcome } = self;
        let mut exit = Exit::Done;
        if let (Some(folder), Task::Plan) = (context.report_dir, &settings.task) {
            let reports = vec![
                (PLAN, Output::Plan, outcome.saved.to_json()),
                (MARKDOWN, Output::ReportMarkdown, self.rendered(Format::Markdown, streams)?),
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
            let message = "nothing was changed: the plan exceeds a limit; see the summary";
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

    fn rendered(&self, format: Format, streams: &mut Streams<'_>) -> Result<String, Exit> {
        match format {
            Format::Json => Ok(self.outcome.saved.to_json()),
            Format::Table => {
                let report = self.remediation_report(MAX_ROWS);
                let language = self.settings.args.language.language;
                or_report(pages::remediation_text(report, language), streams)
            }
            Format::Markdown => or_report(self.markdown(MAX_ROWS), streams),
        }
    }
}

fn longest_list(plan: &RemediationPlan) -> usize {
    let lists = [plan.changes.len(), plan.waiting.len(), plan.by_hand.len(), plan.skipped.len()];
    lists.into_iter().max().unwrap_or_default()
}
