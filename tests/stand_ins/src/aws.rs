//! Starts the AWS stand-in (IAM, STS and the runner's OIDC endpoint, in `support/aws/`) and speaks
//! with it: each test has an account of its own there, with faults, a policy and a log of its own.
//!
//! The server listens on loopback alone, on a port that the system gives. It ends with the process
//! that started it, however that ends: it reads the pipe that this process holds open.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Value, json};

/// What is installed for the stand-in, from the Python package index.
const REQUIREMENT: &str = "moto==5.2.5";

/// Who the workflow is, in the tokens of the OIDC endpoint.
pub const OIDC_SUBJECT: &str = "repo:acme/iam:ref:refs/heads/main";

/// A running server; dropping it ends the server.
pub struct StandIn {
    child: Child,
    port: u16,
}

impl StandIn {
    /// The server of this test process, started by whoever asks first.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<StandIn> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of one's own: for a benchmark, or to watch it end.
    pub fn start() -> Self {
        let mut child = Command::new(python())
            .args(["-m", "aws"])
            .env("PYTHONPATH", crate::services::sources())
            .env("PYTHONPYCACHEPREFIX", crate::services::folder().join("bytecode"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the stand-in starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe was asked for"));
        stdout.read_line(&mut line).expect("the stand-in tells its port");
        let port = line.trim().parse().expect("the stand-in's first line is its port");
        Self { child, port }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process of the server.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// A fresh account with the users of the seed.
    pub fn account(&self, seed: Seed) -> Account {
        let told = command(self.port, "account", &seed.0).unwrap_or_else(|error| panic!("{error}"));
        let told = serde_json::from_value(told).expect("the stand-in tells of the account");
        Account { port: self.port, told }
    }

    /// Every secret that the server gave out or takes: tokens, secret keys, session tokens.
    pub fn secrets(&self) -> Vec<String> {
        let secrets = command(self.port, "secrets", &json!({})).unwrap();
        serde_json::from_value(secrets).unwrap()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What an account holds at first.
#[derive(Debug, Clone)]
pub struct Seed(Value);

impl Seed {
    /// No users at all.
    pub fn empty() -> Self {
        Self::users(0, 0)
    }

    /// So many users of all kinds; the same for the same seed.
    pub fn users(count: usize, seed: u64) -> Self {
        Self(json!({ "users": count, "seed": seed }))
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.0.as_object_mut().unwrap().insert(name.to_owned(), value);
        self
    }

    /// The seconds that IAM takes to make a credential report; none unless told.
    pub fn report_delay(self, seconds: f64) -> Self {
        self.with("report_delay", json!(seconds))
    }

    /// The days of disuse around which the users are made, and by which the truth judges; 90
    /// unless told.
    pub fn stale_after_days(self, days: u32) -> Self {
        self.with("days", json!(days))
    }

    /// The partition: `aws` unless told, else `aws-cn`, `aws-us-gov` or `aws-eusc`.
    pub fn partition(self, partition: &str) -> Self {
        self.with("partition", json!(partition))
    }

    /// The id of the account, where a fresh one will not do.
    pub fn id(self, id: &str) -> Self {
        self.with("id", json!(id))
    }
}

/// What the stand-in tells of an account that it made.
#[derive(Deserialize)]
struct Told {
    id: String,
    region: String,
    role_arn: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    request_path: String,
    request_token: String,
}

/// An account of the stand-in.
pub struct Account {
    port: u16,
    told: Told,
}

impl Account {
    /// The account's twelve digits.
    pub fn id(&self) -> &str {
        &self.told.id
    }

    /// The ARN of the auditor's role, `audit`, which the OIDC provider and other accounts may
    /// assume.
    pub fn role_arn(&self) -> &str {
        &self.told.role_arn
    }

    /// The region that the account's partition is spoken to in.
    pub fn region(&self) -> &str {
        &self.told.region
    }

    /// The access key id of the auditor's credentials.
    pub fn access_key_id(&self) -> &str {
        &self.told.access_key_id
    }

    /// Where the stand-in is, as the AWS SDK reads it from the environment.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The environment of an auditor who has credentials of the role already.
    pub fn environment(&self) -> Vec<(String, String)> {
        pairs([
            ("AWS_ACCESS_KEY_ID", self.told.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.told.secret_access_key.clone()),
            ("AWS_SESSION_TOKEN", self.told.session_token.clone()),
            ("AWS_REGION", self.told.region.clone()),
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ])
    }

    /// The environment of a workflow with `id-token: write`: the runner's variables, and where the
    /// stand-in is.
    pub fn oidc_environment(&self) -> Vec<(String, String)> {
        let url = format!("{}{}", self.endpoint(), self.told.request_path);
        pairs([
            ("ACTIONS_ID_TOKEN_REQUEST_URL", url),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", self.told.request_token.clone()),
            ("AWS_ENDPOINT_URL", self.endpoint()),
        ])
    }

    fn ask(&self, name: &str, value: Value) -> Value {
        let wanted = json!({ "account": self.id(), "value": value });
        command(self.port, name, &wanted).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The calls so far, in the order in which they came in. A call stands here before it is
    /// answered.
    pub fn log(&self) -> Vec<Call> {
        serde_json::from_value(self.ask("log", Value::Null)).unwrap()
    }

    /// How often each action was called, as `iam:ListUsers` or `sts:AssumeRole`.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.log() {
            *counts.entry(call.name()).or_default() += 1;
        }
        counts
    }

    /// The requests for OIDC tokens so far.
    pub fn token_requests(&self) -> Vec<TokenRequest> {
        serde_json::from_value(self.ask("oidc-log", Value::Null)).unwrap()
    }

    /// A token of the runner for this audience.
    pub fn token(&self, audience: &str) -> String {
        let target = format!("GET {}&audience={audience}", self.told.request_path);
        let authorization = format!("Bearer {}", self.told.request_token);
        let (status, body) = request(self.port, &target, &[("Authorization", &authorization)], b"");
        assert_eq!(status, 200);
        let told: Value = serde_json::from_slice(&body).unwrap();
        told["value"].as_str().unwrap().to_owned()
    }

    /// Forgets the calls and the token requests so far.
    pub fn reset_log(&self) {
        self.ask("reset-log", Value::Null);
    }

    /// Replaces the faults: `support/aws/faults.py` says which there are. An empty object ends
    /// them.
    pub fn faults(&self, faults: Value) {
        self.ask("faults", faults);
    }

    /// Replaces the policy by which the auditor's calls are allowed: an IAM policy document, or
    /// null to allow all.
    pub fn policy(&self, document: Value) {
        self.ask("policy", document);
    }

    /// What an audit must find: `support/aws/truth.py` gives the shape.
    pub fn truth(&self) -> Value {
        self.ask("truth", Value::Null)
    }

    /// Changes users and credentials: `support/aws/changes.py` says how. Gives a list with the
    /// result of each operation.
    pub fn change(&self, operations: Value) -> Value {
        self.ask("change", operations)
    }

    /// All that a user has: `support/aws/holdings.py` gives the shape. Null if there is no such
    /// user.
    pub fn user(&self, name: &str) -> Value {
        self.ask("user", json!(name))
    }

    /// The serial numbers of the account's virtual MFA devices, whether they are a user's or
    /// nobody's.
    pub fn virtual_mfa_devices(&self) -> Vec<String> {
        serde_json::from_value(self.ask("virtual-mfa-devices", Value::Null)).unwrap()
    }

    /// Whether a call is being held, as the fault `hold` asks for.
    pub fn held(&self) -> bool {
        self.ask("held", Value::Null) == json!(true)
    }

    /// Sets the account's clock so many days ahead of the machine's. All that IAM dates from here
    /// on goes by it; the sessions of STS do not.
    pub fn clock(&self, days: f64) {
        self.ask("clock", json!(days));
    }

    /// Lets the account's clock stand still at a moment, in RFC 3339.
    pub fn stop_clock(&self, at: &str) {
        self.ask("clock", json!(at));
    }

    /// Has the account keep a credential report of the users as they are now, finished so many
    /// hours ago. Changes from here on are visible live alone.
    pub fn make_report(&self, hours_ago: f64) {
        self.ask("make-report", json!(hours_ago));
    }

    /// The credential report as `GetCredentialReport` hands it over: a CSV in base64. There must be
    /// one.
    pub fn exported_report(&self) -> String {
        let scope = format!("{}/20300101/us-east-1/iam/aws4_request", self.access_key_id());
        let authorization = format!("AWS4-HMAC-SHA256 Credential={scope}, Signature=0");
        let headers = [
            ("Authorization", authorization.as_str()),
            ("X-Amz-Security-Token", self.told.session_token.as_str()),
        ];
        let form = b"Action=GetCredentialReport&Version=2010-05-08";
        let (status, body) = request(self.port, "POST /", &headers, form);
        let body = String::from_utf8(body).unwrap();
        assert_eq!(status, 200, "{body}");
        let (_, content) = body.split_once("<Content>").unwrap();
        content.split_once("</Content>").unwrap().0.to_owned()
    }

    /// Lets the account keep no credential report, so that the next one is made anew.
    pub fn expire_report(&self) {
        self.ask("expire-report", Value::Null);
    }

    /// The seconds that IAM takes to make the next credential report.
    pub fn report_delay(&self, seconds: f64) {
        self.ask("report-delay", json!(seconds));
    }

    /// Lets the trust of the auditor's role ask for an external id.
    pub fn require_external_id(&self, id: &str) {
        self.ask("require-external-id", json!(id));
    }

    /// How many seconds credentials of the account's roles are good from now on, whatever was
    /// asked for.
    pub fn session_seconds(&self, seconds: f64) {
        self.ask("session-seconds", json!(seconds));
    }
}

/// One call, as the stand-in took it.
#[derive(Debug, Clone, Deserialize)]
pub struct Call {
    /// `iam` or `sts`.
    pub service: String,
    /// The action's name.
    pub action: String,
    /// What it acts on, as a policy names it: an ARN, or `*`.
    pub resource: String,
    /// The fields of the form that was sent.
    pub parameters: BTreeMap<String, String>,
    /// The HTTP status of the answer, also of one that got lost; 0 while there is none.
    pub status: u16,
    /// Who signed the call; empty if nobody did.
    pub access_key_id: String,
    /// When it came in, in seconds since the server began.
    pub at: f64,
    /// When its answer went out, on the same clock.
    pub until: Option<f64>,
}

impl Call {
    /// The action as a policy names it.
    pub fn name(&self) -> String {
        format!("{}:{}", self.service, self.action)
    }
}

/// A request for an OIDC token.
#[derive(Debug, Clone, Deserialize)]
pub struct TokenRequest {
    /// The audience that was asked for.
    pub audience: String,
    /// Whether the runner's request token came with it.
    pub authorized: bool,
    /// The HTTP status of the answer.
    pub status: u16,
    /// When it came in, in seconds since the server began.
    pub at: f64,
}

fn pairs<const N: usize>(pairs: [(&str, String); N]) -> Vec<(String, String)> {
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Sends a command to the stand-in; its complaint is the error.
fn command(port: u16, name: &str, wanted: &Value) -> Result<Value, String> {
    let (status, body) =
        request(port, &format!("POST /_control/{name}"), &[], wanted.to_string().as_bytes());
    let told: Value = serde_json::from_slice(&body).expect("the stand-in answers in JSON");
    if status == 200 { Ok(told) } else { Err(told["error"].to_string()) }
}

/// Sends one request over a connection of its own, and gives the status and the body.
///
/// `line` is the method and the target.
pub fn request(port: u16, line: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
    let answer = crate::http::send(port, line, headers, body).expect("the stand-in answers");
    (answer.status, answer.body)
}

/// The Python of a virtual environment that has what the stand-in needs, made on first use.
pub fn python() -> PathBuf {
    crate::services::python(REQUIREMENT)
}
