//! Which issue is the queue issue, which state belongs to it, and the limits of a state.

use super::state::{damage, first_line, with_body, with_two_findings};
use super::*;
use iam_stocktake::model::inventory::AccountId;
use iam_stocktake::queue::markers::{self, StateBlock};
use iam_stocktake::queue::observation::{InvalidAudit, Observation};
use iam_stocktake::queue::remediation_progress::{NameList, UserResources};
use iam_stocktake::queue::snapshot::QueueSnapshot;
use iam_stocktake::queue::state::{InvalidQueueState, QueueEntry, QueueState};

// The number in the label

#[test]
fn label_description_names_one_issue_or_none() {
    let number = |text: &str| markers::queue_number(Some(text));
    assert_eq!(markers::queue_number(None), Ok(None));
    let longest = markers::label_description(u64::MAX);
    assert!(longest.len() <= 100, "GitHub takes no more: {longest}");
    assert_eq!(number(&longest), Ok(Some(u64::MAX)));
    for text in ["", "IAM credentials that nobody uses", "C# and # alone", "12"] {
        assert_eq!(number(text), Ok(None), "{text}");
    }
    for text in ["#12", "our queue (#12)", "issue #12."] {
        assert_eq!(number(text), Ok(Some(12)), "{text}");
    }
    for text in ["#0", "#12 and #13", "#12#12", "#18446744073709551616"] {
        assert_eq!(number(text), Err(InvalidQueueState::Label), "{text}");
    }
}

/// The snapshot of a queue whose label names issue 1, after a change.
fn numbered(prepare: impl FnOnce(&mut Harness)) -> QueueSnapshot {
    let mut harness = with_two_findings();
    assert_eq!(harness.snapshot().number, Some(1));
    assert!(harness.snapshot().queue_state().unwrap().is_some());
    prepare(&mut harness);
    harness.snapshot()
}

#[test]
fn unreadable_queue_issue_in_the_label_is_damage() {
    let without_first_line = numbered(|harness| {
        let body = harness.queue_issue().body.clone();
        let (_, rest) = body.split_once('\n').unwrap();
        rest.clone_into(&mut harness.queue_issue().body);
    });
    assert_eq!(damage(&without_first_line), InvalidQueueState::MissingMarker);
    assert_eq!(
        damage(&numbered(|harness| harness.queue_issue().body.clear())),
        InvalidQueueState::MissingMarker
    );
    assert_eq!(
        damage(&numbered(|harness| _ = harness.tracker.issues.remove(&1))),
        InvalidQueueState::IssueNotFound
    );
    let emptied = numbered(|harness| {
        let empty = QueueState::new(on("2026-07-01").date_naive()).pack();
        let block = StateBlock::new(&empty, Vec::new(), Vec::new());
        harness.queue_issue().body =
            format!("{}\n\n{}", first_line(&harness.snapshot()), block.written());
    });
    assert_eq!(damage(&emptied), InvalidQueueState::Empty);
}

#[test]
fn other_issues_do_not_replace_the_one_in_the_label() {
    // Another issue with the same body and a lower or higher number.
    for number in [0, 7] {
        let snapshot = numbered(|harness| {
            let mut copy = harness.tracker.issues[&1].clone();
            copy.shown.number = number;
            harness.tracker.issues.insert(number, copy);
        });
        assert_eq!(snapshot.queue_issue.as_ref().map(|queue_issue| queue_issue.number), Some(1));
        assert!(snapshot.queue_state().unwrap().is_some());
        let snapshot = numbered(|harness| {
            let mut copy = harness.tracker.issues.remove(&1).unwrap();
            copy.shown.number = number;
            harness.tracker.issues.insert(number, copy);
        });
        assert_eq!(
            (damage(&snapshot), snapshot.queue_issue, snapshot.duplicates),
            (InvalidQueueState::IssueNotFound, None, vec![])
        );
    }
}

// Forged states

#[test]
fn state_names_its_issue_and_run_and_is_invalid_elsewhere() {
    let harness = with_two_findings();
    let queue_state = harness.queue_state();
    assert_eq!((queue_state.issue, queue_state.run.as_deref()), (Some(1), Some(tracker::RUN)));
    // An older issue with a copied body, before the label names an issue.
    let mut harness = harness;
    harness.tracker.numbers.clear();
    let mut copy = harness.tracker.issues.remove(&1).unwrap();
    copy.shown.number = 5;
    harness.tracker.issues.insert(5, copy);
    let run = Some(tracker::RUN.to_owned());
    let elsewhere = damage(&harness.snapshot());
    assert_eq!(elsewhere, InvalidQueueState::OtherIssue { issue: Some(1), run });
    assert!(elsewhere.to_string().contains("issue #1 and was written by https://github.example/"));
}

#[test]
fn impossible_generation_is_damage() {
    let whole = |generation: u64| {
        let queue_state = QueueState {
            generation,
            issue: Some(1),
            ..QueueState::new(on("2026-07-01").date_naive())
        };
        let block = StateBlock::new(&queue_state.pack(), Vec::new(), Vec::new());
        let harness = with_two_findings();
        with_body(&harness, |_| {
            format!("{}\n\n{}", first_line(&harness.snapshot()), block.written())
        })
    };
    assert_eq!(damage(&whole(u64::MAX)), InvalidQueueState::Generation(u64::MAX));
    assert!(whole(1 << 53).queue_state().unwrap().is_some());
    let mut last =
        QueueState { generation: u64::MAX, ..QueueState::new(on("2026-07-01").date_naive()) };
    last.advance_generation();
    assert_eq!(last.generation, u64::MAX, "it never starts again");
}

#[test]
fn texts_are_limited_before_they_are_written() {
    let long = "x".repeat(100_000);
    let mut harness = harness_per_user();
    let found = [password("alice").owner(&long), access_key("bob")];
    let audit = |day: &str| Audit::on(day, &found).alias(&long);
    harness.run("2026-07-01", &[audit("2026-07-01")]);
    let queue_state = harness.queue_state();
    let longest = queue_state
        .aliases
        .values()
        .chain(queue_state.entries.values().filter_map(|entry| entry.finding.owner.as_ref()));
    assert_eq!(longest.map(String::len).max(), Some(256));
    // A cut text causes no further changes.
    assert_eq!(harness.run("2026-07-02", &[audit("2026-07-02")]).plan, NOTHING);
    // User names identify users, so they are not cut.
    let audit = Audit::on("2026-07-03", &[password(&"n".repeat(513))]);
    let refused = Observation::of(&[audit.0], on("2026-07-03")).unwrap_err();
    assert_eq!(refused, (0, InvalidAudit::NameTooLong(513)));
    Observation::of(&[Audit::on("2026-07-03", &[password(&"n".repeat(512))]).0], on("2026-07-03"))
        .unwrap();
}

#[test]
fn state_with_a_text_or_list_over_the_limit_is_damage() {
    let long = "x".repeat(513);
    let with = |change: &dyn Fn(&mut QueueState)| {
        let mut queue_state = with_two_findings().queue_state();
        change(&mut queue_state);
        queue_state
    };
    let entry = |change: fn(&mut QueueEntry, &str)| {
        let long = long.clone();
        with(&move |queue_state| change(queue_state.entries.values_mut().next().unwrap(), &long))
    };
    let account: AccountId = ACCOUNT.parse().unwrap();
    let user_resources = |names: Vec<String>| {
        let groups = NameList { names, more: 0 };
        with(&|queue_state| {
            let has = UserResources { groups: groups.clone(), ..UserResources::default() };
            queue_state.user_resources.insert(account, "alice".to_owned(), has);
        })
    };
    for (name, queue_state) in [
        ("run", with(&|queue_state| queue_state.run = Some(long.clone()))),
        ("alias", with(&|queue_state| _ = queue_state.aliases.insert(account, long.clone()))),
        ("user", entry(|entry, long| entry.finding.user = long.to_owned())),
        ("owner", entry(|entry, long| entry.finding.owner = Some(long.to_owned()))),
        ("id", entry(|entry, long| entry.finding.id_ending = Some(long.to_owned()))),
        (
            "criteria",
            with(&|queue_state| {
                queue_state.observed.values_mut().for_each(|it| it.criteria.clone_from(&long));
            }),
        ),
        ("group", user_resources(vec![long.clone()])),
        ("groups", user_resources(vec!["g".to_owned(); 21])),
        (
            "user of the resources",
            with(&|queue_state| {
                queue_state.user_resources.insert(account, long.clone(), UserResources::default());
            }),
        ),
    ] {
        assert!(!queue_state.fits(), "{name}");
        assert_eq!(
            QueueState::unpack(&queue_state.pack()),
            Err(InvalidQueueState::TooLong),
            "{name}"
        );
    }
    assert!(with_two_findings().queue_state().fits());
}

#[test]
fn state_over_the_maximum_size_does_not_fit() {
    let mut queue_state = with_two_findings().queue_state();
    let (account, _, entry) = queue_state.entries.iter().next().unwrap();
    let entry = entry.clone();
    // 64 MB of JSON, the maximum.
    for id in 0..300_000_u64 {
        let mut entry = entry.clone();
        entry.finding.owner = Some("o".repeat(256));
        queue_state.entries.insert(account, format!("{id:016x}").parse().unwrap(), entry);
    }
    assert!(!queue_state.fits());
    assert_eq!(QueueState::unpack(&queue_state.pack()), Err(InvalidQueueState::Unreadable));
}
