//! The plan as a file, with a digest: what one job shows is what another carries out.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{PlannedChange, RemediationPlan};
use crate::model::inventory::{AccountId, CLOCK_SKEW};
use crate::model::policy::remediation::Stage;

/// For so many days a plan can be carried out.
pub const DAYS_VALID: i64 = 7;
/// The name of the file's form.
pub const SCHEMA: &str = "iam-stocktake/remediation-plan/v1";

/// A saved plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    /// [`SCHEMA`].
    pub schema: String,
    /// SHA-256 of everything else, in hex digits.
    pub digest: String,
    /// When the plan was made.
    pub made_at: DateTime<Utc>,
    /// The furthest stage.
    pub stage: Stage,
    /// The accounts that were looked at.
    pub accounts: Vec<AccountId>,
    /// What is to be changed, and what is not.
    pub plan: RemediationPlan,
}

/// Why a file is no plan that can be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanFileError {
    /// It is not what this program writes.
    #[error("is no plan: {0}")]
    Unreadable(String),
    /// It is of another version.
    #[error("has the schema `{0}`, not `{SCHEMA}`")]
    Schema(String),
    /// Something in it was changed after it was made.
    #[error("was changed after it was made: its digest is {made}, and it says {says}")]
    Changed {
        /// What its content comes to.
        made: String,
        /// What stands in it.
        says: String,
    },
    /// It is another plan than the one that was asked for.
    #[error("is another plan: its digest is {is}, and {wanted} was asked for")]
    Other {
        /// Its digest.
        is: String,
        /// The one that was asked for.
        wanted: String,
    },
    /// It was made too long ago.
    #[error(
        "has expired: it was made on {made_at}, and a plan can be applied for {DAYS_VALID} days"
    )]
    Expired {
        /// When it was made.
        made_at: DateTime<Utc>,
    },
    /// It was made later than now.
    #[error("was made in the future, on {made_at}: check the clock")]
    FromTheFuture {
        /// When it was made.
        made_at: DateTime<Utc>,
    },
}

impl SavedPlan {
    /// A plan to save.
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

    /// The digest of everything but the digest.
    fn compute_digest(&self) -> String {
        let bare = Self { digest: String::new(), ..self.clone() };
        // Texts, numbers and lists always can be written.
        let text = serde_json::to_vec(&bare).unwrap_or_default();
        Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The file's text.
    #[must_use]
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{text}\n")
    }

    /// Reads a plan. `wanted` is the digest of the plan that was approved, if it is known.
    ///
    /// # Errors
    /// [`PlanFileError`] where it is none, was changed, is another, or was not made in the last
    /// [`DAYS_VALID`] days.
    pub fn read(
        bytes: &[u8],
        wanted: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Self, PlanFileError> {
        #[derive(Deserialize)]
        struct SchemaHeader {
            schema: String,
        }
        let unreadable = |error: serde_json::Error| PlanFileError::Unreadable(error.to_string());
        let named: SchemaHeader = serde_json::from_slice(bytes).map_err(unreadable)?;
        if named.schema != SCHEMA {
            return Err(PlanFileError::Schema(named.schema));
        }
        let saved: Self = serde_json::from_slice(bytes).map_err(unreadable)?;
        let made = saved.compute_digest();
        if made != saved.digest {
            return Err(PlanFileError::Changed { made, says: saved.digest });
        }
        match wanted {
            Some(wanted) if !wanted.eq_ignore_ascii_case(&made) => {
                Err(PlanFileError::Other { is: made, wanted: wanted.to_owned() })
            }
            _ => saved.check_age(now),
        }
    }

    fn check_age(self, now: DateTime<Utc>) -> Result<Self, PlanFileError> {
        let made_at = self.made_at;
        // A difference of two dates always fits, a sum need not.
        match now.signed_duration_since(made_at) {
            age if age > TimeDelta::days(DAYS_VALID) => Err(PlanFileError::Expired { made_at }),
            age if age < -CLOCK_SKEW => Err(PlanFileError::FromTheFuture { made_at }),
            _ => Ok(self),
        }
    }

    /// The users whom the changes are about, in lower case.
    #[must_use]
    pub fn users(&self) -> BTreeSet<(AccountId, String)> {
        let places = self.plan.changes.iter().map(|change| &change.target);
        places.map(|target| (target.account, target.user.to_ascii_lowercase())).collect()
    }
}

/// The changes of a plan that a newer one does not hold just so: their facts have moved.
#[must_use]
pub fn outdated_changes<'a>(
    saved: &'a [PlannedChange],
    now: &[PlannedChange],
) -> Vec<&'a PlannedChange> {
    saved.iter().filter(|change| !now.contains(change)).collect()
}
