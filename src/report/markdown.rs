//! The Markdown report. All of its text is in the templates; this module escapes what they print.

use std::sync::LazyLock;

use minijinja::value::{Serde, ValueKind};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value,
};
use serde::Serialize;

use super::view::view;
use super::{Language, escape};
use crate::audit::Audit;

/// What a user's own template may cost: instructions of the template engine.
const USER_TEMPLATE_FUEL: u64 = 20_000_000;
/// The name by which a user's own template is known to the engine; its ending decides the escaping.
const USER_TEMPLATE: &str = "user.md.j2";

macro_rules! templates {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("templates/", $name)))),+]
    };
}

/// A language's texts are in its folder; scripts are the same in all languages.
const TEMPLATES: [(&str, &str); 38] = templates![
    "en/queue.md.j2",
    "en/queue_words.md.j2",
    "en/queue_person.md.j2",
    "en/queue_news.md.j2",
    "en/queue_still_open.md.j2",
    "en/queue_closed_by_bot.md.j2",
    "en/queue_twin.md.j2",
    "en/queue_memory_part.md.j2",
    "en/pull_request.md.j2",
    "en/summary.md.j2",
    "ja/queue.md.j2",
    "ja/queue_words.md.j2",
    "ja/queue_person.md.j2",
    "ja/queue_news.md.j2",
    "ja/queue_still_open.md.j2",
    "ja/queue_closed_by_bot.md.j2",
    "ja/queue_twin.md.j2",
    "ja/queue_memory_part.md.j2",
    "ja/pull_request.md.j2",
    "ja/summary.md.j2",
    "en/report.md.j2",
    "en/person.md.j2",
    "en/why.md.j2",
    "en/words.md.j2",
    "ja/report.md.j2",
    "ja/person.md.j2",
    "ja/why.md.j2",
    "ja/words.md.j2",
    "en/remedy_plan.md.j2",
    "ja/remedy_plan.md.j2",
    "remedy/account.sh.j2",
    "remedy/pick.sh.j2",
    "remedy/deactivate.sh.j2",
    "remedy/delete.sh.j2",
    "remedy/delete_user.sh.j2",
    "remedy/deactivate.tf.j2",
    "remedy/delete.tf.j2",
    "remedy/delete_user.tf.j2",
];

/// How the report is written.
#[derive(Debug, Clone, Default)]
pub struct MarkdownOptions {
    /// The language of the built-in template.
    pub language: Language,
    /// The most rows that a table shows; 0 for all.
    pub max_rows: usize,
    /// A template to use instead of the built-in one.
    pub template: Option<UserTemplate>,
}

/// A template that a user brought.
#[derive(Debug, Clone)]
pub struct UserTemplate {
    /// The file's name, for messages.
    pub name: String,
    /// The template's text.
    pub text: String,
}

/// A template that cannot be compiled or rendered.
#[derive(Debug, thiserror::Error)]
#[error("{name}{}: {reason}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct TemplateError {
    /// The template's name.
    pub name: String,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

/// Renders the audit as Markdown, ending with one line feed.
///
/// # Errors
/// [`TemplateError`] when the user's own template is wrong or costs too much.
pub fn markdown(audit: &Audit, options: &MarkdownOptions) -> Result<String, TemplateError> {
    let shown_name = options.template.as_ref().map_or("the built-in template", |it| &it.name);
    render(audit, options)
        .map(|text| tidy(&text))
        .map_err(|error| template_error(&error, shown_name))
}

/// Renders another page than the report, by its template's name.
pub(super) fn render_template<T: Serialize>(
    name: &str,
    context: T,
) -> Result<String, TemplateError> {
    // Compiled once: a queue has a page for every user.
    static BUILT_IN: LazyLock<Result<Environment<'static>, Error>> = LazyLock::new(environment);
    let environment = BUILT_IN.as_ref().map_err(|error| template_error(error, name))?;
    let render = || environment.get_template(name)?.render(Value::from(Serde(context)));
    render().map(|text| tidy(&text)).map_err(|error| template_error(&error, name))
}

/// The innermost error, since one in an included template is wrapped by where it was included.
fn template_error(error: &Error, shown_name: &str) -> TemplateError {
    let mut error = error;
    while let Some(inner) = std::error::Error::source(error).and_then(|it| it.downcast_ref()) {
        error = inner;
    }
    let reason = match error.kind() {
        ErrorKind::OutOfFuel => "the template takes too long".to_owned(),
        kind => error.detail().map_or_else(|| kind.to_string(), ToOwned::to_owned),
    };
    let name = match error.name() {
        Some(name) if name != USER_TEMPLATE => name.to_owned(),
        _ => shown_name.to_owned(),
    };
    TemplateError { name, line: error.line(), reason }
}

fn render(audit: &Audit, options: &MarkdownOptions) -> Result<String, Error> {
    let mut environment = environment()?;
    let report = format!("{}/report.md.j2", options.language.id());
    let name = match &options.template {
        Some(template) => {
            environment.add_template_owned(USER_TEMPLATE, template.text.clone())?;
            environment.set_fuel(Some(USER_TEMPLATE_FUEL));
            USER_TEMPLATE
        }
        None => report.as_str(),
    };
    let context = Value::from(Serde(view(audit, options.max_rows)));
    environment.get_template(name)?.render(context)
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // A tag on a line of its own leaves no line behind, and an included file ends with its last.
    let syntax = environment
        .syntax()
        .to_builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()?;
    environment.set_syntax(syntax);
    environment.set_auto_escape_callback(|name| {
        let stem = name.strip_suffix(".j2").unwrap_or(name);
        AutoEscape::Custom(stem.rsplit('.').next().unwrap_or_default().to_owned().into())
    });
    environment.set_formatter(write_escaped);
    environment
        .add_filter("span", |text: String| Value::from_safe_string(escape::code_span(&text)));
    environment.add_filter("html", |text: String| Value::from_safe_string(escape::html(&text)));
    environment.add_filter("fenced", |text: String, language: String| {
        Value::from_safe_string(escape::fenced(&text, &language))
    });
    environment.add_filter("word", word);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    Ok(environment)
}

/// Words of the templates' own, which stand outside code. Anything that could be markup or a
/// mention is refused, so that foreign text cannot take this way.
fn word(text: String) -> Result<Value, Error> {
    // No colon and no slash: nothing that becomes a link, and `www.` becomes one by itself.
    let safe_value = |c: char| c.is_alphanumeric() || " -,.()".contains(c);
    if text.chars().all(safe_value) && !text.to_lowercase().contains("www.") {
        Ok(Value::from_safe_string(text))
    } else {
        let message = "the filter `word` takes letters, digits and plain punctuation alone";
        Err(Error::new(ErrorKind::InvalidOperation, message))
    }
}

/// Writes a value as the kind of template needs it. The kind is the ending of the template's name.
fn write_escaped(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    let kind = match state.auto_escape() {
        AutoEscape::Custom(kind) => kind,
        other => return Err(unknown_kind(&format!("{other:?}"))),
    };
    let text = match kind.as_ref() {
        // Every value is one word, whatever it is.
        "sh" => escape::shell_word(&value.to_string()),
        "tf" if value.is_safe() => value.to_string(),
        "tf" => escape::hcl_string(&value.to_string()),
        "md" => match value.kind() {
            ValueKind::None => String::new(),
            ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
            ValueKind::Number => value.to_string(),
            _ if value.is_safe() => value.to_string(),
            _ => escape::code_cell(&value.to_string()),
        },
        other => return Err(unknown_kind(other)),
    };
    out.write_str(&text).map_err(Error::from)
}

fn unknown_kind(kind: &str) -> Error {
    let message = format!("templates of the kind `{kind}` are not known");
    Error::new(ErrorKind::InvalidOperation, message)
}

/// Folds runs of empty lines into one and ends the text with one line feed. Code blocks hold no
/// runs of empty lines, so that they stay as they are.
fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut empty = true;
    for line in text.lines() {
        let line = line.trim_end();
        if !(line.is_empty() && empty) {
            tidied.push_str(line);
            tidied.push('\n');
        }
        empty = line.is_empty();
    }
    tidied.truncate(tidied.trim_end().len());
    tidied.push('\n');
    tidied
}
