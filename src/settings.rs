//! The settings of the program: one table with every name, default and description, from which
//! `--help` and the README's table are made; and the validated values.

mod iam_policy;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

pub use iam_policy::{DEFAULT_ROLE_NAME, IamPolicySettings, PolicyFormat};

use crate::identity::{AccountEntry, Audience, ExternalId, RoleArn, RoleName};
use crate::inventory::AccountId;
use crate::report::Language;

/// One setting: a flag of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The flag without its dashes.
    pub name: &'static str,
    /// What its value looks like.
    pub value: &'static str,
    /// What holds when nothing sets it, for people.
    pub default: &'static str,
    /// What it is for, as one sentence.
    pub description: &'static str,
}

macro_rules! settings {
    ($($constant:ident: $name:literal $value:literal, default $default:literal, $description:literal;)+) => {
        $(
            #[doc = $description]
            pub const $constant: Setting = Setting {
                name: $name,
                value: $value,
                default: $default,
                description: $description,
            };
        )+

        /// Every setting, in the order in which people meet them.
        pub const SETTINGS: &[Setting] = &[$($constant),+];
    };
}

settings! {
    CREDENTIAL_REPORT: "credential-report" "FILE...", default "",
        "Exported credential reports to judge, one file an account: CSV, its base64, or what `aws iam get-credential-report` prints; `-` is standard input";
    REPORT_GENERATED_AT: "report-generated-at" "RFC3339", default "",
        "When IAM generated the reports that bear no date themselves";
    ROLE_TO_ASSUME: "role-to-assume" "ARN", default "",
        "The role to take: through the runner's OIDC token in a workflow, else from the AWS credentials that the environment has";
    ACCOUNTS: "accounts" "ACCOUNTS", default "the account of the credentials",
        "The accounts to audit, separated by commas or line ends: twelve digits, or the ARN of a role to assume from the first one; exactly those";
    MEMBER_ROLE_NAME: "member-role-name" "NAME", default "the first role's name",
        "The role to assume in accounts that are given by their id";
    EXTERNAL_ID: "external-id" "ID", default "",
        "The external id that the accounts' roles ask for";
    ALLOWED_ACCOUNT_IDS: "allowed-account-ids" "IDS", default "all",
        "The only accounts that may be audited; any other is refused before anything is read";
    AWS_REGION: "aws-region" "REGION", default "AWS_REGION, the profile's, or one of the role's partition",
        "The region whose endpoints are asked";
    AUDIENCE: "audience" "TEXT", default "sts.amazonaws.com, or sts.amazonaws.com.cn in China",
        "For whom the OIDC token is asked";
    ROLE_SESSION_NAME: "role-session-name" "NAME", default "iam-stocktake",
        "What the sessions are called in CloudTrail";
    ROLE_DURATION_SECONDS: "role-duration-seconds" "N", default "3600",
        "How long the first role's session lasts; it is renewed in a longer run";
    NO_RECHECK: "no-recheck" "", default "",
        "Fetch the credential report and nothing else: two calls; findings are not looked at again, and nothing counts as cleared";
    SSH_KEYS: "ssh-keys" "candidates|all", default "candidates",
        "Whose SSH keys are listed: of users whom the report cannot clear, or of all at one call a user";
    OWNERS: "owners" "candidates|all|none", default "candidates",
        "Whose tags are read to name an owner";
    OWNER_TAGS: "owner-tags" "KEYS", default "owner,Owner",
        "The tag keys that name a user's owner; the first that is there counts";
    LAST_ACCESSED: "last-accessed" "candidates|none", default "candidates",
        "Of whom Access Advisor is asked for the last service used: at most 100 an account, the oldest disuse first";
    TIMEOUT: "timeout" "SECONDS", default "600",
        "How long the audit of an account may take; what is missing then is reported as incomplete";
    CONCURRENCY: "concurrency" "N", default "8",
        "How many calls are made at a time in an account";
    ACCOUNT_CONCURRENCY: "account-concurrency" "N", default "8",
        "How many accounts are audited at a time";
    ALLOWLIST: "allowlist" "FILE|none", default ".github/iam-allowlist.yml, if it is there",
        "The allowlist with the exemptions and the policy; `none` for no allowlist";
    STALE_AFTER_DAYS: "stale-after-days" "N", default "the allowlist's, else 90",
        "Days without use after which a credential is stale";
    FORMAT: "format" "FORMAT", default "table, unless --output is given",
        "What is written to standard output: table, markdown or json";
    OUTPUT: "output" "FILE", default "",
        "Also write a report to this file, in the format of its ending (.md, .json or .txt); may be given several times";
    LANGUAGE: "language" "en|ja", default "en",
        "The language of the Markdown report";
    FAIL_ON: "fail-on" "any|none", default "any",
        "Which open findings of level error make the exit code 1";
    MAX_ROWS: "max-rows" "N", default "200",
        "The most rows that a table of the report shows; 0 shows all";
    TEMPLATE: "template" "FILE", default "",
        "A template of your own for the Markdown report (docs/template.md)";
    QUIET: "quiet" "", default "",
        "Show no progress";
    VERBOSE: "verbose" "", default "",
        "Log every call to standard error, with its outcome and time";
    NOW: "now" "RFC3339", default "the clock",
        "The moment by which days are counted, for reproducible output";
}

/// The most rows of a table, unless told otherwise.
pub const DEFAULT_MAX_ROWS: usize = 200;

/// What the user asked for.
#[derive(Debug, Clone)]
pub enum Command {
    /// `audit`
    Audit(Box<AuditSettings>),
    /// `allowlist check`: the files, as seen on a day (UTC).
    CheckAllowlists {
        /// The files.
        files: Vec<Input>,
        /// The day from which an exemption's reach is counted.
        today: NaiveDate,
    },
    /// `allowlist schema`
    AllowlistSchema,
    /// `allowlist suggest`
    SuggestExemptions(SuggestSettings),
    /// `iam-policy`
    IamPolicy(Box<IamPolicySettings>),
}

impl Command {
    /// Whether every call is to be logged.
    #[must_use]
    pub fn is_verbose(&self) -> bool {
        matches!(self, Self::Audit(settings) if settings.verbose)
    }
}

/// The settings of `allowlist suggest`, validated.
#[derive(Debug, Clone)]
pub struct SuggestSettings {
    /// The audit JSON.
    pub audit: Input,
    /// Only the findings of this user.
    pub user: Option<String>,
    /// Only the finding with this id.
    pub id: Option<String>,
    /// The last day of the suggested exemptions.
    pub expires: Option<NaiveDate>,
    /// The day from which an exemption's reach is counted.
    pub today: NaiveDate,
}

/// The settings of `audit`, validated.
#[derive(Debug, Clone)]
pub struct AuditSettings {
    /// What is observed.
    pub source: Source,
    /// Where the exemptions come from.
    pub allowlist: AllowlistSetting,
    /// Wins over the allowlist's.
    pub stale_after_days: Option<u32>,
    /// What goes to standard output.
    pub stdout: Option<Format>,
    /// What goes to files.
    pub outputs: Vec<OutputFile>,
    /// The language of the Markdown report.
    pub language: Language,
    /// Which findings fail the run.
    pub fail_on: FailOn,
    /// The most rows of a table; 0 for all.
    pub max_rows: usize,
    /// A template of the user's own.
    pub template: Option<PathBuf>,
    /// Whether progress is left out.
    pub quiet: bool,
    /// Whether every call is logged.
    pub verbose: bool,
    /// The moment by which days are counted.
    pub now: DateTime<Utc>,
}

/// What an audit observes.
#[derive(Debug, Clone)]
pub enum Source {
    /// Exported reports.
    Exported {
        /// The files, one an account.
        reports: Vec<Input>,
        /// The date of reports that bear none.
        generated_at: Option<DateTime<Utc>>,
    },
    /// Accounts.
    Live(Box<LiveSettings>),
}

/// How accounts are observed, validated.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// The role that comes first.
    pub role_to_assume: Option<RoleArn>,
    /// The accounts to audit, each once; empty for the one of the credentials.
    pub accounts: Vec<AccountEntry>,
    /// The role's name in accounts that are given by their id.
    pub member_role_name: Option<RoleName>,
    /// What the members' roles ask for.
    pub external_id: Option<ExternalId>,
    /// The accounts that may be audited; empty for all.
    pub allowed_account_ids: Vec<AccountId>,
    /// The region.
    pub aws_region: Option<String>,
    /// For whom the OIDC token is asked.
    pub audience: Option<Audience>,
    /// What the sessions are called.
    pub role_session_name: RoleName,
    /// How long the first role's session lasts, in seconds.
    pub role_duration_seconds: u16,
    /// Whether candidates are looked at again.
    pub recheck: bool,
    /// Whose SSH keys are listed.
    pub ssh_keys: SshKeys,
    /// Whose tags are read.
    pub owners: Owners,
    /// The tags that name an owner.
    pub owner_tags: Vec<String>,
    /// Of whom Access Advisor is asked.
    pub last_accessed: LastAccessed,
    /// How long an account may take.
    pub timeout: Duration,
    /// Calls at a time in an account.
    pub concurrency: usize,
    /// Accounts at a time.
    pub account_concurrency: usize,
}

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl From<PathBuf> for Input {
    fn from(path: PathBuf) -> Self {
        if path.as_os_str() == "-" { Self::Stdin } else { Self::File(path) }
    }
}

impl std::fmt::Display for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Where the exemptions come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowlistSetting {
    /// The default file, which need not be there.
    Default,
    /// A file, which must be there.
    File(PathBuf),
    /// Explicitly none.
    None,
}

impl From<&str> for AllowlistSetting {
    fn from(text: &str) -> Self {
        if text == "none" { Self::None } else { Self::File(PathBuf::from(text)) }
    }
}

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A table for a terminal.
    Table,
    /// Markdown.
    Markdown,
    /// JSON, version 1.
    Json,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Table, Self::Markdown, Self::Json];

    /// The format's name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Markdown => "markdown",
            Self::Json => "json",
        }
    }
}

/// A file to write, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// The file.
    pub path: PathBuf,
    /// The form, by the file's ending.
    pub format: Format,
}

/// A path whose ending says nothing about the form of a report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the format is known by the file's ending: use .md, .json or .txt")]
pub struct UnknownEnding;

impl TryFrom<PathBuf> for OutputFile {
    type Error = UnknownEnding;

    fn try_from(path: PathBuf) -> Result<Self, Self::Error> {
        let ending = path.extension().and_then(|it| it.to_str()).map(str::to_ascii_lowercase);
        let format = match ending.as_deref() {
            Some("md" | "markdown") => Format::Markdown,
            Some("json") => Format::Json,
            Some("txt") => Format::Table,
            _ => return Err(UnknownEnding),
        };
        Ok(Self { path, format })
    }
}

/// Which findings fail the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOn {
    /// Every open finding of level error.
    Any,
    /// None.
    None,
}

/// Whose tags are read, so that a finding can name its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Owners {
    /// Those of the users that the sweep cannot clear.
    #[default]
    Candidates,
    /// Those of every user.
    All,
    /// Nobody's.
    None,
}

impl Owners {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Candidates, Self::All, Self::None];

    /// The name on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Candidates => "candidates",
            Self::All => "all",
            Self::None => "none",
        }
    }
}

/// Of whom the last service used is asked for (Access Advisor).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LastAccessed {
    /// The users that the sweep cannot clear.
    #[default]
    Candidates,
    /// Nobody.
    None,
}

impl LastAccessed {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Candidates, Self::None];

    /// The name on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Candidates => "candidates",
            Self::None => "none",
        }
    }
}

/// Whose SSH keys are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SshKeys {
    /// Those of the users that the sweep cannot clear, and of users who show no credential.
    #[default]
    Candidates,
    /// Those of every user: a call a user.
    All,
}

impl SshKeys {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Candidates, Self::All];

    /// The name on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Candidates => "candidates",
            Self::All => "all",
        }
    }
}

impl FromStr for SshKeys {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|choice| choice.id() == text).ok_or(UnknownChoice)
    }
}

/// A text that names no choice of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown choice")]
pub struct UnknownChoice;

impl FromStr for Owners {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|choice| choice.id() == text).ok_or(UnknownChoice)
    }
}

impl FromStr for LastAccessed {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|choice| choice.id() == text).ok_or(UnknownChoice)
    }
}
