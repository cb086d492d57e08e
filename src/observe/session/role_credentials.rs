//! Credentials that are granted for a role, and granted anew when they run out.

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

/// The name under which the SDK's log knows our credentials.
const PROVIDER: &str = "iam-stocktake";

/// Credentials, and whose they are.
#[derive(Clone)]
pub(super) struct RoleCredentials {
    pub(super) credentials: Credentials,
    pub(super) account: AccountId,
    pub(super) partition: String,
}

pub(super) type RoleCredentialsFuture<'a> =
    Pin<Box<dyn Future<Output = Result<RoleCredentials, SessionError>> + Send + 'a>>;

/// What can be asked for credentials, again and again.
pub(super) trait RoleCredentialsProvider: fmt::Debug + Send + Sync {
    fn assume<'a>(&'a self, limits: &'a CallLimits) -> RoleCredentialsFuture<'a>;
}

/// A role that an OIDC token opens.
#[derive(Debug)]
pub(super) struct WebIdentityRole {
    pub(super) sts: Client,
    pub(super) tokens: Arc<dyn TokenSource>,
    pub(super) audience: String,
    pub(super) role: RoleArn,
    pub(super) session_name: String,
    /// Seconds.
    pub(super) duration: i32,
}

impl RoleCredentialsProvider for WebIdentityRole {
    fn assume<'a>(&'a self, limits: &'a CallLimits) -> RoleCredentialsFuture<'a> {
        Box::pin(async move {
            let action = "sts:AssumeRoleWithWebIdentity";
            loop {
                let asked = Instant::now();
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
                // It was good when it came, and ran out over the attempts.
                if failure.has_code("ExpiredTokenException") && asked.elapsed() >= TOKEN_MAX_AGE {
                    continue;
                }
                let claims = Claims::read(token.expose_secret());
                return Err(SessionError::from_web_identity(failure, &self.role, claims));
            }
        })
    }
}

/// From this age on a token may have run out: the runner's are good for five minutes.
const TOKEN_MAX_AGE: Duration = Duration::from_secs(60);

/// A role that is assumed from another.
#[derive(Debug)]
pub(super) struct ChainedRole {
    pub(super) sts: Client,
    pub(super) role: RoleArn,
    pub(super) external_id: Option<String>,
    pub(super) session_name: String,
    /// Seconds; an hour at most, since the role is chained.
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

/// What STS granted for a role, if it is of the role's account.
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
    // The SDK fills in for a required part that is missing: empty texts and 1970-01-01.
    let texts = [given.access_key_id(), given.secret_access_key(), given.session_token()];
    if texts.contains(&"") || given.expiration().secs() <= 0 {
        let message = "the answer lacks a part of the credentials";
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

/// The account and the partition of an ARN.
pub(super) fn account_of_arn(arn: &str) -> Option<(AccountId, String)> {
    let mut parts = arn.split(':').skip(1);
    let partition = parts.next()?;
    Some((parts.nth(2)?.parse().ok()?, partition.to_owned()))
}

/// Hands the first grant to the SDK, and asks for another when the SDK finds it running out.
#[derive(Debug)]
pub(super) struct RefreshingProvider {
    provider: Arc<dyn RoleCredentialsProvider>,
    first: Mutex<Option<Credentials>>,
    account: AccountId,
}

/// How long a renewal may take.
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
        tracing::debug!(account = %self.account, "the session runs out: renewing it");
        // Limits of its own: the calls that wait for the renewal may hold all permits of theirs.
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

/// Credentials that the SDK finds, whose secrets are registered each time it does.
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
