//! How complete the evidence of each rule was in one account. Only a complete rule may clear a
//! finding.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::finding::{Coverage, Finding, Status};
use super::rules::{self, Criteria};
use crate::inventory::{Account, Evidence, Form, User};
use crate::policy::{Level, Rule};

/// Live evidence that is older says nothing about today.
const LIVE_HOURS: i64 = 24;

/// The coverage of every rule that is on. `findings` are the account's.
pub(super) fn of(
    account: &Account<'_>,
    criteria: Criteria<'_>,
    findings: &[Finding],
) -> BTreeMap<Rule, Coverage> {
    let whole = of_account(account, criteria);
    let of_rule = |rule| match (account.form, is_shown(rule, account)) {
        (_, true) => whole,
        // A user whose keys are hidden is an exception, not what the user chose to do without.
        (Form::ExportedReport, false)
            if [Rule::UnrotatedAccessKey, Rule::InactiveAccessKey].contains(&rule)
                && criteria.policy.level(rule) >= Level::Warning =>
        {
            Coverage::Incomplete
        }
        (Form::ExportedReport, false) => Coverage::NotShown,
        (Form::Live, false) => Coverage::Incomplete,
    };
    let mut coverage: BTreeMap<Rule, Coverage> =
        criteria.policy.rules_on().map(|rule| (rule, of_rule(rule))).collect();
    for finding in findings.iter().filter(|finding| finding.status == Status::Unknown) {
        coverage.insert(finding.rule, Coverage::Incomplete);
    }
    coverage
}

/// The coverage of a rule that needs nothing beyond the credentials that every evidence shows.
fn of_account(account: &Account<'_>, criteria: Criteria<'_>) -> Coverage {
    let too_old = |at: DateTime<Utc>| criteria.now - at > TimeDelta::hours(LIVE_HOURS);
    let look_failed = |user: &User<'_>| user.evidence == Evidence::NotReChecked;
    let look_left_out = |user: &User<'_>| {
        user.evidence == Evidence::CredentialReport && rules::is_candidate(user, criteria)
    };
    match account.form {
        Form::ExportedReport => Coverage::Snapshot,
        Form::Live if account.report_generated_at.is_none_or(too_old) => Coverage::Incomplete,
        Form::Live if account.users.iter().any(look_failed) => Coverage::Incomplete,
        Form::Live if account.users.iter().any(look_left_out) => Coverage::Snapshot,
        Form::Live => Coverage::Complete,
    }
}

/// Whether the evidence shows all that the rule needs.
fn is_shown(rule: Rule, account: &Account<'_>) -> bool {
    match rule {
        Rule::RootAccessKey => account.root.is_some(),
        Rule::OldServiceCredential | Rule::UserWithoutCredentials => {
            account.users.iter().all(|user| user.other_credentials_complete)
        }
        Rule::ExpiredUser => account.users.iter().all(|user| user.tags.is_some()),
        Rule::StaleAccessKey | Rule::InactiveAccessKey | Rule::UnrotatedAccessKey => {
            account.users.iter().all(|user| !user.hidden_credentials)
        }
        Rule::StalePassword | Rule::UnlistedUser => true,
    }
}
