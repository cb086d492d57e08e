//! Changes that a test makes to an account, and the account's expected findings.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::aws_stand_in::call::call;
use stand_ins::aws::{Account, Seed, StandIn};

fn user(account: &Account, name: &str) -> Value {
    let truth = account.truth();
    let users = truth["users"].as_array().unwrap();
    users.iter().find(|it| it["user"] == name).cloned().unwrap_or(Value::Null)
}

/// The kinds of the user's stale credentials.
fn reasons(account: &Account, name: &str) -> Vec<String> {
    let user = user(account, name);
    let reasons = user["reasons"].as_array().unwrap();
    reasons.iter().map(|it| it["credential"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn seed_always_gives_the_same_population() {
    let aws = StandIn::shared();
    let population = |seed| {
        let account = aws.account(Seed::users(300, seed));
        let truth = account.truth();
        let users = truth["users"].as_array().unwrap();
        // Without dates, which depend on the second in which the account was created.
        let reason = |it: &Value| format!("{} {} {}", it["credential"], it["days"], it["stale"]);
        let described: Vec<_> = users
            .iter()
            .map(|it| {
                let reasons: Vec<_> =
                    it["reasons"].as_array().unwrap().iter().map(reason).collect();
                format!("{} {} {} {reasons:?}", it["user"], it["kind"], it["path"])
            })
            .collect();
        let kinds: BTreeSet<_> = users.iter().map(|it| it["kind"].to_string()).collect();
        let stale = users.iter().filter(|it| it["stale"] == true).count();
        (described.len(), described, kinds, stale)
    };
    let (first, again, other) = (population(1), population(1), population(2));
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert_eq!((first.0, first.2.len()), (300, 7));
    assert!((60..160).contains(&first.3), "{} of 300 are stale", first.3);
}

#[test]
fn expected_findings_follow_the_rules() {
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([
        { "create_user": { "name": "edge", "keys": [
            { "created": 900, "last_used": 90.01 }, { "created": 900, "last_used": 89.99 },
            { "created": 900, "last_used": 900, "status": "Inactive" },
        ] } },
        { "create_user": { "name": "never", "password": { "changed": 91 },
                           "keys": [{ "created": 91 }, { "created": 89 }] } },
        { "create_user": { "name": "none" } },
        { "create_user": { "name": "other", "ssh_keys": [{ "created": 100 }],
                           "certificates": [{ "created": 100, "status": "Inactive" }],
                           "service_credentials": [{ "created": 1 }] } },
    ]));
    let edge = user(&account, "edge");
    let stale: Vec<_> = edge["keys"].as_array().unwrap().iter().map(|it| &it["stale"]).collect();
    assert_eq!(stale, [true, false, false]);
    assert_eq!(edge["keys"][2]["inactive_too_long"], true);
    assert_eq!(edge["reasons"][0]["id"], edge["keys"][0]["id"]);
    assert_eq!(edge["reasons"][0]["created"], edge["keys"][0]["created"]);
    assert_eq!(reasons(&account, "never"), ["password", "access-key"]);
    assert_eq!(user(&account, "none")["without_credentials"], true);
    let other = user(&account, "other");
    assert_eq!(other["without_credentials"], false);
    let others: Vec<_> =
        other["other_credentials"].as_array().unwrap().iter().map(|it| &it["stale"]).collect();
    assert_eq!(others, [true, false, false]);

    let strict = StandIn::shared().account(Seed::empty().stale_after_days(45));
    strict.change(json!([{ "create_user": { "name": "a", "keys": [{ "last_used": 46 }] } }]));
    assert_eq!(reasons(&strict, "a"), ["access-key"]);
}

#[test]
fn every_change_is_visible() {
    let account = StandIn::shared().account(Seed::empty());
    let change = |operation: Value| account.change(json!([operation]))[0].clone();
    let old = json!({ "created": 900, "last_used": 200 });
    change(json!({ "create_user": {
        "name": "anna", "keys": [old, old], "password": { "changed": 900, "last_used": 200 },
    } }));
    assert_eq!(reasons(&account, "anna"), ["password", "access-key", "access-key"]);
    change(json!({ "use_key": { "user": "anna", "at": 1, "service": "s3" } }));
    change(json!({ "use_password": { "user": "anna" } }));
    change(json!({ "set_key_status": { "user": "anna", "key": 2, "status": "Inactive" } }));
    assert_eq!(reasons(&account, "anna"), [""; 0]);
    change(json!({ "set_key_status": { "user": "anna", "key": 2, "status": "Active" } }));
    assert_eq!(reasons(&account, "anna"), ["access-key"]);
    change(json!({ "delete_key": { "user": "anna", "key": 2 } }));
    assert_eq!(reasons(&account, "anna"), [""; 0]);
    change(json!({ "delete_password": { "user": "anna" } }));
    assert_eq!(user(&account, "anna")["password"], Value::Null);
    change(json!({ "set_password": { "user": "anna", "last_used": 91, "changed": 1 } }));
    assert_eq!(reasons(&account, "anna"), ["password"]);
    for _ in 0..2 {
        change(json!({ "add_key": { "user": "anna" } }));
    }
    change(json!({ "add_ssh_key": { "user": "anna" } }));
    change(json!({ "add_service_credential": { "user": "anna" } }));
    change(json!({ "add_certificate": { "user": "anna" } }));
    change(json!({ "tag_user": { "user": "anna", "tags": { "owner": "web" } } }));
    change(json!({ "rename_user": { "user": "anna", "to": "Berta", "path": "/b/" } }));
    change(json!({ "access_service": { "user": "berta", "service": "lambda" } }));
    assert_eq!(user(&account, "anna"), Value::Null);
    let berta = user(&account, "Berta");
    assert_eq!(berta["arn"], format!("arn:aws:iam::{}:user/b/Berta", account.id()));
    assert_eq!(berta["tags"], json!({ "owner": "web" }));
    let kinds = berta["other_credentials"].as_array().unwrap().iter().map(|it| &it["kind"]);
    let expected = ["ssh-key", "signing-certificate", "service-specific-credential"];
    assert_eq!(kinds.collect::<Vec<_>>(), expected);
    let keys = call(&account, "iam:ListAccessKeys", &[("UserName", "berta")]);
    assert_eq!(keys.texts("UserName"), ["Berta"; 3]);
    let key = berta["keys"][0]["id"].as_str().unwrap();
    let used = call(&account, "iam:GetAccessKeyLastUsed", &[("AccessKeyId", key)]);
    assert_eq!(used.text("UserName"), "Berta");

    let made = change(json!({ "create_user": { "name": "new" } }));
    assert!(made["user_id"].as_str().unwrap().starts_with("AIDA"), "{made}");
    change(json!({ "delete_user": { "user": "berta" } }));
    assert_eq!(call(&account, "iam:ListUsers", &[]).texts("UserName"), ["new"]);
    let used = call(&account, "iam:GetAccessKeyLastUsed", &[("AccessKeyId", key)]);
    assert_eq!(used.status, 403);
}

#[test]
#[should_panic(expected = "an access key has no field lastused")]
fn unknown_field_is_rejected() {
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([{ "create_user": { "name": "anna", "keys": [{ "lastused": 3 }] } }]));
}

#[test]
#[should_panic(expected = "no such operation: forget_user")]
fn unknown_operation_is_rejected() {
    StandIn::shared().account(Seed::empty()).change(json!([{ "forget_user": {} }]));
}
