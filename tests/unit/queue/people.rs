//! What people do with the issues: check boxes, close, reopen, edit, label. Also parallel runs.

use super::*;
use iam_stocktake::queue::markers;

fn alice_and_bob(day: &str) -> Audit {
    Audit::on(day, &[password("alice"), access_key("bob")])
}

/// A queue with two findings since July 1.
fn with_two_findings(mut harness: Harness) -> Harness {
    harness.run("2026-07-01", &[alice_and_bob("2026-07-01")]);
    harness
}

/// Checks the first box of an issue.
fn check_box(harness: &mut Harness, number: u64, mark: &str) {
    let issue = harness.tracker.issue(number);
    issue.body = issue.body.replacen("- [ ]", &format!("- [{mark}]"), 1);
}

// Check boxes

#[test]
fn checked_boxes_stay_and_change_nothing_else() {
    for mark in ["x", "X"] {
        let mut harness = with_two_findings(harness());
        check_box(&mut harness, 1, mark);
        let plan = harness.run("2026-07-02", &[alice_and_bob("2026-07-02")]).plan;
        // An `X` is rewritten as `x`.
        assert_eq!(plan == NOTHING, mark == "x", "{mark}: {plan}");
        let found = [password("alice"), access_key("bob"), access_key("carol")];
        harness.run("2026-07-03", &[Audit::on("2026-07-03", &found)]);
        let page = harness.page();
        assert!(page.contains("- [x] `alice`"), "{page}");
        assert_eq!(page.matches("- [ ]").count(), 2);
    }
}

#[test]
fn cleared_boxes_stay_cleared() {
    let mut harness = with_two_findings(harness());
    check_box(&mut harness, 1, "x");
    harness.run("2026-07-09", &[alice_and_bob("2026-07-09")]);
    let body = harness.queue_issue().body.replace("- [x]", "- [ ]");
    harness.queue_issue().body = body;
    harness.run("2026-07-19", &[alice_and_bob("2026-07-19")]);
    assert!(!harness.page().contains("- [x]"));
}

#[test]
fn checked_boxes_stay_in_user_issues_too() {
    let mut harness = with_two_findings(harness_per_user());
    check_box(&mut harness, 1, "x");
    assert_eq!(harness.run("2026-07-02", &[alice_and_bob("2026-07-02")]).plan, NOTHING);
    // It becomes overdue.
    harness.run("2026-08-02", &[alice_and_bob("2026-08-02")]);
    let body = &harness.tracker.issue(1).body;
    assert!(body.contains("- [x] ⛔ error") && body.contains("**overdue**"), "{body}");
}

// Closing and reopening

#[test]
fn closing_as_not_planned_acknowledges_listed_findings() {
    let mut harness = with_two_findings(harness());
    harness.tracker.close_as_not_planned(1, on("2026-07-05"));
    let ran = harness.run("2026-07-06", &[alice_and_bob("2026-07-06")]);
    assert_eq!(
        (ran.plan.as_str(), ran.comments.len()),
        ("edit issue #1, the queue issue: 2 open\n", 0)
    );
    let page = harness.page();
    assert!(page.contains("**2 open findings** for 2 users; 2 closed without an exemption."));
    assert_eq!(page.matches("**closed without an exemption**").count(), 2, "{page}");
    assert_eq!(harness.run("2026-07-07", &[alice_and_bob("2026-07-07")]).plan, NOTHING);
    // They become overdue and are counted, without a comment.
    let ran = harness.run("2026-08-10", &[alice_and_bob("2026-08-10")]);
    assert_eq!(ran.comments.len(), 0);
    assert!(harness.page().contains("; 2 overdue; 2 closed without an exemption."));
}

#[test]
fn new_finding_reopens_an_acknowledged_queue_until_it_is_cleared() {
    let mut harness = with_two_findings(harness());
    harness.tracker.close_as_not_planned(1, on("2026-07-05"));
    let with_carol =
        |day: &str| Audit::on(day, &[password("alice"), access_key("bob"), access_key("carol")]);
    let ran = harness.run("2026-07-06", &[with_carol("2026-07-06")]);
    assert_eq!(ran.plan, "edit and reopen and comment on issue #1, the queue issue: 3 open\n");
    assert!(
        !ran.comments[0].contains("alice") && ran.comments[0].contains("carol"),
        "{:?}",
        ran.comments
    );
    let page = harness.page();
    assert!(page.contains("3 open findings** for 3 users; 2 closed without an exemption"));
    let ran = harness.run("2026-07-08", &[alice_and_bob("2026-07-08")]);
    assert_eq!(ran.plan, "edit and close as not planned issue #1, the queue issue: 2 open\n");
    assert_eq!(harness.run("2026-07-09", &[alice_and_bob("2026-07-09")]).plan, NOTHING);
}

#[test]
fn acknowledged_finding_that_returns_is_open_again() {
    let mut harness = with_two_findings(harness());
    harness.tracker.close_as_not_planned(1, on("2026-07-05"));
    harness.run("2026-07-06", &[Audit::on("2026-07-06", &[access_key("bob")])]);
    let ran = harness.run("2026-07-07", &[alice_and_bob("2026-07-07")]);
    assert_eq!(ran.plan, "edit and reopen and comment on issue #1, the queue issue: 2 open\n");
}

#[test]
fn reopening_the_queue_issue_revokes_the_acknowledgement() {
    let mut harness = with_two_findings(harness());
    harness.tracker.close_as_not_planned(1, on("2026-07-05"));
    harness.run("2026-07-06", &[alice_and_bob("2026-07-06")]);
    harness.tracker.reopen(1);
    let ran = harness.run("2026-07-07", &[alice_and_bob("2026-07-07")]);
    assert_eq!(ran.plan, "edit issue #1, the queue issue: 2 open\n");
    assert!(!harness.page().contains("closed without an exemption"));
    assert_eq!(harness.run("2026-07-08", &[alice_and_bob("2026-07-08")]).plan, NOTHING);
}

#[test]
fn queue_closed_as_completed_too_early_reopens_with_one_comment() {
    let mut harness = with_two_findings(harness());
    harness.tracker.close_as_completed(1, on("2026-07-05"));
    let ran = harness.run("2026-07-06", &[alice_and_bob("2026-07-06")]);
    assert_eq!(ran.plan, "reopen and comment on issue #1, the queue issue: 2 open\n");
    assert!(ran.comments[0].starts_with("Reopened because"), "{:?}", ran.comments);
    assert_eq!(ran.comments.len(), 1);
    assert_eq!(harness.run("2026-07-07", &[alice_and_bob("2026-07-07")]).plan, NOTHING);
    // With news there is one comment too.
    harness.tracker.close_as_completed(1, on("2026-07-07"));
    let found = [password("alice"), access_key("bob"), access_key("carol")];
    let ran = harness.run("2026-07-08", &[Audit::on("2026-07-08", &found)]);
    assert_eq!((ran.comments.len(), ran.comments[0].contains("carol")), (1, true));
}

#[test]
fn closing_a_user_issue_as_not_planned_acknowledges_its_findings() {
    let mut harness = with_two_findings(harness_per_user());
    harness.tracker.close_as_not_planned(1, on("2026-07-05"));
    let ran = harness.run("2026-07-06", &[alice_and_bob("2026-07-06")]);
    assert_eq!(ran.plan, "edit issue #3, the queue issue: 2 open\n");
    assert!(harness.page().contains("for 2 users; 1 closed without an exemption."));
    assert_eq!(harness.run("2026-07-07", &[alice_and_bob("2026-07-07")]).plan, NOTHING);
    // Reopening it revokes that.
    harness.tracker.reopen(1);
    let ran = harness.run("2026-07-08", &[alice_and_bob("2026-07-08")]);
    assert_eq!(ran.plan, "edit issue #3, the queue issue: 2 open\n");
    assert_eq!(harness.run("2026-07-09", &[alice_and_bob("2026-07-09")]).plan, NOTHING);
    assert!(harness.tracker.issue(1).is_open);
}

#[test]
fn closed_user_issue_does_not_acknowledge_later_findings() {
    let mut harness = with_two_findings(harness_per_user());
    harness.tracker.close_as_not_planned(1, on("2026-07-05"));
    harness.run("2026-07-06", &[alice_and_bob("2026-07-06")]);
    // While per-user issues are off, it stays closed.
    harness.options.per_user = false;
    let key = access_key("alice");
    let found = [password("alice"), key.clone(), access_key("bob")];
    harness.run("2026-07-07", &[Audit::on("2026-07-07", &found)]);
    harness.options.per_user = true;
    harness.run("2026-07-08", &[Audit::on("2026-07-08", &found)]);
    assert!(harness.entry(key.id()).needs_action());
    assert!(!harness.entry(password("alice").id()).needs_action());
    assert!(harness.tracker.issue(1).is_open);
}

#[test]
fn closing_the_queue_issue_as_not_planned_closes_user_issues() {
    let mut harness = with_two_findings(harness_per_user());
    harness.tracker.close_as_not_planned(3, on("2026-07-05"));
    let ran = harness.run("2026-07-06", &[alice_and_bob("2026-07-06")]);
    assert_eq!(
        ran.plan,
        "edit and close as not planned issue #1\nedit and close as not planned issue #2\n\
         edit issue #3, the queue issue: 2 open\n"
    );
    assert_eq!(harness.run("2026-07-07", &[alice_and_bob("2026-07-07")]).plan, NOTHING);
}

#[test]
fn user_issue_closed_as_completed_too_early_reopens_with_one_comment() {
    let mut harness = with_two_findings(harness_per_user());
    harness.tracker.close_as_completed(1, on("2026-07-05"));
    let ran = harness.run("2026-07-06", &[alice_and_bob("2026-07-06")]);
    assert_eq!(ran.plan, "reopen and comment on issue #1\n");
    assert_eq!(harness.run("2026-07-07", &[alice_and_bob("2026-07-07")]).plan, NOTHING);
}

// Editing

#[test]
fn next_run_restores_an_edited_body() {
    for (what, edit) in [
        ("a row is taken away", |body: String| {
            body.lines().filter(|line| !line.contains("`bob`")).collect::<Vec<_>>().join("\n")
        }),
        ("a line is added in front", |body: String| body.replace("**2", "Hello. **2")),
        ("a line is added at the end", |body: String| format!("{body}\n\nHello.")),
    ] as [(&str, fn(String) -> String); 3]
    {
        let mut harness = with_two_findings(harness());
        let body = harness.queue_issue().body.clone();
        harness.queue_issue().body = edit(body.clone());
        let ran = harness.run("2026-07-02", &[alice_and_bob("2026-07-02")]);
        assert_eq!(ran.plan, "edit issue #1, the queue issue: 2 open\n", "{what}");
        let as_before = body.replace("Last checked: 2026-07-01", "Last checked: 2026-07-02");
        assert_eq!(harness.page(), markers::without_state_block(&as_before), "{what}");
        assert!(!harness.queue_issue().body.contains("Hello"), "{what}");
    }
}

#[test]
fn next_run_restores_an_edited_user_issue() {
    let mut harness = with_two_findings(harness_per_user());
    harness.tracker.issue(2).body.push_str("\n\nHello.");
    let ran = harness.run("2026-07-02", &[alice_and_bob("2026-07-02")]);
    assert_eq!(ran.plan, "edit issue #2\n");
    assert_eq!(harness.run("2026-07-03", &[alice_and_bob("2026-07-03")]).plan, NOTHING);
}

#[test]
fn next_run_restores_a_removed_label() {
    let mut harness = with_two_findings(harness_per_user());
    harness.unlabel(3);
    harness.unlabel(1);
    let ran = harness.run("2026-07-02", &[alice_and_bob("2026-07-02")]);
    assert_eq!(
        ran.plan,
        "create the label \"iam-stocktake\" if it does not exist\ncreate the label \"security\" if it does not exist\n\
         label issue #3: [\"iam-stocktake\"]\nlabel issue #1: [\"iam-stocktake\"]\n"
    );
    assert_eq!(harness.run("2026-07-03", &[alice_and_bob("2026-07-03")]).plan, NOTHING);
}

#[test]
fn changed_due_date_changes_whether_a_finding_is_overdue() {
    let mut harness = with_two_findings(harness());
    harness.run("2026-08-05", &[alice_and_bob("2026-08-05")]);
    assert!(harness.page().contains("; 2 overdue."));
    harness.options.due_within_days = 60;
    let ran = harness.run("2026-08-06", &[alice_and_bob("2026-08-06")]);
    assert_eq!(ran.comments.len(), 0);
    let page = harness.page();
    assert!(!page.contains("overdue") && page.contains("due 2026-08-30."), "{page}");
    harness.options.due_within_days = 10;
    let ran = harness.run("2026-08-07", &[alice_and_bob("2026-08-07")]);
    assert!(ran.comments[0].starts_with("**Overdue:**"), "{:?}", ran.comments);
    assert_eq!(harness.run("2026-08-08", &[alice_and_bob("2026-08-08")]).plan, NOTHING);
}

#[test]
fn finding_is_overdue_on_the_day_after_its_due_date() {
    let mut harness = with_two_findings(harness());
    // 30 days after July 1.
    let ran = harness.run("2026-07-31", &[alice_and_bob("2026-07-31")]);
    assert_eq!((ran.update.overdue.len(), ran.comments.len()), (0, 0));
    assert!(!harness.page().contains("overdue"));
    let ran = harness.run("2026-08-01", &[alice_and_bob("2026-08-01")]);
    assert_eq!((ran.update.overdue.len(), ran.comments.len()), (2, 1));
}

// Parallel runs, and other issues

#[test]
fn lowest_number_of_duplicates_stays_open() {
    let mut harness = with_two_findings(harness());
    let duplicate = harness.queue_issue().body.clone();
    harness.tracker.create(
        "IAM credentials to remediate",
        &duplicate,
        &["iam-stocktake".to_owned()],
    );
    let ran = harness.run("2026-07-02", &[alice_and_bob("2026-07-02")]);
    assert_eq!(ran.plan, "close issue #2, a duplicate of #1\n");
    assert_eq!(ran.comments, ["Two runs created this issue at the same time. It continues in #1."]);
    assert_eq!(harness.run("2026-07-03", &[alice_and_bob("2026-07-03")]).plan, NOTHING);
    assert!(harness.tracker.issue(1).is_open);
}

#[test]
fn duplicate_user_issues_are_closed_too() {
    let mut harness = with_two_findings(harness_per_user());
    let duplicate = harness.tracker.issue(2).body.clone();
    harness.tracker.create("bob", &duplicate, &["iam-stocktake".to_owned()]);
    let ran = harness.run("2026-07-02", &[alice_and_bob("2026-07-02")]);
    assert_eq!(ran.plan, "close issue #4, a duplicate of #2\n");
}

#[test]
fn queues_with_different_names_are_independent() {
    let mut harness = with_two_findings(harness());
    harness.options.queue = "default-2".parse().unwrap();
    harness.run("2026-07-02", &[alice_and_bob("2026-07-02")]);
    assert_eq!(harness.snapshot().queue_issue.unwrap().number, 2);
    harness.options.queue = "default".parse().unwrap();
    assert_eq!(harness.snapshot().queue_issue.unwrap().number, 1);
    assert_eq!(harness.run("2026-07-03", &[alice_and_bob("2026-07-03")]).plan, NOTHING);
}

#[test]
fn owners_with_a_valid_login_are_assigned_once() {
    let mut harness = harness_per_user();
    harness.options.assign_owners = true;
    harness.options.assignees = vec!["Mona".to_owned(), "hubot".to_owned()];
    let found = [
        password("alice").owner("@mona"),
        password("bob").owner("@acme/platform"),
        password("carol").owner("the platform team"),
        password("dave").owner("octo-cat"),
    ];
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &found)]);
    let of = |user: &str| {
        let title = format!("IAM user {user} of");
        let mut issues = harness.tracker.issues.values();
        issues.find(|issue| issue.title.starts_with(&title)).unwrap().assignees.clone()
    };
    for user in ["alice", "bob", "carol"] {
        assert_eq!(of(user), ["Mona", "hubot"], "{user}");
    }
    assert_eq!(of("dave"), ["Mona", "hubot", "octo-cat"]);
}

#[test]
fn user_issue_matches_the_name_in_any_case() {
    let mut harness = harness_per_user();
    let ran = harness
        .run("2026-07-01", &[Audit::on("2026-07-01", &[password("Alice"), access_key("alice")])]);
    assert_eq!(ran.plan.matches("create issue").count(), 2, "{}", ran.plan);
}
