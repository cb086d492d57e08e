//! `DeleteUser` fails until the user has only tags and a permissions boundary.

use serde_json::{Value, json};

use crate::aws_stand_in::call::{Answer, call};
use stand_ins::aws::{Account, Seed, StandIn};

fn delete(account: &Account) -> Answer {
    call(account, "iam:DeleteUser", &[("UserName", "anna")])
}

#[test]
fn user_with_credentials_groups_or_policies_is_not_deleted() {
    for (left, step) in [
        (json!({ "password": {} }), "delete login profile"),
        (json!({ "keys": [{}] }), "delete access keys"),
        (json!({ "keys": [{ "status": "Inactive" }] }), "delete access keys"),
        (json!({ "certificates": [{}] }), "delete certificates"),
        (json!({ "ssh_keys": [{}] }), "remove referenced objects"),
        (json!({ "service_credentials": [{}] }), "remove referenced objects"),
        (json!({ "mfa": true }), "delete MFA device"),
        (json!({ "mfa": ["GAHT12345678"] }), "delete MFA device"),
        (json!({ "inline_policies": ["own"] }), "delete policies"),
        (json!({ "attached_policies": ["shared"] }), "detach all policies"),
        (json!({ "groups": ["web"] }), "remove users from group"),
    ] {
        let account = StandIn::shared().account(Seed::empty());
        let mut user = json!({ "name": "anna" });
        user.as_object_mut().unwrap().extend(left.as_object().unwrap().clone());
        account.change(json!([{ "create_user": user }]));
        let before = account.user("anna");
        let answer = delete(&account);
        assert_eq!(answer.error(), (409, "DeleteConflict".to_owned()), "{left}");
        let message = format!("Cannot delete entity, must {step} first.");
        assert_eq!(answer.text("Message"), message);
        assert_eq!(account.user("anna"), before);
    }
}

#[test]
fn user_with_only_a_boundary_and_tags_is_deleted() {
    let account = StandIn::shared().account(Seed::empty());
    let anna = json!({ "create_user": {
        "name": "Anna", "path": "/people/", "boundary": "team-boundary", "tags": { "owner": "web" },
    } });
    account.change(json!([anna]));
    assert_eq!(delete(&account).status, 200);
    assert_eq!(account.user("anna"), Value::Null);
    assert_eq!(delete(&account).error(), (404, "NoSuchEntity".to_owned()));
    // A new user with the same name has no tags and no boundary.
    account.change(json!([{ "create_user": { "name": "Anna", "path": "/people/" } }]));
    let again = account.user("anna");
    assert_eq!((&again["tags"], &again["boundary"]), (&json!({}), &Value::Null));
}

#[test]
fn user_deleted_by_a_test_leaves_nothing_behind() {
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([{ "create_user": {
        "name": "anna", "keys": [{}], "mfa": true, "groups": ["web"], "attached_policies": ["a"],
    } }]));
    assert_eq!(account.virtual_mfa_devices().len(), 1);
    account.change(json!([{ "delete_user": { "user": "anna" } }]));
    assert_eq!(account.virtual_mfa_devices(), [""; 0]);
    let members = call(&account, "iam:GetGroup", &[("GroupName", "web")]);
    assert_eq!(members.texts("UserName"), [""; 0]);
}
