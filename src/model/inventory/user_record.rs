//! Everything about one user that remediation depends on, at one point in time.

use super::{AccountId, EvidenceGap, User};

/// Everything about one user that remediation depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    pub account: AccountId,
    pub partition: String,
    /// The user with all credentials and tags, from the live API.
    pub user: User<'static>,
    pub path: String,
    /// What else the user has; `None` if it was not requested.
    pub holdings: Option<Holdings>,
    /// Evidence that could not be collected. A user with a gap is not changed.
    pub gaps: Vec<EvidenceGap>,
}

/// What a user has besides credentials. It is deleted with the user, and needed to create the user
/// again by hand.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holdings {
    /// The ARN of the permissions boundary.
    pub permissions_boundary: Option<String>,
    /// The serial numbers of the MFA devices. Those of virtual devices are ARNs.
    pub mfa_devices: Vec<String>,
    /// The inline policies.
    pub inline_policies: Vec<InlinePolicy>,
    /// The ARNs of the attached managed policies.
    pub attached_policies: Vec<String>,
    /// The groups.
    pub groups: Vec<String>,
}

/// An inline policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct InlinePolicy {
    pub name: String,
    /// The policy document, as JSON.
    pub document: String,
}
