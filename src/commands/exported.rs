//! Reads and audits exported credential reports in parallel.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Utc};

use super::error::CommandError;
use super::{Streams, files};
use crate::allowlist::Allowlist;
use crate::audit::Auditor;
use crate::cause::reason;
use crate::cli::Input;
use crate::files::{FileKind, Workspace};
use crate::model::inventory::{AccountId, CLOCK_SKEW, MaxEvidenceAge};
use crate::model::policy::Policy;
use crate::observe::{credential_report, export};

/// The reports to audit.
pub(super) struct ExportedReports<'a> {
    /// The files, one for each account.
    pub(super) reports: &'a [Input],
    /// The date of reports that do not contain one.
    pub(super) generated_at: Option<DateTime<Utc>>,
    /// The time of the audit.
    pub(super) now: DateTime<Utc>,
    /// The maximum age of the reports.
    pub(super) max_age: MaxEvidenceAge,
}

/// Reads and audits the reports on all processors. Returns an error for each invalid one.
pub(super) fn audit_reports<'a>(
    settings: &ExportedReports<'_>,
    allowlist: &'a Allowlist,
    policy: &'a Policy,
    streams: &mut Streams<'_>,
) -> (Auditor<'a>, Vec<CommandError>) {
    let inputs = settings.reports;
    let piped = inputs
        .contains(&Input::Stdin)
        .then(|| files::read(&Input::Stdin, FileKind::CredentialReport, streams.stdin));
    let workspace = files::workspace();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut auditor =
            Auditor::new(allowlist, policy, settings.now).with_max_evidence_age(settings.max_age);
        let mut outcomes = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(input) = inputs.get(index) else { break };
            let read = read(input, piped.as_ref(), workspace.as_ref());
            let outcome = read.and_then(|bytes| audit_report(input, bytes, settings, &mut auditor));
            outcomes.push((index, outcome));
        }
        (auditor, outcomes)
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(inputs.len());
    let (auditor, mut outcomes) = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let (mut auditor, mut outcomes) = work();
        for helper in helpers {
            match helper.join() {
                Ok((other, more)) => {
                    auditor.merge(other);
                    outcomes.extend(more);
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        (auditor, outcomes)
    });
    outcomes.sort_by_key(|(index, _)| *index);
    (auditor, errors(inputs, outcomes))
}

/// The errors of rejected reports, and of accounts with more than one report.
fn errors(
    inputs: &[Input],
    outcomes: Vec<(usize, Result<AccountId, CommandError>)>,
) -> Vec<CommandError> {
    let mut seen: BTreeMap<AccountId, &Input> = BTreeMap::new();
    let mut errors = Vec::new();
    for (input, (_, outcome)) in inputs.iter().zip(outcomes) {
        match outcome.map(|account| (account, seen.insert(account, input))) {
            Ok((account, Some(first))) => errors.push(rejected(
                input,
                format!("account {account} was already in {first}"),
                "use one report for each account",
            )),
            Ok((_, None)) => {}
            Err(error) => errors.push(error),
        }
    }
    errors
}

fn rejected(input: &Input, message: impl Display, hint: &str) -> CommandError {
    CommandError::usage(format!("{input}: {message}")).with_hint(hint)
}

/// The bytes of a report. `piped` is the content of standard input.
fn read(
    input: &Input,
    piped: Option<&io::Result<Vec<u8>>>,
    workspace: Option<&Workspace>,
) -> Result<Vec<u8>, CommandError> {
    let unreadable = |error: &io::Error| {
        rejected(input, format!("cannot be read: {}", reason(error)), "check the path")
    };
    match (input, piped) {
        (Input::File(path), _) => {
            let bytes = crate::files::read(path, FileKind::CredentialReport, workspace);
            bytes.map_err(|error| unreadable(&error))
        }
        (Input::Stdin, Some(Ok(bytes))) => Ok(bytes.clone()),
        (Input::Stdin, Some(Err(error))) => Err(unreadable(error)),
        (Input::Stdin, None) => Ok(Vec::new()),
    }
}

/// Audits the account of a report.
fn audit_report(
    input: &Input,
    bytes: Vec<u8>,
    settings: &ExportedReports<'_>,
    auditor: &mut Auditor<'_>,
) -> Result<AccountId, CommandError> {
    let export =
        export::parse_export(bytes).map_err(|error| rejected(input, &error, error.hint()))?;
    let generated_at = match (export.generated_at, settings.generated_at) {
        (Some(own), Some(given)) if own != given => {
            let message = format!("the file contains its date: {own}");
            return Err(rejected(input, message, "omit --report-generated-at"));
        }
        (own, given) => own.or(given),
    };
    // A future date in the file makes the account incomplete. A future date in the settings is an error.
    if settings.generated_at.is_some_and(|at| at - settings.now > CLOCK_SKEW) {
        let message = "the report was generated after the time of the audit";
        let hint = "check --report-generated-at, --now, and the clock";
        return Err(rejected(input, message, hint));
    }
    let account = credential_report::parse(&export.csv, generated_at)
        .map_err(|error| rejected(input, &error, error.hint()))?;
    auditor.add_account(&account);
    Ok(account.id)
}
