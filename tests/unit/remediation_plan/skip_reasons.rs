//! The reasons not to change a credential, whatever its remediation tag says.

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
fn root_findings_are_skipped() {
    let plan = Case::deactivation_due().with(|it| it.root_finding = true).plan();
    assert_eq!(plan.skipped[0].target.user, "<root_account>");
    assert_eq!(
        plan.skipped[0].reason.to_string(),
        "only the root user can change the root user's credentials"
    );
    assert!(plan.changes.iter().all(|it| it.target.user == "alice"));
}

#[test]
fn exempt_keys_are_skipped_and_their_tag_is_removed() {
    let stopped: &[&str] = &[
        "access-key …AAAA: RemoveTag(Exempted)",
        "access-key …AAAA is skipped: exempt until 2026-06-30 (allowlist line 3)",
    ];
    let today = "2026-06-30";
    assert_planned([
        ("no exemption", Case::deactivation_due(), DEACTIVATED),
        ("an exemption for the user", Case::deactivation_due().exempted(today, ""), stopped),
        (
            "for the key",
            Case::deactivation_due().exempted(today, ", credentials: ['access-key:AAAA']"),
            stopped,
        ),
        (
            "for another key",
            Case::deactivation_due().exempted(today, ", credentials: ['access-key:BBBB']"),
            DEACTIVATED,
        ),
        (
            "for passwords",
            Case::deactivation_due().exempted(today, ", credentials: [password]"),
            DEACTIVATED,
        ),
        (
            "for another rule",
            Case::deactivation_due().exempted(today, ", rules: [expired-user]"),
            DEACTIVATED,
        ),
        (
            "no notice yet",
            Case::deactivation_due().without_tag(&of_key(KEY)).exempted(today, ""),
            &stopped[1..],
        ),
    ]);
}

#[test]
fn key_exempted_after_deactivation_is_not_deleted() {
    // The tag stays because undo needs it.
    let stopped: &[&str] =
        &["access-key …AAAA is skipped: exempt until 2026-06-30 (allowlist line 3)"];
    let today = "2026-06-30";
    assert_planned([
        ("no exemption", Case::deletion_due(), DELETED),
        ("an exemption for the user", Case::deletion_due().exempted(today, ""), stopped),
        (
            "for the rule inactive-access-key",
            Case::deletion_due().exempted(today, ", rules: [inactive-access-key]"),
            stopped,
        ),
        (
            "for an unrelated rule",
            Case::deletion_due().exempted(today, ", rules: [old-service-credential]"),
            DELETED,
        ),
    ]);
}

#[test]
fn exemption_without_credentials_or_rules_protects_all_credentials() {
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
            format!("{name}: RemoveTag(Exempted)"),
            format!("{name} is skipped: exempt until 2026-12-31 (allowlist line 3)"),
        ];
        assert_eq!(case.lines(), deactivated);
        let exempted = |more: &str| case.clone().exempted("2026-12-31", more).lines();
        assert_eq!(exempted(""), protected, "{name}");
        assert_eq!(exempted(", account: '111122223333'"), protected, "{name}");
        // An exemption with `rules` or `credentials` covers only these.
        for more in [", rules: [stale-access-key]", ", credentials: [access-key]"] {
            assert_eq!(exempted(more), deactivated, "{name}{more}");
        }
        // The days restart when the exemption has expired.
        let expired = case.clone().exempted("2026-06-25", "").lines();
        assert_eq!(expired, [format!("{name}: Notify(ExemptionExpired)")]);
    }
}

#[test]
fn only_listed_rules_are_remediated() {
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
    let inactive = || Case::deletion_due().tagged(&of_key(KEY), RemediationStatus::Inactive, 40, 3);
    let untagged = || Case::deletion_due().without_tag(&of_key(KEY));
    let default = iam_stocktake::model::policy::remediation::RemediationPolicy::default().rules;
    let cleared: &[&str] = &["access-key …AAAA: RemoveTag(NotStale)"];
    assert_planned([
        ("old, default rules", old(&default), &["ssh-key …XX77: RemoveTag(NotStale)"]),
        ("old, listed rule", old(&[Rule::OldServiceCredential]), &["ssh-key …XX77: Deactivate"]),
        ("a stale key, default rules", by_rules(Case::deactivation_due(), &default), DEACTIVATED),
        (
            "a stale key, another rule",
            by_rules(Case::deactivation_due(), &[Rule::StalePassword]),
            cleared,
        ),
        ("deactivated by a run", by_rules(Case::deletion_due(), &[Rule::StaleAccessKey]), DELETED),
        ("deactivated by somebody else", by_rules(inactive(), &[Rule::InactiveAccessKey]), DELETED),
        (
            "deactivated by somebody else, another rule",
            by_rules(inactive(), &[Rule::StaleAccessKey]),
            cleared,
        ),
        (
            "inactive without a tag",
            by_rules(untagged(), &[Rule::InactiveAccessKey]),
            &["access-key …AAAA: ScheduleDeletion(First)"],
        ),
        (
            "inactive without a tag, another rule",
            by_rules(untagged(), &[Rule::StaleAccessKey]),
            &[],
        ),
        (
            "the user, another rule",
            by_rules(Case::whole_user(), &[Rule::StaleAccessKey]),
            &["user: RemoveTag(NotStale)"],
        ),
    ]);
}

#[test]
fn exempt_service_credentials_are_skipped() {
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
    let skipped = [
        "service-specific-credential …XX77: RemoveTag(Exempted)",
        "service-specific-credential …XX77 is skipped: exempt until 2026-12-31 \
         (allowlist line 3)",
    ];
    let exempted = case.clone().exempted("2026-12-31", ", rules: [old-service-credential]");
    assert_planned([
        ("no exemption", case, &["service-specific-credential …XX77: Deactivate"]),
        ("an exemption for the rule", exempted, &skipped),
    ]);
}

#[test]
fn recently_reset_passwords_are_skipped() {
    let changed = |days| {
        Case::password().with(|it| {
            it.user_record.user.password.as_mut().unwrap().last_changed =
                Timestamp::At(days_ago(days));
        })
    };
    // The tag was set before either change.
    let long_ago =
        |case: Case| case.tagged(&TagSubject::PASSWORD, RemediationStatus::Notified, 400, 3);
    assert_planned([
        ("401 days ago", changed(401), &["password: DeletePassword"]),
        (
            "89 days ago",
            changed(89),
            &[
                "password: RemoveTag(RecentlyReset)",
                "password is skipped: the password was reset on 2026-04-02",
            ],
        ),
        ("90 days ago", long_ago(changed(90)), &["password: Notify(PasswordChanged)"]),
        (
            "unreadable date",
            Case::password().with(|it| {
                it.user_record.user.password.as_mut().unwrap().last_changed =
                    Timestamp::Unreadable(unreadable());
            }),
            &["password is skipped: evidence is missing: some_date cannot be read: soon"],
        ),
    ]);
}

#[test]
fn identity_of_the_run_is_skipped() {
    let own_user = |name: &str| {
        Case::deactivation_due().with(|it| {
            it.account.own_users.insert(name.to_owned());
            it.user_record.user.name = "Alice".into();
        })
    };
    let skipped = "Alice user is skipped: this run uses the user's credentials";
    assert_planned([
        ("another user", own_user("bob"), &["Alice access-key …AAAA: Deactivate"]),
        ("the same user in another case", own_user("alice"), &[skipped]),
    ]);
}

#[test]
fn user_with_incomplete_evidence_is_skipped() {
    let gap = EvidenceGap {
        item: EvidenceItem::SshKeys,
        cause: GapCause::Denied,
        action: "iam:ListSSHPublicKeys",
        message: "AccessDenied".to_owned(),
        users: 1,
    };
    assert_planned([
        ("complete", Case::deactivation_due(), DEACTIVATED),
        (
            "a gap",
            Case::deactivation_due().with(|it| it.user_record.gaps.push(gap.clone())),
            &["user is skipped: evidence is missing: iam:ListSSHPublicKeys: AccessDenied"],
        ),
        (
            "a gap, and a key due for deletion",
            Case::deletion_due().with(|it| it.user_record.gaps.push(gap)),
            &["user is skipped: evidence is missing: iam:ListSSHPublicKeys: AccessDenied"],
        ),
        (
            "no tags",
            Case::deactivation_due().with(|it| it.user_record.user.tags = None),
            &["user is skipped: evidence is missing: IAM did not return the user's tags"],
        ),
    ]);
}

#[test]
fn user_that_cannot_be_fetched_is_skipped() {
    let case = Case::deactivation_due();
    let mut input = case.input();
    let account = input.user_records.remove(0).account;
    input.lookup_failures.push((
        account,
        "alice".to_owned(),
        "iam:GetUser: AccessDenied".to_owned(),
    ));
    let plan = iam_stocktake::remediate::plan::plan(&input, case.settings());
    assert_eq!(
        crate::remediation_plan::case::lines(&plan),
        ["user is skipped: evidence is missing: iam:GetUser: AccessDenied"]
    );
}

#[test]
fn incomplete_rule_remediates_nothing() {
    let incomplete = |case: Case, rule| case.with(|it| it.account.incomplete.push(rule));
    let skipped: &[&str] = &["access-key …AAAA is skipped: evidence is missing: \
                            the rule stale-access-key is incomplete in this account"];
    assert_planned([
        ("another rule", incomplete(Case::deactivation_due(), Rule::StalePassword), DEACTIVATED),
        ("its rule", incomplete(Case::deactivation_due(), Rule::StaleAccessKey), skipped),
        (
            "its rule, due for deletion",
            incomplete(Case::deletion_due(), Rule::StaleAccessKey),
            skipped,
        ),
    ]);
}

#[test]
fn unreadable_credentials_are_skipped() {
    let skipped: &[&str] = &["access-key …AAAA is skipped: evidence is missing: \
                            some_date cannot be read: soon"];
    let with = |change: fn(&mut iam_stocktake::model::inventory::AccessKey<'static>)| {
        Case::deactivation_due().with(|it| change(&mut it.user_record.user.access_keys[0]))
    };
    assert_planned([
        ("all readable", Case::deactivation_due(), DEACTIVATED),
        ("last use", with(|it| it.last_used = Timestamp::Unreadable(unreadable())), skipped),
        ("status", with(|it| it.active = Flag::Unreadable(unreadable())), skipped),
    ]);
}

#[test]
fn remediation_requires_one_day_more_than_the_stale_limit() {
    let used = |case: Case, days| {
        case.with(|it| it.user_record.user.access_keys[0].last_used = Timestamp::At(days_ago(days)))
    };
    assert_planned([
        ("90 days", used(Case::deactivation_due(), 90), &["access-key …AAAA pending: deactivate"]),
        ("91 days", used(Case::deactivation_due(), 91), DEACTIVATED),
        (
            "90 days, inactive",
            used(Case::deletion_due(), 90),
            &["access-key …AAAA pending: delete"],
        ),
        ("91 days, inactive", used(Case::deletion_due(), 91), DELETED),
    ]);
}

#[test]
fn credentials_used_since_the_notice_are_skipped() {
    let used = |case: Case, days| {
        case.with(|it| {
            it.user_record.user.access_keys[0].last_used = Timestamp::At(days_ago(days));
        })
    };
    let skipped: &[&str] = &[
        "access-key …AAAA: RemoveTag(Used(2026-06-29T12:00:00Z))",
        "access-key …AAAA is skipped: it was used on 2026-06-29",
    ];
    assert_planned([
        ("an active key, used", used(Case::deactivation_due(), 1), skipped),
        ("a deactivated key, used", used(Case::deletion_due(), 1), skipped),
        ("used, no notice yet", used(Case::deactivation_due(), 1).without_tag(&of_key(KEY)), &[]),
        ("not used", used(Case::deactivation_due(), 200), DEACTIVATED),
    ]);
}

#[test]
fn users_with_unlisted_owners_are_skipped() {
    let owned = |tags: &[(&str, &str)], owners: &[&str]| {
        let case = Case::deactivation_due().with(|it| {
            it.owner_tags = vec!["owner".to_owned(), "team".to_owned()];
            it.remediation.owners = owners.iter().map(|&it| it.to_owned()).collect();
        });
        tags.iter().fold(case, |case, (key, value)| case.with_tag(key, value))
    };
    let skipped: &[&str] =
        &["user is skipped: the owner, mail, is not listed in `remediation.owners`"];
    assert_planned([
        ("no owner", owned(&[], &[]), DEACTIVATED),
        ("an empty owner tag", owned(&[("owner", " ")], &[]), DEACTIVATED),
        ("an unlisted owner", owned(&[("owner", "mail")], &[]), skipped),
        ("a listed owner", owned(&[("owner", "mail")], &["mail"]), DEACTIVATED),
        ("all owners listed", owned(&[("owner", "mail")], &["*"]), DEACTIVATED),
        ("another listed owner", owned(&[("owner", "mail")], &["web"]), skipped),
        ("owner in the second tag", owned(&[("team", "mail")], &["web"]), skipped),
        ("the first tag wins", owned(&[("owner", "mail"), ("team", "web")], &["web"]), skipped),
        ("an empty first tag", owned(&[("owner", ""), ("team", "mail")], &[]), skipped),
        ("not an owner tag", owned(&[("squad", "mail")], &[]), DEACTIVATED),
    ]);
}

#[test]
fn users_with_unlisted_paths_are_skipped() {
    let under = |path: &str, paths: &[&str]| {
        Case::deactivation_due().with(|it| {
            path.clone_into(&mut it.user_record.path);
            if !paths.is_empty() {
                it.remediation.paths = paths.iter().map(|path| path.parse().unwrap()).collect();
            }
        })
    };
    let skipped: &[&str] =
        &["user is skipped: the path, /ci/, is not listed in `remediation.paths`"];
    assert_planned([
        ("the root path", under("/", &[]), DEACTIVATED),
        ("an unlisted path", under("/ci/", &[]), skipped),
        ("a listed path", under("/ci/", &["/", "/ci/*"]), DEACTIVATED),
    ]);
}

#[test]
fn user_with_fifty_tags_gets_no_remediation_tag() {
    let with = |count: usize| {
        let case = Case::deactivation_due().without_tag(&of_key(KEY));
        (0..count).fold(case, |case, n| case.with_tag(&format!("t{n}"), "x"))
    };
    let tagged =
        (0..49).fold(Case::deactivation_due(), |case, n| case.with_tag(&format!("t{n}"), "x"));
    let two =
        with(49).with(|it| it.user_record.user.access_keys.push(key("AKIA000000000000BBBB", 200)));
    let no_room = "is skipped: the user cannot have another tag: IAM allows 50";
    assert_planned([
        ("49 tags", with(49), &["access-key …AAAA: Notify(First)"]),
        ("50 tags", with(50), &[&format!("access-key …AAAA {no_room}")]),
        ("50 tags with the remediation tag", tagged, DEACTIVATED),
        (
            "49 tags and two keys",
            two,
            &[&format!("access-key …AAAA {no_room}"), &format!("access-key …BBBB {no_room}")],
        ),
    ]);
}

#[test]
fn no_change_exceeds_the_requested_stage() {
    let up_to = |case: Case, stage| case.with(|it| it.stage = stage);
    assert_planned([
        ("stage deactivate", up_to(Case::deactivation_due(), Stage::Deactivate), DEACTIVATED),
        (
            "stage notify",
            up_to(Case::deactivation_due(), Stage::Notify),
            &["access-key …AAAA pending: deactivate"],
        ),
        ("stage delete", up_to(Case::deletion_due(), Stage::Delete), DELETED),
        (
            "stage deactivate, due for deletion",
            up_to(Case::deletion_due(), Stage::Deactivate),
            &["access-key …AAAA pending: delete"],
        ),
        (
            "stage notify, a password",
            up_to(Case::password(), Stage::Notify),
            &["password pending: delete"],
        ),
        (
            "stage deactivate, a user",
            up_to(Case::whole_user(), Stage::Deactivate),
            &["user pending: delete"],
        ),
    ]);
}

#[test]
fn passwords_are_deleted_only_if_the_policy_allows_it() {
    assert_planned([
        ("allowed", Case::password(), &["password: DeletePassword"]),
        (
            "not allowed",
            Case::password().with(|it| it.remediation.delete_passwords = false),
            &["password: by hand"],
        ),
    ]);
}

#[test]
fn credentials_are_deleted_only_after_delete_after_days() {
    assert_planned([
        ("30 days", Case::deletion_due(), DELETED),
        ("not set", Case::deletion_due().with(|it| it.remediation.delete_after_days = None), &[]),
        (
            "41 days, tagged 40 days ago",
            Case::deletion_due().with(|it| it.remediation.delete_after_days = Some(41)),
            &["access-key …AAAA pending: delete"],
        ),
        (
            "40 days, tagged 40 days ago",
            Case::deletion_due().with(|it| it.remediation.delete_after_days = Some(40)),
            DELETED,
        ),
    ]);
}

#[test]
fn rules_at_notice_or_off_deactivate_nothing() {
    let at = |level| {
        Case::deactivation_due().with(|it| it.policy = policy(&[(Rule::StaleAccessKey, level)]))
    };
    assert_planned([
        ("a warning", at(Level::Warning), DEACTIVATED),
        ("a notice", at(Level::Notice), &["access-key …AAAA: RemoveTag(NotStale)"]),
        ("off", at(Level::Off), &["access-key …AAAA: RemoveTag(NotStale)"]),
    ]);
}

#[test]
fn each_key_is_decided_separately() {
    let case = Case::deactivation_due().with(|it| {
        it.user_record.user.access_keys.push(key("AKIA000000000000BBBB", 1));
    });
    assert_planned([
        ("the other is in use", case.clone(), DEACTIVATED),
        (
            "the other is exempt",
            case.with(|it| {
                it.user_record.user.access_keys[1].last_used = Timestamp::At(days_ago(200));
            })
            .exempted("2026-12-31", ", credentials: ['access-key:BBBB']"),
            &[
                "access-key …AAAA: Deactivate",
                "access-key …BBBB is skipped: exempt until 2026-12-31 \
                 (allowlist line 3)",
            ],
        ),
    ]);
}
