//! `action.yml`, `docs/action.md` and `docs/cli.md` are generated from the command line.
//! `UPDATE_EXPECT=1 cargo test --test unit reference` writes them. The tables of rules and diagnostics
//! are complete.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{Arg, Command};
use iam_stocktake::allowlist::DiagnosticCode;
use iam_stocktake::cli::{
    ActionInput, COMMAND_INPUT, Output, TOKEN_INPUT, action_inputs, command,
    description_and_default, is_switch,
};
use iam_stocktake::model::policy::Rule;
use stand_ins::expect::Expectations;
use stand_ins::sandbox::repository;

const GENERATED: &str = "Generated from src/cli by the test `reference`: \
                         UPDATE_EXPECT=1 cargo test --test unit reference";

fn inputs() -> Vec<ActionInput> {
    action_inputs(command().find_subcommand("action").unwrap())
}

/// `a`, `b`, and `c`.
fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [rest @ .., last] if rest.len() > 1 => format!("{}, and {last}", rest.join(", ")),
        _ => names.join(" and "),
    }
}

/// An input with a default in `action.yml` would always be set, also for commands that do not use it.
fn action_yml() -> String {
    // A JSON string is a YAML string.
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let mut yaml = format!(
        "# {GENERATED}\n\
         name: iam-stocktake\n\
         description: Find unused IAM passwords and access keys, and get them removed\n\
         author: iam-stocktake\n\
         branding:\n  icon: key\n  color: orange\n\
         inputs:\n"
    );
    for ActionInput { name, description, default, .. } in inputs() {
        let (description, default) = match name.as_str() {
            TOKEN_INPUT => (description, "${{ github.token }}"),
            _ if default.is_empty() => (description, ""),
            _ => (format!("{description}. Default: {default}"), ""),
        };
        let (description, default) = (quoted(&description), quoted(default));
        let _ = writeln!(yaml, "  {name}:\n    description: {description}");
        let _ = writeln!(yaml, "    required: false\n    default: {default}");
    }
    yaml.push_str("outputs:\n");
    for output in Output::all() {
        let description = quoted(&output.description());
        let _ = writeln!(yaml, "  {}:\n    description: {description}", output.name());
    }
    yaml.push_str("runs:\n  using: docker\n  image: Dockerfile\n  args: [action]\n");
    yaml
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn action_md() -> String {
    let mut page = format!(
        "<!-- {GENERATED} -->\n# Inputs and outputs of the action\n\nThe input `{COMMAND_INPUT}` \
         chooses what the action does. An input that the command does not use is an error. Lists \
         have one item on each line, or are separated by commas.\n"
    );
    let (mut groups, mut order) = (BTreeMap::<Vec<String>, Vec<ActionInput>>::new(), Vec::new());
    for input in inputs() {
        if !order.contains(&input.commands) {
            order.push(input.commands.clone());
        }
        groups.entry(input.commands.clone()).or_default().push(input);
    }
    for commands in order {
        let _ = write!(page, "\n## Inputs of {}\n\n", list(&commands));
        page.push_str("| input | default | description |\n| --- | --- | --- |\n");
        for ActionInput { name, default, description, .. } in &groups[&commands] {
            let _ = writeln!(page, "| `{name}` | {} | {} |", cell(default), cell(description));
        }
    }
    page.push_str("\n## Outputs\n\n| output | description |\n| --- | --- |\n");
    for output in Output::all() {
        let _ = writeln!(page, "| `{}` | {} |", output.name(), cell(&output.description()));
    }
    page
}

fn cli_md() -> String {
    let root = command();
    let mut page =
        format!("<!-- {GENERATED} -->\n# Command line\n\n{}.\n", root.get_about().unwrap());
    let after = root.get_after_help().unwrap().to_string();
    let _ = write!(page, "\n```text\n{after}\n```\n");
    for subcommand in root.get_subcommands().filter(|it| it.get_name() != "help") {
        // `docs/action.md` describes the flags of the action.
        if subcommand.get_name() == "action" {
            section(subcommand, "iam-stocktake", &mut page);
            page.push_str("\nThe flags are the inputs of the action: [action.md](action.md).\n");
        } else {
            sections(subcommand, "iam-stocktake", &mut page);
        }
    }
    page
}

fn sections(command: &Command, parent: &str, page: &mut String) {
    section(command, parent, page);
    let name = format!("{parent} {}", command.get_name());
    for subcommand in command.get_subcommands().filter(|it| it.get_name() != "help") {
        sections(subcommand, &name, page);
    }
}

fn section(command: &Command, parent: &str, page: &mut String) {
    let _ = write!(page, "\n## `{parent} {}`\n\n", command.get_name());
    let _ = writeln!(page, "{}.", command.get_about().unwrap());
    let arguments = command.get_arguments().filter(|it| it.get_id() != "help");
    let (positional, flags): (Vec<&Arg>, Vec<&Arg>) = arguments.partition(|it| it.is_positional());
    if !positional.is_empty() {
        page.push_str("\n| argument | description |\n| --- | --- |\n");
        for argument in positional {
            let name = argument.get_value_names().unwrap()[0].to_string();
            let help = argument.get_help().unwrap().to_string();
            let _ = writeln!(page, "| `{}` | {} |", cell(&name), cell(&help));
        }
    }
    if !flags.is_empty() {
        page.push_str("\n| flag | default | description |\n| --- | --- | --- |\n");
    }
    for flag in flags {
        let (description, default) = description_and_default(flag);
        let mut name = format!("--{}", flag.get_long().unwrap());
        if !is_switch(flag) {
            let _ = write!(name, " {}", flag.get_value_names().unwrap()[0]);
        }
        let choices: Vec<String> =
            flag.get_possible_values().iter().map(|it| format!("`{}`", it.get_name())).collect();
        let is_listed = flag.is_hide_possible_values_set() || is_switch(flag) || choices.is_empty();
        let choices = if is_listed { String::new() } else { format!(" ({})", choices.join(", ")) };
        let (name, default) = (cell(&name), cell(&default));
        let _ = writeln!(page, "| `{name}` | {default} | {}{choices} |", cell(&description));
    }
    if let Some(examples) = command.get_after_help() {
        let _ = write!(page, "\n```text\n{examples}\n```\n");
    }
}

#[test]
fn reference_is_current() {
    let mut expectations = Expectations::default();
    expectations.check(&repository("action.yml"), &action_yml());
    expectations.check(&repository("docs/action.md"), &action_md());
    expectations.check(&repository("docs/cli.md"), &cli_md());
    expectations.finish();
}

#[test]
fn input_has_one_description_for_all_commands() {
    let root = command();
    let mut descriptions = BTreeMap::<&str, String>::new();
    for command in root.find_subcommand("action").unwrap().get_subcommands() {
        for flag in command.get_arguments() {
            let name = flag.get_long().unwrap_or_default();
            let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
            let first = descriptions.entry(name).or_insert_with(|| help.clone());
            assert_eq!(*first, help, "{name}");
        }
    }
}

fn documentation(page: &str) -> String {
    std::fs::read_to_string(repository(page)).unwrap()
}

#[test]
fn every_diagnostic_is_documented() {
    let text = documentation("docs/allowlist.md");
    let documented: Vec<&str> = text
        .split_once("## Diagnostics")
        .unwrap()
        .1
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let codes: Vec<_> = DiagnosticCode::ALL.iter().map(|code| code.id()).collect();
    assert_eq!(documented, codes);
}

#[test]
fn rules_table_matches_the_program() {
    let text = documentation("docs/rules.md");
    for rule in Rule::ALL {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{rule}` |"))).unwrap();
        let level = match rule {
            Rule::ExpiredUser => "error once `expiry_tag` is set",
            _ => rule.default_level().id(),
        };
        let controls: Vec<_> = rule.controls().iter().map(ToString::to_string).collect();
        let end = format!("| {level} | {} |", controls.join(", ")).replace("|  |", "| |");
        assert!(row.ends_with(&end), "{row} does not end with {end}");
    }
}
