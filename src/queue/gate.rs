//! The gate: whether this run fails the job.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Serialize;

use super::observation::Observation;
use super::state::QueueState;
use crate::audit::FindingId;
use crate::model::inventory::AccountId;
use crate::templates::SafeText;

/// The most accounts that are named; the rest is counted.
const MAX_ACCOUNTS: usize = 50;

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
pub fn unaudited(observation: &Observation, queue_state: &QueueState) -> BTreeSet<AccountId> {
    let of_entries = queue_state.entries.values().map(|entry| entry.finding.account);
    let known = queue_state.audited.keys().copied().chain(of_entries);
    let is_unaudited = |account: &AccountId| {
        !observation.accounts.contains_key(account)
            && !observation.former_accounts.contains(account)
    };
    known.filter(is_unaudited).collect()
}

/// Some accounts by their ids, and how many more there are.
#[derive(Debug, Clone, Serialize)]
pub struct AccountListView {
    count: usize,
    rows: Vec<SafeText>,
    left_out: usize,
}

impl AccountListView {
    /// At most 50 of these, or only their number where `names` may not be shown.
    #[must_use]
    pub fn of(accounts: &BTreeSet<AccountId>, names: bool) -> Self {
        let most = if names { MAX_ACCOUNTS } else { 0 };
        let rows: Vec<_> = accounts.iter().take(most).map(|id| SafeText::new(*id)).collect();
        Self { count: accounts.len(), left_out: accounts.len() - rows.len(), rows }
    }
}

/// Findings of a run, counted and named by what the queue knows of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GateCounts {
    /// Open, of level error or warning.
    pub open: Vec<FindingId>,
    /// Open, of level error.
    pub errors: usize,
    /// Open, of level error, and not held by the queue: what the gate counts as new.
    pub new: Vec<FindingId>,
    /// Open, of level warning, and not held by the queue.
    pub new_warnings: usize,
    /// Open for longer than they may, as the queue counts.
    pub overdue: usize,
    /// Those of them of level error.
    pub overdue_errors: usize,
}

impl GateCounts {
    /// `queue_state` is the queue's before this run, `None` where there is no queue. Only what is open in
    /// it is known: a finding that was cleared, exempted or not counted and returns is new.
    /// `uncovered` are findings that this pull request brings back, by removing an exemption or by a
    /// stricter policy, or that only an outdated policy holds open: they are not new.
    #[must_use]
    pub fn of(
        observation: &Observation,
        queue_state: Option<&QueueState>,
        uncovered: &BTreeSet<FindingId>,
        today: NaiveDate,
        due_within_days: u32,
    ) -> Self {
        let mut gate_counts = Self::default();
        for (id, seen) in observation.findings.iter().filter(|(_, seen)| seen.needs_remediation()) {
            gate_counts.open.push(*id);
            let entry = queue_state.and_then(|queue_state| queue_state.entries.get(id));
            let counts = seen.counts_for_gate();
            let is_open = entry.is_some_and(|entry| entry.open_since().is_some());
            let known = is_open || uncovered.contains(id);
            if !known && queue_state.is_some() {
                if counts {
                    gate_counts.new.push(*id);
                } else {
                    gate_counts.new_warnings += 1;
                }
            }
            let due = entry.and_then(|entry| entry.due(due_within_days));
            let is_overdue = due.is_some_and(|due| due < today);
            gate_counts.errors += usize::from(counts);
            gate_counts.overdue += usize::from(is_overdue);
            gate_counts.overdue_errors += usize::from(is_overdue && counts);
        }
        gate_counts
    }

    /// How many open findings of level error and warning the queue does not hold.
    #[must_use]
    pub const fn all_new(&self) -> usize {
        self.new.len() + self.new_warnings
    }

    /// What the gate says. Without a queue, nothing can be new or overdue, so it is not evaluated.
    #[must_use]
    pub fn evaluate(&self, fail_on: FailOn, has_queue: bool) -> Gate {
        let fails = (fail_on.any && self.errors > 0)
            || (fail_on.new && !self.new.is_empty())
            || (fail_on.overdue && self.overdue_errors > 0);
        if fails {
            Gate::Failed
        } else if fail_on == FailOn::NONE || (fail_on.needs_queue() && !has_queue) {
            Gate::NotEvaluated
        } else {
            Gate::Passed
        }
    }
}
