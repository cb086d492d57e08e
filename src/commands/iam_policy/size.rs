//! Policies that exceed IAM's size limits.

use super::super::error::CommandError;
use crate::cli::{IamPolicyArgs, PolicyFormat};
use crate::model::identity::{GithubId, RepositoryName};
use crate::model::inventory::AccountId;
use crate::permissions::{
    Features, PolicyDocument, PolicyKind, RoleGrant, member_trust, oidc_provider, size, subjects,
    web_identity_trust,
};

/// The policies that are too large.
pub(super) fn problems(
    settings: &IamPolicyArgs,
    features: Features,
    grant: RoleGrant<'_>,
) -> Vec<CommandError> {
    let format = settings.format;
    let (is_terraform, mut found) = (format == PolicyFormat::Terraform, Vec::new());
    if is_terraform || format == PolicyFormat::Json {
        found.extend(permissions(grant));
    }
    if is_terraform || format == PolicyFormat::Trust {
        let help = "set fewer --subject values, or create a second role for the others";
        found.extend(size_over_limit(
            "trust policy",
            PolicyKind::Trust,
            &trust_policy(settings),
            help,
        ));
    }
    if format == PolicyFormat::MemberTrust || (is_terraform && !grant.members.is_empty()) {
        let account = settings.account.as_ref().map_or("000000000000", AccountId::as_str);
        let hub = format!("arn:{}:iam::{account}:role/{}", settings.partition, settings.role_name);
        let trust_policy = member_trust(features, hub, settings.external_id.as_ref());
        let help = "choose a shorter --external-id";
        found.extend(size_over_limit(
            "other accounts' trust policy",
            PolicyKind::Trust,
            &trust_policy,
            help,
        ));
    }
    found
}

/// A note about a policy that fits in a role, but not in a managed policy.
pub(super) fn note(settings: &IamPolicyArgs, grant: RoleGrant<'_>) -> Option<String> {
    let managed = PolicyKind::Managed;
    let size = managed
        .size_over_limit(&grant.policy())
        .filter(|_| settings.format == PolicyFormat::Json)?;
    Some(format!(
        "note: the policy has {size} characters. It fits in an inline policy of the role (at most {}), \
         but not in a managed policy (at most {})",
        PolicyKind::Inline.limit(),
        managed.limit()
    ))
}

fn permissions(grant: RoleGrant<'_>) -> Option<CommandError> {
    let fits = |members: usize| {
        let members = grant.members.get(..members).unwrap_or_default();
        size(&RoleGrant { members, ..grant }.policy()) <= PolicyKind::Inline.limit()
    };
    // Binary search for the largest number of accounts that fits.
    let (mut most, mut too_many) = (0, grant.members.len());
    while too_many.saturating_sub(most) > 1 {
        let middle = most.midpoint(too_many);
        if fits(middle) { most = middle } else { too_many = middle }
    }
    let help = format!(
        "at most {most} of the {} accounts fit. Create a role for each part of the accounts \
         (--role-name and --accounts), and audit each part in a job",
        grant.members.len()
    );
    size_over_limit(
        "permissions policy of the first role",
        PolicyKind::Inline,
        &grant.policy(),
        &help,
    )
}

fn size_over_limit(
    what: &str,
    kind: PolicyKind,
    policy: &PolicyDocument,
    help: &str,
) -> Option<CommandError> {
    let size = kind.size_over_limit(policy)?;
    let limit = kind.limit();
    let message =
        format!("the {what} would have {size} characters, and IAM allows at most {limit}");
    Some(CommandError::usage(message).with_hint(help))
}

/// The trust policy of the first role. Values that Terraform asks for have their usual length.
fn trust_policy(settings: &IamPolicyArgs) -> PolicyDocument {
    let usual = |digits: &str| digits.parse::<GithubId>().ok();
    let repository = settings
        .repository
        .clone()
        .unwrap_or_else(|| RepositoryName { owner: "OWNER".to_owned(), name: "NAME".to_owned() });
    let ids = settings.repository_owner_id.or_else(|| usual("100000000"));
    let subjects = match ids.zip(settings.repository_id.or_else(|| usual("1000000000"))) {
        Some((owner, id)) => subjects(&repository, owner, id, &settings.subjects()),
        None => Vec::new(),
    };
    let provider = match settings.account {
        Some(account) => oidc_provider(settings.partition, account),
        None => String::new(),
    };
    web_identity_trust(provider, &settings.audience(), subjects)
}
