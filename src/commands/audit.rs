//! `iam-stocktake audit`: observe, audit, report.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::allowlist::{DetailLevel, MissingAllowlist, load_allowlist};
use super::job::JobReport;
use super::{Exit, MAX_ROWS, Streams, age, exported, files, live};
use crate::allowlist::Allowlist;
use crate::audit::{Audit, AuditOutcome, Auditor, Finding};
use crate::cause::reason;
use crate::cli::{AuditArgs, AuditFailOn, Format, Input};
use crate::files::FileKind;
use crate::model::policy::Policy;
use crate::report::{self, MarkdownOptions, TableOptions};
use crate::templates::{Language, UserTemplate, escape_invisible};

/// Runs the command.
pub(super) fn audit(
    args: &AuditArgs,
    now: DateTime<Utc>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> Exit {
    match run(args, args.clock.now.unwrap_or(now), job_report, streams) {
        Ok(exit) | Err(exit) => exit,
    }
}

/// An error has been reported.
fn run(
    settings: &AuditArgs,
    now: DateTime<Utc>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> Result<Exit, Exit> {
    check_outputs(settings, streams)?;
    warn_about_unused_settings(settings, streams);
    // All inputs are read before an error ends the run, so that one run reports all errors.
    let today = now.date_naive();
    let read = load_allowlist(
        &settings.allowlist.allowlist,
        MissingAllowlist::Continue,
        DetailLevel::Lines,
        today,
        streams,
    );
    let template = read_template(settings.template.as_deref(), streams);
    let none = Allowlist::default();
    let allowlist = read.as_ref().map_or(&none, |chosen| &chosen.allowlist);
    let policy = Policy::new(&allowlist.policy, settings.stale.stale_after_days);
    let max_age = settings.max_evidence_age.max_evidence_age.into();
    let auditor = match settings.credential_report.as_slice() {
        // AWS is not called before the settings are known to be valid.
        [] if read.is_err() || template.is_err() => Err(Exit::Usage),
        [] => {
            let live_context = live::LiveContext {
                now,
                quiet: settings.verbosity.quiet || settings.verbosity.verbose,
                ssh_key_users: BTreeSet::new(),
            };
            let live = live::LiveSettings::audit(&settings.access, settings.recheck);
            let observed = live::observe(&live, live_context, &policy, streams);
            observed.map_err(|refusal| refusal.report(streams)).map(|accounts| {
                let mut auditor =
                    Auditor::new(allowlist, &policy, now).with_max_evidence_age(max_age);
                accounts.iter().for_each(|account| auditor.add_account(account));
                auditor
            })
        }
        reports => {
            let exported_reports = exported::ExportedReports {
                reports,
                generated_at: settings.report_generated_at,
                now,
                max_age,
            };
            exported::audit_reports(&exported_reports, allowlist, &policy, streams)
        }
    };
    let (Ok(chosen), auditor, template) = (&read, auditor?, template?) else {
        return Err(Exit::Usage);
    };
    let audit = auditor.finish(chosen.origin.clone());
    let audited = audit.accounts.iter().map(|it| it.id);
    let refused = chosen.reject_audited_former_accounts(audited, DetailLevel::Lines, streams);
    refused.map_err(|_| Exit::Usage)?;
    age::warn_about_audit(&audit, streams);
    let writer = AuditWriter { audit: &audit, settings, template };
    let written = writer.write(streams)?;
    job_report.outcomes.extend(outcomes(&audit));
    Ok(written.max(exit_of(&audit, settings.fail_on)))
}

/// The format of the report on standard output.
fn stdout_format(args: &AuditArgs) -> Option<Format> {
    args.format.or(args.output.is_empty().then_some(Format::Table))
}

/// Rejects outputs to the same file, and a template without a Markdown report.
fn check_outputs(settings: &AuditArgs, streams: &mut Streams<'_>) -> Result<(), Exit> {
    let mut seen = BTreeSet::new();
    for output in &settings.output {
        let path = std::path::absolute(&output.path).unwrap_or_else(|_| output.path.clone());
        if !seen.insert(path) {
            let name = output.path.display().to_string();
            streams
                .error(&format!("--output {}: the file is listed twice", escape_invisible(&name)));
            return Err(Exit::Usage);
        }
    }
    let mut formats =
        settings.output.iter().map(|output| output.format).chain(stdout_format(settings));
    if settings.template.is_some() && !formats.any(|format| format == Format::Markdown) {
        streams.error("--template needs a Markdown report, but none is requested");
        streams.hint("add --format markdown, or --output FILE.md");
        return Err(Exit::Usage);
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

pub(super) fn read_template(
    path: Option<&Path>,
    streams: &mut Streams<'_>,
) -> Result<Option<UserTemplate>, Exit> {
    let Some(path) = path else { return Ok(None) };
    let name = path.display().to_string();
    let read = files::read(&Input::File(path.to_path_buf()), FileKind::Template, streams.stdin);
    let why = match read.map(String::from_utf8) {
        Ok(Ok(text)) => return Ok(Some(UserTemplate { name, text })),
        Ok(Err(_)) => "it is not UTF-8".to_owned(),
        Err(error) => reason(&error),
    };
    streams.error(&escape_invisible(&format!("{name}: the template cannot be read: {why}")));
    Err(Exit::Usage)
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
    fn write(&self, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
        let mut staged = Vec::new();
        let mut failed = None;
        for output in &self.settings.output {
            let name = output.path.display().to_string();
            let text = self.render(output.format, None, streams)?;
            match files::stage(&output.path, text.as_bytes()) {
                Ok(file) => staged.push((name, output.format, file)),
                Err(error) => failed = Some(write_error(&name, &error, streams)),
            }
        }
        let stdout = match stdout_format(self.settings) {
            Some(format) => {
                Some((format, self.render(format, Some(streams.stdout_style), streams)?))
            }
            None => None,
        };
        if let Some(exit) = failed {
            return Err(exit);
        }
        let mut exit = Exit::Done;
        for (name, format, file) in staged {
            match file.publish() {
                Ok(()) => streams.eprintln(&format!(
                    "wrote {} ({})",
                    escape_invisible(&name),
                    format.id()
                )),
                Err(error) => exit = exit.max(write_error(&name, &error, streams)),
            }
        }
        Ok(match stdout {
            None => exit,
            Some((Format::Json, json)) => exit.max(streams.print_json(&json)),
            Some((_, text)) => exit.max(streams.print(&text)),
        })
    }

    /// `style` is the style of the terminal; `None` for files.
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
                let options =
                    TableOptions { color: style.color, width: style.width, max_rows: MAX_ROWS };
                Ok(report::table(self.audit, options))
            }
            Format::Markdown => {
                let options = MarkdownOptions {
                    language: settings.language.language,
                    max_rows: MAX_ROWS,
                    template: self.template.clone(),
                };
                report::markdown(self.audit, &options).map_err(|error| {
                    streams.error(&escape_invisible(&error.to_string()));
                    streams.hint("docs/template.md describes what a template can use");
                    Exit::Usage
                })
            }
        }
    }
}

fn write_error(name: &str, error: &io::Error, streams: &mut Streams<'_>) -> Exit {
    streams.error(&escape_invisible(&format!("{name} cannot be written: {}", reason(error))));
    Exit::WriteFailed
}
