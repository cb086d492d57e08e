//! Finding ids: fixed values, the same from a report and from the live API, and different for another
//! credential or user.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{
    Row, about, at, audited, audited_by, days_ago, exported, key, live, live_user, other, password,
    report_date,
};
use iam_stocktake::model::inventory::{
    AccessKey, Account, CredentialHandle, CredentialKind, Flag, Password, Timestamp, User,
};
use iam_stocktake::model::policy::{Level, Policy, PolicyOverrides, Rule};
use smallvec::smallvec;

/// The id of every finding, by rule and subject.
fn ids_by(account: &Account<'_>, policy: &Policy) -> BTreeMap<String, String> {
    let audit = audited_by(account, policy);
    let entry = |it: &iam_stocktake::audit::Finding| {
        (format!("{} of {}", it.rule, about(it)), it.id.to_string())
    };
    audit.findings.iter().map(entry).collect()
}

/// The ids of all findings with the default policy.
fn ids(account: &Account<'_>) -> BTreeSet<String> {
    audited(account).findings.iter().map(|finding| finding.id.to_string()).collect()
}

/// The id of the only finding.
fn id(account: &Account<'_>) -> String {
    let ids = ids(account);
    assert_eq!(ids.len(), 1, "{:?}", crate::support::lines(&audited(account)));
    ids.into_iter().next().unwrap()
}

fn id_of(row: Row) -> String {
    id(&exported(&[row]))
}

fn live_with_keys(access_keys: Vec<AccessKey<'static>>) -> Account<'static> {
    live(vec![User { access_keys: access_keys.into(), ..live_user("alice") }])
}

fn stale_key() -> Row {
    Row::of("alice").key_used(1, 100)
}

fn stale_password() -> Row {
    Row::of("alice").password_used(100)
}

#[test]
fn ids_do_not_change() {
    let overrides = PolicyOverrides {
        expiry_tag: Some("expires-on".to_owned()),
        levels: BTreeMap::from([
            (Rule::UnrotatedAccessKey, Level::Warning),
            (Rule::UnlistedUser, Level::Warning),
        ]),
        ..PolicyOverrides::default()
    };
    let twin = |id: &str| key(id, 100);
    let inactive =
        AccessKey { active: Flag::No, created: Timestamp::At(days_ago(299)), ..key("AKIAC", 100) };
    let account = Account {
        root: Some(User { access_keys: smallvec![key("AKIAR", 1)], ..live_user("<root_account>") }),
        ..live(vec![User {
            password: Some(password(100)),
            access_keys: smallvec![twin("AKIAA"), twin("AKIAB"), inactive],
            other_credentials: vec![
                other(CredentialKind::SshKey, "APKA", 300),
                other(CredentialKind::SigningCertificate, "CERT", 300),
                other(CredentialKind::ServiceSpecificCredential, "ACCA", 300),
            ],
            tags: Some(BTreeMap::from([("expires-on".to_owned(), "2026-01-01".to_owned())])),
            hidden_credentials: true,
            ..live_user("alice")
        }])
    };
    // SHA-256 over `v1|111122223333|alice|2025-05-26T12:00:00Z|RULE|KIND|2025-09-03T12:00:00Z`, as
    // `sha256sum` computes it.
    let expected = [
        ("expired-user of user", "8598cf3ae2a5de28"),
        ("inactive-access-key of access-key AKIAC", "497580a7fab29343"),
        ("old-service-credential of service-specific-credential ACCA", "6815d4409a458c9c"),
        ("old-service-credential of signing-certificate CERT", "cdce78e534b5a369"),
        ("old-service-credential of ssh-key APKA", "d909448ec340223e"),
        ("root-access-key of access-key AKIAR", "8f8b96d683fd97c0"),
        ("stale-access-key of access-key AKIAA", "2b9dd002fc151be1"),
        ("stale-access-key of access-key AKIAB", "93ee332fba0af270"),
        ("stale-access-key of user", "6318e9d00cf4e0db"),
        ("stale-password of password", "6a07b732f1d1a3e5"),
        ("unlisted-user of user", "76644e334a518a5d"),
        ("unrotated-access-key of access-key AKIAA", "5824b001cded11f6"),
        ("unrotated-access-key of access-key AKIAB", "5070ce30f2d64137"),
    ];
    let expected = expected.map(|(what, id)| (what.to_owned(), id.to_owned()));
    assert_eq!(ids_by(&account, &Policy::new(&overrides, None)), expected.into());
}

#[test]
fn report_and_live_api_give_the_same_ids() {
    let row =
        stale_password().key_used(1, 100).with("access_key_2_last_rotated", &report_date(200));
    let report = exported(&[row]);
    let inactive = AccessKey {
        active: Flag::No,
        created: Timestamp::At(days_ago(200)),
        last_used: Timestamp::Absent,
        ..key("AKIAA", 0)
    };
    let user = User {
        password: Some(password(100)),
        access_keys: smallvec![inactive, key("AKIAB", 100)],
        ..live_user("alice")
    };
    assert_eq!(ids(&report), ids(&live(vec![user])));
    assert_eq!(ids(&report).len(), 3);
}

#[test]
fn id_does_not_depend_on_the_slot() {
    assert_eq!(id_of(Row::of("alice").key_used(1, 100)), id_of(Row::of("alice").key_used(2, 100)));
    let swapped = |first: u8, second: u8| {
        let row = Row::of("alice").key_used(first, 100).key_used(second, 100);
        ids(&exported(&[row.with(&format!("access_key_{first}_last_rotated"), &report_date(200))]))
    };
    assert_eq!(swapped(1, 2), swapped(2, 1));
    assert_eq!(swapped(1, 2).len(), 2);
}

#[test]
fn id_does_not_depend_on_the_key_id() {
    assert_eq!(
        id(&live_with_keys(vec![key("AKIAA", 100)])),
        id(&live_with_keys(vec![key("AKIAB", 100)]))
    );
}

#[test]
fn id_does_not_depend_on_the_last_use() {
    assert_eq!(id_of(Row::of("alice").key_used(1, 100)), id_of(Row::of("alice").key_used(1, 200)));
    let (earlier, later) = (Row::of("alice").password_used(200), stale_password());
    assert_eq!(id_of(earlier), id_of(later));
}

#[test]
fn id_does_not_depend_on_the_case_of_the_user_name() {
    assert_eq!(id_of(stale_key()), id_of(Row::of("ALICE").key_used(1, 100)));
}

#[test]
fn id_does_not_depend_on_path_or_partition() {
    let moved = stale_key().with("arn", "arn:aws-cn:iam::111122223333:user/new/path/alice");
    assert_eq!(id_of(stale_key()), id_of(moved));
}

#[test]
fn id_does_not_depend_on_the_format_of_dates() {
    for (user, rotated) in [
        ("2025-05-26T12:00:00+00:00", "2025-09-03T12:00:00+00:00"),
        ("2025-05-26T21:00:00+09:00", "2025-09-03T06:30:00-05:30"),
        ("2025-05-26T12:00:00.999Z", "2025-09-03T12:00:00.001Z"),
    ] {
        let row =
            stale_key().with("user_creation_time", user).with("access_key_1_last_rotated", rotated);
        assert_eq!(id_of(row), id_of(stale_key()), "{user}, {rotated}");
    }
}

#[test]
fn changed_password_keeps_its_id() {
    let changed = stale_password().with("password_last_changed", &report_date(5));
    assert_eq!(id_of(stale_password()), id_of(changed));
    let live_changed = Password { last_changed: Timestamp::At(days_ago(7)), ..password(100) };
    let user = User { password: Some(live_changed), ..live_user("alice") };
    assert_eq!(id(&live(vec![user])), id_of(stale_password()));
}

#[test]
fn recreated_user_has_other_ids() {
    let second = |row: Row| row.with("user_creation_time", "2025-05-26T12:00:01Z");
    assert_ne!(id_of(stale_password()), id_of(second(stale_password())));
    assert_ne!(id_of(stale_key()), id_of(second(stale_key())));
}

#[test]
fn recreated_key_has_another_id() {
    let anew = stale_key().with("access_key_1_last_rotated", "2025-09-03T12:00:01Z");
    assert_ne!(id_of(stale_key()), id_of(anew));
}

#[test]
fn ids_differ_by_account_user_rule_and_kind() {
    let ids = BTreeSet::from([
        id_of(stale_key()),
        id_of(stale_password()),
        id_of(stale_key().in_account("444455556666")),
        id_of(Row::of("bob").key_used(1, 100)),
        id_of(stale_key().with("access_key_1_active", "false")),
        id_of(
            Row::of("alice")
                .with("cert_1_active", "true")
                .with("cert_1_last_rotated", &report_date(300)),
        ),
    ]);
    assert_eq!(ids.len(), 6);
}

#[test]
fn keys_created_in_the_same_second_have_distinct_ids_from_both_sources() {
    let report = exported(&[Row::of("alice").key_used(1, 100).key_used(2, 100)]);
    let expected = ids(&report);
    assert_eq!(expected.len(), 2);
    for order in [["AKIAA", "AKIAB"], ["AKIAB", "AKIAA"]] {
        assert_eq!(ids(&live_with_keys(order.map(|id| key(id, 100)).into())), expected);
    }
}

#[test]
fn key_keeps_its_id_when_one_of_the_same_second_is_used_or_deactivated() {
    let twins = live_with_keys(vec![key("AKIAA", 100), key("AKIAB", 100)]);
    let policy = Policy::default();
    let (of_a, of_b) =
        ("stale-access-key of access-key AKIAA", "stale-access-key of access-key AKIAB");
    let (before, mut used, mut deactivated) = (ids_by(&twins, &policy), twins.clone(), twins);
    used.users[0].access_keys[0].last_used = Timestamp::At(days_ago(1));
    assert_eq!(ids_by(&used, &policy), BTreeMap::from([(of_b.to_owned(), before[of_b].clone())]));
    deactivated.users[0].access_keys[0].active = Flag::No;
    assert_eq!(ids_by(&deactivated, &policy)[of_b], before[of_b]);
    assert_ne!(before[of_a], before[of_b]);
}

#[test]
fn keys_with_unreadable_creation_times_have_distinct_ids() {
    for (first, second) in [("?", "?"), ("N/A", "N/A"), ("N/A", ""), ("", "no_information")] {
        let row = Row::of("alice")
            .key_used(1, 100)
            .key_used(2, 100)
            .with("access_key_1_last_rotated", first)
            .with("access_key_2_last_rotated", second);
        assert_eq!(ids(&exported(&[row])).len(), 2, "{first:?} and {second:?}");
    }
}

#[test]
fn other_credentials_created_in_the_same_second_have_distinct_ids() {
    let row = ["1", "2"].into_iter().fold(Row::of("alice"), |row, slot| {
        row.with(&format!("cert_{slot}_active"), "true")
            .with(&format!("cert_{slot}_last_rotated"), &report_date(300))
    });
    let report = exported(&[row]);
    let user = |kind| User {
        other_credentials: vec![other(kind, "A", 300), other(kind, "B", 300)],
        ..live_user("alice")
    };
    assert_eq!(ids(&report).len(), 2);
    assert_eq!(ids(&report), ids(&live(vec![user(CredentialKind::SigningCertificate)])));
    assert_eq!(ids(&live(vec![user(CredentialKind::SshKey)])).len(), 2);
}

#[test]
fn id_has_sixteen_lower_case_hex_digits() {
    let id = id_of(stale_key());
    assert_eq!(id.len(), 16);
    assert!(id.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)), "{id}");
}

#[test]
fn live_dates_are_truncated_to_the_second() {
    let moment = at("2025-09-03T12:00:00.75Z");
    let exact = key("AKIAA", 100);
    let fraction = AccessKey { created: Timestamp::At(moment), ..exact.clone() };
    assert_eq!(
        id(&live_with_keys(vec![exact.clone()])),
        id(&live_with_keys(vec![fraction.clone()]))
    );
    let twin = AccessKey { handle: CredentialHandle::Id("AKIAB".to_owned()), ..fraction };
    assert_eq!(ids(&live_with_keys(vec![exact, twin])).len(), 2);
}
