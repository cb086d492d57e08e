//! OIDC tokens: where they come from, and the claims that may be shown.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde::Deserialize;

/// A source of OIDC tokens. A long run needs more than one token.
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// A token for an audience, or an error message in one line.
    fn token<'a>(
        &'a self,
        audience: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<SecretString, String>> + Send + 'a>>;
}

/// The claims that a trust policy checks. Other claims are not read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// The subject, such as `repo:OWNER/NAME:ref:refs/heads/main`.
    pub sub: String,
    /// The audience.
    pub aud: String,
}

impl Claims {
    /// Reads the claims without verifying the token: they are only shown to people.
    #[must_use]
    pub fn read(token: &str) -> Option<Self> {
        let payload = token.split('.').nth(1)?;
        let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_from_a_token_and_from_nothing_else() {
        let payload = |json: &str| format!("h.{}.s", URL_SAFE_NO_PAD.encode(json));
        let token =
            payload(r#"{"sub":"repo:acme/iam:pull_request","aud":"sts.amazonaws.com","x":1}"#);
        let claims = Claims::read(&token).unwrap();
        assert_eq!(
            (claims.sub.as_str(), claims.aud.as_str()),
            ("repo:acme/iam:pull_request", "sts.amazonaws.com")
        );
        for other in ["", "a.b", "a.!.c", &payload("[]"), &payload(r#"{"sub":7,"aud":"x"}"#)] {
            assert_eq!(Claims::read(other), None, "{other}");
        }
    }
}
