//! Names that AWS and GitHub use in policies: partitions, roles, repositories and the subjects of
//! OIDC tokens. Each is checked when it is read, and is exact: no name can contain a wildcard or a
//! policy variable.

use std::fmt;
use std::str::FromStr;

use crate::model::inventory::{AccountId, InvalidAccountId};
use crate::model::text_enum;

/// Text that is not a valid name. The message says what a valid one looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(&'static str);

text_enum! {
    /// An AWS partition. Every ARN names one.
    #[derive(Default)]
    #[strum(parse_err_ty = InvalidName, parse_err_fn = invalid_partition)]
    pub enum Partition {
        /// The commercial regions.
        #[default]
        Aws,
        /// The regions in China.
        AwsCn,
        /// GovCloud (US).
        AwsUsGov,
        /// The European Sovereign Cloud.
        AwsEusc,
    }
}

impl Partition {
    /// The audience that STS requires in a GitHub token (the README of
    /// `aws-actions/configure-aws-credentials`, "OIDC Audience").
    #[must_use]
    pub const fn audience(self) -> &'static str {
        match self {
            Self::Aws | Self::AwsUsGov | Self::AwsEusc => "sts.amazonaws.com",
            Self::AwsCn => "sts.amazonaws.com.cn",
        }
    }

    /// A region of the partition. IAM has one endpoint for all of them.
    #[must_use]
    pub const fn region(self) -> &'static str {
        match self {
            Self::Aws => "us-east-1",
            Self::AwsCn => "cn-north-1",
            Self::AwsUsGov => "us-gov-west-1",
            Self::AwsEusc => "eusc-de-east-1",
        }
    }

    /// The partition of a region, by the prefix of its name; `None` for a region of another
    /// partition.
    #[must_use]
    pub fn from_region(region: &str) -> Option<Self> {
        const REGION_PREFIXES: [(&str, Option<Partition>); 7] = [
            ("cn-", Some(Partition::AwsCn)),
            ("us-gov-", Some(Partition::AwsUsGov)),
            ("eusc-", Some(Partition::AwsEusc)),
            // Partitions that are not open to the public.
            ("us-iso-", None),
            ("us-isob-", None),
            ("us-isof-", None),
            ("eu-isoe-", None),
        ];
        let known =
            REGION_PREFIXES.into_iter().find(|(beginning, _)| region.starts_with(beginning));
        known.map_or(Some(Self::Aws), |(_, partition)| partition)
    }

    /// The host of the AWS console.
    ///
    /// Source: "AWS Management Console", and the guides of China, GovCloud and the European
    /// Sovereign Cloud.
    #[must_use]
    pub const fn console_host(self) -> &'static str {
        match self {
            Self::Aws => "console.aws.amazon.com",
            Self::AwsCn => "console.amazonaws.cn",
            Self::AwsUsGov => "console.amazonaws-us-gov.com",
            Self::AwsEusc => "console.amazonaws-eusc.eu",
        }
    }
}

const fn invalid_partition(_text: &str) -> InvalidName {
    InvalidName("a partition is aws, aws-cn, aws-us-gov, or aws-eusc")
}

/// The characters that IAM allows in role names and external ids, besides those that each of them
/// adds.
const fn is_iam_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'=' | b',' | b'.' | b'@' | b'-')
}

/// A role's name, without its path (IAM's API reference, "CreateRole").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleName(String);

impl FromStr for RoleName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = (1..=64).contains(&text.len()) && text.bytes().all(is_iam_name_byte);
        let expected = "a role's name has 1 to 64 letters, digits, and any of _+=,.@-";
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidName(expected)) }
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ARN of one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleArn {
    pub partition: Partition,
    pub account: AccountId,
    /// The path: `/`, or with names between slashes.
    path: String,
    pub name: RoleName,
}

impl RoleArn {
    /// A role without a path.
    #[must_use]
    pub fn new(partition: Partition, account: AccountId, name: RoleName) -> Self {
        Self { partition, account, path: "/".to_owned(), name }
    }

    /// The path: `/`, or with names between slashes.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl FromStr for RoleArn {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const INVALID_FORMAT: InvalidName = InvalidName(
            "a role's ARN looks like arn:aws:iam::111122223333:role/NAME, without a wildcard",
        );
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, role] = parts.as_slice() else {
            return Err(INVALID_FORMAT);
        };
        let (path, name) =
            role.strip_prefix("role").and_then(|it| it.rsplit_once('/')).ok_or(INVALID_FORMAT)?;
        // IAM allows more characters in a path, but they would be a wildcard or a variable in a
        // policy.
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'*' | b'?' | b'$');
        if !(path.is_empty() || path.starts_with('/')) || !path.bytes().all(plain) {
            return Err(INVALID_FORMAT);
        }
        Ok(Self {
            partition: partition.parse()?,
            account: account.parse().map_err(|_| INVALID_FORMAT)?,
            path: format!("{path}/"),
            name: name.parse().map_err(|_| INVALID_FORMAT)?,
        })
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, account, path, name } = self;
        write!(f, "arn:{partition}:iam::{account}:role{path}{name}")
    }
}

/// An entry of `accounts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountEntry {
    /// An account, audited with the role of the default name.
    Account(AccountId),
    /// A role in an account.
    Role(RoleArn),
}

impl AccountEntry {
    #[must_use]
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Account(account) => *account,
            Self::Role(role) => role.account,
        }
    }

    /// The role that audits the account; `name` is the default name.
    #[must_use]
    pub fn role(&self, partition: Partition, name: &RoleName) -> RoleArn {
        match self {
            Self::Account(account) => RoleArn::new(partition, *account, name.clone()),
            Self::Role(role) => role.clone(),
        }
    }
}

impl FromStr for AccountEntry {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("arn:") {
            return text.parse().map(Self::Role);
        }
        text.parse().map(Self::Account).map_err(|error| match error {
            InvalidAccountId::NotTwelveDigits => InvalidName(
                "use an account ID (twelve digits) or a role ARN",
            ),
            InvalidAccountId::TooFewDigits => InvalidName(
                "an account ID has twelve digits. A leading zero may be missing: in YAML, write the \
                 ID in quotes",
            ),
        })
    }
}

/// Accounts on the command line, separated by commas or white space.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountList(pub Vec<AccountEntry>);

impl FromStr for AccountList {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let entries = text.split(|it: char| it == ',' || it.is_whitespace());
        let entries = entries.filter(|entry| !entry.is_empty());
        entries.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// The external id that a role's trust policy may require (STS API reference, "AssumeRole").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalId(String);

impl FromStr for ExternalId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = (2..=1_224).contains(&text.len())
            && text.bytes().all(|byte| is_iam_name_byte(byte) || matches!(byte, b':' | b'/'));
        let expected = "an external ID has 2 to 1224 letters, digits, and any of _+=,.@:/-";
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidName(expected)) }
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A GitHub repository, in GitHub's spelling: tokens are compared with case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryName {
    /// The user or organization.
    pub owner: String,
    pub name: String,
}

impl FromStr for RepositoryName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const INVALID_FORMAT: InvalidName = InvalidName("write a repository as OWNER/NAME");
        let (owner, name) = text.split_once('/').ok_or(INVALID_FORMAT)?;
        // Enterprise managed users have an underscore in their names.
        let owner_char = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let name_char = |byte: u8| owner_char(byte) || byte == b'.';
        let valid = (1..=100).contains(&owner.len())
            && (1..=100).contains(&name.len())
            && owner.bytes().all(owner_char)
            && name.bytes().all(name_char)
            && !matches!(name, "." | "..");
        let (owner, name) = (owner.to_owned(), name.to_owned());
        if valid { Ok(Self { owner, name }) } else { Err(INVALID_FORMAT) }
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// The visibility of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Visible to everyone.
    Public,
    /// Visible to the members of the enterprise.
    Internal,
    /// Visible to those with access.
    Private,
}

/// The id of an owner or a repository on GitHub, which GitHub never reuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GithubId(u64);

impl FromStr for GithubId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        let number = text.parse().ok().filter(|_| plain);
        number.map(Self).ok_or(InvalidName("an ID is a number, such as 583231"))
    }
}

impl fmt::Display for GithubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The context of runs on the main branch.
const MAIN_BRANCH: &str = "ref:refs/heads/main";

/// The part of a token's subject after the repository: `ref:refs/heads/main`, `pull_request`,
/// `environment:NAME` (GitHub's "OpenID Connect reference").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectContext(String);

impl SubjectContext {
    /// The contexts of a scheduled run and of a pull request.
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        [MAIN_BRANCH, "pull_request"].map(|it| Self(it.to_owned())).to_vec()
    }

    /// The context of runs that make no destructive changes.
    #[must_use]
    pub fn default_branch_only() -> Vec<Self> {
        vec![Self(MAIN_BRANCH.to_owned())]
    }

    /// The context of jobs that require approval: the environment for remediation.
    #[must_use]
    pub fn remediation_environment() -> Vec<Self> {
        vec![Self("environment:iam-remediation".to_owned())]
    }
}

impl FromStr for SubjectContext {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The characters that a policy can contain (IAM API reference, "CreateRole").
        let latin = |character: char| !character.is_control() && character <= '\u{ff}';
        if text.is_empty() || text.trim() != text || !text.chars().all(latin) {
            return Err(InvalidName("write it like ref:refs/heads/main or environment:prod"));
        }
        if text.contains(['*', '?']) || text.contains("${") {
            return Err(InvalidName("wildcards and variables are not allowed: list each subject"));
        }
        if text.starts_with("repo:") {
            return Err(InvalidName("omit the repository: --repository sets it"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SubjectContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The audience of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience(String);

impl From<Partition> for Audience {
    fn from(partition: Partition) -> Self {
        Self(partition.audience().to_owned())
    }
}

impl FromStr for Audience {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'*' | b'?' | b'$');
        // A client id of an OIDC provider (IAM API reference, "CreateOpenIDConnectProvider").
        let valid = (1..=255).contains(&text.len()) && text.bytes().all(plain);
        let expected = "an audience has 1 to 255 visible characters and no wildcard";
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidName(expected)) }
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
