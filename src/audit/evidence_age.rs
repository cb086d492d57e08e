//! The age of an account's evidence, and whether the evidence is too old.

use chrono::{DateTime, TimeDelta, Utc};

use super::criteria::Criteria;
use super::staleness::days;
use crate::model::inventory::{
    Account, CLOCK_SKEW, EvidenceSource, MaxEvidenceAge, Timestamp, User,
};
use crate::model::text_enum;

/// The age of an account's evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvidenceAge {
    /// The newest date in a report that does not say when it was generated. IAM generated it then
    /// or later.
    pub newest_date: Option<DateTime<Utc>>,
    /// Whole days since the report was generated, or at most that many since its newest date;
    /// `None` if neither is known.
    pub days: Option<i64>,
    /// The limit, in days.
    pub max_days: u32,
    /// Why the evidence is incomplete, if it is.
    pub problem: Option<AgeProblem>,
}

text_enum! {
    /// Why the age makes evidence incomplete.
    pub enum AgeProblem {
        /// It is older than the limit.
        #[strum(serialize = "evidence-too-old")]
        TooOld,
        /// It does not say when it was generated, and its newest date is older than the limit.
        #[strum(serialize = "evidence-age-unknown")]
        Unknown,
        /// It was generated after the time of the audit, so one of the clocks is wrong.
        #[strum(serialize = "evidence-in-future")]
        InFuture,
    }
}

impl EvidenceAge {
    /// `generated_at` is when the report was generated, `newest_date` the newest date in a report
    /// that does not say so.
    #[must_use]
    pub fn of(
        evidence_source: EvidenceSource,
        generated_at: Option<DateTime<Utc>>,
        newest_date: Option<DateTime<Utc>>,
        limit: MaxEvidenceAge,
        now: DateTime<Utc>,
    ) -> Self {
        let max_days = limit.days(evidence_source);
        let newest_date = newest_date.filter(|_| generated_at.is_none());
        let too_old = |at: DateTime<Utc>| now - at > TimeDelta::days(max_days.into());
        let in_future = |at: DateTime<Utc>| at - now > CLOCK_SKEW;
        let problem = match (generated_at, newest_date) {
            (Some(at), _) | (None, Some(at)) if in_future(at) => Some(AgeProblem::InFuture),
            (Some(at), _) => too_old(at).then_some(AgeProblem::TooOld),
            (None, Some(at)) => too_old(at).then_some(AgeProblem::Unknown),
            (None, None) => Some(AgeProblem::Unknown),
        };
        let is_known = matches!(problem, None | Some(AgeProblem::TooOld));
        let dated = generated_at.or(newest_date).filter(|_| is_known);
        Self { newest_date, days: dated.map(|at| days(now, at)), max_days, problem }
    }
}

/// The age of an account's evidence.
pub(super) fn of(account: &Account<'_>, criteria: Criteria<'_>) -> EvidenceAge {
    let generated_at = account.report_generated_at;
    // A report that was fetched always has its date.
    let is_undated =
        generated_at.is_none() && account.evidence_source == EvidenceSource::ExportedReport;
    let newest = is_undated.then(|| newest_date(account, criteria.latest)).flatten();
    EvidenceAge::of(account.evidence_source, generated_at, newest, criteria.max_age, criteria.now)
}

/// The newest date in the report that is not after `latest`. The next rotation of a password is a
/// future date and is not read.
fn newest_date(account: &Account<'_>, latest: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let for_user = |user: &User<'_>| {
        let password = user.password.iter().flat_map(|it| [&it.last_used, &it.last_changed]);
        let keys = user.access_keys.iter().flat_map(|it| [&it.created, &it.last_used]);
        let others = user.other_credentials.iter().map(|it| &it.created);
        let stamps = std::iter::once(&user.created).chain(password).chain(keys).chain(others);
        stamps.filter_map(Timestamp::at).filter(|at| *at <= latest).max()
    };
    account.users.iter().chain(&account.root).filter_map(for_user).max()
}
