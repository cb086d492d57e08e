//! Observes live accounts.

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::error::CommandError;
use super::progress::ProgressDisplay;
use super::{Exit, Streams};
use crate::cause::reason;
use crate::cli::{AccessArgs, DEFAULT_OWNER_TAGS, DEFAULT_SESSION_NAME, RecheckArgs, SshKeys};
use crate::model::identity::AccountEntry;
use crate::model::inventory::{Account, AccountId};
use crate::model::policy::Policy;
use crate::observe::session::{Environment, SessionConfig, SessionError, TokenSource};
use crate::observe::{self, ObserveOptions};
use crate::permissions::Features;
use crate::runner;
use crate::runner::oidc::TokenEndpoint;

/// The OIDC tokens of the runner.
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

/// What is requested from AWS.
#[derive(Debug, Clone, Copy)]
pub(super) struct LiveSettings<'a> {
    access: &'a AccessArgs,
    recheck: RecheckArgs,
    /// Whether the tags of all users are read.
    all_tags: bool,
}

impl<'a> LiveSettings<'a> {
    /// An audit.
    pub(super) const fn audit(access: &'a AccessArgs, recheck: RecheckArgs) -> Self {
        Self { access, recheck, all_tags: false }
    }

    /// Everything that a remediation depends on.
    pub(super) const fn remediation(access: &'a AccessArgs) -> Self {
        let recheck =
            RecheckArgs { recheck: true, ssh_keys: SshKeys::Flagged, last_accessed: false };
        Self { access, recheck, all_tags: true }
    }
}

/// Refuses accounts that `allowed-account-ids` does not allow.
fn check_allowed(access: &AccessArgs) -> Result<(), ObserveError> {
    let allowed = &access.allowed_account_ids;
    let is_refused =
        |entry: &&AccountEntry| !allowed.is_empty() && !allowed.contains(&entry.account());
    match access.accounts.iter().find(is_refused) {
        Some(entry) => Err(ObserveError::NotAllowed(entry.account())),
        None => Ok(()),
    }
}

/// The context of an observation.
#[derive(Debug, Clone)]
pub(super) struct LiveContext {
    /// The time of the audit.
    pub(super) now: DateTime<Utc>,
    /// Whether no progress is shown.
    pub(super) quiet: bool,
    /// Users that are always re-checked, because the queue knows them.
    pub(super) known_users: BTreeSet<(AccountId, String)>,
}

/// Why nothing was observed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ObserveError {
    /// There is no session.
    #[error(transparent)]
    Refused(#[from] SessionError),
    /// The runtime cannot use the network.
    #[error("the network cannot be used: {}", reason(.0))]
    Network(io::Error),
    /// The settings list an account that they do not allow.
    #[error("`accounts` lists {0}, which `allowed-account-ids` does not allow")]
    NotAllowed(AccountId),
}

/// Configuration errors and temporary errors have different exit codes.
impl From<ObserveError> for CommandError {
    fn from(error: ObserveError) -> Self {
        let message = error.to_string();
        match error {
            ObserveError::Network(_) => Self::incomplete(message),
            ObserveError::NotAllowed(_) => Self::usage(message),
            ObserveError::Refused(refusal) => {
                let is_permanent = refusal.is_configuration_error();
                let exit = if is_permanent { Exit::Usage } else { Exit::Incomplete };
                let hint = refusal.hint();
                Self::new(exit, message)
                    .with_hint(hint)
                    .with_public_message(refusal.without_aws_message().to_string())
            }
        }
    }
}

/// Observes the accounts.
pub(super) fn observe(
    live: &LiveSettings<'_>,
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

/// The options and the runtime of an observation.
pub(super) fn prepare(
    live: &LiveSettings<'_>,
    context: LiveContext,
    policy: &Policy,
) -> Result<(ObserveOptions, tokio::runtime::Runtime), ObserveError> {
    check_allowed(live.access)?;
    let tokens = tokens(live)?;
    let options = observe_options(live, context, policy, tokens);
    // One thread is enough: most of the time is spent waiting for AWS.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok((options, runtime.map_err(ObserveError::Network)?))
}

/// Reports flags that have no effect on the observation.
pub(super) fn warn_about_unused_settings(live: &LiveSettings<'_>, streams: &mut Streams<'_>) {
    let has_token = tokens(live).is_ok_and(|tokens| tokens.is_some());
    for (flag, why) in unused_settings(live, has_token) {
        streams.eprintln(&format!("note: --{flag} has no effect: {why}"));
    }
}

/// The flags without effect, each with the reason. Flags that have their default value are left out.
fn unused_settings(live: &LiveSettings<'_>, has_token: bool) -> Vec<(&'static str, &'static str)> {
    let LiveSettings { access, recheck, .. } = *live;
    let is_by_id = |entry: &AccountEntry| matches!(entry, AccountEntry::Account(_));
    let (has_role, has_members) = (access.role_to_assume.is_some(), !access.accounts.is_empty());
    let takes_role = has_role || has_members;
    let is_chained = (has_role && !has_token) || has_members;
    let no_role = "no role is assumed";
    let without_place = if has_token {
        "AssumeRoleWithWebIdentity does not accept an external ID, and no other role is assumed"
    } else {
        no_role
    };
    let no_recheck = "with --recheck false, only the credential report is fetched";
    let is_named = access.role_session_name.to_string() != DEFAULT_SESSION_NAME;
    let has_tags = access.owner_tags.join(",") != DEFAULT_OWNER_TAGS;
    let flags = [
        ("external-id", access.external_id.is_some() && !is_chained, without_place),
        ("audience", access.audience.is_some() && !has_token, "no OIDC token is requested"),
        (
            "member-role-name",
            access.member_role_name.is_some() && !access.accounts.iter().any(is_by_id),
            "no account is listed by its ID",
        ),
        ("role-session-name", is_named && !takes_role, no_role),
        ("owner-tags", has_tags && !recheck.recheck, no_recheck),
        ("ssh-keys", recheck.ssh_keys != SshKeys::Flagged && !recheck.recheck, no_recheck),
        ("last-accessed", !recheck.last_accessed && !recheck.recheck, no_recheck),
    ];
    flags.into_iter().filter(|(_, unused, _)| *unused).map(|(flag, _, why)| (flag, why)).collect()
}

/// The OIDC tokens of the runner, if a workflow assumes a role.
fn tokens(live: &LiveSettings<'_>) -> Result<Option<Arc<dyn TokenSource>>, SessionError> {
    if live.access.role_to_assume.is_none() {
        return Ok(None);
    }
    let missing = || "the job has no OIDC token".to_owned();
    match TokenEndpoint::from_environment() {
        Ok(Some(endpoint)) => Ok(Some(Arc::new(RunnerTokens(endpoint)))),
        // On the command line, the role is assumed with the current credentials.
        Ok(None) if !runner::is_github_actions() => Ok(None),
        Ok(None) => Err(SessionError::NoToken(missing())),
        Err(error) => Err(SessionError::NoToken(error.to_string())),
    }
}

fn observe_options(
    live: &LiveSettings<'_>,
    context: LiveContext,
    policy: &Policy,
    tokens: Option<Arc<dyn TokenSource>>,
) -> ObserveOptions {
    let LiveSettings { access, recheck, all_tags } = *live;
    ObserveOptions {
        session: SessionConfig {
            role: access.role_to_assume.clone(),
            tokens,
            audience: access.audience.clone(),
            region: access.aws_region.clone(),
            session_name: access.role_session_name.clone(),
            members: access.accounts.to_vec(),
            member_role_name: access.member_role_name.clone(),
            external_id: access.external_id.clone(),
            allowed: access.allowed_account_ids.to_vec(),
            environment: Environment::new(runner::variables()),
        },
        policy: policy.clone(),
        now: context.now,
        features: Features {
            all_tags,
            ..Features::new(policy, recheck.recheck, recheck.last_accessed)
        },
        all_ssh_keys: recheck.ssh_keys == SshKeys::All,
        known_users: context.known_users,
        owner_tags: access.owner_tags.to_vec(),
        timeout: Duration::from_secs(access.timeout.into()),
        concurrency: access.concurrency.into(),
    }
}

impl ObserveError {
    /// Whether no credentials were found.
    pub(super) const fn is_without_credentials(&self) -> bool {
        matches!(self, Self::Refused(SessionError::NoCredentials { .. }))
    }
}
