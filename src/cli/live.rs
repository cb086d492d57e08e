//! The flags for access to AWS accounts and for the re-check.

use clap::ValueEnum;

use super::values::{List, boolean};
use crate::model::identity::{AccountEntry, AccountList, Audience, ExternalId, RoleArn, RoleName};
use crate::model::inventory::AccountId;

/// The default of `--role-session-name`.
pub const DEFAULT_SESSION_NAME: &str = "iam-stocktake";
/// The default of `--owner-tags`.
pub const DEFAULT_OWNER_TAGS: &str = "owner,Owner";

/// How to get access to the accounts.
#[derive(Debug, Clone, clap::Args)]
pub struct AccessArgs {
    /// ARN of the IAM role to assume, with the OIDC token of the job, or outside of a workflow with the
    /// AWS credentials in the environment
    #[arg(long, value_name = "ARN")]
    pub role_to_assume: Option<RoleArn>,

    /// Accounts to audit, separated by commas or newlines: account IDs, or ARNs of roles to assume
    /// from the first role [default: the account of the credentials]
    #[arg(long, value_name = "ACCOUNTS", value_parser = accounts, default_value = "",
        hide_default_value = true)]
    pub accounts: List<AccountEntry>,

    /// Name of the role to assume in accounts that `accounts` lists by ID [default: the name of the
    /// first role]
    #[arg(long, value_name = "NAME")]
    pub member_role_name: Option<RoleName>,

    /// External ID to pass to `sts:AssumeRole`
    #[arg(long, value_name = "ID")]
    pub external_id: Option<ExternalId>,

    /// Accounts that may be audited, separated by commas or newlines; any other account is refused
    /// before anything is read [default: all]
    #[arg(long, value_name = "IDS", value_parser = List::<AccountId>::of_words, default_value = "",
        hide_default_value = true)]
    pub allowed_account_ids: List<AccountId>,

    /// AWS Region of the endpoints to call [default: AWS_REGION, the Region of the profile, or a
    /// Region of the role's partition]
    #[arg(long, value_name = "REGION", value_parser = region)]
    pub aws_region: Option<String>,

    /// Audience (`aud`) of the OIDC token [default: sts.amazonaws.com, or sts.amazonaws.com.cn in
    /// China]
    #[arg(long, value_name = "TEXT")]
    pub audience: Option<Audience>,

    /// Name of the role sessions in CloudTrail
    #[arg(long, value_name = "NAME", value_parser = session_name,
        default_value = DEFAULT_SESSION_NAME)]
    pub role_session_name: RoleName,

    /// Tag keys that name the owner of a user; the first tag that a user has is used
    #[arg(long, value_name = "KEYS", default_value = DEFAULT_OWNER_TAGS)]
    pub owner_tags: List<String>,

    /// Maximum time for one account, in seconds; evidence that is missing by then makes the result
    /// incomplete
    #[arg(long, value_name = "SECONDS", default_value = "600",
        value_parser = clap::value_parser!(u32).range(1..=21_600))]
    pub timeout: u32,

    /// Maximum number of concurrent calls in one account
    #[arg(long, value_name = "N", default_value = "8",
        value_parser = clap::value_parser!(u8).range(1..=64))]
    pub concurrency: u8,
}

/// What the re-check reads.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct RecheckArgs {
    /// Re-check flagged users through the IAM API; with `false`, only the credential report is
    /// fetched, and no finding is cleared
    #[arg(long, value_name = "true|false", value_parser = boolean, default_value = "true",
        action = clap::ArgAction::Set)]
    pub recheck: bool,

    /// Users whose SSH keys are listed: flagged users, or all users, with one call for each user
    #[arg(long, value_name = "flagged|all", value_enum, default_value_t = SshKeys::Flagged,
        hide_possible_values = true)]
    pub ssh_keys: SshKeys,

    /// Ask IAM Access Advisor for the last service that flagged users accessed: at most 100 users
    /// for each account, the longest unused first
    #[arg(long, value_name = "true|false", value_parser = boolean, default_value = "true",
        action = clap::ArgAction::Set)]
    pub last_accessed: bool,
}

/// Users whose SSH keys are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SshKeys {
    /// Flagged users, and users without any other credential.
    Flagged,
    /// All users.
    All,
}

/// The accounts to audit, each once.
pub(super) fn accounts(text: &str) -> Result<List<AccountEntry>, String> {
    let AccountList(accounts) = text.parse().map_err(|error| format!("{error}"))?;
    for (index, entry) in accounts.iter().enumerate() {
        if accounts.iter().skip(index + 1).any(|other| other.account() == entry.account()) {
            return Err(format!("account {} is listed twice", entry.account()));
        }
    }
    Ok(List(accounts))
}

/// A session name has the characters of a role name, and at least two of them.
fn session_name(text: &str) -> Result<RoleName, &'static str> {
    let name = text.parse().ok().filter(|_| text.len() >= 2);
    name.ok_or("a session name has 2 to 64 letters, digits, and any of _+=,.@-")
}

fn region(text: &str) -> Result<String, &'static str> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.contains('-') && text.bytes().all(is_allowed) {
        Ok(text.to_owned())
    } else {
        Err("a Region looks like eu-central-1")
    }
}
