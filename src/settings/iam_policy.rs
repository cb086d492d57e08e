//! The settings of `iam-policy`, validated.

use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::{AllowlistSetting, LastAccessedLookup, OwnerLookup, RemediationRole, UnknownChoice};
use crate::model::identity::{
    AccountEntry, Audience, ExternalId, GithubId, Partition, RepositoryName, RoleName,
    SubjectContext,
};
use crate::model::inventory::AccountId;

/// The name of the audit role, unless told otherwise.
pub const DEFAULT_ROLE_NAME: &str = "iam-stocktake-audit";

/// The settings of `iam-policy`, validated. Those that `audit` has too mean the same.
#[derive(Debug, Clone)]
pub struct IamPolicySettings {
    /// What is printed.
    pub format: PolicyFormat,
    /// Which role of the remedy is meant; the audit's if `None`.
    pub remedy: Option<RemediationRole>,
    /// Whether candidates are looked at again.
    pub recheck: bool,
    /// Whose tags are read.
    pub owners: OwnerLookup,
    /// Of whom the last service used is asked for.
    pub last_accessed: LastAccessedLookup,
    /// Whose policy says which rules are judged.
    pub allowlist: AllowlistSetting,
    /// The accounts to audit; the first role's own if there are none.
    pub accounts: Vec<AccountEntry>,
    /// The name of the role in an account that is named by its id; the first role's if `None`.
    pub member_role_name: Option<RoleName>,
    /// What the roles of the other accounts ask for.
    pub external_id: Option<ExternalId>,
    /// The first role's name.
    pub role_name: RoleName,
    /// The first role's account.
    pub account: Option<AccountId>,
    /// The partition of all accounts.
    pub partition: Partition,
    /// Whom GitHub's tokens are for.
    pub audience: Audience,
    /// Whose workflows assume the first role.
    pub repository: Option<RepositoryName>,
    /// The id of the repository's owner.
    pub repository_owner_id: Option<GithubId>,
    /// The id of the repository.
    pub repository_id: Option<GithubId>,
    /// The contexts of the workflow runs.
    pub subjects: Vec<SubjectContext>,
    /// The moment from which the reach of an exemption is counted.
    pub now: DateTime<Utc>,
}

/// What `iam-policy` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PolicyFormat {
    /// The permissions policy of the role, as JSON.
    #[default]
    Json,
    /// The trust policy of the first role, as JSON.
    Trust,
    /// The trust policy of the roles in the other accounts, as JSON.
    MemberTrust,
    /// All of it, as Terraform.
    Terraform,
}

impl PolicyFormat {
    /// All formats.
    pub const ALL: [Self; 4] = [Self::Json, Self::Trust, Self::MemberTrust, Self::Terraform];

    /// The format's name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Trust => "trust",
            Self::MemberTrust => "member-trust",
            Self::Terraform => "terraform",
        }
    }
}

impl FromStr for PolicyFormat {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.id() == text).ok_or(UnknownChoice)
    }
}
