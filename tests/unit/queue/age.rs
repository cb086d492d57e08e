//! Audits with old evidence, evidence of unknown age, or evidence from the future.

use chrono::{DateTime, TimeDelta, Utc};
use iam_stocktake::audit::{AgeProblem, Coverage};
use iam_stocktake::model::inventory::MaxEvidenceAge;
use iam_stocktake::queue::observation::{InvalidAudit, Observation};
use iam_stocktake::report::json::v1;

use super::*;

const DAY: &str = "2026-08-01";

fn seconds(count: i64) -> TimeDelta {
    TimeDelta::seconds(count)
}

/// An audit without findings that is published `after` this time.
fn published(after: TimeDelta, limit: Option<u32>, edit: impl Fn(&mut v1::Audit)) -> Observation {
    let mut audit = Audit::on(DAY, &[]).0;
    edit(&mut audit);
    Observation::with_max_age(&[audit], on(DAY) + after, MaxEvidenceAge::from(limit)).unwrap()
}

/// The age problem of the evidence. With one, every rule is incomplete and nothing can be cleared.
fn problem(observation: &Observation) -> Option<AgeProblem> {
    let audited = &observation.accounts[&ACCOUNT.parse().unwrap()];
    let is_incomplete = audited.age_problem.is_some();
    assert_eq!(observation.is_incomplete(), is_incomplete);
    if is_incomplete {
        assert!(audited.coverage.values().all(|it| *it == Coverage::Incomplete));
        assert!(!audited.is_live);
    }
    audited.age_problem
}

#[test]
fn live_evidence_expires_after_a_day_and_a_report_after_a_week() {
    for (form, days) in [("live", 1), ("fetched-report", 1), ("exported-report", 7)] {
        let edit = |audit: &mut v1::Audit| audit.accounts[0].evidence = form.into();
        for (limit, days) in [(None, days), (Some(30), 30), (Some(1), 1)] {
            let after = |age| problem(&published(age, limit, edit));
            assert_eq!(after(TimeDelta::days(days)), None);
            assert_eq!(after(TimeDelta::days(days) + seconds(1)), Some(AgeProblem::TooOld));
            assert_eq!(after(TimeDelta::days(331)), Some(AgeProblem::TooOld));
        }
    }
}

#[test]
fn old_credential_reports_are_incomplete_like_old_audits() {
    let made = |before: TimeDelta| {
        let edit = move |audit: &mut v1::Audit| {
            audit.accounts[0].report_generated_at = Some(on(DAY) - before);
        };
        problem(&published(TimeDelta::hours(12), None, edit))
    };
    assert_eq!(made(TimeDelta::hours(12)), None);
    assert_eq!(made(TimeDelta::hours(12) + seconds(1)), Some(AgeProblem::TooOld));
    // A live audit always has the generation date of its report.
    let undated = |audit: &mut v1::Audit| audit.accounts[0].report_generated_at = None;
    assert_eq!(problem(&published(seconds(0), None, undated)), Some(AgeProblem::Unknown));
}

#[test]
fn newest_date_is_the_age_of_an_exported_report_without_a_date() {
    let newest = |date: Option<DateTime<Utc>>| {
        let edit = move |audit: &mut v1::Audit| {
            let account = &mut audit.accounts[0];
            account.evidence = "exported-report".into();
            (account.report_generated_at, account.report_newest_date) = (None, date);
        };
        problem(&published(TimeDelta::days(2), None, edit))
    };
    assert_eq!(newest(Some(on(DAY) - TimeDelta::days(5))), None);
    let older = on(DAY) - TimeDelta::days(5) - seconds(1);
    assert_eq!(newest(Some(older)), Some(AgeProblem::Unknown));
    assert_eq!(newest(None), Some(AgeProblem::Unknown));
}

#[test]
fn evidence_from_the_future_is_rejected_or_incomplete() {
    let audit = Audit::on(DAY, &[]).0;
    let at = |moment| Observation::of(std::slice::from_ref(&audit), moment);
    assert!(at(on(DAY) - seconds(300)).is_ok());
    let refused = Err((0, InvalidAudit::FromFuture(on(DAY))));
    assert_eq!(at(on(DAY) - seconds(301)), refused);
    assert_eq!(at("2020-01-01T00:00:00Z".parse().unwrap()), refused);
    let ahead = |audit: &mut v1::Audit| {
        audit.accounts[0].report_generated_at = Some(on(DAY) + TimeDelta::days(3_650));
    };
    assert_eq!(problem(&published(seconds(0), None, ahead)), Some(AgeProblem::InFuture));
}

#[test]
fn rejects_an_audit_without_accounts_and_no_audit_is_incomplete() {
    let mut audit = Audit::on(DAY, &[]).0;
    audit.accounts.clear();
    let good = Audit::of(OTHER_ACCOUNT, DAY, &[]).0;
    let refused = Observation::of(&[good, audit], on(DAY));
    assert_eq!(refused, Err((1, InvalidAudit::NoAccount)));
    assert!(Observation::of(&[], on(DAY)).unwrap().is_incomplete());
}

#[test]
fn rejects_an_unknown_kind_of_evidence() {
    let mut audit = Audit::on(DAY, &[]).0;
    audit.accounts[0].evidence = "hearsay".into();
    let (_, refused) = Observation::of(&[audit], on(DAY)).unwrap_err();
    assert!(refused.to_string().contains("`hearsay`"), "{refused}");
}

/// An audit of `day` with a credential report that was generated on another day.
fn of_report(day: &str, generated: &str, findings: &[Found]) -> Audit {
    let mut audit = Audit::on(day, findings);
    audit.0.accounts[0].evidence = "exported-report".into();
    audit.0.accounts[0].report_generated_at = Some(on(generated));
    audit
}

#[test]
fn rejects_a_report_older_than_the_queue_even_if_audited_later() {
    let alice = std::slice::from_ref(&password("alice")).to_vec();
    let mut harness = harness();
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &alice)]);
    let cleared = harness.run("2026-07-05", &[Audit::on("2026-07-05", &[])]);
    assert_eq!(cleared.update.cleared.len(), 1);
    let refused = harness.try_run("2026-07-06", &[of_report("2026-07-06", "2026-06-30", &alice)]);
    let refused = refused.err().map(|it| (it.at, it.newest));
    assert_eq!(refused, Some((on("2026-06-30").into(), on("2026-07-05").into())));
    // A report newer than the clearing shows that the finding returned.
    let ran = harness.run("2026-07-08", &[of_report("2026-07-08", "2026-07-06", &alice)]);
    assert_eq!(ran.update.returned.len(), 1);
    let audited = harness.queue_state().audited.into_values().collect::<Vec<_>>();
    assert_eq!(audited, [on("2026-07-06").into()]);
}

#[test]
fn expired_evidence_does_not_outdate_other_evidence() {
    let mut harness = harness();
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &[])]);
    harness.run("2026-07-20", &[of_report("2026-07-20", "2026-07-03", &[password("alice")])]);
    let audited = harness.queue_state().audited.into_values().collect::<Vec<_>>();
    assert_eq!(audited, [on("2026-07-01").into()]);
}
