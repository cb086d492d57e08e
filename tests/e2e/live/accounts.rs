//! Many accounts side by side: one that is denied and one that is throttled take no other along.

use serde_json::json;

use super::{Audited, audit_in};
use stand_ins::aws::{Account, Seed, StandIn};

/// The audit of these accounts from a hub that is not among them.
fn from_a_hub(hub: &Account, accounts: &[Account], more: &[&str]) -> Audited {
    let ids: Vec<_> = accounts.iter().map(Account::id).collect();
    let ids = ids.join(",");
    let arguments = ["--role-to-assume", hub.role_arn(), "--accounts", &ids];
    audit_in(&hub.oidc_environment(), &[&arguments, more].concat())
}

#[test]
fn one_denied_and_one_throttled_leave_eighteen_whole() {
    let hub = StandIn::shared().account(Seed::empty());
    let accounts: Vec<_> =
        (0..20).map(|seed| StandIn::shared().account(Seed::users(500, 100 + seed))).collect();
    accounts[3].faults(json!({"deny_account": true}));
    accounts[11].faults(json!({"throttle": {"every": 1}}));
    let more = ["--timeout", "90", "--last-accessed", "false"];
    let audited = from_a_hub(&hub, &accounts, &more);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    for (place, account) in accounts.iter().enumerate() {
        let of_account = audited.json["accounts"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["id"] == account.id())
            .unwrap();
        let causes: Vec<_> = of_account["gaps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|gap| gap["cause"].as_str().unwrap())
            .collect();
        let expected: &[&str] = match place {
            3 => &["denied"],
            11 => &["throttled"],
            _ => &[],
        };
        assert_eq!(causes, expected, "account {place}");
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
        assert_eq!(found, if expected.is_empty() { stale } else { 0 }, "account {place}");
    }
}

#[test]
fn a_slow_account_keeps_no_other_from_being_begun() {
    let hub = StandIn::shared().account(Seed::empty());
    let accounts: Vec<_> = (0..10).map(|_| StandIn::shared().account(Seed::empty())).collect();
    accounts[0].faults(json!({"throttle": {"every": 1}}));
    let more = ["--timeout", "8", "--recheck", "false"];
    let audited = from_a_hub(&hub, &accounts, &more);
    let ids: Vec<_> = audited.json["accounts"].as_array().unwrap().iter().collect();
    assert_eq!(ids.len(), 10, "{}", audited.stderr);
    let last_try = accounts[0].log().last().unwrap().at;
    let begun = accounts[9].log().first().unwrap().at;
    assert!(begun < last_try, "{begun} comes after the last try of the slow one, {last_try}");
}

#[test]
fn progress_is_told_in_lines_and_not_at_all_when_quiet() {
    let account = StandIn::shared().account(Seed::users(20, 51));
    let told = audit_in(&account.environment(), &[]);
    let looking = format!("{}: looking at ", account.id());
    assert!(told.stderr.contains(&looking), "{}", told.stderr);
    let quiet = audit_in(&account.environment(), &["--quiet"]);
    assert_eq!(quiet.stderr, "wrote audit.json (json)\n");
    assert_eq!(quiet.stale_ids(), told.stale_ids());
}
