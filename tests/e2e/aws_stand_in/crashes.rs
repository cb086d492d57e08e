//! Lost responses, and calls at which the stand-in waits so that a test can simulate a crash.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::aws_stand_in::call::{Credentials, call, form, port};
use stand_ins::aws::{Account, Seed, StandIn};

/// An account with a user who has two keys.
fn account() -> Account {
    let account = StandIn::shared().account(Seed::empty());
    account.change(json!([{ "create_user": { "name": "anna", "keys": [{}, {}] } }]));
    account
}

fn keys(account: &Account) -> Vec<Value> {
    account.user("anna")["keys"].as_array().unwrap().clone()
}

/// Sends the deletion of Anna's first key over its own connection.
fn delete_first_key(account: &Account) -> TcpStream {
    let key = keys(account)[0]["id"].as_str().unwrap().to_owned();
    let mut stream = TcpStream::connect(("127.0.0.1", port(account))).unwrap();
    let body = form("DeleteAccessKey", &[("UserName", "anna"), ("AccessKeyId", &key)]);
    let mut head = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in Credentials::of(account).headers("iam") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
    stream
}

/// The error of a connection that ends without a response.
fn connection_error(stream: &mut TcpStream) -> ErrorKind {
    let mut received = Vec::new();
    let error = stream.read_to_end(&mut received).unwrap_err();
    assert_eq!(received, b"");
    error.kind()
}

#[test]
fn response_is_lost_after_the_call_takes_effect() {
    let account = account();
    account.faults(json!({ "lost": { "actions": ["DeleteAccessKey"], "max": 1 },
                           "throttle": { "nth": 1, "actions": ["DeleteAccessKey"] } }));
    // A failed call changes nothing, and its response arrives.
    let throttled = [("UserName", "anna"), ("AccessKeyId", "any")];
    assert_eq!(call(&account, "iam:DeleteAccessKey", &throttled).status, 400);
    assert_eq!(keys(&account).len(), 2);
    let mut stream = delete_first_key(&account);
    assert_eq!(connection_error(&mut stream), ErrorKind::ConnectionReset);
    assert_eq!(keys(&account).len(), 1);
    let mut stream = delete_first_key(&account);
    assert_ne!(stream.read(&mut [0; 1]).unwrap(), 0, "the next response arrives");
    assert_eq!(keys(&account).len(), 0);
}

#[test]
fn call_held_before_it_takes_effect_never_takes_effect() {
    let account = account();
    let hold = json!({ "hold": { "action": "iam:DeleteAccessKey", "nth": 1, "when": "before" } });
    account.faults(hold.clone());
    assert!(!account.held());
    let stream = delete_first_key(&account);
    while !account.held() {}
    // Other calls are answered, and this one is not.
    assert_eq!(call(&account, "iam:ListUsers", &[]).status, 200);
    stream.set_nonblocking(true).unwrap();
    assert_eq!((&stream).read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(keys(&account).len(), 2);
    // The client disconnects.
    drop(stream);
    while account.held() {}
    assert_eq!(keys(&account).len(), 2);
    assert_eq!(account.log()[0].status, 0);

    // The faults are replaced.
    account.faults(hold);
    let mut stream = delete_first_key(&account);
    while !account.held() {}
    account.faults(json!({}));
    assert_eq!(connection_error(&mut stream), ErrorKind::ConnectionReset);
    assert!(!account.held());
    assert_eq!(keys(&account).len(), 2);
}

#[test]
fn call_held_after_it_takes_effect_has_taken_effect() {
    let account = account();
    account.faults(json!({ "hold": { "action": "DeleteAccessKey", "nth": 2, "when": "after" } }));
    let mut first = delete_first_key(&account);
    assert_ne!(first.read(&mut [0; 1]).unwrap(), 0, "the first response arrives");
    assert!(!account.held());
    let second = delete_first_key(&account);
    while !account.held() {}
    assert_eq!(keys(&account).len(), 0);
    drop(second);
    while account.held() {}
    assert_eq!(keys(&account).len(), 0);
}

#[test]
fn failed_call_is_not_held() {
    let account = account();
    account.faults(json!({ "hold": { "action": "DeleteAccessKey", "when": "after" },
                           "deny": ["iam:DeleteAccessKey"] }));
    let fields = [("UserName", "anna"), ("AccessKeyId", "any")];
    assert_eq!(call(&account, "iam:DeleteAccessKey", &fields).status, 403);
    account.faults(json!({ "hold": { "action": "DeleteAccessKey", "when": "after" } }));
    assert_eq!(call(&account, "iam:DeleteAccessKey", &fields).status, 404);
    let stream = delete_first_key(&account);
    while !account.held() {}
    drop(stream);
}
