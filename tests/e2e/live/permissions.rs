//! The printed policies match the calls: every call is allowed, and everything allowed is called.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Audited, audit_with};
use stand_ins::aws::{Account, Seed, StandIn};
use stand_ins::sandbox::Sandbox;

const ALLOWLIST: &str = "version: 1\n";
const WITH_TAG: &str = "version: 1\npolicy: { expiry_tag: expires-on }\n";

/// Users of all kinds, a user with more certificates than the report shows, and a user deleted after
/// the report.
fn with_users() -> Account {
    let account = StandIn::shared().account(Seed::users(30, 41));
    account.change(json!([
        {"create_user": {"name": "signer", "path": "/team/ml/", "created": 400, "keys": [{"created": 300}]}},
        {"add_certificate": {"user": "signer", "created": 20}},
        {"add_certificate": {"user": "signer", "created": 10}},
        {"add_certificate": {"user": "signer", "created": 300}},
        {"create_user": {"name": "leaver", "created": 400, "keys": [{"created": 300}]}},
    ]));
    account.make_report(0.5);
    account.change(json!([{"delete_user": {"user": "leaver"}}]));
    account
}

fn printed(allowlist: &str, arguments: &[&str]) -> Value {
    let sandbox = Sandbox::new();
    sandbox.file("allow.yml", allowlist);
    let ran = sandbox.run(&[&["iam-policy", "--allowlist", "allow.yml"], arguments].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|it| match &it["Action"] {
        Value::Array(actions) => actions.clone(),
        action => vec![action.clone()],
    });
    actions.map(|it| it.as_str().unwrap().to_owned()).collect()
}

fn called(account: &Account) -> BTreeSet<String> {
    // `sts:` calls need no permission.
    account.counts().into_keys().filter(|name| !name.starts_with("sts:")).collect()
}

fn denied(account: &Account) -> Vec<String> {
    account.log().into_iter().filter(|it| it.status == 403).map(|it| it.name()).collect()
}

/// Asserts that nothing is missing.
fn assert_complete(audited: &Audited, flags: &[&str]) {
    // Without a re-check, the signer's third certificate is unknown.
    let code = if flags.contains(&"--recheck") { 3 } else { 1 };
    assert_eq!(audited.code, code, "{flags:?}: {}", audited.stderr);
    for account in audited.json["accounts"].as_array().unwrap() {
        assert_eq!(account["gaps"], json!([]), "{flags:?}");
    }
}

#[test]
fn printed_policy_is_exactly_what_the_audit_calls() {
    let account = with_users();
    for (allowlist, flags) in [
        (ALLOWLIST, &[][..]),
        (ALLOWLIST, &["--recheck", "false"]),
        (ALLOWLIST, &["--last-accessed", "false"]),
        (WITH_TAG, &["--last-accessed", "false"]),
        (
            "version: 1\npolicy: { rules: { old-service-credential: off, user-without-credentials: off } }\n",
            &[],
        ),
    ] {
        let policy = printed(allowlist, &[flags, &["--account", account.id()]].concat());
        account.policy(policy.clone());
        account.reset_log();
        assert_complete(&audit_with(allowlist, &account.environment(), flags), flags);
        assert_eq!(denied(&account), [""; 0], "{flags:?}");
        assert_eq!(called(&account), actions(&policy), "{flags:?}");
    }
}

#[test]
fn hub_account_needs_only_to_assume_the_member_roles() {
    let (hub, member) = (with_users(), with_users());
    let role = hub.role_arn().to_owned();
    let flags = ["--accounts", member.id(), "--member-role-name", "audit"];
    let hub_policy = printed(
        ALLOWLIST,
        &[&flags[..], &["--account", hub.id(), "--role-name", "audit"]].concat(),
    );
    assert_eq!(actions(&hub_policy), ["sts:AssumeRole".to_owned()].into());
    hub.policy(hub_policy);
    member.policy(printed(ALLOWLIST, &["--account", member.id()]));
    let audited = audit_with(
        ALLOWLIST,
        &hub.oidc_environment(),
        &[&["--role-to-assume", role.as_str()], &flags[..]].concat(),
    );
    assert_complete(&audited, &flags);
    assert_eq!((denied(&hub), denied(&member)), (vec![], vec![]));

    // The policy does not cover another role.
    let other = with_users();
    let audited = audit_with(
        ALLOWLIST,
        &hub.oidc_environment(),
        &["--role-to-assume", &role, "--accounts", other.id(), "--member-role-name", "audit"],
    );
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    assert!(
        audited.json["accounts"][0]["gaps"][0]["message"]
            .as_str()
            .unwrap()
            .contains("sts:AssumeRole")
    );
}
