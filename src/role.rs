//! Roles as settings name them: ARNs, and the account ids that stand for them.

use std::fmt;
use std::str::FromStr;

use crate::inventory::AccountId;

/// The ARN of an IAM role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleArn {
    text: String,
    account: AccountId,
}

/// A text that is no role's ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a role as `arn:aws:iam::111122223333:role/NAME`")]
pub struct InvalidRole;

impl FromStr for RoleArn {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(6, ':');
        let (Some("arn"), Some(partition), Some("iam"), Some(""), Some(account), Some(resource)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidRole);
        };
        let path_and_name = resource.strip_prefix("role/").ok_or(InvalidRole)?;
        let account = account.parse().map_err(|_| InvalidRole)?;
        let name = path_and_name.rsplit('/').next().unwrap_or_default();
        let is_partition = partition.starts_with("aws")
            && partition.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        if !is_partition
            || !is_role_name(name)
            || !path_and_name.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err(InvalidRole);
        }
        Ok(Self { text: text.to_owned(), account })
    }
}

/// Whether IAM takes the text for a role's name: letters, digits and `+=,.@_-`, 64 at most.
#[must_use]
pub fn is_role_name(text: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_good)
}

impl RoleArn {
    /// The role of this path and name in an account.
    #[must_use]
    pub fn new(partition: &str, account: AccountId, path_and_name: &str) -> Self {
        Self { text: format!("arn:{partition}:iam::{account}:role/{path_and_name}"), account }
    }

    /// The ARN as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The partition: `aws`, `aws-cn`, `aws-us-gov`, …
    #[must_use]
    pub fn partition(&self) -> &str {
        self.text.split(':').nth(1).unwrap_or_default()
    }

    /// The account that the role is in.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// The role's path without its first slash, and its name.
    #[must_use]
    pub fn path_and_name(&self) -> &str {
        self.text.split_once(":role/").map_or("", |(_, path_and_name)| path_and_name)
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An account to audit, as `--accounts` names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// Twelve digits: its role bears the name of `--member-role-name`.
    Account(AccountId),
    /// A role to assume as it is.
    Role(RoleArn),
}

impl Member {
    /// The account.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Account(account) => *account,
            Self::Role(role) => role.account(),
        }
    }
}

/// A text that is neither an account id nor a role's ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write an account as twelve digits, or as `arn:aws:iam::111122223333:role/NAME`")]
pub struct InvalidMember;

impl FromStr for Member {
    type Err = InvalidMember;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let role = || text.parse().map(Self::Role).map_err(|_| InvalidMember);
        text.parse().map(Self::Account).or_else(|_| role())
    }
}
