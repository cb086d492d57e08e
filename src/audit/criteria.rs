//! The criteria of an audit: the policy, the current time, and the limits derived from them.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::inventory::{CLOCK_SKEW, MaxEvidenceAge};
use crate::model::policy::Policy;

#[derive(Clone, Copy)]
pub(super) struct Criteria<'a> {
    pub(super) policy: &'a Policy,
    pub(super) now: DateTime<Utc>,
    /// `stale_after_days` before `now`.
    threshold: DateTime<Utc>,
    /// The last time that is not in the future, allowing for clock skew.
    pub(super) latest: DateTime<Utc>,
    pub(super) max_age: MaxEvidenceAge,
}

impl<'a> Criteria<'a> {
    pub(super) fn new(policy: &'a Policy, now: DateTime<Utc>) -> Self {
        let days = TimeDelta::days(i64::from(policy.stale_after_days));
        let threshold = now.checked_sub_signed(days).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let latest = now.checked_add_signed(CLOCK_SKEW).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self { policy, now, threshold, latest, max_age: MaxEvidenceAge::default() }
    }

    /// Whether at least `stale_after_days` whole days have passed since `reference`. This runs
    /// several times per credential, and comparing two dates is much faster than subtracting them.
    pub(super) fn has_passed(&self, reference: DateTime<Utc>) -> bool {
        reference <= self.threshold
    }
}
