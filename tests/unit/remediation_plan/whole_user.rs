//! When a user is deleted: some time after the last credential became unused, and only if nothing
//! prevents it.

use iam_stocktake::model::inventory::{
    AccessKey, CredentialKind, Flag, Timestamp, UnreadableField,
};
use iam_stocktake::model::policy::Rule;
use iam_stocktake::model::remediation_tag::{RemediationStatus, TagSubject};

use crate::remediation_plan::case::{Case, assert_planned};
use crate::support::{days_ago, key, other, password};

const DELETED: &[&str] = &["user: DeleteUser"];
const IN_USE: &[&str] = &["user: RemoveTag(InUse)"];

#[test]
fn users_are_deleted_only_with_delete_users() {
    let case = Case::whole_user;
    assert_planned([
        ("delete_users: true", case(), DELETED),
        (
            "delete_users: false",
            case().with(|it| it.remediation.delete_users = false),
            &["user: RemoveTag(NotStale)"],
        ),
        (
            "delete_after_days is not set",
            case().with(|it| it.remediation.delete_after_days = None),
            &["user: RemoveTag(NotStale)"],
        ),
        (
            "29 days",
            case().tagged(&TagSubject::User, RemediationStatus::Notified, 29, 3),
            &["user pending: delete"],
        ),
        ("30 days", case().tagged(&TagSubject::User, RemediationStatus::Notified, 30, 3), DELETED),
    ]);
}

#[test]
fn user_in_use_is_not_deleted() {
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
            "an unused active key",
            with_key(200, Flag::Yes),
            &["access-key …AAAA: Notify(First)", "user: RemoveTag(InUse)"],
        ),
        ("an unused inactive key", with_key(200, Flag::No), DELETED),
        ("an inactive key, used 91 days ago", with_key(91, Flag::No), DELETED),
        (
            "an inactive key, used 90 days ago",
            with_key(90, Flag::No),
            &["access-key …AAAA: ScheduleDeletion(First)", "user: RemoveTag(InUse)"],
        ),
        ("an inactive key, used yesterday", with_key(1, Flag::No), IN_USE),
        (
            "an active SSH key",
            Case::whole_user().with(|it| {
                let ssh_key = other(CredentialKind::SshKey, "APKAXX77", 300);
                it.user_record.user.other_credentials.push(ssh_key);
            }),
            &["ssh-key …XX77: Notify(First)", "user: RemoveTag(InUse)"],
        ),
        ("a password in use", with_password(1), IN_USE),
        (
            "an unused password without a notice",
            with_password(200),
            &["password: Notify(First)", "user: RemoveTag(InUse)"],
        ),
        (
            "an unused password to delete by hand",
            with_password(200).tagged(&TagSubject::PASSWORD, RemediationStatus::Notified, 20, 3),
            DELETED,
        ),
        (
            "a recently reset password",
            with_password(200).with(|it| {
                it.user_record.user.password.as_mut().unwrap().last_changed =
                    Timestamp::At(days_ago(5));
            }),
            &[
                "user: RemoveTag(InUse)",
                "password is skipped: the password was reset on 2026-06-25",
            ],
        ),
    ]);
}

#[test]
fn new_user_is_not_deleted() {
    let created = |days| {
        Case::whole_user().with(|it| {
            it.user_record.user.created = Timestamp::At(days_ago(days));
        })
    };
    assert_planned([
        ("91 days", created(91), DELETED),
        ("90 days", created(90), IN_USE),
        (
            "unknown creation date",
            Case::whole_user().with(|it| it.user_record.user.created = Timestamp::Absent),
            &["user is skipped: evidence is missing: the creation date of the user is unknown"],
        ),
    ]);
}

#[test]
fn missing_evidence_does_not_count_as_use() {
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
    let unread = "user is skipped: evidence is missing: X cannot be read: soon";
    let status = with_key(&|key| key.active = Flag::Unreadable(unreadable("X")));
    let used = with_key(&|key| key.last_used = Timestamp::Unreadable(unreadable("X")));
    let created = with_key(&|key| {
        key.last_used = Timestamp::Absent;
        key.created = Timestamp::Absent;
    });
    for (what, case) in [("status", status), ("use", used), ("creation", created)] {
        let lines = case.lines();
        assert!(!lines.iter().any(|it| it.starts_with("user: ")), "{what}: {lines:?}");
        assert!(lines.iter().any(|it| it.starts_with("user is skipped: evidence")), "{what}");
        assert!(what == "creation" || lines.iter().any(|it| it == unread), "{what}: {lines:?}");
    }

    // Evidence about another user is missing, so the rule is incomplete in the account.
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
    let skipped =
        [format!("password is skipped: {incomplete}"), format!("user is skipped: {incomplete}")];
    assert_eq!(password(3).lines(), skipped);
    // The days keep counting because the run fetched this user completely.
    let renewed = ["password: RenewTag", "user: RenewTag"].map(str::to_owned);
    assert_eq!(password(8).lines(), [&renewed[..], &skipped].concat());
    // A password in use counts as use, even if other evidence is missing.
    let used = password(3).with(|it| it.user_record.user.access_keys.push(key("AKIA", 1)));
    assert_eq!(used.lines()[0], "user: RemoveTag(InUse)");
}

#[test]
fn user_with_an_exemption_is_not_deleted() {
    let with_key = || {
        Case::whole_user().with(|it| {
            let mut key = key("AKIA000000000000AAAA", 200);
            key.active = Flag::No;
            it.user_record.user.access_keys.push(key);
        })
    };
    let exempted = "exempt until 2026-12-31 (allowlist line 3)";
    assert_planned([
        ("no exemption", with_key(), DELETED),
        (
            "an access key",
            with_key().exempted("2026-12-31", ", credentials: [access-key]"),
            &[
                "user: RemoveTag(Exempted)",
                &format!("access-key …AAAA is skipped: {exempted}"),
                &format!("user is skipped: {exempted}"),
            ],
        ),
        (
            "the rule user-without-credentials",
            Case::whole_user().exempted("2026-12-31", ", rules: [user-without-credentials]"),
            &["user: RemoveTag(Exempted)", &format!("user is skipped: {exempted}")],
        ),
        (
            "a user without the exempt credentials",
            Case::whole_user().exempted("2026-12-31", ""),
            &["user: RemoveTag(Exempted)", &format!("user is skipped: {exempted}")],
        ),
        (
            "expired since",
            with_key().exempted("2026-06-25", ""),
            &["access-key …AAAA: ScheduleDeletion(First)", "user: Notify(ExemptionExpired)"],
        ),
    ]);
}

#[test]
fn started_deletion_is_finished_unless_its_tag_is_set_again() {
    let started = |since, seen| {
        Case::whole_user().tagged(&TagSubject::User, RemediationStatus::Notified, since, seen).with(
            |it| {
                it.is_partially_deleted = true;
            },
        )
    };
    assert_planned([
        ("before it is due", started(20, 3), DELETED),
        ("not seen for 15 days", started(40, 15), &["user: Notify(NotSeen)"]),
        ("a notice in the future", started(-1, 3), &["user: Notify(Unreadable)"]),
    ]);
}

#[test]
fn user_is_not_deleted_if_any_rule_is_incomplete() {
    let case = |rule| Case::whole_user().with(|it| it.account.incomplete.push(rule));
    for rule in [Rule::StalePassword, Rule::OldServiceCredential] {
        let message = format!(
            "user is skipped: evidence is missing: the rule {rule} is incomplete in this account"
        );
        assert_eq!(case(rule).lines(), [message]);
    }
}

#[test]
fn each_reason_restarts_the_days_until_user_deletion() {
    let set = |since, seen| {
        Case::whole_user().tagged(&TagSubject::User, RemediationStatus::Notified, since, seen)
    };
    let absent = || Case::whole_user().without_tag(&TagSubject::User);
    assert_planned([
        ("no tag", absent(), &["user: Notify(First)"]),
        (
            "tag removed by somebody else",
            absent().with(|it| it.known_tags = vec![TagSubject::User]),
            &["user: Notify(TagRemoved)"],
        ),
        (
            "unreadable tag",
            absent().with_tag("iam-stocktake:user", "x"),
            &["user: Notify(Unreadable)"],
        ),
        (
            "a status that users do not have",
            absent().tagged(&TagSubject::User, RemediationStatus::Deactivated, 40, 3),
            &["user: Notify(Unreadable)"],
        ),
        ("set in the future", set(-1, 3), &["user: Notify(Unreadable)"]),
        ("not seen for 15 days", set(40, 15), &["user: Notify(NotSeen)"]),
        ("seen 14 days ago", set(40, 14), DELETED),
    ]);
}

#[test]
fn started_deletion_is_finished_unless_the_user_is_in_use() {
    let case = Case::whole_user().tagged(&TagSubject::User, RemediationStatus::Notified, 1, 1);
    assert_eq!(case.lines(), ["user pending: delete"]);
    let started = |case: &Case| {
        let mut input = case.input();
        input.partially_deleted.insert(case.user_record.user.id.clone().unwrap());
        crate::remediation_plan::case::lines(&iam_stocktake::remediate::plan::plan(
            &input,
            case.settings(),
        ))
    };
    assert_eq!(started(&case), DELETED);
    let used = case.with(|it| it.user_record.user.access_keys.push(key("AKIA000000000000AAAA", 1)));
    assert_eq!(started(&used), IN_USE);
}
