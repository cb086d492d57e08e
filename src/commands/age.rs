//! Reports evidence that is too old, of unknown age or from the future.

use super::Streams;
use crate::audit::{AgeProblem, Audit};
use crate::model::inventory::AccountId;
use crate::queue::observation::Observation;

/// Reports the accounts of an audit.
pub(super) fn warn_about_audit(audit: &Audit, streams: &mut Streams<'_>) {
    let seen = audit.accounts.iter().filter(|account| !account.has_no_credential_report());
    let problems: Vec<_> = seen.filter_map(|it| Some((it.id, it.age.problem?))).collect();
    warn(&problems, true, streams);
}

/// Reports published accounts. Without `names`, only their number is shown.
pub(super) fn warn_about_published(
    observation: &Observation,
    names: bool,
    streams: &mut Streams<'_>,
) {
    let accounts = observation.accounts.iter();
    let problems: Vec<_> = accounts.filter_map(|(id, it)| Some((*id, it.age_problem?))).collect();
    warn(&problems, names, streams);
}

fn warn(problems: &[(AccountId, AgeProblem)], names: bool, streams: &mut Streams<'_>) {
    for problem in [AgeProblem::TooOld, AgeProblem::Unknown, AgeProblem::InFuture] {
        let affected = problems.iter().filter(|(_, found)| *found == problem);
        let accounts: Vec<String> = affected.map(|(id, _)| id.to_string()).collect();
        let plural = if accounts.len() == 1 { "" } else { "s" };
        let subject = match (names, accounts.len()) {
            (_, 0) => continue,
            (true, _) => format!("account{plural} {}", accounts.join(", ")),
            (false, count) => format!("{count} account{plural}"),
        };
        let (message, hint) = match problem {
            AgeProblem::TooOld => (
                "the evidence is older than --max-evidence-age allows",
                "audit again, or export a new credential report; or raise --max-evidence-age",
            ),
            AgeProblem::Unknown => (
                "the credential report has no date, and its newest entry is older than \
                 --max-evidence-age allows",
                "set its date with --report-generated-at, or export it as JSON",
            ),
            AgeProblem::InFuture => (
                "the evidence is from the future",
                "check the clocks of the machine that ran the audit and of this machine, and --now",
            ),
        };
        streams.error(&format!("{subject}: {message}"));
        streams.hint(hint);
    }
}
