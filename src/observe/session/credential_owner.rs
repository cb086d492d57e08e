//! The IAM user whose credentials the run uses. Remediation must not remove credentials that the
//! run depends on.
//!
//! In a role session, the caller is the role. If a profile assumed the role, the profile shows
//! whose credentials the chain starts with.
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

/// Whose credentials the run started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialOwner {
    /// The credentials of an IAM user.
    User(AccountId, String),
    /// Not an IAM user: an OIDC token, single sign-on, a container or an instance.
    NoUser,
    /// A role session that was created before the run. The run does not depend on an access key.
    ExistingSession,
    /// The owner cannot be determined, for this reason.
    Unknown(String),
}

/// Where a chain of profiles gets its credentials.
#[derive(Debug, PartialEq, Eq)]
enum ProfileSource<'a> {
    /// The profile has none. The SDK tries tokens, containers and instances next.
    Absent,
    /// Not an IAM user.
    NoUser,
    /// A container, or a local program in its place.
    Container,
    /// Access keys in this profile.
    Keys(&'a str),
    /// Environment variables.
    Environment,
    /// A `credential_process`.
    Process(&'a str),
    /// A console session (`aws login`), with the ARN of the signed-in identity.
    Login(&'a str),
    /// An unknown source.
    Unknown(&'a str),
}

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
    // Credentials in the environment take precedence over profiles.
    if environment().await.is_some() {
        return Ok(CredentialOwner::ExistingSession);
    }
    // The types of the first two arguments (file system and environment) are not public.
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
                "{CONTAINER} points to a program on this machine, which may use the credentials \
                 of an IAM user"
            )));
        }
        ProfileSource::Absent | ProfileSource::Container | ProfileSource::NoUser => {
            return Ok(CredentialOwner::NoUser);
        }
        ProfileSource::Process(name) => {
            return Ok(CredentialOwner::Unknown(format!(
                "the profile `{name}` gets its credentials from a program (credential_process)"
            )));
        }
        ProfileSource::Unknown(name) => {
            let why = format!("the profile `{name}` gets its credentials from an unknown source");
            return Ok(CredentialOwner::Unknown(why));
        }
        ProfileSource::Login(arn) => {
            return Ok(iam_user_of_arn(arn).unwrap_or(CredentialOwner::ExistingSession));
        }
        ProfileSource::Environment => environment().await,
        ProfileSource::Keys(name) => set.get_profile(name).and_then(keys),
    };
    let Some(credentials) = base_credentials else {
        return Ok(CredentialOwner::Unknown(
            "the source of the role has no credentials".to_owned(),
        ));
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
        None => Err(AwsError::unexpected(CALLER, "the response contains no account ID")),
    }
}

/// The IAM user of an ARN; `None` for other ARNs.
fn iam_user_of_arn(arn: &str) -> Option<CredentialOwner> {
    let (account, _) = account_of_arn(arn)?;
    // User names have no slash, but paths can.
    let resource = arn.split(':').nth(5).filter(|it| it.starts_with("user/"))?;
    Some(CredentialOwner::User(account, resource.rsplit('/').next()?.to_owned()))
}

/// The credentials in environment variables.
async fn environment() -> Option<Credentials> {
    EnvironmentVariableCredentialsProvider::new().provide_credentials().await.ok()
}

/// The access keys in a profile.
fn keys(profile: &Profile) -> Option<Credentials> {
    let of = |key| setting(profile, key);
    let token = of("aws_session_token").map(str::to_owned);
    let (id, secret) = (of("aws_access_key_id")?, of("aws_secret_access_key")?);
    Some(Credentials::new(id, secret, token, None, "iam-stocktake"))
}

fn setting<'a>(profile: &'a Profile, key: &str) -> Option<&'a str> {
    profile.get(key).filter(|value| !value.is_empty())
}

/// Follows `source_profile` from the profile in use to where the chain begins, in the same order as
/// the SDK.
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
        // In a `source_profile`, access keys take precedence.
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

/// The credential source of a profile without `source_profile`.
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
