//! Several accounts in one run: a denied or throttled account does not affect the others.

use serde_json::json;

use super::{Audited, audit_in};
use stand_ins::aws::{Account, Seed, StandIn};

/// Audits these accounts from a hub account that is not one of them.
fn audit_from_hub(hub: &Account, accounts: &[Account], more: &[&str]) -> Audited {
    let ids: Vec<_> = accounts.iter().map(Account::id).collect();
    let ids = ids.join(",");
    let arguments = ["--role-to-assume", hub.role_arn(), "--accounts", &ids];
    audit_in(&hub.oidc_environment(), &[&arguments, more].concat())
}

#[test]
fn denied_and_a_throttled_account_do_not_affect_the_others() {
    let hub = StandIn::shared().account(Seed::empty());
    let accounts: Vec<_> =
        (0..20).map(|seed| StandIn::shared().account(Seed::users(500, 100 + seed))).collect();
    accounts[3].faults(json!({"deny_account": true}));
    accounts[11].faults(json!({"throttle": {"every": 1}}));
    let more = ["--timeout", "90", "--last-accessed", "false"];
    let audited = audit_from_hub(&hub, &accounts, &more);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    for (index, account) in accounts.iter().enumerate() {
        let entry = audited.json["accounts"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["id"] == account.id())
            .unwrap();
        let causes: Vec<_> = entry["gaps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|gap| gap["cause"].as_str().unwrap())
            .collect();
        let expected: &[&str] = match index {
            3 => &["denied"],
            11 => &["throttled"],
            _ => &[],
        };
        assert_eq!(causes, expected, "account {index}");
        let found = audited
            .findings()
            .filter(|it| {
                it["account"] == account.id() && it["rule"].as_str().unwrap().starts_with("stale-")
            })
            .count();
        let truth = account.truth();
        let stale: usize = truth["users"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["reasons"].as_array().unwrap().len())
            .sum();
        assert!(stale > 100);
        assert_eq!(found, if expected.is_empty() { stale } else { 0 }, "account {index}");
    }
}

#[test]
fn slow_account_does_not_delay_the_others() {
    let hub = StandIn::shared().account(Seed::empty());
    let accounts: Vec<_> = (0..10).map(|_| StandIn::shared().account(Seed::empty())).collect();
    accounts[0].faults(json!({"throttle": {"every": 1}}));
    let more = ["--timeout", "8", "--recheck", "false"];
    let audited = audit_from_hub(&hub, &accounts, &more);
    let ids: Vec<_> = audited.json["accounts"].as_array().unwrap().iter().collect();
    assert_eq!(ids.len(), 10, "{}", audited.stderr);
    let last_attempt = accounts[0].log().last().unwrap().at;
    let started = accounts[9].log().first().unwrap().at;
    assert!(started < last_attempt, "{started} is after the last attempt {last_attempt}");
}

#[test]
fn progress_is_logged_unless_quiet() {
    let account = StandIn::shared().account(Seed::users(20, 51));
    let verbose = audit_in(&account.environment(), &[]);
    let progress = format!("{}: re-checking ", account.id());
    assert!(verbose.stderr.contains(&progress), "{}", verbose.stderr);
    let quiet = audit_in(&account.environment(), &["--quiet"]);
    assert_eq!(quiet.stderr, "wrote audit.json (json)\n");
    assert_eq!(quiet.stale_ids(), verbose.stale_ids());
}
