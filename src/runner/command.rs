//! Workflow commands: annotations, masks and groups.
//!
//! Source: "Workflow commands for GitHub Actions", GitHub documentation. Commands are written with
//! [`Log::command`](super::log::Log::command).

use std::fmt::Write as _;

use secrecy::{ExposeSecret as _, SecretString};

use super::inert::inert;

/// The longest message of an annotation, in UTF-16 code units like the runner counts. The runner
/// cuts longer messages.
pub const MAX_MESSAGE_LENGTH: usize = 4_096;
/// The maximum number of annotations per level and step. The runner drops the rest.
pub const MAX_ANNOTATIONS_PER_LEVEL: usize = 10;

/// A workflow command. Its text can be untrusted.
#[derive(Debug)]
pub enum WorkflowCommand {
    /// Shows a message on the page of the run, and at a line of a file.
    Annotation(Annotation),
    /// Hides a value in logs and the step summary.
    Mask(SecretString),
    /// Starts a collapsible group of log lines.
    Group(String),
    /// Ends a [`WorkflowCommand::Group`].
    EndGroup,
    /// A log line that is shown if debug logging is enabled.
    Debug(String),
}

/// A message on the page of the run, and at a line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    pub level: AnnotationLevel,
    /// The text. Line breaks are kept. Text over [`MAX_MESSAGE_LENGTH`] is cut.
    pub message: String,
    /// The title; by default the name of the level.
    pub title: Option<String>,
    /// The path of the file in the repository.
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

/// The level of an annotation, most severe first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum AnnotationLevel {
    Error,
    Warning,
    Notice,
}

impl WorkflowCommand {
    /// The lines of the command, with line breaks. A secret of several lines takes several. A blank
    /// secret takes none, because masking it would hide everything.
    #[must_use]
    pub fn lines(&self) -> String {
        match self {
            Self::Annotation(annotation) => annotation.to_line(),
            Self::Mask(secret) => masks(secret.expose_secret()),
            Self::Group(title) => format!("::group::{}\n", data(&inert(title))),
            Self::EndGroup => "::endgroup::\n".to_owned(),
            Self::Debug(message) => format!("::debug::{}\n", data(&inert(message))),
        }
    }
}

impl From<Annotation> for WorkflowCommand {
    fn from(annotation: Annotation) -> Self {
        Self::Annotation(annotation)
    }
}

impl Annotation {
    /// An annotation of the run, without a file.
    pub fn new(level: AnnotationLevel, message: impl Into<String>) -> Self {
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

    fn to_line(&self) -> String {
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
        format!("{line}::{}\n", data(&truncate(inert(&self.message))))
    }
}

/// Limits the annotations to what a step can have, most severe first and otherwise in the given
/// order. If there are more than [`MAX_ANNOTATIONS_PER_LEVEL`] of a level, the last one says how
/// many are left out.
#[must_use]
pub fn limit_annotations(mut annotations: Vec<Annotation>) -> Vec<Annotation> {
    annotations.sort_by_key(|annotation| annotation.level);
    let levels = annotations.chunk_by(|one, next| one.level == next.level);
    levels.flat_map(limit_level).collect()
}

fn limit_level(level: &[Annotation]) -> Vec<Annotation> {
    match (level.first(), level.get(..MAX_ANNOTATIONS_PER_LEVEL - 1)) {
        (Some(first), Some(kept)) if level.len() > MAX_ANNOTATIONS_PER_LEVEL => {
            let message = format!(
                "{} more annotations of this level are not shown: a step can have at most \
                 {MAX_ANNOTATIONS_PER_LEVEL}",
                level.len() - kept.len()
            );
            let rest = Annotation::new(first.level, message);
            kept.iter().cloned().chain([rest]).collect()
        }
        _ => level.to_vec(),
    }
}

/// The runner masks line by line, so each line of a secret is masked separately.
fn masks(secret: &str) -> String {
    let lines = secret.split(['\r', '\n']).filter(|line| !line.trim().is_empty());
    lines.map(|line| format!("::add-mask::{}\n", data(line))).collect()
}

fn truncate(mut message: String) -> String {
    if message.encode_utf16().count() <= MAX_MESSAGE_LENGTH {
        return message;
    }
    let mut units = 0;
    let end = message.char_indices().find(|(_, character)| {
        units += character.len_utf16();
        // One is reserved for the ellipsis.
        units > MAX_MESSAGE_LENGTH - 1
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

    fn lines(command: impl Into<WorkflowCommand>) -> String {
        command.into().lines()
    }

    #[test]
    fn annotation_includes_its_position() {
        let annotation = Annotation {
            title: Some("Exemption: expired, 100 %".to_owned()),
            file: Some(".github/iam-allowlist.yml".to_owned()),
            line: Some(7),
            end_line: Some(8),
            column: Some(3),
            end_column: Some(9),
            ..Annotation::new(AnnotationLevel::Warning, "It ended: 100 %,\nlong ago")
        };
        assert_eq!(
            lines(annotation),
            "::warning title=Exemption%3A expired%2C 100 %25,file=.github/iam-allowlist.yml,line=7,\
             endLine=8,col=3,endColumn=9::It ended: 100 %25,%0Along ago\n"
        );
        assert_eq!(lines(Annotation::new(AnnotationLevel::Error, "x")), "::error::x\n");
        assert_eq!(lines(Annotation::new(AnnotationLevel::Notice, "")), "::notice::\n");
    }

    #[test]
    fn command_is_always_one_line() {
        let hostile = "a\r\n::error::b\rc ##[add-mask]d\u{1b}[2K%0A";
        let shown = r"a%0A:\:error::b\u{d}c ##\[add-mask]d\u{1b}[2K%250A";
        assert_eq!(
            lines(Annotation::new(AnnotationLevel::Error, hostile)),
            format!("::error::{shown}\n")
        );
        assert_eq!(
            lines(WorkflowCommand::Group(hostile.to_owned())),
            format!("::group::{shown}\n")
        );
        assert_eq!(
            lines(WorkflowCommand::Debug(hostile.to_owned())),
            format!("::debug::{shown}\n")
        );
        assert_eq!(lines(WorkflowCommand::EndGroup), "::endgroup::\n");
        let placed = Annotation {
            title: Some(String::new()),
            file: Some("a::error::b,line=1\n##[x]".to_owned()),
            ..Annotation::new(AnnotationLevel::Error, "c")
        };
        assert_eq!(lines(placed), "::error file=a%3A%3Aerror%3A%3Ab%2Cline=1%0A##\\[x]::c\n");
    }

    #[test]
    fn message_is_truncated_to_the_runner_limit() {
        let message = |text: String| lines(Annotation::new(AnnotationLevel::Error, text));
        let whole = "é".repeat(MAX_MESSAGE_LENGTH);
        assert_eq!(message(whole.clone()), format!("::error::{whole}\n"));
        let expected = format!("::error::{}…\n", "é".repeat(MAX_MESSAGE_LENGTH - 1));
        assert_eq!(message(format!("{whole}é")), expected);
        // Two code units each. None is cut in half.
        let expected = format!("::error::{}…\n", "🔑".repeat(MAX_MESSAGE_LENGTH / 2 - 1));
        assert_eq!(message("🔑".repeat(MAX_MESSAGE_LENGTH)), expected);
    }

    #[test]
    fn secret_is_masked_by_line_and_blank_secret_is_ignored() {
        let masks = |secret: &str| lines(WorkflowCommand::Mask(SecretString::from(secret)));
        assert_eq!(masks("ab%c"), "::add-mask::ab%25c\n");
        assert_eq!(masks("##[a]:: b "), "::add-mask::##[a]:: b \n");
        assert_eq!(masks("one\r\n\n  \ntwo\n"), "::add-mask::one\n::add-mask::two\n");
        assert_eq!(masks(""), "");
        assert_eq!(masks(" \r\n\t"), "");
    }

    #[test]
    fn debug_output_hides_secrets() {
        let printed = format!("{:?}", WorkflowCommand::Mask(SecretString::from("hunter2")));
        assert!(!printed.contains("hunter2"), "{printed}");
    }

    #[test]
    fn eleven_annotations_of_a_level_are_limited_to_ten() {
        let given = vec![Annotation::new(AnnotationLevel::Error, "x"); 11];
        let kept = limit_annotations(given);
        assert_eq!(kept.len(), 10);
        assert!(kept[9].message.starts_with("2 more annotations"), "{}", kept[9].message);
    }

    #[test]
    fn ten_annotations_per_level_are_kept_most_severe_first() {
        let some = |level, count: usize| {
            (1..=count).map(move |number| Annotation::new(level, format!("{level} {number}")))
        };
        let given: Vec<_> = some(AnnotationLevel::Notice, 1)
            .chain(some(AnnotationLevel::Error, 12))
            .chain(some(AnnotationLevel::Warning, 10))
            .collect();
        let kept = limit_annotations(given);
        let messages: Vec<_> = kept.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(messages.len(), 21);
        assert_eq!(messages[..2], ["error 1", "error 2"]);
        assert_eq!(messages[8], "error 9");
        let rest = "3 more annotations of this level are not shown: a step can have at most 10";
        assert_eq!((kept[9].level, messages[9]), (AnnotationLevel::Error, rest));
        assert_eq!(messages[10], "warning 1");
        assert_eq!(messages[19..], ["warning 10", "notice 1"]);
    }
}
