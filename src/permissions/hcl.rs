//! Writing HCL the way `terraform fmt` lays it out.

use super::Node;

/// What stands in a body, in its order.
pub(super) enum Item {
    /// `name = value`
    Attribute(&'static str, Value),
    /// `header { … }`
    Block(String, Vec<Item>),
    /// `# text`, of one or more lines.
    Comment(String),
    /// An empty line.
    Blank,
}

/// What an attribute is set to.
pub(super) enum Value {
    /// A part of a document.
    Node(Node),
    /// A document as the text of its JSON.
    Json(Node),
}

impl From<Node> for Value {
    fn from(node: Node) -> Self {
        Self::Node(node)
    }
}

/// The text of a body: the whole of a file, or the inside of a block.
pub(super) fn body(items: &[Item]) -> String {
    let mut lines = Lines::default();
    for item in items {
        match item {
            Item::Attribute(name, Value::Node(node)) => lines.entry(name, &value(node)),
            Item::Attribute(name, Value::Json(node)) => {
                lines.entry(name, &format!("jsonencode({})", value(node)));
            }
            Item::Block(header, items) => {
                lines.plain(&format!("{header} {{\n{}}}", indented(&body(items))));
            }
            Item::Comment(text) => {
                let commented: Vec<_> = text.lines().map(|line| format!("# {line}")).collect();
                lines.plain(&commented.join("\n"));
            }
            Item::Blank => lines.plain(""),
        }
    }
    lines.finish()
}

fn value(node: &Node) -> String {
    match node {
        Node::Text(text) => quoted(text),
        Node::Expression(expression) => expression.clone(),
        Node::List(items) => match items.as_slice() {
            [] => "[]".to_owned(),
            [only @ (Node::Text(_) | Node::Expression(_))] => format!("[{}]", value(only)),
            items => {
                let items: String =
                    items.iter().map(|item| format!("{},\n", value(item))).collect();
                format!("[\n{}]", indented(&items))
            }
        },
        Node::Object(entries) => {
            let mut lines = Lines::default();
            for (key, node) in entries {
                lines.entry(&key_of(key), &value(node));
            }
            format!("{{\n{}}}", indented(&lines.finish()))
        }
    }
}

/// A key stands bare where it can.
fn key_of(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bare = key.bytes().all(plain) && key.starts_with(|first: char| first.is_ascii_alphabetic());
    if bare { key.to_owned() } else { quoted(key) }
}

/// The text as a literal in which nothing is a template (Terraform's language documentation,
/// "Strings and Templates").
pub(super) fn quoted(text: &str) -> String {
    let mut literal = String::from("\"");
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' | '\\' => literal.extend(['\\', character]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            // Behind a sign of its kind, a doubled sign would be read as that sign's double.
            '$' | '%' if characters.peek() == Some(&'{') && !literal.ends_with(character) => {
                literal.extend([character, character]);
            }
            '$' | '%' if characters.peek() == Some(&'{') => literal.push_str(&escaped(character)),
            control if control.is_control() => literal.push_str(&escaped(control)),
            plain => literal.push(plain),
        }
    }
    literal.push('"');
    literal
}

fn escaped(character: char) -> String {
    format!("\\u{:04x}", u32::from(character))
}

fn indented(text: &str) -> String {
    let indent = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") };
    text.lines().map(indent).collect()
}

/// Lines of a body. The signs of entries that follow each other on single lines stand in one
/// column.
#[derive(Default)]
struct Lines {
    text: String,
    /// Entries that wait for their column.
    run: Vec<(String, String)>,
}

impl Lines {
    fn entry(&mut self, key: &str, value: &str) {
        if value.contains('\n') {
            self.plain(&format!("{key} = {value}"));
        } else {
            self.run.push((key.to_owned(), value.to_owned()));
        }
    }

    fn plain(&mut self, text: &str) {
        self.align();
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn align(&mut self) {
        let width = self.run.iter().map(|(key, _)| key.chars().count()).max().unwrap_or_default();
        for (key, value) in self.run.drain(..) {
            self.text.push_str(&format!("{key:width$} = {value}\n"));
        }
    }

    fn finish(mut self) -> String {
        self.align();
        self.text
    }
}

#[cfg(test)]
mod tests {
    use hcl::eval::{Context, Evaluate as _};
    use proptest::prelude::*;

    use super::*;

    /// What Terraform makes of a literal.
    fn read(literal: &str) -> hcl::Value {
        let body: hcl::Body = hcl::parse(&format!("x = {literal}\n")).unwrap();
        let attribute = body.attributes().next().unwrap();
        attribute.expr().evaluate(&Context::new()).unwrap()
    }

    #[test]
    fn a_literal_holds_what_would_be_a_template() {
        for (text, literal) in [
            ("plain", r#""plain""#),
            ("${var.x}", r#""$${var.x}""#),
            ("%{ if true }", r#""%%{ if true }""#),
            ("$${x}", r#""$\u0024{x}""#),
            ("50% of $5", r#""50% of $5""#),
            ("say \"hi\"\\", r#""say \"hi\"\\""#),
            ("a\nb\tc\u{7}", r#""a\nb\tc\u0007""#),
        ] {
            assert_eq!(quoted(text), literal);
            assert_eq!(read(literal), hcl::Value::from(text));
        }
    }

    proptest! {
        #[test]
        fn every_text_is_read_back(text in r#"[ -~\n\t\u{80}-\u{ff}]{0,20}|[$%{}"\\a]{0,12}"#) {
            prop_assert_eq!(read(&quoted(&text)), hcl::Value::from(text));
        }
    }

    #[test]
    fn signs_of_neighbours_stand_in_one_column_and_longer_values_part_them() {
        let text = |name, text: &str| Item::Attribute(name, Node::text(text).into());
        let object = Node::object([("b:c", Node::text("1")), ("d", Node::texts(["2"]))]);
        let items = [
            text("a", "1"),
            text("long", "2"),
            Item::Attribute("list", Node::texts(["3", "4"]).into()),
            text("after", "5"),
            Item::Blank,
            Item::Comment("first\nsecond".to_owned()),
            Item::Block(
                "block".to_owned(),
                vec![Item::Attribute("json", Value::Json(object)), Item::Blank, text("z", "6")],
            ),
        ];
        let expected = r#"a    = "1"
long = "2"
list = [
  "3",
  "4",
]
after = "5"

# first
# second
block {
  json = jsonencode({
    "b:c" = "1"
    d     = ["2"]
  })

  z = "6"
}
"#;
        assert_eq!(body(&items), expected);
    }
}
