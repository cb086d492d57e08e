//! Remediation in the queue: the stage of a credential, and the resources of a user.

use super::*;
use iam_stocktake::queue::observation::Observation;

const DEACTIVATE: Option<(&str, &str)> = Some(("deactivate", "2026-07-15"));

// Stages

#[test]
fn row_shows_the_dates_of_notice_and_deactivation() {
    let mut harness = harness();
    let found = || [access_key("bob").remediation("notified", "2026-07-01", DEACTIVATE)];
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &found())]);
    let says = "due 2026-07-31. Notified 2026-07-01, deactivation from 2026-07-15.\n";
    assert!(harness.page().contains(says), "{}", harness.page());
    // It shows dates instead of ages, so that it changes only with the finding.
    assert_eq!(harness.run("2026-07-02", &[Audit::on("2026-07-02", &found())]).plan, NOTHING);
}

#[test]
fn row_shows_the_dates_in_japanese() {
    let mut harness = Harness::new(Language::Japanese, false);
    let found = access_key("bob").remediation("notified", "2026-07-01", DEACTIVATE);
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &[found])]);
    assert!(
        harness.page().contains("2026-07-01 に通知、2026-07-15 以降に無効化。"),
        "{}",
        harness.page()
    );
}

#[test]
fn row_without_a_next_date_shows_the_stage() {
    let mut harness = harness();
    let found = access_key("bob").remediation("deactivated", "2026-06-20", None);
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &[found])]);
    assert!(harness.page().contains(". Deactivated 2026-06-20.\n"), "{}", harness.page());
}

#[test]
fn later_notice_is_written_once_and_checked_boxes_stay() {
    let mut harness = harness();
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &[access_key("bob")])]);
    let ticked = harness.queue_issue().body.replace("- [ ] `bob`", "- [x] `bob`");
    harness.queue_issue().body = ticked;
    let later = || [access_key("bob").remediation("notified", "2026-07-02", DEACTIVATE)];
    let ran = harness.run("2026-07-02", &[Audit::on("2026-07-02", &later())]);
    assert_eq!(ran.plan, "edit issue #1, the queue issue: 1 open\n");
    let page = harness.page();
    assert!(page.contains("- [x] `bob`") && page.contains("Notified 2026-07-02"), "{page}");
    assert_eq!(harness.run("2026-07-03", &[Audit::on("2026-07-03", &later())]).plan, NOTHING);
}

#[test]
fn rejects_an_audit_with_an_unknown_stage() {
    for found in [
        access_key("bob").remediation("deported", "2026-07-01", None),
        access_key("bob").remediation("notified", "2026-07-01", Some(("deport", "2026-07-15"))),
    ] {
        let audit = Audit::on("2026-07-01", &[found]);
        let (_, refused) = Observation::of(&[audit.0], on("2026-07-01")).unwrap_err();
        assert!(refused.to_string().contains("deport"), "{refused}");
    }
}

// User resources

#[test]
fn user_issue_shows_user_resources_and_due_date() {
    let mut harness = harness_per_user();
    let found = || [password("alice").in_groups(&["staff", "ops"])];
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &found())]);
    let body = harness.tracker.issue(1).body.clone();
    for says in [
        "**The user also has:** MFA on; groups `ops`, `staff`; attached \
         policy `ReadOnlyAccess`; no inline policy.",
        "- **Deactivate** credentials that are not needed by 2026-07-31.",
        "- **Delete** them two weeks later. If the user is not needed, delete the user",
        "- **Keep** a credential by adding an exemption",
    ] {
        assert!(body.contains(says), "{says}\n{body}");
    }
    assert_eq!(harness.run("2026-07-02", &[Audit::on("2026-07-02", &found())]).plan, NOTHING);
    // Another group is written and stored.
    let moved = || [password("alice").in_groups(&["staff"])];
    let ran = harness.run("2026-07-03", &[Audit::on("2026-07-03", &moved())]);
    assert_eq!(ran.plan, "edit issue #1\nedit issue #2, the queue issue: 1 open\n");
    let body = harness.tracker.issue(1).body.clone();
    assert!(body.contains("group `staff`; attached"), "{body}");
    assert_eq!(harness.run("2026-07-04", &[Audit::on("2026-07-04", &moved())]).plan, NOTHING);
    // An audit of another account removes nothing.
    harness.run("2026-07-05", &[Audit::of(OTHER_ACCOUNT, "2026-07-05", &[])]);
    assert_eq!(harness.tracker.issue(1).body, body);
}

#[test]
fn user_issue_omits_unknown_user_resources() {
    let mut harness = harness_per_user();
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &[password("alice")])]);
    let body = &harness.tracker.issue(1).body;
    assert!(!body.contains("The user also has") && !body.contains("no group"), "{body}");
    assert!(
        body.contains("- **Deactivate** credentials that are not needed by 2026-07-31."),
        "{body}"
    );
}

#[test]
fn user_resources_are_dropped_when_unknown_or_without_open_findings() {
    let mut harness = harness_per_user();
    let known = |ran: &QueueRun| ran.update.queue_state.user_resources.len();
    let found = [password("alice").in_groups(&["staff"]), password("bob").in_groups(&["staff"])];
    assert_eq!(known(&harness.run("2026-07-01", &[Audit::on("2026-07-01", &found)])), 2);
    // It is unknown whether alice is still in the group; bob's password was deleted.
    let ran = harness.run("2026-07-02", &[Audit::on("2026-07-02", &[password("alice")])]);
    assert_eq!(known(&ran), 0);
    assert!(!harness.tracker.issue(1).body.contains("`staff`"));
}

#[test]
fn user_resources_do_not_change_a_single_queue_issue() {
    let mut harness = harness();
    let found = |group| [password("alice").in_groups(&[group])];
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &found("staff"))]);
    let ran = harness.run("2026-07-02", &[Audit::on("2026-07-02", &found("ops"))]);
    assert_eq!(ran.plan, NOTHING);
}

#[test]
fn long_names_leave_space_for_the_rows() {
    let mut harness = harness_per_user();
    let names: Vec<_> = (0..5_000).map(|n| format!("{n:04}{}", "`@|\n".repeat(100))).collect();
    let groups: Vec<_> = names.iter().map(String::as_str).collect();
    let found = || [password("alice").in_groups(&groups)];
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &found())]);
    let body = harness.tracker.issue(1).body.clone();
    assert!(body.len() < 20_000 && body.contains("and 4980 more"), "{}", body.len());
    assert!(body.contains("- [ ] ❌ error: password"), "{body}");
    assert_eq!(harness.run("2026-07-02", &[Audit::on("2026-07-02", &found())]).plan, NOTHING);
}
