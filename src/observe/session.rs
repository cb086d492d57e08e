//! Who we are in which account: from the runner's OIDC token or the SDK's default chain to a
//! session in each account.

mod bounds;
mod chain;
mod endpoints;
mod environment;
mod grant;
mod origin;
mod profile;
mod refusal;
mod token;
mod trust;

use std::sync::Arc;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::meta::region::ProvideRegion as _;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;

pub use environment::Environment;
pub use origin::Origin;
pub use refusal::Refusal;
pub use token::{Claims, TokenSource};

use super::call::{Failure, Pace};
use crate::model::identity::{AccountEntry, Audience, ExternalId, Partition, RoleArn, RoleName};
use crate::model::inventory::{AccountId, Cause};
use chain::with_default_chain;
use grant::{ChainedRole, Grant, Grantor, RENEWAL_TIMEOUT, Renewing, WebIdentity, owner_of};
use profile::Profiles;

const CALLER: &str = "sts:GetCallerIdentity";
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest session of a role that is assumed from another role.
const CHAINED_SECONDS: i32 = 3_600;

/// How to come by a session in each account.
#[derive(Debug, Clone)]
pub struct Access {
    /// The role that comes first.
    pub role: Option<RoleArn>,
    /// Where OIDC tokens come from; `None` outside of a workflow.
    pub tokens: Option<Arc<dyn TokenSource>>,
    /// For whom tokens are asked; by the partition if `None`.
    pub audience: Option<Audience>,
    /// The region; by the environment, the profile and the partition if `None`.
    pub region: Option<String>,
    /// What the sessions are called in CloudTrail.
    pub session_name: RoleName,
    /// How long the first role's session lasts, in seconds.
    pub duration: i32,
    /// The accounts to audit; empty for the one that we are in.
    pub members: Vec<AccountEntry>,
    /// The name of the members' role, where only their ids are given.
    pub member_role_name: Option<RoleName>,
    /// What the roles ask for that are assumed from other credentials.
    pub external_id: Option<ExternalId>,
    /// The accounts that may be audited; empty for all.
    pub allowed: Vec<AccountId>,
    /// The variables of the environment.
    pub environment: Environment,
}

impl Access {
    /// The partition that the first role names, or else a role of another account.
    fn partition(&self) -> Option<Partition> {
        let of_member = || {
            self.members.iter().find_map(|entry| match entry {
                AccountEntry::Role(role) => Some(role.partition),
                AccountEntry::Account(_) => None,
            })
        };
        self.role.as_ref().map(|role| role.partition).or_else(of_member)
    }

    /// Refuses an account that is not to be audited.
    fn allows(&self, account: AccountId) -> Result<(), Refusal> {
        if self.allowed.is_empty() || self.allowed.contains(&account) {
            Ok(())
        } else {
            Err(Refusal::AccountNotAllowed(account))
        }
    }
}

/// A session in one account.
#[derive(Debug, Clone)]
pub struct Session {
    /// The account.
    pub account: AccountId,
    /// The account's partition.
    pub partition: String,
    pub(crate) iam: aws_sdk_iam::Client,
}

/// Where all sessions start from.
#[derive(Debug)]
pub struct Hub {
    access: Access,
    config: SdkConfig,
    account: AccountId,
    partition: String,
    members: Vec<AccountEntry>,
    /// The credentials that were there to begin with; `None` where a token was.
    own: Option<SdkConfig>,
}

impl Hub {
    /// Opens the first session.
    pub(super) async fn open(access: Access, pace: &Pace) -> Result<Self, Refusal> {
        access.environment.check()?;
        let profiles = Profiles::read(&access.environment).await;
        let config = load(&access, &profiles).await?;
        let mut own = None;
        let (config, account, partition) = match (&access.role, &access.tokens) {
            (Some(role), Some(tokens)) => {
                let audience = || Audience::from(role.partition);
                let grantor = WebIdentity {
                    sts: bounds::sts(&config),
                    tokens: Arc::clone(tokens),
                    audience: access.audience.clone().unwrap_or_else(audience).to_string(),
                    role: role.clone(),
                    session_name: access.session_name.to_string(),
                    duration: access.duration,
                };
                adopt(config, Arc::new(grantor), pace).await?
            }
            (role, _) => {
                let config =
                    with_default_chain(config, &access.environment, &profiles, pace).await?;
                own = Some(config.clone());
                match role {
                    Some(role) => {
                        let grantor = chained(&config, &access, role);
                        adopt(config, Arc::new(grantor), pace).await?
                    }
                    None => {
                        let (account, partition) = caller(&config, pace).await?;
                        let named = profiles.account();
                        check_account(account, named, &access.environment, &profiles.name)?;
                        (config, account, partition)
                    }
                }
            }
        };
        let mut members = access.members.clone();
        if members.is_empty() {
            access.allows(account)?;
            members.push(AccountEntry::Account(account));
        }
        Ok(Self { access, config, account, partition, members, own })
    }

    /// The accounts to audit: those listed, or the one that we are in.
    #[must_use]
    pub fn members(&self) -> &[AccountEntry] {
        &self.members
    }

    /// Whose credentials we began with: nothing may be taken from that user while we run.
    pub(crate) async fn origin(&self, pace: &Pace) -> Result<Origin, Failure> {
        match &self.own {
            Some(own) => origin::origin(own, &self.access.environment, pace).await,
            None => Ok(Origin::NoUser),
        }
    }

    /// The partition, which the accounts share.
    pub(super) fn partition(&self) -> &str {
        &self.partition
    }

    /// A session in an account: the one that we have if it is ours, else by its role.
    pub(crate) async fn enter(
        &self,
        member: &AccountEntry,
        pace: &Pace,
    ) -> Result<Session, Refusal> {
        self.access.allows(member.account())?;
        let role = match member {
            AccountEntry::Account(account) if *account == self.account => {
                return Ok(session(&self.config, self.account, &self.partition));
            }
            AccountEntry::Role(role) if self.access.role.as_ref() == Some(role) => {
                return Ok(session(&self.config, self.account, &self.partition));
            }
            AccountEntry::Role(role) => role.clone(),
            AccountEntry::Account(account) => {
                let unknown = |_| Refusal::UnknownPartition(self.partition.clone());
                let partition = self.partition.parse().map_err(unknown)?;
                RoleArn::new(partition, *account, self.member_role_name()?)
            }
        };
        let grantor = chained(&self.config, &self.access, &role);
        let (config, account, partition) =
            adopt(self.config.clone(), Arc::new(grantor), pace).await?;
        Ok(session(&config, account, &partition))
    }

    /// The first role's own name unless another is given: the same stack made them all.
    fn member_role_name(&self) -> Result<RoleName, Refusal> {
        let own = || self.access.role.as_ref().map(|role| role.name.clone());
        let name = self.access.member_role_name.clone().or_else(own);
        name.ok_or(Refusal::NoMemberRole)
    }
}

fn session(config: &SdkConfig, account: AccountId, partition: &str) -> Session {
    let iam = bounds::iam(config);
    Session { account, partition: partition.to_owned(), iam }
}

/// The configuration without credentials.
async fn load(access: &Access, profiles: &Profiles) -> Result<SdkConfig, Refusal> {
    profiles.check()?;
    let partition = access.partition();
    let region = region(access, profiles).await;
    if let (Some(region), Some(of_role)) = (&region, partition)
        && let Some(of_region) = Partition::of_region(region.as_ref())
        && of_region != of_role
    {
        return Err(Refusal::Partition { region: region.to_string(), of_region, of_role });
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
    match profiles.bundle(&access.environment) {
        Some(bundle) => loader = loader.http_client(bundle.client()?),
        None => trust::check_system_roots(&access.environment)?,
    }
    let config = loader.load().await;
    endpoints::check(&config, profiles)?;
    Ok(config)
}

/// The region that is named: by a flag, a variable or the profile.
async fn region(access: &Access, profiles: &Profiles) -> Option<Region> {
    let named = access.region.as_deref().or_else(|| access.environment.region());
    match named {
        Some(region) => Some(Region::new(region.to_owned())),
        None => {
            let provider = ProfileFileRegionProvider::builder().profile_name(&profiles.name);
            provider.build().region().await
        }
    }
}

/// Refuses credentials of another account than the profile names, if they are the profile's.
fn check_account(
    found: AccountId,
    named: Option<AccountId>,
    environment: &Environment,
    profile: &str,
) -> Result<(), Refusal> {
    match named.filter(|named| *named != found && !environment.has_access_key()) {
        None => Ok(()),
        Some(expected) => {
            let whose = format!("the profile `{profile}`");
            Err(Refusal::OtherAccount { whose, expected, found })
        }
    }
}

fn chained(config: &SdkConfig, access: &Access, role: &RoleArn) -> ChainedRole {
    ChainedRole {
        sts: bounds::sts(config),
        role: role.clone(),
        external_id: access.external_id.as_ref().map(ToString::to_string),
        session_name: access.session_name.to_string(),
        duration: access.duration.min(CHAINED_SECONDS),
    }
}

/// The configuration with a grantor's credentials, which has granted once.
async fn adopt(
    config: SdkConfig,
    grantor: Arc<dyn Grantor>,
    pace: &Pace,
) -> Result<(SdkConfig, AccountId, String), Refusal> {
    let grant = grantor.grant(pace).await?;
    let Grant { account, partition, .. } = grant.clone();
    let provider = SharedCredentialsProvider::new(Renewing::new(grantor, grant));
    Ok((config.into_builder().credentials_provider(provider).build(), account, partition))
}

/// The account that credentials of the default chain belong to.
async fn caller(config: &SdkConfig, pace: &Pace) -> Result<(AccountId, String), Refusal> {
    let sts = bounds::sts(config);
    let answer = pace.call(CALLER, || sts.get_caller_identity().send()).await?;
    answer.arn().and_then(owner_of).ok_or(Refusal::NoAccount(CALLER))
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let action = match &refusal {
            Refusal::Failed { action, .. } => action,
            _ => "sts:AssumeRole",
        };
        let cause: Cause = refusal.cause();
        Self { cause, ..Self::unexpected(action, refusal.to_string()) }
    }
}
