//! The number of API calls of an audit, counted by the stand-in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{audit, audit_in};
use stand_ins::aws::{Account, Seed, StandIn};

/// The number of IAM calls by action.
fn iam_calls(account: &Account) -> BTreeMap<String, usize> {
    let counts = account.counts().into_iter();
    counts
        .filter_map(|(name, count)| Some((name.strip_prefix("iam:")?.to_owned(), count)))
        .collect()
}

fn calls<const N: usize>(calls: [(&str, usize); N]) -> BTreeMap<String, usize> {
    calls.map(|(name, count)| (name.to_owned(), count)).into()
}

/// The number of users with a stale credential, and of all their keys.
fn flagged_users(account: &Account) -> (usize, usize) {
    let truth = account.truth();
    let stale: Vec<_> =
        truth["users"].as_array().unwrap().iter().filter(|it| it["stale"] == true).collect();
    let keys = stale.iter().map(|it| it["keys"].as_array().unwrap().len()).sum();
    (stale.len(), keys)
}

#[test]
fn credential_report_takes_two_calls() {
    let account = StandIn::shared().account(Seed::users(300, 7));
    account.make_report(1.0);
    audit(&account, &["--recheck", "false"]);
    assert_eq!(
        account.counts(),
        [
            ("iam:GenerateCredentialReport", 1),
            ("iam:GetCredentialReport", 1),
            ("sts:GetCallerIdentity", 1)
        ]
        .map(|(name, count)| (name.to_owned(), count))
        .into()
    );
}

#[test]
fn users_without_findings_take_no_calls() {
    let account = StandIn::shared().account(Seed::empty());
    for user in 0..30 {
        account.change(json!([{"create_user": {
            "name": format!("user-{user}"), "created": 400,
            "keys": [{"created": 300, "last_used": 1}],
        }}]));
    }
    account.make_report(1.0);
    let audited = audit(&account, &[]);
    assert_eq!(audited.code, 0, "{}", audited.stderr);
    assert_eq!(
        iam_calls(&account),
        calls([
            ("GenerateCredentialReport", 1),
            ("GetCredentialReport", 1),
            ("ListAccountAliases", 1),
            ("ListServiceSpecificCredentials", 1),
            ("ListUsers", 1),
        ])
    );
}

#[test]
fn re_check_takes_three_calls_per_flagged_user_and_one_per_key() {
    let account = StandIn::shared().account(Seed::users(1_500, 8));
    account.make_report(1.0);
    let (flagged_users, keys) = flagged_users(&account);
    let audited = audit(&account, &["--last-accessed", "false"]);
    let mut counted = iam_calls(&account);
    // Flagged users, users with any other finding, and users without visible credentials.
    let asked: BTreeSet<String> = account
        .log()
        .iter()
        .filter(|call| call.action == "ListSSHPublicKeys")
        .map(|call| call.parameters["UserName"].clone())
        .collect();
    let flagged: BTreeSet<String> =
        audited.findings().map(|it| it["user"].as_str().unwrap().to_owned()).collect();
    assert!(flagged.iter().all(|user| user == "<root_account>" || asked.contains(user)));
    let ssh = counted.remove("ListSSHPublicKeys").unwrap();
    let bare = account.truth()["users"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["password"].is_null() && it["keys"].as_array().unwrap().is_empty())
        .count();
    assert!((flagged_users..=flagged_users + bare + flagged.len()).contains(&ssh), "{ssh}");
    assert_eq!(
        counted,
        calls([
            ("GenerateCredentialReport", 1),
            ("GetAccessKeyLastUsed", keys),
            ("GetCredentialReport", 1),
            ("GetLoginProfile", flagged_users),
            ("ListAccessKeys", flagged_users),
            ("ListAccountAliases", 1),
            ("ListServiceSpecificCredentials", 1),
            ("ListUserTags", flagged_users),
            ("ListUsers", 2),
        ])
    );
}

#[test]
fn tags_and_access_advisor_take_calls_for_flagged_users_only() {
    let account = StandIn::shared().account(Seed::users(60, 9));
    let (flagged_users, _) = flagged_users(&account);
    assert!((2..100).contains(&flagged_users));
    audit(&account, &[]);
    let counted = iam_calls(&account);
    assert_eq!(counted["ListUserTags"], flagged_users);
    assert_eq!(counted["GenerateServiceLastAccessedDetails"], flagged_users);
    assert!(counted["GetServiceLastAccessedDetails"] <= 3 * flagged_users);
    assert!(!counted.contains_key("GetAccountAuthorizationDetails"));
}

#[test]
fn access_advisor_is_asked_about_the_hundred_longest_unused_users() {
    let account = StandIn::shared().account(Seed::users(600, 10));
    let audited = audit(&account, &[]);
    assert_eq!(iam_calls(&account)["GenerateServiceLastAccessedDetails"], 100);
    let asked: Vec<_> = account
        .log()
        .into_iter()
        .filter(|call| call.action == "GenerateServiceLastAccessedDetails")
        .map(|call| call.resource)
        .collect();
    let oldest = audited
        .findings()
        .filter(|it| it["rule"].as_str().unwrap().starts_with("stale-") && it["notes"] == json!([]))
        .max_by_key(|it| it["days"].as_i64())
        .unwrap();
    assert!(asked.contains(&oldest["arn"].as_str().unwrap().to_owned()));
    let most_at_once = account
        .log()
        .iter()
        .filter(|call| call.action.contains("ServiceLastAccessed"))
        .map(|call| {
            let log = account.log();
            log.iter()
                .filter(|it| it.action.contains("ServiceLastAccessed"))
                .filter(|other| {
                    other.at <= call.at && other.until.is_none_or(|until| until > call.at)
                })
                .count()
        })
        .max()
        .unwrap();
    assert!(most_at_once <= 4, "{most_at_once}");
}

#[test]
fn tags_of_all_users_are_read_in_pages() {
    let account = StandIn::shared().account(Seed::users(1_200, 12));
    account.change(json!([{"tag_user": {"user": "user-00007", "tags": {"owner": "team-seven"}}}]));
    let allowlist = "version: 1\npolicy: { expiry_tag: expires-on }\n";
    let flags = ["--last-accessed", "false"];
    let audited = super::audit_with(allowlist, &account.environment(), &flags);
    let counted = iam_calls(&account);
    assert_eq!(counted["GetAccountAuthorizationDetails"], 2);
    assert!(!counted.contains_key("ListUserTags"));
    let owned = audited.findings().filter(|it| !it["owner"].is_null()).count();
    assert!(owned * 2 > audited.findings().count(), "{owned}");
}

#[test]
fn expected_error_is_logged_as_an_answer() {
    let account = StandIn::shared().account(Seed::empty());
    // No login profile, and a credential report that has expired once it is fetched.
    account.change(json!([{"create_user": {
        "name": "alice", "created": 400, "keys": [{"created": 300, "last_used": 200}],
    }}]));
    account.faults(json!({"report_expired": 1}));
    let audited = audit_in(&account.environment(), &["--verbose"]);
    let lines: Vec<_> = audited.stderr.lines().filter(|it| it.contains("action=")).collect();
    for (action, code) in
        [("iam:GetLoginProfile", "NoSuchEntity"), ("iam:GetCredentialReport", "ReportExpired")]
    {
        let of = |line: &&&str| line.contains(action) && line.contains(code);
        let line = lines.iter().find(of);
        let line = line.unwrap_or_else(|| panic!("{action}, {code}: {}", audited.stderr));
        assert!(line.contains("answered"), "{line}");
    }
    assert!(lines.iter().all(|line| !line.contains("failed")), "{}", audited.stderr);
}
