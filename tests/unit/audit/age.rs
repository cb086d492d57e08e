//! Evidence that is too old, of unknown age, or from the future.

use crate::support::dated;
use chrono::{DateTime, Utc};
use iam_stocktake::audit::{AgeProblem, Auditor};
use iam_stocktake::model::inventory::MaxEvidenceAge;

use super::*;

fn seconds(count: i64) -> TimeDelta {
    TimeDelta::seconds(count)
}

/// The age problem, the age in days, and the outcome, with a limit.
fn aged(
    account: &Account<'_>,
    limit: Option<u32>,
) -> (Option<AgeProblem>, Option<i64>, AuditOutcome) {
    let (allowlist, policy) = (Allowlist::default(), Policy::default());
    let mut auditor = Auditor::new(&allowlist, &policy, now()).with_max_evidence_age(limit.into());
    auditor.add_account(account);
    let audit = auditor.finish(AllowlistOrigin::None);
    let age = audit.accounts[0].age;
    let incomplete = audit.accounts[0].incomplete_rules().count();
    if age.problem.is_some() {
        assert_eq!(incomplete, audit.accounts[0].coverage.len(), "every rule is incomplete");
    }
    (age.problem, age.days, audit.outcome())
}

const CLEAN: AuditOutcome = AuditOutcome::Clean;
const INCOMPLETE: AuditOutcome = AuditOutcome::Incomplete;

#[test]
fn default_limit_is_a_day_for_live_evidence_and_a_week_for_reports() {
    let healthy = [Row::of("alice").key_used(1, 1)];
    let of = |form: EvidenceSource, age: TimeDelta| {
        let generated_at = Some(now() - age);
        match form {
            EvidenceSource::Live => {
                Account { report_generated_at: generated_at, ..live(vec![with_key("alice")]) }
            }
            form => Account { evidence_source: form, ..dated(&healthy, generated_at) },
        }
    };
    let too_old = Some(AgeProblem::TooOld);
    for (form, limit, days) in [
        (EvidenceSource::Live, None, 1),
        (EvidenceSource::FetchedReport, None, 1),
        (EvidenceSource::ExportedReport, None, 7),
        (EvidenceSource::Live, Some(30), 30),
        (EvidenceSource::FetchedReport, Some(30), 30),
        (EvidenceSource::ExportedReport, Some(30), 30),
        (EvidenceSource::ExportedReport, Some(1), 1),
    ] {
        let limited = |age| aged(&of(form, age), limit);
        let longest = TimeDelta::days(days);
        assert_eq!(limited(longest), (None, Some(days), CLEAN), "{form:?} {limit:?}");
        let older = limited(longest + seconds(1));
        assert_eq!(older, (too_old, Some(days), INCOMPLETE), "{form:?} {limit:?}");
        // Clocks may differ by a few minutes.
        assert_eq!(limited(seconds(-300)), (None, Some(0), CLEAN), "{form:?}");
        for ahead in [seconds(-301), TimeDelta::days(-3_650)] {
            let future = limited(ahead);
            assert_eq!(future, (Some(AgeProblem::InFuture), None, INCOMPLETE), "{form:?} {ahead}");
        }
    }
    assert_eq!(MaxEvidenceAge::from(None), MaxEvidenceAge::default());
}

#[test]
fn undated_report_is_at_most_as_old_as_its_newest_date() {
    let unknown = (Some(AgeProblem::Unknown), None, INCOMPLETE);
    let of = |rows: &[Row]| aged(&dated(rows, None), None);
    // The date can be in any column and row.
    let bob = || Row::of("bob").key_used(1, 60);
    let active = || bob().with("cert_1_active", "true").with("password_enabled", "true");
    for column in [
        "user_creation_time",
        "password_last_used",
        "password_last_changed",
        "access_key_1_last_rotated",
        "access_key_1_last_used_date",
        "cert_1_last_rotated",
    ] {
        let used = |at: DateTime<Utc>| {
            let row = active().with("password_last_used", &report_date(60));
            let row = row.with("password_last_changed", &report_date(70));
            let row = row.with("cert_1_last_rotated", &report_date(80));
            row.with(column, &at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
        };
        let rows = |at| [Row::of("alice").key_used(1, 50), used(at)];
        assert_eq!(of(&rows(days_ago(7))), (None, Some(7), CLEAN), "{column}");
        assert_eq!(of(&rows(days_ago(7) - seconds(1))), unknown, "{column}");
        // A future date says nothing about the age of the report.
        let (problem, ..) = of(&rows(days_ago(-9)));
        assert_eq!(problem, Some(AgeProblem::Unknown), "{column}");
    }
    let root = |used| Row::of("<root_account>").password_used(used);
    assert_eq!(of(&[root(3), bob()]), (None, Some(3), CLEAN));
    let rotated = bob().with("password_next_rotation", &report_date(1));
    assert_eq!(of(&[rotated]), unknown);
    // The limit also applies to an unknown age.
    let of_month = dated(&[Row::of("alice").key_used(1, 27)], None);
    assert_eq!(aged(&of_month, None), unknown);
    assert_eq!(aged(&of_month, Some(30)), (None, Some(27), CLEAN));
    // Live evidence always has a date.
    let undated = Account { report_generated_at: None, ..live(vec![with_key("alice")]) };
    assert_eq!(aged(&undated, Some(3_650)), unknown);
}

/// The findings and notes of a report that was generated now, with this date in this column.
fn with_date(
    row: Row,
    column: &str,
    at: DateTime<Utc>,
) -> (Vec<String>, Vec<String>, AuditOutcome) {
    let row = row.with(column, &at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    let audit = audited(&exported(&[row]));
    let notes = audit.findings.iter().flat_map(|finding| &finding.notes).map(crate::support::note);
    (lines(&audit), notes.collect(), audit.outcome())
}

#[test]
fn future_reference_date_makes_a_finding_unknown() {
    let password = || Row::of("alice").password_used(200);
    let new_password = || password().with("password_last_used", "no_information");
    let key = || Row::of("alice").key_used(1, 200);
    let new_key = || key().with("access_key_1_last_used_date", "N/A");
    let certificate = Row::of("alice").with("cert_1_active", "true");
    let undated = new_password().with("password_last_changed", "N/A");
    let stale_password = "alice: stale-password of password is unknown";
    let stale_key = "alice: stale-access-key of access-key 1 is unknown";
    for (row, column, finding) in [
        (password(), "password_last_used", stale_password),
        (new_password(), "password_last_changed", stale_password),
        (undated, "user_creation_time", stale_password),
        (key(), "access_key_1_last_used_date", stale_key),
        (new_key(), "access_key_1_last_rotated", stale_key),
        (
            certificate,
            "cert_1_last_rotated",
            "alice: old-service-credential of signing-certificate 1 is unknown",
        ),
    ] {
        let future = at("2099-01-01T00:00:00Z");
        let (found, notes, outcome) = with_date(row.clone(), column, future);
        assert_eq!(found, [finding], "{column}");
        let note = format!("unreadable {column}=`2099-01-01T00:00:00Z (in the future)`");
        assert_eq!((notes, outcome), (vec![note], INCOMPLETE), "{column}");
        let (found, _, outcome) = with_date(row.clone(), column, now() + seconds(301));
        assert_eq!((found.len(), outcome), (1, INCOMPLETE), "{column}");
        let (found, _, outcome) = with_date(row, column, now() + seconds(300));
        assert_eq!((found, outcome), (vec![], CLEAN), "{column}");
    }
}

#[test]
fn password_changed_in_the_future_is_not_recently_reset() {
    let row = Row::of("alice").password_used(200);
    let (found, notes, _) = with_date(row, "password_last_changed", at("2099-01-01T00:00:00Z"));
    assert_eq!(found, ["alice: stale-password of password is open"]);
    assert!(notes[0].starts_with("unreadable password_last_changed"), "{notes:?}");
}

#[test]
fn future_live_date_makes_a_finding_unknown() {
    let future = || Timestamp::At(at("2099-01-01T00:00:00Z"));
    let used = AccessKey { last_used: future(), ..key("AKIAXXXXXXXXXXXXAAAA", 1) };
    let made = AccessKey {
        created: future(),
        last_used: Timestamp::Absent,
        ..key("AKIAXXXXXXXXXXXXBBBB", 1)
    };
    let signed_in = Password { last_used: future(), ..password(1) };
    let mut ssh = other(CredentialKind::SshKey, "APKAXXXXXXXXXXXXAAAA", 1);
    ssh.created = future();
    let user = User {
        access_keys: smallvec![used, made],
        password: Some(signed_in),
        other_credentials: vec![ssh],
        ..live_user("alice")
    };
    let audit = audited(&live(vec![user]));
    assert_eq!(audit.findings.len(), 4);
    assert!(audit.findings.iter().all(|finding| finding.status == FindingStatus::Unknown));
    assert_eq!(audit.outcome(), INCOMPLETE);
}

#[test]
fn clock_years_behind_is_incomplete() {
    let account = Account { report_generated_at: Some(now()), ..live_stale_alice() };
    let audit = audited_at(&account, &Allowlist::default(), "2020-01-01T00:00:00Z");
    assert_eq!(audit.outcome(), INCOMPLETE);
    assert_eq!(audit.accounts[0].age.problem, Some(AgeProblem::InFuture));
}
