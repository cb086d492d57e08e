//! Where an OIDC token comes from, and what of it may be shown.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde::Deserialize;

/// Hands out OIDC tokens. A long run asks more than once.
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// A token for an audience, or in one line why there is none.
    fn token<'a>(
        &'a self,
        audience: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<SecretString, String>> + Send + 'a>>;
}

/// What a token says of itself and a trust policy compares. Everything else stays unseen.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// Who asks: `repo:OWNER/NAME:ref:refs/heads/main`.
    pub sub: String,
    /// For whom the token was made.
    pub aud: String,
}

impl Claims {
    /// Reads them from a token. Nothing is verified: they are shown to people.
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
