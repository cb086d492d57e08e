//! Faults for one account and the named actions.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::aws_stand_in::call::{Credentials, call, form, port};
use stand_ins::aws::{Account, Seed, StandIn};

fn account() -> Account {
    StandIn::shared().account(Seed::users(20, 1))
}

/// The results of this many calls: `200`, or the status and error code.
fn answers(account: &Account, action: &str, times: usize) -> Vec<String> {
    let result = |_| {
        let answer = call(account, action, &[]);
        format!("{} {}", answer.status, answer.text("Code")).trim().to_owned()
    };
    (0..times).map(result).collect()
}

#[test]
fn every_nth_call_is_throttled_up_to_a_maximum() {
    let account = account();
    account.faults(json!({ "throttle": { "every": 3, "max": 2, "actions": ["iam:ListUsers"] } }));
    assert_eq!(answers(&account, "iam:ListAccountAliases", 3), ["200"; 3]);
    let ok = "200";
    let throttled = "400 Throttling";
    let expected = [ok, ok, throttled, ok, ok, throttled, ok, ok, ok];
    assert_eq!(answers(&account, "iam:ListUsers", 9), expected);
    account.faults(json!({ "throttle": { "code": "RequestLimitExceeded", "status": 503 } }));
    assert_eq!(answers(&account, "sts:GetCallerIdentity", 1), ["503 RequestLimitExceeded"]);
    let statuses: Vec<_> = account.log().into_iter().map(|call| call.status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 400, 200, 200, 400, 200, 200, 200, 503]);
}

#[test]
fn burst_is_allowed_and_then_throttled() {
    let account = account();
    // At this rate no further call is allowed while the test runs.
    account.faults(json!({ "burst": { "rate": 0.000_001, "burst": 3 } }));
    let expected = ["200", "200", "200", "400 Throttling", "400 Throttling"];
    assert_eq!(answers(&account, "iam:ListUsers", 5), expected);
    account.faults(json!({ "burst": { "rate": 1_000_000, "burst": 1 } }));
    assert_eq!(answers(&account, "iam:ListUsers", 5), ["200"; 5]);
}

#[test]
fn errors_have_the_status_and_code_of_the_service() {
    let account = account();
    account.faults(json!({ "error": [
        { "status": 500, "max": 1, "actions": ["ListUsers"] },
        { "status": 503, "max": 1, "actions": ["GetUser"] },
    ] }));
    assert_eq!(answers(&account, "iam:ListUsers", 2), ["500 ServiceFailure", "200"]);
    assert_eq!(answers(&account, "iam:GetUser", 1), ["503 ServiceUnavailable"]);
}

#[test]
fn only_the_nth_call_of_an_action_fails() {
    let account = account();
    account.faults(json!({ "error": {
        "nth": 2, "actions": ["ListUsers"], "code": "DeleteConflict", "status": 409,
    } }));
    let expected = ["200", "409 DeleteConflict", "200", "200"];
    assert_eq!(answers(&account, "iam:ListUsers", 4), expected);
}

#[test]
fn failed_call_changes_nothing() {
    let account = account();
    account.change(json!([{ "create_user": { "name": "anna", "keys": [{}] } }]));
    let before = account.user("anna");
    let key = before["keys"][0]["id"].as_str().unwrap().to_owned();
    let delete = || {
        let fields = [("UserName", "anna"), ("AccessKeyId", key.as_str())];
        call(&account, "iam:DeleteAccessKey", &fields).status
    };
    for (fault, status) in [
        (json!({ "throttle": { "max": 1 } }), 400),
        (json!({ "error": { "max": 1, "status": 503 } }), 503),
        (json!({ "deny": ["iam:DeleteAccessKey"] }), 403),
        (json!({ "expired": { "after": 0 } }), 403),
    ] {
        account.faults(fault);
        assert_eq!(delete(), status);
        assert_eq!(account.user("anna"), before);
    }
    account.faults(json!({}));
    assert_eq!(delete(), 200);
    assert_eq!(account.user("anna")["keys"], json!([]));
}

#[test]
fn actions_and_accounts_can_be_denied() {
    let account = account();
    account.faults(json!({ "deny": ["iam:ListUsers", "AssumeRole"] }));
    let denied = "403 AccessDenied";
    assert_eq!(answers(&account, "iam:ListUsers", 1), [denied]);
    assert_eq!(answers(&account, "sts:AssumeRole", 1), [denied]);
    assert_eq!(answers(&account, "iam:GenerateCredentialReport", 1), ["200"]);
    account.faults(json!({ "deny_account": true }));
    assert_eq!(answers(&account, "iam:GenerateCredentialReport", 1), [denied]);
    assert_eq!(answers(&account, "sts:GetCallerIdentity", 1), ["200"]);
}

#[test]
fn credentials_expire_after_some_calls_and_new_ones_work() {
    let account = account();
    account.faults(json!({ "expired": { "after": 2 } }));
    let expected = ["200", "200", "403 ExpiredToken", "403 ExpiredToken"];
    assert_eq!(answers(&account, "iam:ListUsers", 4), expected);
    let hub = StandIn::shared().account(Seed::empty());
    let fields = [("RoleArn", account.role_arn()), ("RoleSessionName", "again")];
    let fresh = Credentials::in_answer(&call(&hub, "sts:AssumeRole", &fields));
    assert_eq!(fresh.call(port(&account), "iam:ListUsers", &[]).status, 200);
}

/// Sends a call over its own connection.
fn send(account: &Account, action: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port(account))).unwrap();
    let body = form(action, &[]);
    let mut head = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in Credentials::of(account).headers("iam") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
    stream
}

/// The content length of the response, and the number of body bytes received so far.
fn body_progress(received: &[u8]) -> Option<(usize, usize)> {
    let text = std::str::from_utf8(received).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.split("Content-Length: ").nth(1)?.split("\r\n").next()?;
    Some((length.parse().unwrap(), body.len()))
}

#[test]
fn reset_interrupts_the_body() {
    let account = account();
    account.faults(json!({ "reset": { "actions": ["ListUsers"], "max": 1 } }));
    let mut stream = send(&account, "ListUsers");
    let mut bytes = Vec::new();
    let error = stream.read_to_end(&mut bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    if let Some((length, received)) = body_progress(&bytes) {
        assert!(received < length, "{received} of {length} bytes");
    }
    assert_eq!(answers(&account, "iam:ListUsers", 1), ["200"]);
}

#[test]
fn stalled_body_stops_halfway() {
    let account = account();
    account.faults(json!({ "stall": { "actions": ["ListUsers"], "max": 1 } }));
    let mut stream = send(&account, "ListUsers");
    let (mut bytes, mut chunk) = (Vec::new(), [0; 1024]);
    let (length, half) = loop {
        let count = stream.read(&mut chunk).unwrap();
        assert_ne!(count, 0, "the connection stays open");
        bytes.extend_from_slice(&chunk[..count]);
        if let Some((length, received)) = body_progress(&bytes)
            && received >= length / 2
        {
            break (length, received);
        }
    };
    assert_eq!(half, length / 2);
    // No more bytes arrive, although the connection is open.
    stream.set_nonblocking(true).unwrap();
    assert_eq!(stream.read(&mut chunk).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(answers(&account, "iam:ListUsers", 1), ["200"]);
}

#[test]
fn slow_response_is_delayed() {
    let account = account();
    account.faults(json!({ "slow": { "seconds": 3_600, "actions": ["ListUsers"], "max": 1 } }));
    let mut stream = send(&account, "ListUsers");
    // The call has arrived. Others are answered, and this one still waits.
    while account.log().is_empty() {}
    assert_eq!(answers(&account, "iam:ListUsers", 2), ["200", "200"]);
    stream.set_nonblocking(true).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    account.faults(json!({ "latency": { "milliseconds": 20 } }));
    account.reset_log();
    assert_eq!(answers(&account, "iam:ListUsers", 1), ["200"]);
    let call = &account.log()[0];
    assert!(call.until.unwrap() - call.at >= 0.02, "{call:?}");
}

#[test]
fn accounts_are_independent() {
    let (one, other) = (account(), StandIn::shared().account(Seed::users(3, 1)));
    one.faults(json!({ "deny_account": true }));
    one.policy(json!({ "Statement": [] }));
    one.report_delay(3_600.0);
    assert_ne!(one.id(), other.id());
    assert_eq!(answers(&one, "iam:ListUsers", 1), ["403 AccessDenied"]);
    let users = call(&other, "iam:ListUsers", &[]).texts("UserName");
    assert_eq!(users, ["user-00000", "user-00001", "user-00002"]);
    other.change(json!([{ "delete_user": { "user": "user-00001" } }]));
    assert_eq!(one.truth()["users"].as_array().unwrap().len(), 20);
    assert_eq!((one.log().len(), other.log().len()), (1, 1));
    other.reset_log();
    assert_eq!((one.log().len(), other.log().len()), (1, 0));
}

#[test]
fn unknown_fault_is_rejected() {
    for (faults, complaint) in [
        (json!({ "thottle": {} }), "no such fault: thottle"),
        (json!({ "throttle": { "evry": 3 } }), "throttle has no field evry"),
        (json!({ "oidc": "no-idea" }), "no such fault of oidc: no-idea"),
        (json!({ "hold": { "action": "GetUser", "when": "later" } }), "hold is before or after"),
    ] {
        let refused = std::panic::catch_unwind(|| account().faults(faults)).unwrap_err();
        let message = refused.downcast_ref::<String>().unwrap();
        assert!(message.contains(complaint), "{message}");
    }
}
