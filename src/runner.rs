//! The interface to the GitHub Actions runner.
//!
//! From the runner come the [`inputs`], the [`job`] with its [`event`], and [`oidc`] tokens. To the
//! runner go outputs and a summary through [`files`], and [`command`]s through the [`log`]. Small
//! functions named `from_environment` read the environment; everything else takes values.
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

/// Whether the program runs in a GitHub Actions job.
#[must_use]
pub fn is_github_actions() -> bool {
    is_set_by_the_runner(&variable)
}

/// Whether debug logging is enabled for the run.
///
/// Source: "Enabling debug logging", GitHub documentation.
#[must_use]
pub fn is_debug_logging() -> bool {
    is_github_actions() && variable("RUNNER_DEBUG").is_some_and(|value| value == "1")
}

/// The folder that the repository is checked out to; `None` outside a job.
#[must_use]
pub fn workspace() -> Option<PathBuf> {
    is_github_actions()
        .then(|| variable("GITHUB_WORKSPACE").unwrap_or_else(|| ".".to_owned()).into())
}

/// Whether the event says that the repository is private or internal, so that the log is not
/// public.
#[must_use]
pub fn is_private_repository() -> bool {
    let job = job::Job::from_environment().ok().flatten();
    let visibility = job.and_then(|job| job.payload.visibility);
    matches!(visibility, Some(Visibility::Private | Visibility::Internal))
}

/// Registers the tokens and keys in the environment, so that they are redacted.
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

/// Variables that contain secrets: the token of the action, then those of the runner and the AWS
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

/// An environment variable; `None` if it is empty.
#[expect(clippy::disallowed_methods, reason = "the runner passes values in environment variables")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub fn variables() -> impl Iterator<Item = (String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

/// 128 random bits in hexadecimal, so that text from elsewhere cannot contain them.
fn random_token() -> String {
    format!("{:032x}", fastrand::u128(..))
}

/// GitHub settings in the environment, in a job or outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHubEnvironment {
    /// `owner/name` of the repository.
    pub repository: Option<String>,
    /// The URL of the REST API. The default is github.com.
    pub api_url: String,
    /// The URL of the GraphQL API.
    pub graphql_url: Option<String>,
}

/// Reads the repository and the API URLs from the environment.
#[must_use]
pub fn github_environment() -> GitHubEnvironment {
    GitHubEnvironment {
        repository: variable("GITHUB_REPOSITORY"),
        api_url: variable("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned()),
        graphql_url: variable("GITHUB_GRAPHQL_URL"),
    }
}
