//! The GitHub adapter: issues, comments, labels and files, through octocrab.
//!
//! Every call is made through one way, which knows what may be sent twice. What GitHub
//! shows is read into slim types of our own: a page holds what people and other programs made of
//! it, and one odd entry must not hide the others.

mod attempt_error;
mod call;
mod comments;
mod contents;
mod error;
mod issues;
mod labels;
mod pages;
mod repository;

use std::convert::Infallible;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use http::HeaderValue;
use octocrab::service::middleware::reqwest_connector::ReqwestConnector;
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use reqwest::{Client, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;

use call::{ApiRequest, ApiResponse};

use crate::model::identity::RepositoryName;
use crate::retry::{Deadline, attempt_time};

pub use comments::Comment;
pub use error::{Error, ErrorKind};
pub use issues::{GitHubUser, Issue, IssueChange, IssueFilter, IssueState, NewIssue, StateReason};
pub use labels::{Label, NewLabel};
pub use repository::{Repository, RepositoryInfo};

/// How the author of what an app's token writes ends, a workflow's own token included.
const BOT: &str = "[bot]";
/// The question that every kind of token may ask: users' tokens, apps', and a workflow's own.
const VIEWER: &str = "query { viewer { login } }";
/// The longest time in which a connection is made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// GitHub, seen with one token. All calls together have one deadline.
pub struct GitHub {
    octocrab: Octocrab,
    api: Url,
    graphql: Url,
    /// The header that bears the token; it prints as `Sensitive`.
    authorization: HeaderValue,
    /// The token again, to keep it out of messages.
    token: SecretString,
    deadline: Deadline,
    /// The login that GitHub names for the token, if it names one.
    login: OnceCell<Option<String>>,
    /// The author that GitHub named for something created with the token.
    observed_author: OnceLock<String>,
}

/// A user or app, as far as it is of use.
#[derive(Deserialize)]
pub(super) struct RawUser {
    pub(super) login: String,
    /// `User`, `Bot`, or what else there is.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

/// The answer to [`VIEWER`]. GraphQL reports errors with status 200, without data.
#[derive(Deserialize)]
struct ViewerResponse {
    data: Option<GraphqlData>,
    #[serde(default)]
    errors: Vec<GraphqlError>,
}

/// Source: "GraphQL rate limits and query limits", GitHub documentation.
#[derive(Deserialize)]
struct GraphqlError {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    message: String,
}

impl GraphqlError {
    /// Whether the token may not ask this, so that another way of asking may still answer.
    fn is_denial(&self) -> bool {
        matches!(self.kind.as_str(), "FORBIDDEN" | "INSUFFICIENT_SCOPES" | "NOT_FOUND")
    }

    fn is_rate_limit(&self) -> bool {
        self.kind.starts_with("RATE_LIMIT")
            || self.message.to_ascii_lowercase().contains("rate limit")
    }
}

#[derive(Deserialize)]
struct GraphqlData {
    viewer: Option<RawUser>,
}

impl GitHub {
    /// Makes a client, within a tokio runtime and for it alone.
    ///
    /// `api_url` is `https://api.github.com`, or `https://HOST/api/v3` of a GitHub Enterprise
    /// Server. `timeout` is how long everything together may take, from now.
    ///
    /// # Errors
    /// [`Error`] when the URL or the token can be none, or the HTTP client cannot be made.
    pub fn new(api_url: &str, token: SecretString, timeout: Duration) -> Result<Self, Error> {
        let failed = |kind, message: String| Error::new("preparing calls to GitHub", kind, message);
        let misconfigured = |message| failed(ErrorKind::Misconfigured, message);
        let api = api_address(api_url).map_err(misconfigured)?;
        let authorization = bearer(&token)
            .ok_or_else(|| failed(ErrorKind::Unauthorized, "the token can be none".to_owned()))?;
        let client = client(attempt_time(timeout)).map_err(|error| {
            failed(ErrorKind::Unreachable, format!("the HTTP client cannot be made: {error}"))
        })?;
        // octocrab leaves a task to the runtime, and panics without one.
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(failed(ErrorKind::Unexpected, "there is no tokio runtime".to_owned()));
        }
        // Not through `build_with_reqwest`: it adds a second User-Agent, panics over an odd token,
        // and does not mark the token's header as sensitive.
        let built: Result<_, Infallible> = OctocrabBuilder::new_empty()
            .with_service(ReqwestConnector::new(client))
            .with_auth(AuthState::None)
            .build();
        let Ok(octocrab) = built;
        let graphql = graphql_address(&api);
        let deadline = Deadline::new(timeout);
        let (login, observed_author) = (OnceCell::new(), OnceLock::new());
        Ok(Self { octocrab, api, graphql, authorization, token, deadline, login, observed_author })
    }

    /// Uses this address of the GraphQL API, as `GITHUB_GRAPHQL_URL` names it. An address of
    /// another origin than the REST API's is not used: the token goes there.
    #[must_use]
    pub fn with_graphql_url(mut self, url: Option<&str>) -> Self {
        let url = url.and_then(|url| api_address(url).ok());
        if let Some(url) = url.filter(|url| self.is_same_origin(url)) {
            self.graphql = url;
        }
        self
    }

    /// Begins the time anew: from now on everything together may take `timeout`.
    pub fn reset_deadline(&mut self, timeout: Duration) {
        self.deadline = Deadline::new(timeout);
    }

    /// The logins that appear as author of what is written with the token. Usually one; empty while
    /// GitHub does not say and nothing was created yet.
    ///
    /// # Errors
    /// [`Error`] when GitHub cannot be asked.
    pub async fn logins(&self) -> Result<Vec<String>, Error> {
        let login = self.login.get_or_try_init(|| self.ask_login()).await?;
        let mut logins: Vec<_> = login.iter().chain(self.observed_author.get()).cloned().collect();
        logins.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
        Ok(logins)
    }

    /// A repository.
    #[must_use]
    pub const fn repository(&self, name: RepositoryName) -> Repository<'_> {
        Repository::new(self, name)
    }

    /// Source: "Forming calls with GraphQL" and "Get the authenticated user", GitHub documentation.
    /// The latter is closed to installation tokens.
    async fn ask_login(&self) -> Result<Option<String>, Error> {
        let what = "asking GitHub whom the token belongs to";
        let request = ApiRequest::post(what, self.graphql.clone(), json!({ "query": VIEWER }));
        let request = request.expecting(ErrorKind::NotFound);
        match self.call(&request, ApiResponse::json::<ViewerResponse>).await {
            Ok(ViewerResponse { data: Some(GraphqlData { viewer: Some(user) }), .. }) => {
                return Ok(Some(user.login));
            }
            // A passing error says nothing about who we are.
            Ok(ViewerResponse { errors, .. }) => {
                if let Some(error) = errors.iter().find(|error| !error.is_denial()) {
                    let limited = error.is_rate_limit();
                    let kind =
                        if limited { ErrorKind::RateLimited } else { ErrorKind::Unavailable };
                    return Err(Error::new(what, kind, error.message.clone()));
                }
            }
            Err(error) if is_unsupported_query(error.kind) => {}
            Err(error) => return Err(error),
        }
        let request = ApiRequest::get(what, self.url(&["user"])).expecting(ErrorKind::Forbidden);
        match self.call(&request, ApiResponse::json::<RawUser>).await {
            Ok(user) => Ok(Some(user.login)),
            Err(error) if matches!(error.kind, ErrorKind::Forbidden | ErrorKind::NotFound) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps the author that GitHub named for something created with the token.
    fn remember_author(&self, author: Option<&str>) {
        if let Some(author) = author {
            self.observed_author.get_or_init(|| author.to_owned());
        }
    }

    /// Whether the author is the account that the token belongs to.
    async fn is_by_us(&self, author: Option<&str>) -> Result<bool, Error> {
        let Some(author) = author else { return Ok(false) };
        let logins = self.logins().await?;
        // Only an app's token leaves GitHub without an answer.
        let is_unknown_app = logins.is_empty() && author.ends_with(BOT);
        Ok(is_unknown_app || logins.iter().any(|login| login.eq_ignore_ascii_case(author)))
    }

    /// A route's address. Segments are encoded; `.` and `..` cannot be, and are left out.
    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.api.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHub").field("api", &self.api.as_str()).finish_non_exhaustive()
    }
}

/// The address of the API, or why it is none.
fn api_address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|error| format!("`{text}` is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!("`{text}` is no address of an API: it begins with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the API's address holds a user name or password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("`{text}` is no address of an API: it has no `?` and no `#`"));
    }
    Ok(url)
}

/// The address of the GraphQL API beside a REST API: `https://HOST/api/graphql` on GitHub Enterprise
/// Server.
///
/// Source: "Forming calls with GraphQL", GitHub documentation.
fn graphql_address(api: &Url) -> Url {
    let mut url = api.clone();
    let is_server = api.path().trim_end_matches('/').ends_with("/api/v3");
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty();
        if is_server {
            path.pop();
        }
        path.push("graphql");
    }
    url
}

/// Whether a refusal only says that this question is not answered here.
const fn is_unsupported_query(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Forbidden
            | ErrorKind::NotFound
            | ErrorKind::Gone
            | ErrorKind::Unprocessable
            | ErrorKind::Unexpected
    )
}

/// The header's value; `None` where the token can be none.
fn bearer(token: &SecretString) -> Option<HeaderValue> {
    // A secret is often stored with the line's end.
    let token = token.expose_secret().trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A client of our own: it takes proxies from the environment and roots from the system, and
/// leaves redirects, retries and the time of a whole attempt to the calls.
fn client(attempt: Duration) -> Result<Client, reqwest::Error> {
    // The provider may be there already: the AWS SDK brings its own.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT.min(attempt))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .build()
}

/// The text with the line ends that we write: GitHub's forms send CR LF.
fn normalize_line_endings(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Whether GitHub keeps what it was sent: line ends and the white space at the end are its own.
fn is_stored_as_sent(sent: &str, kept: &str) -> bool {
    normalize_line_endings(sent).trim_end() == normalize_line_endings(kept).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_text_is_compared_without_line_endings_and_trailing_white_space() {
        assert!(is_stored_as_sent("a\n\nb\n", "a\r\n\r\nb"));
        assert!(!is_stored_as_sent("a\n\nb", "a\n\nc") && !is_stored_as_sent(" a", "a"));
    }

    #[test]
    fn invalid_api_url_is_rejected_with_a_reason() {
        for text in ["", "github", "ftp://a.example", "https://a.example?x", "file:///etc/passwd"] {
            assert!(api_address(text).is_err(), "{text}");
        }
        let told = api_address("https://me:geheim@a.example").unwrap_err();
        assert!(!told.contains("geheim"), "{told}");
        for text in ["https://api.github.com", "https://a.example/api/v3/", "http://127.0.0.1:8080"]
        {
            assert!(api_address(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn graphql_url_is_derived_from_the_rest_url() {
        for (api, graphql) in [
            ("https://api.github.com", "https://api.github.com/graphql"),
            ("https://api.acme.ghe.com/", "https://api.acme.ghe.com/graphql"),
            ("https://github.acme.example/api/v3", "https://github.acme.example/api/graphql"),
            ("https://github.acme.example/api/v3/", "https://github.acme.example/api/graphql"),
        ] {
            assert_eq!(graphql_address(&api_address(api).unwrap()).as_str(), graphql);
        }
    }

    #[test]
    fn token_is_one_ascii_word() {
        for text in ["", " \n", "a b", "a\nb", "tökén"] {
            assert!(bearer(&SecretString::from(text)).is_none(), "{text}");
        }
        let header = bearer(&SecretString::from("ghs_abc\n")).unwrap();
        assert!(!format!("{header:?}").contains("abc"));
    }
}
