//! The remediation steps for one user's findings, as values for the templates.

use serde::Serialize;

use super::cli_steps::{CliSteps, StepBuilder};
use crate::allowlist::{ExemptedFinding, SuggestedExemption};
use crate::audit::{Audit, AuditedAccount, Finding, FindingStatus, Note, RemediationAction};
use crate::model::identity::Partition;
use crate::model::inventory::{CredentialHandle, ROOT_USER, id_ending};
use crate::model::policy::Rule;
use crate::templates::SafeText;

/// The remediation steps for one user.
#[derive(Serialize)]
pub(super) struct UserRemediation {
    /// The account that the commands must run in.
    account: SafeText,
    /// The console page of the user's credentials; none for an unknown partition.
    console_url: Option<SafeText>,
    /// Whether it is the root user. Only the root user can remove its keys.
    is_root: bool,
    /// Whether to delete the password.
    password: bool,
    /// Whether a finding needs a check by a person before anything is changed.
    check_first: bool,
    /// Commands that deactivate keys and other credentials, and delete the password.
    deactivate: CliSteps,
    /// Commands that delete keys and other credentials.
    delete: CliSteps,
    /// Commands that delete the user, if the user can be deleted.
    delete_user: CliSteps,
    /// Whether the user can be deleted: nothing is in use and nothing is exempted.
    whole_user: bool,
    /// Whether a key is in use but not rotated.
    rotate: bool,
    /// Whether the date in the user's expiry tag has passed.
    expired: bool,
    /// The exemptions to add to the allowlist.
    suggested_exemptions: String,
}

/// `unresolved` are the user's findings that are not exempted. `exempted` says whether the user also has
/// exempted findings, and `full_ids` whether the report may show full IDs of credentials.
pub(super) fn user_remediation(
    audit: &Audit,
    account: &AuditedAccount,
    unresolved: &[&Finding],
    exempted: bool,
    full_ids: bool,
) -> UserRemediation {
    let open = || unresolved.iter().copied().filter(|finding| is_actionable(finding));
    let for_actions = |actions: &[RemediationAction]| -> Vec<&Finding> {
        open().filter(|finding| actions.contains(&finding.rule.remediation().action)).collect()
    };
    let has = |matches: fn(Rule) -> bool| open().any(|finding| matches(finding.rule));
    let subject = unresolved.first().map(|finding| finding.user.as_ref());
    let name = subject.map_or("", |it| it.name.as_str());
    let all_actionable = unresolved.iter().all(|finding| is_actionable(finding));
    let deactivate = for_actions(&[RemediationAction::DeactivateAndDelete]);
    let delete = for_actions(&[RemediationAction::DeactivateAndDelete, RemediationAction::Delete]);
    let password = has(|rule| rule.remediation().action == RemediationAction::DeletePassword);
    let whole_user = subject.is_some_and(|it| !it.in_use)
        && name != ROOT_USER
        && !exempted
        && all_actionable
        && has(|rule| rule.remediation().may_delete_user);
    let steps = subject.map(|user| StepBuilder { user, full_ids });
    UserRemediation {
        account: SafeText::new(account.id),
        console_url: account
            .partition
            .parse()
            .ok()
            .map(|partition: Partition| SafeText::console_url(partition, name)),
        is_root: name == ROOT_USER,
        password,
        whole_user,
        rotate: for_actions(&[RemediationAction::Rotate])
            .iter()
            .any(|old| !deactivate.iter().any(|stale| stale.credential == old.credential)),
        deactivate: steps.map(|it| it.deactivate(&deactivate, password)).unwrap_or_default(),
        delete: steps.map(|it| it.delete(&delete)).unwrap_or_default(),
        delete_user: steps.filter(|_| whole_user).map(StepBuilder::delete_user).unwrap_or_default(),
        check_first: unresolved
            .iter()
            .any(|finding| finding.status == FindingStatus::Open && !is_actionable(finding)),
        expired: has(Rule::reads_expiry_tag),
        suggested_exemptions: suggested_exemptions(audit, unresolved),
    }
}

/// Whether a command may act on the finding: not if it is unknown, not on a recently reset password, and
/// not if an exemption might apply to the credential.
fn is_actionable(finding: &Finding) -> bool {
    let in_the_way = |note: &Note| match note {
        Note::RecentlyReset(_)
        | Note::Unreadable(_)
        | Note::HiddenCredentials
        | Note::ExemptionNeedsLiveEvidence(_) => true,
        Note::ExemptionExpired(_) => false,
    };
    finding.status == FindingStatus::Open && !finding.notes.iter().any(in_the_way)
}

/// The exemptions to add to the allowlist.
fn suggested_exemptions(audit: &Audit, unresolved: &[&Finding]) -> String {
    let expires = SuggestedExemption::suggested_expiry_date(
        audit.now.date_naive(),
        audit.policy.max_exemption_days,
    );
    // Unknown findings need a check, not an exemption.
    let argued = unresolved.iter().filter(|finding| finding.needs_remediation());
    let accounts: Vec<_> = argued
        .map(|finding| {
            let ending = finding.credential.as_ref().and_then(|it| match &it.handle {
                Some(CredentialHandle::Id(id)) => Some(id_ending(id)),
                _ => None,
            });
            (finding, finding.user.account.to_string(), ending)
        })
        .collect();
    let excused = accounts.iter().map(|(finding, account, ending)| ExemptedFinding {
        user: &finding.user.name,
        account,
        user_id: finding.user.user_id.as_deref(),
        rule: finding.rule,
        credential: finding.credential.as_ref().map(|it| (it.kind.id(), ending.as_deref())),
    });
    SuggestedExemption::for_findings(excused, expires).iter().map(ToString::to_string).collect()
}
