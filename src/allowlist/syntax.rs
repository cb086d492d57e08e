//! Why a text is no YAML, said so that the author of an allowlist can mend it.

use std::ops::Range;

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::granit_parser::ErrorKind;
use serde_saphyr::{Error, ExternalMessageSource};

use super::diagnostic::{Diagnostic, DiagnosticCode, excerpt, shown};

/// The format nests four deep. The parser recurses, so a file of nothing but brackets would
/// exhaust the stack long before the parser's own limit.
pub(super) const MAX_DEPTH: usize = 16;

const GENERAL_HELP: &str = "compare this line with the example in the documentation; text with \
                              special characters goes in quotes";

/// The diagnostic for an error of the parser.
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
            "one level too many",
            "an allowlist needs four levels: remove the brackets or the indentation",
        ),
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => syntax(
            span,
            "the file, with its aliases written out, is larger than an allowlist can be",
            "the limit is reached here",
            "use fewer aliases, and let one pattern stand for many users",
        ),
        Error::RecursiveReferencesRequireWeakTypes { .. } => syntax(
            span,
            "an alias stands within the very value that it stands for",
            "without end",
            "move the alias out of the value, or write the value out",
        ),
        // The only thing that is asked of the parser beyond the grammar is that a key be text.
        Error::Unexpected { .. } | Error::NullIntoString { .. } => {
            syntax(span, "a key must be text", "this is none", "write a name, such as `version`")
        }
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
    // The place is shown by the snippet; the sentence need not repeat it.
    let message = message.split(" at line ").next().unwrap_or_default();
    let message = format!("the file is no YAML: {message}");
    syntax(span, message, "cannot be read from here on", GENERAL_HELP)
}

/// What the scanner stumbled over at `span`.
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
                format!("plain text cannot begin with {character}"),
                "needs quotes",
                format!("put the text in quotes: \"{text}\""),
            )
        }
        K::UnclosedQuotedScalar => syntax(
            span,
            "a quoted text has no closing quote",
            "opened here",
            "close it with the same quote",
        ),
        K::InvalidTrailingDoubleQuotedScalar | K::InvalidTrailingSingleQuotedScalar
            if follows_opening_quote(source, span.start) =>
        {
            syntax(
                span.start.saturating_sub(1)..span.start,
                "a quote that should open a text closes one",
                "ends the text of a line before",
                "close the quoted text of the line before with the same quote",
            )
        }
        K::InvalidTrailingDoubleQuotedScalar | K::InvalidTrailingSingleQuotedScalar => syntax(
            span,
            "text goes on behind its closing quote",
            "not within the quotes",
            "put all of it in quotes; a quote within the text is written \\\" or, in single quotes, \
             doubled",
        ),
        K::UnknownQuotedScalarEscape | K::InvalidQuotedScalarHexEscape => syntax(
            span,
            "a backslash in double quotes begins no escape that YAML knows",
            "in this text",
            "write two backslashes for one, or use single quotes",
        ),
        _ => match open_bracket(source, span.start) {
            Some(open) => unclosed(source, span, open),
            None => block_problem(source, span, kind),
        },
    }
}

/// What is wrong outside of brackets: mostly a stray colon, or the indentation.
fn block_problem(source: &str, span: Range<usize>, kind: &ErrorKind) -> Diagnostic {
    use ErrorKind as K;
    let before = source.get(line_start(source, span.start)..span.start).unwrap_or_default();
    match kind {
        K::MappingValueNotAllowed | K::InvalidColonPlacement if before.contains(": ") => syntax(
            span,
            "plain text cannot have a colon with a space behind it",
            "taken for the end of a key",
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
            "the lines do not form a list or a mapping",
            "does not fit the lines before",
            "keys that belong together are indented alike and end with a colon; every exemption \
             begins with `- `",
        ),
        _ => syntax(
            span,
            format!("the file is no YAML: {kind}"),
            "cannot be read from here on",
            GENERAL_HELP,
        ),
    }
}

fn tab(source: &str, span: Range<usize>) -> Diagnostic {
    let from = line_start(source, span.start);
    let at = source.get(from..).unwrap_or_default().find('\t').map_or(span.start, |at| from + at);
    syntax(
        at..at + 1,
        "YAML is indented with spaces, not with tabs",
        "a tab",
        "replace every tab by spaces",
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
    .related(span, "nothing fits from here on")
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
        "the file holds more than one YAML document",
        "another document begins here",
        "keep one: remove this line, and join what both say",
    )
}

fn unknown_alias(source: &str, span: &Range<usize>) -> Diagnostic {
    let alias = word(source, span.start);
    let name = alias.strip_prefix('*').unwrap_or(alias);
    syntax(
        span.start..span.start + alias.len(),
        format!("{} refers to an anchor that is not there", shown(alias)),
        format!("no {} before this", shown(&format!("&{name}"))),
        format!("if the text itself begins with `*`, put it in quotes: \"{}\"", excerpt(alias)),
    )
}

/// Where the error is. The scanner's own errors bear no byte offset.
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

/// Whether the quote before a place looks as if it were to open a text.
fn follows_opening_quote(source: &str, at: usize) -> bool {
    let before = source.get(line_start(source, at)..at).unwrap_or_default();
    let Some(before) = before.strip_suffix(['"', '\'']) else { return false };
    before.ends_with([' ', '[', '{', ',']) && before.trim_end().ends_with([':', '-', '[', '{', ','])
}

fn line_start(source: &str, at: usize) -> usize {
    source.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1)
}

/// The plain text that begins at a place: up to white space or what ends it within brackets.
fn word(source: &str, start: usize) -> &str {
    let rest = source.get(start..).unwrap_or_default();
    let end = rest.find(|c: char| c.is_whitespace() || c.is_control() || ",[]{}\"".contains(c));
    rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
}

/// The innermost bracket that stands open before `end`, as far as brackets, quotes and comments can
/// be told without a parser.
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
        // An escaped backslash escapes nothing.
        previous = if previous == '\\' && c == '\\' { ' ' } else { c };
    }
    open.last().copied()
}
