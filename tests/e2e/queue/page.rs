//! The structure of a page as GitHub renders it.

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, Options, parse_document};

/// The content of a page.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Rendered {
    /// For each box, whether it is checked, and the name in its line.
    pub(crate) boxes: Vec<(bool, String)>,
    /// The names in struck text.
    pub(crate) struck: Vec<String>,
    /// Headings.
    pub(crate) headings: Vec<String>,
    /// HTML except comments.
    pub(crate) html: Vec<String>,
    /// HTML comments, which are not visible.
    pub(crate) comments: Vec<String>,
    /// Links and images.
    pub(crate) links: Vec<String>,
    /// Text outside of code spans.
    pub(crate) text: String,
}

/// Renders a page as GitHub does.
pub(crate) fn rendered(page: &str) -> Rendered {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.tasklist = true;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    options.extension.alerts = true;
    let arena = Arena::new();
    let root = parse_document(&arena, page, &options);
    let mut found = Rendered::default();
    for node in root.descendants() {
        take(node, &mut found);
    }
    found
}

fn take<'a>(node: &'a AstNode<'a>, found: &mut Rendered) {
    match &node.data.borrow().value {
        NodeValue::TaskItem(item) => {
            found.boxes.push((item.symbol.is_some(), first_code(node)));
        }
        NodeValue::Strikethrough => found.struck.push(first_code(node)),
        NodeValue::Heading(_) => found.headings.push(text_of(node)),
        NodeValue::HtmlBlock(block) => html(&block.literal, found),
        NodeValue::HtmlInline(literal) => html(literal, found),
        NodeValue::Link(link) | NodeValue::Image(link) => found.links.push(link.url.clone()),
        NodeValue::Text(text) => {
            found.text.push_str(text);
            found.text.push('\n');
        }
        _ => {}
    }
}

fn html(literal: &str, found: &mut Rendered) {
    let literal = literal.trim();
    let list = if literal.starts_with("<!--") { &mut found.comments } else { &mut found.html };
    list.push(literal.to_owned());
}

/// The first code span below a node: the user's name.
fn first_code<'a>(node: &'a AstNode<'a>) -> String {
    let code = |node: &'a AstNode<'a>| match &node.data.borrow().value {
        NodeValue::Code(code) => Some(code.literal.clone()),
        _ => None,
    };
    node.descendants().find_map(code).unwrap_or_default()
}

fn text_of<'a>(node: &'a AstNode<'a>) -> String {
    let text = |node: &'a AstNode<'a>| match &node.data.borrow().value {
        NodeValue::Text(text) => Some(text.to_string()),
        _ => None,
    };
    node.descendants().filter_map(text).collect()
}
