//! How complete the evidence of each rule was in one account. Only a complete rule may clear a
//! finding.

use std::collections::BTreeMap;

use super::finding::{Coverage, Finding, Status};
use crate::inventory::{Account, Evidence, Form, User};
use crate::policy::{Policy, Rule};

/// The coverage of every rule that is on. `findings` are the account's.
pub(super) fn of(
    account: &Account<'_>,
    policy: &Policy,
    findings: &[Finding],
) -> BTreeMap<Rule, Coverage> {
    let mut coverage: BTreeMap<Rule, Coverage> =
        policy.rules_on().map(|rule| (rule, of_rule(rule, account))).collect();
    for finding in findings.iter().filter(|finding| finding.status == Status::Unknown) {
        coverage.insert(finding.rule, Coverage::Incomplete);
    }
    coverage
}

fn of_rule(rule: Rule, account: &Account<'_>) -> Coverage {
    let shown = match rule {
        Rule::RootAccessKey => account.root.is_some(),
        Rule::OldServiceCredential | Rule::UserWithoutCredentials => {
            account.users.iter().all(|user| user.other_credentials_complete)
        }
        Rule::ExpiredUser => account.users.iter().all(|user| user.tags.is_some()),
        Rule::StaleAccessKey | Rule::InactiveAccessKey | Rule::UnrotatedAccessKey => {
            account.users.iter().all(|user| !user.hidden_credentials)
        }
        Rule::StalePassword | Rule::UnlistedUser => true,
    };
    let look_failed = |user: &User<'_>| user.evidence == Evidence::NotReChecked;
    match (account.form, shown) {
        (Form::ExportedReport, true) => Coverage::Snapshot,
        (Form::ExportedReport, false) => Coverage::NotShown,
        (Form::Live, true) if !account.users.iter().any(look_failed) => Coverage::Complete,
        (Form::Live, _) => Coverage::Incomplete,
    }
}
