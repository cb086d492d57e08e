//! Remediation in the report: what is deleted with a user, and the remediation stage of credentials.

use std::process::Command;

use crate::support::{audited_with, days_ago, key, live, live_user, now, other, password};
use chrono::{DateTime, Utc};
use iam_stocktake::allowlist::Allowlist;
use iam_stocktake::audit::{Audit, NextStage};
use iam_stocktake::model::inventory::{
    AttachedPolicy, CredentialKind, Flag, OtherCredential, Permissions, User,
};
use iam_stocktake::model::policy::Policy;
use iam_stocktake::model::policy::remediation::{RemediationPolicy, Stage};
use iam_stocktake::model::remediation_tag::{RemediationStatus, RemediationTag, TagSubject};
use iam_stocktake::report::json::v1;
use iam_stocktake::report::{MarkdownOptions, markdown};
use iam_stocktake::templates::Language;
use smallvec::smallvec;

const KEY: &str = "AKIAXXXXXXXXXXXXWXYZ";

fn rendered(audit: &Audit, language: Language) -> String {
    let of = |language| {
        let options = MarkdownOptions { language, full_ids: true, ..MarkdownOptions::default() };
        markdown(audit, &options).unwrap()
    };
    stand_ins::gfm::assert_same_outline(&Language::ALL.map(of));
    of(language)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A user with a stale password, a stale key, and an inactive SSH key.
fn leaver() -> User<'static> {
    let ssh_key = other(CredentialKind::SshKey, "APKAXXXXXXXXXXXXABCD", 400);
    User {
        password: Some(password(200)),
        access_keys: smallvec![key(KEY, 200)],
        other_credentials: vec![OtherCredential { active: Flag::No, ..ssh_key }],
        ..live_user("leaver")
    }
}

fn audit_of(user: User<'static>) -> Audit {
    audited_with(&live(vec![user]), &Allowlist::default(), &Policy::default())
}

fn with_everything() -> User<'static> {
    User {
        mfa: Some(true),
        permissions: Some(Permissions {
            groups: names(&["staff", "ops"]),
            attached_policies: vec![AttachedPolicy {
                name: "ReadOnlyAccess".to_owned(),
                arn: "arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned(),
            }],
            inline_policies: names(&["own-bucket"]),
            administrator: None,
        }),
        ..leaver()
    }
}

// What is deleted with the user

#[test]
fn evidence_that_was_not_collected_has_no_command() {
    let report = rendered(&audit_of(leaver()), Language::English);
    for claim in ["group", "policy", "mfa"] {
        assert!(!blocks(&report)[1].contains(claim), "{claim}\n{report}");
    }
    assert!(report.contains("`DeleteConflict`"), "it says what happens then");
}

/// The code blocks with AWS CLI commands.
fn blocks(report: &str) -> Vec<&str> {
    report.split("```sh\n").skip(1).filter_map(|it| it.split("\n```").next()).collect()
}

const CHECK: &str =
    "[ \"$(aws sts get-caller-identity --query Account --output text)\" = 111122223333 ]";

#[test]
fn deactivation_and_deletion_are_two_chains_of_plain_commands() {
    let report = rendered(&audit_of(with_everything()), Language::English);
    let deactivate = [
        CHECK,
        "aws iam update-access-key --user-name leaver --access-key-id AKIAXXXXXXXXXXXXWXYZ \
         --status Inactive",
        "aws iam delete-login-profile --user-name leaver",
    ];
    let mfa = "aws iam deactivate-mfa-device --user-name leaver --serial-number \
               \"$(aws iam list-mfa-devices --user-name leaver --query \
               \"MFADevices[0].SerialNumber\" --output text)\"";
    let delete = [
        CHECK,
        "aws iam delete-login-profile --user-name leaver",
        "aws iam delete-access-key --user-name leaver --access-key-id AKIAXXXXXXXXXXXXWXYZ",
        "aws iam delete-ssh-public-key --user-name leaver --ssh-public-key-id \
         APKAXXXXXXXXXXXXABCD",
        mfa,
        "aws iam delete-user-policy --user-name leaver --policy-name own-bucket",
        "aws iam detach-user-policy --user-name leaver --policy-arn \
         arn:aws:iam::aws:policy/ReadOnlyAccess",
        "aws iam remove-user-from-group --user-name leaver --group-name staff",
        "aws iam remove-user-from-group --user-name leaver --group-name ops",
        "aws iam delete-user --user-name leaver",
    ];
    assert_eq!(blocks(&report), [deactivate.join(" &&\n"), delete.join(" &&\n")]);
}

#[test]
fn report_without_full_ids_lists_the_keys() {
    let audit = audit_of(leaver());
    let report = markdown(&audit, &MarkdownOptions::default()).unwrap();
    for id in [KEY, "APKAXXXXXXXXXXXXABCD"] {
        assert!(!report.contains(id), "{report}");
    }
    let created = days_ago(300).format("%Y-%m-%dT%H:%M:%S+00:00");
    let pick = format!(
        "- Pick the access key created at `{created}` with an ID that ends in `WXYZ`, \
         and run `aws iam update-access-key --user-name leaver --access-key-id ID --status \
         Inactive` with its ID."
    );
    assert!(report.contains(&pick), "{pick}\n{report}");
    let list = format!("{CHECK} &&\naws iam list-access-keys --user-name leaver");
    let password = format!("{CHECK} &&\naws iam delete-login-profile --user-name leaver");
    assert_eq!(blocks(&report)[..2], [list, password]);
}

#[test]
fn commands_execute_no_name() {
    let hostile = names(&["staff", "a'; touch ran; '", "$(touch ran)", "`touch ran`", "-dash"]);
    let mut user = with_everything();
    user.permissions.as_mut().unwrap().groups = hostile.clone();
    let report = rendered(&audit_of(user), Language::English);
    let directory = tempfile::tempdir().unwrap();
    let stand_in = r#"aws() {
  case "$2" in
    (get-caller-identity) echo 111122223333 ;;
    (remove-user-from-group) printf '%s\n' "${@:5}" >&2 ;;
  esac
}
"#;
    let output = Command::new("bash")
        .args(["-c", &format!("{stand_in}{}", blocks(&report)[1])])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let mut expected: Vec<_> =
        hostile[..4].iter().map(|name| format!("--group-name\n{name}\n")).collect();
    expected.push("--group-name=-dash\n".to_owned());
    assert_eq!(said, expected.concat());
    assert!(!directory.path().join("ran").exists());
}

#[test]
fn json_contains_only_collected_evidence() {
    let belongings = |user| v1::Audit::from(&audit_of(user)).findings[0].belongings.clone();
    let expected = v1::UserResources {
        mfa: Some(true),
        groups: names(&["staff", "ops"]),
        attached_policies: names(&["ReadOnlyAccess"]),
        inline_policies: names(&["own-bucket"]),
    };
    assert_eq!(belongings(with_everything()), Some(expected));
    assert_eq!(belongings(User { mfa: Some(true), ..leaver() }), None);
}

// Remediation stage

/// The user with the tag of a credential.
fn tagged(user: User<'static>, subject: &TagSubject, clock: RemediationTag) -> User<'static> {
    let mut tags = user.tags.clone().unwrap();
    tags.insert(subject.key(), clock.to_string());
    User { tags: Some(tags), ..user }
}

fn the_key() -> TagSubject {
    TagSubject::Credential(CredentialKind::AccessKey, Some(KEY.to_owned()))
}

/// A tag from this many days ago that yesterday's run saw.
fn reached(reached: RemediationStatus, days: i64) -> RemediationTag {
    RemediationTag { reached, since: days_ago(days), seen: days_ago(1) }
}

fn with_stale_key() -> User<'static> {
    User { access_keys: smallvec![key(KEY, 200)], ..live_user("leaver") }
}

fn with_inactive_key() -> User<'static> {
    let mut user = with_stale_key();
    user.access_keys[0].active = Flag::No;
    user
}

fn by(remediation: RemediationPolicy, user: User<'static>) -> Audit {
    let allowlist = Allowlist { remediation: Some(remediation), ..Allowlist::default() };
    audited_with(&live(vec![user]), &allowlist, &Policy::default())
}

fn next(audit: &Audit) -> Option<NextStage> {
    let [only] = audit.findings.as_slice() else { panic!("one finding") };
    audit.next_stage(only)
}

fn on(stage: Stage, moment: DateTime<Utc>) -> Option<NextStage> {
    Some(NextStage { stage, from: moment.date_naive() })
}

#[test]
fn notice_has_the_first_day_of_the_deactivation() {
    let user = tagged(with_stale_key(), &the_key(), reached(RemediationStatus::Notified, 5));
    let audit = by(RemediationPolicy::default(), user);
    assert_eq!(next(&audit), on(Stage::Deactivate, days_ago(5 - 14)));
    let report = rendered(&audit, Language::English);
    let says = format!(
        "- access key&nbsp;…`WXYZ`: Notice given on {}; deactivation from {}, unless it is \
         used or exempted.",
        days_ago(5).date_naive(),
        days_ago(-9).date_naive()
    );
    assert!(report.contains(&says), "{report}");
    let japanese = rendered(&audit, Language::Japanese);
    let says = format!("{} 以降に無効化されます", days_ago(-9).date_naive());
    assert!(japanese.contains(&says), "{japanese}");
    let progress = v1::Audit::from(&audit).findings[0].remedy.clone();
    let expected = v1::RemediationProgress {
        reached: "notified".into(),
        since: days_ago(5),
        next: Some("deactivate".into()),
        next_from: Some(days_ago(-9).date_naive()),
    };
    assert_eq!(progress, Some(expected));
}

#[test]
fn notice_without_a_remediation_policy_has_no_next_date() {
    let audit =
        audit_of(tagged(with_stale_key(), &the_key(), reached(RemediationStatus::Notified, 5)));
    assert_eq!(next(&audit), None);
    let report = rendered(&audit, Language::English);
    let says = format!("Notice given on {}.\n", days_ago(5).date_naive());
    assert!(report.contains(&says) && !report.contains("deactivation from"), "{report}");
}

#[test]
fn deactivated_credential_has_a_deletion_date_only_with_delete_after_days() {
    let user =
        || tagged(with_inactive_key(), &the_key(), reached(RemediationStatus::Deactivated, 3));
    assert_eq!(next(&by(RemediationPolicy::default(), user())), None);
    let deletes = RemediationPolicy { delete_after_days: Some(30), ..RemediationPolicy::default() };
    let audit = by(deletes, user());
    assert_eq!(next(&audit), on(Stage::Delete, days_ago(3 - 30)));
    let report = rendered(&audit, Language::English);
    let says = format!("Deactivated on {}; deletion from", days_ago(3).date_naive());
    assert!(report.contains(&says), "{report}");
}

#[test]
fn password_has_a_deletion_date_only_with_delete_passwords() {
    let subject = TagSubject::Credential(CredentialKind::Password, None);
    let user = || {
        let user = User { password: Some(password(200)), ..live_user("leaver") };
        tagged(user, &subject, reached(RemediationStatus::Notified, 5))
    };
    assert_eq!(next(&by(RemediationPolicy::default(), user())), None);
    let deletes = RemediationPolicy { delete_passwords: true, ..RemediationPolicy::default() };
    assert_eq!(next(&by(deletes.clone(), user())), on(Stage::Delete, days_ago(-9)));
    // A recently changed password is not remediated.
    let mut reset = user();
    reset.password.as_mut().unwrap().last_changed =
        iam_stocktake::model::inventory::Timestamp::At(days_ago(2));
    assert_eq!(next(&by(deletes, reset)), None);
}

#[test]
fn finding_that_is_not_remediated_has_no_next_date() {
    let notified = || reached(RemediationStatus::Notified, 20);
    let user = || tagged(with_stale_key(), &the_key(), notified());
    let default = RemediationPolicy::default;
    assert!(next(&by(default(), user())).is_some());
    let of_others = User { owner: Some("@acme/data".to_owned()), ..user() };
    assert_eq!(next(&by(default(), of_others.clone())), None);
    let everybody = RemediationPolicy { owners: names(&["*"]), ..default() };
    assert!(next(&by(everybody, of_others)).is_some());
    let elsewhere = RemediationPolicy { paths: vec!["/people/".parse().unwrap()], ..default() };
    assert_eq!(next(&by(elsewhere.clone(), user())), None);
    let arn = "arn:aws:iam::111122223333:user/people/leaver";
    assert!(next(&by(elsewhere, User { arn: arn.into(), ..user() })).is_some());
    let exempt = crate::support::allowlist(&[
        "{ user: leaver, reason: needed, owner: ops, expires: 2026-12-31 }",
    ]);
    let exempted = Allowlist { remediation: Some(default()), ..exempt };
    assert_eq!(next(&audited_with(&live(vec![user()]), &exempted, &Policy::default())), None);
    let unseen = RemediationTag { seen: days_ago(15), ..notified() };
    let lapsed = tagged(with_stale_key(), &the_key(), unseen);
    assert_eq!(next(&by(default(), lapsed)), None);
}

#[test]
fn tag_of_another_key_or_state_is_ignored() {
    let another = TagSubject::Credential(CredentialKind::AccessKey, Some("AKIA2".to_owned()));
    for (user, subject, clock) in [
        (with_stale_key(), another, reached(RemediationStatus::Notified, 5)),
        (with_stale_key(), the_key(), reached(RemediationStatus::Deactivated, 5)),
    ] {
        let audit = by(RemediationPolicy::default(), tagged(user, &subject, clock));
        assert_eq!(audit.findings[0].remediation_tag, None);
        assert!(!rendered(&audit, Language::English).contains("Remediation is in progress"));
        assert_eq!(v1::Audit::from(&audit).findings[0].remedy, None);
    }
}

#[test]
fn audit_json_without_optional_fields_is_read() {
    let written = serde_json::to_value(v1::Audit::from(&audit_of(leaver()))).unwrap();
    let finding = written["findings"][0].as_object().unwrap();
    assert!(!finding.contains_key("remedy") && !finding.contains_key("belongings"));
    let read: v1::Audit = serde_json::from_value(written).unwrap();
    assert_eq!((read.generated_at, read.findings[0].remedy.clone()), (now(), None));
}

// Order and size

#[test]
fn users_are_ordered_by_danger_and_each_appears_once() {
    let stale = |name: &'static str, days| User {
        access_keys: smallvec![key("AKIAXXXXXXXXXXXXAAAA", days)],
        ..live_user(name)
    };
    let mut recently_reset = User { password: Some(password(600)), ..live_user("reset") };
    recently_reset.password.as_mut().unwrap().last_changed =
        iam_stocktake::model::inventory::Timestamp::At(days_ago(2));
    let old = User {
        other_credentials: vec![other(CredentialKind::SshKey, "APKAXXXXXXXXXXXXABCD", 900)],
        ..live_user("old-ssh-key")
    };
    let both = User { password: Some(password(300)), mfa: Some(false), ..stale("both", 100) };
    let mut inactive = stale("inactive", 800);
    inactive.access_keys[0].active = Flag::No;
    let owned = User { owner: Some("@acme/data".to_owned()), ..stale("owned", 120) };
    let mut account = live(vec![inactive, old, recently_reset, both, owned, stale("long", 400)]);
    account.root = Some(User {
        access_keys: smallvec![key("AKIAXXXXXXXXXXXXROOT", 1)],
        ..live_user("<root_account>")
    });
    let audit = audited_with(&account, &Allowlist::default(), &Policy::default());
    let report = rendered(&audit, Language::English);
    let rows: Vec<_> = report.lines().filter(|line| line.contains("` | ")).collect();
    let first_cells = |line: &&str| {
        let cells: Vec<_> = line.split(" | ").collect();
        format!("{} {}", cells[0], cells[1])
    };
    let users: Vec<_> = rows
        .iter()
        .filter(|line| {
            line.starts_with("| ⛔") || line.starts_with("| ⚠") || line.starts_with("| ℹ")
        })
        .map(first_cells)
        .collect();
    assert_eq!(
        users,
        [
            "| ⛔ error `<root_account>`",
            "| ⛔ error `long`",
            "| ⛔ error `both`",
            "| ⛔ error `owned`",
            "| ⚠️ warning `old-ssh-key`",
            "| ⛔ error `reset`",
            "| ℹ️ notice `inactive`",
        ]
    );
    assert!(report.contains("| level | user | credentials | days | owner | MFA |\n"), "{report}");
    let both = rows.iter().find(|line| line.contains("`both`")).unwrap();
    assert!(both.contains("password: ") && both.contains("<br>access key"), "{both}");
    assert!(both.ends_with(" | 300 | – | no |"), "{both}");
}

#[test]
fn report_with_twenty_findings_fits_in_40_kilobytes() {
    let name = |number| format!("some.person-{number}@example.com").into();
    let with_key = |number| User {
        name: name(number),
        access_keys: smallvec![key(&format!("AKIAXXXXXXXXXXXX{number:04}"), 200)],
        ..live_user("leaver")
    };
    let one_each: Vec<_> = (0..20).map(with_key).collect();
    let two_each: Vec<_> =
        (0..10).map(|number| User { name: name(number), ..with_everything() }).collect();
    for users in [one_each, two_each] {
        let audit = audited_with(&live(users), &Allowlist::default(), &Policy::default());
        assert_eq!(audit.findings.len(), 20);
        for language in Language::ALL {
            let bytes = rendered(&audit, language).len();
            assert!(bytes < 40 * 1024, "{language:?}: {bytes} bytes");
        }
    }
}
