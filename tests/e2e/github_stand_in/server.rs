//! The server and its emulator end with the process that started them.

use super::client::Requests as _;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use stand_ins::github::GitHub;

/// The longest time that a test waits.
const TIMEOUT: Duration = Duration::from_secs(60);

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Waits until nothing listens on the port.
fn wait_for_end(port: u16) {
    let limit = Instant::now() + TIMEOUT;
    while answers(port) {
        assert!(Instant::now() < limit, "port {port} is still listened on");
        std::thread::yield_now();
    }
}

#[test]
fn server_and_its_emulator_listen_only_on_loopback() {
    let server = GitHub::shared();
    for port in [server.port(), server.emulator_port()] {
        assert!(answers(port));
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
    assert!(!answers(port));
    wait_for_end(emulator);
}

/// Not a test: the process that [`the_server_ends_with_its_owner`] starts and kills.
#[test]
#[ignore = "started by another test"]
fn owner_process() {
    let own = GitHub::shared();
    let line = format!("\nserver {} {}\n", own.port(), own.emulator_port());
    std::io::stdout().write_all(line.as_bytes()).unwrap();
    // Until this process is killed, or its parent ends.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn server_ends_with_its_owner() {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "github_stand_in::server::owner_process", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|it| it.starts_with("server ")).unwrap();
    let ports: Vec<u16> = line.split(' ').skip(1).map(|it| it.parse().unwrap()).collect();
    let mut connection = TcpStream::connect(("127.0.0.1", ports[0])).unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    // Open connections are closed, and new ones are soon refused.
    connection.set_read_timeout(Some(TIMEOUT)).unwrap();
    let ended = connection.read(&mut [0; 1]).map_err(|error| error.kind());
    assert!(matches!(ended, Ok(0) | Err(ErrorKind::ConnectionReset)), "{ended:?}");
    ports.into_iter().for_each(wait_for_end);
}
