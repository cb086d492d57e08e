//! Starts the GitHub stand-in (`github/`: an emulator behind a proxy that checks requests and
//! answers against GitHub's API description) and controls it. Each test has its own repository,
//! with its own faults, permissions and log.
//!
//! The server listens only on loopback, on a free port. It stops when the process that started it
//! ends, because it reads a pipe that this process keeps open.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Value, json};

/// The Python package that checks the contract.
const VALIDATOR: &str = "jsonschema-rs==0.61.0";

/// The emulator and GitHub's API description, from the npm registry. The tag `latest` of the emulator
/// is another package.
const PACKAGES: [&str; 2] = ["emulate@0.11.2", "@octokit/openapi@23.0.2"];

/// The script that extracts the contract from the description; a change causes a new installation.
const SUBSET: &str = include_str!("../github/subset.py");

/// A running server; dropping it stops the server.
pub struct GitHub {
    child: Child,
    port: u16,
    emulator_port: u16,
}

impl GitHub {
    /// The server of this test process, started on first use.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<GitHub> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A separate server, to test how it stops.
    pub fn start() -> Self {
        let python = crate::services::python(VALIDATOR);
        let emulator = emulator(&python);
        let mut child = Command::new(python)
            .args(["-m", "github"])
            .arg(emulator)
            .env("PYTHONPATH", crate::services::sources())
            .env("PYTHONPYCACHEPREFIX", crate::services::folder().join("bytecode"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the stand-in must start");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        stdout.read_line(&mut line).expect("the stand-in must print its ports");
        let mut ports = line.split_whitespace().map(|text| text.parse().expect("a port number"));
        let [port, emulator_port] = [(); 2].map(|()| ports.next().expect("two ports"));
        Self { child, port, emulator_port }
    }

    /// The port of the server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of the emulator behind it.
    pub fn emulator_port(&self) -> u16 {
        self.emulator_port
    }

    /// A new repository: `private`, `internal` or `public`, with one commit on `main`.
    pub fn repository(&self, visibility: &str) -> Repo {
        let created = command(self.port, "repository", &json!({ "visibility": visibility }));
        Repo { port: self.port, details: serde_json::from_value(created).unwrap() }
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The folder with the emulator and the contract, created on first use.
fn emulator(python: &Path) -> PathBuf {
    let content = format!("{}\n{SUBSET}", PACKAGES.join("\n"));
    crate::services::installed("emulate-0.11.2", &content, |folder| {
        let fit =
            Command::new("node").args(["-p", "parseInt(process.versions.node) >= 20"]).output();
        let fit = fit.expect("these tests need Node 20 or newer as `node`, and npm");
        assert_eq!(fit.stdout, b"true\n", "these tests need Node 20 or newer; `node` is older");
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("package.json"), r#"{ "private": true }"#).unwrap();
        let npm = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact"];
        crate::services::run(Command::new("npm").args(npm).args(PACKAGES).current_dir(folder));
        let descriptions = folder.join("node_modules/@octokit/openapi/generated");
        let mut cut = Command::new(python);
        cut.arg(crate::services::sources().join("github/subset.py"));
        cut.arg(descriptions.join("api.github.com.json")).arg(folder.join("contract.json"));
        crate::services::run(&mut cut);
        // Nearly 400 MB of API descriptions of all GitHub products.
        fs::remove_dir_all(descriptions).unwrap();
    })
}

/// What the stand-in returns about a new repository.
#[derive(Deserialize)]
pub(crate) struct RepoDetails {
    pub(crate) id: u64,
    pub(crate) full_name: String,
    pub(crate) visibility: String,
    pub(crate) token: String,
    pub(crate) personal_token: String,
    pub(crate) app_token: String,
    pub(crate) head: String,
}

/// A repository of the stand-in.
pub struct Repo {
    port: u16,
    pub(crate) details: RepoDetails,
}

impl Repo {
    /// The owner and name, such as `acme/r-1`.
    pub fn full_name(&self) -> &str {
        &self.details.full_name
    }

    /// The token of this repository's jobs (`github-actions[bot]`). It is valid only for this
    /// repository and cannot call `GET /user`.
    pub fn token(&self) -> &str {
        &self.details.token
    }

    /// A token of `octocat`, who has all permissions in every repository.
    pub fn personal_token(&self) -> &str {
        &self.details.personal_token
    }

    /// An installation token of the GitHub App `acme-audit` (`acme-audit[bot]`). It is valid for
    /// every repository and cannot call `GET /user`.
    pub fn app_token(&self) -> &str {
        &self.details.app_token
    }

    /// The values of `GITHUB_API_URL` and `GITHUB_SERVER_URL`.
    pub fn api_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port of the stand-in.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The first commit on `main`.
    pub fn first_commit(&self) -> &str {
        &self.details.head
    }

    fn command(&self, name: &str, value: Value) -> Value {
        let arguments = json!({ "repository": self.full_name(), "value": value });
        command(self.port, name, &arguments)["value"].take()
    }

    fn command_as<T: serde::de::DeserializeOwned>(&self, name: &str, value: Value) -> T {
        serde_json::from_value(self.command(name, value)).unwrap()
    }

    /// All issues, oldest first, open and closed, without pull requests.
    pub fn issues(&self) -> Vec<Issue> {
        self.command_as("issues", Value::Null)
    }

    /// The issue with this number, which must exist.
    pub fn issue(&self, number: u64) -> Issue {
        let found = self.issues().into_iter().find(|issue| issue.number == number);
        found.unwrap_or_else(|| panic!("there is no issue {number}"))
    }

    /// The comments of an issue or a pull request, oldest first.
    pub fn comments(&self, number: u64) -> Vec<Comment> {
        self.command_as("comments", json!(number))
    }

    /// Acts as a person: `octocat`, an owner of the organization.
    pub fn as_person(&self) -> Actor<'_> {
        self.by("octocat")
    }

    /// Acts as earlier runs did: `github-actions[bot]`.
    pub fn as_bot(&self) -> Actor<'_> {
        self.by("github-actions[bot]")
    }

    /// Acts as another user: `secteam`, `dependabot[bot]` or `stale[bot]`, who are members, or
    /// `mallory`, who is a stranger and has access only to public repositories.
    pub fn by(&self, login: &'static str) -> Actor<'_> {
        Actor { repo: self, login }
    }

    /// Writes a file on a branch and returns the commit.
    pub fn commit(&self, branch: &str, path: &str, content: &str) -> String {
        self.command_as("commit", json!({ "branch": branch, "path": path, "content": content }))
    }

    /// Removes a file on a branch and returns the commit.
    pub fn remove(&self, branch: &str, path: &str) -> String {
        self.command_as("commit", json!({ "branch": branch, "path": path, "content": null }))
    }

    /// Creates a branch from another one and returns its commit.
    pub fn branch(&self, name: &str, from: &str) -> String {
        self.command_as("branch", json!({ "name": name, "from": from }))
    }

    /// The commit of a branch.
    pub fn head(&self, branch: &str) -> String {
        self.command_as("head", json!(branch))
    }

    /// Opens a pull request, as `octocat`.
    pub fn pull(&self, title: &str, head: &str, base: &str) -> Pull {
        self.command_as("pull", json!({ "title": title, "head": head, "base": base }))
    }

    /// The requests so far, in order of arrival. A request is listed before it is answered.
    pub fn log(&self) -> Vec<Exchange> {
        self.command_as("log", Value::Null)
    }

    /// The requests so far that change something. GraphQL queries do not count.
    pub fn writes(&self) -> Vec<Exchange> {
        let changes = |exchange: &Exchange| exchange.method != "GET" && exchange.path != "/graphql";
        self.log().into_iter().filter(changes).collect()
    }

    /// Clears the log of requests.
    pub fn reset_log(&self) {
        self.command("reset-log", Value::Null);
    }

    /// Violations of GitHub's API description so far, each with its request.
    pub fn violations(&self) -> Vec<String> {
        let line = |exchange: &Exchange| {
            let (method, path) = (&exchange.method, &exchange.path);
            let line = |violation: &String| format!("{method} {path}: {violation}");
            exchange.violations.iter().map(line).collect::<Vec<_>>()
        };
        self.log().iter().flat_map(line).collect()
    }

    /// Replaces the list of faults (see `github/faults.py`). An empty list removes them.
    pub fn faults(&self, faults: Value) {
        self.command("faults", faults);
    }

    /// Sets the permissions of the job's token, such as `{ "issues": "read" }`. The default is what
    /// the documentation requires: `contents: read`, `issues: write`, `pull_requests: write`.
    pub fn permissions(&self, permissions: Value) {
        self.command("permissions", permissions);
    }

    /// Ignores assignees of new issues, as for a token that cannot assign.
    pub fn drop_assignees(&self) {
        self.command("drop-assignees", Value::Null);
    }

    /// Turns issues off: requests about issues return 410, except for pull requests.
    pub fn turn_issues_off(&self) {
        self.command("has-issues", json!(false));
    }

    /// Turns issues on again.
    pub fn turn_issues_on(&self) {
        self.command("has-issues", json!(true));
    }
}

/// Acts outside the log: its requests are not logged or checked, and faults do not apply.
pub struct Actor<'a> {
    repo: &'a Repo,
    login: &'static str,
}

impl Actor<'_> {
    /// Makes calls in the repository, such as `("POST", "/issues", body)`, and returns the answers
    /// without the bodies of issues and comments. Each must succeed.
    pub fn act(&self, calls: &[(&str, String, Value)]) -> Vec<Value> {
        self.repo.command_as("act", json!({ "login": self.login, "calls": calls }))
    }

    fn once(&self, method: &str, path: String, body: Value) -> Value {
        self.act(&[(method, path, body)]).remove(0)
    }

    fn change(&self, number: u64, body: Value) {
        self.once("PATCH", format!("/issues/{number}"), body);
    }

    /// Creates an issue and returns its number.
    pub fn create_issue(&self, title: &str, body: &str, labels: &[&str]) -> u64 {
        self.create_issues(&[(title.to_owned(), body.to_owned())], labels)[0]
    }

    /// Creates issues with these titles and bodies and returns their numbers.
    pub fn create_issues(&self, issues: &[(String, String)], labels: &[&str]) -> Vec<u64> {
        let call = |(title, body): &(String, String)| {
            let body = json!({ "title": title, "body": body, "labels": labels });
            ("POST", "/issues".to_owned(), body)
        };
        let made = self.act(&issues.iter().map(call).collect::<Vec<_>>());
        made.iter().map(|issue| issue["number"].as_u64().unwrap()).collect()
    }

    /// Comments on an issue or a pull request and returns the comment's id.
    pub fn comment(&self, number: u64, body: &str) -> u64 {
        self.create_comments(number, &[body.to_owned()])[0]
    }

    /// Comments with each of these bodies and returns the comments' ids.
    pub fn create_comments(&self, number: u64, bodies: &[String]) -> Vec<u64> {
        let call = |body| ("POST", format!("/issues/{number}/comments"), json!({ "body": body }));
        let made = self.act(&bodies.iter().map(call).collect::<Vec<_>>());
        made.iter().map(|comment| comment["id"].as_u64().unwrap()).collect()
    }

    /// Edits a comment.
    pub fn edit_comment(&self, id: u64, body: &str) {
        self.once("PATCH", format!("/issues/comments/{id}"), json!({ "body": body }));
    }

    /// Deletes a comment.
    pub fn delete_comment(&self, id: u64) {
        self.once("DELETE", format!("/issues/comments/{id}"), Value::Null);
    }

    /// Edits an issue's body.
    pub fn edit_body(&self, number: u64, body: &str) {
        self.change(number, json!({ "body": body }));
    }

    /// Edits an issue's title.
    pub fn edit_title(&self, number: u64, title: &str) {
        self.change(number, json!({ "title": title }));
    }

    /// Closes an issue: `completed`, `not_planned` or `duplicate`.
    pub fn close(&self, number: u64, reason: &str) {
        self.change(number, json!({ "state": "closed", "state_reason": reason }));
    }

    /// Reopens an issue.
    pub fn reopen(&self, number: u64) {
        self.change(number, json!({ "state": "open" }));
    }

    /// Locks an issue: only users with write access can comment.
    pub fn lock(&self, number: u64) {
        self.once("PUT", format!("/issues/{number}/lock"), json!({}));
    }

    /// Sets the description of a label.
    pub fn describe_label(&self, name: &str, description: &str) {
        let body = json!({ "description": description });
        self.once("PATCH", format!("/labels/{}", encoded(name)), body);
    }

    /// Creates a label.
    pub fn create_label(&self, name: &str) {
        self.once("POST", "/labels".to_owned(), json!({ "name": name, "color": "ededed" }));
    }

    /// Renames a label on all issues.
    pub fn rename_label(&self, name: &str, new: &str) {
        self.once("PATCH", format!("/labels/{}", encoded(name)), json!({ "new_name": new }));
    }

    /// Deletes a label from every issue.
    pub fn delete_label(&self, name: &str) {
        self.once("DELETE", format!("/labels/{}", encoded(name)), Value::Null);
    }

    /// Adds a label to an issue.
    pub fn add_label(&self, number: u64, name: &str) {
        self.once("POST", format!("/issues/{number}/labels"), json!({ "labels": [name] }));
    }

    /// Removes a label from an issue.
    pub fn remove_label(&self, number: u64, name: &str) {
        let path = format!("/issues/{number}/labels/{}", encoded(name));
        self.once("DELETE", path, Value::Null);
    }
}

/// A text, encoded for a path.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// An issue.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Issue {
    pub number: u64,
    pub title: String,
    pub body: String,
    /// `open` or `closed`.
    pub state: String,
    /// `completed`, `not_planned`, `duplicate` or `reopened`; `None` if it was never closed.
    pub state_reason: Option<String>,
    pub labels: Vec<String>,
    pub assignees: Vec<String>,
    pub author: String,
    pub comments: Vec<Comment>,
    pub locked: bool,
    pub closed_at: Option<String>,
    /// The last change of the issue or its comments, to the second.
    pub updated_at: String,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Comment {
    pub id: u64,
    pub body: String,
    pub author: String,
    pub updated_at: String,
}

/// A pull request as it was when it was opened. Change the fields for one from a fork or another
/// author.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Pull {
    pub number: u64,
    pub author: String,
    pub head_ref: String,
    pub head_sha: String,
    /// The repository of the head; a fork has another name.
    pub head_repository: String,
    pub base_ref: String,
    pub base_sha: String,
    pub draft: bool,
}

/// A request that the stand-in received, and its answer.
#[derive(Debug, Clone, Deserialize)]
pub struct Exchange {
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query string.
    pub query: String,
    /// The JSON body; null if there is none.
    pub body: Value,
    /// The account of the token; empty without one.
    pub login: String,
    /// The status of the answer; 0 if there is none.
    pub status: u16,
    /// The answer's JSON, or its text if it is not JSON.
    pub answer: Value,
    /// Violations of GitHub's API description.
    pub violations: Vec<String>,
    /// The kinds of the faults that were applied.
    pub faults: Vec<String>,
    /// When it arrived, in seconds since the server started.
    pub at: f64,
    /// When its answer was sent, on the same clock.
    pub until: Option<f64>,
}

/// Sends a command to the stand-in, which must accept it.
fn command(port: u16, name: &str, arguments: &Value) -> Value {
    let line = format!("POST /_control/{name}");
    let answer = crate::http::send(port, &line, &[], arguments.to_string().as_bytes());
    let answer = answer.expect("the stand-in must respond");
    let result: Value =
        serde_json::from_slice(&answer.body).expect("the stand-in must respond with JSON");
    assert_eq!(answer.status, 200, "{name}: {}", result["error"]);
    result
}
