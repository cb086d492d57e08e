//! Starts the AWS stand-in (IAM, STS and the runner's OIDC endpoint, in `aws/`) and controls it.
//! Each test has its own account, with its own faults, policy and log.
//!
//! The server listens only on loopback, on a free port. It stops when the process that started it
//! ends, because it reads a pipe that this process keeps open.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Value, json};

/// The Python package that the stand-in needs.
const REQUIREMENT: &str = "moto==5.2.5";

/// The subject in the tokens of the OIDC endpoint.
pub const OIDC_SUBJECT: &str = "repo:acme/iam:ref:refs/heads/main";

/// A running server; dropping it stops the server.
pub struct StandIn {
    child: Child,
    port: u16,
}

impl StandIn {
    /// The server of this test process, started on first use.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<StandIn> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A separate server: for a benchmark, or to test how it stops.
    pub fn start() -> Self {
        let mut child = Command::new(python())
            .args(["-m", "aws"])
            .env("PYTHONPATH", crate::services::sources())
            .env("PYTHONPYCACHEPREFIX", crate::services::folder().join("bytecode"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the stand-in must start");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        stdout.read_line(&mut line).expect("the stand-in must print its port");
        let port = line.trim().parse().expect("the first line of the stand-in must be its port");
        Self { child, port }
    }

    /// The port of the server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id of the server.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// A new account with the users of the seed.
    pub fn account(&self, seed: Seed) -> Account {
        let created =
            command(self.port, "account", &seed.0).unwrap_or_else(|error| panic!("{error}"));
        let details = serde_json::from_value(created).expect("the stand-in returns the account");
        Account { port: self.port, details }
    }

    /// Every secret that the server issued or accepts: tokens, secret keys, session tokens.
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

/// The initial content of an account.
#[derive(Debug, Clone)]
pub struct Seed(Value);

impl Seed {
    /// No users.
    pub fn empty() -> Self {
        Self::users(0, 0)
    }

    /// A number of users of all kinds; the same for the same seed.
    pub fn users(count: usize, seed: u64) -> Self {
        Self(json!({ "users": count, "seed": seed }))
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.0.as_object_mut().unwrap().insert(name.to_owned(), value);
        self
    }

    /// Seconds that IAM needs to generate a credential report; default 0.
    pub fn report_delay(self, seconds: f64) -> Self {
        self.with("report_delay", json!(seconds))
    }

    /// The threshold in days around which users are created and the expected findings are computed;
    /// default 90.
    pub fn stale_after_days(self, days: u32) -> Self {
        self.with("days", json!(days))
    }

    /// The partition: `aws` (default), `aws-cn`, `aws-us-gov` or `aws-eusc`.
    pub fn partition(self, partition: &str) -> Self {
        self.with("partition", json!(partition))
    }

    /// The id of the account, instead of a new one.
    pub fn id(self, id: &str) -> Self {
        self.with("id", json!(id))
    }
}

/// What the stand-in returns about a new account.
#[derive(Deserialize)]
struct AccountDetails {
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
    details: AccountDetails,
}

impl Account {
    /// The account id.
    pub fn id(&self) -> &str {
        &self.details.id
    }

    /// The ARN of the role `audit`, which the OIDC provider and other accounts can assume.
    pub fn role_arn(&self) -> &str {
        &self.details.role_arn
    }

    /// The region for the account's partition.
    pub fn region(&self) -> &str {
        &self.details.region
    }

    /// The access key id of the role's credentials.
    pub fn access_key_id(&self) -> &str {
        &self.details.access_key_id
    }

    /// The endpoint variables of the AWS SDK.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The environment with credentials of the role.
    pub fn environment(&self) -> Vec<(String, String)> {
        pairs([
            ("AWS_ACCESS_KEY_ID", self.details.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.details.secret_access_key.clone()),
            ("AWS_SESSION_TOKEN", self.details.session_token.clone()),
            ("AWS_REGION", self.details.region.clone()),
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ])
    }

    /// The environment of a job with `id-token: write`: the runner's variables and the endpoints.
    pub fn oidc_environment(&self) -> Vec<(String, String)> {
        let url = format!("{}{}", self.endpoint(), self.details.request_path);
        pairs([
            ("ACTIONS_ID_TOKEN_REQUEST_URL", url),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", self.details.request_token.clone()),
            ("AWS_ENDPOINT_URL", self.endpoint()),
        ])
    }

    fn command(&self, name: &str, value: Value) -> Value {
        let arguments = json!({ "account": self.id(), "value": value });
        command(self.port, name, &arguments).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The calls so far, in order of arrival. A call is listed before it is answered.
    pub fn log(&self) -> Vec<Call> {
        serde_json::from_value(self.command("log", Value::Null)).unwrap()
    }

    /// How often each action was called, such as `iam:ListUsers`.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.log() {
            *counts.entry(call.name()).or_default() += 1;
        }
        counts
    }

    /// The requests for OIDC tokens so far.
    pub fn token_requests(&self) -> Vec<TokenRequest> {
        serde_json::from_value(self.command("oidc-log", Value::Null)).unwrap()
    }

    /// Requests an OIDC token for this audience.
    pub fn token(&self, audience: &str) -> String {
        let target = format!("GET {}&audience={audience}", self.details.request_path);
        let authorization = format!("Bearer {}", self.details.request_token);
        let (status, body) = request(self.port, &target, &[("Authorization", &authorization)], b"");
        assert_eq!(status, 200);
        let json: Value = serde_json::from_slice(&body).unwrap();
        json["value"].as_str().unwrap().to_owned()
    }

    /// Clears the logs of calls and token requests.
    pub fn reset_log(&self) {
        self.command("reset-log", Value::Null);
    }

    /// Replaces the faults (see `aws/faults.py`). An empty object removes them.
    pub fn faults(&self, faults: Value) {
        self.command("faults", faults);
    }

    /// Replaces the policy of the role: an IAM policy document, or null to allow everything.
    pub fn policy(&self, document: Value) {
        self.command("policy", document);
    }

    /// The expected findings (see `aws/truth.py`).
    pub fn truth(&self) -> Value {
        self.command("truth", Value::Null)
    }

    /// Changes users and credentials (see `aws/changes.py`). Returns the result of each operation.
    pub fn change(&self, operations: Value) -> Value {
        self.command("change", operations)
    }

    /// Everything that a user has (see `aws/holdings.py`), or null if there is no such user.
    pub fn user(&self, name: &str) -> Value {
        self.command("user", json!(name))
    }

    /// The serial numbers of all virtual MFA devices of the account, assigned or not.
    pub fn virtual_mfa_devices(&self) -> Vec<String> {
        serde_json::from_value(self.command("virtual-mfa-devices", Value::Null)).unwrap()
    }

    /// Whether the fault `hold` is delaying a call.
    pub fn held(&self) -> bool {
        self.command("held", Value::Null) == json!(true)
    }

    /// Sets the account's clock ahead of the machine's by a number of days. IAM uses it for dates;
    /// STS sessions do not.
    pub fn clock(&self, days: f64) {
        self.command("clock", json!(days));
    }

    /// Stops the account's clock at a time, in RFC 3339.
    pub fn stop_clock(&self, at: &str) {
        self.command("clock", json!(at));
    }

    /// Stores a credential report of the current users that was finished some hours ago. Later
    /// changes are only visible through the API.
    pub fn make_report(&self, hours_ago: f64) {
        self.command("make-report", json!(hours_ago));
    }

    /// The credential report as `GetCredentialReport` returns it: CSV in base64. It must exist.
    pub fn exported_report(&self) -> String {
        let scope = format!("{}/20300101/us-east-1/iam/aws4_request", self.access_key_id());
        let authorization = format!("AWS4-HMAC-SHA256 Credential={scope}, Signature=0");
        let headers = [
            ("Authorization", authorization.as_str()),
            ("X-Amz-Security-Token", self.details.session_token.as_str()),
        ];
        let form = b"Action=GetCredentialReport&Version=2010-05-08";
        let (status, body) = request(self.port, "POST /", &headers, form);
        let body = String::from_utf8(body).unwrap();
        assert_eq!(status, 200, "{body}");
        let (_, content) = body.split_once("<Content>").unwrap();
        content.split_once("</Content>").unwrap().0.to_owned()
    }

    /// Deletes the credential report, so that the next one is generated.
    pub fn expire_report(&self) {
        self.command("expire-report", Value::Null);
    }

    /// Sets the seconds that IAM needs to generate the next credential report.
    pub fn report_delay(&self, seconds: f64) {
        self.command("report-delay", json!(seconds));
    }

    /// Makes the role's trust policy require an external id.
    pub fn require_external_id(&self, id: &str) {
        self.command("require-external-id", json!(id));
    }

    /// Sets the lifetime in seconds of new role credentials, whatever was requested.
    pub fn session_seconds(&self, seconds: f64) {
        self.command("session-seconds", json!(seconds));
    }
}

/// A call that the stand-in received.
#[derive(Debug, Clone, Deserialize)]
pub struct Call {
    /// `iam` or `sts`.
    pub service: String,
    /// The name of the action.
    pub action: String,
    /// The resource, as in a policy: an ARN, or `*`.
    pub resource: String,
    /// The form fields.
    pub parameters: BTreeMap<String, String>,
    /// The HTTP status of the answer, even if the answer was lost; 0 before there is one.
    pub status: u16,
    /// The signer of the call; empty if it was not signed.
    pub access_key_id: String,
    /// When it arrived, in seconds since the server started.
    pub at: f64,
    /// When its answer was sent, on the same clock.
    pub until: Option<f64>,
}

impl Call {
    /// The action, as in a policy.
    pub fn name(&self) -> String {
        format!("{}:{}", self.service, self.action)
    }
}

/// A request for an OIDC token.
#[derive(Debug, Clone, Deserialize)]
pub struct TokenRequest {
    /// The requested audience.
    pub audience: String,
    /// Whether the runner's request token was sent.
    pub authorized: bool,
    /// The HTTP status of the response.
    pub status: u16,
    /// When it arrived, in seconds since the server started.
    pub at: f64,
}

fn pairs<const N: usize>(pairs: [(&str, String); N]) -> Vec<(String, String)> {
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Sends a command to the stand-in.
fn command(port: u16, name: &str, arguments: &Value) -> Result<Value, String> {
    let (status, body) =
        request(port, &format!("POST /_control/{name}"), &[], arguments.to_string().as_bytes());
    let result: Value = serde_json::from_slice(&body).expect("the stand-in must respond with JSON");
    if status == 200 { Ok(result) } else { Err(result["error"].to_string()) }
}

/// Sends one request over a new connection, and returns the status and the body.
///
/// `line` is the method and the target.
pub fn request(port: u16, line: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
    let answer = crate::http::send(port, line, headers, body).expect("the stand-in must respond");
    (answer.status, answer.body)
}

/// The Python of a virtual environment with the stand-in's packages, created on first use.
pub fn python() -> PathBuf {
    crate::services::python(REQUIREMENT)
}
