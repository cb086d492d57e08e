//! What the re-check clears, and what it finds.

use serde_json::json;

use super::{audit, audit_in, ending};
use stand_ins::aws::{Account, Seed, StandIn};

/// An account with a current report, in which `alice` has a password and a key, both unused for 200
/// days. Later changes are visible only in a re-check.
fn with_alice() -> (Account, String) {
    let account = StandIn::shared().account(Seed::empty());
    let made = account.change(json!([{"create_user": {
        "name": "alice",
        "created": 400,
        "password": {"changed": 400, "last_used": 200},
        "keys": [{"created": 300, "last_used": 200}],
    }}]));
    let key = ending(&made[0]["keys"][0]);
    account.make_report(1.0);
    (account, key)
}

fn stale_key(user: &str, key: &str) -> String {
    format!("{user} stale-access-key {key} open re-checked")
}

const STALE_PASSWORD: &str = "alice stale-password password open re-checked";

#[test]
fn unchanged_credentials_stay_open_with_their_id() {
    let (account, key) = with_alice();
    let audited = audit(&account, &[]);
    assert_eq!(audited.lines(), [stale_key("alice", &key), STALE_PASSWORD.to_owned()]);
    assert_eq!(audited.code, 1);
    assert!(audited.cleared().is_empty());
}

/// Audits after a change to alice. Returns the findings, what was cleared, and alice's key.
fn after(change: serde_json::Value) -> (Vec<String>, Vec<String>, String) {
    let (account, key) = with_alice();
    account.change(json!([change]));
    let audited = audit(&account, &[]);
    assert!(audited.incomplete().is_empty(), "{}", audited.stderr);
    (audited.lines(), audited.cleared(), key)
}

#[test]
fn key_used_since_is_cleared() {
    let (lines, cleared, _) = after(json!({"use_key": {"user": "alice", "at": 0}}));
    assert_eq!(lines, [STALE_PASSWORD]);
    assert_eq!(cleared, ["alice access-key used"]);
}

#[test]
fn key_deactivated_since_is_cleared_and_is_an_inactive_key() {
    let (lines, cleared, key) =
        after(json!({"set_key_status": {"user": "alice", "status": "Inactive"}}));
    let inactive = format!("alice inactive-access-key {key} open re-checked");
    assert_eq!(lines, [inactive, STALE_PASSWORD.to_owned()]);
    assert_eq!(cleared, ["alice access-key deactivated"]);
}

#[test]
fn key_deleted_since_is_cleared() {
    let (lines, cleared, _) = after(json!({"delete_key": {"user": "alice"}}));
    assert_eq!(lines, [STALE_PASSWORD]);
    assert_eq!(cleared, ["alice access-key removed"]);
}

#[test]
fn password_used_since_is_cleared() {
    let (lines, cleared, key) = after(json!({"use_password": {"user": "alice", "at": 0}}));
    assert_eq!(lines, [stale_key("alice", &key)]);
    assert_eq!(cleared, ["alice password used"]);
}

#[test]
fn deleted_password_is_cleared_although_iam_still_shows_its_last_use() {
    let (lines, cleared, key) = after(json!({"delete_password": {"user": "alice"}}));
    assert_eq!(lines, [stale_key("alice", &key)]);
    assert_eq!(cleared, ["alice password removed"]);
}

#[test]
fn deleted_user_is_cleared() {
    let (lines, cleared, _) = after(json!({"delete_user": {"user": "alice"}}));
    assert!(lines.is_empty(), "{lines:?}");
    assert_eq!(cleared, ["alice password user-gone", "alice access-key user-gone"]);
}

#[test]
fn user_created_again_with_the_same_name_is_another_user() {
    let (account, _) = with_alice();
    account.change(json!([
        {"delete_user": {"user": "alice"}},
        {"create_user": {"name": "alice", "created": 0, "keys": [{"created": 0}]}},
    ]));
    let audited = audit(&account, &[]);
    assert!(audited.lines().is_empty(), "{:?}", audited.lines());
    assert_eq!(audited.cleared(), ["alice password user-gone", "alice access-key user-gone"]);
}

#[test]
fn user_created_again_with_the_name_of_an_unflagged_user_is_re_checked() {
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([
        {"create_user": {"name": "bob", "created": 400, "keys": [{"created": 300, "last_used": 1}]}},
    ]));
    account.make_report(1.0);
    account.change(json!([
        {"delete_user": {"user": "bob"}},
        {"create_user": {"name": "bob", "created": 0}},
    ]));
    assert_eq!(audit(&account, &[]).lines(), ["bob user-without-credentials user open re-checked"]);
}

#[test]
fn password_reset_since_stays_with_a_note() {
    let (account, _) = with_alice();
    account.change(json!([{"set_password": {"user": "alice", "changed": 0, "last_used": 200}}]));
    let audited = audit(&account, &[]);
    let of_password =
        audited.findings().find(|it| it["rule"] == "stale-password").expect("it is open").clone();
    assert_eq!(of_password["notes"][0]["code"], "recently-reset");
}

#[test]
fn third_key_is_found() {
    let account = StandIn::shared().account(Seed::empty());
    let made = account.change(json!([
        {"create_user": {"name": "bob", "created": 400, "keys": [
            {"created": 300, "last_used": 1},
            {"created": 290, "last_used": 1},
        ]}},
        {"add_key": {"user": "bob", "created": 280, "last_used": null}},
    ]));
    let third = ending(&made[1]["key"]);
    let audited = audit(&account, &[]);
    assert_eq!(audited.lines(), [stale_key("bob", &third)]);
    // Without the re-check, what the report does not show is unknown.
    let unchecked = audit(&account, &["--recheck", "false"]);
    assert_eq!(unchecked.lines(), ["bob stale-access-key user unknown credential-report"]);
    assert_eq!(unchecked.code, 3);
}

#[test]
fn third_certificate_is_found() {
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([
        {"create_user": {"name": "bob", "created": 400, "keys": [{"created": 1}]}},
        {"add_certificate": {"user": "bob", "created": 20}},
        {"add_certificate": {"user": "bob", "created": 10}},
        {"add_certificate": {"user": "bob", "created": 300}},
    ]));
    let audited = audit(&account, &[]);
    assert_eq!(audited.lines(), ["bob old-service-credential signing-certificate open re-checked"]);
}

#[test]
fn old_key_that_was_reactivated_is_found() {
    let account = StandIn::shared().account(Seed::empty());
    let made = account.change(json!([{"create_user": {"name": "carol", "created": 400, "keys": [
        {"created": 300, "last_used": 200, "status": "Inactive"},
        {"created": 300.5, "last_used": 150},
    ]}}]));
    let (first, second) = (ending(&made[0]["keys"][0]), ending(&made[0]["keys"][1]));
    account.make_report(1.0);
    account.change(json!([{"set_key_status": {"user": "carol", "key": 1, "status": "Active"}}]));
    let mut expected = [stale_key("carol", &first), stale_key("carol", &second)];
    expected.sort();
    assert_eq!(audit(&account, &[]).lines(), expected);
}

#[test]
fn user_missing_from_the_report_is_found() {
    let (account, key) = with_alice();
    account.change(json!([{"rename_user": {"user": "alice", "to": "alicia"}}]));
    let audited = audit(&account, &[]);
    let password = STALE_PASSWORD.replace("alice", "alicia");
    assert_eq!(audited.lines(), [stale_key("alicia", &key), password]);
    assert_eq!(audited.cleared(), ["alice password user-gone", "alice access-key user-gone"]);
}

#[test]
fn password_changed_by_an_administrator_is_not_stale() {
    // The login profile keeps its date; the report has the date of the change.
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([{"create_user": {
        "name": "dave",
        "created": 400,
        "password": {"changed": 3, "profile_created": 390, "last_used": null},
        "keys": [{"created": 300, "last_used": 200}],
    }}]));
    let lines = audit(&account, &[]).lines();
    assert!(lines.iter().all(|line| !line.contains("stale-password")), "{lines:?}");
}

#[test]
fn finding_has_the_same_id_in_a_csv_and_in_a_live_audit() {
    let account = StandIn::shared().account(Seed::users(120, 11));
    let checked = audit(&account, &[]);
    let unchecked = audit(&account, &["--recheck", "false"]);
    let mut export = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut export, account.exported_report().as_bytes()).unwrap();
    let file = export.path().to_str().unwrap();
    let exported = audit_in(&[], &["--credential-report", file]);
    account.faults(json!({"deny": ["ListUsers", "ListAccessKeys", "GetLoginProfile"]}));
    let failed = audit(&account, &[]);
    assert!(checked.stale_ids().len() > 20, "{}", checked.stale_ids().len());
    assert_eq!(checked.stale_ids(), exported.stale_ids());
    assert_eq!(checked.stale_ids(), unchecked.stale_ids());
    assert_eq!(checked.stale_ids(), failed.stale_ids());
    let codes = [&checked, &exported, &unchecked, &failed].map(|it| it.code);
    assert_eq!(codes, [1, 1, 1, 3], "{}", exported.stderr);
    let evidence = |audited: &super::Audited| {
        let lines = audited.lines();
        let stale = lines.iter().find(|line| line.contains("stale-")).unwrap();
        stale.rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(evidence(&checked), "re-checked");
    assert_eq!(evidence(&unchecked), "credential-report");
    assert_eq!(evidence(&failed), "not-re-checked");
}

#[test]
fn user_with_a_bedrock_key_or_an_ssh_key_is_not_without_credentials() {
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([
        {"create_user": {"name": "nobody", "created": 400}},
        {"create_user": {"name": "model", "created": 400}},
        {"add_service_credential": {"user": "model", "service": "bedrock.amazonaws.com", "created": 5}},
        {"create_user": {"name": "pusher", "created": 400}},
        {"add_ssh_key": {"user": "pusher", "created": 200}},
    ]));
    let lines = audit(&account, &[]).lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0], "nobody user-without-credentials user open credential-report");
    assert!(lines[1].starts_with("pusher old-service-credential "), "{lines:?}");
}

#[test]
fn expired_api_key_is_not_a_credential_in_use() {
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([
        {"create_user": {"name": "model", "created": 400, "keys": [{"created": 5}]}},
        {"add_service_credential": {"user": "model", "service": "bedrock.amazonaws.com",
            "created": 300, "expires": 200}},
        {"add_service_credential": {"user": "model", "service": "codecommit.amazonaws.com",
            "created": 300}},
    ]));
    let lines = audit(&account, &[]).lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn ssh_keys_of_unflagged_users_are_listed_on_request() {
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([
        {"create_user": {"name": "erin", "created": 400, "keys": [{"created": 5}]}},
        {"add_ssh_key": {"user": "erin", "created": 200}},
    ]));
    let some = audit(&account, &[]);
    assert!(some.lines().is_empty());
    assert_eq!(some.coverage()["old-service-credential"], "not-shown");
    let all = audit(&account, &["--ssh-keys", "all"]);
    assert_eq!(all.lines().len(), 1);
    assert_eq!(all.coverage()["old-service-credential"], "complete");
}
