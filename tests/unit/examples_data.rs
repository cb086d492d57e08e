//! The examples match their generator, and contain every finding that an exported report can show.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{DateTime, Utc};
use iam_stocktake::allowlist::{self, Allowlist, ExemptionStatus};
use iam_stocktake::audit::{
    AllowlistOrigin, Audit, AuditOutcome, ExemptionMatch, FindingStatus, Note, audit_accounts,
};
use iam_stocktake::model::inventory::Account;
use iam_stocktake::model::policy::{Level, Policy, PolicyOverrides, Rule};
use iam_stocktake::observe::{credential_report, export};

const REPORTS: [&str; 2] = ["credential-report.csv", "credential-report-incomplete.csv"];

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// The time up to which the examples count days.
fn now() -> DateTime<Utc> {
    "2026-06-30T12:00:00Z".parse().unwrap()
}

fn account(name: &str) -> Account<'static> {
    let export = export::parse_export(fs::read(example(name)).unwrap()).unwrap();
    credential_report::parse(String::leak(export.csv), None).unwrap()
}

fn example_allowlist() -> Allowlist {
    let path = example("iam-allowlist.yml");
    let source = fs::read_to_string(&path).unwrap();
    allowlist::parse(source.as_bytes(), now().date_naive()).unwrap_or_else(|problems| {
        let render = |it| allowlist::render(it, "examples/iam-allowlist.yml", &source, false);
        panic!("{}", problems.iter().map(render).collect::<String>())
    })
}

/// Audits a report with the exemptions of the example.
fn audit(report: &str, policy: &Policy) -> Audit {
    let allowlist = example_allowlist();
    let origin = AllowlistOrigin::File("examples/iam-allowlist.yml".to_owned());
    audit_accounts(&[account(report)], &allowlist, origin, policy, now())
}

/// The number of findings by rule and status.
fn table(audit: &Audit) -> String {
    let mut counts: BTreeMap<(Rule, FindingStatus), usize> = BTreeMap::new();
    for finding in &audit.findings {
        *counts.entry((finding.rule, finding.status)).or_default() += 1;
    }
    let row =
        |((rule, status), count)| format!("{rule:<24} {:<8} {count}\n", FindingStatus::id(status));
    counts.into_iter().map(row).collect()
}

#[test]
fn committed_reports_match_the_generator() {
    let directory = tempfile::tempdir().unwrap();
    let status = Command::new("python3")
        .arg(example("generate.py"))
        .arg(directory.path())
        .status()
        .expect("python3 runs");
    assert!(status.success());
    for name in REPORTS {
        let written = fs::read(directory.path().join(name)).unwrap();
        let committed = fs::read(example(name)).unwrap();
        assert!(written == committed, "{name} differs: run python3 examples/generate.py");
    }
}

#[test]
fn example_has_every_finding_that_a_report_can_show() {
    let audit = audit(REPORTS[0], &Policy::new(&example_allowlist().policy, None));
    insta::assert_snapshot!(table(&audit), @"
    stale-password           open     8
    stale-password           exempted 2
    stale-access-key         open     9
    stale-access-key         exempted 3
    root-access-key          open     1
    old-service-credential   open     1
    inactive-access-key      open     1
    unrotated-access-key     open     12
    unrotated-access-key     exempted 2
    ");
    assert_eq!(audit.outcome(), AuditOutcome::Stale);
    let account = &audit.accounts[0];
    assert_eq!(
        (account.users, account.flagged_users, account.users_without_shown_credentials),
        (46, 20, 1)
    );
    let notes: BTreeSet<_> = audit.findings.iter().flat_map(|it| &it.notes).map(Note::id).collect();
    assert_eq!(notes, BTreeSet::from(["recently-reset", "exemption-expired"]));
}

#[test]
fn with_all_rules_on_every_rule_of_a_report_occurs() {
    let levels = Rule::ALL.map(|rule| (rule, Level::Warning)).into();
    let policy = Policy::new(&PolicyOverrides { levels, ..PolicyOverrides::default() }, None);
    let audit = audit(REPORTS[0], &policy);
    let found: BTreeSet<_> = audit.findings.iter().map(|it| it.rule).collect();
    // A report has no tags, and no columns for some kinds of credentials.
    let not_shown = [Rule::ExpiredUser, Rule::UserWithoutCredentials];
    let shown: BTreeSet<_> =
        Rule::ALL.into_iter().filter(|rule| !not_shown.contains(rule)).collect();
    assert_eq!(found, shown);
}

#[test]
fn incomplete_example_has_both_reasons() {
    let audit = audit(REPORTS[1], &Policy::new(&example_allowlist().policy, None));
    insta::assert_snapshot!(table(&audit), @"
    stale-password           open     1
    stale-password           unknown  1
    stale-access-key         exempted 1
    stale-access-key         unknown  1
    unrotated-access-key     open     1
    ");
    assert_eq!(audit.outcome(), AuditOutcome::Incomplete);
    let incomplete: Vec<_> = audit.accounts[0].incomplete_rules().collect();
    assert_eq!(incomplete, [Rule::StalePassword, Rule::StaleAccessKey]);
    let notes: BTreeSet<_> = audit.findings.iter().flat_map(|it| &it.notes).map(Note::id).collect();
    assert_eq!(notes, BTreeSet::from(["hidden-credentials", "unreadable"]));
}

#[test]
fn example_allowlist_has_every_status_of_an_exemption() {
    let audit = audit(REPORTS[0], &Policy::new(&example_allowlist().policy, None));
    let reviewed: Vec<_> = audit
        .exemptions
        .iter()
        .map(|it| (it.exemption.user.as_str(), it.status, it.matched, it.exempts))
        .collect();
    assert_eq!(
        reviewed,
        [
            ("break-glass-admin", ExemptionStatus::InForce, ExemptionMatch::Users(1), 1),
            ("ses-smtp-*", ExemptionStatus::InForce, ExemptionMatch::Users(2), 1),
            ("ci-legacy-jenkins", ExemptionStatus::InForce, ExemptionMatch::Users(1), 2),
            ("ci-terraform", ExemptionStatus::InForce, ExemptionMatch::Users(1), 1),
            ("jane.miller", ExemptionStatus::ExpiresSoon, ExemptionMatch::Users(1), 1),
            ("vendor-audit", ExemptionStatus::Expired, ExemptionMatch::Users(1), 0),
            ("backup-robot", ExemptionStatus::InForce, ExemptionMatch::ByCaseOnly, 1),
            ("data-export-2024", ExemptionStatus::InForce, ExemptionMatch::NoUser, 0),
            ("drill-restore", ExemptionStatus::InForce, ExemptionMatch::NotAudited, 0),
        ]
    );
}
