//! The arguments of `publish` and `action`, and the inputs of the action, which are the same flags
//! by another way.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::error::{ContextKind, ContextValue};
use secrecy::SecretString;

use super::live::{LiveArgs, choice};
use super::remediate::{Beside, RemedyArgs};
use super::{Clock, help, language_parser, relative};
use crate::model::identity::RepositoryName;
use crate::model::policy::MAX_DAYS;
use crate::queue::destination::PublishMode;
use crate::queue::gate::FailOn;
use crate::queue::state::QueueName;
use crate::report::Language;
use crate::runner::checkout::as_relative;
use crate::runner::inputs::{boolean, list, read};
use crate::settings::{
    self, ActionSettings, AllowlistSetting, CommentOn, DEFAULT_MAX_ROWS, INPUTS, Input,
    PublishAuditsSettings, PublishSettings,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  Behind a matrix of jobs that each audited one account:
    iam-stocktake publish audits/*.json

  From a machine of your own:
    GITHUB_TOKEN=… GITHUB_REPOSITORY=acme/iam iam-stocktake publish audit.json --publish issue --dry-run";

/// More characters than a login may have.
const LONGEST_LOGIN: usize = 100;

/// How findings are published.
#[derive(clap::Args)]
struct PublishArgs {
    #[arg(long, value_parser = mode_parser(), default_value = settings::PUBLISH.default,
        value_name = settings::PUBLISH.value, help = settings::PUBLISH.description)]
    publish: PublishMode,

    #[arg(long, value_parser = fail_on,
        value_name = settings::ACTION_FAIL_ON.value, help = help(settings::ACTION_FAIL_ON))]
    fail_on: Option<FailOnWords>,

    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)),
        default_value = settings::REMEDY_WITHIN_DAYS.default,
        value_name = settings::REMEDY_WITHIN_DAYS.value,
        help = settings::REMEDY_WITHIN_DAYS.description)]
    remedy_within_days: u32,

    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)),
        value_name = settings::MAX_EVIDENCE_AGE.value, help = help(settings::MAX_EVIDENCE_AGE))]
    max_evidence_age: Option<u32>,

    #[arg(long, help = settings::REQUIRE_QUEUE.description)]
    require_queue: bool,

    #[arg(long, default_value = settings::QUEUE.default,
        value_name = settings::QUEUE.value, help = settings::QUEUE.description)]
    queue: QueueName,

    #[arg(long, value_name = settings::QUEUE_REPOSITORY.value,
        help = help(settings::QUEUE_REPOSITORY))]
    queue_repository: Option<RepositoryName>,

    #[arg(long, value_parser = login, value_name = settings::QUEUE_AUTHOR.value,
        help = help(settings::QUEUE_AUTHOR))]
    queue_author: Option<String>,

    #[arg(long, env = "GITHUB_TOKEN", hide_env_values = true, value_parser = secret,
        value_name = settings::GITHUB_TOKEN.value, help = settings::GITHUB_TOKEN.description)]
    github_token: Option<SecretString>,

    #[arg(long, value_parser = title,
        value_name = settings::ISSUE_TITLE.value, help = help(settings::ISSUE_TITLE))]
    issue_title: Option<String>,

    #[arg(long, value_name = settings::LABELS.value, help = settings::LABELS.description)]
    labels: Vec<String>,

    #[arg(long, value_name = settings::ASSIGNEES.value, help = settings::ASSIGNEES.description)]
    assignees: Vec<String>,

    #[arg(long, help = settings::ASSIGN_OWNERS.description)]
    assign_owners: bool,

    #[arg(long, value_parser = choice::<CommentOn, _>(CommentOn::ALL.map(CommentOn::id)),
        default_value = settings::COMMENT_ON.default,
        value_name = settings::COMMENT_ON.value, help = settings::COMMENT_ON.description)]
    comment_on: CommentOn,

    #[arg(long, help = settings::PUBLISH_IN_PUBLIC.description)]
    publish_in_public: bool,

    #[arg(long, help = settings::DRY_RUN.description)]
    dry_run: bool,

    #[arg(long, value_parser = language_parser(), default_value = settings::LANGUAGE.default,
        value_name = settings::LANGUAGE.value, help = settings::LANGUAGE.description)]
    language: Language,
}

/// The arguments of `publish`.
#[derive(clap::Args)]
pub(super) struct PublishAuditsArgs {
    /// The audit JSON files, of different accounts, or folders that hold them; `-` is standard input
    #[arg(required = true, value_name = "AUDIT.json")]
    audits: Vec<PathBuf>,

    #[command(flatten)]
    publish: PublishArgs,

    #[arg(long, short, help = settings::VERBOSE.description)]
    verbose: bool,

    #[command(flatten)]
    clock: Clock,
}

/// The arguments of `action`.
#[derive(clap::Args)]
pub(super) struct ActionArgs {
    #[command(flatten)]
    live: LiveArgs,

    #[arg(long, value_name = settings::REQUIRED_ALLOWLIST.value,
        help = help(settings::REQUIRED_ALLOWLIST))]
    allowlist: Option<String>,

    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)),
        value_name = settings::STALE_AFTER_DAYS.value, help = help(settings::STALE_AFTER_DAYS))]
    stale_after_days: Option<u32>,

    #[arg(long, value_name = settings::AUDITS.value, help = settings::AUDITS.description)]
    audits: Vec<String>,

    #[command(flatten)]
    publish: PublishArgs,

    #[arg(long, value_parser = relative, default_value = settings::REPORT_DIR.default,
        value_name = settings::REPORT_DIR.value, help = settings::REPORT_DIR.description)]
    report_dir: PathBuf,

    #[arg(long, default_value_t = DEFAULT_MAX_ROWS,
        value_name = settings::MAX_ROWS.value, help = settings::MAX_ROWS.description)]
    max_rows: usize,

    #[arg(long, value_name = settings::TEMPLATE.value, help = settings::TEMPLATE.description)]
    template: Option<PathBuf>,

    #[command(flatten)]
    remedy: RemedyArgs,

    #[command(flatten)]
    clock: Clock,
}

/// `None` is `auto`.
#[derive(Clone, Copy)]
struct FailOnWords(Option<FailOn>);

fn fail_on(text: &str) -> Result<FailOnWords, String> {
    let words = list(text);
    let mut wanted = FailOn::NONE;
    for word in &words {
        match word.as_str() {
            "new" => wanted.new = true,
            "overdue" => wanted.overdue = true,
            "any" => wanted.any = true,
            "auto" | "none" if words.len() == 1 => {}
            "auto" | "none" => return Err(format!("`{word}` stands alone")),
            other => {
                return Err(format!("`{other}` is none of new, overdue, any, none and auto"));
            }
        }
    }
    let auto = words.is_empty() || words == ["auto"];
    Ok(FailOnWords((!auto).then_some(wanted)))
}

fn mode_parser() -> impl clap::builder::TypedValueParser<Value = PublishMode> {
    PossibleValuesParser::new(PublishMode::ALL.map(PublishMode::id))
        .map(|name| name.parse().unwrap_or_default())
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a value parser")]
fn secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(SecretString::from(text))
}

fn title(text: &str) -> Result<String, &'static str> {
    let title = text.trim();
    let fits =
        !title.is_empty() && title.chars().count() <= 256 && !title.contains(char::is_control);
    if fits { Ok(title.to_owned()) } else { Err("a title is one line of 1 to 256 characters") }
}

/// The login of a user or, with `[bot]` at the end, of an app.
fn login(text: &str) -> Result<String, &'static str> {
    let login = text.trim();
    let name = login.strip_suffix("[bot]").unwrap_or(login);
    let in_login = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=LONGEST_LOGIN).contains(&name.len()) && name.bytes().all(in_login) {
        Ok(login.to_owned())
    } else {
        Err("one login: letters, digits, `-` and `_`, and for an app `[bot]` at the end")
    }
}

impl PublishArgs {
    fn settings(self) -> PublishSettings {
        let items = |lists: Vec<String>| lists.iter().flat_map(|text| list(text)).collect();
        PublishSettings {
            mode: self.publish,
            fail_on: self.fail_on.and_then(|FailOnWords(wanted)| wanted),
            remedy_within_days: self.remedy_within_days,
            max_evidence_age: self.max_evidence_age.into(),
            require_queue: self.require_queue,
            queue: self.queue,
            queue_repository: self.queue_repository,
            queue_author: self.queue_author,
            token: self.github_token,
            issue_title: self.issue_title,
            labels: items(self.labels),
            assignees: items(self.assignees),
            assign_owners: self.assign_owners,
            comment_on: self.comment_on,
            publish_in_public: self.publish_in_public,
            dry_run: self.dry_run,
            language: self.language,
        }
    }
}

impl PublishAuditsArgs {
    pub(super) fn settings(self, now: DateTime<Utc>) -> PublishAuditsSettings {
        PublishAuditsSettings {
            audits: self.audits.into_iter().map(Into::into).collect(),
            publish: self.publish.settings(),
            verbose: self.verbose,
            now: self.clock.now.unwrap_or(now),
        }
    }
}

impl ActionArgs {
    pub(super) fn settings(self, now: DateTime<Utc>) -> Result<ActionSettings, String> {
        let live = self.live.settings()?;
        let allowlist =
            match self.allowlist.map_or(AllowlistSetting::Default, |it| it.as_str().into()) {
                AllowlistSetting::File(path) => AllowlistSetting::File(as_relative(path)),
                other => other,
            };
        let words = self.audits.iter().flat_map(|text| list(text));
        let audits: Vec<Input> =
            words.map(|path| as_relative(PathBuf::from(path)).into()).collect();
        let remedy = self.remedy.settings(Beside {
            live: live.clone(),
            allowlist: allowlist.clone(),
            stale_after_days: self.stale_after_days,
            audits: audits.clone(),
            language: self.publish.language,
            max_rows: self.max_rows,
            dry_run: self.publish.dry_run,
            clock: (self.clock.now, now),
        })?;
        Ok(ActionSettings {
            live,
            allowlist,
            stale_after_days: self.stale_after_days,
            audits,
            publish: self.publish.settings(),
            report_dir: self.report_dir,
            template: self.template.map(as_relative),
            max_rows: self.max_rows,
            now: self.clock.now.unwrap_or(now),
            remedy: remedy.map(Box::new),
        })
    }
}

/// The inputs that the runner handed over.
#[derive(Default)]
pub(super) struct Inputs(BTreeMap<&'static str, String>);

/// The inputs of the command `action`; other commands have none.
pub(super) fn inputs(arguments: &[OsString]) -> Result<Inputs, String> {
    if arguments.get(1).is_none_or(|command| command != "action") {
        return Ok(Inputs::default());
    }
    let declared = INPUTS.map(|setting| setting.name);
    read(&declared).map(Inputs).map_err(|error| error.to_string())
}

impl Inputs {
    /// The arguments, and behind them as flags the inputs that no argument gives.
    pub(super) fn as_arguments(&self, mut arguments: Vec<OsString>) -> Vec<OsString> {
        let texts: Vec<String> =
            arguments.iter().map(|it| it.to_string_lossy().into_owned()).collect();
        for (name, value) in &self.0 {
            let flag = format!("--{name}");
            let is_given = |text: &String| {
                text.strip_prefix(&flag)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
            };
            if texts.iter().any(is_given) {
                continue;
            }
            let takes_value = INPUTS.iter().any(|it| it.name == *name && !it.value.is_empty());
            match boolean(value) {
                _ if takes_value => arguments.push(format!("{flag}={value}").into()),
                Ok(true) => arguments.push(flag.into()),
                Ok(false) => {}
                // Refused as a value that the flag does not take.
                Err(_) => arguments.push(format!("{flag}={value}").into()),
            }
        }
        arguments
    }

    /// The text with inputs in place of the flags that they came as.
    pub(super) fn name_inputs(&self, text: String) -> String {
        self.0.keys().fold(text, |text, name| {
            text.replace(&format!("'--{name}'"), &format!("the input `{name}`"))
        })
    }

    /// What is wrong with an input, where that is why the arguments were refused.
    pub(super) fn why_refused(&self, error: &clap::Error) -> Option<String> {
        let ContextValue::String(argument) = error.get(ContextKind::InvalidArg)? else {
            return None;
        };
        let name = argument.trim_start_matches('-').split([' ', '=']).next()?;
        let (name, value) = self.0.get_key_value(name)?;
        let reason = match (error.get(ContextKind::ValidValue), std::error::Error::source(error)) {
            (Some(ContextValue::Strings(words)), _) => format!("it takes {}", words.join(", ")),
            (_, Some(source)) => source.to_string(),
            _ => "it takes true or false".to_owned(),
        };
        // A token is never repeated.
        let value = if *name == settings::GITHUB_TOKEN.name { "…" } else { value };
        Some(format!("the input `{name}` is `{value}`: {reason}"))
    }
}
