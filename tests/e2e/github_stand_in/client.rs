//! A client with the headers that GitHub requires, and accessors for the responses.

use std::io::Error;

use serde_json::Value;

use stand_ins::github::Repo;
use stand_ins::http;

/// A response: its status, its headers, and its JSON (a string if it is not JSON).
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) link: String,
    pub(crate) accepted: String,
    pub(crate) retry_after: String,
    pub(crate) content_type: String,
    pub(crate) json: Value,
}

impl From<http::Answer> for Answer {
    fn from(answer: http::Answer) -> Self {
        let header = |name| answer.header(name).to_owned();
        let text = String::from_utf8(answer.body.clone()).unwrap();
        Self {
            status: answer.status,
            link: header("link"),
            accepted: header("x-accepted-github-permissions"),
            retry_after: header("retry-after"),
            content_type: header("content-type"),
            json: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }
}

impl Answer {
    /// The status, and the code and field of the first error.
    pub(crate) fn error(&self) -> (u16, &str, &str) {
        let error = &self.json["errors"][0];
        let text = |name| error[name].as_str().unwrap_or_default();
        (self.status, text("code"), text("field"))
    }

    /// The numbers of the issues in a list.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.json.as_array().unwrap().iter().map(|it| it["number"].as_u64().unwrap()).collect()
    }
}

/// Plain requests to the stand-in.
pub(crate) trait Requests {
    /// Sends a request to a path below the repository with the token of its job and all required
    /// headers.
    fn send(&self, method: &str, below: &str, body: Value) -> Answer;
    /// Like [`send`](Self::send), but the connection may fail.
    fn try_send(&self, method: &str, below: &str, body: Value) -> Result<Answer, Error>;
    /// Sends a request to any target with any token.
    fn send_by(
        &self,
        token: &str,
        method: &str,
        target: &str,
        body: Value,
    ) -> Result<Answer, Error>;
    /// Sends a `GET` request to a path below the repository.
    fn get(&self, below: &str) -> Answer;
}

impl Requests for Repo {
    fn send(&self, method: &str, below: &str, body: Value) -> Answer {
        self.try_send(method, below, body).unwrap()
    }

    fn try_send(&self, method: &str, below: &str, body: Value) -> Result<Answer, Error> {
        let target = format!("/repos/{}{below}", self.full_name());
        self.send_by(self.token(), method, &target, body)
    }

    fn send_by(
        &self,
        token: &str,
        method: &str,
        target: &str,
        body: Value,
    ) -> Result<Answer, Error> {
        let authorization = format!("Bearer {token}");
        let headers = [
            ("Accept", "application/vnd.github+json"),
            ("Authorization", &authorization),
            ("Content-Type", "application/json"),
            ("User-Agent", "a-test"),
            ("X-GitHub-Api-Version", "2022-11-28"),
        ];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let line = format!("{method} {target}");
        http::send(self.port(), &line, &headers, body.as_bytes()).map(Answer::from)
    }

    fn get(&self, below: &str) -> Answer {
        self.send("GET", below, Value::Null)
    }
}
