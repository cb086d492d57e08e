//! `iam-stocktake audit`: observe, judge, report.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;

use super::{Exit, Streams, files};
use crate::allowlist::{self, Allowlist};
use crate::inventory::AccountId;
use crate::judge::{AllowlistOrigin, Audit, Finding, Judge, Outcome};
use crate::observe::{credential_report, export};
use crate::policy::Policy;
use crate::report::{self, MarkdownOptions, TableOptions, UserTemplate, visible};
use crate::settings::{AllowlistSetting, AuditSettings, FailOn, Format, Input};

/// Runs the command.
pub(super) fn audit(settings: &AuditSettings, streams: &mut Streams<'_>) -> Exit {
    match run(settings, streams) {
        Ok(exit) | Err(exit) => exit,
    }
}

/// An `Err` has been told to the user.
fn run(settings: &AuditSettings, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
    check_outputs(settings, streams)?;
    // All inputs are read before anything stops, so that one run tells all that is wrong.
    let read = read_allowlist(settings, streams);
    let template = read_template(settings.template.as_deref(), streams);
    let none = Allowlist::default();
    let allowlist = read.as_ref().map_or(&none, |(allowlist, _)| allowlist);
    let policy = Policy::new(&allowlist.policy, settings.stale_after_days);
    let heard = hear(settings, allowlist, &policy, streams);
    let (Ok((_, origin)), judge, template) = (&read, heard?, template?) else {
        return Err(Exit::Usage);
    };
    let audit = judge.verdict(origin.clone());
    let writer = Writer { audit: &audit, settings, template };
    let written = writer.write(streams)?;
    Ok(written.max(exit_of(&audit, settings.fail_on)))
}

/// Refuses outputs that would undo each other, and a template that nothing would use.
fn check_outputs(settings: &AuditSettings, streams: &mut Streams<'_>) -> Result<(), Exit> {
    let mut seen = BTreeSet::new();
    for output in &settings.outputs {
        let path = std::path::absolute(&output.path).unwrap_or_else(|_| output.path.clone());
        if !seen.insert(path) {
            let name = output.path.display().to_string();
            streams.error(&format!("--output {}: the file is named twice", visible(&name)));
            return Err(Exit::Usage);
        }
    }
    let mut formats = settings.outputs.iter().map(|output| output.format).chain(settings.stdout);
    if settings.template.is_some() && !formats.any(|format| format == Format::Markdown) {
        streams.error("--template is for the Markdown report, and none was asked for");
        streams.hint("add --format markdown, or --output FILE.md");
        return Err(Exit::Usage);
    }
    Ok(())
}

fn exit_of(audit: &Audit, fail_on: FailOn) -> Exit {
    let incomplete = audit.outcome() == Outcome::Incomplete;
    let fails = fail_on == FailOn::Any && audit.findings.iter().any(Finding::counts_for_gate);
    match (incomplete, fails) {
        (true, _) => Exit::Incomplete,
        (false, true) => Exit::GateFailed,
        (false, false) => Exit::Done,
    }
}

fn read_allowlist(
    settings: &AuditSettings,
    streams: &mut Streams<'_>,
) -> Result<(Allowlist, AllowlistOrigin), Exit> {
    let default = PathBuf::from(allowlist::DEFAULT_PATH);
    let (path, required) = match &settings.allowlist {
        AllowlistSetting::None => return Ok((Allowlist::default(), AllowlistOrigin::None)),
        AllowlistSetting::Default => (&default, false),
        AllowlistSetting::File(path) => (path, true),
    };
    let name = path.display().to_string();
    match super::allowlist::read(&Input::File(path.clone()), settings.now.date_naive(), streams) {
        Ok(read) => Ok((read.allowlist, AllowlistOrigin::File(name))),
        Err(super::allowlist::Unread::Missing) if !required => {
            streams.say(&format!("note: there is no allowlist at {name}: nothing is exempted"));
            Ok((Allowlist::default(), AllowlistOrigin::Missing(name)))
        }
        Err(unread) => {
            unread.tell(
                &name,
                "name another file, or `--allowlist none` for no exemptions",
                streams,
            );
            Err(Exit::Usage)
        }
    }
}

/// What is wrong with a report's file, and what to do about it.
struct Refused {
    message: String,
    hint: String,
}

impl Refused {
    fn new(message: impl Into<String>, hint: &str) -> Self {
        Self { message: message.into(), hint: hint.to_owned() }
    }
}

/// Reads and judges every report, side by side on all processors, and tells of all that are broken.
fn hear<'a>(
    settings: &AuditSettings,
    allowlist: &'a Allowlist,
    policy: &'a Policy,
    streams: &mut Streams<'_>,
) -> Result<Judge<'a>, Exit> {
    let inputs = &settings.credential_reports;
    let piped = inputs.contains(&Input::Stdin).then(|| files::read(&Input::Stdin, streams.stdin));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut judge = Judge::new(allowlist, policy, settings.now);
        let mut outcomes = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(input) = inputs.get(index) else { break };
            let outcome = hear_one(input, piped.as_ref(), settings, &mut judge);
            outcomes.push((index, outcome));
        }
        (judge, outcomes)
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(inputs.len());
    let (judge, mut outcomes) = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let (mut judge, mut outcomes) = work();
        for helper in helpers {
            match helper.join() {
                Ok((other, more)) => {
                    judge.join(other);
                    outcomes.extend(more);
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        (judge, outcomes)
    });
    outcomes.sort_by_key(|(index, _)| *index);
    tell_refused(inputs, outcomes, streams).map(|()| judge)
}

/// Tells of the reports that were refused, and of accounts that were given twice.
fn tell_refused(
    inputs: &[Input],
    outcomes: Vec<(usize, Result<AccountId, Refused>)>,
    streams: &mut Streams<'_>,
) -> Result<(), Exit> {
    let mut seen: BTreeMap<AccountId, &Input> = BTreeMap::new();
    let mut all_good = true;
    for (input, (_, outcome)) in inputs.iter().zip(outcomes) {
        let outcome = outcome.and_then(|account| match seen.insert(account, input) {
            None => Ok(()),
            Some(first) => {
                let message = format!("account {account} was already in {first}");
                Err(Refused::new(message, "give one report an account"))
            }
        });
        if let Err(refused) = outcome {
            all_good = false;
            streams.error(&visible(&format!("{input}: {}", refused.message)));
            streams.hint(&refused.hint);
        }
    }
    if all_good { Ok(()) } else { Err(Exit::Usage) }
}

/// How far IAM's clock may be ahead of ours.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// Judges the account of one report. `piped` is what standard input held.
fn hear_one(
    input: &Input,
    piped: Option<&io::Result<Vec<u8>>>,
    settings: &AuditSettings,
    judge: &mut Judge<'_>,
) -> Result<AccountId, Refused> {
    let unreadable =
        |error: &io::Error| Refused::new(format!("cannot be read: {error}"), "check the path");
    let bytes = match (input, piped) {
        (Input::File(path), _) => std::fs::read(path).map_err(|error| unreadable(&error))?,
        (Input::Stdin, Some(Ok(bytes))) => bytes.clone(),
        (Input::Stdin, Some(Err(error))) => return Err(unreadable(error)),
        (Input::Stdin, None) => Vec::new(),
    };
    let export = export::recognise(bytes).map_err(|error| {
        let hint = "export it with: aws iam generate-credential-report; \
                    aws iam get-credential-report > report.json";
        Refused::new(error.to_string(), hint)
    })?;
    let generated_at = match (export.generated_at, settings.report_generated_at) {
        (Some(own), Some(given)) if own != given => {
            let message = format!("the file says itself when it was generated: {own}");
            return Err(Refused::new(message, "leave out --report-generated-at"));
        }
        (own, given) => own.or(given),
    };
    if generated_at.is_some_and(|at| at - settings.now > CLOCK_SKEW) {
        let message = "the report was generated after the moment of the audit";
        return Err(Refused::new(message, "check --report-generated-at, --now and the clock"));
    }
    let account = credential_report::parse(&export.csv, generated_at)
        .map_err(|error| Refused::new(error.to_string(), error.hint()))?;
    judge.hear(&account);
    Ok(account.id)
}

fn read_template(
    path: Option<&Path>,
    streams: &mut Streams<'_>,
) -> Result<Option<UserTemplate>, Exit> {
    let Some(path) = path else { return Ok(None) };
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(UserTemplate { name, text })),
        Err(error) => {
            streams.error(&format!("{}: the template cannot be read: {error}", visible(&name)));
            Err(Exit::Usage)
        }
    }
}

/// Writes the audit in its forms.
struct Writer<'a> {
    audit: &'a Audit,
    settings: &'a AuditSettings,
    template: Option<UserTemplate>,
}

impl Writer<'_> {
    /// Everything is rendered, then every file is written beside its place, then all are put in
    /// place: what fails on the way leaves nothing behind.
    fn write(&self, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
        let mut staged = Vec::new();
        let mut failed = None;
        for output in &self.settings.outputs {
            let name = output.path.display().to_string();
            let text = self.render(output.format, None, streams)?;
            match files::stage(&output.path, text.as_bytes()) {
                Ok(file) => staged.push((name, output.format, file)),
                Err(error) => failed = Some(unwritten(&name, &error, streams)),
            }
        }
        let stdout = match self.settings.stdout {
            Some(format) => Some(self.render(format, Some(streams.stdout_style), streams)?),
            None => None,
        };
        if let Some(exit) = failed {
            return Err(exit);
        }
        let mut exit = Exit::Done;
        for (name, format, file) in staged {
            match file.publish() {
                Ok(()) => streams.say(&format!("wrote {} ({})", visible(&name), format.id())),
                Err(error) => exit = exit.max(unwritten(&name, &error, streams)),
            }
        }
        Ok(stdout.map_or(exit, |text| exit.max(streams.print(&text))))
    }

    /// `style` is a terminal's; files have none.
    fn render(
        &self,
        format: Format,
        style: Option<super::Style>,
        streams: &mut Streams<'_>,
    ) -> Result<String, Exit> {
        let settings = self.settings;
        match format {
            Format::Json => Ok(report::json::json(self.audit)),
            Format::Table => {
                let style = style.unwrap_or_default();
                let max_rows = settings.max_rows;
                let options = TableOptions { color: style.color, width: style.width, max_rows };
                Ok(report::table(self.audit, options))
            }
            Format::Markdown => {
                let options = MarkdownOptions {
                    language: settings.language,
                    max_rows: settings.max_rows,
                    template: self.template.clone(),
                };
                report::markdown(self.audit, &options).map_err(|error| {
                    streams.error(&visible(&error.to_string()));
                    streams.hint("docs/template.md describes what a template can use");
                    Exit::Usage
                })
            }
        }
    }
}

fn unwritten(name: &str, error: &io::Error, streams: &mut Streams<'_>) -> Exit {
    // The error itself may name the file beside the target that was being written.
    let reason = error.kind();
    streams.error(&format!("{} cannot be written: {reason}", visible(name)));
    Exit::WriteFailed
}
