//! Version 1 of the audit JSON: structs of their own, frozen. A change that breaks a reader needs
//! a version 2 beside this one; new fields are optional.

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

/// The value of the member `schema`.
pub const SCHEMA: &str = "iam-stocktake/audit/v1";

/// An audit of the IAM users of one or more AWS accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "iam-stocktake audit, version 1")]
pub struct Audit {
    /// `iam-stocktake/audit/v1`
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// The moment by which days of disuse were counted.
    pub generated_at: DateTime<Utc>,
    /// The workflow run that made it; absent outside of one.
    pub run: Option<Run>,
    /// `clean`, `stale` or `incomplete`: evidence that a rule needed could not be had.
    pub result: Text<AuditOutcome>,
    /// What was judged by.
    pub policy: Policy,
    /// The allowlist's path; absent where there was none.
    pub allowlist: Option<String>,
    /// How many findings there are.
    pub counts: Counts,
    /// The audited accounts, by id.
    pub accounts: Vec<Account>,
    /// The findings: by account, then what cannot be judged, then the longest disuse first.
    pub findings: Vec<Finding>,
    /// The allowlist's exemptions, in its order.
    pub exemptions: Vec<Exemption>,
    /// Accounts that the allowlist names as no longer audited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_accounts: Vec<FormerAccount>,
}

/// An account that is no longer audited: its findings in a remediation queue are not counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FormerAccount {
    /// Twelve digits.
    pub account: Text<AccountId>,
    /// Why it is no longer audited.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
}

/// The workflow run that made an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// The event that started it.
    pub event: String,
    /// The git ref that it ran on.
    pub r#ref: String,
    /// `owner/name`
    pub repository: String,
    /// The run's id.
    pub id: String,
}

/// What was judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// Changes whenever the policy does.
    pub hash: String,
    /// Days without use after which a credential is stale.
    pub stale_after_days: u32,
    /// How many days ahead an exemption may reach.
    pub max_exemption_days: u32,
    /// The key of the tag that says until when a user is wanted.
    pub expiry_tag: Option<String>,
    /// The level of every rule: `off`, `notice`, `warning` or `error`.
    pub rules: BTreeMap<Text<Rule>, Text<Level>>,
}

/// How many findings there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Open, of level error.
    pub errors: usize,
    /// Open, of level warning.
    pub warnings: usize,
    /// Open, of level notice.
    pub notices: usize,
    /// Exempted.
    pub exempted: usize,
    /// Whose evidence cannot be read.
    pub unknown: usize,
    /// IAM users that were audited.
    pub users: usize,
}

/// One audited account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// Twelve digits.
    pub id: Text<AccountId>,
    /// The account's alias.
    pub alias: Option<String>,
    /// The ARN partition: `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// When IAM generated the credential report; absent where an exported file does not say.
    pub report_generated_at: Option<DateTime<Utc>>,
    /// The newest date in an exported report that bears none itself: it was generated then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_newest_date: Option<DateTime<Utc>>,
    /// IAM users, the root user not counted.
    pub users: usize,
    /// What the evidence is made of: `exported-report`, `fetched-report` (no second look was
    /// asked for) or `live`.
    #[serde(default)]
    pub evidence: Text<EvidenceSource>,
    /// Users that a live audit looks at again; those that remain stale or unknown, if it did.
    pub candidates: usize,
    /// Users that were looked at live.
    #[serde(default)]
    pub rechecked: usize,
    /// How complete the evidence of each rule was, rules that are off left out: `complete` (a
    /// finding that is gone is cleared), `snapshot` (an exported or unchecked report: adds
    /// findings, clears none), `not-shown` (the report does not show all that the rule needs),
    /// `incomplete` (evidence could not be had).
    pub complete: BTreeMap<Text<Rule>, Text<Coverage>>,
    /// Why rules are incomplete.
    pub errors: Vec<AccountError>,
    /// What was asked for and could not be had, ornaments included.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// What the credential report alone would have called stale, and a live look cleared.
    #[serde(default)]
    pub cleared: Vec<Cleared>,
    /// Users, in lower case, who were asked after by name since a queue knows of an SSH key of
    /// theirs: all their other credentials were seen, or they are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked_after: Vec<String>,
}

/// Evidence that was asked for and could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// What is missing: `credential-report`, `users`, `login-profile`, `access-keys`,
    /// `access-key-use`, `signing-certificates`, `ssh-keys`, `service-specific-credentials`,
    /// `tags`, `owners`, `alias` or `last-accessed`.
    pub piece: Text<EvidenceItem>,
    /// Why: `denied`, `credentials`, `throttled`, `unavailable`, `unreachable`, `timed-out` or
    /// `unexpected`.
    pub cause: Text<GapCause>,
    /// The action that failed, as a policy names it.
    pub action: String,
    /// What was answered.
    pub message: String,
    /// How many users it is missing for; 0 where it is missing for the account.
    pub users: usize,
    /// The rules that are incomplete for it; none for an ornament.
    pub rules: Vec<Text<Rule>>,
}

/// A finding that the credential report alone would have made, and that a live look cleared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cleared {
    /// The finding's id.
    pub id: Text<FindingId>,
    /// The rule.
    pub rule: Text<Rule>,
    /// The user's name.
    pub user: String,
    /// The credential's kind.
    pub kind: Text<CredentialKind>,
    /// When the credential was created; for a password when it was last changed.
    pub created: Option<DateTime<Utc>>,
    /// What has happened since the report: `user-gone`, `removed`, `deactivated`, `used` or
    /// `changed`.
    pub clearing: Text<ClearedReasonKind>,
    /// When it was used.
    pub used: Option<DateTime<Utc>>,
}

/// Why a rule is incomplete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountError {
    /// The rule.
    pub rule: Text<Rule>,
    /// A gap's cause, `evidence-unreadable`, `evidence-too-old`, `evidence-age-unknown` or
    /// `evidence-in-future`.
    pub code: Text<IncompleteReason>,
    /// How many findings of the rule have the status `unknown` for it.
    pub findings: usize,
}

/// One rule's verdict on one credential or user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Sixteen hex digits, the same for the same credential in every run.
    pub id: Text<FindingId>,
    /// The rule.
    pub rule: Text<Rule>,
    /// `notice`, `warning` or `error`.
    pub level: Text<Level>,
    /// `open`, `exempted` or `unknown`.
    pub status: Text<FindingStatus>,
    /// The account's id.
    pub account: Text<AccountId>,
    /// The user's name.
    pub user: String,
    /// The user's ARN.
    pub arn: String,
    /// The user's unique id; absent in exported reports.
    pub user_id: Option<String>,
    /// The credential; absent in a verdict on the user as such.
    pub credential: Option<Credential>,
    /// The date from which days are counted.
    pub reference_date: Option<DateTime<Utc>>,
    /// What that date is: `last-used`, `never-used-since`, `created`, `expired`.
    pub reference: Option<Text<ReferenceKind>>,
    /// Whole days since then.
    pub days: Option<i64>,
    /// `credential-report`, `re-checked` or `not-re-checked`.
    pub evidence: Text<Evidence>,
    /// What else is to be said.
    pub notes: Vec<FindingNote>,
    /// Index into `exemptions` of the exemption that covers it.
    pub exemption: Option<usize>,
    /// Who owns the user, by the user's tags.
    pub owner: Option<String>,
    /// The last service that the credential was used for.
    pub last_service: Option<String>,
    /// What Access Advisor last saw the user do; it speaks of no credential.
    #[serde(default)]
    pub last_accessed: Option<LastAccessed>,
    /// How far the remedy has come with the credential; absent where no tag on the user says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<RemediationProgress>,
    /// What goes with the user besides credentials; absent where it was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub belongings: Option<UserResources>,
}

/// How far the remedy has come with a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Remedy")]
pub struct RemediationProgress {
    /// `notified`, `deactivated` or `inactive`.
    pub reached: Text<RemediationStatus>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// What is done next, unless the credential is used or exempted: `deactivate` or `delete`;
    /// absent where nothing is to be done, or nobody can say when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Text<Stage>>,
    /// The first day on which that is done, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_from: Option<NaiveDate>,
}

/// What a user has besides credentials, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Belongings")]
pub struct UserResources {
    /// Whether the user has an MFA device; absent where that was not shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa: Option<bool>,
    /// The groups that the user is in.
    pub groups: Vec<String>,
    /// Managed policies, attached to the user.
    pub attached_policies: Vec<String>,
    /// Policies written into the user.
    pub inline_policies: Vec<String>,
}

/// What a user was last seen with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastAccessed {
    /// The service's namespace: `s3`, `ec2`, …
    pub service: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Which credential a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Credential {
    /// `password`, `access-key`, `signing-certificate`, `ssh-key`, `service-specific-credential`.
    pub kind: Text<CredentialKind>,
    /// The slot of the credential report, 1 or 2.
    pub slot: Option<u8>,
    /// The last four characters of its id; absent in exported reports.
    pub id: Option<String>,
    /// When it was created; for a password when it was last changed.
    pub created: Option<DateTime<Utc>>,
}

/// What else is to be said about a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingNote {
    /// `recently-reset`, `unreadable`, `hidden-credentials`, `exemption-expired` or
    /// `exemption-needs-live-evidence`.
    pub code: Text<NoteKind>,
    /// The field that cannot be read.
    pub column: Option<String>,
    /// What stands in that field.
    pub text: Option<String>,
    /// When the password was last changed.
    pub changed: Option<DateTime<Utc>>,
    /// Index into `exemptions`.
    pub exemption: Option<usize>,
}

/// One exemption of the allowlist and what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exemption {
    /// The user's name, unless it is a pattern.
    pub user: Option<String>,
    /// The pattern.
    pub pattern: Option<String>,
    /// The account; every one if absent.
    pub account: Option<Text<AccountId>>,
    /// The user's unique id; any user of the name if absent.
    pub user_id: Option<String>,
    /// The credentials; all if empty.
    pub credentials: Vec<String>,
    /// The rules that it exempts from.
    pub rules: Vec<Text<Rule>>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day, UTC.
    pub expires: NaiveDate,
    /// `in-force`, `expires-soon` or `expired`.
    pub state: Text<ExemptionStatus>,
    /// `users`, `nobody`, `by-case-only` or `not-audited`.
    pub matched: Text<ExemptionMatchKind>,
    /// How many users it matched.
    pub users: usize,
    /// How many findings it exempts.
    pub exempts: usize,
    /// Where it stands in the file, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}
