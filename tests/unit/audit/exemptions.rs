//! What exemptions cover, until when, and how the audit reports them.

use super::*;

// Users

#[test]
fn without_an_exemption_every_stale_credential_is_open() {
    let audit = audited(&stale_alice());
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
fn exemption_covers_the_stale_credentials_of_its_user_only() {
    let account = exported(&[
        Row::of("alice").password_used(100),
        Row::of("alice2").password_used(100),
        Row::of("malice").password_used(100),
    ]);
    let audit = audited_exempting(&account, &exemption("user: alice"));
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
    assert_eq!(exemption_result(&audit), (ExemptionMatch::Users(1), 1));
}

#[test]
fn names_ignore_case_and_a_difference_is_reported() {
    let audit = audited_exempting(&stale_alice(), &exemption("user: ALICE"));
    assert_eq!(not_exempted(&audit), NONE);
    assert_eq!(exemption_result(&audit), (ExemptionMatch::ByCaseOnly, 3));
}

#[test]
fn pattern_matches_whole_names() {
    let account = exported(&[
        Row::of("ses-smtp-a").key_used(1, 100),
        Row::of("SES-SMTP-b").key_used(1, 100),
        Row::of("my-ses-smtp-c").key_used(1, 100),
    ]);
    let audit = audited_exempting(&account, &exemption("pattern: \"ses-smtp-*\""));
    assert_eq!(
        lines(&audit),
        [
            "SES-SMTP-b: stale-access-key of access-key 1 is exempted",
            "my-ses-smtp-c: stale-access-key of access-key 1 is open",
            "ses-smtp-a: stale-access-key of access-key 1 is exempted",
        ]
    );
    assert_eq!(exemption_result(&audit), (ExemptionMatch::Users(2), 2));
}

#[test]
fn exemption_for_an_account_does_not_cover_other_accounts() {
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
    assert_eq!(exemption_result(&audit), (ExemptionMatch::Users(1), 1));
}

#[test]
fn exemption_for_an_account_that_is_not_audited_is_not_unused() {
    let audit =
        audited_exempting(&stale_alice(), &exemption("user: alice, account: \"444455556666\""));
    assert_eq!(not_exempted(&audit), ALL);
    assert_eq!(exemption_result(&audit), (ExemptionMatch::NotAudited, 0));
}

#[test]
fn exemption_without_a_match_is_reported() {
    let audit = audited_exempting(&stale_alice(), &exemption("user: bob"));
    assert_eq!(exemption_result(&audit), (ExemptionMatch::NoUser, 0));
    let audit = audited_exempting(&stale_alice(), &exemption("pattern: \"bob*\""));
    assert_eq!(exemption_result(&audit), (ExemptionMatch::NoUser, 0));
}

#[test]
fn exemption_for_a_user_without_findings_exempts_nothing() {
    let account = exported(&[Row::of("alice").password_used(1)]);
    let audit = audited_exempting(&account, &exemption("user: alice"));
    assert_eq!(
        (audit.findings.len(), exemption_result(&audit)),
        (0, (ExemptionMatch::Users(1), 0))
    );
}

// Unique ids and access key ids

#[test]
fn user_id_matches_live_evidence() {
    let id = live_user("alice").id.unwrap();
    let audit =
        audited_exempting(&live_stale_alice(), &exemption(&format!("user: alice, user_id: {id}")));
    assert_eq!(not_exempted(&audit), NONE);
    assert_eq!(exemption_result(&audit), (ExemptionMatch::Users(1), 3));
}

#[test]
fn recreated_user_does_not_match_the_user_id() {
    let audit = audited_exempting(
        &live_stale_alice(),
        &exemption("user: alice, user_id: AIDAZZZZZZZZZZZZZZZZZ"),
    );
    assert_eq!(not_exempted(&audit).len(), 3);
    assert_eq!(notes(&audit), [vec![], vec![], vec![]]);
    assert_eq!(exemption_result(&audit), (ExemptionMatch::NoUser, 0));
}

#[test]
fn user_id_does_not_match_an_exported_report() {
    let audit = audited_exempting(
        &stale_alice(),
        &exemption("user: alice, user_id: AIDACKCEVSQ6C2EXAMPLE"),
    );
    assert_eq!(not_exempted(&audit), ALL);
    let needs_live = vec![Note::ExemptionNeedsLiveEvidence(0)];
    assert_eq!(notes(&audit), [needs_live.clone(), needs_live.clone(), needs_live.clone()]);
    assert_eq!(needs_live[0].id(), "exemption-needs-live-evidence");
    assert_eq!(exemption_result(&audit), (ExemptionMatch::Users(1), 0));
}

#[test]
fn exemption_for_a_key_does_not_cover_the_other_key() {
    let audit = audited_exempting(
        &live_stale_alice(),
        &exemption("user: alice, credentials: [\"access-key:BBBB\"]"),
    );
    assert_eq!(not_exempted(&audit), ["password", "access-key AKIAXXXXXXXXXXXXAAAA"]);
    assert_eq!(notes(&audit), [vec![], vec![], vec![]]);
}

#[test]
fn exemption_for_a_key_id_does_not_match_an_exported_report() {
    let audit = audited_exempting(
        &stale_alice(),
        &exemption("user: alice, credentials: [\"access-key:BBBB\"]"),
    );
    assert_eq!(not_exempted(&audit), ALL);
    let needs_live = vec![Note::ExemptionNeedsLiveEvidence(0)];
    assert_eq!(notes(&audit), [vec![], needs_live.clone(), needs_live]);
}

#[test]
fn password_or_all_keys_can_be_exempted() {
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
        assert_eq!(
            not_exempted(&audited_exempting(&stale_alice(), &allowlist)),
            exported_left,
            "{credentials}"
        );
        assert_eq!(
            not_exempted(&audited_exempting(&live_stale_alice(), &allowlist)),
            live_left,
            "{credentials}"
        );
    }
}

#[test]
fn exemption_for_keys_covers_hidden_keys() {
    let account = exported(&[Row::of("alice").with("additional_credentials_info", "3 keys")]);
    for (credentials, status) in [
        ("", FindingStatus::Exempted),
        (", credentials: [access-key]", FindingStatus::Exempted),
        (", credentials: [password]", FindingStatus::Unknown),
        (", credentials: [\"access-key:BBBB\"]", FindingStatus::Unknown),
    ] {
        let audit = audited_exempting(&account, &exemption(&format!("user: alice{credentials}")));
        assert_eq!(audit.findings[0].status, status, "{credentials}");
    }
}

// Rules

#[test]
fn exemption_without_rules_covers_only_the_stale_rules() {
    let row =
        Row::of("alice").key_used(1, 100).with("access_key_2_last_rotated", &report_date(300));
    let account = exported(&[row]);
    let policy = policy(&[(Rule::UnrotatedAccessKey, Level::Warning)]);
    let audit = audited_with(&account, &exemption("user: alice"), &policy);
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
fn exemption_with_rules_covers_only_those() {
    let account = exported(&[Row::of("alice").key_used(1, 100)]);
    let policy = policy(&[(Rule::UnrotatedAccessKey, Level::Warning)]);
    let audit =
        audited_with(&account, &exemption("user: alice, rules: [unrotated-access-key]"), &policy);
    assert_eq!(
        lines(&audit),
        [
            "alice: unrotated-access-key of access-key 1 is exempted",
            "alice: stale-access-key of access-key 1 is open",
        ]
    );
}

#[test]
fn root_key_can_be_exempted_by_the_name_in_the_report() {
    let root = Row::of("<root_account>").with("arn", "arn:aws:iam::111122223333:root");
    let account = exported(&[root.key_used(1, 1)]);
    assert_eq!(
        lines(&audited(&account)),
        ["<root_account>: root-access-key of access-key 1 is open"]
    );
    let allowlist = exemption("user: <root_account>, rules: [root-access-key]");
    assert_eq!(
        lines(&audited_exempting(&account, &allowlist)),
        ["<root_account>: root-access-key of access-key 1 is exempted"]
    );
}

// Expiry date

#[test]
fn exemption_is_valid_through_its_expiry_date_in_utc() {
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
        let audit = audited_at(&stale_alice(), &allowlist, now);
        assert_eq!(audit.exemptions[0].status, term, "{now}");
        for finding in &audit.findings {
            assert_eq!((finding.status, &finding.notes), (status, &note), "{now}");
        }
    }
}

#[test]
fn exemption_expires_soon_in_its_last_fourteen_days() {
    for (expires, term) in [
        ("2026-07-15", ExemptionStatus::InForce),
        ("2026-07-14", ExemptionStatus::ExpiresSoon),
        ("2026-06-30", ExemptionStatus::ExpiresSoon),
        ("2026-06-29", ExemptionStatus::Expired),
    ] {
        let entry = format!("{{ user: alice, reason: r, owner: o, expires: {expires} }}");
        let audit = audited_exempting(&stale_alice(), &allowlist(&[&entry]));
        assert_eq!(audit.exemptions[0].status, term, "{expires}");
    }
}

#[test]
fn expired_exemption_shows_its_match_and_exempts_nothing() {
    let allowlist = allowlist(&["{ user: alice, reason: r, owner: o, expires: 2026-06-29 }"]);
    let audit = audited_exempting(&stale_alice(), &allowlist);
    assert_eq!(not_exempted(&audit), ALL);
    assert_eq!(exemption_result(&audit), (ExemptionMatch::Users(1), 0));
}

#[test]
fn exemption_that_expires_later_has_precedence() {
    let entry =
        |expires: &str| format!("{{ user: alice, reason: r, owner: o, expires: {expires} }}");
    for (expires, winner) in [
        (["2026-12-31", "2026-08-01"], 0),
        (["2026-08-01", "2026-12-31"], 1),
        (["2026-12-31", "2026-12-31"], 0),
        (["2026-01-01", "2026-08-01"], 1),
    ] {
        let entries = expires.map(entry);
        let audit = audited_exempting(&stale_alice(), &allowlist(&[&entries[0], &entries[1]]));
        assert!(audit.findings.iter().all(|it| it.exemption == Some(winner)), "{expires:?}");
        assert_eq!(notes(&audit), [vec![], vec![], vec![]], "{expires:?}");
        let exempts: Vec<usize> = audit.exemptions.iter().map(|it| it.exempts).collect();
        assert_eq!((exempts[winner], exempts[1 - winner]), (3, 0), "{expires:?}");
    }
}
