//! `iam-stocktake audit`: observe, audit, report.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::allowlist::{LoadedAllowlist, MissingAllowlist, load_allowlist};
use super::error::{CommandError, CommandResult, Failure};
use super::job::JobReport;
use super::{Exit, MAX_ROWS, Streams, Style, age, exported, files, live};
use crate::audit::{Audit, AuditOutcome, Auditor, Finding};
use crate::cause::reason;
use crate::cli::{AuditArgs, AuditFailOn, Format, Input};
use crate::files::FileKind;
use crate::model::inventory::Account;
use crate::model::policy::Policy;
use crate::report::{self, MarkdownOptions, TableOptions};
use crate::runner;
use crate::templates::{Language, TemplateError, UserTemplate};

/// Runs the command.
pub(super) fn audit(
    settings: &AuditArgs,
    now: DateTime<Utc>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> CommandResult {
    let now = settings.clock.now.unwrap_or(now);
    check_outputs(settings)?;
    warn_about_unused_settings(settings, streams);
    // All inputs are read before an error ends the run, so that one run reports all errors.
    let mut errors = Vec::new();
    let (allowlist, today) = (&settings.allowlist.allowlist, now.date_naive());
    let chosen = load_allowlist(allowlist, MissingAllowlist::Continue, today, streams);
    let chosen = chosen.unwrap_or_else(|error| {
        errors.push(error);
        LoadedAllowlist::default()
    });
    let template = read_template(settings.template.as_deref(), streams);
    let template = template.unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    let policy = Policy::new(&chosen.allowlist.policy, settings.stale.stale_after_days);
    let max_age = settings.max_evidence_age.max_evidence_age.into();
    let auditor = match settings.credential_report.as_slice() {
        [] => {
            // AWS is not called before the settings are known to be valid.
            Failure::check(errors)?;
            let accounts = observe(settings, now, &policy, streams)?;
            let mut auditor =
                Auditor::new(&chosen.allowlist, &policy, now).with_max_evidence_age(max_age);
            accounts.iter().for_each(|account| auditor.add_account(account));
            auditor
        }
        reports => {
            let generated_at = settings.report_generated_at;
            let reports = exported::ExportedReports { reports, generated_at, now, max_age };
            let audited = exported::audit_reports(&reports, &chosen.allowlist, &policy, streams);
            let (auditor, rejected) = audited;
            errors.extend(rejected);
            Failure::check(errors)?;
            auditor
        }
    };
    let audit = auditor.finish(chosen.origin.clone());
    chosen.reject_audited_former_accounts(audit.accounts.iter().map(|it| it.id))?;
    streams.report(age::audit_errors(&audit));
    AuditWriter { audit: &audit, settings, template }.write(streams)?;
    job_report.outcomes.extend(outcomes(&audit));
    Ok(exit_of(&audit, settings.fail_on))
}

/// Observes the live accounts.
fn observe(
    settings: &AuditArgs,
    now: DateTime<Utc>,
    policy: &Policy,
    streams: &mut Streams<'_>,
) -> Result<Vec<Account<'static>>, live::ObserveError> {
    let live_context = live::LiveContext {
        now,
        quiet: settings.verbosity.quiet || settings.verbosity.verbose,
        known_users: BTreeSet::new(),
    };
    let live = live::LiveSettings::audit(&settings.access, settings.recheck);
    live::observe(&live, live_context, policy, streams)
}

/// The format of the report on standard output.
fn stdout_format(args: &AuditArgs) -> Option<Format> {
    args.format.or(args.output.is_empty().then_some(Format::Table))
}

/// Rejects outputs to the same file, and a template without a Markdown report.
fn check_outputs(settings: &AuditArgs) -> Result<(), CommandError> {
    let mut seen = BTreeSet::new();
    for output in &settings.output {
        let path = std::path::absolute(&output.path).unwrap_or_else(|_| output.path.clone());
        if !seen.insert(path) {
            let name = output.path.display();
            let message = format!("--output {name}: the file is listed twice");
            return Err(CommandError::usage(message));
        }
    }
    let mut formats =
        settings.output.iter().map(|output| output.format).chain(stdout_format(settings));
    if settings.template.is_some() && !formats.any(|format| format == Format::Markdown) {
        let message = "--template needs a Markdown report, but none is requested";
        let hint = "add --format markdown, or --output FILE.md";
        return Err(CommandError::usage(message).with_hint(hint));
    }
    Ok(())
}

/// Reports settings that have no effect on the requested outputs.
fn warn_about_unused_settings(settings: &AuditArgs, streams: &mut Streams<'_>) {
    let outputs = settings.output.iter().map(|output| output.format);
    let formats: Vec<_> = outputs.chain(stdout_format(settings)).collect();
    if settings.language.language != Language::default() && !formats.contains(&Format::Markdown) {
        streams.eprintln("note: --language has no effect, because no Markdown report is requested");
    }
}

fn exit_of(audit: &Audit, fail_on: AuditFailOn) -> Exit {
    let incomplete = audit.outcome() == AuditOutcome::Incomplete;
    let fails = fail_on == AuditFailOn::Any && audit.findings.iter().any(Finding::counts_for_gate);
    match (incomplete, fails) {
        (true, _) => Exit::Incomplete,
        (false, true) => Exit::GateFailed,
        (false, false) => Exit::Done,
    }
}

/// The reasons for exit codes other than 0.
fn outcomes(audit: &Audit) -> [(Exit, String); 2] {
    let open = audit.findings.iter().filter(|it| it.counts_for_gate()).count();
    let findings = if open == 1 { "finding is" } else { "findings are" };
    [
        (Exit::GateFailed, format!("the gate failed: {open} {findings} open (--fail-on)")),
        (
            Exit::Incomplete,
            "the audit is incomplete: evidence is missing; see the report".to_owned(),
        ),
    ]
}

/// Reads the template of the user.
pub(super) fn read_template(
    path: Option<&Path>,
    streams: &mut Streams<'_>,
) -> Result<Option<UserTemplate>, CommandError> {
    let Some(path) = path else { return Ok(None) };
    let name = path.display().to_string();
    let read = files::read(&Input::File(path.to_path_buf()), FileKind::Template, streams.stdin);
    let why = match read.map(String::from_utf8) {
        Ok(Ok(text)) => return Ok(Some(UserTemplate { name, text })),
        Ok(Err(_)) => "it is not UTF-8".to_owned(),
        Err(error) => reason(&error),
    };
    Err(CommandError::usage(format!("{name}: the template cannot be read: {why}")))
}

/// The template of the user cannot be rendered.
pub(super) fn template_error(error: &TemplateError) -> CommandError {
    let hint = "docs/template.md describes what a template can use";
    CommandError::usage(error.to_string()).with_hint(hint)
}

/// Writes the audit in the requested formats.
struct AuditWriter<'a> {
    audit: &'a Audit,
    settings: &'a AuditArgs,
    template: Option<UserTemplate>,
}

impl AuditWriter<'_> {
    /// Renders all outputs and writes them to temporary files before it replaces the first output. If
    /// one fails, no output is changed.
    fn write(&self, streams: &mut Streams<'_>) -> Result<(), Failure> {
        let outputs = &self.settings.output;
        let texts = outputs.iter().map(|output| self.render(output.format, Style::default()));
        let texts: Vec<_> = texts.collect::<Result<_, _>>()?;
        let stdout = match stdout_format(self.settings) {
            Some(format) => Some((format, self.render(format, streams.stdout_style)?)),
            None => None,
        };
        let (mut staged, mut errors) = (Vec::new(), Vec::new());
        for (output, text) in outputs.iter().zip(texts) {
            match files::stage(&output.path, text.as_bytes()) {
                Ok(file) => staged.push((output, file)),
                Err(error) => errors.push(files::write_error(&output.path, &error)),
            }
        }
        Failure::check(std::mem::take(&mut errors))?;
        for (output, file) in staged {
            match file.publish() {
                Ok(()) => streams.wrote(output),
                Err(error) => errors.push(files::write_error(&output.path, &error)),
            }
        }
        // A report on standard output has the result already.
        if stdout.is_none() && !self.settings.verbosity.quiet {
            streams.eprintln(&report::summary(self.audit));
        }
        let printed = match stdout {
            None => Ok(()),
            Some((Format::Json, json)) => streams.print_json(&json),
            Some((_, text)) => streams.print(&text),
        };
        errors.extend(printed.err());
        Failure::check(errors)
    }

    /// `style` is the style of the terminal.
    fn render(&self, format: Format, style: Style) -> Result<String, CommandError> {
        match format {
            Format::Json => Ok(report::json::json(self.audit)),
            Format::Table => {
                let options =
                    TableOptions { color: style.color, width: style.width, max_rows: MAX_ROWS };
                Ok(report::table(self.audit, options))
            }
            Format::Markdown => {
                let options = MarkdownOptions {
                    language: self.settings.language.language,
                    max_rows: MAX_ROWS,
                    full_ids: !runner::is_github_actions() || runner::is_private_repository(),
                    template: self.template.clone(),
                };
                report::markdown(self.audit, &options).map_err(|error| template_error(&error))
            }
        }
    }
}
