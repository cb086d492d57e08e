//! The commands of the GitHub action. Each flag is an input.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::Clock;
use super::audit::{RequiredAllowlist, StaleAfterDays};
use super::live::{AccessArgs, RecheckArgs};
use super::publish::{AllowPublic, PublishArgs};
use super::remediate::RemediationArgs;
use super::values::{Input, List, workspace_path};

/// What the action does.
#[derive(Debug, Clone, Subcommand)]
pub enum ActionCommand {
    /// Audit the accounts, publish the findings, and evaluate the gate
    Check(Box<CheckArgs>),
    /// Publish the audits of earlier jobs and evaluate the gate
    Publish(Box<ActionPublishArgs>),
    /// Plan, apply, or undo the remediation of stale credentials, on the default branch of a private
    /// repository
    Remediate(Box<ActionRemediateArgs>),
}

/// The inputs of `command: check`.
#[derive(Debug, Clone, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub access: AccessArgs,

    #[command(flatten)]
    pub recheck: RecheckArgs,

    #[command(flatten)]
    pub allowlist: RequiredAllowlist,

    #[command(flatten)]
    pub stale: StaleAfterDays,

    #[command(flatten)]
    pub publish: PublishArgs,

    #[command(flatten)]
    pub report: ReportDir,

    /// Your own template for the Markdown report (docs/template.md)
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,

    #[command(flatten)]
    pub clock: Clock,
}

/// The inputs of `command: publish`.
#[derive(Debug, Clone, clap::Args)]
pub struct ActionPublishArgs {
    /// Audit JSON of earlier jobs: files, or folders with such files, separated by commas or
    /// newlines
    #[arg(long, value_name = "FILES", required = true)]
    pub audits: List<Input>,

    #[command(flatten)]
    pub publish: PublishArgs,

    #[command(flatten)]
    pub clock: Clock,
}

/// The inputs of `command: remediate`.
#[derive(Debug, Clone, clap::Args)]
pub struct ActionRemediateArgs {
    /// Create a remediation plan (`plan`), apply one (`apply`), show what an undo would reactivate
    /// (`plan-undo`), or reactivate it (`undo`)
    #[arg(long, value_name = "plan|apply|plan-undo|undo", default_value_t = RemediationTask::Plan,
        value_enum, hide_possible_values = true)]
    pub task: RemediationTask,

    /// Remediate, or reactivate, only these users, one name a line; an undo needs it [default: all
    /// users]
    #[arg(long, value_name = "NAMES", conflicts_with_all = ["plan", "audit"])]
    pub user: Option<String>,

    #[command(flatten)]
    pub remediation: RemediationArgs,

    #[command(flatten)]
    pub report: ReportDir,

    #[command(flatten)]
    pub public: AllowPublic,

    #[command(flatten)]
    pub clock: Clock,
}

/// What `command: remediate` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RemediationTask {
    /// Create a plan.
    Plan,
    /// Apply a plan.
    Apply,
    /// Show what an undo would do.
    PlanUndo,
    /// Reactivate what earlier runs deactivated.
    Undo,
}

/// The folder of the reports.
#[derive(Debug, Clone, clap::Args)]
pub struct ReportDir {
    /// Folder in the workspace for the reports and the remediation plan
    #[arg(long, value_name = "FOLDER", value_parser = workspace_path,
        default_value = "iam-stocktake-report")]
    pub report_dir: PathBuf,
}
