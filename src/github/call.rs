//! Calls to the GitHub API, with retries and redirects.
//!
//! octocrab's own retries stop after a fixed number of attempts, repeat a create without checking,
//! and ignore `retry-after`. Redirects are followed here with the same method and body, and never
//! to another origin, because the request carries the token.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, LINK, LOCATION, USER_AGENT};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use reqwest::Url;
use secrecy::ExposeSecret as _;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use tokio::time::Instant;

use super::GitHub;
use super::attempt_error::AttemptError;
use super::error::{Error, ErrorKind};
use crate::retry::AttemptTimedOut;

/// The waits before each lookup of something that a create may have made although its response was
/// lost. Lists lag behind by some seconds, and repeating the create too early would make a
/// duplicate.
const LOOKUP_PAUSES: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
/// The maximum number of consecutive redirects.
const MAX_REDIRECTS: usize = 5;
/// The largest response body, in bytes: twice a page of 100 issues with full bodies in which every
/// character is escaped.
const MAX_RESPONSE_BYTES: usize = 80 * 1024 * 1024;

const USER_AGENT_VALUE: &str = concat!("iam-stocktake/", env!("CARGO_PKG_VERSION"));
pub(super) const JSON: &str = "application/vnd.github+json";

/// A request that can be sent several times.
#[derive(Debug)]
pub(super) struct ApiRequest {
    /// What it does, such as `listing the issues of acme/infra`.
    pub(super) what: String,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Value>,
    pub(super) accept: &'static str,
    /// An error that is an ordinary answer to this request, such as not found.
    pub(super) expected: Option<ErrorKind>,
}

/// A successful response.
pub(super) struct ApiResponse {
    status: StatusCode,
    /// The `Link` header, which contains the URL of the next page.
    pub(super) link: Option<String>,
    pub(super) bytes: Vec<u8>,
}

impl ApiRequest {
    pub(super) fn get(what: impl Into<String>, url: Url) -> Self {
        Self {
            what: what.into(),
            method: Method::GET,
            url,
            body: None,
            accept: JSON,
            expected: None,
        }
    }

    /// The same request, for which this error is an ordinary answer.
    pub(super) fn expecting(self, refusal: ErrorKind) -> Self {
        Self { expected: Some(refusal), ..self }
    }

    pub(super) fn delete(what: impl Into<String>, url: Url) -> Self {
        Self { method: Method::DELETE, ..Self::get(what, url) }
    }

    pub(super) fn post(what: impl Into<String>, url: Url, body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(what, url) }
    }

    pub(super) fn patch(what: impl Into<String>, url: Url, body: Value) -> Self {
        Self { method: Method::PATCH, ..Self::post(what, url, body) }
    }
}

impl ApiResponse {
    /// Parses the body as JSON.
    pub(super) fn json<T: DeserializeOwned>(self) -> Result<T, AttemptError> {
        serde_json::from_slice(&self.bytes).map_err(|error| {
            // Invalid JSON may come from a proxy, and the next attempt may succeed. JSON with a
            // different structure will not change.
            if error.is_data() {
                AttemptError::unexpected_shape(&error)
            } else {
                AttemptError::not_json(self.status)
            }
        })
    }

    /// Checks that GitHub responded with JSON or with an empty body.
    pub(super) fn expect_empty(self) -> Result<(), AttemptError> {
        if self.bytes.is_empty() { Ok(()) } else { self.json::<IgnoredAny>().map(drop) }
    }

    /// The unparsed body.
    #[expect(clippy::unnecessary_wraps, reason = "has the signature of a reader")]
    pub(super) fn into_bytes(self) -> Result<Vec<u8>, AttemptError> {
        Ok(self.bytes)
    }
}

impl GitHub {
    /// Makes a call that can safely be repeated, and retries it until the deadline.
    pub(super) async fn call<T>(
        &self,
        request: &ApiRequest,
        read: impl Fn(ApiResponse) -> Result<T, AttemptError>,
    ) -> Result<T, Error> {
        let attempt = |number| self.attempt(request, number, &read);
        self.deadline.retry(attempt).await.map_err(|failure| self.error(request, failure))
    }

    /// Makes a call that creates something. After a failure that may hide a success, looks for it
    /// with `find`, several times with growing waits, and repeats the call only if it is not there.
    pub(super) async fn create<T>(
        &self,
        request: &ApiRequest,
        read: impl Fn(ApiResponse) -> Result<T, AttemptError>,
        find: impl AsyncFn() -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        let attempt = async |number| {
            let failure = match self.attempt(request, number, &read).await {
                Err(failure) if failure.may_have_succeeded() => failure,
                outcome => return outcome,
            };
            match self.look_up_created(&find).await {
                Ok(LookupOutcome::Found(created)) => Ok(created),
                Ok(LookupOutcome::Absent) => Err(failure),
                Ok(LookupOutcome::TimedOut) => Err(failure.with_unknown_outcome()),
                Err(error) => {
                    tracing::debug!(%error, "cannot check whether it was created");
                    Err(failure.with_unknown_outcome())
                }
            }
        };
        self.deadline.retry(attempt).await.map_err(|failure| self.error(request, failure))
    }

    /// Looks for something that a create may have made. Waits first, because GitHub may still be
    /// processing the request.
    async fn look_up_created<T>(
        &self,
        find: &impl AsyncFn() -> Result<Option<T>, Error>,
    ) -> Result<LookupOutcome<T>, Error> {
        for pause in LOOKUP_PAUSES {
            let is_in_time = self.deadline.sleep(pause).await;
            match find().await? {
                Some(created) => return Ok(LookupOutcome::Found(created)),
                None if is_in_time => {}
                None => return Ok(LookupOutcome::TimedOut),
            }
        }
        Ok(LookupOutcome::Absent)
    }

    async fn attempt<T>(
        &self,
        request: &ApiRequest,
        attempt: u32,
        read: impl Fn(ApiResponse) -> Result<T, AttemptError>,
    ) -> Result<T, AttemptError> {
        let started = Instant::now();
        // A request is sent as soon as it is polled, so it must not be made after the deadline.
        if self.deadline.has_passed() {
            return Err(AttemptError::out_of_time().with_number(attempt));
        }
        let outcome = match self.deadline.attempt(self.exchange(request)).await {
            Ok(Ok(answer)) => {
                let status = answer.status.as_u16();
                read(answer).map(|read| (status, read))
            }
            Ok(Err(failure)) => Err(failure),
            Err(AttemptTimedOut(after)) => Err(AttemptError::slow(after)),
        };
        let (method, route) = (&request.method, request.url.path());
        let milliseconds = started.elapsed().as_millis();
        match outcome {
            Ok((status, read)) => {
                tracing::debug!(%method, route, status, attempt, milliseconds, "answered");
                Ok(read)
            }
            Err(failure) if request.expected == Some(failure.kind) => {
                let status = failure.status;
                tracing::debug!(%method, route, status, attempt, milliseconds, "answered");
                Err(failure.with_number(attempt))
            }
            Err(failure) => {
                let (status, kind) = (failure.status, failure.kind);
                tracing::debug!(%method, route, status, %kind, attempt, milliseconds, "failed");
                Err(failure.with_number(attempt))
            }
        }
    }

    /// Sends the request once, and follows redirects within the same origin.
    async fn exchange(&self, request: &ApiRequest) -> Result<ApiResponse, AttemptError> {
        let mut url = request.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            match self.send(request, &url).await? {
                SendOutcome::Answered(answer) => return Ok(answer),
                SendOutcome::Redirected(target) => url = target,
            }
        }
        Err(AttemptError::unexpected(format!("more than {MAX_REDIRECTS} redirects")))
    }

    async fn send(&self, request: &ApiRequest, url: &Url) -> Result<SendOutcome, AttemptError> {
        let builder = http::Request::builder()
            .method(request.method.clone())
            .uri(url.as_str())
            .header(ACCEPT, request.accept)
            .header(USER_AGENT, USER_AGENT_VALUE)
            .header(AUTHORIZATION, self.authorization.clone());
        // Puts the version of the API in, and the type of the body.
        let built = self.octocrab.build_request(builder, request.body.as_ref());
        let response = self.octocrab.execute(built.map_err(AttemptError::of)?).await;
        let response = response.map_err(AttemptError::of)?;
        if let Some(target) = redirected(response.status(), response.headers(), url) {
            let target = target?;
            return match self.is_same_origin(&target) {
                true => Ok(SendOutcome::Redirected(target)),
                false => Err(AttemptError::redirected_away(&target)),
            };
        }
        let response = octocrab::map_github_error(response).await.map_err(AttemptError::of)?;
        let (parts, body) = response.into_parts();
        let bytes = Limited::new(body, MAX_RESPONSE_BYTES).collect().await;
        let bytes = bytes.map_err(|error| AttemptError::unreadable(&*error))?.to_bytes().to_vec();
        let link = parts.headers.get(LINK).and_then(|link| link.to_str().ok()).map(str::to_owned);
        Ok(SendOutcome::Answered(ApiResponse { status: parts.status, link, bytes }))
    }

    /// Whether the token may be sent to this URL.
    pub(super) fn is_same_origin(&self, url: &Url) -> bool {
        url.origin() == self.api.origin()
    }

    fn error(&self, request: &ApiRequest, failure: AttemptError) -> Error {
        let AttemptError { kind, mut message, details, number, outcome_unknown, .. } = failure;
        if outcome_unknown {
            message.push_str("; it is unknown whether GitHub created it");
        }
        // A server or proxy may repeat the token.
        let message = message.replace(self.token.expose_secret().trim(), "***");
        Error { details, attempts: number, ..Error::new(request.what.as_str(), kind, message) }
    }
}

/// The result of a lookup after a failed create.
enum LookupOutcome<T> {
    Found(T),
    /// Not found in any lookup.
    Absent,
    /// The deadline did not allow all lookups.
    TimedOut,
}

enum SendOutcome {
    Answered(ApiResponse),
    Redirected(Url),
}

/// The target of a redirect, if the response is one. A repository that was renamed or moved
/// responds with one.
///
/// Source: "Best practices for using the REST API", GitHub documentation. The request is repeated
/// unchanged, whatever the status of the redirect.
fn redirected(
    status: StatusCode,
    headers: &HeaderMap,
    url: &Url,
) -> Option<Result<Url, AttemptError>> {
    if !matches!(status.as_u16(), 301 | 302 | 307 | 308) {
        return None;
    }
    let location = headers.get(LOCATION)?.to_str().ok()?;
    Some(url.join(location).map_err(|_| AttemptError::unexpected("a redirect to an invalid URL")))
}
