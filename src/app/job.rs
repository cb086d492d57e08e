//! A command in a job of GitHub Actions: one log that gives no commands but ours, then annotations,
//! the summary and the outputs.

use std::io;

use secrecy::SecretString;

use super::{Exit, Streams, Style};
use crate::report::visible;
use crate::runner::command::{Annotation, Command, Level, at_most_ten_of_a_kind};
use crate::runner::files::{FileError, Outputs, Summary};
use crate::runner::job::Job;
use crate::runner::log::Log;

/// What a command leaves behind in a job.
#[derive(Default)]
pub(super) struct Left {
    /// The action's outputs.
    pub(super) outputs: Vec<(&'static str, String)>,
    /// What is shown beside lines of files, the worst first.
    pub(super) annotations: Vec<Annotation>,
    /// Markdown for the job's summary.
    pub(super) summary: String,
}

impl Left {
    /// Adds a part to the summary. A blank line is before it, so that no block of one part runs on
    /// into the next.
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
}

/// The most that a summary may still hold; outside of a job nothing limits it.
pub(super) fn room_in_summary() -> usize {
    Summary::from_environment().map_or(usize::MAX, |summary| summary.room().unwrap_or_default())
}

/// A text for the summary with as many rows as there is room for behind what stands there already, so
/// many at most; empty where not even one fits.
pub(super) fn fitted(
    taken: usize,
    rows: usize,
    render: impl Fn(usize) -> Option<String>,
) -> String {
    // A line feed more, and some slack for what other commands of the job append.
    let room = room_in_summary().saturating_sub(taken + 1024);
    let mut rows = rows.max(1);
    loop {
        match render(rows) {
            Some(text) if text.len() <= room => return text,
            Some(_) if rows > 1 => rows /= 2,
            _ => return String::new(),
        }
    }
}

/// Runs a command, in a job or outside of one. `mask` is hidden in the log wherever it turns up.
pub(super) fn run(
    mask: Option<&SecretString>,
    streams: &mut Streams<'_>,
    command: impl FnOnce(Option<&Job>, &mut Left, &mut Streams<'_>) -> Exit,
) -> Exit {
    let job = match Job::from_environment() {
        Ok(job) => job,
        Err(error) => {
            streams.error(&visible(&error.to_string()));
            return Exit::Usage;
        }
    };
    let mut left = Left::default();
    let Some(job) = job else { return command(None, &mut left, streams) };
    let Ok(mut log) = Log::start(&mut *streams.stdout) else { return Exit::WriteFailed };
    if let Some(mask) = mask {
        // Where the log cannot be written, nothing can be read in it either.
        let _ = log.command(&Command::Mask(mask.clone()));
    }
    let exit = {
        // One stream: two would be shown in whatever order they arrive in.
        let mut streams = Streams {
            stdin: &mut *streams.stdin,
            stdout: &mut io::sink(),
            stderr: &mut log,
            stdout_style: Style::default(),
            stderr_style: Style::default(),
        };
        let exit = command(Some(&job), &mut left, &mut streams);
        exit.max(write(&mut left, exit, &mut streams))
    };
    let annotations = at_most_ten_of_a_kind(left.annotations).into_iter();
    let commands: Vec<_> = annotations.map(Command::from).collect();
    let _ = log.commands(&commands);
    let _ = log.finish();
    exit
}

/// Writes the summary and the outputs.
fn write(left: &mut Left, exit: Exit, streams: &mut Streams<'_>) -> Exit {
    let mut written = Exit::Done;
    let tell = |error: &FileError, streams: &mut Streams<'_>| {
        streams.error(&visible(&error.to_string()));
        Exit::WriteFailed
    };
    if let Some(summary) = Summary::from_environment()
        && let Err(error) = summary.append(&left.summary)
    {
        written = tell(&error, streams);
    }
    let exit = exit.max(written);
    if !left.outputs.iter().any(|(name, _)| *name == "result") {
        let result = if exit == Exit::Incomplete { "incomplete" } else { "error" };
        left.outputs.push(("result", result.to_owned()));
    }
    // A result that cannot be relied on is not called by its name.
    if matches!(exit, Exit::Usage | Exit::WriteFailed) {
        for (name, value) in &mut left.outputs {
            if *name == "result" {
                "error".clone_into(value);
            }
        }
    }
    let outputs: Vec<_> =
        left.outputs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    if let Some(file) = Outputs::from_environment()
        && let Err(error) = file.append(&outputs)
    {
        written = tell(&error, streams);
    }
    written
}

/// Tells why the arguments or the inputs were refused, in a job so that it is seen.
pub(super) fn refuse(text: &str, streams: &mut Streams<'_>) -> Exit {
    if Job::from_environment().is_err() {
        // What is wrong with the job is told below, and hides nothing.
        streams.tell(text);
    }
    run(None, streams, |job, left, streams| {
        streams.tell(text);
        if job.is_some() {
            let line = text.lines().next().unwrap_or_default();
            let line = line.strip_prefix("error: ").unwrap_or(line);
            left.annotations.push(Annotation::new(Level::Error, line));
        }
        Exit::Usage
    })
}
