//! The tree → the raw types: which keys exist, and whether their values have the correct type.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde_json::Value;

use super::diagnostic::{Diagnostic, DiagnosticCode, excerpt, shown};
use super::help;
use super::node::{Located, YamlNode};
use super::raw::{RawAllowlist, RawExemption, RawFormerAccount, RawPolicy, RawRemediation};

/// Reads the tree and records problems. It returns what it could read, so that the rest is checked
/// in the same run.
pub(super) fn read(
    root: Located<YamlNode>,
    source: &str,
    problems: &mut Vec<Diagnostic>,
) -> RawAllowlist {
    let shapes = MappingSchemas {
        file: MappingSchema::of::<RawAllowlist>("the file"),
        policy: MappingSchema::of::<RawPolicy>("`policy`"),
        exemption: MappingSchema::of::<RawExemption>("an exemption"),
        remediation: MappingSchema::of::<RawRemediation>("`remediation`"),
        former_account: MappingSchema::of::<RawFormerAccount>(FORMER_ACCOUNT),
    };
    Reader { source, shapes: &shapes, problems }.allowlist(root)
}

struct Reader<'a> {
    source: &'a str,
    shapes: &'a MappingSchemas,
    problems: &'a mut Vec<Diagnostic>,
}

struct MappingSchemas {
    file: MappingSchema,
    policy: MappingSchema,
    exemption: MappingSchema,
    remediation: MappingSchema,
    former_account: MappingSchema,
}

/// The keys of a mapping.
struct MappingSchema {
    /// The name of the mapping in messages.
    what: &'static str,
    keys: Vec<String>,
    required: Vec<String>,
}

impl MappingSchema {
    /// The keys in the schema of `T`.
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
type KeyValue = (Located<String>, Located<YamlNode>);

/// The name of an entry of `former_accounts` in messages.
const FORMER_ACCOUNT: &str = "a former account";
/// The YAML merge key.
const MERGE: &str = "<<";

/// The entries of one mapping that were not read yet.
struct MappingEntries {
    entries: Vec<KeyValue>,
    /// The keys that unknown keys probably mean.
    meant: Vec<String>,
}

impl MappingEntries {
    fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name.value == key)
    }

    /// Whether the key exists, even with a typo.
    fn has_or_resembles(&self, key: &str) -> bool {
        self.has(key) || self.meant.iter().any(|meant| meant == key)
    }

    fn take(&mut self, key: &str) -> Option<Located<YamlNode>> {
        let index = self.entries.iter().position(|(name, _)| name.value == key)?;
        Some(self.entries.swap_remove(index).1)
    }
}

impl Reader<'_> {
    fn allowlist(mut self, root: Located<YamlNode>) -> RawAllowlist {
        let shapes = self.shapes;
        let Some(mut entries) = self.mapping(root, &shapes.file, help::FILE_IS_A_MAPPING) else {
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

    fn policy(&mut self, node: Located<YamlNode>) -> RawPolicy {
        let shapes = self.shapes;
        let Some(mut entries) = self.mapping(node, &shapes.policy, help::POLICY_IS_A_MAPPING)
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

    fn levels(&mut self, node: Located<YamlNode>) -> Vec<(Located<String>, Located<String>)> {
        let YamlNode::Mapping(entries) = node.value else {
            self.wrong_type(&node, "`rules`", "a mapping from rules to levels", help::LEVELS);
            return Vec::new();
        };
        let entries = self.merged(entries);
        let level = |(rule, level): KeyValue| {
            // Reported as an unknown level and not as a wrong type.
            let level = self.as_written(level);
            let help = format!("write `{}: error`, or another level", excerpt(&rule.value));
            let what = format!("the level of {}", shown(&rule.value));
            let level = self.text_or(level, &what, &help)?;
            Some((rule, level))
        };
        entries.into_iter().filter_map(level).collect()
    }

    fn exemption(&mut self, node: Located<YamlNode>) -> Option<RawExemption> {
        let shapes = self.shapes;
        let span = node.span.clone();
        let help = match &node.value {
            YamlNode::Text(name) => {
                format!("write `- user: {}`, and the other keys below it", excerpt(name))
            }
            _ => "start it with `- user: NAME`, and put the other keys below `user`".to_owned(),
        };
        let mut entries = self.mapping(node, &shapes.exemption, &help)?;
        let is_named = ["user", "pattern"].into_iter().any(|key| entries.has_or_resembles(key));
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

    fn former_account(&mut self, node: Located<YamlNode>) -> Option<RawFormerAccount> {
        let (shapes, span) = (self.shapes, node.span.clone());
        let help = help::FORMER_ACCOUNT_IS_A_MAPPING;
        let mut entries = self.mapping(node, &shapes.former_account, help)?;
        let mut text = |key| entries.take(key).and_then(|node| self.text(node, key));
        let (account, reason, owner) = (text("account"), text("reason"), text("owner"));
        Some(RawFormerAccount { account, reason, owner, span })
    }

    fn remediation(&mut self, node: Located<YamlNode>) -> Option<RawRemediation> {
        let shapes = self.shapes;
        let help = help::REMEDIATION_IS_A_MAPPING;
        let mut entries = self.mapping(node, &shapes.remediation, help)?;
        let is_deletion_dated = entries.has_or_resembles("delete_after_days");
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

    /// The entries of a mapping. Records unknown, repeated and missing keys.
    fn mapping(
        &mut self,
        node: Located<YamlNode>,
        shape: &MappingSchema,
        help: &str,
    ) -> Option<MappingEntries> {
        let span = node.span.clone();
        let YamlNode::Mapping(entries) = node.value else {
            self.wrong_type(&node, shape.what, "a mapping", help);
            return None;
        };
        let entries = self.merged(entries);
        let mut entries = MappingEntries { entries, meant: Vec::new() };
        for (key, _) in &entries.entries {
            if !shape.keys.contains(&key.value) {
                let free = || shape.keys.iter().map(String::as_str).filter(|it| !entries.has(it));
                let meant = help::nearest(&key.value, free());
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
            let keys = help::listed(missing.iter().map(|key| format!("`{key}`")));
            let example = |key: &&str| match (shape.what, *key) {
                (FORMER_ACCOUNT, "reason") => "why the account is no longer audited",
                (_, key) => help::example(key),
            };
            let examples = missing.iter().map(|key| format!("`{key}: {}`", example(key)));
            let message = format!("{} has no {keys}", shape.what);
            let problem = Diagnostic::error(DiagnosticCode::MissingKey, span, message)
                .label(format!("{keys} missing here"))
                .help(format!("add {}", help::listed(examples)));
            self.problems.push(problem);
        }
        Some(entries)
    }

    fn unknown_key(&mut self, key: &Located<String>, meant: Option<&str>, shape: &MappingSchema) {
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the keys are {}", shape.keys.join(", ")),
        };
        let message = format!("{} has no key {}", shape.what, shown(&key.value));
        let problem = Diagnostic::error(DiagnosticCode::UnknownKey, key.span.clone(), message)
            .label("unknown key")
            .help(help);
        self.problems.push(problem);
    }

    /// The entries, with those that `<<` adds. A key of the mapping itself takes precedence over a
    /// merged key, and the first merged key over others. Records repeated keys.
    fn merged(&mut self, entries: Vec<KeyValue>) -> Vec<KeyValue> {
        self.duplicates(&entries);
        let (merges, mut own): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(key, _)| key.value == MERGE);
        for (_, node) in merges {
            let sources = match node.value {
                YamlNode::List(items) => items,
                _ => vec![node],
            };
            for source in sources {
                self.merge(source, &mut own);
            }
        }
        own
    }

    fn merge(&mut self, source: Located<YamlNode>, into: &mut Vec<KeyValue>) {
        let YamlNode::Mapping(entries) = source.value else {
            self.wrong_type(&source, "`<<`", "a mapping", help::MERGE_NAMES_AN_ANCHOR);
            return;
        };
        for (key, value) in self.merged(entries) {
            if !into.iter().any(|(own, _)| own.value == key.value) {
                into.push((key, value));
            }
        }
    }

    fn duplicates(&mut self, entries: &[KeyValue]) {
        let mut first = HashMap::new();
        for (key, _) in entries {
            let earlier = first.entry(key.value.as_str()).or_insert(key);
            if !std::ptr::eq(*earlier, key) {
                let message = format!("the key {} appears twice", shown(&key.value));
                let problem =
                    Diagnostic::error(DiagnosticCode::DuplicateKey, key.span.clone(), message)
                        .label("again here")
                        .related(earlier.span.clone(), "first here")
                        .help("remove one of them");
                self.problems.push(problem);
            }
        }
    }

    fn list(
        &mut self,
        node: Located<YamlNode>,
        key: &str,
    ) -> Option<Located<Vec<Located<YamlNode>>>> {
        let place = node.with(());
        match node.value {
            YamlNode::List(value) => Some(place.with(value)),
            _ => {
                let help = match (&node.value, key) {
                    (YamlNode::Mapping(_), "exemptions") => {
                        "start each exemption with `- `".to_owned()
                    }
                    (YamlNode::Mapping(_), "former_accounts") => {
                        "start each account with `- account: `".to_owned()
                    }
                    (YamlNode::Null, "exemptions" | "former_accounts") => {
                        format!("write `{key}: []` for an empty list")
                    }
                    (_, "former_accounts") => help::FORMER_ACCOUNT_IS_A_MAPPING.to_owned(),
                    // Without quotes, `*` has a meaning in YAML.
                    (YamlNode::Text(text), "owners" | "paths") => {
                        format!("write `{key}: [\"{}\"]`", excerpt(text))
                    }
                    (YamlNode::Text(text), _) => format!("write `{key}: [{}]`", excerpt(text)),
                    _ => help::written(key),
                };
                self.wrong_type(&node, &format!("`{key}`"), "a list", &help);
                None
            }
        }
    }

    fn texts(
        &mut self,
        node: Located<YamlNode>,
        key: &str,
    ) -> Option<Located<Vec<Located<String>>>> {
        let list = self.list(node, key)?;
        if list.value.is_empty() {
            let message = format!("`{key}` is an empty list");
            let problem = Diagnostic::error(DiagnosticCode::EmptyList, list.span.clone(), message)
                .label("nothing here")
                .help(format!("add an entry, or omit `{key}`"));
            self.problems.push(problem);
        }
        let (place, what) = (list.with(()), format!("an entry of `{key}`"));
        let mut text = |item: Located<YamlNode>| {
            let help = match (&item.value, key) {
                (YamlNode::Mapping(_) | YamlNode::Integer(_), "credentials") => {
                    help::ACCESS_KEY_SUFFIX.to_owned()
                }
                _ => help::written(key),
            };
            self.text_or(item, &what, &help)
        };
        let value = list.value.into_iter().filter_map(&mut text).collect();
        Some(place.with(value))
    }

    fn text(&mut self, node: Located<YamlNode>, key: &str) -> Option<Located<String>> {
        let help = match (&node.value, key) {
            (YamlNode::List(_), "user" | "pattern") => "write one exemption per user".to_owned(),
            (YamlNode::Integer(_), "account") if self.origin(&node).len() != 12 => {
                help::digits(self.origin(&node).len()).to_owned()
            }
            (YamlNode::Integer(_) | YamlNode::Fraction | YamlNode::Boolean(_), _) => {
                format!("put it in quotes: \"{}\"", excerpt(self.origin(&node)))
            }
            _ => help::written(key),
        };
        self.text_or(node, &format!("`{key}`"), &help)
    }

    /// The text of a node. `what` names it in messages, and `help` says what to write instead.
    fn text_or(
        &mut self,
        node: Located<YamlNode>,
        what: &str,
        help: &str,
    ) -> Option<Located<String>> {
        let place = node.with(());
        match node.value {
            YamlNode::Text(value) => Some(place.with(value)),
            _ => {
                self.wrong_type(&node, what, "text", help);
                None
            }
        }
    }

    fn integer(&mut self, node: &Located<YamlNode>, key: &str) -> Option<Located<i64>> {
        if let YamlNode::Integer(number) = node.value {
            return Some(node.with(number));
        }
        let help = match &node.value {
            YamlNode::Text(text) if text.parse::<u32>().is_ok() => {
                format!("write it without quotes: `{key}: {text}`")
            }
            _ => help::written(key),
        };
        self.wrong_type(node, &format!("`{key}`"), "a whole number", &help);
        None
    }

    fn boolean(&mut self, node: &Located<YamlNode>, key: &str) -> Option<Located<bool>> {
        if let YamlNode::Boolean(value) = node.value {
            return Some(node.with(value));
        }
        let help = match &node.value {
            YamlNode::Text(text) => help::boolean(key, text),
            _ => help::written(key),
        };
        self.wrong_type(node, &format!("`{key}`"), "`true` or `false`", &help);
        None
    }

    /// The text of a value that YAML read as a number or a Boolean.
    fn as_written(&self, node: Located<YamlNode>) -> Located<YamlNode> {
        match node.value {
            YamlNode::Integer(_) | YamlNode::Fraction | YamlNode::Boolean(_) => {
                node.with(YamlNode::Text(self.origin(&node).to_owned()))
            }
            _ => node,
        }
    }

    fn origin(&self, node: &Located<YamlNode>) -> &str {
        self.source.get(node.origin.clone()).unwrap_or_default().trim()
    }

    fn wrong_type(&mut self, node: &Located<YamlNode>, what: &str, expected: &str, help: &str) {
        let found = node.value.describe();
        let (message, label) = match node.value {
            YamlNode::Null => (format!("{what} has no value"), "nothing here".to_owned()),
            _ => (format!("{what} must be {expected}, not {found}"), format!("this is {found}")),
        };
        let problem = Diagnostic::error(DiagnosticCode::WrongType, node.span.clone(), message)
            .label(label)
            .help(help);
        self.problems.push(problem);
    }
}
