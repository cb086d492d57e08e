//! Who we are in which account: from the runner's OIDC token or the SDK's default chain to a
//! session in each account.

mod grant;
mod origin;
mod refusal;
mod token;

use std::sync::Arc;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::ProvideRegion as _;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};

pub use origin::Origin;
pub use refusal::Refusal;
pub use token::{Claims, TokenSource};

use super::call::{Failure, Pace, chain};
use super::limit::LimitAnswers;
use crate::identity::{AccountEntry, Audience, ExternalId, Partition, RoleArn, RoleName};
use crate::inventory::{AccountId, Cause};
use grant::{ChainedRole, Grant, Grantor, Renewing, WebIdentity, owner_of};

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
    /// What the members' roles ask for.
    pub external_id: Option<ExternalId>,
    /// The accounts that may be audited; empty for all.
    pub allowed: Vec<AccountId>,
}

impl Access {
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

/// The partition of a region, by the beginning of its name.
fn partition_of(region: &str) -> Partition {
    if region.starts_with("cn-") {
        Partition::AwsCn
    } else if region.starts_with("us-gov-") {
        Partition::AwsUsGov
    } else {
        Partition::Aws
    }
}

impl Hub {
    /// Opens the first session.
    pub(super) async fn open(access: Access, pace: &Pace) -> Result<Self, Refusal> {
        let config = load(&access).await?;
        let mut own = None;
        let (config, account, partition) = match (&access.role, &access.tokens) {
            (Some(role), Some(tokens)) => {
                let audience = || Audience::from(role.partition);
                let grantor = WebIdentity {
                    sts: aws_sdk_sts::Client::new(&config),
                    tokens: Arc::clone(tokens),
                    audience: access.audience.clone().unwrap_or_else(audience).to_string(),
                    role: role.clone(),
                    session_name: access.session_name.to_string(),
                    duration: access.duration,
                };
                adopt(config, Arc::new(grantor), pace).await?
            }
            (role, _) => {
                let config = with_default_chain(config).await?;
                own = Some(config.clone());
                match role {
                    Some(role) => {
                        let grantor = chained(&config, &access, role, None);
                        adopt(config, Arc::new(grantor), pace).await?
                    }
                    None => {
                        let (account, partition) = caller(&config, pace).await?;
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
            Some(own) => origin::origin(own, None, pace).await,
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
            entry => {
                let partition = self.partition.parse().unwrap_or_default();
                entry.role(partition, &self.member_role_name()?)
            }
        };
        let external_id = self.access.external_id.as_ref().map(ToString::to_string);
        let grantor = chained(&self.config, &self.access, &role, external_id);
        let (config, account, partition) =
            adopt(self.config.clone(), Arc::new(grantor), pace).await?;
        if account != role.account {
            return Err(Refusal::AccountNotAllowed(account));
        }
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
    let config = aws_sdk_iam::config::Builder::from(config).interceptor(LimitAnswers).build();
    let iam = aws_sdk_iam::Client::from_conf(config);
    Session { account, partition: partition.to_owned(), iam }
}

/// The configuration without credentials.
async fn load(access: &Access) -> Result<SdkConfig, Refusal> {
    let partition = access.role.as_ref().map(|role| role.partition);
    let named = match &access.region {
        Some(region) => Some(Region::new(region.clone())),
        None => match EnvironmentVariableRegionProvider::new().region().await {
            Some(region) => Some(region),
            None => ProfileFileRegionProvider::new().region().await,
        },
    };
    if let (Some(region), Some(of_role)) = (&named, partition)
        && partition_of(region.as_ref()) != of_role
    {
        return Err(Refusal::Partition {
            region: region.to_string(),
            of_region: partition_of(region.as_ref()),
            of_role,
        });
    }
    let fallback = || Region::new(partition.unwrap_or_default().region());
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build();
    Ok(aws_config::defaults(BehaviorVersion::latest())
        .region(named.unwrap_or_else(fallback))
        .no_credentials()
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .load()
        .await)
}

/// The configuration with what the SDK finds: environment, profile, single sign-on, container,
/// instance.
async fn with_default_chain(config: SdkConfig) -> Result<SdkConfig, Refusal> {
    let mut chain_of = DefaultCredentialsChain::builder();
    if let Some(region) = config.region() {
        chain_of = chain_of.region(region.clone());
    }
    let provider = SharedCredentialsProvider::new(chain_of.build().await);
    // Asked for here, so that their absence is told as such and not as a failed call.
    provider.provide_credentials().await.map_err(|error| Refusal::NoCredentials(chain(error)))?;
    Ok(config.into_builder().credentials_provider(provider).build())
}

fn chained(
    config: &SdkConfig,
    access: &Access,
    role: &RoleArn,
    external_id: Option<String>,
) -> ChainedRole {
    ChainedRole {
        sts: aws_sdk_sts::Client::new(config),
        role: role.clone(),
        external_id,
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
    let sts = aws_sdk_sts::Client::new(config);
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
