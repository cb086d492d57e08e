//! OIDC tokens of the runner.
//!
//! Source: "OpenID Connect reference", GitHub documentation. The variables are set if the job has
//! the permission `id-token: write`.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::retry::{AttemptFailure, AttemptTimedOut, Deadline, Retry};

const URL_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const TOKEN_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// How long a token is requested for, with all attempts.
const TIMEOUT: Duration = Duration::from_secs(40);
/// The largest response body, in bytes. A token has about two thousand bytes.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// The token endpoint of the runner. Its HTTP client has no other secret than the token of this
/// request.
#[derive(Debug)]
pub struct TokenEndpoint {
    client: Client,
    url: Url,
    bearer: SecretString,
}

/// Why there is no token, in one line.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("{URL_VARIABLE} is not a URL that starts with http:// or https://")]
    Url,
    /// The HTTP client cannot be created, usually because there are no root certificates.
    #[error("cannot create the HTTP client: {0}")]
    Client(String),
    #[error("the token endpoint of the runner returned status {0}")]
    Refused(u16),
    #[error(
        "the token endpoint of the runner returned more than {} KiB, which cannot be a token",
        MAX_RESPONSE_BYTES / 1024
    )]
    TooLarge,
    #[error("the token endpoint of the runner returned no token")]
    NoToken,
    /// The endpoint cannot be reached, or the connection was closed.
    #[error("cannot reach the token endpoint of the runner: {0}")]
    Unreachable(String),
    #[error("the token endpoint of the runner did not respond within {} s", .0.as_secs())]
    TimedOut(Duration),
}

#[derive(Deserialize)]
struct TokenResponse {
    value: SecretString,
}

impl TokenEndpoint {
    /// The endpoint from the environment; `None` if there is none.
    ///
    /// [`TokenError`] when the environment is invalid.
    pub fn from_environment() -> Result<Option<Self>, TokenError> {
        let (Some(url), Some(bearer)) =
            (super::variable(URL_VARIABLE), super::variable(TOKEN_VARIABLE))
        else {
            return Ok(None);
        };
        crate::secrets::register(&bearer);
        let url = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or(TokenError::Url)?;
        // The AWS SDK may have installed the provider already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| TokenError::Client(reason(error)))?;
        Ok(Some(Self { client, url, bearer: bearer.into() }))
    }

    /// Requests a token for an audience. Retries, because the endpoint fails now and then.
    ///
    /// [`TokenError`] when all attempts fail.
    pub async fn token(&self, audience: &str) -> Result<SecretString, TokenError> {
        let deadline = Deadline::new(TIMEOUT);
        let request = async |attempt| {
            let outcome = deadline.attempt(self.request_token(audience)).await;
            let outcome =
                outcome.unwrap_or_else(|AttemptTimedOut(it)| Err(TokenError::TimedOut(it)));
            outcome
                .inspect_err(|error| tracing::debug!(%error, attempt, "cannot get an OIDC token"))
        };
        deadline.retry(request).await
    }

    async fn request_token(&self, audience: &str) -> Result<SecretString, TokenError> {
        let unreachable = |error| TokenError::Unreachable(reason(error));
        // The URL already has a query.
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("audience", audience);
        let request = self.client.get(url).bearer_auth(self.bearer.expose_secret());
        let answer = request.send().await.map_err(unreachable)?;
        if answer.status() != StatusCode::OK {
            return Err(TokenError::Refused(answer.status().as_u16()));
        }
        let body = body(answer).await?;
        // The parser's message may contain part of the token.
        let answer: TokenResponse =
            serde_json::from_slice(&body).map_err(|_| TokenError::NoToken)?;
        crate::secrets::register(answer.value.expose_secret());
        Ok(answer.value)
    }
}

async fn body(mut answer: Response) -> Result<Vec<u8>, TokenError> {
    let mut body = Vec::new();
    loop {
        let chunk = answer.chunk().await;
        let Some(chunk) = chunk.map_err(|error| TokenError::Unreachable(reason(error)))? else {
            return Ok(body);
        };
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(TokenError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
}

impl AttemptFailure for TokenError {
    fn retry(&self) -> Retry {
        match self {
            Self::Unreachable(_) | Self::TimedOut(_) => Retry::FewTimes,
            Self::Refused(status) if *status >= 500 || *status == 429 => Retry::FewTimes,
            Self::Refused(_) | Self::Url | Self::Client(_) | Self::TooLarge | Self::NoToken => {
                Retry::Never
            }
        }
    }
}

/// The innermost source of the error, without the URL.
fn reason(error: reqwest::Error) -> String {
    crate::secrets::redact(&crate::cause::root_cause(&error.without_url())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_temporary_refusals_are_retried() {
        for (status, is_retried) in
            [(400, false), (401, false), (404, false), (429, true), (500, true), (503, true)]
        {
            let retry = TokenError::Refused(status).retry();
            assert_eq!(matches!(retry, Retry::FewTimes), is_retried, "{status}");
        }
    }
}
