//! The SDK's default credential provider chain: environment, profile, web identity, container,
//! instance.

use std::sync::{Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

use super::environment::Environment;
use super::error::SessionError;
use super::profile::Profiles;
use super::role_credentials::SecretRegisteringProvider;
use crate::model::inventory::GapCause;
use crate::observe::call::{CallLimits, is_transient_message};
use crate::observe::message::cause_chain;
use crate::retry::{AttemptFailure, Retry};

/// Adds the credentials that the SDK finds. They are loaded here, so that missing credentials are
/// not reported as a failed call.
pub(super) async fn with_default_chain(
    config: SdkConfig,
    environment: &Environment,
    profiles: &Profiles,
    limits: &CallLimits,
) -> Result<SdkConfig, SessionError> {
    if !environment.has_access_key() {
        profiles.check_sign_in()?;
    }
    let mut provider_config = ProviderConfig::default().with_region(config.region().cloned());
    if let Some(client) = config.http_client() {
        provider_config = provider_config.with_http_client(client);
    }
    let mut chain = DefaultCredentialsChain::builder().configure(provider_config);
    chain = chain.profile_name(&profiles.name);
    if let Some(region) = config.region() {
        chain = chain.region(region.clone());
    }
    let chain = SecretRegisteringProvider(chain.build().await);
    let first = load_credentials(&chain, profiles, limits).await?;
    let provider = SharedCredentialsProvider::new(PrefetchedProvider {
        chain,
        first: Mutex::new(Some(first)),
    });
    Ok(config.into_builder().credentials_provider(provider).build())
}

/// The chain returned no credentials.
struct LoadFailure {
    error: CredentialsError,
    message: String,
}

impl AttemptFailure for LoadFailure {
    fn retry(&self) -> Retry {
        if is_transient_message(&self.message) { Retry::UNTIL_DEADLINE } else { Retry::Never }
    }
}

async fn load_credentials(
    chain: &SecretRegisteringProvider<DefaultCredentialsChain>,
    profiles: &Profiles,
    limits: &CallLimits,
) -> Result<Credentials, SessionError> {
    let load = |_| async {
        let loaded = chain.provide_credentials().await;
        loaded.map_err(|error| LoadFailure { message: cause_chain(&error), error })
    };
    limits.deadline().retry(load).await.map_err(|failure| match failure.retry() {
        Retry::Never => load_error(&failure.error, &failure.message, profiles),
        _ => SessionError::Failed {
            action: "sts:AssumeRoleWithWebIdentity",
            cause: GapCause::Unavailable,
            message: failure.message,
        },
    })
}

fn load_error(error: &CredentialsError, message: &str, profiles: &Profiles) -> SessionError {
    let name = &profiles.name;
    let why = if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
        format!("none in the environment, the profile `{name}`, a container, or an instance")
    } else {
        format!("profile `{name}`: {message}")
    };
    SessionError::NoCredentials { why, help: profiles.sign_in() }
}

/// Returns the credentials it was created with, and loads others when the SDK asks again. A user
/// who must enter a code or touch a security key is prompted only once.
#[derive(Debug)]
struct PrefetchedProvider {
    chain: SecretRegisteringProvider<DefaultCredentialsChain>,
    first: Mutex<Option<Credentials>>,
}

impl ProvideCredentials for PrefetchedProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        match first {
            Some(credentials) => future::ProvideCredentials::ready(Ok(credentials)),
            None => self.chain.provide_credentials(),
        }
    }
}
