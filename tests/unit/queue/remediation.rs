//! Remediation in the queue: the stage of a credential, and the resources of a user.

use super::*;
use iam_stocktake::queue::observation::Observation;
use iam_stocktake::report::json::v1;

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
        "**Not needed:** deactivate the credentials by 2026-07-31, and delete them",
        "If the user is not needed, delete the user with everything listed above.",
        "**Needed:** add this to `exemptions` in `.github/iam-allowlist.yml`",
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
        body.contains("**Not needed:** deactivate the credentials by 2026-07-31, and delete them"),
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
    assert!(body.contains("- [ ] ⛔ error: password"), "{body}");
    assert_eq!(harness.run("2026-07-02", &[Audit::on("2026-07-02", &found())]).plan, NOTHING);
}

// The user's own issue

#[test]
fn user_issue_has_the_console_link_commands_and_exemption() {
    let mut harness = harness_per_user();
    let mut key = access_key("bob");
    key.0.last_service = Some("s3".to_owned());
    let found = || [key.clone(), password("bob")];
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &found())]);
    let body = harness.tracker.issue(1).body.clone();
    for says in [
        "https://console.aws.amazon.com/iam/home#/users/details/bob?section=security_credentials",
        "access key&nbsp;…`WXYZ`, last used 2026-01-01 for `s3`.",
        "aws iam list-access-keys --user-name bob",
        "`aws iam update-access-key --user-name bob --access-key-id ID --status Inactive`",
        "aws iam delete-login-profile --user-name bob",
        "  - user: \"bob\"\n    account: \"111122223333\"\n    \
         credentials: [\"access-key:WXYZ\", \"password\"]\n",
        "    expires: 2026-09-29\n",
    ] {
        assert!(body.contains(says), "{says}\n{body}");
    }
    // The dates change only every few weeks.
    for day in ["2026-07-02", "2026-07-06", "2026-07-07"] {
        assert_eq!(harness.run(day, &[Audit::on(day, &found())]).plan, NOTHING, "{day}");
    }
}

#[test]
fn suggested_exemption_is_never_expired() {
    let mut harness = harness_per_user();
    let found = || [password("bob")];
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &found())]);
    for (day, expires) in
        [("2026-07-30", "2026-09-29"), ("2026-07-31", "2026-10-29"), ("2027-07-01", "2027-09-24")]
    {
        harness.run(day, &[Audit::on(day, &found())]);
        let body = &harness.tracker.issue(1).body;
        assert!(body.contains(&format!("expires: {expires}")), "{day}\n{body}");
    }
}

// Remediation tags

/// The status and its day, and the next stage and its first day.
type Progress<'a> = (&'a str, &'a str, Option<(&'a str, &'a str)>);

/// A credential of bob with this progress, or without a tag.
fn record(active: bool, progress: Option<Progress<'_>>) -> v1::Remediation {
    v1::Remediation {
        id: "0123456789abcdef".into(),
        account: ACCOUNT.into(),
        user: "bob".to_owned(),
        owner: Some("ops".to_owned()),
        kind: Some("ssh-key".into()),
        credential: Some("WXYZ".to_owned()),
        active,
        progress: progress.map(|(reached, since, next)| v1::RemediationProgress {
            reached: reached.into(),
            since: on(since),
            next: next.map(|(stage, _)| stage.into()),
            next_from: next.map(|(_, day)| day.parse().unwrap()),
        }),
    }
}

/// An audit without findings that read all credentials and tags of bob.
fn with_record(day: &str, record: Option<v1::Remediation>) -> Audit {
    let mut audit = Audit::on(day, &[]);
    audit.0.remediations.extend(record);
    audit.0.accounts[0].rechecked_users.push("bob".to_owned());
    audit
}

const DELETE: Option<(&str, &str)> = Some(("delete", "2026-08-15"));

#[test]
fn each_stage_is_said_once_and_the_next_days_are_quiet() {
    let mut harness = harness();
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &[])]);
    let notified = || Some(record(true, Some(("notified", "2026-07-01", DEACTIVATE))));
    let deactivated = || Some(record(false, Some(("deactivated", "2026-07-15", DELETE))));
    let reactivated = || Some(record(true, None));
    let steps: [(&str, Option<_>, Option<&str>); 10] = [
        ("2026-07-02", notified(), Some("**Notice.**")),
        ("2026-07-03", notified(), None),
        ("2026-07-16", deactivated(), Some("**Deactivated.**")),
        ("2026-07-17", deactivated(), None),
        ("2026-08-07", deactivated(), None),
        ("2026-08-08", deactivated(), Some("**Deletion within a week.**")),
        ("2026-08-09", deactivated(), None),
        ("2026-08-10", reactivated(), Some("**Reactivated:**")),
        ("2026-08-11", reactivated(), None),
        ("2026-08-12", notified(), Some("**Notice.**")),
    ];
    for (day, record, says) in steps {
        let ran = harness.run(day, &[with_record(day, record)]);
        match says {
            Some(says) => {
                let [comment] = ran.comments.as_slice() else {
                    panic!("{day}: {:?}", ran.comments)
                };
                assert!(comment.contains(says) && comment.contains("`bob`: SSH key"), "{comment}");
            }
            None => assert_eq!(ran.comments, [""; 0], "{day}"),
        }
        let is_waiting = ("2026-07-16".."2026-08-10").contains(&day);
        let page = harness.page();
        assert_eq!(page.contains("### Deactivated, waiting for deletion"), is_waiting, "{page}");
        assert!(!harness.queue_issue().is_open, "{day}");
    }
}

#[test]
fn deletion_is_reported_only_if_the_user_was_rechecked() {
    let mut harness = harness();
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &[])]);
    let deactivated = Some(record(false, Some(("deactivated", "2026-07-15", DELETE))));
    harness.run("2026-07-16", &[with_record("2026-07-16", deactivated)]);
    // An audit that did not read the user's tags, and one of another account.
    for audit in [Audit::on("2026-08-15", &[]), Audit::of(OTHER_ACCOUNT, "2026-08-15", &[])] {
        assert_eq!(harness.run("2026-08-15", &[audit]).comments, [""; 0]);
        assert!(harness.page().contains("waiting for deletion"), "{}", harness.page());
    }
    let ran = harness.run("2026-08-16", &[with_record("2026-08-16", None)]);
    assert!(ran.comments[0].contains("**Deleted:**"), "{:?}", ran.comments);
    assert!(!harness.page().contains("waiting for deletion"));
}

#[test]
fn remediation_without_evidence_leaves_the_queue_after_thirty_days() {
    let mut harness = harness();
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &[])]);
    let deactivated = Some(record(false, Some(("deactivated", "2026-07-15", DELETE))));
    harness.run("2026-07-16", &[with_record("2026-07-16", deactivated)]);
    for (day, is_listed) in [("2026-09-14", true), ("2026-09-15", false)] {
        let ran = harness.run(day, &[Audit::on(day, &[])]);
        assert_eq!(ran.comments, [""; 0]);
        assert_eq!(harness.page().contains("waiting for deletion"), is_listed, "{day}");
    }
}

#[test]
fn user_is_told_in_the_own_issue_too() {
    let mut harness = harness_per_user();
    let found = || [access_key("bob")];
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &found())]);
    let mut audit = Audit::on("2026-07-02", &found());
    audit.0.remediations.push(record(true, Some(("notified", "2026-07-01", DEACTIVATE))));
    let ran = harness.run("2026-07-02", &[audit]);
    assert_eq!(ran.comments.len(), 2, "{:?}", ran.comments);
    assert!(ran.comments.iter().all(|it| it.contains("**Notice.**")), "{:?}", ran.comments);
    // It becomes overdue.
    let mut audit = Audit::on("2026-08-02", &found());
    audit.0.remediations.push(record(true, Some(("notified", "2026-07-01", DEACTIVATE))));
    let ran = harness.run("2026-08-02", &[audit]);
    assert!(ran.comments.iter().all(|it| it.contains("**Overdue:**")), "{:?}", ran.comments);
    assert_eq!(ran.comments.len(), 2);
}

#[test]
fn at_most_twenty_users_get_a_comment_per_run() {
    let mut harness = harness_per_user();
    let users: Vec<_> = (0..25).map(|n| access_key(&format!("user-{n:02}"))).collect();
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &users)]);
    harness.run("2026-07-02", &[Audit::on("2026-07-02", &users)]);
    let ran = harness.run("2026-08-02", &[Audit::on("2026-08-02", &users)]);
    // One on the queue issue, which counts the others.
    assert_eq!(ran.comments.len(), 21);
    let all = ran.comments.iter().find(|it| it.contains("and 15 more"));
    assert!(all.is_some(), "{:?}", ran.comments);
}
