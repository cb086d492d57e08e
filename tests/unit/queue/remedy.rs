//! What the queue shows of the remedy: how far it has come with a credential, and what a user has.

use super::*;
use iam_stocktake::queue::observation::Observation;

const DEACTIVATE: Option<(&str, &str)> = Some(("deactivate", "2026-07-15"));

// How far the remedy has come

#[test]
fn a_row_says_when_notice_was_given_and_from_which_day_on_it_will_be_deactivated() {
    let mut desk = desk();
    let found = || [access_key("bob").remedy("notified", "2026-07-01", DEACTIVATE)];
    desk.run("2026-07-01", &[Audit::on("2026-07-01", &found())]);
    let says = "due 2026-07-31. Notified 2026-07-01, deactivation from 2026-07-15. <!-- f:";
    assert!(desk.page().contains(says), "{}", desk.page());
    // It shows dates and no ages: nothing is written while nothing changes.
    assert_eq!(desk.run("2026-07-02", &[Audit::on("2026-07-02", &found())]).plan, NOTHING);
}

#[test]
fn a_row_says_so_in_japanese_too() {
    let mut desk = Desk::new(Language::Japanese, false);
    let found = access_key("bob").remedy("notified", "2026-07-01", DEACTIVATE);
    desk.run("2026-07-01", &[Audit::on("2026-07-01", &[found])]);
    assert!(
        desk.page().contains("2026-07-01 に通知、2026-07-15 以降に無効化。"),
        "{}",
        desk.page()
    );
}

#[test]
fn without_a_day_for_what_comes_next_a_row_says_what_was_reached() {
    let mut desk = desk();
    let found = access_key("bob").remedy("deactivated", "2026-06-20", None);
    desk.run("2026-07-01", &[Audit::on("2026-07-01", &[found])]);
    assert!(desk.page().contains(". Deactivated 2026-06-20. <!-- f:"), "{}", desk.page());
}

#[test]
fn a_notice_that_comes_later_is_written_once_and_ticks_stay() {
    let mut desk = desk();
    desk.run("2026-07-01", &[Audit::on("2026-07-01", &[access_key("bob")])]);
    let ticked = desk.index().body.replace("- [ ] `bob`", "- [x] `bob`");
    desk.index().body = ticked;
    let later = || [access_key("bob").remedy("notified", "2026-07-02", DEACTIVATE)];
    let ran = desk.run("2026-07-02", &[Audit::on("2026-07-02", &later())]);
    assert_eq!(ran.plan, "edit issue #1, the queue issue: 1 open\n");
    let page = desk.page();
    assert!(page.contains("- [x] `bob`") && page.contains("Notified 2026-07-02"), "{page}");
    assert_eq!(desk.run("2026-07-03", &[Audit::on("2026-07-03", &later())]).plan, NOTHING);
}

#[test]
fn an_audit_with_a_stage_that_is_not_known_is_refused() {
    for found in [
        access_key("bob").remedy("deported", "2026-07-01", None),
        access_key("bob").remedy("notified", "2026-07-01", Some(("deport", "2026-07-15"))),
    ] {
        let audit = Audit::on("2026-07-01", &[found]);
        let (_, refused) = Observation::of(&[audit.0], on("2026-07-01")).unwrap_err();
        assert!(refused.to_string().contains("deport"), "{refused}");
    }
}

// What the user has

#[test]
fn the_issue_of_a_user_says_what_the_user_has_and_what_to_do_by_when() {
    let mut desk = desk_per_user();
    let found = || [password("alice").in_groups(&["staff", "ops"])];
    desk.run("2026-07-01", &[Audit::on("2026-07-01", &found())]);
    let body = desk.tracker.issue(1).body.clone();
    for says in [
        "**The user also has:** MFA on; groups `ops`, `staff`; attached \
         policy `ReadOnlyAccess`; no inline policy.",
        "- **Deactivate** credentials that are not needed by 2026-07-31.",
        "- **Delete** them two weeks later. If nothing of the user is needed, delete the user",
        "- **Keep** a credential by adding an exemption",
    ] {
        assert!(body.contains(says), "{says}\n{body}");
    }
    assert_eq!(desk.run("2026-07-02", &[Audit::on("2026-07-02", &found())]).plan, NOTHING);
    // Another group is written there, and remembered.
    let moved = || [password("alice").in_groups(&["staff"])];
    let ran = desk.run("2026-07-03", &[Audit::on("2026-07-03", &moved())]);
    assert_eq!(ran.plan, "edit issue #1\nedit issue #2, the queue issue: 1 open\n");
    let body = desk.tracker.issue(1).body.clone();
    assert!(body.contains("group `staff`; attached"), "{body}");
    assert_eq!(desk.run("2026-07-04", &[Audit::on("2026-07-04", &moved())]).plan, NOTHING);
    // An audit that did not look at the account takes nothing away.
    desk.run("2026-07-05", &[Audit::of(OTHER_ACCOUNT, "2026-07-05", &[])]);
    assert_eq!(desk.tracker.issue(1).body, body);
}

#[test]
fn where_it_was_not_looked_at_the_issue_of_a_user_is_silent_about_it() {
    let mut desk = desk_per_user();
    desk.run("2026-07-01", &[Audit::on("2026-07-01", &[password("alice")])]);
    let body = &desk.tracker.issue(1).body;
    assert!(!body.contains("The user also has") && !body.contains("no group"), "{body}");
    assert!(
        body.contains("- **Deactivate** credentials that are not needed by 2026-07-31."),
        "{body}"
    );
}

#[test]
fn what_a_user_has_is_forgotten_when_it_is_looked_at_no_longer_and_when_nothing_stands() {
    let mut desk = desk_per_user();
    let known = |ran: &Ran| ran.update.queue_state.user_resources.len();
    let found = [password("alice").in_groups(&["staff"]), password("bob").in_groups(&["staff"])];
    assert_eq!(known(&desk.run("2026-07-01", &[Audit::on("2026-07-01", &found)])), 2);
    // Nobody knows whether alice is in that group still; bob's password is gone.
    let ran = desk.run("2026-07-02", &[Audit::on("2026-07-02", &[password("alice")])]);
    assert_eq!(known(&ran), 0);
    assert!(!desk.tracker.issue(1).body.contains("`staff`"));
}

#[test]
fn what_a_user_has_is_no_reason_to_write_an_index_that_does_not_show_it() {
    let mut desk = desk();
    let found = |group| [password("alice").in_groups(&[group])];
    desk.run("2026-07-01", &[Audit::on("2026-07-01", &found("staff"))]);
    let ran = desk.run("2026-07-02", &[Audit::on("2026-07-02", &found("ops"))]);
    assert_eq!(ran.plan, NOTHING);
}

#[test]
fn names_without_end_leave_room_for_the_rows() {
    let mut desk = desk_per_user();
    let names: Vec<_> = (0..5_000).map(|n| format!("{n:04}{}", "`@|\n".repeat(100))).collect();
    let groups: Vec<_> = names.iter().map(String::as_str).collect();
    let found = || [password("alice").in_groups(&groups)];
    desk.run("2026-07-01", &[Audit::on("2026-07-01", &found())]);
    let body = desk.tracker.issue(1).body.clone();
    assert!(body.len() < 20_000 && body.contains("and 4980 more"), "{}", body.len());
    assert!(body.contains("- [ ] `alice`"), "{body}");
    assert_eq!(desk.run("2026-07-02", &[Audit::on("2026-07-02", &found())]).plan, NOTHING);
}
