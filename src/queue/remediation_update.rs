//! Updates the remediations in the queue state with an observation.

use chrono::NaiveDate;

use super::observation::{Observation, ObservedRemediation};
use super::remediation_entry::{
    RemediationEntry, RemediationEvent, RemediationEventKind, Remediations,
};
use super::remediation_progress::RemediationProgress;
use crate::audit::FindingId;
use crate::model::inventory::AccountId;
use crate::model::policy::remediation::Stage;
use crate::model::remediation_tag::RemediationStatus;

/// How many days before a deletion a comment announces it.
const ANNOUNCED_DAYS: i64 = 7;
/// How many days after its next date a remediation is kept if no audit shows what became of it.
const KEPT_DAYS: i64 = 30;

/// Updates the remediations with an observation, and returns what happened, sorted by kind.
pub(super) fn record(
    remediations: &mut Remediations,
    observation: &Observation,
    today: NaiveDate,
) -> Vec<RemediationEvent> {
    let mut events = Vec::new();
    let mut gone = Vec::new();
    for (account, id, entry) in remediations.iter() {
        match end_of(account, *id, entry, observation, today) {
            End::Kept => {}
            End::Silent => gone.push((account, *id)),
            End::Event(kind) => {
                events.push(RemediationEvent { kind, account, entry: entry.clone() });
                gone.push((account, *id));
            }
        }
    }
    for (account, id) in gone {
        remediations.remove(account, &id);
    }
    for (id, seen) in &observation.remediations {
        let Some(progress) = seen.progress.filter(|_| is_current(seen.account, observation)) else {
            continue;
        };
        let before = remediations.get(seen.account, id);
        let (entry, kind) = advance(seen, progress, before, today);
        if let Some(kind) = kind {
            events.push(RemediationEvent { kind, account: seen.account, entry: entry.clone() });
        }
        remediations.insert(seen.account, *id, entry);
    }
    events.sort_by(|one, other| {
        let key = |it: &RemediationEvent| {
            let RemediationEntry { user, kind, id_ending, .. } = &it.entry;
            (it.kind, it.account, user.clone(), *kind, id_ending.clone())
        };
        key(one).cmp(&key(other))
    });
    events
}

/// Whether the evidence of the account is recent enough.
fn is_current(account: AccountId, observation: &Observation) -> bool {
    observation.accounts.get(&account).is_some_and(|audited| audited.age_problem.is_none())
}

/// What became of a remediation in the queue state.
enum End {
    /// It is observed, or nothing is known.
    Kept,
    /// It ended, and nobody has to be told.
    Silent,
    Event(RemediationEventKind),
}

fn end_of(
    account: AccountId,
    id: FindingId,
    entry: &RemediationEntry,
    observation: &Observation,
    today: NaiveDate,
) -> End {
    if observation.former_accounts.contains(&account) {
        return End::Silent;
    }
    if !is_current(account, observation) {
        return End::Kept;
    }
    let was_inactive = entry.progress.reached.is_inactive();
    match observation.remediations.get(&id) {
        Some(seen) if seen.progress.is_some() => End::Kept,
        Some(seen) if seen.active && was_inactive => End::Event(RemediationEventKind::Reactivated),
        Some(_) => End::Silent,
        None if was_rechecked(account, &entry.user, observation) => {
            let was_due = entry
                .progress
                .next
                .is_some_and(|(stage, from)| stage == Stage::Delete && from <= today);
            if was_inactive || was_due {
                End::Event(RemediationEventKind::Deleted)
            } else {
                End::Silent
            }
        }
        None => {
            let last = entry.progress.next.map_or(entry.progress.since, |(_, from)| from);
            if (today - last).num_days() > KEPT_DAYS { End::Silent } else { End::Kept }
        }
    }
}

/// Whether the audit read all credentials and tags of the user.
fn was_rechecked(account: AccountId, user: &str, observation: &Observation) -> bool {
    let audited = observation.accounts.get(&account);
    audited.is_some_and(|it| it.rechecked_users.contains(&user.to_ascii_lowercase()))
}

/// The new entry, and what happened since the one before.
fn advance(
    seen: &ObservedRemediation,
    progress: RemediationProgress,
    before: Option<&RemediationEntry>,
    today: NaiveDate,
) -> (RemediationEntry, Option<RemediationEventKind>) {
    let is_same_stage = before.is_some_and(|before| {
        (before.progress.reached, before.progress.since) == (progress.reached, progress.since)
    });
    let is_same_date = before.is_some_and(|before| before.progress.next == progress.next);
    let was_announced = before.is_some_and(|it| it.deletion_announced) && is_same_date;
    let is_coming = progress.next.is_some_and(|(stage, from)| {
        stage == Stage::Delete && (from - today).num_days() <= ANNOUNCED_DAYS
    });
    let kind = match progress.reached {
        _ if is_same_stage => {
            (is_coming && !was_announced).then_some(RemediationEventKind::DeletionComing)
        }
        RemediationStatus::Notified => Some(RemediationEventKind::Notified),
        RemediationStatus::Deactivated => Some(RemediationEventKind::Deactivated),
        RemediationStatus::Inactive => {
            progress.next.is_some().then_some(RemediationEventKind::FoundInactive)
        }
    };
    let entry = RemediationEntry {
        user: seen.user.clone(),
        kind: seen.kind,
        id_ending: seen.id_ending.clone(),
        owner: seen.owner.clone(),
        progress,
        deletion_announced: is_coming,
    };
    (entry, kind)
}
