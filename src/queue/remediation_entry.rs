//! What the queue state knows about the remediation of credentials, and what can happen to it.

use serde::{Deserialize, Serialize};

use super::by_account::ByAccount;
use super::remediation_progress::RemediationProgress;
use crate::audit::FindingId;
use crate::model::inventory::{AccountId, CredentialKind};

/// The remediation of a credential or user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemediationEntry {
    #[serde(rename = "u")]
    pub user: String,
    /// The credential's kind; `None` for the whole user.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<CredentialKind>,
    /// The last four characters of the credential's id.
    #[serde(rename = "end", default, skip_serializing_if = "Option::is_none")]
    pub id_ending: Option<String>,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(rename = "p")]
    pub progress: RemediationProgress,
    /// Whether a comment announced the deletion.
    #[serde(rename = "d", default, skip_serializing_if = "std::ops::Not::not")]
    pub deletion_announced: bool,
}

/// What happened in a remediation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum RemediationEventKind {
    /// A notice was given.
    Notified,
    /// A run deactivated the credential.
    Deactivated,
    /// Someone else had deactivated the credential, and it will be deleted.
    FoundInactive,
    /// The deletion is less than a week away.
    DeletionComing,
    Deleted,
    /// The credential is active again.
    Reactivated,
}

/// A change that a comment reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemediationEvent {
    pub kind: RemediationEventKind,
    pub account: AccountId,
    pub entry: RemediationEntry,
}

impl RemediationEvent {
    /// The user that it is about: the account, and the name in lower case.
    #[must_use]
    pub fn user_key(&self) -> (AccountId, String) {
        (self.account, self.entry.user.to_ascii_lowercase())
    }
}

/// The remediations in the queue state.
pub type Remediations = ByAccount<FindingId, RemediationEntry>;
