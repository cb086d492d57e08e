//! When a remediation tag is set, set again, updated and removed.

use iam_stocktake::model::inventory::{CredentialKind, Flag, Timestamp};
use iam_stocktake::model::remediation_tag::{RemediationStatus, TagSubject};

use crate::remediation_plan::case::{Case, KEY, assert_planned, of_key};
use crate::support::days_ago;

/// The access key of most cases, with a tag that was set and last seen this many days ago.
fn set(since: i64, seen: i64) -> Case {
    Case::deactivation_due().tagged(&of_key(KEY), RemediationStatus::Notified, since, seen)
}

#[test]
fn days_until_deactivation_count_from_the_notice() {
    assert_planned([
        ("13 days", set(13, 3), &["access-key …AAAA pending: deactivate"]),
        ("14 days", set(14, 3), &["access-key …AAAA: Deactivate"]),
    ]);
}

#[test]
fn each_reason_restarts_the_days_until_deactivation() {
    let tag = of_key(KEY).key();
    let known_tags = |case: Case| case.with(|it| it.known_tags = vec![of_key(KEY)]);
    let in_force_until = |day: &str| set(20, 3).exempted(day, "");
    let absent = || Case::deactivation_due().without_tag(&of_key(KEY));
    assert_planned([
        ("no tag", absent(), &["access-key …AAAA: Notify(First)"]),
        (
            "tag removed by somebody else",
            known_tags(absent()),
            &["access-key …AAAA: Notify(TagRemoved)"],
        ),
        ("known tag still set", known_tags(set(20, 3)), &["access-key …AAAA: Deactivate"]),
        (
            "unreadable tag",
            Case::deactivation_due().with_tag(&tag, "notified"),
            &["access-key …AAAA: Notify(Unreadable)"],
        ),
        ("set in the future", set(-1, 3), &["access-key …AAAA: Notify(Unreadable)"]),
        ("last seen in the future", set(20, -1), &["access-key …AAAA: Notify(Unreadable)"]),
        ("not seen for 15 days", set(20, 15), &["access-key …AAAA: Notify(NotSeen)"]),
        ("not seen for 14 days", set(20, 14), &["access-key …AAAA: Deactivate"]),
        (
            "exempt until 15 days after the notice",
            in_force_until("2026-06-25"),
            &["access-key …AAAA: Notify(ExemptionExpired)"],
        ),
        (
            "exempt until two days before the notice",
            in_force_until("2026-06-08"),
            &["access-key …AAAA: Deactivate"],
        ),
        (
            "used after the notice, stale again",
            Case::deactivation_due()
                .tagged(&of_key(KEY), RemediationStatus::Notified, 200, 3)
                .with(|it| {
                    it.user_record.user.access_keys[0].last_used = Timestamp::At(days_ago(150));
                }),
            &["access-key …AAAA: Notify(Used)"],
        ),
        (
            "used before the notice",
            Case::deactivation_due()
                .tagged(&of_key(KEY), RemediationStatus::Notified, 149, 3)
                .with(|it| {
                    it.user_record.user.access_keys[0].last_used = Timestamp::At(days_ago(150));
                }),
            &["access-key …AAAA: Deactivate"],
        ),
        (
            "deactivated by a run, activated again",
            Case::deactivation_due().tagged(&of_key(KEY), RemediationStatus::Deactivated, 20, 3),
            &["access-key …AAAA: Notify(Reactivated)"],
        ),
        (
            "deactivated by somebody else, activated again",
            Case::deactivation_due().tagged(&of_key(KEY), RemediationStatus::Inactive, 20, 3),
            &["access-key …AAAA: Notify(Reactivated)"],
        ),
    ]);
}

#[test]
fn password_changed_since_its_notice_gets_a_new_notice() {
    let changed = |days| {
        Case::password().tagged(&TagSubject::PASSWORD, RemediationStatus::Notified, 120, 3).with(
            |it| {
                it.user_record.user.password.as_mut().unwrap().last_changed =
                    Timestamp::At(days_ago(days));
            },
        )
    };
    assert_planned([
        ("changed before the notice", changed(121), &["password: DeletePassword"]),
        ("changed at the time of the notice", changed(120), &["password: Notify(PasswordChanged)"]),
        ("changed after the notice", changed(100), &["password: Notify(PasswordChanged)"]),
    ]);
}

#[test]
fn each_reason_restarts_the_days_until_deletion() {
    let set = |since, seen| {
        Case::deletion_due().tagged(&of_key(KEY), RemediationStatus::Deactivated, since, seen)
    };
    let absent = || Case::deletion_due().without_tag(&of_key(KEY));
    assert_planned([
        ("inactive without a tag", absent(), &["access-key …AAAA: ScheduleDeletion(First)"]),
        (
            "tag removed by somebody else",
            absent().with(|it| it.known_tags = vec![of_key(KEY)]),
            &["access-key …AAAA: ScheduleDeletion(TagRemoved)"],
        ),
        (
            "unreadable tag",
            absent().with_tag(&of_key(KEY).key(), "x"),
            &["access-key …AAAA: ScheduleDeletion(Unreadable)"],
        ),
        (
            "notice, then deactivated by somebody else",
            absent().tagged(&of_key(KEY), RemediationStatus::Notified, 40, 3),
            &["access-key …AAAA: ScheduleDeletion(First)"],
        ),
        ("not seen for 15 days", set(40, 15), &["access-key …AAAA: ScheduleDeletion(NotSeen)"]),
        (
            "exemption expired",
            set(40, 3).exempted("2026-06-25", ""),
            &["access-key …AAAA: ScheduleDeletion(ExemptionExpired)"],
        ),
        ("29 days", set(29, 3), &["access-key …AAAA pending: delete"]),
        ("30 days", set(30, 3), &["access-key …AAAA: DeleteCredential"]),
    ]);
}

#[test]
fn pending_changes_show_whether_a_person_makes_them() {
    let password = |deletes: bool| {
        Case::password().tagged(&TagSubject::PASSWORD, RemediationStatus::Notified, 13, 3).with(
            |it| {
                it.remediation.delete_passwords = deletes;
            },
        )
    };
    assert_planned([
        (
            "a password, delete_passwords: false",
            password(false),
            &["password pending, by hand: delete"],
        ),
        ("a password, delete_passwords: true", password(true), &["password pending: delete"]),
        ("an access key", set(13, 3), &["access-key …AAAA pending: deactivate"]),
    ]);
}

#[test]
fn tags_are_updated_before_the_maximum_gap() {
    let waiting = "access-key …AAAA pending: deactivate";
    assert_planned([
        ("last seen 6 days ago", set(10, 6), &[waiting]),
        ("last seen 7 days ago", set(10, 7), &["access-key …AAAA: RenewTag", waiting]),
        (
            "a change by hand, last seen 8 days ago",
            Case::password()
                .tagged(&TagSubject::PASSWORD, RemediationStatus::Notified, 20, 8)
                .with(|it| {
                    it.remediation.delete_passwords = false;
                }),
            &["password: RenewTag", "password: by hand"],
        ),
    ]);
}

#[test]
fn unneeded_tags_are_removed() {
    let inactive = |case: Case| {
        case.with(|it| {
            it.remediation.delete_after_days = None;
            it.user_record.user.access_keys[0].active = Flag::No;
        })
    };
    assert_planned([
        (
            "notice, inactive, and deletion is off",
            inactive(Case::deactivation_due()),
            &["access-key …AAAA: RemoveTag(Inactive)"],
        ),
        ("deactivated by a run, and deletion is off", inactive(Case::deletion_due()), &[]),
        (
            "password disabled",
            Case::password().with(|it| {
                it.user_record.user.password.as_mut().unwrap().enabled = Flag::No;
            }),
            &["password: RemoveTag(NotStale)"],
        ),
    ]);
}

#[test]
fn only_tags_of_missing_credentials_are_removed() {
    let gone = |key: &str| {
        let clock = "notified since=2026-06-01T00:00:00Z seen=2026-06-20T00:00:00Z";
        Case::of(crate::support::live_user("alice")).with_tag(key, clock)
    };
    let certificate =
        TagSubject::Credential(CredentialKind::SigningCertificate, Some("Z".repeat(128)));
    assert_planned([
        (
            "an access key",
            gone("iam-stocktake:access-key:AKIAGONE"),
            &["access-key …GONE: RemoveTag(Gone)"],
        ),
        ("a password", gone("iam-stocktake:password"), &["password: RemoveTag(Gone)"]),
        (
            "the user, and users are not deleted",
            gone("iam-stocktake:user"),
            &["user: RemoveTag(NotStale)"],
        ),
        ("unknown kind", gone("iam-stocktake:foo"), &[]),
        ("unknown kind, with an id", gone("iam-stocktake:foo:AKIAGONE"), &[]),
        ("a user tag with an id", gone("iam-stocktake:user:alice"), &[]),
        ("a password tag with an id", gone("iam-stocktake:password:x"), &[]),
        ("an access key tag without an id", gone("iam-stocktake:access-key"), &[]),
        ("similar prefix", gone("iam-stocktaker:access-key:AKIAGONE"), &[]),
        ("another tag", gone("owner"), &[]),
    ]);
    let there = gone(&certificate.key()).with(|it| {
        let TagSubject::Credential(kind, Some(id)) = &certificate else { panic!() };
        it.user_record.user.other_credentials = vec![crate::support::other(*kind, id, 1)];
    });
    // The tag is removed because the certificate is not stale, not because the certificate is
    // missing.
    assert_planned([(
        "a certificate with a long id",
        there,
        &["signing-certificate …ZZZZ: RemoveTag(NotStale)"],
    )]);
}
