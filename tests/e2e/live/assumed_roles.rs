//! Roles that are assumed from other credentials, in the same account or in others.

use serde_json::json;

use super::audit_in;
use super::session::{assert_rejected, audit_with_oidc, with_users};
use stand_ins::aws::Account;

#[test]
fn on_the_command_line_the_role_is_assumed_with_the_existing_credentials() {
    let (hub, account) = (with_users(), with_users());
    let audited = audit_in(&hub.environment(), &["--role-to-assume", account.role_arn()]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    assert_eq!(audited.account()["id"], account.id());
}

#[test]
fn account_that_is_not_allowed_is_rejected_before_anything_is_read() {
    let account = with_users();
    let audited = audit_in(&account.environment(), &["--allowed-account-ids", "999988887777"]);
    assert_eq!(audited.code, 2, "{}", audited.stderr);
    assert!(audited.stderr.contains(account.id()), "{}", audited.stderr);
    assert!(account.counts().keys().all(|name| name.starts_with("sts:")), "{:?}", account.counts());
    let audited = audit_in(&account.environment(), &["--allowed-account-ids", account.id()]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
}

#[test]
fn credentials_of_an_account_other_than_the_roles_are_rejected() {
    let (hub, account) = (with_users(), with_users());
    account.faults(json!({"other_account": "999988887777"}));
    let says = ["999988887777", account.role_arn(), account.id()];
    // With a token, and with other credentials.
    assert_rejected(&audit_with_oidc(&account, &[]), &says);
    let role = ["--role-to-assume", account.role_arn()];
    assert_rejected(&audit_in(&hub.environment(), &role), &says);
    // As one of several accounts, it is incomplete.
    let ids = format!("{},{}", hub.id(), account.id());
    let audited = audit_in(
        &hub.oidc_environment(),
        &["--role-to-assume", hub.role_arn(), "--accounts", &ids],
    );
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    let accounts = audited.json["accounts"].as_array().unwrap();
    let entry = accounts.iter().find(|it| it["id"] == account.id()).unwrap();
    let message = entry["gaps"][0]["message"].as_str().unwrap();
    assert!(says.iter().all(|words| message.contains(words)), "{message}");
    assert!(account.counts().keys().all(|name| name.starts_with("sts:")), "{:?}", account.counts());
}

#[test]
fn role_arn_in_accounts_needs_no_hub_role() {
    let (here, other) = (with_users(), with_users());
    let audited = audit_in(&here.environment(), &["--accounts", other.role_arn()]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    assert_eq!(audited.account()["id"], other.id());
    // The ARN also selects the partition.
    let china = "arn:aws-cn:iam::111122223333:role/audit";
    let audited = audit_in(&here.environment(), &["--accounts", china]);
    assert_rejected(&audited, &["us-east-1", "aws-cn", "--aws-region"]);
    // An account id needs one.
    let audited = audit_in(&here.environment(), &["--accounts", other.id()]);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    assert!(
        audited.json.to_string().contains("the name of the role to assume is missing"),
        "{}",
        audited.json
    );
}

#[test]
fn external_id_is_sent_with_every_assumed_role() {
    let (hub, account) = (with_users(), with_users());
    account.require_external_id("acme-audit");
    let role = ["--role-to-assume", account.role_arn(), "--external-id", "acme-audit"];
    let audited = audit_in(&hub.environment(), &role);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    assert!(!audited.stderr.contains("no effect"), "{}", audited.stderr);
    // A role assumed with a token has no external id.
    let audited = audit_with_oidc(&hub, &["--external-id", "acme-audit", "--recheck", "false"]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    let note = "note: --external-id has no effect";
    assert!(audited.stderr.contains(note), "{}", audited.stderr);
}

#[test]
fn hub_assumes_its_members_with_the_external_id_and_audits_itself_only_if_listed() {
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
fn member_that_rejects_the_hub_is_incomplete_and_names_its_role() {
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
