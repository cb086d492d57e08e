//! What the audit reads of the remedy: the tags that are its clock, and what goes with a user.

use serde_json::{Value, json};

use super::audit;
use stand_ins::aws::{Account, Seed, StandIn};

/// An account in which `alice` has a password and a key, both unused for 200 days, with the tags of
/// a notice on both. Gives the moment of the notice as well.
fn notified() -> (Account, String) {
    let account = StandIn::shared().account(Seed::empty());
    let made = account.change(json!([{"create_user": {
        "name": "alice", "created": 400, "mfa": true,
        "password": {"changed": 400, "last_used": 200},
        "keys": [{"created": 300, "last_used": 200}],
        "groups": ["staff"], "inline_policies": ["own"], "attached_policies": ["team-web"],
    }}]));
    let since = chrono::Utc::now() - chrono::TimeDelta::days(3);
    let since = since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let key = made[0]["keys"][0].as_str().unwrap();
    let value = format!("notified since={since} seen={since}");
    account.change(json!([{"tag_user": {"user": "alice", "tags": {
        "iam-stocktake:password": value,
        (format!("iam-stocktake:access-key:{key}")): value,
    }}}]));
    account.make_report(1.0);
    (account, since)
}

fn each(account: &Account, member: &str, arguments: &[&str]) -> Vec<Value> {
    let audited = audit(account, arguments);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    audited.findings().map(|finding| finding[member].clone()).collect()
}

#[test]
fn the_tags_that_are_the_clock_come_with_the_owners_of_the_candidates() {
    let (account, since) = notified();
    let said = json!({"reached": "notified", "since": since});
    assert_eq!(each(&account, "remedy", &[]), [said.clone(), said]);
    // Nobody asks for tags then, and nothing is said of them.
    let flags = ["--recheck", "false"];
    assert_eq!(each(&account, "remedy", &flags), [Value::Null, Value::Null]);
}

#[test]
fn the_allowlist_says_from_which_day_on_the_next_stage_follows() {
    let (account, since) = notified();
    let allowlist = "version: 1\nremediation: { deactivate_after_days: 20 }\n";
    let audited = super::audit_by(allowlist, &account.environment(), &[]);
    let since: chrono::DateTime<chrono::Utc> = since.parse().unwrap();
    let from = (since + chrono::TimeDelta::days(20)).date_naive().to_string();
    let next = |kind: &str| {
        let mut findings = audited.findings();
        let finding = findings.find(|it| it["credential"]["kind"] == kind).unwrap();
        (finding["remedy"]["next"].clone(), finding["remedy"]["next_from"].clone())
    };
    assert_eq!(next("access-key"), (json!("deactivate"), json!(from)));
    // A person removes it, on whichever day.
    assert_eq!(next("password"), (Value::Null, Value::Null));
}

#[test]
fn what_goes_with_a_user_is_known_where_the_whole_account_was_read_and_costs_no_call_else() {
    let (account, _) = notified();
    assert_eq!(each(&account, "belongings", &[]), [Value::Null, Value::Null]);
    let asks_for_them = |call: &stand_ins::aws::Call| {
        ["ListGroupsForUser", "ListUserPolicies", "ListAttachedUserPolicies"]
            .iter()
            .any(|name| call.action.ends_with(name))
    };
    let has = json!({
        "mfa": true,
        "groups": ["staff"], "attached_policies": ["team-web"], "inline_policies": ["own"],
    });
    let allowlist = "version: 1\npolicy: { expiry_tag: expires-on }\n";
    let audited = super::audit_by(allowlist, &account.environment(), &[]);
    let known: Vec<_> = audited.findings().map(|finding| finding["belongings"].clone()).collect();
    assert_eq!(known, [has.clone(), has]);
    assert!(!account.log().iter().any(asks_for_them));
}
