//! Decides about one user: first about each credential, then about the user as a whole.

use super::credential::{Decision, DecisionContext};
use super::facts::{PlanCredential, credentials, may_be_active};
use super::tag_state::{
    TagState, needs_refresh, needs_refresh_while_held, orphaned_tags, restart_reason,
};
use super::user_audit::UserAudit;
use super::{
    AccountFacts, ChangeKind, Facts, KnownTag, PendingChange, PlanInput, PlanSettings,
    PlannedChange, RemediationPlan, RemediationSkipReason, RemediationTarget, SkippedTarget,
    StartReason, TagRemovalReason, skip_reason, user_context,
};
use crate::model::inventory::{Flag, Timestamp, UnreadableField, UserRecord};
use crate::model::policy::remediation::Stage;
use crate::model::remediation_tag::{RemediationStatus, TagSubject, days_after};

/// Adds the decisions about a user to the plan.
pub(super) fn plan(
    user_record: &UserRecord,
    account: &AccountFacts,
    input: &PlanInput,
    settings: PlanSettings<'_>,
    plan: &mut RemediationPlan,
) {
    let user_audit = UserAudit::of(user_record, settings);
    if let Some(reason) = skip_reason::of_user(user_record, account, settings) {
        if user_audit.has_findings()
            || skip_reason::has_remediation_tag(user_record)
            || !user_record.gaps.is_empty()
        {
            let target = target(user_record, TagSubject::User);
            plan.skipped.push(SkippedTarget { target, reason });
        }
        return;
    }
    let has_known_tag = |subject: &TagSubject| {
        let user_id = user_record.user.id.clone().unwrap_or_default();
        let subject = subject.clone();
        input.known_tags.contains(&KnownTag { account: user_record.account, user_id, subject })
    };
    let context = |subject: &TagSubject| DecisionContext {
        user_record,
        account,
        user_audit: &user_audit,
        settings,
        has_known_tag: has_known_tag(subject),
    };
    let mut decisions: Vec<(TagSubject, Decision)> = Vec::new();
    for subject in orphaned_tags(user_record) {
        decisions.push((subject, Decision::Change(ChangeKind::RemoveTag(TagRemovalReason::Gone))));
    }
    for credential in credentials(&user_record.user) {
        let decision = context(&credential.subject).decide(&credential);
        decisions.push((credential.subject, decision));
    }
    let is_partially_deleted =
        user_record.user.id.as_ref().is_some_and(|id| input.partially_deleted.contains(id));
    let whole = decide_user(&context(&TagSubject::User), &decisions, is_partially_deleted);
    if whole == Decision::Change(ChangeKind::DeleteUser) {
        // Deleting the user also deletes the credentials.
        decisions.retain(|(_, decision)| matches!(decision, Decision::Skip(_, None)));
    }
    decisions.push((TagSubject::User, whole));
    skip_if_too_many_tags(user_record, &mut decisions);
    let from = plan.changes.len();
    for (subject, decision) in decisions {
        DecisionEntry { user_record, subject }.add_to_plan(decision, plan);
    }
    user_context::add(plan, from, user_record, &user_audit, settings);
}

/// Decides about the user as a whole: the user is deleted some time after the last credential
/// became unused.
fn decide_user(
    context: &DecisionContext<'_>,
    decisions: &[(TagSubject, Decision)],
    is_partially_deleted: bool,
) -> Decision {
    let PlanSettings { remediation, stage, now, .. } = context.settings;
    let user = &context.user_record.user;
    let tag = TagState::of(&TagSubject::User, user);
    let clear_tag = |why| match tag.is_present() {
        true => Decision::Change(ChangeKind::RemoveTag(why)),
        false => Decision::Nothing,
    };
    let Some(days) = remediation.delete_after_days.filter(|_| remediation.deletes_users()) else {
        return clear_tag(TagRemovalReason::NotStale);
    };
    if let Some(reason) = skip_reason::of_exemption(context.user_record, context.settings) {
        let clearing = tag.is_present().then_some(TagRemovalReason::Exempted);
        return Decision::Skip(reason, clearing);
    }
    match user_activity(context, decisions) {
        UserActivity::Active => return clear_tag(TagRemovalReason::InUse),
        UserActivity::Unknown(reason) => return Decision::Skip(reason, None),
        UserActivity::IncompleteAccount(reason) => {
            return Decision::Hold {
                reason,
                renew: needs_refresh_while_held(tag, context.settings),
            };
        }
        UserActivity::Idle => {}
    }
    if let Some(rule) = context.account.incomplete.first() {
        let message = format!("the rule {rule} is incomplete in this account");
        let reason = RemediationSkipReason::Incomplete(message);
        return Decision::Hold { reason, renew: needs_refresh_while_held(tag, context.settings) };
    }
    let tag = match tag {
        TagState::Absent if context.has_known_tag => {
            return Decision::Change(ChangeKind::Notify(StartReason::TagRemoved));
        }
        TagState::Absent => return Decision::Change(ChangeKind::Notify(StartReason::First)),
        TagState::Valid(tag) if tag.reached == RemediationStatus::Notified => tag,
        TagState::Valid(_) | TagState::Unreadable => {
            return Decision::Change(ChangeKind::Notify(StartReason::Unreadable));
        }
    };
    let expired =
        context.user_audit.any_exemption_expired_at().is_some_and(|expired| tag.since < expired);
    if let Some(why) =
        restart_reason(tag, context.settings).or(expired.then_some(StartReason::ExemptionExpired))
    {
        return Decision::Change(ChangeKind::Notify(why));
    }
    let due = tag.due_after(days);
    // A deletion that started on its due date is finished, unless the tag has to be set again.
    if (now < due && !is_partially_deleted) || stage < Stage::Delete {
        let renew = needs_refresh(tag, context.settings);
        return Decision::Wait { stage: Stage::Delete, due, renew, by_hand: false };
    }
    Decision::Change(ChangeKind::DeleteUser)
}

/// Whether the user is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
enum UserActivity {
    Idle,
    /// Evidence about the user is missing.
    Unknown(RemediationSkipReason),
    /// Evidence is missing in the account, but not about this user.
    IncompleteAccount(RemediationSkipReason),
    /// A credential is or may be in use: it is active, was used recently, or has had no notice yet.
    Active,
}

/// Whether the user is in use. A user is idle if every credential that can be deactivated is
/// inactive and has been unused long enough, and the notice for the password is over. Missing
/// evidence does not count as use.
fn user_activity(
    context: &DecisionContext<'_>,
    decisions: &[(TagSubject, Decision)],
) -> UserActivity {
    let user = &context.user_record.user;
    let unknown =
        |what: &str| UserActivity::Unknown(RemediationSkipReason::Incomplete(what.to_owned()));
    // A new user may still be in setup.
    let mut activities = vec![match is_long_ago(context, &user.created) {
        Some(true) => UserActivity::Idle,
        Some(false) => UserActivity::Active,
        None => unknown("the creation date of the user is unknown"),
    }];
    for credential in credentials(user) {
        activities.push(if credential.subject == TagSubject::PASSWORD {
            password_activity(context, decisions)
        } else {
            credential_activity(context, &credential)
        });
    }
    // One credential in use decides, even if evidence about another one is missing.
    if activities.contains(&UserActivity::Active) {
        return UserActivity::Active;
    }
    activities.into_iter().find(|it| *it != UserActivity::Idle).unwrap_or(UserActivity::Idle)
}

fn password_activity(
    context: &DecisionContext<'_>,
    decisions: &[(TagSubject, Decision)],
) -> UserActivity {
    let decision = decisions.iter().find(|(it, _)| *it == TagSubject::PASSWORD);
    match decision.map(|(_, decision)| decision) {
        Some(Decision::ByHand { .. } | Decision::Change(ChangeKind::DeletePassword)) => {
            UserActivity::Idle
        }
        // The requested stage may be earlier than the next change. A due date in the past shows
        // that the notice is over.
        Some(Decision::Wait { due, .. }) if *due <= context.settings.now => UserActivity::Idle,
        Some(Decision::Skip(reason @ RemediationSkipReason::Incomplete(_), _)) => {
            UserActivity::Unknown(reason.clone())
        }
        Some(Decision::Hold { reason, .. }) => UserActivity::IncompleteAccount(reason.clone()),
        _ => UserActivity::Active,
    }
}

fn credential_activity(
    context: &DecisionContext<'_>,
    credential: &PlanCredential<'_>,
) -> UserActivity {
    let unreadable = |field: &UnreadableField| {
        let message = format!("{} cannot be read: {}", field.column, field.text);
        UserActivity::Unknown(RemediationSkipReason::Incomplete(message))
    };
    match credential.active {
        Flag::Yes => return UserActivity::Active,
        Flag::Unreadable(field) => return unreadable(field),
        Flag::No => {}
    }
    // The credential may have been deactivated recently, to find out who still needs it.
    let last = credential.last_used.filter(|it| **it != Timestamp::Absent);
    let last = last.unwrap_or(credential.created);
    match (is_long_ago(context, last), last) {
        (Some(true), _) => UserActivity::Idle,
        (Some(false), _) => UserActivity::Active,
        (None, Timestamp::Unreadable(field)) => unreadable(field),
        (None, _) => {
            let message = "the creation date of a credential is unknown";
            UserActivity::Unknown(RemediationSkipReason::Incomplete(message.to_owned()))
        }
    }
}

/// Whether the time is at least the stale limit plus one day ago. `None` if it is unknown.
fn is_long_ago(context: &DecisionContext<'_>, stamp: &Timestamp) -> Option<bool> {
    let days = context.settings.policy.stale_after_days.saturating_add(1);
    stamp.at().map(|at| days_after(at, days) <= context.settings.now)
}

/// Skips new tags that do not fit into the tag quota of the user.
fn skip_if_too_many_tags(user_record: &UserRecord, decisions: &mut [(TagSubject, Decision)]) {
    let is_new = |(subject, decision): &&mut (TagSubject, Decision)| {
        matches!(
            decision,
            Decision::Change(ChangeKind::Notify(_) | ChangeKind::ScheduleDeletion(_))
        ) && TagState::of(subject, &user_record.user) == TagState::Absent
    };
    let more = decisions.iter_mut().filter(is_new).count();
    if let Some(reason) = skip_reason::of_tags(user_record, more) {
        for (_, decision) in decisions.iter_mut().filter(is_new) {
            *decision = Decision::Skip(reason.clone(), None);
        }
    }
}

fn target(user_record: &UserRecord, subject: TagSubject) -> RemediationTarget {
    RemediationTarget {
        account: user_record.account,
        user: user_record.user.name.clone().into_owned(),
        subject,
    }
}

struct DecisionEntry<'a> {
    user_record: &'a UserRecord,
    subject: TagSubject,
}

impl DecisionEntry<'_> {
    fn add_to_plan(self, decision: Decision, plan: &mut RemediationPlan) {
        let target = target(self.user_record, self.subject.clone());
        match decision {
            Decision::Nothing => {}
            Decision::Change(kind) => plan.changes.push(self.change(kind)),
            Decision::Wait { stage, due, renew, by_hand } => {
                plan.waiting.push(PendingChange { target, stage, due, by_hand });
                plan.changes.extend(renew.then(|| self.change(ChangeKind::RenewTag)));
            }
            Decision::ByHand { renew } => {
                plan.by_hand.push(target);
                plan.changes.extend(renew.then(|| self.change(ChangeKind::RenewTag)));
            }
            Decision::Hold { reason, renew } => {
                plan.skipped.push(SkippedTarget { target, reason });
                plan.changes.extend(renew.then(|| self.change(ChangeKind::RenewTag)));
            }
            Decision::Skip(reason, clearing) => {
                plan.skipped.push(SkippedTarget { target, reason });
                plan.changes.extend(clearing.map(|why| self.change(ChangeKind::RemoveTag(why))));
            }
        }
    }

    fn change(&self, kind: ChangeKind) -> PlannedChange {
        let user = &self.user_record.user;
        let mut facts = Facts::of(&self.subject, user);
        if kind == ChangeKind::DeleteUser {
            let all = credentials(user).into_iter();
            facts.credentials = all.map(|it| (it.subject, may_be_active(it.active))).collect();
        }
        PlannedChange {
            target: target(self.user_record, self.subject.clone()),
            user_id: user.id.clone().unwrap_or_default(),
            kind,
            facts,
        }
    }
}
