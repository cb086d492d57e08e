//! The commands, one file each. They connect the stages and contain no rules.

mod action;
mod age;
mod allowlist;
mod audit;
mod exported;
mod files;
mod iam_policy;
mod job;
mod journals;
mod live;
mod panics;
mod progress;
mod publish;
mod publish_run;
mod publish_target;
mod pull_request;
mod queue_client;
mod remediate;
mod remediation_run;
mod report_folder;
mod reports;
mod undo_run;

use std::io::{self, Read, Write};

use chrono::{DateTime, Utc};

pub use panics::record as record_panics;

use crate::cause::reason;
use crate::cli::Command;
use crate::runner::log::{inert, inert_json};
use crate::secrets;
use crate::templates::escape_invisible;

/// The most rows of a table in a report.
const MAX_ROWS: usize = 200;

/// Runs a command. `now` is the time of the run, unless `--now` sets another one.
pub fn run(command: &Command, now: DateTime<Utc>, streams: &mut Streams<'_>) -> Exit {
    match command {
        Command::Publish(args) => publish::publish(args, now, streams),
        Command::Remediate(args) => remediate::remediate(args, now, streams),
        Command::Action(command) => action::action(command, now, streams),
        Command::Audit(args) => job::with_result(streams, |job_report, streams| {
            audit::audit(args, now, job_report, streams)
        }),
        Command::Allowlist(command) => {
            job::with_result(streams, |_, streams| allowlist::run(command, now, streams))
        }
        Command::IamPolicy(args) => {
            job::with_result(streams, |_, streams| iam_policy::iam_policy(args, now, streams))
        }
        // The script is printed when the arguments are parsed.
        Command::Completions { .. } => Exit::Done,
    }
}

/// Prints help, the version, or a completion script.
pub fn print_text(text: &str, streams: &mut Streams<'_>) -> Exit {
    job::with_result(streams, |_, streams| streams.print(text))
}

/// Reports invalid arguments.
pub fn report_usage_error(text: &str, streams: &mut Streams<'_>) -> Exit {
    job::report_usage_error(text, streams)
}

/// Runs the process, and reports a panic like any other error.
pub fn run_catching_panics(
    streams: &mut Streams<'_>,
    process: impl FnOnce(&mut Streams<'_>) -> Exit,
) -> Exit {
    panics::catch_panic(|| process(&mut *streams)).unwrap_or_else(|panic_report| {
        job::run(streams, |_, _, streams| panic_report.report(streams))
    })
}

/// The streams of the process, so that commands can be run without one.
pub struct Streams<'a> {
    /// Standard input.
    pub stdin: &'a mut dyn Read,
    /// Results.
    pub stdout: &'a mut dyn Write,
    /// Messages and progress.
    pub stderr: &'a mut dyn Write,
    /// The style of the table on standard output.
    pub stdout_style: Style,
    /// The style of the messages on standard error.
    pub stderr_style: Style,
    /// Whether standard output is in the job log, where the runner executes workflow commands. If it is
    /// redirected to a file, it is not.
    pub stdout_is_log: bool,
    /// Whether the output may be public. Messages of AWS, GitHub, and other programs are hidden then,
    /// because they can contain names.
    pub(crate) redacted: bool,
    /// The errors that were reported.
    problems: Vec<Problem>,
}

/// An error that was reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

/// What the terminal of a stream supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// ANSI colors.
    pub color: bool,
    /// The number of columns; `None` without a terminal.
    pub width: Option<u16>,
}

/// The exit code. If several apply, the highest one is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Success; the gate passed.
    Done = 0,
    /// The gate failed.
    GateFailed = 1,
    /// The usage, the settings, or the allowlist are invalid.
    Usage = 2,
    /// Evidence is missing.
    Incomplete = 3,
    /// A result was not written, or the program failed.
    WriteFailed = 4,
}

impl<'a> Streams<'a> {
    /// Streams without a terminal.
    pub fn new(
        stdin: &'a mut dyn Read,
        stdout: &'a mut dyn Write,
        stderr: &'a mut dyn Write,
    ) -> Self {
        Self {
            stdin,
            stdout,
            stderr,
            stdout_style: Style::default(),
            stderr_style: Style::default(),
            stdout_is_log: false,
            redacted: false,
            problems: Vec::new(),
        }
    }

    /// Writes a result. It is not an error if the reader closes the pipe early.
    pub fn print(&mut self, text: &str) -> Exit {
        if self.stdout_is_log {
            self.print_raw(&inert(&secrets::redact(text)))
        } else {
            self.print_raw(text)
        }
    }

    /// Writes a JSON result.
    pub(crate) fn print_json(&mut self, json: &str) -> Exit {
        if self.stdout_is_log {
            self.print_raw(&inert_json(&secrets::redact(json)))
        } else {
            self.print_raw(json)
        }
    }

    fn print_raw(&mut self, text: &str) -> Exit {
        let written = self.stdout.write_all(text.as_bytes()).and_then(|()| self.stdout.flush());
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.error(&format!("standard output cannot be written: {}", reason(&error)));
                Exit::WriteFailed
            }
            _ => Exit::Done,
        }
    }

    /// Writes a message without secrets. If standard error is closed, the message cannot be shown.
    pub fn eprint(&mut self, text: &str) {
        let _ = self.stderr.write_all(secrets::redact(text).as_bytes());
    }

    /// Writes a line without secrets.
    fn eprintln(&mut self, line: &str) {
        self.eprint(&format!("{line}\n"));
    }

    /// Writes an error. If the job fails, the error is also in an annotation and in the summary.
    fn error(&mut self, message: &str) {
        let message = self.record_problem(message);
        let word = if self.stderr_style.color { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
        self.eprintln(&format!("{word}: {message}"));
    }

    /// Records an error that is shown in another format.
    fn record_problem(&mut self, message: &str) -> String {
        let message = escape_invisible(&secrets::redact(message)).into_owned();
        self.problems.push(Problem { message: message.clone(), hint: None });
        message
    }

    /// Records the hint for the last error.
    fn record_hint(&mut self, message: &str) {
        if let Some(problem) = self.problems.last_mut() {
            problem.hint.get_or_insert_with(|| message.to_owned());
        }
    }

    /// Writes the hint for an error.
    fn hint(&mut self, message: &str) {
        let message = escape_invisible(&secrets::redact(message)).into_owned();
        self.record_hint(&message);
        let word = if self.stderr_style.color { "\u{1b}[1;36mhelp\u{1b}[0m" } else { "help" };
        self.eprintln(&format!("{word}: {message}"));
    }
}
