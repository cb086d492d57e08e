//! Unreliable responses: empty lists, errors with the wrong status, missing fields, pages of a proxy,
//! endless lists. None of them clears a finding.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Audited, audit, audit_in, ending};
use stand_ins::aws::{Account, Seed, StandIn};

/// Without Access Advisor, which only adds calls.
const PLAIN: [&str; 2] = ["--last-accessed", "false"];
const SHORT: [&str; 4] = ["--last-accessed", "false", "--timeout", "4"];

/// An account with a report from an hour ago: a user with a stale password and two stale keys, a user
/// with credentials of every other kind, and a user without findings.
fn with_users() -> Account {
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([
        {"create_user": {"name": "alice", "created": 400,
            "password": {"changed": 400, "last_used": 200},
            "keys": [{"created": 300, "last_used": 200}, {"created": 310, "last_used": 220}]}},
        {"create_user": {"name": "dora", "created": 350,
            "keys": [{"created": 300, "last_used": 200}],
            "ssh_keys": [{"created": 20}],
            "service_credentials": [{"service": "bedrock.amazonaws.com", "created": 20}]}},
        {"add_certificate": {"user": "dora", "created": 20}},
        {"add_certificate": {"user": "dora", "created": 10}},
        {"add_certificate": {"user": "dora", "created": 30}},
        {"create_user": {"name": "bob", "created": 390, "keys": [{"created": 300, "last_used": 1}]}},
    ]));
    account.make_report(1.0);
    account
}

/// Asserts that every finding of the audit without the fault is in the audit with it.
fn assert_no_finding_lost(faulty: &Audited, sound: &Audited) {
    let ids = faulty.stale_ids();
    let lost: Vec<_> = sound.stale_ids().into_iter().filter(|id| !ids.contains(id)).collect();
    assert!(lost.is_empty(), "{lost:?} of {:?}: {}", sound.stale_ids(), faulty.stderr);
}

#[test]
fn list_without_some_users_clears_no_finding() {
    let account = with_users();
    let sound = audit(&account, &PLAIN);
    for users in ["", "$1"] {
        let pattern = if users.is_empty() {
            "<Users>.*</Users>"
        } else {
            "<Users>.*?(<member>(?:(?!<member>).)*<UserName>bob</UserName>.*?</member>).*</Users>"
        };
        let kept = if users.is_empty() { "<Users></Users>" } else { r"<Users>\1</Users>" };
        account.faults(json!({"edit": {"actions": ["ListUsers"], "replace": {pattern: kept}}}));
        let audited = audit(&account, &PLAIN);
        assert_eq!(audited.lines(), sound.lines(), "{users}");
        assert!(audited.cleared().is_empty(), "{:?}", audited.cleared());
        // Other users may be missing as well.
        assert_eq!(audited.code, 3, "{}", audited.stderr);
        assert_eq!(audited.gaps(), ["users unexpected iam:ListUsers"]);
    }
}

#[test]
fn user_missing_from_the_list_is_requested_by_name() {
    let account = with_users();
    account.change(json!([{"delete_user": {"user": "alice"}}]));
    let audited = audit(&account, &PLAIN);
    assert_eq!(audited.cleared().len(), 3, "{:?}", audited.cleared());
    assert_eq!(account.counts()["iam:GetUser"], 1);
    // If that is denied, nothing is cleared.
    account.faults(json!({"deny": ["GetUser"]}));
    let audited = audit(&account, &PLAIN);
    assert_eq!(audited.gaps(), ["users denied iam:GetUser"]);
    assert!(audited.lines().iter().any(|line| line.starts_with("alice stale-access-key")));
    assert!(audited.cleared().is_empty() && audited.code == 3, "{:?}", audited.cleared());
}

#[test]
fn missing_entity_is_accepted_only_with_status_404() {
    let account = with_users();
    let sound = audit(&account, &PLAIN);
    for (action, status) in [
        ("GetLoginProfile", 500),
        ("ListAccessKeys", 400),
        ("GetAccessKeyLastUsed", 200),
        ("ListSSHPublicKeys", 400),
    ] {
        let error = json!({"actions": [action], "code": "NoSuchEntity", "status": status});
        account.faults(json!({ "error": error }));
        let audited = audit(&account, &SHORT);
        let hint = format!("{action} {status}: {}", audited.stderr);
        assert_eq!(audited.code, 3, "{hint}");
        assert!(audited.gaps().iter().any(|gap| gap.ends_with(action)), "{hint}");
        assert_no_finding_lost(&audited, &sound);
    }
    account.change(json!([{"delete_user": {"user": "alice"}}]));
    let error = json!({"actions": ["GetUser"], "code": "NoSuchEntity", "status": 500});
    account.faults(json!({ "error": error }));
    let audited = audit(&account, &SHORT);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    assert!(audited.cleared().is_empty(), "{:?}", audited.cleared());
}

/// The fields that a response must have, by action.
const REQUIRED: [(&str, &[&str]); 8] = [
    ("ListUsers", &["UserName", "UserId", "Arn", "CreateDate"]),
    ("ListAccessKeys", &["AccessKeyId", "CreateDate", "Status"]),
    ("GetAccessKeyLastUsed", &["LastUsedDate", "ServiceName"]),
    ("GetLoginProfile", &["CreateDate"]),
    ("ListSSHPublicKeys", &["SSHPublicKeyId", "UploadDate", "Status"]),
    (
        "ListServiceSpecificCredentials",
        &["ServiceSpecificCredentialId", "UserName", "CreateDate", "Status"],
    ),
    ("ListSigningCertificates", &["CertificateId", "UploadDate", "Status"]),
    ("GetCredentialReport", &["GeneratedTime", "Content"]),
];

fn without(action: &str, field: &str) -> Value {
    let pattern = format!("<{field}>[^<]*</{field}>");
    json!({"edit": {"actions": [action], "replace": {pattern: ""}}})
}

#[test]
fn missing_field_makes_the_audit_incomplete() {
    let account = with_users();
    let sound = audit(&account, &PLAIN);
    assert_eq!((sound.code, sound.gaps()), (1, vec![]), "{}", sound.stderr);
    for (action, fields) in REQUIRED {
        for field in fields {
            account.faults(without(action, field));
            let audited = audit(&account, &PLAIN);
            let hint = format!("{action} without {field}: {}", audited.stderr);
            assert_eq!(audited.code, 3, "{hint}");
            assert!(!audited.json.to_string().contains("1970-01-01"), "{hint}");
            assert!(audited.cleared().is_empty(), "{hint}");
            let of_bob = |line: &&String| line.starts_with("bob ");
            assert_eq!(audited.lines().iter().find(of_bob), None, "{hint}");
            if action != "GetCredentialReport" || *field == "GeneratedTime" {
                assert_no_finding_lost(&audited, &sound);
            }
        }
    }
    // Access Advisor is optional: without it there is a gap, but no rule is incomplete.
    for (action, field) in [
        ("GenerateServiceLastAccessedDetails", "JobId"),
        ("GetServiceLastAccessedDetails", "JobStatus"),
    ] {
        account.faults(without(action, field));
        let audited = audit(&account, &[]);
        assert_eq!(audited.code, 1, "{action}: {}", audited.stderr);
        assert_eq!(audited.gaps().len(), 1, "{action}: {:?}", audited.gaps());
    }
}

#[test]
fn incomplete_session_credentials_are_rejected() {
    let (home, other) = {
        let stand_in = StandIn::shared();
        (stand_in.account(Seed::empty()), stand_in.account(Seed::users(3, 7)))
    };
    for field in ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"] {
        home.faults(without("AssumeRole", field));
        let more = ["--accounts", other.id(), "--member-role-name", "audit"];
        let audited = audit_in(&home.environment(), &more);
        assert_eq!(audited.code, 3, "{field}: {}", audited.stderr);
        assert_eq!(audited.gaps(), ["credential-report unexpected sts:AssumeRole"], "{field}");
        let message = audited.account()["gaps"][0]["message"].as_str().unwrap();
        assert!(message.contains("does not contain complete credentials"), "{field}: {message}");
    }
}

#[test]
fn response_that_is_not_from_aws_is_quoted_in_the_error() {
    let account = with_users();
    for (status, body, says) in [
        (200, "<!DOCTYPE html><title>Sign in, please</title>", "`<!DOCTYPE html><title>Sign in"),
        (403, "<html>Blocked by policy\u{1b}[2J</html>", "`<html>Blocked by policy\\u{1b}[2J"),
        (302, "", "it is empty"),
    ] {
        let edit = json!({"actions": ["ListUsers"], "body": body, "status": status});
        account.faults(json!({ "edit": edit }));
        let audited = audit(&account, &SHORT);
        let message = audited.account()["gaps"][0]["message"].as_str().unwrap();
        assert!(message.contains(&format!("HTTP status {status}: ")), "{message}");
        assert!(message.contains("the response is not from AWS"), "{message}");
        assert!(message.contains(says), "{message}");
        assert_eq!(audited.code, 3);
    }
    // In XML from IAM, the unreadable value is named.
    let bad = json!({"<CreateDate>[^<]*</CreateDate>": "<CreateDate>soon</CreateDate>"});
    account.faults(json!({"edit": {"actions": ["ListUsers"], "replace": bad}}));
    let audited = audit(&account, &PLAIN);
    let message = audited.account()["gaps"][0]["message"].as_str().unwrap();
    assert!(message.contains("the response is not from AWS: "), "{message}");
    assert!(!message.contains("<CreateDate>") && audited.code == 3, "{message}");
}

#[test]
fn hint_names_the_proxy_when_a_proxy_answers_for_sts() {
    let account = StandIn::shared().account(Seed::empty());
    let edit = json!({"actions": ["GetCallerIdentity"], "body": "<html>Sign in</html>"});
    account.faults(json!({ "edit": edit }));
    let audited = audit(&account, &[]);
    assert!(audited.stderr.contains("`<html>Sign in</html>`"), "{}", audited.stderr);
    assert!(audited.stderr.contains("HTTPS_PROXY"), "{}", audited.stderr);
}

#[test]
fn endless_lists_are_incomplete() {
    let account = with_users();
    let sound = audit(&account, &PLAIN);
    for action in ["ListUsers", "ListAccessKeys", "ListServiceSpecificCredentials"] {
        account.reset_log();
        account.faults(json!({"endless": {"actions": [action], "markers": ["a", "b"]}}));
        let audited = audit(&account, &PLAIN);
        let hint = format!("{action}: {}", audited.stderr);
        assert_eq!(audited.code, 3, "{hint}");
        assert!(audited.gaps().iter().any(|gap| gap.ends_with(action)), "{hint}");
        assert_no_finding_lost(&audited, &sound);
        // Two users are re-checked, and a list is requested once more than it has markers.
        let most = 3 * if action == "ListAccessKeys" { 2 } else { 1 };
        let counts: BTreeMap<_, _> = account.counts();
        assert!(counts[&format!("iam:{action}")] <= most, "{hint}");
    }
}

#[test]
fn oversized_list_is_not_read_completely() {
    let account = with_users();
    let sound = audit(&account, &PLAIN);
    account.faults(json!({"edit": {"actions": ["ListUsers"], "pad": 65}}));
    let audited = audit(&account, &PLAIN);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    let message = audited.account()["gaps"][0]["message"].as_str().unwrap();
    assert!(message.contains("larger than 64 MiB"), "{message}");
    assert_no_finding_lost(&audited, &sound);
}

#[test]
fn ssh_key_of_a_user_flagged_for_a_service_credential_is_found() {
    let account = StandIn::shared().account(Seed::empty());
    let healthy = |name: &str, service: u32| {
        json!({"create_user": {"name": name, "created": 400,
            "keys": [{"created": 300, "last_used": 1}], "ssh_keys": [{"created": 200}],
            "service_credentials": [{"service": "bedrock.amazonaws.com", "created": service}]}})
    };
    account.change(json!([healthy("flagged", 200), healthy("healthy", 20)]));
    let found = |audited: &Audited| {
        let kinds = audited.findings().map(|it| {
            format!(
                "{} {}",
                it["user"].as_str().unwrap(),
                it["credential"]["kind"].as_str().unwrap()
            )
        });
        let mut kinds: Vec<_> = kinds.collect();
        kinds.sort();
        kinds
    };
    let audited = audit(&account, &PLAIN);
    assert_eq!(found(&audited), ["flagged service-specific-credential", "flagged ssh-key"]);
    // The key of a user with an old certificate is found as well.
    account.change(json!([
        {"add_certificate": {"user": "healthy", "created": 300}},
    ]));
    account.make_report(0.5);
    let audited = audit(&account, &PLAIN);
    assert!(found(&audited).contains(&"healthy ssh-key".to_owned()), "{:?}", found(&audited));
}

/// Three users created in the same second: one with a stale key, two without findings.
fn users_of_one_second() -> (Account, String) {
    let account = StandIn::shared().account(Seed::empty());
    let created = "2025-03-01T10:00:00Z";
    let made = account.change(json!([
        {"create_user": {"name": "stale", "created": created,
            "keys": [{"created": 300, "last_used": 200}]}},
        {"create_user": {"name": "healthy", "created": created,
            "keys": [{"created": 290, "last_used": 1}]}},
        {"create_user": {"name": "third", "created": created,
            "keys": [{"created": 280, "last_used": 1}]}},
    ]));
    account.make_report(1.0);
    (account, ending(&made[0]["keys"][0]))
}

#[test]
fn swapping_the_names_of_users_created_in_the_same_second_does_not_hide_a_stale_key() {
    for (renames, holder) in [
        (&[("stale", "x"), ("healthy", "stale"), ("x", "healthy")][..], "healthy"),
        (&[("healthy", "gone"), ("stale", "healthy")], "healthy"),
        (&[("stale", "x"), ("third", "stale"), ("healthy", "third"), ("x", "healthy")], "healthy"),
    ] {
        let (account, key) = users_of_one_second();
        let renames: Vec<_> = renames
            .iter()
            .map(|(user, to)| json!({"rename_user": {"user": user, "to": to}}))
            .collect();
        account.change(json!(renames));
        let audited = audit(&account, &PLAIN);
        let expected = format!("{holder} stale-access-key {key} open re-checked");
        assert_eq!(audited.lines(), [expected], "{renames:?}: {}", audited.stderr);
        assert_eq!(audited.code, 1, "{}", audited.stderr);
    }
}

#[test]
fn users_created_in_the_same_second_take_no_extra_calls() {
    let (account, _) = users_of_one_second();
    audit(&account, &PLAIN);
    assert_eq!(account.counts()["iam:ListAccessKeys"], 1);
}

#[test]
fn old_signing_certificate_of_the_root_user_is_found() {
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([
        {"root": {"certificates": [{"created": 4000}]}},
        {"create_user": {"name": "bob", "created": 390, "keys": [{"created": 300, "last_used": 1}]}},
    ]));
    let audited = audit(&account, &PLAIN);
    let expected =
        "<root_account> old-service-credential signing-certificate open credential-report";
    assert_eq!(audited.lines(), [expected]);
    assert_eq!(audited.coverage()["old-service-credential"], "not-shown");
    account.change(json!([{"root": {"certificates": []}}]));
    account.make_report(0.5);
    assert!(audit(&account, &PLAIN).lines().is_empty());
}

#[test]
fn dates_in_the_future_are_not_clean() {
    let account = with_users();
    account.make_report(-24.0 * 3_650.0);
    let audited = audit(&account, &PLAIN);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    assert!(audited.coverage().values().all(|it| it == "incomplete"), "{:?}", audited.coverage());
    assert_eq!(audited.account()["errors"][0]["code"], "evidence-in-future");

    let account = with_users();
    account.change(json!([
        {"use_key": {"user": "bob", "at": "2099-01-01T00:00:00Z"}},
    ]));
    account.make_report(1.0);
    let audited = audit(&account, &PLAIN);
    let unknown = audited.lines().into_iter().find(|line| line.starts_with("bob ")).unwrap();
    assert!(unknown.ends_with(" unknown re-checked"), "{unknown}");
    assert_eq!(audited.code, 3);

    // A runner whose clock is years behind.
    let behind = [&PLAIN[..], &["--now", "2020-01-01T00:00:00Z"]].concat();
    let audited = audit(&with_users(), &behind);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
}
