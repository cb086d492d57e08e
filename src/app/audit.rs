//! `iam-stocktake audit`: observe, judge, report.

use std::io;
use std::path::{Path, PathBuf};

use super::{Exit, Streams, files};
use crate::allowlist::{self, Allowlist};
use crate::inventory::Account;
use crate::judge::{AllowlistOrigin, Audit, Finding, Outcome, judge};
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
    // All inputs are read before anything stops, so that one run tells all that is wrong.
    let allowlist = read_allowlist(settings, streams);
    let accounts = observe(settings, streams);
    let template = read_template(settings.template.as_deref(), streams);
    let ((allowlist, origin), accounts, template) = (allowlist?, accounts?, template?);
    let policy = Policy::new(&allowlist.policy, settings.stale_after_days);
    let audit = judge(&accounts, &allowlist, origin, &policy, settings.now);
    drop(accounts);
    let writer = Writer { audit: &audit, settings, template };
    let written = writer.write(streams)?;
    Ok(written.max(exit_of(&audit, settings.fail_on)))
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

/// Reads every report, so that all broken ones are told of.
fn observe(settings: &AuditSettings, streams: &mut Streams<'_>) -> Result<Vec<Account>, Exit> {
    let mut accounts: Vec<(Account, &Input)> = Vec::new();
    let mut failed = false;
    for input in &settings.credential_reports {
        match observe_one(input, settings, streams) {
            Err((message, hint)) => {
                failed = true;
                streams.error(&format!("{}: {}", visible(&input.to_string()), visible(&message)));
                streams.hint(&hint);
            }
            Ok(account) => {
                if let Some((_, first)) = accounts.iter().find(|(other, _)| other.id == account.id)
                {
                    failed = true;
                    let message = format!("{input}: account {} was already in {first}", account.id);
                    streams.error(&visible(&message));
                    streams.hint("give one report an account");
                } else {
                    accounts.push((account, input));
                }
            }
        }
    }
    if failed {
        return Err(Exit::Usage);
    }
    Ok(accounts.into_iter().map(|(account, _)| account).collect())
}

/// The account of one report, or what is wrong with the file and what to do.
fn observe_one(
    input: &Input,
    settings: &AuditSettings,
    streams: &mut Streams<'_>,
) -> Result<Account, (String, String)> {
    let export_hint = "export it with: aws iam generate-credential-report; \
                       aws iam get-credential-report > report.json";
    let bytes = files::read(input, streams.stdin)
        .map_err(|error| (format!("cannot be read: {error}"), "check the path".to_owned()))?;
    let export =
        export::recognise(bytes).map_err(|error| (error.to_string(), export_hint.to_owned()))?;
    let generated_at = export.generated_at.or(settings.report_generated_at);
    if generated_at.is_some_and(|at| at > settings.now) {
        let message = "the report was generated after the moment of the audit".to_owned();
        return Err((message, "check --report-generated-at, --now and the clock".to_owned()));
    }
    credential_report::parse(&export.csv, generated_at)
        .map_err(|error| (error.to_string(), error.hint().to_owned()))
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
    streams.error(&format!("{} cannot be written: {error}", visible(name)));
    Exit::WriteFailed
}
