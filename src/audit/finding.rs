//! Findings, and how complete the evidence for them is.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::finding_id::FindingId;
use crate::model::inventory::{
    AccountId, CredentialHandle, CredentialKind, Evidence, LastAccessed, Permissions,
    UnreadableField,
};
use crate::model::policy::{Level, Rule};
use crate::model::remediation_tag::RemediationTag;
use crate::model::text_enum;

text_enum! {
    /// How complete the evidence of one rule is in one account.
    pub enum Coverage {
        /// All evidence was collected from the account: a finding that is no longer there is cleared.
        Complete,
        /// All evidence is there, but from a report that may be outdated: findings are added, and none
        /// is cleared.
        Snapshot,
        /// By the user's choice, the evidence does not show everything that the rule needs.
        NotShown,
        /// Evidence is missing or cannot be read. Never reported as clean.
        Incomplete,
    }
}

impl Coverage {
    /// Whether all evidence that the rule needs is there, so that what it did not find does not
    /// exist.
    #[must_use]
    pub const fn has_all_evidence(self) -> bool {
        matches!(self, Self::Complete | Self::Snapshot)
    }
}

/// One rule's result for one credential or user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The same in every run for the same credential.
    pub id: FindingId,
    pub rule: Rule,
    pub level: Level,
    pub status: FindingStatus,
    pub user: Arc<FindingUser>,
    /// How the evidence was collected.
    pub evidence: Evidence,
    /// The credential; `None` if the finding is about the user.
    pub credential: Option<Credential>,
    /// The date from which days are counted, and what it is; `None` if it is unknown.
    pub reference: Option<(ReferenceKind, DateTime<Utc>)>,
    /// Whole days since the reference date.
    pub days: Option<i64>,
    pub notes: Vec<Note>,
    /// The index of the exemption that covers it.
    pub exemption: Option<usize>,
    /// The remediation tag of the credential, if it matches the state in which the credential was
    /// observed.
    pub remediation_tag: Option<RemediationTag>,
}

impl Finding {
    /// Whether the finding is open, and a warning or an error.
    #[must_use]
    pub fn needs_remediation(&self) -> bool {
        self.status == FindingStatus::Open && self.level >= Level::Warning
    }

    /// Whether the finding is open, and an error.
    #[must_use]
    pub fn counts_for_gate(&self) -> bool {
        self.status == FindingStatus::Open && self.level == Level::Error
    }

    /// Whether the password was changed recently, so someone is about to use it.
    #[must_use]
    pub fn recently_reset(&self) -> bool {
        self.notes.iter().any(|note| matches!(note, Note::RecentlyReset(_)))
    }

    /// The order of findings within an account: unknown ones first, then by days of disuse, and
    /// recently reset passwords last. The remaining fields make the order total.
    pub(super) fn order(&self) -> impl Ord + use<'_> {
        (
            self.status != FindingStatus::Unknown,
            self.recently_reset(),
            std::cmp::Reverse(self.days),
            &self.user.name,
            self.rule,
            &self.credential,
            self.id,
        )
    }

    /// Compares by account, and then in the order in which findings are listed.
    #[must_use]
    pub fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let account = self.user.account.cmp(&other.user.account);
        account.then_with(|| self.order().cmp(&other.order()))
    }
}

/// The user of a finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FindingUser {
    pub account: AccountId,
    pub name: String,
    pub arn: String,
    /// The user's unique id, if it is known.
    pub user_id: Option<String>,
    /// When the user was created, if that can be read.
    pub created: Option<DateTime<Utc>>,
    /// Whether the user has an MFA device, if that is known.
    pub mfa: Option<bool>,
    /// How the evidence was collected, by the weakest part of it.
    pub evidence: Evidence,
    /// The owner in the user's tags.
    pub owner: Option<String>,
    /// The groups and policies, if they were collected.
    pub permissions: Option<Permissions>,
    /// The user's credentials, as far as they are known. They are deleted with the user.
    pub credentials: Vec<UserCredential>,
    /// The service that the user last accessed, if that was requested.
    pub last_accessed: Option<LastAccessed>,
    /// Whether a credential of the user is in use, or may be, so the user must stay.
    pub in_use: bool,
    /// Whether the evidence shows credentials of all kinds.
    pub all_kinds_seen: bool,
}

/// The credential of a finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Credential {
    pub kind: CredentialKind,
    /// The slot or id; a password has neither.
    pub handle: Option<CredentialHandle>,
    /// When it was created, or when the password was last changed, if that can be read.
    pub created: Option<DateTime<Utc>>,
    /// The service for which it was last used, if that is known.
    pub last_used_service: Option<String>,
}

/// A credential of a user, with or without a finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserCredential {
    pub kind: CredentialKind,
    /// The slot or id; a password has neither.
    pub handle: Option<CredentialHandle>,
}

text_enum! {
    pub enum FindingStatus {
        /// The finding is open.
        Open,
        /// A valid exemption covers it.
        Exempted,
        /// The evidence cannot be read, so the result is unknown.
        Unknown,
    }
}

text_enum! {
    /// The meaning of a reference date.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum ReferenceKind {
        /// The last use.
        LastUsed,
        /// The creation, because the credential was never used.
        NeverUsedSince,
        /// The creation, for credentials without a last-used date and for rules about age.
        Created,
        /// The day in the user's expiry tag.
        Expired,
    }
}

/// Additional information about a finding.
#[derive(Debug, Clone, PartialEq, Eq, strum::EnumDiscriminants)]
#[strum_discriminants(
    name(NoteKind),
    derive(strum::Display, strum::EnumString, strum::IntoStaticStr),
    strum(serialize_all = "kebab-case", const_into_str),
    doc = "The kinds of [`Note`]."
)]
pub enum Note {
    /// The password has not been used for a long time, but was changed within `stale_after_days`.
    RecentlyReset(DateTime<Utc>),
    /// A field cannot be read.
    Unreadable(UnreadableField),
    /// The user has credentials that the report does not show.
    HiddenCredentials,
    /// An exemption (by index) would cover the finding, but is expired.
    ExemptionExpired(usize),
    /// An exemption (by index) names a user id or access key, which an exported report does not
    /// show.
    ExemptionNeedsLiveEvidence(usize),
}

impl Note {
    #[must_use]
    pub fn id(&self) -> &'static str {
        NoteKind::from(self).into_str()
    }
}
