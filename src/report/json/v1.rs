//! Version 1 of the audit JSON, as separate structs that do not change with the rest of the program.
//! A breaking change needs a version 2. New fields are optional.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::incomplete_reason::IncompleteReason;
pub use super::text::Text;
use crate::allowlist::ExemptionStatus;
use crate::audit::{
    AuditOutcome, ClearedReasonKind, Coverage, ExemptionMatchKind, FindingId, FindingStatus,
    NoteKind, ReferenceKind,
};
use crate::model::inventory::{
    AccountId, CredentialKind, Evidence, EvidenceItem, EvidenceSource, GapCause,
};
use crate::model::policy::remediation::Stage;
use crate::model::policy::{Level, Rule};
use crate::model::remediation_tag::RemediationStatus;

/// The value of the field `schema`.
pub const SCHEMA: &str = "iam-stocktake/audit/v1";

/// An audit of the IAM users of one or more AWS accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "iam-stocktake audit, version 1")]
pub struct Audit {
    /// `iam-stocktake/audit/v1`
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// The time of the audit. Days without use are counted up to this time.
    pub generated_at: DateTime<Utc>,
    /// The workflow run of the audit. Absent outside GitHub Actions.
    pub run: Option<Run>,
    /// `clean`, `stale`, or `incomplete` (evidence that a rule needs is missing).
    pub result: Text<AuditOutcome>,
    /// The policy.
    pub policy: Policy,
    /// The path of the allowlist. Absent if there is none.
    pub allowlist: Option<String>,
    /// The number of findings.
    pub counts: Counts,
    /// The audited accounts, sorted by ID.
    pub accounts: Vec<Account>,
    /// The findings, sorted by account. In each account, unknown findings come first, and then the
    /// longest disuse.
    pub findings: Vec<Finding>,
    /// The exemptions, in the order of the allowlist.
    pub exemptions: Vec<Exemption>,
    /// The remediation of credentials as the users' tags record it, including credentials without a
    /// finding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remediations: Vec<Remediation>,
    /// The accounts in the `former_accounts` of the allowlist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_accounts: Vec<FormerAccount>,
}

/// An account that is no longer audited. Its findings in the remediation queue are not counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FormerAccount {
    /// The account ID (twelve digits).
    pub account: Text<AccountId>,
    /// The reason why it is no longer audited.
    pub reason: String,
    /// The owner.
    pub owner: String,
}

/// The workflow run of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// The event that triggered the run.
    pub event: String,
    /// The git ref of the run.
    pub r#ref: String,
    /// The repository (`owner/name`).
    pub repository: String,
    /// The run ID.
    pub id: String,
}

/// The policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// A fingerprint that changes with the policy.
    pub hash: String,
    /// The number of days without use after which a credential is stale.
    pub stale_after_days: u32,
    /// The maximum number of days until an exemption expires.
    pub max_exemption_days: u32,
    /// The key of the tag with a user's expiry date.
    pub expiry_tag: Option<String>,
    /// The level of each rule: `off`, `notice`, `warning`, or `error`.
    pub rules: BTreeMap<Text<Rule>, Text<Level>>,
}

/// The number of findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Open findings with level error.
    pub errors: usize,
    /// Open findings with level warning.
    pub warnings: usize,
    /// Open findings with level notice.
    pub notices: usize,
    /// Exempted findings.
    pub exempted: usize,
    /// Unknown findings: a value in the evidence cannot be read.
    pub unknown: usize,
    /// Audited IAM users.
    pub users: usize,
}

/// One audited account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// The account ID (twelve digits).
    pub id: Text<AccountId>,
    /// The account alias.
    pub alias: Option<String>,
    /// The ARN partition: `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// When IAM generated the credential report. Absent if an exported file does not show it.
    pub report_generated_at: Option<DateTime<Utc>>,
    /// The newest date in an exported report without a generation date. The report was generated
    /// then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_newest_date: Option<DateTime<Utc>>,
    /// The number of IAM users, without the root user.
    pub users: usize,
    /// The kind of evidence: `exported-report`, `fetched-report` (without the re-check), or `live`.
    #[serde(default)]
    pub evidence: Text<EvidenceSource>,
    /// The number of flagged users: those that a live audit re-checks, or those that are still
    /// stale or unknown after the re-check.
    pub candidates: usize,
    /// The number of users that were re-checked.
    #[serde(default)]
    pub rechecked: usize,
    /// How complete the evidence is for each rule that is not off: `complete` (findings that are
    /// gone are cleared), `snapshot` (an exported or unchecked report: findings are added, but none
    /// are cleared), `not-shown` (the report does not contain everything that the rule needs), or
    /// `incomplete` (evidence is missing).
    pub complete: BTreeMap<Text<Rule>, Text<Coverage>>,
    /// The reasons why rules are incomplete.
    pub errors: Vec<AccountError>,
    /// Missing evidence, including evidence that no rule needs.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// Findings of the credential report that the re-check cleared.
    #[serde(default)]
    pub cleared: Vec<Cleared>,
    /// Users, in lower case, that were checked by name because the queue has an SSH key of theirs.
    /// All their other credentials were read, or the users do not exist anymore.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked_after: Vec<String>,
    /// Users, in lower case, that were re-checked by name because the queue knows them. All their
    /// credentials and tags were read, or the users do not exist anymore.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rechecked_users: Vec<String>,
}

/// Missing evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// What is missing: `credential-report`, `users`, `login-profile`, `access-keys`,
    /// `access-key-use`, `signing-certificates`, `ssh-keys`, `service-specific-credentials`,
    /// `tags`, `owners`, `alias`, or `last-accessed`.
    pub piece: Text<EvidenceItem>,
    /// The cause: `denied`, `credentials`, `throttled`, `unavailable`, `unreachable`, `timed-out`, or
    /// `unexpected`.
    pub cause: Text<GapCause>,
    /// The IAM action that failed.
    pub action: String,
    /// The response.
    pub message: String,
    /// The number of users without this evidence. 0 if the evidence is about the account.
    pub users: usize,
    /// The rules that are incomplete because of it. Empty if no rule needs it.
    pub rules: Vec<Text<Rule>>,
}

/// A finding of the credential report that the re-check cleared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cleared {
    /// The finding ID.
    pub id: Text<FindingId>,
    /// The rule.
    pub rule: Text<Rule>,
    /// The user name.
    pub user: String,
    /// The kind of credential.
    pub kind: Text<CredentialKind>,
    /// When the credential was created. For a password, when it was last changed.
    pub created: Option<DateTime<Utc>>,
    /// What happened after the report was generated: `user-gone`, `removed`, `deactivated`, `used`,
    /// or `changed`.
    pub clearing: Text<ClearedReasonKind>,
    /// When the credential was used.
    pub used: Option<DateTime<Utc>>,
}

/// The reason why a rule is incomplete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountError {
    /// The rule.
    pub rule: Text<Rule>,
    /// The cause of missing evidence, or `evidence-unreadable`, `evidence-too-old`,
    /// `evidence-age-unknown`, or `evidence-in-future`.
    pub code: Text<IncompleteReason>,
    /// The number of findings of the rule with the status `unknown` for this reason.
    pub findings: usize,
}

/// The result of a rule for a credential or a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The finding ID: sixteen hex digits that stay the same in all runs.
    pub id: Text<FindingId>,
    /// The rule.
    pub rule: Text<Rule>,
    /// `notice`, `warning`, or `error`.
    pub level: Text<Level>,
    /// `open`, `exempted`, or `unknown`.
    pub status: Text<FindingStatus>,
    /// The account ID.
    pub account: Text<AccountId>,
    /// The user name.
    pub user: String,
    /// The ARN of the user.
    pub arn: String,
    /// The unique ID of the user. Absent in exported reports.
    pub user_id: Option<String>,
    /// The credential. Absent if the finding is about the user.
    pub credential: Option<Credential>,
    /// The date from which days are counted.
    pub reference_date: Option<DateTime<Utc>>,
    /// What the reference date is: `last-used`, `never-used-since`, `created`, or `expired`.
    pub reference: Option<Text<ReferenceKind>>,
    /// The number of whole days since the reference date.
    pub days: Option<i64>,
    /// `credential-report`, `re-checked`, or `not-re-checked`.
    pub evidence: Text<Evidence>,
    /// Notes on the finding.
    pub notes: Vec<FindingNote>,
    /// The index in `exemptions` of the exemption that covers the finding.
    pub exemption: Option<usize>,
    /// The owner in the user's tags.
    pub owner: Option<String>,
    /// The last service that the credential was used for.
    pub last_service: Option<String>,
    /// The user's last activity in IAM last accessed information, with any credential.
    #[serde(default)]
    pub last_accessed: Option<LastAccessed>,
    /// The progress of the credential's remediation. Absent if the user has no remediation tag for
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<RemediationProgress>,
    /// What is deleted with the user besides credentials. Absent if it was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub belongings: Option<UserResources>,
}

/// A credential or user with a remediation tag, or a credential of a user in `rechecked_users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remediation {
    /// Sixteen hex digits that stay the same in all runs.
    pub id: Text<FindingId>,
    /// The account ID.
    pub account: Text<AccountId>,
    /// The user name.
    pub user: String,
    /// The owner in the user's tags.
    pub owner: Option<String>,
    /// The kind of credential. Absent if the tag is about the whole user.
    pub kind: Option<Text<CredentialKind>>,
    /// The last four characters of the credential ID. Absent for passwords.
    pub credential: Option<String>,
    /// Whether the credential is active.
    pub active: bool,
    /// The progress. Absent without a tag that matches the state of the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<RemediationProgress>,
}

/// The progress of a credential's remediation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Remedy")]
pub struct RemediationProgress {
    /// `notified`, `deactivated`, or `inactive`.
    pub reached: Text<RemediationStatus>,
    /// When it reached this stage.
    pub since: DateTime<Utc>,
    /// The next step unless the credential is used or exempted: `deactivate` or `delete`. Absent if
    /// there is no next step, or its date is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Text<Stage>>,
    /// The first day of the next step, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_from: Option<NaiveDate>,
}

/// What a user has besides credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Belongings")]
pub struct UserResources {
    /// Whether the user has an MFA device. Absent if it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa: Option<bool>,
    /// The user's groups.
    pub groups: Vec<String>,
    /// Managed policies that are attached to the user.
    pub attached_policies: Vec<String>,
    /// Inline policies of the user.
    pub inline_policies: Vec<String>,
}

/// The last service that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastAccessed {
    /// The service namespace, such as `s3` or `ec2`.
    pub service: String,
    /// The date of use.
    pub at: DateTime<Utc>,
}

/// The credential of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Credential {
    /// `password`, `access-key`, `signing-certificate`, `ssh-key`, or
    /// `service-specific-credential`.
    pub kind: Text<CredentialKind>,
    /// The number of the credential in the credential report, 1 or 2.
    pub slot: Option<u8>,
    /// The last four characters of the credential ID. Absent in exported reports.
    pub id: Option<String>,
    /// When it was created. For a password, when it was last changed.
    pub created: Option<DateTime<Utc>>,
}

/// A note on a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingNote {
    /// `recently-reset`, `unreadable`, `hidden-credentials`, `exemption-expired`, or
    /// `exemption-needs-live-evidence`.
    pub code: Text<NoteKind>,
    /// The field that cannot be read.
    pub column: Option<String>,
    /// The value of that field.
    pub text: Option<String>,
    /// When the password was last changed.
    pub changed: Option<DateTime<Utc>>,
    /// The index of the exemption in `exemptions`.
    pub exemption: Option<usize>,
}

/// An exemption in the allowlist, and its effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exemption {
    /// The user name. Absent if the exemption has a pattern.
    pub user: Option<String>,
    /// The pattern.
    pub pattern: Option<String>,
    /// The account. If absent, all accounts.
    pub account: Option<Text<AccountId>>,
    /// The unique ID of the user. If absent, any user with the name.
    pub user_id: Option<String>,
    /// The credentials. If empty, all credentials.
    pub credentials: Vec<String>,
    /// The exempted rules.
    pub rules: Vec<Text<Rule>>,
    /// The reason.
    pub reason: String,
    /// The owner.
    pub owner: String,
    /// The expiry date, in UTC.
    pub expires: NaiveDate,
    /// `in-force`, `expires-soon`, or `expired`.
    pub state: Text<ExemptionStatus>,
    /// What it matches: `users`, `nobody`, `by-case-only`, or `not-audited`.
    pub matched: Text<ExemptionMatchKind>,
    /// The number of users that it matches.
    pub users: usize,
    /// The number of findings that it exempts.
    pub exempts: usize,
    /// The line of the exemption in the file, from 1.
    pub line: usize,
    /// The column of the exemption in the file, from 1.
    pub column: usize,
}
