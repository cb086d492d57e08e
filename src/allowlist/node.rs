//! The YAML file as a tree in which every key and value knows its place.
//!
//! Nothing is rejected here that the YAML grammar allows, so that all that is wrong with a file can
//! be reported at once.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Spanned};

/// A value of the file.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// `null`, `~` or nothing.
    Null,
    /// Text, quoted or plain.
    Text(String),
    /// A number or a boolean, which plain text turned into.
    Other,
    /// A list.
    List(Vec<Placed<Node>>),
    /// A mapping, repeated keys included.
    Mapping(Vec<(Placed<String>, Placed<Node>)>),
}

impl Node {
    /// What it is, for "expected …, found …".
    pub(super) const fn describe(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Text(_) => "text",
            Self::Other => "a number or a boolean",
            Self::List(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }
}

/// Something and its place: a byte range of the file.
#[derive(Debug, Clone)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// Why the text is no YAML document, and where.
pub(super) struct SyntaxError {
    pub(super) message: String,
    pub(super) span: Range<usize>,
}

/// Parses one YAML document.
pub(super) fn parse(text: &str) -> Result<Placed<Node>, SyntaxError> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options)
        .map(|node: Spanned<Node>| node.into())
        .map_err(|error| syntax_error(text, &error))
}

fn syntax_error(text: &str, error: &serde_saphyr::Error) -> SyntaxError {
    let message = error.without_snippet().render();
    let Some(location) = error.location() else { return SyntaxError { message, span: 0..0 } };
    // The place is shown by the snippet; the sentence need not repeat it.
    let place = format!(" at line {}, column {}", location.line(), location.column());
    let message = message.strip_suffix(&place).unwrap_or(&message).to_owned();
    SyntaxError { message, span: byte_at(text, location.line(), location.column()) }
}

/// The byte range of the character at a line and column, both from 1. The scanner's own errors
/// bear no byte offset.
fn byte_at(text: &str, line: u64, column: u64) -> Range<usize> {
    let before = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let line_start: usize = text.split_inclusive('\n').take(before(line)).map(str::len).sum();
    let rest = text.get(line_start..).unwrap_or_default();
    let start = rest
        .char_indices()
        .nth(before(column))
        .map_or(text.len(), |(offset, _)| line_start + offset);
    let width = text.get(start..).and_then(|tail| tail.chars().next()).map_or(0, char::len_utf8);
    start..start + width
}

fn span(location: Location) -> Range<usize> {
    let to_usize = |number: Option<u64>| usize::try_from(number.unwrap_or(0)).unwrap_or(0);
    let start = to_usize(location.span().byte_offset());
    start..start + to_usize(location.span().byte_len())
}

impl<T> From<Spanned<T>> for Placed<T> {
    fn from(spanned: Spanned<T>) -> Self {
        Self { span: span(spanned.referenced), value: spanned.value }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Node>>()? {
            list.push(item.into());
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut mapping = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let value = entries.next_value::<Spanned<Node>>()?;
            mapping.push((key.into(), value.into()));
        }
        Ok(Node::Mapping(mapping))
    }
}
