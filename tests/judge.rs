//! What the judge makes of exemptions, of live evidence and of what could not be had.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use iam_stocktake::allowlist::{Allowlist, Term};
use iam_stocktake::inventory::{
    AccessKey, Account, CredentialKind, Evidence, Flag, Password, Stamp, Unreadable, User,
};
use iam_stocktake::judge::{
    self, AllowlistOrigin, Audit, Coverage, Matched, Note, Outcome, Reference, Status,
};
use iam_stocktake::policy::{Level, Policy, PolicyOverrides, Rule};
use smallvec::smallvec;
use support::{
    Row, allowlist, at, days_ago, exported, judged, judged_by, key, line, lines, live, live_user,
    now, other, password, policy, weighed, written,
};

const WHY: &str = "reason: needed, owner: ops, expires: 2026-12-31";

/// An exemption in force, with these keys before the required ones.
fn exemption(keys: &str) -> Allowlist {
    allowlist(&[&format!("{{ {keys}, {WHY} }}")])
}

/// A report with a stale password and two stale keys.
fn stale_alice() -> Account<'static> {
    exported(&[Row::of("alice").password_used(100).key_used(1, 100).key_used(2, 100)])
}

/// Live evidence of the same.
fn live_stale_alice() -> Account<'static> {
    live(vec![User {
        password: Some(password(100)),
        access_keys: smallvec![key("AKIAXXXXXXXXXXXXAAAA", 100), key("AKIAXXXXXXXXXXXXBBBB", 100)],
        ..live_user("alice")
    }])
}

fn weigh(account: &Account<'_>, allowlist: &Allowlist) -> Audit {
    weighed(account, allowlist, &Policy::default())
}

fn judged_at(account: &Account<'_>, allowlist: &Allowlist, now: &str) -> Audit {
    let accounts = std::slice::from_ref(account);
    judge::judge(accounts, allowlist, AllowlistOrigin::None, &Policy::default(), at(now))
}

/// What the findings that the exemptions leave are about.
fn left(audit: &Audit) -> Vec<String> {
    let left = audit.findings.iter().filter(|finding| finding.status != Status::Exempted);
    left.map(support::about).collect()
}

fn notes(audit: &Audit) -> Vec<Vec<Note>> {
    audit.findings.iter().map(|finding| finding.notes.clone()).collect()
}

/// Whom the only exemption matched, and how many findings it exempts.
fn review(audit: &Audit) -> (Matched, usize) {
    let [only] = audit.exemptions.as_slice() else { panic!("one exemption") };
    (only.matched, only.exempts)
}

const ALL: [&str; 3] = ["password", "access-key 1", "access-key 2"];
const NONE: [&str; 0] = [];

// Exemptions: whom

#[test]
fn without_an_exemption_every_stale_credential_is_open() {
    let audit = judged(&stale_alice());
    assert_eq!(
        lines(&audit),
        [
            "alice: stale-password of password is open",
            "alice: stale-access-key of access-key 1 is open",
            "alice: stale-access-key of access-key 2 is open",
        ]
    );
}

#[test]
fn an_exemption_by_name_covers_the_stale_credentials_of_that_user_alone() {
    let account = exported(&[
        Row::of("alice").password_used(100),
        Row::of("alice2").password_used(100),
        Row::of("malice").password_used(100),
    ]);
    let audit = weigh(&account, &exemption("user: alice"));
    assert_eq!(
        lines(&audit),
        [
            "alice: stale-password of password is exempted",
            "alice2: stale-password of password is open",
            "malice: stale-password of password is open",
        ]
    );
    assert_eq!(audit.findings[0].exemption, Some(0));
    assert_eq!(audit.findings[1].exemption, None);
    assert_eq!(review(&audit), (Matched::Users(1), 1));
}

#[test]
fn names_are_compared_without_case_and_the_difference_is_told() {
    let audit = weigh(&stale_alice(), &exemption("user: ALICE"));
    assert_eq!(left(&audit), NONE);
    assert_eq!(review(&audit), (Matched::ByCaseOnly, 3));
}

#[test]
fn a_pattern_covers_all_whose_whole_name_matches() {
    let account = exported(&[
        Row::of("ses-smtp-a").key_used(1, 100),
        Row::of("SES-SMTP-b").key_used(1, 100),
        Row::of("my-ses-smtp-c").key_used(1, 100),
    ]);
    let audit = weigh(&account, &exemption("pattern: \"ses-smtp-*\""));
    assert_eq!(
        lines(&audit),
        [
            "SES-SMTP-b: stale-access-key of access-key 1 is exempted",
            "my-ses-smtp-c: stale-access-key of access-key 1 is open",
            "ses-smtp-a: stale-access-key of access-key 1 is exempted",
        ]
    );
    assert_eq!(review(&audit), (Matched::Users(2), 2));
}

#[test]
fn an_exemption_for_an_account_says_nothing_about_others() {
    let there = exported(&[Row::of("alice").in_account("444455556666").password_used(100)]);
    let allowlist = exemption("user: alice, account: \"444455556666\"");
    let audit = judge::judge(
        &[there, stale_alice()],
        &allowlist,
        AllowlistOrigin::None,
        &Policy::default(),
        now(),
    );
    let open = |it: &&judge::Finding| it.status == Status::Open;
    assert!(
        audit.findings.iter().filter(open).all(|it| it.subject.account.as_str() == "111122223333")
    );
    assert_eq!(audit.findings.iter().filter(open).count(), 3);
    assert_eq!(review(&audit), (Matched::Users(1), 1));
}

#[test]
fn an_exemption_for_an_account_that_is_not_audited_is_not_called_unused() {
    let audit = weigh(&stale_alice(), &exemption("user: alice, account: \"444455556666\""));
    assert_eq!(left(&audit), ALL);
    assert_eq!(review(&audit), (Matched::NotAudited, 0));
}

#[test]
fn an_exemption_that_matches_nobody_is_told() {
    let audit = weigh(&stale_alice(), &exemption("user: bob"));
    assert_eq!(review(&audit), (Matched::Nobody, 0));
    let audit = weigh(&stale_alice(), &exemption("pattern: \"bob*\""));
    assert_eq!(review(&audit), (Matched::Nobody, 0));
}

#[test]
fn an_exemption_that_matches_a_user_who_needs_none_exempts_nothing() {
    let account = exported(&[Row::of("alice").password_used(1)]);
    let audit = weigh(&account, &exemption("user: alice"));
    assert_eq!((audit.findings.len(), review(&audit)), (0, (Matched::Users(1), 0)));
}

// Exemptions: pins

#[test]
fn a_user_id_holds_against_live_evidence() {
    let id = live_user("alice").id.unwrap();
    let audit = weigh(&live_stale_alice(), &exemption(&format!("user: alice, user_id: {id}")));
    assert_eq!(left(&audit), NONE);
    assert_eq!(review(&audit), (Matched::Users(1), 3));
}

#[test]
fn a_user_created_anew_under_the_name_is_another_user() {
    let audit =
        weigh(&live_stale_alice(), &exemption("user: alice, user_id: AIDAZZZZZZZZZZZZZZZZZ"));
    assert_eq!(left(&audit).len(), 3);
    assert_eq!(notes(&audit), [vec![], vec![], vec![]]);
    assert_eq!(review(&audit), (Matched::Nobody, 0));
}

#[test]
fn a_user_id_does_not_apply_to_an_exported_report_which_shows_none() {
    let audit = weigh(&stale_alice(), &exemption("user: alice, user_id: AIDACKCEVSQ6C2EXAMPLE"));
    assert_eq!(left(&audit), ALL);
    let needs_live = vec![Note::ExemptionNeedsLiveEvidence(0)];
    assert_eq!(notes(&audit), [needs_live.clone(), needs_live.clone(), needs_live.clone()]);
    assert_eq!(needs_live[0].id(), "exemption-needs-live-evidence");
    assert_eq!(review(&audit), (Matched::Users(1), 0));
}

#[test]
fn a_pinned_key_is_exempted_and_its_sibling_is_not() {
    let audit =
        weigh(&live_stale_alice(), &exemption("user: alice, credentials: [\"access-key:BBBB\"]"));
    assert_eq!(left(&audit), ["password", "access-key AKIAXXXXXXXXXXXXAAAA"]);
    assert_eq!(notes(&audit), [vec![], vec![], vec![]]);
}

#[test]
fn a_pinned_key_does_not_apply_to_the_slots_of_an_exported_report() {
    let audit =
        weigh(&stale_alice(), &exemption("user: alice, credentials: [\"access-key:BBBB\"]"));
    assert_eq!(left(&audit), ALL);
    let needs_live = vec![Note::ExemptionNeedsLiveEvidence(0)];
    assert_eq!(notes(&audit), [vec![], needs_live.clone(), needs_live]);
}

#[test]
fn a_password_or_all_keys_can_be_exempted_alone() {
    for (credentials, exported_left, live_left) in [
        (
            "[password]",
            vec!["access-key 1", "access-key 2"],
            vec!["access-key AKIAXXXXXXXXXXXXAAAA", "access-key AKIAXXXXXXXXXXXXBBBB"],
        ),
        ("[access-key]", vec!["password"], vec!["password"]),
        ("[password, access-key]", vec![], vec![]),
    ] {
        let allowlist = exemption(&format!("user: alice, credentials: {credentials}"));
        assert_eq!(left(&weigh(&stale_alice(), &allowlist)), exported_left, "{credentials}");
        assert_eq!(left(&weigh(&live_stale_alice(), &allowlist)), live_left, "{credentials}");
    }
}

#[test]
fn an_exemption_of_keys_covers_those_that_the_report_does_not_show() {
    let account = exported(&[Row::of("alice").with("additional_credentials_info", "3 keys")]);
    for (credentials, status) in [
        ("", Status::Exempted),
        (", credentials: [access-key]", Status::Exempted),
        (", credentials: [password]", Status::Unknown),
        (", credentials: [\"access-key:BBBB\"]", Status::Unknown),
    ] {
        let audit = weigh(&account, &exemption(&format!("user: alice{credentials}")));
        assert_eq!(audit.findings[0].status, status, "{credentials}");
    }
}

// Exemptions: rules

#[test]
fn an_exemption_that_names_no_rule_covers_the_two_stale_rules_alone() {
    let row = Row::of("alice").key_used(1, 100).with("access_key_2_last_rotated", &written(300));
    let account = exported(&[row]);
    let policy = policy(&[(Rule::UnrotatedAccessKey, Level::Warning)]);
    let audit = weighed(&account, &exemption("user: alice"), &policy);
    assert_eq!(
        lines(&audit),
        [
            "alice: inactive-access-key of access-key 2 is open",
            "alice: unrotated-access-key of access-key 1 is open",
            "alice: stale-access-key of access-key 1 is exempted",
        ]
    );
}

#[test]
fn an_exemption_that_names_rules_covers_those_alone() {
    let account = exported(&[Row::of("alice").key_used(1, 100)]);
    let policy = policy(&[(Rule::UnrotatedAccessKey, Level::Warning)]);
    let audit =
        weighed(&account, &exemption("user: alice, rules: [unrotated-access-key]"), &policy);
    assert_eq!(
        lines(&audit),
        [
            "alice: unrotated-access-key of access-key 1 is exempted",
            "alice: stale-access-key of access-key 1 is open",
        ]
    );
}

#[test]
fn the_root_users_key_can_be_exempted_by_the_name_that_the_report_gives_it() {
    let root = Row::of("<root_account>").with("arn", "arn:aws:iam::111122223333:root");
    let account = exported(&[root.key_used(1, 1)]);
    assert_eq!(
        lines(&judged(&account)),
        ["<root_account>: root-access-key of access-key 1 is open"]
    );
    let allowlist = exemption("user: <root_account>, rules: [root-access-key]");
    assert_eq!(
        lines(&weigh(&account, &allowlist)),
        ["<root_account>: root-access-key of access-key 1 is exempted"]
    );
}

// Exemptions: time

#[test]
fn an_exemption_holds_through_its_last_day_in_utc() {
    let allowlist = allowlist(&["{ user: alice, reason: r, owner: o, expires: 2026-07-01 }"]);
    for (now, term, status, note) in [
        ("2026-07-01T00:00:00Z", Term::ExpiresSoon, Status::Exempted, vec![]),
        ("2026-07-01T23:59:59Z", Term::ExpiresSoon, Status::Exempted, vec![]),
        ("2026-07-02T00:00:00+09:00", Term::ExpiresSoon, Status::Exempted, vec![]),
        ("2026-07-02T00:00:00Z", Term::Expired, Status::Open, vec![Note::ExemptionExpired(0)]),
    ] {
        let audit = judged_at(&stale_alice(), &allowlist, now);
        assert_eq!(audit.exemptions[0].term, term, "{now}");
        for finding in &audit.findings {
            assert_eq!((finding.status, &finding.notes), (status, &note), "{now}");
        }
    }
}

#[test]
fn an_exemption_expires_soon_for_its_last_fourteen_days() {
    for (expires, term) in [
        ("2026-07-15", Term::InForce),
        ("2026-07-14", Term::ExpiresSoon),
        ("2026-06-30", Term::ExpiresSoon),
        ("2026-06-29", Term::Expired),
    ] {
        let entry = format!("{{ user: alice, reason: r, owner: o, expires: {expires} }}");
        let audit = weigh(&stale_alice(), &allowlist(&[&entry]));
        assert_eq!(audit.exemptions[0].term, term, "{expires}");
    }
}

#[test]
fn an_expired_exemption_still_says_whom_it_matched_but_exempts_nothing() {
    let allowlist = allowlist(&["{ user: alice, reason: r, owner: o, expires: 2026-06-29 }"]);
    let audit = weigh(&stale_alice(), &allowlist);
    assert_eq!(left(&audit), ALL);
    assert_eq!(review(&audit), (Matched::Users(1), 0));
}

#[test]
fn of_two_exemptions_that_cover_a_finding_the_one_that_lasts_longer_counts() {
    let entry =
        |expires: &str| format!("{{ user: alice, reason: r, owner: o, expires: {expires} }}");
    for (expires, winner) in [
        (["2026-12-31", "2026-08-01"], 0),
        (["2026-08-01", "2026-12-31"], 1),
        (["2026-12-31", "2026-12-31"], 0),
        (["2026-01-01", "2026-08-01"], 1),
    ] {
        let entries = expires.map(entry);
        let audit = weigh(&stale_alice(), &allowlist(&[&entries[0], &entries[1]]));
        assert!(audit.findings.iter().all(|it| it.exemption == Some(winner)), "{expires:?}");
        assert_eq!(notes(&audit), [vec![], vec![], vec![]], "{expires:?}");
        let exempts: Vec<usize> = audit.exemptions.iter().map(|it| it.exempts).collect();
        assert_eq!((exempts[winner], exempts[1 - winner]), (3, 0), "{expires:?}");
    }
}

// Rules that need live evidence

/// Live evidence of one user with these credentials that bear no last-used date.
fn with_others(others: &[(CredentialKind, &str, i64)]) -> Account<'static> {
    let other_credentials = others.iter().map(|(kind, id, age)| other(*kind, id, *age)).collect();
    live(vec![User { other_credentials, ..live_user("alice") }])
}

#[test]
fn an_old_credential_without_a_last_used_date_is_found_by_its_age() {
    let account = with_others(&[
        (CredentialKind::SshKey, "APKAOLD", 90),
        (CredentialKind::SshKey, "APKANEW", 89),
        (CredentialKind::ServiceSpecificCredential, "ACCAOLD", 120),
        (CredentialKind::SigningCertificate, "CERTOLD", 400),
    ]);
    let audit = judged(&account);
    assert_eq!(
        lines(&audit),
        [
            "alice: old-service-credential of signing-certificate CERTOLD is open",
            "alice: old-service-credential of service-specific-credential ACCAOLD is open",
            "alice: old-service-credential of ssh-key APKAOLD is open",
        ]
    );
    let days: Vec<_> = audit.findings.iter().map(|finding| finding.days).collect();
    assert_eq!(days, [Some(400), Some(120), Some(90)]);
    for finding in &audit.findings {
        assert_eq!(finding.reference.unwrap().0, Reference::Created);
        assert_eq!(finding.level, Level::Warning);
    }
}

#[test]
fn an_inactive_credential_without_a_last_used_date_is_no_finding() {
    let mut account = with_others(&[(CredentialKind::SshKey, "APKAOLD", 400)]);
    account.users[0].other_credentials[0].active = Flag::No;
    assert_eq!(lines(&judged(&account)), NONE);
}

fn expiring(value: &str) -> Account<'static> {
    let tags = BTreeMap::from([("expires-on".to_owned(), value.to_owned())]);
    live(vec![User { tags: Some(tags), other_credentials: Vec::new(), ..with_key("alice") }])
}

/// A user with an active key that is in use.
fn with_key(name: &str) -> User<'static> {
    User { access_keys: smallvec![key("AKIAXXXXXXXXXXXXAAAA", 1)], ..live_user(name) }
}

fn expiry_policy() -> Policy {
    let overrides =
        PolicyOverrides { expiry_tag: Some("expires-on".to_owned()), ..Default::default() };
    Policy::new(&overrides, None)
}

#[test]
fn a_user_is_wanted_through_the_day_that_the_expiry_tag_names_in_utc() {
    for (now, found) in [
        ("2026-06-30T00:00:00Z", vec![]),
        ("2026-06-30T23:59:59Z", vec![]),
        ("2026-07-01T08:59:59+09:00", vec![]),
        ("2026-07-01T00:00:00Z", vec!["alice: expired-user of user is open"]),
    ] {
        let accounts = [expiring("2026-06-30")];
        let audit = judge::judge(
            &accounts,
            &Allowlist::default(),
            AllowlistOrigin::None,
            &expiry_policy(),
            at(now),
        );
        assert_eq!(lines(&audit), found, "{now}");
    }
}

#[test]
fn an_expired_user_is_an_error_dated_by_the_tag() {
    let audit = judged_by(&expiring(" 2026-06-20 "), &expiry_policy());
    let finding = &audit.findings[0];
    assert_eq!((finding.rule, finding.level), (Rule::ExpiredUser, Level::Error));
    assert_eq!(finding.reference, Some((Reference::Expired, at("2026-06-20T00:00:00Z"))));
    assert_eq!((finding.days, &finding.credential), (Some(10), &None));
}

#[test]
fn an_expiry_tag_that_is_no_day_makes_the_verdict_unknown() {
    for value in ["", "soon", "2026-6-30", "2026-02-30", "30.06.2026", "2026-06-30T00:00:00Z"] {
        let audit = judged_by(&expiring(value), &expiry_policy());
        assert_eq!(lines(&audit), ["alice: expired-user of user is unknown"], "{value}");
        let (column, text) = ("tag expires-on".to_owned(), value.to_owned());
        assert_eq!(notes(&audit), [[Note::Unreadable(Unreadable { column, text })]]);
        assert_eq!(audit.outcome(), Outcome::Incomplete);
    }
}

#[test]
fn without_a_tag_in_the_policy_or_on_the_user_nobody_expires() {
    assert_eq!(lines(&judged(&expiring("2020-01-01"))), NONE);
    let account = live(vec![with_key("alice")]);
    assert_eq!(lines(&judged_by(&account, &expiry_policy())), NONE);
}

#[test]
fn a_user_with_no_credential_of_any_kind_is_found_by_live_evidence_alone() {
    let audit = judged(&live(vec![live_user("alice"), with_key("bob")]));
    assert_eq!(lines(&audit), ["alice: user-without-credentials of user is open"]);
    assert_eq!(audit.findings[0].reference, Some((Reference::Created, days_ago(400))));
    let unseen = User { other_credentials_complete: false, ..live_user("alice") };
    assert_eq!(lines(&judged(&live(vec![unseen]))), NONE);
    let with_ssh = with_others(&[(CredentialKind::SshKey, "APKANEW", 1)]);
    assert_eq!(lines(&judged(&with_ssh)), NONE);
    let report = exported(&[Row::of("alice"), Row::of("bob").key_used(1, 1)]);
    let audit = judged(&report);
    assert_eq!((lines(&audit), audit.accounts[0].users_without_shown_credentials), (vec![], 1));
}

#[test]
fn an_unlisted_user_is_one_whom_no_exemption_in_force_names() {
    let account = live(vec![with_key("alice"), live_user("bob")]);
    let policy =
        policy(&[(Rule::UnlistedUser, Level::Warning), (Rule::UserWithoutCredentials, Level::Off)]);
    let id = live_user("alice").id.unwrap();
    let unlisted = vec!["alice: unlisted-user of user is open"];
    for (entry, expected) in [
        ("user: carol, reason: r, owner: o, expires: 2026-12-31", &unlisted),
        ("user: alice, reason: r, owner: o, expires: 2026-06-29", &unlisted),
        ("user: alice, reason: r, owner: o, expires: 2026-06-30", &vec![]),
        ("user: Alice, reason: r, owner: o, expires: 2026-12-31", &vec![]),
        ("pattern: ali*, reason: r, owner: o, expires: 2026-12-31", &vec![]),
        ("user: alice, credentials: [password], reason: r, owner: o, expires: 2026-12-31", &vec![]),
        (
            "user: alice, account: \"444455556666\", reason: r, owner: o, expires: 2026-12-31",
            &unlisted,
        ),
        (
            "user: alice, user_id: AIDAZZZZZZZZZZZZZZZZZ, reason: r, owner: o, expires: 2026-12-31",
            &unlisted,
        ),
        (&format!("user: alice, user_id: {id}, reason: r, owner: o, expires: 2026-12-31"), &vec![]),
    ] {
        let audit = weighed(&account, &allowlist(&[&format!("{{ {entry} }}")]), &policy);
        assert_eq!(lines(&audit), *expected, "{entry}");
    }
}

#[test]
fn an_exemption_that_the_evidence_cannot_test_lists_nobody() {
    let account = exported(&[Row::of("alice").key_used(1, 1)]);
    let policy = policy(&[(Rule::UnlistedUser, Level::Warning)]);
    let pinned = exemption("user: alice, user_id: AIDACKCEVSQ6C2EXAMPLE");
    assert_eq!(
        lines(&weighed(&account, &pinned, &policy)),
        ["alice: unlisted-user of user is open"]
    );
    assert_eq!(lines(&weighed(&account, &exemption("user: alice"), &policy)), NONE);
}

// Notes and order

#[test]
fn what_nobody_knows_comes_first_and_what_was_reset_recently_last() {
    let account = exported(&[
        Row::of("reset").password_used(390).with("password_last_changed", &written(1)),
        Row::of("b-shorter").password_used(100),
        Row::of("a-longer").password_used(200),
        Row::of("c-shorter").password_used(100),
        Row::of("unknown").password_used(1).with("password_last_used", "?"),
    ]);
    let audit = judged(&account);
    let names: Vec<&str> = audit.findings.iter().map(|it| it.subject.name.as_str()).collect();
    assert_eq!(names, ["unknown", "a-longer", "b-shorter", "c-shorter", "reset"]);
    assert_eq!(audit.findings[4].notes, [Note::RecentlyReset(days_ago(1))]);
    assert!(audit.findings[4].recently_reset() && audit.findings[4].needs_remedy());
}

#[test]
fn accounts_and_their_findings_stand_by_account_id() {
    let account =
        |id: &str, used: i64| exported(&[Row::of("u").in_account(id).password_used(used)]);
    let audit = judge::judge(
        &[account("999999999999", 300), account("000000000001", 100)],
        &Allowlist::default(),
        AllowlistOrigin::Missing("x.yml".to_owned()),
        &Policy::default(),
        now(),
    );
    let accounts: Vec<&str> = audit.accounts.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(accounts, ["000000000001", "999999999999"]);
    let days: Vec<_> = audit.findings.iter().map(|it| it.days).collect();
    assert_eq!(days, [Some(100), Some(300)]);
    assert_eq!(audit.allowlist, AllowlistOrigin::Missing("x.yml".to_owned()));
    assert_eq!((audit.now, audit.policy), (now(), Policy::default()));
}

#[test]
fn a_user_is_in_use_when_some_credential_is_or_may_be() {
    let in_use = |row: Row| judged(&exported(&[row.key_used(1, 100)])).findings[0].subject.in_use;
    let row = || Row::of("alice");
    assert!(!in_use(row()));
    assert!(!in_use(row().password_used(100)));
    assert!(in_use(row().password_used(1)));
    assert!(in_use(row().password_used(1).with("password_last_used", "?")));
    assert!(in_use(row().password_used(100).with("password_last_changed", &written(1))));
    assert!(in_use(row().key_used(2, 1)));
    assert!(!in_use(row().key_used(2, 1).with("access_key_2_active", "false")));
    assert!(in_use(row().with("cert_1_active", "true")));
    assert!(in_use(row().with("additional_credentials_info", "3 keys")));
}

// Levels and outcome

#[test]
fn a_level_decides_whether_a_finding_needs_remedy_and_counts_for_the_gate() {
    for (level, needs_remedy, counts, outcome) in [
        (Level::Notice, false, false, Outcome::Clean),
        (Level::Warning, true, false, Outcome::Stale),
        (Level::Error, true, true, Outcome::Stale),
    ] {
        let account = exported(&[Row::of("alice").password_used(100)]);
        let audit = judged_by(&account, &policy(&[(Rule::StalePassword, level)]));
        let finding = &audit.findings[0];
        assert_eq!(finding.level, level);
        assert_eq!((finding.needs_remedy(), finding.counts_for_gate()), (needs_remedy, counts));
        assert_eq!(audit.outcome(), outcome, "{level}");
    }
}

#[test]
fn a_rule_that_is_off_finds_nothing_and_claims_no_coverage() {
    let policy = policy(&[(Rule::StalePassword, Level::Off), (Rule::StaleAccessKey, Level::Off)]);
    let audit = judged_by(&stale_alice(), &policy);
    assert_eq!((lines(&audit), audit.outcome()), (vec![], Outcome::Clean));
    assert_eq!(audit.accounts[0].coverage.get(&Rule::StalePassword), None);
    assert_eq!(audit.accounts[0].coverage.get(&Rule::StaleAccessKey), None);
}

#[test]
fn the_default_levels_are_the_documented_ones() {
    let levels = |policy: &Policy| Rule::ALL.map(|rule| (rule.id(), policy.level(rule).id()));
    assert_eq!(
        levels(&Policy::default()),
        [
            ("stale-password", "error"),
            ("stale-access-key", "error"),
            ("expired-user", "off"),
            ("root-access-key", "warning"),
            ("old-service-credential", "warning"),
            ("inactive-access-key", "notice"),
            ("user-without-credentials", "notice"),
            ("unrotated-access-key", "off"),
            ("unlisted-user", "off"),
        ]
    );
    assert_eq!(levels(&expiry_policy())[2], ("expired-user", "error"));
}

#[test]
fn a_threshold_that_is_given_wins_over_the_files_and_that_over_the_default() {
    let file = |days| PolicyOverrides { stale_after_days: days, ..PolicyOverrides::default() };
    for (in_file, given, expected) in
        [(None, None, 90), (Some(45), None, 45), (Some(45), Some(30), 30), (None, Some(30), 30)]
    {
        assert_eq!(Policy::new(&file(in_file), given).stale_after_days, expected);
    }
}

#[test]
fn an_exempted_finding_makes_no_run_stale() {
    let audit = weigh(&stale_alice(), &exemption("user: alice"));
    assert_eq!(audit.outcome(), Outcome::Clean);
    assert!(audit.findings.iter().all(|it| !it.needs_remedy() && !it.counts_for_gate()));
}

#[test]
fn missing_evidence_comes_before_staleness_in_the_outcome() {
    let account = exported(&[
        Row::of("alice").password_used(100),
        Row::of("bob").password_used(1).with("password_last_used", "?"),
    ]);
    let audit = judged(&account);
    assert_eq!(audit.outcome(), Outcome::Incomplete);
    assert!(!audit.findings[0].needs_remedy(), "an unknown finding is not open");
    assert_eq!(judged(&exported(&[Row::of("u")])).outcome(), Outcome::Clean);
    assert_eq!(Outcome::Incomplete.id(), "incomplete");
}

// Coverage

fn coverage(audit: &Audit) -> Vec<(&'static str, &'static str)> {
    let coverage = audit.accounts[0].coverage.iter();
    coverage.map(|(rule, coverage)| (rule.id(), coverage.id())).collect()
}

/// Every rule turned on.
fn everything() -> Policy {
    let levels = Rule::ALL.map(|rule| (rule, Level::Warning));
    let overrides = PolicyOverrides {
        expiry_tag: Some("expires-on".to_owned()),
        levels: levels.into_iter().collect(),
        ..PolicyOverrides::default()
    };
    Policy::new(&overrides, None)
}

#[test]
fn a_report_is_a_snapshot_that_does_not_show_what_some_rules_need() {
    let root = Row::of("<root_account>").with("arn", "arn:aws:iam::111122223333:root");
    let expected = [
        ("stale-password", "snapshot"),
        ("stale-access-key", "snapshot"),
        ("expired-user", "not-shown"),
        ("root-access-key", "snapshot"),
        ("old-service-credential", "not-shown"),
        ("inactive-access-key", "snapshot"),
        ("user-without-credentials", "not-shown"),
        ("unrotated-access-key", "snapshot"),
        ("unlisted-user", "snapshot"),
    ];
    let audit = judged_by(&exported(&[root, Row::of("alice").key_used(1, 1)]), &everything());
    assert_eq!(coverage(&audit), expected);
    assert_eq!(audit.accounts[0].incomplete_rules().count(), 0);
}

#[test]
fn a_report_without_the_root_users_row_does_not_show_the_root_users_keys() {
    let audit = judged(&exported(&[Row::of("alice")]));
    assert_eq!(audit.accounts[0].coverage[&Rule::RootAccessKey], Coverage::NotShown);
    assert_eq!(audit.outcome(), Outcome::Clean);
}

#[test]
fn live_evidence_of_everything_is_complete() {
    let audit = judged_by(&live(vec![with_key("alice")]), &everything());
    assert_eq!(coverage(&audit), Rule::ALL.map(|rule| (rule.id(), "complete")));
}

#[test]
fn a_live_look_that_failed_leaves_every_rule_incomplete() {
    let failed = User { evidence: Evidence::NotReChecked, ..with_key("alice") };
    let audit = judged_by(&live(vec![failed]), &everything());
    assert_eq!(coverage(&audit), Rule::ALL.map(|rule| (rule.id(), "incomplete")));
    assert_eq!(audit.outcome(), Outcome::Incomplete);
}

#[test]
fn live_evidence_older_than_a_day_is_incomplete() {
    let audited = |hours| {
        let report_generated_at = Some(now() - TimeDelta::hours(hours));
        judged(&Account { report_generated_at, ..live(vec![with_key("alice")]) })
    };
    assert_eq!(audited(24).outcome(), Outcome::Clean);
    assert_eq!(audited(25).outcome(), Outcome::Incomplete);
    let undated = Account { report_generated_at: None, ..live(vec![with_key("alice")]) };
    assert_eq!(judged(&undated).outcome(), Outcome::Incomplete);
}

#[test]
fn a_candidate_whom_nobody_looked_at_again_lets_nothing_be_cleared() {
    let unchecked = |used| User {
        evidence: Evidence::CredentialReport,
        access_keys: smallvec![key("AKIAXXXXXXXXXXXXAAAA", used)],
        ..live_user("alice")
    };
    let of_keys =
        |used| judged(&live(vec![unchecked(used)])).accounts[0].coverage[&Rule::StaleAccessKey];
    assert_eq!(of_keys(1), Coverage::Complete, "the sweep clears the healthy");
    assert_eq!(of_keys(100), Coverage::Snapshot);
}

/// The rules that live evidence of this user (and a root user, if there is one) leaves incomplete.
fn incomplete(account: &Account<'_>) -> Vec<&'static str> {
    let audit = judged_by(account, &everything());
    audit.accounts[0].incomplete_rules().map(Rule::id).collect()
}

#[test]
fn what_live_evidence_lacks_makes_the_rules_incomplete_that_need_it() {
    let alice = || with_key("alice");
    let without_tags = User { tags: None, ..alice() };
    assert_eq!(incomplete(&live(vec![without_tags])), ["expired-user"]);
    let without_others = User { other_credentials_complete: false, ..alice() };
    assert_eq!(
        incomplete(&live(vec![without_others])),
        ["old-service-credential", "user-without-credentials"]
    );
    let without_root = Account { root: None, ..live(vec![alice()]) };
    assert_eq!(incomplete(&without_root), ["root-access-key"]);
}

#[test]
fn a_rule_with_an_unknown_verdict_is_incomplete_and_the_others_are_not() {
    let row = Row::of("alice").password_used(1).with("password_last_used", "?");
    let audit = judged(&exported(&[row]));
    assert_eq!(audit.accounts[0].incomplete_rules().collect::<Vec<_>>(), [Rule::StalePassword]);
    assert_eq!(audit.accounts[0].coverage[&Rule::StaleAccessKey], Coverage::Snapshot);
}

#[test]
fn credentials_that_nobody_saw_leave_every_rule_about_keys_incomplete() {
    let hidden = || User { hidden_credentials: true, ..with_key("alice") };
    assert_eq!(
        incomplete(&live(vec![hidden()])),
        ["stale-access-key", "inactive-access-key", "unrotated-access-key"]
    );
    let row = Row::of("alice").key_used(1, 1).with("additional_credentials_info", "3 keys");
    let account = exported(&[row]);
    let audit = judged_by(&account, &everything());
    let coverage = &audit.accounts[0].coverage;
    assert_eq!(coverage[&Rule::StaleAccessKey], Coverage::Incomplete);
    assert_eq!(coverage[&Rule::InactiveAccessKey], Coverage::Incomplete);
    assert_eq!(coverage[&Rule::UnrotatedAccessKey], Coverage::Incomplete);
    // With the stale rule off, the others must not pass for clean.
    let others =
        policy(&[(Rule::StaleAccessKey, Level::Off), (Rule::UnrotatedAccessKey, Level::Error)]);
    assert_eq!(judged_by(&account, &others).outcome(), Outcome::Incomplete);
    // A rule of notices does not stop a run.
    assert_eq!(judged(&account).accounts[0].coverage[&Rule::InactiveAccessKey], Coverage::NotShown);
}

#[test]
fn hidden_credentials_of_the_root_user_are_not_taken_for_none() {
    let row = Row::of("<root_account>").with("additional_credentials_info", "3 access keys");
    let audit = judged(&exported(&[row]));
    assert_eq!(audit.accounts[0].incomplete_rules().collect::<Vec<_>>(), [Rule::RootAccessKey]);
}

#[test]
fn an_exemption_of_the_root_user_is_not_unused_where_no_root_user_was_seen() {
    let list = allowlist(&[
        "{user: <root_account>, rules: [root-access-key], reason: r, owner: o, expires: 2026-12-31}",
    ]);
    let matched =
        |rows: &[Row]| weighed(&exported(rows), &list, &Policy::default()).exemptions[0].matched;
    assert_eq!(matched(&[Row::of("alice")]), Matched::NotAudited);
    assert_eq!(matched(&[Row::of("alice"), Row::of("<root_account>")]), Matched::Users(1));
}

#[test]
fn an_unlisted_user_whose_exemption_cannot_be_tested_says_so() {
    let list = allowlist(&[
        "{user: alice, user_id: AIDACKCEVSQ6C2EXAMPLE, reason: r, owner: o, expires: 2026-12-31}",
    ]);
    let unlisted = policy(&[(Rule::UnlistedUser, Level::Error)]);
    let account = exported(&[Row::of("alice").key_used(1, 1)]);
    let audit = weighed(&account, &list, &unlisted);
    assert_eq!(audit.findings[0].rule, Rule::UnlistedUser);
    assert_eq!(audit.findings[0].notes, [Note::ExemptionNeedsLiveEvidence(0)]);
}

#[test]
fn an_account_without_users_is_judged_like_any_other() {
    let audit = judged_by(&live(Vec::new()), &everything());
    assert_eq!(coverage(&audit), Rule::ALL.map(|rule| (rule.id(), "complete")));
    assert_eq!((audit.accounts[0].users, audit.outcome()), (0, Outcome::Clean));
}

// Candidates

fn candidates(account: &Account<'_>) -> Vec<String> {
    let policy = Policy::default();
    judge::candidates(account, &policy, now()).map(|user| user.name.to_string()).collect()
}

#[test]
fn a_candidate_is_a_user_whom_the_sweep_cannot_clear() {
    let root = Row::of("<root_account>").with("arn", "arn:aws:iam::111122223333:root");
    let account = exported(&[
        root.password_used(400).key_used(1, 400),
        Row::of("healthy").password_used(1).key_used(1, 1),
        Row::of("nothing"),
        Row::of("stale-password").password_used(90),
        Row::of("stale-key").password_used(1).key_used(2, 90),
        Row::of("just-not").password_used(89).key_used(1, 89),
        Row::of("inactive-key").key_used(1, 400).with("access_key_1_active", "false"),
        Row::of("unknown-date").key_used(1, 1).with("access_key_1_last_used_date", "?"),
        Row::of("unknown-flag").with("password_enabled", "?"),
        Row::of("hidden").with("additional_credentials_info", "3 keys"),
    ]);
    assert_eq!(
        candidates(&account),
        ["stale-password", "stale-key", "unknown-date", "unknown-flag", "hidden"]
    );
    assert_eq!(judged(&account).accounts[0].candidates, 5);
    assert_eq!(judged(&account).accounts[0].users, 9);
}

#[test]
fn an_exempted_user_is_a_candidate_all_the_same() {
    let audit = weigh(&stale_alice(), &exemption("user: alice"));
    assert_eq!(audit.accounts[0].candidates, 1);
}

// What arrives from elsewhere in odd shapes

#[test]
fn a_disabled_password_of_a_live_user_is_no_finding() {
    let disabled = Password { enabled: Flag::No, ..password(400) };
    let account = live(vec![User { password: Some(disabled), ..live_user("alice") }]);
    assert_eq!(lines(&judged(&account)), NONE);
}

#[test]
fn an_inactive_live_key_is_a_leftover_of_its_last_use() {
    let inactive = AccessKey { active: Flag::No, ..key("AKIAXXXXXXXXXXXXAAAA", 90) };
    let audit =
        judged(&live(vec![User { access_keys: smallvec![inactive], ..live_user("alice") }]));
    assert_eq!(
        lines(&audit),
        ["alice: inactive-access-key of access-key AKIAXXXXXXXXXXXXAAAA is open"]
    );
    assert_eq!(audit.findings[0].level, Level::Notice);
}

#[test]
fn an_unreadable_creation_of_the_user_stops_nothing() {
    let unreadable = Stamp::Unreadable(Box::new(Unreadable {
        column: "CreateDate".to_owned(),
        text: "?".to_owned(),
    }));
    let account = live(vec![User { created: unreadable.clone(), ..live_user("alice") }]);
    let audit = judged(&account);
    assert_eq!(
        audit.findings.iter().map(line).collect::<Vec<_>>(),
        ["alice: user-without-credentials of user is open"]
    );
    let Stamp::Unreadable(field) = unreadable else { panic!("unreadable") };
    assert_eq!(notes(&audit), [[Note::Unreadable(*field)]]);
}
