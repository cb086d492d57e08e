//! The command line: flags and arguments → validated settings.

mod iam_policy;
mod live;
mod publish;
mod remediate;

use std::ffi::OsString;
use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::allowlist::parse_day;
use crate::model::policy::MAX_DAYS;
use crate::runner::checkout::{as_relative, below_workspace};
use crate::settings::{
    self, AllowlistSetting, AuditSettings, Command, DEFAULT_MAX_ROWS, FailOn, Format, OutputFile,
    Source, SuggestSettings,
};
use crate::templates::Language;

const EXIT_CODES: &str = "\
Exit codes:
  0  done, the gate holds
  1  the gate fails: there are open findings (--fail-on)
  2  usage, settings or the allowlist are wrong
  3  incomplete: evidence, or the queue's memory, could not be had or read
  4  a result could not be written, a plan not be carried out, or the program itself failed
When several hold, the highest wins.";

const AUDIT_EXAMPLES: &str = "\
Examples:
  Export a report and audit it:
    aws iam generate-credential-report
    aws iam get-credential-report --output json > report.json
    iam-stocktake audit --credential-report report.json

  Several accounts, the Markdown report and the JSON for later:
    iam-stocktake audit --credential-report reports/*.csv \\
      --output report.md --output audit.json

  Straight from the AWS CLI, by the stricter rule of IAM.22 and CIS:
    aws iam get-credential-report --output json | iam-stocktake audit --credential-report - --stale-after-days 45";

const CHECK_EXAMPLES: &str = "\
Examples:
  iam-stocktake allowlist check .github/iam-allowlist.yml";

const SUGGEST_EXAMPLES: &str = "\
Examples:
  iam-stocktake audit --credential-report report.json --output audit.json
  iam-stocktake allowlist suggest audit.json --user ci-deploy
  iam-stocktake allowlist suggest audit.json --id 2eb8f13c01278b52 --expires 2026-12-31";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  iam-stocktake completions bash > ~/.local/share/bash-completion/completions/iam-stocktake";

/// Takes stock of the IAM users of AWS accounts: finds the passwords and access keys that nobody
/// uses, weighs them against a committed allowlist, and says what to remove, why, and how.
#[derive(Parser)]
#[command(name = "iam-stocktake", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Arguments,
}

#[derive(Subcommand)]
enum Arguments {
    /// Judge IAM users and report what is stale
    #[command(after_help = AUDIT_EXAMPLES, after_long_help = AUDIT_EXAMPLES)]
    Audit(Box<AuditArgs>),
    /// Check the allowlist, print its schema, or suggest an exemption
    #[command(subcommand)]
    Allowlist(AllowlistArguments),
    /// Print the least IAM policy for the chosen features, and who may assume the role
    #[command(after_help = iam_policy::EXAMPLES, after_long_help = iam_policy::EXAMPLES)]
    IamPolicy(Box<iam_policy::IamPolicyArgs>),
    /// Publish the audits of earlier jobs: the queue in the issue tracker, or the pull request's comment
    #[command(after_help = publish::EXAMPLES, after_long_help = publish::EXAMPLES)]
    Publish(Box<publish::PublishAuditsArgs>),
    /// Plan the staged remedy of what is stale, carry the plan out, or undo it
    #[command(after_help = remediate::EXAMPLES, after_long_help = remediate::EXAMPLES)]
    Remediate(Box<remediate::RemediateArgs>),
    /// What the GitHub action runs: audit and publish, by the event and the inputs of the job
    Action(Box<publish::ActionArgs>),
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(clap::Args)]
struct AuditArgs {
    #[arg(long, num_args = 1.., conflicts_with_all = ["AccessArgs", "LookArgs"],
        value_name = "FILE", help = settings::CREDENTIAL_REPORT.description)]
    credential_report: Vec<PathBuf>,

    #[arg(long, value_parser = moment,
        value_name = settings::REPORT_GENERATED_AT.value,
        help = settings::REPORT_GENERATED_AT.description)]
    report_generated_at: Option<DateTime<Utc>>,

    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)),
        value_name = settings::MAX_EVIDENCE_AGE.value, help = help(settings::MAX_EVIDENCE_AGE))]
    max_evidence_age: Option<u32>,

    #[command(flatten)]
    live: live::LiveArgs,

    #[arg(long, value_name = settings::ALLOWLIST.value, help = help(settings::ALLOWLIST))]
    allowlist: Option<String>,

    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)),
        value_name = settings::STALE_AFTER_DAYS.value, help = help(settings::STALE_AFTER_DAYS))]
    stale_after_days: Option<u32>,

    #[arg(long, value_parser = format_parser(),
        value_name = settings::FORMAT.value, help = help(settings::FORMAT))]
    format: Option<Format>,

    #[arg(long, value_parser = output_file,
        value_name = settings::OUTPUT.value, help = settings::OUTPUT.description)]
    output: Vec<OutputFile>,

    #[arg(long, value_parser = language_parser(), default_value = settings::LANGUAGE.default,
        value_name = settings::LANGUAGE.value, help = settings::LANGUAGE.description)]
    language: Language,

    #[arg(long, value_parser = fail_on_parser(), default_value = settings::FAIL_ON.default,
        value_name = settings::FAIL_ON.value, help = settings::FAIL_ON.description)]
    fail_on: FailOn,

    #[arg(long, default_value_t = DEFAULT_MAX_ROWS,
        value_name = settings::MAX_ROWS.value, help = settings::MAX_ROWS.description)]
    max_rows: usize,

    #[arg(long, value_name = settings::TEMPLATE.value, help = settings::TEMPLATE.description)]
    template: Option<PathBuf>,

    #[arg(long, short, help = settings::QUIET.description)]
    quiet: bool,

    #[arg(long, short, help = settings::VERBOSE.description)]
    verbose: bool,

    #[command(flatten)]
    clock: Clock,
}

#[derive(clap::Args)]
struct Clock {
    #[arg(long, value_parser = moment,
        value_name = settings::NOW.value, help = help(settings::NOW))]
    now: Option<DateTime<Utc>>,
}

#[derive(Subcommand)]
enum AllowlistArguments {
    /// Check allowlist files: all problems at once, with their places
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        /// The files; `-` is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        clock: Clock,
    },
    /// Print the JSON Schema of the file, for editors
    Schema,
    /// Print the exemptions to paste for the findings of an audit; `check` refuses them until
    /// reason and owner are filled in
    #[command(after_help = SUGGEST_EXAMPLES)]
    Suggest {
        /// The audit JSON; `-` is standard input
        #[arg(value_name = "AUDIT.json")]
        audit: PathBuf,
        /// Only the findings of this user
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Only the finding with this id
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// The last day of the exemptions [default: in 90 days]
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
        expires: Option<NaiveDate>,
        #[command(flatten)]
        clock: Clock,
    },
}

/// The description, with the default where clap cannot know it.
fn help(setting: settings::Setting) -> String {
    format!("{} [default: {}]", setting.description, setting.default)
}

fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|moment| moment.to_utc())
        .map_err(|error| format!("{error}; write it like 2026-06-30T12:00:00Z"))
}

fn day(text: &str) -> Result<NaiveDate, &'static str> {
    parse_day(text).ok_or("write it like 2026-06-30")
}

fn output_file(text: &str) -> Result<OutputFile, settings::UnknownEnding> {
    OutputFile::try_from(PathBuf::from(text))
}

fn format_parser() -> impl clap::builder::TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::id)).map(|name| {
        Format::ALL.into_iter().find(|format| format.id() == name).unwrap_or(Format::Table)
    })
}

fn language_parser() -> impl clap::builder::TypedValueParser<Value = Language> {
    PossibleValuesParser::new(Language::ALL.map(Language::id))
        .map(|name| name.parse().unwrap_or_default())
}

fn fail_on_parser() -> impl clap::builder::TypedValueParser<Value = FailOn> {
    PossibleValuesParser::new(["any", "none"])
        .map(|name| if name == "none" { FailOn::None } else { FailOn::Any })
}

impl AuditArgs {
    fn settings(self, now: DateTime<Utc>) -> Result<AuditSettings, String> {
        let reports: Vec<_> = self.credential_report.into_iter().map(Into::into).collect();
        if reports.is_empty() && self.report_generated_at.is_some() {
            return Err(
                "'--report-generated-at' needs '--credential-report': a live report bears its \
                        own date"
                    .to_owned(),
            );
        }
        let source = if reports.is_empty() {
            Source::Live(Box::new(self.live.settings()?))
        } else {
            Source::Exported { reports, generated_at: self.report_generated_at }
        };
        Ok(AuditSettings {
            source,
            allowlist: self
                .allowlist
                .map_or(AllowlistSetting::Default, |text| text.as_str().into()),
            stale_after_days: self.stale_after_days,
            max_evidence_age: self.max_evidence_age.into(),
            // Who asks for files alone wants no table as well.
            stdout: self.format.or(self.output.is_empty().then_some(Format::Table)),
            outputs: self.output,
            language: self.language,
            fail_on: self.fail_on,
            max_rows: self.max_rows,
            template: self.template,
            quiet: self.quiet,
            verbose: self.verbose,
            now: self.clock.now.unwrap_or(now),
        })
    }
}

/// A file or folder below the workspace, absolute or relative.
fn relative(text: &str) -> Result<PathBuf, &'static str> {
    let path = as_relative(PathBuf::from(text));
    let below = below_workspace(&path);
    let stays =
        below.as_deref().unwrap_or(&path).components().all(|part| {
            matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir)
        });
    if stays { Ok(path) } else { Err("name one below the workspace, without `..`") }
}

/// What the arguments come to.
pub enum Parsed {
    /// A command to run.
    Command(Command),
    /// A text that was asked for: help, the version, a completion script.
    Text(String),
    /// The arguments are wrong; the text says how.
    Refused(String),
}

/// Parses the arguments. `now` is the clock's, and holds unless `--now` is given. Help and refusals
/// are coloured where `color_stdout` and `color_stderr` say so.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    now: DateTime<Utc>,
    color_stdout: bool,
    color_stderr: bool,
) -> Parsed {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let given = match publish::inputs(&arguments) {
        Ok(given) => given,
        Err(why) => return refused("action", why, color_stderr),
    };
    let all = given.as_arguments(arguments);
    let command = match Cli::try_parse_from(&all) {
        Ok(cli) => cli.command,
        Err(mut answer) => {
            name_only_given(&mut answer, &all);
            if let Some(why) = given.why_refused(&answer) {
                return refused("action", why, color_stderr);
            }
            let text = |color| match (color, answer.render()) {
                (true, text) => text.ansi().to_string(),
                (false, text) => text.to_string(),
            };
            return if answer.use_stderr() {
                Parsed::Refused(text(color_stderr))
            } else {
                Parsed::Text(text(color_stdout))
            };
        }
    };
    match command {
        Arguments::Audit(arguments) => match arguments.settings(now) {
            Ok(settings) => Parsed::Command(Command::Audit(Box::new(settings))),
            Err(why) => refused("audit", why, color_stderr),
        },
        Arguments::Allowlist(arguments) => Parsed::Command(arguments.command(now)),
        Arguments::IamPolicy(arguments) => {
            Parsed::Command(Command::IamPolicy(Box::new(arguments.settings(now))))
        }
        Arguments::Publish(arguments) => {
            Parsed::Command(Command::Publish(Box::new(arguments.settings(now))))
        }
        Arguments::Remediate(arguments) => match arguments.settings(now) {
            Ok(settings) => Parsed::Command(Command::Remediate(Box::new(settings))),
            Err(why) => refused("remediate", why, color_stderr),
        },
        Arguments::Action(arguments) => match arguments.settings(now) {
            Ok(settings) => Parsed::Command(Command::Action(Box::new(settings))),
            Err(why) => refused("action", given.name_inputs(why), color_stderr),
        },
        Arguments::Completions { shell } => Parsed::Text(completions(shell)),
    }
}

/// The completion script for a shell.
fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "iam-stocktake", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    // The bash script spells a name with a hyphen in two ways, so that it completes nothing after a
    // subcommand: https://github.com/clap-rs/clap/issues/6421
    script.replace("iam__subcmd__stocktake", "iam__stocktake")
}

/// Leaves, of the arguments that a conflict is said to be with, those that were given: clap names all
/// of a group.
fn name_only_given(error: &mut clap::Error, arguments: &[OsString]) {
    let Some(ContextValue::Strings(named)) = error.get(ContextKind::PriorArg) else { return };
    let given: Vec<String> = named.iter().filter(|it| is_given(it, arguments)).cloned().collect();
    let value = match given.as_slice() {
        [] => return,
        [only] => ContextValue::String(only.clone()),
        _ => ContextValue::Strings(given),
    };
    error.insert(ContextKind::PriorArg, value);
}

/// Whether a flag, written as in `--accounts <ACCOUNTS>`, is among the arguments.
fn is_given(usage: &str, arguments: &[OsString]) -> bool {
    let flag = usage.split([' ', '=']).next().unwrap_or_default();
    arguments.iter().filter_map(|it| it.to_str()).any(|argument| {
        argument.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

/// A refusal that only several arguments together give rise to.
fn refused(command: &str, why: String, color: bool) -> Parsed {
    let mut cli = Cli::command();
    cli.build();
    let error = match cli.find_subcommand_mut(command) {
        Some(command) => command.error(ErrorKind::ValueValidation, why),
        None => cli.error(ErrorKind::ValueValidation, why),
    };
    let text = error.render();
    Parsed::Refused(if color { text.ansi().to_string() } else { text.to_string() })
}

impl AllowlistArguments {
    fn command(self, now: DateTime<Utc>) -> Command {
        let today = |clock: &Clock| clock.now.unwrap_or(now).date_naive();
        match self {
            Self::Check { files, clock } => Command::CheckAllowlists {
                files: files.into_iter().map(Into::into).collect(),
                today: today(&clock),
            },
            Self::Schema => Command::AllowlistSchema,
            Self::Suggest { audit, user, id, expires, clock } => {
                let today = today(&clock);
                let audit = audit.into();
                Command::SuggestExemptions(SuggestSettings { audit, user, id, expires, today })
            }
        }
    }
}
