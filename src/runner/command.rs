//! Workflow commands: annotations, masks and groups.
//!
//! Source: "Workflow commands for GitHub Actions", GitHub documentation. They are given through
//! [`Log::command`](super::log::Log::command).

use std::fmt::{self, Write as _};

use secrecy::{ExposeSecret as _, SecretString};

use super::inert::inert;

/// The longest message of an annotation, in UTF-16 code units, as the runner counts; what is
/// longer it cuts.
pub const LONGEST_MESSAGE: usize = 4_096;
/// How many annotations of a level a step may make; the runner drops what is beyond.
pub const MOST_OF_A_KIND: usize = 10;

/// What the runner is told to do. The text in it may be anybody's.
#[derive(Debug)]
pub enum Command {
    /// Shows a message on the run's page, and on a file's line where it names one.
    Annotation(Annotation),
    /// Blanks a value in everything that the runner shows, the step's summary included.
    Mask(SecretString),
    /// Folds what follows under a title.
    Group(String),
    /// Ends what [`Command::Group`] began.
    EndGroup,
    /// Shows a line where the debug log is asked for.
    Debug(String),
}

/// A message on the run's page, and on a line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// How bad it is.
    pub level: Level,
    /// The text; line breaks are kept, and what is over [`LONGEST_MESSAGE`] is cut.
    pub message: String,
    /// What stands above the text, where that is not the level's name.
    pub title: Option<String>,
    /// The file, by its path in the repository.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The last line.
    pub end_line: Option<usize>,
    /// The column, from 1.
    pub column: Option<usize>,
    /// The last column.
    pub end_column: Option<usize>,
}

/// How bad an annotation is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is wrong.
    Error,
    /// Something may be wrong.
    Warning,
    /// Something is worth knowing.
    Notice,
}

impl Command {
    /// The command as the runner reads it, with its line's end. A secret of several lines takes
    /// several; one that is blank takes none, for to mask it would blank everything.
    #[must_use]
    pub fn lines(&self) -> String {
        match self {
            Self::Annotation(annotation) => annotation.line_of_log(),
            Self::Mask(secret) => masks(secret.expose_secret()),
            Self::Group(title) => format!("::group::{}\n", data(&inert(title))),
            Self::EndGroup => "::endgroup::\n".to_owned(),
            Self::Debug(message) => format!("::debug::{}\n", data(&inert(message))),
        }
    }
}

impl From<Annotation> for Command {
    fn from(annotation: Annotation) -> Self {
        Self::Annotation(annotation)
    }
}

impl Annotation {
    /// An annotation of the run, on no file.
    pub fn new(level: Level, message: impl Into<String>) -> Self {
        Self {
            level,
            message: message.into(),
            title: None,
            file: None,
            line: None,
            end_line: None,
            column: None,
            end_column: None,
        }
    }

    fn line_of_log(&self) -> String {
        let number = |number: Option<usize>| number.map(|it| it.to_string());
        let properties = [
            ("title", self.title.clone()),
            ("file", self.file.clone()),
            ("line", number(self.line)),
            ("endLine", number(self.end_line)),
            ("col", number(self.column)),
            ("endColumn", number(self.end_column)),
        ];
        let mut line = format!("::{}", self.level);
        let given = properties.into_iter().filter_map(|(key, value)| Some((key, value?)));
        for (at, (key, value)) in given.filter(|(_, value)| !value.is_empty()).enumerate() {
            let separator = if at == 0 { ' ' } else { ',' };
            // Writing to a String cannot fail.
            let _ = write!(line, "{separator}{key}={}", property(&inert(&value)));
        }
        format!("{line}::{}\n", data(&cut(inert(&self.message))))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        })
    }
}

/// The annotations that a step may make: the worst first, else in the given order. Where there are
/// more than [`MOST_OF_A_KIND`] of a level, the last one kept says how many are left out.
#[must_use]
pub fn at_most_ten_of_a_kind(mut annotations: Vec<Annotation>) -> Vec<Annotation> {
    annotations.sort_by_key(|annotation| annotation.level);
    let kinds = annotations.chunk_by(|one, next| one.level == next.level);
    kinds.flat_map(at_most_ten).collect()
}

fn at_most_ten(kind: &[Annotation]) -> Vec<Annotation> {
    match (kind.first(), kind.get(..MOST_OF_A_KIND - 1)) {
        (Some(first), Some(kept)) if kind.len() > MOST_OF_A_KIND => {
            let message = format!(
                "{} annotations more of this kind are left out: a step may make {MOST_OF_A_KIND}",
                kind.len() - kept.len()
            );
            let rest = Annotation::new(first.level, message);
            kept.iter().cloned().chain([rest]).collect()
        }
        _ => kind.to_vec(),
    }
}

/// The runner compares by lines, so each line of a secret is one of its own.
fn masks(secret: &str) -> String {
    let lines = secret.split(['\r', '\n']).filter(|line| !line.trim().is_empty());
    lines.map(|line| format!("::add-mask::{}\n", data(line))).collect()
}

fn cut(mut message: String) -> String {
    if message.encode_utf16().count() <= LONGEST_MESSAGE {
        return message;
    }
    let mut units = 0;
    let end = message.char_indices().find(|(_, character)| {
        units += character.len_utf16();
        // One is the ellipsis.
        units > LONGEST_MESSAGE - 1
    });
    message.truncate(end.map_or(message.len(), |(at, _)| at));
    message.push('…');
    message
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(command: impl Into<Command>) -> String {
        command.into().lines()
    }

    #[test]
    fn an_annotation_names_its_place() {
        let annotation = Annotation {
            title: Some("Exemption: expired, 100 %".to_owned()),
            file: Some(".github/iam-allowlist.yml".to_owned()),
            line: Some(7),
            end_line: Some(8),
            column: Some(3),
            end_column: Some(9),
            ..Annotation::new(Level::Warning, "It ended: 100 %,\nlong ago")
        };
        assert_eq!(
            lines(annotation),
            "::warning title=Exemption%3A expired%2C 100 %25,file=.github/iam-allowlist.yml,line=7,\
             endLine=8,col=3,endColumn=9::It ended: 100 %25,%0Along ago\n"
        );
        assert_eq!(lines(Annotation::new(Level::Error, "x")), "::error::x\n");
        assert_eq!(lines(Annotation::new(Level::Notice, "")), "::notice::\n");
    }

    #[test]
    fn a_command_is_one_line_whatever_is_in_it() {
        let hostile = "a\r\n::error::b\rc ##[add-mask]d\u{1b}[2K%0A";
        let shown = r"a%0A:\:error::b\u{d}c ##\[add-mask]d\u{1b}[2K%250A";
        assert_eq!(lines(Annotation::new(Level::Error, hostile)), format!("::error::{shown}\n"));
        assert_eq!(lines(Command::Group(hostile.to_owned())), format!("::group::{shown}\n"));
        assert_eq!(lines(Command::Debug(hostile.to_owned())), format!("::debug::{shown}\n"));
        assert_eq!(lines(Command::EndGroup), "::endgroup::\n");
        let placed = Annotation {
            title: Some(String::new()),
            file: Some("a::error::b,line=1\n##[x]".to_owned()),
            ..Annotation::new(Level::Error, "c")
        };
        assert_eq!(lines(placed), "::error file=a%3A%3Aerror%3A%3Ab%2Cline=1%0A##\\[x]::c\n");
    }

    #[test]
    fn a_message_is_cut_to_what_the_runner_keeps() {
        let message = |text: String| lines(Annotation::new(Level::Error, text));
        let whole = "é".repeat(LONGEST_MESSAGE);
        assert_eq!(message(whole.clone()), format!("::error::{whole}\n"));
        let expected = format!("::error::{}…\n", "é".repeat(LONGEST_MESSAGE - 1));
        assert_eq!(message(format!("{whole}é")), expected);
        // Two code units each, and none is cut in half.
        let expected = format!("::error::{}…\n", "🔑".repeat(LONGEST_MESSAGE / 2 - 1));
        assert_eq!(message("🔑".repeat(LONGEST_MESSAGE)), expected);
    }

    #[test]
    fn a_secret_is_masked_line_by_line_and_a_blank_one_not_at_all() {
        let masks = |secret: &str| lines(Command::Mask(SecretString::from(secret)));
        assert_eq!(masks("ab%c"), "::add-mask::ab%25c\n");
        assert_eq!(masks("##[a]:: b "), "::add-mask::##[a]:: b \n");
        assert_eq!(masks("one\r\n\n  \ntwo\n"), "::add-mask::one\n::add-mask::two\n");
        assert_eq!(masks(""), "");
        assert_eq!(masks(" \r\n\t"), "");
    }

    #[test]
    fn a_secret_is_not_in_a_debug_print() {
        let printed = format!("{:?}", Command::Mask(SecretString::from("hunter2")));
        assert!(!printed.contains("hunter2"), "{printed}");
    }

    #[test]
    fn ten_of_a_kind_are_kept_the_worst_first() {
        let some = |level, count: usize| {
            (1..=count).map(move |number| Annotation::new(level, format!("{level} {number}")))
        };
        let given: Vec<_> = some(Level::Notice, 1)
            .chain(some(Level::Error, 12))
            .chain(some(Level::Warning, 10))
            .collect();
        let kept = at_most_ten_of_a_kind(given);
        let messages: Vec<_> = kept.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(messages.len(), 21);
        assert_eq!(messages[..2], ["error 1", "error 2"]);
        assert_eq!(messages[8], "error 9");
        let rest = "3 annotations more of this kind are left out: a step may make 10";
        assert_eq!((kept[9].level, messages[9]), (Level::Error, rest));
        assert_eq!(messages[10], "warning 1");
        assert_eq!(messages[19..], ["warning 10", "notice 1"]);
    }
}
