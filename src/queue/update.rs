//! Updates the queue state with a new observation.
//!
//! A finding that is no longer observed is not necessarily remediated. It is cleared when a newer
//! observation, in which its rule was complete, did not find it and would have.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::gate::unaudited;
use super::observation::{FindingRef, Observation, ObservedAccount, ObservedFinding};
use super::remediation_entry::RemediationEvent;
use super::remediation_update;
use super::state::{FindingState, QueueEntry, QueueState, RuleObservation};
use super::unix_time::UnixTime;
use crate::audit::{Coverage, DayCount, FindingId, FindingStatus, ReferenceKind};
use crate::model::identity::Partition;
use crate::model::inventory::AccountId;
use crate::model::policy::{Level, Rule};

/// The user of a per-user issue: the account, and the name in lower case.
pub type UserKey = (AccountId, String);

/// The user of a finding in the account.
#[must_use]
pub fn user_key_of(account: AccountId, finding: &FindingRef) -> UserKey {
    (account, finding.user.to_ascii_lowercase())
}

/// When people closed issues as not planned, which acknowledges the findings listed in them, and
/// which of these issues people reopened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManualClosures {
    /// The queue issue.
    pub queue_issue: Option<DateTime<Utc>>,
    /// Per-user issues.
    pub users: BTreeMap<UserKey, DateTime<Utc>>,
    /// The queue issue was reopened, although all open findings are acknowledged.
    pub queue_issue_reopened: bool,
    /// The issues of these users were reopened.
    pub users_reopened: BTreeSet<UserKey>,
}

/// The new queue state, and what changed since the previous one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueUpdate {
    /// The new state, still with the previous generation.
    pub queue_state: QueueState,
    /// Findings that were not in the queue, the longest disuse first.
    pub new: Vec<FindingId>,
    /// Findings that were no longer open and returned.
    pub returned: Vec<FindingId>,
    /// Findings that are overdue now.
    pub overdue: Vec<FindingId>,
    /// What happened in remediations.
    pub remediation: Vec<RemediationEvent>,
    /// Findings that were cleared.
    pub cleared: Vec<FindingId>,
    /// Findings that an exemption covers now, or that the policy no longer asks for.
    pub dismissed: Vec<FindingId>,
    /// The incomplete rules, which close nothing.
    pub incomplete: BTreeSet<(AccountId, Rule)>,
    /// Accounts that the queue state knows and this run did not audit.
    pub unaudited: BTreeSet<AccountId>,
    /// Accounts that the allowlist lists as no longer audited.
    pub former_accounts: BTreeSet<AccountId>,
}

/// The evidence of an audit is older than the evidence in the queue state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the evidence in the audit of account {account} is from {at}, but the queue has newer \
     evidence, from {newest}"
)]
pub struct OutdatedEvidence {
    pub account: AccountId,
    /// The date of the audit's evidence.
    pub at: UnixTime,
    /// The date of the evidence in the queue state.
    pub newest: UnixTime,
}

/// Updates the state with an observation. `today` is the day of the run; a finding that is open for
/// more than `due_within_days` is overdue.
///
/// # Errors
/// [`OutdatedEvidence`], and then nothing may be written.
pub fn apply_observation(
    queue_state: Option<&QueueState>,
    observation: &Observation,
    closures: &ManualClosures,
    today: NaiveDate,
    due_within_days: u32,
) -> Result<QueueUpdate, OutdatedEvidence> {
    let queue_state = queue_state.cloned().unwrap_or_else(|| QueueState::new(today));
    reject_outdated(&queue_state, observation)?;
    let unaudited = unaudited(observation, &queue_state);
    let mut update = QueueUpdate {
        queue_state,
        new: Vec::new(),
        returned: Vec::new(),
        overdue: Vec::new(),
        remediation: Vec::new(),
        cleared: Vec::new(),
        dismissed: Vec::new(),
        incomplete: incomplete(observation),
        unaudited,
        former_accounts: observation.former_accounts.clone(),
    };
    update.acknowledge(closures);
    update.record_findings(observation, today);
    update.resolve_absent(observation, today);
    update.resolve_former_accounts(today);
    let remediations = &mut update.queue_state.remediations;
    update.remediation = remediation_update::record(remediations, observation, today);
    update.record_user_resources(observation);
    update.record_coverage(observation);
    update.mark_overdue(today, due_within_days);
    let entries = update.queue_state.entries.iter();
    let dates: BTreeMap<_, _> =
        entries.map(|(_, id, entry)| (*id, entry.finding.reference_date())).collect();
    for list in [
        &mut update.new,
        &mut update.returned,
        &mut update.overdue,
        &mut update.cleared,
        &mut update.dismissed,
    ] {
        // The longest disuse first. The id makes the order total.
        list.sort_by_key(|id| {
            let date = dates.get(id).copied().flatten();
            (date.is_none(), date, *id)
        });
    }
    Ok(update)
}

fn incomplete(observation: &Observation) -> BTreeSet<(AccountId, Rule)> {
    let of_account = |(account, audited): (&AccountId, &ObservedAccount)| {
        let incomplete = audited.coverage.iter().filter(|(_, it)| **it == Coverage::Incomplete);
        incomplete.map(|(rule, _)| (*account, *rule)).collect::<Vec<_>>()
    };
    observation.accounts.iter().flat_map(of_account).collect()
}

fn reject_outdated(
    queue_state: &QueueState,
    observation: &Observation,
) -> Result<(), OutdatedEvidence> {
    for (account, audited) in &observation.accounts {
        match queue_state.audited.get(account) {
            Some(newest) if *newest > audited.evidence_at => {
                let at = audited.evidence_at;
                return Err(OutdatedEvidence { account: *account, at, newest: *newest });
            }
            _ => {}
        }
    }
    Ok(())
}

impl QueueUpdate {
    /// Acknowledges the findings that were listed when a person closed the issue as not planned,
    /// until a person reopens the issue.
    fn acknowledge(&mut self, closures: &ManualClosures) {
        for (account, _, entry) in self.queue_state.entries.iter_mut() {
            let user_key = user_key_of(account, &entry.finding);
            let FindingState::Open { since, acknowledged, .. } = &mut entry.state else { continue };
            let listed = |closed: &DateTime<Utc>| *since <= closed.date_naive();
            let by_user_issue = closures.users.get(&user_key).is_some_and(listed);
            let by_queue_issue = closures.queue_issue.as_ref().is_some_and(listed);
            let reopened =
                closures.queue_issue_reopened || closures.users_reopened.contains(&user_key);
            *acknowledged = by_user_issue || (!reopened && (*acknowledged || by_queue_issue));
        }
    }

    fn record_findings(&mut self, observation: &Observation, today: NaiveDate) {
        for (id, seen) in &observation.findings {
            match self.queue_state.entries.get_mut(seen.account, id) {
                Some(entry) => {
                    let was_open = entry.open_since().is_some();
                    match entry.record(seen, today) {
                        Some(FindingState::Open { .. }) => self.returned.push(*id),
                        Some(_) if was_open => self.dismissed.push(*id),
                        _ => {}
                    }
                }
                None if seen.needs_remediation() => {
                    let entry = QueueEntry {
                        finding: seen.finding.clone(),
                        level: seen.level,
                        first_seen: today,
                        state: open_state(today),
                    };
                    self.queue_state.entries.insert(seen.account, *id, entry);
                    self.new.push(*id);
                }
                None => {}
            }
        }
    }

    fn resolve_absent(&mut self, observation: &Observation, today: NaiveDate) {
        for (account, id, entry) in self.queue_state.entries.iter_mut() {
            let Some(audited) = observation.accounts.get(&account) else { continue };
            if observation.findings.contains_key(id) {
                continue;
            }
            let known = self.queue_state.observed.get(account, &entry.finding.rule);
            let was_open = entry.open_since().is_some();
            match (absence_reason(&entry.finding, known, audited), entry.state) {
                (AbsenceReason::Cleared, FindingState::Cleared { .. })
                | (
                    AbsenceReason::NotCounted,
                    FindingState::Cleared { .. } | FindingState::NotCounted { .. },
                )
                | (AbsenceReason::Unknown, _) => {}
                // The criteria by which it was found are no longer known, and other criteria may
                // not find it.
                (AbsenceReason::Cleared, FindingState::NotCounted { .. })
                    if !counts_days(entry.finding.rule) => {}
                (AbsenceReason::Cleared, _) => {
                    entry.state = FindingState::Cleared { on: today };
                    if was_open {
                        self.cleared.push(*id);
                    }
                }
                (AbsenceReason::NotCounted, _) => {
                    entry.state = FindingState::NotCounted { since: today };
                    if was_open {
                        self.dismissed.push(*id);
                    }
                }
            }
        }
    }

    /// Findings in a former account no longer count, and its rules are no longer expected.
    fn resolve_former_accounts(&mut self, today: NaiveDate) {
        for (account, id, entry) in self.queue_state.entries.iter_mut() {
            let is_former = self.former_accounts.contains(&account);
            let is_settled = matches!(
                entry.state,
                FindingState::Cleared { .. } | FindingState::NotCounted { .. }
            );
            if !is_former || is_settled {
                continue;
            }
            if entry.open_since().is_some() {
                self.dismissed.push(*id);
            }
            entry.state = FindingState::NotCounted { since: today };
        }
        self.queue_state.observed.retain(|account, _, _| !self.former_accounts.contains(&account));
    }

    /// Whether every rule is complete and no finding is ignored, so that a queue without open
    /// findings is done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let is_ignored = |(account, _, entry): (AccountId, &FindingId, &QueueEntry)| {
            entry.is_not_counted() && !self.former_accounts.contains(&account)
        };
        self.incomplete.is_empty()
            && self.unaudited.is_empty()
            && !self.queue_state.entries.iter().any(is_ignored)
    }

    /// Keeps what the users with open findings have besides credentials, as it was last observed.
    fn record_user_resources(&mut self, observation: &Observation) {
        let user_resources = &mut self.queue_state.user_resources;
        for seen in observation.findings.values() {
            let (account, user) = user_key_of(seen.account, &seen.finding);
            match &seen.user_resources {
                Some(has) => user_resources.insert(account, user, has.clone()),
                None => user_resources.remove(account, &user),
            }
        }
        let open = self.queue_state.open();
        let open: BTreeSet<_> =
            open.map(|(account, _, entry)| user_key_of(account, &entry.finding)).collect();
        self.queue_state
            .user_resources
            .retain(|account, user, _| open.contains(&(account, user.clone())));
    }

    fn record_coverage(&mut self, observation: &Observation) {
        for (account, audited) in &observation.accounts {
            let newest = self.queue_state.audited.entry(*account).or_insert(audited.evidence_at);
            // Evidence with an age problem must not make other evidence outdated.
            if audited.age_problem.is_none() {
                *newest = audited.evidence_at;
            }
            if audited.partition != Partition::Aws.id() {
                self.queue_state.partitions.insert(*account, audited.partition.clone());
            }
            if let Some(alias) = &audited.alias {
                self.queue_state.aliases.insert(*account, alias.clone());
            }
            for rule in Rule::ALL {
                let complete = audited.coverage.get(&rule).is_some_and(|it| it.has_all_evidence());
                if complete {
                    let observed = RuleObservation {
                        at: audited.evidence_at,
                        criteria: audited.criteria_for(rule),
                    };
                    self.queue_state.observed.insert(*account, rule, observed);
                }
            }
        }
        // A rule that is off is not expected.
        let is_off = |account: AccountId, rule: &Rule| {
            let audited = observation.accounts.get(&account);
            audited.is_some_and(|audited| !audited.coverage.contains_key(rule))
        };
        self.queue_state.observed.retain(|account, rule, _| !is_off(account, rule));
    }

    fn mark_overdue(&mut self, today: NaiveDate, due_within_days: u32) {
        for (_, id, entry) in self.queue_state.entries.iter_mut() {
            let is_overdue = entry.due(due_within_days).is_some_and(|due| due < today);
            let FindingState::Open { acknowledged, overdue_reported, .. } = &mut entry.state else {
                continue;
            };
            // Acknowledged findings become overdue too, but are not reported.
            if is_overdue && !*overdue_reported && !*acknowledged {
                self.overdue.push(*id);
            }
            // Its due date may have been extended since it was reported.
            *overdue_reported = is_overdue;
        }
    }

    /// Whether something changed that is worth a comment.
    #[must_use]
    pub const fn has_reportable_changes(&self) -> bool {
        !(self.new.is_empty()
            && self.returned.is_empty()
            && self.overdue.is_empty()
            && self.remediation.is_empty())
    }
}

const fn open_state(today: NaiveDate) -> FindingState {
    FindingState::Open { since: today, acknowledged: false, overdue_reported: false }
}

impl QueueEntry {
    /// Records an observation of the finding, and returns the state if it changed.
    fn record(&mut self, seen: &ObservedFinding, today: NaiveDate) -> Option<FindingState> {
        // An unknown finding keeps its state, and the details from when it could be evaluated.
        if seen.status == FindingStatus::Unknown {
            return None;
        }
        self.finding = seen.finding.clone();
        if seen.level >= Level::Warning {
            self.level = seen.level;
        }
        let state = match (seen.status, self.state) {
            (FindingStatus::Exempted, FindingState::Exempted { .. }) => return None,
            (FindingStatus::Exempted, _) => FindingState::Exempted { since: today },
            (_, FindingState::Open { .. }) if seen.needs_remediation() => return None,
            _ if seen.needs_remediation() => open_state(today),
            (_, FindingState::NotCounted { .. }) => return None,
            _ => FindingState::NotCounted { since: today },
        };
        self.state = state;
        Some(state)
    }
}

/// Why a finding was not observed.
enum AbsenceReason {
    /// It no longer exists: the audit would have found it.
    Cleared,
    /// The policy no longer asks for it.
    NotCounted,
    /// The evidence does not tell.
    Unknown,
}

fn absence_reason(
    finding: &FindingRef,
    known: Option<&RuleObservation>,
    audited: &ObservedAccount,
) -> AbsenceReason {
    if !audited.coverage.contains_key(&finding.rule) {
        return AbsenceReason::NotCounted;
    }
    if !audited.may_clear(finding) {
        return AbsenceReason::Unknown;
    }
    let criteria = audited.criteria_for(finding.rule);
    let same_criteria = known.is_none_or(|known| known.criteria == criteria);
    match finding.reference {
        // Its reference date is too recent for today's `stale_after_days`, so it is not found
        // either way.
        Some((
            ReferenceKind::LastUsed | ReferenceKind::NeverUsedSince | ReferenceKind::Created,
            since,
        )) if counts_days(finding.rule)
            && (audited.at.get() - since.get()).num_days()
                < i64::from(audited.stale_after_days) =>
        {
            AbsenceReason::NotCounted
        }
        _ if counts_days(finding.rule) || same_criteria => AbsenceReason::Cleared,
        _ => AbsenceReason::NotCounted,
    }
}

/// Whether `stale_after_days` decides what the rule finds.
fn counts_days(rule: Rule) -> bool {
    rule.day_count() == DayCount::StaleAfterDays
}
