//! What exemptions cover, for how long, and what is said of them.

use super::*;

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
    assert_eq!(review(&audit), (ExemptionMatch::Users(1), 1));
}

#[test]
fn names_are_compared_without_case_and_the_difference_is_told() {
    let audit = weigh(&stale_alice(), &exemption("user: ALICE"));
    assert_eq!(left(&audit), NONE);
    assert_eq!(review(&audit), (ExemptionMatch::ByCaseOnly, 3));
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
    assert_eq!(review(&audit), (ExemptionMatch::Users(2), 2));
}

#[test]
fn an_exemption_for_an_account_says_nothing_about_others() {
    let there = exported(&[Row::of("alice").in_account("444455556666").password_used(100)]);
    let allowlist = exemption("user: alice, account: \"444455556666\"");
    let audit = audit::audit_accounts(
        &[there, stale_alice()],
        &allowlist,
        AllowlistOrigin::None,
        &Policy::default(),
        now(),
    );
    let open = |it: &&audit::Finding| it.status == FindingStatus::Open;
    assert!(
        audit.findings.iter().filter(open).all(|it| it.user.account.as_str() == "111122223333")
    );
    assert_eq!(audit.findings.iter().filter(open).count(), 3);
    assert_eq!(review(&audit), (ExemptionMatch::Users(1), 1));
}

#[test]
fn an_exemption_for_an_account_that_is_not_audited_is_not_called_unused() {
    let audit = weigh(&stale_alice(), &exemption("user: alice, account: \"444455556666\""));
    assert_eq!(left(&audit), ALL);
    assert_eq!(review(&audit), (ExemptionMatch::NotAudited, 0));
}

#[test]
fn an_exemption_that_matches_nobody_is_told() {
    let audit = weigh(&stale_alice(), &exemption("user: bob"));
    assert_eq!(review(&audit), (ExemptionMatch::NoUser, 0));
    let audit = weigh(&stale_alice(), &exemption("pattern: \"bob*\""));
    assert_eq!(review(&audit), (ExemptionMatch::NoUser, 0));
}

#[test]
fn an_exemption_that_matches_a_user_who_needs_none_exempts_nothing() {
    let account = exported(&[Row::of("alice").password_used(1)]);
    let audit = weigh(&account, &exemption("user: alice"));
    assert_eq!((audit.findings.len(), review(&audit)), (0, (ExemptionMatch::Users(1), 0)));
}

// Exemptions: pins

#[test]
fn a_user_id_holds_against_live_evidence() {
    let id = live_user("alice").id.unwrap();
    let audit = weigh(&live_stale_alice(), &exemption(&format!("user: alice, user_id: {id}")));
    assert_eq!(left(&audit), NONE);
    assert_eq!(review(&audit), (ExemptionMatch::Users(1), 3));
}

#[test]
fn a_user_created_anew_under_the_name_is_another_user() {
    let audit =
        weigh(&live_stale_alice(), &exemption("user: alice, user_id: AIDAZZZZZZZZZZZZZZZZZ"));
    assert_eq!(left(&audit).len(), 3);
    assert_eq!(notes(&audit), [vec![], vec![], vec![]]);
    assert_eq!(review(&audit), (ExemptionMatch::NoUser, 0));
}

#[test]
fn a_user_id_does_not_apply_to_an_exported_report_which_shows_none() {
    let audit = weigh(&stale_alice(), &exemption("user: alice, user_id: AIDACKCEVSQ6C2EXAMPLE"));
    assert_eq!(left(&audit), ALL);
    let needs_live = vec![Note::ExemptionNeedsLiveEvidence(0)];
    assert_eq!(notes(&audit), [needs_live.clone(), needs_live.clone(), needs_live.clone()]);
    assert_eq!(needs_live[0].id(), "exemption-needs-live-evidence");
    assert_eq!(review(&audit), (ExemptionMatch::Users(1), 0));
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
        ("", FindingStatus::Exempted),
        (", credentials: [access-key]", FindingStatus::Exempted),
        (", credentials: [password]", FindingStatus::Unknown),
        (", credentials: [\"access-key:BBBB\"]", FindingStatus::Unknown),
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
        ("2026-07-01T00:00:00Z", ExemptionStatus::ExpiresSoon, FindingStatus::Exempted, vec![]),
        ("2026-07-01T23:59:59Z", ExemptionStatus::ExpiresSoon, FindingStatus::Exempted, vec![]),
        (
            "2026-07-02T00:00:00+09:00",
            ExemptionStatus::ExpiresSoon,
            FindingStatus::Exempted,
            vec![],
        ),
        (
            "2026-07-02T00:00:00Z",
            ExemptionStatus::Expired,
            FindingStatus::Open,
            vec![Note::ExemptionExpired(0)],
        ),
    ] {
        let audit = judged_at(&stale_alice(), &allowlist, now);
        assert_eq!(audit.exemptions[0].status, term, "{now}");
        for finding in &audit.findings {
            assert_eq!((finding.status, &finding.notes), (status, &note), "{now}");
        }
    }
}

#[test]
fn an_exemption_expires_soon_for_its_last_fourteen_days() {
    for (expires, term) in [
        ("2026-07-15", ExemptionStatus::InForce),
        ("2026-07-14", ExemptionStatus::ExpiresSoon),
        ("2026-06-30", ExemptionStatus::ExpiresSoon),
        ("2026-06-29", ExemptionStatus::Expired),
    ] {
        let entry = format!("{{ user: alice, reason: r, owner: o, expires: {expires} }}");
        let audit = weigh(&stale_alice(), &allowlist(&[&entry]));
        assert_eq!(audit.exemptions[0].status, term, "{expires}");
    }
}

#[test]
fn an_expired_exemption_still_says_whom_it_matched_but_exempts_nothing() {
    let allowlist = allowlist(&["{ user: alice, reason: r, owner: o, expires: 2026-06-29 }"]);
    let audit = weigh(&stale_alice(), &allowlist);
    assert_eq!(left(&audit), ALL);
    assert_eq!(review(&audit), (ExemptionMatch::Users(1), 0));
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
