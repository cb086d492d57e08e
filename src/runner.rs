//! The GitHub Actions runner's contract: what it hands over, and what it takes back.
//!
//! It hands over [`inputs`], the [`job`] with its [`event`], and [`oidc`] tokens. It takes back
//! outputs and a summary through [`files`], and [`command`]s through the [`log`]. The environment is
//! read in small functions named `from_environment`; what they make of it takes values.
//!
//! Sources: "Workflow commands for GitHub Actions", "Metadata syntax for GitHub Actions" and
//! "Variables reference", GitHub documentation.

pub mod checkout;
pub mod command;
pub mod event;
pub mod files;
mod inert;
pub mod inputs;
pub mod job;
pub mod log;
pub mod oidc;

use std::path::PathBuf;

use secrecy::SecretString;

use crate::model::identity::Visibility;

/// Whether we run in a job of GitHub Actions.
#[must_use]
pub fn is_github_actions() -> bool {
    is_set_by_the_runner(&variable)
}

/// Whether the run was asked for its debug log.
///
/// Source: "Enabling debug logging", GitHub documentation.
#[must_use]
pub fn is_debug_logging() -> bool {
    is_github_actions() && variable("RUNNER_DEBUG").is_some_and(|value| value == "1")
}

/// The folder of the job into which its repository is checked out; `None` outside of a job.
#[must_use]
pub fn workspace() -> Option<PathBuf> {
    is_github_actions()
        .then(|| variable("GITHUB_WORKSPACE").unwrap_or_else(|| ".".to_owned()).into())
}

/// Whether the event says that not everybody can read the job's log.
#[must_use]
pub fn is_private_repository() -> bool {
    let job = job::Job::from_environment().ok().flatten();
    let visibility = job.and_then(|job| job.payload.visibility);
    matches!(visibility, Some(Visibility::Private | Visibility::Internal))
}

/// Registers the tokens and keys that the environment holds, so that none is shown.
pub fn register_secrets() {
    for name in SECRETS {
        if let Some(secret) = variable(name) {
            crate::secrets::register(&secret);
        }
    }
}

/// The token for the GitHub API: the input `github-token`, or `GITHUB_TOKEN`.
#[must_use]
pub fn github_token() -> Option<SecretString> {
    let token = |name: &str| variable(name).filter(|token| !token.trim().is_empty());
    let token = token("INPUT_GITHUB-TOKEN").or_else(|| token("GITHUB_TOKEN"))?;
    Some(SecretString::from(token.trim().to_owned()))
}

/// The variables that hold secrets: the action's token first, then those of the runner and of the AWS
/// SDK.
///
/// Source: "Environment variables", AWS SDKs and Tools Reference Guide.
const SECRETS: [&str; 9] = [
    "INPUT_GITHUB-TOKEN",
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
];

fn is_set_by_the_runner(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    variable("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// A variable of the environment; an empty one is none.
#[expect(clippy::disallowed_methods, reason = "the runner speaks through the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// All variables of the environment.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

/// 128 bits of chance in hexadecimal digits, which a text that was written before cannot foresee.
fn random_token() -> String {
    format!("{:032x}", fastrand::u128(..))
}

/// What the environment says about GitHub, in a job or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHubEnvironment {
    /// `owner/name` of the repository, where one is named.
    pub repository: Option<String>,
    /// Where GitHub's REST API is: GitHub's own where none is named.
    pub api_url: String,
    /// Where GitHub's GraphQL API is, where it is named.
    pub graphql_url: Option<String>,
}

/// The repository and the APIs that the environment names.
#[must_use]
pub fn github_environment() -> GitHubEnvironment {
    GitHubEnvironment {
        repository: variable("GITHUB_REPOSITORY"),
        api_url: variable("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned()),
        graphql_url: variable("GITHUB_GRAPHQL_URL"),
    }
}
