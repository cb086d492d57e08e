//! The action's description and the flags of `action` are one.

use std::fmt::Write as _;

use iam_stocktake::settings::{GITHUB_TOKEN, INPUTS, OUTPUTS, Setting};

use crate::cli::examples::assert_current;
use stand_ins::sandbox::Sandbox;

/// The default in `action.yml`. What the allowlist or the environment may say has none there, since
/// an input that is not empty wins over them.
fn default(setting: &Setting) -> &'static str {
    if setting.name == GITHUB_TOKEN.name {
        "${{ github.token }}"
    } else if setting.default_is_value {
        setting.default
    } else {
        ""
    }
}

/// The description, with where the value comes from where that is no default of `action.yml`.
fn description(setting: &Setting) -> String {
    if setting.default_is_value || setting.default.is_empty() {
        setting.description.to_owned()
    } else {
        format!("{}. Otherwise: {}", setting.description, setting.default)
    }
}

fn action_yml() -> String {
    // A JSON string is a YAML string.
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let mut yaml = String::from(
        "# Written by the test `action`, from the table in src/settings.rs.\n\
         name: iam-stocktake\n\
         description: Finds IAM passwords and access keys that nobody uses, and gets them removed\n\
         author: iam-stocktake\n\
         branding:\n  icon: key\n  color: orange\n\
         inputs:\n",
    );
    for setting in &INPUTS {
        let _ = writeln!(
            yaml,
            "  {}:\n    description: {}\n    required: false\n    default: {}",
            setting.name,
            quoted(&description(setting)),
            quoted(default(setting)),
        );
    }
    yaml.push_str("outputs:\n");
    for output in &OUTPUTS {
        let _ =
            writeln!(yaml, "  {}:\n    description: {}", output.name, quoted(output.description));
    }
    yaml.push_str("runs:\n  using: docker\n  image: Dockerfile\n  args: [action]\n");
    yaml
}

#[test]
fn action_yml_is_that_of_the_program() {
    assert_current("action.yml", &action_yml());
}

#[test]
fn every_input_is_a_flag_of_the_command() {
    let help = Sandbox::new().run(&["action", "--help"]);
    assert_eq!(help.code, 0, "{}", help.stderr);
    let flags: Vec<_> = help
        .stdout
        .lines()
        .filter_map(|line| line.trim_start().trim_start_matches("-q, ").strip_prefix("--"))
        .map(|line| line.split([' ', '[']).next().unwrap())
        .collect();
    for Setting { name, .. } in &INPUTS {
        assert!(flags.contains(name), "{name}: {flags:?}");
    }
    // The clock is for the command line alone.
    let more: Vec<_> = flags.iter().filter(|it| !INPUTS.iter().any(|s| s.name == **it)).collect();
    assert_eq!(more, [&"now"]);
}
