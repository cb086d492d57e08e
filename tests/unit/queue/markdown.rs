//! A page as GitHub renders it.

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, Options, parse_document};

/// The content of a page.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Rendered {
    /// Text outside of code.
    pub(crate) text: String,
    pub(crate) code: Vec<String>,
    pub(crate) links: Vec<String>,
    pub(crate) html: Vec<String>,
    /// Whether each box is checked.
    pub(crate) boxes: Vec<bool>,
    pub(crate) items: usize,
    pub(crate) struck: usize,
    pub(crate) headings: usize,
    pub(crate) tables: usize,
}

pub(crate) fn rendered(page: &str) -> Rendered {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.alerts = true;
    let arena = Arena::new();
    let mut found = Rendered::default();
    collect(parse_document(&arena, page, &options), &mut found);
    found
}

fn collect<'a>(node: &'a AstNode<'a>, found: &mut Rendered) {
    match &node.data.borrow().value {
        NodeValue::Text(text) => found.text.push_str(text),
        NodeValue::SoftBreak | NodeValue::LineBreak => found.text.push('\n'),
        NodeValue::Code(code) => {
            found.code.push(code.literal.clone());
            found.text.push('`');
        }
        NodeValue::Link(link) => found.links.push(link.url.clone()),
        NodeValue::Image(_) => panic!("a picture came out of the data"),
        NodeValue::HtmlBlock(html) => found.html.push(html.literal.trim().to_owned()),
        NodeValue::HtmlInline(html) => found.html.push(html.clone()),
        NodeValue::TaskItem(item) => found.boxes.push(item.symbol.is_some()),
        NodeValue::Item(_) => found.items += 1,
        NodeValue::Strikethrough => found.struck += 1,
        NodeValue::Heading(_) => found.headings += 1,
        NodeValue::Table(_) => found.tables += 1,
        _ => {}
    }
    for child in node.children() {
        collect(child, found);
    }
    let is_block = node.data.borrow().value.block();
    if is_block {
        found.text.push('\n');
    }
}
