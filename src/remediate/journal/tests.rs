#![allow(clippy::disallowed_methods, reason = "tests write their own files")]

use std::fs;

use super::*;
use crate::remediate::plan::step::IamWrite as Call;

fn moment() -> DateTime<Utc> {
    "2026-06-30T12:00:00Z".parse().unwrap()
}

/// Opens a journal that nobody uses. Another test may start a process at the same time, which holds a copy of the
/// lock until it runs its own program.
fn open(path: &Path, name: &str) -> Result<(Journal, JournalContents), JournalError> {
    loop {
        match Journal::open(path, name.to_owned(), None) {
            Err(JournalError::InUse { .. }) => std::thread::yield_now(),
            opened => return opened,
        }
    }
}

/// Writes the entries of a complete run: start, one step with its outcome, end.
fn run(path: &Path, name: &str) -> Vec<JournalLine> {
    let (mut journal, contents) = open(path, name).unwrap();
    let n = journal.next_step_number();
    let step = RemediationStep {
        account: "111122223333".parse().unwrap(),
        user: "ci-deploy".to_owned(),
        user_id: "AIDACKCEVSQ6C2EXAMPLE".to_owned(),
        write: Call::DeletePassword,
    };
    let version = "1.0.0".to_owned();
    for entry in [
        JournalEntry::Run { version, plan: "0123".to_owned() },
        JournalEntry::Begin { n, step },
        JournalEntry::Done { n, was_gone: false },
        JournalEntry::End,
    ] {
        journal.write(moment(), entry).unwrap();
    }
    contents.lines
}

fn journal() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    (folder, path)
}

#[test]
fn lines_are_read_back_as_they_were_written() {
    let (_folder, path) = journal();
    assert_eq!(run(&path, "first"), []);
    let before = run(&path, "second");
    let contents = read(&path, None).unwrap();
    assert_eq!(contents.cut_off, None);
    assert_eq!(contents.lines.len(), 8);
    assert_eq!(contents.lines[..4], before[..]);
    assert_eq!(contents.lines[1].run, "first");
    let text = fs::read_to_string(&path).unwrap();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["checksum"].as_str().unwrap().len(), 16, "{line}");
    }
}

#[test]
fn an_interrupted_run_keeps_all_earlier_lines() {
    let (_folder, path) = journal();
    run(&path, "first");
    let first = fs::read(&path).unwrap();
    run(&path, "second");
    let whole = fs::read(&path).unwrap();
    for end in first.len()..=whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        let ends = whole[..end].split(|byte| *byte == b'\n').count() - 1;
        // A line that lacks only its line feed is complete.
        let lines = ends + usize::from(whole.get(end) == Some(&b'\n'));
        let is_torn = lines == ends && whole[end - 1] != b'\n';
        let contents = read(&path, None).unwrap();
        assert_eq!(contents.lines.len(), lines, "{end}");
        assert_eq!(contents.cut_off, is_torn.then_some(lines + 1), "{end}");
        let (journal, opened) = open(&path, "third").unwrap();
        drop(journal);
        assert_eq!(opened, contents, "{end}");
        let left = fs::read(&path).unwrap();
        assert_eq!(left.iter().filter(|byte| **byte == b'\n').count(), lines, "{end}");
        assert!(left.ends_with(b"\n") && whole.starts_with(&left), "{end}");
    }
}

#[test]
fn a_journal_survives_two_interrupted_runs() {
    let (_folder, path) = journal();
    run(&path, "first");
    for name in ["second", "third"] {
        run(&path, name);
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 20]).unwrap();
    }
    assert_eq!(run(&path, "fourth").len(), 4 + 3 + 3);
    let contents = read(&path, None).unwrap();
    assert_eq!((contents.lines.len(), contents.cut_off), (14, None));
}

#[test]
fn a_journal_with_a_flipped_bit_is_rejected_unchanged() {
    let (_folder, path) = journal();
    run(&path, "first");
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            fs::write(&path, &bad).unwrap();
            let line = 1 + good[..at].iter().filter(|byte| **byte == b'\n').count();
            let message = read(&path, None).unwrap_err().to_string();
            assert!(message.contains(&format!("line {line}: ")), "byte {at}, bit {bit}: {message}");
            let opened = open(&path, "second");
            assert_eq!(opened.unwrap_err().to_string(), message);
            assert_eq!(fs::read(&path).unwrap(), bad);
        }
    }
}

#[test]
fn lines_without_a_valid_checksum_are_rejected() {
    let (_folder, path) = journal();
    run(&path, "first");
    let good = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = good.lines().collect();
    let newer = {
        let body = lines[3].replace("\"v\":1", "\"v\":2");
        let body = body.split_once(",\"checksum\"").unwrap().0;
        format!("{body},\"checksum\":\"{}\"}}", checksum(body.as_bytes()))
    };
    for (text, expected) in [
        (format!("\n{good}"), "line 1: the line was changed: it does not end with a checksum"),
        (
            good.replace("ci-deploy", "ci-delete"),
            "line 2: the line was changed: it does not match its checksum",
        ),
        (
            format!("{}\n{}\n", lines[0], &lines[1][..40]),
            "line 2: the line was changed: it does not end with",
        ),
        (format!("{}\n{newer}\n", lines[0]), "line 2: journal version 2 is not supported, only 1"),
        (format!("{good}{{}}\n"), "line 5: the line was changed: it does not end with a checksum"),
    ] {
        fs::write(&path, text).unwrap();
        let error = read(&path, None).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn a_run_in_two_journals_counts_once() {
    let (_folder, path) = journal();
    run(&path, "a");
    let lines = read(&path, None).unwrap().lines;
    let merged = crate::remediate::history::merge_journals(vec![lines.clone(), lines.clone()]);
    assert_eq!(merged, lines);
}
