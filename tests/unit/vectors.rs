//! Test vectors: rows of a credential report, and the expected findings.

use std::collections::BTreeMap;

use crate::support::{Row, exported, note};
use chrono::{DateTime, Utc};
use iam_stocktake::allowlist::Allowlist;
use iam_stocktake::audit::{self, AllowlistOrigin, Audit, Finding, FindingStatus, ReferenceKind};
use iam_stocktake::model::inventory::{CredentialHandle, CredentialKind};
use iam_stocktake::model::policy::{Policy, PolicyOverrides, Rule};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    now: DateTime<Utc>,
    #[serde(rename = "note")]
    _note: String,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    id: String,
    given: String,
    #[serde(rename = "source")]
    _source: String,
    stale_after_days: u32,
    /// Levels that differ from the defaults, by rule.
    #[serde(default)]
    rules: BTreeMap<String, String>,
    /// Columns by name. Without its columns, a credential does not exist.
    row: BTreeMap<String, String>,
    expected: Vec<String>,
    /// Days of disuse or age, by finding.
    #[serde(default)]
    days: BTreeMap<String, i64>,
    /// The notes of the findings, in the order of `expected`.
    #[serde(default)]
    notes: Vec<String>,
}

impl Vector {
    fn audit(&self, now: DateTime<Utc>) -> Audit {
        let default = Row::of(&self.row["user"]);
        let row = self.row.iter().fold(default, |row, (column, value)| row.with(column, value));
        let rules = self.rules.iter();
        let overrides = PolicyOverrides {
            levels: rules
                .map(|(rule, level)| (rule.parse().unwrap(), level.parse().unwrap()))
                .collect(),
            ..PolicyOverrides::default()
        };
        let policy = Policy::new(&overrides, Some(self.stale_after_days));
        let account = exported(&[row]);
        audit::audit_accounts(
            &[account],
            &Allowlist::default(),
            AllowlistOrigin::None,
            &policy,
            now,
        )
    }
}

fn table(json: &str) -> Table {
    serde_json::from_str(json).unwrap()
}

/// `pw`, `k1`, `cert2`, or `user`.
fn credential(finding: &Finding) -> String {
    let Some(credential) = &finding.credential else { return "user".to_owned() };
    let slot = match &credential.handle {
        Some(CredentialHandle::Slot(slot)) => slot.to_string(),
        Some(CredentialHandle::Id(id)) => panic!("a report shows no key id, but here is {id}"),
        None => String::new(),
    };
    match credential.kind {
        CredentialKind::Password => "pw".to_owned(),
        CredentialKind::AccessKey => format!("k{slot}"),
        CredentialKind::SigningCertificate => format!("cert{slot}"),
        kind => panic!("a report does not show a {}", kind.id()),
    }
}

/// A finding in the notation of the vectors: `pw:STALE`, or `k1:INACTIVE?` for an unknown one.
fn notation(finding: &Finding) -> String {
    let word = match (finding.rule, finding.status) {
        (Rule::StalePassword | Rule::StaleAccessKey, FindingStatus::Unknown) => "UNKNOWN",
        (Rule::StalePassword | Rule::StaleAccessKey, _) => "STALE",
        (Rule::InactiveAccessKey, _) => "INACTIVE",
        (Rule::UnrotatedAccessKey, _) => "UNROTATED",
        (Rule::RootAccessKey, _) => "ROOT",
        (Rule::OldServiceCredential, _) => "OLD",
        (Rule::UnlistedUser, _) => "UNLISTED",
        (rule, _) => rule.id(),
    };
    let doubt =
        if finding.status == FindingStatus::Unknown && word != "UNKNOWN" { "?" } else { "" };
    format!("{}:{word}{doubt}", credential(finding))
}

/// The findings, sorted; `OK` if there are none, or `ROOT_SKIPPED` for the root user.
fn notations<'a>(audit: &Audit, findings: impl Iterator<Item = &'a Finding>) -> Vec<String> {
    let mut notations: Vec<String> = findings.map(notation).collect();
    notations.sort();
    if notations.is_empty() {
        let is_root = audit.accounts[0].users == 0;
        notations.push(if is_root { "ROOT_SKIPPED" } else { "OK" }.to_owned());
    }
    notations
}

#[test]
fn stale_rules_match_the_vectors() {
    let table = table(include_str!("../vectors/decisions.json"));
    for vector in &table.vectors {
        let audit = vector.audit(table.now);
        let stale = audit.findings.iter().filter(|finding| finding.rule.finds_disuse());
        assert_eq!(notations(&audit, stale), vector.expected, "{}: {}", vector.id, vector.given);
    }
}

/// The findings of a vector, with days and notes.
type VectorFindings = (Vec<String>, BTreeMap<String, i64>, Vec<String>);

fn findings_of(vector: &Vector, now: DateTime<Utc>) -> VectorFindings {
    let audit = vector.audit(now);
    let mut findings: Vec<&Finding> = audit.findings.iter().collect();
    findings.sort_by_key(|finding| notation(finding));
    let days = |finding: &&Finding| Some((notation(finding), finding.days?));
    (
        notations(&audit, audit.findings.iter()),
        findings.iter().filter_map(days).collect(),
        findings.iter().flat_map(|finding| finding.notes.iter().map(note)).collect(),
    )
}

#[test]
fn edge_cases_match_the_vectors_with_days_and_notes() {
    let table = table(include_str!("../vectors/edges.json"));
    for vector in &table.vectors {
        let Vector { expected, days, notes, .. } = vector;
        let expected = (expected.clone(), days.clone(), notes.clone());
        assert_eq!(findings_of(vector, table.now), expected, "{}: {}", vector.id, vector.given);
    }
}

#[test]
fn edge_cases_have_unique_ids() {
    let (decisions, edges) = (
        table(include_str!("../vectors/decisions.json")),
        table(include_str!("../vectors/edges.json")),
    );
    let vectors = || decisions.vectors.iter().chain(&edges.vectors);
    let ids: std::collections::BTreeSet<&str> = vectors().map(|it| it.id.as_str()).collect();
    assert_eq!(ids.len(), vectors().count());
    let givens: std::collections::BTreeSet<&str> = vectors().map(|it| it.given.as_str()).collect();
    assert_eq!(givens.len(), vectors().count());
}

#[test]
fn reference_is_a_use_or_a_creation() {
    let table = table(include_str!("../vectors/decisions.json"));
    let reference = |id: &str| {
        let vector = table.vectors.iter().find(|vector| vector.id == id).unwrap();
        vector.audit(table.now).findings[0].reference.unwrap()
    };
    for (id, expected, date) in [
        ("P03", ReferenceKind::LastUsed, "2026-04-01T12:00:00Z"),
        ("P09", ReferenceKind::NeverUsedSince, "2026-03-02T12:00:00Z"),
        ("P17", ReferenceKind::NeverUsedSince, "2026-03-02T12:00:00Z"),
        ("K02", ReferenceKind::LastUsed, "2026-04-01T12:00:00Z"),
        ("K07", ReferenceKind::NeverUsedSince, "2025-05-26T12:00:00Z"),
    ] {
        assert_eq!(reference(id), (expected, crate::support::at(date)), "{id}");
    }
}
