//! What a new observation makes of the queue's memory.
//!
//! A finding that is gone is not remedied by that alone: cleared is what a newer observation, in
//! which its rule was complete, did not find although it would have.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::gate::unaudited;
use super::observation::{FindingRef, Observation, ObservedAccount, ObservedFinding};
use super::state::{FindingState, QueueEntry, QueueState, RuleObservation};
use crate::audit::{Coverage, DayCount, FindingId, FindingStatus, ReferenceKind};
use crate::model::inventory::AccountId;
use crate::model::policy::{Level, Rule};

/// The user whom an issue of their own is about: the account, and the name in lower case.
pub type UserKey = (AccountId, String);

/// The user of a finding.
#[must_use]
pub fn user_key_of(finding: &FindingRef) -> UserKey {
    (finding.account, finding.user.to_ascii_lowercase())
}

/// When people closed issues as not planned, so that what was listed then is acknowledged, and
/// which of those they have opened again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManualClosures {
    /// The index.
    pub queue_issue: Option<DateTime<Utc>>,
    /// Issues of single users.
    pub users: BTreeMap<UserKey, DateTime<Utc>>,
    /// The index is open again, though nothing but what is acknowledged stands.
    pub queue_issue_reopened: bool,
    /// So are the issues of these users.
    pub users_reopened: BTreeSet<UserKey>,
}

/// The memory as it is to be, and what has happened since it was written last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueUpdate {
    /// As it is to be; its generation is still the last one's.
    pub queue_state: QueueState,
    /// When the audits were made, the newest of them.
    pub at: DateTime<Utc>,
    /// Findings that the queue did not hold, the longest disuse first.
    pub new: Vec<FindingId>,
    /// Findings that were settled and are back.
    pub returned: Vec<FindingId>,
    /// Findings that have become overdue.
    pub overdue: Vec<FindingId>,
    /// Findings that were remedied.
    pub cleared: Vec<FindingId>,
    /// Findings that an exemption has come to cover, or that the policy asks for no longer.
    pub dismissed: Vec<FindingId>,
    /// The rules whose evidence could not be had this time: nothing is closed on the strength of it.
    pub incomplete: BTreeSet<(AccountId, Rule)>,
    /// Accounts that the queue state knows and this run did not audit.
    pub unaudited: BTreeSet<AccountId>,
    /// Accounts that are no longer audited, on purpose.
    pub former_accounts: BTreeSet<AccountId>,
}

/// The evidence of the audits is older than what the queue knows already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the evidence in the audit of account {account} is of {at}, and the queue knows of a newer \
     one, of {newest}"
)]
pub struct OutdatedEvidence {
    /// The account.
    pub account: AccountId,
    /// The date of the audit's evidence.
    pub at: DateTime<Utc>,
    /// The moment that the queue knows of.
    pub newest: DateTime<Utc>,
}

/// Brings the memory up to an observation. `today` is the day of the run; a finding that stands for
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

/// The longest disuse first; the rest makes the order total.
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
    /// What was listed when a person closed the issue as not planned is acknowledged, until a person
    /// opens the issue again.
    fn acknowledge(&mut self, closures: &ManualClosures) {
        for entry in self.queue_state.entries.values_mut() {
            let user_key = user_key_of(&entry.finding);
            let FindingState::Open { since, acknowledged, .. } = &mut entry.state else { continue };
            let listed = |closed: &DateTime<Utc>| *since <= closed.date_naive();
            let by_person = closures.users.get(&user_key).is_some_and(listed);
            let by_index = closures.queue_issue.as_ref().is_some_and(listed);
            let reopened =
                closures.queue_issue_reopened || closures.users_reopened.contains(&user_key);
            *acknowledged = by_person || (!reopened && (*acknowledged || by_index));
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
                // By which terms it was found is forgotten, and other terms may not show it.
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

    /// What was found in a former account is not counted any more, and not waited for.
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

    /// Whether nothing is missing, and nothing is looked away from, so that a queue in which nothing
    /// is open is done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let is_ignored = |entry: &QueueEntry| {
            entry.is_not_counted() && !self.former_accounts.contains(&entry.finding.account)
        };
        self.incomplete.is_empty()
            && self.unaudited.is_empty()
            && !self.queue_state.entries.values().any(is_ignored)
    }

    /// What a user has is known as it was seen last, and of interest while something stands.
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
            // Evidence whose age is a problem must not outdate other evidence.
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
                    // A rule that is off is not waited for.
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
            // What is acknowledged is overdue too, and nobody wants to hear of it.
            if is_overdue && !*overdue_reported && !*acknowledged {
                self.overdue.push(*id);
            }
            // It may have got more time since it was told.
            *overdue_reported = is_overdue;
        }
    }

    /// Whether something has happened that people are to be told of.
    #[must_use]
    pub const fn has_reportable_changes(&self) -> bool {
        !(self.new.is_empty() && self.returned.is_empty() && self.overdue.is_empty())
    }
}

const fn open_state(today: NaiveDate) -> FindingState {
    FindingState::Open { since: today, acknowledged: false, overdue_reported: false }
}

impl QueueEntry {
    /// Takes in how the finding was seen; the state, if it is another now.
    fn record(&mut self, seen: &ObservedFinding, today: NaiveDate) -> Option<FindingState> {
        // Nobody knows: it stays what it was, and as it was seen when it could be judged.
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

/// Why a finding is not there.
enum AbsenceReason {
    /// It would have been found.
    Cleared,
    /// The policy asks for it no longer.
    NotCounted,
    /// Nobody can say.
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
    let same_terms = known.is_none_or(|known| known.criteria == criteria);
    match finding.reference {
        // Its date alone is too young for today's threshold, whatever has become of it.
        Some((
            ReferenceKind::LastUsed | ReferenceKind::NeverUsedSince | ReferenceKind::Created,
            since,
        )) if counts_days(finding.rule)
            && (audited.at - since).num_days() < i64::from(audited.stale_after_days) =>
        {
            AbsenceReason::NotCounted
        }
        _ if counts_days(finding.rule) || same_terms => AbsenceReason::Cleared,
        _ => AbsenceReason::NotCounted,
    }
}

/// Whether `stale_after_days` decides what the rule finds.
fn counts_days(rule: Rule) -> bool {
    rule.day_count() == DayCount::StaleAfterDays
}
