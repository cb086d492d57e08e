//! The reasons why a rule is incomplete, in the audit JSON.

use std::str::FromStr;

use crate::audit::{AgeProblem, AuditedAccount};
use crate::model::inventory::GapCause;
use crate::model::policy::Rule;

/// Why a rule is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum IncompleteReason {
    /// Evidence could not be collected.
    #[strum(transparent)]
    Gap(GapCause),
    /// The evidence is too old, or its age is a problem in another way.
    #[strum(transparent)]
    Age(AgeProblem),
    /// A field of a finding cannot be read.
    EvidenceUnreadable,
    /// The evidence does not have what the rule needs, such as the row of the root user.
    EvidenceMissing,
}

impl IncompleteReason {
    /// Why `rule` is incomplete in the account. `unknown` of its findings have the status `unknown`.
    pub(super) fn of(account: &AuditedAccount, rule: Rule, unknown: usize) -> Self {
        let gap = account.gaps.iter().find(|gap| rule.requires(gap.item));
        match (gap, account.age.problem, unknown) {
            (Some(gap), _, _) => Self::Gap(gap.cause),
            (None, Some(problem), _) => Self::Age(problem),
            (None, None, 1..) => Self::EvidenceUnreadable,
            (None, None, 0) => Self::EvidenceMissing,
        }
    }
}

impl FromStr for IncompleteReason {
    type Err = strum::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let own = [Self::EvidenceUnreadable, Self::EvidenceMissing];
        let gap = text.parse().map(Self::Gap);
        gap.or_else(|_| text.parse().map(Self::Age))
            .or_else(|error| own.into_iter().find(|reason| reason.to_string() == text).ok_or(error))
    }
}
