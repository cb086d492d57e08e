//! The runner's OIDC tokens.
//!
//! Source: "OpenID Connect reference", GitHub documentation. The variables are there when the job
//! has `id-token: write`.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

const URL_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const TOKEN_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a token is asked for before it is given up, and the pause behind the first attempt.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The largest answer that is read, in bytes: a token has about two thousand.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// Where the runner hands out OIDC tokens. Its client sees no other secret than the request's own.
#[derive(Debug)]
pub struct TokenEndpoint {
    client: Client,
    url: Url,
    bearer: SecretString,
}

/// Why no token was had, in one line.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The variable holds no URL.
    #[error("{URL_VARIABLE} is not an address that begins with http:// or https://")]
    Url,
    /// The client cannot be made: most often there are no root certificates.
    #[error("the HTTP client cannot be made: {0}")]
    Client(String),
    /// The endpoint refuses the request.
    #[error("the runner's token endpoint answered with status {0}")]
    Refused(u16),
    /// The answer is too large to hold a token alone.
    #[error(
        "the runner's token endpoint answered with more than {} KiB; no token is that large",
        MAX_RESPONSE_BYTES / 1024
    )]
    TooLarge,
    /// The answer holds no token.
    #[error("the runner's token endpoint answered without a token")]
    NoToken,
    /// The endpoint cannot be reached, or its answer breaks off.
    #[error("the runner's token endpoint cannot be reached: {0}")]
    Unreachable(String),
}

/// The endpoint's answer.
#[derive(Deserialize)]
struct TokenResponse {
    value: SecretString,
}

impl TokenEndpoint {
    /// The endpoint that the environment names; `None` where it names none.
    ///
    /// # Errors
    /// [`TokenError`] when what it names cannot be used.
    pub fn from_environment() -> Result<Option<Self>, TokenError> {
        let (Some(url), Some(bearer)) =
            (super::variable(URL_VARIABLE), super::variable(TOKEN_VARIABLE))
        else {
            return Ok(None);
        };
        crate::secrets::register(&bearer);
        let url = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or(TokenError::Url)?;
        // The provider may be there already: the AWS SDK brings its own.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| TokenError::Client(reason(error)))?;
        Ok(Some(Self { client, url, bearer: bearer.into() }))
    }

    /// Asks for a token for an audience. The endpoint fails now and then, and is asked again.
    ///
    /// # Errors
    /// [`TokenError`] when there is none.
    pub async fn token(&self, audience: &str) -> Result<SecretString, TokenError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.request_token(audience).await {
                Err(error) if error.is_transient() => {
                    tracing::debug!(%error, "the OIDC token is asked for again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
        self.request_token(audience).await
    }

    async fn request_token(&self, audience: &str) -> Result<SecretString, TokenError> {
        let unreachable = |error| TokenError::Unreachable(reason(error));
        // The URL has a query already.
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("audience", audience);
        let request = self.client.get(url).bearer_auth(self.bearer.expose_secret());
        let answer = request.send().await.map_err(unreachable)?;
        if answer.status() != StatusCode::OK {
            return Err(TokenError::Refused(answer.status().as_u16()));
        }
        let body = body(answer).await?;
        // The parser's own words may repeat a part of the token.
        let answer: TokenResponse =
            serde_json::from_slice(&body).map_err(|_| TokenError::NoToken)?;
        crate::secrets::register(answer.value.expose_secret());
        Ok(answer.value)
    }
}

/// The whole body, unless it is too large to be an answer.
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

impl TokenError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused(status) => *status >= 500 || *status == 429,
            Self::Url | Self::Client(_) | Self::TooLarge | Self::NoToken => false,
        }
    }
}

/// The innermost cause, without the URL.
fn reason(error: reqwest::Error) -> String {
    crate::secrets::redact(&crate::cause::root_cause(&error.without_url())).into_owned()
}
