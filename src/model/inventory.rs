//! What observation yields: accounts, their users and their credentials, as plain values.
//!
//! Nothing here judges. A field that could not be read keeps its column and its text, so that the
//! judge can call the verdict unknown instead of guessing.

mod age;
mod denial;
mod user_record;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

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

/// A text that is no AWS account id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAccountId {
    /// It is something else.
    #[error("an AWS account id has twelve digits")]
    NotTwelveDigits,
    /// It has digits alone, and too few.
    #[error(
        "an AWS account id has twelve digits: did this one lose a zero at its beginning? Write all \
         twelve, in YAML in quotes"
    )]
    TooFewDigits,
}

impl FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        match text.as_bytes().try_into() {
            Ok(digits) if is_number => Ok(Self(digits)),
            // Spreadsheets and YAML take an id for a number, which has no zeros before it.
            _ if is_number && (9..12).contains(&text.len()) => Err(InvalidAccountId::TooFewDigits),
            _ => Err(InvalidAccountId::NotTwelveDigits),
        }
    }
}

impl AccountId {
    /// The twelve digits as text.
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

/// One audited account with everything that was observed of it. Texts of a credential report are
/// borrowed from it: most users are healthy, and no text of theirs need be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account<'a> {
    /// The account's id, from the ARNs of its users.
    pub id: AccountId,
    /// The ARN partition: `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// The account's alias, where it was asked for.
    pub alias: Option<String>,
    /// What the account's evidence is made of.
    pub evidence_source: EvidenceSource,
    /// When IAM generated the credential report; `None` when an exported file does not say.
    pub report_generated_at: Option<DateTime<Utc>>,
    /// The root user, unless the report has no row for it.
    pub root: Option<User<'a>>,
    /// The IAM users, in the order in which they were observed.
    pub users: Vec<User<'a>>,
    /// The report's rows of users whom a live look has replaced or found gone.
    pub replaced_rows: Vec<User<'a>>,
    /// What was asked for and could not be had.
    pub gaps: Vec<EvidenceGap>,
    /// Users who were asked after by name, in lower case: all their other credentials were seen, or
    /// they are gone.
    pub queried_users: Vec<String>,
}

/// What the evidence of an account is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvidenceSource {
    /// An exported credential report: what it does not show was not looked for.
    ExportedReport,
    /// A credential report that was fetched, without a second look, by the user's choice.
    FetchedReport,
    /// A credential report and live looks: what is missing could not be had.
    Live,
}

impl EvidenceSource {
    /// All forms.
    pub const ALL: [Self; 3] = [Self::ExportedReport, Self::FetchedReport, Self::Live];

    /// The form of this name.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.id() == id)
    }

    /// The form's name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::ExportedReport => "exported-report",
            Self::FetchedReport => "fetched-report",
            Self::Live => "live",
        }
    }
}

/// A piece of evidence that rules hang on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvidenceItem {
    /// The credential report, and with it the account.
    CredentialReport,
    /// Which users there are now, and when their passwords were last used.
    Users,
    /// Whether a user has a password now.
    LoginProfile,
    /// Which access keys a user has now.
    AccessKeys,
    /// When an access key was last used.
    AccessKeyUse,
    /// The signing certificates of a user whose row cannot show them.
    SigningCertificates,
    /// The SSH keys of a user.
    SshKeys,
    /// The service-specific credentials of the account.
    ServiceSpecificCredentials,
    /// The tags of all users.
    Tags,
    /// The tags that name a user's owner: an ornament.
    Owners,
    /// The account's alias: an ornament.
    Alias,
    /// The services that a user was last seen with: an ornament.
    LastAccessed,
    /// The groups, policies and MFA devices of a user: the remedy alone asks for them.
    Holdings,
}

impl EvidenceItem {
    /// The piece's name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::CredentialReport => "credential-report",
            Self::Users => "users",
            Self::LoginProfile => "login-profile",
            Self::AccessKeys => "access-keys",
            Self::AccessKeyUse => "access-key-use",
            Self::SigningCertificates => "signing-certificates",
            Self::SshKeys => "ssh-keys",
            Self::ServiceSpecificCredentials => "service-specific-credentials",
            Self::Tags => "tags",
            Self::Owners => "owners",
            Self::Alias => "alias",
            Self::LastAccessed => "last-accessed",
            Self::Holdings => "holdings",
        }
    }
}

/// Evidence that was asked for and could not be had.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvidenceGap {
    /// What is missing.
    pub piece: EvidenceItem,
    /// Why, as a word for programs.
    pub cause: GapCause,
    /// The action that failed, as a policy names it: `iam:ListUsers`, `sts:AssumeRole`.
    pub action: &'static str,
    /// What was answered, in one line for people.
    pub message: String,
    /// How many users the evidence is missing for; 0 where it is missing for the account.
    pub users: usize,
}

/// Why evidence could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapCause {
    /// A permission is missing.
    Denied,
    /// The credentials ran out or were refused.
    Credentials,
    /// AWS asked to go slower, until time was up.
    Throttled,
    /// AWS could not answer, until time was up.
    Unavailable,
    /// Nothing could be reached, or nothing came back.
    Unreachable,
    /// Time was up before it was asked for or answered.
    TimedOut,
    /// The answer was none that can be worked with.
    Unexpected,
}

impl GapCause {
    /// The cause's name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Credentials => "credentials",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed-out",
            Self::Unexpected => "unexpected",
        }
    }
}

/// How a credential was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// A live look at the user that replaced the report's row.
    ReChecked,
    /// A row of a credential report, which may be hours old.
    CredentialReport,
    /// The report's row, because the live look failed.
    NotReChecked,
}

impl Evidence {
    /// The evidence's name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::CredentialReport => "credential-report",
            Self::ReChecked => "re-checked",
            Self::NotReChecked => "not-re-checked",
        }
    }
}

/// One IAM user, or the root user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User<'a> {
    /// The user's name; IAM compares it without case.
    pub name: Cow<'a, str>,
    /// The user's ARN, as it was written.
    pub arn: Cow<'a, str>,
    /// The unique id (`AIDA…`); only the live API shows it.
    pub id: Option<String>,
    /// When the user was created.
    pub created: Timestamp,
    /// How the password was seen.
    pub password_evidence: Evidence,
    /// How the access keys were seen.
    pub access_key_evidence: Evidence,
    /// Whether the user has an MFA device, where that was shown.
    pub mfa: Option<bool>,
    /// The console password; `None` when there is none or it is disabled.
    pub password: Option<Password>,
    /// The access keys, active or not.
    pub access_keys: AccessKeys<'a>,
    /// Signing certificates and, where the live API was asked, SSH keys and service-specific
    /// credentials.
    pub other_credentials: Vec<OtherCredential>,
    /// Whether `other_credentials` holds all kinds. A credential report shows signing
    /// certificates alone.
    pub other_credentials_complete: bool,
    /// The report names credentials that its columns do not show (`additional_credentials_info`).
    pub hidden_credentials: bool,
    /// The user's tags, where the live API was asked.
    pub tags: Option<BTreeMap<String, String>>,
    /// Who owns the user, by the tags that name owners.
    pub owner: Option<String>,
    /// The groups and policies, where the live API was asked.
    pub permissions: Option<Permissions>,
    /// The service that the user was last seen with, where Access Advisor was asked. It speaks of
    /// the user, and of no credential.
    pub last_accessed: Option<LastAccessed>,
}

impl User<'_> {
    /// The same user, free of the report that its texts were borrowed from.
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

    /// How the user was seen, by the weakest of the evidence.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        self.password_evidence.max(self.access_key_evidence)
    }
}

/// The owner that the first of `keys` names which is among the tags.
#[must_use]
pub fn owner<'t>(tags: &'t BTreeMap<String, String>, keys: &[String]) -> Option<&'t str> {
    let named = keys.iter().filter_map(|key| tags.get(key));
    named.map(|value| value.trim()).find(|value| !value.is_empty())
}

/// Where a user's rights come from, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permissions {
    /// Groups.
    pub groups: Vec<String>,
    /// Managed policies, attached to the user.
    pub attached_policies: Vec<String>,
    /// Policies written into the user.
    pub inline_policies: Vec<String>,
}

/// What Access Advisor last saw a user do: denied attempts count too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LastAccessed {
    /// The service's namespace: `s3`, `ec2`, …
    pub service: String,
    /// When.
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

/// A user's access keys: two at most, but for the third that AWS sometimes lets through.
pub type AccessKeys<'a> = SmallVec<[AccessKey<'a>; 2]>;

/// An access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey<'a> {
    /// Where it stands in the report, or what the live API calls it.
    pub handle: CredentialHandle,
    /// Whether requests signed with it are accepted.
    pub active: Flag,
    /// When it was created (`last_rotated` in the credential report).
    pub created: Timestamp,
    /// The last request signed with it.
    pub last_used: Timestamp,
    /// The service of that request (`s3`, `ec2`, …).
    pub last_used_service: Option<Cow<'a, str>>,
}

/// A credential that bears no last-used date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherCredential {
    /// What kind it is.
    pub kind: CredentialKind,
    /// Where it stands in the report, or what the live API calls it.
    pub handle: CredentialHandle,
    /// Whether it is accepted.
    pub active: Flag,
    /// When it was created or uploaded.
    pub created: Timestamp,
}

/// The kinds of credential that a finding can be about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
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
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Password,
        Self::AccessKey,
        Self::SigningCertificate,
        Self::SshKey,
        Self::ServiceSpecificCredential,
    ];

    /// The kind of this name.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.id() == id)
    }

    /// The kind's name in reports, fingerprints and the allowlist.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::AccessKey => "access-key",
            Self::SigningCertificate => "signing-certificate",
            Self::SshKey => "ssh-key",
            Self::ServiceSpecificCredential => "service-specific-credential",
        }
    }
}

/// What tells a credential from its siblings of the same kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialHandle {
    /// The slot of a credential report: 1 or 2. Slot 1 is not the older one.
    Slot(u8),
    /// The id of the live API (`AKIA…` for an access key).
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
    /// Explicitly none: `N/A`, `no_information`, `not_supported`.
    Absent,
    /// A moment, to the second.
    At(DateTime<Utc>),
    /// There is a text, and it is no date.
    Unreadable(Box<UnreadableField>),
}

impl Timestamp {
    /// The moment, if there is a readable one.
    #[must_use]
    pub const fn at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(moment) => Some(*moment),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }
}

/// A yes or no that may be unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flag {
    /// `true`.
    Yes,
    /// `false`, or a value that says the thing does not exist.
    No,
    /// There is a text, and it is neither.
    Unreadable(Box<UnreadableField>),
}

/// A field that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadableField {
    /// The column of the credential report, or the field of the API's answer.
    pub column: String,
    /// What stood there.
    pub text: String,
}
