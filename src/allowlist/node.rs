//! The YAML file as a tree in which every key and value knows its position.
//!
//! Everything that is valid YAML is accepted here, so that all problems of a file can be reported
//! at once.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Spanned};

use super::diagnostic::Diagnostic;
use super::syntax::{self, MAX_DEPTH};

/// A value of the file.
#[derive(Debug, Clone)]
pub(super) enum YamlNode {
    /// `null`, `~` or nothing.
    Null,
    /// Text, quoted or plain.
    Text(String),
    /// A whole number, limited to the range of the type.
    Integer(i64),
    /// Any other number.
    Fraction,
    /// Plain `true` or `false`.
    Boolean(bool),
    /// Binary data (`!!binary`).
    Binary,
    /// A list.
    List(Vec<Located<YamlNode>>),
    /// A mapping, repeated keys included.
    Mapping(Vec<(Located<String>, Located<YamlNode>)>),
}

impl YamlNode {
    /// Its name in messages.
    pub(super) const fn describe(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Text(_) => "text",
            Self::Integer(_) => "a number",
            Self::Fraction => "a fraction",
            Self::Boolean(_) => "a boolean",
            Self::Binary => "binary data",
            Self::List(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }
}

/// A value and its position.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) value: T,
    /// The position to show, in bytes; for an alias, where it is used.
    pub(super) span: Range<usize>,
    /// The position of the content, in bytes; for an alias, at its anchor.
    pub(super) origin: Range<usize>,
}

impl<T> Located<T> {
    /// Another value at the same position.
    pub(super) fn with<U>(&self, value: U) -> Located<U> {
        Located { value, span: self.span.clone(), origin: self.origin.clone() }
    }
}

/// Parses one YAML document.
pub(super) fn parse(text: &str) -> Result<Located<YamlNode>, Box<Diagnostic>> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // The parser's merging would hide repeated keys.
        merge_keys: MergeKeyPolicy::AsOrdinary,
        // As in YAML 1.2 and in editors: `off` is a level, and `no` can be a user name.
        strict_booleans: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options)
        .map(|node: Spanned<YamlNode>| {
            let mut root = node.into();
            set_display_spans(&mut root, text);
            root
        })
        .map_err(|error| Box::new(syntax::problem(text, &error)))
}

fn span(location: Location) -> Range<usize> {
    let to_usize = |number: Option<u64>| usize::try_from(number.unwrap_or(0)).unwrap_or(0);
    let start = to_usize(location.span().byte_offset());
    start..start + to_usize(location.span().byte_len())
}

impl<T> From<Spanned<T>> for Located<T> {
    fn from(spanned: Spanned<T>) -> Self {
        let (span, origin) = (span(spanned.referenced), span(spanned.defined));
        Self { value: spanned.value, span, origin }
    }
}

impl<'de> Deserialize<'de> for YamlNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlNodeVisitor)
    }
}

struct YamlNodeVisitor;

impl<'de> Visitor<'de> for YamlNodeVisitor {
    type Value = YamlNode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<YamlNode, E> {
        Ok(YamlNode::Null)
    }

    fn visit_none<E>(self) -> Result<YamlNode, E> {
        Ok(YamlNode::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<YamlNode, D::Error> {
        YamlNode::deserialize(deserializer)
    }

    fn visit_str<E>(self, text: &str) -> Result<YamlNode, E> {
        Ok(YamlNode::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<YamlNode, E> {
        Ok(YamlNode::Boolean(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<YamlNode, E> {
        Ok(YamlNode::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<YamlNode, E> {
        Ok(YamlNode::Integer(number.try_into().unwrap_or(i64::MAX)))
    }

    fn visit_i128<E>(self, number: i128) -> Result<YamlNode, E> {
        let limit = if number < 0 { i64::MIN } else { i64::MAX };
        Ok(YamlNode::Integer(number.try_into().unwrap_or(limit)))
    }

    fn visit_u128<E>(self, number: u128) -> Result<YamlNode, E> {
        Ok(YamlNode::Integer(number.try_into().unwrap_or(i64::MAX)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<YamlNode, E> {
        // JSON Schema accepts 90.0 as an integer. The cast limits it to the range of the type.
        Ok(if number.fract() == 0.0 {
            YamlNode::Integer(number as i64)
        } else {
            YamlNode::Fraction
        })
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<YamlNode, E> {
        Ok(YamlNode::Binary)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<YamlNode, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<YamlNode>>()? {
            list.push(item.into());
        }
        Ok(YamlNode::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<YamlNode, A::Error> {
        let mut mapping = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let value = entries.next_value::<Spanned<YamlNode>>()?;
            mapping.push((key.into(), value.into()));
        }
        Ok(YamlNode::Mapping(mapping))
    }
}

/// Sets the spans to underline: at most one line, for a list or mapping up to its first entry, and
/// for a missing value its key.
fn set_display_spans(node: &mut Located<YamlNode>, source: &str) {
    match &mut node.value {
        YamlNode::Mapping(entries) => {
            for (key, value) in entries.iter_mut() {
                key.span = first_line(source, &key.span);
                set_display_spans(value, source);
                if is_invisible(value, source) {
                    value.span = key.span.clone();
                }
            }
            let first = entries.first().map(|(key, value)| (&key.span, &value.span));
            let last = entries.last().map(|(_, value)| &value.span);
            node.span = collection(source, &node.span, first, last);
        }
        YamlNode::List(items) => {
            for item in items.iter_mut() {
                set_display_spans(item, source);
                if is_invisible(item, source) {
                    // The parser's position is after the dash.
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

/// Whether the value is missing: `reason:`, or `|` without lines.
fn is_invisible(node: &Located<YamlNode>, source: &str) -> bool {
    let written = source.get(node.span.clone()).unwrap_or_default();
    match &node.value {
        YamlNode::Null => !(written == "~" || written == "*" || written.len() > 1),
        YamlNode::Text(text) if text.trim().is_empty() => {
            !written.starts_with(['"', '\'', '*', '!'])
        }
        _ => false,
    }
}

/// The part of the span on its first line, without trailing white space.
fn first_line(source: &str, span: &Range<usize>) -> Range<usize> {
    let text = source.get(span.clone()).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default().trim_end();
    span.start..span.start + line.len()
}

/// The span of a list or mapping whose entries have their spans.
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
            // Block style: the first entry, as far as it is on the same line.
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
