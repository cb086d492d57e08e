//! The gate: which findings fail a job.

use super::*;
use std::collections::BTreeSet;

use iam_stocktake::queue::gate::{FailOn, Gate, GateCounts};
use iam_stocktake::queue::observation::Observation;
use iam_stocktake::queue::state::QueueState;

/// The counts of a run on August 5 with these findings, for a queue of July 1.
fn gate_counts(known: Option<&[Found]>, found: &[Found], uncovered: &[Found]) -> GateCounts {
    let queue_state = known.map(|known| {
        let mut harness = harness();
        harness.run("2026-07-01", &[Audit::on("2026-07-01", known)]);
        harness.queue_state()
    });
    of(queue_state.as_ref(), found, uncovered)
}

fn of(queue_state: Option<&QueueState>, found: &[Found], uncovered: &[Found]) -> GateCounts {
    let observation =
        Observation::of(&[Audit::on("2026-08-05", found).0], on("2026-08-05")).unwrap();
    let uncovered: BTreeSet<_> = uncovered.iter().map(Found::id).collect();
    GateCounts::of(&observation, queue_state, &uncovered, on("2026-08-05").date_naive(), 30)
        .with_uncovered(&uncovered, &observation)
}

const ANY: FailOn = FailOn { any: true, ..FailOn::NONE };
const OVERDUE: FailOn = FailOn { overdue: true, ..FailOn::NONE };
const NEW_OR_OVERDUE: FailOn = FailOn { overdue: true, ..FailOn::NEW };

#[test]
fn gate_depends_on_fail_on_and_the_queue() {
    use Gate::{Failed, NotEvaluated, Passed};
    let clean = gate_counts(Some(&[]), &[], &[]);
    let new = gate_counts(Some(&[]), &[password("alice")], &[]);
    let overdue = gate_counts(Some(&[password("alice")]), &[password("alice")], &[]);
    let unknown = gate_counts(None, &[password("alice")], &[]);
    let warning = gate_counts(Some(&[]), &[password("alice").level("warning")], &[]);
    let table: [(&str, &GateCounts, bool, [Gate; 5]); 6] = [
        // none, new, overdue, new or overdue, any
        ("clean", &clean, true, [NotEvaluated, Passed, Passed, Passed, Passed]),
        ("new", &new, true, [NotEvaluated, Failed, Passed, Failed, Failed]),
        ("overdue", &overdue, true, [NotEvaluated, Passed, Failed, Failed, Failed]),
        ("a warning", &warning, true, [NotEvaluated, Passed, Passed, Passed, Passed]),
        (
            "no queue",
            &unknown,
            false,
            [NotEvaluated, NotEvaluated, NotEvaluated, NotEvaluated, Failed],
        ),
        (
            "no queue, clean",
            &clean,
            false,
            [NotEvaluated, NotEvaluated, NotEvaluated, NotEvaluated, Passed],
        ),
    ];
    let fail_on = [FailOn::NONE, FailOn::NEW, OVERDUE, NEW_OR_OVERDUE, ANY];
    for (what, gate_counts, has_queue, expected) in table {
        let gate = |fail_on: FailOn| gate_counts.evaluate(fail_on, has_queue);
        assert_eq!(fail_on.map(gate), expected, "{what}");
    }
}

#[test]
fn warnings_are_counted_but_do_not_fail_the_gate() {
    let warning = password("alice").level("warning");
    let gate_counts =
        gate_counts(Some(std::slice::from_ref(&warning)), &[warning.clone(), password("bob")], &[]);
    assert_eq!((gate_counts.open.len(), gate_counts.errors), (2, 1));
    assert_eq!((gate_counts.new.as_slice(), gate_counts.overdue), (&[password("bob").id()][..], 1));
    assert_eq!(gate_counts.evaluate(OVERDUE, true), Gate::Passed);
}

#[test]
fn notices_exempted_and_unknown_findings_are_not_open() {
    let found = [
        password("alice").level("notice"),
        password("bob").exempted(),
        password("carol").unknown(),
    ];
    let gate_counts = gate_counts(Some(&[]), &found, &[]);
    assert_eq!((gate_counts.open.len(), gate_counts.errors, gate_counts.new.len()), (0, 0, 0));
}

#[test]
fn resolved_findings_that_return_are_new() {
    let alice = password("alice");
    let resolved: [&[Found]; 3] =
        [&[], &[alice.clone().exempted()], &[alice.clone().level("notice")]];
    for next in resolved {
        let mut harness = harness();
        harness.run("2026-07-01", &[Audit::on("2026-07-01", std::slice::from_ref(&alice))]);
        harness.run("2026-07-02", &[Audit::on("2026-07-02", next)]);
        let returned = std::slice::from_ref(&alice);
        let gate_counts = of(Some(&harness.queue_state()), returned, &[]);
        assert_eq!((gate_counts.errors, gate_counts.new.len(), gate_counts.overdue), (1, 1, 0));
        assert_eq!(gate_counts.evaluate(FailOn::NEW, true), Gate::Failed);
        // It is not new if the pull request brings it back.
        let gate_counts = of(Some(&harness.queue_state()), returned, returned);
        assert_eq!((gate_counts.errors, gate_counts.new.len()), (1, 0));
    }
}

#[test]
fn findings_that_a_pull_request_uncovers_are_not_new() {
    let alice = password("alice");
    let gate_counts =
        gate_counts(Some(&[]), std::slice::from_ref(&alice), std::slice::from_ref(&alice));
    assert_eq!((gate_counts.errors, gate_counts.new.len()), (1, 0));
    assert_eq!(gate_counts.evaluate(FailOn::NEW, true), Gate::Passed);
}

#[test]
fn uncovered_fails_only_on_errors_that_the_pull_request_brings_back() {
    let (alice, warning) = (password("alice"), password("bob").level("warning"));
    let uncovered = FailOn { uncovered: true, ..FailOn::NONE };
    let gate = |found: &[Found], back: &[Found], has_queue: bool| {
        gate_counts(has_queue.then_some(&[]), found, back).evaluate(uncovered, has_queue)
    };
    let (one, of_warning) = (std::slice::from_ref(&alice), std::slice::from_ref(&warning));
    for has_queue in [true, false] {
        assert_eq!(gate(one, one, has_queue), Gate::Failed);
        // A new finding that the pull request has nothing to do with.
        assert_eq!(gate(one, &[], has_queue), Gate::Passed);
        assert_eq!(gate(of_warning, of_warning, has_queue), Gate::Passed);
    }
}

#[test]
fn findings_are_overdue_after_the_due_date() {
    let mut harness = harness();
    let alice = password("alice");
    harness.run("2026-07-06", &[Audit::on("2026-07-06", std::slice::from_ref(&alice))]);
    let overdue = |harness: &Harness| {
        of(Some(&harness.queue_state()), std::slice::from_ref(&alice), &[]).overdue
    };
    // 30 days before August 5.
    assert_eq!(overdue(&harness), 0);
    let mut earlier = Harness::new(Language::English, false);
    earlier.run("2026-07-05", &[Audit::on("2026-07-05", std::slice::from_ref(&alice))]);
    assert_eq!(overdue(&earlier), 1);
}

#[test]
fn gate_ids_match_the_documentation() {
    let words = [Gate::Passed, Gate::Failed, Gate::NotEvaluated].map(Gate::id);
    assert_eq!(words, ["passed", "failed", "not-evaluated"]);
}
