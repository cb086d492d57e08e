//! Properties of every plan, for random accounts and policies.

use chrono::{DateTime, Utc};
use iam_stocktake::model::inventory::{CredentialHandle, CredentialKind, Flag, Timestamp, User};
use iam_stocktake::model::policy::remediation::{RemediationPolicy, Stage};
use iam_stocktake::model::remediation_tag::{RemediationStatus, RemediationTag, TagSubject};
use iam_stocktake::remediate::plan::{ChangeKind, PlannedChange};
use stand_ins::proptest::prelude::*;

use crate::remediation_plan::case::{Case, of_key};
use crate::support::{days_ago, key, live_user, now, other, password};

const KEYS: [&str; 2] = ["AKIA000000000000AAAA", "AKIA000000000000BBBB"];

/// A failing case becomes a separate test, so proptest does not store failures.
fn config() -> ProptestConfig {
    ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() }
}

/// The value of a remediation tag: valid, unreadable or missing.
fn tag() -> impl Strategy<Value = Option<String>> {
    let clock =
        (prop::bool::ANY, -2_i64..130, -2_i64..20).prop_map(|(deactivated, since, seen)| {
            let reached = if deactivated {
                RemediationStatus::Deactivated
            } else {
                RemediationStatus::Notified
            };
            RemediationTag { reached, since: days_ago(since), seen: days_ago(seen) }.to_string()
        });
    prop_oneof![1 => Just(None), 6 => clock.prop_map(Some), 1 => Just(Some("x".to_owned()))]
}

/// An access key: days of disuse, whether it is active, and its tag.
fn one_key() -> impl Strategy<Value = (i64, bool, Option<String>)> {
    (prop_oneof![0_i64..100, 88_i64..93, 100_i64..300], prop::bool::ANY, tag())
}

fn stage() -> impl Strategy<Value = Stage> {
    prop::sample::select(Stage::ALL.to_vec())
}

fn remediation() -> impl Strategy<Value = RemediationPolicy> {
    (1_u32..30, prop::option::of(1_u32..40), prop::bool::ANY, prop::bool::ANY).prop_map(
        |(deactivate_after_days, delete_after_days, delete_passwords, delete_users)| {
            RemediationPolicy {
                deactivate_after_days,
                delete_after_days,
                delete_passwords,
                delete_users,
                ..RemediationPolicy::default()
            }
        },
    )
}

/// The exempt credentials: none, all, passwords, or one key.
fn exempted() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![
        None,
        Some(""),
        Some(", credentials: [password]"),
        Some(", credentials: ['access-key:AAAA']"),
    ])
}

prop_compose! {
    fn case()(
        keys in prop::collection::vec(one_key(), 0..=2),
        password_days in prop::option::of((0_i64..300, 0_i64..300, tag())),
        certificate in prop::option::of((0_i64..300, tag())),
        user_tag in tag(),
        created in 80_i64..400,
        exempted in exempted(),
        remediation in remediation(),
        stage in stage(),
    ) -> (Case, Option<&'static str>) {
        let mut user = live_user("alice");
        user.created = Timestamp::At(days_ago(created));
        let mut tags = vec![(TagSubject::User, user_tag)];
        for (id, (used, active, tag)) in KEYS.into_iter().zip(keys) {
            let mut key = key(id, used);
            key.active = if active { Flag::Yes } else { Flag::No };
            user.access_keys.push(key);
            tags.push((of_key(id), tag));
        }
        if let Some((used, changed, tag)) = password_days {
            let mut password = password(used);
            password.last_changed = Timestamp::At(days_ago(changed));
            user.password = Some(password);
            tags.push((TagSubject::PASSWORD, tag));
        }
        if let Some((age, tag)) = certificate {
            let kind = CredentialKind::SigningCertificate;
            user.other_credentials.push(other(kind, "CERTIFICATE", age));
            tags.push((TagSubject::Credential(kind, Some("CERTIFICATE".to_owned())), tag));
        }
        let mut case = Case::of(user);
        for (subject, value) in tags {
            if let Some(value) = value {
                case = case.with_tag(&subject.key(), &value);
            }
        }
        if let Some(more) = exempted {
            case = case.exempted("2026-12-31", more);
        }
        case.remediation = remediation;
        case.stage = stage;
        (case, exempted)
    }
}

/// When the credential was last used, or created if it was never used.
fn last_use(user: &User<'_>, subject: &TagSubject) -> DateTime<Utc> {
    let TagSubject::Credential(kind, id) = subject else { panic!("{subject} has no last use") };
    let is_it = |handle: &CredentialHandle| {
        id.as_ref().is_some_and(|id| *handle == CredentialHandle::Id(id.clone()))
    };
    let stamp = match kind {
        CredentialKind::Password => &user.password.as_ref().unwrap().last_used,
        CredentialKind::AccessKey => {
            &user.access_keys.iter().find(|it| is_it(&it.handle)).unwrap().last_used
        }
        _ => &user.other_credentials.iter().find(|it| is_it(&it.handle)).unwrap().created,
    };
    stamp.at().unwrap()
}

/// Whether an exemption of [`exempted`] covers the credential.
fn covers(exemption: &str, subject: &TagSubject) -> bool {
    match exemption {
        "" => matches!(
            subject,
            TagSubject::Credential(CredentialKind::AccessKey | CredentialKind::Password, _)
        ),
        ", credentials: [password]" => *subject == TagSubject::PASSWORD,
        _ => *subject == of_key(KEYS[0]),
    }
}

/// Applies a change to the user.
fn apply_change(case: &mut Case, change: &PlannedChange) {
    let subject = &change.target.subject;
    let tag = |reached| RemediationTag { reached, since: now(), seen: now() }.to_string();
    let key = subject.key();
    let is_it = |handle: &CredentialHandle| matches!((subject, handle), (TagSubject::Credential(_, Some(id)), CredentialHandle::Id(it)) if it == id);
    let user = &mut case.user_record.user;
    let tags = user.tags.as_mut().unwrap();
    match change.kind {
        ChangeKind::RemoveTag(_) => drop(tags.remove(&key)),
        ChangeKind::Notify(_) => drop(tags.insert(key, tag(RemediationStatus::Notified))),
        ChangeKind::ScheduleDeletion(_) => {
            drop(tags.insert(key, tag(RemediationStatus::Deactivated)));
        }
        ChangeKind::RenewTag => {
            let clock: RemediationTag = tags[&key].parse().unwrap();
            tags.insert(key, RemediationTag { seen: now(), ..clock }.to_string());
        }
        ChangeKind::Deactivate => {
            tags.insert(key, tag(RemediationStatus::Deactivated));
            user.access_keys
                .iter_mut()
                .filter(|it| is_it(&it.handle))
                .for_each(|it| it.active = Flag::No);
            let others = user.other_credentials.iter_mut();
            others.filter(|it| is_it(&it.handle)).for_each(|it| it.active = Flag::No);
        }
        ChangeKind::DeletePassword => {
            tags.remove(&key);
            user.password = None;
        }
        ChangeKind::DeleteCredential => {
            tags.remove(&key);
            user.access_keys.retain(|it| !is_it(&it.handle));
            user.other_credentials.retain(|it| !is_it(&it.handle));
        }
        ChangeKind::DeleteUser => panic!("there is no plan after the deletion of the user"),
    }
}

/// Asserts that a change removes only unused and unprotected access.
fn assert_removes_only_unused_access(case: &Case, exemption: Option<&str>, change: &PlannedChange) {
    let user = &case.user_record.user;
    let subject = &change.target.subject;
    let covered = |subject: &TagSubject| exemption.is_some_and(|it| covers(it, subject));
    if change.kind == ChangeKind::DeleteUser {
        assert!(case.remediation.delete_users);
        assert!(user.access_keys.iter().all(|it| it.active == Flag::No));
        assert!(user.password.is_none() || !covered(&TagSubject::PASSWORD));
        let keys = KEYS.iter().take(user.access_keys.len());
        assert!(keys.into_iter().all(|id| !covered(&of_key(id))));
        return;
    }
    assert!(last_use(user, subject) <= days_ago(91));
    assert!(!covered(subject));
    if *subject == TagSubject::PASSWORD {
        let changed = user.password.as_ref().unwrap().last_changed.at();
        assert!(case.remediation.delete_passwords && changed.unwrap() <= days_ago(90));
    }
    // Every such change requires a notice that is old enough.
    let (_, since) = change.facts.tag.unwrap();
    let days = match change.kind {
        ChangeKind::DeleteCredential => case.remediation.delete_after_days.unwrap(),
        _ => case.remediation.deactivate_after_days,
    };
    assert!(since <= days_ago(days.into()));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn changes_respect_exemptions_recent_use_and_the_stage(
        (case, exemption) in case()
    ) {
        for change in case.plan().changes {
            prop_assert!(change.kind.stage() <= case.stage, "{:?}", change);
            if change.kind.removes_access() {
                assert_removes_only_unused_access(&case, exemption, &change);
            }
        }
    }

    #[test]
    fn applied_plan_leaves_no_changes_for_the_day((case, _) in case()) {
        let mut case = case;
        // After the first plan, the user may be idle. The second plan then adds the notice for the
        // user.
        for _ in 0..3 {
            let plan = case.plan();
            if plan.changes.iter().any(|it| it.kind == ChangeKind::DeleteUser) {
                return Ok(());
            }
            plan.changes.iter().for_each(|change| apply_change(&mut case, change));
        }
        prop_assert_eq!(case.plan().changes, []);
    }
}
