//! Credentials of an assumed role, and their renewal.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_sts::Client;
use aws_sdk_sts::types::AssumedRoleUser;
use secrecy::ExposeSecret as _;
use tokio::time::Instant;

use super::error::SessionError;
use super::token::{Claims, TokenSource};
use crate::model::identity::RoleArn;
use crate::model::inventory::AccountId;
use crate::observe::call::{AwsError, CallLimits, RefreshFailed};
use crate::secrets;

/// The provider name in SDK logs.
const PROVIDER: &str = "iam-stocktake";

/// Credentials, and the account they belong to.
#[derive(Clone)]
pub(super) struct RoleCredentials {
    pub(super) credentials: Credentials,
    pub(super) account: AccountId,
    pub(super) partition: String,
}

pub(super) type RoleCredentialsFuture<'a> =
    Pin<Box<dyn Future<Output = Result<RoleCredentials, SessionError>> + Send + 'a>>;

/// Provides credentials of a role. Can be called again to renew them.
pub(super) trait RoleCredentialsProvider: fmt::Debug + Send + Sync {
    fn assume<'a>(&'a self, limits: &'a CallLimits) -> RoleCredentialsFuture<'a>;
}

/// A role that is assumed with an OIDC token.
#[derive(Debug)]
pub(super) struct WebIdentityRole {
    pub(super) sts: Client,
    pub(super) tokens: Arc<dyn TokenSource>,
    pub(super) audience: String,
    pub(super) role: RoleArn,
    pub(super) session_name: String,
    /// In seconds.
    pub(super) duration: i32,
}

impl RoleCredentialsProvider for WebIdentityRole {
    fn assume<'a>(&'a self, limits: &'a CallLimits) -> RoleCredentialsFuture<'a> {
        Box::pin(async move {
            let action = "sts:AssumeRoleWithWebIdentity";
            loop {
                let requested_at = Instant::now();
                let token =
                    self.tokens.token(&self.audience).await.map_err(SessionError::NoToken)?;
                secrets::register(token.expose_secret());
                let request = || {
                    self.sts
                        .assume_role_with_web_identity()
                        .role_arn(self.role.to_string())
                        .role_session_name(&self.session_name)
                        .web_identity_token(token.expose_secret())
                        .duration_seconds(self.duration)
                        .send()
                };
                let failure = match limits.call(action, request).await {
                    Ok(answer) => {
                        let user = answer.assumed_role_user().map(AssumedRoleUser::arn);
                        return credentials_from(action, &self.role, answer.credentials(), user);
                    }
                    Err(failure) => failure,
                };
                // The token was valid at first and expired during the retries.
                if failure.has_code("ExpiredTokenException")
                    && requested_at.elapsed() >= TOKEN_MAX_AGE
                {
                    continue;
                }
                let claims = Claims::read(token.expose_secret());
                return Err(SessionError::from_web_identity(failure, &self.role, claims));
            }
        })
    }
}

/// A token of this age may have expired. Tokens of the runner are valid for five minutes.
const TOKEN_MAX_AGE: Duration = Duration::from_secs(60);

/// A role that is assumed from other credentials (role chaining).
#[derive(Debug)]
pub(super) struct ChainedRole {
    pub(super) sts: Client,
    pub(super) role: RoleArn,
    pub(super) external_id: Option<String>,
    pub(super) session_name: String,
    /// In seconds. At most one hour, because the role is chained.
    pub(super) duration: i32,
}

impl RoleCredentialsProvider for ChainedRole {
    fn assume<'a>(&'a self, limits: &'a CallLimits) -> RoleCredentialsFuture<'a> {
        Box::pin(async move {
            let request = || {
                self.sts
                    .assume_role()
                    .role_arn(self.role.to_string())
                    .role_session_name(&self.session_name)
                    .set_external_id(self.external_id.clone())
                    .duration_seconds(self.duration)
                    .send()
            };
            let action = "sts:AssumeRole";
            let answer = limits
                .call(action, request)
                .await
                .map_err(|failure| SessionError::from_assume_role(failure, &self.role))?;
            let user = answer.assumed_role_user().map(AssumedRoleUser::arn);
            credentials_from(action, &self.role, answer.credentials(), user)
        })
    }
}

/// The credentials in an STS response, if they belong to the account of the role.
fn credentials_from(
    action: &'static str,
    role: &RoleArn,
    credentials: Option<&aws_sdk_sts::types::Credentials>,
    arn: Option<&str>,
) -> Result<RoleCredentials, SessionError> {
    let (account, partition) =
        arn.and_then(account_of_arn).ok_or(SessionError::NoAccount(action))?;
    if account != role.account {
        let whose = role.to_string();
        return Err(SessionError::OtherAccount { whose, expected: role.account, found: account });
    }
    let given = credentials.ok_or(SessionError::NoAccount(action))?;
    // For a missing required field, the SDK returns an empty string or 1970-01-01.
    let texts = [given.access_key_id(), given.secret_access_key(), given.session_token()];
    if texts.contains(&"") || given.expiration().secs() <= 0 {
        let message = "the response does not contain complete credentials";
        return Err(AwsError::unexpected(action, message).into());
    }
    secrets::register(given.secret_access_key());
    secrets::register(given.session_token());
    let credentials = Credentials::new(
        given.access_key_id(),
        given.secret_access_key(),
        Some(given.session_token().to_owned()),
        SystemTime::try_from(*given.expiration()).ok(),
        PROVIDER,
    );
    Ok(RoleCredentials { credentials, account, partition })
}

pub(super) fn account_of_arn(arn: &str) -> Option<(AccountId, String)> {
    let mut parts = arn.split(':').skip(1);
    let partition = parts.next()?;
    Some((parts.nth(2)?.parse().ok()?, partition.to_owned()))
}

/// Returns the first credentials to the SDK, and renews them when the SDK asks again.
#[derive(Debug)]
pub(super) struct RefreshingProvider {
    provider: Arc<dyn RoleCredentialsProvider>,
    first: Mutex<Option<Credentials>>,
    account: AccountId,
}

pub(super) const RENEWAL_TIMEOUT: Duration = Duration::from_secs(60);

impl RefreshingProvider {
    pub(super) fn new(provider: Arc<dyn RoleCredentialsProvider>, first: RoleCredentials) -> Self {
        let RoleCredentials { credentials, account, .. } = first;
        Self { provider, first: Mutex::new(Some(credentials)), account }
    }

    async fn renew(&self) -> Result<Credentials, SessionError> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(credentials) = first {
            return Ok(credentials);
        }
        tracing::debug!(account = %self.account, "renewing the session, which is about to expire");
        // A separate limit: the calls that wait for the renewal may hold all other permits.
        let role_credentials = self.provider.assume(&CallLimits::new(RENEWAL_TIMEOUT, 1)).await?;
        if role_credentials.account == self.account {
            Ok(role_credentials.credentials)
        } else {
            Err(SessionError::AccountNotAllowed(role_credentials.account))
        }
    }
}

impl ProvideCredentials for RefreshingProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let renewed = self.renew().await;
            renewed.map_err(|why| CredentialsError::provider_error(RefreshFailed(why.to_string())))
        })
    }
}

/// Registers the secrets of credentials that the SDK finds, so that they are redacted.
#[derive(Debug)]
pub(super) struct SecretRegisteringProvider<P>(pub(super) P);

impl<P: ProvideCredentials> ProvideCredentials for SecretRegisteringProvider<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let found = self.0.provide_credentials().await?;
            secrets::register(found.secret_access_key());
            if let Some(token) = found.session_token() {
                secrets::register(token);
            }
            Ok(found)
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.0.fallback_on_interrupt()
    }
}
