//! A server on loopback that answers as a test says, and remembers what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

/// A request, as it came in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// The path with the query.
    pub(crate) target: String,
    /// With their names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    /// The method and the target, as in `GET /user`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// All values of a header.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(it, _)| it == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The body, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The value of a parameter of the query; empty if it is not there.
    pub(crate) fn parameter(&self, name: &str) -> String {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(it, _)| *it == name).map_or_else(String::new, |(_, value)| value.to_owned())
    }
}

/// What a request comes to.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A status, headers, and a body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The connection is closed without an answer.
    Closed,
    /// Nothing comes, until the client gives up.
    Silence,
}

/// An answer in JSON.
pub(crate) fn json(status: u16, body: &Value) -> Reply {
    let kind = ("Content-Type", "application/json; charset=utf-8".to_owned());
    Reply::Answer(status, vec![kind], body.to_string())
}

/// A page for people.
pub(crate) fn html(status: u16) -> Reply {
    let kind = ("Content-Type", "text/html".to_owned());
    Reply::Answer(status, vec![kind], "<html><body>Unicorn!</body></html>".to_owned())
}

impl Reply {
    /// The same answer with another header.
    pub(crate) fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        match self {
            Self::Answer(status, mut headers, body) => {
                headers.push((name, value.into()));
                Self::Answer(status, headers, body)
            }
            other => other,
        }
    }
}

type Answering = dyn FnMut(&Asked) -> Reply + Send;

/// The server. It stops when it is dropped; a connection ends with its one answer.
pub(crate) struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    is_over: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers every request as the function does.
    pub(crate) fn start(answer: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, is_over) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let answer: Arc<Mutex<Box<Answering>>> = Arc::new(Mutex::new(Box::new(answer)));
        let (remembered, over) = (Arc::clone(&asked), Arc::clone(&is_over));
        let listening = std::thread::spawn(move || {
            for client in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let (remembered, answer) = (Arc::clone(&remembered), Arc::clone(&answer));
                std::thread::spawn(move || serve(client.unwrap(), &remembered, &answer));
            }
        });
        Self { port, asked, is_over, listening: Some(listening) }
    }

    /// Gives the replies in their order, and the last one again and again.
    pub(crate) fn replying(replies: impl Into<Vec<Reply>>) -> Self {
        let replies = replies.into();
        let mut next = 0;
        Self::start(move |_| {
            next += 1;
            replies[(next - 1).min(replies.len() - 1)].clone()
        })
    }

    /// Its address, without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The methods and targets of what it was asked so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the listener, so that it sees the end.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        drop(self.listening.take().map(JoinHandle::join));
    }
}

fn serve(mut client: TcpStream, remembered: &Mutex<Vec<Asked>>, answer: &Mutex<Box<Answering>>) {
    let Some(asked) = read(&client) else { return };
    remembered.lock().unwrap().push(asked.clone());
    let reply = (answer.lock().unwrap())(&asked);
    match reply {
        Reply::Closed => {}
        // Reads on until the client has gone.
        Reply::Silence => drop(std::io::copy(&mut client, &mut std::io::sink())),
        Reply::Answer(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} Status\r\nConnection: close\r\n");
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            // No body, and no length of one, belongs to this status.
            if status != 204 {
                head.push_str(&format!("Content-Length: {}\r\n", body.len()));
            }
            // A client that has given up is no matter.
            drop(client.write_all(format!("{head}\r\n{body}").as_bytes()));
        }
    }
    drop(client.shutdown(Shutdown::Both));
}

/// The request; `None` where the connection ends before it.
fn read(client: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(client);
    let mut line = String::new();
    let mut next = |reader: &mut BufReader<&TcpStream>| {
        line.clear();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = next(&mut reader)?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut asked = Asked { method, target, ..Asked::default() };
    loop {
        let header = next(&mut reader)?;
        let Some((name, value)) = header.split_once(':') else { break };
        asked.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    assert!(asked.header("transfer-encoding").is_empty(), "every body has a length");
    let length = asked.header("content-length").first().map_or(0, |it| it.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).unwrap();
    Some(asked)
}
