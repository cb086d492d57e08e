//! The permissions of audits and remediation: each feature and each stage adds exactly its actions,
//! `docs/aws-role.md` lists them, and names in policies are exact.

use std::collections::{BTreeMap, BTreeSet};

use iam_stocktake::model::identity::{
    AccountEntry, AccountList, Audience, ExternalId, GithubId, Partition, RepositoryName, RoleArn,
    RoleName, SubjectContext,
};
use iam_stocktake::model::policy::remediation::{RemediationPolicy, Stage};
use iam_stocktake::model::policy::{Level, Policy, PolicyOverrides, Rule};
use iam_stocktake::permissions::{
    AccessLevel, Features, PERMISSIONS, RemediationRole, RemediationScope, Resource, RoleGrant,
};
use serde_json::{Value, json};

/// The credential report and the re-check, without optional features.
const BARE: Features = Features {
    recheck: true,
    service_credentials: false,
    all_tags: false,
    last_accessed: false,
    expiry_tag: false,
    remediation: None,
};

fn actions(features: Features) -> BTreeSet<&'static str> {
    features.permissions().map(|permission| permission.action).collect()
}

#[track_caller]
fn assert_adds(features: Features, expected: &[&str]) {
    let bare = actions(BARE);
    let all = actions(features);
    assert!(all.is_superset(&bare));
    let added: BTreeSet<&str> = all.difference(&bare).copied().collect();
    assert_eq!(added, expected.iter().copied().collect());
}

#[test]
fn without_re_check_only_the_report_is_requested() {
    let report = ["iam:GenerateCredentialReport", "iam:GetCredentialReport"];
    for all_tags in [false, true] {
        let features = Features {
            recheck: false,
            service_credentials: true,
            all_tags,
            last_accessed: true,
            expiry_tag: true,
            remediation: None,
        };
        assert_eq!(actions(features), BTreeSet::from(report));
    }
}

#[test]
fn each_feature_adds_exactly_its_actions() {
    assert_eq!(
        actions(BARE),
        BTreeSet::from([
            "iam:GenerateCredentialReport",
            "iam:GetCredentialReport",
            "iam:ListUsers",
            "iam:ListUserTags",
            "iam:GetUser",
            "iam:ListAccessKeys",
            "iam:GetAccessKeyLastUsed",
            "iam:GetLoginProfile",
            "iam:ListSigningCertificates",
            "iam:ListAccountAliases",
        ])
    );
    assert_adds(
        Features { service_credentials: true, ..BARE },
        &["iam:ListServiceSpecificCredentials", "iam:ListSSHPublicKeys"],
    );
    // Tags of all users and tags of flagged users need different actions.
    for features in [Features { all_tags: true, ..BARE }, Features { expiry_tag: true, ..BARE }] {
        let mut expected = actions(BARE);
        expected.remove("iam:ListUserTags");
        expected.insert("iam:GetAccountAuthorizationDetails");
        assert_eq!(actions(features), expected);
    }
    assert_adds(
        Features { last_accessed: true, ..BARE },
        &["iam:GenerateServiceLastAccessedDetails", "iam:GetServiceLastAccessedDetails"],
    );
}

#[test]
fn allowlist_policy_turns_features_on_and_off() {
    let features = |overrides: &PolicyOverrides| {
        let policy = Policy::new(overrides, None);
        Features::new(&policy, true, true)
    };
    let off = |rules: &[Rule]| PolicyOverrides {
        levels: rules.iter().map(|rule| (*rule, Level::Off)).collect(),
        ..PolicyOverrides::default()
    };
    let (old, without) = (Rule::OldServiceCredential, Rule::UserWithoutCredentials);
    assert!(features(&PolicyOverrides::default()).service_credentials);
    assert!(features(&off(&[old])).service_credentials);
    assert!(features(&off(&[without])).service_credentials);
    assert!(!features(&off(&[old, without])).service_credentials);

    assert!(!features(&PolicyOverrides::default()).expiry_tag);
    let tag = Some("expires-on".to_owned());
    assert!(features(&PolicyOverrides { expiry_tag: tag.clone(), ..off(&[]) }).expiry_tag);
    assert!(
        !features(&PolicyOverrides { expiry_tag: tag, ..off(&[Rule::ExpiredUser]) }).expiry_tag
    );
}

/// The statements of the policy with these features, for a role that assumes other roles.
fn statements(features: Features) -> Vec<Value> {
    let members = ["arn:aws:iam::444455556666:role/audit".parse().unwrap()];
    let grant = RoleGrant {
        features: Some(features),
        partition: Partition::Aws,
        account: None,
        members: &members,
    };
    let policy = serde_json::to_value(grant.policy()).unwrap();
    policy["Statement"].as_array().unwrap().clone()
}

/// The granted actions, sorted and with duplicates.
fn granted(statements: &[Value]) -> Vec<&str> {
    let actions = statements.iter().flat_map(|it| it["Action"].as_array().unwrap());
    let mut actions: Vec<_> = actions.map(|action| action.as_str().unwrap()).collect();
    actions.sort_unstable();
    actions
}

/// All features of an audit.
const WHOLE_AUDIT: Features =
    Features { service_credentials: true, all_tags: true, last_accessed: true, ..BARE };

#[test]
fn every_action_of_an_audit_is_granted_once_and_only_reads() {
    let statements = statements(WHOLE_AUDIT);
    let granted = granted(&statements);
    let known: BTreeSet<_> = actions(WHOLE_AUDIT).into_iter().chain(["sts:AssumeRole"]).collect();
    assert_eq!(granted, known.into_iter().collect::<Vec<_>>());
    // `Generate…` actions create a report and change nothing.
    for action in granted.iter().filter(|action| **action != "sts:AssumeRole") {
        let verb = action.strip_prefix("iam:").unwrap();
        assert!(["List", "Get", "Generate"].iter().any(|it| verb.starts_with(it)), "{action}");
        assert!(!verb.contains('*'), "{action}");
    }
}

/// A remediation policy with all options.
fn with_all_options() -> RemediationPolicy {
    RemediationPolicy {
        delete_after_days: Some(30),
        delete_passwords: true,
        delete_users: true,
        rules: Rule::remediable(),
        ..RemediationPolicy::default()
    }
}

fn for_remediation(role: RemediationRole, policy: &RemediationPolicy) -> Features {
    Features::for_remediation(RemediationScope::new(role, policy))
}

/// The actions that only the second role has. The first has no others.
fn more(than: Features, features: Features) -> BTreeSet<&'static str> {
    let (fewer, all) = (actions(than), actions(features));
    assert!(all.is_superset(&fewer), "{:?}", fewer.difference(&all));
    all.difference(&fewer).copied().collect()
}

const PLAN: RemediationRole = RemediationRole::Plan;
const NOTIFY: RemediationRole = RemediationRole::UpTo(Stage::Notify);
const DEACTIVATE: RemediationRole = RemediationRole::UpTo(Stage::Deactivate);
const DELETE: RemediationRole = RemediationRole::UpTo(Stage::Delete);

const HOLDINGS: [&str; 5] = [
    "iam:GetUserPolicy",
    "iam:ListAttachedUserPolicies",
    "iam:ListGroupsForUser",
    "iam:ListMFADevices",
    "iam:ListUserPolicies",
];

#[test]
fn each_remediation_stage_adds_exactly_its_actions() {
    // By default, SSH keys, service-specific credentials and certificates are not remediated.
    let default = RemediationPolicy::default();
    let of = |role| for_remediation(role, &default);
    assert_eq!(more(of(NOTIFY), of(DEACTIVATE)), ["iam:UpdateAccessKey"].into());
    let deleting = RemediationPolicy { delete_after_days: Some(30), ..default };
    let of = |role| for_remediation(role, &deleting);
    assert_eq!(more(of(DEACTIVATE), of(DELETE)), ["iam:DeleteAccessKey"].into());

    let careful = RemediationPolicy { rules: Rule::remediable(), ..Default::default() };
    let of = |role| for_remediation(role, &careful);
    let audit = Features { service_credentials: true, all_tags: true, ..BARE };
    assert_eq!(more(audit, of(PLAN)), [].into());
    assert_eq!(more(of(PLAN), of(NOTIFY)), ["iam:TagUser", "iam:UntagUser"].into());
    let updates = [
        "iam:UpdateAccessKey",
        "iam:UpdateSSHPublicKey",
        "iam:UpdateServiceSpecificCredential",
        "iam:UpdateSigningCertificate",
    ];
    assert_eq!(more(of(NOTIFY), of(DEACTIVATE)), updates.into());
    assert_eq!(more(of(DEACTIVATE), of(DELETE)), [].into(), "nothing is deleted by default");

    let deleting = RemediationPolicy { delete_after_days: Some(30), ..careful };
    let of = |role| for_remediation(role, &deleting);
    let deletions = [
        "iam:DeleteAccessKey",
        "iam:DeleteSSHPublicKey",
        "iam:DeleteServiceSpecificCredential",
        "iam:DeleteSigningCertificate",
    ];
    assert_eq!(more(of(DEACTIVATE), of(DELETE)), deletions.into());
}

#[test]
fn each_remediation_option_adds_exactly_its_actions_from_its_stage_on() {
    let careful = RemediationPolicy { delete_after_days: Some(30), ..RemediationPolicy::default() };
    let passwords = RemediationPolicy { delete_passwords: true, ..careful.clone() };
    let users = RemediationPolicy { delete_users: true, ..careful.clone() };
    let added = |role, policy| more(for_remediation(role, &careful), for_remediation(role, policy));
    let password = BTreeSet::from(["iam:DeleteLoginProfile"]);
    for (role, expected) in [(PLAN, false), (NOTIFY, false), (DEACTIVATE, true), (DELETE, true)] {
        let expected = if expected { password.clone() } else { BTreeSet::new() };
        assert_eq!(added(role, &passwords), expected, "{role:?}");
    }
    for role in [PLAN, NOTIFY, DEACTIVATE] {
        assert_eq!(added(role, &users), HOLDINGS.into(), "{role:?}");
    }
    let whole = [
        "iam:DeactivateMFADevice",
        "iam:DeleteLoginProfile",
        "iam:DeleteSSHPublicKey",
        "iam:DeleteServiceSpecificCredential",
        "iam:DeleteSigningCertificate",
        "iam:DeleteUser",
        "iam:DeleteUserPolicy",
        "iam:DeleteVirtualMFADevice",
        "iam:DetachUserPolicy",
        "iam:RemoveUserFromGroup",
    ];
    assert_eq!(added(DELETE, &users), whole.into_iter().chain(HOLDINGS).collect());
    let never = RemediationPolicy { delete_after_days: None, ..users };
    assert_eq!(
        actions(for_remediation(DELETE, &never)),
        actions(for_remediation(DEACTIVATE, &RemediationPolicy::default()))
    );
}

#[test]
fn audit_and_remediation_have_all_known_actions() {
    let remediation = for_remediation(DELETE, &with_all_options());
    let tags = actions(BARE);
    let all: BTreeSet<_> = actions(WHOLE_AUDIT)
        .into_iter()
        .chain(actions(remediation))
        .chain(tags)
        .chain(["sts:AssumeRole"])
        .collect();
    assert_eq!(all, PERMISSIONS.iter().map(|permission| permission.action).collect());
    assert_eq!(all.len(), PERMISSIONS.len(), "an action is listed twice");
}

#[test]
fn remediation_changes_only_users_and_its_own_tags() {
    let statements = statements(for_remediation(DELETE, &with_all_options()));
    let known = actions(for_remediation(DELETE, &with_all_options()));
    let once: Vec<_> = known.into_iter().chain(["sts:AssumeRole"]).collect();
    assert_eq!(granted(&statements), once);
    let of = |access: AccessLevel| -> BTreeSet<&str> {
        let of = PERMISSIONS.iter().filter(|it| it.feature.access() == access);
        of.map(|it| it.action).collect()
    };
    let (tagging, changing) = (of(AccessLevel::Tag), of(AccessLevel::Change));
    let on = |kind: &str| json!(format!("arn:aws:iam::*:{kind}/*"));
    for statement in &statements {
        assert_eq!(statement["Effect"], "Allow");
        for action in granted(std::slice::from_ref(statement)) {
            assert!(!action.contains('*'), "{action}");
            let expected = match action {
                "iam:RemoveUserFromGroup" => on("group"),
                "iam:DeleteVirtualMFADevice" => on("mfa"),
                _ if changing.contains(action) || tagging.contains(action) => on("user"),
                _ => statement["Resource"].clone(),
            };
            assert_eq!(statement["Resource"], expected, "{action}");
            let condition = if tagging.contains(action) {
                json!({
                    "ForAllValues:StringLike": {"aws:TagKeys": "iam-stocktake:*"},
                    "Null": {"aws:TagKeys": "false"},
                })
            } else {
                Value::Null
            };
            assert_eq!(statement["Condition"], condition, "{action}");
        }
    }
    // No action grants permissions.
    for action in tagging.iter().chain(&changing) {
        let verb = action.strip_prefix("iam:").unwrap();
        let takes = ["Delete", "Deactivate", "Detach", "Remove", "Tag", "Untag"];
        let is_status = verb.starts_with("Update") && verb != "UpdateLoginProfile";
        assert!(is_status || takes.iter().any(|it| verb.starts_with(it)), "{action}");
    }
}

#[test]
fn documentation_lists_every_action() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/aws-role.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| `iam:") || line.starts_with("| `sts:"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let expected: Vec<_> = PERMISSIONS
        .iter()
        .map(|permission| {
            let resource = match permission.resource {
                Resource::Any => "`*`",
                Resource::Users if permission.feature.access() == AccessLevel::Tag => {
                    "`user/*`, tags `iam-stocktake:*` only"
                }
                Resource::Users => "`user/*`",
                Resource::Groups => "`group/*`",
                Resource::MfaDevices => "`mfa/*`",
                Resource::MemberRoles => "each role, by its ARN",
            };
            (format!("`{}`", permission.action), resource, permission.feature.condition())
        })
        .collect();
    let documented: Vec<_> = rows.iter().map(|row| (row[0].to_owned(), row[1], row[3])).collect();
    assert_eq!(documented, expected);
    for row in &rows {
        assert_eq!(row.len(), 4, "{row:?}");
        assert!(!row[2].is_empty(), "{row:?}");
    }
}

/// Asserts which texts a type accepts, and that it prints them unchanged.
#[track_caller]
fn assert_takes<T>(good: &[&str], bad: &[&str])
where
    T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Display,
{
    for text in good {
        assert_eq!(text.parse::<T>().unwrap().to_string(), *text);
    }
    for text in bad {
        assert!(text.parse::<T>().is_err(), "{text:?} is accepted");
    }
}

#[test]
fn names_are_exact() {
    let (role_64, role_65) = ("r".repeat(64), "r".repeat(65));
    assert_takes::<RoleName>(
        &["iam-stocktake-audit", "a", "x+=,.@-_9", &role_64],
        &["", "a b", "a/b", "a*", "a?", "${aws:username}", "a\"b", "a\nb", "ä", &role_65],
    );
    assert_takes::<RoleArn>(
        &[
            "arn:aws:iam::111122223333:role/audit",
            "arn:aws-cn:iam::111122223333:role/a/b!c/audit",
            "arn:aws-us-gov:iam::111122223333:role/audit",
        ],
        &[
            "",
            "audit",
            "arn:aws:iam::111122223333:role/*",
            "arn:aws:iam::111122223333:role/a*/audit",
            "arn:aws:iam::111122223333:role/a?/audit",
            "arn:aws:iam::111122223333:role/${x}/audit",
            "arn:aws:iam::111122223333:role/a b/audit",
            "arn:aws:iam::111122223333:role/audit\n",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam::111122223333:role",
            "arn:aws:iam::111122223333:roleX/audit",
            "arn:aws:iam::111122223333:user/audit",
            "arn:aws:iam::*:role/audit",
            "arn:aws:iam::11112222333:role/audit",
            "arn:*:iam::111122223333:role/audit",
            "arn:aws:sts::111122223333:assumed-role/audit/x",
            "arn:aws:iam:us-east-1:111122223333:role/audit",
        ],
    );
    assert_takes::<ExternalId>(
        &["ab", "a:b/c+=,.@-_9"],
        &["", "a", "a b", "a*", "${aws:userid}", "a\"b", "a\\b", "é1"],
    );
    assert_takes::<Audience>(
        &["sts.amazonaws.com", "https://github.com/acme"],
        &["", "*", "sts.*", "a b", "${x}", "a?"],
    );
}

#[test]
fn repositories_and_subjects_are_exact() {
    assert_takes::<RepositoryName>(
        &["acme/infra", "Acme-1/in.fra_2", "user_corp/.github"],
        &[
            "",
            "acme",
            "acme/",
            "/infra",
            "acme/infra/x",
            "acme/*",
            "*/infra",
            "acme@1/infra@2",
            "acme/infra:x",
            "acme/in fra",
            "acme/${x}",
            "acme/\"",
            "acme/..",
            "acme/.",
            "https://github.com/acme/infra",
        ],
    );
    assert_takes::<GithubId>(
        &["1", "583231", "18446744073709551615"],
        &["", "0", "007", "-1", "+1", "1.5", "*", "1 ", "18446744073709551616", "٣"],
    );
    assert_takes::<SubjectContext>(
        &[
            "ref:refs/heads/main",
            "pull_request",
            "environment:prod",
            "environment:Prod EU",
            "ref:refs/heads/a\"b\\%{x}$",
        ],
        &[
            "",
            " ",
            "*",
            "ref:refs/heads/*",
            "environment:p?od",
            "environment:${x}",
            "repo:acme/infra:pull_request",
            "pull_request ",
            "a\nb",
            "environment:本番",
        ],
    );
}

#[test]
fn accounts_are_separated_by_commas_or_white_space() {
    let list: AccountList =
        " 111122223333, arn:aws:iam::444455556666:role/x/audit\r\n\n777788889999 ,"
            .parse()
            .unwrap();
    let name: RoleName = "member".parse().unwrap();
    let roles: Vec<String> =
        list.0.iter().map(|entry| entry.role(Partition::AwsCn, &name).to_string()).collect();
    assert_eq!(
        roles,
        [
            "arn:aws-cn:iam::111122223333:role/member",
            "arn:aws:iam::444455556666:role/x/audit",
            "arn:aws-cn:iam::777788889999:role/member",
        ]
    );
    let by_account: BTreeMap<_, _> =
        list.0.iter().map(|it| (it.account().to_string(), it)).collect();
    assert!(matches!(by_account["444455556666"], AccountEntry::Role(_)));
    assert!("".parse::<AccountList>().unwrap().0.is_empty());
    for bad in ["111122223333;444455556666", "11112222333", "acme", "arn:aws:iam::1:role/x", "*"] {
        assert!(bad.parse::<AccountList>().is_err(), "{bad}");
    }
}
