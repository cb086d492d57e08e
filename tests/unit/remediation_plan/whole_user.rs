//! When a user is deleted whole: some time after the last credential went out of use, and never
//! where anything speaks against it.

use iam_stocktake::model::inventory::{AccessKey, Flag, Timestamp, UnreadableField};
use iam_stocktake::model::policy::Rule;
use iam_stocktake::model::remediation_tag::{RemediationStatus, TagSubject};

use crate::remediation_plan::case::{Case, assert_planned};
use crate::support::{days_ago, key, password};

const DELETED: &[&str] = &["user: DeleteUser"];
const IN_USE: &[&str] = &["user: Clear(InUse)"];

#[test]
fn a_user_is_deleted_whole_only_behind_a_setting_of_its_own() {
    let case = Case::whole_user;
    assert_planned([
        ("asked for", case(), DELETED),
        (
            "not asked for",
            case().with(|it| it.remediation.delete_users = false),
            &["user: Clear(NotStale)"],
        ),
        (
            "nothing is to be deleted at all",
            case().with(|it| it.remediation.delete_after_days = None),
            &["user: Clear(NotStale)"],
        ),
        (
            "29 days",
            case().tagged(&TagSubject::User, RemediationStatus::Notified, 29, 3),
            &["user waits to delete"],
        ),
        ("30 days", case().tagged(&TagSubject::User, RemediationStatus::Notified, 30, 3), DELETED),
    ]);
}

#[test]
fn a_user_of_whom_anything_is_in_use_is_not_deleted() {
    let with_key = |used: i64, active: Flag| {
        Case::whole_user().with(|it| {
            let mut key = key("AKIA000000000000AAAA", used);
            key.active = active;
            it.user_record.user.access_keys.push(key);
        })
    };
    let with_password = |used: i64| {
        Case::whole_user().with(|it| {
            it.user_record.user.password = Some(password(used));
        })
    };
    assert_planned([
        ("a key in use", with_key(1, Flag::Yes), IN_USE),
        (
            "a key in no use, and active",
            with_key(200, Flag::Yes),
            &["access-key …AAAA: Notify(First)", "user: Clear(InUse)"],
        ),
        ("a key that is inactive", with_key(200, Flag::No), DELETED),
        ("one that was used 91 days ago", with_key(91, Flag::No), DELETED),
        (
            "one that was used 90 days ago",
            with_key(90, Flag::No),
            &["access-key …AAAA: Settle(First)", "user: Clear(InUse)"],
        ),
        ("one that was used yesterday", with_key(1, Flag::No), IN_USE),
        ("a password in use", with_password(1), IN_USE),
        (
            "a password in no use, without its notice",
            with_password(200),
            &["password: Notify(First)", "user: Clear(InUse)"],
        ),
        (
            "a password that a person would have to remove",
            with_password(200).tagged(&TagSubject::PASSWORD, RemediationStatus::Notified, 20, 3),
            DELETED,
        ),
        (
            "a password that was reset lately",
            with_password(200).with(|it| {
                it.user_record.user.password.as_mut().unwrap().last_changed =
                    Timestamp::At(days_ago(5));
            }),
            &["user: Clear(InUse)", "password is left alone: the password was reset on 2026-06-25"],
        ),
    ]);
}

#[test]
fn a_young_user_is_not_deleted() {
    let created = |days| {
        Case::whole_user().with(|it| {
            it.user_record.user.created = Timestamp::At(days_ago(days));
        })
    };
    assert_planned([
        ("91 days", created(91), DELETED),
        ("90 days", created(90), IN_USE),
        (
            "nobody knows",
            Case::whole_user().with(|it| it.user_record.user.created = Timestamp::Absent),
            &["user is left alone: evidence is missing: nobody can tell when the user was created"],
        ),
    ]);
}

#[test]
fn missing_evidence_is_never_use_and_takes_no_days_away() {
    let unreadable = |column: &str| {
        Box::new(UnreadableField { column: column.to_owned(), text: "soon".to_owned() })
    };
    let with_key = |change: &dyn Fn(&mut AccessKey<'_>)| {
        Case::whole_user().with(|it| {
            let mut key = key("AKIA000000000000AAAA", 200);
            key.active = Flag::No;
            change(&mut key);
            it.user_record.user.access_keys.push(key);
        })
    };
    let unread = "user is left alone: evidence is missing: X cannot be read: soon";
    let status = with_key(&|key| key.active = Flag::Unreadable(unreadable("X")));
    let used = with_key(&|key| key.last_used = Timestamp::Unreadable(unreadable("X")));
    let created = with_key(&|key| {
        key.last_used = Timestamp::Absent;
        key.created = Timestamp::Absent;
    });
    for (what, case) in [("status", status), ("use", used), ("creation", created)] {
        let said = case.said();
        assert!(!said.iter().any(|it| it.starts_with("user: ")), "{what}: {said:?}");
        assert!(said.iter().any(|it| it.starts_with("user is left alone: evidence")), "{what}");
        assert!(what == "creation" || said.iter().any(|it| it == unread), "{what}: {said:?}");
    }

    // Evidence about another user is missing, so that the rule is incomplete in the account.
    let password = |seen| {
        Case::whole_user()
            .tagged(&TagSubject::User, RemediationStatus::Notified, 20, seen)
            .tagged(&TagSubject::PASSWORD, RemediationStatus::Notified, 20, seen)
            .with(|it| {
                it.user_record.user.password = Some(password(200));
                it.account.incomplete.push(Rule::StalePassword);
            })
    };
    let incomplete = "evidence is missing: the rule stale-password is incomplete in this account";
    let alone = [
        format!("password is left alone: {incomplete}"),
        format!("user is left alone: {incomplete}"),
    ];
    assert_eq!(password(3).said(), alone);
    // The days go on, since a run has seen the user whole.
    let renewed = ["password: Renew", "user: Renew"].map(str::to_owned);
    assert_eq!(password(8).said(), [&renewed[..], &alone].concat());
    // A password that is in use is use, whatever else is missing.
    let used = password(3).with(|it| it.user_record.user.access_keys.push(key("AKIA", 1)));
    assert_eq!(used.said()[0], "user: Clear(InUse)");
}

#[test]
fn a_user_of_whom_anything_is_exempted_is_not_deleted() {
    let with_key = || {
        Case::whole_user().with(|it| {
            let mut key = key("AKIA000000000000AAAA", 200);
            key.active = Flag::No;
            it.user_record.user.access_keys.push(key);
        })
    };
    let exempted = "exempted until 2026-12-31 (line 3 of the allowlist)";
    assert_planned([
        ("nothing", with_key(), DELETED),
        (
            "a key",
            with_key().exempted("2026-12-31", ", credentials: [access-key]"),
            &[
                "user: Clear(Exempted)",
                &format!("access-key …AAAA is left alone: {exempted}"),
                &format!("user is left alone: {exempted}"),
            ],
        ),
        (
            "the user who has no credentials",
            Case::whole_user().exempted("2026-12-31", ", rules: [user-without-credentials]"),
            &["user: Clear(Exempted)", &format!("user is left alone: {exempted}")],
        ),
        (
            "what the user has no more",
            Case::whole_user().exempted("2026-12-31", ""),
            &["user: Clear(Exempted)", &format!("user is left alone: {exempted}")],
        ),
        (
            "lapsed since",
            with_key().exempted("2026-06-25", ""),
            &["access-key …AAAA: Settle(First)", "user: Notify(ExemptionLapsed)"],
        ),
    ]);
}

#[test]
fn a_deletion_that_was_begun_is_finished_unless_its_clock_starts_anew() {
    let begun = |since, seen| {
        Case::whole_user().tagged(&TagSubject::User, RemediationStatus::Notified, since, seen).with(
            |it| {
                it.is_partially_deleted = true;
            },
        )
    };
    assert_planned([
        ("before its days have passed, by another policy", begun(20, 3), DELETED),
        ("no run has seen it for long", begun(40, 15), &["user: Notify(NotSeen)"]),
        ("a notice to come", begun(-1, 3), &["user: Notify(Unreadable)"]),
    ]);
}

#[test]
fn a_user_is_not_deleted_where_any_rule_is_incomplete() {
    let case = |rule| Case::whole_user().with(|it| it.account.incomplete.push(rule));
    for rule in [Rule::StalePassword, Rule::OldServiceCredential] {
        let message = format!(
            "user is left alone: evidence is missing: the rule {rule} is incomplete in this account"
        );
        assert_eq!(case(rule).said(), [message]);
    }
}

#[test]
fn the_users_clock_starts_anew_for_each_of_its_reasons() {
    let set = |since, seen| {
        Case::whole_user().tagged(&TagSubject::User, RemediationStatus::Notified, since, seen)
    };
    let absent = || Case::whole_user().without_tag(&TagSubject::User);
    assert_planned([
        ("none", absent(), &["user: Notify(First)"]),
        (
            "taken away",
            absent().with(|it| it.remembered = vec![TagSubject::User]),
            &["user: Notify(Vanished)"],
        ),
        ("nonsense", absent().with_tag("iam-stocktake:user", "x"), &["user: Notify(Unreadable)"]),
        (
            "what a user cannot be",
            absent().tagged(&TagSubject::User, RemediationStatus::Deactivated, 40, 3),
            &["user: Notify(Unreadable)"],
        ),
        ("to come", set(-1, 3), &["user: Notify(Unreadable)"]),
        ("not seen for 15 days", set(40, 15), &["user: Notify(NotSeen)"]),
        ("seen", set(40, 14), DELETED),
    ]);
}

#[test]
fn a_deletion_that_was_begun_is_finished() {
    let case = Case::whole_user().tagged(&TagSubject::User, RemediationStatus::Notified, 1, 1);
    assert_eq!(case.said(), ["user waits to delete"]);
    let begun = |case: &Case| {
        let mut input = case.input();
        input.partially_deleted.insert(case.user_record.user.id.clone().unwrap());
        crate::remediation_plan::case::said(&iam_stocktake::remediate::plan::plan(
            &input,
            case.settings(),
        ))
    };
    assert_eq!(begun(&case), DELETED);
    let used = case.with(|it| it.user_record.user.access_keys.push(key("AKIA000000000000AAAA", 1)));
    assert_eq!(begun(&used), IN_USE);
}
