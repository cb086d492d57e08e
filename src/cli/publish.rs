//! The flags of `publish`, which the action shares.

use super::Clock;
use super::audit::{LanguageArg, MaxEvidenceAgeArg};
use super::values::{Input, List, one_of};
use crate::cli::MAX_DAYS_RANGE;
use crate::model::identity::RepositoryName;
use crate::queue::destination::PublishMode;
use crate::queue::gate::FailOn;
use crate::queue::state::QueueName;
use crate::runner::inputs::list;

pub(super) const EXAMPLES: &str = "\
Examples:
  After a job matrix in which each job audited one account:
    iam-stocktake publish audits/*.json

  From your own machine:
    GITHUB_TOKEN=… GITHUB_REPOSITORY=acme/iam iam-stocktake publish audit.json --publish issue --dry-run

The token for the GitHub API is read from GITHUB_TOKEN.";

/// GitHub limits logins to 39 characters; names of apps can be longer.
const MAX_LOGIN_CHARS: usize = 100;

/// How findings are published, and which of them fail the job.
#[derive(Debug, Clone, clap::Args)]
pub struct PublishArgs {
    /// Where to publish findings: `auto` updates the queue issue on the default branch and comments
    /// on pull requests; `issue-per-user` adds an issue for each user
    #[arg(long, value_name = "auto|issue|issue-per-user|pull-request|none", default_value = "auto",
        value_parser = one_of(PublishMode::ALL, PublishMode::id), hide_possible_values = true)]
    pub publish: PublishMode,

    /// Open findings of level `error` that fail the job: a list of `new`, `overdue`, `uncovered` (only
    /// what the pull request itself brings back), and `any`, or `none`; `auto` is `new` for pull
    /// requests and merge queues, otherwise `none`
    #[arg(long, value_name = "LIST", default_value = "auto")]
    pub fail_on: FailOnList,

    /// Days after which an open finding in the queue is overdue
    #[arg(long, value_name = "DAYS", default_value = "30",
        value_parser = clap::value_parser!(u32).range(MAX_DAYS_RANGE))]
    pub due_within_days: u32,

    #[command(flatten)]
    pub max_evidence_age: MaxEvidenceAgeArg,

    /// Name of the remediation queue; a repository can have several queues
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub queue: QueueName,

    /// Repository of the queue issue [default: the repository of the workflow]
    #[arg(long, value_name = "OWNER/NAME")]
    pub queue_repository: Option<RepositoryName>,

    /// Another account whose queue issue and comments are trusted, for example `my-app[bot]` or
    /// `github-actions[bot]`: for workflows that use different tokens, or after a change of the
    /// token [default: only the account of the token]
    #[arg(long, value_name = "LOGIN", value_parser = login)]
    pub queue_author: Option<String>,

    /// Title of a new queue issue; an existing issue keeps its title [default: IAM credentials to
    /// remediate]
    #[arg(long, value_name = "TEXT", value_parser = title)]
    pub issue_title: Option<String>,

    /// Labels of new issues, in addition to `iam-stocktake`
    #[arg(long, value_name = "LIST", default_value = "", hide_default_value = true)]
    pub labels: List<String>,

    /// Assignees of new issues
    #[arg(long, value_name = "LIST", default_value = "", hide_default_value = true)]
    pub assignees: List<String>,

    /// Assign the issue of a user to the owner that the user's tags name
    #[arg(long)]
    pub assign_owners: bool,

    #[command(flatten)]
    pub public: AllowPublic,

    /// Print the changes to issues and comments without making them
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub language: LanguageArg,
}

/// Whether names can be shown in public.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct AllowPublic {
    /// Show the names of users and findings even if the repository is public, so that everyone can
    /// read them
    #[arg(long)]
    pub allow_public: bool,
}

/// The arguments of `publish`.
#[derive(Debug, Clone, clap::Args)]
pub struct PublishAuditsArgs {
    /// Audit JSON files of different accounts, or folders with such files; `-` is standard input
    #[arg(required = true, value_name = "AUDIT.json", value_parser = Input::parser())]
    pub audits: Vec<Input>,

    #[command(flatten)]
    pub publish: PublishArgs,

    /// Log each API call to standard error, with its outcome and duration
    #[arg(long, short)]
    pub verbose: bool,

    #[command(flatten)]
    pub clock: Clock,
}

/// The value of `fail-on`; `None` is `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailOnList(pub Option<FailOn>);

impl std::str::FromStr for FailOnList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words = list(text);
        let mut fail_on = FailOn::NONE;
        for word in &words {
            match word.as_str() {
                "new" => fail_on.new = true,
                "overdue" => fail_on.overdue = true,
                "uncovered" => fail_on.uncovered = true,
                "any" => fail_on.any = true,
                "auto" | "none" if words.len() == 1 => {}
                "auto" | "none" => return Err(format!("`{word}` must be the only value")),
                other => {
                    return Err(format!(
                        "`{other}` is not one of new, overdue, uncovered, any, none, auto"
                    ));
                }
            }
        }
        let is_auto = words.is_empty() || words == ["auto"];
        Ok(Self((!is_auto).then_some(fail_on)))
    }
}

fn title(text: &str) -> Result<String, &'static str> {
    let title = text.trim();
    let is_valid =
        !title.is_empty() && title.chars().count() <= 256 && !title.contains(char::is_control);
    if is_valid { Ok(title.to_owned()) } else { Err("a title is one line of 1 to 256 characters") }
}

/// The login of a user or, with the suffix `[bot]`, of an app.
fn login(text: &str) -> Result<String, &'static str> {
    let login = text.trim();
    let name = login.strip_suffix("[bot]").unwrap_or(login);
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=MAX_LOGIN_CHARS).contains(&name.len()) && name.bytes().all(is_allowed) {
        Ok(login.to_owned())
    } else {
        Err("a login has letters, digits, `-`, and `_`, and the suffix `[bot]` for an app")
    }
}
