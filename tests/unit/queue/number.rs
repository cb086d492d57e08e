//! Which issue is the queue and whose memory it holds, and what a memory never holds.

use super::memory::{busy, damage, first_line, with_body};
use super::*;
use iam_stocktake::queue::board::Board;
use iam_stocktake::queue::markers::{self, MemoryBlock};
use iam_stocktake::queue::memory::{Damage, Entry, Memory};
use iam_stocktake::queue::observation::{Observation, Unusable};
use iam_stocktake::queue::progress::{Belongings, Names};

// The number in the label

#[test]
fn the_description_of_the_label_names_one_issue_or_none() {
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
        assert_eq!(number(text), Err(Damage::Label), "{text}");
    }
}

/// The board of a queue whose label names issue 1, after something befell it.
fn numbered(befall: impl FnOnce(&mut Desk)) -> Board {
    let mut desk = busy();
    assert_eq!(desk.board().number, Some(1));
    assert!(desk.board().memory().unwrap().is_some());
    befall(&mut desk);
    desk.board()
}

#[test]
fn a_queue_that_the_label_names_is_damaged_by_whatever_makes_it_unreadable() {
    let without_first_line = numbered(|desk| {
        let body = desk.index().body.clone();
        let (_, rest) = body.split_once('\n').unwrap();
        rest.clone_into(&mut desk.index().body);
    });
    assert_eq!(damage(&without_first_line), Damage::Unmarked);
    assert_eq!(damage(&numbered(|desk| desk.index().body.clear())), Damage::Unmarked);
    assert_eq!(damage(&numbered(|desk| _ = desk.tracker.issues.remove(&1))), Damage::Gone);
    let emptied = numbered(|desk| {
        let empty = Memory::new(on("2026-07-01").date_naive()).pack();
        let block = MemoryBlock::new(&empty, Vec::new(), Vec::new());
        desk.index().body = format!("{}\n\n{}", first_line(&desk.board()), block.written());
    });
    assert_eq!(damage(&emptied), Damage::Empty);
}

#[test]
fn no_other_issue_stands_in_for_the_one_that_the_label_names() {
    // Another issue with the whole body, of a lower or a higher number.
    for number in [0, 7] {
        let board = numbered(|desk| {
            let mut copy = desk.tracker.issues[&1].clone();
            copy.shown.number = number;
            desk.tracker.issues.insert(number, copy);
        });
        assert_eq!(board.index.as_ref().map(|index| index.number), Some(1));
        assert!(board.memory().unwrap().is_some());
        let board = numbered(|desk| {
            let mut copy = desk.tracker.issues.remove(&1).unwrap();
            copy.shown.number = number;
            desk.tracker.issues.insert(number, copy);
        });
        assert_eq!((damage(&board), board.index, board.twins), (Damage::Gone, None, vec![]));
    }
}

// A memory that was made by somebody

#[test]
fn a_memory_names_its_issue_and_run_and_opens_nowhere_else() {
    let desk = busy();
    let memory = desk.memory();
    assert_eq!((memory.issue, memory.run.as_deref()), (Some(1), Some(tracker::RUN)));
    // An older issue with a copied body, before any label names the queue.
    let mut desk = desk;
    desk.tracker.numbers.clear();
    let mut copy = desk.tracker.issues.remove(&1).unwrap();
    copy.shown.number = 5;
    desk.tracker.issues.insert(5, copy);
    let run = Some(tracker::RUN.to_owned());
    let elsewhere = damage(&desk.board());
    assert_eq!(elsewhere, Damage::Elsewhere { issue: Some(1), run });
    assert!(elsewhere.to_string().contains("issue #1 and was written by https://github.example/"));
}

#[test]
fn a_generation_that_cannot_be_reached_is_damage() {
    let whole = |generation: u64| {
        let memory =
            Memory { generation, issue: Some(1), ..Memory::new(on("2026-07-01").date_naive()) };
        let block = MemoryBlock::new(&memory.pack(), Vec::new(), Vec::new());
        let desk = busy();
        with_body(&desk, |_| format!("{}\n\n{}", first_line(&desk.board()), block.written()))
    };
    assert_eq!(damage(&whole(u64::MAX)), Damage::Generation(u64::MAX));
    assert!(whole(1 << 53).memory().unwrap().is_some());
    let mut last = Memory { generation: u64::MAX, ..Memory::new(on("2026-07-01").date_naive()) };
    last.advance_generation();
    assert_eq!(last.generation, u64::MAX, "it never starts again");
}

#[test]
fn texts_are_bounded_before_they_are_written() {
    let long = "x".repeat(100_000);
    let mut desk = desk_per_user();
    let found = [password("alice").owner(&long), access_key("bob")];
    let audit = |day: &str| Audit::on(day, &found).alias(&long);
    desk.run("2026-07-01", &[audit("2026-07-01")]);
    let memory = desk.memory();
    let longest = memory
        .aliases
        .values()
        .chain(memory.entries.values().filter_map(|entry| entry.matter.owner.as_ref()));
    assert_eq!(longest.map(String::len).max(), Some(256));
    // What is cut stays cut: nothing is written again for it.
    assert_eq!(desk.run("2026-07-02", &[audit("2026-07-02")]).plan, NOTHING);
    // A name is what a user is known by, and is not cut.
    let audit = Audit::on("2026-07-03", &[password(&"n".repeat(513))]);
    let refused = Observation::of(&[audit.0], on("2026-07-03")).unwrap_err();
    assert_eq!(refused, (0, Unusable::LongName(513)));
    Observation::of(&[Audit::on("2026-07-03", &[password(&"n".repeat(512))]).0], on("2026-07-03"))
        .unwrap();
}

#[test]
fn a_memory_with_a_text_or_a_list_that_is_never_written_is_damage() {
    let long = "x".repeat(513);
    let with = |change: &dyn Fn(&mut Memory)| {
        let mut memory = busy().memory();
        change(&mut memory);
        memory
    };
    let entry = |change: fn(&mut Entry, &str)| {
        let long = long.clone();
        with(&move |memory| change(memory.entries.values_mut().next().unwrap(), &long))
    };
    let alice = (ACCOUNT.parse().unwrap(), "alice".to_owned());
    let belongings = |names: Vec<String>| {
        let groups = Names { names, more: 0 };
        with(&|memory| {
            let has = Belongings { groups: groups.clone(), ..Belongings::default() };
            memory.belongings.insert(alice.clone(), has);
        })
    };
    for (name, memory) in [
        ("run", with(&|memory| memory.run = Some(long.clone()))),
        ("alias", with(&|memory| _ = memory.aliases.insert(alice.0, long.clone()))),
        ("user", entry(|entry, long| entry.matter.user = long.to_owned())),
        ("owner", entry(|entry, long| entry.matter.owner = Some(long.to_owned()))),
        ("id", entry(|entry, long| entry.matter.id_ending = Some(long.to_owned()))),
        (
            "terms",
            with(&|memory| {
                memory.observed.values_mut().for_each(|it| it.terms.clone_from(&long));
            }),
        ),
        ("group", belongings(vec![long.clone()])),
        ("groups", belongings(vec!["g".to_owned(); 21])),
        (
            "user of belongings",
            with(&|memory| {
                memory.belongings.insert((alice.0, long.clone()), Belongings::default());
            }),
        ),
    ] {
        assert!(!memory.fits(), "{name}");
        assert_eq!(Memory::unpack(&memory.pack()), Err(Damage::Unbounded), "{name}");
    }
    assert!(busy().memory().fits());
}

#[test]
fn a_memory_that_could_not_be_read_again_does_not_fit() {
    let mut memory = busy().memory();
    let entry = memory.entries.values().next().unwrap().clone();
    // 64 MB of JSON, which are unpacked at most.
    for id in 0..300_000_u64 {
        let mut entry = entry.clone();
        entry.matter.owner = Some("o".repeat(256));
        memory.entries.insert(format!("{id:016x}").parse().unwrap(), entry);
    }
    assert!(!memory.fits());
    assert_eq!(Memory::unpack(&memory.pack()), Err(Damage::Unreadable));
}
