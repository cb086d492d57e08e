//! The rules on live evidence, the levels, and the order of findings.

use super::*;

// Rules that need live evidence

/// A live account with one user who has these credentials without a last-used date.
fn with_others(others: &[(CredentialKind, &str, i64)]) -> Account<'static> {
    let other_credentials = others.iter().map(|(kind, id, age)| other(*kind, id, *age)).collect();
    live(vec![User { other_credentials, ..live_user("alice") }])
}

#[test]
fn old_credential_without_a_last_used_date_is_found() {
    let account = with_others(&[
        (CredentialKind::SshKey, "APKAOLD", 90),
        (CredentialKind::SshKey, "APKANEW", 89),
        (CredentialKind::ServiceSpecificCredential, "ACCAOLD", 120),
        (CredentialKind::SigningCertificate, "CERTOLD", 400),
    ]);
    let audit = audited(&account);
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
        assert_eq!(finding.reference.unwrap().0, ReferenceKind::Created);
        assert_eq!(finding.level, Level::Warning);
    }
}

#[test]
fn old_signing_certificates_of_the_root_user_are_found_and_new_ones_are_not() {
    let root = |created: &str, active: &str| {
        let row = Row::of("<root_account>").with("arn", "arn:aws:iam::111122223333:root");
        row.with("cert_2_active", active).with("cert_2_last_rotated", created)
    };
    let found = "<root_account>: old-service-credential of signing-certificate 2 is open";
    for (created, active, expected) in [
        ("2008-01-01T00:00:00Z", "true", vec![found]),
        (&report_date(90), "true", vec![found]),
        (&report_date(89), "true", vec![]),
        ("2008-01-01T00:00:00Z", "false", vec![]),
    ] {
        assert_eq!(lines(&audited(&exported(&[root(created, active)]))), expected, "{created}");
        let of_report = exported(&[root(created, active)]).root;
        let audit = audited(&Account { root: of_report, ..live(vec![with_key("alice")]) });
        assert_eq!(lines(&audit), expected, "{created}");
        assert_eq!(audit.accounts[0].coverage[&Rule::OldServiceCredential], Coverage::Complete);
    }
    let off = policy(&[(Rule::OldServiceCredential, Level::Off)]);
    let account = exported(&[root("2008-01-01T00:00:00Z", "true")]);
    assert_eq!(lines(&audited_by(&account, &off)), NONE);
    // Root keys have another rule.
    let off = policy(&[(Rule::RootAccessKey, Level::Off)]);
    assert_eq!(lines(&audited_by(&account, &off)), [found]);
}

#[test]
fn inactive_credential_without_a_last_used_date_is_not_found() {
    let mut account = with_others(&[(CredentialKind::SshKey, "APKAOLD", 400)]);
    account.users[0].other_credentials[0].active = Flag::No;
    assert_eq!(lines(&audited(&account)), NONE);
}

fn expiring(value: &str) -> Account<'static> {
    let tags = BTreeMap::from([("expires-on".to_owned(), value.to_owned())]);
    live(vec![User { tags: Some(tags), other_credentials: Vec::new(), ..with_key("alice") }])
}

fn expiry_policy() -> Policy {
    let overrides =
        PolicyOverrides { expiry_tag: Some("expires-on".to_owned()), ..Default::default() };
    Policy::new(&overrides, None)
}

#[test]
fn user_expires_after_the_day_in_the_expiry_tag_in_utc() {
    for (now, found) in [
        ("2026-06-30T00:00:00Z", vec![]),
        ("2026-06-30T23:59:59Z", vec![]),
        ("2026-07-01T08:59:59+09:00", vec![]),
        ("2026-07-01T00:00:00Z", vec!["alice: expired-user of user is open"]),
    ] {
        let accounts = [expiring("2026-06-30")];
        let audit = audit::audit_accounts(
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
fn expired_user_is_an_error_with_the_date_in_the_tag() {
    let audit = audited_by(&expiring(" 2026-06-20 "), &expiry_policy());
    let finding = &audit.findings[0];
    assert_eq!((finding.rule, finding.level), (Rule::ExpiredUser, Level::Error));
    assert_eq!(finding.reference, Some((ReferenceKind::Expired, at("2026-06-20T00:00:00Z"))));
    assert_eq!((finding.days, &finding.credential), (Some(10), &None));
}

#[test]
fn invalid_expiry_tag_makes_the_finding_unknown() {
    for value in ["", "soon", "2026-6-30", "2026-02-30", "30.06.2026", "2026-06-30T00:00:00Z"] {
        let audit = audited_by(&expiring(value), &expiry_policy());
        assert_eq!(lines(&audit), ["alice: expired-user of user is unknown"], "{value}");
        let (column, text) = ("tag expires-on".to_owned(), value.to_owned());
        assert_eq!(notes(&audit), [[Note::Unreadable(UnreadableField { column, text })]]);
        assert_eq!(audit.outcome(), AuditOutcome::Incomplete);
    }
}

#[test]
fn no_user_expires_without_a_tag() {
    assert_eq!(lines(&audited(&expiring("2020-01-01"))), NONE);
    let account = live(vec![with_key("alice")]);
    assert_eq!(lines(&audited_by(&account, &expiry_policy())), NONE);
}

#[test]
fn user_without_credentials_is_found_only_with_live_evidence() {
    let audit = audited(&live(vec![live_user("alice"), with_key("bob")]));
    assert_eq!(lines(&audit), ["alice: user-without-credentials of user is open"]);
    assert_eq!(audit.findings[0].reference, Some((ReferenceKind::Created, days_ago(400))));
    let unseen = User { other_credentials_complete: false, ..live_user("alice") };
    assert_eq!(lines(&audited(&live(vec![unseen]))), NONE);
    let with_ssh = with_others(&[(CredentialKind::SshKey, "APKANEW", 1)]);
    assert_eq!(lines(&audited(&with_ssh)), NONE);
    let report = exported(&[Row::of("alice"), Row::of("bob").key_used(1, 1)]);
    let audit = audited(&report);
    assert_eq!((lines(&audit), audit.accounts[0].users_without_shown_credentials), (vec![], 1));
}

#[test]
fn unlisted_user_has_no_exemption_in_force() {
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
        let audit = audited_with(&account, &allowlist(&[&format!("{{ {entry} }}")]), &policy);
        assert_eq!(lines(&audit), *expected, "{entry}");
    }
}

#[test]
fn exemption_that_needs_live_evidence_does_not_list_the_user() {
    let account = exported(&[Row::of("alice").key_used(1, 1)]);
    let policy = policy(&[(Rule::UnlistedUser, Level::Warning)]);
    let pinned = exemption("user: alice, user_id: AIDACKCEVSQ6C2EXAMPLE");
    assert_eq!(
        lines(&audited_with(&account, &pinned, &policy)),
        ["alice: unlisted-user of user is open"]
    );
    assert_eq!(lines(&audited_with(&account, &exemption("user: alice"), &policy)), NONE);
}

// Notes and order

#[test]
fn unknown_findings_are_first_and_recently_reset_ones_last() {
    let account = exported(&[
        Row::of("reset").password_used(390).with("password_last_changed", &report_date(1)),
        Row::of("b-shorter").password_used(100),
        Row::of("a-longer").password_used(200),
        Row::of("c-shorter").password_used(100),
        Row::of("unknown").password_used(1).with("password_last_used", "?"),
    ]);
    let audit = audited(&account);
    let names: Vec<&str> = audit.findings.iter().map(|it| it.user.name.as_str()).collect();
    assert_eq!(names, ["unknown", "a-longer", "b-shorter", "c-shorter", "reset"]);
    assert_eq!(audit.findings[4].notes, [Note::RecentlyReset(days_ago(1))]);
    assert!(audit.findings[4].recently_reset() && audit.findings[4].needs_remediation());
}

#[test]
fn accounts_and_findings_are_sorted_by_account_id() {
    let account =
        |id: &str, used: i64| exported(&[Row::of("u").in_account(id).password_used(used)]);
    let audit = audit::audit_accounts(
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
fn user_is_in_use_if_a_credential_is_or_may_be() {
    let in_use = |row: Row| audited(&exported(&[row.key_used(1, 100)])).findings[0].user.in_use;
    let row = || Row::of("alice");
    assert!(!in_use(row()));
    assert!(!in_use(row().password_used(100)));
    assert!(in_use(row().password_used(1)));
    assert!(in_use(row().password_used(1).with("password_last_used", "?")));
    assert!(in_use(row().password_used(100).with("password_last_changed", &report_date(1))));
    assert!(in_use(row().key_used(2, 1)));
    assert!(!in_use(row().key_used(2, 1).with("access_key_2_active", "false")));
    assert!(in_use(row().with("cert_1_active", "true")));
    assert!(in_use(row().with("additional_credentials_info", "3 keys")));
}

// Levels and outcome

#[test]
fn level_decides_about_remediation_and_the_gate() {
    for (level, needs_remediation, counts, outcome) in [
        (Level::Notice, false, false, AuditOutcome::Clean),
        (Level::Warning, true, false, AuditOutcome::Stale),
        (Level::Error, true, true, AuditOutcome::Stale),
    ] {
        let account = exported(&[Row::of("alice").password_used(100)]);
        let audit = audited_by(&account, &policy(&[(Rule::StalePassword, level)]));
        let finding = &audit.findings[0];
        assert_eq!(finding.level, level);
        assert_eq!(
            (finding.needs_remediation(), finding.counts_for_gate()),
            (needs_remediation, counts)
        );
        assert_eq!(audit.outcome(), outcome, "{level}");
    }
}

#[test]
fn rule_that_is_off_has_no_findings_and_no_coverage() {
    let policy = policy(&[(Rule::StalePassword, Level::Off), (Rule::StaleAccessKey, Level::Off)]);
    let audit = audited_by(&stale_alice(), &policy);
    assert_eq!((lines(&audit), audit.outcome()), (vec![], AuditOutcome::Clean));
    assert_eq!(audit.accounts[0].coverage.get(&Rule::StalePassword), None);
    assert_eq!(audit.accounts[0].coverage.get(&Rule::StaleAccessKey), None);
}

#[test]
fn expiry_tag_turns_the_expiry_rule_on() {
    let level = |policy: &Policy| policy.level(Rule::ExpiredUser);
    assert_eq!((level(&Policy::default()), level(&expiry_policy())), (Level::Off, Level::Error));
}

#[test]
fn threshold_of_the_command_line_overrides_the_file() {
    let file = |days| PolicyOverrides { stale_after_days: days, ..PolicyOverrides::default() };
    for (in_file, given, expected) in
        [(None, None, 90), (Some(45), None, 45), (Some(45), Some(30), 30), (None, Some(30), 30)]
    {
        assert_eq!(Policy::new(&file(in_file), given).stale_after_days, expected);
    }
}

#[test]
fn exempted_finding_is_clean() {
    let audit = audited_exempting(&stale_alice(), &exemption("user: alice"));
    assert_eq!(audit.outcome(), AuditOutcome::Clean);
    assert!(audit.findings.iter().all(|it| !it.needs_remediation() && !it.counts_for_gate()));
}

#[test]
fn incomplete_has_precedence_over_stale() {
    let account = exported(&[
        Row::of("alice").password_used(100),
        Row::of("bob").password_used(1).with("password_last_used", "?"),
    ]);
    let audit = audited(&account);
    assert_eq!(audit.outcome(), AuditOutcome::Incomplete);
    assert!(!audit.findings[0].needs_remediation(), "an unknown finding is not open");
    assert_eq!(audited(&exported(&[Row::of("u")])).outcome(), AuditOutcome::Clean);
    assert_eq!(AuditOutcome::Incomplete.id(), "incomplete");
}

// Unusual evidence

#[test]
fn disabled_password_is_not_found() {
    let disabled = Password { enabled: Flag::No, ..password(400) };
    let account = live(vec![User { password: Some(disabled), ..live_user("alice") }]);
    assert_eq!(lines(&audited(&account)), NONE);
}

#[test]
fn inactive_key_is_found_by_its_last_use() {
    let inactive = AccessKey { active: Flag::No, ..key("AKIAXXXXXXXXXXXXAAAA", 90) };
    let audit =
        audited(&live(vec![User { access_keys: smallvec![inactive], ..live_user("alice") }]));
    assert_eq!(
        lines(&audit),
        ["alice: inactive-access-key of access-key AKIAXXXXXXXXXXXXAAAA is open"]
    );
    assert_eq!(audit.findings[0].level, Level::Notice);
}

#[test]
fn unreadable_creation_time_of_a_user_does_not_stop_the_audit() {
    let unreadable = Timestamp::Unreadable(Box::new(UnreadableField {
        column: "CreateDate".to_owned(),
        text: "?".to_owned(),
    }));
    let account = live(vec![User { created: unreadable.clone(), ..live_user("alice") }]);
    let audit = audited(&account);
    assert_eq!(
        audit.findings.iter().map(line).collect::<Vec<_>>(),
        ["alice: user-without-credentials of user is open"]
    );
    let Timestamp::Unreadable(field) = unreadable else { panic!("unreadable") };
    assert_eq!(notes(&audit), [[Note::Unreadable(*field)]]);
}
