//! The undo plan and its result, as the templates see them.

use serde::Serialize;

use super::UndoReport;
use super::plan_view::{PlanRow, row};
use crate::model::inventory::AccountId;
use crate::model::remediation_tag::TagSubject;
use crate::remediate::journal::UserDeletion;
use crate::remediate::plan::RemediationTarget;
use crate::remediate::plan::step::{IamWrite, RemediationStep};
use crate::remediate::{UndoPlan, UndoSkipReason};
use crate::templates::SafeText;

/// Everything that the templates can name.
#[derive(Serialize)]
pub(super) struct UndoView {
    /// Whether the plan was applied.
    applied: bool,
    /// The steps that will be done, or were done.
    steps: Vec<UndoRow>,
    failed: Vec<UndoRow>,
    /// Deactivations that are not undone because the remediation tag contradicts the journal.
    conflicts: Vec<UndoRow>,
    /// Deactivations that there is nothing to do about.
    unnecessary: Vec<UndoRow>,
    /// Deletions, which cannot be undone.
    irreversible: Vec<UndoRow>,
    deleted_users: Vec<DeletedUserView>,
    lookup_failures: Vec<UndoRow>,
    account_failures: Vec<AccountFailureView>,
    /// How many credentials are or were activated.
    activations: usize,
}

/// An account that could not be read.
#[derive(Serialize)]
struct AccountFailureView {
    account: SafeText,
    message: String,
}

/// A step of an undo plan.
#[derive(Serialize)]
struct UndoRow {
    #[serde(flatten)]
    target: PlanRow,
    /// Whether the step removes the remediation tag; otherwise it activates the credential.
    removes_tag: bool,
    reason: Option<UndoSkipReason>,
}

/// What a deleted user had.
#[derive(Serialize)]
struct DeletedUserView {
    account: SafeText,
    user: String,
    path: String,
    groups: Vec<String>,
    attached_policies: Vec<String>,
    inline_policies: Vec<String>,
    permissions_boundary: Option<String>,
    mfa_devices: Vec<String>,
    /// Each as `key=value`.
    tags: Vec<String>,
}

pub(super) fn view(report: UndoReport<'_>) -> UndoView {
    let UndoPlan { steps, skipped, irreversible, deleted_users, lookup_failures, .. } = report.undo;
    let made = report.undone.map_or(steps, |undone| &undone.made);
    let failed = report.undone.map_or([].as_slice(), |undone| &undone.failed);
    let skipped_row =
        |(step, reason): &_| UndoRow { reason: Some(*reason), ..undo_row(step, None) };
    let (conflicts, unnecessary): (Vec<_>, Vec<_>) =
        skipped.iter().partition(|(_, reason)| *reason == UndoSkipReason::TagMismatch);
    let lookup_failure = |((account, user), message): &_| {
        let target = RemediationTarget {
            account: *account,
            user: String::clone(user),
            subject: TagSubject::User,
        };
        undo_row_of(&target, Some(message))
    };
    UndoView {
        applied: report.undone.is_some(),
        steps: made.iter().map(|step| undo_row(step, None)).collect(),
        failed: failed.iter().map(|(step, message)| undo_row(step, Some(message))).collect(),
        conflicts: conflicts.into_iter().map(skipped_row).collect(),
        unnecessary: unnecessary.into_iter().map(skipped_row).collect(),
        irreversible: irreversible.iter().map(|step| undo_row(step, None)).collect(),
        deleted_users: deleted_users.iter().map(deleted_user).collect(),
        lookup_failures: lookup_failures.iter().map(lookup_failure).collect(),
        account_failures: report.undo.account_failures.iter().map(account_failure).collect(),
        activations: made.iter().filter(|it| is_activation(it)).count(),
    }
}

fn account_failure((account, message): &(AccountId, String)) -> AccountFailureView {
    AccountFailureView { account: SafeText::new(*account), message: message.clone() }
}

const fn is_activation(step: &RemediationStep) -> bool {
    matches!(step.write, IamWrite::Activate { .. })
}

fn undo_row(step: &RemediationStep, message: Option<&String>) -> UndoRow {
    let subject = match &step.write {
        IamWrite::Deactivate { kind, id }
        | IamWrite::Activate { kind, id }
        | IamWrite::DeleteCredential { kind, id } => {
            TagSubject::Credential(*kind, Some(id.clone()))
        }
        IamWrite::Untag { subject, .. } | IamWrite::Tag { subject, .. } => subject.clone(),
        IamWrite::DeletePassword => TagSubject::PASSWORD,
        _ => TagSubject::User,
    };
    let target = RemediationTarget { account: step.account, user: step.user.clone(), subject };
    let removes_tag = matches!(step.write, IamWrite::Untag { .. });
    UndoRow { removes_tag, ..undo_row_of(&target, message) }
}

fn undo_row_of(target: &RemediationTarget, message: Option<&String>) -> UndoRow {
    let mut target = row(target);
    target.message = message.cloned();
    UndoRow { target, removes_tag: false, reason: None }
}

fn deleted_user(deletion: &UserDeletion) -> DeletedUserView {
    let holdings = &deletion.holdings;
    DeletedUserView {
        account: SafeText::new(deletion.account),
        user: deletion.user.clone(),
        path: deletion.path.clone(),
        groups: holdings.groups.clone(),
        attached_policies: holdings.attached_policies.clone(),
        inline_policies: holdings.inline_policies.iter().map(|it| it.name.clone()).collect(),
        permissions_boundary: holdings.permissions_boundary.clone(),
        mfa_devices: holdings.mfa_devices.clone(),
        tags: deletion.tags.iter().map(|(key, value)| format!("{key}={value}")).collect(),
    }
}
