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
mod progress;
mod proposal;
mod publish;
mod publishing;
mod remediate;
mod remedies;
mod report_folder;
mod reports;
mod scene;
mod tracker;

use std::io::{self, Read, Write};

use crate::cause::reason;
use crate::settings::Command;

/// Runs a command.
pub fn run(command: &Command, streams: &mut Streams<'_>) -> Exit {
    match command {
        Command::Audit(settings) => audit::audit(settings, streams),
        Command::CheckAllowlists { files, today } => allowlist::check(files, *today, streams),
        Command::AllowlistSchema => allowlist::schema(streams),
        Command::SuggestExemptions(settings) => allowlist::suggest(settings, streams),
        Command::IamPolicy(settings) => iam_policy::iam_policy(settings, streams),
        Command::Publish(settings) => publish::publish(settings, streams),
        Command::Remediate(settings) => remedies::remediate(settings, streams),
        Command::Action(settings) => action::action(settings, streams),
    }
}

/// Tells why the arguments were refused.
pub fn refuse(text: &str, streams: &mut Streams<'_>) -> Exit {
    job::refuse(text, streams)
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
    /// A result could not be written.
    WriteFailed = 4,
}

impl Streams<'_> {
    /// Writes a result. A reader that went away has seen all it wanted, which is no failure.
    pub fn print(&mut self, text: &str) -> Exit {
        let written = self.stdout.write_all(text.as_bytes()).and_then(|()| self.stdout.flush());
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.error(&format!("standard output cannot be written: {}", reason(&error)));
                Exit::WriteFailed
            }
            _ => Exit::Done,
        }
    }

    /// Writes a text for people, as it is. Where standard error is gone, nobody is left to tell.
    pub fn tell(&mut self, text: &str) {
        let _ = self.stderr.write_all(text.as_bytes());
    }

    /// Writes a line for people.
    fn say(&mut self, line: &str) {
        self.tell(&format!("{line}\n"));
    }

    /// Writes an error.
    fn error(&mut self, message: &str) {
        let word = if self.stderr_style.color { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
        self.say(&format!("{word}: {message}"));
    }

    /// Writes what to do about an error.
    fn hint(&mut self, message: &str) {
        let word = if self.stderr_style.color { "\u{1b}[1;36mhelp\u{1b}[0m" } else { "help" };
        self.say(&format!("{word}: {message}"));
    }
}
