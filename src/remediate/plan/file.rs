//! The plan file. Its digest shows that the plan that is applied is the plan that was reviewed.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{PlannedChange, RemediationPlan};
use crate::model::inventory::{AccountId, CLOCK_SKEW};
use crate::model::policy::remediation::Stage;

/// The number of days for which a plan can be applied.
pub const DAYS_VALID: i64 = 7;
pub const SCHEMA: &str = "iam-stocktake/remediation-plan/v1";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    pub schema: String,
    /// SHA-256 of everything else, in hex digits.
    pub digest: String,
    pub made_at: DateTime<Utc>,
    /// The last stage that the plan includes.
    pub stage: Stage,
    pub accounts: Vec<AccountId>,
    pub plan: RemediationPlan,
}

/// Why a file is not a plan that can be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanFileError {
    /// The file is not a plan that this program wrote.
    #[error("is not valid: {0}")]
    Unreadable(String),
    /// The file has another schema version.
    #[error("has the schema `{0}`, not `{SCHEMA}`")]
    Schema(String),
    /// The file was changed after it was written.
    #[error(
        "was changed after it was created: its digest is {actual}, but the file says {recorded}"
    )]
    Changed {
        /// The digest of its content.
        actual: String,
        /// The digest in the file.
        recorded: String,
    },
    /// The file is not the plan that was approved.
    #[error("is not the requested plan: its digest is {actual}, but {expected} was requested")]
    Other {
        /// The digest of the file.
        actual: String,
        /// The digest of the approved plan.
        expected: String,
    },
    #[error("has expired: it was created on {made_at}, and a plan is valid for {DAYS_VALID} days")]
    Expired { made_at: DateTime<Utc> },
    #[error("was created in the future, on {made_at}: check the system clock")]
    FromTheFuture { made_at: DateTime<Utc> },
}

impl SavedPlan {
    #[must_use]
    pub fn new(
        plan: RemediationPlan,
        stage: Stage,
        accounts: Vec<AccountId>,
        made_at: DateTime<Utc>,
    ) -> Self {
        let schema = SCHEMA.to_owned();
        let saved = Self { schema, digest: String::new(), made_at, stage, accounts, plan };
        Self { digest: saved.compute_digest(), ..saved }
    }

    /// The digest of everything except the digest itself.
    fn compute_digest(&self) -> String {
        let undigested = Self { digest: String::new(), ..self.clone() };
        // Serializing strings, numbers and lists cannot fail.
        let text = serde_json::to_vec(&undigested).unwrap_or_default();
        Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[must_use]
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{text}\n")
    }

    /// Reads a plan. `expected` is the digest of the approved plan, if it is known.
    ///
    /// # Errors
    /// [`PlanFileError`] if the file is not a plan, was changed, is not the approved plan, or was
    /// not written in the last [`DAYS_VALID`] days.
    pub fn read(
        bytes: &[u8],
        expected: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Self, PlanFileError> {
        #[derive(Deserialize)]
        struct SchemaHeader {
            schema: String,
        }
        let unreadable = |error: serde_json::Error| PlanFileError::Unreadable(error.to_string());
        let header: SchemaHeader = serde_json::from_slice(bytes).map_err(unreadable)?;
        if header.schema != SCHEMA {
            return Err(PlanFileError::Schema(header.schema));
        }
        let saved: Self = serde_json::from_slice(bytes).map_err(unreadable)?;
        let actual = saved.compute_digest();
        if actual != saved.digest {
            return Err(PlanFileError::Changed { actual, recorded: saved.digest });
        }
        match expected {
            Some(expected) if !expected.eq_ignore_ascii_case(&actual) => {
                Err(PlanFileError::Other { actual, expected: expected.to_owned() })
            }
            _ => saved.check_age(now),
        }
    }

    fn check_age(self, now: DateTime<Utc>) -> Result<Self, PlanFileError> {
        let made_at = self.made_at;
        // The difference of two dates cannot overflow. A sum can.
        match now.signed_duration_since(made_at) {
            age if age > TimeDelta::days(DAYS_VALID) => Err(PlanFileError::Expired { made_at }),
            age if age < -CLOCK_SKEW => Err(PlanFileError::FromTheFuture { made_at }),
            _ => Ok(self),
        }
    }

    /// The users that are changed, in lower case.
    #[must_use]
    pub fn users(&self) -> BTreeSet<(AccountId, String)> {
        let targets = self.plan.changes.iter().map(|change| &change.target);
        targets.map(|target| (target.account, target.user.to_ascii_lowercase())).collect()
    }
}

/// Returns the changes that the new plan does not contain with the same facts.
#[must_use]
pub fn outdated_changes<'a>(
    saved: &'a [PlannedChange],
    now: &[PlannedChange],
) -> Vec<&'a PlannedChange> {
    saved.iter().filter(|change| !now.contains(change)).collect()
}
