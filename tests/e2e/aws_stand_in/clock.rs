//! The clock of an account, which a test can move.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::aws_stand_in::call::{Credentials, call, port};
use stand_ins::aws::{Account, Seed, StandIn};

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The time of the account's clock.
fn now(account: &Account) -> DateTime<Utc> {
    moment(account.truth()["now"].as_str().unwrap())
}

/// Requests a report and returns its time of generation.
fn report_time(account: &Account) -> DateTime<Utc> {
    call(account, "iam:GenerateCredentialReport", &[]);
    moment(&call(account, "iam:GetCredentialReport", &[]).text("GeneratedTime"))
}

#[test]
fn dates_follow_the_clock_of_the_account() {
    let account = StandIn::shared().account(Seed::empty());
    let still = StandIn::shared().account(Seed::empty());
    let start = now(&account);
    account.clock(100.0);
    account.change(json!([{ "create_user": { "name": "anna", "keys": [{ "created": 20 }] } }]));
    account.change(json!([{ "use_key": { "user": "anna" } }]));
    let key = account.truth()["users"][0]["keys"][0].clone();
    let of = |field: &str| moment(key[field].as_str().unwrap());
    assert!(of("last_used") >= start + TimeDelta::days(100), "{key}");
    assert!(of("last_used") <= now(&account), "{key}");
    assert!(of("created") >= start + TimeDelta::days(80), "{key}");
    assert!(of("created") < start + TimeDelta::days(81), "{key}");
    // moto uses it as well.
    let made = call(&account, "iam:CreateAccessKey", &[("UserName", "anna")]);
    assert!(moment(&made.text("CreateDate")) >= start + TimeDelta::days(100), "{}", made.body);
    assert!(now(&still) < start + TimeDelta::days(1));
}

#[test]
fn age_of_a_report_follows_the_clock() {
    let account = StandIn::shared().account(Seed::empty());
    let first = report_time(&account);
    assert_eq!(report_time(&account), first);
    account.clock(100.0);
    let second = report_time(&account);
    assert!(second >= first + TimeDelta::days(100), "{first} {second}");
    assert!(second <= now(&account));
    account.make_report(2.0);
    let age = now(&account) - report_time(&account);
    assert!(age >= TimeDelta::hours(2) && age < TimeDelta::hours(3), "{age}");
}

#[test]
fn stopped_clock_gives_everything_the_same_time() {
    let account = StandIn::shared().account(Seed::empty());
    let at = now(&account) + TimeDelta::days(20);
    account.stop_clock(&at.to_rfc3339());
    assert_eq!((now(&account), report_time(&account)), (at, at));
    account.change(json!([{ "create_user": { "name": "anna", "keys": [{ "last_used": 0 }] } }]));
    let key = &account.truth()["users"][0]["keys"][0];
    assert_eq!(moment(key["last_used"].as_str().unwrap()), at);
}

#[test]
fn sessions_use_the_clock_of_the_machine() {
    let account = StandIn::shared().account(Seed::empty());
    let start = now(&account);
    account.clock(100.0);
    assert_eq!(call(&account, "iam:ListUsers", &[]).status, 200);
    let fields = [("RoleArn", account.role_arn()), ("RoleSessionName", "again")];
    let answer = call(&account, "sts:AssumeRole", &fields);
    assert!(moment(&answer.text("Expiration")) < start + TimeDelta::days(1), "{}", answer.body);
    let session = Credentials::in_answer(&answer);
    assert_eq!(session.call(port(&account), "iam:ListUsers", &[]).status, 200);
}
