//! `iam-stocktake iam-policy`: the permissions policies and trust policies of the audit and remediation
//! roles.

mod size;

use std::path::Path;

use chrono::{DateTime, Utc};

use super::allowlist::{self, AllowlistReadError};
use super::error::{CommandError, CommandResult, Failure};
use super::{Exit, Streams};
use crate::allowlist::DEFAULT_PATH;
use crate::cli::{AllowlistSetting, IamPolicyArgs, Input, PolicyFormat};
use crate::model::identity::{AccountEntry, GithubId, RepositoryName, RoleArn};
use crate::model::inventory::AccountId;
use crate::model::policy::Policy;
use crate::model::policy::remediation::{RemediationPolicy, Stage};
use crate::permissions::{
    Features, PolicyDocument, RemediationRole, RemediationScope, RoleGrant, TerraformFile,
    member_trust, oidc_provider, subjects, web_identity_trust,
};
use crate::templates::TemplateError;

/// Runs the command.
pub(super) fn iam_policy(
    settings: &IamPolicyArgs,
    now: DateTime<Utc>,
    streams: &mut Streams<'_>,
) -> CommandResult {
    let now = settings.clock.now.unwrap_or(now);
    let mut errors = problems(settings);
    let policies = read_policies(settings, now, streams).unwrap_or_else(|error| {
        errors.push(error);
        Policies::default()
    });
    Failure::check(errors)?;
    check_sizes(settings, &policies, streams)?;
    warn_about_no_deletion(settings, &policies, streams);
    warn_about_unused_settings(settings, streams);
    // No setting is missing, since there was no error.
    let Some(text) = document(settings, &policies)? else { return Ok(Exit::Usage) };
    streams.print(&text)?;
    Ok(Exit::Done)
}

/// The policies in the allowlist file.
#[derive(Default)]
struct Policies {
    audit: Policy,
    remediation: RemediationPolicy,
}

/// Notes that a role for the stage `delete` cannot delete anything.
fn warn_about_no_deletion(
    settings: &IamPolicyArgs,
    policies: &Policies,
    streams: &mut Streams<'_>,
) {
    let is_last = settings.remediate == Some(RemediationRole::UpTo(Stage::Delete));
    if is_last && policies.remediation.delete_after_days.is_none() {
        streams.eprintln(
            "note: the allowlist has no `remediation.delete_after_days`, so nothing is deleted and \
             the role has no permission to delete",
        );
    }
}

/// Notes flags that have no effect.
fn warn_about_unused_settings(settings: &IamPolicyArgs, streams: &mut Streams<'_>) {
    let (_, members) = roles(settings);
    let given = [
        ("external-id", settings.external_id.is_some()),
        ("member-role-name", settings.member_role_name.is_some()),
    ];
    let is_for_members = settings.format == PolicyFormat::MemberTrust;
    for (flag, _) in given.into_iter().filter(|(_, given)| *given) {
        if members.is_empty() && !(is_for_members && flag == "external-id") {
            streams.eprintln(&format!(
                "note: --{flag} has no effect, because --accounts has no other account"
            ));
        }
    }
}

/// Rejects policies that are too large for IAM. If none is, there may be a note.
fn check_sizes(
    settings: &IamPolicyArgs,
    policies: &Policies,
    streams: &mut Streams<'_>,
) -> Result<(), Failure> {
    let features = features(settings, policies);
    let (audits, members) = roles(settings);
    let grant = RoleGrant {
        features: audits.then_some(features),
        partition: settings.partition,
        account: settings.account,
        members: &members,
    };
    Failure::check(size::problems(settings, features, grant))?;
    if let Some(note) = size::note(settings, grant) {
        streams.eprintln(&note);
    }
    Ok(())
}

/// The repository and account of a trust policy, if all settings are given.
struct RepositoryIdentity<'a> {
    account: AccountId,
    repository: &'a RepositoryName,
    owner_id: GithubId,
    repository_id: GithubId,
}

impl<'a> RepositoryIdentity<'a> {
    fn of(settings: &'a IamPolicyArgs) -> Option<Self> {
        Some(Self {
            account: settings.account?,
            repository: settings.repository.as_ref()?,
            owner_id: settings.repository_owner_id?,
            repository_id: settings.repository_id?,
        })
    }
}

/// The text to print; `None` where something is missing, which [`problems`] names.
fn document(
    settings: &IamPolicyArgs,
    policies: &Policies,
) -> Result<Option<String>, TemplateError> {
    let features = features(settings, policies);
    let (audits, members) = roles(settings);
    let grant = RoleGrant {
        features: audits.then_some(features),
        partition: settings.partition,
        account: settings.account,
        members: &members,
    };
    Ok(match settings.format {
        PolicyFormat::Json => Some(json(&grant.policy())),
        PolicyFormat::Trust => RepositoryIdentity::of(settings).map(|identity| {
            let RepositoryIdentity { account, repository, owner_id, repository_id } = identity;
            let provider = oidc_provider(settings.partition, account);
            let subjects = subjects(repository, owner_id, repository_id, &settings.subjects());
            json(&web_identity_trust(provider, &settings.audience(), subjects))
        }),
        PolicyFormat::MemberTrust => settings.account.map(|account| {
            let hub = RoleArn::new(settings.partition, account, settings.role_name.clone());
            json(&member_trust(features, hub.to_string(), settings.external_id.as_ref()))
        }),
        PolicyFormat::Terraform => {
            let file = TerraformFile {
                grant,
                features,
                remediation: settings.remediate,
                role_name: &settings.role_name,
                repository: settings.repository.as_ref(),
                owner_id: settings.repository_owner_id,
                repository_id: settings.repository_id,
                contexts: &settings.subjects(),
                audience: &settings.audience(),
                external_id: settings.external_id.as_ref(),
            };
            Some(file.file()?)
        }
    })
}

fn features(settings: &IamPolicyArgs, policies: &Policies) -> Features {
    let IamPolicyArgs { recheck, last_accessed, .. } = *settings;
    match settings.remediate {
        Some(role) => Features::for_remediation(RemediationScope::new(role, &policies.remediation)),
        None => Features::new(&policies.audit, recheck, last_accessed),
    }
}

/// Whether the first role works in its own account, and the roles that it assumes.
fn roles(settings: &IamPolicyArgs) -> (bool, Vec<RoleArn>) {
    let name = settings.member_role_name.as_ref().unwrap_or(&settings.role_name);
    let is_hub = |entry: &&AccountEntry| Some(entry.account()) == settings.account;
    let (hub, others): (Vec<_>, Vec<_>) = settings.accounts.iter().partition(is_hub);
    let members = others.into_iter().map(|entry| entry.role(settings.partition, name)).collect();
    (settings.accounts.is_empty() || !hub.is_empty(), members)
}

/// Missing and contradictory settings.
fn problems(settings: &IamPolicyArgs) -> Vec<CommandError> {
    let mut problems = Vec::new();
    if settings.account.is_none() && !settings.accounts.is_empty() {
        let message = "--accounts needs --account, the account of the role that assumes the others";
        problems.push(CommandError::usage(message).with_hint(ACCOUNT_HINT));
    }
    for entry in settings.accounts.iter() {
        if let AccountEntry::Role(role) = entry
            && role.partition != settings.partition
        {
            let message = format!("{role} is not in the partition {}", settings.partition);
            let hint = format!("add --partition {}", role.partition);
            problems.push(CommandError::usage(message).with_hint(hint));
        }
    }
    problems.extend(missing(settings));
    problems
}

const ACCOUNT_HINT: &str =
    "find the account ID with: aws sts get-caller-identity --query Account --output text";

/// Missing settings of a trust policy.
fn missing(settings: &IamPolicyArgs) -> Vec<CommandError> {
    let format = settings.format;
    let mut missing = Vec::new();
    let mut lacks = |flag: &str, hint: String| {
        let message = format!("--format {} needs {flag}", format.id());
        missing.push(CommandError::usage(message).with_hint(hint));
    };
    let trusts = matches!(format, PolicyFormat::Trust | PolicyFormat::MemberTrust);
    if trusts && settings.account.is_none() && settings.accounts.is_empty() {
        lacks("--account, the account of the role that workflows assume", ACCOUNT_HINT.to_owned());
    }
    if format != PolicyFormat::Trust {
        return missing;
    }
    if settings.repository.is_none() {
        let hint = "spell it as on GitHub: gh repo view --json nameWithOwner --jq .nameWithOwner";
        lacks("--repository OWNER/NAME", hint.to_owned());
    }
    if settings.repository_owner_id.is_none() || settings.repository_id.is_none() {
        let repository =
            settings.repository.as_ref().map_or("OWNER/NAME".to_owned(), ToString::to_string);
        lacks(
            "--repository-owner-id and --repository-id, which the subject claims of newer \
             repositories contain",
            format!("get both, in this order: gh api repos/{repository} --jq '.owner.id, .id'"),
        );
    }
    missing
}

/// The policies that `audit` and `remediate` would use.
fn read_policies(
    settings: &IamPolicyArgs,
    now: DateTime<Utc>,
    streams: &mut Streams<'_>,
) -> Result<Policies, CommandError> {
    let (path, required) = match &settings.allowlist.allowlist {
        AllowlistSetting::None => return Ok(Policies::default()),
        AllowlistSetting::Default => (Path::new(DEFAULT_PATH), false),
        AllowlistSetting::File(path) => (path.as_path(), true),
    };
    match allowlist::read(&Input::File(path.to_owned()), now.date_naive(), streams) {
        Ok(read) => Ok(Policies {
            audit: Policy::new(&read.allowlist.policy, None),
            remediation: read.allowlist.remediation.unwrap_or_default(),
        }),
        Err(AllowlistReadError::Missing) if !required => Ok(Policies::default()),
        Err(unread) => {
            let hint = "set another file, or `--allowlist none` for the default rules";
            Err(unread.into_error(&path.display().to_string(), hint))
        }
    }
}

fn json(document: &PolicyDocument) -> String {
    // Strings and lists with string keys can always be serialized.
    let text = serde_json::to_string_pretty(document).unwrap_or_default();
    format!("{text}\n")
}
