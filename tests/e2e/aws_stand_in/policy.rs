//! The policy of an account's auditor decides which calls are allowed.

use serde_json::{Value, json};

use crate::aws_stand_in::call::call;
use stand_ins::aws::{Account, Seed, StandIn};

fn account() -> Account {
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([
        { "create_user": { "name": "anna", "path": "/people/", "keys": [{}] } },
        { "create_user": { "name": "bert", "keys": [{}] } },
    ]));
    account
}

#[expect(clippy::needless_pass_by_value, reason = "`json!` stands in the call without a `&`")]
fn allow(actions: Value, resources: Value) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
}

#[test]
fn call_without_permission_is_denied_with_the_message_of_aws() {
    let account = account();
    account.policy(json!({ "Version": "2012-10-17", "Statement": [] }));
    let answer = call(&account, "iam:GetLoginProfile", &[("UserName", "Anna")]);
    assert_eq!(answer.error(), (403, "AccessDenied".to_owned()));
    let id = account.id();
    assert_eq!(
        answer.text("Message"),
        format!(
            "User: arn:aws:sts::{id}:assumed-role/audit/auditor is not authorized to perform: \
             iam:GetLoginProfile on resource: arn:aws:iam::{id}:user/people/anna because no \
             identity-based policy allows the iam:GetLoginProfile action"
        )
    );
    // `GetCallerIdentity` needs no permission.
    assert_eq!(call(&account, "sts:GetCallerIdentity", &[]).status, 200);
    account.policy(Value::Null);
    assert_eq!(call(&account, "iam:ListUsers", &[]).status, 200);
}

#[test]
fn actions_and_resources_match_wildcards_and_a_deny_wins() {
    let account = account();
    let keys_of = |name| call(&account, "iam:ListAccessKeys", &[("UserName", name)]).status;
    let people = format!("arn:aws:iam::{}:user/people/*", account.id());
    let statement = allow(json!("IAM:list*"), json!([people]));
    account.policy(json!({ "Statement": statement }));
    assert_eq!((keys_of("anna"), keys_of("bert")), (200, 403));
    assert_eq!(call(&account, "iam:ListUsers", &[]).status, 403);
    assert_eq!(call(&account, "iam:GetUser", &[("UserName", "anna")]).status, 403);

    let deny = json!({ "Effect": "Deny", "Action": "iam:ListAccessKeys", "Resource": people });
    account.policy(json!({ "Statement": [allow(json!("iam:*"), json!("*")), deny] }));
    assert_eq!((keys_of("anna"), keys_of("bert")), (403, 200));
}

#[test]
fn each_call_has_the_resource_that_policies_name() {
    let account = account();
    let key = account.truth()["users"][0]["keys"][0]["id"].as_str().unwrap().to_owned();
    let anna = format!("arn:aws:iam::{}:user/people/anna", account.id());
    let all = format!("arn:aws:iam::{}:user/*", account.id());
    let nobody = format!("arn:aws:iam::{}:user/nobody", account.id());
    account.change(json!([{ "add_to_group": { "user": "anna", "group": "/teams/web" } }]));
    let group = format!("arn:aws:iam::{}:group/teams/web", account.id());
    let no_group = format!("arn:aws:iam::{}:group/none", account.id());
    let device = format!("arn:aws:iam::{}:mfa/phone", account.id());
    for (action, fields, resource) in [
        ("iam:ListUsers", [("MaxItems", "5")], "*"),
        ("iam:GetUser", [("UserName", "ANNA")], anna.as_str()),
        ("iam:GetAccessKeyLastUsed", [("AccessKeyId", key.as_str())], &anna),
        ("iam:GenerateServiceLastAccessedDetails", [("Arn", anna.as_str())], &anna),
        ("iam:ListServiceSpecificCredentials", [("AllUsers", "true")], &all),
        ("iam:ListServiceSpecificCredentials", [("UserName", "anna")], &anna),
        ("iam:GetAccountAuthorizationDetails", [("MaxItems", "5")], "*"),
        ("iam:TagUser", [("UserName", "anna")], &anna),
        ("iam:UpdateAccessKey", [("UserName", "anna")], &anna),
        ("iam:DeleteUser", [("UserName", "nobody")], &nobody),
        ("iam:RemoveUserFromGroup", [("GroupName", "WEB")], &group),
        ("iam:RemoveUserFromGroup", [("GroupName", "none")], &no_group),
        ("iam:DeleteVirtualMFADevice", [("SerialNumber", device.as_str())], &device),
        ("iam:DeactivateMFADevice", [("UserName", "anna")], &anna),
        ("sts:AssumeRole", [("RoleArn", "arn:aws:iam::1:role/x")], "arn:aws:iam::1:role/x"),
    ] {
        account.reset_log();
        account.policy(json!({ "Statement": allow(json!(action), json!(resource)) }));
        let allowed = call(&account, action, &fields);
        assert!(!allowed.body.contains("identity-based"), "{action}: {}", allowed.body);
        account.policy(json!({ "Statement": allow(json!(action), json!("arn:none")) }));
        assert_eq!(call(&account, action, &fields).status, 403, "{action}");
        let logged: Vec<_> = account.log().into_iter().map(|it| it.resource).collect();
        assert_eq!(logged, [resource, resource], "{action}");
    }
}

/// A policy that allows everything under a condition.
fn on_condition(condition: &Value) -> Value {
    let mut statement = allow(json!("iam:*"), json!("*"));
    statement["Condition"] = condition.clone();
    json!({ "Statement": [statement] })
}

#[test]
fn conditions_compare_the_tags_and_policies_of_a_call() {
    let account = account();
    let user = ("UserName", "anna");
    let ours = vec![user, ("Tags.member.1.Key", "our:notice"), ("Tags.member.1.Value", "1")];
    let mixed =
        [ours.clone(), vec![("Tags.member.2.Key", "owner"), ("Tags.member.2.Value", "web")]];
    let tag = ("iam:TagUser", ours);
    let mixed = ("iam:TagUser", mixed.concat());
    let untag = ("iam:UntagUser", vec![user, ("TagKeys.member.1", "our:notice")]);
    let untag_other = ("iam:UntagUser", vec![user, ("TagKeys.member.1", "owner")]);
    let detach = ("iam:DetachUserPolicy", vec![user, ("PolicyArn", "arn:aws:iam::aws:policy/A")]);
    let list = ("iam:ListUsers", vec![]);
    let calls = [tag, mixed, untag, untag_other, detach, list];
    // The indexes of the allowed calls.
    for (condition, allowed) in [
        (json!({ "ForAllValues:StringLike": { "aws:TagKeys": "our:*" } }), &[0, 2, 4, 5][..]),
        (json!({ "ForAnyValue:StringLike": { "aws:TagKeys": ["our:*"] } }), &[0, 1, 2]),
        (json!({ "ForAllValues:StringEquals": { "AWS:TAGKEYS": ["owner"] } }), &[3, 4, 5]),
        (json!({ "Null": { "aws:TagKeys": "false" } }), &[0, 1, 2, 3]),
        (json!({ "Null": { "aws:TagKeys": "true" } }), &[4, 5]),
        (json!({ "StringEquals": { "aws:RequestTag/Our:Notice": ["1", "2"] } }), &[0, 1]),
        (json!({ "StringLike": { "aws:RequestTag/owner": "W*" } }), &[]),
        (json!({ "StringLike": { "iam:PolicyARN": "arn:aws:iam::aws:policy/*" } }), &[4]),
        (
            json!({ "ForAllValues:StringLike": { "aws:TagKeys": "our:*" },
                 "Null": { "aws:TagKeys": "false" } }),
            &[0, 2],
        ),
    ] {
        account.policy(on_condition(&condition));
        let status = |index: &usize| call(&account, calls[*index].0, &calls[*index].1).status;
        let actual: Vec<_> = (0..calls.len()).filter(|index| status(index) != 403).collect();
        assert_eq!(actual, allowed, "{condition}");
    }
}

#[test]
fn unknown_condition_is_rejected() {
    for (condition, complaint) in [
        (json!({ "Bool": { "aws:TagKeys": "true" } }), "Bool is not supported"),
        (json!({ "ForSome:StringLike": { "aws:TagKeys": "a" } }), "is not supported"),
        (json!({ "StringLike": { "aws:username": "a" } }), "aws:username is not supported"),
        (json!({ "StringLike": { "aws:TagKeys": "a" } }), "needs ForAllValues or ForAnyValue"),
        (json!({ "StringLike": { "iam:PolicyARN": "${x}" } }), "variables"),
    ] {
        let refused = std::panic::catch_unwind(|| account().policy(on_condition(&condition)));
        let message = *refused.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains(complaint), "{message}");
    }
    let refused = std::panic::catch_unwind(|| {
        let statement = json!({ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" });
        account().policy(json!({ "Statement": statement }));
    });
    let message = *refused.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("NotAction is not supported"), "{message}");
}
