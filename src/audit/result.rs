//! The result of an audit: findings, audited accounts and exemptions.

use chrono::{DateTime, Utc};

use super::audited_account::AuditedAccount;
use super::finding::{Finding, FindingStatus};
use super::remediation_record::RemediationRecord;
use crate::allowlist::{Exemption, ExemptionStatus, FormerAccount};
use crate::model::policy::remediation::RemediationPolicy;
use crate::model::policy::{Level, Policy};
use crate::model::text_enum;

/// The result of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// The time up to which days are counted.
    pub now: DateTime<Utc>,
    pub policy: Policy,
    /// `remediation` in the allowlist; `None` if it is absent.
    pub remediation: Option<RemediationPolicy>,
    /// Where the exemptions come from.
    pub allowlist: AllowlistOrigin,
    /// The audited accounts, sorted by id.
    pub accounts: Vec<AuditedAccount>,
    /// The findings, in the order of [`Finding::compare`].
    pub findings: Vec<Finding>,
    /// The remediation of credentials, as the users' tags record it, sorted by account and id.
    pub remediations: Vec<RemediationRecord>,
    /// The exemptions, in the order of the file.
    pub exemptions: Vec<ExemptionResult>,
    /// Accounts that the allowlist lists as no longer audited.
    pub former_accounts: Vec<FormerAccount>,
}

impl Audit {
    #[must_use]
    pub fn counts(&self) -> FindingCounts {
        let users = self.accounts.iter().map(|account| account.users).sum();
        let mut counts = FindingCounts { users, ..FindingCounts::default() };
        for finding in &self.findings {
            let count = match (finding.status, finding.level) {
                (FindingStatus::Exempted, _) => &mut counts.exempted,
                (FindingStatus::Unknown, _) => &mut counts.unknown,
                (FindingStatus::Open, Level::Error) => &mut counts.errors,
                (FindingStatus::Open, Level::Warning) => &mut counts.warnings,
                (FindingStatus::Open, _) => &mut counts.notices,
            };
            *count += 1;
        }
        counts
    }

    /// The outcome in one word. Incomplete evidence takes precedence.
    #[must_use]
    pub fn outcome(&self) -> AuditOutcome {
        if self.accounts.iter().any(|account| account.incomplete_rules().next().is_some()) {
            AuditOutcome::Incomplete
        } else if self.findings.iter().any(Finding::needs_remediation) {
            AuditOutcome::Stale
        } else {
            AuditOutcome::Clean
        }
    }
}

/// Where the exemptions come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowlistOrigin {
    /// A file.
    File(String),
    /// The default file does not exist.
    Missing(String),
    /// Auditing without an allowlist was requested.
    None,
}

/// The number of findings by status and level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FindingCounts {
    /// Open, of level error.
    pub errors: usize,
    /// Open, of level warning.
    pub warnings: usize,
    /// Open, of level notice.
    pub notices: usize,
    /// Exempted.
    pub exempted: usize,
    /// With evidence that cannot be read.
    pub unknown: usize,
    /// IAM users that were audited.
    pub users: usize,
}

impl FindingCounts {
    /// Open findings with level warning or error.
    #[must_use]
    pub const fn needing_remediation(&self) -> usize {
        self.errors + self.warnings
    }
}

text_enum! {
    /// The outcome of an audit in one word.
    pub enum AuditOutcome {
        /// There are no open findings with level warning or error.
        Clean,
        /// There are open findings with level warning or error.
        Stale,
        /// A rule is incomplete.
        Incomplete,
    }
}

/// An exemption, and what it did in this audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExemptionResult {
    pub exemption: Exemption,
    pub status: ExemptionStatus,
    pub matched: ExemptionMatch,
    /// The number of findings that it covers.
    pub exempts: usize,
}

/// The users that an exemption matched in this audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::EnumDiscriminants)]
#[strum_discriminants(
    name(ExemptionMatchKind),
    derive(strum::Display, strum::EnumString, strum::IntoStaticStr),
    strum(serialize_all = "kebab-case", const_into_str),
    doc = "The kinds of [`ExemptionMatch`]."
)]
pub enum ExemptionMatch {
    /// Its account was not audited.
    NotAudited,
    /// No user: it is no longer needed, or the name has a typo.
    #[strum_discriminants(strum(serialize = "nobody"))]
    NoUser,
    /// A user whose name differs in case only.
    ByCaseOnly,
    /// This many users.
    Users(usize),
}

impl ExemptionMatch {
    #[must_use]
    pub fn id(self) -> &'static str {
        ExemptionMatchKind::from(self).into_str()
    }
}
