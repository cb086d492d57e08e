//! A company network: TLS with a private certificate authority, and a proxy.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A TLS endpoint in front of a stand-in, with a certificate of a private authority. It ends when
/// its standard input, which this process keeps open, is closed.
pub struct TlsFront {
    child: Child,
    pub port: u16,
}

impl TlsFront {
    /// Starts it in front of the server at port `target`. The authority's certificate is written to
    /// `ca`. `python` must have the packages of the AWS stand-in.
    pub fn start(python: &Path, target: u16, ca: &Path) -> Self {
        let support = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(python)
            .arg(support.join("tls_front.py"))
            .arg(target.to_string())
            .arg(ca)
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

/// An HTTP proxy that opens any tunnel and records the requests. Its threads end with this process.
pub struct Proxy {
    pub port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&requests);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let recorded = Arc::clone(&recorded);
                std::thread::spawn(move || tunnel(client.unwrap(), &recorded));
            }
        });
        Self { port, requests }
    }

    /// The first lines of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn tunnel(mut client: TcpStream, recorded: &Mutex<Vec<String>>) {
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
    recorded.lock().unwrap().push(line);
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

/// The environment with additional variables.
pub fn more(environment: &[(String, String)], more: &[(&str, String)]) -> Vec<(String, String)> {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    environment.iter().cloned().chain(more).collect()
}
