//! Answers that cannot be relied on: empty lists, absences without their status, missing fields, pages
//! of a proxy, lists without an end. None of them clears anybody.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Audited, audit, audit_in, ending};
use stand_ins::aws::{Account, Seed, StandIn};

/// No ornaments: they would only add calls.
const PLAIN: [&str; 2] = ["--last-accessed", "false"];
const SHORT: [&str; 4] = ["--last-accessed", "false", "--timeout", "4"];

/// An account with a report of an hour ago: a user with a stale password and two stale keys, a user
/// who has credentials of every other kind, and a healthy one.
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

/// Every finding that there is without the fault is there with it.
fn loses_nothing(hindered: &Audited, sound: &Audited) {
    let ids = hindered.stale_ids();
    let lost: Vec<_> = sound.stale_ids().into_iter().filter(|id| !ids.contains(id)).collect();
    assert!(lost.is_empty(), "{lost:?} of {:?}: {}", sound.stale_ids(), hindered.stderr);
}

#[test]
fn a_list_that_leaves_users_out_makes_nobody_disappear() {
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
        // Whoever else may be left out is not known.
        assert_eq!(audited.code, 3, "{}", audited.stderr);
        assert_eq!(audited.gaps(), ["users unexpected iam:ListUsers"]);
    }
}

#[test]
fn a_user_who_is_not_listed_is_looked_up_by_name() {
    let account = with_users();
    account.change(json!([{"delete_user": {"user": "alice"}}]));
    let audited = audit(&account, &PLAIN);
    assert_eq!(audited.cleared().len(), 3, "{:?}", audited.cleared());
    assert_eq!(account.counts()["iam:GetUser"], 1);
    // Where that is denied, nobody knows.
    account.faults(json!({"deny": ["GetUser"]}));
    let audited = audit(&account, &PLAIN);
    assert_eq!(audited.gaps(), ["users denied iam:GetUser"]);
    assert!(audited.lines().iter().any(|line| line.starts_with("alice stale-access-key")));
    assert!(audited.cleared().is_empty() && audited.code == 3, "{:?}", audited.cleared());
}

#[test]
fn an_absence_needs_its_own_status() {
    let account = with_users();
    let sound = audit(&account, &PLAIN);
    for action in ["GetLoginProfile", "ListAccessKeys", "GetAccessKeyLastUsed", "ListSSHPublicKeys"]
    {
        for status in [500, 400, 200] {
            let error = json!({"actions": [action], "code": "NoSuchEntity", "status": status});
            account.faults(json!({ "error": error }));
            let audited = audit(&account, &SHORT);
            let hint = format!("{action} {status}: {}", audited.stderr);
            assert_eq!(audited.code, 3, "{hint}");
            assert!(audited.gaps().iter().any(|gap| gap.ends_with(action)), "{hint}");
            loses_nothing(&audited, &sound);
        }
    }
    account.change(json!([{"delete_user": {"user": "alice"}}]));
    let error = json!({"actions": ["GetUser"], "code": "NoSuchEntity", "status": 500});
    account.faults(json!({ "error": error }));
    let audited = audit(&account, &SHORT);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    assert!(audited.cleared().is_empty(), "{:?}", audited.cleared());
}

/// The fields without which an answer cannot be relied on, by action.
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
fn a_field_that_is_missing_is_unknown_and_never_a_guess() {
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
            let healthy = |line: &&String| line.starts_with("bob ");
            assert_eq!(audited.lines().iter().find(healthy), None, "{hint}");
            if action != "GetCredentialReport" || *field == "GeneratedTime" {
                loses_nothing(&audited, &sound);
            }
        }
    }
    // The job of Access Advisor and tags are ornaments: they leave a gap, and no rule incomplete.
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
fn a_session_without_all_its_parts_is_none() {
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
        assert!(message.contains("lacks a part of the credentials"), "{field}: {message}");
    }
}

#[test]
fn an_answer_that_is_none_of_awss_is_quoted_by_its_first_words() {
    let account = with_users();
    for (status, body, says) in [
        (200, "<!DOCTYPE html><title>Sign in, please</title>", "`<!DOCTYPE html><title>Sign in"),
        (403, "<html>Blocked by policy\u{1b}[2J</html>", "`<html>Blocked by policy\\u{1b}[2J"),
        (200, "", "it is empty"),
        (404, "not found", "`not found`"),
        (302, "", "it is empty"),
    ] {
        let edit = json!({"actions": ["ListUsers"], "body": body, "status": status});
        account.faults(json!({ "edit": edit }));
        let audited = audit(&account, &SHORT);
        let message = audited.account()["gaps"][0]["message"].as_str().unwrap();
        assert!(message.contains(&format!("HTTP status {status}: ")), "{message}");
        assert!(message.contains("the answer is not what AWS sends"), "{message}");
        assert!(message.contains(says), "{message}");
        assert_eq!(audited.code, 3);
    }
    // Of XML of IAM's, what cannot be read is named.
    let bad = json!({"<CreateDate>[^<]*</CreateDate>": "<CreateDate>soon</CreateDate>"});
    account.faults(json!({"edit": {"actions": ["ListUsers"], "replace": bad}}));
    let audited = audit(&account, &PLAIN);
    let message = audited.account()["gaps"][0]["message"].as_str().unwrap();
    assert!(message.contains("the answer is not what AWS sends: "), "{message}");
    assert!(!message.contains("<CreateDate>") && audited.code == 3, "{message}");
}

#[test]
fn the_hint_about_a_session_that_a_proxy_answers_for_speaks_of_the_proxy() {
    let account = StandIn::shared().account(Seed::empty());
    let edit = json!({"actions": ["GetCallerIdentity"], "body": "<html>Sign in</html>"});
    account.faults(json!({ "edit": edit }));
    let audited = audit(&account, &[]);
    assert!(audited.stderr.contains("`<html>Sign in</html>`"), "{}", audited.stderr);
    assert!(audited.stderr.contains("HTTPS_PROXY"), "{}", audited.stderr);
}

#[test]
fn lists_without_an_end_are_incomplete() {
    let account = with_users();
    let sound = audit(&account, &PLAIN);
    for action in ["ListUsers", "ListAccessKeys", "ListServiceSpecificCredentials"] {
        for markers in [&["a"][..], &["a", "b"], &["a", "b", "c"]] {
            account.reset_log();
            account.faults(json!({"endless": {"actions": [action], "markers": markers}}));
            let audited = audit(&account, &PLAIN);
            let hint = format!("{action} {markers:?}: {}", audited.stderr);
            assert_eq!(audited.code, 3, "{hint}");
            assert!(audited.gaps().iter().any(|gap| gap.ends_with(action)), "{hint}");
            loses_nothing(&audited, &sound);
            // Two users are looked at again, and a list is asked for once more than it has markers.
            let most = (markers.len() + 1) * if action == "ListAccessKeys" { 2 } else { 1 };
            let counts: BTreeMap<_, _> = account.counts();
            assert!(counts[&format!("iam:{action}")] <= most, "{hint}");
        }
    }
}

#[test]
fn an_answer_beyond_all_measure_is_not_read_to_its_end() {
    let account = with_users();
    let sound = audit(&account, &PLAIN);
    account.faults(json!({"edit": {"actions": ["ListUsers"], "pad": 65}}));
    let audited = audit(&account, &PLAIN);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    let message = audited.account()["gaps"][0]["message"].as_str().unwrap();
    assert!(message.contains("larger than 64 MiB"), "{message}");
    loses_nothing(&audited, &sound);
}

#[test]
fn the_ssh_key_of_a_user_who_is_flagged_for_a_service_credential_is_found() {
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
    // So is that of a user with an old certificate, and of one with a key that is left over.
    account.change(json!([
        {"add_certificate": {"user": "healthy", "created": 300}},
    ]));
    account.make_report(0.5);
    let audited = audit(&account, &PLAIN);
    assert!(found(&audited).contains(&"healthy ssh-key".to_owned()), "{:?}", found(&audited));
}

/// Two users of the same second: one unused for long, one healthy.
fn namesakes() -> (Account, String) {
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
fn users_of_the_same_second_who_swap_names_do_not_hide_a_stale_key() {
    for (renames, holder) in [
        (&[("stale", "x"), ("healthy", "stale"), ("x", "healthy")][..], "healthy"),
        (&[("healthy", "gone"), ("stale", "healthy")], "healthy"),
        (&[("stale", "x"), ("third", "stale"), ("healthy", "third"), ("x", "healthy")], "healthy"),
    ] {
        let (account, key) = namesakes();
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
fn users_of_the_same_second_who_keep_their_names_cost_no_further_calls() {
    let (account, _) = namesakes();
    audit(&account, &PLAIN);
    assert_eq!(account.counts()["iam:ListAccessKeys"], 1);
}

#[test]
fn an_old_signing_certificate_of_the_root_user_is_found() {
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
fn a_report_from_the_future_and_a_last_use_in_2099_are_not_clean() {
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

    // The clock of a runner that is years behind.
    let behind = [&PLAIN[..], &["--now", "2020-01-01T00:00:00Z"]].concat();
    let audited = audit(&with_users(), &behind);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
}
