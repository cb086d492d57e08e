//! A command in a GitHub Actions job: the log, in which only our workflow commands are executed, then
//! annotations, the summary, and the outputs.
//!
//! Every run with an exit code other than 0 has an `::error::` and a line in the summary. Both are
//! created here from the reported errors.

use std::io;

use secrecy::ExposeSecret as _;

use super::error::{CommandError, CommandResult, ErrorDetails, Failure};
use super::panics::{PanicReport, catch_panic};
use super::publish_target::may_show_names;
use super::streams::ReportedError;
use super::{Exit, Streams};
use crate::cli::Output;
use crate::report::failure_summary;
use crate::runner;
use crate::runner::command::{Annotation, AnnotationLevel, WorkflowCommand, limit_annotations};
use crate::runner::files::{FileError, Outputs, Summary};
use crate::runner::job::{Job, JobError};
use crate::runner::log::Log;
use crate::secrets;
use crate::templates::{Language, escape_invisible};

/// The output `gate` of a run in which the gate was not evaluated.
const NOT_EVALUATED: &str = "not-evaluated";

impl From<JobError> for CommandError {
    fn from(error: JobError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<FileError> for CommandError {
    fn from(error: FileError) -> Self {
        Self::write_failed(error.to_string())
    }
}

/// The results of a command in a job.
#[derive(Default)]
pub(super) struct JobReport {
    /// The action's outputs.
    pub(super) outputs: Vec<(Output, String)>,
    /// The annotations, the most severe first.
    pub(super) annotations: Vec<Annotation>,
    /// The Markdown of the job summary.
    pub(super) summary: String,
    /// The reasons for exit codes without an error. The summary already contains them.
    pub(super) outcomes: Vec<(Exit, String)>,
    /// The language of the summary.
    pub(super) language: Language,
}

impl JobReport {
    /// Adds a part to the summary. A blank line separates it from the part before.
    pub(super) fn add_to_summary(&mut self, markdown: &str) {
        let part = markdown.trim_matches('\n');
        if part.is_empty() {
            return;
        }
        if !self.summary.is_empty() {
            self.summary.truncate(self.summary.trim_end_matches('\n').len());
            self.summary.push_str("\n\n");
        }
        self.summary.push_str(part);
        self.summary.push('\n');
    }

    /// Ends a run that may not audit anything. The job does not fail, and the gate is not evaluated.
    pub(super) fn skip(&mut self, message: &str, streams: &mut Streams<'_>) -> Exit {
        streams.eprintln(message);
        self.add_to_summary(message);
        self.outputs.extend([
            (Output::Result, "incomplete".to_owned()),
            (Output::Gate, NOT_EVALUATED.to_owned()),
        ]);
        Exit::Done
    }
}

/// The space that is left in the summary. Outside of a job there is no limit.
pub(super) fn summary_space_left() -> usize {
    Summary::from_environment()
        .map_or(usize::MAX, |summary| summary.remaining_bytes().unwrap_or_default())
}

/// A text for the summary with at most `rows` rows: as many as fit after the `taken` bytes. Empty if not
/// even one row fits.
pub(super) fn fit_into_summary(
    taken: usize,
    rows: usize,
    render: impl Fn(usize) -> Option<String>,
) -> String {
    // The rest is for a line feed and for other commands of the job.
    let room = summary_space_left().saturating_sub(taken + 1024);
    let mut rows = rows.max(1);
    loop {
        match render(rows) {
            Some(text) if text.len() <= room => return text,
            Some(_) if rows > 1 => rows /= 2,
            _ => return String::new(),
        }
    }
}

/// Runs a command, in a job or outside of one. The GitHub token is hidden in all output.
pub(super) fn run(
    streams: &mut Streams<'_>,
    command: impl FnOnce(Option<&Job>, &mut JobReport, &mut Streams<'_>) -> CommandResult,
) -> Exit {
    if let Some(token) = runner::github_token() {
        secrets::register(token.expose_secret());
    }
    if !runner::is_github_actions() {
        let result = command(None, &mut JobReport::default(), streams);
        return streams.exit_of(result);
    }
    run_in_job(streams, |job, job_report, streams| command(job?.as_ref(), job_report, streams))
}

/// Runs a command in a job. A panic is reported like an error.
fn run_in_job(
    streams: &mut Streams<'_>,
    command: impl FnOnce(
        Result<Option<Job>, JobError>,
        &mut JobReport,
        &mut Streams<'_>,
    ) -> CommandResult,
) -> Exit {
    let mut job_report = JobReport::default();
    let Ok(mut log) = Log::masking(&mut *streams.stdout, secrets::registered_after) else {
        let error = CommandError::write_failed("standard output cannot be written");
        let exit = streams.report(error);
        return job_report.finish(exit, streams);
    };
    let exit = {
        // All output is in one stream, because the runner does not keep the order of two.
        let mut nowhere = io::sink();
        let mut streams = Streams::new(&mut *streams.stdin, &mut nowhere, &mut log);
        let job = Job::from_environment();
        streams.redacted = !job.as_ref().is_ok_and(is_private);
        let exit = catch_panic(|| {
            let result = command(job, &mut job_report, &mut streams);
            streams.exit_of(result)
        });
        let exit =
            exit.unwrap_or_else(|panic_report| job_report.after_panic(&panic_report, &mut streams));
        job_report.finish(exit, &mut streams)
    };
    job_report.annotate(&mut log);
    let _ = log.finish();
    exit
}

/// Runs a command whose standard output is its result. In a job, errors are reported to the runner on
/// standard error.
pub(super) fn with_result(
    streams: &mut Streams<'_>,
    command: impl FnOnce(&mut JobReport, &mut Streams<'_>) -> CommandResult,
) -> Exit {
    let mut job_report = JobReport::default();
    let run = |job_report: &mut JobReport, streams: &mut Streams<'_>| {
        let result = command(job_report, streams);
        streams.exit_of(result)
    };
    if !runner::is_github_actions() {
        return run(&mut job_report, streams);
    }
    let Ok(mut log) = Log::masking(&mut *streams.stderr, secrets::registered_after) else {
        // Messages cannot be shown, but the result can.
        return run(&mut job_report, streams);
    };
    let exit = {
        let mut streams = Streams {
            stdout_is_log: streams.stdout_is_log,
            ..Streams::new(&mut *streams.stdin, &mut *streams.stdout, &mut log)
        };
        match catch_panic(|| run(&mut job_report, &mut streams)) {
            Ok(exit) => job_report.finish_without_outputs(exit, &mut streams),
            Err(panic_report) => {
                streams.redacted = !runner::is_private_repository();
                let exit = job_report.after_panic(&panic_report, &mut streams);
                job_report.finish(exit, &mut streams)
            }
        }
    };
    job_report.annotate(&mut log);
    let _ = log.finish();
    exit
}

/// Whether the event payload shows that the repository is not public.
fn is_private(job: &Option<Job>) -> bool {
    job.as_ref().is_some_and(|job| may_show_names(job.payload.visibility))
}

/// Reports invalid arguments or inputs, in a job also in an annotation and in the summary.
pub(super) fn report_usage_error(text: &str, streams: &mut Streams<'_>) -> Exit {
    // The first paragraph is the error; the usage follows.
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let message = lines.collect::<Vec<_>>().join(" ");
    let error = CommandError::usage(message.strip_prefix("error: ").unwrap_or(&message))
        .with_details(ErrorDetails::Usage(text.to_owned()));
    if !runner::is_github_actions() {
        return streams.report(error);
    }
    run_in_job(streams, |job, _, _| {
        let errors = [error].into_iter().chain(job.err().map(CommandError::from));
        Err(Failure(errors.collect()))
    })
}

impl JobReport {
    /// Writes the summary and the outputs. If that fails, the exit code is higher.
    fn finish(&mut self, exit: Exit, streams: &mut Streams<'_>) -> Exit {
        let exit = self.finish_summary(exit, streams);
        let outputs = self.write_outputs(exit);
        let exit = outputs.map_or_else(|error| exit.max(streams.report(error)), |()| exit);
        self.explain(exit, streams);
        exit
    }

    /// Writes only the summary, for a command without outputs.
    fn finish_without_outputs(&mut self, exit: Exit, streams: &mut Streams<'_>) -> Exit {
        let exit = self.finish_summary(exit, streams);
        self.explain(exit, streams);
        exit
    }

    /// Reports a panic. The output `gate` is reset, because the run is not complete.
    fn after_panic(&mut self, panic_report: &PanicReport, streams: &mut Streams<'_>) -> Exit {
        for (_, gate) in self.outputs.iter_mut().filter(|(name, _)| *name == Output::Gate) {
            NOT_EVALUATED.clone_into(gate);
        }
        panic_report.report(streams)
    }

    /// Adds an annotation of level error to a failed run that has none.
    fn explain(&mut self, exit: Exit, streams: &Streams<'_>) {
        if exit != Exit::Done
            && !self.annotations.iter().any(|it| it.level == AnnotationLevel::Error)
        {
            let lines = self.reason(exit, streams);
            self.annotations.insert(0, Annotation::new(AnnotationLevel::Error, lines.join("\n")));
        }
    }

    /// The reason for this exit code, if it is a result of the run and not an error.
    fn outcome(&self, exit: Exit, streams: &Streams<'_>) -> Option<&str> {
        let is_result = exit == Exit::GateFailed || streams.reported.is_empty();
        let mut outcomes = self.outcomes.iter().filter(|(of, _)| is_result && *of == exit);
        outcomes.next().map(|(_, outcome)| outcome.as_str())
    }

    /// The reason for this exit code.
    fn reason(&self, exit: Exit, streams: &Streams<'_>) -> Vec<String> {
        if let Some(outcome) = self.outcome(exit, streams) {
            return vec![outcome.to_owned()];
        }
        let Some(ReportedError { message, hint }) = streams.reported.first() else {
            return vec![default_reason(exit).to_owned()];
        };
        let mut lines = vec![message.clone()];
        lines.extend(hint.as_ref().map(|hint| format!("help: {hint}")));
        match streams.reported.len() - 1 {
            0 => {}
            1 => lines.push("see the log for 1 more problem".to_owned()),
            more => lines.push(format!("see the log for {more} more problems")),
        }
        lines
    }

    /// Writes the summary. If the run failed, the summary starts with the reason, unless it already
    /// contains it.
    fn finish_summary(&mut self, exit: Exit, streams: &mut Streams<'_>) -> Exit {
        let has_reason = self.outcome(exit, streams).is_some() && !self.summary.is_empty();
        let mut reason = String::new();
        if exit != Exit::Done && !has_reason {
            let lines = self.reason(exit, streams);
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            reason = self.failure(exit, &lines);
        }
        let Some(file) = Summary::from_environment() else { return exit };
        let text = secrets::redact(&self.summary).into_owned();
        // Another command of the step may have written to the summary.
        let is_first = file.is_empty() || (reason.is_empty() && text.is_empty());
        let gap = if is_first { "" } else { "\n\n" };
        match file.append(&format!("{gap}{reason}{text}")) {
            Ok(()) => exit,
            Err(error) => {
                let message = error.to_string();
                let exit = exit.max(streams.report(error));
                // A shorter text may fit.
                let _ = file.append(&self.failure(exit, &[message.as_str()]));
                exit
            }
        }
    }

    /// The part of the summary with the reason for a failure.
    fn failure(&self, exit: Exit, messages: &[&str]) -> String {
        let page = failure_summary(self.language, exit as u8, messages);
        page.map_or_else(
            |error| escape_invisible(&error.to_string()).into_owned(),
            |page| page + "\n",
        )
    }

    /// Writes the outputs. `result` and `gate` are always set.
    fn write_outputs(&mut self, exit: Exit) -> Result<(), FileError> {
        // If the run is incomplete or has an error, the output `result` depends only on the exit code.
        let result = match exit {
            Exit::Usage | Exit::WriteFailed => "error",
            Exit::Incomplete => "incomplete",
            Exit::GateFailed => "stale",
            Exit::Done => "clean",
        };
        let is_final = matches!(exit, Exit::Usage | Exit::WriteFailed | Exit::Incomplete);
        match self.outputs.iter_mut().find(|(name, _)| *name == Output::Result) {
            Some((_, given)) if is_final => result.clone_into(given),
            Some(_) => {}
            None => self.outputs.push((Output::Result, result.to_owned())),
        }
        if !self.outputs.iter().any(|(name, _)| *name == Output::Gate) {
            self.outputs.push((Output::Gate, NOT_EVALUATED.to_owned()));
        }
        let outputs: Vec<_> = self
            .outputs
            .iter()
            .map(|(name, value)| (name.name(), secrets::redact(value)))
            .collect();
        let outputs: Vec<_> =
            outputs.iter().map(|(name, value)| (name.as_str(), &**value)).collect();
        Outputs::from_environment().map_or(Ok(()), |file| file.append(&outputs))
    }

    /// Writes the annotations to the log.
    fn annotate<W: io::Write>(&mut self, log: &mut Log<W>) {
        let mut annotations = limit_annotations(std::mem::take(&mut self.annotations));
        for annotation in &mut annotations {
            annotation.message = secrets::redact(&annotation.message).into_owned();
        }
        let commands: Vec<_> = annotations.into_iter().map(WorkflowCommand::from).collect();
        let _ = log.commands(&commands);
    }
}

/// The reason for an exit code without a reported error.
const fn default_reason(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "done",
        Exit::GateFailed => "the gate failed",
        Exit::Usage => "the settings or the allowlist are invalid; see the log",
        Exit::Incomplete => "evidence is missing, so the result is incomplete; see the log",
        Exit::WriteFailed => "a result was not written, or a change was not made; see the log",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command as Process;

    use super::*;

    /// A token that must not be shown.
    const TOKEN: &str = "ghs_a-token-of-a-job";

    /// Runs a process that panics as `main` does, in the job of the environment.
    fn run_until_panic(process: impl FnOnce(&mut Streams<'_>) -> Exit) {
        crate::commands::record_panics();
        runner::register_secrets();
        let (mut stdin, mut stdout, mut stderr) = (io::empty(), io::stdout(), io::stderr());
        let mut streams = Streams::new(&mut stdin, &mut stdout, &mut stderr);
        assert_eq!(crate::commands::run_catching_panics(&mut streams, process), Exit::WriteFailed);
    }

    // The test below runs each of these in a separate process.

    #[test]
    #[ignore = "run in a job by another test"]
    fn panics_in_a_command() {
        run_until_panic(|streams| {
            run(streams, |_, job_report, streams| {
                job_report.outputs.push((Output::Result, "clean".to_owned()));
                job_report.outputs.push((Output::Gate, "passed".to_owned()));
                job_report.summary.push_str("Half a summary\n");
                streams.eprint("half a line");
                panic!("zaphod\u{202e}\n::error::x ##[y] {TOKEN}");
            })
        });
    }

    #[test]
    #[ignore = "run in a job by another test"]
    fn panics_in_a_thread() {
        run_until_panic(|streams| {
            with_result(streams, |_, _| {
                std::thread::scope(|scope| {
                    scope.spawn(|| panic!("zaphod {TOKEN}"));
                });
                Ok(Exit::Done)
            })
        });
    }

    #[test]
    #[ignore = "run in a job by another test"]
    fn panics_before_any_command() {
        run_until_panic(|_| panic!("zaphod {TOKEN}"));
    }

    /// Runs one of the tests above in a job. Returns the log, the outputs, and the summary.
    fn in_job(test: &str, visibility: &str, folder: &Path) -> (String, String, String) {
        let file = |name: &str| folder.join(name).display().to_string();
        let event = format!(r#"{{"repository": {{"visibility": "{visibility}"}}}}"#);
        std::io::Write::write_all(
            &mut std::fs::File::create(folder.join("event.json")).unwrap(),
            event.as_bytes(),
        )
        .unwrap();
        let test = format!("commands::job::tests::{test}");
        let output = Process::new(std::env::current_exe().unwrap())
            .args(["--exact", &test, "--ignored", "--nocapture"])
            .env_clear()
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_EVENT_NAME", "push")
            .env("GITHUB_REPOSITORY", "acme/iam")
            .env("GITHUB_REF", "refs/heads/main")
            .env("GITHUB_SHA", "0")
            .env("GITHUB_RUN_ID", "1")
            .env("GITHUB_ACTOR", "octocat")
            .env("GITHUB_EVENT_PATH", file("event.json"))
            .env("GITHUB_OUTPUT", file("output"))
            .env("GITHUB_STEP_SUMMARY", file("summary.md"))
            .env("GITHUB_TOKEN", TOKEN)
            .env("RUST_BACKTRACE", "1")
            .output()
            .unwrap();
        let log = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap()).concat();
        assert!(output.status.success() && log.contains("1 passed"), "{log}");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        (log, read("output"), read("summary.md"))
    }

    #[test]
    fn a_panic_in_a_job_is_reported_like_an_error() {
        for test in ["panics_in_a_command", "panics_in_a_thread", "panics_before_any_command"] {
            for visibility in ["private", "public"] {
                let folder = tempfile::tempdir().unwrap();
                let (log, outputs, summary) = in_job(test, visibility, folder.path());
                let what = format!("{test} {visibility}: {log} {outputs} {summary}");
                let errors: Vec<_> =
                    log.lines().filter(|line| line.starts_with("::error::")).collect();
                assert_eq!(errors.len(), 1, "{what}");
                for text in [errors[0], summary.as_str()] {
                    assert!(
                        text.contains("iam-stocktake failed at src/commands/job.rs:"),
                        "{what}"
                    );
                    assert!(text.contains("this is a bug in iam-stocktake"), "{what}");
                    assert_eq!(text.contains("zaphod"), visibility == "private", "{what}");
                }
                for (output, expected) in [("result", "error"), ("gate", "not-evaluated")] {
                    let (_, after) = outputs.split_once(&format!("{output}<<")).unwrap();
                    assert_eq!(after.lines().nth(1), Some(expected), "{what}");
                }
                assert!(summary.contains("exit code 4"), "{what}");
                let log = log.replace(&format!("::add-mask::{TOKEN}\n"), "");
                for text in [&log, &outputs, &summary] {
                    assert!(!text.contains(TOKEN) && !text.contains('\u{202e}'), "{what}");
                }
                assert!(!log.contains("##["), "{what}");
                assert!(!log.contains("\n::error::x"), "{what}");
            }
        }
    }

    #[test]
    fn a_panic_outside_of_a_job_is_an_error_with_a_message() {
        let (mut stdin, mut stdout, mut stderr) = (io::empty(), Vec::new(), Vec::new());
        let mut streams = Streams::new(&mut stdin, &mut stdout, &mut stderr);
        streams.report(CommandError::usage("before"));
        let result = catch_panic(|| -> Exit { panic!("an index was wrong") });
        assert_eq!(result.unwrap_err().report(&mut streams), Exit::WriteFailed);
        let messages = String::from_utf8(stderr).unwrap();
        assert!(messages.contains("error: iam-stocktake failed at "), "{messages}");
        assert!(messages.contains(": an index was wrong\nhelp: this is a bug"), "{messages}");
        assert!(stdout.is_empty());
    }
}
