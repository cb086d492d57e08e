//! The gate: whether this run fails the job.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Serialize;

use super::memory::Memory;
use super::observation::Observation;
use crate::audit::Fingerprint;
use crate::model::inventory::AccountId;
use crate::report::Plain;

/// The most accounts that are named; the rest is counted.
const MOST_ACCOUNTS: usize = 50;

/// Which open findings fail a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FailOn {
    /// Those of level error that the queue does not hold.
    pub new: bool,
    /// Those of level error that stand for longer than they may.
    pub overdue: bool,
    /// All of level error.
    pub any: bool,
}

impl FailOn {
    /// Nothing fails.
    pub const NONE: Self = Self { new: false, overdue: false, any: false };
    /// What is new.
    pub const NEW: Self = Self { new: true, ..Self::NONE };

    /// Whether the queue must be known to tell.
    #[must_use]
    pub const fn needs_queue(self) -> bool {
        self.new || self.overdue
    }
}

/// What the gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Nothing of what was to fail the run is there.
    Passed,
    /// Something is.
    Failed,
    /// Nothing was to fail the run, or nobody can tell what is new.
    NotEvaluated,
}

impl Gate {
    /// The word of the output `gate`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotEvaluated => "not-evaluated",
        }
    }
}

/// The accounts that the queue state knows, and that this run neither audited nor knows as former
/// accounts. What the queue state says about them may be outdated, so the run is incomplete.
#[must_use]
pub fn unaudited(observation: &Observation, memory: &Memory) -> BTreeSet<AccountId> {
    let of_entries = memory.entries.values().map(|entry| entry.matter.account);
    let known = memory.audited.keys().copied().chain(of_entries);
    let is_unaudited = |account: &AccountId| {
        !observation.accounts.contains_key(account)
            && !observation.former_accounts.contains(account)
    };
    known.filter(is_unaudited).collect()
}

/// Some accounts by their ids, and how many more there are.
#[derive(Debug, Clone, Serialize)]
pub struct AccountList {
    count: usize,
    rows: Vec<Plain>,
    left_out: usize,
}

impl AccountList {
    /// At most 50 of these, or only their number where `names` may not be shown.
    #[must_use]
    pub fn of(accounts: &BTreeSet<AccountId>, names: bool) -> Self {
        let most = if names { MOST_ACCOUNTS } else { 0 };
        let rows: Vec<_> = accounts.iter().take(most).map(|id| Plain::account(*id)).collect();
        Self { count: accounts.len(), left_out: accounts.len() - rows.len(), rows }
    }
}

/// Findings of a run, counted and named by what the queue knows of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Open, of level error or warning.
    pub open: Vec<Fingerprint>,
    /// Open, of level error.
    pub errors: usize,
    /// Open, of level error, and not held by the queue: what the gate counts as new.
    pub new: Vec<Fingerprint>,
    /// Open, of level warning, and not held by the queue.
    pub new_warnings: usize,
    /// Open for longer than they may, as the queue counts.
    pub overdue: usize,
    /// Those of them of level error.
    pub overdue_errors: usize,
}

impl Standing {
    /// `memory` is the queue's before this run, `None` where there is no queue. Only what is open in
    /// it is known: a finding that was cleared, exempted or not counted and returns is new.
    /// `uncovered` are findings that this pull request brings back, by removing an exemption or by a
    /// stricter policy, or that only an outdated policy holds open: they are not new.
    #[must_use]
    pub fn of(
        observation: &Observation,
        memory: Option<&Memory>,
        uncovered: &BTreeSet<Fingerprint>,
        today: NaiveDate,
        remedy_within_days: u32,
    ) -> Self {
        let mut standing = Self::default();
        for (id, seen) in observation.findings.iter().filter(|(_, seen)| seen.needs_remedy()) {
            standing.open.push(*id);
            let entry = memory.and_then(|memory| memory.entries.get(id));
            let counts = seen.counts_for_gate();
            let is_open = entry.is_some_and(|entry| entry.open_since().is_some());
            let known = is_open || uncovered.contains(id);
            if !known && memory.is_some() {
                if counts {
                    standing.new.push(*id);
                } else {
                    standing.new_warnings += 1;
                }
            }
            let due = entry.and_then(|entry| entry.due(remedy_within_days));
            let is_overdue = due.is_some_and(|due| due < today);
            standing.errors += usize::from(counts);
            standing.overdue += usize::from(is_overdue);
            standing.overdue_errors += usize::from(is_overdue && counts);
        }
        standing
    }

    /// How many open findings of level error and warning the queue does not hold.
    #[must_use]
    pub const fn all_new(&self) -> usize {
        self.new.len() + self.new_warnings
    }

    /// What the gate says. Without a queue nobody knows what is new, unless a queue is required.
    #[must_use]
    pub fn gate(&self, fail_on: FailOn, has_queue: bool, require_queue: bool) -> Gate {
        let fails = (fail_on.any && self.errors > 0)
            || (fail_on.new && !self.new.is_empty())
            || (fail_on.overdue && self.overdue_errors > 0);
        if fails || (require_queue && fail_on.needs_queue() && !has_queue) {
            Gate::Failed
        } else if fail_on == FailOn::NONE || (fail_on.needs_queue() && !has_queue) {
            Gate::NotEvaluated
        } else {
            Gate::Passed
        }
    }
}
