//! The inputs of the action.
//!
//! Source: "Metadata syntax for GitHub Actions", GitHub documentation, and `getInput`,
//! `getBooleanInput` of the Actions toolkit. The runner sets `INPUT_NAME` for each declared input,
//! also for empty ones. The name is in upper case; spaces become `_`, dashes stay.

use std::collections::BTreeMap;
use std::ffi::OsString;

const PREFIX: &str = "INPUT_";
/// Inputs of every container action, for the runner itself.
const RUNNER_INPUTS: [&str; 2] = ["INPUT_ARGS", "INPUT_ENTRYPOINT"];

/// Why the inputs are invalid. Contains no value, because an input can be a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Unknown inputs.
    #[error("unknown input: {}; correct or remove it under `with:`", list_unknown(.0))]
    Unknown(Vec<UnknownInput>),
    #[error("the input `{0}` is not UTF-8 text; correct it under `with:`")]
    NotText(String),
}

/// An unknown input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownInput {
    /// The name in lower case. The runner only has it in upper case.
    pub name: String,
    /// The most similar input.
    pub nearest: Option<String>,
}

/// Not a boolean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `true` or `false`")]
pub struct NotBoolean;

/// The inputs that are set, by their declared names, with white space around values removed. A
/// blank input is not set.
///
/// [`InputError`] with all unknown inputs: a misspelled input must not be ignored.
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
    // Environment variables have no order.
    unknown.sort_by(|one, other| one.name.cmp(&other.name));
    if unknown.is_empty() { Ok(given) } else { Err(InputError::Unknown(unknown)) }
}

/// Parses a boolean input.
///
/// [`NotBoolean`] for everything except `true`, `True`, `TRUE`, `false`, `False` and `FALSE`: the
/// booleans of YAML 1.2, as in the Actions toolkit.
pub fn boolean(text: &str) -> Result<bool, NotBoolean> {
    match text {
        "true" | "True" | "TRUE" => Ok(true),
        "false" | "False" | "FALSE" => Ok(false),
        _ => Err(NotBoolean),
    }
}

/// The items of a list: one per line, or separated by commas. Lines that start with `#` are
/// comments.
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

/// The declared name that is most similar to a misspelled one.
fn nearest<'a>(written: &str, declared: &[&'a str]) -> Option<&'a str> {
    /// The minimum Jaro-Winkler similarity of names that differ by a typo.
    const MIN_SIMILARITY: f64 = 0.85;
    let written = written.replace('_', "-");
    declared
        .iter()
        .map(|name| (strsim::jaro_winkler(name, &written), *name))
        .filter(|(similarity, _)| *similarity > MIN_SIMILARITY)
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
            "unknown input: `acounts` (did you mean `accounts`?), `colour`, `stale_after_days` \
             (did you mean `stale-after-days`?); correct or remove it under `with:`"
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
