//! The GitHub adapter against a test server: the requests it sends, and how it handles responses
//! and failures.

mod applied;
mod creates;
mod faults;
mod lists;
mod network;
mod repository;
mod server;

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use iam_stocktake::github::{GitHub, Repository};
use serde_json::{Value, json};

/// The token that all tests use.
const TOKEN: &str = "ghs_0123456789secret";
/// A deadline longer than any test takes on the slowest machine.
const LONG_TIMEOUT: Duration = Duration::from_secs(60);

/// The log of all tests, from every crate and at every level. It is shared because a process can
/// set its global subscriber only once.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    log
});

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The text logged so far.
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs a function with a client for this URL, with an overall deadline.
fn within<T>(timeout: Duration, url: &str, act: impl AsyncFnOnce(&GitHub) -> T) -> T {
    within_mut(timeout, url, async |github| act(github).await)
}

/// Like [`within`], for functions that reset the deadline.
fn within_mut<T>(timeout: Duration, url: &str, act: impl AsyncFnOnce(&mut GitHub) -> T) -> T {
    LazyLock::force(&LOG);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut github = GitHub::new(url, TOKEN.into(), timeout).unwrap();
        act(&mut github).await
    })
}

/// Runs a function with a client for this URL and a long deadline.
fn at<T>(url: &str, act: impl AsyncFnOnce(&GitHub) -> T) -> T {
    within(LONG_TIMEOUT, url, act)
}

/// The repository that all tests use.
fn infra(github: &GitHub) -> Repository<'_> {
    github.repository("acme/infra".parse().unwrap())
}

/// An issue as GitHub returns it.
fn issue(number: u64, title: &str, body: &str, author: &str) -> Value {
    json!({
        "number": number,
        "html_url": format!("https://github.com/acme/infra/issues/{number}"),
        "title": title,
        "body": body,
        "state": "open",
        "state_reason": null,
        "user": { "login": author },
        "labels": [{ "name": "iam-stocktake", "color": "ededed" }],
        "closed_at": null,
        "created_at": "2026-11-24T12:00:00Z",
        "locked": false,
    })
}

/// A comment as GitHub returns it.
fn comment(id: u64, body: &str, author: &str) -> Value {
    json!({
        "id": id,
        "html_url": format!("https://github.com/acme/infra/issues/1#issuecomment-{id}"),
        "body": body,
        "user": { "login": author },
        "created_at": "2026-11-24T12:00:00Z",
    })
}
