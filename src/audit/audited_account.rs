//! An audited account, and what the re-check cleared.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::evidence_age::EvidenceAge;
use super::finding::Coverage;
use super::finding_id::FindingId;
use crate::model::inventory::{
    AccountId, CredentialKind, EvidenceGap, EvidenceItem, EvidenceSource,
};
use crate::model::policy::Rule;

/// An audited account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedAccount {
    pub id: AccountId,
    /// The ARN partition: `aws`, `aws-cn`, …
    pub partition: String,
    /// The account's alias, if it is known.
    pub alias: Option<String>,
    /// When IAM generated the credential report, if it is known.
    pub report_generated_at: Option<DateTime<Utc>>,
    pub age: EvidenceAge,
    /// The number of IAM users, without the root user.
    pub users: usize,
    /// The number of flagged users.
    pub flagged_users: usize,
    /// The number of users without a credential in a report that does not show all kinds.
    pub users_without_shown_credentials: usize,
    pub evidence_source: EvidenceSource,
    /// The number of re-checked users.
    pub rechecked: usize,
    /// How complete the evidence of each enabled rule is.
    pub coverage: BTreeMap<Rule, Coverage>,
    /// Evidence that could not be collected.
    pub gaps: Vec<EvidenceGap>,
    /// Findings of the credential report that the re-check cleared.
    pub cleared: Vec<ClearedFinding>,
    /// Users whose SSH keys were requested by name: the evidence has all of their other
    /// credentials, or they no longer exist.
    pub queried_users: Vec<String>,
    /// Users, in lower case, that were re-checked by name: all of their credentials and tags were
    /// read, or they no longer exist.
    pub rechecked_users: Vec<String>,
}

/// A finding of the credential report that the re-check cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearedFinding {
    /// The id that the finding would have.
    pub id: FindingId,
    pub rule: Rule,
    pub user: String,
    pub kind: CredentialKind,
    /// When the credential was created, or when the password was last changed.
    pub created: Option<DateTime<Utc>>,
    pub reason: ClearedReason,
}

/// What happened to a credential after the report was generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::EnumDiscriminants)]
#[strum_discriminants(
    name(ClearedReasonKind),
    derive(strum::Display, strum::EnumString, strum::IntoStaticStr),
    strum(serialize_all = "kebab-case", const_into_str),
    doc = "The kinds of [`ClearedReason`]."
)]
pub enum ClearedReason {
    /// The user was deleted.
    UserGone,
    /// The credential was deleted.
    Removed,
    /// The access key was deactivated.
    Deactivated,
    /// The credential was used.
    Used(DateTime<Utc>),
    /// The credential was changed in another way.
    Changed,
}

impl ClearedReason {
    #[must_use]
    pub fn id(self) -> &'static str {
        ClearedReasonKind::from(self).into_str()
    }
}

impl AuditedAccount {
    /// Whether there is no credential report, so nothing is known about the account.
    #[must_use]
    pub fn has_no_credential_report(&self) -> bool {
        self.gaps.iter().any(|gap| gap.item == EvidenceItem::CredentialReport)
    }

    /// The rules that are incomplete.
    pub fn incomplete_rules(&self) -> impl Iterator<Item = Rule> + '_ {
        let incomplete = |(rule, coverage): (&Rule, &Coverage)| {
            (*coverage == Coverage::Incomplete).then_some(*rule)
        };
        self.coverage.iter().filter_map(incomplete)
    }
}
