//! Rendering. A value is escaped for the kind of its template: the ending of the name before `.j2`.

use std::borrow::Cow;
use std::sync::LazyLock;

use minijinja::value::{Serde, ValueKind};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value,
};
use serde::Serialize;

use super::{Language, Page, escape};

/// The limit on a user's own template, in instructions of the template engine.
const USER_TEMPLATE_FUEL: u64 = 20_000_000;
/// The name of a user's own template within a language's folder. Its ending decides the escaping.
const USER_TEMPLATE: &str = "your_template.md.j2";

/// Templates that are the same in every language.
const SHARED: [&[(&str, &str)]; 2] =
    [&folder!["scripts": "commands.sh.j2"], &folder!["terraform": "roles.tf.j2"]];

/// The built-in templates, compiled once.
static BUILT_IN: LazyLock<Result<Environment<'static>, Error>> = LazyLock::new(environment);

/// A template that a user brought.
#[derive(Debug, Clone)]
pub struct UserTemplate {
    /// The file's name, for messages.
    pub name: String,
    pub text: String,
}

/// A template that cannot be compiled or rendered.
#[derive(Debug, thiserror::Error)]
#[error("{name}{}: {reason}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct TemplateError {
    /// The template's name.
    pub name: String,
    /// The line, from 1, if known.
    pub line: Option<usize>,
    pub reason: String,
}

/// Renders a page, ending with one line feed.
///
/// # Errors
/// [`TemplateError`] if the template uses a value that the context does not have.
pub fn render(
    page: Page,
    language: Language,
    context: impl Serialize,
) -> Result<String, TemplateError> {
    render_file(&format!("{}/{}", language.id(), page.file()), context)
}

/// Renders the Terraform of the roles, ending with one line feed.
///
/// # Errors
/// [`TemplateError`] if the template uses a value that the context does not have.
pub fn render_terraform(context: impl Serialize) -> Result<String, TemplateError> {
    render_file("terraform/roles.tf.j2", context)
}

fn render_file(name: &str, context: impl Serialize) -> Result<String, TemplateError> {
    let environment = BUILT_IN.as_ref().map_err(|error| template_error(error, name))?;
    let render = || environment.get_template(name)?.render(Value::from(Serde(context)));
    render().map(|text| tidy(&text)).map_err(|error| template_error(&error, name))
}

/// Renders a template that a user brought, ending with one line feed. It can include the templates of
/// the language.
///
/// # Errors
/// [`TemplateError`] if the template is invalid or takes too long.
pub fn render_user_template(
    template: &UserTemplate,
    language: Language,
    context: impl Serialize,
) -> Result<String, TemplateError> {
    let name = format!("{}/{USER_TEMPLATE}", language.id());
    let render = || {
        let mut environment = environment()?;
        environment.add_template_owned(name.clone(), template.text.clone())?;
        environment.set_fuel(Some(USER_TEMPLATE_FUEL));
        environment.get_template(&name)?.render(Value::from(Serde(context)))
    };
    render().map(|text| tidy(&text)).map_err(|error| {
        let mut error = template_error(&error, &name);
        if error.name == name {
            error.name.clone_from(&template.name);
        }
        error
    })
}

/// The innermost error: an error in an included template is wrapped by the template that includes it.
fn template_error(error: &Error, template: &str) -> TemplateError {
    let mut error = error;
    while let Some(inner) = std::error::Error::source(error).and_then(|it| it.downcast_ref()) {
        error = inner;
    }
    let reason = match error.kind() {
        ErrorKind::OutOfFuel => "the template takes too long".to_owned(),
        kind => error.detail().map_or_else(|| kind.to_string(), ToOwned::to_owned),
    };
    let name = error.name().unwrap_or(template).to_owned();
    TemplateError { name, line: error.line(), reason }
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // A tag on its own line leaves no empty line, and an included file keeps its last line feed.
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
    // A name without a folder is a file of the same folder, and so of the same language.
    environment.set_path_join_callback(|name, parent| match parent.rsplit_once('/') {
        Some((folder, _)) if !name.contains('/') => Cow::Owned(format!("{folder}/{name}")),
        _ => Cow::Borrowed(name),
    });
    environment
        .add_filter("span", |text: String| Value::from_safe_string(escape::code_span(&text)));
    environment.add_filter("html", |text: String| Value::from_safe_string(escape::html(&text)));
    environment.add_filter("fenced", |text: String, language: String, prefix: Option<String>| {
        Value::from_safe_string(escape::fenced(&text, &language, prefix.as_deref().unwrap_or("")))
    });
    environment.add_filter("word", word);
    let languages = Language::ALL.into_iter().map(Language::files);
    for (name, text) in languages.chain(SHARED).flatten() {
        environment.add_template(name, text)?;
    }
    Ok(environment)
}

/// A template's own words, outside code. Markup and mentions are refused, so that untrusted text cannot
/// be printed this way.
fn word(text: String) -> Result<Value, Error> {
    // No colon and no slash, so that nothing becomes a link; `www.` becomes one by itself.
    let is_safe = |c: char| c.is_alphanumeric() || " -,.()".contains(c);
    if text.chars().all(is_safe) && !text.to_lowercase().contains("www.") {
        Ok(Value::from_safe_string(text))
    } else {
        let message = "the filter `word` accepts only letters, digits, spaces, and `-,.()`";
        Err(Error::new(ErrorKind::InvalidOperation, message))
    }
}

/// Writes a value as the kind of template needs it.
fn write_escaped(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    let kind = match state.auto_escape() {
        AutoEscape::Custom(kind) => kind,
        other => return Err(unknown_kind(&format!("{other:?}"))),
    };
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let text = match kind.as_ref() {
        // Every value is one word, even if it is safe.
        "sh" => escape::shell_word(&value.to_string()),
        "tf" if value.is_safe() => value.to_string(),
        "tf" => escape::hcl_string(&value.to_string()),
        "md" | "txt" if value.is_none() => String::new(),
        "md" | "txt" if value.kind() == ValueKind::Number || value.is_safe() => value.to_string(),
        "md" => escape::code_cell(&value.to_string()),
        "txt" => escape::escape_invisible(&value.to_string()).into_owned(),
        other => return Err(unknown_kind(other)),
    };
    out.write_str(&text).map_err(Error::from)
}

fn unknown_kind(kind: &str) -> Error {
    let message = format!("`{kind}` is not a kind of template");
    Error::new(ErrorKind::InvalidOperation, message)
}

/// Folds runs of empty lines into one and ends the text with one line feed. Code blocks have no runs of
/// empty lines, so they do not change.
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
