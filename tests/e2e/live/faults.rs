//! What goes wrong on the way: every fault ends in the whole result, or in `incomplete` for exactly
//! the rules that needed what could not be had, and never in fewer findings.

use serde_json::{Value, json};

use super::{Audited, audit, audit_by};
use stand_ins::aws::{Account, Seed, StandIn};
use stand_ins::gfm::outline;

/// Every rule that needs no tag.
const RULES: &str = "version: 1
policy:
  rules: { unrotated-access-key: notice, unlisted-user: notice }
";

/// Every rule.
const RULES_AND_TAG: &str = "version: 1
policy:
  expiry_tag: expires-on
  rules: { unrotated-access-key: notice, unlisted-user: notice }
";

/// No ornaments: a fault that befalls every n-th call would befall mostly those.
const PLAIN: [&str; 2] = ["--last-accessed", "false"];

/// An account with a report of now, of users of all kinds.
fn with_users(users: usize) -> Account {
    let account = StandIn::shared().account(Seed::users(users, 31));
    account.make_report(0.5);
    account
}

/// The same, and a user whose certificates do not fit into the report.
fn with_signer(users: usize) -> Account {
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

fn ends_in_the_whole_result(faults: Value, users: usize, more: &[&str]) {
    let account = with_users(users);
    let arguments = [&PLAIN, more].concat();
    let sound = audit(&account, &arguments);
    assert_eq!((sound.code, sound.gaps()), (1, vec![]), "{}", sound.stderr);
    let calls = account.log().len();
    account.reset_log();
    account.faults(faults.clone());
    let hindered = audit(&account, &arguments);
    assert_eq!(hindered.code, 1, "{faults}: {}", hindered.stderr);
    assert_eq!(hindered.lines(), sound.lines(), "{faults}");
    assert_eq!(hindered.coverage(), sound.coverage(), "{faults}");
    let hindered_calls = account.log().len();
    assert!(hindered_calls > calls, "{faults} befell nobody: {hindered_calls} calls as without");
}

#[test]
fn throttled_every_third_call() {
    for code in ["Throttling", "RequestLimitExceeded"] {
        ends_in_the_whole_result(json!({"throttle": {"every": 3, "code": code}}), 40, &[]);
    }
}

#[test]
fn a_limit_of_ten_calls_a_second() {
    ends_in_the_whole_result(json!({"burst": {"rate": 10, "burst": 10}}), 40, &[]);
}

#[test]
fn a_report_that_is_still_being_made() {
    ends_in_the_whole_result(json!({"report_in_progress": 5}), 10, &[]);
}

#[test]
fn a_report_that_has_expired() {
    ends_in_the_whole_result(json!({"report_expired": 2}), 10, &[]);
}

#[test]
fn a_limit_on_making_reports() {
    ends_in_the_whole_result(json!({"limit_exceeded": 3}), 10, &[]);
}

#[test]
fn internal_errors() {
    for (status, code) in [(500, "ServiceFailure"), (503, "ServiceUnavailable")] {
        let error = json!({"error": {"every": 3, "status": status, "code": code}});
        ends_in_the_whole_result(error, 40, &[]);
    }
}

#[test]
fn a_connection_reset_in_the_middle_of_a_body() {
    let actions = ["GetCredentialReport", "ListUsers", "ListAccessKeys"];
    let reset = json!({"reset": {"every": 1, "max": 4, "actions": actions}});
    ends_in_the_whole_result(reset, 20, &[]);
}

#[test]
fn a_body_that_stops() {
    let stall = json!({"stall": {"max": 1, "actions": ["GetCredentialReport"]}});
    ends_in_the_whole_result(stall, 10, &["--timeout", "40"]);
}

#[test]
fn an_answer_after_half_a_minute() {
    let slow = json!({"slow": {"seconds": 30, "max": 1, "actions": ["ListUsers"]}});
    ends_in_the_whole_result(slow, 10, &["--timeout", "40"]);
}

#[test]
fn the_markdown_report_tells_what_was_denied() {
    let account = with_users(5);
    for (language, permission, unseen) in [
        ("en", "Give the role that permission.", "Nothing is known of this account"),
        ("ja", "この権限をロールに付けてください。", "認証情報レポートを取得できませんでした。"),
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
fn for_an_explicit_deny_every_form_says_to_lift_it() {
    let account = with_users(5);
    account.policy(json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
        { "Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*" },
    ]}));
    for (language, lift, grant) in [
        (
            "en",
            "An identity-based policy denies it explicitly, so granting the permission does not help: \
             lift that deny.",
            "Give the role",
        ),
        ("ja", "その拒否を取り除いてください。", "この権限をロールに付けてください"),
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
fn what_a_user_wrote_into_a_message_of_iam_stays_in_its_code_span() {
    let account = StandIn::shared().account(Seed::empty());
    // A path may hold nearly everything, and the message about a denied call repeats it.
    account.change(json!([{"create_user": {"name": "eve", "path": "/`@octocat`<b>/",
        "created": 400, "keys": [{"created": 300}]}}]));
    account.make_report(0.5);
    account.faults(json!({"deny": ["ListAccessKeys"]}));
    let report = markdown(&account, "en");
    let line = report.lines().find(|line| line.contains("`iam:ListAccessKeys` failed")).unwrap();
    assert!(line.contains("failed for 1 user: ``AccessDenied: "), "{line}");
    assert!(line.contains("`@octocat`<b>/eve "), "{line}");
    assert!(line.ends_with("action``. Give the role that permission."), "{line}");
}

/// The Markdown report of an audit that is incomplete.
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

/// Audits under a fault that stays: these rules are incomplete, and no finding is lost.
fn ends_incomplete(
    account: &Account,
    faults: &Value,
    allowlist: &str,
    more: &[&str],
    rules: &[&str],
) -> Audited {
    account.faults(json!({}));
    let sound = audit_by(allowlist, &account.environment(), more);
    assert!(sound.incomplete().is_empty(), "{}", sound.stderr);
    account.faults(faults.clone());
    let hindered = audit_by(allowlist, &account.environment(), more);
    assert_eq!(hindered.incomplete(), rules, "{faults}: {}", hindered.stderr);
    let code = if rules.is_empty() { 1 } else { 3 };
    assert_eq!(hindered.code, code, "{faults}: {}", hindered.stderr);
    let report_had = hindered.account()["report_generated_at"].is_string();
    if report_had {
        loses_nothing(&hindered, &sound);
    } else {
        assert_eq!(hindered.json["result"], "incomplete");
    }
    hindered
}

/// Whether every finding is there that there was without the fault. What the report hides may be
/// there besides, as unknown.
fn loses_nothing(hindered: &Audited, sound: &Audited) {
    let ids = hindered.stale_ids();
    let lost: Vec<_> = sound.stale_ids().into_iter().filter(|id| !ids.contains(id)).collect();
    assert!(lost.is_empty(), "{lost:?} of {}", sound.stale_ids().len());
}

/// The permission that is missing, and the rules that are incomplete without it.
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
        // Not called by this audit: a denial of it changes nothing.
        ("GetAccountAuthorizationDetails", &[]),
    ]
};

#[test]
fn each_single_action_denied_in_turn() {
    let (plain, with_signer) = (with_users(30), with_signer(30));
    for (action, rules) in DENIALS {
        // What the report hides of a user would make rules incomplete by itself.
        let account = if action == "ListSigningCertificates" { &with_signer } else { &plain };
        let deny = json!({"deny": [action]});
        let hindered = ends_incomplete(account, &deny, RULES, &["--ssh-keys", "all"], rules);
        let named: Vec<_> =
            hindered.gaps().iter().map(|gap| gap.rsplit(' ').next().unwrap().to_owned()).collect();
        if action != "GetAccountAuthorizationDetails" {
            assert_eq!(named, [format!("iam:{action}")], "the missing permission is named");
            assert!(hindered.gaps()[0].contains(" denied "), "{:?}", hindered.gaps());
        }
    }
}

#[test]
fn the_tags_denied_where_an_expiry_tag_is_named() {
    let deny = json!({"deny": ["GetAccountAuthorizationDetails"]});
    let more = ["--ssh-keys", "all"];
    ends_incomplete(&with_users(20), &deny, RULES_AND_TAG, &more, &["expired-user"]);
}

#[test]
fn an_account_denied() {
    let account = with_users(5);
    account.faults(json!({"deny_account": true}));
    let audited = audit(&account, &[]);
    assert_eq!(audited.code, 3);
    assert_eq!(audited.gaps(), ["credential-report denied iam:GenerateCredentialReport"]);
    assert!(audited.coverage().values().all(|it| it == "incomplete"), "{:?}", audited.coverage());
}

#[test]
fn throttled_to_the_deadline() {
    let account = with_users(20);
    let throttle = json!({"throttle": {"every": 1, "actions": ["GetLoginProfile"]}});
    // Nothing is looked for behind the second look, which takes all the time there is.
    let allowlist = "version: 1
policy:
  rules: { unlisted-user: notice, old-service-credential: off, user-without-credentials: off }
";
    let more = [&PLAIN[..], &["--timeout", "30", "--concurrency", "32"]].concat();
    let rules = ["stale-password", "unlisted-user"];
    let audited = ends_incomplete(&account, &throttle, allowlist, &more, &rules);
    assert!(
        audited.gaps().iter().any(|it| it == "login-profile throttled iam:GetLoginProfile"),
        "{:?}",
        audited.gaps()
    );
}

#[test]
fn a_report_that_is_never_finished() {
    let account = StandIn::shared().account(Seed::users(5, 32).report_delay(3_600.0));
    let audited = audit(&account, &["--timeout", "3"]);
    assert_eq!(
        (audited.code, audited.gaps()),
        (3, vec!["credential-report timed-out iam:GetCredentialReport".to_owned()])
    );
    assert!(audited.coverage().values().all(|it| it == "incomplete"));
}

#[test]
fn credentials_that_expire_half_way() {
    let account = with_users(40);
    let sound = audit(&account, &PLAIN);
    for after in [0, 1, 2, 5, 20, 60] {
        account.faults(json!({"expired": {"after": after}}));
        let audited = audit(&account, &PLAIN);
        let hint = format!("after {after}: {}", audited.stderr);
        if audited.json.is_null() {
            // Not even the account's name was had.
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
            loses_nothing(&audited, &sound);
        }
    }
}

#[test]
fn a_user_absent_from_the_snapshot_whose_look_is_denied_is_unknown() {
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
fn nobody_at_the_other_end() {
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
fn short_pages_are_all_read_and_a_cut_list_is_no_list() {
    let account = with_users(250);
    let sound = audit(&account, &PLAIN);
    let actions = ["ListUsers", "ListAccessKeys", "ListServiceSpecificCredentials"];
    account.faults(json!({"short_pages": {"items": 7, "actions": actions}}));
    let paged = audit(&account, &PLAIN);
    assert_eq!(paged.lines(), sound.lines());
    assert_eq!(paged.code, 1);
}

#[test]
fn the_two_report_actions_alone_are_of_use() {
    let account = StandIn::shared().account(Seed::users(60, 33));
    let allowed = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*",
        "Action": ["iam:GenerateCredentialReport", "iam:GetCredentialReport"]}]});
    let sound = audit(&account, &PLAIN);
    account.policy(allowed);
    let audited = audit(&account, &["--recheck", "false"]);
    loses_nothing(&audited, &sound);
    assert_eq!((audited.code, audited.gaps()), (1, vec![]));
    assert!(audited.coverage().values().all(|it| ["snapshot", "not-shown"].contains(&it.as_str())));
    assert_eq!(audit(&account, &["--recheck", "false", "--fail-on", "none"]).code, 0);
}
