//! A proxy on the loopback interface that mutates the responses of its upstream.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use fastrand::Rng;

use stand_ins::mutate::mutate;

/// The random numbers for the mutations of a round.
#[derive(Clone)]
pub(crate) struct MutationRng(Arc<Mutex<Rng>>);

impl MutationRng {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Rng::with_seed(0))))
    }

    pub(crate) fn reseed(&self, seed: u64) {
        *self.0.lock().unwrap() = Rng::with_seed(seed);
    }

    /// Mutates about every third response, mostly without its status line and headers.
    fn mutate(&self, answer: &mut Answer) {
        let mut rng = self.0.lock().unwrap();
        if rng.u8(..3) > 0 {
            return;
        }
        if rng.u8(..12) == 0 {
            let mut head = answer.head.join("\r\n").into_bytes();
            mutate(&mut rng, &mut head, &answer.body);
            let head = String::from_utf8_lossy(&head).replace("\r\n\r\n", "\r\n");
            answer.head = head.split("\r\n").map(str::to_owned).collect();
        }
        for _ in 0..rng.u8(1..=3) {
            let other = answer.body.clone();
            mutate(&mut rng, &mut answer.body, &other);
        }
    }
}

/// A response: its status line and headers, and its body without transfer encoding.
struct Answer {
    head: Vec<String>,
    body: Vec<u8>,
}

/// Starts a proxy for a port and returns the port of the proxy.
pub(crate) fn start(upstream: u16, dice: &MutationRng) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let dice = dice.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let dice = dice.clone();
            // An error, such as a connection of a killed run, ends only this thread.
            std::thread::spawn(move || drop(serve(stream, upstream, &dice)));
        }
    });
    port
}

fn serve(mut stream: TcpStream, upstream: u16, dice: &MutationRng) -> std::io::Result<()> {
    let (head, body) = message(&mut stream, false)?;
    let mut up = TcpStream::connect(("127.0.0.1", upstream))?;
    let mut request = lines_without(&head, &["connection", "expect"]).join("\r\n").into_bytes();
    request.extend_from_slice(b"\r\nConnection: close\r\n\r\n");
    request.extend_from_slice(&body);
    up.write_all(&request)?;
    let (head, body) = message(&mut up, true)?;
    let head = lines_without(&head, &["connection", "content-length", "transfer-encoding"]);
    let mut answer = Answer { head, body };
    dice.mutate(&mut answer);
    let length = format!("\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.body.len());
    stream.write_all(answer.head.join("\r\n").as_bytes())?;
    stream.write_all(length.as_bytes())?;
    stream.write_all(&answer.body)
}

fn lines_without(head: &str, names: &[&str]) -> Vec<String> {
    let is_kept = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        !names.iter().any(|other| name.eq_ignore_ascii_case(other))
    };
    head.split("\r\n").filter(is_kept).map(str::to_owned).collect()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Reads a message: its head, and its body without transfer encoding.
fn message(stream: &mut TcpStream, to_the_end: bool) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).trim_end().to_owned();
    let mut body = Vec::new();
    match header(&head, "content-length").and_then(|it| it.parse().ok()) {
        Some(length) => {
            body.resize(length, 0);
            stream.read_exact(&mut body)?;
        }
        None if to_the_end => {
            stream.read_to_end(&mut body)?;
            if header(&head, "transfer-encoding").is_some() {
                body = without_chunks(&body);
            }
        }
        None => {}
    }
    Ok((head, body))
}

fn without_chunks(mut framed: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = framed.windows(2).position(|it| it == b"\r\n") {
        let size = String::from_utf8_lossy(&framed[..end]).into_owned();
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let from = end + 2;
        if size == 0 || framed.len() < from + size + 2 {
            break;
        }
        body.extend_from_slice(&framed[from..from + size]);
        framed = &framed[from + size + 2..];
    }
    body
}
