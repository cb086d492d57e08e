//! Credentials of a user.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::{Flag, Timestamp};
use crate::model::text_enum;

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

text_enum! {
    /// The kinds of credentials.
    #[derive(serde::Serialize, serde::Deserialize)]
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
