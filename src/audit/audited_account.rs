//! What a run did with an account, and what its second look cleared.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::evidence_age::EvidenceAge;
use super::finding::Coverage;
use super::finding_id::FindingId;
use crate::model::inventory::{
    AccountId, CredentialKind, EvidenceGap, EvidenceItem, EvidenceSource,
};
use crate::model::policy::Rule;

/// What a run did with one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedAccount {
    /// The account's id.
    pub id: AccountId,
    /// The ARN partition.
    pub partition: String,
    /// The account's alias, where it is known.
    pub alias: Option<String>,
    /// When IAM generated the credential report, where that is known.
    pub report_generated_at: Option<DateTime<Utc>>,
    /// How old the evidence is.
    pub age: EvidenceAge,
    /// How many IAM users it has, the root user not counted.
    pub users: usize,
    /// How many of them a sweep cannot clear, so that a second look is due.
    pub flagged_users: usize,
    /// How many of them show no credential in a report that cannot show all kinds.
    pub users_without_shown_credentials: usize,
    /// What the evidence is made of.
    pub evidence_source: EvidenceSource,
    /// How many users were looked at live.
    pub rechecked: usize,
    /// How complete each rule's evidence was; rules that are off are not listed.
    pub coverage: BTreeMap<Rule, Coverage>,
    /// What was asked for and could not be had.
    pub gaps: Vec<EvidenceGap>,
    /// What the report alone would have called stale, and the second look cleared.
    pub cleared: Vec<ClearedFinding>,
    /// Users who were asked after by name: all their other credentials were seen, or they are gone.
    pub queried_users: Vec<String>,
}

/// A finding that the report alone would have made, and that a live look cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearedFinding {
    /// The finding's identity.
    pub id: FindingId,
    /// The rule.
    pub rule: Rule,
    /// The user's name.
    pub user: String,
    /// What kind of credential it is about.
    pub kind: CredentialKind,
    /// When the credential was created; for a password when it was last changed.
    pub created: Option<DateTime<Utc>>,
    /// What has happened to it since the report.
    pub reason: ClearedReason,
}

/// What has happened to a credential since the report was generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::EnumDiscriminants)]
#[strum_discriminants(
    name(ClearedReasonKind),
    derive(strum::Display, strum::EnumString, strum::IntoStaticStr),
    strum(serialize_all = "kebab-case", const_into_str),
    doc = "The kinds of [`ClearedReason`]."
)]
pub enum ClearedReason {
    /// The user is gone.
    UserGone,
    /// The credential is gone.
    Removed,
    /// The key was deactivated.
    Deactivated,
    /// It was used.
    Used(DateTime<Utc>),
    /// It was changed.
    Changed,
}

impl ClearedReason {
    /// The name of what has happened.
    #[must_use]
    pub fn id(self) -> &'static str {
        ClearedReasonKind::from(self).into_str()
    }
}

impl AuditedAccount {
    /// Whether the credential report could not be had, so that nothing is known of the account.
    #[must_use]
    pub fn has_no_credential_report(&self) -> bool {
        self.gaps.iter().any(|gap| gap.piece == EvidenceItem::CredentialReport)
    }

    /// The rules whose evidence could not be had.
    pub fn incomplete_rules(&self) -> impl Iterator<Item = Rule> + '_ {
        let incomplete = |(rule, coverage): (&Rule, &Coverage)| {
            (*coverage == Coverage::Incomplete).then_some(*rule)
        };
        self.coverage.iter().filter_map(incomplete)
    }
}
