//! What the judge says: findings, how complete the evidence was, and what became of the exemptions.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::finding_id::FindingId;
use crate::model::all;
use crate::model::inventory::{
    AccountId, CredentialHandle, CredentialKind, Evidence, LastAccessed, Permissions,
    UnreadableField,
};
use crate::model::policy::{Level, Rule};
use crate::model::remediation_tag::RemediationTag;
use strum::{EnumCount as _, VariantArray as _};

/// How complete the evidence of one rule was in one account.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::EnumCount,
    strum::VariantArray,
)]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum Coverage {
    /// All evidence was had, live: a finding that is gone is cleared.
    Complete,
    /// All evidence was had, but from a report that may be old: findings are added, none cleared.
    Snapshot,
    /// The evidence is not of a form that shows all that the rule needs, by the user's choice.
    NotShown,
    /// Evidence that was to be had could not be had or read. Never the same as clean.
    Incomplete,
}

impl Coverage {
    /// All of them, the best first.
    pub const ALL: [Self; Self::COUNT] = all(Self::VARIANTS);

    /// Whether all evidence that the rule needs was had, so that what it did not find was not there.
    #[must_use]
    pub const fn has_all_evidence(self) -> bool {
        matches!(self, Self::Complete | Self::Snapshot)
    }

    /// The coverage's name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.into_str()
    }
}

/// One rule's verdict on one credential or user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The same for the same credential in every run.
    pub id: FindingId,
    /// The rule.
    pub rule: Rule,
    /// The rule's level in this run.
    pub level: Level,
    /// Whether it is open.
    pub status: FindingStatus,
    /// Whose it is.
    pub user: Arc<FindingUser>,
    /// How the credential was seen.
    pub evidence: Evidence,
    /// Which credential it is about; `None` for a verdict on the user.
    pub credential: Option<Credential>,
    /// The date from which the days are counted, and what it is; `None` when it is unknown.
    pub reference: Option<(ReferenceKind, DateTime<Utc>)>,
    /// Whole days since then.
    pub days: Option<i64>,
    /// What else is to be said.
    pub notes: Vec<Note>,
    /// Index of the exemption that covers it.
    pub exemption: Option<usize>,
    /// How far the remedy has come with the credential, where the tag on the user says so and the
    /// credential was seen in that state.
    pub remediation_tag: Option<RemediationTag>,
}

impl Finding {
    /// Whether the finding is open and of a level that needs remedy.
    #[must_use]
    pub fn needs_remediation(&self) -> bool {
        self.status == FindingStatus::Open && self.level >= Level::Warning
    }

    /// Whether the gate counts the finding.
    #[must_use]
    pub fn counts_for_gate(&self) -> bool {
        self.status == FindingStatus::Open && self.level == Level::Error
    }

    /// Whether the password was changed so lately that its disuse is somebody's current business.
    #[must_use]
    pub fn recently_reset(&self) -> bool {
        self.notes.iter().any(|note| matches!(note, Note::RecentlyReset(_)))
    }

    /// The order of findings within an account: what nobody knows first, then the longest disuse,
    /// what was reset recently last. The rest makes the order total.
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

    /// Compares by account and by the order in which findings are listed.
    #[must_use]
    pub fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let account = self.user.account.cmp(&other.user.account);
        account.then_with(|| self.order().cmp(&other.order()))
    }
}

/// The user whom a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FindingUser {
    /// The account.
    pub account: AccountId,
    /// The user's name.
    pub name: String,
    /// The user's ARN.
    pub arn: String,
    /// The user's unique id, where it is known.
    pub user_id: Option<String>,
    /// When the user was created, where it could be read.
    pub created: Option<DateTime<Utc>>,
    /// Whether the user has an MFA device, where that was shown.
    pub mfa: Option<bool>,
    /// How the user's credentials were seen, by the weakest of the evidence.
    pub evidence: Evidence,
    /// Who owns the user, where tags say so.
    pub owner: Option<String>,
    /// The groups and policies, where they were observed.
    pub permissions: Option<Permissions>,
    /// The user's credentials, as far as they were seen: they go with the user.
    pub credentials: Vec<UserCredential>,
    /// The service that the user was last seen with, where that was asked.
    pub last_accessed: Option<LastAccessed>,
    /// Whether some credential of the user is in use, or may be: then the user must stay.
    pub in_use: bool,
    /// Whether credentials of every kind were looked for.
    pub all_kinds_seen: bool,
}

/// Which credential a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Credential {
    /// What kind it is.
    pub kind: CredentialKind,
    /// Its slot or id; a password has neither.
    pub handle: Option<CredentialHandle>,
    /// When it was created, where that could be read; for a password when it was last changed.
    pub created: Option<DateTime<Utc>>,
    /// The last service it was used for, where that was shown.
    pub last_used_service: Option<String>,
}

/// A credential that a user has, whatever is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserCredential {
    /// What kind it is.
    pub kind: CredentialKind,
    /// Its slot or id; a password has neither.
    pub handle: Option<CredentialHandle>,
}

/// Whether a finding is open.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::EnumCount,
    strum::VariantArray,
)]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum FindingStatus {
    /// It stands.
    Open,
    /// An exemption in force covers it.
    Exempted,
    /// The evidence cannot be read, so that nobody knows.
    Unknown,
}

impl FindingStatus {
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = all(Self::VARIANTS);

    /// The status's name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.into_str()
    }
}

/// What the reference date is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::EnumCount,
    strum::VariantArray,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum ReferenceKind {
    /// The last use.
    LastUsed,
    /// The creation, since there was no use.
    NeverUsedSince,
    /// The creation, for credentials that have no last-used date and for rules about age.
    Created,
    /// The day that a user's expiry tag names.
    Expired,
}

impl ReferenceKind {
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = all(Self::VARIANTS);

    /// The reference's name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.into_str()
    }
}

/// What else is to be said about a finding.
#[derive(Debug, Clone, PartialEq, Eq, strum::EnumDiscriminants)]
#[strum_discriminants(
    name(NoteKind),
    derive(strum::Display, strum::EnumString, strum::IntoStaticStr),
    strum(serialize_all = "kebab-case", const_into_str),
    doc = "The kinds of [`Note`]."
)]
pub enum Note {
    /// The password is long unused, but was changed within the threshold.
    RecentlyReset(DateTime<Utc>),
    /// A field could not be read.
    Unreadable(UnreadableField),
    /// The user has credentials that the report does not show.
    HiddenCredentials,
    /// An exemption (by index) would cover the finding, but has expired.
    ExemptionExpired(usize),
    /// An exemption (by index) names a user id or a key that an exported report does not show.
    ExemptionNeedsLiveEvidence(usize),
}

impl Note {
    /// The note's name.
    #[must_use]
    pub fn id(&self) -> &'static str {
        NoteKind::from(self).into_str()
    }
}
