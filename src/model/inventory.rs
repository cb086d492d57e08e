//! Accounts, users and credentials as they were observed.
//!
//! A field that cannot be read keeps its column and its text, so that the audit reports the finding
//! as unknown instead of guessing.

mod account_id;
mod age;
mod credential;
mod denial;
mod evidence;
mod field;
mod user_record;

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

pub use account_id::{AccountId, InvalidAccountId};
pub use age::{CLOCK_SKEW, MaxEvidenceAge};
pub use credential::{
    AccessKey, AccessKeys, CredentialHandle, CredentialKind, OtherCredential, Password, id_ending,
};
pub use denial::{Denial, DenyingPolicyKind, reason_start};
pub use evidence::{Evidence, EvidenceGap, EvidenceItem, EvidenceSource, GapCause};
pub use field::{Flag, Timestamp, UnreadableField};
pub use user_record::{Holdings, InlinePolicy, UserRecord};

/// The name under which the credential report lists the root user.
pub const ROOT_USER: &str = "<root_account>";

/// One observed account. Text is borrowed from the credential report, because most users need no
/// copy of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account<'a> {
    /// The account's id, from the ARNs of its users.
    pub id: AccountId,
    /// The ARN partition: `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// The account's alias, if it was requested.
    pub alias: Option<String>,
    pub evidence_source: EvidenceSource,
    /// When IAM generated the credential report; `None` when an exported file does not say.
    pub report_generated_at: Option<DateTime<Utc>>,
    /// The root user, if the report has a row for it.
    pub root: Option<User<'a>>,
    /// The IAM users, in the order in which they were observed.
    pub users: Vec<User<'a>>,
    /// The report's rows of users that the re-check replaced, or that no longer exist.
    pub replaced_rows: Vec<User<'a>>,
    /// Evidence that could not be collected.
    pub gaps: Vec<EvidenceGap>,
    /// Users whose SSH keys were requested by name, in lower case: the evidence has all of their
    /// other credentials, or they no longer exist.
    pub queried_users: Vec<String>,
    /// Users that were re-checked by name because the queue knows them, in lower case: the evidence has
    /// all of their credentials and tags, or they no longer exist.
    pub rechecked_users: Vec<String>,
}

/// One IAM user, or the root user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User<'a> {
    /// The user's name. IAM compares it without case.
    pub name: Cow<'a, str>,
    /// The user's ARN.
    pub arn: Cow<'a, str>,
    /// The unique id (`AIDA…`), which only the live API shows.
    pub id: Option<String>,
    pub created: Timestamp,
    /// How the evidence of the password was collected.
    pub password_evidence: Evidence,
    /// How the evidence of the access keys was collected.
    pub access_key_evidence: Evidence,
    /// Whether the user has an MFA device, if that is known.
    pub mfa: Option<bool>,
    /// The console password; `None` if there is none.
    pub password: Option<Password>,
    /// The access keys, active or not.
    pub access_keys: AccessKeys<'a>,
    /// Signing certificates and, if they were requested, SSH keys and service-specific credentials.
    pub other_credentials: Vec<OtherCredential>,
    /// Whether `other_credentials` has all kinds. A credential report only shows signing
    /// certificates.
    pub other_credentials_complete: bool,
    /// The report mentions credentials that its columns do not show
    /// (`additional_credentials_info`).
    pub hidden_credentials: bool,
    /// The user's tags, if they were requested.
    pub tags: Option<BTreeMap<String, String>>,
    /// The owner in the user's owner tags.
    pub owner: Option<String>,
    /// The groups and policies, if they were requested.
    pub permissions: Option<Permissions>,
    /// The service that the user last accessed according to Access Advisor, if that was requested.
    /// It is about the user and not about one credential.
    pub last_accessed: Option<LastAccessed>,
}

impl User<'_> {
    /// The same user, without text borrowed from the report.
    #[must_use]
    pub fn into_owned(self) -> User<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let key = |key: AccessKey<'_>| AccessKey {
            last_used_service: key.last_used_service.map(owned),
            handle: key.handle,
            active: key.active,
            created: key.created,
            last_used: key.last_used,
        };
        User {
            name: owned(self.name),
            arn: owned(self.arn),
            access_keys: self.access_keys.into_iter().map(key).collect(),
            id: self.id,
            created: self.created,
            password_evidence: self.password_evidence,
            access_key_evidence: self.access_key_evidence,
            mfa: self.mfa,
            password: self.password,
            other_credentials: self.other_credentials,
            other_credentials_complete: self.other_credentials_complete,
            hidden_credentials: self.hidden_credentials,
            tags: self.tags,
            owner: self.owner,
            permissions: self.permissions,
            last_accessed: self.last_accessed,
        }
    }

    /// How the evidence was collected, by the weakest part of it.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        self.password_evidence.max(self.access_key_evidence)
    }
}

/// The owner in the first of the tags `keys` that the user has.
#[must_use]
pub fn owner<'t>(tags: &'t BTreeMap<String, String>, keys: &[String]) -> Option<&'t str> {
    let named = keys.iter().filter_map(|key| tags.get(key));
    named.map(|value| value.trim()).find(|value| !value.is_empty())
}

/// A user's groups and policies.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permissions {
    /// Groups.
    pub groups: Vec<String>,
    /// Managed policies, attached to the user.
    pub attached_policies: Vec<AttachedPolicy>,
    /// Inline policies.
    pub inline_policies: Vec<String>,
    /// Whether `AdministratorAccess` is attached to the user or to one of the groups; `None` if that
    /// is not known.
    pub administrator: Option<bool>,
}

/// A managed policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttachedPolicy {
    pub name: String,
    pub arn: String,
}

/// The last access of a user that Access Advisor recorded. Denied attempts count too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LastAccessed {
    /// The service's namespace: `s3`, `ec2`, …
    pub service: String,
    pub at: DateTime<Utc>,
}
