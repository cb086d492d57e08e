//! The arguments of `remediate`, and those of `action` that ask for a remedy.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use super::live::{AccessArgs, choice};
use super::{Clock, format_parser, help, language_parser, output_file, relative};
use crate::model::policy::MAX_DAYS;
use crate::model::policy::remediation::Stage;
use crate::runner::checkout::as_relative;
use crate::runner::inputs::list;
use crate::settings::{
    self, AllowlistSetting, DEFAULT_MAX_ROWS, Format, Input, LiveSettings, OutputFile,
    RemediateSettings, RemedyMode, SavedPlanFile, Task,
};
use crate::templates::Language;

pub(super) const EXAMPLES: &str = "\
Examples:
  See what is due, and save it:
    iam-stocktake remediate --output plan.json --output plan.md

  Carry out just that, each step in the journal:
    iam-stocktake remediate --apply --plan plan.json

  Take back what was deactivated:
    iam-stocktake remediate --undo iam-stocktake-journal.jsonl --user ci-deploy --apply";

/// The arguments of `remediate`.
#[derive(clap::Args)]
pub(super) struct RemediateArgs {
    #[arg(long, value_parser = stage_parser(), conflicts_with = "plan",
        value_name = settings::STAGE.value, help = help(settings::STAGE))]
    stage: Option<Stage>,

    #[arg(long, help = settings::APPLY.description)]
    apply: bool,

    #[arg(long,
        value_name = settings::PLAN.value, help = help(settings::PLAN))]
    plan: Option<PathBuf>,

    #[arg(long, value_parser = digest,
        value_name = settings::PLAN_DIGEST.value, help = settings::PLAN_DIGEST.description)]
    plan_digest: Option<String>,

    #[arg(long, default_value = settings::JOURNAL.default,
        value_name = settings::JOURNAL.value, help = settings::JOURNAL.description)]
    journal: PathBuf,

    #[arg(long, value_name = settings::OTHER_JOURNALS.value,
        help = settings::OTHER_JOURNALS.description)]
    other_journals: Vec<String>,

    #[arg(long, conflicts_with_all = ["plan", "stage", "audit", "output", "format", "journal"],
        value_name = settings::UNDO.value, help = settings::UNDO.description)]
    undo: Option<PathBuf>,

    #[arg(long,
        value_name = settings::UNDO_USER.value, help = settings::UNDO_USER.description)]
    user: Vec<String>,

    #[arg(long, conflicts_with = "plan",
        value_name = settings::AUDIT.value, help = help(settings::AUDIT))]
    audit: Option<PathBuf>,

    #[command(flatten)]
    access: AccessArgs,

    #[arg(long, value_name = settings::REQUIRED_ALLOWLIST.value,
        help = help(settings::REQUIRED_ALLOWLIST))]
    allowlist: Option<String>,

    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)),
        value_name = settings::STALE_AFTER_DAYS.value, help = help(settings::STALE_AFTER_DAYS))]
    stale_after_days: Option<u32>,

    #[arg(long, value_parser = format_parser(),
        value_name = settings::FORMAT.value, help = help(settings::FORMAT))]
    format: Option<Format>,

    #[arg(long, value_parser = output_file,
        value_name = settings::REMEDY_OUTPUT.value, help = settings::REMEDY_OUTPUT.description)]
    output: Vec<OutputFile>,

    #[arg(long, value_parser = language_parser(), default_value = settings::LANGUAGE.default,
        value_name = settings::LANGUAGE.value, help = settings::LANGUAGE.description)]
    language: Language,

    #[arg(long, default_value_t = DEFAULT_MAX_ROWS,
        value_name = settings::MAX_ROWS.value, help = settings::MAX_ROWS.description)]
    max_rows: usize,

    #[arg(long, short, help = settings::QUIET.description)]
    quiet: bool,

    #[arg(long, short, help = settings::VERBOSE.description)]
    verbose: bool,

    #[command(flatten)]
    clock: Clock,
}

/// The arguments of `action` that ask for a remedy.
#[derive(clap::Args)]
pub(super) struct RemedyArgs {
    #[arg(long, value_parser = choice::<RemedyMode, _>(RemedyMode::ALL.map(RemedyMode::id)),
        default_value = settings::REMEDIATE.default,
        value_name = settings::REMEDIATE.value, help = settings::REMEDIATE.description)]
    remediate: RemedyMode,

    #[arg(long, value_parser = stage_parser(),
        value_name = settings::STAGE.value, help = help(settings::STAGE))]
    stage: Option<Stage>,

    #[arg(long, value_name = settings::PLAN.value, help = help(settings::PLAN))]
    plan: Option<PathBuf>,

    #[arg(long, value_parser = digest,
        value_name = settings::PLAN_DIGEST.value, help = settings::PLAN_DIGEST.description)]
    plan_digest: Option<String>,

    #[arg(long, value_parser = relative, default_value = settings::JOURNAL.default,
        value_name = settings::JOURNAL.value, help = settings::JOURNAL.description)]
    journal: PathBuf,

    #[arg(long, value_name = settings::OTHER_JOURNALS.value,
        help = settings::OTHER_JOURNALS.description)]
    other_journals: Vec<String>,
}

/// What the arguments of `action` say besides how to remedy.
pub(super) struct Beside {
    pub(super) live: LiveSettings,
    pub(super) allowlist: AllowlistSetting,
    pub(super) stale_after_days: Option<u32>,
    pub(super) audits: Vec<Input>,
    pub(super) language: Language,
    pub(super) max_rows: usize,
    pub(super) dry_run: bool,
    pub(super) clock: (Option<DateTime<Utc>>, DateTime<Utc>),
}

fn stage_parser() -> impl clap::builder::TypedValueParser<Value = Stage> {
    PossibleValuesParser::new(Stage::ALL.map(Stage::id)).try_map(|name| name.parse::<Stage>())
}

/// SHA-256 in hex digits.
fn digest(text: &str) -> Result<String, &'static str> {
    let is_digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest { Ok(text.to_ascii_lowercase()) } else { Err("a digest has 64 hex digits") }
}

/// What is wrong with a moment of one's own where something is to be changed, if anything is.
fn refuse_other_moments(now: Option<DateTime<Utc>>, task: &Task) -> Result<(), String> {
    if now.is_some() && task.changes() && !is_local() {
        return Err("'--now' with '--apply' is for tests: it is refused unless AWS_ENDPOINT_URL \
                    names this machine"
            .to_owned());
    }
    Ok(())
}

/// Whether all that is asked of AWS stays on this machine. What the environment names wins over the
/// profile.
#[expect(clippy::disallowed_methods, reason = "the environment is read at the edge")]
fn is_local() -> bool {
    let named = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
    let is_loopback = |url: &String| {
        let uri: Option<http::Uri> = url.parse().ok();
        let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let all = named("AWS_ENDPOINT_URL");
    let endpoint = |service| named(service).or_else(|| all.clone());
    // The SDK takes `TRUE` as well.
    named("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_none_or(|it| it.eq_ignore_ascii_case("false"))
        && ["AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_STS"]
            .into_iter()
            .all(|service| endpoint(service).as_ref().is_some_and(is_loopback))
}

fn allowlist(setting: Option<String>) -> AllowlistSetting {
    setting.map_or(AllowlistSetting::Default, |text| text.as_str().into())
}

fn other_journals(lists: &[String]) -> Vec<PathBuf> {
    lists.iter().flat_map(|text| list(text)).map(PathBuf::from).collect()
}

/// In a job nothing beyond the workspace is read.
fn other_journals_below(lists: &[String]) -> Result<Vec<PathBuf>, String> {
    let below = |text: String| {
        relative(&text).map_err(|why| format!("'other-journals' has {text:?}: {why}"))
    };
    lists.iter().flat_map(|text| list(text)).map(below).collect()
}

impl RemediateArgs {
    /// Refuses flags that mean something only together with another.
    fn check_together(&self) -> Result<(), String> {
        let refused = [
            (self.plan.is_some() && !self.apply, "'--plan' needs '--apply', which carries it out"),
            (
                self.plan_digest.is_some() && self.plan.is_none(),
                "'--plan-digest' needs '--plan', the file whose digest it is",
            ),
            (
                !self.user.is_empty() && self.undo.is_none(),
                "'--user' needs '--undo': it says whose changes are undone",
            ),
        ];
        let first = refused.into_iter().find(|(is_refused, _)| *is_refused);
        first.map_or(Ok(()), |(_, why)| Err(why.to_owned()))
    }

    pub(super) fn settings(self, now: DateTime<Utc>) -> Result<RemediateSettings, String> {
        self.check_together()?;
        let saved =
            self.plan.map(|path| SavedPlanFile { file: path.into(), digest: self.plan_digest });
        let users = self.user.iter().map(|user| user.to_ascii_lowercase()).collect();
        let task = match (self.undo, self.apply) {
            (Some(journal), apply) => Task::Undo { journal, users, apply },
            (None, true) => Task::Apply(saved),
            (None, false) => Task::Plan,
        };
        refuse_other_moments(self.clock.now, &task)?;
        Ok(RemediateSettings {
            live: self.access.settings()?,
            allowlist: allowlist(self.allowlist),
            stale_after_days: self.stale_after_days,
            audit: self.audit.map(Into::into),
            stage: self.stage,
            task,
            journal: self.journal,
            other_journals: other_journals(&self.other_journals),
            stdout: self.format.or(self.output.is_empty().then_some(Format::Table)),
            outputs: self.output,
            language: self.language,
            max_rows: self.max_rows,
            quiet: self.quiet,
            verbose: self.verbose,
            now: self.clock.now.unwrap_or(now),
        })
    }
}

impl RemedyArgs {
    /// The settings of the remedy, if one is asked for.
    pub(super) fn settings(self, beside: Beside) -> Result<Option<RemediateSettings>, String> {
        let saved = match (self.plan, self.plan_digest) {
            (None, None) => None,
            // An expression that comes to nothing must not take the approval out.
            (Some(_), None) => {
                return Err("'plan' goes with 'plan-digest': the plan that was approved".to_owned());
            }
            (None, Some(_)) => return Err("'plan-digest' goes with 'plan'".to_owned()),
            (Some(path), digest) => Some(SavedPlanFile { file: as_relative(path).into(), digest }),
        };
        let task = match (self.remediate, saved) {
            (RemedyMode::None, None) => return Ok(None),
            (RemedyMode::None | RemedyMode::Plan, Some(_)) => {
                return Err("'plan' is for 'remediate: apply'".to_owned());
            }
            (RemedyMode::Apply, _) if beside.dry_run => {
                return Err("'dry-run' is for the issue tracker: 'remediate: plan' shows what \
                            'apply' would do"
                    .to_owned());
            }
            (RemedyMode::Plan, None) => Task::Plan,
            (RemedyMode::Apply, Some(_)) if self.stage.is_some() => {
                return Err("'stage' is the plan's own, where 'plan' names one".to_owned());
            }
            (RemedyMode::Apply, saved) => Task::Apply(saved),
        };
        let (given, clock) = beside.clock;
        refuse_other_moments(given, &task)?;
        let mut audits = beside.audits.into_iter();
        let audit = audits.next();
        if audits.next().is_some() {
            return Err("'audits' names one file where 'remediate' is asked for".to_owned());
        }
        Ok(Some(RemediateSettings {
            live: beside.live,
            allowlist: beside.allowlist,
            stale_after_days: beside.stale_after_days,
            audit,
            stage: self.stage,
            task,
            journal: self.journal,
            other_journals: other_journals_below(&self.other_journals)?,
            stdout: Some(Format::Table),
            outputs: Vec::new(),
            language: beside.language,
            max_rows: beside.max_rows,
            quiet: true,
            verbose: false,
            now: given.unwrap_or(clock),
        }))
    }
}
