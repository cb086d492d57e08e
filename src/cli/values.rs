//! Values of flags. Each type parses itself.

use std::convert::Infallible;
use std::fmt;
use std::ops::Deref;
use std::path::{Component, PathBuf};
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};
use clap::ValueEnum;
use clap::builder::{PathBufValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::allowlist::parse_day;
use crate::runner::checkout::{as_relative, below_workspace};
use crate::runner::inputs::{boolean as parse_boolean, list};

/// A list: one item a line, or separated by commas. Lines that start with `#` are comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T> List<T> {
    /// Parses items that contain no white space, so that they can also be separated by spaces.
    pub(super) fn of_words(text: &str) -> Result<Self, String>
    where
        T: FromStr<Err: fmt::Display>,
    {
        list(&text.split(' ').collect::<Vec<_>>().join(",")).parse_items()
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: FromStr<Err: fmt::Display>> FromStr for List<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        list(text).parse_items()
    }
}

trait ParseItems {
    fn parse_items<T: FromStr<Err: fmt::Display>>(self) -> Result<List<T>, String>;
}

impl ParseItems for Vec<String> {
    fn parse_items<T: FromStr<Err: fmt::Display>>(self) -> Result<List<T>, String> {
        let parse = |item: &String| item.parse().map_err(|error| format!("`{item}`: {error}"));
        self.iter().map(parse).collect::<Result<_, _>>().map(List)
    }
}

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Input {
    pub(super) fn parser() -> impl TypedValueParser<Value = Self> {
        PathBufValueParser::new().map(Self::from)
    }
}

impl From<PathBuf> for Input {
    fn from(path: PathBuf) -> Self {
        if path.as_os_str() == "-" { Self::Stdin } else { Self::File(path) }
    }
}

impl FromStr for Input {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(PathBuf::from(text).into())
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Where the exemptions come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowlistSetting {
    /// The default file.
    Default,
    /// A file, which must exist.
    File(PathBuf),
    /// No allowlist.
    None,
}

impl From<&str> for AllowlistSetting {
    fn from(text: &str) -> Self {
        match text {
            "" => Self::Default,
            "none" => Self::None,
            path => Self::File(PathBuf::from(path)),
        }
    }
}

/// The formats of a report. The alias is the file name extension, if it is not the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for a terminal.
    #[value(alias = "txt")]
    Table,
    /// Markdown.
    #[value(alias = "md")]
    Markdown,
    /// JSON, version 1.
    Json,
}

/// The formats of a remediation plan, with file name extensions as in [`Format`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// Text for a terminal.
    #[value(alias = "txt")]
    Table,
    /// Markdown.
    #[value(alias = "md")]
    Markdown,
    /// JSON, which `--apply` reads.
    Json,
}

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile<F> {
    /// The file.
    pub path: PathBuf,
    /// The format, from the file name extension.
    pub format: F,
}

impl<F: ValueEnum> fmt::Display for OutputFile<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = self.format.to_possible_value();
        let name = format.as_ref().map(PossibleValue::get_name).unwrap_or_default();
        write!(f, "{} ({name})", self.path.display())
    }
}

impl<F: ValueEnum> FromStr for OutputFile<F> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = PathBuf::from(text);
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        let Ok(format) = F::from_str(extension, true) else {
            let values = F::value_variants().iter().filter_map(F::to_possible_value);
            let extension =
                |it: PossibleValue| it.get_name_and_aliases().last().map(|it| format!(".{it}"));
            let extensions: Vec<_> = values.filter_map(extension).collect();
            return Err(format!(
                "the file name extension must be one of {}",
                extensions.join(", ")
            ));
        };
        Ok(Self { path, format })
    }
}

/// One of the values of an enum, by its name.
pub(super) fn one_of<T: Copy + Send + Sync + 'static, const N: usize>(
    all: [T; N],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(all.map(name)).try_map(move |text| {
        all.into_iter().find(|value| name(*value) == text).ok_or("unknown value")
    })
}

/// `true` or `false`.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    parse_boolean(text).map_err(|error| error.to_string())
}

pub(super) fn time(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .map_err(|error| format!("{error}; the format is 2026-06-30T12:00:00Z"))
}

pub(super) fn day(text: &str) -> Result<NaiveDate, &'static str> {
    parse_day(text).ok_or("the format is 2026-06-30")
}

/// A SHA-256 digest in hex digits.
pub(super) fn digest(text: &str) -> Result<String, &'static str> {
    let is_digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest { Ok(text.to_ascii_lowercase()) } else { Err("a digest has 64 hex digits") }
}

/// A file or folder in the workspace of the job, absolute or relative.
///
/// # Errors
/// When the path is outside the workspace or contains `..`.
pub fn in_workspace(path: PathBuf) -> Result<PathBuf, &'static str> {
    let path = as_relative(path);
    let below = below_workspace(&path);
    let is_inside = below
        .as_deref()
        .unwrap_or(&path)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if is_inside { Ok(path) } else { Err("the path must be in the workspace, without `..`") }
}

pub(super) fn workspace_path(text: &str) -> Result<PathBuf, &'static str> {
    in_workspace(PathBuf::from(text))
}
