//! Reads Markdown as GitHub does, for what foreign text has come to in it.

use std::collections::BTreeSet;

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, Options, parse_document};

/// The text of a document that stands outside code, its links, its raw HTML, and what it is made of.
#[derive(Default)]
pub(crate) struct Exposed {
    pub(crate) text: String,
    pub(crate) links: Vec<String>,
    pub(crate) html: String,
    pub(crate) code: Vec<String>,
    /// The boxes of its task lists, and whether they are ticked.
    pub(crate) boxes: Vec<bool>,
    /// How many cells each row of each table has, beside how many it should have.
    pub(crate) rows: Vec<(usize, usize)>,
}

impl Exposed {
    /// The names of the HTML elements.
    pub(crate) fn tags(&self) -> BTreeSet<&str> {
        let tags = self.html.split('<').skip(1).filter(|rest| !rest.starts_with('!'));
        tags.map(|rest| rest.split(['>', ' ']).next().unwrap()).collect()
    }

    /// The comments of the HTML, without their ends.
    pub(crate) fn comments(&self) -> Vec<&str> {
        let comments = self.html.split("<!--").skip(1);
        comments.map(|rest| rest.split_once("-->").unwrap().0.trim()).collect()
    }
}

/// What a document exposes.
pub(crate) fn exposed(document: &str) -> Exposed {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    let arena = Arena::new();
    let mut found = Exposed::default();
    gather(parse_document(&arena, document, &options), &mut found);
    found
}

fn gather<'a>(node: &'a AstNode<'a>, found: &mut Exposed) {
    match &node.data.borrow().value {
        NodeValue::Text(text) => {
            found.text.push_str(text);
            found.text.push('\n');
        }
        NodeValue::Code(code) => found.code.push(code.literal.clone()),
        NodeValue::Link(link) => found.links.push(link.url.clone()),
        NodeValue::Image(_) => panic!("a picture came out of the data"),
        NodeValue::HtmlBlock(html) => found.html.push_str(&html.literal),
        NodeValue::HtmlInline(html) => found.html.push_str(html),
        NodeValue::TaskItem(item) => found.boxes.push(item.symbol.is_some()),
        NodeValue::Table(table) => {
            let rows = node.children().map(|row| (row.children().count(), table.num_columns));
            found.rows.extend(rows);
        }
        _ => {}
    }
    for child in node.children() {
        gather(child, found);
    }
}
