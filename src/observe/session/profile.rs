//! The AWS CLI profile in use, and checks that give better messages than the SDK.
//!
//! Source: "Configuration and credential file settings in the AWS CLI", AWS CLI User Guide.

use std::collections::BTreeSet;
use std::path::PathBuf;

use aws_config::profile::{Profile, ProfileSet, load};

use super::ca_bundle::CaBundle;
use super::environment::{Environment, INVALID_ENDPOINT, INVALID_REGION, is_address, is_region};
use super::error::SessionError;
use crate::model::identity::RoleArn;
use crate::model::inventory::AccountId;
use crate::observe::message::cause_chain;

/// The profiles of this machine, and the one in use.
#[derive(Debug)]
pub(super) struct Profiles {
    /// The content of the files, or why they cannot be read.
    set: Result<ProfileSet, String>,
    /// The name of the profile in use.
    pub(super) name: String,
    /// The environment variable that selects it.
    named_by: Option<&'static str>,
    home: Option<PathBuf>,
}

impl Profiles {
    /// Reads the configuration files of the AWS CLI.
    pub(super) async fn read(environment: &Environment) -> Self {
        let (named_by, name) = environment.profile().unzip();
        let name = name.unwrap_or("default").to_owned();
        // The types of the first two arguments (file system and environment) are not public.
        let (files, chosen) = (Default::default(), Some(name.clone().into()));
        let set = load(&Default::default(), &Default::default(), &files, chosen).await;
        let set = set.map_err(|error| cause_chain(&error));
        let home = environment.get("HOME").or_else(|| environment.get("USERPROFILE"));
        Self { set, name, named_by, home: home.map(PathBuf::from) }
    }

    fn get(&self, name: &str) -> Option<&Profile> {
        self.set.as_ref().ok()?.get_profile(name)
    }

    /// A setting of the profile in use.
    fn setting(&self, key: &str) -> Option<&str> {
        self.get(&self.name)?.get(key).filter(|value| !value.is_empty())
    }

    /// The CA bundle that replaces the system certificates, if the environment or the profile has
    /// one.
    pub(super) fn bundle(&self, environment: &Environment) -> Option<CaBundle> {
        const VARIABLE: &str = "AWS_CA_BUNDLE";
        if let Some(path) = environment.get(VARIABLE) {
            return Some(CaBundle { path: path.into(), named_by: VARIABLE.to_owned() });
        }
        let path = self.setting("ca_bundle")?;
        let path = match path.strip_prefix("~/").zip(self.home.as_ref()) {
            Some((rest, home)) => home.join(rest),
            None => PathBuf::from(path),
        };
        Some(CaBundle { path, named_by: self.setting_name("ca_bundle") })
    }

    /// The name of a profile setting in messages.
    pub(super) fn setting_name(&self, key: &str) -> String {
        format!("`{key}` of the profile `{}`", self.name)
    }

    /// Checks settings of the profile for invalid values.
    pub(super) fn check(&self) -> Result<(), SessionError> {
        let raw = |key| self.get(&self.name).and_then(|profile| profile.get(key));
        if raw("region").is_some_and(|region| !is_region(region)) {
            return Err(SessionError::setting(&self.setting_name("region"), INVALID_REGION));
        }
        if raw("endpoint_url").is_some_and(|url| !is_address(url)) {
            return Err(SessionError::setting(
                &self.setting_name("endpoint_url"),
                INVALID_ENDPOINT,
            ));
        }
        Ok(())
    }

    /// Checks that the profile can provide credentials: it exists, and needs nothing that only the
    /// AWS CLI can do. Follows the chain of `source_profile`.
    pub(super) fn check_sign_in(&self) -> Result<(), SessionError> {
        let set = match &self.set {
            Ok(set) => set,
            Err(why) => return Err(no_credentials(why.clone(), None)),
        };
        let mut seen = BTreeSet::new();
        let (mut name, mut from) = (self.name.as_str(), None);
        while seen.insert(name) {
            let Some(profile) = set.get_profile(name) else {
                return self.missing(name, from);
            };
            // In a `source_profile`, access keys take precedence.
            if from.is_some() && profile.get("aws_access_key_id").is_some() {
                return Ok(());
            }
            let is_chained = profile.get("role_arn").is_some()
                && profile.get("web_identity_token_file").is_none();
            if let Some(why) = missing_sso_settings(profile).filter(|_| !is_chained) {
                return Err(no_credentials(format!("the profile `{name}` {why}"), None));
            }
            if is_chained && profile.get("mfa_serial").is_some() {
                let why = format!(
                    "the profile `{name}` requires an MFA code (mfa_serial), which only the AWS \
                     CLI can prompt for"
                );
                return Err(no_credentials(why, Some(export_hint(&self.name))));
            }
            match profile.get("source_profile").filter(|source| is_chained && *source != name) {
                Some(source) => (from, name) = (Some(name), source),
                None => return Ok(()),
            }
        }
        let why = format!("the source_profile chain of the profile `{name}` is circular");
        Err(no_credentials(why, None))
    }

    fn missing(&self, name: &str, from: Option<&str>) -> Result<(), SessionError> {
        let why = match (from, self.named_by) {
            (Some(from), _) => format!(
                "the profile `{from}` has the source_profile `{name}`, which does not exist in \
                 the AWS CLI configuration"
            ),
            (None, Some(variable)) => {
                format!(
                    "the profile `{name}` ({variable}) does not exist in the AWS CLI \
                         configuration"
                )
            }
            // The default profile is optional.
            (None, None) => return Ok(()),
        };
        let help = "list the existing profiles: aws configure list-profiles";
        Err(no_credentials(why, Some(help.to_owned())))
    }

    /// The command that signs in again with the profile in use.
    pub(super) fn sign_in(&self) -> Option<String> {
        let set = self.set.as_ref().ok()?;
        let mut seen = BTreeSet::new();
        let mut name = self.name.as_str();
        while seen.insert(name) {
            let profile = set.get_profile(name)?;
            if profile.get("sso_session").is_some() || profile.get("sso_start_url").is_some() {
                return Some(format!("sign in: aws sso login --profile {name}"));
            }
            if profile.get("login_session").is_some() {
                return Some(format!("sign in: aws login --profile {name}"));
            }
            name = profile.get("source_profile")?;
        }
        None
    }

    /// The account that the profile's credentials must belong to, if the profile says so.
    pub(super) fn account(&self) -> Option<AccountId> {
        let account_of = |arn: &str| arn.split(':').nth(4)?.parse().ok();
        let role = self.setting("role_arn").and_then(|arn| arn.parse::<RoleArn>().ok());
        role.map(|role| role.account)
            .or_else(|| self.setting("sso_account_id")?.parse().ok())
            .or_else(|| account_of(self.setting("login_session")?))
    }
}

/// The SSO settings that are missing, if this is an SSO profile.
fn missing_sso_settings(profile: &Profile) -> Option<&'static str> {
    let has = |key| profile.get(key).is_some();
    let is_sso = has("sso_session") || has("sso_start_url");
    (is_sso && !(has("sso_account_id") && has("sso_role_name"))).then_some(
        "uses single sign-on but has no sso_account_id or no sso_role_name (run aws configure sso)",
    )
}

/// The command that exports credentials from the AWS CLI.
fn export_hint(profile: &str) -> String {
    format!(
        "sign in with the AWS CLI and export its credentials: eval \"$(aws configure \
         export-credentials --profile {profile} --format env)\""
    )
}

fn no_credentials(why: String, help: Option<String>) -> SessionError {
    SessionError::NoCredentials { why, help }
}
