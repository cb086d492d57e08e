//! Updates the queue state with a new observation.
//!
//! A finding that is no longer observed is not necessarily remediated. It is cleared when a newer
//! observation, in which its rule was complete, did not find it and would have.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::gate::unaudited;
use super::observation::{FindingRef, Observation, ObservedAccount, ObservedFinding};
use super::state::{FindingState, QueueEntry, QueueState, RuleObservation};
use crate::audit::{Coverage, DayCount, FindingId, FindingStatus, ReferenceKind};
use crate::model::inventory::AccountId;
use crate::model::policy::{Level, Rule};

/// The user of a per-user issue: the account, and the name in lower case.
pub type UserKey = (AccountId, String);

/// The user of a finding.
#[must_use]
pub fn user_key_of(finding: &FindingRef) -> UserKey {
    (finding.account, finding.user.to_ascii_lowercase())
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
    /// The time of the newest audit.
    pub at: DateTime<Utc>,
    /// Findings that were not in the queue, the longest disuse first.
    pub new: Vec<FindingId>,
    /// Findings that were no longer open and returned.
    pub returned: Vec<FindingId>,
    /// Findings that are overdue now.
    pub overdue: Vec<FindingId>,
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
    pub at: DateTime<Utc>,
    /// The date of the evidence in the queue state.
    pub newest: DateTime<Utc>,
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
    let at = observation.accounts.values().map(|it| it.at).max().unwrap_or_default();
    let mut update = QueueUpdate {
        queue_state,
        at,
        new: Vec::new(),
        returned: Vec::new(),
        overdue: Vec::new(),
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
    update.record_user_resources(observation);
    update.record_coverage(observation);
    update.mark_overdue(today, due_within_days);
    let entries = &update.queue_state.entries;
    for list in [
        &mut update.new,
        &mut update.returned,
        &mut update.overdue,
        &mut update.cleared,
        &mut update.dismissed,
    ] {
        list.sort_by(|one, other| sort_key(entries, one).cmp(&sort_key(entries, other)));
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

/// The longest disuse first. The remaining fields make the order total.
fn sort_key<'a>(
    entries: &'a BTreeMap<FindingId, QueueEntry>,
    id: &'a FindingId,
) -> impl Ord + use<'a> {
    let date = entries.get(id).and_then(|entry| entry.finding.reference).map(|(_, date)| date);
    (date.is_none(), date, id)
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
        for entry in self.queue_state.entries.values_mut() {
            let user_key = user_key_of(&entry.finding);
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
            match self.queue_state.entries.get_mut(id) {
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
                    self.queue_state.entries.insert(*id, entry);
                    self.new.push(*id);
                }
                None => {}
            }
        }
    }

    fn resolve_absent(&mut self, observation: &Observation, today: NaiveDate) {
        for (id, entry) in &mut self.queue_state.entries {
            let Some(audited) = observation.accounts.get(&entry.finding.account) else { continue };
            if observation.findings.contains_key(id) {
                continue;
            }
            let known = self.queue_state.observed.get(&(entry.finding.account, entry.finding.rule));
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
        for (id, entry) in &mut self.queue_state.entries {
            let is_former = self.former_accounts.contains(&entry.finding.account);
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
        self.queue_state.observed.retain(|(account, _), _| !self.former_accounts.contains(account));
    }

    /// Whether every rule is complete and no finding is ignored, so that a queue without open
    /// findings is done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let is_ignored = |entry: &QueueEntry| {
            entry.is_not_counted() && !self.former_accounts.contains(&entry.finding.account)
        };
        self.incomplete.is_empty()
            && self.unaudited.is_empty()
            && !self.queue_state.entries.values().any(is_ignored)
    }

    /// Keeps what the users with open findings have besides credentials, as it was last observed.
    fn record_user_resources(&mut self, observation: &Observation) {
        let user_resources = &mut self.queue_state.user_resources;
        for seen in observation.findings.values() {
            let user_key = user_key_of(&seen.finding);
            match &seen.user_resources {
                Some(has) => user_resources.insert(user_key, has.clone()),
                None => user_resources.remove(&user_key),
            };
        }
        let open: BTreeSet<_> =
            self.queue_state.open().map(|(_, entry)| user_key_of(&entry.finding)).collect();
        self.queue_state.user_resources.retain(|user_key, _| open.contains(user_key));
    }

    fn record_coverage(&mut self, observation: &Observation) {
        for (account, audited) in &observation.accounts {
            let newest = self.queue_state.audited.entry(*account).or_insert(audited.evidence_at);
            // Evidence with an age problem must not make other evidence outdated.
            if audited.age_problem.is_none() {
                *newest = audited.evidence_at;
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
                    self.queue_state.observed.insert((*account, rule), observed);
                } else if !audited.coverage.contains_key(&rule) {
                    // A rule that is off is not expected.
                    self.queue_state.observed.remove(&(*account, rule));
                }
            }
        }
    }

    fn mark_overdue(&mut self, today: NaiveDate, due_within_days: u32) {
        for (id, entry) in &mut self.queue_state.entries {
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
        !(self.new.is_empty() && self.returned.is_empty() && self.overdue.is_empty())
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
            && (audited.at - since).num_days() < i64::from(audited.stale_after_days) =>
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
