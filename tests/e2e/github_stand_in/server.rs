//! The server and its emulator end with the process that started them.

use super::client::Requests as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use stand_ins::github::GitHub;
use stand_ins::services::{is_open, wait_until_closed};

#[test]
fn server_and_its_emulator_listen_only_on_loopback() {
    let server = GitHub::shared();
    for port in [server.port(), server.emulator_port()] {
        assert!(is_open(port));
        // A server on all addresses would accept this one as well.
        let other = SocketAddr::from(([127, 0, 0, 2], port));
        assert!(TcpStream::connect_timeout(&other, Duration::from_secs(1)).is_err());
    }
}

#[test]
fn separate_server_ends_when_it_is_dropped() {
    let own = GitHub::start();
    let (port, emulator) = (own.port(), own.emulator_port());
    assert_eq!(own.repository("private").get("").status, 200);
    drop(own);
    assert!(!is_open(port));
    wait_until_closed(emulator);
}

/// Not a test: the process that [`server_ends_with_its_owner`] starts and kills.
#[test]
#[ignore = "started by another test"]
fn owner_process() {
    let own = GitHub::shared();
    let line = format!("\nports {} {}\n", own.port(), own.emulator_port());
    std::io::stdout().write_all(line.as_bytes()).unwrap();
    // Until this process is killed, or its parent ends.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn server_ends_with_its_owner() {
    stand_ins::services::assert_ends_with_owner("github_stand_in::server::owner_process");
}
