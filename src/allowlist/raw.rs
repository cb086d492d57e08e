//! The file as it is written: keys and types, before anything is made of the values.
//!
//! These types are the source of the JSON Schema and, through it, of the keys that are known.

use schemars::JsonSchema;
use schemars::transform::{Transform, transform_subschemas};

use super::node::Located;
use crate::model::policy::{Level, Rule};

/// A character that is no white space. JSON Schema's `\s` leaves U+0085 out, Unicode does not.
const NON_BLANK: &str = r"[^\s\u0085]";
/// Where the schema is published.
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
    /// What the audit judges by; a flag or input wins over it.
    #[schemars(with = "Option<RawPolicy>")]
    pub(super) policy: RawPolicy,
    /// Who may keep which credential, why, and until when.
    #[schemars(with = "Option<Vec<RawExemption>>")]
    pub(super) exemptions: Vec<RawExemption>,
    /// How far, and how fast, `iam-stocktake remediate` goes.
    #[schemars(with = "Option<RawRemediation>")]
    pub(super) remediation: Option<RawRemediation>,
    /// Accounts that are no longer audited, on purpose: their findings in the remediation queue are
    /// not counted.
    #[schemars(with = "Option<Vec<RawFormerAccount>>")]
    pub(super) former_accounts: Vec<RawFormerAccount>,
}

/// What the audit judges by.
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
    /// Days without use after which a credential is stale (default 90).
    #[schemars(with = "Option<u32>", range(min = 1, max = 3650))]
    pub(super) stale_after_days: Option<Located<i64>>,
    /// How many days ahead an exemption may reach (default 365).
    #[schemars(with = "Option<u32>", range(min = 1, max = 3650))]
    pub(super) max_exemption_days: Option<Located<i64>>,
    /// The key of the tag that says until when (YYYY-MM-DD) a user is wanted; naming it turns the
    /// rule expired-user on.
    #[schemars(with = "Option<String>", regex(pattern = NON_BLANK))]
    pub(super) expiry_tag: Option<Located<String>>,
    /// The level of each rule: off, notice, warning or error.
    #[schemars(with = "Option<RuleLevels>")]
    pub(super) rules: Vec<(Located<String>, Located<String>)>,
}

/// One exemption: a user or a pattern, with a reason, an owner and a last day.
#[derive(Debug, JsonSchema)]
#[schemars(
    rename = "Exemption",
    deny_unknown_fields,
    extend("oneOf" = [{ "required": ["user"] }, { "required": ["pattern"] }])
)]
pub(super) struct RawExemption {
    /// The exact IAM user name, compared without case.
    #[schemars(
        with = "Option<String>",
        regex(pattern = r"^([A-Za-z0-9_+=,.@-]{1,64}|<root_account>)$")
    )]
    pub(super) user: Option<Located<String>>,
    /// Instead of user: a pattern in which * alone is special and which matches the whole name;
    /// three literal characters at least.
    #[schemars(with = "Option<String>", regex(pattern = r"^\**([A-Za-z0-9_+=,.@-]\**){3,}$"))]
    pub(super) pattern: Option<Located<String>>,
    /// The twelve-digit account id, in quotes; every audited account if absent.
    #[schemars(with = "Option<String>", regex(pattern = r"^[0-9]{12}$"))]
    pub(super) account: Option<Located<String>>,
    /// The user's unique id: a user created anew under the name is another user.
    #[schemars(with = "Option<String>", regex(pattern = r"^AIDA[A-Z0-9]{12,124}$"))]
    pub(super) user_id: Option<Located<String>>,
    /// password, access-key, or access-key: and the last four characters of the key's id; all
    /// credentials if absent.
    #[schemars(
        with = "Option<Vec<String>>",
        length(min = 1),
        inner(regex(pattern = r"^(password|access-key(:[A-Z0-9]{4})?)$"))
    )]
    pub(super) credentials: Option<Located<Vec<Located<String>>>>,
    /// The rules that are exempted; stale-password and stale-access-key if absent. An exemption
    /// without credentials and rules also keeps the whole user from remediation.
    #[schemars(with = "Option<Vec<RuleName>>", length(min = 1))]
    pub(super) rules: Option<Located<Vec<Located<String>>>>,
    /// Why the credential must stay.
    #[schemars(with = "String", regex(pattern = NON_BLANK))]
    pub(super) reason: Option<Located<String>>,
    /// Who answers for it.
    #[schemars(with = "String", regex(pattern = NON_BLANK))]
    pub(super) owner: Option<Located<String>>,
    /// The last day (UTC) on which the exemption holds: YYYY-MM-DD.
    #[schemars(with = "String", regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), extend("format" = "date"))]
    pub(super) expires: Option<Located<String>>,
    /// Whether `user` or `pattern` was meant to be there, readable or not.
    #[schemars(skip)]
    pub(super) is_named: bool,
    /// Where the entry stands.
    #[schemars(skip)]
    pub(super) span: std::ops::Range<usize>,
}

/// An account that is no longer audited, with a reason and an owner.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "FormerAccount", deny_unknown_fields)]
pub(super) struct RawFormerAccount {
    /// The twelve-digit account id, in quotes.
    #[schemars(with = "String", regex(pattern = r"^[0-9]{12}$"))]
    pub(super) account: Option<Located<String>>,
    /// Why the account is no longer audited.
    #[schemars(with = "String", regex(pattern = NON_BLANK))]
    pub(super) reason: Option<Located<String>>,
    /// Who answers for it.
    #[schemars(with = "String", regex(pattern = NON_BLANK))]
    pub(super) owner: Option<Located<String>>,
    /// Where the entry stands.
    #[schemars(skip)]
    pub(super) span: std::ops::Range<usize>,
}

/// How far, and how fast, stale credentials are remedied: notice, deactivation, deletion.
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
    /// Days from the notice to the deactivation (default 14).
    #[schemars(with = "Option<u32>", range(min = 1, max = 3650))]
    pub(super) deactivate_after_days: Option<Located<i64>>,
    /// Days from the deactivation to the deletion; nothing is deleted if absent.
    #[schemars(with = "Option<u32>", range(min = 1, max = 3650))]
    pub(super) delete_after_days: Option<Located<i64>>,
    /// Whether passwords are deleted when keys are deactivated, which cannot be undone (default
    /// false).
    #[schemars(with = "Option<bool>")]
    pub(super) delete_passwords: Option<Located<bool>>,
    /// Whether users are deleted of whom nothing is in use (default false); true needs
    /// delete_after_days.
    #[schemars(with = "Option<bool>")]
    pub(super) delete_users: Option<Located<bool>>,
    /// The most changes in a run; beyond that nothing at all is done (default 5).
    #[schemars(with = "Option<u32>", range(min = 1, max = 1000))]
    pub(super) max_changes: Option<Located<i64>>,
    /// The largest share of an account's users that is touched in a run, in percent; beyond that
    /// nothing at all is done (default 10).
    #[schemars(with = "Option<u32>", range(min = 1, max = 100))]
    pub(super) max_share: Option<Located<i64>>,
    /// Days without a run after which the clocks start anew (default 14).
    #[schemars(with = "Option<u32>", range(min = 1, max = 3650))]
    pub(super) max_gap_days: Option<Located<i64>>,
    /// Whose users are remedied besides those of nobody, as the tag that names an owner has it; *
    /// for everybody's.
    #[schemars(with = "Option<Vec<String>>", length(min = 1), inner(regex(pattern = NON_BLANK)))]
    pub(super) owners: Option<Located<Vec<Located<String>>>>,
    /// Under which paths users are remedied, with * at the end for all below it (default / alone).
    #[schemars(
        with = "Option<Vec<String>>",
        length(min = 1),
        inner(regex(pattern = r"^/([!-)+-~]*/)?\*?$"))
    )]
    pub(super) paths: Option<Located<Vec<Located<String>>>>,
    /// The rules whose findings are remediated, instead of the default: all of these but
    /// old-service-credential.
    #[schemars(with = "Option<Vec<RemediableRuleName>>", length(min = 1))]
    pub(super) rules: Option<Located<Vec<Located<String>>>>,
    /// Whether `delete_after_days` was meant to be there, readable or not.
    #[schemars(skip)]
    pub(super) is_deletion_dated: bool,
}

/// A rule's id, as the schema lists them.
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

/// The id of a rule whose findings can be remediated, as the schema lists them.
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

/// A mapping from rule ids to levels, as the schema describes it.
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

/// Without what is Rust's alone: formats that editors do not know, and line ends of comments.
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
