//! Exported credential reports: read and judged side by side.

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

/// Which reports are judged, and when.
pub(super) struct ExportedReports<'a> {
    /// The files, one an account.
    pub(super) reports: &'a [Input],
    /// The date of reports that bear none.
    pub(super) generated_at: Option<DateTime<Utc>>,
    /// The moment by which days are counted.
    pub(super) now: DateTime<Utc>,
    /// How old the reports may be.
    pub(super) max_age: MaxEvidenceAge,
}

/// What is wrong with a report's file, and what to do about it.
struct RejectedReport {
    message: String,
    hint: String,
}

impl RejectedReport {
    fn new(message: impl Into<String>, hint: &str) -> Self {
        Self { message: message.into(), hint: hint.to_owned() }
    }
}

/// Reads and judges every report, side by side on all processors, and tells of all that are broken.
pub(super) fn audit_reports<'a>(
    brief: &ExportedReports<'_>,
    allowlist: &'a Allowlist,
    policy: &'a Policy,
    streams: &mut Streams<'_>,
) -> Result<Auditor<'a>, Exit> {
    let inputs = brief.reports;
    let piped = inputs
        .contains(&Input::Stdin)
        .then(|| files::read(&Input::Stdin, FileKind::CredentialReport, streams.stdin));
    let workspace = files::workspace();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut auditor =
            Auditor::new(allowlist, policy, brief.now).with_max_evidence_age(brief.max_age);
        let mut outcomes = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(input) = inputs.get(index) else { break };
            let read = read(input, piped.as_ref(), workspace.as_ref());
            let outcome = read.and_then(|bytes| audit_report(bytes, brief, &mut auditor));
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

/// Tells of the reports that were refused, and of accounts that were given twice.
fn report_rejected(
    inputs: &[Input],
    outcomes: Vec<(usize, Result<AccountId, RejectedReport>)>,
    streams: &mut Streams<'_>,
) -> Result<(), Exit> {
    let mut seen: BTreeMap<AccountId, &Input> = BTreeMap::new();
    let mut all_good = true;
    for (input, (_, outcome)) in inputs.iter().zip(outcomes) {
        let outcome = outcome.and_then(|account| match seen.insert(account, input) {
            None => Ok(()),
            Some(first) => {
                let message = format!("account {account} was already in {first}");
                Err(RejectedReport::new(message, "use one report for each account"))
            }
        });
        if let Err(refused) = outcome {
            all_good = false;
            streams.error(&escape_invisible(&format!("{input}: {}", refused.message)));
            streams.hint(&refused.hint);
        }
    }
    if all_good { Ok(()) } else { Err(Exit::Usage) }
}

/// The bytes of one report. `piped` is what standard input held.
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

/// Judges the account of one report.
fn audit_report(
    bytes: Vec<u8>,
    brief: &ExportedReports<'_>,
    auditor: &mut Auditor<'_>,
) -> Result<AccountId, RejectedReport> {
    let export = export::parse_export(bytes).map_err(|error| {
        let hint = error.hint();
        RejectedReport::new(error.to_string(), hint)
    })?;
    let generated_at = match (export.generated_at, brief.generated_at) {
        (Some(own), Some(given)) if own != given => {
            let message = format!("the file contains its date: {own}");
            return Err(RejectedReport::new(message, "omit --report-generated-at"));
        }
        (own, given) => own.or(given),
    };
    // A file's own date in the future makes the account incomplete; one that was given is a mistake.
    if brief.generated_at.is_some_and(|at| at - brief.now > CLOCK_SKEW) {
        let message = "the report was generated after the time of the audit";
        return Err(RejectedReport::new(
            message,
            "check --report-generated-at, --now and the clock",
        ));
    }
    let account = credential_report::parse(&export.csv, generated_at)
        .map_err(|error| RejectedReport::new(error.to_string(), error.hint()))?;
    auditor.add_account(&account);
    Ok(account.id)
}
