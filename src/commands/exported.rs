//! Reads and audits exported credential reports in parallel.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Utc};

use super::{Exit, Streams, files};
use crate::allowlist::Allowlist;
use crate::audit::Auditor;
use crate::cause::reason;
use crate::cli::Input;
use crate::files::{FileKind, Workspace};
use crate::model::inventory::{AccountId, CLOCK_SKEW, MaxEvidenceAge};
use crate::model::policy::Policy;
use crate::observe::{credential_report, export};
use crate::templates::escape_invisible;

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

/// Why a report was rejected.
struct RejectedReport {
    message: String,
    hint: String,
}

impl RejectedReport {
    fn new(message: impl Into<String>, hint: &str) -> Self {
        Self { message: message.into(), hint: hint.to_owned() }
    }
}

/// Reads and audits the reports on all processors, and reports all invalid ones.
pub(super) fn audit_reports<'a>(
    settings: &ExportedReports<'_>,
    allowlist: &'a Allowlist,
    policy: &'a Policy,
    streams: &mut Streams<'_>,
) -> Result<Auditor<'a>, Exit> {
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
            let outcome = read.and_then(|bytes| audit_report(bytes, settings, &mut auditor));
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
    report_rejected(inputs, outcomes, streams).map(|()| auditor)
}

/// Reports rejected reports, and accounts with more than one report.
fn report_rejected(
    inputs: &[Input],
    outcomes: Vec<(usize, Result<AccountId, RejectedReport>)>,
    streams: &mut Streams<'_>,
) -> Result<(), Exit> {
    let mut seen: BTreeMap<AccountId, &Input> = BTreeMap::new();
    let mut is_valid = true;
    for (input, (_, outcome)) in inputs.iter().zip(outcomes) {
        let outcome = outcome.and_then(|account| match seen.insert(account, input) {
            None => Ok(()),
            Some(first) => {
                let message = format!("account {account} was already in {first}");
                Err(RejectedReport::new(message, "use one report for each account"))
            }
        });
        if let Err(rejected) = outcome {
            is_valid = false;
            streams.error(&escape_invisible(&format!("{input}: {}", rejected.message)));
            streams.hint(&rejected.hint);
        }
    }
    if is_valid { Ok(()) } else { Err(Exit::Usage) }
}

/// The bytes of a report. `piped` is the content of standard input.
fn read(
    input: &Input,
    piped: Option<&io::Result<Vec<u8>>>,
    workspace: Option<&Workspace>,
) -> Result<Vec<u8>, RejectedReport> {
    let unreadable = |error: &io::Error| {
        RejectedReport::new(format!("cannot be read: {}", reason(error)), "check the path")
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
    bytes: Vec<u8>,
    settings: &ExportedReports<'_>,
    auditor: &mut Auditor<'_>,
) -> Result<AccountId, RejectedReport> {
    let export = export::parse_export(bytes).map_err(|error| {
        let hint = error.hint();
        RejectedReport::new(error.to_string(), hint)
    })?;
    let generated_at = match (export.generated_at, settings.generated_at) {
        (Some(own), Some(given)) if own != given => {
            let message = format!("the file contains its date: {own}");
            return Err(RejectedReport::new(message, "omit --report-generated-at"));
        }
        (own, given) => own.or(given),
    };
    // A future date in the file makes the account incomplete. A future date in the settings is an error.
    if settings.generated_at.is_some_and(|at| at - settings.now > CLOCK_SKEW) {
        let message = "the report was generated after the time of the audit";
        return Err(RejectedReport::new(
            message,
            "check --report-generated-at, --now, and the clock",
        ));
    }
    let account = credential_report::parse(&export.csv, generated_at)
        .map_err(|error| RejectedReport::new(error.to_string(), error.hint()))?;
    auditor.add_account(&account);
    Ok(account.id)
}
