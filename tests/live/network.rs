//! Proxies and private roots: the network as it is in companies.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::audit_in;
use super::aws::{self, Account, Seed, StandIn};
use super::sandbox::{Sandbox, repository};

/// TLS before the stand-in, with a certificate of a private authority. Ends with its standard
/// input, which this process holds.
struct TlsFront {
    child: Child,
    port: u16,
}

impl TlsFront {
    fn start(target: u16, sandbox: &Sandbox) -> Self {
        let mut child = Command::new(aws::python())
            .arg(repository("tests/support/tls_front.py"))
            .arg(target.to_string())
            .arg(sandbox.path("ca.pem"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap() }
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A proxy that tunnels wherever it is asked to, and remembers where that was. Its threads end
/// with this process.
struct Proxy {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&asked);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let remembered = Arc::clone(&remembered);
                std::thread::spawn(move || tunnel(client.unwrap(), &remembered));
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn tunnel(mut client: TcpStream, remembered: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().next().unwrap().to_owned();
    let mut words = line.split(' ');
    assert_eq!(words.next(), Some("CONNECT"), "{line}");
    let target = words.next().unwrap().replace("localhost", "127.0.0.1");
    remembered.lock().unwrap().push(line);
    let mut server = TcpStream::connect(target).unwrap();
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
    let (mut from_client, mut to_server) =
        (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}

/// The runner's variables with everything behind TLS.
fn behind_tls(account: &Account, front: &TlsFront) -> Vec<(String, String)> {
    let secure = format!("https://localhost:{}", front.port);
    let environment = account.oidc_environment().into_iter();
    environment.map(|(name, value)| (name, value.replace(&account.endpoint(), &secure))).collect()
}

fn more(environment: &[(String, String)], more: &[(&str, String)]) -> Vec<(String, String)> {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    environment.iter().cloned().chain(more).collect()
}

#[test]
fn private_roots_and_proxies_are_those_of_the_environment() {
    let account = StandIn::shared().account(Seed::users(10, 61));
    let sandbox = Sandbox::new();
    let front = TlsFront::start(StandIn::shared().port(), &sandbox);
    let environment = behind_tls(&account, &front);
    let role = ["--role-to-assume", account.role_arn(), "--no-recheck", "--timeout", "20"];

    // Nobody knows the authority: nothing is sent, neither to GitHub's endpoint nor to AWS.
    let unknown = audit_in(&environment, &role);
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    assert!(unknown.stderr.to_lowercase().contains("certificate"), "{}", unknown.stderr);
    assert!(account.log().is_empty() && account.token_requests().is_empty());

    let ca = sandbox.path("ca.pem").display().to_string();
    let trusting = more(&environment, &[("SSL_CERT_FILE", ca)]);
    let direct = audit_in(&trusting, &role);
    assert_eq!(direct.code, 1, "{}", direct.stderr);

    let proxy = Proxy::start();
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let proxied = more(&trusting, &[("HTTPS_PROXY", address.clone())]);
    let through = audit_in(&proxied, &role);
    assert_eq!(through.code, 1, "{}", through.stderr);
    assert_eq!(through.stale_ids(), direct.stale_ids());
    let asked = proxy.asked();
    // The token's client and the SDK's.
    assert!(asked.len() >= 2, "{asked:?}");
    let expected = format!("CONNECT localhost:{} ", front.port);
    assert!(asked.iter().all(|line| line.starts_with(&expected)), "{asked:?}");

    let excepted = more(&proxied, &[("NO_PROXY", "localhost".to_owned())]);
    let around = audit_in(&excepted, &role);
    assert_eq!(around.code, 1, "{}", around.stderr);
    assert_eq!(proxy.asked().len(), asked.len(), "NO_PROXY goes around the proxy");
}
