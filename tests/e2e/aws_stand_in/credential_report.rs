//! The credential report: its states, its lifetime, and its content.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::aws_stand_in::call::{Answer, call};
use stand_ins::aws::{Account, Seed, StandIn};

fn generate(account: &Account) -> Answer {
    call(account, "iam:GenerateCredentialReport", &[])
}

fn get(account: &Account) -> Answer {
    call(account, "iam:GetCredentialReport", &[])
}

fn csv(account: &Account) -> String {
    let answer = get(account);
    assert_eq!(answer.status, 200, "{}", answer.body);
    String::from_utf8(BASE64_STANDARD.decode(answer.text("Content")).unwrap()).unwrap()
}

/// A new report as CSV.
fn new_report(account: &Account) -> String {
    account.expire_report();
    generate(account);
    csv(account)
}

#[test]
fn report_is_started_then_in_progress_then_complete() {
    // Longer than any test. It is completed below.
    let account = StandIn::shared().account(Seed::users(5, 1).report_delay(3_600.0));
    let missing = get(&account);
    assert_eq!(missing.error(), (410, "ReportNotPresent".to_owned()));
    assert!(!missing.body.contains("<Message>"), "{}", missing.body);
    assert_eq!(generate(&account).text("State"), "STARTED");
    assert_eq!(generate(&account).text("State"), "INPROGRESS");
    assert_eq!(get(&account).error(), (404, "ReportInProgress".to_owned()));

    account.make_report(0.0);
    assert_eq!(generate(&account).text("State"), "COMPLETE");
    let kept = csv(&account);
    account.change(json!([{ "create_user": { "name": "late" } }]));
    assert_eq!(generate(&account).text("State"), "COMPLETE");
    assert_eq!(csv(&account), kept);
    account.report_delay(0.0);
    assert!(new_report(&account).contains("\nlate,"));
}

#[test]
fn report_is_kept_for_four_hours() {
    let account = StandIn::shared().account(Seed::users(2, 1));
    account.make_report(3.9);
    assert_eq!(generate(&account).text("State"), "COMPLETE");
    let made = get(&account).text("GeneratedTime");
    account.make_report(4.1);
    assert_eq!(get(&account).error(), (410, "ReportExpired".to_owned()));
    assert_eq!(generate(&account).text("State"), "STARTED");
    assert!(get(&account).text("GeneratedTime") > made);
}

#[test]
fn report_has_the_columns_of_iam_and_no_last_line_break() {
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([
        { "create_user": {
            "name": "smith,john", "path": "/a\"b/", "created": "2020-01-02T03:04:05+01:00",
            "password": { "changed": "2021-01-01T00:00:00Z", "last_used": "2026-05-06T07:08:09Z" },
            "mfa": true,
            "keys": [
                { "created": "2022-01-01T00:00:00Z", "status": "Inactive" },
                { "created": "2023-01-01T00:00:00Z", "last_used": "2026-01-01T00:00:00Z",
                  "service": "s3" },
            ],
            "certificates": [{ "created": "2024-01-01T00:00:00Z" }],
        } },
        { "create_user": {
            "name": "ann", "created": "2020-01-01T00:00:00Z",
            "password": { "changed": "2021-01-01T00:00:00Z" },
            "keys": [{ "created": "2023-01-01T00:00:00Z", "last_used": "2026-01-01T00:00:00Z",
                       "service": "ec2", "region": "eu-west-1" }],
        } },
        { "root": { "keys": [{ "created": "2022-02-02T02:02:02Z" }] } },
    ]));
    let id = account.id();
    let expected = format!(
        "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
         password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,\
         access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,\
         access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,\
         access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
         cert_1_last_rotated,cert_2_active,cert_2_last_rotated\n\
         <root_account>,arn:aws:iam::{id}:root,2019-01-01T00:00:00Z,true,2026-01-01T00:00:00Z,\
         2019-01-01T00:00:00Z,not_supported,true,true,2022-02-02T02:02:02Z,N/A,N/A,N/A,\
         false,N/A,N/A,N/A,N/A,false,N/A,false,N/A\n\
         \"smith,john\",\"arn:aws:iam::{id}:user/a\"\"b/smith,john\",2020-01-02T02:04:05Z,true,\
         2026-05-06T07:08:09Z,2021-01-01T00:00:00Z,N/A,true,false,2022-01-01T00:00:00Z,N/A,N/A,N/A,\
         true,2023-01-01T00:00:00Z,2026-01-01T00:00:00Z,N/A,s3,true,2024-01-01T00:00:00Z,false,N/A\n\
         ann,arn:aws:iam::{id}:user/ann,2020-01-01T00:00:00Z,true,no_information,\
         2021-01-01T00:00:00Z,N/A,false,true,2023-01-01T00:00:00Z,2026-01-01T00:00:00Z,eu-west-1,\
         ec2,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
    );
    assert_eq!(new_report(&account), expected);
}

#[test]
fn third_key_adds_a_column() {
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([
        { "create_user": { "name": "two", "keys": [{}, {}] } },
        { "create_user": { "name": "three", "keys": [{}, {}] } },
    ]));
    assert!(!new_report(&account).contains("additional_credentials_info"));
    account.change(json!([{ "add_key": { "user": "three" } }]));
    let report = new_report(&account);
    let lines: Vec<_> = report.lines().collect();
    assert!(lines[0].ends_with(",additional_credentials_info"), "{}", lines[0]);
    assert!(lines[2].starts_with("two,") && lines[2].ends_with(','), "{}", lines[2]);
    assert!(lines[3].ends_with(",1 additional access key: use ListAccessKeys"), "{}", lines[3]);
}

#[test]
fn faults_of_the_report_happen_as_often_as_requested() {
    let account = StandIn::shared().account(Seed::users(2, 1));
    account.faults(json!({ "limit_exceeded": 2, "report_expired": 1 }));
    for _ in 0..2 {
        assert_eq!(generate(&account).error(), (409, "LimitExceeded".to_owned()));
    }
    assert_eq!(generate(&account).text("State"), "STARTED");
    assert_eq!(get(&account).error(), (410, "ReportExpired".to_owned()));
    assert_eq!(get(&account).error(), (410, "ReportNotPresent".to_owned()));
    assert_eq!(generate(&account).text("State"), "STARTED");
    assert_eq!(get(&account).status, 200);

    account.faults(json!({ "report_in_progress": 3_600 }));
    assert_eq!(generate(&account).text("State"), "INPROGRESS");
    assert_eq!(get(&account).error(), (404, "ReportInProgress".to_owned()));
    account.faults(json!({}));
    assert_eq!(get(&account).status, 200);
}
