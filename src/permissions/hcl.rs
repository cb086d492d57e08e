//! Writing HCL the way `terraform fmt` lays it out.

use super::PolicyNode;

/// What stands in a body, in its order.
pub(super) enum HclItem {
    /// `name = value`
    Attribute(&'static str, HclValue),
    /// `header { … }`
    Block(String, Vec<HclItem>),
    /// `# text`, of one or more lines.
    Comment(String),
    /// An empty line.
    Blank,
}

/// What an attribute is set to.
pub(super) enum HclValue {
    /// A part of a document.
    PolicyNode(PolicyNode),
    /// A document as the text of its JSON.
    Json(PolicyNode),
}

impl From<PolicyNode> for HclValue {
    fn from(node: PolicyNode) -> Self {
        Self::PolicyNode(node)
    }
}

/// The text of a body: the whole of a file, or the inside of a block.
pub(super) fn body(items: &[HclItem]) -> String {
    let mut lines = HclWriter::default();
    for item in items {
        match item {
            HclItem::Attribute(name, HclValue::PolicyNode(node)) => lines.entry(name, &value(node)),
            HclItem::Attribute(name, HclValue::Json(node)) => {
                lines.entry(name, &format!("jsonencode({})", value(node)));
            }
            HclItem::Block(header, items) => {
                lines.plain(&format!("{header} {{\n{}}}", indented(&body(items))));
            }
            HclItem::Comment(text) => {
                let commented: Vec<_> = text.lines().map(|line| format!("# {line}")).collect();
                lines.plain(&commented.join("\n"));
            }
            HclItem::Blank => lines.plain(""),
        }
    }
    lines.finish()
}

fn value(node: &PolicyNode) -> String {
    match node {
        PolicyNode::Text(text) => quoted(text),
        PolicyNode::Expression(expression) => expression.clone(),
        PolicyNode::List(items) => match items.as_slice() {
            [] => "[]".to_owned(),
            [only @ (PolicyNode::Text(_) | PolicyNode::Expression(_))] => {
                format!("[{}]", value(only))
            }
            items => {
                let items: String =
                    items.iter().map(|item| format!("{},\n", value(item))).collect();
                format!("[\n{}]", indented(&items))
            }
        },
        PolicyNode::Object(entries) => {
            let mut lines = HclWriter::default();
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
struct HclWriter {
    text: String,
    /// Entries that wait for their column.
    run: Vec<(String, String)>,
}

impl HclWriter {
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
    fn literal_escapes_template_syntax() {
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
        fn every_literal_round_trips(text in r#"[ -~\n\t\u{80}-\u{ff}]{0,20}|[$%{}"\\a]{0,12}"#) {
            prop_assert_eq!(read(&quoted(&text)), hcl::Value::from(text));
        }
    }

    #[test]
    fn equals_signs_are_aligned_within_a_group() {
        let text = |name, text: &str| HclItem::Attribute(name, PolicyNode::text(text).into());
        let object =
            PolicyNode::object([("b:c", PolicyNode::text("1")), ("d", PolicyNode::texts(["2"]))]);
        let items = [
            text("a", "1"),
            text("long", "2"),
            HclItem::Attribute("list", PolicyNode::texts(["3", "4"]).into()),
            text("after", "5"),
            HclItem::Blank,
            HclItem::Comment("first\nsecond".to_owned()),
            HclItem::Block(
                "block".to_owned(),
                vec![
                    HclItem::Attribute("json", HclValue::Json(object)),
                    HclItem::Blank,
                    text("z", "6"),
                ],
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
