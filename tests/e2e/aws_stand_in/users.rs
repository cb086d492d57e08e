//! Users and credentials as IAM shows them, where moto differs.

use serde_json::json;

use crate::aws_stand_in::call::call;
use stand_ins::aws::{Account, Seed, StandIn};

fn account(users: serde_json::Value) -> Account {
    let account = StandIn::shared().account(Seed::empty());
    account.change(users);
    account
}

fn assert_no_such_entity(account: &Account, action: &str, message: &str) {
    let answer = call(account, action, &[("UserName", "Anna")]);
    assert_eq!(answer.error(), (404, "NoSuchEntity".to_owned()), "{action}");
    assert_eq!(answer.text("Message"), message, "{action}");
}

#[test]
fn deleted_password_keeps_its_last_use() {
    let account = account(json!([{ "create_user": {
        "name": "anna",
        "password": { "changed": "2024-05-06T07:08:09Z", "last_used": "2026-01-02T03:04:05Z" },
    } }]));
    let profile = call(&account, "iam:GetLoginProfile", &[("UserName", "anna")]);
    assert_eq!(profile.text("CreateDate"), "2024-05-06T07:08:09Z");
    account.change(json!([{ "delete_password": { "user": "anna" } }]));
    assert_no_such_entity(
        &account,
        "iam:GetLoginProfile",
        "Login Profile for User anna cannot be found.",
    );
    for (action, fields) in [("iam:ListUsers", vec![]), ("iam:GetUser", vec![("UserName", "anna")])]
    {
        let used = call(&account, action, &fields).text("PasswordLastUsed");
        assert_eq!(used, "2026-01-02T03:04:05Z", "{action}");
    }
}

#[test]
fn user_names_ignore_case() {
    let account = account(json!([{ "create_user": { "name": "Anna", "keys": [{}] } }]));
    for (action, element) in [("iam:GetUser", "UserName"), ("iam:ListAccessKeys", "UserName")] {
        let name = call(&account, action, &[("UserName", "aNNa")]).text(element);
        assert_eq!(name, "Anna", "{action}");
    }
    // In the responses of moto as well.
    let updated = call(&account, "iam:UpdateUser", &[("UserName", "aNNa"), ("NewPath", "/a/")]);
    assert_eq!(updated.status, 200, "{}", updated.body);
    let twin = call(&account, "iam:CreateUser", &[("UserName", "ANNA")]);
    assert_eq!(twin.error(), (409, "EntityAlreadyExists".to_owned()));
}

#[test]
fn every_action_reports_a_missing_user() {
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
        "iam:ListGroupsForUser",
        "iam:ListUserPolicies",
        "iam:ListAttachedUserPolicies",
        "iam:DeleteLoginProfile",
        "iam:DeleteUser",
    ] {
        assert_no_such_entity(&account, action, "The user with name Anna cannot be found.");
    }
}

#[test]
fn last_use_of_a_key_is_visible_only_in_its_account() {
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
    let expected = |used: &str| (200, "anna".to_owned(), used.to_owned());
    assert_eq!(last_used(&account, &keys[0]), expected("2026-01-02T03:04:05Z ec2 eu-west-1"));
    assert_eq!(last_used(&account, &keys[1]), expected("2026-02-03T04:05:06Z s3 N/A"));
    assert_eq!(last_used(&account, &keys[2]), expected(" N/A N/A"));
    account.change(json!([{ "delete_key": { "user": "anna", "key": keys[2] } }]));
    let other = StandIn::shared().account(Seed::empty());
    for answer in [last_used(&account, &keys[2]), last_used(&other, &keys[0])] {
        assert_eq!(answer.0, 403);
    }
}

#[test]
fn api_keys_have_an_alias_instead_of_a_user_name() {
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
fn authorization_details_have_tags_groups_and_policies() {
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
fn user_has_a_path_a_boundary_and_tags() {
    let account = account(json!([{ "create_user": {
        "name": "anna", "path": "/people/", "boundary": "team-boundary", "tags": { "owner": "web" },
    } }]));
    let boundary = format!("arn:aws:iam::{}:policy/team-boundary", account.id());
    let user = [("UserName", "anna")];
    let filter = [("Filter.member.1", "User")];
    for (action, fields) in [("iam:GetUser", user), ("iam:GetAccountAuthorizationDetails", filter)]
    {
        let shown = call(&account, action, &fields);
        assert_eq!(shown.text("Path"), "/people/", "{action}");
        assert_eq!(shown.text("PermissionsBoundaryArn"), boundary, "{action}");
        assert_eq!(shown.text("Key"), "owner", "{action}");
    }
}

#[test]
fn test_can_read_everything_of_a_user() {
    let account = account(json!([{ "create_user": {
        "name": "Anna", "path": "/people/", "tags": { "owner": "web" }, "password": {},
        "keys": [{ "status": "Inactive" }], "ssh_keys": [{}],
        "certificates": [{ "status": "Inactive" }],
        "service_credentials": [{ "service": "bedrock.amazonaws.com", "status": "Inactive" }],
        "mfa": ["GAHT12345678", "mfa/phone"], "groups": ["/teams/web", "admins"],
        "inline_policies": ["own"], "attached_policies": ["shared"], "boundary": "team-boundary",
    } }]));
    let mut user = account.user("anna");
    for kind in ["keys", "ssh_keys", "certificates", "service_credentials"] {
        let credential = user[kind][0].as_object_mut().unwrap();
        assert!(credential.remove("id").unwrap().is_string(), "{kind}");
    }
    let arn = |rest: &str| format!("arn:aws:iam::{}:{rest}", account.id());
    let expected = json!({
        "name": "Anna", "path": "/people/", "tags": { "owner": "web" }, "password": true,
        "keys": [{ "status": "Inactive" }], "ssh_keys": [{ "status": "Active" }],
        "certificates": [{ "status": "Inactive" }],
        "service_credentials": [{ "service": "bedrock.amazonaws.com", "status": "Inactive" }],
        "mfa": ["GAHT12345678", arn("mfa/phone")], "groups": ["web", "admins"],
        "inline": ["own"], "attached": [arn("policy/shared")],
        "boundary": arn("policy/team-boundary"),
    });
    assert_eq!(user, expected);
    assert!(account.user("bert").is_null());
}

#[test]
fn groups_and_policies_are_paged() {
    let account = account(json!([{ "create_user": {
        "name": "anna", "groups": ["/teams/web/dev", "admins"], "attached_policies": ["b", "a"],
        "inline_policies": { "own": { "Statement": [] }, "also": { "Version": "2012-10-17" } },
    } }]));
    let list = |action, more: &[(&str, &str)]| {
        call(&account, action, &[&[("UserName", "anna"), ("MaxItems", "1")], more].concat())
    };
    for (action, element, names) in [
        ("iam:ListGroupsForUser", "GroupName", ["admins", "dev"]),
        ("iam:ListAttachedUserPolicies", "PolicyName", ["a", "b"]),
        ("iam:ListUserPolicies", "member", ["also", "own"]),
    ] {
        let first = list(action, &[]);
        let second = list(action, &[("Marker", &first.text("Marker"))]);
        assert_eq!([first.text("IsTruncated"), second.text("IsTruncated")], ["true", "false"]);
        // The elements of a member are nested, so its name is the last match.
        let name_on = |page: &crate::aws_stand_in::call::Answer| page.texts(element).pop().unwrap();
        assert_eq!([name_on(&first), name_on(&second)], names, "{action}");
    }
    let groups = call(&account, "iam:ListGroupsForUser", &[("UserName", "anna")]);
    let dev = format!("arn:aws:iam::{}:group/teams/web/dev", account.id());
    assert_eq!(groups.texts("Arn")[1], dev);
    let fields = [("UserName", "anna"), ("PolicyName", "own")];
    let policy = call(&account, "iam:GetUserPolicy", &fields);
    assert_eq!(policy.text("PolicyDocument"), "%7B%22Statement%22%3A%20%5B%5D%7D");
}

#[test]
fn service_credentials_of_a_user_are_paged() {
    let services = ["codecommit.amazonaws.com", "cassandra.amazonaws.com", "bedrock.amazonaws.com"];
    let credentials = services.map(|service| json!({ "service": service }));
    let account = account(json!([
        { "create_user": { "name": "anna", "service_credentials": credentials } },
        { "create_user": { "name": "bert", "service_credentials": [{}] } },
    ]));
    let (mut found, mut marker) = (Vec::new(), String::new());
    loop {
        let mut fields = vec![("UserName", "anna"), ("MaxItems", "2")];
        if !marker.is_empty() {
            fields.push(("Marker", &marker));
        }
        let page = call(&account, "iam:ListServiceSpecificCredentials", &fields);
        found.extend(page.texts("ServiceName"));
        if page.text("IsTruncated") == "false" {
            break;
        }
        marker = page.text("Marker");
    }
    found.sort_unstable();
    let mut expected = services.map(str::to_owned);
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn access_advisor_job_is_visible_only_to_its_session() {
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

    // A user without policies has no services, even if keys were used.
    let job = begin("bare").text("JobId");
    assert_eq!(get(&job, &[]).text("JobStatus"), "IN_PROGRESS");
    assert_eq!(get(&job, &[]).texts("ServiceNamespace"), [""; 0]);
    assert_eq!(begin("nobody").error(), (404, "NoSuchEntity".to_owned()));

    let fields = [("RoleArn", account.role_arn()), ("RoleSessionName", "again")];
    let other = crate::aws_stand_in::call::Credentials::in_answer(&call(
        &account,
        "sts:AssumeRole",
        &fields,
    ));
    let port = crate::aws_stand_in::call::port(&account);
    let fields = [("JobId", job.as_str())];
    let answer = other.call(port, "iam:GetServiceLastAccessedDetails", &fields);
    assert_eq!(answer.error(), (404, "NoSuchEntity".to_owned()));
}

#[test]
fn other_actions_are_answered_by_moto() {
    let account = account(json!([
        { "create_user": { "name": "anna", "groups": ["admins"] } },
    ]));
    let groups = call(&account, "iam:ListGroups", &[]);
    assert_eq!(groups.text("GroupName"), "admins");
    let members = call(&account, "iam:GetGroup", &[("GroupName", "admins")]);
    assert_eq!(members.text("UserName"), "anna");
    let unknown = call(&account, "iam:MakeCoffee", &[]);
    assert_eq!(unknown.status, 400, "{}", unknown.body);
}
