//! The arguments of `iam-policy`. Those that choose features are spelt as in `audit`.

use chrono::{DateTime, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use super::live::choice;
use super::{Clock, help};
use crate::model::identity::{
    AccountList, Audience, ExternalId, GithubId, Partition, RepositoryName, RoleName,
    SubjectContext,
};
use crate::model::inventory::AccountId;
use crate::settings::{
    self, AllowlistSetting, DEFAULT_ROLE_NAME, IamPolicySettings, LastAccessedLookup, OwnerLookup,
    PolicyFormat, RemediationRole,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  What the role of an audit with the same flags must be allowed:
    iam-stocktake iam-policy --owners all

  Who may assume it:
    iam-stocktake iam-policy --format trust --account 111122223333 --repository acme/infra \\
      --repository-owner-id 583231 --repository-id 1296269

  All of it as Terraform, for this account and another:
    iam-stocktake iam-policy --format terraform --account 111122223333 \\
      --accounts 111122223333,444455556666 --repository acme/infra

  A second role, which carries out the remedy up to a stage, in an environment:
    iam-stocktake iam-policy --remediate deactivate";

#[derive(clap::Args)]
pub(super) struct IamPolicyArgs {
    /// What is printed: the permissions policy, the trust policy of the role, that of the roles in
    /// other accounts, or everything as Terraform
    #[arg(long, value_parser = format_parser(), default_value = PolicyFormat::Json.id(),
        value_name = "FORMAT")]
    format: PolicyFormat,

    /// Not the audit's role, but one of `remediate`: it may only `plan`, or carry out this stage and
    /// those before it, as far as the allowlist's `remediation` goes
    #[arg(long, value_parser = choice::<RemediationRole, _>(RemediationRole::ALL.map(RemediationRole::id)),
        conflicts_with_all = ["no_recheck", "owners", "last_accessed"], value_name = "STAGE")]
    remediate: Option<RemediationRole>,

    #[arg(long, help = settings::NO_RECHECK.description)]
    no_recheck: bool,

    #[arg(long, value_parser = choice::<OwnerLookup, _>(OwnerLookup::ALL.map(OwnerLookup::id)),
        default_value = settings::OWNERS.default,
        value_name = settings::OWNERS.value, help = settings::OWNERS.description)]
    owners: OwnerLookup,

    #[arg(long, value_parser = choice::<LastAccessedLookup, _>(LastAccessedLookup::ALL.map(LastAccessedLookup::id)),
        default_value = settings::LAST_ACCESSED.default,
        value_name = settings::LAST_ACCESSED.value, help = settings::LAST_ACCESSED.description)]
    last_accessed: LastAccessedLookup,

    #[arg(long, value_name = settings::ALLOWLIST.value, help = help(settings::ALLOWLIST))]
    allowlist: Option<String>,

    #[arg(long, value_name = settings::ACCOUNTS.value, help = settings::ACCOUNTS.description)]
    accounts: Vec<AccountList>,

    #[arg(long,
        value_name = settings::MEMBER_ROLE_NAME.value, help = help(settings::MEMBER_ROLE_NAME))]
    member_role_name: Option<RoleName>,

    #[arg(long,
        value_name = settings::EXTERNAL_ID.value, help = settings::EXTERNAL_ID.description)]
    external_id: Option<ExternalId>,

    /// The name of the first role, which workflows assume; with --remediate it is
    /// iam-stocktake-plan, -notify or -remediate
    #[arg(long, value_name = "NAME", default_value = DEFAULT_ROLE_NAME,
        default_value_ifs = RemediationRole::ALL.map(|it| ("remediate", it.id(), it.default_name())))]
    role_name: RoleName,

    /// The account of the first role: narrows the resources to it
    #[arg(long, value_name = "ID")]
    account: Option<AccountId>,

    /// The partition of the accounts
    #[arg(long, value_parser = partition_parser(), default_value = Partition::Aws.id(),
        value_name = "PARTITION")]
    partition: Partition,

    #[arg(long, value_name = settings::AUDIENCE.value, help = help(settings::AUDIENCE))]
    audience: Option<Audience>,

    /// The repository whose workflows assume the role, spelt as GitHub spells it
    #[arg(long, value_name = "OWNER/NAME")]
    repository: Option<RepositoryName>,

    /// The id of the repository's owner: `gh api repos/OWNER/NAME --jq .owner.id`
    #[arg(long, value_name = "N")]
    repository_owner_id: Option<GithubId>,

    /// The id of the repository: `gh api repos/OWNER/NAME --jq .id`
    #[arg(long, value_name = "N")]
    repository_id: Option<GithubId>,

    /// Which workflow runs may assume the role, such as environment:prod; may be given several
    /// times [default: ref:refs/heads/main and pull_request; with --remediate plan or notify
    /// ref:refs/heads/main alone, beyond environment:iam-remediation]
    #[arg(long, value_name = "CONTEXT")]
    subject: Vec<SubjectContext>,

    #[command(flatten)]
    clock: Clock,
}

fn format_parser() -> impl clap::builder::TypedValueParser<Value = PolicyFormat> {
    PossibleValuesParser::new(PolicyFormat::ALL.map(PolicyFormat::id))
        .map(|name| name.parse().unwrap_or_default())
}

fn partition_parser() -> impl clap::builder::TypedValueParser<Value = Partition> {
    PossibleValuesParser::new(Partition::ALL.map(Partition::id))
        .map(|name| name.parse().unwrap_or_default())
}

impl IamPolicyArgs {
    pub(super) fn settings(self, now: DateTime<Utc>) -> IamPolicySettings {
        let mut subjects: Vec<SubjectContext> = Vec::new();
        for subject in self.subject {
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
        }
        if subjects.is_empty() {
            subjects = match self.remediate {
                None => SubjectContext::defaults(),
                Some(role) if role.needs_approval() => SubjectContext::remediation_environment(),
                Some(_) => SubjectContext::default_branch_only(),
            };
        }
        IamPolicySettings {
            format: self.format,
            remedy: self.remediate,
            recheck: !self.no_recheck,
            owners: self.owners,
            last_accessed: self.last_accessed,
            allowlist: self
                .allowlist
                .map_or(AllowlistSetting::Default, |text| text.as_str().into()),
            accounts: self.accounts.into_iter().flat_map(|list| list.0).collect(),
            member_role_name: self.member_role_name,
            external_id: self.external_id,
            role_name: self.role_name,
            account: self.account,
            audience: self.audience.unwrap_or_else(|| self.partition.into()),
            partition: self.partition,
            repository: self.repository,
            repository_owner_id: self.repository_owner_id,
            repository_id: self.repository_id,
            subjects,
            now: self.clock.now.unwrap_or(now),
        }
    }
}
