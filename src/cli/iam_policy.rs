//! The flags of `iam-policy`.

use clap::ValueEnum;

use super::Clock;
use super::audit::OptionalAllowlist;
use super::live::accounts;
use super::values::{List, boolean, one_of};
use crate::model::identity::{
    AccountEntry, Audience, ExternalId, GithubId, Partition, RepositoryName, RoleName,
    SubjectContext,
};
use crate::model::inventory::AccountId;
use crate::permissions::RemediationRole;

pub(super) const EXAMPLES: &str = "\
Examples:
  The permissions that an audit with the same flags needs:
    iam-stocktake iam-policy --last-accessed false

  The trust policy, which says who can assume the role:
    iam-stocktake iam-policy --format trust --account 111122223333 --repository acme/infra \\
      --repository-owner-id 583231 --repository-id 1296269

  Everything as Terraform, for this account and another one:
    iam-stocktake iam-policy --format terraform --account 111122223333 \\
      --accounts 111122223333,444455556666 --repository acme/infra

  A second role for remediation up to a stage, in an environment:
    iam-stocktake iam-policy --remediate deactivate";

/// The default name of the audit role.
const DEFAULT_ROLE_NAME: &str = "iam-stocktake-audit";

/// The arguments of `iam-policy`.
#[derive(Debug, Clone, clap::Args)]
pub struct IamPolicyArgs {
    /// What to print: the permissions policy of the role, its trust policy, the trust policy of the
    /// roles in other accounts, or everything as Terraform
    #[arg(long, value_name = "FORMAT", default_value_t = PolicyFormat::Json, value_enum)]
    pub format: PolicyFormat,

    /// Print the role for `remediate` instead of the audit role: a role that can only plan, or can
    /// apply the stages up to this one, within the limits of `remediation` in the allowlist
    #[arg(long, value_name = "STAGE",
        value_parser = one_of(RemediationRole::ALL, RemediationRole::id),
        conflicts_with_all = ["recheck", "last_accessed"])]
    pub remediate: Option<RemediationRole>,

    /// Include the permissions for the re-check of flagged users
    #[arg(long, value_name = "true|false", value_parser = boolean, default_value = "true",
        action = clap::ArgAction::Set)]
    pub recheck: bool,

    /// Include the permissions for IAM Access Advisor
    #[arg(long, value_name = "true|false", value_parser = boolean, default_value = "true",
        action = clap::ArgAction::Set)]
    pub last_accessed: bool,

    #[command(flatten)]
    pub allowlist: OptionalAllowlist,

    /// Accounts to audit, separated by commas or newlines: account IDs, or ARNs of roles to assume
    /// from the first role [default: the account of the first role]
    #[arg(long, value_name = "ACCOUNTS", value_parser = accounts, default_value = "",
        hide_default_value = true)]
    pub accounts: List<AccountEntry>,

    /// Name of the role to assume in accounts that `accounts` lists by ID [default: the name of the
    /// first role]
    #[arg(long, value_name = "NAME")]
    pub member_role_name: Option<RoleName>,

    /// External ID that the roles in other accounts require
    #[arg(long, value_name = "ID")]
    pub external_id: Option<ExternalId>,

    /// Name of the first role, which workflows assume; with --remediate, the default is
    /// iam-stocktake-plan, -notify, or -remediate
    #[arg(long, value_name = "NAME", default_value = DEFAULT_ROLE_NAME,
        default_value_ifs = RemediationRole::ALL.map(|it| ("remediate", it.id(), it.default_name())))]
    pub role_name: RoleName,

    /// Account of the first role; limits the resources to this account
    #[arg(long, value_name = "ID")]
    pub account: Option<AccountId>,

    /// Partition of the accounts
    #[arg(long, value_name = "PARTITION", default_value = "aws",
        value_parser = one_of(Partition::ALL, Partition::id))]
    pub partition: Partition,

    /// Audience (`aud`) of the OIDC token [default: sts.amazonaws.com, or sts.amazonaws.com.cn in
    /// China]
    #[arg(long, value_name = "TEXT")]
    pub audience: Option<Audience>,

    /// Repository whose workflows can assume the role, in the same case as on GitHub
    #[arg(long, value_name = "OWNER/NAME")]
    pub repository: Option<RepositoryName>,

    /// ID of the repository's owner: `gh api repos/OWNER/NAME --jq .owner.id`
    #[arg(long, value_name = "N")]
    pub repository_owner_id: Option<GithubId>,

    /// ID of the repository: `gh api repos/OWNER/NAME --jq .id`
    #[arg(long, value_name = "N")]
    pub repository_id: Option<GithubId>,

    /// Workflow runs that can assume the role, for example environment:prod; can be repeated
    /// [default: ref:refs/heads/main and pull_request; with --remediate plan or notify,
    /// ref:refs/heads/main; with a later stage, environment:iam-remediation]
    #[arg(long, value_name = "CONTEXT")]
    pub subject: Vec<SubjectContext>,

    #[command(flatten)]
    pub clock: Clock,
}

/// What `iam-policy` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, strum::IntoStaticStr)]
#[value(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum PolicyFormat {
    /// The permissions policy of the role, as JSON.
    Json,
    /// The trust policy of the first role, as JSON.
    Trust,
    /// The trust policy of the roles in the other accounts, as JSON.
    MemberTrust,
    /// Everything, as Terraform.
    Terraform,
}

impl PolicyFormat {
    /// The name of the format.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.into_str()
    }
}

impl IamPolicyArgs {
    /// The workflow runs that can assume the role, each once.
    #[must_use]
    pub fn subjects(&self) -> Vec<SubjectContext> {
        let mut subjects: Vec<SubjectContext> = Vec::new();
        for subject in &self.subject {
            if !subjects.contains(subject) {
                subjects.push(subject.clone());
            }
        }
        match self.remediate {
            _ if !subjects.is_empty() => subjects,
            None => SubjectContext::defaults(),
            Some(role) if role.needs_approval() => SubjectContext::remediation_environment(),
            Some(_) => SubjectContext::default_branch_only(),
        }
    }

    /// The audience of GitHub's tokens.
    #[must_use]
    pub fn audience(&self) -> Audience {
        self.audience.clone().unwrap_or_else(|| self.partition.into())
    }
}
