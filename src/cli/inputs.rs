//! The inputs of the GitHub action: `INPUT_NAME` becomes the flag `--name` of `action`.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

use crate::runner::inputs::{boolean, read as read_inputs};

/// The input that names the command of the action, and the command without it.
pub const COMMAND_INPUT: &str = "command";
/// The command of the action when the input `command` is not set.
pub const DEFAULT_COMMAND: &str = "check";
/// The input that has the token. Its value never becomes an argument.
pub const TOKEN_INPUT: &str = "github-token";
/// The description of the input that has the token.
const TOKEN_DESCRIPTION: &str = "Token for the GitHub API, with the permissions `contents: read`, \
    `issues: write`, and `pull-requests: write` as far as the command needs them";

/// An input of the action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionInput {
    /// The name.
    pub name: String,
    /// The commands of the action that use it, in their order.
    pub commands: Vec<String>,
    /// What it is for.
    pub description: String,
    /// The default as the documentation shows it; empty without a default.
    pub default: String,
}

/// All inputs of the action. `action` is the subcommand `action`.
#[must_use]
pub fn action_inputs(action: &Command) -> Vec<ActionInput> {
    let commands: Vec<String> = commands(action).map(|it| it.get_name().to_owned()).collect();
    let about = |it: &Command| {
        let about = it.get_about().map(ToString::to_string).unwrap_or_default();
        format!("`{}`: {}", it.get_name(), lower_first(&about))
    };
    let abouts: Vec<String> = self::commands(action).map(about).collect();
    let mut inputs = vec![
        ActionInput {
            name: COMMAND_INPUT.to_owned(),
            commands: commands.clone(),
            description: format!("What the action does. {}", abouts.join("; ")),
            default: DEFAULT_COMMAND.to_owned(),
        },
        ActionInput {
            name: TOKEN_INPUT.to_owned(),
            commands,
            description: TOKEN_DESCRIPTION.to_owned(),
            default: "the token of the job".to_owned(),
        },
    ];
    for command in self::commands(action) {
        for flag in command.get_arguments().filter(|flag| is_input(flag)) {
            let name = flag.get_long().unwrap_or_default();
            match inputs.iter_mut().find(|it| it.name == name) {
                Some(input) => input.commands.push(command.get_name().to_owned()),
                None => inputs.push(input_of(flag, command)),
            }
        }
    }
    inputs
}

/// The commands of the action.
fn commands(action: &Command) -> impl Iterator<Item = &Command> {
    action.get_subcommands().filter(|it| it.get_name() != "help")
}

fn input_of(flag: &Arg, command: &Command) -> ActionInput {
    let (description, default) = description_and_default(flag);
    ActionInput {
        name: flag.get_long().unwrap_or_default().to_owned(),
        commands: vec![command.get_name().to_owned()],
        description,
        default: if default.is_empty() && is_switch(flag) { "false".to_owned() } else { default },
    }
}

/// The description of a flag, and its default as a value or in words.
#[must_use]
pub fn description_and_default(flag: &Arg) -> (String, String) {
    let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
    if let Some((description, default)) = help.split_once(" [default: ") {
        let (default, rest) = default.split_once(']').unwrap_or((default, ""));
        return (format!("{description}{rest}"), default.to_owned());
    }
    let default = flag.get_default_values().iter().map(|it| it.to_string_lossy().into_owned());
    let default = if is_switch(flag) { String::new() } else { default.collect() };
    (help, default)
}

/// Whether a flag of an action command is an input. The clock is for tests.
fn is_input(flag: &Arg) -> bool {
    !matches!(flag.get_id().as_str(), "help" | "version" | "now")
}

/// Whether a flag takes no value.
#[must_use]
pub fn is_switch(flag: &Arg) -> bool {
    matches!(flag.get_action(), ArgAction::SetTrue)
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|it| it.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// The inputs that the runner passed, without the token.
#[derive(Default)]
pub(super) struct Inputs {
    is_action: bool,
    command: Option<String>,
    values: BTreeMap<String, String>,
}

impl Inputs {
    /// Reads the inputs for the command `action`; other commands have none.
    ///
    /// # Errors
    /// The message, if an input does not exist or is not text.
    pub(super) fn read(arguments: &[OsString], action: &Command) -> Result<Self, String> {
        if arguments.get(1).is_none_or(|command| command != "action") {
            return Ok(Self::default());
        }
        let declared = action_inputs(action);
        let names: Vec<&str> = declared.iter().map(|input| input.name.as_str()).collect();
        let read = read_inputs(&names).map_err(|error| error.to_string())?;
        let mut values: BTreeMap<String, String> =
            read.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        values.remove(TOKEN_INPUT);
        Ok(Self { is_action: true, command: values.remove(COMMAND_INPUT), values })
    }

    /// The arguments with the inputs as flags. A flag among the arguments has precedence.
    ///
    /// # Errors
    /// The message, if the command does not exist or does not use an input.
    pub(super) fn as_arguments(
        &self,
        mut arguments: Vec<OsString>,
        action: &Command,
    ) -> Result<Vec<OsString>, String> {
        if !self.is_action {
            return Ok(arguments);
        }
        let texts: Vec<String> =
            arguments.iter().map(|it| it.to_string_lossy().into_owned()).collect();
        let given = texts.get(2).filter(|text| !text.starts_with('-'));
        let wants_help = texts.iter().skip(2).any(|it| it == "--help" || it == "-h");
        if given.is_none() && wants_help && self.command.is_none() {
            return Ok(arguments);
        }
        let name = given.or(self.command.as_ref()).map_or(DEFAULT_COMMAND, String::as_str);
        let Some(command) = action.find_subcommand(name) else {
            return match given {
                Some(_) => Ok(arguments),
                None => Err(unknown_command(name, action)),
            };
        };
        if given.is_none() {
            arguments.insert(2, name.into());
        }
        for (input, value) in &self.values {
            let flag = format!("--{input}");
            let is_given = |text: &String| {
                text.strip_prefix(&flag)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
            };
            if texts.iter().any(is_given) {
                continue;
            }
            let argument = command.get_arguments().find(|it| it.get_long() == Some(input));
            let argument = argument.ok_or_else(|| unused(input, name, action))?;
            match boolean(value) {
                _ if !is_switch(argument) => arguments.push(format!("{flag}={value}").into()),
                Ok(true) => arguments.push(flag.into()),
                Ok(false) => {}
                Err(error) => return Err(format!("the input `{input}` is `{value}`: {error}")),
            }
        }
        Ok(arguments)
    }

    /// The message for an error in flags that were inputs.
    pub(super) fn explain(&self, error: &clap::Error) -> Option<String> {
        if !self.is_action {
            return None;
        }
        let name_of = |usage: &str| {
            let name = usage.trim_start_matches('-').split([' ', '=']).next()?;
            Some(name.to_owned())
        };
        let names = |kind| match error.get(kind) {
            Some(ContextValue::String(usage)) => name_of(usage).into_iter().collect(),
            Some(ContextValue::Strings(usages)) => {
                usages.iter().filter_map(|it| name_of(it)).collect::<Vec<_>>()
            }
            _ => Vec::new(),
        };
        let invalid = names(ContextKind::InvalidArg);
        let name = invalid.first()?;
        match error.kind() {
            ErrorKind::MissingRequiredArgument => {
                Some(format!("the input `{}` is required", invalid.join("`, `")))
            }
            ErrorKind::ArgumentConflict => {
                let others = names(ContextKind::PriorArg);
                self.values.contains_key(name).then(|| {
                    let others = others.join("` and `");
                    format!("the input `{name}` cannot be used with `{others}`")
                })
            }
            _ => {
                let value = self.values.get(name)?;
                let reason =
                    match (error.get(ContextKind::ValidValue), std::error::Error::source(error)) {
                        (Some(ContextValue::Strings(values)), _) => {
                            format!("use {}", values.join(", "))
                        }
                        (_, Some(source)) => source.to_string(),
                        _ => "the value is not valid".to_owned(),
                    };
                Some(format!("the input `{name}` is `{value}`: {reason}"))
            }
        }
    }
}

fn unknown_command(name: &str, action: &Command) -> String {
    let commands: Vec<&str> = commands(action).map(Command::get_name).collect();
    format!("the input `{COMMAND_INPUT}` is `{name}`: use {}", commands.join(", "))
}

fn unused(input: &str, command: &str, action: &Command) -> String {
    let users: Vec<String> = action_inputs(action)
        .into_iter()
        .filter(|it| it.name == input)
        .flat_map(|it| it.commands)
        .map(|it| format!("`{it}`"))
        .collect();
    format!(
        "the input `{input}` is not used by `command: {command}`, only by {}",
        users.join(" and ")
    )
}
