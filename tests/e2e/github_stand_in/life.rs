//! The server: it ends with the process that started it, and so does the emulator behind it.

use super::client::Requests as _;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use stand_ins::github::GitHub;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Waits until nobody listens on the port.
fn wait_for_end(port: u16) {
    let limit = Instant::now() + PATIENCE;
    while answers(port) {
        assert!(Instant::now() < limit, "port {port} is still listened on");
        std::thread::yield_now();
    }
}

#[test]
fn the_server_and_its_emulator_can_be_had_from_loopback_alone() {
    let server = GitHub::shared();
    for port in [server.port(), server.emulator_port()] {
        assert!(answers(port));
        // A server on all addresses would be had from this one as well.
        let other = SocketAddr::from(([127, 0, 0, 2], port));
        assert!(TcpStream::connect_timeout(&other, Duration::from_secs(1)).is_err());
    }
}

#[test]
fn a_server_of_one_s_own_ends_when_it_is_dropped() {
    let own = GitHub::start();
    let (port, emulator) = (own.port(), own.emulator_port());
    assert_eq!(own.repository("private").get("").status, 200);
    drop(own);
    assert!(!answers(port));
    wait_for_end(emulator);
}

/// No test by itself: the process that [`the_server_ends_with_its_owner`] starts and kills.
#[test]
#[ignore = "started by another test"]
fn an_owner_of_a_server() {
    let own = GitHub::shared();
    let line = format!("\nserver {} {}\n", own.port(), own.emulator_port());
    std::io::stdout().write_all(line.as_bytes()).unwrap();
    // Until it is killed, or its parent ends.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn the_server_ends_with_its_owner() {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "github_stand_in::life::an_owner_of_a_server",
            "--nocapture",
        ])
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
    // Whoever is connected learns of it, and soon nobody can connect again.
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let ended = connection.read(&mut [0; 1]).map_err(|error| error.kind());
    assert!(matches!(ended, Ok(0) | Err(ErrorKind::ConnectionReset)), "{ended:?}");
    ports.into_iter().for_each(wait_for_end);
}
