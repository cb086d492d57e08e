//! An account's clock, which a test moves as days go by.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::aws_stand_in::call::{Credentials, call, port};
use stand_ins::aws::{Account, Seed, StandIn};

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// What it is by the account's clock.
fn now(account: &Account) -> DateTime<Utc> {
    moment(account.truth()["now"].as_str().unwrap())
}

/// When the account's report was made, after it was asked for.
fn report_made(account: &Account) -> DateTime<Utc> {
    call(account, "iam:GenerateCredentialReport", &[]);
    moment(&call(account, "iam:GetCredentialReport", &[]).text("GeneratedTime"))
}

#[test]
fn what_is_dated_goes_by_the_clock_of_the_account() {
    let account = StandIn::shared().account(Seed::empty());
    let still = StandIn::shared().account(Seed::empty());
    let begun = now(&account);
    account.clock(100.0);
    account.change(json!([{ "create_user": { "name": "anna", "keys": [{ "created": 20 }] } }]));
    account.change(json!([{ "use_key": { "user": "anna" } }]));
    let key = account.truth()["users"][0]["keys"][0].clone();
    let of = |field: &str| moment(key[field].as_str().unwrap());
    assert!(of("last_used") >= begun + TimeDelta::days(100), "{key}");
    assert!(of("last_used") <= now(&account), "{key}");
    assert!(of("created") >= begun + TimeDelta::days(80), "{key}");
    assert!(of("created") < begun + TimeDelta::days(81), "{key}");
    // moto goes by it as well.
    let made = call(&account, "iam:CreateAccessKey", &[("UserName", "anna")]);
    assert!(moment(&made.text("CreateDate")) >= begun + TimeDelta::days(100), "{}", made.body);
    assert!(now(&still) < begun + TimeDelta::days(1));
}

#[test]
fn a_report_is_as_old_as_the_clock_says() {
    let account = StandIn::shared().account(Seed::empty());
    let first = report_made(&account);
    assert_eq!(report_made(&account), first);
    account.clock(100.0);
    let second = report_made(&account);
    assert!(second >= first + TimeDelta::days(100), "{first} {second}");
    assert!(second <= now(&account));
    account.make_report(2.0);
    let age = now(&account) - report_made(&account);
    assert!(age >= TimeDelta::hours(2) && age < TimeDelta::hours(3), "{age}");
}

#[test]
fn a_clock_that_stands_gives_everything_the_same_moment() {
    let account = StandIn::shared().account(Seed::empty());
    let at = now(&account) + TimeDelta::days(20);
    account.stop_clock(&at.to_rfc3339());
    assert_eq!((now(&account), report_made(&account)), (at, at));
    account.change(json!([{ "create_user": { "name": "anna", "keys": [{ "last_used": 0 }] } }]));
    let key = &account.truth()["users"][0]["keys"][0];
    assert_eq!(moment(key["last_used"].as_str().unwrap()), at);
}

#[test]
fn sessions_live_on_the_clock_of_the_machine() {
    let account = StandIn::shared().account(Seed::empty());
    let begun = now(&account);
    account.clock(100.0);
    assert_eq!(call(&account, "iam:ListUsers", &[]).status, 200);
    let fields = [("RoleArn", account.role_arn()), ("RoleSessionName", "again")];
    let answer = call(&account, "sts:AssumeRole", &fields);
    assert!(moment(&answer.text("Expiration")) < begun + TimeDelta::days(1), "{}", answer.body);
    let session = Credentials::in_answer(&answer);
    assert_eq!(session.call(port(&account), "iam:ListUsers", &[]).status, 200);
}
