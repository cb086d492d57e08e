//! Exported credential reports: read and judged side by side.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Utc};

use super::{Exit, Streams, files};
use crate::allowlist::Allowlist;
use crate::audit::Judge;
use crate::cause::reason;
use crate::files::{Kind, Workspace};
use crate::model::inventory::{AccountId, CLOCK_SKEW, MaxEvidenceAge};
use crate::model::policy::Policy;
use crate::observe::{credential_report, export};
use crate::report::visible;
use crate::settings::Input;

/// Which reports are judged, and when.
pub(super) struct Brief<'a> {
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
pub(super) fn hear<'a>(
    brief: &Brief<'_>,
    allowlist: &'a Allowlist,
    policy: &'a Policy,
    streams: &mut Streams<'_>,
) -> Result<Judge<'a>, Exit> {
    let inputs = brief.reports;
    let piped = inputs
        .contains(&Input::Stdin)
        .then(|| files::read(&Input::Stdin, Kind::CredentialReport, streams.stdin));
    let workspace = files::workspace();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut judge =
            Judge::new(allowlist, policy, brief.now).with_max_evidence_age(brief.max_age);
        let mut outcomes = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(input) = inputs.get(index) else { break };
            let read = read(input, piped.as_ref(), workspace.as_ref());
            let outcome = read.and_then(|bytes| hear_one(bytes, brief, &mut judge));
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

/// The bytes of one report. `piped` is what standard input held.
fn read(
    input: &Input,
    piped: Option<&io::Result<Vec<u8>>>,
    workspace: Option<&Workspace>,
) -> Result<Vec<u8>, Refused> {
    let unreadable = |error: &io::Error| {
        Refused::new(format!("cannot be read: {}", reason(error)), "check the path")
    };
    match (input, piped) {
        (Input::File(path), _) => {
            let bytes = crate::files::read(path, Kind::CredentialReport, workspace);
            bytes.map_err(|error| unreadable(&error))
        }
        (Input::Stdin, Some(Ok(bytes))) => Ok(bytes.clone()),
        (Input::Stdin, Some(Err(error))) => Err(unreadable(error)),
        (Input::Stdin, None) => Ok(Vec::new()),
    }
}

/// Judges the account of one report.
fn hear_one(
    bytes: Vec<u8>,
    brief: &Brief<'_>,
    judge: &mut Judge<'_>,
) -> Result<AccountId, Refused> {
    let export = export::recognise(bytes).map_err(|error| {
        let hint = error.hint();
        Refused::new(error.to_string(), hint)
    })?;
    let generated_at = match (export.generated_at, brief.generated_at) {
        (Some(own), Some(given)) if own != given => {
            let message = format!("the file says itself when it was generated: {own}");
            return Err(Refused::new(message, "leave out --report-generated-at"));
        }
        (own, given) => own.or(given),
    };
    // A file's own date in the future makes the account incomplete; one that was given is a mistake.
    if brief.generated_at.is_some_and(|at| at - brief.now > CLOCK_SKEW) {
        let message = "the report was generated after the moment of the audit";
        return Err(Refused::new(message, "check --report-generated-at, --now and the clock"));
    }
    let account = credential_report::parse(&export.csv, generated_at)
        .map_err(|error| Refused::new(error.to_string(), error.hint()))?;
    judge.hear(&account);
    Ok(account.id)
}
