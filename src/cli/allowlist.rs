//! The flags of `allowlist`.

use chrono::NaiveDate;
use clap::Subcommand;

use super::Clock;
use super::values::{Input, day};

const CHECK_EXAMPLES: &str = "\
Examples:
  iam-stocktake allowlist check .github/iam-allowlist.yml";

const SUGGEST_EXAMPLES: &str = "\
Examples:
  iam-stocktake audit --credential-report report.json --output audit.json
  iam-stocktake allowlist suggest audit.json --user ci-deploy
  iam-stocktake allowlist suggest audit.json --id 2eb8f13c01278b52 --expires 2026-12-31";

/// The commands of `allowlist`.
#[derive(Debug, Clone, Subcommand)]
pub enum AllowlistCommand {
    /// Check allowlist files, and show all problems with line and column
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        /// Files to check; `-` is standard input
        #[arg(required = true, value_name = "FILE", value_parser = Input::parser())]
        files: Vec<Input>,
        #[command(flatten)]
        clock: Clock,
    },
    /// Print the JSON Schema of the allowlist, for editors
    Schema,
    /// Print exemptions for the findings of an audit, to paste into the allowlist; `check` rejects
    /// them until the reason and the owner are filled in
    #[command(after_help = SUGGEST_EXAMPLES)]
    Suggest(SuggestArgs),
}

/// The arguments of `allowlist suggest`.
#[derive(Debug, Clone, clap::Args)]
pub struct SuggestArgs {
    /// Audit JSON; `-` is standard input
    #[arg(value_name = "AUDIT.json", value_parser = Input::parser())]
    pub audit: Input,

    /// Suggest exemptions only for the findings of this user
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// Suggest an exemption only for the finding with this ID
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,

    /// Expiry date of the exemptions [default: in 90 days]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub expires: Option<NaiveDate>,

    #[command(flatten)]
    pub clock: Clock,
}
