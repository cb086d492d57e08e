//! The tree → the raw types: which keys are there, and whether their values have the right type.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde_json::Value;

use super::advice;
use super::diagnostic::{Code, Diagnostic, excerpt, shown};
use super::node::{Node, Placed};
use super::raw::{RawAllowlist, RawExemption, RawFormerAccount, RawPolicy, RawRemediation};

/// Reads the file's tree, noting what is wrong with it. What could be read is returned all the
/// same, so that the rest is checked in the same run.
pub(super) fn read(
    root: Placed<Node>,
    source: &str,
    problems: &mut Vec<Diagnostic>,
) -> RawAllowlist {
    let shapes = Shapes {
        file: Shape::of::<RawAllowlist>("the file"),
        policy: Shape::of::<RawPolicy>("`policy`"),
        exemption: Shape::of::<RawExemption>("an exemption"),
        remediation: Shape::of::<RawRemediation>("`remediation`"),
        former_account: Shape::of::<RawFormerAccount>(FORMER_ACCOUNT),
    };
    Reader { source, shapes: &shapes, problems }.allowlist(root)
}

struct Reader<'a> {
    source: &'a str,
    shapes: &'a Shapes,
    problems: &'a mut Vec<Diagnostic>,
}

struct Shapes {
    file: Shape,
    policy: Shape,
    exemption: Shape,
    remediation: Shape,
    former_account: Shape,
}

/// What a mapping may hold.
struct Shape {
    /// What the mapping is, in a sentence.
    what: &'static str,
    keys: Vec<String>,
    required: Vec<String>,
}

impl Shape {
    /// The keys that `T`'s schema knows.
    fn of<T: JsonSchema>(what: &'static str) -> Self {
        let schema = schemars::schema_for!(T);
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array);
        Self {
            what,
            keys: properties.into_iter().flat_map(|it| it.keys().cloned()).collect(),
            required: required
                .into_iter()
                .flatten()
                .filter_map(|key| key.as_str().map(str::to_owned))
                .collect(),
        }
    }
}

/// A key and its value.
type Entry = (Placed<String>, Placed<Node>);

/// What an entry of `former_accounts` is, in a sentence.
const FORMER_ACCOUNT: &str = "a former account";
/// The key that merges other mappings into its own.
const MERGE: &str = "<<";

/// The entries of one mapping that were not taken yet.
struct Entries {
    entries: Vec<Entry>,
    /// The keys that the unknown ones probably stand for.
    meant: Vec<String>,
}

impl Entries {
    fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name.value == key)
    }

    /// Whether the key is there, be it misspelt.
    fn means(&self, key: &str) -> bool {
        self.has(key) || self.meant.iter().any(|meant| meant == key)
    }

    fn take(&mut self, key: &str) -> Option<Placed<Node>> {
        let index = self.entries.iter().position(|(name, _)| name.value == key)?;
        Some(self.entries.swap_remove(index).1)
    }
}

impl Reader<'_> {
    fn allowlist(mut self, root: Placed<Node>) -> RawAllowlist {
        let shapes = self.shapes;
        let Some(mut entries) = self.mapping(root, &shapes.file, advice::FILE_IS_A_MAPPING) else {
            return RawAllowlist::default();
        };
        let version = entries.take("version").and_then(|node| self.integer(&node, "version"));
        let policy = entries.take("policy").map(|node| self.policy(node)).unwrap_or_default();
        let exemptions = entries.take("exemptions").and_then(|node| self.list(node, "exemptions"));
        let exemptions = exemptions.map_or_else(Vec::new, |list| {
            list.value.into_iter().filter_map(|node| self.exemption(node)).collect()
        });
        let remediation = entries.take("remediation").and_then(|node| self.remediation(node));
        let former = entries.take("former_accounts");
        let former = former.and_then(|node| self.list(node, "former_accounts"));
        let former_accounts = former.map_or_else(Vec::new, |list| {
            list.value.into_iter().filter_map(|node| self.former_account(node)).collect()
        });
        RawAllowlist { version, policy, exemptions, remediation, former_accounts }
    }

    fn policy(&mut self, node: Placed<Node>) -> RawPolicy {
        let shapes = self.shapes;
        let Some(mut entries) = self.mapping(node, &shapes.policy, advice::POLICY_IS_A_MAPPING)
        else {
            return RawPolicy::default();
        };
        let mut days = |key| entries.take(key).and_then(|node| self.integer(&node, key));
        RawPolicy {
            stale_after_days: days("stale_after_days"),
            max_exemption_days: days("max_exemption_days"),
            expiry_tag: entries.take("expiry_tag").and_then(|node| self.text(node, "expiry_tag")),
            rules: entries.take("rules").map(|node| self.levels(node)).unwrap_or_default(),
        }
    }

    fn levels(&mut self, node: Placed<Node>) -> Vec<(Placed<String>, Placed<String>)> {
        let Node::Mapping(entries) = node.value else {
            self.wrong_type(&node, "`rules`", "a mapping from rules to levels", advice::LEVELS);
            return Vec::new();
        };
        let entries = self.merged(entries);
        let level = |(rule, level): Entry| {
            // A level is unknown rather than of the wrong type.
            let level = self.as_written(level);
            let help = format!("write `{}: error`, or another level", excerpt(&rule.value));
            let what = format!("the level of {}", shown(&rule.value));
            let level = self.text_or(level, &what, &help)?;
            Some((rule, level))
        };
        entries.into_iter().filter_map(level).collect()
    }

    fn exemption(&mut self, node: Placed<Node>) -> Option<RawExemption> {
        let shapes = self.shapes;
        let span = node.span.clone();
        let help = match &node.value {
            Node::Text(name) => {
                format!("write `- user: {}`, and the other keys below it", excerpt(name))
            }
            _ => "begin it with `- user: NAME`, and put the other keys below `user`".to_owned(),
        };
        let mut entries = self.mapping(node, &shapes.exemption, &help)?;
        let is_named = ["user", "pattern"].into_iter().any(|key| entries.means(key));
        let expires = entries.take("expires").map(|node| self.as_written(node));
        let expires = expires.and_then(|node| self.text(node, "expires"));
        let mut text = |key| entries.take(key).and_then(|node| self.text(node, key));
        let (user, pattern) = (text("user"), text("pattern"));
        let (account, user_id) = (text("account"), text("user_id"));
        let (reason, owner) = (text("reason"), text("owner"));
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
            is_named,
            span,
        })
    }

    fn former_account(&mut self, node: Placed<Node>) -> Option<RawFormerAccount> {
        let (shapes, span) = (self.shapes, node.span.clone());
        let help = advice::FORMER_ACCOUNT_IS_A_MAPPING;
        let mut entries = self.mapping(node, &shapes.former_account, help)?;
        let mut text = |key| entries.take(key).and_then(|node| self.text(node, key));
        let (account, reason, owner) = (text("account"), text("reason"), text("owner"));
        Some(RawFormerAccount { account, reason, owner, span })
    }

    fn remediation(&mut self, node: Placed<Node>) -> Option<RawRemediation> {
        let shapes = self.shapes;
        let help = advice::REMEDIATION_IS_A_MAPPING;
        let mut entries = self.mapping(node, &shapes.remediation, help)?;
        let is_deletion_dated = entries.means("delete_after_days");
        let mut number = |key| entries.take(key).and_then(|node| self.integer(&node, key));
        let deactivate_after_days = number("deactivate_after_days");
        let delete_after_days = number("delete_after_days");
        let (max_changes, max_share) = (number("max_changes"), number("max_share"));
        let max_gap_days = number("max_gap_days");
        let mut boolean = |key| entries.take(key).and_then(|node| self.boolean(&node, key));
        let (delete_passwords, delete_users) =
            (boolean("delete_passwords"), boolean("delete_users"));
        let mut texts = |key| entries.take(key).and_then(|node| self.texts(node, key));
        Some(RawRemediation {
            deactivate_after_days,
            delete_after_days,
            delete_passwords,
            delete_users,
            max_changes,
            max_share,
            max_gap_days,
            owners: texts("owners"),
            paths: texts("paths"),
            rules: texts("rules"),
            is_deletion_dated,
        })
    }

    /// The entries of a mapping, its unknown, repeated and missing keys noted.
    fn mapping(&mut self, node: Placed<Node>, shape: &Shape, help: &str) -> Option<Entries> {
        let span = node.span.clone();
        let Node::Mapping(entries) = node.value else {
            self.wrong_type(&node, shape.what, "a mapping", help);
            return None;
        };
        let entries = self.merged(entries);
        let mut entries = Entries { entries, meant: Vec::new() };
        for (key, _) in &entries.entries {
            if !shape.keys.contains(&key.value) {
                let free = || shape.keys.iter().map(String::as_str).filter(|it| !entries.has(it));
                let meant = advice::nearest(&key.value, free());
                self.unknown_key(key, meant, shape);
                entries.meant.extend(meant.map(str::to_owned));
            }
        }
        let missing: Vec<&str> = shape
            .required
            .iter()
            .filter(|key| !entries.has(key) && !entries.meant.contains(key))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            let keys = advice::listed(missing.iter().map(|key| format!("`{key}`")));
            let example = |key: &&str| match (shape.what, *key) {
                (FORMER_ACCOUNT, "reason") => "why the account is no longer audited",
                (_, key) => advice::example(key),
            };
            let examples = missing.iter().map(|key| format!("`{key}: {}`", example(key)));
            let message = format!("{} has no {keys}", shape.what);
            let problem = Diagnostic::error(Code::MissingKey, span, message)
                .label(format!("{keys} missing here"))
                .help(format!("add {}", advice::listed(examples)));
            self.problems.push(problem);
        }
        Some(entries)
    }

    fn unknown_key(&mut self, key: &Placed<String>, meant: Option<&str>, shape: &Shape) {
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the keys are {}", shape.keys.join(", ")),
        };
        let message = format!("{} has no key {}", shape.what, shown(&key.value));
        let problem = Diagnostic::error(Code::UnknownKey, key.span.clone(), message)
            .label("unknown key")
            .help(help);
        self.problems.push(problem);
    }

    /// The entries with those that `<<` adds: a key of the mapping's own goes before one that is
    /// merged, and of those the first. Repeated keys are noted.
    fn merged(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        self.duplicates(&entries);
        let (merges, mut own): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(key, _)| key.value == MERGE);
        for (_, node) in merges {
            let sources = match node.value {
                Node::List(items) => items,
                _ => vec![node],
            };
            for source in sources {
                self.merge(source, &mut own);
            }
        }
        own
    }

    fn merge(&mut self, source: Placed<Node>, into: &mut Vec<Entry>) {
        let Node::Mapping(entries) = source.value else {
            self.wrong_type(&source, "`<<`", "a mapping", advice::MERGE_NAMES_AN_ANCHOR);
            return;
        };
        for (key, value) in self.merged(entries) {
            if !into.iter().any(|(own, _)| own.value == key.value) {
                into.push((key, value));
            }
        }
    }

    fn duplicates(&mut self, entries: &[Entry]) {
        let mut first = HashMap::new();
        for (key, _) in entries {
            let earlier = first.entry(key.value.as_str()).or_insert(key);
            if !std::ptr::eq(*earlier, key) {
                let message = format!("the key {} appears twice", shown(&key.value));
                let problem = Diagnostic::error(Code::DuplicateKey, key.span.clone(), message)
                    .label("again here")
                    .related(earlier.span.clone(), "first here")
                    .help("keep one of the two");
                self.problems.push(problem);
            }
        }
    }

    fn list(&mut self, node: Placed<Node>, key: &str) -> Option<Placed<Vec<Placed<Node>>>> {
        let place = node.with(());
        match node.value {
            Node::List(value) => Some(place.with(value)),
            _ => {
                let help = match (&node.value, key) {
                    (Node::Mapping(_), "exemptions") => {
                        "begin every exemption with `- `".to_owned()
                    }
                    (Node::Mapping(_), "former_accounts") => {
                        "begin every account with `- account: `".to_owned()
                    }
                    (Node::Null, "exemptions" | "former_accounts") => {
                        format!("write `{key}: []` for none")
                    }
                    (_, "former_accounts") => advice::FORMER_ACCOUNT_IS_A_MAPPING.to_owned(),
                    // Plain, a `*` is YAML's own.
                    (Node::Text(text), "owners" | "paths") => {
                        format!("write `{key}: [\"{}\"]`", excerpt(text))
                    }
                    (Node::Text(text), _) => format!("write `{key}: [{}]`", excerpt(text)),
                    _ => advice::written(key),
                };
                self.wrong_type(&node, &format!("`{key}`"), "a list", &help);
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
        let (place, what) = (list.with(()), format!("an entry of `{key}`"));
        let mut text = |item: Placed<Node>| {
            let help = match (&item.value, key) {
                (Node::Mapping(_) | Node::Integer(_), "credentials") => advice::PIN.to_owned(),
                _ => advice::written(key),
            };
            self.text_or(item, &what, &help)
        };
        let value = list.value.into_iter().filter_map(&mut text).collect();
        Some(place.with(value))
    }

    fn text(&mut self, node: Placed<Node>, key: &str) -> Option<Placed<String>> {
        let help = match (&node.value, key) {
            (Node::List(_), "user" | "pattern") => {
                "make an exemption of its own for each user".to_owned()
            }
            (Node::Integer(_), "account") if self.origin(&node).len() != 12 => {
                advice::digits(self.origin(&node).len()).to_owned()
            }
            (Node::Integer(_) | Node::Fraction | Node::Boolean(_), _) => {
                format!("put it in quotes: \"{}\"", excerpt(self.origin(&node)))
            }
            _ => advice::written(key),
        };
        self.text_or(node, &format!("`{key}`"), &help)
    }

    /// The text of a node; `what` takes it, and `help` says what to write instead.
    fn text_or(&mut self, node: Placed<Node>, what: &str, help: &str) -> Option<Placed<String>> {
        let place = node.with(());
        match node.value {
            Node::Text(value) => Some(place.with(value)),
            _ => {
                self.wrong_type(&node, what, "text", help);
                None
            }
        }
    }

    fn integer(&mut self, node: &Placed<Node>, key: &str) -> Option<Placed<i64>> {
        if let Node::Integer(number) = node.value {
            return Some(node.with(number));
        }
        let help = match &node.value {
            Node::Text(text) if text.parse::<u32>().is_ok() => {
                format!("write it without quotes: `{key}: {text}`")
            }
            _ => advice::written(key),
        };
        self.wrong_type(node, &format!("`{key}`"), "a whole number", &help);
        None
    }

    fn boolean(&mut self, node: &Placed<Node>, key: &str) -> Option<Placed<bool>> {
        if let Node::Boolean(value) = node.value {
            return Some(node.with(value));
        }
        let help = match &node.value {
            Node::Text(text) => advice::boolean(key, text),
            _ => advice::written(key),
        };
        self.wrong_type(node, &format!("`{key}`"), "`true` or `false`", &help);
        None
    }

    /// What plain text turned into a number or a boolean, as text again.
    fn as_written(&self, node: Placed<Node>) -> Placed<Node> {
        match node.value {
            Node::Integer(_) | Node::Fraction | Node::Boolean(_) => {
                node.with(Node::Text(self.origin(&node).to_owned()))
            }
            _ => node,
        }
    }

    fn origin(&self, node: &Placed<Node>) -> &str {
        self.source.get(node.origin.clone()).unwrap_or_default().trim()
    }

    fn wrong_type(&mut self, node: &Placed<Node>, what: &str, expected: &str, help: &str) {
        let found = node.value.describe();
        let (message, label) = match node.value {
            Node::Null => (format!("{what} has no value"), "nothing here".to_owned()),
            _ => (format!("{what} takes {expected}, not {found}"), format!("this is {found}")),
        };
        let problem =
            Diagnostic::error(Code::WrongType, node.span.clone(), message).label(label).help(help);
        self.problems.push(problem);
    }
}
