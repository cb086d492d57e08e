//! An HTTP server on loopback that responds as a test says and records the requests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

/// A recorded request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path and query.
    pub(crate) target: String,
    /// Names are in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    /// The method and the target, such as `GET /user`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// All values of a header.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The body, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The value of a query parameter; empty if there is none.
    pub(crate) fn parameter(&self, name: &str) -> String {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map_or_else(String::new, |(_, value)| value.to_owned())
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A status, headers, and a body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The connection is closed without a response.
    Closed,
    /// No response, until the client gives up.
    NoResponse,
}

/// A JSON response.
pub(crate) fn json(status: u16, body: &Value) -> Reply {
    let kind = ("Content-Type", "application/json; charset=utf-8".to_owned());
    Reply::Answer(status, vec![kind], body.to_string())
}

/// An HTML page.
pub(crate) fn html(status: u16) -> Reply {
    let kind = ("Content-Type", "text/html".to_owned());
    Reply::Answer(status, vec![kind], "<html><body>Unicorn!</body></html>".to_owned())
}

impl Reply {
    /// The same response with another header.
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

type Responder = dyn FnMut(&Request) -> Reply + Send;

/// The server. It stops when dropped, and serves one request per connection.
pub(crate) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    is_over: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server that responds to each request with the function.
    pub(crate) fn start(answer: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, is_over) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let answer: Arc<Mutex<Box<Responder>>> = Arc::new(Mutex::new(Box::new(answer)));
        let (recorded, over) = (Arc::clone(&requests), Arc::clone(&is_over));
        let listening = std::thread::spawn(move || {
            for client in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let (recorded, answer) = (Arc::clone(&recorded), Arc::clone(&answer));
                std::thread::spawn(move || serve(client.unwrap(), &recorded, &answer));
            }
        });
        Self { port, requests, is_over, listening: Some(listening) }
    }

    /// Starts a server that gives the replies in order and repeats the last one.
    pub(crate) fn replying(replies: impl Into<Vec<Reply>>) -> Self {
        let replies = replies.into();
        let mut next = 0;
        Self::start(move |_| {
            next += 1;
            replies[(next - 1).min(replies.len() - 1)].clone()
        })
    }

    /// The server's URL, without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The methods and targets of the requests so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Request::line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the listener so that it stops.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        drop(self.listening.take().map(JoinHandle::join));
    }
}

fn serve(mut client: TcpStream, recorded: &Mutex<Vec<Request>>, answer: &Mutex<Box<Responder>>) {
    let Some(request) = read(&client) else { return };
    recorded.lock().unwrap().push(request.clone());
    let reply = (answer.lock().unwrap())(&request);
    match reply {
        Reply::Closed => {}
        // Keeps reading until the client disconnects.
        Reply::NoResponse => drop(std::io::copy(&mut client, &mut std::io::sink())),
        Reply::Answer(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} Status\r\nConnection: close\r\n");
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            // A response with this status has no body and no length.
            if status != 204 {
                head.push_str(&format!("Content-Length: {}\r\n", body.len()));
            }
            // The client may have given up.
            drop(client.write_all(format!("{head}\r\n{body}").as_bytes()));
        }
    }
    drop(client.shutdown(Shutdown::Both));
}

/// Reads a request; `None` if the connection ends before it is complete.
fn read(client: &TcpStream) -> Option<Request> {
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
    let mut request = Request { method, target, ..Request::default() };
    loop {
        let header = next(&mut reader)?;
        let Some((name, value)) = header.split_once(':') else { break };
        request.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    assert!(request.header("transfer-encoding").is_empty(), "every body has a length");
    let length = request.header("content-length").first().map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).unwrap();
    Some(request)
}
