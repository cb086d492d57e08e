//! The file as it is written: keys and types, before anything is made of the values.
//!
//! These types are the source of the JSON Schema and, through it, of the keys that are known.

use schemars::JsonSchema;
use schemars::transform::{Transform, transform_subschemas};

use super::diagnostic::{Code, Diagnostic};
use super::node::{Node, Placed};

/// The exemptions from the audit of IAM users, and the policy of the audit.
#[derive(Debug, Default, JsonSchema)]
#[schemars(title = "iam-stocktake allowlist", deny_unknown_fields)]
pub(super) struct RawAllowlist {
    /// The version of this format: 1.
    #[schemars(with = "u64", extend("const" = 1))]
    pub(super) version: Option<Placed<i64>>,
    /// What the audit judges by; a flag or input wins over it.
    #[schemars(with = "Option<RawPolicy>")]
    pub(super) policy: RawPolicy,
    /// Who may keep which credential, why, and until when.
    #[schemars(with = "Option<Vec<RawExemption>>")]
    pub(super) exemptions: Vec<RawExemption>,
}

/// What the audit judges by.
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawPolicy {
    /// Days without use after which a credential is stale (default 90).
    #[schemars(with = "Option<u32>", range(min = 1, max = 3650))]
    pub(super) stale_after_days: Option<Placed<i64>>,
    /// How many days ahead an exemption may reach (default 365).
    #[schemars(with = "Option<u32>", range(min = 1, max = 3650))]
    pub(super) max_exemption_days: Option<Placed<i64>>,
    /// The key of the tag that says until when (YYYY-MM-DD) a user is wanted; naming it turns the
    /// rule expired-user on.
    #[schemars(with = "Option<String>", length(min = 1, max = 128))]
    pub(super) expiry_tag: Option<Placed<String>>,
    /// The level of each rule: off, notice, warning or error.
    #[schemars(with = "Option<RuleLevels>")]
    pub(super) rules: Vec<(Placed<String>, Placed<String>)>,
}

/// One exemption: a user or a pattern, with a reason, an owner and a last day.
#[derive(Debug, JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend("oneOf" = [{ "required": ["user"] }, { "required": ["pattern"] }])
)]
pub(super) struct RawExemption {
    /// The exact IAM user name, compared without case.
    #[schemars(
        with = "Option<String>",
        regex(pattern = r"^([A-Za-z0-9_+=,.@-]{1,64}|<root_account>)$")
    )]
    pub(super) user: Option<Placed<String>>,
    /// Instead of user: a pattern in which * alone is special and which matches the whole name;
    /// three literal characters at least.
    #[schemars(with = "Option<String>", regex(pattern = r"^[A-Za-z0-9_+=,.@*-]{3,}$"))]
    pub(super) pattern: Option<Placed<String>>,
    /// The twelve-digit account id, in quotes; every audited account if absent.
    #[schemars(with = "Option<String>", regex(pattern = r"^[0-9]{12}$"))]
    pub(super) account: Option<Placed<String>>,
    /// The user's unique id: a user created anew under the name is another user.
    #[schemars(with = "Option<String>", regex(pattern = r"^AIDA[A-Z0-9]{12,124}$"))]
    pub(super) user_id: Option<Placed<String>>,
    /// password, access-key, or access-key: and the last four characters of the key's id; all
    /// credentials if absent.
    #[schemars(
        with = "Option<Vec<String>>",
        length(min = 1),
        inner(regex(pattern = r"^(password|access-key(:[A-Z0-9]{4})?)$"))
    )]
    pub(super) credentials: Option<Placed<Vec<Placed<String>>>>,
    /// The rules that are exempted; stale-password and stale-access-key if absent.
    #[schemars(with = "Option<Vec<RuleName>>", length(min = 1))]
    pub(super) rules: Option<Placed<Vec<Placed<String>>>>,
    /// Why the credential must stay.
    #[schemars(with = "String", regex(pattern = r"\S"))]
    pub(super) reason: Option<Placed<String>>,
    /// Who answers for it.
    #[schemars(with = "String", regex(pattern = r"\S"))]
    pub(super) owner: Option<Placed<String>>,
    /// The last day (UTC) on which the exemption holds: YYYY-MM-DD.
    #[schemars(with = "String", regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), extend("format" = "date"))]
    pub(super) expires: Option<Placed<String>>,
    /// Where the entry stands.
    #[schemars(skip)]
    pub(super) span: std::ops::Range<usize>,
}

/// A rule's id, as the schema lists them.
struct RuleName;

impl JsonSchema for RuleName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RuleName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let ids = crate::policy::Rule::ALL.map(crate::policy::Rule::id);
        schemars::json_schema!({ "type": "string", "enum": ids })
    }
}

/// A mapping from rule ids to levels, as the schema describes it.
struct RuleLevels;

impl JsonSchema for RuleLevels {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RuleLevels".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let levels = crate::policy::Level::ALL.map(crate::policy::Level::id);
        schemars::json_schema!({
            "type": "object",
            "propertyNames": generator.subschema_for::<RuleName>(),
            "additionalProperties": { "type": "string", "enum": levels },
        })
    }
}

/// The JSON Schema of the file.
pub(super) fn schema() -> schemars::Schema {
    let mut schema = schemars::schema_for!(RawAllowlist);
    NoNull.transform(&mut schema);
    schema
}

/// A key without a value is refused, whereas schemars lets `null` stand for an absent option.
#[derive(Clone)]
struct NoNull;

impl Transform for NoNull {
    fn transform(&mut self, schema: &mut schemars::Schema) {
        if let Some(object) = schema.as_object_mut() {
            if let Some(serde_json::Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(serde_json::Value::Array(options)) = object.get_mut("anyOf") {
                options.retain(|option| option.get("type").is_none_or(|name| name != "null"));
                if let [serde_json::Value::Object(only)] = options.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    object.extend(only);
                }
            }
        }
        transform_subschemas(self, schema);
    }
}

/// Reads the file's tree, noting what is wrong with it. What could be read is returned all the
/// same, so that the rest is checked in the same run.
pub(super) fn read(
    root: Placed<Node>,
    source: &str,
    problems: &mut Vec<Diagnostic>,
) -> RawAllowlist {
    let reader = Reader { source, problems };
    reader.allowlist(root)
}

struct Reader<'a> {
    source: &'a str,
    problems: &'a mut Vec<Diagnostic>,
}

/// The entries of one mapping that were not taken yet.
struct Entries(Vec<(Placed<String>, Placed<Node>)>);

impl Entries {
    fn take(&mut self, key: &str) -> Option<Placed<Node>> {
        let index = self.0.iter().position(|(name, _)| name.value == key)?;
        Some(self.0.swap_remove(index).1)
    }
}

impl Reader<'_> {
    fn allowlist(mut self, root: Placed<Node>) -> RawAllowlist {
        let Some(mut entries) = self.mapping::<RawAllowlist>(root, "the file") else {
            return RawAllowlist::default();
        };
        let version = entries.take("version").and_then(|node| self.integer(node, "version"));
        let policy = entries.take("policy").map(|node| self.policy(node)).unwrap_or_default();
        let exemptions = entries.take("exemptions").and_then(|node| self.list(node, "exemptions"));
        let exemptions = exemptions.map_or_else(Vec::new, |list| {
            list.value.into_iter().filter_map(|node| self.exemption(node)).collect()
        });
        RawAllowlist { version, policy, exemptions }
    }

    fn policy(&mut self, node: Placed<Node>) -> RawPolicy {
        let Some(mut entries) = self.mapping::<RawPolicy>(node, "policy") else {
            return RawPolicy::default();
        };
        RawPolicy {
            stale_after_days: entries
                .take("stale_after_days")
                .and_then(|node| self.integer(node, "stale_after_days")),
            max_exemption_days: entries
                .take("max_exemption_days")
                .and_then(|node| self.integer(node, "max_exemption_days")),
            expiry_tag: entries.take("expiry_tag").and_then(|node| self.text(node, "expiry_tag")),
            rules: entries.take("rules").map(|node| self.levels(node)).unwrap_or_default(),
        }
    }

    fn levels(&mut self, node: Placed<Node>) -> Vec<(Placed<String>, Placed<String>)> {
        let Node::Mapping(entries) = node.value else {
            self.wrong_type(&node, "rules", "a mapping from rules to levels");
            return Vec::new();
        };
        self.duplicates(&entries);
        entries
            .into_iter()
            .filter_map(|(rule, level)| {
                // YAML 1.1 readers take a plain `off` for a boolean; this one need not.
                if matches!(level.value, Node::Other) && self.slice(&level) == "off" {
                    let value = "off".to_owned();
                    return Some((rule, Placed { value, span: level.span }));
                }
                let level = self.text(level, &rule.value)?;
                Some((rule, level))
            })
            .collect()
    }

    fn exemption(&mut self, node: Placed<Node>) -> Option<RawExemption> {
        let span = node.span.clone();
        let mut entries = self.mapping::<RawExemption>(node, "an exemption")?;
        let mut text = |key| entries.take(key).and_then(|node| self.text(node, key));
        let (user, pattern) = (text("user"), text("pattern"));
        let (account, user_id) = (text("account"), text("user_id"));
        let (reason, owner, expires) = (text("reason"), text("owner"), text("expires"));
        let mut texts = |key| entries.take(key).and_then(|node| self.texts(node, key));
        Some(RawExemption {
            user,
            pattern,
            account,
            user_id,
            credentials: texts("credentials"),
            rules: texts("rules"),
            reason,
            owner,
            expires,
            span,
        })
    }

    /// The entries of a mapping, its unknown, repeated and missing keys noted. The keys are those
    /// that `T`'s schema knows.
    fn mapping<T: JsonSchema>(&mut self, node: Placed<Node>, what: &str) -> Option<Entries> {
        let Node::Mapping(entries) = node.value else {
            self.wrong_type(&node, what, "a mapping");
            return None;
        };
        let schema = schemars::schema_for!(T);
        let keys: Vec<&str> = schema
            .get("properties")
            .and_then(serde_json::Value::as_object)
            .map(|properties| properties.keys().map(String::as_str).collect())
            .unwrap_or_default();
        for (key, _) in &entries {
            if !keys.contains(&key.value.as_str()) {
                self.unknown_key(key, &keys, what);
            }
        }
        self.duplicates(&entries);
        let required = schema.get("required").and_then(serde_json::Value::as_array);
        for key in required.into_iter().flatten().filter_map(serde_json::Value::as_str) {
            if !entries.iter().any(|(name, _)| name.value == key) {
                let message = format!("{what} has no `{key}`");
                let problem = Diagnostic::error(Code::MissingKey, node.span.clone(), message)
                    .label(format!("`{key}` is missing here"))
                    .help(format!("add `{key}: {}`", example(key)));
                self.problems.push(problem);
            }
        }
        Some(Entries(entries))
    }

    fn unknown_key(&mut self, key: &Placed<String>, keys: &[&str], what: &str) {
        let nearest = keys
            .iter()
            .map(|known| (strsim::jaro_winkler(known, &key.value), *known))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let help = match nearest {
            Some((_, known)) => format!("did you mean `{known}`?"),
            None => format!("{what} takes {}", keys.join(", ")),
        };
        let message = format!("{what} has the unknown key `{}`", key.value);
        let problem = Diagnostic::error(Code::UnknownKey, key.span.clone(), message)
            .label("unknown key")
            .help(help);
        self.problems.push(problem);
    }

    fn duplicates(&mut self, entries: &[(Placed<String>, Placed<Node>)]) {
        for (index, (key, _)) in entries.iter().enumerate() {
            let earlier = entries.iter().take(index).find(|(other, _)| other.value == key.value);
            if let Some((first, _)) = earlier {
                let message = format!("the key `{}` stands twice", key.value);
                let problem = Diagnostic::error(Code::DuplicateKey, key.span.clone(), message)
                    .label("again here")
                    .related(first.span.clone(), "first here")
                    .help("keep one of the two");
                self.problems.push(problem);
            }
        }
    }

    fn list(&mut self, node: Placed<Node>, key: &str) -> Option<Placed<Vec<Placed<Node>>>> {
        match node.value {
            Node::List(value) => Some(Placed { value, span: node.span }),
            _ => {
                self.wrong_type(&node, key, "a list");
                None
            }
        }
    }

    fn texts(&mut self, node: Placed<Node>, key: &str) -> Option<Placed<Vec<Placed<String>>>> {
        let list = self.list(node, key)?;
        if list.value.is_empty() {
            let message = format!("`{key}` is an empty list");
            let problem = Diagnostic::error(Code::EmptyList, list.span.clone(), message)
                .label("nothing here")
                .help(format!("name what is meant, or leave `{key}` out"));
            self.problems.push(problem);
        }
        let value = list.value.into_iter().filter_map(|item| self.text(item, key)).collect();
        Some(Placed { value, span: list.span })
    }

    fn text(&mut self, node: Placed<Node>, key: &str) -> Option<Placed<String>> {
        match node.value {
            Node::Text(value) => Some(Placed { value, span: node.span }),
            _ => {
                self.wrong_type(&node, key, "text");
                None
            }
        }
    }

    fn integer(&mut self, node: Placed<Node>, key: &str) -> Option<Placed<i64>> {
        let number = match node.value {
            Node::Other => self.slice(&node).parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong_type(&node, key, "a whole number");
        }
        number.map(|value| Placed { value, span: node.span })
    }

    fn slice(&self, node: &Placed<Node>) -> &str {
        self.source.get(node.span.clone()).unwrap_or_default()
    }

    fn wrong_type(&mut self, node: &Placed<Node>, key: &str, expected: &str) {
        let written = self.slice(node);
        let help = match node.value {
            Node::Other if expected == "text" => format!("write it in quotes: \"{written}\""),
            _ => format!("write {expected}"),
        };
        let found = node.value.describe();
        let name = if key.contains(' ') { key.to_owned() } else { format!("`{key}`") };
        let message = format!("{name} takes {expected}, not {found}");
        let problem = Diagnostic::error(Code::WrongType, node.span.clone(), message)
            .label(format!("this is {found}"))
            .help(help);
        self.problems.push(problem);
    }
}

/// A value that shows what a required key takes.
fn example(key: &str) -> &'static str {
    match key {
        "version" => "1",
        "reason" => "why the credential must stay",
        "owner" => "\"@acme/platform\"",
        "expires" => "YYYY-MM-DD",
        _ => "…",
    }
}
