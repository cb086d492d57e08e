//! The network as it is in companies: TLS of a private authority, and a proxy.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// TLS before the stand-in, with a certificate of a private authority. Ends with its standard
/// input, which this process holds.
pub struct TlsFront {
    child: Child,
    pub port: u16,
}

impl TlsFront {
    /// Before the server at `target`; the authority's certificate is written to `ca`. `python` has the
    /// packages of the AWS stand-in.
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

/// A proxy that tunnels wherever it is asked to, and remembers where that was. Its threads end
/// with this process.
pub struct Proxy {
    pub port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn start() -> Self {
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

    /// The first lines of the requests so far.
    pub fn asked(&self) -> Vec<String> {
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

/// The environment, and more.
pub fn more(environment: &[(String, String)], more: &[(&str, String)]) -> Vec<(String, String)> {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    environment.iter().cloned().chain(more).collect()
}
