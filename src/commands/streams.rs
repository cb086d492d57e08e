//! The streams of a command, and the only place that prints errors.

use std::fmt::Display;
use std::io::{self, Read, Write};

use super::error::{CommandError, ErrorDetails, Exit, Failure};
use crate::allowlist::{Diagnostic, Position, render};
use crate::cause::reason;
use crate::runner::log::{inert, inert_json};
use crate::secrets;
use crate::templates::escape_invisible;

/// The hint for an invalid file if its lines are not shown.
pub(super) const HIDDEN_USERS_HINT: &str = "users are hidden, because this repository is not known to be \
                                            private; run `iam-stocktake allowlist check` on your \
                                            machine to see them";

/// The styles of the labels `error:` and `help:`.
const RED: &str = "\u{1b}[1;31m";
const CYAN: &str = "\u{1b}[1;36m";

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
    /// Whether the output may be public. User names, and messages of AWS, GitHub, and other programs,
    /// which can contain names, are hidden then.
    pub(super) redacted: bool,
    /// The errors that were reported, as they were shown.
    pub(super) reported: Vec<ReportedError>,
}

/// An error that was reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReportedError {
    pub(super) message: String,
    /// What to do about it.
    pub(super) hint: Option<String>,
}

/// What the terminal of a stream supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// ANSI colors.
    pub color: bool,
    /// The number of columns; `None` without a terminal.
    pub width: Option<u16>,
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
            reported: Vec::new(),
        }
    }

    /// Writes a result. It is not an error if the reader closes the pipe early.
    pub(super) fn print(&mut self, text: &str) -> Result<(), CommandError> {
        if self.stdout_is_log {
            self.print_raw(&inert(&secrets::redact(text)))
        } else {
            self.print_raw(text)
        }
    }

    /// Writes a JSON result.
    pub(super) fn print_json(&mut self, json: &str) -> Result<(), CommandError> {
        if self.stdout_is_log {
            self.print_raw(&inert_json(&secrets::redact(json)))
        } else {
            self.print_raw(json)
        }
    }

    fn print_raw(&mut self, text: &str) -> Result<(), CommandError> {
        match self.stdout.write_all(text.as_bytes()).and_then(|()| self.stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let message = format!("standard output cannot be written: {}", reason(&error));
                Err(CommandError::write_failed(message))
            }
            _ => Ok(()),
        }
    }

    /// Writes text without secrets. If standard error is closed, the text cannot be shown.
    pub(super) fn eprint(&mut self, text: &str) {
        let _ = self.stderr.write_all(secrets::redact(text).as_bytes());
    }

    /// Writes a message in one line.
    pub(super) fn eprintln(&mut self, line: &str) {
        self.eprint(&format!("{}\n", escape_invisible(line)));
    }

    /// Says that a file was written.
    pub(super) fn wrote(&mut self, output: &impl Display) {
        self.eprintln(&format!("wrote {output}"));
    }

    /// Writes what to do, after a message that is not an error.
    pub(super) fn hint(&mut self, hint: &str) {
        self.label("help", CYAN, &shown(hint));
    }

    /// Prints a problem of a file that is not an error, with its lines.
    pub(super) fn show(&mut self, diagnostic: &Diagnostic, file: &str, source: &str) {
        let color = self.stderr_style.color;
        let text = render(diagnostic, &escape_invisible(file), source, color);
        self.eprint(&format!("{text}\n"));
    }

    /// Prints errors, and returns the highest exit code. If the job fails, the first error is also in an
    /// annotation and in the summary.
    pub(super) fn report(&mut self, failure: impl Into<Failure>) -> Exit {
        let Failure(errors) = failure.into();
        let exits = errors.into_iter().map(|error| self.report_one(error));
        exits.max().unwrap_or(Exit::Done)
    }

    /// The exit code of a command, or of a part of it. Errors are printed.
    pub(super) fn exit_of(&mut self, result: Result<Exit, impl Into<Failure>>) -> Exit {
        result.unwrap_or_else(|failure| self.report(failure))
    }

    fn report_one(&mut self, error: CommandError) -> Exit {
        let message = shown(error.message(self.redacted));
        let CommandError { mut hint, exit, details, .. } = error;
        let is_hint_shown = match details.map(|it| *it) {
            None => {
                self.label("error", RED, &message);
                true
            }
            Some(ErrorDetails::Usage(text)) => {
                self.eprint(&text);
                false
            }
            Some(ErrorDetails::File { name, source: Some(source), problems }) if self.redacted => {
                for Diagnostic { code, span, .. } in problems {
                    let Position { line, column, .. } = Position::of(&source, span.start);
                    self.eprintln(&format!("error[{code}]: {name}:{line}:{column}"));
                }
                hint = Some(HIDDEN_USERS_HINT.to_owned());
                true
            }
            // A problem is shown with its own hint.
            Some(ErrorDetails::File { name, source, problems }) => {
                let source = source.unwrap_or_default();
                problems.iter().for_each(|problem| self.show(problem, &name, &source));
                false
            }
        };
        let hint = hint.map(|hint| shown(&hint));
        if let Some(hint) = hint.as_ref().filter(|_| is_hint_shown) {
            self.label("help", CYAN, hint);
        }
        self.reported.push(ReportedError { message, hint });
        exit
    }

    fn label(&mut self, word: &str, style: &str, text: &str) {
        if self.stderr_style.color {
            self.eprint(&format!("{style}{word}\u{1b}[0m: {text}\n"));
        } else {
            self.eprint(&format!("{word}: {text}\n"));
        }
    }
}

/// A text that can be shown in one line: without secrets and invisible characters.
fn shown(text: &str) -> String {
    escape_invisible(&secrets::redact(text)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is printed for the errors, and the exit code.
    fn reported(is_public: bool, errors: Vec<CommandError>) -> (String, Exit, Vec<ReportedError>) {
        let (mut stdin, mut stdout, mut stderr) = (io::empty(), io::sink(), Vec::new());
        let mut streams = Streams::new(&mut stdin, &mut stdout, &mut stderr);
        streams.redacted = is_public;
        let exit = streams.report(Failure(errors));
        let reported = streams.reported;
        (String::from_utf8(stderr).unwrap(), exit, reported)
    }

    #[test]
    fn errors_are_printed_in_order_and_the_highest_exit_code_applies() {
        let errors = vec![
            CommandError::write_failed("first").with_hint("try again"),
            CommandError::usage("second"),
        ];
        let (text, exit, _) = reported(false, errors);
        assert_eq!(text, "error: first\nhelp: try again\nerror: second\n");
        assert_eq!(exit, Exit::WriteFailed);
    }

    #[test]
    fn message_and_hint_are_escaped() {
        secrets::register("a-secret-of-the-printer");
        let hostile = "a\n::error::b\u{202e}\u{1b}[2K a-secret-of-the-printer";
        let errors = vec![CommandError::usage(hostile).with_hint(hostile)];
        let (text, _, reported) = reported(false, errors);
        let shown = "a\\u{a}::error::b\\u{202e}\\u{1b}[2K ***";
        assert_eq!(text, format!("error: {shown}\nhelp: {shown}\n"));
        let hint = Some(shown.to_owned());
        assert_eq!(reported, [ReportedError { message: shown.to_owned(), hint }]);
    }

    #[test]
    fn public_output_has_the_public_message() {
        let error = CommandError::incomplete("zaphod").with_public_message("a user");
        assert_eq!(reported(false, vec![error.clone()]).0, "error: zaphod\n");
        let (text, _, reported) = reported(true, vec![error]);
        assert_eq!(text, "error: a user\n");
        assert_eq!(reported[0].message, "a user");
    }
}
