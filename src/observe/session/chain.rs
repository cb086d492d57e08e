//! The credentials that the SDK finds by itself: environment, profile, web identity, container,
//! instance.

use std::sync::{Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::time::{Instant, sleep};

use super::environment::Environment;
use super::grant::Registering;
use super::profile::Profiles;
use super::refusal::Refusal;
use crate::model::inventory::Cause;
use crate::observe::call::{Pace, passes_by_itself, pause_after};
use crate::observe::message::causes;

/// The configuration with the credentials that the SDK finds. They are asked for here, so that
/// their absence is told as such and not as a failed call.
pub(super) async fn with_default_chain(
    config: SdkConfig,
    environment: &Environment,
    profiles: &Profiles,
    pace: &Pace,
) -> Result<SdkConfig, Refusal> {
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
    let chain = Registering(chain.build().await);
    let first = ask(&chain, profiles, pace).await?;
    let provider =
        SharedCredentialsProvider::new(AskedOnce { chain, first: Mutex::new(Some(first)) });
    Ok(config.into_builder().credentials_provider(provider).build())
}

/// Asks until the answer is none that passes by itself.
async fn ask(
    chain: &Registering<DefaultCredentialsChain>,
    profiles: &Profiles,
    pace: &Pace,
) -> Result<Credentials, Refusal> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let error = match chain.provide_credentials().await {
            Ok(credentials) => return Ok(credentials),
            Err(error) => error,
        };
        let message = causes(&error);
        if !passes_by_itself(&message) {
            return Err(refusal(&error, &message, profiles));
        }
        let pause = pause_after(attempt);
        if Instant::now() + pause >= pace.deadline() {
            let action = "sts:AssumeRoleWithWebIdentity";
            return Err(Refusal::Failed { action, cause: Cause::Unavailable, message });
        }
        sleep(pause).await;
    }
}

fn refusal(error: &CredentialsError, message: &str, profiles: &Profiles) -> Refusal {
    let name = &profiles.name;
    let why = if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
        format!(
            "neither the environment, the profile `{name}`, a container nor an instance has any"
        )
    } else {
        format!("profile `{name}`: {message}")
    };
    Refusal::NoCredentials { why, help: profiles.sign_in() }
}

/// Hands out the credentials that it was made with, and asks for others when the SDK finds those
/// running out: whoever has to enter a code or touch a key is asked once.
#[derive(Debug)]
struct AskedOnce {
    chain: Registering<DefaultCredentialsChain>,
    first: Mutex<Option<Credentials>>,
}

impl ProvideCredentials for AskedOnce {
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
