//! The gate: whether this run fails the job.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::limited_list::LimitedList;
use super::observation::{Observation, ObservedFinding};
use super::state::QueueState;
use crate::audit::FindingId;
use crate::model::inventory::AccountId;
use crate::templates::SafeText;

/// The maximum number of accounts to name. Further accounts are counted.
const MAX_ACCOUNTS: usize = 50;

/// Which open findings fail a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each value of the list is on or off by itself")]
pub struct FailOn {
    /// Errors that are not in the queue.
    pub new: bool,
    /// Errors that are overdue.
    pub overdue: bool,
    /// All errors.
    pub any: bool,
    /// Errors that the pull request uncovers.
    pub uncovered: bool,
}

impl FailOn {
    /// No finding fails the run.
    pub const NONE: Self = Self { new: false, overdue: false, any: false, uncovered: false };
    /// New findings fail the run.
    pub const NEW: Self = Self { new: true, ..Self::NONE };

    /// Whether the queue state is needed to decide.
    #[must_use]
    pub const fn needs_queue(self) -> bool {
        self.new || self.overdue
    }
}

/// The result of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum Gate {
    /// There is no finding that fails the run.
    Passed,
    /// There are findings that fail the run.
    Failed,
    /// No finding was to fail the run, or it is unknown which are new.
    NotEvaluated,
}

impl Gate {
    /// The value of the output `gate`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.into_str()
    }
}

/// The accounts that the queue state knows, and that this run neither audited nor knows as former
/// accounts. What the queue state says about them may be outdated, so the run is incomplete.
#[must_use]
pub fn unaudited(observation: &Observation, queue_state: &QueueState) -> BTreeSet<AccountId> {
    let known = queue_state.audited.keys().copied().chain(queue_state.entries.accounts());
    let is_unaudited = |account: &AccountId| {
        !observation.accounts.contains_key(account)
            && !observation.former_accounts.contains(account)
    };
    known.filter(is_unaudited).collect()
}

/// At most 50 of these accounts, or only their number if `names` must not be shown.
#[must_use]
pub fn account_list(accounts: &BTreeSet<AccountId>, names: bool) -> LimitedList<SafeText> {
    let max_rows = if names { MAX_ACCOUNTS } else { 0 };
    LimitedList::new(accounts.iter(), max_rows, |id| SafeText::new(*id))
}

/// The findings of a run, counted by their state in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GateCounts {
    /// Open errors and warnings.
    pub open: Vec<FindingId>,
    /// Open errors.
    pub errors: usize,
    /// Open errors that are not in the queue: new for the gate.
    pub new: Vec<FindingId>,
    /// Open warnings that are not in the queue.
    pub new_warnings: usize,
    /// Overdue findings.
    pub overdue: usize,
    /// Overdue errors.
    pub overdue_errors: usize,
    /// Errors that the pull request uncovers.
    pub uncovered_errors: usize,
}

impl GateCounts {
    /// `queue_state` is the state before this run, `None` without a queue. A finding is known if it
    /// is open in the state; a finding that was cleared, exempted or not counted and returns is
    /// new. `uncovered` findings are not new: this pull request brings them back by removing an
    /// exemption or by a stricter policy, or only an outdated policy keeps them open.
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
            let entry =
                queue_state.and_then(|queue_state| queue_state.entries.get(seen.account, id));
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

    /// Counts the errors that the pull request uncovers. They are open in the observation.
    #[must_use]
    pub fn with_uncovered(
        self,
        uncovered: &BTreeSet<FindingId>,
        observation: &Observation,
    ) -> Self {
        let counts = |id: &&FindingId| {
            observation.findings.get(*id).is_some_and(ObservedFinding::counts_for_gate)
        };
        Self { uncovered_errors: uncovered.iter().filter(counts).count(), ..self }
    }

    /// The number of open errors and warnings that are not in the queue.
    #[must_use]
    pub const fn all_new(&self) -> usize {
        self.new.len() + self.new_warnings
    }

    /// What the gate says. Without a queue, nothing can be new or overdue, so it is not evaluated.
    #[must_use]
    pub fn evaluate(&self, fail_on: FailOn, has_queue: bool) -> Gate {
        let fails = (fail_on.any && self.errors > 0)
            || (fail_on.new && !self.new.is_empty())
            || (fail_on.overdue && self.overdue_errors > 0)
            || (fail_on.uncovered && self.uncovered_errors > 0);
        if fails {
            Gate::Failed
        } else if fail_on == FailOn::NONE || (fail_on.needs_queue() && !has_queue) {
            Gate::NotEvaluated
        } else {
            Gate::Passed
        }
    }
}
