//! Starts the GitHub stand-in (`support/github/`: an emulator behind a proxy that holds both sides
//! to GitHub's contract) and speaks with it: each test has a repository of its own there, with
//! faults, permissions and a log of its own.
//!
//! The server listens on loopback alone, on a port that the system gives. It ends with the process
//! that started it, however that ends: it reads the pipe that this process holds open.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Value, json};

/// What checks the contract, from the Python package index.
const VALIDATOR: &str = "jsonschema-rs==0.61.0";

/// The emulator and GitHub's description of its API, from the npm registry. The tag `latest` of the
/// first is another package.
const PACKAGES: [&str; 2] = ["emulate@0.11.2", "@octokit/openapi@23.0.2"];

/// What cuts the contract out of the description: another contract, another installation.
const SUBSET: &str = include_str!("../github/subset.py");

/// A running server; dropping it ends the server.
pub struct GitHub {
    child: Child,
    port: u16,
    emulator_port: u16,
}

impl GitHub {
    /// The server of this test process, started by whoever asks first.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<GitHub> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of one's own: to watch it end.
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
            .expect("the stand-in starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe was asked for"));
        stdout.read_line(&mut line).expect("the stand-in tells its ports");
        let mut ports = line.split_whitespace().map(|it| it.parse().expect("a port is a number"));
        let [port, emulator_port] = [(); 2].map(|()| ports.next().expect("it tells two ports"));
        Self { child, port, emulator_port }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port that the emulator behind it listens on.
    pub fn emulator_port(&self) -> u16 {
        self.emulator_port
    }

    /// A fresh repository: `private`, `internal` or `public`, with one commit on `main`.
    pub fn repository(&self, visibility: &str) -> Repo {
        let told = command(self.port, "repository", &json!({ "visibility": visibility }));
        Repo { port: self.port, told: serde_json::from_value(told).unwrap() }
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The folder with the emulator and the contract, made on first use.
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
        // Nearly 400 MB of descriptions, of this and of other servers.
        fs::remove_dir_all(descriptions).unwrap();
    })
}

/// What the stand-in tells of a repository that it made.
#[derive(Deserialize)]
pub(crate) struct Told {
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
    pub(crate) told: Told,
}

impl Repo {
    /// Its owner and name: `acme/r-1`.
    pub fn full_name(&self) -> &str {
        &self.told.full_name
    }

    /// The token of this repository's jobs, whom GitHub knows as `github-actions[bot]`. It is good
    /// for this repository alone, and may not ask who it is.
    pub fn token(&self) -> &str {
        &self.told.token
    }

    /// A token of `octocat`, who may do everything in every repository.
    pub fn personal_token(&self) -> &str {
        &self.told.personal_token
    }

    /// An installation token of the GitHub App `acme-audit`, whom GitHub knows as
    /// `acme-audit[bot]`: good for every repository, and it may not ask `GET /user` who it is.
    pub fn app_token(&self) -> &str {
        &self.told.app_token
    }

    /// Where the stand-in is, as `GITHUB_API_URL` and `GITHUB_SERVER_URL` name it.
    pub fn api_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port that the stand-in listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The first commit on `main`.
    pub fn first_commit(&self) -> &str {
        &self.told.head
    }

    fn ask(&self, name: &str, value: Value) -> Value {
        let wanted = json!({ "repository": self.full_name(), "value": value });
        command(self.port, name, &wanted)["value"].take()
    }

    fn ask_for<T: serde::de::DeserializeOwned>(&self, name: &str, value: Value) -> T {
        serde_json::from_value(self.ask(name, value)).unwrap()
    }

    /// The issues as they are, oldest first, open and closed, without pull requests.
    pub fn issues(&self) -> Vec<Issue> {
        self.ask_for("issues", Value::Null)
    }

    /// The issue of this number, which must be there.
    pub fn issue(&self, number: u64) -> Issue {
        let found = self.issues().into_iter().find(|it| it.number == number);
        found.unwrap_or_else(|| panic!("there is no issue {number}"))
    }

    /// The comments of an issue or a pull request, oldest first.
    pub fn comments(&self, number: u64) -> Vec<Comment> {
        self.ask_for("comments", json!(number))
    }

    /// What a person does by hand: `octocat`, an owner of the organisation.
    pub fn as_person(&self) -> Actor<'_> {
        self.by("octocat")
    }

    /// What earlier runs did: `github-actions[bot]`.
    pub fn as_bot(&self) -> Actor<'_> {
        self.by("github-actions[bot]")
    }

    /// What another user does: `secteam`, `dependabot[bot]` or `stale[bot]`, who are members, or
    /// `mallory`, who is a stranger and gets into public repositories alone.
    pub fn by(&self, login: &'static str) -> Actor<'_> {
        Actor { repo: self, login }
    }

    /// Writes a file on a branch, and gives the commit.
    pub fn commit(&self, branch: &str, path: &str, content: &str) -> String {
        self.ask_for("commit", json!({ "branch": branch, "path": path, "content": content }))
    }

    /// Removes a file on a branch, and gives the commit.
    pub fn remove(&self, branch: &str, path: &str) -> String {
        self.ask_for("commit", json!({ "branch": branch, "path": path, "content": null }))
    }

    /// Makes a branch that begins where another stands, and gives that commit.
    pub fn branch(&self, name: &str, from: &str) -> String {
        self.ask_for("branch", json!({ "name": name, "from": from }))
    }

    /// The commit that a branch stands at.
    pub fn head(&self, branch: &str) -> String {
        self.ask_for("head", json!(branch))
    }

    /// Opens a pull request, as `octocat`.
    pub fn pull(&self, title: &str, head: &str, base: &str) -> Pull {
        self.ask_for("pull", json!({ "title": title, "head": head, "base": base }))
    }

    /// The requests so far, in the order in which they came in. A request stands here before it is
    /// answered.
    pub fn log(&self) -> Vec<Exchange> {
        self.ask_for("log", Value::Null)
    }

    /// The requests so far that were to change something. A query of GraphQL is none.
    pub fn writes(&self) -> Vec<Exchange> {
        let changes = |it: &Exchange| it.method != "GET" && it.path != "/graphql";
        self.log().into_iter().filter(changes).collect()
    }

    /// Forgets the requests so far.
    pub fn reset_log(&self) {
        self.ask("reset-log", Value::Null);
    }

    /// What requests and answers so far broke of GitHub's contract, each with its request.
    pub fn violations(&self) -> Vec<String> {
        let line = |it: &Exchange| {
            let (method, path) = (&it.method, &it.path);
            it.violations.iter().map(|what| format!("{method} {path}: {what}")).collect::<Vec<_>>()
        };
        self.log().iter().flat_map(line).collect()
    }

    /// Replaces the faults, a list of them: `support/github/faults.py` says which there are. An
    /// empty list ends them.
    pub fn faults(&self, faults: Value) {
        self.ask("faults", faults);
    }

    /// Sets what the job's token may do, as `{ "issues": "read" }`. By default it has what the
    /// documentation asks for: `contents: read`, `issues: write`, `pull_requests: write`.
    pub fn permissions(&self, permissions: Value) {
        self.ask("permissions", permissions);
    }

    /// Leaves assignees out of the issues that are made, as of a token that may not assign.
    pub fn drop_assignees(&self) {
        self.ask("drop-assignees", Value::Null);
    }

    /// Turns issues off: what is about them is 410 from now on, but for pull requests.
    pub fn turn_issues_off(&self) {
        self.ask("has-issues", json!(false));
    }

    /// Turns issues on again.
    pub fn turn_issues_on(&self) {
        self.ask("has-issues", json!(true));
    }
}

/// Who does something past the log: no request of it is logged, checked or faulted.
pub struct Actor<'a> {
    repo: &'a Repo,
    login: &'static str,
}

impl Actor<'_> {
    /// Makes calls below the repository, as `("POST", "/issues", body)`, and gives what came back,
    /// without the bodies of issues and comments. Each must succeed.
    pub fn act(&self, calls: &[(&str, String, Value)]) -> Vec<Value> {
        self.repo.ask_for("act", json!({ "login": self.login, "calls": calls }))
    }

    fn once(&self, method: &str, path: String, body: Value) -> Value {
        self.act(&[(method, path, body)]).remove(0)
    }

    fn change(&self, number: u64, body: Value) {
        self.once("PATCH", format!("/issues/{number}"), body);
    }

    /// Creates an issue, and gives its number.
    pub fn create_issue(&self, title: &str, body: &str, labels: &[&str]) -> u64 {
        self.create_issues(&[(title.to_owned(), body.to_owned())], labels)[0]
    }

    /// Creates issues of these titles and bodies, and gives their numbers.
    pub fn create_issues(&self, issues: &[(String, String)], labels: &[&str]) -> Vec<u64> {
        let call = |(title, body): &(String, String)| {
            let body = json!({ "title": title, "body": body, "labels": labels });
            ("POST", "/issues".to_owned(), body)
        };
        let made = self.act(&issues.iter().map(call).collect::<Vec<_>>());
        made.iter().map(|it| it["number"].as_u64().unwrap()).collect()
    }

    /// Comments on an issue or a pull request, and gives the comment's id.
    pub fn comment(&self, number: u64, body: &str) -> u64 {
        self.comment_often(number, &[body.to_owned()])[0]
    }

    /// Comments with each of these bodies, and gives the comments' ids.
    pub fn comment_often(&self, number: u64, bodies: &[String]) -> Vec<u64> {
        let call = |body| ("POST", format!("/issues/{number}/comments"), json!({ "body": body }));
        let made = self.act(&bodies.iter().map(call).collect::<Vec<_>>());
        made.iter().map(|it| it["id"].as_u64().unwrap()).collect()
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

    /// Locks an issue's conversation: only who may write to the repository comments there.
    pub fn lock(&self, number: u64) {
        self.once("PUT", format!("/issues/{number}/lock"), json!({}));
    }

    /// Describes a label.
    pub fn describe_label(&self, name: &str, description: &str) {
        let body = json!({ "description": description });
        self.once("PATCH", format!("/labels/{}", encoded(name)), body);
    }

    /// Creates a label.
    pub fn create_label(&self, name: &str) {
        self.once("POST", "/labels".to_owned(), json!({ "name": name, "color": "ededed" }));
    }

    /// Renames a label, wherever it is.
    pub fn rename_label(&self, name: &str, new: &str) {
        self.once("PATCH", format!("/labels/{}", encoded(name)), json!({ "new_name": new }));
    }

    /// Deletes a label, from every issue.
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

/// A text as it stands in a path.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// An issue as it is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Issue {
    pub number: u64,
    pub title: String,
    pub body: String,
    /// `open` or `closed`.
    pub state: String,
    /// `completed`, `not_planned`, `duplicate` or `reopened`; none if it was never closed.
    pub state_reason: Option<String>,
    pub labels: Vec<String>,
    pub assignees: Vec<String>,
    pub author: String,
    pub comments: Vec<Comment>,
    pub locked: bool,
    pub closed_at: Option<String>,
    /// When it or its comments were last changed, to the second.
    pub updated_at: String,
}

/// A comment as it is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Comment {
    pub id: u64,
    pub body: String,
    pub author: String,
    pub updated_at: String,
}

/// A pull request as it was when it was opened. For one of a fork or of another author, change the
/// field.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Pull {
    pub number: u64,
    pub author: String,
    pub head_ref: String,
    pub head_sha: String,
    /// The repository that the head is in; a fork has another name.
    pub head_repository: String,
    pub base_ref: String,
    pub base_sha: String,
    pub draft: bool,
}

/// One request and its answer, as the stand-in took them.
#[derive(Debug, Clone, Deserialize)]
pub struct Exchange {
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query as it was sent.
    pub query: String,
    /// The JSON that was sent; null for none.
    pub body: Value,
    /// Whom the token stands for; empty for nobody.
    pub login: String,
    /// The status of the answer; 0 while there is none, or where none was given.
    pub status: u16,
    /// The answer's JSON, or its text where it is none.
    pub answer: Value,
    /// What the request or the answer breaks of GitHub's contract.
    pub violations: Vec<String>,
    /// The kinds of the faults that befell the request.
    pub faults: Vec<String>,
    /// When it came in, in seconds since the server began.
    pub at: f64,
    /// When its answer went out, on the same clock.
    pub until: Option<f64>,
}

/// Sends a command to the stand-in, which must take it.
fn command(port: u16, name: &str, wanted: &Value) -> Value {
    let line = format!("POST /_control/{name}");
    let answer = crate::http::send(port, &line, &[], wanted.to_string().as_bytes());
    let answer = answer.expect("the stand-in answers");
    let told: Value = serde_json::from_slice(&answer.body).expect("the stand-in answers in JSON");
    assert_eq!(answer.status, 200, "{name}: {}", told["error"]);
    told
}
