//! What holds of every plan, whatever stands in the account and in the policy.

use chrono::{DateTime, Utc};
use iam_stocktake::model::inventory::{CredentialHandle, CredentialKind, Flag, Timestamp, User};
use iam_stocktake::model::policy::remediation::{RemediationPolicy, Stage};
use iam_stocktake::model::remediation_tag::{RemediationStatus, RemediationTag, TagSubject};
use iam_stocktake::remediate::plan::{ChangeKind, PlannedChange};
use proptest::prelude::*;

use crate::remediation_plan::case::{Case, of_key};
use crate::support::{days_ago, key, live_user, now, other, password};

const KEYS: [&str; 2] = ["AKIA000000000000AAAA", "AKIA000000000000BBBB"];

/// A failure that is found becomes a test of its own, so that none is kept beside the source.
fn config() -> ProptestConfig {
    ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() }
}

/// The value of a tag of ours, readable or not, or none.
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

/// What becomes of a key: the days of its disuse, whether it is active, its tag.
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

/// What is exempted: nothing, everything, passwords, or one of the keys.
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

/// When a credential of the user was last used, or made if it never was.
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

/// Whether an exemption of [`exempted`] is about the credential.
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

/// Does to the user what a change says.
fn carry_out(case: &mut Case, change: &PlannedChange) {
    let subject = &change.target.subject;
    let tag = |reached| RemediationTag { reached, since: now(), seen: now() }.to_string();
    let key = subject.key();
    let is_it = |handle: &CredentialHandle| matches!((subject, handle), (TagSubject::Credential(_, Some(id)), CredentialHandle::Id(it)) if it == id);
    let user = &mut case.user_record.user;
    let tags = user.tags.as_mut().unwrap();
    match change.kind {
        ChangeKind::Clear(_) => drop(tags.remove(&key)),
        ChangeKind::Notify(_) => drop(tags.insert(key, tag(RemediationStatus::Notified))),
        ChangeKind::Settle(_) => drop(tags.insert(key, tag(RemediationStatus::Deactivated))),
        ChangeKind::Renew => {
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
        ChangeKind::DeleteUser => panic!("nobody is left to be planned for"),
    }
}

/// Asserts that a change which takes something takes it from nobody who may need it.
fn assert_careful(case: &Case, exemption: Option<&str>, change: &PlannedChange) {
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
    // Nothing goes without a notice that is old enough.
    let (_, since) = change.facts.clock.unwrap();
    let days = match change.kind {
        ChangeKind::DeleteCredential => case.remediation.delete_after_days.unwrap(),
        _ => case.remediation.deactivate_after_days,
    };
    assert!(since <= days_ago(days.into()));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nothing_that_is_exempted_or_used_is_taken_and_nothing_beyond_the_stage(
        (case, exemption) in case()
    ) {
        for change in case.plan().changes {
            prop_assert!(change.kind.stage() <= case.stage, "{:?}", change);
            if change.kind.removes_access() {
                assert_careful(&case, exemption, &change);
            }
        }
    }

    #[test]
    fn a_plan_that_was_carried_out_leaves_nothing_to_change_on_that_day((case, _) in case()) {
        let mut case = case;
        // A user who has nothing in use after the first plan gets a notice by the second.
        for _ in 0..3 {
            let plan = case.plan();
            if plan.changes.iter().any(|it| it.kind == ChangeKind::DeleteUser) {
                return Ok(());
            }
            plan.changes.iter().for_each(|change| carry_out(&mut case, change));
        }
        prop_assert_eq!(case.plan().changes, []);
    }
}
