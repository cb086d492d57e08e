//! Remediation tags and the groups and policies of a user in the audit.

use serde_json::{Value, json};

use super::audit;
use stand_ins::aws::{Account, Seed, StandIn};

/// An account in which `alice` has a password and a key, both unused for 200 days, with remediation
/// tags of the stage `notified` on both. Also returns the time of the notification.
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

/// A field of each finding.
fn fields(account: &Account, name: &str, arguments: &[&str]) -> Vec<Value> {
    let audited = audit(account, arguments);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    audited.findings().map(|finding| finding[name].clone()).collect()
}

#[test]
fn remediation_tags_are_read_with_the_owner_tags() {
    let (account, since) = notified();
    let expected = json!({"reached": "notified", "since": since});
    assert_eq!(fields(&account, "remedy", &[]), [expected.clone(), expected]);
    // Without the re-check, no tags are read.
    assert_eq!(fields(&account, "remedy", &["--recheck", "false"]), [Value::Null, Value::Null]);
}

#[test]
fn next_stage_follows_after_the_days_in_the_allowlist() {
    let (account, since) = notified();
    let allowlist = "version: 1\nremediation: { deactivate_after_days: 20 }\n";
    let audited = super::audit_with(allowlist, &account.environment(), &[]);
    let since: chrono::DateTime<chrono::Utc> = since.parse().unwrap();
    let from = (since + chrono::TimeDelta::days(20)).date_naive().to_string();
    let next = |kind: &str| {
        let mut findings = audited.findings();
        let finding = findings.find(|it| it["credential"]["kind"] == kind).unwrap();
        (finding["remedy"]["next"].clone(), finding["remedy"]["next_from"].clone())
    };
    assert_eq!(next("access-key"), (json!("deactivate"), json!(from)));
    // A password is removed by a person, at any time.
    assert_eq!(next("password"), (Value::Null, Value::Null));
}

#[test]
fn groups_and_policies_are_read_only_with_the_whole_account() {
    let (account, _) = notified();
    assert_eq!(fields(&account, "belongings", &[]), [Value::Null, Value::Null]);
    let lists_groups_or_policies = |call: &stand_ins::aws::Call| {
        ["ListGroupsForUser", "ListUserPolicies", "ListAttachedUserPolicies"]
            .iter()
            .any(|name| call.action.ends_with(name))
    };
    let belongings = json!({
        "mfa": true,
        "groups": ["staff"], "attached_policies": ["team-web"], "inline_policies": ["own"],
    });
    let allowlist = "version: 1\npolicy: { expiry_tag: expires-on }\n";
    let audited = super::audit_with(allowlist, &account.environment(), &[]);
    let known: Vec<_> = audited.findings().map(|finding| finding["belongings"].clone()).collect();
    assert_eq!(known, [belongings.clone(), belongings]);
    assert!(!account.log().iter().any(lists_groups_or_policies));
}
