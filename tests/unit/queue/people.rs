//! What people do to the issues: ticks, closing, opening, editing, labels; and parallel runs.

use super::*;
use iam_stocktake::queue::markers;

fn alice_and_bob(day: &str) -> Audit {
    Audit::on(day, &[password("alice"), access_key("bob")])
}

/// A desk whose queue has held two findings since the first of July.
fn busy(mut desk: Desk) -> Desk {
    desk.run("2026-07-01", &[alice_and_bob("2026-07-01")]);
    desk
}

/// Ticks the first box of an issue.
fn tick(desk: &mut Desk, number: u64, mark: &str) {
    let issue = desk.tracker.issue(number);
    issue.body = issue.body.replacen("- [ ]", &format!("- [{mark}]"), 1);
}

// Ticks

#[test]
fn ticks_survive_and_change_nothing_else() {
    for mark in ["x", "X"] {
        let mut desk = busy(desk());
        tick(&mut desk, 1, mark);
        let plan = desk.run("2026-07-02", &[alice_and_bob("2026-07-02")]).plan;
        // The other way of writing a tick is put right in passing.
        assert_eq!(plan == NOTHING, mark == "x", "{mark}: {plan}");
        let found = [password("alice"), access_key("bob"), access_key("carol")];
        desk.run("2026-07-03", &[Audit::on("2026-07-03", &found)]);
        let page = desk.page();
        assert!(page.contains("- [x] `alice`"), "{page}");
        assert_eq!(page.matches("- [ ]").count(), 2);
    }
}

#[test]
fn a_box_that_is_unticked_stays_so() {
    let mut desk = busy(desk());
    tick(&mut desk, 1, "x");
    desk.run("2026-07-09", &[alice_and_bob("2026-07-09")]);
    let body = desk.index().body.replace("- [x]", "- [ ]");
    desk.index().body = body;
    desk.run("2026-07-19", &[alice_and_bob("2026-07-19")]);
    assert!(!desk.page().contains("- [x]"));
}

#[test]
fn ticks_survive_in_the_issues_of_users_too() {
    let mut desk = busy(desk_per_user());
    tick(&mut desk, 1, "x");
    assert_eq!(desk.run("2026-07-02", &[alice_and_bob("2026-07-02")]).plan, NOTHING);
    // It becomes overdue.
    desk.run("2026-08-02", &[alice_and_bob("2026-08-02")]);
    let body = &desk.tracker.issue(1).body;
    assert!(body.contains("- [x] `alice`") && body.contains("**overdue**"), "{body}");
}

// Closing and opening

#[test]
fn what_was_listed_when_a_person_closed_as_not_planned_is_acknowledged() {
    let mut desk = busy(desk());
    desk.tracker.close(1, "not_planned", on("2026-07-05"));
    let ran = desk.run("2026-07-06", &[alice_and_bob("2026-07-06")]);
    assert_eq!(
        (ran.plan.as_str(), ran.said.len()),
        ("edit issue #1, the queue issue: 2 open\n", 0)
    );
    let page = desk.page();
    assert!(page.contains("**2 open findings** for 2 users; 2 closed without an exemption."));
    assert_eq!(page.matches("**closed without an exemption**").count(), 2, "{page}");
    assert_eq!(desk.run("2026-07-07", &[alice_and_bob("2026-07-07")]).plan, NOTHING);
    // They become overdue, are counted so, and nobody is told.
    let ran = desk.run("2026-08-10", &[alice_and_bob("2026-08-10")]);
    assert_eq!(ran.said.len(), 0);
    assert!(desk.page().contains("; 2 overdue; 2 closed without an exemption."));
}

#[test]
fn a_new_finding_opens_what_was_closed_as_not_planned_and_its_end_closes_it_again() {
    let mut desk = busy(desk());
    desk.tracker.close(1, "not_planned", on("2026-07-05"));
    let with_carol =
        |day: &str| Audit::on(day, &[password("alice"), access_key("bob"), access_key("carol")]);
    let ran = desk.run("2026-07-06", &[with_carol("2026-07-06")]);
    assert_eq!(ran.plan, "edit and reopen and comment on issue #1, the queue issue: 3 open\n");
    assert!(!ran.said[0].contains("alice") && ran.said[0].contains("carol"), "{:?}", ran.said);
    let page = desk.page();
    assert!(page.contains("3 open findings** for 3 users; 2 closed without an exemption"));
    let ran = desk.run("2026-07-08", &[alice_and_bob("2026-07-08")]);
    assert_eq!(ran.plan, "edit and close as not planned issue #1, the queue issue: 2 open\n");
    assert_eq!(desk.run("2026-07-09", &[alice_and_bob("2026-07-09")]).plan, NOTHING);
}

#[test]
fn an_acknowledged_finding_that_is_cleared_and_comes_back_is_open_again() {
    let mut desk = busy(desk());
    desk.tracker.close(1, "not_planned", on("2026-07-05"));
    desk.run("2026-07-06", &[Audit::on("2026-07-06", &[access_key("bob")])]);
    let ran = desk.run("2026-07-07", &[alice_and_bob("2026-07-07")]);
    assert_eq!(ran.plan, "edit and reopen and comment on issue #1, the queue issue: 2 open\n");
}

#[test]
fn a_person_who_opens_the_index_again_takes_the_acknowledgement_back() {
    let mut desk = busy(desk());
    desk.tracker.close(1, "not_planned", on("2026-07-05"));
    desk.run("2026-07-06", &[alice_and_bob("2026-07-06")]);
    desk.tracker.reopen(1);
    let ran = desk.run("2026-07-07", &[alice_and_bob("2026-07-07")]);
    assert_eq!(ran.plan, "edit issue #1, the queue issue: 2 open\n");
    assert!(!desk.page().contains("closed without an exemption"));
    assert_eq!(desk.run("2026-07-08", &[alice_and_bob("2026-07-08")]).plan, NOTHING);
}

#[test]
fn closed_as_completed_while_findings_stand_is_opened_with_one_comment() {
    let mut desk = busy(desk());
    desk.tracker.close(1, "completed", on("2026-07-05"));
    let ran = desk.run("2026-07-06", &[alice_and_bob("2026-07-06")]);
    assert_eq!(ran.plan, "reopen and comment on issue #1, the queue issue: 2 open\n");
    assert!(ran.said[0].starts_with("Reopened because"), "{:?}", ran.said);
    assert_eq!(ran.said.len(), 1);
    assert_eq!(desk.run("2026-07-07", &[alice_and_bob("2026-07-07")]).plan, NOTHING);
    // With news there is one comment as well.
    desk.tracker.close(1, "completed", on("2026-07-07"));
    let found = [password("alice"), access_key("bob"), access_key("carol")];
    let ran = desk.run("2026-07-08", &[Audit::on("2026-07-08", &found)]);
    assert_eq!((ran.said.len(), ran.said[0].contains("carol")), (1, true));
}

#[test]
fn closing_the_issue_of_one_user_as_not_planned_acknowledges_that_users_findings() {
    let mut desk = busy(desk_per_user());
    desk.tracker.close(1, "not_planned", on("2026-07-05"));
    let ran = desk.run("2026-07-06", &[alice_and_bob("2026-07-06")]);
    assert_eq!(ran.plan, "edit issue #3, the queue issue: 2 open\n");
    assert!(desk.page().contains("for 2 users; 1 closed without an exemption."));
    assert_eq!(desk.run("2026-07-07", &[alice_and_bob("2026-07-07")]).plan, NOTHING);
    // Opening it again takes that back.
    desk.tracker.reopen(1);
    let ran = desk.run("2026-07-08", &[alice_and_bob("2026-07-08")]);
    assert_eq!(ran.plan, "edit issue #3, the queue issue: 2 open\n");
    assert_eq!(desk.run("2026-07-09", &[alice_and_bob("2026-07-09")]).plan, NOTHING);
    assert!(desk.tracker.issue(1).is_open);
}

#[test]
fn closing_the_index_as_not_planned_closes_the_issues_of_users_too() {
    let mut desk = busy(desk_per_user());
    desk.tracker.close(3, "not_planned", on("2026-07-05"));
    let ran = desk.run("2026-07-06", &[alice_and_bob("2026-07-06")]);
    assert_eq!(
        ran.plan,
        "edit and close as not planned issue #1\nedit and close as not planned issue #2\n\
         edit issue #3, the queue issue: 2 open\n"
    );
    assert_eq!(desk.run("2026-07-07", &[alice_and_bob("2026-07-07")]).plan, NOTHING);
}

#[test]
fn the_issue_of_a_user_that_is_closed_as_completed_too_early_is_opened_with_one_comment() {
    let mut desk = busy(desk_per_user());
    desk.tracker.close(1, "completed", on("2026-07-05"));
    let ran = desk.run("2026-07-06", &[alice_and_bob("2026-07-06")]);
    assert_eq!(ran.plan, "reopen and comment on issue #1\n");
    assert_eq!(desk.run("2026-07-07", &[alice_and_bob("2026-07-07")]).plan, NOTHING);
}

// Editing

#[test]
fn a_body_that_somebody_edited_is_restored_at_the_next_run() {
    for (what, edit) in [
        ("a row is taken away", |body: String| {
            body.lines().filter(|line| !line.contains("`bob`")).collect::<Vec<_>>().join("\n")
        }),
        ("a line is added in front", |body: String| body.replace("**2", "Hello. **2")),
        ("a line is added at the end", |body: String| format!("{body}\n\nHello.")),
    ] as [(&str, fn(String) -> String); 3]
    {
        let mut desk = busy(desk());
        let body = desk.index().body.clone();
        desk.index().body = edit(body.clone());
        let ran = desk.run("2026-07-02", &[alice_and_bob("2026-07-02")]);
        assert_eq!(ran.plan, "edit issue #1, the queue issue: 2 open\n", "{what}");
        let as_before = body.replace("Last checked: 2026-07-01", "Last checked: 2026-07-02");
        assert_eq!(desk.page(), markers::without_state_block(&as_before), "{what}");
        assert!(!desk.index().body.contains("Hello"), "{what}");
    }
}

#[test]
fn the_body_of_a_users_issue_that_somebody_edited_is_restored_too() {
    let mut desk = busy(desk_per_user());
    desk.tracker.issue(2).body.push_str("\n\nHello.");
    let ran = desk.run("2026-07-02", &[alice_and_bob("2026-07-02")]);
    assert_eq!(ran.plan, "edit issue #2\n");
    assert_eq!(desk.run("2026-07-03", &[alice_and_bob("2026-07-03")]).plan, NOTHING);
}

#[test]
fn a_label_that_was_taken_away_is_put_back() {
    let mut desk = busy(desk_per_user());
    desk.unlabel(3);
    desk.unlabel(1);
    let ran = desk.run("2026-07-02", &[alice_and_bob("2026-07-02")]);
    assert_eq!(
        ran.plan,
        "create the label \"iam-stocktake\" if it does not exist\ncreate the label \"security\" if it does not exist\n\
         label issue #3: [\"iam-stocktake\"]\nlabel issue #1: [\"iam-stocktake\"]\n"
    );
    assert_eq!(desk.run("2026-07-03", &[alice_and_bob("2026-07-03")]).plan, NOTHING);
}

#[test]
fn more_days_to_remedy_take_back_that_a_finding_is_overdue_and_fewer_tell_of_it() {
    let mut desk = busy(desk());
    desk.run("2026-08-05", &[alice_and_bob("2026-08-05")]);
    assert!(desk.page().contains("; 2 overdue."));
    desk.options.due_within_days = 60;
    let ran = desk.run("2026-08-06", &[alice_and_bob("2026-08-06")]);
    assert_eq!(ran.said.len(), 0);
    let page = desk.page();
    assert!(!page.contains("overdue") && page.contains("due 2026-08-30."), "{page}");
    desk.options.due_within_days = 10;
    let ran = desk.run("2026-08-07", &[alice_and_bob("2026-08-07")]);
    assert!(ran.said[0].starts_with("**Overdue:**"), "{:?}", ran.said);
    assert_eq!(desk.run("2026-08-08", &[alice_and_bob("2026-08-08")]).plan, NOTHING);
}

// Parallel runs, and other issues

#[test]
fn of_twins_the_lowest_number_stays() {
    let mut desk = busy(desk());
    let duplicate = desk.index().body.clone();
    desk.tracker.create("IAM credentials to remediate", &duplicate, &["iam-stocktake".to_owned()]);
    let ran = desk.run("2026-07-02", &[alice_and_bob("2026-07-02")]);
    assert_eq!(ran.plan, "close issue #2, a duplicate of #1\n");
    assert_eq!(ran.said, ["Two runs created this issue at the same time. It continues in #1."]);
    assert_eq!(desk.run("2026-07-03", &[alice_and_bob("2026-07-03")]).plan, NOTHING);
    assert!(desk.tracker.issue(1).is_open);
}

#[test]
fn twins_of_users_issues_are_closed_too() {
    let mut desk = busy(desk_per_user());
    let duplicate = desk.tracker.issue(2).body.clone();
    desk.tracker.create("bob", &duplicate, &["iam-stocktake".to_owned()]);
    let ran = desk.run("2026-07-02", &[alice_and_bob("2026-07-02")]);
    assert_eq!(ran.plan, "close issue #4, a duplicate of #2\n");
}

#[test]
fn queues_of_different_names_do_not_know_each_other() {
    let mut desk = busy(desk());
    desk.options.queue = "default-2".parse().unwrap();
    desk.run("2026-07-02", &[alice_and_bob("2026-07-02")]);
    assert_eq!(desk.snapshot().queue_issue.unwrap().number, 2);
    desk.options.queue = "default".parse().unwrap();
    assert_eq!(desk.snapshot().queue_issue.unwrap().number, 1);
    assert_eq!(desk.run("2026-07-03", &[alice_and_bob("2026-07-03")]).plan, NOTHING);
}

#[test]
fn owners_are_assigned_if_their_tag_names_a_login_and_each_once() {
    let mut desk = desk_per_user();
    desk.options.assign_owners = true;
    desk.options.assignees = vec!["Mona".to_owned(), "hubot".to_owned()];
    let found = [
        password("alice").owner("@mona"),
        password("bob").owner("@acme/platform"),
        password("carol").owner("the platform team"),
        password("dave").owner("octo-cat"),
    ];
    desk.run("2026-07-01", &[Audit::on("2026-07-01", &found)]);
    let of = |user: &str| {
        let title = format!("IAM user {user} of");
        let mut issues = desk.tracker.issues.values();
        issues.find(|issue| issue.title.starts_with(&title)).unwrap().assignees.clone()
    };
    for user in ["alice", "bob", "carol"] {
        assert_eq!(of(user), ["Mona", "hubot"], "{user}");
    }
    assert_eq!(of("dave"), ["Mona", "hubot", "octo-cat"]);
}

#[test]
fn the_issue_of_a_user_stands_for_every_spelling_of_the_name() {
    let mut desk = desk_per_user();
    let ran = desk
        .run("2026-07-01", &[Audit::on("2026-07-01", &[password("Alice"), access_key("alice")])]);
    assert_eq!(ran.plan.matches("create issue").count(), 2, "{}", ran.plan);
}
