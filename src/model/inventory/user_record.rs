//! One user looked at closely: everything that a remedy hangs on, as IAM shows it at one moment.

use super::{AccountId, EvidenceGap, User};

/// One user, looked at closely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The account.
    pub account: AccountId,
    /// The account's partition.
    pub partition: String,
    /// The user with all credentials, each seen live, and all tags.
    pub user: User<'static>,
    /// The user's path.
    pub path: String,
    /// What else the user has; `None` where it was not asked for.
    pub holdings: Option<Holdings>,
    /// What could not be seen. With a gap, nothing is done about the user.
    pub gaps: Vec<EvidenceGap>,
}

/// What a user has besides credentials: what goes with the user, and what would be needed to make
/// the user again by hand.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holdings {
    /// The ARN of the policy that bounds the user's rights.
    pub permissions_boundary: Option<String>,
    /// The serial numbers of the MFA devices; those of virtual ones are ARNs.
    pub mfa_devices: Vec<String>,
    /// The policies written into the user.
    pub inline_policies: Vec<InlinePolicy>,
    /// The ARNs of the managed policies that are attached to the user.
    pub attached_policies: Vec<String>,
    /// The groups.
    pub groups: Vec<String>,
}

/// A policy that is written into a user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct InlinePolicy {
    /// The policy's name.
    pub name: String,
    /// The document, as JSON.
    pub document: String,
}
