//! The GitHub adapter against a server that fails in every way GitHub does: on what it sends as
//! well as on what it makes of the answers.

mod creates;
mod faults;
mod kept;
mod lists;
mod network;
mod repository;
mod server;

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use iam_stocktake::github::{GitHub, Repository};
use serde_json::{Value, json};

/// The token of all tests.
const TOKEN: &str = "ghs_0123456789secret";
/// Longer than any test takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all tests log, by whatever crate and at every level. It is one log, since whether an event
/// is logged at all is settled once in a process.
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
    /// What was logged so far.
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

/// Does something with the API at an address, which all together may take so long.
fn within<T>(timeout: Duration, url: &str, act: impl AsyncFnOnce(&GitHub) -> T) -> T {
    within_mut(timeout, url, async |github| act(github).await)
}

/// The same, where the time is to begin anew.
fn within_mut<T>(timeout: Duration, url: &str, act: impl AsyncFnOnce(&mut GitHub) -> T) -> T {
    LazyLock::force(&LOG);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut github = GitHub::new(url, TOKEN.into(), timeout).unwrap();
        act(&mut github).await
    })
}

/// Does something with the API at an address, with patience.
fn at<T>(url: &str, act: impl AsyncFnOnce(&GitHub) -> T) -> T {
    within(PATIENCE, url, act)
}

/// The repository of all tests.
fn infra(github: &GitHub) -> Repository<'_> {
    github.repository("acme/infra".parse().unwrap())
}

/// An issue as GitHub shows it.
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

/// A comment as GitHub shows it.
fn comment(id: u64, body: &str, author: &str) -> Value {
    json!({
        "id": id,
        "html_url": format!("https://github.com/acme/infra/issues/1#issuecomment-{id}"),
        "body": body,
        "user": { "login": author },
        "created_at": "2026-11-24T12:00:00Z",
    })
}
