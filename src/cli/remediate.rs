//! The flags of `remediate`, which the action shares.

use std::path::PathBuf;

use super::Clock;
use super::audit::{LanguageArg, RequiredAllowlist, StaleAfterDays, Verbosity};
use super::live::AccessArgs;
use super::values::{Input, List, OutputFile, PlanFormat, digest, one_of};
use crate::model::policy::remediation::Stage;

pub(super) const EXAMPLES: &str = "\
Examples:
  Create a plan and save it:
    iam-stocktake remediate --output plan.json --output plan.md

  Apply exactly this plan; the journal records each step:
    iam-stocktake remediate --apply --plan plan.json

  Apply what is due for one user:
    iam-stocktake remediate --user ci-deploy --apply

  Show what can be reactivated, then reactivate one user's credentials:
    iam-stocktake remediate --undo
    iam-stocktake remediate --undo --user ci-deploy --apply";

/// What is remediated, and how far.
#[derive(Debug, Clone, clap::Args)]
pub struct RemediationArgs {
    /// Last stage to plan and apply [default: the last stage that `remediation` in the allowlist
    /// allows]
    #[arg(long, value_name = "notify|deactivate|delete", value_parser = one_of(Stage::ALL, Stage::id),
        conflicts_with = "plan", hide_possible_values = true)]
    pub stage: Option<Stage>,

    /// Saved plan to apply; a plan that was edited or is outdated is refused [default: create a plan
    /// and apply it]
    #[arg(long, value_name = "PLAN.json", value_parser = Input::parser())]
    pub plan: Option<Input>,

    /// Digest of the approved plan; any other plan is refused
    #[arg(long, value_name = "HEX", value_parser = digest)]
    pub plan_digest: Option<String>,

    /// Journal file, in which each change is recorded before and after it is made; the next run reads
    /// it
    #[arg(long, value_name = "FILE", default_value = "iam-stocktake-journal.jsonl")]
    pub journal: PathBuf,

    /// Journals of other jobs that remediate the same accounts, separated by commas or newlines: they
    /// are only read, and a missing file counts as empty
    #[arg(long, value_name = "FILES", default_value = "", hide_default_value = true)]
    pub other_journals: List<PathBuf>,

    /// Remediate only the users with findings in this audit JSON; the users are audited again
    /// [default: all users]
    #[arg(long, value_name = "AUDIT.json", value_parser = Input::parser(), conflicts_with = "plan")]
    pub audit: Option<Input>,

    #[command(flatten)]
    pub access: AccessArgs,

    #[command(flatten)]
    pub allowlist: RequiredAllowlist,

    #[command(flatten)]
    pub stale: StaleAfterDays,

    #[command(flatten)]
    pub language: LanguageArg,
}

/// The arguments of `remediate`.
#[derive(Debug, Clone, clap::Args)]
pub struct RemediateArgs {
    /// Apply the plan; without this flag nothing is changed
    #[arg(long)]
    pub apply: bool,

    /// Reactivate what earlier runs deactivated, according to the remediation tags of the users and
    /// the journal, if it exists; without --apply, only show it
    #[arg(long, conflicts_with_all = ["plan", "stage", "audit", "output", "format"])]
    pub undo: bool,

    /// Remediate, or with --undo reactivate, only this user; can be repeated [default: all users]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["plan", "audit"])]
    pub user: Vec<String>,

    #[command(flatten)]
    pub remediation: RemediationArgs,

    /// Format of the plan on standard output [default: table, or nothing when --output is given]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<PlanFormat>,

    /// Write the plan to this file as well, in the format of its extension: .json to apply it, .md or
    /// .txt to read it; can be repeated
    #[arg(long, value_name = "FILE")]
    pub output: Vec<OutputFile<PlanFormat>>,

    #[command(flatten)]
    pub verbosity: Verbosity,

    #[command(flatten)]
    pub clock: Clock,
}
