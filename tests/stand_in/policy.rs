//! The policy of an account's auditor decides which calls are let through.

use serde_json::{Value, json};

use crate::aws::{Account, Seed, StandIn};
use crate::call::call;

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
fn what_is_not_allowed_is_denied_in_the_words_of_aws() {
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
    // Everybody may ask who they are.
    assert_eq!(call(&account, "sts:GetCallerIdentity", &[]).status, 200);
    account.policy(Value::Null);
    assert_eq!(call(&account, "iam:ListUsers", &[]).status, 200);
}

#[test]
fn actions_and_resources_match_by_wildcards_and_a_deny_wins() {
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
fn the_resource_of_each_call_is_what_a_policy_names() {
    let account = account();
    let key = account.truth()["users"][0]["keys"][0]["id"].as_str().unwrap().to_owned();
    let anna = format!("arn:aws:iam::{}:user/people/anna", account.id());
    let all = format!("arn:aws:iam::{}:user/*", account.id());
    for (action, fields, resource) in [
        ("iam:ListUsers", [("MaxItems", "5")], "*"),
        ("iam:GetUser", [("UserName", "ANNA")], anna.as_str()),
        ("iam:GetAccessKeyLastUsed", [("AccessKeyId", key.as_str())], &anna),
        ("iam:GenerateServiceLastAccessedDetails", [("Arn", anna.as_str())], &anna),
        ("iam:ListServiceSpecificCredentials", [("AllUsers", "true")], &all),
        ("iam:ListServiceSpecificCredentials", [("UserName", "anna")], &anna),
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

#[test]
#[should_panic(expected = "Condition is not understood")]
fn a_condition_is_refused_rather_than_ignored() {
    let mut statement = allow(json!("iam:*"), json!("*"));
    statement["Condition"] = json!({ "Bool": { "aws:SecureTransport": "true" } });
    account().policy(json!({ "Statement": [statement] }));
}
