//! The flags of `audit`.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::ValueEnum;

use super::live::{AccessArgs, RecheckArgs};
use super::values::{AllowlistSetting, Format, Input, OutputFile, one_of, time};
use super::{Clock, MAX_DAYS_RANGE};
use crate::templates::Language;

pub(super) const EXAMPLES: &str = "\
Examples:
  Export a credential report and audit it:
    aws iam generate-credential-report
    aws iam get-credential-report --output json > report.json
    iam-stocktake audit --credential-report report.json

  Audit several accounts, and write the Markdown report and the JSON:
    iam-stocktake audit --credential-report reports/*.csv \\
      --output report.md --output audit.json

  Read the report from the AWS CLI, with the threshold of IAM.22 and CIS:
    aws iam get-credential-report --output json | iam-stocktake audit --credential-report - --stale-after-days 45";

/// The arguments of `audit`.
#[derive(Debug, Clone, clap::Args)]
pub struct AuditArgs {
    /// Exported credential reports to audit, one file for each account: CSV, Base64, or the output
    /// of `aws iam get-credential-report`; `-` is standard input
    #[arg(long, value_name = "FILE", num_args = 1.., value_parser = Input::parser(),
        conflicts_with_all = ["AccessArgs", "RecheckArgs"])]
    pub credential_report: Vec<Input>,

    /// Time when IAM generated the credential reports, for files that do not contain it
    #[arg(long, value_name = "RFC3339", value_parser = time, requires = "credential_report")]
    pub report_generated_at: Option<DateTime<Utc>>,

    #[command(flatten)]
    pub max_evidence_age: MaxEvidenceAgeArg,

    #[command(flatten)]
    pub access: AccessArgs,

    #[command(flatten)]
    pub recheck: RecheckArgs,

    #[command(flatten)]
    pub allowlist: OptionalAllowlist,

    #[command(flatten)]
    pub stale: StaleAfterDays,

    /// Format of the report on standard output [default: table, or nothing when --output is given]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,

    /// Write the report to this file as well, in the format of its extension, such as `.md`; can
    /// be repeated
    #[arg(long, value_name = "FILE")]
    pub output: Vec<OutputFile<Format>>,

    #[command(flatten)]
    pub language: LanguageArg,

    /// Open findings that cause exit code 1: `any` finding of level `error`, or `none`
    #[arg(long, value_name = "any|none", default_value_t = AuditFailOn::Any, value_enum,
        hide_possible_values = true)]
    pub fail_on: AuditFailOn,

    /// Your own template for the Markdown report (docs/template.md)
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,

    #[command(flatten)]
    pub verbosity: Verbosity,

    #[command(flatten)]
    pub clock: Clock,
}

/// Which open findings make `audit` fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuditFailOn {
    /// Every open finding of level error.
    Any,
    /// None.
    None,
}

/// How old evidence can be.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct MaxEvidenceAgeArg {
    /// Maximum age of the evidence in days; evidence that is older, or of unknown age, is incomplete
    /// [default: 1 for live evidence, 7 for exported reports]
    #[arg(long, value_name = "DAYS",
        value_parser = clap::value_parser!(u32).range(MAX_DAYS_RANGE))]
    pub max_evidence_age: Option<u32>,
}

/// An allowlist that is optional at its default path.
#[derive(Debug, Clone, clap::Args)]
pub struct OptionalAllowlist {
    /// Allowlist file with the exemptions and the policy, or `none` [default:
    /// .github/iam-allowlist.yml, if it exists]
    #[arg(long, value_name = "FILE|none", default_value = "", hide_default_value = true)]
    pub allowlist: AllowlistSetting,
}

/// An allowlist that is required.
#[derive(Debug, Clone, clap::Args)]
pub struct RequiredAllowlist {
    /// Allowlist file with the exemptions and the policy; it must exist. `none` is for no allowlist
    /// [default: .github/iam-allowlist.yml]
    #[arg(long, value_name = "FILE|none", default_value = "", hide_default_value = true)]
    pub allowlist: AllowlistSetting,
}

/// When a credential is stale.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct StaleAfterDays {
    /// Days without use after which a credential is stale [default: the value in the allowlist, or
    /// 90]
    #[arg(long, value_name = "DAYS",
        value_parser = clap::value_parser!(u32).range(MAX_DAYS_RANGE))]
    pub stale_after_days: Option<u32>,
}

/// The language of what people read.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct LanguageArg {
    /// Language of reports, issues, and comments
    #[arg(long, value_name = "LANGUAGE", value_parser = one_of(Language::ALL, Language::id),
        default_value = Language::default().id())]
    pub language: Language,
}

/// What is written to standard error.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Verbosity {
    /// Do not show progress
    #[arg(long, short)]
    pub quiet: bool,

    /// Log each API call to standard error, with its outcome and duration
    #[arg(long, short)]
    pub verbose: bool,
}
