//! What keeps a credential as it is, whatever its clock says.

use iam_stocktake::model::inventory::{
    CredentialKind, EvidenceGap, EvidenceItem, Flag, GapCause, Timestamp, UnreadableField,
};
use iam_stocktake::model::policy::remediation::Stage;
use iam_stocktake::model::policy::{Level, Rule};
use iam_stocktake::model::remediation_tag::{RemediationStatus, TagSubject};

use crate::remediation_plan::case::{Case, KEY, assert_planned, of_key};
use crate::support::{days_ago, key, other, policy};

const DEACTIVATED: &[&str] = &["access-key …AAAA: Deactivate"];
const DELETED: &[&str] = &["access-key …AAAA: DeleteCredential"];

fn unreadable() -> Box<UnreadableField> {
    Box::new(UnreadableField { column: "some_date".to_owned(), text: "soon".to_owned() })
}

#[test]
fn a_root_users_keys_are_named_and_left_to_the_root_user() {
    let plan = Case::due().with(|it| it.root_finding = true).plan();
    assert_eq!(plan.skipped[0].target.user, "<root_account>");
    assert_eq!(
        plan.skipped[0].reason.to_string(),
        "only the root user changes the root user's credentials"
    );
    assert!(plan.changes.iter().all(|it| it.target.user == "alice"));
}

#[test]
fn an_exempted_key_is_not_deactivated_and_its_clock_stops() {
    let stopped: &[&str] = &[
        "access-key …AAAA: Clear(Exempted)",
        "access-key …AAAA is left alone: exempted until 2026-06-30 (line 3 of the allowlist)",
    ];
    let today = "2026-06-30";
    assert_planned([
        ("no exemption", Case::due(), DEACTIVATED),
        ("of the user", Case::due().exempted(today, ""), stopped),
        ("of the key", Case::due().exempted(today, ", credentials: ['access-key:AAAA']"), stopped),
        (
            "of another key",
            Case::due().exempted(today, ", credentials: ['access-key:BBBB']"),
            DEACTIVATED,
        ),
        ("of passwords", Case::due().exempted(today, ", credentials: [password]"), DEACTIVATED),
        ("by another rule", Case::due().exempted(today, ", rules: [expired-user]"), DEACTIVATED),
        (
            "not yet notified",
            Case::due().without_tag(&of_key(KEY)).exempted(today, ""),
            &stopped[1..],
        ),
    ]);
}

#[test]
fn a_key_that_is_exempted_after_its_deactivation_is_not_deleted() {
    // Its tag stays: undo goes by it.
    let stopped: &[&str] =
        &["access-key …AAAA is left alone: exempted until 2026-06-30 (line 3 of the allowlist)"];
    let today = "2026-06-30";
    assert_planned([
        ("no exemption", Case::to_be_deleted(), DELETED),
        ("as if it were active", Case::to_be_deleted().exempted(today, ""), stopped),
        (
            "by the rule of inactive keys",
            Case::to_be_deleted().exempted(today, ", rules: [inactive-access-key]"),
            stopped,
        ),
        (
            "by a rule that has nothing to do with it",
            Case::to_be_deleted().exempted(today, ", rules: [old-service-credential]"),
            DELETED,
        ),
    ]);
}

#[test]
fn an_exemption_without_credentials_and_rules_protects_everything_of_the_user() {
    let kinds = [
        (CredentialKind::SshKey, "APKAXX77"),
        (CredentialKind::ServiceSpecificCredential, "ACCAXX77"),
        (CredentialKind::SigningCertificate, "CERTXX77"),
    ];
    for (kind, id) in kinds {
        let subject = TagSubject::Credential(kind, Some(id.to_owned()));
        let case = Case::of(crate::support::live_user("alice"))
            .tagged(&subject, RemediationStatus::Notified, 20, 3)
            .with(|it| it.user_record.user.other_credentials = vec![other(kind, id, 200)]);
        let name = subject.to_string();
        let deactivated = [format!("{name}: Deactivate")];
        let protected = [
            format!("{name}: Clear(Exempted)"),
            format!("{name} is left alone: exempted until 2026-12-31 (line 3 of the allowlist)"),
        ];
        assert_eq!(case.said(), deactivated);
        let exempted = |more: &str| case.clone().exempted("2026-12-31", more).said();
        assert_eq!(exempted(""), protected, "{name}");
        assert_eq!(exempted(", account: '111122223333'"), protected, "{name}");
        // Such an exemption covers what it names, and nothing else.
        for more in [", rules: [stale-access-key]", ", credentials: [access-key]"] {
            assert_eq!(exempted(more), deactivated, "{name}{more}");
        }
        // Its days begin anew when the exemption has expired.
        let lapsed = case.clone().exempted("2026-06-25", "").said();
        assert_eq!(lapsed, [format!("{name}: Notify(ExemptionLapsed)")]);
    }
}

#[test]
fn only_what_the_policy_lists_is_remediated() {
    let ssh_key = TagSubject::Credential(CredentialKind::SshKey, Some("APKAXX77".to_owned()));
    let old = |rules: &[Rule]| {
        let case = Case::of(crate::support::live_user("alice"));
        case.tagged(&ssh_key, RemediationStatus::Notified, 20, 3).with(|it| {
            it.user_record.user.other_credentials =
                vec![other(CredentialKind::SshKey, "APKAXX77", 200)];
            it.remediation.rules = rules.to_vec();
        })
    };
    let by_rules = |case: Case, rules: &[Rule]| case.with(|it| it.remediation.rules = rules.into());
    let found = || Case::to_be_deleted().tagged(&of_key(KEY), RemediationStatus::Inactive, 40, 3);
    let untagged = || Case::to_be_deleted().without_tag(&of_key(KEY));
    let default = iam_stocktake::model::policy::remediation::RemediationPolicy::default().rules;
    let cleared: &[&str] = &["access-key …AAAA: Clear(NotStale)"];
    assert_planned([
        ("age alone, by default", old(&default), &["ssh-key …XX77: Clear(NotStale)"]),
        ("listed", old(&[Rule::OldServiceCredential]), &["ssh-key …XX77: Deactivate"]),
        ("a stale key, by default", by_rules(Case::due(), &default), DEACTIVATED),
        ("another rule", by_rules(Case::due(), &[Rule::StalePassword]), cleared),
        ("ours", by_rules(Case::to_be_deleted(), &[Rule::StaleAccessKey]), DELETED),
        ("found inactive", by_rules(found(), &[Rule::InactiveAccessKey]), DELETED),
        ("found inactive, by another rule", by_rules(found(), &[Rule::StaleAccessKey]), cleared),
        (
            "left over",
            by_rules(untagged(), &[Rule::InactiveAccessKey]),
            &["access-key …AAAA: Settle(First)"],
        ),
        ("left over, by another rule", by_rules(untagged(), &[Rule::StaleAccessKey]), &[]),
        (
            "the user, by another rule",
            by_rules(Case::whole_user(), &[Rule::StaleAccessKey]),
            &["user: Clear(NotStale)"],
        ),
    ]);
}

#[test]
fn an_exempted_service_credential_is_not_deactivated() {
    let subject = TagSubject::Credential(
        CredentialKind::ServiceSpecificCredential,
        Some("ACCAXX77".to_owned()),
    );
    let case = Case::of(crate::support::live_user("alice"));
    let case = case.tagged(&subject, RemediationStatus::Notified, 20, 3).with(|it| {
        it.user_record.user.other_credentials =
            vec![other(CredentialKind::ServiceSpecificCredential, "ACCAXX77", 200)];
        it.policy = policy(&[(Rule::OldServiceCredential, Level::Warning)]);
    });
    let alone = [
        "service-specific-credential …XX77: Clear(Exempted)",
        "service-specific-credential …XX77 is left alone: exempted until 2026-12-31 \
         (line 3 of the allowlist)",
    ];
    let exempted = case.clone().exempted("2026-12-31", ", rules: [old-service-credential]");
    assert_planned([
        ("no exemption", case, &["service-specific-credential …XX77: Deactivate"]),
        ("its rule", exempted, &alone),
    ]);
}

#[test]
fn a_password_that_was_reset_lately_is_left_alone() {
    let changed = |days| {
        Case::password().with(|it| {
            it.user_record.user.password.as_mut().unwrap().last_changed =
                Timestamp::At(days_ago(days));
        })
    };
    // The clock began before either change.
    let long_ago =
        |case: Case| case.tagged(&TagSubject::PASSWORD, RemediationStatus::Notified, 400, 3);
    assert_planned([
        ("long ago", changed(401), &["password: DeletePassword"]),
        (
            "89 days ago",
            changed(89),
            &[
                "password: Clear(RecentlyReset)",
                "password is left alone: the password was reset on 2026-04-02",
            ],
        ),
        ("90 days ago", long_ago(changed(90)), &["password: Notify(PasswordChanged)"]),
        (
            "nobody can read when",
            Case::password().with(|it| {
                it.user_record.user.password.as_mut().unwrap().last_changed =
                    Timestamp::Unreadable(unreadable());
            }),
            &["password is left alone: evidence is missing: some_date cannot be read: soon"],
        ),
    ]);
}

#[test]
fn the_identity_that_runs_this_is_left_alone() {
    let ourselves = |name: &str| {
        Case::due().with(|it| {
            it.account.own_users.insert(name.to_owned());
            it.user_record.user.name = "Alice".into();
        })
    };
    let alone = "Alice user is left alone: it is the identity that this runs as";
    assert_planned([
        ("somebody else", ourselves("bob"), &["Alice access-key …AAAA: Deactivate"]),
        ("in whatever case", ourselves("alice"), &[alone]),
    ]);
}

#[test]
fn incomplete_evidence_on_the_user_keeps_everything_as_it_is() {
    let gap = EvidenceGap {
        piece: EvidenceItem::SshKeys,
        cause: GapCause::Denied,
        action: "iam:ListSSHPublicKeys",
        message: "AccessDenied".to_owned(),
        users: 1,
    };
    assert_planned([
        ("complete", Case::due(), DEACTIVATED),
        (
            "a gap",
            Case::due().with(|it| it.user_record.gaps.push(gap.clone())),
            &["user is left alone: evidence is missing: iam:ListSSHPublicKeys: AccessDenied"],
        ),
        (
            "a gap, and a key to be deleted",
            Case::to_be_deleted().with(|it| it.user_record.gaps.push(gap)),
            &["user is left alone: evidence is missing: iam:ListSSHPublicKeys: AccessDenied"],
        ),
        (
            "no tags",
            Case::due().with(|it| it.user_record.user.tags = None),
            &["user is left alone: evidence is missing: the user's tags were not seen"],
        ),
    ]);
}

#[test]
fn a_user_who_could_not_be_looked_at_is_left_alone_and_told() {
    let case = Case::due();
    let mut input = case.input();
    let account = input.user_records.remove(0).account;
    input.lookup_failures.push((
        account,
        "alice".to_owned(),
        "iam:GetUser: AccessDenied".to_owned(),
    ));
    let plan = iam_stocktake::remediate::plan::plan(&input, case.settings());
    assert_eq!(
        crate::remediation_plan::case::said(&plan),
        ["user is left alone: evidence is missing: iam:GetUser: AccessDenied"]
    );
}

#[test]
fn a_rule_that_is_incomplete_in_the_account_decides_nothing() {
    let incomplete = |case: Case, rule| case.with(|it| it.account.incomplete.push(rule));
    let alone: &[&str] = &["access-key …AAAA is left alone: evidence is missing: \
                            the rule stale-access-key is incomplete in this account"];
    assert_planned([
        ("another rule", incomplete(Case::due(), Rule::StalePassword), DEACTIVATED),
        ("its rule", incomplete(Case::due(), Rule::StaleAccessKey), alone),
        ("to be deleted", incomplete(Case::to_be_deleted(), Rule::StaleAccessKey), alone),
    ]);
}

#[test]
fn what_cannot_be_read_is_left_alone() {
    let alone: &[&str] = &["access-key …AAAA is left alone: evidence is missing: \
                            some_date cannot be read: soon"];
    let with = |change: fn(&mut iam_stocktake::model::inventory::AccessKey<'static>)| {
        Case::due().with(|it| change(&mut it.user_record.user.access_keys[0]))
    };
    assert_planned([
        ("all readable", Case::due(), DEACTIVATED),
        ("its last use", with(|it| it.last_used = Timestamp::Unreadable(unreadable())), alone),
        ("whether it is active", with(|it| it.active = Flag::Unreadable(unreadable())), alone),
    ]);
}

#[test]
fn days_of_disuse_are_one_more_than_make_it_stale() {
    let used = |case: Case, days| {
        case.with(|it| it.user_record.user.access_keys[0].last_used = Timestamp::At(days_ago(days)))
    };
    assert_planned([
        ("90 days", used(Case::due(), 90), &["access-key …AAAA waits to deactivate"]),
        ("91 days", used(Case::due(), 91), DEACTIVATED),
        (
            "90 days, inactive",
            used(Case::to_be_deleted(), 90),
            &["access-key …AAAA waits to delete"],
        ),
        ("91 days, inactive", used(Case::to_be_deleted(), 91), DELETED),
    ]);
}

#[test]
fn what_was_used_since_its_notice_is_left_alone_and_told() {
    let used = |case: Case, days| {
        case.with(|it| {
            it.user_record.user.access_keys[0].last_used = Timestamp::At(days_ago(days));
        })
    };
    let alone: &[&str] = &[
        "access-key …AAAA: Clear(Used(2026-06-29T12:00:00Z))",
        "access-key …AAAA is left alone: it was used on 2026-06-29",
    ];
    assert_planned([
        ("an active key", used(Case::due(), 1), alone),
        ("a key that was deactivated", used(Case::to_be_deleted(), 1), alone),
        ("no notice yet", used(Case::due(), 1).without_tag(&of_key(KEY)), &[]),
        ("not used", used(Case::due(), 200), DEACTIVATED),
    ]);
}

#[test]
fn users_of_other_owners_are_left_alone_unless_told() {
    let owned = |tags: &[(&str, &str)], owners: &[&str]| {
        let case = Case::due().with(|it| {
            it.owner_tags = vec!["owner".to_owned(), "team".to_owned()];
            it.remediation.owners = owners.iter().map(|&it| it.to_owned()).collect();
        });
        tags.iter().fold(case, |case, (key, value)| case.with_tag(key, value))
    };
    let alone: &[&str] = &["user is left alone: it belongs to mail, whom the policy does not name"];
    assert_planned([
        ("nobody's", owned(&[], &[]), DEACTIVATED),
        ("a tag that names nobody", owned(&[("owner", " ")], &[]), DEACTIVATED),
        ("another's", owned(&[("owner", "mail")], &[]), alone),
        ("one who is named", owned(&[("owner", "mail")], &["mail"]), DEACTIVATED),
        ("everybody's", owned(&[("owner", "mail")], &["*"]), DEACTIVATED),
        ("one of another name", owned(&[("owner", "mail")], &["web"]), alone),
        ("by the second tag", owned(&[("team", "mail")], &["web"]), alone),
        ("the first tag wins", owned(&[("owner", "mail"), ("team", "web")], &["web"]), alone),
        ("past an empty tag", owned(&[("owner", ""), ("team", "mail")], &[]), alone),
        ("a tag that names no owner", owned(&[("squad", "mail")], &[]), DEACTIVATED),
    ]);
}

#[test]
fn users_under_other_paths_are_left_alone_unless_told() {
    let under = |path: &str, paths: &[&str]| {
        Case::due().with(|it| {
            path.clone_into(&mut it.user_record.path);
            if !paths.is_empty() {
                it.remediation.paths = paths.iter().map(|path| path.parse().unwrap()).collect();
            }
        })
    };
    let alone: &[&str] =
        &["user is left alone: the user stands under /ci/, which the policy does not name"];
    assert_planned([
        ("the root path", under("/", &[]), DEACTIVATED),
        ("another path", under("/ci/", &[]), alone),
        ("a path that is named", under("/ci/", &["/", "/ci/*"]), DEACTIVATED),
    ]);
}

#[test]
fn a_user_with_fifty_tags_gets_none_of_ours() {
    let with = |count: usize| {
        let case = Case::due().without_tag(&of_key(KEY));
        (0..count).fold(case, |case, n| case.with_tag(&format!("t{n}"), "x"))
    };
    let marked = (0..49).fold(Case::due(), |case, n| case.with_tag(&format!("t{n}"), "x"));
    let two =
        with(49).with(|it| it.user_record.user.access_keys.push(key("AKIA000000000000BBBB", 200)));
    let no_room = "is left alone: the user has 50 tags or nearly so: no room for ours";
    assert_planned([
        ("49", with(49), &["access-key …AAAA: Notify(First)"]),
        ("50", with(50), &[&format!("access-key …AAAA {no_room}")]),
        ("50 with ours", marked, DEACTIVATED),
        (
            "49, and two keys",
            two,
            &[&format!("access-key …AAAA {no_room}"), &format!("access-key …BBBB {no_room}")],
        ),
    ]);
}

#[test]
fn nothing_is_done_beyond_the_stage_that_was_asked_for() {
    let up_to = |case: Case, stage| case.with(|it| it.stage = stage);
    assert_planned([
        ("deactivate", up_to(Case::due(), Stage::Deactivate), DEACTIVATED),
        ("notify", up_to(Case::due(), Stage::Notify), &["access-key …AAAA waits to deactivate"]),
        ("delete", up_to(Case::to_be_deleted(), Stage::Delete), DELETED),
        (
            "not delete",
            up_to(Case::to_be_deleted(), Stage::Deactivate),
            &["access-key …AAAA waits to delete"],
        ),
        (
            "no password is deleted by a notice",
            up_to(Case::password(), Stage::Notify),
            &["password waits to delete"],
        ),
        (
            "no user is deleted by a deactivation",
            up_to(Case::whole_user(), Stage::Deactivate),
            &["user waits to delete"],
        ),
    ]);
}

#[test]
fn a_password_is_deleted_only_if_the_policy_says_so() {
    assert_planned([
        ("it does", Case::password(), &["password: DeletePassword"]),
        (
            "it does not",
            Case::password().with(|it| it.remediation.delete_passwords = false),
            &["password is for a person"],
        ),
    ]);
}

#[test]
fn nothing_is_deleted_unless_the_policy_says_when() {
    assert_planned([
        ("30 days", Case::to_be_deleted(), DELETED),
        ("never", Case::to_be_deleted().with(|it| it.remediation.delete_after_days = None), &[]),
        (
            "later",
            Case::to_be_deleted().with(|it| it.remediation.delete_after_days = Some(41)),
            &["access-key …AAAA waits to delete"],
        ),
        (
            "today",
            Case::to_be_deleted().with(|it| it.remediation.delete_after_days = Some(40)),
            DELETED,
        ),
    ]);
}

#[test]
fn a_rule_that_is_a_notice_or_off_deactivates_nothing() {
    let at = |level| Case::due().with(|it| it.policy = policy(&[(Rule::StaleAccessKey, level)]));
    assert_planned([
        ("a warning", at(Level::Warning), DEACTIVATED),
        ("a notice", at(Level::Notice), &["access-key …AAAA: Clear(NotStale)"]),
        ("off", at(Level::Off), &["access-key …AAAA: Clear(NotStale)"]),
    ]);
}

#[test]
fn two_keys_are_judged_alone() {
    let case = Case::due().with(|it| {
        it.user_record.user.access_keys.push(key("AKIA000000000000BBBB", 1));
    });
    assert_planned([
        ("one in use", case.clone(), DEACTIVATED),
        (
            "one exempted",
            case.with(|it| {
                it.user_record.user.access_keys[1].last_used = Timestamp::At(days_ago(200));
            })
            .exempted("2026-12-31", ", credentials: ['access-key:BBBB']"),
            &[
                "access-key …AAAA: Deactivate",
                "access-key …BBBB is left alone: exempted until 2026-12-31 \
                 (line 3 of the allowlist)",
            ],
        ),
    ]);
}
