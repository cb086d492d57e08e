//! Errors of commands: values with a message, a hint and an exit code. They are created where they
//! happen, and printed and escaped in one place, `Streams::report`.

use crate::allowlist::Diagnostic;
use crate::github;
use crate::templates::TemplateError;

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

/// An error of a command, or of a part of it. Its texts can contain anything: they are not escaped.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(super) struct CommandError {
    message: String,
    /// The message for output that may be public, if the other one can contain names.
    public_message: Option<String>,
    /// What to do about it.
    pub(super) hint: Option<String>,
    pub(super) exit: Exit,
    /// What is printed instead of the message.
    pub(super) details: Option<Box<ErrorDetails>>,
}

/// An error that takes more than one line.
#[derive(Debug, Clone)]
pub(super) enum ErrorDetails {
    /// The text of the command line parser: the error, and the usage.
    Usage(String),
    /// The problems of a file.
    File {
        name: String,
        /// The content, which can contain names; `None` if it cannot be read.
        source: Option<String>,
        problems: Vec<Diagnostic>,
    },
}

impl CommandError {
    /// An error with an exit code.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { message: message.into(), public_message: None, hint: None, exit, details: None }
    }

    /// The usage, a setting, or an input is wrong.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Evidence is missing.
    pub(super) fn incomplete(message: impl Into<String>) -> Self {
        Self::new(Exit::Incomplete, message)
    }

    /// A result was not written, or a change was not made.
    pub(super) fn write_failed(message: impl Into<String>) -> Self {
        Self::new(Exit::WriteFailed, message)
    }

    pub(super) fn with_exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Shows another message if the output may be public.
    pub(super) fn with_public_message(self, message: impl Into<String>) -> Self {
        Self { public_message: Some(message.into()), ..self }
    }

    pub(super) fn with_details(self, details: ErrorDetails) -> Self {
        Self { details: Some(Box::new(details)), ..self }
    }

    /// The message to show. `is_public` says whether the output may be public.
    pub(super) fn message(&self, is_public: bool) -> &str {
        let public = self.public_message.as_deref().filter(|_| is_public);
        public.unwrap_or(&self.message)
    }
}

/// A read from GitHub that failed.
impl From<github::Error> for CommandError {
    fn from(error: github::Error) -> Self {
        let exit = match error.kind {
            github::ErrorKind::Misconfigured => Exit::Usage,
            _ => Exit::Incomplete,
        };
        Self::new(exit, error.to_string())
            .with_public_message(error.without_github_message())
            .with_hint(error.hint())
    }
}

impl From<TemplateError> for CommandError {
    fn from(error: TemplateError) -> Self {
        Self::write_failed(error.to_string())
    }
}

/// What a command returns.
pub(super) type CommandResult = Result<Exit, Failure>;

/// Why a command failed: its errors, in the order in which they are printed.
#[derive(Debug)]
pub(super) struct Failure(pub(super) Vec<CommandError>);

impl<E: Into<CommandError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(vec![error.into()])
    }
}

impl Failure {
    /// Fails if there are errors.
    pub(super) fn check(errors: Vec<CommandError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }
}
