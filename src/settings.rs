//! The settings of the program: the table of all of them, and the validated values.

mod iam_policy;
mod publish;
mod remediate;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

pub use iam_policy::{DEFAULT_ROLE_NAME, IamPolicySettings, PolicyFormat};
pub use publish::{ActionSettings, PublishAuditsSettings, PublishSettings};
pub use remediate::{RemediateSettings, RemedyMode, SavedPlanFile, Task};
pub use table::*;

pub use crate::model::choices::{
    CommentOn, LastAccessedLookup, OwnerLookup, SshKeyLookup, UnknownChoice,
};
use crate::model::identity::{AccountEntry, Audience, ExternalId, RoleArn, RoleName};
use crate::model::inventory::{AccountId, MaxEvidenceAge};
pub use crate::permissions::RemediationRole;
use crate::templates::Language;

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
    /// `publish`
    Publish(Box<PublishAuditsSettings>),
    /// `remediate`
    Remediate(Box<RemediateSettings>),
    /// `action`
    Action(Box<ActionSettings>),
}

impl Command {
    /// Whether every call is to be logged.
    #[must_use]
    pub fn is_verbose(&self) -> bool {
        match self {
            Self::Audit(settings) => settings.verbose,
            Self::Publish(settings) => settings.verbose,
            Self::Remediate(settings) => settings.verbose,
            _ => false,
        }
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
    /// How old evidence may be.
    pub max_evidence_age: MaxEvidenceAge,
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
    pub ssh_keys: SshKeyLookup,
    /// Whose tags are read.
    pub owners: OwnerLookup,
    /// The tags that name an owner.
    pub owner_tags: Vec<String>,
    /// Of whom Access Advisor is asked.
    pub last_accessed: LastAccessedLookup,
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
