//! STS and the runner's OIDC endpoint: credentials and errors.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::aws_stand_in::call::{Answer, Credentials, call, port, unsigned};
use stand_ins::aws::{Account, OIDC_SUBJECT, Seed, StandIn};

fn variable(account: &Account, name: &str) -> String {
    let environment = account.oidc_environment();
    environment.into_iter().find(|(key, _)| key == name).unwrap().1
}

/// Requests a token from the runner, with the request token of the account's workflow or another.
fn request_token(account: &Account, audience: &str, bearer: Option<&str>) -> (u16, String) {
    let url = variable(account, "ACTIONS_ID_TOKEN_REQUEST_URL");
    let target = url.strip_prefix(&account.endpoint()).unwrap().to_owned();
    let bearer = bearer
        .map_or_else(|| variable(account, "ACTIONS_ID_TOKEN_REQUEST_TOKEN"), ToOwned::to_owned);
    let headers = [("Authorization", &*format!("Bearer {bearer}"))];
    let line = format!("GET {target}&audience={audience}");
    let (status, body) = stand_ins::aws::request(port(account), &line, &headers, b"");
    let json: Value = serde_json::from_slice(&body).unwrap();
    (status, json["value"].as_str().unwrap_or_default().to_owned())
}

fn token(account: &Account) -> String {
    request_token(account, "sts.amazonaws.com", None).1
}

fn with_web_identity(account: &Account, role: &str, token: &str) -> Answer {
    let fields = [("RoleArn", role), ("RoleSessionName", "nightly"), ("WebIdentityToken", token)];
    unsigned(port(account), "AssumeRoleWithWebIdentity", &fields)
}

fn assume(from: &Account, role: &str, more: &[(&str, &str)]) -> Answer {
    let fields = [&[("RoleArn", role), ("RoleSessionName", "member")], more].concat();
    call(from, "sts:AssumeRole", &fields)
}

fn assert_denied(answer: &Answer, message: &str) {
    assert_eq!(answer.error(), (403, "AccessDenied".to_owned()));
    assert_eq!(answer.text("Message"), message);
}

#[test]
fn workflow_assumes_the_auditor_role() {
    let account = StandIn::shared().account(Seed::users(2, 1));
    let token = token(&account);
    let parts: Vec<_> = token.split('.').collect();
    let claims = BASE64_URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((parts.len(), &claims["sub"]), (3, &json!(OIDC_SUBJECT)));
    assert_eq!(claims["aud"], "sts.amazonaws.com");
    assert_eq!(claims["iss"], "https://token.actions.githubusercontent.com");

    let answer = with_web_identity(&account, account.role_arn(), &token);
    let arn = format!("arn:aws:sts::{}:assumed-role/audit/nightly", account.id());
    let credentials = Credentials::in_answer(&answer);
    assert_eq!(answer.text("Arn"), arn);
    assert_eq!(answer.text("SubjectFromWebIdentityToken"), OIDC_SUBJECT);
    let identity = credentials.call(port(&account), "sts:GetCallerIdentity", &[]);
    assert_eq!((identity.text("Arn"), identity.text("Account")), (arn, account.id().to_owned()));
    assert_eq!(credentials.call(port(&account), "iam:ListUsers", &[]).texts("UserName").len(), 2);
    let log = account.log();
    let logged: Vec<_> = log.iter().map(|it| (it.name(), it.access_key_id.as_str())).collect();
    let key = credentials.access_key_id.as_str();
    assert_eq!(
        logged,
        [
            ("sts:AssumeRoleWithWebIdentity".to_owned(), ""),
            ("sts:GetCallerIdentity".to_owned(), key),
            ("iam:ListUsers".to_owned(), key),
        ]
    );
    assert_eq!(log[0].parameters["RoleSessionName"], "nightly");

    let secrets = StandIn::shared().secrets();
    let bearer = variable(&account, "ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    let own = Credentials::of(&account).session_token;
    for secret in [token, answer.text("SecretAccessKey"), credentials.session_token, bearer, own] {
        assert!(secret.len() > 20 && secrets.contains(&secret), "{secret}");
    }
}

#[test]
fn token_endpoint_checks_its_bearer_token_and_can_fail() {
    let account = StandIn::shared().account(Seed::empty());
    assert_eq!(request_token(&account, "x", Some("guess")), (401, String::new()));
    account.faults(json!({ "oidc_errors": 1 }));
    assert_eq!(request_token(&account, "x", None), (500, String::new()));
    let (status, first) = request_token(&account, "x", None);
    assert_eq!(status, 200);
    assert_ne!(request_token(&account, "sts.amazonaws.com", None).1, first);
    let requests: Vec<_> = account
        .token_requests()
        .into_iter()
        .map(|it| (it.audience, it.authorized, it.status))
        .collect();
    let expected = [("x", false, 401), ("x", true, 500), ("x", true, 200)];
    let expected = expected.into_iter().chain([("sts.amazonaws.com", true, 200)]);
    assert_eq!(requests, expected.map(|(a, b, c)| (a.to_owned(), b, c)).collect::<Vec<_>>());
}

#[test]
fn invalid_tokens_get_the_errors_of_aws() {
    let account = StandIn::shared().account(Seed::empty());
    let role = account.role_arn();
    let invalid = (400, "InvalidIdentityToken".to_owned());
    assert_eq!(with_web_identity(&account, role, "a.b.c").error(), invalid);
    let elsewhere = request_token(&account, "https://github.com/acme", None).1;
    let answer = with_web_identity(&account, role, &elsewhere);
    assert_eq!(answer.error(), invalid);
    assert_eq!(answer.text("Message"), "Incorrect token audience");

    let not_authorized = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
    let unknown = format!("arn:aws:iam::{}:role/other", account.id());
    for role in [unknown.as_str(), "arn:aws:iam::999999999999:role/audit"] {
        assert_denied(&with_web_identity(&account, role, &token(&account)), not_authorized);
    }
    account.faults(json!({ "oidc": "not-authorized" }));
    assert_denied(&with_web_identity(&account, role, &token(&account)), not_authorized);
    account.faults(json!({ "oidc": "no-provider" }));
    let answer = with_web_identity(&account, role, &token(&account));
    assert_eq!(answer.error(), invalid);
    assert!(answer.text("Message").starts_with("No OpenIDConnect provider found"));
    account.faults(json!({ "oidc": "expired-token" }));
    let answer = with_web_identity(&account, role, &token(&account));
    assert_eq!(answer.error(), (400, "ExpiredTokenException".to_owned()));
}

#[test]
fn each_partition_has_its_own_audience() {
    let china = StandIn::shared().account(Seed::empty().partition("aws-cn"));
    assert!(china.role_arn().starts_with("arn:aws-cn:iam::"), "{}", china.role_arn());
    assert_eq!(china.region(), "cn-north-1");
    let answer = with_web_identity(&china, china.role_arn(), &token(&china));
    assert_eq!(answer.text("Message"), "Incorrect token audience");
    let token = request_token(&china, "sts.amazonaws.com.cn", None).1;
    let answer = with_web_identity(&china, china.role_arn(), &token);
    assert!(answer.text("Arn").starts_with("arn:aws-cn:sts::"), "{}", answer.body);
}

#[test]
fn role_of_another_account_is_assumed_if_its_trust_policy_allows_it() {
    let hub = StandIn::shared().account(Seed::empty());
    let member = StandIn::shared().account(Seed::users(4, 1));
    let role = member.role_arn();
    let refusal = format!(
        "User: arn:aws:sts::{}:assumed-role/audit/auditor is not authorized to perform: \
         sts:AssumeRole on resource: ",
        hub.id()
    );
    let credentials = Credentials::in_answer(&assume(&hub, role, &[]));
    let users = credentials.call(port(&hub), "iam:ListUsers", &[]);
    assert_eq!(users.texts("UserName").len(), 4);
    assert_eq!(hub.counts(), [("sts:AssumeRole".to_owned(), 1)].into());
    assert_eq!(member.counts(), [("iam:ListUsers".to_owned(), 1)].into());

    for missing in ["arn:aws:iam::999999999999:role/audit", &format!("{role}or")] {
        assert_denied(&assume(&hub, missing, &[]), &format!("{refusal}{missing}"));
    }
    member.require_external_id("s3cret-id");
    assert_denied(&assume(&hub, role, &[]), &format!("{refusal}{role}"));
    assert_denied(&assume(&hub, role, &[("ExternalId", "other")]), &format!("{refusal}{role}"));
    assert_eq!(assume(&hub, role, &[("ExternalId", "s3cret-id")]).status, 200);
    member.faults(json!({ "refuse_role": true }));
    let answer = assume(&hub, role, &[("ExternalId", "s3cret-id")]);
    assert_denied(&answer, &format!("{refusal}{role}"));

    let made = member.change(json!([{ "create_role": { "name": "reader", "path": "/a/" } }]));
    let arn = made[0]["arn"].as_str().unwrap();
    member.faults(json!({}));
    let session = assume(&hub, arn, &[]).text("Arn");
    assert_eq!(session, format!("arn:aws:sts::{}:assumed-role/reader/member", member.id()));
}

#[test]
fn session_durations_and_names_are_limited() {
    let hub = StandIn::shared().account(Seed::empty());
    let message = |fields: &[(&str, &str)]| {
        let answer = assume(&hub, hub.role_arn(), fields);
        assert_eq!(answer.error(), (400, "ValidationError".to_owned()));
        answer.text("Message")
    };
    assert!(message(&[("DurationSeconds", "3601")]).contains("role chaining"));
    assert!(message(&[("DurationSeconds", "899")]).contains("greater than or equal to 900"));
    assert!(message(&[("DurationSeconds", "43201")]).contains("MaxSessionDuration"));
    assert_eq!(assume(&hub, hub.role_arn(), &[("DurationSeconds", "3600")]).status, 200);
    let fields = [("RoleArn", hub.role_arn()), ("RoleSessionName", "a b")];
    let answer = call(&hub, "sts:AssumeRole", &fields);
    assert!(answer.text("Message").contains("roleSessionName"), "{}", answer.body);
}

#[test]
fn credentials_expire() {
    let account = StandIn::shared().account(Seed::empty());
    account.session_seconds(0.0);
    let token = token(&account);
    let expired = Credentials::in_answer(&with_web_identity(&account, account.role_arn(), &token));
    let answer = expired.call(port(&account), "iam:ListUsers", &[]);
    assert_eq!(answer.error(), (403, "ExpiredToken".to_owned()));
    account.session_seconds(3_600.0);
    let fresh = Credentials::in_answer(&with_web_identity(&account, account.role_arn(), &token));
    assert_eq!(fresh.call(port(&account), "iam:ListUsers", &[]).status, 200);
}

#[test]
fn unknown_credentials_are_rejected() {
    let account = StandIn::shared().account(Seed::empty());
    let invalid = (403, "InvalidClientTokenId".to_owned());
    let own = Credentials::of(&account);
    for (access_key_id, session_token) in [
        ("ASIAAAAAAAAAAAAAAAAA".to_owned(), own.session_token.clone()),
        (own.access_key_id.clone(), "guess".to_owned()),
        (own.access_key_id, String::new()),
    ] {
        let credentials = Credentials { access_key_id, session_token };
        for action in ["iam:ListUsers", "sts:GetCallerIdentity"] {
            assert_eq!(credentials.call(port(&account), action, &[]).error(), invalid);
        }
    }
    let answer = unsigned(port(&account), "ListUsers", &[]);
    assert_eq!(answer.error(), (403, "MissingAuthenticationToken".to_owned()));
}

#[test]
fn active_access_key_calls_as_its_user_and_can_assume_a_role() {
    let account = StandIn::shared().account(Seed::empty());
    let made = account.change(json!([
        {"create_user": {"name": "alice", "path": "/ops/", "keys": [{}, {"status": "Inactive"}]}},
    ]));
    let of_key = |n: usize| Credentials {
        access_key_id: made[0]["keys"][n].as_str().unwrap().to_owned(),
        session_token: String::new(),
    };
    let port = port(&account);
    let identity = of_key(0).call(port, "sts:GetCallerIdentity", &[]);
    assert_eq!(identity.text("Arn"), format!("arn:aws:iam::{}:user/ops/alice", account.id()));
    assert_eq!(identity.text("UserId"), made[0]["user_id"].as_str().unwrap());
    assert_eq!(of_key(0).call(port, "iam:ListUsers", &[]).texts("UserName"), ["alice"]);
    let fields = [("RoleArn", account.role_arn()), ("RoleSessionName", "alice")];
    let role = Credentials::in_answer(&of_key(0).call(port, "sts:AssumeRole", &fields));
    let identity = role.call(port, "sts:GetCallerIdentity", &[]);
    assert!(identity.text("Arn").ends_with(":assumed-role/audit/alice"), "{identity:?}");

    let inactive = of_key(1).call(port, "sts:GetCallerIdentity", &[]);
    assert_eq!(inactive.error(), (403, "InvalidClientTokenId".to_owned()));
}
