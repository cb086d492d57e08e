//! The result of an audit: findings, the audited accounts, and what became of the exemptions.

use chrono::{DateTime, Utc};

use super::audited_account::AuditedAccount;
use super::finding::{Finding, FindingStatus};
use crate::allowlist::{Exemption, ExemptionStatus, FormerAccount};
use crate::model::policy::remediation::RemediationPolicy;
use crate::model::policy::{Level, Policy};

/// The whole verdict of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// The moment by which days were counted.
    pub now: DateTime<Utc>,
    /// What was judged by.
    pub policy: Policy,
    /// What the allowlist says about the remedy; `None` where it says nothing.
    pub remediation: Option<RemediationPolicy>,
    /// Where the exemptions came from.
    pub allowlist: AllowlistOrigin,
    /// The audited accounts, by id.
    pub accounts: Vec<AuditedAccount>,
    /// The findings, in the order of [`Finding::compare`].
    pub findings: Vec<Finding>,
    /// The exemptions, in the file's order.
    pub exemptions: Vec<ExemptionResult>,
    /// Accounts that are no longer audited, on purpose.
    pub former_accounts: Vec<FormerAccount>,
}

impl Audit {
    /// Counts the findings.
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

    /// The outcome in one word. Missing evidence comes before everything else.
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

/// Where the exemptions came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowlistOrigin {
    /// A file.
    File(String),
    /// The default file is not there.
    Missing(String),
    /// The user asked for none.
    None,
}

/// How many findings there are, by what is to be done with them.
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
    /// Whose evidence cannot be read.
    pub unknown: usize,
    /// IAM users that were audited.
    pub users: usize,
}

impl FindingCounts {
    /// Open findings of a level that needs remedy.
    #[must_use]
    pub const fn needing_remediation(&self) -> usize {
        self.errors + self.warnings
    }
}

/// The outcome of a run in one word.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, strum::IntoStaticStr,
)]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum AuditOutcome {
    /// All that was judged is in order.
    Clean,
    /// There are open findings that need remedy.
    Stale,
    /// Evidence was missing, so that nobody can say.
    Incomplete,
}

impl AuditOutcome {
    /// The outcome's name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.into_str()
    }
}

/// An exemption and what it did in this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExemptionResult {
    /// The exemption.
    pub exemption: Exemption,
    /// Where it stands in time.
    pub status: ExemptionStatus,
    /// Whom it matched.
    pub matched: ExemptionMatch,
    /// How many findings it exempts.
    pub exempts: usize,
}

/// Whom an exemption matched in this run.
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
    /// No user: it is not needed, or it is misspelt.
    #[strum_discriminants(strum(serialize = "nobody"))]
    NoUser,
    /// A user whose name is written with other case.
    ByCaseOnly,
    /// So many users.
    Users(usize),
}

impl ExemptionMatch {
    /// The name of what was matched.
    #[must_use]
    pub fn id(self) -> &'static str {
        ExemptionMatchKind::from(self).into_str()
    }
}
