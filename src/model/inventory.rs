//! Accounts, users and credentials as they were observed.
//!
//! A field that cannot be read keeps its column and its text, so that the audit reports the finding
//! as unknown instead of guessing.

mod age;
mod denial;
mod user_record;

use crate::model::all;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use strum::{EnumCount as _, VariantArray as _};

use chrono::{DateTime, Utc};
use smallvec::SmallVec;

pub use age::{CLOCK_SKEW, MaxEvidenceAge};
pub use denial::{Denial, DenyingPolicyKind, reason_start};
pub use user_record::{Holdings, InlinePolicy, UserRecord};

/// The name under which the credential report lists the root user.
pub const ROOT_USER: &str = "<root_account>";

/// A twelve-digit AWS account id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId([u8; 12]);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAccountId {
    /// It is not a number of twelve digits.
    #[error("an AWS account ID has twelve digits")]
    NotTwelveDigits,
    /// It is a number with fewer digits.
    #[error(
        "an AWS account ID has twelve digits. A leading zero may be missing: in YAML, write the ID in \
         quotes"
    )]
    TooFewDigits,
}

impl FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        match text.as_bytes().try_into() {
            Ok(digits) if is_number => Ok(Self(digits)),
            // Spreadsheets and YAML parsers read an id as a number and drop its leading zeros.
            _ if is_number && (9..12).contains(&text.len()) => Err(InvalidAccountId::TooFewDigits),
            _ => Err(InvalidAccountId::NotTwelveDigits),
        }
    }
}

impl AccountId {
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for AccountId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for AccountId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

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
}

/// Where the evidence of an account comes from.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::EnumCount,
    strum::VariantArray,
)]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum EvidenceSource {
    /// An exported credential report. What it does not show was not requested.
    ExportedReport,
    /// A credential report that was fetched without a re-check, by the user's choice.
    FetchedReport,
    /// A credential report and a re-check. What is missing could not be collected.
    Live,
}

impl EvidenceSource {
    pub const ALL: [Self; Self::COUNT] = all(Self::VARIANTS);

    #[must_use]
    pub const fn id(self) -> &'static str {
        self.into_str()
    }
}

/// A kind of evidence.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum EvidenceItem {
    /// The credential report, without which nothing is known about the account.
    CredentialReport,
    /// The current users, and when their passwords were last used.
    Users,
    /// Whether a user currently has a password.
    LoginProfile,
    /// The current access keys of a user.
    AccessKeys,
    /// When an access key was last used.
    AccessKeyUse,
    /// The signing certificates of a user, if the report cannot show them.
    SigningCertificates,
    /// The SSH keys of a user.
    SshKeys,
    /// The service-specific credentials of the account.
    ServiceSpecificCredentials,
    /// The tags of all users.
    Tags,
    /// The tags with a user's owner. Optional.
    Owners,
    /// The account's alias. Optional.
    Alias,
    /// The service that a user last accessed. Optional.
    LastAccessed,
    /// The groups, policies and MFA devices of a user. Only `remediate` requests them.
    Holdings,
}

impl EvidenceItem {
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.into_str()
    }
}

/// Evidence that could not be collected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvidenceGap {
    pub piece: EvidenceItem,
    /// The cause.
    pub cause: GapCause,
    /// The action that failed, as in an IAM policy: `iam:ListUsers`, `sts:AssumeRole`.
    pub action: &'static str,
    /// The error in one line.
    pub message: String,
    /// The number of users without the evidence; 0 if it is missing for the account.
    pub users: usize,
}

/// Why evidence could not be collected.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum GapCause {
    /// A permission is missing.
    Denied,
    /// The AWS credentials have expired or were rejected.
    Credentials,
    /// AWS throttled the call until the timeout.
    Throttled,
    /// AWS returned server errors until the timeout.
    Unavailable,
    /// The endpoint could not be reached, or did not respond.
    Unreachable,
    /// The call was not made or completed before the timeout.
    TimedOut,
    /// The response was not usable.
    Unexpected,
}

impl GapCause {
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.into_str()
    }
}

/// How the evidence of a credential was collected.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum Evidence {
    /// By a re-check, which replaced the report's row.
    ReChecked,
    /// From a row of the credential report, which may be hours old.
    CredentialReport,
    /// From a row of the credential report, because the re-check failed.
    NotReChecked,
}

impl Evidence {
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.into_str()
    }
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

/// The names of a user's groups and policies.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permissions {
    /// Groups.
    pub groups: Vec<String>,
    /// Managed policies, attached to the user.
    pub attached_policies: Vec<String>,
    /// Inline policies.
    pub inline_policies: Vec<String>,
}

/// The last access of a user that Access Advisor recorded. Denied attempts count too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LastAccessed {
    /// The service's namespace: `s3`, `ec2`, …
    pub service: String,
    pub at: DateTime<Utc>,
}

/// A console password (a login profile).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Password {
    /// Whether it can be used to sign in.
    pub enabled: Flag,
    /// The last sign-in with it.
    pub last_used: Timestamp,
    /// When it was set or last changed.
    pub last_changed: Timestamp,
}

/// A user's access keys: two at most, apart from a third that AWS sometimes allows.
pub type AccessKeys<'a> = SmallVec<[AccessKey<'a>; 2]>;

/// An access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey<'a> {
    /// Its slot in the report, or its id in the live API.
    pub handle: CredentialHandle,
    /// Whether requests signed with it are accepted.
    pub active: Flag,
    /// When it was created (`last_rotated` in the credential report).
    pub created: Timestamp,
    /// The last request signed with it.
    pub last_used: Timestamp,
    /// The service of the last request (`s3`, `ec2`, …).
    pub last_used_service: Option<Cow<'a, str>>,
}

/// A credential without a last-used date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherCredential {
    pub kind: CredentialKind,
    /// Its slot in the report, or its id in the live API.
    pub handle: CredentialHandle,
    /// Whether it is active.
    pub active: Flag,
    /// When it was created or uploaded.
    pub created: Timestamp,
}

/// The kinds of credentials.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::EnumCount,
    strum::VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum CredentialKind {
    /// The console password.
    Password,
    /// An access key.
    AccessKey,
    /// An X.509 signing certificate.
    SigningCertificate,
    /// An SSH public key (CodeCommit).
    SshKey,
    /// A user name and password, or an API key, for one service (CodeCommit, Keyspaces, Bedrock, …).
    ServiceSpecificCredential,
}

impl CredentialKind {
    pub const ALL: [Self; Self::COUNT] = all(Self::VARIANTS);

    /// The kind's name in reports, finding ids and the allowlist.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.into_str()
    }
}

/// What distinguishes a credential from others of the same kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialHandle {
    /// The slot in a credential report: 1 or 2. The key in slot 1 is not necessarily older.
    Slot(u8),
    /// The id in the live API (`AKIA…` for an access key).
    Id(String),
}

/// The part of a credential's id that may be shown: the last four characters.
#[must_use]
pub fn id_ending(id: &str) -> String {
    let length = id.chars().count();
    id.chars().skip(length.saturating_sub(4)).collect()
}

/// A date that may be absent or unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timestamp {
    /// There is none: `N/A`, `no_information`, `not_supported`.
    Absent,
    /// A time, to the second.
    At(DateTime<Utc>),
    /// There is text that is not a date.
    Unreadable(Box<UnreadableField>),
}

impl Timestamp {
    /// The time, if it can be read.
    #[must_use]
    pub const fn at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(moment) => Some(*moment),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }
}

/// A Boolean that may be unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flag {
    /// `true`.
    Yes,
    /// `false`, or a value that says that the credential does not exist.
    No,
    /// There is text that is neither.
    Unreadable(Box<UnreadableField>),
}

/// A field that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadableField {
    /// The column of the credential report, or the field of the API's answer.
    pub column: String,
    /// Its content.
    pub text: String,
}
