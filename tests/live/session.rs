//! Sessions: OIDC, roles from roles, refusals with their hints, and what must never be printed.

use serde_json::json;

use super::aws::{Account, OIDC_SUBJECT, Seed, StandIn};
use super::{Audited, audit_in};

fn with_users() -> Account {
    StandIn::shared().account(Seed::users(40, 21))
}

/// Audits with nothing but the runner's variables.
fn by_oidc(account: &Account, more: &[&str]) -> Audited {
    let role = account.role_arn().to_owned();
    audit_in(&account.oidc_environment(), &[&["--role-to-assume", role.as_str()], more].concat())
}

#[test]
fn a_token_opens_the_role_and_the_role_the_account() {
    let account = with_users();
    let audited = by_oidc(
        &account,
        &["--role-session-name", "nightly-audit", "--role-duration-seconds", "1800"],
    );
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    assert!(!audited.stale_ids().is_empty());

    let [request] = account.token_requests().try_into().unwrap();
    assert_eq!((request.audience.as_str(), request.authorized), ("sts.amazonaws.com", true));

    let log = account.log();
    let (sts, iam): (Vec<_>, Vec<_>) = log.iter().partition(|call| call.service == "sts");
    let [assumed] = sts.try_into().unwrap();
    assert_eq!(assumed.action, "AssumeRoleWithWebIdentity");
    let sent = |name: &str| assumed.parameters[name].as_str();
    assert_eq!(sent("RoleArn"), account.role_arn());
    assert_eq!(sent("RoleSessionName"), "nightly-audit");
    assert_eq!(sent("DurationSeconds"), "1800");
    assert!(assumed.access_key_id.is_empty(), "nothing signs it but the token");

    // All IAM calls are signed by the credentials that came of it, and by nothing else.
    let signers: std::collections::BTreeSet<_> =
        iam.iter().map(|call| &call.access_key_id).collect();
    assert_eq!(signers.len(), 1);
    assert!(signers.first().unwrap().starts_with("ASIA"));
    let reads = |action: &str| ["Generate", "Get", "List"].iter().any(|it| action.starts_with(it));
    assert!(iam.iter().all(|call| reads(&call.action)), "the audit reads and does nothing else");
    let listing = iam.iter().find(|call| call.action == "ListServiceSpecificCredentials").unwrap();
    assert_eq!(listing.parameters["AllUsers"], "true");
    let users = iam.iter().find(|call| call.action == "ListUsers").unwrap();
    assert_eq!(users.parameters["MaxItems"], "1000");
}

#[test]
fn a_session_that_runs_out_is_renewed_with_a_new_token() {
    let account = with_users();
    // Credentials this short-lived are renewed before every call.
    account.session_seconds(5.0);
    let audited = by_oidc(&account, &["--no-recheck"]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    let renewed = account.counts()["sts:AssumeRoleWithWebIdentity"];
    assert!(renewed > 1, "{renewed}");
    assert_eq!(account.token_requests().len(), renewed);
}

#[test]
fn a_token_endpoint_that_fails_for_a_moment_is_asked_again() {
    let account = with_users();
    account.faults(json!({"oidc_errors": 2}));
    let audited = by_oidc(&account, &["--no-recheck"]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    assert_eq!(account.token_requests().len(), 3);
}

#[test]
fn a_token_endpoint_that_never_answers_is_given_up_when_time_is_up() {
    let account = with_users();
    // Connections are taken by the system, and nobody reads them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut environment = account.oidc_environment();
    environment[0].1 = format!("http://{}/token?", silent.local_addr().unwrap());
    let role = ["--role-to-assume", account.role_arn(), "--timeout", "1"];
    let audited = audit_in(&environment, &role);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    assert!(audited.stderr.contains("--timeout"), "{}", audited.stderr);
    assert!(account.log().is_empty() && audited.json.is_null());
}

/// A refused session: the exit code, and what standard error must say.
fn refused(audited: &Audited, says: &[&str]) {
    assert_eq!(audited.code, 2, "{}", audited.stderr);
    assert!(audited.json.is_null(), "nothing is written");
    for words in says {
        assert!(audited.stderr.contains(words), "`{words}` is not in:\n{}", audited.stderr);
    }
}

#[test]
fn a_role_that_does_not_trust_the_workflow_is_told_with_the_tokens_own_words() {
    let account = with_users();
    account.faults(json!({"oidc": "not-authorized"}));
    let sub = format!("sub `{OIDC_SUBJECT}`");
    refused(
        &by_oidc(&account, &[]),
        &[
            account.role_arn(),
            "does not trust this workflow",
            &sub,
            "aud `sts.amazonaws.com`",
            "iam-policy --format trust",
        ],
    );
}

#[test]
fn an_account_without_the_provider_is_told() {
    let account = with_users();
    account.faults(json!({"oidc": "no-provider"}));
    refused(&by_oidc(&account, &[]), &[account.id(), "has no OIDC provider", "help:"]);
}

#[test]
fn a_wrong_audience_is_told() {
    let account = with_users();
    refused(
        &by_oidc(&account, &["--audience", "https://elsewhere.example"]),
        &["refuses the audience", "aud `https://elsewhere.example`", "--audience"],
    );
}

#[test]
fn a_job_without_the_permission_is_told() {
    let account = with_users();
    let environment =
        [("GITHUB_ACTIONS", "true".to_owned()), ("AWS_ENDPOINT_URL", account.endpoint())]
            .map(|(name, value)| (name.to_owned(), value));
    let audited = audit_in(&environment, &["--role-to-assume", account.role_arn()]);
    refused(&audited, &["id-token: write", "fork"]);
    assert!(account.log().is_empty());
}

#[test]
fn a_refused_request_token_is_told() {
    let account = with_users();
    let mut environment = account.oidc_environment();
    environment[1].1 = "another-token".to_owned();
    let audited = audit_in(&environment, &["--role-to-assume", account.role_arn()]);
    refused(&audited, &["status 401"]);
    assert!(!audited.stderr.contains("another-token"));
}

#[test]
fn no_credentials_at_all_are_told() {
    let environment = [("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned())];
    refused(&audit_in(&environment, &[]), &["there are no AWS credentials", "AWS_PROFILE"]);
}

#[test]
fn on_the_command_line_the_role_is_taken_from_the_credentials_that_are_there() {
    let (hub, account) = (with_users(), with_users());
    let audited = audit_in(&hub.environment(), &["--role-to-assume", account.role_arn()]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    assert_eq!(audited.account()["id"], account.id());
}

#[test]
fn another_account_than_allowed_is_refused_before_anything_is_read() {
    let account = with_users();
    let audited = audit_in(&account.environment(), &["--allowed-account-ids", "999988887777"]);
    assert_eq!(audited.code, 2, "{}", audited.stderr);
    assert!(audited.stderr.contains(account.id()), "{}", audited.stderr);
    assert!(account.counts().keys().all(|name| name.starts_with("sts:")), "{:?}", account.counts());
    let audited = audit_in(&account.environment(), &["--allowed-account-ids", account.id()]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
}

#[test]
fn region_and_role_of_different_partitions_are_told_apart() {
    let account = with_users();
    refused(&by_oidc(&account, &["--aws-region", "cn-north-1"]), &["aws-cn", "--aws-region"]);
}

#[test]
fn china_and_govcloud_have_regions_and_audiences_of_their_own() {
    for (partition, region, audience) in [
        ("aws-cn", "cn-north-1", "sts.amazonaws.com.cn"),
        ("aws-us-gov", "us-gov-west-1", "sts.amazonaws.com"),
    ] {
        let account = StandIn::shared().account(Seed::users(20, 22).partition(partition));
        assert!(account.role_arn().starts_with(&format!("arn:{partition}:")));
        let audited = by_oidc(&account, &[]);
        assert_eq!(audited.json["accounts"][0]["partition"], partition, "{}", audited.stderr);
        assert_eq!(account.token_requests()[0].audience, audience);
        assert_eq!(account.region(), region);
    }
}

#[test]
fn a_hub_assumes_its_members_with_their_external_id_and_itself_only_if_listed() {
    let (hub, member, other) = (with_users(), with_users(), with_users());
    member.require_external_id("acme-7");
    let accounts = format!("{}\n{}", member.id(), other.role_arn());
    let role = hub.role_arn().to_owned();
    let arguments = ["--role-to-assume", &role, "--accounts", &accounts, "--external-id", "acme-7"];
    let audited = audit_in(&hub.oidc_environment(), &arguments);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    let mut ids: Vec<_> = [&member, &other].map(|it| it.id().to_owned()).into();
    ids.sort();
    let audited_ids: Vec<_> = audited.json["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(audited_ids, ids);
    assert!(hub.counts().keys().all(|name| name.starts_with("sts:")), "{:?}", hub.counts());

    let hub_too = format!("{},{}", hub.id(), member.id());
    let arguments = ["--role-to-assume", &role, "--accounts", &hub_too, "--external-id", "acme-7"];
    let audited = audit_in(&hub.oidc_environment(), &arguments);
    assert_eq!(audited.json["accounts"].as_array().unwrap().len(), 2, "{}", audited.stderr);
    assert!(hub.counts().contains_key("iam:GetCredentialReport"));
}

#[test]
fn a_member_that_refuses_is_incomplete_and_names_its_role() {
    let (hub, member) = (with_users(), with_users());
    member.require_external_id("acme-7");
    let accounts = format!("{},{}", hub.id(), member.id());
    let audited = audit_in(
        &hub.oidc_environment(),
        &["--role-to-assume", hub.role_arn(), "--accounts", &accounts],
    );
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    let of = |account: &Account| {
        let accounts = audited.json["accounts"].as_array().unwrap();
        accounts.iter().find(|it| it["id"] == account.id()).unwrap().clone()
    };
    assert_eq!(of(&hub)["gaps"], json!([]));
    let gap = &of(&member)["gaps"][0];
    assert_eq!(
        (&gap["piece"], &gap["action"]),
        (&json!("credential-report"), &json!("sts:AssumeRole"))
    );
    assert!(gap["message"].as_str().unwrap().contains(member.role_arn()), "{gap}");
}

#[test]
fn accounts_that_contradict_each_other_are_refused() {
    let account = with_users();
    let twice = format!("{0} arn:aws:iam::{0}:role/audit", account.id());
    for (arguments, says) in [
        (["--accounts", twice.as_str()], "twice"),
        (["--accounts", "12345"], "its twelve digits"),
        (["--role-to-assume", "arn:aws:iam::1:role/x"], "looks like arn:aws:iam::"),
        (["--aws-region", "Frankfurt"], "eu-central-1"),
        (["--external-id", "a b"], "letters, digits"),
        (["--timeout", "0"], "0 is not in"),
    ] {
        let audited = audit_in(&account.environment(), &arguments);
        refused(&audited, &[says]);
    }
    assert!(account.log().is_empty());
}

#[test]
fn no_secret_is_ever_printed() {
    let account = with_users();
    let refusing = with_users();
    refusing.faults(json!({"oidc": "not-authorized"}));
    let expiring = with_users();
    expiring.faults(json!({"expired": {"after": 3}}));
    let mut said = Vec::new();
    for it in [&account, &refusing, &expiring] {
        for format in ["json", "markdown", "table"] {
            let sandbox = super::Sandbox::new();
            let mut command = sandbox.command(&[
                "audit",
                "--allowlist",
                "none",
                "--verbose",
                "--format",
                format,
                "--role-to-assume",
                it.role_arn(),
            ]);
            // The loudest that anybody can ask of the SDK and its HTTP client.
            command.env("RUST_LOG", "trace").envs(it.oidc_environment());
            let ran = super::Ran::from(command.output().unwrap());
            said.push(ran.stdout);
            said.push(ran.stderr);
        }
    }
    let secrets = StandIn::shared().secrets();
    assert!(secrets.len() > 6, "{}", secrets.len());
    assert!(said.iter().any(|it| it.contains("AssumeRoleWithWebIdentity")), "calls are logged");
    for secret in &secrets {
        assert!(secret.len() > 8);
        assert!(!said.iter().any(|it| it.contains(secret.as_str())), "a secret is printed");
    }
}
