//! The settings of `publish` and `action`, validated.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{AllowlistSetting, CommentOn, Input, LiveSettings, RemediateSettings};
use crate::model::identity::RepositoryName;
use crate::model::inventory::MaxEvidenceAge;
use crate::queue::destination::PublishMode;
use crate::queue::gate::FailOn;
use crate::queue::state::QueueName;
use crate::templates::Language;

/// How findings are published, validated.
#[derive(Debug, Clone)]
pub struct PublishSettings {
    /// Where they go.
    pub mode: PublishMode,
    /// Which of them fail the run; by the event if `None`.
    pub fail_on: Option<FailOn>,
    /// How long a finding may stand before it is overdue, in days.
    pub remedy_within_days: u32,
    /// How old evidence may be.
    pub max_evidence_age: MaxEvidenceAge,
    /// Whether the gate fails where there is no queue.
    pub require_queue: bool,
    /// The queue's name.
    pub queue: QueueName,
    /// The repository that holds the queue; the workflow's own if `None`.
    pub queue_repository: Option<RepositoryName>,
    /// Whose queue issue, issues and comments count like those of the token's own account.
    pub queue_author: Option<String>,
    /// The token for GitHub.
    pub token: Option<SecretString>,
    /// The title of the queue's issue when it is made.
    pub issue_title: Option<String>,
    /// Labels besides the fixed one.
    pub labels: Vec<String>,
    /// Who is assigned to issues that are made.
    pub assignees: Vec<String>,
    /// Whether owners are assigned to their users' issues.
    pub assign_owners: bool,
    /// On which pull requests a comment is made.
    pub comment_on: CommentOn,
    /// Whether names are named in public.
    pub publish_in_public: bool,
    /// Whether changes are printed and not made.
    pub dry_run: bool,
    /// The language of what people are shown.
    pub language: Language,
}

/// The settings of `publish`, validated.
#[derive(Debug, Clone)]
pub struct PublishAuditsSettings {
    /// The audit JSON files.
    pub audits: Vec<Input>,
    /// How they are published.
    pub publish: PublishSettings,
    /// Whether every call is logged.
    pub verbose: bool,
    /// The moment of the run.
    pub now: DateTime<Utc>,
}

/// The settings of `action`, validated.
#[derive(Debug, Clone)]
pub struct ActionSettings {
    /// How accounts are observed.
    pub live: LiveSettings,
    /// Where the exemptions come from.
    pub allowlist: AllowlistSetting,
    /// Wins over the allowlist's.
    pub stale_after_days: Option<u32>,
    /// Audit JSON to publish instead of auditing: files and folders.
    pub audits: Vec<Input>,
    /// How findings are published.
    pub publish: PublishSettings,
    /// Where the reports are written, below the workspace.
    pub report_dir: PathBuf,
    /// A template of the user's own for the Markdown report.
    pub template: Option<PathBuf>,
    /// The most rows of a table; 0 for all.
    pub max_rows: usize,
    /// The moment by which days are counted.
    pub now: DateTime<Utc>,
    /// What is remedied instead, if anything.
    pub remedy: Option<Box<RemediateSettings>>,
}
