//! The gate: what fails a job.

use super::*;
use std::collections::BTreeSet;

use iam_stocktake::queue::gate::{FailOn, Gate, GateCounts};
use iam_stocktake::queue::observation::Observation;
use iam_stocktake::queue::state::QueueState;

/// How a run of the fifth of August stands: its findings, to a queue of the first of July.
fn gate_counts(known: Option<&[Found]>, found: &[Found], uncovered: &[Found]) -> GateCounts {
    let queue_state = known.map(|known| {
        let mut desk = desk();
        desk.run("2026-07-01", &[Audit::on("2026-07-01", known)]);
        desk.queue_state()
    });
    of(queue_state.as_ref(), found, uncovered)
}

fn of(queue_state: Option<&QueueState>, found: &[Found], uncovered: &[Found]) -> GateCounts {
    let observation =
        Observation::of(&[Audit::on("2026-08-05", found).0], on("2026-08-05")).unwrap();
    let uncovered: BTreeSet<_> = uncovered.iter().map(Found::id).collect();
    GateCounts::of(&observation, queue_state, &uncovered, on("2026-08-05").date_naive(), 30)
}

const ANY: FailOn = FailOn { any: true, ..FailOn::NONE };
const OVERDUE: FailOn = FailOn { overdue: true, ..FailOn::NONE };
const NEW_OR_OVERDUE: FailOn = FailOn { overdue: true, ..FailOn::NEW };

#[test]
fn the_gate_goes_by_what_is_to_fail_and_by_what_the_queue_knows() {
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
fn warnings_are_counted_as_open_and_overdue_and_fail_nothing() {
    let warning = password("alice").level("warning");
    let gate_counts =
        gate_counts(Some(std::slice::from_ref(&warning)), &[warning.clone(), password("bob")], &[]);
    assert_eq!((gate_counts.open.len(), gate_counts.errors), (2, 1));
    assert_eq!((gate_counts.new.as_slice(), gate_counts.overdue), (&[password("bob").id()][..], 1));
    assert_eq!(gate_counts.evaluate(OVERDUE, true), Gate::Passed);
}

#[test]
fn notices_exempted_and_unknown_findings_do_not_stand() {
    let found = [
        password("alice").level("notice"),
        password("bob").exempted(),
        password("carol").unknown(),
    ];
    let gate_counts = gate_counts(Some(&[]), &found, &[]);
    assert_eq!((gate_counts.open.len(), gate_counts.errors, gate_counts.new.len()), (0, 0, 0));
}

#[test]
fn a_finding_that_was_settled_and_returns_is_new() {
    let alice = password("alice");
    let gone: [&[Found]; 3] = [&[], &[alice.clone().exempted()], &[alice.clone().level("notice")]];
    for next in gone {
        let mut desk = desk();
        desk.run("2026-07-01", &[Audit::on("2026-07-01", std::slice::from_ref(&alice))]);
        desk.run("2026-07-02", &[Audit::on("2026-07-02", next)]);
        let returned = std::slice::from_ref(&alice);
        let gate_counts = of(Some(&desk.queue_state()), returned, &[]);
        assert_eq!((gate_counts.errors, gate_counts.new.len(), gate_counts.overdue), (1, 1, 0));
        assert_eq!(gate_counts.evaluate(FailOn::NEW, true), Gate::Failed);
        // Not where the pull request itself brings it back.
        let gate_counts = of(Some(&desk.queue_state()), returned, returned);
        assert_eq!((gate_counts.errors, gate_counts.new.len()), (1, 0));
    }
}

#[test]
fn what_a_pull_request_uncovers_is_not_new() {
    let alice = password("alice");
    let gate_counts =
        gate_counts(Some(&[]), std::slice::from_ref(&alice), std::slice::from_ref(&alice));
    assert_eq!((gate_counts.errors, gate_counts.new.len()), (1, 0));
    assert_eq!(gate_counts.evaluate(FailOn::NEW, true), Gate::Passed);
}

#[test]
fn a_finding_is_overdue_once_it_is_open_for_more_than_its_days() {
    let mut desk = desk();
    let alice = password("alice");
    desk.run("2026-07-06", &[Audit::on("2026-07-06", std::slice::from_ref(&alice))]);
    let overdue =
        |desk: &Desk| of(Some(&desk.queue_state()), std::slice::from_ref(&alice), &[]).overdue;
    // Thirty days to the fifth of August.
    assert_eq!(overdue(&desk), 0);
    let mut earlier = Desk::new(Language::English, false);
    earlier.run("2026-07-05", &[Audit::on("2026-07-05", std::slice::from_ref(&alice))]);
    assert_eq!(overdue(&earlier), 1);
}

#[test]
fn the_words_of_the_output_are_those_of_the_documentation() {
    let words = [Gate::Passed, Gate::Failed, Gate::NotEvaluated].map(Gate::id);
    assert_eq!(words, ["passed", "failed", "not-evaluated"]);
}
