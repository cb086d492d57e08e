//! `iam-stocktake iam-policy`, through the real binary.

mod terraform;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::examples::assert_current;
use stand_ins::sandbox::{NOW, Ran, Sandbox, repository};

const REPOSITORY: [&str; 6] =
    ["--repository", "acme/infra", "--repository-owner-id", "583231", "--repository-id", "1296269"];
const ACCOUNTS: [&str; 6] = [
    "--account",
    "111122223333",
    "--accounts",
    "111122223333,444455556666",
    "--external-id",
    "acme-audit",
];

const DEACTIVATE: [&str; 2] = ["--remediate", "deactivate"];

fn run(arguments: &[&str]) -> Ran {
    Sandbox::new().run(&[&["iam-policy"], arguments].concat())
}

/// The printed text. Nothing else may be printed.
#[track_caller]
fn print(arguments: &[&str]) -> String {
    let ran = run(arguments);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
    ran.stdout
}

#[track_caller]
fn json_of(arguments: &[&str]) -> Value {
    serde_json::from_str(&print(arguments)).unwrap()
}

/// The actions of a policy, with the resource of their statement.
fn actions(policy: &Value) -> BTreeMap<String, Value> {
    let statements = policy["Statement"].as_array().unwrap();
    let of = |statement: &Value| {
        assert_eq!(statement["Effect"], "Allow");
        let actions = statement["Action"].as_array().unwrap().clone();
        let resource = statement["Resource"].clone();
        actions.into_iter().map(move |it| (it.as_str().unwrap().to_owned(), resource.clone()))
    };
    statements.iter().flat_map(of).collect()
}

#[test]
fn examples_are_current() {
    let terraform = ["--format", "terraform"];
    let (hub, accounts) = (&ACCOUNTS[..2], &ACCOUNTS[..]);
    for (file, arguments) in [
        ("policy.json", hub.to_vec()),
        ("trust.json", [&["--format", "trust"], hub, &REPOSITORY].concat()),
        ("main.tf", [&terraform, hub, &REPOSITORY].concat()),
        ("accounts/policy.json", accounts.to_vec()),
        ("accounts/member-trust.json", [&["--format", "member-trust"], accounts].concat()),
        ("accounts/main.tf", [&terraform, accounts, &REPOSITORY].concat()),
        ("remediate/policy.json", [&DEACTIVATE, hub].concat()),
        ("remediate/trust.json", [&DEACTIVATE, &["--format", "trust"], hub, &REPOSITORY].concat()),
        ("remediate/main.tf", [&DEACTIVATE, &terraform, hub, &REPOSITORY].concat()),
    ] {
        assert_current(&format!("examples/iam/{file}"), &print(&arguments));
    }
}

#[test]
fn role_that_removes_access_trusts_only_the_environment() {
    let subjects = |arguments: &[&str]| {
        let fixed = ["--format", "trust", "--account", "111122223333"];
        let trust = json_of(&[&fixed, &REPOSITORY[..], arguments].concat());
        let equals = &trust["Statement"][0]["Condition"]["StringEquals"];
        equals["token.actions.githubusercontent.com:sub"].clone()
    };
    let both = |context: &str| {
        json!([
            format!("repo:acme/infra:{context}"),
            format!("repo:acme@583231/infra@1296269:{context}")
        ])
    };
    for (role, context) in [
        ("plan", "ref:refs/heads/main"),
        ("notify", "ref:refs/heads/main"),
        ("deactivate", "environment:iam-remediation"),
    ] {
        assert_eq!(subjects(&["--remediate", role]), both(context), "{role}");
        let other = ["--remediate", role, "--subject", "environment:prod"];
        assert_eq!(subjects(&other), both("environment:prod"), "{role}");
    }
    assert_eq!(subjects(&[]).as_array().unwrap().len(), 4);
}

#[test]
fn each_remediation_role_has_its_own_name() {
    let hub = ["--format", "member-trust", "--account", "111122223333"];
    let name = |arguments: &[&str]| {
        let statement = json_of(&[&hub, arguments].concat())["Statement"][0].clone();
        let arn = statement["Principal"]["AWS"].as_str().unwrap().to_owned();
        (statement["Sid"].clone(), arn.rsplit('/').next().unwrap().to_owned())
    };
    let named = |sid: &str, name: &str| (json!(sid), name.to_owned());
    assert_eq!(name(&[]), named("AuditRole", "iam-stocktake-audit"));
    for (role, expected) in [
        ("plan", "iam-stocktake-plan"),
        ("notify", "iam-stocktake-notify"),
        ("deactivate", "iam-stocktake-remediate"),
    ] {
        assert_eq!(name(&["--remediate", role]), named("RemediationRole", expected));
    }
    let own = name(&["--remediate", "notify", "--role-name", "mine"]);
    assert_eq!(own, named("RemediationRole", "mine"));
}

#[test]
fn allowlist_limits_the_last_stage() {
    let sandbox = Sandbox::new();
    let print = |arguments: &[&str]| {
        let ran = sandbox.run(&[&["iam-policy", "--now", NOW, "--remediate"], arguments].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        (actions(&serde_json::from_str(&ran.stdout).unwrap()), ran.stderr)
    };
    let (deactivate, stderr) = print(&["deactivate"]);
    assert_eq!(stderr, "");
    let (delete, stderr) = print(&["delete"]);
    assert_eq!(delete, deactivate);
    assert!(stderr.contains("no `remediation.delete_after_days`"), "{stderr}");

    let deleting = "version: 1\nremediation:\n  delete_after_days: 30\n  delete_users: true\n";
    sandbox.file("allow.yml", deleting);
    let (delete, stderr) = print(&["delete", "--allowlist", "allow.yml", "--partition", "aws-cn"]);
    assert_eq!(stderr, "");
    assert_eq!(delete["iam:DeleteUser"], "arn:aws-cn:iam::*:user/*");
    assert_eq!(delete["iam:RemoveUserFromGroup"], "arn:aws-cn:iam::*:group/*");
    assert_eq!(delete["iam:DeleteVirtualMFADevice"], "arn:aws-cn:iam::*:mfa/*");
    let account = ["delete", "--allowlist", "allow.yml", "--account", "111122223333"];
    let (delete, _) = print(&account);
    assert_eq!(delete["iam:DeleteVirtualMFADevice"], "arn:aws:iam::111122223333:mfa/*");
}

#[test]
fn account_and_the_partition_limit_the_resources() {
    for (arguments, users) in [
        (&[][..], "arn:aws:iam::*:user/*"),
        (&["--account", "111122223333"], "arn:aws:iam::111122223333:user/*"),
        (&["--partition", "aws-cn"], "arn:aws-cn:iam::*:user/*"),
        (&["--partition", "aws-us-gov"], "arn:aws-us-gov:iam::*:user/*"),
        (&["--partition", "aws-eusc"], "arn:aws-eusc:iam::*:user/*"),
    ] {
        let actions = actions(&json_of(arguments));
        assert_eq!(actions["iam:ListAccessKeys"], users);
        assert_eq!(actions["iam:GetCredentialReport"], "*");
    }
    let china = [
        &["--format", "trust", "--account", "111122223333", "--partition", "aws-cn"],
        &REPOSITORY[..],
    ]
    .concat();
    let trust = &json_of(&china)["Statement"][0];
    assert_eq!(
        trust["Principal"]["Federated"],
        "arn:aws-cn:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
    );
    let audience = "token.actions.githubusercontent.com:aud";
    assert_eq!(trust["Condition"]["StringEquals"][audience], "sts.amazonaws.com.cn");
    let own = [&china[..], &["--audience", "mine"]].concat();
    assert_eq!(json_of(&own)["Statement"][0]["Condition"]["StringEquals"][audience], "mine");
}

#[test]
fn first_role_reads_its_account_only_if_it_is_listed() {
    let role = |arn: &str| json!([arn]);
    let listed = actions(&json_of(&ACCOUNTS));
    assert!(listed.contains_key("iam:GetCredentialReport"));
    let member = role("arn:aws:iam::444455556666:role/iam-stocktake-audit");
    assert_eq!(listed["sts:AssumeRole"], member);

    let hub = ["--account", "111122223333"];
    let others = [&hub[..], &["--accounts", "444455556666"]].concat();
    assert_eq!(actions(&json_of(&others)), BTreeMap::from([("sts:AssumeRole".to_owned(), member)]));
    let named = [&others[..], &["--member-role-name", "reader"]].concat();
    assert_eq!(
        actions(&json_of(&named))["sts:AssumeRole"],
        role("arn:aws:iam::444455556666:role/reader")
    );
    let arn = "arn:aws:iam::444455556666:role/security/reader";
    let whole = [&hub[..], &["--accounts", arn]].concat();
    assert_eq!(actions(&json_of(&whole))["sts:AssumeRole"], role(arn));

    let alone = [&hub[..], &["--accounts", "111122223333"]].concat();
    assert_eq!(json_of(&alone), json_of(&hub));
    let lines = [&hub[..], &["--accounts", "111122223333\n444455556666"]];
    assert_eq!(json_of(&lines.concat()), json_of(&ACCOUNTS));
}

#[test]
fn permissions_depend_on_the_rules_in_the_allowlist() {
    let sandbox = Sandbox::new();
    let print = |arguments: &[&str]| {
        let ran = sandbox.run(&[&["iam-policy", "--now", NOW], arguments].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        actions(&serde_json::from_str(&ran.stdout).unwrap())
    };
    let (tags, details) = ("iam:ListUserTags", "iam:GetAccountAuthorizationDetails");
    let default = print(&[]);
    assert!(default.contains_key(tags) && !default.contains_key(details));
    assert_eq!(print(&["--allowlist", "none"]), default);

    sandbox.file(
        ".github/iam-allowlist.yml",
        "version: 1\npolicy:\n  expiry_tag: expires-on\nexemptions: []\n",
    );
    let expiring = print(&[]);
    assert!(!expiring.contains_key(tags) && expiring.contains_key(details));
    assert_eq!(print(&["--allowlist", "none"]), default);

    let off = "version: 1\npolicy:\n  rules: { old-service-credential: off, \
               user-without-credentials: off }\nexemptions: []\n";
    sandbox.file("off.yml", off);
    let off = print(&["--allowlist", "off.yml"]);
    let gone: Vec<_> = default.keys().filter(|action| !off.contains_key(*action)).collect();
    assert_eq!(gone, ["iam:ListSSHPublicKeys", "iam:ListServiceSpecificCredentials"]);
}

#[test]
fn invalid_or_missing_allowlist_is_not_treated_as_empty() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["iam-policy", "--allowlist", "gone.yml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("gone.yml"), "{}", ran.stderr);
    sandbox.file(".github/iam-allowlist.yml", "version: 1\nexemptions: []\nrulez: {}\n");
    let ran = sandbox.run(&["iam-policy"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("error[unknown-key]"), "{}", ran.stderr);
}

#[test]
fn missing_settings_of_a_trust_policy_are_reported_with_a_hint() {
    let trust = ["--format", "trust"];
    let ran = run(&trust);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    for expected in [
        "needs --account",
        "aws sts get-caller-identity",
        "needs --repository OWNER/NAME",
        "needs --repository-owner-id and --repository-id",
        "gh api repos/OWNER/NAME --jq '.owner.id, .id'",
    ] {
        assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
    }
    let named = ["--account", "111122223333", "--repository", "acme/infra"];
    for id in [&[][..], &["--repository-id", "1"], &["--repository-owner-id", "1"]] {
        let ran = run(&[&trust[..], &named, id].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
        assert!(ran.stderr.contains("gh api repos/acme/infra --jq '.owner.id, .id'"));
        assert!(!ran.stderr.contains("needs --account"), "{}", ran.stderr);
    }
    let ran = run(&["--format", "member-trust"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("--format member-trust needs --account"), "{}", ran.stderr);
}

#[test]
fn invalid_and_contradictory_settings_are_rejected() {
    let china = "arn:aws-cn:iam::444455556666:role/x";
    let hub = ["--account", "111122223333", "--accounts"];
    for (arguments, expected) in [
        (vec!["--accounts", "444455556666"], "--accounts needs --account"),
        (
            [&hub[..], &["444455556666,444455556666"]].concat(),
            "account 444455556666 is listed twice",
        ),
        (
            [&hub[..], &["444455556666,arn:aws:iam::444455556666:role/x"]].concat(),
            "account 444455556666 is listed twice",
        ),
        ([&hub[..], &[china]].concat(), "add --partition aws-cn"),
        ([&hub[..], &["arn:aws:iam::444455556666:role/*"]].concat(), "without a wildcard"),
        (vec!["--accounts", "4444"], "twelve digits"),
        (vec!["--account", "*"], "twelve digits"),
        (vec!["--role-name", "a\",\n  x = \"${var.y}"], "a role's name has"),
        (vec!["--external-id", "${aws:userid}"], "an external ID has"),
        (vec!["--repository", "acme/*"], "OWNER/NAME"),
        (vec!["--repository-id", "*"], "an ID is a number"),
        (vec!["--subject", "*"], "list each subject"),
        (vec!["--subject", "repo:acme/infra:pull_request"], "--repository"),
        (vec!["--partition", "aws-*"], "aws-eusc"),
        (vec!["--recheck", "no"], "true"),
        (vec!["--last-accessed", "all"], "true"),
        (vec!["--format", "yaml"], "member-trust"),
        (vec!["--remediate", "undo"], "deactivate"),
        (vec!["--remediate", "notify", "--recheck", "false"], "cannot be used with"),
        (vec!["--remediate", "notify", "--last-accessed", "false"], "cannot be used with"),
    ] {
        let ran = run(&arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.stderr.contains(expected), "{arguments:?}: {}", ran.stderr);
    }
}

/// This many accounts, separated by commas.
fn ids(count: u64) -> String {
    let ids: Vec<_> = (0..count).map(|id| (444_455_000_000 + id).to_string()).collect();
    ids.join(",")
}

#[test]
fn policy_that_exceeds_a_limit_of_iam_is_not_printed() {
    let hub = ["--account", "111122223333"];
    let trust = [&["--format", "trust"], &hub[..], &REPOSITORY].concat();
    let contexts: Vec<_> = (0..40).map(|it| format!("environment:production-{it}")).collect();
    let subjects: Vec<_> = contexts.iter().flat_map(|it| ["--subject", it.as_str()]).collect();
    let (many, thousand) = (ids(200), ids(1_000));
    for (arguments, says) in [
        (
            [&hub[..], &["--accounts", &many]].concat(),
            &["10240", "--role-name", "accounts fit"][..],
        ),
        ([&hub[..], &["--accounts", &thousand, "--format", "terraform"]].concat(), &["10240"]),
        ([&trust[..], &subjects].concat(), &["2048", "--subject"]),
        ([&["--format", "terraform"], &hub[..], &subjects].concat(), &["2048", "--subject"]),
        (
            [&["--format", "member-trust", "--external-id", &"x".repeat(1_224)], &hub[..]].concat(),
            &[],
        ),
    ] {
        let ran = run(&arguments);
        if says.is_empty() {
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            continue;
        }
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{says:?}");
        for words in says {
            assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
        }
    }
}

#[test]
fn reported_number_of_accounts_fits() {
    let hub = ["--account", "111122223333", "--accounts"];
    let many = ids(200);
    let stderr = run(&[&hub[..], &[&many]].concat()).stderr;
    let (_, rest) = stderr.split_once("at most 10240").unwrap();
    let (_, rest) = rest.split_once("at most ").unwrap();
    let most: u64 = rest.split_once(' ').unwrap().0.parse().unwrap();
    for (count, code) in [(most, 0), (most + 1, 2)] {
        let accounts = ids(count);
        let ran = run(&[&hub[..], &[&accounts]].concat());
        assert_eq!(ran.code, code, "{count}: {}", ran.stderr);
        if code == 0 {
            let policy: Value = serde_json::from_str(&ran.stdout).unwrap();
            assert!(policy.to_string().len() <= 10_240);
            // A note reports that the policy exceeds the limit of managed policies.
            assert!(ran.stderr.contains("managed policy (at most 6144)"), "{}", ran.stderr);
        }
    }
}

#[test]
fn flag_without_effect_is_reported() {
    for flag in ["--external-id", "--member-role-name"] {
        let ran = run(&[flag, "acme-audit"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("note: {flag} has no effect")), "{}", ran.stderr);
    }
}

#[test]
fn commands_of_the_documentation_work() {
    let mut commands = 0;
    for file in ["README.md", "docs/aws-role.md"] {
        let text = std::fs::read_to_string(repository(file)).unwrap().replace("\\\n", " ");
        let lines = text.lines().filter_map(|line| line.strip_prefix("iam-stocktake iam-policy"));
        for line in lines.filter(|line| !line.contains('…')) {
            let command = line.split(['#', '>']).next().unwrap();
            print(&command.split_whitespace().collect::<Vec<_>>());
            commands += 1;
        }
    }
    assert_eq!(commands, 6);
}
