//! Queues that do not fit into an issue.

use super::*;
use iam_stocktake::queue::plan::{MAX_BODY_BYTES, QueueChange};

use crate::queue::markdown::rendered;

const USERS: usize = 5_000;

/// An audit with one stale key for each of `users`. The first has the longest disuse.
fn many(day: &str, users: usize) -> Audit {
    let found: Vec<_> = (0..users)
        .map(|n| {
            let day = chrono::Days::new(n as u64 / 10);
            let day = on("2024-01-01").date_naive() + day;
            access_key(&format!("service-account-{n:04}")).last_used(&day.to_string())
        })
        .collect();
    Audit::on(day, &found)
}

/// The number before a text.
fn number_before(page: &str, words: &str) -> usize {
    let (before, _) = page.split_once(words).unwrap_or_else(|| panic!("{words:?} in {page}"));
    before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn queue_issue_shows_what_fits_and_the_state_has_everything() {
    let mut harness = harness();
    harness.run("2026-07-01", &[many("2026-07-01", USERS)]);
    assert_eq!(harness.queue_state().entries.len(), USERS);
    let page = harness.page();
    let shown = page.matches("\n- [ ] ").count();
    assert_eq!(number_before(&page, " open findings**"), USERS);
    assert_eq!(number_before(&page, " more users with"), USERS - shown);
    // There is no space for another row, and no row is cut.
    let body = harness.queue_issue().body.len();
    assert!(MAX_BODY_BYTES - body < 250, "{body} bytes");
    assert_eq!(rendered(&page).boxes.len(), shown);
    // The longest disuse first.
    assert!(page.contains("`service-account-0000`") && !page.contains("`service-account-4999`"));
    assert_eq!(harness.run("2026-07-02", &[many("2026-07-02", USERS)]).plan, NOTHING);
}

#[test]
fn shows_every_account_with_a_long_disuse() {
    let mut harness = harness();
    let there = access_key("oldest").in_account(OTHER_ACCOUNT).last_used("2020-01-01");
    harness.run(
        "2026-07-01",
        &[many("2026-07-01", 2_000), Audit::of(OTHER_ACCOUNT, "2026-07-01", &[there])],
    );
    assert!(harness.page().contains("### Account 444455556666\n\n- [ ] `oldest`"));
}

#[test]
fn omits_resolved_findings_before_open_ones() {
    let mut harness = harness();
    harness.run("2026-07-01", &[many("2026-07-01", 700)]);
    harness.run("2026-07-02", &[many("2026-07-02", 100)]);
    let page = harness.page();
    assert_eq!(page.matches("\n- [ ] ").count(), 100);
    let resolved = page.matches("\n- ~~").count();
    assert!(resolved > 0);
    assert_eq!(number_before(&page, " more are not shown"), 600 - resolved);
    assert!(!page.contains("because they do not fit into the issue"));
    assert_eq!(harness.run("2026-07-03", &[many("2026-07-03", 100)]).plan, NOTHING);
}

#[test]
fn creates_twenty_issues_per_run_the_longest_disuse_first() {
    let mut harness = harness_per_user();
    let ran = harness.run("2026-07-01", &[many("2026-07-01", 45)]);
    let made = |ran: &QueueRun| -> Vec<String> {
        let titles = ran.changes.iter().filter_map(|change| match change {
            QueueChange::CreateUserIssue { title, .. } => Some(title.clone()),
            _ => None,
        });
        titles.map(|title| title.replace("IAM user service-account-", "")[..4].to_owned()).collect()
    };
    let numbers = |range: std::ops::Range<usize>| -> Vec<String> {
        range.map(|n| format!("{n:04}")).collect()
    };
    let sorted = |mut made: Vec<String>| {
        made.sort();
        made
    };
    // Ten users have the same last-used date.
    assert_eq!(sorted(made(&ran)), numbers(0..20));
    assert!(harness.page().contains("25 users have no issue yet"));
    assert_eq!(
        sorted(made(&harness.run("2026-07-02", &[many("2026-07-02", 45)]))),
        numbers(20..40)
    );
    assert!(harness.page().contains("5 users have no issue yet"));
    let ran = harness.run("2026-07-03", &[many("2026-07-03", 45)]);
    assert_eq!((sorted(made(&ran)), ran.comments.len()), (numbers(40..45), 0));
    assert!(!harness.page().contains("no issue yet"));
    assert_eq!(harness.page().matches(", issue #").count(), 45);
    assert_eq!(harness.run("2026-07-04", &[many("2026-07-04", 45)]).plan, NOTHING);
}

#[test]
fn counts_hundreds_of_incomplete_accounts() {
    let mut harness = harness();
    let accounts = |day: &str, coverage: &str| -> Vec<Audit> {
        let audit = |n: usize| {
            let audit = Audit::of(&format!("{:012}", 100 + n), day, &[]);
            audit.alias("an-alias-of-an-account").coverage("stale-password", coverage)
        };
        (0..400).map(audit).collect()
    };
    harness.run("2026-07-01", &accounts("2026-07-01", "complete"));
    harness.run("2026-07-02", &accounts("2026-07-02", "incomplete"));
    let page = harness.page();
    assert!(page.contains("Incomplete since 2026-07-01: stale-password in accounts"));
    assert!(page.contains(" and 350 more.\n"), "{page}");
}

#[test]
fn counts_findings_that_do_not_fit_into_a_user_issue() {
    let mut harness = harness_per_user();
    let found: Vec<_> = (0..900).map(|n| access_key("alice").ending(&format!("{n:04}"))).collect();
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &found)]);
    let body = harness.tracker.issue(1).body.clone();
    let shown = body.matches("\n- [ ] ").count();
    assert_eq!(number_before(&body, " more are not shown"), 900 - shown);
}
