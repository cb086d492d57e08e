//! How GitHub renders every page of the queue: the same blocks in both languages, and no unrendered
//! Markdown. The latter is checked for every page in these tests.

use std::collections::BTreeMap;

use iam_stocktake::templates::{Page, SafeText, render};

use super::*;
use stand_ins::gfm::outline;

/// All bodies and comments of a queue with per-user issues over several days.
fn pages_of_each_kind(language: Language) -> Vec<(String, String)> {
    let mut harness = Harness::new(language, true);
    let (alice, bob) = (password("alice"), access_key("bob"));
    let (carol, dave) = (access_key("carol"), password("dave"));
    let mut pages = Vec::new();
    let mut look = |harness: &Harness, day: &str| {
        for (number, issue) in &harness.tracker.issues {
            pages.push((format!("{day} issue {number}"), issue.shown.body.clone()));
        }
        for (id, (number, body)) in &harness.tracker.comments {
            pages.push((format!("{day} comment {id} on {number}"), body.clone()));
        }
    };
    let mut day = |harness: &mut Harness, day: &str, found: &[Found]| {
        harness.run(day, &[Audit::on(day, found)]);
        look(harness, day);
    };
    day(&mut harness, "2026-07-01", &[alice.clone(), bob.clone()]);
    // New, and remediated.
    day(&mut harness, "2026-07-02", &[bob.clone(), carol.clone()]);
    // Returned, and closed too early by a person and by a bot.
    let queue_issue = harness.queue_issue().number;
    let titles = harness.tracker.issues.iter();
    let (&of_bob, _) = titles.into_iter().find(|(_, it)| it.title.contains("bob")).unwrap();
    harness.tracker.close_as_completed(queue_issue, on("2026-07-03"));
    harness.tracker.close_by_bot(of_bob, false, on("2026-07-03"));
    day(&mut harness, "2026-07-04", &[alice.clone(), bob.clone(), carol.clone()]);
    // Acknowledged by a person, and overdue.
    harness.tracker.close_as_not_planned(of_bob, on("2026-07-05"));
    day(&mut harness, "2026-07-06", &[alice.clone(), bob.clone(), carol.clone()]);
    harness.tracker.close_as_completed(queue_issue, on("2026-07-07"));
    day(&mut harness, "2026-07-08", &[alice.clone(), bob.clone(), carol.clone()]);
    day(&mut harness, "2026-08-20", &[alice.clone(), bob, carol]);
    harness.tracker.close_by_bot(queue_issue, false, on("2026-08-21"));
    day(&mut harness, "2026-08-22", &[alice, dave]);
    day(&mut harness, "2026-08-23", &[]);
    pages
}

#[test]
fn pages_have_the_same_blocks_in_both_languages() {
    let pages: BTreeMap<_, _> = pages_of_each_kind(Language::English).into_iter().collect();
    let japanese = pages_of_each_kind(Language::Japanese);
    assert_eq!(pages.len(), japanese.len());
    for (name, body) in japanese {
        assert_eq!(outline(&body), outline(&pages[&name]), "{name}\n{body}\n{}", pages[&name]);
    }
    let has = |words: &str| pages.values().any(|body| body.contains(words));
    for words in
        ["**New:**", "**Returned**", "**Overdue:**", "Reopened because", "exempt-issue-labels"]
    {
        assert!(has(words), "no page says {words}");
    }
}

#[test]
fn comments_are_plain_paragraphs_in_both_languages() {
    for language in Language::ALL {
        let of = BTreeMap::from([("of", SafeText::issue(None, 7))]);
        let bot = BTreeMap::from([("bot", "stale[bot]"), ("label", "iam-stocktake")]);
        for (text, paragraphs) in [
            (render(Page::DuplicateIssue, language, of).unwrap(), 1),
            (render(Page::StillOpen, language, ()).unwrap(), 1),
            (render(Page::StatePart, language, ()).unwrap(), 1),
            (render(Page::ClosedByBot, language, bot).unwrap(), 3),
        ] {
            assert_eq!(outline(&text), vec!["paragraph"; paragraphs], "{text}");
        }
    }
}
