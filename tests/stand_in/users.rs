//! Users and credentials as IAM shows them, where moto alone would show them otherwise.

use serde_json::json;

use crate::aws::{Account, Seed, StandIn};
use crate::call::call;

fn account(users: serde_json::Value) -> Account {
    let account = StandIn::shared().account(Seed::empty());
    account.change(users);
    account
}

fn no_entity(account: &Account, action: &str, message: &str) {
    let answer = call(account, action, &[("UserName", "Anna")]);
    assert_eq!(answer.error(), (404, "NoSuchEntity".to_owned()), "{action}");
    assert_eq!(answer.text("Message"), message, "{action}");
}

#[test]
fn a_deleted_password_leaves_its_last_use_behind() {
    let account = account(json!([{ "create_user": {
        "name": "anna",
        "password": { "changed": "2024-05-06T07:08:09Z", "last_used": "2026-01-02T03:04:05Z" },
    } }]));
    let profile = call(&account, "iam:GetLoginProfile", &[("UserName", "anna")]);
    assert_eq!(profile.text("CreateDate"), "2024-05-06T07:08:09Z");
    account.change(json!([{ "delete_password": { "user": "anna" } }]));
    no_entity(&account, "iam:GetLoginProfile", "Login Profile for User anna cannot be found.");
    for (action, fields) in [("iam:ListUsers", vec![]), ("iam:GetUser", vec![("UserName", "anna")])]
    {
        let used = call(&account, action, &fields).text("PasswordLastUsed");
        assert_eq!(used, "2026-01-02T03:04:05Z", "{action}");
    }
}

#[test]
fn user_names_are_told_apart_without_case() {
    let account = account(json!([{ "create_user": { "name": "Anna", "keys": [{}] } }]));
    for (action, element) in [("iam:GetUser", "UserName"), ("iam:ListAccessKeys", "UserName")] {
        let name = call(&account, action, &[("UserName", "aNNa")]).text(element);
        assert_eq!(name, "Anna", "{action}");
    }
    // moto's own answers follow.
    let mfa = call(&account, "iam:ListMFADevices", &[("UserName", "aNNa")]);
    assert_eq!(mfa.status, 200, "{}", mfa.body);
    let twin = call(&account, "iam:CreateUser", &[("UserName", "ANNA")]);
    assert_eq!(twin.error(), (409, "EntityAlreadyExists".to_owned()));
}

#[test]
fn a_user_who_is_not_there_is_so_in_every_answer() {
    let account = account(json!([]));
    for action in [
        "iam:GetUser",
        "iam:GetLoginProfile",
        "iam:ListAccessKeys",
        "iam:ListSSHPublicKeys",
        "iam:ListSigningCertificates",
        "iam:ListServiceSpecificCredentials",
        "iam:ListUserTags",
        "iam:ListMFADevices",
    ] {
        no_entity(&account, action, "The user with name Anna cannot be found.");
    }
}

#[test]
fn the_last_use_of_a_key_is_told_to_its_account_alone() {
    let account = account(json!([{ "create_user": { "name": "anna", "keys": [
        { "last_used": "2026-01-02T03:04:05Z", "service": "ec2", "region": "eu-west-1" },
        { "last_used": "2026-02-03T04:05:06Z", "service": "s3" },
        {},
    ] } }]));
    let keys: Vec<String> = account.truth()["users"][0]["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect();
    let last_used = |account: &Account, key: &str| {
        let answer = call(account, "iam:GetAccessKeyLastUsed", &[("AccessKeyId", key)]);
        let text = |element| answer.text(element);
        let used = [text("LastUsedDate"), text("ServiceName"), text("Region")];
        (answer.status, text("UserName"), used.join(" "))
    };
    let told = |used: &str| (200, "anna".to_owned(), used.to_owned());
    assert_eq!(last_used(&account, &keys[0]), told("2026-01-02T03:04:05Z ec2 eu-west-1"));
    assert_eq!(last_used(&account, &keys[1]), told("2026-02-03T04:05:06Z s3 N/A"));
    assert_eq!(last_used(&account, &keys[2]), told(" N/A N/A"));
    account.change(json!([{ "delete_key": { "user": "anna", "key": keys[2] } }]));
    let other = StandIn::shared().account(Seed::empty());
    for answer in [last_used(&account, &keys[2]), last_used(&other, &keys[0])] {
        assert_eq!(answer.0, 403);
    }
}

#[test]
fn api_keys_have_an_alias_where_others_have_a_user_name() {
    let account = account(json!([{ "create_user": { "name": "anna", "service_credentials": [
        { "service": "codecommit.amazonaws.com", "created": "2026-01-02T03:04:05Z" },
    ] } }, { "create_user": { "name": "bert", "service_credentials": [
        { "service": "bedrock.amazonaws.com", "status": "Inactive", "expires": 10 },
    ] } }]));
    let list =
        |fields: &[(&str, &str)]| call(&account, "iam:ListServiceSpecificCredentials", fields);
    let all = list(&[("AllUsers", "true")]);
    assert_eq!(all.texts("UserName"), ["anna", "bert"]);
    assert_eq!(all.texts("Status"), ["Active", "Inactive"]);
    assert_eq!(all.texts("ServiceUserName"), [format!("anna-at-{}", account.id())]);
    assert_eq!(all.texts("ServiceCredentialAlias"), [format!("bert-at-{}", account.id())]);
    assert_eq!(all.texts("ExpirationDate").len(), 1);
    assert_eq!(all.texts("CreateDate")[0], "2026-01-02T03:04:05Z");
    let bedrock = list(&[("AllUsers", "true"), ("ServiceName", "bedrock.amazonaws.com")]);
    assert_eq!(bedrock.texts("UserName"), ["bert"]);
    assert_eq!(list(&[("UserName", "anna")]).texts("UserName"), ["anna"]);
    let both = list(&[("AllUsers", "true"), ("UserName", "anna")]);
    assert_eq!(both.error(), (400, "ValidationError".to_owned()));
}

#[test]
fn the_details_show_tags_groups_and_policies() {
    let account = account(json!([
        { "create_user": { "name": "anna", "tags": { "owner": "web" }, "groups": ["admins", "dev"],
                           "inline_policies": ["own"], "attached_policies": ["shared"] } },
        { "create_user": { "name": "bert" } },
    ]));
    let fields = [("Filter.member.1", "User")];
    let details = call(&account, "iam:GetAccountAuthorizationDetails", &fields);
    assert_eq!(details.texts("UserName"), ["anna", "bert"]);
    assert_eq!((details.text("Key"), details.text("Value")), ("owner".into(), "web".into()));
    let groups = "<GroupList><member>admins</member><member>dev</member></GroupList>";
    assert!(details.body.contains(groups), "{}", details.body);
    assert_eq!(details.texts("PolicyName"), ["own", "shared"]);
    assert!(details.text("PolicyDocument").starts_with("%7B"), "{}", details.body);
    let roles = [("Filter.member.1", "Role")];
    let roles = call(&account, "iam:GetAccountAuthorizationDetails", &roles);
    assert_eq!(roles.texts("UserName"), [""; 0]);
}

#[test]
fn access_advisor_tells_the_session_that_asked() {
    let account = account(json!([
        { "create_user": { "name": "anna", "inline_policies": ["own"],
                           "password": { "last_used": null },
                           "keys": [{ "last_used": "2026-01-02T03:04:05Z", "service": "s3" }],
                           "accessed": { "lambda": "2026-02-03T04:05:06Z" } } },
        { "create_user": { "name": "bare", "keys": [{ "last_used": 1 }] } },
    ]));
    let begin = |name: &str| {
        let arn = format!("arn:aws:iam::{}:user/{name}", account.id());
        let fields = [("Arn", arn.as_str())];
        call(&account, "iam:GenerateServiceLastAccessedDetails", &fields)
    };
    let get = |job: &str, more: &[(&str, &str)]| {
        let fields = [&[("JobId", job)], more].concat();
        call(&account, "iam:GetServiceLastAccessedDetails", &fields)
    };
    let job = begin("anna").text("JobId");
    assert_eq!(get(&job, &[]).text("JobStatus"), "IN_PROGRESS");
    let done = get(&job, &[]);
    assert_eq!(done.text("JobStatus"), "COMPLETED");
    let services = ["ec2", "iam", "lambda", "s3", "signin", "sts"];
    assert_eq!(done.texts("ServiceNamespace"), services);
    assert_eq!(done.texts("LastAuthenticated"), ["2026-02-03T04:05:06Z", "2026-01-02T03:04:05Z"]);
    assert_eq!(done.texts("TotalAuthenticatedEntities"), ["0", "0", "1", "1", "0", "0"]);
    let page = get(&job, &[("MaxItems", "4")]);
    let marker = page.text("Marker");
    assert_eq!(get(&job, &[("Marker", &marker)]).texts("ServiceNamespace"), ["signin", "sts"]);

    // Without a policy there is nothing to tell, whatever the keys did.
    let job = begin("bare").text("JobId");
    assert_eq!(get(&job, &[]).text("JobStatus"), "IN_PROGRESS");
    assert_eq!(get(&job, &[]).texts("ServiceNamespace"), [""; 0]);
    assert_eq!(begin("nobody").error(), (404, "NoSuchEntity".to_owned()));

    let fields = [("RoleArn", account.role_arn()), ("RoleSessionName", "again")];
    let other = crate::call::Credentials::in_answer(&call(&account, "sts:AssumeRole", &fields));
    let port = crate::call::port(&account);
    let fields = [("JobId", job.as_str())];
    let answer = other.call(port, "iam:GetServiceLastAccessedDetails", &fields);
    assert_eq!(answer.error(), (404, "NoSuchEntity".to_owned()));
}

#[test]
fn what_has_no_answer_of_its_own_is_answered_by_moto() {
    let account = account(json!([
        { "create_user": { "name": "anna", "groups": ["admins"], "inline_policies": ["own"] } },
        { "alias": { "name": "acme-production" } },
    ]));
    let groups = call(&account, "iam:ListGroupsForUser", &[("UserName", "anna")]);
    assert_eq!(groups.text("GroupName"), "admins");
    let policies = call(&account, "iam:ListUserPolicies", &[("UserName", "anna")]);
    assert!(policies.body.contains("<member>own</member>"), "{}", policies.body);
    let aliases = call(&account, "iam:ListAccountAliases", &[]);
    assert!(aliases.body.contains("<member>acme-production</member>"), "{}", aliases.body);
    let unknown = call(&account, "iam:MakeCoffee", &[]);
    assert_eq!(unknown.status, 400, "{}", unknown.body);
}
