//! The action's inputs, as the runner hands them over.
//!
//! Source: "Metadata syntax for GitHub Actions", GitHub documentation, and `getInput`,
//! `getBooleanInput` of the Actions toolkit. An input arrives as `INPUT_` and its name in capitals,
//! with spaces as `_` and dashes kept; every declared one arrives, empty if it is not given.

use std::collections::BTreeMap;
use std::ffi::OsString;

const PREFIX: &str = "INPUT_";
/// Inputs that every container action takes, for the runner itself.
const RUNNER_INPUTS: [&str; 2] = ["INPUT_ARGS", "INPUT_ENTRYPOINT"];

/// Why the inputs cannot be taken. No value is in it: an input may be a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Inputs that the action does not have.
    #[error("no such input: {}; mend or remove it under `with:`", list_unknown(.0))]
    Unknown(Vec<UnknownInput>),
    /// The value is not UTF-8.
    #[error("the input `{0}` is no text in UTF-8; write it anew under `with:`")]
    NotText(String),
}

/// An input that the action does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownInput {
    /// Its name, in small letters; the runner hands over capitals.
    pub name: String,
    /// The input that was probably meant.
    pub nearest: Option<String>,
}

/// A value that is neither true nor false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is neither `true` nor `false`")]
pub struct NotBoolean;

/// The inputs that are given, by their declared names, without white space around the value; a
/// blank one is not given.
///
/// # Errors
/// [`InputError`] for all variables at once that are no declared input: a misspelt setting must
/// not pass for one that was left out.
pub fn read<'a>(declared: &[&'a str]) -> Result<BTreeMap<&'a str, String>, InputError> {
    given(declared, std::env::vars_os())
}

fn given<'a>(
    declared: &[&'a str],
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<BTreeMap<&'a str, String>, InputError> {
    let (mut given, mut unknown) = (BTreeMap::new(), Vec::new());
    for (variable, value) in variables {
        let variable = variable.to_string_lossy();
        let Some(capitals) = variable.strip_prefix(PREFIX) else { continue };
        if RUNNER_INPUTS.contains(&variable.as_ref()) {
            continue;
        }
        let Some(name) = declared.iter().find(|name| variable_name(name) == capitals) else {
            unknown.push(unknown_input(capitals, declared));
            continue;
        };
        let value = value.into_string().map_err(|_| InputError::NotText((*name).to_owned()))?;
        if !value.trim().is_empty() {
            given.insert(*name, value.trim().to_owned());
        }
    }
    // The environment has no order.
    unknown.sort_by(|one, other| one.name.cmp(&other.name));
    if unknown.is_empty() { Ok(given) } else { Err(InputError::Unknown(unknown)) }
}

/// Reads a switch.
///
/// # Errors
/// [`NotBoolean`] for everything but `true`, `True`, `TRUE`, `false`, `False` and `FALSE`: the
/// core schema of YAML 1.2, as the Actions toolkit has it.
pub fn boolean(text: &str) -> Result<bool, NotBoolean> {
    match text {
        "true" | "True" | "TRUE" => Ok(true),
        "false" | "False" | "FALSE" => Ok(false),
        _ => Err(NotBoolean),
    }
}

/// The items of a list: one a line, or separated by commas. Lines that begin with `#` are comments.
#[must_use]
pub fn list(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let items = lines.flat_map(|line| line.split(',')).map(str::trim);
    items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn variable_name(name: &str) -> String {
    name.replace(' ', "_").to_uppercase()
}

fn unknown_input(capitals: &str, declared: &[&str]) -> UnknownInput {
    let name = capitals.to_lowercase();
    let nearest = nearest(&name, declared).map(str::to_owned);
    UnknownInput { name, nearest }
}

/// The declared name that a misspelt one probably stands for.
fn nearest<'a>(written: &str, declared: &[&'a str]) -> Option<&'a str> {
    /// Jaro-Winkler likeness of names that a slip of the finger sets apart.
    const MIN_SIMILARITY: f64 = 0.85;
    let written = written.replace('_', "-");
    declared
        .iter()
        .map(|name| (strsim::jaro_winkler(name, &written), *name))
        .filter(|(likeness, _)| *likeness > MIN_SIMILARITY)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

/// `timeot` (did you mean `timeout`?), `colour`
fn list_unknown(unknown: &[UnknownInput]) -> String {
    let each = unknown.iter().map(|UnknownInput { name, nearest }| match nearest {
        Some(nearest) => format!("`{name}` (did you mean `{nearest}`?)"),
        None => format!("`{name}`"),
    });
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARED: [&str; 3] = ["accounts", "stale-after-days", "issue title"];

    fn taken(variables: &[(&str, &str)]) -> Result<BTreeMap<&'static str, String>, InputError> {
        given(&DECLARED, variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn input_variable_is_upper_case_with_dashes() {
        let inputs = taken(&[
            ("INPUT_STALE-AFTER-DAYS", "45"),
            ("INPUT_ISSUE_TITLE", "Stale users"),
            ("PATH", "/usr/bin"),
            ("input_accounts", "no input"),
        ]);
        let expected = [("issue title", "Stale users"), ("stale-after-days", "45")];
        assert_eq!(inputs.unwrap(), expected.map(|(name, value)| (name, value.to_owned())).into());
    }

    #[test]
    fn values_are_trimmed_and_blank_values_are_unset() {
        let inputs = taken(&[
            ("INPUT_ACCOUNTS", "\n 111122223333\n444455556666 \n"),
            ("INPUT_STALE-AFTER-DAYS", ""),
            ("INPUT_ISSUE_TITLE", " \n"),
        ]);
        let accounts = "111122223333\n444455556666".to_owned();
        assert_eq!(inputs.unwrap(), [("accounts", accounts)].into());
    }

    #[test]
    fn all_unknown_inputs_are_listed_with_suggestions() {
        let error = taken(&[
            ("INPUT_STALE_AFTER_DAYS", "hunter2"),
            ("INPUT_COLOUR", "red"),
            ("INPUT_ACCOUNTS", "111122223333"),
            ("INPUT_ACOUNTS", ""),
        ]);
        assert_eq!(
            error.unwrap_err().to_string(),
            "no such input: `acounts` (did you mean `accounts`?), `colour`, `stale_after_days` \
             (did you mean `stale-after-days`?); mend or remove it under `with:`"
        );
    }

    #[test]
    fn runner_inputs_are_ignored() {
        assert_eq!(taken(&[("INPUT_ARGS", "action"), ("INPUT_ENTRYPOINT", "/x")]), Ok([].into()));
    }

    #[cfg(unix)]
    #[test]
    fn non_utf8_value_is_an_error_without_the_value() {
        use std::os::unix::ffi::OsStringExt as _;
        let variable = ("INPUT_ACCOUNTS".into(), OsString::from_vec(b"hunter2\xff".to_vec()));
        let error = given(&DECLARED, [variable]).unwrap_err();
        assert_eq!(error, InputError::NotText("accounts".to_owned()));
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn boolean_is_parsed_like_the_toolkit() {
        for (text, value) in [
            ("true", Ok(true)),
            ("True", Ok(true)),
            ("TRUE", Ok(true)),
            ("false", Ok(false)),
            ("False", Ok(false)),
            ("FALSE", Ok(false)),
            ("tRUE", Err(NotBoolean)),
            ("yes", Err(NotBoolean)),
            ("1", Err(NotBoolean)),
            ("", Err(NotBoolean)),
        ] {
            assert_eq!(boolean(text), value, "{text}");
        }
    }

    #[test]
    fn list_supports_lines_commas_and_comments() {
        let text = "# the hub\r\n 111122223333 , 444455556666,\n\n  # 777788889999, old\nlast #1\n";
        assert_eq!(list(text), ["111122223333", "444455556666", "last #1"]);
        assert_eq!(list(" \n, ,\n"), [""; 0]);
    }
}
