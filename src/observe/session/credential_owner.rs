//! Which IAM user stands behind the credentials that the SDK found: the keys that a run hangs on
//! are never taken away by it.
//!
//! The caller of a role's session is the role. Where a profile of ours assumed it, the profile says
//! with whose credentials the chain begins.
//!
//! Source: "Using an IAM role in the AWS CLI" and "Sourcing credentials with an external process",
//! AWS CLI User Guide.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::profile::{Profile, ProfileSet, load};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};

use super::environment::{CONTAINER, Environment};
use super::{CALLER, account_of_arn, clients};
use crate::model::inventory::AccountId;
use crate::observe::call::{AwsError, CallLimits};

/// Whose credentials a run began with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialOwner {
    /// An IAM user's.
    User(AccountId, String),
    /// No IAM user's: a token, single sign-on, a container or an instance.
    NoUser,
    /// The session of a role, handed over ready-made: whoever made it did so before the run, and the
    /// run hangs on no key.
    ExistingSession,
    /// Nobody can tell: why.
    Unknown(String),
}

/// Where the credentials of a profile come from in the end.
#[derive(Debug, PartialEq, Eq)]
enum ProfileSource<'a> {
    /// The profile has none: the SDK goes on to tokens, containers and instances.
    Absent,
    /// No IAM user has them.
    NoUser,
    /// A container, or a program that stands in for one.
    Container,
    /// Keys in this profile.
    Keys(&'a str),
    /// Variables of the environment.
    Environment,
    /// A program.
    Process(&'a str),
    /// A console session, with the ARN of whoever signed in.
    Login(&'a str),
    /// Something that is not known here.
    Unknown(&'a str),
}

/// Finds out whose credentials these are.
pub(super) async fn credential_owner(
    own: &SdkConfig,
    variables: &Environment,
    limits: &CallLimits,
) -> Result<CredentialOwner, AwsError> {
    let arn = caller(own, limits).await?;
    if let Some(user) = iam_user_of_arn(&arn) {
        return Ok(user);
    }
    if arn.ends_with(":root") {
        return Ok(CredentialOwner::NoUser);
    }
    // Credentials in the environment come before any profile.
    if environment().await.is_some() {
        return Ok(CredentialOwner::ExistingSession);
    }
    // The types of the first two, which are the machine's own, have no public name.
    let chosen = variables.profile().map(|(_, name)| name.to_owned().into());
    let files = Default::default();
    let set = match load(&Default::default(), &Default::default(), &files, chosen).await {
        Ok(set) => set,
        Err(_) => return Ok(CredentialOwner::Unknown("the profiles cannot be read".to_owned())),
    };
    let base_credentials = match profile_source(&set) {
        ProfileSource::Absent if variables.has_token() => return Ok(CredentialOwner::NoUser),
        ProfileSource::Absent | ProfileSource::Container if variables.has_local_container() => {
            return Ok(CredentialOwner::Unknown(format!(
                "{CONTAINER} names a program on this machine, which may have them from an IAM user"
            )));
        }
        ProfileSource::Absent | ProfileSource::Container | ProfileSource::NoUser => {
            return Ok(CredentialOwner::NoUser);
        }
        ProfileSource::Process(name) => {
            return Ok(CredentialOwner::Unknown(format!(
                "the profile `{name}` has them from a program (credential_process)"
            )));
        }
        ProfileSource::Unknown(name) => {
            let why = format!("the profile `{name}` has them from a source that is not known");
            return Ok(CredentialOwner::Unknown(why));
        }
        ProfileSource::Login(arn) => {
            return Ok(iam_user_of_arn(arn).unwrap_or(CredentialOwner::ExistingSession));
        }
        ProfileSource::Environment => environment().await,
        ProfileSource::Keys(name) => set.get_profile(name).and_then(keys),
    };
    let Some(credentials) = base_credentials else {
        return Ok(CredentialOwner::Unknown("the role's source has no credentials".to_owned()));
    };
    let provider = SharedCredentialsProvider::new(credentials);
    let config = own.clone().into_builder().credentials_provider(provider).build();
    let arn = caller(&config, limits).await?;
    Ok(iam_user_of_arn(&arn).unwrap_or(CredentialOwner::ExistingSession))
}

async fn caller(config: &SdkConfig, limits: &CallLimits) -> Result<String, AwsError> {
    let sts = clients::sts(config);
    let answer = limits.call(CALLER, || sts.get_caller_identity().send()).await?;
    let arn = answer.arn().unwrap_or_default();
    match account_of_arn(arn) {
        Some(_) => Ok(arn.to_owned()),
        None => Err(AwsError::unexpected(CALLER, "the answer names no account")),
    }
}

/// The IAM user of an ARN, if it is one's.
fn iam_user_of_arn(arn: &str) -> Option<CredentialOwner> {
    let (account, _) = account_of_arn(arn)?;
    // Names have no slash, paths may have many.
    let resource = arn.split(':').nth(5).filter(|it| it.starts_with("user/"))?;
    Some(CredentialOwner::User(account, resource.rsplit('/').next()?.to_owned()))
}

/// The credentials in the variables of the environment.
async fn environment() -> Option<Credentials> {
    EnvironmentVariableCredentialsProvider::new().provide_credentials().await.ok()
}

/// The keys in a profile.
fn keys(profile: &Profile) -> Option<Credentials> {
    let of = |key| setting(profile, key);
    let token = of("aws_session_token").map(str::to_owned);
    let (id, secret) = (of("aws_access_key_id")?, of("aws_secret_access_key")?);
    Some(Credentials::new(id, secret, token, None, "iam-stocktake"))
}

fn setting<'a>(profile: &'a Profile, key: &str) -> Option<&'a str> {
    profile.get(key).filter(|value| !value.is_empty())
}

/// Follows the roles of the profile in force to where they begin, in the SDK's order.
fn profile_source(set: &ProfileSet) -> ProfileSource<'_> {
    let mut name = set.selected_profile();
    let mut seen = BTreeSet::new();
    loop {
        let Some(profile) = set.get_profile(name) else {
            return if seen.is_empty() {
                ProfileSource::Absent
            } else {
                ProfileSource::Unknown(name)
            };
        };
        let is_first = seen.is_empty();
        let has = |key| setting(profile, key).is_some();
        // As the source of a role, keys come before anything else.
        if !is_first && has("aws_access_key_id") {
            return ProfileSource::Keys(name);
        }
        if !seen.insert(name) {
            return ProfileSource::Unknown(name);
        }
        let is_chained = has("role_arn") && !has("web_identity_token_file");
        match setting(profile, "source_profile").filter(|_| is_chained) {
            Some(source) if source != name => name = source,
            _ => return source_of_profile(profile, name, is_first && !is_chained),
        }
    }
}

/// Where the credentials of a profile come from that names no other.
fn source_of_profile<'a>(
    profile: &'a Profile,
    name: &'a str,
    may_be_absent: bool,
) -> ProfileSource<'a> {
    let has = |key| setting(profile, key).is_some();
    match setting(profile, "credential_source") {
        Some("Environment") => return ProfileSource::Environment,
        Some("Ec2InstanceMetadata") => return ProfileSource::NoUser,
        Some("EcsContainer") => return ProfileSource::Container,
        Some(_) => return ProfileSource::Unknown(name),
        None => {}
    }
    if has("web_identity_token_file") || has("sso_session") || has("sso_start_url") {
        return ProfileSource::NoUser;
    }
    if let Some(arn) = setting(profile, "login_session") {
        return ProfileSource::Login(arn);
    }
    if has("credential_process") {
        return ProfileSource::Process(name);
    }
    if has("aws_access_key_id") {
        return ProfileSource::Keys(name);
    }
    if may_be_absent { ProfileSource::Absent } else { ProfileSource::Unknown(name) }
}
