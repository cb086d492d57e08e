//! When a clock starts, starts anew, goes on and is taken away.

use iam_stocktake::model::inventory::{CredentialKind, Flag, Timestamp};
use iam_stocktake::model::remediation_tag::{RemediationStatus, TagSubject};

use crate::remediation_plan::case::{Case, KEY, assert_planned, of_key};
use crate::support::days_ago;

/// The key of the cases, its tag set so many days ago and seen so many.
fn set(since: i64, seen: i64) -> Case {
    Case::due().tagged(&of_key(KEY), RemediationStatus::Notified, since, seen)
}

#[test]
fn the_days_to_the_deactivation_are_counted_from_the_notice() {
    assert_planned([
        ("13 days", set(13, 3), &["access-key …AAAA waits to deactivate"]),
        ("14 days", set(14, 3), &["access-key …AAAA: Deactivate"]),
    ]);
}

#[test]
fn a_clock_starts_anew_for_each_of_its_reasons() {
    let tag = of_key(KEY).key();
    let remembered = |case: Case| case.with(|it| it.remembered = vec![of_key(KEY)]);
    let in_force_until = |day: &str| set(20, 3).exempted(day, "");
    let absent = || Case::due().without_tag(&of_key(KEY));
    assert_planned([
        ("none", absent(), &["access-key …AAAA: Notify(First)"]),
        ("taken away", remembered(absent()), &["access-key …AAAA: Notify(Vanished)"]),
        ("still there", remembered(set(20, 3)), &["access-key …AAAA: Deactivate"]),
        (
            "nonsense",
            Case::due().with_tag(&tag, "notified"),
            &["access-key …AAAA: Notify(Unreadable)"],
        ),
        ("to come", set(-1, 3), &["access-key …AAAA: Notify(Unreadable)"]),
        ("seen in days to come", set(20, -1), &["access-key …AAAA: Notify(Unreadable)"]),
        ("not seen for 15 days", set(20, 15), &["access-key …AAAA: Notify(NotSeen)"]),
        ("not seen for 14 days", set(20, 14), &["access-key …AAAA: Deactivate"]),
        (
            "exempted until the 25th, 15 days after the notice",
            in_force_until("2026-06-25"),
            &["access-key …AAAA: Notify(ExemptionLapsed)"],
        ),
        (
            "exempted until the day before the notice",
            in_force_until("2026-06-08"),
            &["access-key …AAAA: Deactivate"],
        ),
        (
            "used after the notice, and for long not again",
            Case::due().tagged(&of_key(KEY), RemediationStatus::Notified, 200, 3).with(|it| {
                it.user_record.user.access_keys[0].last_used = Timestamp::At(days_ago(150));
            }),
            &["access-key …AAAA: Notify(Used)"],
        ),
        (
            "used before it",
            Case::due().tagged(&of_key(KEY), RemediationStatus::Notified, 149, 3).with(|it| {
                it.user_record.user.access_keys[0].last_used = Timestamp::At(days_ago(150));
            }),
            &["access-key …AAAA: Deactivate"],
        ),
        (
            "activated again",
            Case::due().tagged(&of_key(KEY), RemediationStatus::Deactivated, 20, 3),
            &["access-key …AAAA: Notify(Reactivated)"],
        ),
        (
            "found inactive, and activated",
            Case::due().tagged(&of_key(KEY), RemediationStatus::Inactive, 20, 3),
            &["access-key …AAAA: Notify(Reactivated)"],
        ),
    ]);
}

#[test]
fn a_password_that_was_changed_since_its_notice_gets_another() {
    let changed = |days| {
        Case::password().tagged(&TagSubject::PASSWORD, RemediationStatus::Notified, 120, 3).with(
            |it| {
                it.user_record.user.password.as_mut().unwrap().last_changed =
                    Timestamp::At(days_ago(days));
            },
        )
    };
    assert_planned([
        ("before", changed(121), &["password: DeletePassword"]),
        ("in that moment", changed(120), &["password: Notify(PasswordChanged)"]),
        ("since", changed(100), &["password: Notify(PasswordChanged)"]),
    ]);
}

#[test]
fn the_days_to_the_deletion_are_counted_anew_for_each_of_their_reasons() {
    let set = |since, seen| {
        Case::to_be_deleted().tagged(&of_key(KEY), RemediationStatus::Deactivated, since, seen)
    };
    let absent = || Case::to_be_deleted().without_tag(&of_key(KEY));
    assert_planned([
        ("left over", absent(), &["access-key …AAAA: Settle(First)"]),
        (
            "taken away",
            absent().with(|it| it.remembered = vec![of_key(KEY)]),
            &["access-key …AAAA: Settle(Vanished)"],
        ),
        (
            "nonsense",
            absent().with_tag(&of_key(KEY).key(), "x"),
            &["access-key …AAAA: Settle(Unreadable)"],
        ),
        (
            "notified, and made inactive by somebody",
            absent().tagged(&of_key(KEY), RemediationStatus::Notified, 40, 3),
            &["access-key …AAAA: Settle(First)"],
        ),
        ("not seen", set(40, 15), &["access-key …AAAA: Settle(NotSeen)"]),
        (
            "an exemption lapsed",
            set(40, 3).exempted("2026-06-25", ""),
            &["access-key …AAAA: Settle(ExemptionLapsed)"],
        ),
        ("29 days", set(29, 3), &["access-key …AAAA waits to delete"]),
        ("30 days", set(30, 3), &["access-key …AAAA: DeleteCredential"]),
    ]);
}

#[test]
fn what_waits_says_who_does_it() {
    let password = |deletes: bool| {
        Case::password().tagged(&TagSubject::PASSWORD, RemediationStatus::Notified, 13, 3).with(
            |it| {
                it.remediation.delete_passwords = deletes;
            },
        )
    };
    assert_planned([
        ("a person", password(false), &["password waits to delete by hand"]),
        ("a run", password(true), &["password waits to delete"]),
        ("a run, of a key", set(13, 3), &["access-key …AAAA waits to deactivate"]),
    ]);
}

#[test]
fn a_tag_is_written_again_before_it_looks_as_if_nobody_had_seen_it() {
    let waiting = "access-key …AAAA waits to deactivate";
    assert_planned([
        ("a day before half of the gap", set(10, 6), &[waiting]),
        ("more", set(10, 7), &["access-key …AAAA: Renew", waiting]),
        (
            "what a person has to do",
            Case::password()
                .tagged(&TagSubject::PASSWORD, RemediationStatus::Notified, 20, 8)
                .with(|it| {
                    it.remediation.delete_passwords = false;
                }),
            &["password: Renew", "password is for a person"],
        ),
    ]);
}

#[test]
fn a_clock_is_taken_away_when_nothing_keeps_it() {
    let inactive = |case: Case| {
        case.with(|it| {
            it.remediation.delete_after_days = None;
            it.user_record.user.access_keys[0].active = Flag::No;
        })
    };
    assert_planned([
        (
            "made inactive, and nothing is to be deleted",
            inactive(Case::due()),
            &["access-key …AAAA: Clear(Inactive)"],
        ),
        ("deactivated by us: it tells until when", inactive(Case::to_be_deleted()), &[]),
        (
            "disabled, so that nothing stands against it",
            Case::password().with(|it| {
                it.user_record.user.password.as_mut().unwrap().enabled = Flag::No;
            }),
            &["password: Clear(NotStale)"],
        ),
    ]);
}

#[test]
fn tags_of_credentials_that_are_gone_are_taken_away_and_no_others() {
    let gone = |key: &str| {
        let clock = "notified since=2026-06-01T00:00:00Z seen=2026-06-20T00:00:00Z";
        Case::of(crate::support::live_user("alice")).with_tag(key, clock)
    };
    let certificate =
        TagSubject::Credential(CredentialKind::SigningCertificate, Some("Z".repeat(128)));
    assert_planned([
        ("a key", gone("iam-stocktake:access-key:AKIAGONE"), &["access-key …GONE: Clear(Gone)"]),
        ("a password", gone("iam-stocktake:password"), &["password: Clear(Gone)"]),
        (
            "a user's, where none are deleted",
            gone("iam-stocktake:user"),
            &["user: Clear(NotStale)"],
        ),
        ("of no kind that is known", gone("iam-stocktake:foo"), &[]),
        ("of no kind that is known, with an id", gone("iam-stocktake:foo:AKIAGONE"), &[]),
        ("a user's, with an id", gone("iam-stocktake:user:alice"), &[]),
        ("a password's, with an id", gone("iam-stocktake:password:x"), &[]),
        ("a key's, without an id", gone("iam-stocktake:access-key"), &[]),
        ("somebody else's", gone("iam-stocktaker:access-key:AKIAGONE"), &[]),
        ("nobody's", gone("owner"), &[]),
    ]);
    let there = gone(&certificate.key()).with(|it| {
        let TagSubject::Credential(kind, Some(id)) = &certificate else { panic!() };
        it.user_record.user.other_credentials = vec![crate::support::other(*kind, id, 1)];
    });
    // Its clock is taken away as one that nothing is held against, not as one of nothing.
    assert_planned([("a long id", there, &["signing-certificate …ZZZZ: Clear(NotStale)"])]);
}
