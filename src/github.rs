//! The GitHub adapter: issues, comments, labels and files, through octocrab.
//!
//! All calls go through `call`, which knows which ones can be repeated. Responses are read into
//! small types with only the needed fields, so that an unexpected value in one entry does not hide
//! the others.

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

/// The suffix of the login of apps, including a workflow's own token.
const BOT: &str = "[bot]";
/// A query that every kind of token may send: tokens of users, apps and workflows.
const VIEWER: &str = "query { viewer { login } }";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client of the GitHub API with one token. All calls share one deadline.
pub struct GitHub {
    octocrab: Octocrab,
    api: Url,
    graphql: Url,
    /// The header with the token; its debug output is `Sensitive`.
    authorization: HeaderValue,
    /// The token, to remove it from messages.
    token: SecretString,
    deadline: Deadline,
    /// The login of the token, if GitHub returns one.
    login: OnceCell<Option<String>>,
    /// The author of something that was created with the token.
    observed_author: OnceLock<String>,
}

#[derive(Deserialize)]
pub(super) struct RawUser {
    pub(super) login: String,
    /// `User`, `Bot` or another type.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

/// The response to [`VIEWER`]. GraphQL returns errors with status 200 and without data.
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
    /// Whether the token may not send this query. Another request may still work.
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
    /// Creates a client. Must be called within the tokio runtime that uses it.
    ///
    /// `api_url` is `https://api.github.com`, or `https://HOST/api/v3` of a GitHub Enterprise
    /// Server. `timeout` is the time for all calls together, from now.
    ///
    /// [`Error`] when the URL or the token is invalid, or the HTTP client cannot be created.
    pub fn new(api_url: &str, token: SecretString, timeout: Duration) -> Result<Self, Error> {
        let failed =
            |kind, message: String| Error::new("preparing the GitHub client", kind, message);
        let misconfigured = |message| failed(ErrorKind::Misconfigured, message);
        let api = api_address(api_url).map_err(misconfigured)?;
        let authorization = bearer(&token).ok_or_else(|| {
            failed(
                ErrorKind::Unauthorized,
                "the token is not valid: it must be \
                                                            one word of ASCII characters"
                    .to_owned(),
            )
        })?;
        let client = client(attempt_time(timeout)).map_err(|error| {
            failed(ErrorKind::Unreachable, format!("cannot create the HTTP client: {error}"))
        })?;
        // octocrab spawns a task, and panics without a runtime.
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(failed(
                ErrorKind::Unexpected,
                "the client was created outside a tokio \
                                                      runtime"
                    .to_owned(),
            ));
        }
        // Not `build_with_reqwest`: it adds a second User-Agent header, panics on an unusual token,
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

    /// Uses this URL of the GraphQL API, from `GITHUB_GRAPHQL_URL`. A URL with another origin than
    /// the REST API is ignored, because the token would be sent there.
    #[must_use]
    pub fn with_graphql_url(mut self, url: Option<&str>) -> Self {
        let url = url.and_then(|url| api_address(url).ok());
        if let Some(url) = url.filter(|url| self.is_same_origin(url)) {
            self.graphql = url;
        }
        self
    }

    /// Restarts the deadline: all further calls together may take `timeout` from now.
    pub fn reset_deadline(&mut self, timeout: Duration) {
        self.deadline = Deadline::new(timeout);
    }

    /// The logins that GitHub shows as author of what the token writes. Usually one; empty if
    /// GitHub does not tell and nothing was created yet.
    ///
    /// [`Error`] when the request fails.
    pub async fn logins(&self) -> Result<Vec<String>, Error> {
        let login = self.login.get_or_try_init(|| self.ask_login()).await?;
        let mut logins: Vec<_> = login.iter().chain(self.observed_author.get()).cloned().collect();
        logins.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
        Ok(logins)
    }

    #[must_use]
    pub const fn repository(&self, name: RepositoryName) -> Repository<'_> {
        Repository::new(self, name)
    }

    /// Source: "Forming calls with GraphQL" and "Get the authenticated user", GitHub documentation.
    /// Installation tokens cannot use the latter.
    async fn ask_login(&self) -> Result<Option<String>, Error> {
        let what = "getting the login of the token";
        let request = ApiRequest::post(what, self.graphql.clone(), json!({ "query": VIEWER }));
        let request = request.expecting(ErrorKind::NotFound);
        match self.call(&request, ApiResponse::json::<ViewerResponse>).await {
            Ok(ViewerResponse { data: Some(GraphqlData { viewer: Some(user) }), .. }) => {
                return Ok(Some(user.login));
            }
            // A temporary error does not mean that the login is unavailable.
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

    /// Stores the author of something created with the token.
    fn remember_author(&self, author: Option<&str>) {
        if let Some(author) = author {
            self.observed_author.get_or_init(|| author.to_owned());
        }
    }

    /// Whether the author is the account of the token.
    async fn is_by_us(&self, author: Option<&str>) -> Result<bool, Error> {
        let Some(author) = author else { return Ok(false) };
        let logins = self.logins().await?;
        // GitHub returns no login only for app tokens.
        let is_unknown_app = logins.is_empty() && author.ends_with(BOT);
        Ok(is_unknown_app || logins.iter().any(|login| login.eq_ignore_ascii_case(author)))
    }

    /// The URL of a route. Segments are percent-encoded; `.` and `..` are left out.
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

/// Parses the URL of the API.
fn api_address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!("`{text}` is not an API URL: it must start with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the API URL contains a user name or password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("`{text}` is not an API URL: it must not contain `?` or `#`"));
    }
    Ok(url)
}

/// The URL of the GraphQL API for a REST API URL: `https://HOST/api/graphql` on GitHub Enterprise
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

/// Whether the error only means that this query is not supported.
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

/// The header value; `None` if the token is invalid.
fn bearer(token: &SecretString) -> Option<HeaderValue> {
    // Secrets are often stored with a trailing line break.
    let token = token.expose_secret().trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The HTTP client. It uses the proxy settings and root certificates of the system. Redirects,
/// retries and timeouts are handled by the calls.
fn client(attempt: Duration) -> Result<Client, reqwest::Error> {
    // The AWS SDK may have installed the provider already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT.min(attempt))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .build()
}

/// The text with LF line endings. GitHub's web forms send CRLF.
fn normalize_line_endings(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Whether the stored text is what was sent, apart from line endings and trailing white space.
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
        let error = api_address("https://me:geheim@a.example").unwrap_err();
        assert!(!error.contains("geheim"), "{error}");
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
