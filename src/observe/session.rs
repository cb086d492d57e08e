//! AWS sessions: from the OIDC token of the runner or the SDK's default chain to a session in each
//! account.

mod ca_bundle;
mod clients;
mod credential_owner;
mod default_chain;
mod endpoints;
mod environment;
mod error;
mod profile;
mod role_credentials;
mod token;

use std::sync::Arc;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::meta::region::ProvideRegion as _;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;

pub use credential_owner::CredentialOwner;
pub use environment::Environment;
pub use error::SessionError;
pub use token::{Claims, TokenSource};

use super::call::{AwsError, CallLimits};
use crate::model::identity::{AccountEntry, Audience, ExternalId, Partition, RoleArn, RoleName};
use crate::model::inventory::{AccountId, GapCause};
use default_chain::with_default_chain;
use profile::Profiles;
use role_credentials::{
    ChainedRole, RENEWAL_TIMEOUT, RefreshingProvider, RoleCredentials, RoleCredentialsProvider,
    WebIdentityRole, account_of_arn,
};

const CALLER: &str = "sts:GetCallerIdentity";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The session duration of a role: the maximum with role chaining.
const SESSION_SECONDS: i32 = 3_600;

/// How to open a session in each account.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// The first role to assume.
    pub role: Option<RoleArn>,
    /// The source of OIDC tokens; `None` outside a workflow.
    pub tokens: Option<Arc<dyn TokenSource>>,
    /// The audience of the tokens; depends on the partition if `None`.
    pub audience: Option<Audience>,
    /// The region; taken from the environment, the profile or the partition if `None`.
    pub region: Option<String>,
    /// The role session name, which CloudTrail shows.
    pub session_name: RoleName,
    /// The accounts to audit; empty for the account of the credentials.
    pub members: Vec<AccountEntry>,
    /// The name of the role in accounts that are given by ID.
    pub member_role_name: Option<RoleName>,
    /// The external ID for roles that are assumed with `AssumeRole`.
    pub external_id: Option<ExternalId>,
    /// The accounts that may be audited; empty if all may.
    pub allowed: Vec<AccountId>,
    pub environment: Environment,
}

impl SessionConfig {
    /// The partition of the first role, or of a role in another account.
    fn partition(&self) -> Option<Partition> {
        let of_member = || {
            self.members.iter().find_map(|entry| match entry {
                AccountEntry::Role(role) => Some(role.partition),
                AccountEntry::Account(_) => None,
            })
        };
        self.role.as_ref().map(|role| role.partition).or_else(of_member)
    }

    /// Checks that the account may be audited.
    fn allows(&self, account: AccountId) -> Result<(), SessionError> {
        if self.allowed.is_empty() || self.allowed.contains(&account) {
            Ok(())
        } else {
            Err(SessionError::AccountNotAllowed(account))
        }
    }
}

/// A session in one account.
#[derive(Debug, Clone)]
pub struct Session {
    pub account: AccountId,
    pub partition: String,
    pub(crate) iam: aws_sdk_iam::Client,
}

/// Opens the sessions.
#[derive(Debug)]
pub struct SessionProvider {
    session_config: SessionConfig,
    config: SdkConfig,
    account: AccountId,
    partition: String,
    members: Vec<AccountEntry>,
    /// The configuration with the original credentials; `None` if the run started with an OIDC
    /// token.
    base_config: Option<SdkConfig>,
}

impl SessionProvider {
    pub(super) async fn open(
        session_config: SessionConfig,
        limits: &CallLimits,
    ) -> Result<Self, SessionError> {
        session_config.environment.check()?;
        let profiles = Profiles::read(&session_config.environment).await;
        let config = load(&session_config, &profiles).await?;
        let mut base_config = None;
        let (config, account, partition) = match (&session_config.role, &session_config.tokens) {
            (Some(role), Some(tokens)) => {
                let audience = || Audience::from(role.partition);
                let provider = WebIdentityRole {
                    sts: clients::sts(&config),
                    tokens: Arc::clone(tokens),
                    audience: session_config.audience.clone().unwrap_or_else(audience).to_string(),
                    role: role.clone(),
                    session_name: session_config.session_name.to_string(),
                    duration: SESSION_SECONDS,
                };
                with_role_credentials(config, Arc::new(provider), limits).await?
            }
            (role, _) => {
                let config =
                    with_default_chain(config, &session_config.environment, &profiles, limits)
                        .await?;
                base_config = Some(config.clone());
                match role {
                    Some(role) => {
                        let provider = chained_role(&config, &session_config, role);
                        with_role_credentials(config, Arc::new(provider), limits).await?
                    }
                    None => {
                        let (account, partition) = caller(&config, limits).await?;
                        let named = profiles.account();
                        check_account(account, named, &session_config.environment, &profiles.name)?;
                        (config, account, partition)
                    }
                }
            }
        };
        let mut members = session_config.members.clone();
        if members.is_empty() {
            session_config.allows(account)?;
            members.push(AccountEntry::Account(account));
        }
        Ok(Self { session_config, config, account, partition, members, base_config })
    }

    /// The accounts to audit: those in the settings, or the account of the credentials.
    #[must_use]
    pub fn members(&self) -> &[AccountEntry] {
        &self.members
    }

    /// Whose credentials the run started with. Remediation must not change that user.
    pub(crate) async fn credential_owner(
        &self,
        limits: &CallLimits,
    ) -> Result<CredentialOwner, AwsError> {
        match &self.base_config {
            Some(config) => {
                credential_owner::credential_owner(config, &self.session_config.environment, limits)
                    .await
            }
            None => Ok(CredentialOwner::NoUser),
        }
    }

    /// The partition of all accounts.
    pub(super) fn partition(&self) -> &str {
        &self.partition
    }

    /// A session in an account: the first session if it is in that account, otherwise one with the
    /// role of that account.
    pub(crate) async fn session_for(
        &self,
        member: &AccountEntry,
        limits: &CallLimits,
    ) -> Result<Session, SessionError> {
        self.session_config.allows(member.account())?;
        let role = match member {
            AccountEntry::Account(account) if *account == self.account => {
                return Ok(session(&self.config, self.account, &self.partition));
            }
            AccountEntry::Role(role) if self.session_config.role.as_ref() == Some(role) => {
                return Ok(session(&self.config, self.account, &self.partition));
            }
            AccountEntry::Role(role) => role.clone(),
            AccountEntry::Account(account) => {
                let unknown = |_| SessionError::UnknownPartition(self.partition.clone());
                let partition = self.partition.parse().map_err(unknown)?;
                RoleArn::new(partition, *account, self.member_role_name()?)
            }
        };
        let provider = chained_role(&self.config, &self.session_config, &role);
        let (config, account, partition) =
            with_role_credentials(self.config.clone(), Arc::new(provider), limits).await?;
        Ok(session(&config, account, &partition))
    }

    /// The role name in other accounts. By default, it is the name of the first role.
    fn member_role_name(&self) -> Result<RoleName, SessionError> {
        let own = || self.session_config.role.as_ref().map(|role| role.name.clone());
        let name = self.session_config.member_role_name.clone().or_else(own);
        name.ok_or(SessionError::NoMemberRole)
    }
}

fn session(config: &SdkConfig, account: AccountId, partition: &str) -> Session {
    let iam = clients::iam(config);
    Session { account, partition: partition.to_owned(), iam }
}

/// Loads the configuration without credentials.
async fn load(
    session_config: &SessionConfig,
    profiles: &Profiles,
) -> Result<SdkConfig, SessionError> {
    profiles.check()?;
    let partition = session_config.partition();
    let region = region(session_config, profiles).await;
    if let (Some(region), Some(of_role)) = (&region, partition)
        && let Some(region_partition) = Partition::from_region(region.as_ref())
        && region_partition != of_role
    {
        return Err(SessionError::Partition {
            region: region.to_string(),
            region_partition,
            of_role,
        });
    }
    let fallback = || Region::new(partition.unwrap_or_default().region());
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .profile_name(&profiles.name)
        .region(region.unwrap_or_else(fallback))
        .no_credentials()
        .identity_cache(IdentityCache::lazy().load_timeout(RENEWAL_TIMEOUT).build())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    match profiles.bundle(&session_config.environment) {
        Some(bundle) => loader = loader.http_client(bundle.client()?),
        None => ca_bundle::check_system_roots(&session_config.environment)?,
    }
    let config = loader.load().await;
    endpoints::check(&config, profiles)?;
    Ok(config)
}

/// The region from the settings, the environment or the profile.
async fn region(session_config: &SessionConfig, profiles: &Profiles) -> Option<Region> {
    let named = session_config.region.as_deref().or_else(|| session_config.environment.region());
    match named {
        Some(region) => Some(Region::new(region.to_owned())),
        None => {
            let provider = ProfileFileRegionProvider::builder().profile_name(&profiles.name);
            provider.build().region().await
        }
    }
}

/// Checks that credentials of a profile belong to the account that the profile names.
fn check_account(
    found: AccountId,
    named: Option<AccountId>,
    environment: &Environment,
    profile: &str,
) -> Result<(), SessionError> {
    match named.filter(|named| *named != found && !environment.has_access_key()) {
        None => Ok(()),
        Some(expected) => {
            let whose = format!("the profile `{profile}`");
            Err(SessionError::OtherAccount { whose, expected, found })
        }
    }
}

fn chained_role(config: &SdkConfig, session_config: &SessionConfig, role: &RoleArn) -> ChainedRole {
    ChainedRole {
        sts: clients::sts(config),
        role: role.clone(),
        external_id: session_config.external_id.as_ref().map(ToString::to_string),
        session_name: session_config.session_name.to_string(),
        duration: SESSION_SECONDS,
    }
}

/// Assumes a role and adds its credentials to the configuration.
async fn with_role_credentials(
    config: SdkConfig,
    provider: Arc<dyn RoleCredentialsProvider>,
    limits: &CallLimits,
) -> Result<(SdkConfig, AccountId, String), SessionError> {
    let role_credentials = provider.assume(limits).await?;
    let RoleCredentials { account, partition, .. } = role_credentials.clone();
    let provider =
        SharedCredentialsProvider::new(RefreshingProvider::new(provider, role_credentials));
    Ok((config.into_builder().credentials_provider(provider).build(), account, partition))
}

/// The account that the credentials belong to.
async fn caller(
    config: &SdkConfig,
    limits: &CallLimits,
) -> Result<(AccountId, String), SessionError> {
    let sts = clients::sts(config);
    let answer = limits.call(CALLER, || sts.get_caller_identity().send()).await?;
    answer.arn().and_then(account_of_arn).ok_or(SessionError::NoAccount(CALLER))
}

impl From<SessionError> for AwsError {
    fn from(refusal: SessionError) -> Self {
        let action = match &refusal {
            SessionError::Failed { action, .. } => action,
            _ => "sts:AssumeRole",
        };
        let cause: GapCause = refusal.cause();
        Self { cause, ..Self::unexpected(action, refusal.to_string()) }
    }
}
