//! Tags of users, within the limits of IAM.

use serde_json::{Value, json};

use crate::aws_stand_in::call::{Answer, call};
use stand_ins::aws::{Account, Seed, StandIn};

fn account() -> Account {
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([{ "create_user": { "name": "Anna", "tags": { "owner": "web" } } }]));
    account
}

/// Sets tags on Anna.
fn tag(account: &Account, tags: &[(&str, &str)]) -> Answer {
    let mut fields = vec![("UserName".to_owned(), "anna".to_owned())];
    for (number, (key, value)) in (1..).zip(tags) {
        fields.push((format!("Tags.member.{number}.Key"), (*key).to_owned()));
        fields.push((format!("Tags.member.{number}.Value"), (*value).to_owned()));
    }
    let fields: Vec<_> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    call(account, "iam:TagUser", &fields)
}

fn tags(account: &Account) -> Value {
    account.user("anna")["tags"].clone()
}

#[test]
fn tags_are_set_and_removed() {
    let account = account();
    assert_eq!(tag(&account, &[("our:notice", "2026-01-02"), ("empty", "")]).status, 200);
    assert_eq!(tags(&account), json!({ "owner": "web", "our:notice": "2026-01-02", "empty": "" }));
    // Keys ignore case. A value that is set again is replaced.
    tag(&account, &[("Our:NOTICE", "late")]);
    tag(&account, &[("Our:Notice", "later")]);
    assert_eq!(tags(&account), json!({ "owner": "web", "empty": "", "Our:Notice": "later" }));
    let listed = call(&account, "iam:ListUserTags", &[("UserName", "anna")]);
    assert_eq!(listed.texts("Key").len(), 3);
    let keys = [("TagKeys.member.1", "our:notice"), ("TagKeys.member.2", "never-there")];
    let fields = [&[("UserName", "anna")], &keys[..]].concat();
    assert_eq!(call(&account, "iam:UntagUser", &fields).status, 200);
    assert_eq!(tags(&account), json!({ "owner": "web", "empty": "" }));
    account.change(json!([{ "untag_user": { "user": "anna", "keys": ["empty"] } }]));
    assert_eq!(tags(&account), json!({ "owner": "web" }));
}

#[test]
fn invalid_tags_are_rejected_and_change_nothing() {
    let account = account();
    let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
    let many: Vec<String> = (0..50).map(|it| format!("key-{it}")).collect();
    let many: Vec<_> = many.iter().map(|it| (it.as_str(), "")).collect();
    for (wanted, status, code) in [
        (&[("a", "x"), ("A", "y")][..], 400, "InvalidInput"),
        (&[("aws:own", "x")], 400, "InvalidInput"),
        (&[("", "x")], 400, "ValidationError"),
        (&[("a", "x"), ("b", "no,comma")], 400, "ValidationError"),
        (&[(long_key.as_str(), "x")], 400, "ValidationError"),
        (&[("a", long_value.as_str())], 400, "ValidationError"),
        (&[], 400, "ValidationError"),
        (&many, 409, "LimitExceeded"),
    ] {
        assert_eq!(tag(&account, wanted).error(), (status, code.to_owned()), "{wanted:?}");
        assert_eq!(tags(&account), json!({ "owner": "web" }), "{wanted:?}");
    }
    assert_eq!(tag(&account, &many[..49]).status, 200);
}

#[test]
fn tagging_a_missing_user_is_an_error() {
    let account = StandIn::shared().account(Seed::empty());
    let missing = (404, "NoSuchEntity".to_owned());
    assert_eq!(tag(&account, &[("a", "b")]).error(), missing);
    let fields = [("UserName", "anna"), ("TagKeys.member.1", "a")];
    assert_eq!(call(&account, "iam:UntagUser", &fields).error(), missing);
}
