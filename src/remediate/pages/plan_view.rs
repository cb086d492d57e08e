//! The remediation plan and its result, as the templates see them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::RemediationReport;
use crate::model::identity::Partition;
use crate::model::inventory::{AccountId, CredentialKind, id_ending};
use crate::model::remediation_tag::TagSubject;
use crate::remediate::MissingEvidence;
use crate::remediate::plan::{
    ChangeKind, Facts, PendingChange, PlanPermissions, PlanUser, PlannedChange, ReachedLimit,
    RemediationPlan, RemediationSkipReason, RemediationTarget, SkippedTarget, StartReason,
    TagRemovalReason, TooManyDue,
};
use crate::templates::{SafeText, shell_word};

/// Everything that the templates can name.
#[derive(Serialize)]
pub(super) struct RemediationView {
    /// Whether the plan was applied.
    applied: bool,
    /// The last stage.
    stage: &'static str,
    digest: String,
    made_at: SafeText,
    counts: ChangeCounts,
    /// The accounts in which too many users are due. If there are any, nothing is changed.
    exceeded_limits: Vec<LimitView>,
    /// The limits of the run that are reached.
    reached_limits: Vec<LimitView>,
    /// Due changes that wait for the next runs.
    delayed: PlanRows,
    /// The missing evidence; none if the evidence is complete.
    missing: Option<MissingView>,
    /// All deactivations and deletions, planned or made, except those in `exemption_expired`.
    access_changes: Vec<PlanAccountView>,
    /// The deactivations and deletions of users whose exemption expired.
    exemption_expired: Vec<PlanAccountView>,
    /// Tags that start a waiting period.
    notices: Vec<PlanAccountView>,
    /// Tags that are renewed or removed.
    tag_upkeep: Vec<PlanAccountView>,
    /// Whether the page has counts only, because there is no room for all deactivations and deletions.
    is_brief: bool,
    /// Remediation tags that were removed.
    removed_tags: PlanRows,
    /// Changes that were not made, because the plan is outdated.
    outdated: PlanRows,
    failed: PlanRows,
    by_hand: PlanRows,
    waiting: PlanRows,
    skipped: PlanRows,
    deactivate_after_days: u32,
    /// None if the policy deletes nothing.
    delete_after_days: Option<u32>,
    /// Whether passwords are deleted instead of deactivated; otherwise a person removes them.
    delete_passwords: bool,
    journal: String,
    /// The command that undoes the deactivations.
    undo: String,
}

/// Counts of the changes, planned or made.
#[derive(Serialize, Default)]
struct ChangeCounts {
    all: usize,
    deactivations: usize,
    deletions: usize,
    /// Changes of remediation tags.
    tags: usize,
}

/// The missing evidence.
#[derive(Serialize)]
struct MissingView {
    /// The accounts in which rules are incomplete.
    accounts: Vec<MissingAccountView>,
    /// How many users have incomplete evidence.
    users: usize,
}

#[derive(Serialize)]
struct MissingAccountView {
    id: SafeText,
    rules: Vec<&'static str>,
}

#[derive(Serialize)]
struct PlanAccountView {
    id: SafeText,
    changes: PlanRows,
}

/// Rows of a list, and how many are left out.
#[derive(Serialize)]
struct PlanRows {
    rows: Vec<PlanRow>,
    left_out: usize,
}

/// A limit, and the number that is due.
#[derive(Serialize)]
struct LimitView {
    due: usize,
    /// How many a run may change; none if so many are due that nothing is changed.
    allowed: Option<usize>,
    /// The account and its number of users, for a limit of the share of users; none for the limit of the
    /// run's changes.
    account: Option<SafeText>,
    users: Option<usize>,
}

/// One credential, or a user as a whole.
#[derive(Serialize, Default)]
pub(super) struct PlanRow {
    account: SafeText,
    user: String,
    /// The credential's kind; none for the user as a whole.
    kind: Option<&'static str>,
    id_ending: Option<String>,
    change: Option<ChangeView>,
    /// The error, or why a change was not made.
    pub(super) message: Option<String>,
    /// The next stage, and its first day.
    stage: Option<&'static str>,
    due: Option<SafeText>,
    /// Whether a person must do it.
    by_hand: bool,
    skip_reason: Option<SkipReasonView>,
    about: Option<AboutView>,
}

/// What a person who approves the plan needs to know about the user.
#[derive(Serialize)]
struct AboutView {
    arn: String,
    /// The page of the user's credentials in the console; none for an unknown partition.
    console_url: Option<SafeText>,
    owner: Option<String>,
    /// The service for which the access key was last used.
    last_service: Option<String>,
    /// None if groups and policies are unknown.
    permissions: Option<PlanPermissions>,
    /// The last day of an exemption that has expired.
    exemption_expired: Option<SafeText>,
}

/// A change and the dates that it depends on.
#[derive(Serialize)]
struct ChangeView {
    /// A [`ChangeKind`] in kebab case.
    action: &'static str,
    /// Why a remediation tag is set or removed: a [`StartReason`] or [`TagRemovalReason`] in kebab
    /// case.
    reason: Option<&'static str>,
    /// The day of the use that is the reason.
    reason_day: Option<SafeText>,
    /// Whether the kind of credential has a date of its last use.
    has_use: bool,
    last_used: Option<SafeText>,
    /// The creation date; for a password the date of its last change.
    created: Option<SafeText>,
    /// The status in the remediation tag, and its date.
    reached: Option<&'static str>,
    since: Option<SafeText>,
    /// The credentials that are deleted with the user.
    credentials: Vec<CredentialView>,
}

#[derive(Serialize)]
struct CredentialView {
    kind: Option<&'static str>,
    id_ending: Option<String>,
    active: bool,
}

/// Why something is skipped.
#[derive(Serialize, Default)]
struct SkipReasonView {
    /// A [`RemediationSkipReason`] in kebab case.
    code: &'static str,
    day: Option<SafeText>,
    /// The line of the exemption in the allowlist.
    line: Option<usize>,
    /// The error, the owner or the path.
    text: Option<String>,
}

/// Builds the view.
pub(super) fn view(report: RemediationReport<'_>) -> RemediationView {
    let RemediationReport { saved, policy, applied, missing, max_rows, is_brief, .. } = report;
    let plan = &saved.plan;
    let limit = if max_rows == 0 { usize::MAX } else { max_rows };
    let list = |rows: Vec<PlanRow>| truncate_rows(rows, limit);
    let changes: Vec<&PlannedChange> = match applied {
        Some(applied) => applied.made.iter().collect(),
        None => plan.changes.iter().collect(),
    };
    let with_message = |of: &[(PlannedChange, String)]| {
        let with = |(it, why): &(PlannedChange, String)| PlanRow {
            message: Some(why.clone()),
            ..change_row(it)
        };
        let (access_changes, tag_changes): (Vec<_>, Vec<_>) =
            of.iter().partition(|(it, _)| it.kind.removes_access());
        // Deactivations and deletions are never left out.
        let PlanRows { rows, left_out } = list(tag_changes.into_iter().map(with).collect());
        PlanRows { rows: access_changes.into_iter().map(with).chain(rows).collect(), left_out }
    };
    let (access_changes, tag_changes): (Vec<_>, Vec<_>) =
        changes.iter().copied().partition(|it| it.kind.removes_access());
    let (notices, tag_upkeep): (Vec<_>, Vec<_>) = tag_changes
        .into_iter()
        .partition(|it| matches!(it.kind, ChangeKind::Notify(_) | ChangeKind::ScheduleDeletion(_)));
    let has_expired = |it: &&PlannedChange| {
        user_of(plan, &it.target).is_some_and(|user| user.exemption_expired.is_some())
    };
    let (exemption_expired, access_changes): (Vec<_>, Vec<_>) =
        access_changes.into_iter().partition(has_expired);
    let by_account = |changes: &[&PlannedChange], limit| by_account(plan, changes, limit);
    let removed_tags = plan.changes.iter().filter(|it| sets_removed_tag(it));
    let journal = report.journal.display().to_string();
    RemediationView {
        applied: applied.is_some(),
        stage: saved.stage.id(),
        digest: saved.digest.clone(),
        made_at: SafeText::minute(saved.made_at),
        counts: counts(&changes),
        exceeded_limits: plan.exceeded_limits.iter().map(too_many_view).collect(),
        reached_limits: plan.reached_limits.iter().map(limit_view).collect(),
        delayed: list(plan.delayed.iter().map(change_row).collect()),
        missing: (!missing.is_empty()).then(|| missing_view(missing)),
        access_changes: by_account(&access_changes, usize::MAX),
        exemption_expired: by_account(&exemption_expired, usize::MAX),
        notices: by_account(&notices, limit),
        tag_upkeep: by_account(&tag_upkeep, limit),
        is_brief,
        removed_tags: list(removed_tags.map(change_row).collect()),
        outdated: with_message(applied.map_or(&[], |it| &it.skipped)),
        failed: with_message(applied.map_or(&[], |it| &it.failed)),
        by_hand: list(plan.by_hand.iter().map(row).collect()),
        waiting: list(plan.waiting.iter().map(pending).collect()),
        skipped: list(plan.skipped.iter().map(skipped_row).collect()),
        deactivate_after_days: policy.deactivate_after_days,
        delete_after_days: policy.delete_after_days,
        delete_passwords: policy.delete_passwords,
        undo: undo(report),
        journal,
    }
}

/// The command that undoes the deactivations.
fn undo(report: RemediationReport<'_>) -> String {
    let word = |path: &Path| shell_word(&path.display().to_string());
    let others = report.other_journals.iter();
    let others: String = others.map(|path| format!(" --other-journals {}", word(path))).collect();
    format!("iam-stocktake remediate --undo --journal {}{others} --apply", word(report.journal))
}

/// Whether the change sets a remediation tag that was removed.
fn sets_removed_tag(change: &PlannedChange) -> bool {
    matches!(
        change.kind,
        ChangeKind::Notify(StartReason::TagRemoved)
            | ChangeKind::ScheduleDeletion(StartReason::TagRemoved)
    )
}

fn truncate_rows(mut rows: Vec<PlanRow>, limit: usize) -> PlanRows {
    let left_out = rows.len().saturating_sub(limit);
    rows.truncate(limit);
    PlanRows { rows, left_out }
}

fn missing_view(missing: &MissingEvidence) -> MissingView {
    let accounts = missing.rules.iter().map(|(account, rules)| MissingAccountView {
        id: SafeText::new(*account),
        rules: rules.iter().map(|rule| rule.id()).collect(),
    });
    MissingView { accounts: accounts.collect(), users: missing.users }
}

fn user_of<'p>(plan: &'p RemediationPlan, target: &RemediationTarget) -> Option<&'p PlanUser> {
    plan.users.iter().find(|it| it.account == target.account && it.user == target.user)
}

fn about(user: &PlanUser, subject: &TagSubject) -> AboutView {
    let service = user.last_services.iter().find(|(of, _)| of == subject);
    let partition = user.arn.split(':').nth(1).and_then(|it| it.parse::<Partition>().ok());
    AboutView {
        arn: user.arn.clone(),
        console_url: partition.map(|it| SafeText::console_url(it, &user.user)),
        owner: user.owner.clone(),
        last_service: service.map(|(_, service)| service.clone()),
        permissions: user.permissions.clone(),
        exemption_expired: user.exemption_expired.map(SafeText::new),
    }
}

fn by_account(
    plan: &RemediationPlan,
    changes: &[&PlannedChange],
    limit: usize,
) -> Vec<PlanAccountView> {
    let mut accounts: BTreeMap<AccountId, Vec<PlanRow>> = BTreeMap::new();
    for change in changes {
        let about = user_of(plan, &change.target).map(|it| about(it, &change.target.subject));
        let row = PlanRow { about, ..change_row(change) };
        accounts.entry(change.target.account).or_default().push(row);
    }
    let accounts = accounts.into_iter();
    accounts
        .map(|(id, rows)| PlanAccountView {
            id: SafeText::new(id),
            changes: truncate_rows(rows, limit),
        })
        .collect()
}

fn counts(changes: &[&PlannedChange]) -> ChangeCounts {
    let mut counts = ChangeCounts { all: changes.len(), ..ChangeCounts::default() };
    for change in changes {
        match change.kind {
            ChangeKind::RemoveTag(_)
            | ChangeKind::Notify(_)
            | ChangeKind::ScheduleDeletion(_)
            | ChangeKind::RenewTag => counts.tags += 1,
            ChangeKind::Deactivate => counts.deactivations += 1,
            ChangeKind::DeletePassword | ChangeKind::DeleteCredential | ChangeKind::DeleteUser => {
                counts.deletions += 1;
            }
        }
    }
    counts
}

fn too_many_view(too_many: &TooManyDue) -> LimitView {
    LimitView {
        due: too_many.due,
        allowed: None,
        account: Some(SafeText::new(too_many.account)),
        users: Some(too_many.users),
    }
}

fn limit_view(limit: &ReachedLimit) -> LimitView {
    match limit {
        ReachedLimit::Changes { due, allowed } => {
            LimitView { due: *due, allowed: Some(*allowed), account: None, users: None }
        }
        ReachedLimit::Share { account, due, allowed, users } => LimitView {
            due: *due,
            allowed: Some(*allowed),
            account: Some(SafeText::new(*account)),
            users: Some(*users),
        },
    }
}

fn credential(subject: &TagSubject) -> (Option<&'static str>, Option<String>) {
    match subject {
        TagSubject::User => (None, None),
        TagSubject::Credential(kind, id) => (Some(kind.id()), id.as_deref().map(id_ending)),
    }
}

pub(super) fn row(target: &RemediationTarget) -> PlanRow {
    let (kind, id_ending) = credential(&target.subject);
    PlanRow {
        account: SafeText::new(target.account),
        user: target.user.clone(),
        kind,
        id_ending,
        ..PlanRow::default()
    }
}

fn pending(waiting: &PendingChange) -> PlanRow {
    PlanRow {
        stage: Some(waiting.stage.id()),
        due: Some(SafeText::day(waiting.due)),
        by_hand: waiting.by_hand,
        ..row(&waiting.target)
    }
}

fn skipped_row(skipped: &SkippedTarget) -> PlanRow {
    PlanRow { skip_reason: Some(skip_reason_view(&skipped.reason)), ..row(&skipped.target) }
}

fn change_row(change: &PlannedChange) -> PlanRow {
    let Facts { last_used, created, tag, credentials, .. } = &change.facts;
    let (reason, used) = match &change.kind {
        ChangeKind::RemoveTag(reason @ TagRemovalReason::Used(at)) => {
            (Some(reason.into()), Some(*at))
        }
        ChangeKind::RemoveTag(reason) => (Some(reason.into()), None),
        ChangeKind::Notify(reason) | ChangeKind::ScheduleDeletion(reason) => {
            (Some(reason.into()), None)
        }
        _ => (None, None),
    };
    let has_use = matches!(
        change.target.subject,
        TagSubject::Credential(CredentialKind::Password | CredentialKind::AccessKey, _)
    );
    let view = ChangeView {
        action: (&change.kind).into(),
        reason,
        reason_day: used.map(SafeText::day),
        has_use,
        last_used: last_used.map(SafeText::day),
        created: created.map(SafeText::day),
        reached: tag.map(|(reached, _)| reached.id()),
        since: tag.map(|(_, since)| SafeText::day(since)),
        credentials: credentials.iter().map(credential_view).collect(),
    };
    PlanRow { change: Some(view), ..row(&change.target) }
}

fn credential_view((subject, active): &(TagSubject, bool)) -> CredentialView {
    let (kind, id_ending) = credential(subject);
    CredentialView { kind, id_ending, active: *active }
}

fn skip_reason_view(reason: &RemediationSkipReason) -> SkipReasonView {
    let view = SkipReasonView { code: reason.into(), ..SkipReasonView::default() };
    match reason {
        RemediationSkipReason::Root
        | RemediationSkipReason::Ourselves
        | RemediationSkipReason::Tags => view,
        RemediationSkipReason::Exempted { line, expires } => {
            SkipReasonView { line: Some(*line), day: Some(SafeText::new(*expires)), ..view }
        }
        RemediationSkipReason::RecentlyReset(at) | RemediationSkipReason::Used(at) => {
            SkipReasonView { day: Some(SafeText::day(*at)), ..view }
        }
        RemediationSkipReason::Incomplete(text)
        | RemediationSkipReason::Owner(text)
        | RemediationSkipReason::Path(text) => SkipReasonView { text: Some(text.clone()), ..view },
    }
}
