//! Properties of every report: no panic, nothing silently clean, no dependence on the order of rows,
//! and a stricter threshold finds at least as much.

use std::collections::BTreeSet;

use crate::support::{
    COLUMNS, Row, audited, audited_by, audited_with, csv, days_ago, exported, now, report_date,
};
use chrono::{DateTime, Utc};
use iam_stocktake::allowlist::{self, Allowlist};
use iam_stocktake::audit::{Audit, AuditOutcome, FindingStatus};
use iam_stocktake::model::inventory::{CLOCK_SKEW, CredentialHandle, CredentialKind};
use iam_stocktake::model::policy::{Policy, PolicyOverrides, Rule};
use iam_stocktake::observe::{credential_report, export};
use stand_ins::proptest::prelude::*;

/// Failures are not saved in a file: add a test for each.
fn config() -> ProptestConfig {
    ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() }
}

/// The start of files of known formats.
const MAGIC: &[&[u8]] = &[
    b"\xFF\xFE",
    b"\xFE\xFF",
    b"\xEF\xBB\xBF",
    b"{\"Content\":\"",
    b"{\"Content\":\"\",\"GeneratedTime\":",
    b"user,",
    b"dXNlcg",
    b"<",
];

fn policy(stale_after_days: u32) -> Policy {
    Policy::new(&PolicyOverrides::default(), Some(stale_after_days))
}

/// Parses and audits the bytes, if they are a report.
fn parse_and_audit(bytes: Vec<u8>) {
    if let Ok(export) = export::parse_export(bytes)
        && let Ok(account) = credential_report::parse(&export.csv, export.generated_at)
    {
        let _ = audited(&account);
    }
}

/// A date in one of the formats of a report.
fn date() -> impl Strategy<Value = String> {
    let days = prop_oneof![9 => 0_i64..8_000, 1 => Just(0)];
    (days, -5_i64..86_405).prop_flat_map(|(days, seconds)| {
        let moment = days_ago(days) + chrono::TimeDelta::seconds(seconds);
        let shifted = moment.with_timezone(&chrono::FixedOffset::east_opt(9 * 3600).unwrap());
        prop_oneof![
            Just(moment.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
            Just(moment.format("%Y-%m-%dT%H:%M:%S+00:00").to_string()),
            Just(shifted.format("%Y-%m-%dT%H:%M:%S%:z").to_string()),
        ]
    })
}

fn none_word() -> impl Strategy<Value = String> {
    prop_oneof![Just("N/A"), Just("no_information"), Just("not_supported")].prop_map(str::to_owned)
}

/// Text without line breaks.
fn any_text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace(['\r', '\n'], " "))
}

/// The meaning of a field, parsed independently of the program.
#[derive(Debug, PartialEq)]
enum Meaning {
    Absent,
    At(DateTime<Utc>),
    Garbage,
}

fn meaning(text: &str) -> Meaning {
    let text = text.trim_ascii();
    if ["n/a", "no_information", "not_supported"].contains(&text.to_ascii_lowercase().as_str()) {
        return Meaning::Absent;
    }
    DateTime::parse_from_rfc3339(text).map_or(Meaning::Garbage, |date| Meaning::At(date.to_utc()))
}

fn garbage() -> impl Strategy<Value = String> {
    let near_date = "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]?[0-9:.Zz+-]{0,16}";
    prop_oneof![any_text(), near_date]
        .prop_filter("neither a date nor a word for none", |it| meaning(it) == Meaning::Garbage)
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof![4 => date(), 3 => none_word(), 2 => garbage()]
}

/// Two dates of a credential, and the creation time of the user.
fn dates() -> impl Strategy<Value = [String; 3]> {
    [field(), field(), field()]
}

fn with_password([last_used, last_changed, created]: &[String; 3]) -> Row {
    Row::of("u")
        .with("password_enabled", "true")
        .with("password_last_used", last_used)
        .with("password_last_changed", last_changed)
        .with("user_creation_time", created)
}

fn with_key(slot: u8, [last_used, last_rotated, created]: &[String; 3]) -> Row {
    Row::of("u")
        .with(&format!("access_key_{slot}_active"), "true")
        .with(&format!("access_key_{slot}_last_used_date"), last_used)
        .with(&format!("access_key_{slot}_last_rotated"), last_rotated)
        .with("user_creation_time", created)
}

/// The expected status: the first date that is not absent is the reference date.
fn expected(dates: &[String], threshold: u32) -> Option<FindingStatus> {
    let threshold = i64::from(threshold) * 86_400;
    match dates.iter().map(|text| meaning(text)).find(|it| *it != Meaning::Absent) {
        Some(Meaning::At(date)) if date - now() > CLOCK_SKEW => Some(FindingStatus::Unknown),
        Some(Meaning::At(date)) => {
            (now().timestamp() - date.timestamp() >= threshold).then_some(FindingStatus::Open)
        }
        _ => Some(FindingStatus::Unknown),
    }
}

fn stale_status(audit: &Audit, rule: Rule) -> Option<FindingStatus> {
    audit.findings.iter().find(|finding| finding.rule == rule).map(|finding| finding.status)
}

/// A row with any text in every column except the names.
fn wild_row(name: String) -> impl Strategy<Value = Row> {
    let flag = prop_oneof![Just("true"), Just("false"), Just("TRUE"), Just("?"), Just("")];
    let value = prop_oneof![2 => flag.prop_map(str::to_owned), 3 => field(), 1 => any_text()];
    prop::collection::vec(value, COLUMNS.len() - 2).prop_map(move |values| {
        let columns = COLUMNS.into_iter().skip(2);
        columns.zip(values).fold(Row::of(&name), |row, (column, value)| row.with(column, &value))
    })
}

fn wild_rows() -> impl Strategy<Value = Vec<Row>> {
    (1_usize..8).prop_flat_map(|count| {
        (0..count).map(|index| wild_row(format!("user-{index}")).boxed()).collect::<Vec<_>>()
    })
}

/// The stale credentials.
fn stale(audit: &Audit) -> BTreeSet<(CredentialKind, Option<CredentialHandle>)> {
    let stale = audit.findings.iter().filter(|it| it.rule.finds_disuse());
    stale
        .filter_map(|it| it.credential.as_ref())
        .map(|credential| (credential.kind, credential.handle.clone()))
        .collect()
}

fn some_exemptions() -> Allowlist {
    crate::support::allowlist(&[
        "{ user: user-1, reason: r, owner: o, expires: 2026-12-31 }",
        "{ pattern: \"USER-*\", credentials: [access-key], reason: r, owner: o, expires: 2026-07-01 }",
        "{ user: user-2, reason: r, owner: o, expires: 2026-06-29 }",
    ])
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_bytes_do_not_panic(bytes in any::<Vec<u8>>()) {
        parse_and_audit(bytes);
    }

    #[test]
    fn random_bytes_after_a_known_start_do_not_panic(
        magic in prop::sample::select(MAGIC),
        bytes in any::<Vec<u8>>(),
    ) {
        parse_and_audit([magic, &bytes].concat());
    }

    #[test]
    fn random_text_after_a_header_does_not_panic(text in any::<String>()) {
        parse_and_audit(format!("{}\n{text}", COLUMNS.join(",")).into_bytes());
    }

    #[test]
    fn truncated_or_changed_report_does_not_panic(
        rows in wild_rows(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut bytes = csv(&rows).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(if cut { at } else { bytes.len() });
        parse_and_audit(bytes);
    }

    #[test]
    fn random_bytes_as_an_allowlist_do_not_panic(
        head in prop_oneof![Just(""), Just("version: 1\n"), Just("version: 1\nexemptions:\n  - user: ")],
        text in any::<String>(),
    ) {
        let source = format!("{head}{text}");
        if let Err(problems) = allowlist::parse(source.as_bytes(), now().date_naive()) {
            prop_assert!(!problems.is_empty());
            for problem in &problems {
                prop_assert!(!allowlist::render(problem, "allowlist.yml", &source, false).is_empty());
            }
        }
    }

    #[test]
    fn rows_with_random_fields_are_all_audited(rows in wild_rows()) {
        let account = exported(&rows);
        prop_assert_eq!(account.users.len(), rows.len());
        let audit = audited(&account);
        let unknown = audit.findings.iter().any(|finding| finding.status == FindingStatus::Unknown);
        prop_assert_eq!(unknown, audit.outcome() == AuditOutcome::Incomplete);
    }

    #[test]
    fn finding_ids_are_unique(rows in wild_rows()) {
        let audit = audited(&exported(&rows));
        let ids: BTreeSet<_> = audit.findings.iter().map(|finding| finding.id).collect();
        prop_assert_eq!(ids.len(), audit.findings.len());
    }

    #[test]
    fn first_date_of_a_password_is_the_reference_date(dates in dates(), days in 1_u32..4_000) {
        let audit = audited_by(&exported(&[with_password(&dates)]), &policy(days));
        prop_assert_eq!(stale_status(&audit, Rule::StalePassword), expected(&dates, days));
    }

    #[test]
    fn first_date_of_a_key_is_the_reference_date(
        dates in dates(), days in 1_u32..4_000, slot in 1_u8..=2,
    ) {
        let audit = audited_by(&exported(&[with_key(slot, &dates)]), &policy(days));
        prop_assert_eq!(stale_status(&audit, Rule::StaleAccessKey), expected(&dates[..2], days));
    }

    #[test]
    fn enabled_credential_with_unreadable_dates_is_never_clean(
        dates in [garbage(), garbage(), garbage()], slot in 1_u8..=2,
    ) {
        for row in [with_password(&dates), with_key(slot, &dates)] {
            let audit = audited(&exported(&[row]));
            let statuses: Vec<FindingStatus> = audit.findings.iter().map(|it| it.status).collect();
            prop_assert_eq!(statuses, [FindingStatus::Unknown]);
            prop_assert_eq!(audit.outcome(), AuditOutcome::Incomplete);
        }
    }

    #[test]
    fn unreadable_flag_is_never_clean(flag in any_text(), slot in 1_u8..=2) {
        let word = flag.trim_ascii().to_ascii_lowercase();
        prop_assume!(!["true", "false", "n/a", "no_information", "not_supported"].contains(&word.as_str()));
        let column = format!("access_key_{slot}_active");
        for column in ["password_enabled", &column] {
            let audit = audited(&exported(&[Row::of("u").with(column, &flag)]));
            let statuses: Vec<FindingStatus> = audit.findings.iter().map(|it| it.status).collect();
            prop_assert_eq!(statuses, [FindingStatus::Unknown], "{}", column);
        }
    }

    #[test]
    fn audit_does_not_depend_on_the_order_of_rows(
        (rows, shuffled) in wild_rows().prop_flat_map(|rows| {
            (Just(rows.clone()), Just(rows).prop_shuffle())
        }),
    ) {
        let audit = |rows: &[Row]| audited_with(&exported(rows), &some_exemptions(), &Policy::default());
        prop_assert_eq!(audit(&rows), audit(&shuffled));
    }

    #[test]
    fn stale_credentials_stay_stale_with_a_smaller_threshold(
        row in wild_row("u".to_owned()), one in 1_u32..4_000, other in 1_u32..4_000,
    ) {
        let account = exported(&[row]);
        let at = |days| stale(&audited_by(&account, &policy(days)));
        let (smaller, larger) = (at(one.min(other)), at(one.max(other)));
        prop_assert!(larger.is_subset(&smaller), "{:?} is not in {:?}", larger, smaller);
    }

    #[test]
    fn days_are_whole_and_not_negative(days in -4_000_i64..4_000, threshold in 1_u32..4_000) {
        let row = Row::of("u").password_used(1).with("password_last_used", &report_date(days));
        let audit = audited_by(&exported(&[row]), &policy(threshold));
        let expected = (days >= i64::from(threshold)).then_some(days);
        let found: Option<i64> = audit.findings.first().and_then(|finding| finding.days);
        prop_assert_eq!(found, expected);
    }
}
