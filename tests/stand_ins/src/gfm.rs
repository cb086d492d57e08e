//! Reads Markdown as GitHub does, to see what untrusted text became.

use std::collections::BTreeSet;

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, Options, parse_document};

/// The text of a document outside code, its links, its raw HTML, and its structure.
#[derive(Default)]
pub struct Exposed {
    pub text: String,
    pub links: Vec<String>,
    pub html: String,
    pub code: Vec<String>,
    /// The checkboxes of its task lists, and whether they are selected.
    pub boxes: Vec<bool>,
    /// The number of cells in each table row, and the expected number.
    pub rows: Vec<(usize, usize)>,
}

impl Exposed {
    /// The names of the HTML elements.
    pub fn tags(&self) -> BTreeSet<&str> {
        let tags = self.html.split('<').skip(1).filter(|rest| !rest.starts_with('!'));
        tags.map(|rest| rest.split(['>', ' ']).next().unwrap()).collect()
    }

    /// The HTML comments, without their ends.
    pub fn comments(&self) -> Vec<&str> {
        let comments = self.html.split("<!--").skip(1);
        comments.map(|rest| rest.split_once("-->").unwrap().0.trim()).collect()
    }
}

/// GitHub's extensions, except alerts.
fn options<'o>() -> Options<'o> {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options
}

/// Asserts that the pages, the same page in several languages, have the same blocks.
#[track_caller]
pub fn assert_same_outline(pages: &[String]) {
    for pair in pages.windows(2) {
        assert_eq!(outline(&pair[0]), outline(&pair[1]), "all languages have the same blocks");
    }
}

/// The blocks of a page in order; blocks in lists and quotes are indented. Panics if Markdown is
/// shown literally: inside HTML, or where it was not parsed as intended.
#[track_caller]
pub fn outline(page: &str) -> Vec<String> {
    let mut options = options();
    options.extension.alerts = true;
    let arena = Arena::new();
    let root = parse_document(&arena, page, &options);
    let mut shown = Vec::new();
    for node in root.descendants() {
        match &node.data.borrow().value {
            NodeValue::Text(text) => shown.extend(literal_markup(text)),
            NodeValue::HtmlBlock(html) => {
                shown.extend(literal_markup(&without_tags(&html.literal)));
            }
            _ => {}
        }
    }
    assert!(shown.is_empty(), "Markdown markup is visible as text: {shown:#?}\n\n{page}");
    let mut blocks = Vec::new();
    for node in root.children() {
        list_blocks(node, 0, &mut blocks);
    }
    blocks
}

/// Markdown syntax that no template shows as text.
const MARKS: [&str; 6] = ["`", "**", "~~", "](", "[!", "| --"];

/// The text, if it shows Markdown syntax.
fn literal_markup(text: &str) -> Option<String> {
    MARKS.iter().any(|mark| text.contains(mark)).then(|| text.to_owned())
}

/// The visible text of HTML.
fn without_tags(html: &str) -> String {
    let mut shown = String::new();
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        shown.push_str(text);
        let end = if tag.starts_with("!--") { "-->" } else { ">" };
        rest = tag.split_once(end).map_or("", |(_, rest)| rest);
    }
    shown + rest
}

fn list_blocks<'a>(node: &'a AstNode<'a>, depth: usize, blocks: &mut Vec<String>) {
    let (kind, has_blocks) = match &node.data.borrow().value {
        NodeValue::Paragraph => ("paragraph".to_owned(), false),
        NodeValue::Heading(heading) => (format!("heading {}", heading.level), false),
        NodeValue::BlockQuote => ("quote".to_owned(), true),
        NodeValue::Alert(alert) => (format!("alert {:?}", alert.alert_type).to_lowercase(), true),
        NodeValue::List(_) => ("list".to_owned(), true),
        NodeValue::Item(_) | NodeValue::TaskItem(_) => ("item".to_owned(), true),
        NodeValue::CodeBlock(code) => (format!("code {}", code.info), false),
        NodeValue::HtmlBlock(html) => {
            let tags = html.literal.split('<').skip(1).map(|tag| tag.split(['>', ' ']).next());
            let tags: Vec<_> = tags.map(Option::unwrap_or_default).collect();
            (format!("html {}", tags.join(" ")), false)
        }
        NodeValue::Table(table) => (format!("table {}", table.num_columns), false),
        NodeValue::ThematicBreak => ("rule".to_owned(), false),
        other => (format!("{other:?}"), false),
    };
    blocks.push(format!("{}{kind}", "  ".repeat(depth)));
    if has_blocks {
        for child in node.children() {
            list_blocks(child, depth + 1, blocks);
        }
    }
}

/// Parses a document.
pub fn exposed(document: &str) -> Exposed {
    let options = options();
    let arena = Arena::new();
    let mut found = Exposed::default();
    collect(parse_document(&arena, document, &options), &mut found);
    found
}

fn collect<'a>(node: &'a AstNode<'a>, found: &mut Exposed) {
    match &node.data.borrow().value {
        NodeValue::Text(text) => {
            found.text.push_str(text);
            found.text.push('\n');
        }
        NodeValue::Code(code) => found.code.push(code.literal.clone()),
        NodeValue::Link(link) => found.links.push(link.url.clone()),
        NodeValue::Image(_) => panic!("the data produced an image"),
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
        collect(child, found);
    }
}
