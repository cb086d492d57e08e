//! Builders of evidence: rows of a credential report, and users from the live API.
#![allow(dead_code, reason = "every test binary has its own copy and uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use iam_stocktake::allowlist::{self, Allowlist};
use iam_stocktake::audit::{self, AllowlistOrigin, Audit, Finding, Note};
use iam_stocktake::model::inventory::{
    AccessKey, AccessKeys, Account, CredentialHandle, CredentialKind, Evidence, EvidenceSource,
    Flag, OtherCredential, Password, Timestamp, User,
};
use iam_stocktake::model::policy::{Level, Policy, PolicyOverrides, Rule};
use iam_stocktake::observe::credential_report;

/// The default account.
pub(crate) const ACCOUNT: &str = "111122223333";

/// The 22 columns that IAM writes, in its order.
pub(crate) const COLUMNS: [&str; 22] = [
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_1_last_used_region",
    "access_key_1_last_used_service",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
    "access_key_2_last_used_region",
    "access_key_2_last_used_service",
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
];

/// The time of all audits: 2026-06-30T12:00:00Z.
pub(crate) fn now() -> DateTime<Utc> {
    at("2026-06-30T12:00:00Z")
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// This many days before [`now`].
pub(crate) fn days_ago(days: i64) -> DateTime<Utc> {
    now() - TimeDelta::days(days)
}

/// This many days before [`now`], in the report's format.
pub(crate) fn report_date(days: i64) -> String {
    days_ago(days).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A row of a credential report. By default, the user is 400 days old and has no credential.
#[derive(Debug, Clone)]
pub(crate) struct Row(BTreeMap<String, String>);

impl Row {
    pub(crate) fn of(user: &str) -> Self {
        let row = Self(BTreeMap::new())
            .with("user", user)
            .with("arn", &format!("arn:aws:iam::{ACCOUNT}:user/{user}"))
            .with("user_creation_time", &report_date(400));
        COLUMNS.iter().skip(3).fold(row, |row, column| {
            let is_flag = column.ends_with("_active") || column.ends_with("_enabled");
            row.with(column, if is_flag { "false" } else { "N/A" })
        })
    }

    pub(crate) fn with(mut self, column: &str, value: &str) -> Self {
        self.0.insert(column.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn in_account(self, account: &str) -> Self {
        let arn = format!("arn:aws:iam::{account}:user/{}", self.value("user"));
        self.with("arn", &arn)
    }

    /// Adds an enabled password that is 400 days old and was used this many days ago.
    pub(crate) fn password_used(self, days: i64) -> Self {
        self.with("password_enabled", "true")
            .with("password_last_changed", &report_date(400))
            .with("password_last_used", &report_date(days))
    }

    /// Adds an active key that is 300 days old and was used this many days ago.
    pub(crate) fn key_used(self, slot: u8, days: i64) -> Self {
        self.with(&format!("access_key_{slot}_active"), "true")
            .with(&format!("access_key_{slot}_last_rotated"), &report_date(300))
            .with(&format!("access_key_{slot}_last_used_date"), &report_date(days))
    }

    pub(crate) fn value(&self, column: &str) -> &str {
        self.0.get(column).map_or("", String::as_str)
    }
}

/// A report with these rows: IAM's columns first, then other columns.
pub(crate) fn csv(rows: &[Row]) -> String {
    let more: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| row.0.keys().map(String::as_str))
        .filter(|column| !COLUMNS.contains(column))
        .collect();
    let columns: Vec<&str> = COLUMNS.into_iter().chain(more).collect();
    csv_of(&columns, rows)
}

/// A report with these rows and only these columns, in this order.
pub(crate) fn csv_of(columns: &[&str], rows: &[Row]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns).unwrap();
    for row in rows {
        writer.write_record(columns.iter().map(|column| row.value(column))).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

/// The account in a report with these rows that was generated now.
pub(crate) fn exported(rows: &[Row]) -> Account<'static> {
    dated(rows, Some(now()))
}

/// The account in a report with these rows and this date.
pub(crate) fn dated(rows: &[Row], generated_at: Option<DateTime<Utc>>) -> Account<'static> {
    credential_report::parse(String::leak(csv(rows)), generated_at).unwrap()
}

/// A user from the live API who is 400 days old and has no credential of any kind.
pub(crate) fn live_user(name: &str) -> User<'static> {
    User {
        name: name.to_owned().into(),
        arn: format!("arn:aws:iam::{ACCOUNT}:user/{name}").into(),
        id: Some(format!("AIDA{:X>16}", name.to_ascii_uppercase())),
        created: Timestamp::At(days_ago(400)),
        password_evidence: Evidence::ReChecked,
        access_key_evidence: Evidence::ReChecked,
        mfa: None,
        password: None,
        access_keys: AccessKeys::new(),
        other_credentials: Vec::new(),
        other_credentials_complete: true,
        hidden_credentials: false,
        tags: Some(BTreeMap::new()),
        owner: None,
        permissions: None,
        last_accessed: None,
    }
}

/// An account from the live API, with a root user without keys.
pub(crate) fn live(users: Vec<User<'static>>) -> Account<'static> {
    Account {
        id: ACCOUNT.parse().unwrap(),
        partition: "aws".to_owned(),
        alias: None,
        evidence_source: EvidenceSource::Live,
        report_generated_at: Some(now()),
        root: Some(live_user("<root_account>")),
        users,
        replaced_rows: Vec::new(),
        queried_users: Vec::new(),
        rechecked_users: Vec::new(),
        gaps: Vec::new(),
    }
}

/// An enabled password that was set 400 days ago and used this many days ago.
pub(crate) fn password(used: i64) -> Password {
    Password {
        enabled: Flag::Yes,
        last_used: Timestamp::At(days_ago(used)),
        last_changed: Timestamp::At(days_ago(400)),
    }
}

/// An active key that was created 300 days ago and used this many days ago.
pub(crate) fn key(id: &str, used: i64) -> AccessKey<'static> {
    AccessKey {
        handle: CredentialHandle::Id(id.to_owned()),
        active: Flag::Yes,
        created: Timestamp::At(days_ago(300)),
        last_used: Timestamp::At(days_ago(used)),
        last_used_service: None,
    }
}

/// An active credential without a last-used date that is this many days old.
pub(crate) fn other(kind: CredentialKind, id: &str, created: i64) -> OtherCredential {
    OtherCredential {
        kind,
        handle: CredentialHandle::Id(id.to_owned()),
        active: Flag::Yes,
        created: Timestamp::At(days_ago(created)),
    }
}

/// The default policy with these levels.
pub(crate) fn policy(levels: &[(Rule, Level)]) -> Policy {
    let levels = levels.iter().copied().collect();
    Policy::new(&PolicyOverrides { levels, ..PolicyOverrides::default() }, None)
}

/// An allowlist with these exemptions, each a YAML mapping in braces.
pub(crate) fn allowlist(entries: &[&str]) -> Allowlist {
    let entries: String = entries.iter().map(|entry| format!("  - {entry}\n")).collect();
    let yaml = format!("version: 1\nexemptions:\n{entries}");
    allowlist::parse(yaml.as_bytes(), now().date_naive())
        .unwrap_or_else(|problems| panic!("{yaml}\n{problems:#?}"))
}

/// An audit with the default policy and without exemptions.
pub(crate) fn audited(account: &Account<'_>) -> Audit {
    audited_by(account, &Policy::default())
}

/// An audit without exemptions.
pub(crate) fn audited_by(account: &Account<'_>, policy: &Policy) -> Audit {
    audited_with(account, &Allowlist::default(), policy)
}

pub(crate) fn audited_with(account: &Account<'_>, allowlist: &Allowlist, policy: &Policy) -> Audit {
    let accounts = std::slice::from_ref(account);
    audit::audit_accounts(accounts, allowlist, AllowlistOrigin::None, policy, now())
}

/// The subject of a finding: `password`, `access-key 1`, `access-key AKIA…`, `user`.
pub(crate) fn about(finding: &Finding) -> String {
    let Some(credential) = &finding.credential else { return "user".to_owned() };
    match &credential.handle {
        None => credential.kind.id().to_owned(),
        Some(CredentialHandle::Slot(slot)) => format!("{} {slot}", credential.kind.id()),
        Some(CredentialHandle::Id(id)) => format!("{} {id}", credential.kind.id()),
    }
}

/// A finding in one line: `alice: stale-access-key of access-key 1 is open`.
pub(crate) fn line(finding: &Finding) -> String {
    let Finding { user, rule, status, .. } = finding;
    format!("{}: {rule} of {} is {}", user.name, about(finding), status.id())
}

/// All findings, each in one line.
pub(crate) fn lines(audit: &Audit) -> Vec<String> {
    audit.findings.iter().map(line).collect()
}

/// A note in one line: its id, and the unreadable field.
pub(crate) fn note(note: &Note) -> String {
    match note {
        Note::Unreadable(field) => format!("unreadable {}=`{}`", field.column, field.text),
        other => other.id().to_owned(),
    }
}
