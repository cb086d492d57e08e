//! The command line.
//!
//! The structs are the settings: one field for each flag. The doc comment of a field is its
//! description in `--help`, `action.yml`, `docs/cli.md`, and `docs/action.md`. The words after
//! `[default:` describe the default.

mod action;
mod allowlist;
mod audit;
mod iam_policy;
mod inputs;
mod live;
mod outputs;
mod publish;
mod remediate;
mod values;

use std::ffi::OsString;

use chrono::{DateTime, Utc};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

pub use action::{
    ActionCommand, ActionPublishArgs, ActionRemediateArgs, CheckArgs, RemediationTask,
};
pub use allowlist::{AllowlistCommand, SuggestArgs};
pub use audit::{AuditArgs, AuditFailOn};
pub use iam_policy::{IamPolicyArgs, PolicyFormat};
pub use inputs::{
    ActionInput, COMMAND_INPUT, DEFAULT_COMMAND, TOKEN_INPUT, action_inputs,
    description_and_default, is_switch,
};
pub use live::{AccessArgs, DEFAULT_OWNER_TAGS, DEFAULT_SESSION_NAME, RecheckArgs, SshKeys};
pub use outputs::Output;
pub use publish::{AllowPublic, FailOnList, PublishArgs, PublishAuditsArgs};
pub use remediate::{RemediateArgs, RemediationArgs};
pub use values::{AllowlistSetting, Format, Input, List, OutputFile, PlanFormat, in_workspace};

use crate::model::policy::MAX_DAYS;
use inputs::Inputs;

const EXIT_CODES: &str = "\
Exit codes:
  0  done, and the gate passes
  1  the gate fails: there are open findings (--fail-on)
  2  the arguments, the settings, or the allowlist are wrong
  3  incomplete: evidence is missing, or the queue state cannot be read
  4  a result cannot be written, a plan cannot be applied, or iam-stocktake failed
If several apply, the highest code is used.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  iam-stocktake completions bash > ~/.local/share/bash-completion/completions/iam-stocktake";

/// Days that a setting can have.
const MAX_DAYS_RANGE: std::ops::RangeInclusive<i64> = 1..=MAX_DAYS as i64;

/// Find IAM users' unused passwords and access keys, compare them with an allowlist, and report what
/// to remove and how.
#[derive(Parser)]
#[command(name = "iam-stocktake", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What the user asked for.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Audit IAM users and report stale credentials
    #[command(after_help = audit::EXAMPLES, after_long_help = audit::EXAMPLES)]
    Audit(Box<AuditArgs>),
    /// Check the allowlist, print its schema, or suggest exemptions
    #[command(subcommand)]
    Allowlist(AllowlistCommand),
    /// Print the IAM policies of a role: the permissions that it needs, and who can assume it
    #[command(after_help = iam_policy::EXAMPLES, after_long_help = iam_policy::EXAMPLES)]
    IamPolicy(Box<IamPolicyArgs>),
    /// Publish the audits of earlier jobs: update the queue issue, or comment on the pull request
    #[command(after_help = publish::EXAMPLES, after_long_help = publish::EXAMPLES)]
    Publish(Box<PublishAuditsArgs>),
    /// Plan the remediation of stale credentials in stages, apply the plan, or undo it
    #[command(after_help = remediate::EXAMPLES, after_long_help = remediate::EXAMPLES)]
    Remediate(Box<RemediateArgs>),
    /// Run a command of the GitHub action; the inputs of the action are its flags
    #[command(subcommand)]
    Action(ActionCommand),
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell that you use
        shell: Shell,
    },
}

impl Command {
    /// Whether each call is logged.
    #[must_use]
    pub fn is_verbose(&self) -> bool {
        match self {
            Self::Audit(args) => args.verbosity.verbose,
            Self::Publish(args) => args.verbose,
            Self::Remediate(args) => args.verbosity.verbose,
            _ => false,
        }
    }
}

/// The time of the run.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Clock {
    /// Time from which days are counted, for reproducible output [default: the current time]
    #[arg(long, value_name = "RFC3339", value_parser = values::time)]
    pub now: Option<DateTime<Utc>>,
}

/// The result of parsing the arguments.
pub enum Parsed {
    /// A command to run.
    Command(Command),
    /// A text to print: help, the version, or a completion script.
    Text(String),
    /// The error message for wrong arguments.
    Refused(String),
}

/// The description of the command line.
#[must_use]
pub fn command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// Parses the arguments and, for `action`, the inputs in the environment. Help and errors have
/// colors where `color_stdout` and `color_stderr` say so.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    color_stdout: bool,
    color_stderr: bool,
) -> Parsed {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = Cli::command();
    let Some(action) = cli.find_subcommand("action") else {
        return refused("action", String::new(), color_stderr);
    };
    let read = Inputs::read(&arguments, action).and_then(|inputs| {
        let arguments = inputs.as_arguments(arguments, action)?;
        Ok((inputs, arguments))
    });
    let (inputs, arguments) = match read {
        Ok(read) => read,
        Err(message) => return refused("action", message, color_stderr),
    };
    match Cli::try_parse_from(&arguments) {
        Ok(Cli { command: Command::Completions { shell } }) => Parsed::Text(completions(shell)),
        Ok(cli) => Parsed::Command(cli.command),
        Err(mut error) => {
            name_only_given(&mut error, &arguments);
            if let Some(message) = inputs.explain(&error) {
                return refused("action", message, color_stderr);
            }
            let text = |color| match (color, error.render()) {
                (true, text) => text.ansi().to_string(),
                (false, text) => text.to_string(),
            };
            if error.use_stderr() {
                Parsed::Refused(text(color_stderr))
            } else {
                Parsed::Text(text(color_stdout))
            }
        }
    }
}

/// The completion script for a shell.
fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "iam-stocktake", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    // The bash script spells a name with a hyphen in two ways, so that it completes nothing after a
    // subcommand: https://github.com/clap-rs/clap/issues/6421
    script.replace("iam__subcmd__stocktake", "iam__stocktake")
}

/// Removes the arguments that were not given from the list of conflicting arguments: clap names all
/// arguments of a group.
fn name_only_given(error: &mut clap::Error, arguments: &[OsString]) {
    let Some(ContextValue::Strings(named)) = error.get(ContextKind::PriorArg) else { return };
    let given: Vec<String> = named.iter().filter(|it| is_given(it, arguments)).cloned().collect();
    let value = match given.as_slice() {
        [] => return,
        [only] => ContextValue::String(only.clone()),
        _ => ContextValue::Strings(given),
    };
    error.insert(ContextKind::PriorArg, value);
}

/// Whether a flag, in the form `--accounts <ACCOUNTS>`, is among the arguments.
fn is_given(usage: &str, arguments: &[OsString]) -> bool {
    let flag = usage.split([' ', '=']).next().unwrap_or_default();
    arguments.iter().filter_map(|it| it.to_str()).any(|argument| {
        argument.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

/// An error in a command's arguments.
fn refused(command: &str, message: String, color: bool) -> Parsed {
    let mut cli = Cli::command();
    cli.build();
    let error = match cli.find_subcommand_mut(command) {
        Some(command) => command.error(ErrorKind::ValueValidation, message),
        None => cli.error(ErrorKind::ValueValidation, message),
    };
    let text = error.render();
    Parsed::Refused(if color { text.ansi().to_string() } else { text.to_string() })
}
