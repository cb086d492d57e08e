//! Queues that do not fit into an issue.

use super::*;
use iam_stocktake::queue::plan::{MAX_BODY_BYTES, QueueChange};

use crate::queue::markdown::rendered;

const USERS: usize = 5_000;

/// One stale key of each of so many users, the first of them unused for the longest time.
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

/// The number before some words.
fn number_before(page: &str, words: &str) -> usize {
    let (before, _) = page.split_once(words).unwrap_or_else(|| panic!("{words:?} in {page}"));
    before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn the_index_shows_what_fits_and_the_memory_holds_all() {
    let mut desk = desk();
    desk.run("2026-07-01", &[many("2026-07-01", USERS)]);
    assert_eq!(desk.queue_state().entries.len(), USERS);
    let page = desk.page();
    let shown = page.matches("\n- [ ] ").count();
    assert_eq!(number_before(&page, " open findings**"), USERS);
    assert_eq!(number_before(&page, " more findings are not shown"), USERS - shown);
    // There is no room for another row, and a row is not cut.
    let body = desk.index().body.len();
    assert!(MAX_BODY_BYTES - body < 250, "{body} bytes");
    assert_eq!(rendered(&page).boxes.len(), shown);
    // The longest disuse first.
    assert!(page.contains("`service-account-0000`") && !page.contains("`service-account-4999`"));
    assert_eq!(desk.run("2026-07-02", &[many("2026-07-02", USERS)]).plan, NOTHING);
}

#[test]
fn every_account_that_has_a_long_disuse_is_among_what_is_shown() {
    let mut desk = desk();
    let there = access_key("oldest").in_account(OTHER_ACCOUNT).last_used("2020-01-01");
    desk.run(
        "2026-07-01",
        &[many("2026-07-01", 2_000), Audit::of(OTHER_ACCOUNT, "2026-07-01", &[there])],
    );
    assert!(desk.page().contains("### Account 444455556666\n\n- [ ] `oldest`"));
}

#[test]
fn what_was_settled_is_left_out_before_what_stands() {
    let mut desk = desk();
    desk.run("2026-07-01", &[many("2026-07-01", 700)]);
    desk.run("2026-07-02", &[many("2026-07-02", 100)]);
    let page = desk.page();
    assert_eq!(page.matches("\n- [ ] ").count(), 100);
    let settled = page.matches("\n- ~~").count();
    assert!(settled > 0);
    assert_eq!(number_before(&page, " more are not shown"), 600 - settled);
    assert!(!page.contains("more findings are left out"));
    assert_eq!(desk.run("2026-07-03", &[many("2026-07-03", 100)]).plan, NOTHING);
}

#[test]
fn twenty_issues_a_run_are_made_the_oldest_disuse_first_until_every_user_has_one() {
    let mut desk = desk_per_user();
    let ran = desk.run("2026-07-01", &[many("2026-07-01", 45)]);
    let made = |ran: &Ran| -> Vec<String> {
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
    // Ten are unused since the same day.
    assert_eq!(sorted(made(&ran)), numbers(0..20));
    assert!(desk.page().contains("25 users have no issue yet"));
    assert_eq!(sorted(made(&desk.run("2026-07-02", &[many("2026-07-02", 45)]))), numbers(20..40));
    assert!(desk.page().contains("5 users have no issue yet"));
    let ran = desk.run("2026-07-03", &[many("2026-07-03", 45)]);
    assert_eq!((sorted(made(&ran)), ran.said.len()), (numbers(40..45), 0));
    assert!(!desk.page().contains("no issue yet"));
    assert_eq!(desk.page().matches(" Issue: #").count(), 45);
    assert_eq!(desk.run("2026-07-04", &[many("2026-07-04", 45)]).plan, NOTHING);
}

#[test]
fn hundreds_of_accounts_that_could_not_be_observed_are_counted() {
    let mut desk = desk();
    let accounts = |day: &str, coverage: &str| -> Vec<Audit> {
        let audit = |n: usize| {
            let audit = Audit::of(&format!("{:012}", 100 + n), day, &[]);
            audit.alias("an-alias-of-an-account").coverage("stale-password", coverage)
        };
        (0..400).map(audit).collect()
    };
    desk.run("2026-07-01", &accounts("2026-07-01", "complete"));
    desk.run("2026-07-02", &accounts("2026-07-02", "incomplete"));
    let page = desk.page();
    assert!(page.contains("Incomplete since 2026-07-01: stale-password in accounts"));
    assert!(page.contains(" and 350 more.\n"), "{page}");
}

#[test]
fn a_user_with_more_findings_than_an_issue_holds_has_some_of_them_counted() {
    let mut desk = desk_per_user();
    let found: Vec<_> = (0..900).map(|n| access_key("alice").ending(&format!("{n:04}"))).collect();
    desk.run("2026-07-01", &[Audit::on("2026-07-01", &found)]);
    let body = desk.tracker.issue(1).body.clone();
    let shown = body.matches("\n- [ ] ").count();
    assert_eq!(number_before(&body, " more are not shown"), 900 - shown);
}
