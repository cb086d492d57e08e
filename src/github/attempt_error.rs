//! Why an attempt failed, and whether to retry.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use octocrab::GitHubError;
use reqwest::Url;
use serde_json::Value;

use super::error::{ErrorDetails, ErrorKind, one_line};
use crate::cause::root_cause;
use crate::retry::{AttemptFailure, Retry};

/// The longest wait that is accepted from GitHub.
const MAX_WAIT: Duration = Duration::from_secs(120);
/// The wait for a rate limit if GitHub does not say how long.
///
/// Source: "Rate limits for the REST API", GitHub documentation.
const DEFAULT_RATE_LIMIT_WAIT: Duration = Duration::from_secs(60);

/// Why one attempt failed.
#[derive(Debug)]
pub(super) struct AttemptError {
    pub(super) kind: ErrorKind,
    pub(super) message: String,
    /// The HTTP status, if there was a response.
    pub(super) status: Option<u16>,
    pub(super) details: Option<Box<ErrorDetails>>,
    /// The number of the attempt, from 1.
    pub(super) number: u32,
    /// Whether the call may have succeeded, and this could not be checked.
    pub(super) outcome_unknown: bool,
    retry: Retry,
}

impl AttemptError {
    fn new(kind: ErrorKind, retry: Retry, message: impl Into<String>) -> Self {
        let (message, details) = (message.into(), None);
        Self { kind, message, status: None, details, number: 1, outcome_unknown: false, retry }
    }

    pub(super) fn of(error: octocrab::Error) -> Self {
        match error {
            octocrab::Error::GitHub { source, .. } => Self::refused(&source),
            octocrab::Error::Service { .. }
            | octocrab::Error::Reqwest { .. }
            | octocrab::Error::Hyper { .. } => {
                Self::new(ErrorKind::Unreachable, Retry::FewTimes, root_cause(&error))
            }
            other => Self::unexpected(root_cause(&other)),
        }
    }

    fn refused(error: &GitHubError) -> Self {
        let no_headers = HeaderMap::new();
        let headers = error.headers.as_ref().unwrap_or(&no_headers);
        let resets_at = resets_at(headers);
        let kind = kind_of(error, headers);
        let retry = match kind {
            ErrorKind::RateLimited => retry_rate_limit(rate_limit_wait(headers, resets_at)),
            ErrorKind::Unavailable => {
                let wait = seconds(headers, RETRY_AFTER.as_str()).unwrap_or_default();
                Retry::UntilDeadline { wait: wait.min(MAX_WAIT) }
            }
            _ => Retry::Never,
        };
        let permissions = text(headers, "x-accepted-github-permissions").map(one_line);
        let details = ErrorDetails {
            permissions: permissions.filter(|it| !it.is_empty()),
            resets_at: resets_at.filter(|_| kind == ErrorKind::RateLimited),
            fields: texts_of(error, "field"),
            codes: texts_of(error, "code"),
        };
        Self {
            status: Some(error.status_code.as_u16()),
            details: Some(Box::new(details)),
            ..Self::new(kind, retry, error_message(error))
        }
    }

    /// A response that GitHub does not send, and that a retry would not change.
    pub(super) fn unexpected(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unexpected, Retry::Never, message)
    }

    /// JSON with a different structure.
    pub(super) fn unexpected_shape(error: &serde_json::Error) -> Self {
        Self::unexpected(format!("the response has an unexpected structure: {error}"))
    }

    /// Not JSON, perhaps the page of a proxy.
    pub(super) fn not_json(status: StatusCode) -> Self {
        let message = format!("HTTP status {}, and the response is not JSON", status.as_u16());
        let status = Some(status.as_u16());
        Self { status, ..Self::new(ErrorKind::Unexpected, Retry::FewTimes, message) }
    }

    /// The connection was closed during the response, or the response was too large.
    pub(super) fn unreadable(error: &(dyn std::error::Error + 'static)) -> Self {
        if error.is::<http_body_util::LengthLimitError>() {
            return Self::unexpected("the response is too large");
        }
        Self::new(ErrorKind::Unreachable, Retry::FewTimes, root_cause(error))
    }

    /// A redirect to another origin.
    pub(super) fn redirected_away(target: &Url) -> Self {
        let to = target.origin().ascii_serialization();
        Self::unexpected(format!(
            "a redirect to another host, {to}, to which the token is not \
                                  sent"
        ))
    }

    /// The deadline passed before the call was made.
    pub(super) fn out_of_time() -> Self {
        Self::new(ErrorKind::TimedOut, Retry::Never, "the timeout was reached")
    }

    /// One attempt timed out.
    pub(super) fn slow(waited: Duration) -> Self {
        let message = format!("no response within {:.1} s", waited.as_secs_f64());
        Self::new(ErrorKind::TimedOut, Retry::UNTIL_DEADLINE, message)
    }

    pub(super) fn with_number(self, number: u32) -> Self {
        Self { number, ..self }
    }

    /// The failure of a create that could not be checked. It is not repeated.
    pub(super) fn with_unknown_outcome(self) -> Self {
        Self { outcome_unknown: true, retry: Retry::Never, ..self }
    }

    /// Whether GitHub may have carried out the request although it failed.
    pub(super) const fn may_have_succeeded(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Unavailable
                | ErrorKind::Unreachable
                | ErrorKind::TimedOut
                | ErrorKind::Unexpected
        )
    }
}

impl AttemptFailure for AttemptError {
    fn retry(&self) -> Retry {
        self.retry
    }

    /// A timeout explains less than what failed before it.
    fn after(self, earlier: Self) -> Self {
        match self.kind {
            ErrorKind::TimedOut => {
                let Self { number, outcome_unknown, .. } = self;
                Self { number, outcome_unknown, ..earlier }
            }
            _ => self,
        }
    }
}

fn retry_rate_limit(wait: Duration) -> Retry {
    if wait > MAX_WAIT { Retry::Never } else { Retry::UntilDeadline { wait } }
}

/// Source: "Troubleshooting the REST API", GitHub documentation.
fn kind_of(error: &GitHubError, headers: &HeaderMap) -> ErrorKind {
    match error.status_code.as_u16() {
        401 => ErrorKind::Unauthorized,
        403 if is_rate_limit(error, headers) => ErrorKind::RateLimited,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        410 => ErrorKind::Gone,
        // GitHub sends this when content is created too quickly.
        422 if error_message(error).contains("submitted too quickly") => ErrorKind::RateLimited,
        422 => ErrorKind::Unprocessable,
        429 => ErrorKind::RateLimited,
        408 | 500.. => ErrorKind::Unavailable,
        _ => ErrorKind::Unexpected,
    }
}

/// Whether a 403 is a rate limit and not a missing permission.
fn is_rate_limit(error: &GitHubError, headers: &HeaderMap) -> bool {
    let message = error.message.to_lowercase();
    headers.contains_key(RETRY_AFTER)
        || is_used_up(headers)
        || ["rate limit", "abuse"].iter().any(|phrase| message.contains(phrase))
}

/// Whether the hourly requests are used up.
fn is_used_up(headers: &HeaderMap) -> bool {
    text(headers, "x-ratelimit-remaining") == Some("0") && headers.contains_key("x-ratelimit-reset")
}

/// How long GitHub asks to wait. Uses the time in the response, because the local clock may be
/// wrong.
fn rate_limit_wait(headers: &HeaderMap, resets_at: Option<DateTime<Utc>>) -> Duration {
    if let Some(wait) = seconds(headers, RETRY_AFTER.as_str()) {
        return wait;
    }
    match (is_used_up(headers), date(headers), resets_at) {
        (true, Some(now), Some(then)) => {
            // The reset time is in whole seconds.
            (then - now).to_std().unwrap_or_default() + Duration::from_secs(1)
        }
        _ => DEFAULT_RATE_LIMIT_WAIT,
    }
}

/// When the rate limit resets, if GitHub says so.
fn resets_at(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    if let (Some(wait), Some(now)) = (seconds(headers, RETRY_AFTER.as_str()), date(headers)) {
        return now.checked_add_signed(chrono::Duration::from_std(wait).ok()?);
    }
    let reset = text(headers, "x-ratelimit-reset")?.parse().ok()?;
    DateTime::from_timestamp(reset, 0).filter(|_| is_used_up(headers))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn seconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    text(headers, name)?.parse().ok().map(Duration::from_secs)
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let date = DateTime::parse_from_rfc2822(text(headers, DATE.as_str())?).ok()?;
    Some(date.to_utc())
}

/// The error message of GitHub, with the problems of each field.
fn error_message(error: &GitHubError) -> String {
    let status = error.status_code;
    // An HTML page, probably from a proxy.
    if error.message.starts_with('<') {
        return format!("HTTP status {status}");
    }
    let problems: Vec<_> = error.errors.iter().flatten().map(problem).collect();
    let message = format!("HTTP status {}: {}", status.as_u16(), error.message);
    if problems.is_empty() { message } else { format!("{message}: {}", problems.join("; ")) }
}

/// An entry of `errors`: a text, or a field with a code or a message.
fn problem(error: &Value) -> String {
    let of = |name: &str| error.get(name).and_then(Value::as_str);
    let (field, code, message) = (of("field"), of("code"), of("message"));
    let what = match (code, message) {
        (Some(code), Some(message)) => format!("{code}, {message}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => error.as_str().map_or_else(|| error.to_string(), str::to_owned),
    };
    match field {
        Some(field) => format!("`{field}` {what}"),
        None => what,
    }
}

/// The texts with this key in all `errors`.
fn texts_of(error: &GitHubError, name: &str) -> Vec<String> {
    let errors = error.errors.iter().flatten();
    errors.filter_map(|error| error.get(name)?.as_str()).map(one_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "Tue, 24 Nov 2026 12:00:00 GMT";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn rate_limit_wait_follows_github_headers() {
        let at = |after: i64| {
            let now = DateTime::parse_from_rfc2822(NOW).unwrap().timestamp();
            (now + after).to_string()
        };
        for (error, wait) in [
            (headers(&[("retry-after", "7")]), 7),
            (headers(&[("retry-after", "7"), ("date", NOW)]), 7),
            (
                headers(&[
                    ("date", NOW),
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", &at(30)),
                ]),
                31,
            ),
            // The reset time has passed.
            (
                headers(&[
                    ("date", NOW),
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", &at(-30)),
                ]),
                1,
            ),
            // Not the hourly limit, which is not used up.
            (
                headers(&[
                    ("date", NOW),
                    ("x-ratelimit-remaining", "4000"),
                    ("x-ratelimit-reset", &at(3000)),
                ]),
                60,
            ),
            (headers(&[]), 60),
            (headers(&[("retry-after", "soon")]), 60),
        ] {
            assert_eq!(rate_limit_wait(&error, resets_at(&error)).as_secs(), wait, "{error:?}");
        }
    }

    #[test]
    fn wait_over_the_maximum_is_not_retried() {
        let wait = Duration::from_secs(120);
        assert_eq!(retry_rate_limit(wait), Retry::UntilDeadline { wait });
        assert_eq!(retry_rate_limit(wait + Duration::from_secs(1)), Retry::Never);
    }

    #[test]
    fn timeout_after_another_failure_keeps_the_message_of_that_failure() {
        let unavailable = AttemptError::new(ErrorKind::Unavailable, Retry::UNTIL_DEADLINE, "502");
        let timeout = AttemptError::slow(Duration::from_secs(2)).with_number(2);
        let failure = timeout.with_unknown_outcome().after(unavailable);
        assert_eq!((failure.kind, failure.message.as_str()), (ErrorKind::Unavailable, "502"));
        assert!(failure.outcome_unknown && failure.number == 2);
    }
}
