//! The flags of `allowlist`.

use std::path::PathBuf;

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
  iam-stocktake allowlist suggest audit.json --id 2eb8f13c01278b52 --expires 2026-12-31
  iam-stocktake allowlist suggest audit.json --user ci-deploy --write .github/iam-allowlist.yml \\
    --reason 'Legacy Jenkins agent (PLAT-123)' --owner @acme/platform";

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
    /// Print exemptions for the findings of an audit, or add them to the allowlist; `check` rejects
    /// them until they have a reason and an owner
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

    /// Reason of the exemptions
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,

    /// Owner of the exemptions
    #[arg(long, value_name = "OWNER")]
    pub owner: Option<String>,

    /// Add the exemptions to the end of the `exemptions` list in this allowlist; the rest of the file
    /// stays as it is
    #[arg(long, value_name = "FILE", requires_all = ["reason", "owner"])]
    pub write: Option<PathBuf>,

    #[command(flatten)]
    pub clock: Clock,
}
