//! Audits: exemptions, live evidence, and missing evidence.

mod age;
mod coverage;
mod exemptions;
mod rules;

use std::collections::BTreeMap;

use crate::support::{
    Row, allowlist, at, audited, audited_by, audited_with, days_ago, exported, key, line, lines,
    live, live_user, now, other, password, policy, report_date,
};
use chrono::TimeDelta;
use iam_stocktake::allowlist::{Allowlist, ExemptionStatus};
use iam_stocktake::audit::{
    self, AllowlistOrigin, Audit, AuditOutcome, Coverage, ExemptionMatch, FindingStatus, Note,
    ReferenceKind,
};
use iam_stocktake::model::inventory::{
    AccessKey, Account, CredentialKind, Evidence, EvidenceGap, EvidenceItem, EvidenceSource, Flag,
    GapCause, Password, Timestamp, UnreadableField, User,
};
use iam_stocktake::model::policy::{Level, Policy, PolicyOverrides, Rule};
use smallvec::smallvec;

const WHY: &str = "reason: needed, owner: ops, expires: 2026-12-31";

/// An allowlist with one exemption in force: these keys, and the required ones.
fn exemption(keys: &str) -> Allowlist {
    allowlist(&[&format!("{{ {keys}, {WHY} }}")])
}

/// A report with a stale password and two stale keys.
fn stale_alice() -> Account<'static> {
    exported(&[Row::of("alice").password_used(100).key_used(1, 100).key_used(2, 100)])
}

/// The same user from the live API.
fn live_stale_alice() -> Account<'static> {
    live(vec![User {
        password: Some(password(100)),
        access_keys: smallvec![key("AKIAXXXXXXXXXXXXAAAA", 100), key("AKIAXXXXXXXXXXXXBBBB", 100)],
        ..live_user("alice")
    }])
}

fn audited_exempting(account: &Account<'_>, allowlist: &Allowlist) -> Audit {
    audited_with(account, allowlist, &Policy::default())
}

fn audited_at(account: &Account<'_>, allowlist: &Allowlist, now: &str) -> Audit {
    let accounts = std::slice::from_ref(account);
    audit::audit_accounts(accounts, allowlist, AllowlistOrigin::None, &Policy::default(), at(now))
}

/// The subjects of the findings that are not exempted.
fn not_exempted(audit: &Audit) -> Vec<String> {
    let left = audit.findings.iter().filter(|finding| finding.status != FindingStatus::Exempted);
    left.map(crate::support::about).collect()
}

fn notes(audit: &Audit) -> Vec<Vec<Note>> {
    audit.findings.iter().map(|finding| finding.notes.clone()).collect()
}

/// The users that the only exemption matched, and the number of exempted findings.
fn exemption_result(audit: &Audit) -> (ExemptionMatch, usize) {
    let [only] = audit.exemptions.as_slice() else { panic!("one exemption") };
    (only.matched, only.exempts)
}

const ALL: [&str; 3] = ["password", "access-key 1", "access-key 2"];
const NONE: [&str; 0] = [];

/// A user with a key in use.
fn with_key(name: &str) -> User<'static> {
    User { access_keys: smallvec![key("AKIAXXXXXXXXXXXXAAAA", 1)], ..live_user(name) }
}

/// A policy in which all rules are on.
fn all_rules() -> Policy {
    let levels = Rule::ALL.map(|rule| (rule, Level::Warning));
    let overrides = PolicyOverrides {
        expiry_tag: Some("expires-on".to_owned()),
        levels: levels.into_iter().collect(),
        ..PolicyOverrides::default()
    };
    Policy::new(&overrides, None)
}
