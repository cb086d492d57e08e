//! Live accounts, observed side by side.

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::progress::ProgressDisplay;
use super::{Exit, Streams};
use crate::model::identity::AccountEntry;
use crate::model::inventory::{Account, AccountId};
use crate::model::policy::Policy;
use crate::observe::session::{Environment, SessionConfig, SessionError, TokenSource};
use crate::observe::{self, ObserveOptions};
use crate::permissions::Features;
use crate::runner;
use crate::runner::oidc::TokenEndpoint;
use crate::settings::{self, LastAccessedLookup, LiveSettings, OwnerLookup, Setting, SshKeyLookup};

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
pub(super) struct LiveContext {
    /// The moment by which days are counted.
    pub(super) now: DateTime<Utc>,
    /// Whether no progress is shown.
    pub(super) quiet: bool,
    /// Users whose SSH keys are listed in any case.
    pub(super) ssh_key_users: BTreeSet<(AccountId, String)>,
}

/// Why nothing was observed.
pub(super) enum ObserveError {
    /// There is no session.
    Refused(SessionError),
    /// The system lets nothing out.
    Network(io::Error),
}

/// Observes the accounts.
pub(super) fn observe(
    live: &LiveSettings,
    context: LiveContext,
    policy: &Policy,
    streams: &mut Streams<'_>,
) -> Result<Vec<Account<'static>>, ObserveError> {
    let quiet = context.quiet;
    let (options, runtime) = prepare(live, context, policy)?;
    warn_about_unused_settings(live, streams);
    let display = ProgressDisplay::new(quiet, streams);
    let observed = runtime.block_on(async {
        let sessions = observe::open_sessions(&options).await?;
        Ok(observe::observe(&sessions, &options, &|event| display.show(event)).await)
    });
    drop(display);
    observed.map_err(ObserveError::Refused)
}

/// What an observation goes by, and what it runs on.
pub(super) fn prepare(
    live: &LiveSettings,
    context: LiveContext,
    policy: &Policy,
) -> Result<(ObserveOptions, tokio::runtime::Runtime), ObserveError> {
    let tokens = tokens(live).map_err(ObserveError::Refused)?;
    let options = observe_options(live, context, policy, tokens);
    // One thread: the calls wait for AWS, and what is done between them is little.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok((options, runtime.map_err(ObserveError::Network)?))
}

/// Tells of settings that change nothing about how the accounts are observed.
pub(super) fn warn_about_unused_settings(live: &LiveSettings, streams: &mut Streams<'_>) {
    let has_token = tokens(live).is_ok_and(|tokens| tokens.is_some());
    for (flag, why) in unused_settings(live, has_token) {
        streams.eprintln(&format!("note: --{flag} has no effect: {why}"));
    }
}

/// The settings without effect, each with the reason. Those that have their default value are
/// not looked at.
fn unused_settings(live: &LiveSettings, has_token: bool) -> Vec<(&'static str, &'static str)> {
    let is_by_id = |entry: &AccountEntry| matches!(entry, AccountEntry::Account(_));
    let (has_role, has_members) = (live.role_to_assume.is_some(), !live.accounts.is_empty());
    let takes_role = has_role || has_members;
    let is_chained = (has_role && !has_token) || has_members;
    let by_default = |value: &dyn ToString, setting: Setting| value.to_string() == setting.default;
    let no_role = "no role is assumed";
    let mut found = Vec::new();
    let mut check = |has_no_effect: bool, setting: Setting, why| {
        if has_no_effect {
            found.push((setting.name, why));
        }
    };
    let without_place = if has_token {
        "AssumeRoleWithWebIdentity takes none, and no other role is assumed"
    } else {
        no_role
    };
    check(live.external_id.is_some() && !is_chained, settings::EXTERNAL_ID, without_place);
    check(live.audience.is_some() && !has_token, settings::AUDIENCE, "no OIDC token is asked for");
    check(
        live.member_role_name.is_some() && !live.accounts.iter().any(is_by_id),
        settings::MEMBER_ROLE_NAME,
        "no account is given by its id",
    );
    let is_named = !by_default(&live.role_session_name, settings::ROLE_SESSION_NAME);
    check(is_named && !takes_role, settings::ROLE_SESSION_NAME, no_role);
    let (duration, set) = (live.role_duration_seconds, settings::ROLE_DURATION_SECONDS);
    check(!by_default(&duration, set) && !takes_role, set, no_role);
    let is_capped = takes_role && !(has_role && has_token) && duration > LONGEST_CHAINED;
    check(is_capped, set, "without an OIDC token a session lasts one hour at most");
    let (tags, recheck) = (live.owner_tags.join(","), live.recheck);
    check(
        !by_default(&tags, settings::OWNER_TAGS) && (live.owners == OwnerLookup::None || !recheck),
        settings::OWNER_TAGS,
        "no tags are read",
    );
    let no_recheck = "with --no-recheck nothing but the credential report is fetched";
    check(live.ssh_keys != SshKeyLookup::FlaggedUsers && !recheck, settings::SSH_KEYS, no_recheck);
    check(live.owners != OwnerLookup::FlaggedUsers && !recheck, settings::OWNERS, no_recheck);
    let asks_as_ever = live.last_accessed == LastAccessedLookup::FlaggedUsers;
    check(!asks_as_ever && !recheck, settings::LAST_ACCESSED, no_recheck);
    found
}

/// The longest session of a role that is not opened by a token, in seconds.
const LONGEST_CHAINED: u16 = 3_600;

/// The runner's OIDC tokens, if a role is to be taken in a workflow.
fn tokens(live: &LiveSettings) -> Result<Option<Arc<dyn TokenSource>>, SessionError> {
    if live.role_to_assume.is_none() {
        return Ok(None);
    }
    let missing = || "the runner offers no OIDC token".to_owned();
    match TokenEndpoint::from_environment() {
        Ok(Some(endpoint)) => Ok(Some(Arc::new(RunnerTokens(endpoint)))),
        // On the command line the role is taken from the credentials that are there.
        Ok(None) if !runner::is_github_actions() => Ok(None),
        Ok(None) => Err(SessionError::NoToken(missing())),
        Err(error) => Err(SessionError::NoToken(error.to_string())),
    }
}

fn observe_options(
    live: &LiveSettings,
    context: LiveContext,
    policy: &Policy,
    tokens: Option<Arc<dyn TokenSource>>,
) -> ObserveOptions {
    ObserveOptions {
        session: SessionConfig {
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
            environment: Environment::new(runner::variables()),
        },
        policy: policy.clone(),
        now: context.now,
        features: Features::new(policy, live.recheck, live.owners, live.last_accessed),
        ssh_keys: live.ssh_keys,
        ssh_key_users: context.ssh_key_users,
        owner_tags: live.owner_tags.clone(),
        timeout: live.timeout,
        concurrency: live.concurrency,
        account_concurrency: live.account_concurrency,
    }
}

impl ObserveError {
    /// Says why. Settings that cannot work are one thing, a bad moment another.
    pub(super) fn report(&self, streams: &mut Streams<'_>) -> Exit {
        match self {
            Self::Network(error) => {
                streams
                    .error(&format!("the network cannot be used: {}", crate::cause::reason(error)));
                Exit::Incomplete
            }
            Self::Refused(refusal) => {
                let message = if streams.redacted {
                    refusal.clone().without_aws_message().to_string()
                } else {
                    refusal.to_string()
                };
                streams.error(&message);
                streams.hint(&refusal.hint());
                if refusal.is_configuration_error() { Exit::Usage } else { Exit::Incomplete }
            }
        }
    }

    /// Whether there are no credentials to begin with.
    pub(super) const fn is_without_credentials(&self) -> bool {
        matches!(self, Self::Refused(SessionError::NoCredentials { .. }))
    }
}
