//! Problems of an allowlist file: a code, a position, and how to fix it.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::BYTE_ORDER_MARK;
use crate::model::text_enum;

text_enum! {
    /// The kind of a problem.
    pub enum DiagnosticCode {
        /// The file cannot be opened or read.
        UnreadableFile,
        /// The file is not UTF-8.
        NotUtf8,
        /// The file is not valid YAML.
        Syntax,
        /// The file, or a part of it, is empty.
        EmptyFile,
        /// A key that does not exist.
        UnknownKey,
        /// A key that appears twice.
        DuplicateKey,
        /// A required key is missing.
        MissingKey,
        /// A value of the wrong type.
        WrongType,
        /// An unsupported version of the format.
        UnsupportedVersion,
        /// A number out of range.
        NumberOutOfRange,
        /// A list without entries.
        EmptyList,
        /// Text that is only white space.
        EmptyText,
        /// A rule that does not exist.
        UnknownRule,
        /// A rule in `remediation.rules` whose findings cannot be remediated.
        RuleWithoutRemediation,
        /// A level that does not exist.
        UnknownLevel,
        /// `expired-user` without an `expiry_tag`.
        ExpiryTagMissing,
        /// `delete_users` without `delete_after_days`.
        DeletionWithoutDays,
        /// An invalid path of IAM users.
        InvalidPath,
        /// Both `user` and `pattern`.
        UserAndPattern,
        /// Neither `user` nor `pattern`.
        NoUser,
        /// An invalid IAM user name.
        InvalidUserName,
        /// A pattern with characters that are not allowed in user names.
        InvalidPattern,
        /// A pattern with fewer than three literal characters.
        PatternTooBroad,
        /// An invalid account id.
        InvalidAccount,
        /// An account that `former_accounts` lists twice.
        DuplicateAccount,
        /// An audited account that `former_accounts` lists.
        FormerAccountAudited,
        /// An invalid unique id.
        InvalidUserId,
        /// A full access key id.
        FullAccessKeyId,
        /// A credential that does not exist.
        UnknownCredential,
        /// An invalid date.
        InvalidDate,
        /// An expiry date too far in the future.
        ExpiresTooFar,
        /// An exemption for a credential that an earlier exemption covers.
        DuplicateExemption,
        /// An expired exemption.
        ExemptionExpired,
        /// An exemption that expires soon.
        ExemptionExpiresSoon,
    }
}

/// The severity of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file is rejected.
    Error,
    /// The file is valid, but someone should know about this.
    Notice,
}

/// One problem of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: DiagnosticCode,
    pub severity: Severity,
    /// The message.
    pub message: String,
    /// The position, in bytes.
    pub span: Range<usize>,
    /// The label at the position.
    pub label: String,
    /// A second position and its label.
    pub related: Option<(Range<usize>, String)>,
    /// How to fix it.
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

/// The longest excerpt of the file in a message, in characters.
const MAX_SHOWN: usize = 72;

/// An excerpt of the file, of limited length.
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

/// A message in one line, without control characters or workflow commands: it may contain text from
/// the file.
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

/// Renders a diagnostic like rustc. `source` is the file's text, `path` its name.
///
/// The text ends with a line feed. With `color`, it has ANSI colors.
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
    // A file that cannot be read has no line to show.
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

/// The span, limited to the source and to whole characters, so that rendering cannot fail.
fn clamp_span(source: &str, span: &Range<usize>) -> Range<usize> {
    let start = source.floor_char_boundary(span.start.min(source.len()));
    let end = source.ceil_char_boundary(span.end.clamp(start, source.len()));
    start..end
}
