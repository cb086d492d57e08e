//! The settings of `remediate`, validated.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::{AllowlistSetting, Format, Input, LiveSettings, OutputFile, UnknownChoice};
use crate::model::policy::remediation::Stage;
use crate::templates::Language;

/// The settings of `remediate`, validated.
#[derive(Debug, Clone)]
pub struct RemediateSettings {
    /// How accounts are observed.
    pub live: LiveSettings,
    /// Where the exemptions and the policy of the remedy come from.
    pub allowlist: AllowlistSetting,
    /// Wins over the allowlist's.
    pub stale_after_days: Option<u32>,
    /// Whose findings are meant; everybody's if `None`.
    pub audit: Option<Input>,
    /// The furthest stage; the policy's if `None`.
    pub stage: Option<Stage>,
    /// What is to be done.
    pub task: Task,
    /// The file that every step is written to.
    pub journal: PathBuf,
    /// The journals of other jobs, which are read alone.
    pub other_journals: Vec<PathBuf>,
    /// What goes to standard output.
    pub stdout: Option<Format>,
    /// What goes to files.
    pub outputs: Vec<OutputFile>,
    /// The language of the Markdown.
    pub language: Language,
    /// The most rows of a table; 0 for all.
    pub max_rows: usize,
    /// Whether progress is left out.
    pub quiet: bool,
    /// Whether every call is logged.
    pub verbose: bool,
    /// The moment by which days are counted.
    pub now: DateTime<Utc>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// A plan is made, and nothing else.
    Plan,
    /// A plan is carried out: a saved one, or one that is made now.
    Apply(Option<SavedPlanFile>),
    /// What a journal says was deactivated is activated again.
    Undo {
        /// The journal.
        journal: PathBuf,
        /// These users alone, in lower case; everybody if empty.
        users: BTreeSet<String>,
        /// Whether it is done, or only said.
        apply: bool,
    },
}

impl Task {
    /// Whether IAM is changed.
    #[must_use]
    pub const fn changes(&self) -> bool {
        matches!(self, Self::Apply(_) | Self::Undo { apply: true, .. })
    }
}

/// A saved plan, and which one it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedPlanFile {
    /// The file.
    pub file: Input,
    /// The digest of the plan that was approved, if it is known.
    pub digest: Option<String>,
}

/// Whether the action remedies instead of auditing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RemedyMode {
    /// It audits.
    #[default]
    None,
    /// It makes and shows a plan.
    Plan,
    /// It carries a plan out.
    Apply,
}

impl RemedyMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Plan, Self::Apply];

    /// The name on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Plan => "plan",
            Self::Apply => "apply",
        }
    }
}

impl FromStr for RemedyMode {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|choice| choice.id() == text).ok_or(UnknownChoice)
    }
}
