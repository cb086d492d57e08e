//! What is wrong with an allowlist file: a code, a place, and how to mend it.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::BYTE_ORDER_MARK;

/// What kind of problem a diagnostic reports.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum DiagnosticCode {
    /// The file cannot be opened or read.
    UnreadableFile,
    /// The file is not UTF-8.
    NotUtf8,
    /// The file is no YAML.
    Syntax,
    /// The file, or a part of it, is empty.
    EmptyFile,
    /// A key that the format does not know.
    UnknownKey,
    /// A key that stands twice.
    DuplicateKey,
    /// A required key that is not there.
    MissingKey,
    /// A value of another type than its key takes.
    WrongType,
    /// A version of the format that this program does not read.
    UnsupportedVersion,
    /// A number beyond what makes sense.
    NumberOutOfRange,
    /// A list without entries, where none would mean something else.
    EmptyList,
    /// A reason, an owner, a path or a tag key of nothing but white space.
    EmptyText,
    /// No rule has this name.
    UnknownRule,
    /// A rule in `remediation.rules` whose findings are never remediated.
    RuleWithoutRemediation,
    /// No level has this name.
    UnknownLevel,
    /// `expired-user` without the tag that it reads.
    ExpiryTagMissing,
    /// Users are to be deleted, but no number of days says when.
    DeletionWithoutDays,
    /// A text that cannot be a path of IAM users.
    InvalidPath,
    /// Both `user` and `pattern`.
    UserAndPattern,
    /// Neither `user` nor `pattern`.
    NoUser,
    /// A text that cannot be an IAM user name.
    InvalidUserName,
    /// A pattern with characters that no user name has.
    InvalidPattern,
    /// A pattern with fewer than three literal characters.
    PatternTooBroad,
    /// A text that is no account id.
    InvalidAccount,
    /// An account that `former_accounts` lists twice.
    DuplicateAccount,
    /// An account that `former_accounts` lists, and that is audited.
    FormerAccountAudited,
    /// A text that is no user id.
    InvalidUserId,
    /// An access key id written out.
    FullAccessKeyId,
    /// A text that names no credential.
    UnknownCredential,
    /// A text that is no date.
    InvalidDate,
    /// An exemption that reaches too far ahead.
    ExpiresTooFar,
    /// An exemption that has run out.
    ExemptionExpired,
    /// An exemption that runs out soon.
    ExemptionExpiresSoon,
}

impl DiagnosticCode {
    /// All codes.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The code in messages.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.into_str()
    }
}

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is good; somebody should know.
    Notice,
}

/// One thing that is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of problem it is.
    pub code: DiagnosticCode,
    /// Whether the file is refused for it.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The bytes of the file that are meant.
    pub span: Range<usize>,
    /// What stands beside the marked place.
    pub label: String,
    /// A second place that belongs to it.
    pub related: Option<(Range<usize>, String)>,
    /// How to mend it.
    pub help: String,
}

impl Diagnostic {
    pub(super) fn error(
        code: DiagnosticCode,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: sanitized(&message.into()),
            span,
            label: String::new(),
            related: None,
            help: String::new(),
        }
    }

    pub(super) fn notice(
        code: DiagnosticCode,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Notice, ..Self::error(code, span, message) }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = sanitized(&label.into());
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = sanitized(&help.into());
        self
    }

    pub(super) fn related(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.related = Some((span, sanitized(&label.into())));
        self
    }
}

/// The longest text of the file that a message repeats, in characters.
const MAX_SHOWN: usize = 72;

/// A text of the file as a message repeats it: not too long.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// An excerpt in backticks.
pub(super) fn shown(text: &str) -> String {
    format!("`{}`", excerpt(text))
}

/// A sentence on one line, with nothing in it that a terminal or the runner's log would obey: it
/// may repeat what stands in the file.
fn sanitized(sentence: &str) -> String {
    let mut sanitized = String::with_capacity(sentence.len());
    for c in sentence.chars() {
        match c {
            '"' | '\'' | '\\' => sanitized.push(c),
            _ => sanitized.extend(c.escape_debug()),
        }
    }
    sanitized
}

/// Renders a diagnostic the way rustc does: `source` is the file's text, `path` its name.
///
/// Ends with a line feed. With `color`, ANSI colours are used.
#[must_use]
pub fn render(diagnostic: &Diagnostic, path: &str, source: &str, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Notice => Level::WARNING.with_name("notice"),
    };
    let mut group: Group<'_> = Group::with_title(
        level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.id()),
    );
    let text = source.strip_prefix(BYTE_ORDER_MARK).unwrap_or(source);
    let place = |span: &Range<usize>| {
        let mark = source.len() - text.len();
        clamp_span(text, &(span.start.saturating_sub(mark)..span.end.saturating_sub(mark)))
    };
    // A file that could not be read has no line to show.
    if text.is_empty() {
        group = group.element(annotate_snippets::Origin::path(path));
    } else {
        let mut snippet = Snippet::source(text).path(path).annotation(
            AnnotationKind::Primary.span(place(&diagnostic.span)).label(diagnostic.label.as_str()),
        );
        if let Some((span, label)) = &diagnostic.related {
            snippet =
                snippet.annotation(AnnotationKind::Context.span(place(span)).label(label.as_str()));
        }
        group = group.element(snippet);
    }
    if !diagnostic.help.is_empty() {
        group = group.element(Level::HELP.message(diagnostic.help.as_str()));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.decor_style(DecorStyle::Ascii).render(&[group]);
    text.push('\n');
    text
}

/// The span, cut to the source and to whole characters, so that rendering cannot fail.
fn clamp_span(source: &str, span: &Range<usize>) -> Range<usize> {
    let start = source.floor_char_boundary(span.start.min(source.len()));
    let end = source.ceil_char_boundary(span.end.clamp(start, source.len()));
    start..end
}
