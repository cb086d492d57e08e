//! The commands, one file each: they wire the stages and hold no rules.

mod action;
mod age;
mod allowlist;
mod audit;
mod exported;
mod files;
mod iam_policy;
mod job;
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
        // Parsing the arguments gives the script.
        Command::Completions { .. } => Exit::Done,
    }
}

/// Prints a text that was asked for: help, the version, a completion script.
pub fn print_text(text: &str, streams: &mut Streams<'_>) -> Exit {
    job::with_result(streams, |_, streams| streams.print(text))
}

/// Tells why the arguments were refused.
pub fn report_usage_error(text: &str, streams: &mut Streams<'_>) -> Exit {
    job::report_usage_error(text, streams)
}

/// Runs everything that the process does. If it panics, that is reported as every other error is.
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
    /// Everything else.
    pub stderr: &'a mut dyn Write,
    /// How the terminal behind standard output wants its table.
    pub stdout_style: Style,
    /// How the terminal behind standard error wants its messages.
    pub stderr_style: Style,
    /// Whether the runner looks for workflow commands in standard output: it does not see a file.
    pub stdout_is_log: bool,
    /// Whether everybody can read what is told, so that words of AWS, GitHub and others are withheld:
    /// they may repeat names.
    pub(crate) redacted: bool,
    /// What was told to be wrong.
    problems: Vec<Problem>,
}

/// Something that was told to be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

/// What a stream can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// ANSI colours.
    pub color: bool,
    /// Columns, where there is a terminal.
    pub width: Option<u16>,
}

/// How a command ended. When several hold, the greatest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done, and the gate holds.
    Done = 0,
    /// The gate fails.
    GateFailed = 1,
    /// Usage, settings or the allowlist are wrong.
    Usage = 2,
    /// Evidence could not be had.
    Incomplete = 3,
    /// A result could not be written, or the program failed.
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

    /// Writes a result. A reader that went away has seen all it wanted, which is no failure.
    pub fn print(&mut self, text: &str) -> Exit {
        if self.stdout_is_log {
            self.print_raw(&inert(&secrets::redact(text)))
        } else {
            self.print_raw(text)
        }
    }

    /// Writes a result in JSON.
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

    /// Writes a text for people, without secrets. Where standard error is gone, nobody is left to tell.
    pub fn eprint(&mut self, text: &str) {
        let _ = self.stderr.write_all(secrets::redact(text).as_bytes());
    }

    /// Writes a line for people.
    fn eprintln(&mut self, line: &str) {
        self.eprint(&format!("{line}\n"));
    }

    /// Writes an error. In a job that fails it becomes an annotation, and a part of the summary.
    fn error(&mut self, message: &str) {
        let message = self.record_problem(message);
        let word = if self.stderr_style.color { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
        self.eprintln(&format!("{word}: {message}"));
    }

    /// Keeps an error that is told in another form.
    fn record_problem(&mut self, message: &str) -> String {
        let message = escape_invisible(&secrets::redact(message)).into_owned();
        self.problems.push(Problem { message: message.clone(), hint: None });
        message
    }

    /// Keeps what to do about the last error, where that is told in another form.
    fn record_hint(&mut self, message: &str) {
        if let Some(problem) = self.problems.last_mut() {
            problem.hint.get_or_insert_with(|| message.to_owned());
        }
    }

    /// Writes what to do about an error.
    fn hint(&mut self, message: &str) {
        let message = escape_invisible(&secrets::redact(message)).into_owned();
        self.record_hint(&message);
        let word = if self.stderr_style.color { "\u{1b}[1;36mhelp\u{1b}[0m" } else { "help" };
        self.eprintln(&format!("{word}: {message}"));
    }
}
