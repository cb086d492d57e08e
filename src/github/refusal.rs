//! What an attempt failed for, and whether another one may be answered.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use octocrab::GitHubError;
use reqwest::Url;
use serde_json::Value;

use super::error::{Details, Kind, one_line};
use crate::cause::innermost;

/// How often what should not fail twice is tried: a host that cannot be reached, an answer that is
/// no JSON. Longer than a resolver or a route takes to recover, shorter than anybody waits for a
/// misspelt host.
const FEW_ATTEMPTS: u32 = 7;
/// The longest wait that GitHub may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// How long is waited where GitHub limits and does not say for how long.
///
/// Source: "Rate limits for the REST API", GitHub documentation.
const UNTOLD_WAIT: Duration = Duration::from_secs(60);

/// Why one attempt failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) message: String,
    /// The HTTP status, where there was an answer.
    pub(super) status: Option<u16>,
    /// How long to wait before another attempt, where GitHub has a say in it.
    pub(super) wait: Option<Duration>,
    pub(super) details: Option<Box<Details>>,
    outlook: Outlook,
}

/// What becomes of further attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outlook {
    /// They fail alike.
    Hopeless,
    /// One of the next few may be answered.
    Brief,
    /// One may be answered some time.
    Lasting,
}

impl Failure {
    fn new(kind: Kind, outlook: Outlook, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, message, status: None, wait: None, details: None, outlook }
    }

    /// What an error of octocrab comes to.
    pub(super) fn of(error: octocrab::Error) -> Self {
        match error {
            octocrab::Error::GitHub { source, .. } => Self::refused(&source),
            octocrab::Error::Service { .. }
            | octocrab::Error::Reqwest { .. }
            | octocrab::Error::Hyper { .. } => {
                Self::new(Kind::Unreachable, Outlook::Brief, innermost(&error))
            }
            other => Self::unexpected(innermost(&other)),
        }
    }

    fn refused(told: &GitHubError) -> Self {
        let unsaid = HeaderMap::new();
        let headers = told.headers.as_ref().unwrap_or(&unsaid);
        let resets_at = resets_at(headers);
        let kind = kind_of(told, headers);
        let wait = match kind {
            Kind::RateLimited => Some(wait_of(headers, resets_at)),
            Kind::Unavailable => {
                seconds(headers, RETRY_AFTER.as_str()).map(|it| it.min(LONGEST_WAIT))
            }
            _ => None,
        };
        let outlook = outlook_of(kind, wait.unwrap_or_default());
        let permissions = text(headers, "x-accepted-github-permissions").map(one_line);
        let details = Details {
            permissions: permissions.filter(|it| !it.is_empty()),
            resets_at: resets_at.filter(|_| kind == Kind::RateLimited),
            fields: texts_of(told, "field"),
            codes: texts_of(told, "code"),
        };
        Self {
            status: Some(told.status_code.as_u16()),
            wait,
            details: Some(Box::new(details)),
            ..Self::new(kind, outlook, words(told))
        }
    }

    /// An answer that makes no sense, and will make none.
    pub(super) fn unexpected(message: impl Into<String>) -> Self {
        Self::new(Kind::Unexpected, Outlook::Hopeless, message)
    }

    /// The answer is JSON of another shape.
    pub(super) fn misshapen(error: &serde_json::Error) -> Self {
        Self::unexpected(format!("the answer has another shape than expected: {error}"))
    }

    /// The answer is no JSON, but perhaps the page of something between.
    pub(super) fn no_json(status: StatusCode) -> Self {
        let message = format!("HTTP status {}, and an answer that is no JSON", status.as_u16());
        let status = Some(status.as_u16());
        Self { status, ..Self::new(Kind::Unexpected, Outlook::Brief, message) }
    }

    /// The connection broke within the answer, or the answer was too large.
    pub(super) fn unreadable(error: &(dyn std::error::Error + 'static)) -> Self {
        if error.is::<http_body_util::LengthLimitError>() {
            return Self::unexpected("the answer is too large");
        }
        Self::new(Kind::Unreachable, Outlook::Brief, innermost(error))
    }

    /// The answer leads to another origin.
    pub(super) fn redirected_away(target: &Url) -> Self {
        let to = target.origin().ascii_serialization();
        Self::unexpected(format!("a redirect to another host, {to}, which the token must not see"))
    }

    /// Time was up before the call was made.
    pub(super) fn out_of_time() -> Self {
        Self::new(Kind::OutOfTime, Outlook::Hopeless, "time was up")
    }

    /// There was no answer in the time of one attempt.
    pub(super) fn slow(waited: Duration) -> Self {
        let message = format!("no answer within {:.1} s", waited.as_secs_f64());
        Self::new(Kind::OutOfTime, Outlook::Lasting, message)
    }

    /// The same failure of a create, where it could not be looked whether it happened.
    pub(super) fn unsettled(mut self) -> Self {
        self.message.push_str("; it is not known whether it happened");
        self
    }

    /// The failure to tell of: that time was up says less than what went wrong before.
    pub(super) fn or(self, earlier: Option<Self>) -> Self {
        match earlier {
            Some(earlier) if self.kind == Kind::OutOfTime => earlier,
            _ => self,
        }
    }

    /// Whether another attempt may be answered.
    pub(super) fn may_pass(&self, attempt: u32) -> bool {
        match self.outlook {
            Outlook::Hopeless => false,
            Outlook::Brief => attempt < FEW_ATTEMPTS,
            Outlook::Lasting => true,
        }
    }

    /// Whether what was asked for may have been done all the same.
    pub(super) const fn leaves_open(&self) -> bool {
        matches!(
            self.kind,
            Kind::Unavailable | Kind::Unreachable | Kind::OutOfTime | Kind::Unexpected
        )
    }
}

fn outlook_of(refusal: Kind, wait: Duration) -> Outlook {
    match refusal {
        Kind::RateLimited if wait > LONGEST_WAIT => Outlook::Hopeless,
        Kind::RateLimited | Kind::Unavailable => Outlook::Lasting,
        _ => Outlook::Hopeless,
    }
}

/// Source: "Troubleshooting the REST API", GitHub documentation.
fn kind_of(told: &GitHubError, headers: &HeaderMap) -> Kind {
    match told.status_code.as_u16() {
        401 => Kind::Unauthorized,
        403 if is_rate_limit(told, headers) => Kind::RateLimited,
        403 => Kind::Forbidden,
        404 => Kind::NotFound,
        410 => Kind::Gone,
        // Said of what is created in quick succession.
        422 if words(told).contains("submitted too quickly") => Kind::RateLimited,
        422 => Kind::Unprocessable,
        429 => Kind::RateLimited,
        408 | 500.. => Kind::Unavailable,
        _ => Kind::Unexpected,
    }
}

/// Whether a refusal means too many requests, and not a missing permission.
fn is_rate_limit(told: &GitHubError, headers: &HeaderMap) -> bool {
    let message = told.message.to_lowercase();
    headers.contains_key(RETRY_AFTER)
        || is_used_up(headers)
        || ["rate limit", "abuse"].iter().any(|words| message.contains(words))
}

/// Whether the requests of the hour are used up.
fn is_used_up(headers: &HeaderMap) -> bool {
    text(headers, "x-ratelimit-remaining") == Some("0") && headers.contains_key("x-ratelimit-reset")
}

/// How long GitHub asks to wait. The time is GitHub's own, from the answer: the clock of this
/// machine may be off.
fn wait_of(headers: &HeaderMap, resets_at: Option<DateTime<Utc>>) -> Duration {
    if let Some(wait) = seconds(headers, RETRY_AFTER.as_str()) {
        return wait;
    }
    match (is_used_up(headers), date(headers), resets_at) {
        (true, Some(now), Some(then)) => {
            // The reset is told in whole seconds.
            (then - now).to_std().unwrap_or_default() + Duration::from_secs(1)
        }
        _ => UNTOLD_WAIT,
    }
}

/// When a limit ends, as far as GitHub says.
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

/// GitHub's own words: the message, and what is wrong with each field.
fn words(told: &GitHubError) -> String {
    let status = told.status_code;
    // A page for people, of something between.
    if told.message.starts_with('<') {
        return format!("HTTP status {status}");
    }
    let problems: Vec<_> = told.errors.iter().flatten().map(problem).collect();
    let message = format!("HTTP status {}: {}", status.as_u16(), told.message);
    if problems.is_empty() { message } else { format!("{message}: {}", problems.join("; ")) }
}

/// One of the `errors`: a text, or a field with a code or a message.
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

/// What stands under the name in each of the `errors`.
fn texts_of(told: &GitHubError, name: &str) -> Vec<String> {
    let errors = told.errors.iter().flatten();
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
    fn a_limit_is_waited_for_as_github_says() {
        let at = |after: i64| {
            let now = DateTime::parse_from_rfc2822(NOW).unwrap().timestamp();
            (now + after).to_string()
        };
        for (told, wait) in [
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
            // It is reset already.
            (
                headers(&[
                    ("date", NOW),
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", &at(-30)),
                ]),
                1,
            ),
            // A limit of another kind: the hour's is not used up.
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
            assert_eq!(wait_of(&told, resets_at(&told)).as_secs(), wait, "{told:?}");
        }
    }

    #[test]
    fn a_wait_beyond_the_longest_is_given_up() {
        let after = |seconds| outlook_of(Kind::RateLimited, Duration::from_secs(seconds));
        assert_eq!([after(120), after(121)], [Outlook::Lasting, Outlook::Hopeless]);
    }

    #[test]
    fn a_host_that_cannot_be_reached_is_given_up_after_some_attempts() {
        let failure = Failure::new(Kind::Unreachable, Outlook::Brief, "");
        assert!(failure.may_pass(FEW_ATTEMPTS - 1) && !failure.may_pass(FEW_ATTEMPTS));
    }
}
