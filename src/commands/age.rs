//! Says which evidence is too old, of unknown age or from the future, and what to do about it.

use super::Streams;
use crate::audit::{AgeProblem, Audit};
use crate::model::inventory::AccountId;
use crate::queue::observation::Observation;

/// Says it of an audit's accounts.
pub(super) fn warn_about_audit(audit: &Audit, streams: &mut Streams<'_>) {
    let seen = audit.accounts.iter().filter(|account| !account.has_no_credential_report());
    let problems: Vec<_> = seen.filter_map(|it| Some((it.id, it.age.problem?))).collect();
    warn(&problems, true, streams);
}

/// Says it of published accounts. Without `names` they are counted.
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
        let of_it = problems.iter().filter(|(_, found)| *found == problem);
        let accounts: Vec<String> = of_it.map(|(id, _)| id.to_string()).collect();
        let plural = if accounts.len() == 1 { "" } else { "s" };
        let whose = match (names, accounts.len()) {
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
                "the credential report bears no date, and its newest entry is older than \
                 --max-evidence-age allows",
                "say when it was generated with --report-generated-at, or export it as JSON",
            ),
            AgeProblem::InFuture => (
                "the evidence is from the future",
                "check the clock of the machine that audited, this one's, and --now",
            ),
        };
        streams.error(&format!("{whose}: {message}"));
        streams.hint(hint);
    }
}
