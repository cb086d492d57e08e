//! Errors about evidence that is too old, of unknown age or from the future.

use super::error::{CommandError, Failure};
use crate::audit::{AgeProblem, Audit};
use crate::model::inventory::AccountId;
use crate::queue::observation::Observation;

/// The errors of an audit.
pub(super) fn audit_errors(audit: &Audit) -> Failure {
    let seen = audit.accounts.iter().filter(|account| !account.has_no_credential_report());
    let problems: Vec<_> = seen.filter_map(|it| Some((it.id, it.age.problem?))).collect();
    errors(&problems)
}

/// The errors of published accounts.
pub(super) fn published_errors(observation: &Observation) -> Failure {
    let accounts = observation.accounts.iter();
    let problems: Vec<_> = accounts.filter_map(|(id, it)| Some((*id, it.age_problem?))).collect();
    errors(&problems)
}

/// One error for each kind of problem.
fn errors(problems: &[(AccountId, AgeProblem)]) -> Failure {
    let mut errors = Vec::new();
    for problem in [AgeProblem::TooOld, AgeProblem::Unknown, AgeProblem::InFuture] {
        let affected = problems.iter().filter(|(_, found)| *found == problem);
        let accounts: Vec<String> = affected.map(|(id, _)| id.to_string()).collect();
        if accounts.is_empty() {
            continue;
        }
        let plural = if accounts.len() == 1 { "" } else { "s" };
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
        let (count, accounts) = (accounts.len(), accounts.join(", "));
        errors.push(
            CommandError::incomplete(format!("account{plural} {accounts}: {message}"))
                .with_public_message(format!("{count} account{plural}: {message}"))
                .with_hint(hint),
        );
    }
    Failure(errors)
}
