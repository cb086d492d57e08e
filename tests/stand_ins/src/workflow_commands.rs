//! Reads workflow commands from a log, as the runner does.

use std::collections::BTreeMap;

/// A command that the runner executes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub name: String,
    pub properties: BTreeMap<String, String>,
    pub data: String,
}

/// The commands with and without `stop-commands`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stops {
    Supported,
    Ignored,
}

/// All commands that the runner finds in a log. Any name counts as a command, which is stricter
/// than the runner.
pub fn read(log: &str, stops: Stops) -> Vec<Read> {
    let (mut found, mut token) = (Vec::new(), None);
    let lines = log.split(['\n', '\r']).filter_map(command_in);
    for command in lines {
        let is_resume = token.as_ref() == Some(&command.name);
        let is_stop = command.name == "stop-commands";
        if is_stop && token.is_none() {
            token = Some(command.data);
        } else if is_resume && stops == Stops::Supported {
            token = None;
        } else if stops == Stops::Ignored && !is_resume && !is_stop
            || stops == Stops::Supported && token.is_none()
        {
            found.push(command);
        }
    }
    found
}

/// The command in a line: `::name key=value,…::data` at its start, else `##[name …]data` anywhere.
/// The runner ignores zero-width characters.
fn command_in(line: &str) -> Option<Read> {
    let line = without_width(line);
    let (info, data, separator) = match line.trim_start().strip_prefix("::") {
        Some(rest) => {
            let (info, data) = rest.split_once("::")?;
            (info, data, ',')
        }
        None => {
            let (_, rest) = line.split_once("##[")?;
            let (info, data) = rest.split_once(']')?;
            (info, data, ';')
        }
    };
    let (name, properties) = info.split_once(' ').unwrap_or((info, ""));
    let properties = properties.split(separator).filter_map(|pair| pair.split_once('='));
    Some(Read {
        name: name.to_lowercase(),
        properties: properties.map(|(key, value)| (key.to_owned(), unescaped(value))).collect(),
        data: unescaped(data),
    })
}

fn without_width(text: &str) -> String {
    text.replace(['\u{ad}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}'], "")
}

fn unescaped(text: &str) -> String {
    let text = text.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":");
    text.replace("%2C", ",").replace("%25", "%")
}
