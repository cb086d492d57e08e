//! The file as it is written: keys and types, before the values are checked.
//!
//! These types are the source of the JSON Schema and, through it, of the known keys.

use schemars::JsonSchema;
use schemars::transform::{Transform, transform_subschemas};

use super::node::Located;
use crate::model::policy::{Level, Rule};

/// A character that is not white space. JSON Schema's `\s` does not include U+0085, Unicode does.
const NON_BLANK: &str = r"[^\s\u0085]";
/// The address of the published schema.
const SCHEMA_ID: &str =
    concat!(env!("CARGO_PKG_REPOSITORY"), "/raw/main/schemas/allowlist.schema.json");

/// The exemptions from the audit of IAM users, and the policy of the audit.
#[derive(Debug, Default, JsonSchema)]
#[schemars(
    title = "iam-stocktake allowlist",
    deny_unknown_fields,
    extend("$id" = SCHEMA_ID)
)]
pub(super) struct RawAllowlist {
    /// The version of this format: 1.
    #[schemars(with = "u64", extend("const" = 1))]
    pub(super) version: Option<Located<i64>>,
    /// The policy of the audit. A command-line option or action input overrides it.
    #[schemars(with = "Option<RawPolicy>")]
    pub(super) policy: RawPolicy,
    /// The exemptions: which unused credentials may stay, why, and for how long.
    #[schemars(with = "Option<Vec<RawExemption>>")]
    pub(super) exemptions: Vec<RawExemption>,
    /// What `iam-stocktake remediate` does, and when.
    #[schemars(with = "Option<RawRemediation>")]
    pub(super) remediation: Option<RawRemediation>,
    /// Accounts that are no longer audited. Their findings in the remediation queue are not counted.
    #[schemars(with = "Option<Vec<RawFormerAccount>>")]
    pub(super) former_accounts: Vec<RawFormerAccount>,
}

/// The policy of the audit.
#[derive(Debug, Default, JsonSchema)]
#[schemars(
    rename = "Policy",
    deny_unknown_fields,
    extend("if" = {
        "required": ["rules"],
        "properties": {
            "rules": {
                "required": ["expired-user"],
                "properties": { "expired-user": { "not": { "const": "off" } } },
            },
        },
    }),
    extend("then" = { "required": ["expiry_tag"] })
)]
pub(super) struct RawPolicy {
    /// The number of days without use after which a credential is stale (default 90).
    #[schemars(with = "Option<u32>", range(min = 1, max = 3650))]
    pub(super) stale_after_days: Option<Located<i64>>,
    /// The maximum number of days until an exemption expires (default 365).
    #[schemars(with = "Option<u32>", range(min = 1, max = 3650))]
    pub(super) max_exemption_days: Option<Located<i64>>,
    /// The key of the tag with a user's expiry date (YYYY-MM-DD). Setting it turns on the rule
    /// expired-user.
    #[schemars(with = "Option<String>", regex(pattern = NON_BLANK))]
    pub(super) expiry_tag: Option<Located<String>>,
    /// The level of each rule: off, notice, warning, or error.
    #[schemars(with = "Option<RuleLevels>")]
    pub(super) rules: Vec<(Located<String>, Located<String>)>,
}

/// One exemption: a user or a pattern, with a reason, an owner, and an expiry date.
#[derive(Debug, JsonSchema)]
#[schemars(
    rename = "Exemption",
    deny_unknown_fields,
    extend("oneOf" = [{ "required": ["user"] }, { "required": ["pattern"] }])
)]
pub(super) struct RawExemption {
    /// The exact IAM user name. Case is ignored.
    #[schemars(
        with = "Option<String>",
        regex(pattern = r"^([A-Za-z0-9_+=,.@-]{1,64}|<root_account>)$")
    )]
    pub(super) user: Option<Located<String>>,
    /// A pattern for the whole user name, instead of user. Only * is special. At least three
    /// characters must be literal.
    #[schemars(with = "Option<String>", regex(pattern = r"^\**([A-Za-z0-9_+=,.@-]\**){3,}$"))]
    pub(super) pattern: Option<Located<String>>,
    /// The twelve-digit account ID, in quotes. If omitted, all audited accounts.
    #[schemars(with = "Option<String>", regex(pattern = r"^[0-9]{12}$"))]
    pub(super) account: Option<Located<String>>,
    /// The user's unique ID. A user that is deleted and created again gets another ID.
    #[schemars(with = "Option<String>", regex(pattern = r"^AIDA[A-Z0-9]{12,124}$"))]
    pub(super) user_id: Option<Located<String>>,
    /// password, access-key, or access-key: followed by the last four characters of the key ID. If
    /// omitted, all credentials.
    #[schemars(
        with = "Option<Vec<String>>",
        length(min = 1),
        inner(regex(pattern = r"^(password|access-key(:[A-Z0-9]{4})?)$"))
    )]
    pub(super) credentials: Option<Located<Vec<Located<String>>>>,
    /// The exempted rules. If omitted, stale-password and stale-access-key. An exemption without
    /// credentials and rules also excludes the whole user from remediation.
    #[schemars(with = "Option<Vec<RuleName>>", length(min = 1))]
    pub(super) rules: Option<Located<Vec<Located<String>>>>,
    /// Why the credential must stay.
    #[schemars(with = "String", regex(pattern = NON_BLANK))]
    pub(super) reason: Option<Located<String>>,
    /// The owner, such as a person or a team.
    #[schemars(with = "String", regex(pattern = NON_BLANK))]
    pub(super) owner: Option<Located<String>>,
    /// The expiry date (YYYY-MM-DD): the last day, in UTC, on which the exemption is valid.
    #[schemars(with = "String", regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), extend("format" = "date"))]
    pub(super) expires: Option<Located<String>>,
    /// Whether the entry has a `user` or a `pattern`, valid or not.
    #[schemars(skip)]
    pub(super) is_named: bool,
    /// The position of the entry.
    #[schemars(skip)]
    pub(super) span: std::ops::Range<usize>,
}

/// An account that is no longer audited, with a reason and an owner.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "FormerAccount", deny_unknown_fields)]
pub(super) struct RawFormerAccount {
    /// The twelve-digit account ID, in quotes.
    #[schemars(with = "String", regex(pattern = r"^[0-9]{12}$"))]
    pub(super) account: Option<Located<String>>,
    /// Why the account is no longer audited.
    #[schemars(with = "String", regex(pattern = NON_BLANK))]
    pub(super) reason: Option<Located<String>>,
    /// The owner, such as a person or a team.
    #[schemars(with = "String", regex(pattern = NON_BLANK))]
    pub(super) owner: Option<Located<String>>,
    /// The position of the entry.
    #[schemars(skip)]
    pub(super) span: std::ops::Range<usize>,
}

/// When stale credentials are remediated, in three steps: notice, deactivation, deletion.
#[derive(Debug, Default, JsonSchema)]
#[schemars(
    rename = "Remediation",
    deny_unknown_fields,
    extend("if" = {
        "required": ["delete_users"],
        "properties": { "delete_users": { "const": true } },
    }),
    extend("then" = { "required": ["delete_after_days"] })
)]
pub(super) struct RawRemediation {
    /// The number of days from the notice to the deactivation (default 14).
    #[schemars(with = "Option<u32>", range(min = 1, max = 3650))]
    pub(super) deactivate_after_days: Option<Located<i64>>,
    /// The number of days from the deactivation to the deletion. If omitted, nothing is deleted.
    #[schemars(with = "Option<u32>", range(min = 1, max = 3650))]
    pub(super) delete_after_days: Option<Located<i64>>,
    /// Whether passwords are deleted when keys are deactivated, which cannot be undone (default
    /// false).
    #[schemars(with = "Option<bool>")]
    pub(super) delete_passwords: Option<Located<bool>>,
    /// Whether users without credentials in use are deleted (default false). Requires
    /// delete_after_days.
    #[schemars(with = "Option<bool>")]
    pub(super) delete_users: Option<Located<bool>>,
    /// The maximum number of deactivations and deletions in a run. The longest unused come first, and
    /// the rest waits for the next runs (default 5).
    #[schemars(with = "Option<u32>", range(min = 1, max = 1000))]
    pub(super) max_changes: Option<Located<i64>>,
    /// The maximum share of an account's users that a run changes, in percent, rounded up. The rest
    /// waits for the next runs (default 10).
    #[schemars(with = "Option<u32>", range(min = 1, max = 100))]
    pub(super) max_share: Option<Located<i64>>,
    /// The number of days without a run after which the waiting periods start again (default 14).
    #[schemars(with = "Option<u32>", range(min = 1, max = 3650))]
    pub(super) max_gap_days: Option<Located<i64>>,
    /// The owners whose users are remediated, as in the owner tag, in addition to users without an
    /// owner. Use * for all owners.
    #[schemars(with = "Option<Vec<String>>", length(min = 1), inner(regex(pattern = NON_BLANK)))]
    pub(super) owners: Option<Located<Vec<Located<String>>>>,
    /// The paths whose users are remediated. Use * at the end to include all paths below (default:
    /// only /).
    #[schemars(
        with = "Option<Vec<String>>",
        length(min = 1),
        inner(regex(pattern = r"^/([!-)+-~]*/)?\*?$"))
    )]
    pub(super) paths: Option<Located<Vec<Located<String>>>>,
    /// The rules whose findings are remediated (default: all of these except
    /// old-service-credential).
    #[schemars(with = "Option<Vec<RemediableRuleName>>", length(min = 1))]
    pub(super) rules: Option<Located<Vec<Located<String>>>>,
    /// Whether the entry has `delete_after_days`, valid or not.
    #[schemars(skip)]
    pub(super) is_deletion_dated: bool,
}

/// The id of a rule, for the schema.
struct RuleName;

impl JsonSchema for RuleName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RuleName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let ids = Rule::ALL.map(Rule::id);
        schemars::json_schema!({ "type": "string", "enum": ids })
    }
}

/// The id of a rule whose findings can be remediated, for the schema.
struct RemediableRuleName;

impl JsonSchema for RemediableRuleName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RemediableRuleName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let ids: Vec<_> = Rule::remediable().into_iter().map(Rule::id).collect();
        schemars::json_schema!({ "type": "string", "enum": ids })
    }
}

/// A mapping from rule ids to levels, for the schema.
struct RuleLevels;

impl JsonSchema for RuleLevels {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RuleLevels".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let levels = Level::ALL.map(Level::id);
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
    StripRustFormats.transform(&mut schema);
    schema
}

/// Keys without a value are rejected, but schemars allows `null` for an absent option.
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

/// Removes what is specific to Rust: formats that editors do not know, and line ends of comments.
#[derive(Clone)]
struct StripRustFormats;

impl Transform for StripRustFormats {
    fn transform(&mut self, schema: &mut schemars::Schema) {
        if let Some(object) = schema.as_object_mut() {
            if object.get("format").is_some_and(|format| format != "date") {
                object.remove("format");
            }
            if let Some(serde_json::Value::String(text)) = object.get_mut("description") {
                *text = text.replace('\n', " ");
            }
        }
        transform_subschemas(self, schema);
    }
}
