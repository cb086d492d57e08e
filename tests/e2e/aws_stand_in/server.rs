//! The server keeps connections open and ends with the process that started it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::aws_stand_in::call::{Credentials, call, form, port};
use stand_ins::aws::{Seed, StandIn};

#[test]
fn one_connection_serves_many_calls() {
    let account = StandIn::shared().account(Seed::users(3, 1));
    let mut stream = TcpStream::connect(("127.0.0.1", port(&account))).unwrap();
    for _ in 0..3 {
        let body = form("ListUsers", &[]);
        let mut head = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in Credentials::of(&account).headers("iam") {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        while !answer.contains("</ListUsersResponse>") {
            let mut chunk = [0; 4096];
            let count = stream.read(&mut chunk).unwrap();
            assert_ne!(count, 0, "the connection stays open: {answer}");
            answer.push_str(std::str::from_utf8(&chunk[..count]).unwrap());
        }
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(!answer.contains("Connection: close"), "{answer}");
    }
    assert_eq!(account.log().len(), 3);
}

#[test]
fn server_listens_only_on_loopback() {
    let port = port(&StandIn::shared().account(Seed::empty()));
    // A server on all addresses would accept this one as well.
    let other = SocketAddr::from(([127, 0, 0, 2], port));
    assert!(TcpStream::connect_timeout(&other, Duration::from_secs(1)).is_err());
}

#[test]
fn separate_server_ends_when_it_is_dropped() {
    let own = StandIn::start();
    let port = own.port();
    assert_ne!(port, StandIn::shared().port());
    assert_eq!(call(&own.account(Seed::empty()), "iam:ListUsers", &[]).status, 200);
    drop(own);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

/// Not a test: the process that [`server_ends_with_its_owner`] starts and kills.
#[test]
#[ignore = "started by another test"]
fn owner_process() {
    let own = StandIn::shared();
    let line = format!("\nports {}\n", own.port());
    std::io::stdout().write_all(line.as_bytes()).unwrap();
    // Until this process is killed, or its parent ends.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn server_ends_with_its_owner() {
    stand_ins::services::assert_ends_with_owner("aws_stand_in::server::owner_process");
}
