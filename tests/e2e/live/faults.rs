//! Faults of AWS: the audit gives the complete result, or it is incomplete for exactly the rules that
//! need the missing evidence. It never has fewer findings.

use serde_json::{Value, json};

use super::{Audited, audit, audit_with};
use stand_ins::aws::{Account, Seed, StandIn};
use stand_ins::gfm::outline;

/// All rules that need no tag.
const RULES: &str = "version: 1
policy:
  rules: { unrotated-access-key: notice, unlisted-user: notice }
";

/// All rules.
const RULES_AND_TAG: &str = "version: 1
policy:
  expiry_tag: expires-on
  rules: { unrotated-access-key: notice, unlisted-user: notice }
";

/// Without Access Advisor: a fault of every n-th call would mostly affect that.
const PLAIN: [&str; 2] = ["--last-accessed", "false"];

/// An account with users of all kinds and a current report.
fn with_users(users: usize) -> Account {
    let account = StandIn::shared().account(Seed::users(users, 31));
    account.make_report(0.5);
    account
}

/// The same, with a user who has more certificates than the report shows.
fn with_many_certificates(users: usize) -> Account {
    let account = StandIn::shared().account(Seed::users(users, 31));
    account.change(json!([
        {"create_user": {"name": "signer", "created": 400, "keys": [{"created": 3}]}},
        {"add_certificate": {"user": "signer", "created": 20}},
        {"add_certificate": {"user": "signer", "created": 10}},
        {"add_certificate": {"user": "signer", "created": 300}},
    ]));
    account.make_report(0.5);
    account
}

/// Asserts that the audit with these faults has the same result as without, with more calls.
fn assert_complete_despite(faults: Value, users: usize, more: &[&str]) {
    let account = with_users(users);
    let arguments = [&PLAIN, more].concat();
    let sound = audit(&account, &arguments);
    assert_eq!((sound.code, sound.gaps()), (1, vec![]), "{}", sound.stderr);
    let calls = account.log().len();
    account.reset_log();
    account.faults(faults.clone());
    let faulty = audit(&account, &arguments);
    assert_eq!(faulty.code, 1, "{faults}: {}", faulty.stderr);
    assert_eq!(faulty.lines(), sound.lines(), "{faults}");
    assert_eq!(faulty.coverage(), sound.coverage(), "{faults}");
    let faulty_calls = account.log().len();
    assert!(faulty_calls > calls, "{faults} had no effect: {faulty_calls} calls");
}

#[test]
fn throttled_calls_are_retried() {
    assert_complete_despite(json!({"throttle": {"every": 3}}), 40, &[]);
}

#[test]
fn rate_limit_of_ten_calls_per_second_slows_the_audit_down() {
    assert_complete_despite(json!({"burst": {"rate": 10, "burst": 10}}), 40, &[]);
}

#[test]
fn report_in_progress_is_waited_for() {
    assert_complete_despite(json!({"report_in_progress": 5}), 10, &[]);
}

#[test]
fn expired_report_is_generated_again() {
    assert_complete_despite(json!({"report_expired": 2}), 10, &[]);
}

#[test]
fn limit_on_generating_reports_is_waited_for() {
    assert_complete_despite(json!({"limit_exceeded": 3}), 10, &[]);
}

#[test]
fn internal_errors_are_retried() {
    assert_complete_despite(json!({"error": {"every": 3, "status": 503}}), 40, &[]);
}

#[test]
fn connection_reset_is_retried() {
    let actions = ["GetCredentialReport", "ListUsers", "ListAccessKeys"];
    let reset = json!({"reset": {"every": 1, "max": 4, "actions": actions}});
    assert_complete_despite(reset, 20, &[]);
}

#[test]
fn stalled_response_is_retried() {
    let stall = json!({"stall": {"max": 1, "actions": ["GetCredentialReport"]}});
    assert_complete_despite(stall, 10, &["--timeout", "40"]);
}

#[test]
fn slow_response_is_retried() {
    let slow = json!({"slow": {"seconds": 30, "max": 1, "actions": ["ListUsers"]}});
    assert_complete_despite(slow, 10, &["--timeout", "40"]);
}

#[test]
fn markdown_report_names_denied_actions() {
    let account = with_users(5);
    for (language, permission, unseen) in [
        ("en", "Grant the role this permission.", "This account was not audited"),
        (
            "ja",
            "このアクセス許可をロールに付与してください。",
            "このアカウントは監査されていません。",
        ),
    ] {
        account.faults(json!({"deny": ["ListUsers", "ListAccountAliases"]}));
        let report = markdown(&account, language);
        for says in ["`iam:ListUsers`", "`iam:ListAccountAliases`", permission] {
            assert!(report.contains(says), "`{says}` is not in:\n{report}");
        }
        account.faults(json!({"deny_account": true}));
        let report = markdown(&account, language);
        for says in ["`iam:GenerateCredentialReport`", permission, unseen] {
            assert!(report.contains(says), "`{says}` is not in:\n{report}");
        }
    }
}

#[test]
fn explicit_deny_has_its_own_hint_in_every_format() {
    let account = with_users(5);
    account.policy(json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
        { "Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*" },
    ]}));
    for (language, lift, grant) in [
        (
            "en",
            "An identity-based policy denies it explicitly, so granting the permission does not help. \
             Remove that deny.",
            "Grant the role",
        ),
        ("ja", "その拒否を削除してください。", "このアクセス許可をロールに付与してください"),
    ] {
        let report = markdown(&account, language);
        assert!(report.contains(lift) && !report.contains(grant), "{report}");
    }
    let sandbox = super::Sandbox::new();
    let mut command = sandbox
        .command(&[&["audit", "--allowlist", "none", "--format", "table"], &PLAIN[..]].concat());
    let ran = super::Ran::from(command.envs(account.environment()).output().unwrap());
    let advice = "an identity-based policy denies iam:ListUsers explicitly";
    assert!(ran.stdout.contains(advice), "{}\n{}", ran.stdout, ran.stderr);
}

#[test]
fn user_text_in_an_iam_message_stays_in_a_code_span() {
    let account = StandIn::shared().account(Seed::empty());
    // A path may contain almost any character, and the message about a denied call repeats it.
    account.change(json!([{"create_user": {"name": "eve", "path": "/`@octocat`<b>/",
        "created": 400, "keys": [{"created": 300}]}}]));
    account.make_report(0.5);
    account.faults(json!({"deny": ["ListAccessKeys"]}));
    let report = markdown(&account, "en");
    let line = report.lines().find(|line| line.contains("`iam:ListAccessKeys` failed")).unwrap();
    assert!(line.contains("failed for 1 user: ``AccessDenied: "), "{line}");
    assert!(line.contains("`@octocat`<b>/eve "), "{line}");
    assert!(line.ends_with("action``. Grant the role this permission."), "{line}");
}

/// The Markdown report of an incomplete audit.
fn markdown(account: &Account, language: &str) -> String {
    let sandbox = super::Sandbox::new();
    let arguments =
        ["audit", "--allowlist", "none", "--format", "markdown", "--language", language];
    let mut command = sandbox.command(&[&arguments[..], &PLAIN].concat());
    command.envs(account.environment());
    let ran = super::Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    outline(&ran.stdout);
    ran.stdout
}

/// Audits with a lasting fault and asserts that exactly these rules are incomplete and no finding is
/// lost.
fn assert_incomplete(
    account: &Account,
    faults: &Value,
    allowlist: &str,
    more: &[&str],
    rules: &[&str],
) -> Audited {
    account.faults(json!({}));
    let sound = audit_with(allowlist, &account.environment(), more);
    assert!(sound.incomplete().is_empty(), "{}", sound.stderr);
    account.faults(faults.clone());
    let faulty = audit_with(allowlist, &account.environment(), more);
    assert_eq!(faulty.incomplete(), rules, "{faults}: {}", faulty.stderr);
    let code = if rules.is_empty() { 1 } else { 3 };
    assert_eq!(faulty.code, code, "{faults}: {}", faulty.stderr);
    let has_report = faulty.account()["report_generated_at"].is_string();
    if has_report {
        assert_no_finding_lost(&faulty, &sound);
    } else {
        assert_eq!(faulty.json["result"], "incomplete");
    }
    faulty
}

/// Asserts that every finding of the audit without the fault is in the audit with it. There may be
/// unknown findings in addition.
fn assert_no_finding_lost(faulty: &Audited, sound: &Audited) {
    let ids = faulty.stale_ids();
    let lost: Vec<_> = sound.stale_ids().into_iter().filter(|id| !ids.contains(id)).collect();
    assert!(lost.is_empty(), "{lost:?} of {}", sound.stale_ids().len());
}

/// Each permission, and the rules that are incomplete without it.
const DENIALS: [(&str, &[&str]); 14] = {
    const ALL: &[&str] = &[
        "inactive-access-key",
        "old-service-credential",
        "root-access-key",
        "stale-access-key",
        "stale-password",
        "unlisted-user",
        "unrotated-access-key",
        "user-without-credentials",
    ];
    const OF_USERS: &[&str] = &[
        "inactive-access-key",
        "old-service-credential",
        "stale-access-key",
        "stale-password",
        "unlisted-user",
        "unrotated-access-key",
        "user-without-credentials",
    ];
    const OTHERS: &[&str] = &["old-service-credential", "user-without-credentials"];
    [
        ("GenerateCredentialReport", ALL),
        ("GetCredentialReport", ALL),
        ("ListUsers", OF_USERS),
        (
            "ListAccessKeys",
            &[
                "inactive-access-key",
                "stale-access-key",
                "unlisted-user",
                "unrotated-access-key",
                "user-without-credentials",
            ],
        ),
        (
            "GetAccessKeyLastUsed",
            &["inactive-access-key", "stale-access-key", "unrotated-access-key"],
        ),
        ("GetLoginProfile", &["stale-password", "unlisted-user", "user-without-credentials"]),
        ("ListSigningCertificates", OTHERS),
        ("ListServiceSpecificCredentials", OTHERS),
        ("ListSSHPublicKeys", OTHERS),
        ("ListUserTags", &[]),
        ("ListAccountAliases", &[]),
        ("GenerateServiceLastAccessedDetails", &[]),
        ("GetServiceLastAccessedDetails", &[]),
        // This audit does not call it.
        ("GetAccountAuthorizationDetails", &[]),
    ]
};

#[test]
fn denied_action_is_named_and_makes_only_its_rules_incomplete() {
    let (plain, with_many_certificates) = (with_users(30), with_many_certificates(30));
    for (action, rules) in DENIALS {
        // Certificates that the report does not show would make rules incomplete on their own.
        let account =
            if action == "ListSigningCertificates" { &with_many_certificates } else { &plain };
        let deny = json!({"deny": [action]});
        let faulty = assert_incomplete(account, &deny, RULES, &["--ssh-keys", "all"], rules);
        let named: Vec<_> =
            faulty.gaps().iter().map(|gap| gap.rsplit(' ').next().unwrap().to_owned()).collect();
        if action != "GetAccountAuthorizationDetails" {
            assert_eq!(named, [format!("iam:{action}")], "the missing permission is named");
            assert!(faulty.gaps()[0].contains(" denied "), "{:?}", faulty.gaps());
        }
    }
}

#[test]
fn denied_tags_make_the_expiry_rule_incomplete() {
    let deny = json!({"deny": ["GetAccountAuthorizationDetails"]});
    let more = ["--ssh-keys", "all"];
    assert_incomplete(&with_users(20), &deny, RULES_AND_TAG, &more, &["expired-user"]);
}

#[test]
fn denied_account_is_incomplete() {
    let account = with_users(5);
    account.faults(json!({"deny_account": true}));
    let audited = audit(&account, &[]);
    assert_eq!(audited.code, 3);
    assert_eq!(audited.gaps(), ["credential-report denied iam:GenerateCredentialReport"]);
    assert!(audited.coverage().values().all(|it| it == "incomplete"), "{:?}", audited.coverage());
}

#[test]
fn throttling_until_the_deadline_is_incomplete() {
    let account = with_users(20);
    let throttle = json!({"throttle": {"every": 1, "actions": ["GetLoginProfile"]}});
    // Rules that need calls after the re-check are off, because the re-check takes all the time.
    let allowlist = "version: 1
policy:
  rules: { unlisted-user: notice, old-service-credential: off, user-without-credentials: off }
";
    let more = [&PLAIN[..], &["--timeout", "30", "--concurrency", "32"]].concat();
    let rules = ["stale-password", "unlisted-user"];
    let audited = assert_incomplete(&account, &throttle, allowlist, &more, &rules);
    assert!(
        audited.gaps().iter().any(|it| it == "login-profile throttled iam:GetLoginProfile"),
        "{:?}",
        audited.gaps()
    );
}

#[test]
fn report_that_is_never_ready_times_out() {
    let account = StandIn::shared().account(Seed::users(5, 32).report_delay(3_600.0));
    let audited = audit(&account, &["--timeout", "3"]);
    assert_eq!(
        (audited.code, audited.gaps()),
        (3, vec!["credential-report timed-out iam:GetCredentialReport".to_owned()])
    );
    assert!(audited.coverage().values().all(|it| it == "incomplete"));
}

#[test]
fn expired_credentials_are_incomplete() {
    let account = with_users(40);
    let sound = audit(&account, &PLAIN);
    for after in [0, 1, 2, 5, 20, 60] {
        account.faults(json!({"expired": {"after": after}}));
        let audited = audit(&account, &PLAIN);
        let hint = format!("after {after}: {}", audited.stderr);
        if audited.json.is_null() {
            // Not even the account id is known.
            assert_eq!((audited.code, after), (2, 0), "{hint}");
            continue;
        }
        assert_eq!(audited.code, 3, "{hint}");
        assert!(
            audited.gaps().iter().all(|gap| gap.contains(" credentials ")),
            "{:?}",
            audited.gaps()
        );
        if audited.account()["report_generated_at"].is_string() {
            assert_no_finding_lost(&audited, &sound);
        }
    }
}

#[test]
fn new_user_whose_re_check_is_denied_is_unknown() {
    let account = StandIn::shared().account(Seed::empty());
    account.make_report(1.0);
    account.change(json!([{"create_user": {"name": "new", "created": 400,
        "password": {"changed": 400, "last_used": 200}, "keys": [{"created": 300, "last_used": 200}]}}]));
    account.faults(json!({"deny": ["ListAccessKeys", "GetLoginProfile"]}));
    let audited = audit(&account, &PLAIN);
    assert_eq!(
        audited.lines(),
        [
            "new stale-access-key user unknown not-re-checked",
            "new stale-password password unknown not-re-checked",
        ]
    );
    assert_eq!(audited.code, 3);
}

#[test]
fn unreachable_endpoint_has_a_hint_about_the_proxy() {
    let account = with_users(5);
    let mut environment = account.environment();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (name, value) in &mut environment {
        if name == "AWS_ENDPOINT_URL" {
            *value = format!("http://127.0.0.1:{port}");
        }
    }
    let audited = super::audit_in(&environment, &[]);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    assert!(audited.stderr.contains("HTTPS_PROXY"), "{}", audited.stderr);
    assert!(audited.json.is_null());
}

#[test]
fn short_pages_are_all_read() {
    let account = with_users(250);
    let sound = audit(&account, &PLAIN);
    let actions = ["ListUsers", "ListAccessKeys", "ListServiceSpecificCredentials"];
    account.faults(json!({"short_pages": {"items": 7, "actions": actions}}));
    let paged = audit(&account, &PLAIN);
    assert_eq!(paged.lines(), sound.lines());
    assert_eq!(paged.code, 1);
}

#[test]
fn audit_without_a_re_check_needs_only_the_report_actions() {
    let account = StandIn::shared().account(Seed::users(60, 33));
    let allowed = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*",
        "Action": ["iam:GenerateCredentialReport", "iam:GetCredentialReport"]}]});
    let sound = audit(&account, &PLAIN);
    account.policy(allowed);
    let audited = audit(&account, &["--recheck", "false"]);
    assert_no_finding_lost(&audited, &sound);
    assert_eq!((audited.code, audited.gaps()), (1, vec![]));
    assert!(audited.coverage().values().all(|it| ["snapshot", "not-shown"].contains(&it.as_str())));
    assert_eq!(audit(&account, &["--recheck", "false", "--fail-on", "none"]).code, 0);
}
