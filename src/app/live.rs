//! Live accounts, observed side by side.

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::progress::Display;
use super::{Exit, Streams};
use crate::inventory::{Account, AccountId};
use crate::observe::session::{Access, Refusal, TokenSource};
use crate::observe::{self, Brief};
use crate::permissions::Features;
use crate::policy::Policy;
use crate::report::visible;
use crate::runner;
use crate::runner::oidc::TokenEndpoint;
use crate::settings::LiveSettings;

/// The runner's tokens, for the session.
#[derive(Debug)]
struct RunnerTokens(TokenEndpoint);

impl TokenSource for RunnerTokens {
    fn token<'a>(
        &'a self,
        audience: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<SecretString, String>> + Send + 'a>> {
        Box::pin(async move { self.0.token(audience).await.map_err(|error| error.to_string()) })
    }
}

/// How an observation goes.
#[derive(Debug, Clone)]
pub(super) struct How {
    /// The moment by which days are counted.
    pub(super) now: DateTime<Utc>,
    /// Whether no progress is shown.
    pub(super) quiet: bool,
    /// Users whose SSH keys are listed in any case.
    pub(super) asked_after: BTreeSet<(AccountId, String)>,
    /// Whether users may be named.
    pub(super) names: bool,
}

/// Why nothing was observed.
pub(super) enum Unobserved {
    /// There is no session.
    Refused(Refusal),
    /// The system lets nothing out.
    Network(io::Error),
}

/// Observes the accounts.
pub(super) fn observe(
    live: &LiveSettings,
    how: How,
    policy: &Policy,
    streams: &mut Streams<'_>,
) -> Result<Vec<Account<'static>>, Unobserved> {
    let (quiet, names) = (how.quiet, how.names);
    let (brief, runtime) = prepare(live, how, policy)?;
    let display = Display::new(quiet, streams);
    let observed = runtime.block_on(async {
        let hub = observe::open(&brief).await?;
        Ok(observe::observe(&hub, &brief, &|event| display.show(event)).await)
    });
    drop(display);
    observed.map_err(|refusal: Refusal| {
        Unobserved::Refused(if names { refusal } else { refusal.without_users() })
    })
}

/// What an observation goes by, and what it runs on.
pub(super) fn prepare(
    live: &LiveSettings,
    how: How,
    policy: &Policy,
) -> Result<(Brief, tokio::runtime::Runtime), Unobserved> {
    let tokens = tokens(live).map_err(Unobserved::Refused)?;
    let brief = brief(live, how, policy, tokens);
    // One thread: the calls wait for AWS, and what is done between them is little.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok((brief, runtime.map_err(Unobserved::Network)?))
}

/// The runner's OIDC tokens, if a role is to be taken in a workflow.
fn tokens(live: &LiveSettings) -> Result<Option<Arc<dyn TokenSource>>, Refusal> {
    if live.role_to_assume.is_none() {
        return Ok(None);
    }
    let missing = || "the runner offers no OIDC token".to_owned();
    match TokenEndpoint::from_environment() {
        Ok(Some(endpoint)) => Ok(Some(Arc::new(RunnerTokens(endpoint)))),
        // On the command line the role is taken from the credentials that are there.
        Ok(None) if !runner::is_present() => Ok(None),
        Ok(None) => Err(Refusal::NoToken(missing())),
        Err(error) => Err(Refusal::NoToken(error.to_string())),
    }
}

fn brief(
    live: &LiveSettings,
    how: How,
    policy: &Policy,
    tokens: Option<Arc<dyn TokenSource>>,
) -> Brief {
    Brief {
        access: Access {
            role: live.role_to_assume.clone(),
            tokens,
            audience: live.audience.clone(),
            region: live.aws_region.clone(),
            session_name: live.role_session_name.clone(),
            duration: live.role_duration_seconds.into(),
            members: live.accounts.clone(),
            member_role_name: live.member_role_name.clone(),
            external_id: live.external_id.clone(),
            allowed: live.allowed_account_ids.clone(),
        },
        policy: policy.clone(),
        now: how.now,
        features: Features::new(policy, live.recheck, live.owners, live.last_accessed),
        ssh_keys: live.ssh_keys,
        asked_after: how.asked_after,
        owner_tags: live.owner_tags.clone(),
        timeout: live.timeout,
        concurrency: live.concurrency,
        account_concurrency: live.account_concurrency,
    }
}

impl Unobserved {
    /// Says why. Settings that cannot work are one thing, a bad moment another.
    pub(super) fn tell(&self, streams: &mut Streams<'_>) -> Exit {
        match self {
            Self::Network(error) => {
                streams
                    .error(&format!("the network cannot be used: {}", crate::cause::reason(error)));
                Exit::Incomplete
            }
            Self::Refused(refusal) => {
                streams.error(&visible(&refusal.to_string()));
                streams.hint(&visible(&refusal.hint()));
                if refusal.is_setup() { Exit::Usage } else { Exit::Incomplete }
            }
        }
    }

    /// Whether there are no credentials to begin with.
    pub(super) const fn is_without_credentials(&self) -> bool {
        matches!(self, Self::Refused(Refusal::NoCredentials(_)))
    }
}
