//! Explains YAML syntax errors to the author of an allowlist.

use std::ops::Range;

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::granit_parser::ErrorKind;
use serde_saphyr::{Error, ExternalMessageSource};

use super::diagnostic::{Diagnostic, DiagnosticCode, excerpt, shown};

/// The format has four levels. The parser is recursive, so a file of brackets would exhaust the
/// stack before the parser's own limit.
pub(super) const MAX_DEPTH: usize = 16;

const GENERAL_HELP: &str = "compare this line with the example in the documentation; text with \
                              special characters goes in quotes";

/// The diagnostic for a parser error.
pub(super) fn problem(source: &str, error: &Error) -> Diagnostic {
    let span = place(source, error);
    let mut error = error;
    while let Error::AliasError { error: inner, .. } | Error::WithSnippet { error: inner, .. } =
        error
    {
        error = inner;
    }
    match error {
        Error::ExternalMessage { source: origin, .. } => match origin.as_ref() {
            ExternalMessageSource::Parser(scan) => scan_problem(source, span, scan.kind()),
            _ => other(span, error),
        },
        Error::MultipleDocuments { .. } => second_document(source, &span),
        Error::UnknownAnchor { .. } => unknown_alias(source, &span),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => syntax(
            span,
            format!("the file is nested more than {MAX_DEPTH} levels deep"),
            "too deep",
            "an allowlist needs four levels: remove the brackets or the indentation",
        ),
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => syntax(
            span,
            "the file is too large when its aliases are expanded",
            "exceeds the limit here",
            "use fewer aliases, or one pattern for many users",
        ),
        Error::RecursiveReferencesRequireWeakTypes { .. } => syntax(
            span,
            "an alias is used inside its own value",
            "refers to itself",
            "move the alias out of the value, or write the value out",
        ),
        // The only requirement beyond the grammar is that keys are text.
        Error::Unexpected { .. } | Error::NullIntoString { .. } => syntax(
            span,
            "a key must be text",
            "this is not text",
            "write a name, such as `version`",
        ),
        _ => other(span, error),
    }
}

fn syntax(
    span: Range<usize>,
    message: impl Into<String>,
    label: impl Into<String>,
    help: impl Into<String>,
) -> Diagnostic {
    Diagnostic::error(DiagnosticCode::Syntax, span, message).label(label).help(help)
}

fn other(span: Range<usize>, error: &Error) -> Diagnostic {
    let message = error.render();
    // The snippet shows the position, so the message does not repeat it.
    let message = message.split(" at line ").next().unwrap_or_default();
    let message = format!("the file is not valid YAML: {message}");
    syntax(span, message, "the error is here", GENERAL_HELP)
}

/// The cause of a scanner error at `span`.
fn scan_problem(source: &str, span: Range<usize>, kind: &ErrorKind) -> Diagnostic {
    use ErrorKind as K;
    match kind {
        K::TabNotAllowed
        | K::TabInBlockIndentation
        | K::TabInPlainScalar
        | K::TabInIndentation
        | K::TabAtBlockScalarStart => tab(source, span),
        K::UnexpectedCharacter { character } => {
            let text = excerpt(word(source, span.start));
            let character = match character {
                '`' => "a backtick".to_owned(),
                other => shown(&other.to_string()),
            };
            syntax(
                span,
                format!("plain text cannot start with {character}"),
                "needs quotes",
                format!("put the text in quotes: \"{text}\""),
            )
        }
        K::UnclosedQuotedScalar => syntax(
            span,
            "quoted text has no closing quotation mark",
            "opened here",
            "close it with the same quotation mark",
        ),
        K::InvalidTrailingDoubleQuotedScalar | K::InvalidTrailingSingleQuotedScalar
            if follows_opening_quote(source, span.start) =>
        {
            syntax(
                span.start.saturating_sub(1)..span.start,
                "a quotation mark that should start text ends it",
                "ends text from an earlier line",
                "close the quoted text of the earlier line with the same quotation mark",
            )
        }
        K::InvalidTrailingDoubleQuotedScalar | K::InvalidTrailingSingleQuotedScalar => syntax(
            span,
            "text continues after the closing quotation mark",
            "outside the quotation marks",
            "put all of it in quotes; write a quotation mark inside the text as \\\" or, in single quotes, \
             doubled",
        ),
        K::UnknownQuotedScalarEscape | K::InvalidQuotedScalarHexEscape => syntax(
            span,
            "a backslash in double quotes starts an invalid escape sequence",
            "in this text",
            "write two backslashes, or use single quotes",
        ),
        _ => match open_bracket(source, span.start) {
            Some(open) => unclosed(source, span, open),
            None => block_problem(source, span, kind),
        },
    }
}

/// The cause outside of brackets: usually a colon, or the indentation.
fn block_problem(source: &str, span: Range<usize>, kind: &ErrorKind) -> Diagnostic {
    use ErrorKind as K;
    let before = source.get(line_start(source, span.start)..span.start).unwrap_or_default();
    match kind {
        K::MappingValueNotAllowed | K::InvalidColonPlacement if before.contains(": ") => syntax(
            span,
            "plain text cannot contain a colon followed by a space",
            "read as the end of a key",
            "put the whole text in quotes",
        ),
        K::MappingValueNotAllowed
        | K::InvalidColonPlacement
        | K::MappingKeyNotAllowed
        | K::ExpectedBlockMappingKey
        | K::ExpectedBlockSequenceEntry
        | K::InvalidIndentation
        | K::BlockSequenceEntryNotAllowed
        | K::SimpleKeyExpected
        | K::InvalidSimpleKey => syntax(
            span,
            "the indentation is inconsistent",
            "does not match the lines before",
            "keys that belong together are indented alike and end with a colon; every exemption \
             begins with `- `",
        ),
        _ => syntax(
            span,
            format!("the file is not valid YAML: {kind}"),
            "the error is here",
            GENERAL_HELP,
        ),
    }
}

fn tab(source: &str, span: Range<usize>) -> Diagnostic {
    let from = line_start(source, span.start);
    let at = source.get(from..).unwrap_or_default().find('\t').map_or(span.start, |at| from + at);
    syntax(
        at..at + 1,
        "YAML is indented with spaces, not tabs",
        "a tab",
        "replace each tab with spaces",
    )
}

fn unclosed(source: &str, span: Range<usize>, open: usize) -> Diagnostic {
    let bracket = source.get(open..).and_then(|rest| rest.chars().next()).unwrap_or('[');
    let close = if bracket == '[' { ']' } else { '}' };
    syntax(
        open..open + 1,
        format!("the bracket `{bracket}` is not closed properly"),
        "opened here",
        format!("close it with `{close}`, and put commas between the entries"),
    )
    .related(span, "the error is here")
}

fn second_document(source: &str, span: &Range<usize>) -> Diagnostic {
    let marker = source
        .get(..span.end)
        .unwrap_or_default()
        .match_indices("---")
        .filter(|(at, _)| line_start(source, *at) == *at)
        .last()
        .map_or_else(|| span.clone(), |(at, marker)| at..at + marker.len());
    syntax(
        marker,
        "the file has more than one YAML document",
        "another document starts here",
        "remove this line, and combine both documents",
    )
}

fn unknown_alias(source: &str, span: &Range<usize>) -> Diagnostic {
    let alias = word(source, span.start);
    let name = alias.strip_prefix('*').unwrap_or(alias);
    syntax(
        span.start..span.start + alias.len(),
        format!("{} refers to an anchor that does not exist", shown(alias)),
        format!("no {} before this", shown(&format!("&{name}"))),
        format!("if the text itself starts with `*`, put it in quotes: \"{}\"", excerpt(alias)),
    )
}

/// The position of the error. The scanner's own errors have no byte offset.
fn place(source: &str, error: &Error) -> Range<usize> {
    let Some(location) = error.location() else { return 0..0 };
    let before = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let lines = source.split_inclusive('\n').take(before(location.line()));
    let line_start: usize = lines.map(str::len).sum();
    let rest = source.get(line_start..).unwrap_or_default();
    let start = rest
        .char_indices()
        .nth(before(location.column()))
        .map_or(source.len(), |(offset, _)| line_start + offset);
    let width = source.get(start..).and_then(|tail| tail.chars().next()).map_or(0, char::len_utf8);
    start..start + width
}

/// Whether the quotation mark before a position was probably meant to start text.
fn follows_opening_quote(source: &str, at: usize) -> bool {
    let before = source.get(line_start(source, at)..at).unwrap_or_default();
    let Some(before) = before.strip_suffix(['"', '\'']) else { return false };
    before.ends_with([' ', '[', '{', ',']) && before.trim_end().ends_with([':', '-', '[', '{', ','])
}

fn line_start(source: &str, at: usize) -> usize {
    source.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1)
}

/// The plain text at a position: up to white space, or the end of an element within brackets.
fn word(source: &str, start: usize) -> &str {
    let rest = source.get(start..).unwrap_or_default();
    let end = rest.find(|c: char| c.is_whitespace() || c.is_control() || ",[]{}\"".contains(c));
    rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
}

/// The innermost bracket that is open before `end`, as far as that is possible without a parser.
fn open_bracket(source: &str, end: usize) -> Option<usize> {
    let mut open = Vec::new();
    let mut quote = None;
    let mut previous = '\n';
    let mut comment = false;
    for (at, c) in source.get(..end).unwrap_or_default().char_indices() {
        let begins_text = previous.is_whitespace() || "[{,".contains(previous);
        match (quote, c) {
            (_, '\n') => comment = false,
            _ if comment => {}
            (Some('"'), _) if previous == '\\' => {}
            (Some(mark), _) if c == mark => quote = None,
            (Some(_), _) => {}
            (None, '#') if previous.is_whitespace() => comment = true,
            (None, '"' | '\'') if begins_text => quote = Some(c),
            (None, '[' | '{') if begins_text => open.push(at),
            (None, ']' | '}') => drop(open.pop()),
            _ => {}
        }
        // An escaped backslash does not escape the next character.
        previous = if previous == '\\' && c == '\\' { ' ' } else { c };
    }
    open.last().copied()
}
