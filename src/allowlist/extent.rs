//! Which bytes of the file stand for a value: the parser knows where a value begins, people want to
//! see what is meant.

use std::ops::Range;

use super::node::{Node, Placed};

/// Sets the spans of the tree to what is worth underlining: never more than one line, a list or
/// mapping as far as its first entry reaches, and for a value that is not there its key.
pub(super) fn measure(node: &mut Placed<Node>, source: &str) {
    match &mut node.value {
        Node::Mapping(entries) => {
            for (key, value) in entries.iter_mut() {
                key.span = first_line(source, &key.span);
                measure(value, source);
                if is_invisible(value, source) {
                    value.span = key.span.clone();
                }
            }
            let first = entries.first().map(|(key, value)| (&key.span, &value.span));
            let last = entries.last().map(|(_, value)| &value.span);
            node.span = collection(source, &node.span, first, last);
        }
        Node::List(items) => {
            for item in items.iter_mut() {
                measure(item, source);
                if is_invisible(item, source) {
                    // The parser's place is the one behind the dash.
                    let dash = item.span.start.saturating_sub(1);
                    item.span = dash..item.span.start;
                }
            }
            let first = items.first().map(|item| (&item.span, &item.span));
            let last = items.last().map(|item| &item.span);
            node.span = collection(source, &node.span, first, last);
        }
        _ => node.span = first_line(source, &node.span),
    }
}

/// Whether nothing was written where the value belongs: `reason:`, or a `|` without lines.
fn is_invisible(node: &Placed<Node>, source: &str) -> bool {
    let written = source.get(node.span.clone()).unwrap_or_default();
    match &node.value {
        Node::Null => !(written == "~" || written == "*" || written.len() > 1),
        Node::Text(text) if text.trim().is_empty() => !written.starts_with(['"', '\'', '*', '!']),
        _ => false,
    }
}

/// The part of the span that stands on its first line, without white space at the end.
fn first_line(source: &str, span: &Range<usize>) -> Range<usize> {
    let text = source.get(span.clone()).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default().trim_end();
    span.start..span.start + line.len()
}

/// The span of a list or mapping whose entries have been measured.
fn collection(
    source: &str,
    span: &Range<usize>,
    first: Option<(&Range<usize>, &Range<usize>)>,
    last: Option<&Range<usize>>,
) -> Range<usize> {
    let line = first_line(source, &(span.start..source.len()));
    let on_line = |end: usize| (line.start..=line.end).contains(&end);
    let close = match source.get(span.clone()).unwrap_or_default().chars().next() {
        Some('[') => ']',
        Some('{') => '}',
        Some('*') => return first_line(source, span),
        _ => {
            // Block style: the first entry, as far as it stands on the line.
            let end = first.and_then(|(key, value)| {
                [value.end, key.end].into_iter().find(|end| on_line(*end))
            });
            return span.start..end.unwrap_or(span.end.min(line.end)).max(span.start);
        }
    };
    let behind = last.map_or(span.start + 1, |last| last.end);
    let rest = source.get(behind..line.end).unwrap_or_default();
    match rest.find(close) {
        Some(at) if on_line(behind) => span.start..behind + at + close.len_utf8(),
        _ => line,
    }
}
