//! The printed IAM policies compared with the calls of a run: calls outside the policy are denied,
//! and each allowed action is used.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::world::{ALLOWLIST, World};
use stand_ins::aws::{Account, Call, Seed, StandIn, request};
use stand_ins::sandbox::Ran;

/// An allowlist with these remediation settings.
fn allowlist(keys: &[&str]) -> String {
    let keys: String = keys.iter().map(|key| format!("  {key}\n")).collect();
    format!(
        "version: 1\nremediation:\n  paths: [\"/*\"]\n  max_share: 100\n  max_changes: 100\n  \
         max_gap_days: 60\n{keys}"
    )
}

const DELETE: &str = "delete_after_days: 30";
const PASSWORDS: &str = "delete_passwords: true";
const USERS: &str = "delete_users: true";
const OLD: &str = "rules: [stale-password, stale-access-key, old-service-credential, \
                   inactive-access-key, user-without-credentials]";

/// A user with everything, a user who becomes active again, a user whose deactivation is undone,
/// and a user without findings.
fn all_users() -> Value {
    let stale = json!([{"created": 800, "last_used": 200}]);
    json!([
        {"name": "whole", "path": "/ci/", "created": 900,
         "password": {"changed": 800, "last_used": 700},
         "keys": [{"created": 800, "last_used": 200}, {"created": 700}],
         "ssh_keys": [{"created": 300}], "certificates": [{"created": 300}],
         "service_credentials": [{"created": 300}],
         "mfa": ["GAHT12345678", "mfa/people/phone"], "groups": ["admins", "/teams/web"],
         "inline_policies": ["inline"], "attached_policies": ["team-web"], "boundary": "edge"},
        {"name": "back", "created": 900, "keys": stale.clone()},
        {"name": "undone", "created": 900, "keys": stale},
        {"name": "alice", "created": 900, "keys": [{"created": 60, "last_used": 1}]},
    ])
}

/// The printed IAM policy for a role.
fn printed_policy(world: &World, role: &str) -> Value {
    let account = world.account.id();
    let ran = world.sandbox.run(&[
        "iam-policy",
        "--allowlist",
        "allow.yml",
        "--remediate",
        role,
        "--account",
        account,
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Each action of a policy with its resource.
fn allowed(policy: &Value) -> Vec<(String, String)> {
    let statements = policy["Statement"].as_array().unwrap().iter();
    let of = |statement: &Value| {
        let resource = statement["Resource"].as_str().unwrap().to_owned();
        let actions = statement["Action"].as_array().unwrap().clone().into_iter();
        actions.map(move |it| (it.as_str().unwrap().to_owned(), resource.clone()))
    };
    statements.flat_map(of).collect()
}

/// The calls that need a permission.
fn calls(account: &Account) -> Vec<Call> {
    account.log().into_iter().filter(|call| call.service == "iam").collect()
}

fn denied(account: &Account) -> Vec<String> {
    let calls = account.log().into_iter().filter(|call| call.status == 403);
    calls.map(|call| call.name()).collect()
}

/// Asserts that no call was denied, that the policy allows each call, and that each action of the
/// policy was called.
#[track_caller]
fn assert_policy_matches_calls(account: &Account, policy: &Value, case: &str) {
    assert_eq!(denied(account), [""; 0], "{case}");
    let allowed = allowed(policy);
    let calls = calls(account);
    for call in &calls {
        let is_within = allowed.iter().any(|(action, resource)| {
            let beginning = resource.strip_suffix('*').unwrap();
            *action == call.name() && call.resource.starts_with(beginning)
        });
        assert!(is_within, "{case}: {} on {}", call.name(), call.resource);
    }
    let made: BTreeSet<String> = calls.iter().map(Call::name).collect();
    let granted: BTreeSet<String> = allowed.into_iter().map(|(action, _)| action).collect();
    assert_eq!(made, granted, "{case}");
}

/// Runs all stages that the role allows.
fn run_all_stages(world: &World, role: &str) {
    let apply = |day| {
        let run = world.run(day, &["--apply", "--stage", role]);
        assert_eq!(run.code, 0, "{role}, day {day}: {}{}", run.stdout, run.stderr);
    };
    let plan = |day| {
        let run = world.plan(day);
        assert_eq!(run.code, 0, "{role}, day {day}: {}{}", run.stdout, run.stderr);
        assert!(run.plan["digest"].is_string(), "{role}, day {day}: {}", run.plan);
    };
    plan(0.0);
    if role == "plan" {
        return;
    }
    apply(0.0);
    world.set_day(1.0);
    world.account.change(json!([{"use_key": {"user": "back", "at": 0}}]));
    apply(2.0);
    assert_eq!(world.tags("back"), [""; 0], "{role}");
    plan(14.0);
    apply(14.0);
    if role == "notify" {
        return;
    }
    assert_eq!(world.key_statuses("undone"), ["Inactive"], "{role}");
    let undo = ["--undo", "--user", "undone", "--apply"];
    let undone = world.run(15.0, &undo);
    assert_eq!(undone.code, 0, "{role}: {}{}", undone.stdout, undone.stderr);
    assert_eq!(world.key_statuses("undone"), ["Active"], "{role}");
    apply(15.0);
    apply(44.0);
    apply(46.0);
}

/// Asserts that the policy of a role allows exactly the calls of its runs.
#[track_caller]
fn assert_least_privilege(role: &str, keys: &[&str]) {
    let world = World::new(&allowlist(keys), all_users());
    let policy = printed_policy(&world, role);
    world.account.policy(policy.clone());
    world.account.reset_log();
    run_all_stages(&world, role);
    let case = format!("{role} with {keys:?}");
    assert_policy_matches_calls(&world.account, &policy, &case);
    let is_gone = world.user("whole").is_null();
    assert_eq!(is_gone, role == "delete" && keys.contains(&USERS), "{case}");
    assert_eq!(world.key_statuses("alice"), ["Active"], "{case}");
}

#[test]
fn plan_role_only_reads() {
    assert_least_privilege("plan", &[]);
    assert_least_privilege("plan", &[DELETE, USERS]);
}

#[test]
fn notify_role_only_sets_tags() {
    assert_least_privilege("notify", &[]);
    assert_least_privilege("notify", &[DELETE, PASSWORDS, USERS]);
}

#[test]
fn deactivate_role_only_deactivates_and_undoes() {
    assert_least_privilege("deactivate", &[]);
    assert_least_privilege("deactivate", &[PASSWORDS]);
    assert_least_privilege("deactivate", &[OLD]);
    assert_least_privilege("deactivate", &[DELETE, PASSWORDS, USERS, OLD]);
}

#[test]
fn delete_role_deletes_only_what_the_allowlist_allows() {
    assert_least_privilege("delete", &[]);
    assert_least_privilege("delete", &[DELETE]);
    assert_least_privilege("delete", &[DELETE, PASSWORDS]);
    assert_least_privilege("delete", &[DELETE, OLD]);
}

#[test]
fn delete_role_deletes_users_if_the_allowlist_allows_it() {
    assert_least_privilege("delete", &[DELETE, USERS, OLD]);
    assert_least_privilege("delete", &[DELETE, PASSWORDS, USERS, OLD]);
}

#[test]
fn hub_role_only_assumes_the_member_roles() {
    let member = World::new(&allowlist(&[]), all_users());
    let hub = StandIn::shared().account(Seed::empty());
    let of_hub = member.sandbox.run(&[
        "iam-policy",
        "--allowlist",
        "allow.yml",
        "--remediate",
        "deactivate",
        "--account",
        hub.id(),
        "--accounts",
        member.account.id(),
        "--member-role-name",
        "audit",
    ]);
    let of_hub: Value = serde_json::from_str(&of_hub.stdout).unwrap();
    let statement = &of_hub["Statement"][0];
    assert_eq!(of_hub["Statement"].as_array().unwrap().len(), 1, "{of_hub}");
    assert_eq!(statement["Action"], json!(["sts:AssumeRole"]));
    assert_eq!(statement["Resource"], json!([member.account.role_arn()]));
    hub.policy(of_hub);
    member.account.policy(printed_policy(&member, "deactivate"));
    member.account.reset_log();
    for day in [0.0, 14.0] {
        let mut command = member.command(
            day,
            &[
                "--apply",
                "--role-to-assume",
                hub.role_arn(),
                "--accounts",
                member.account.id(),
                "--member-role-name",
                "audit",
            ],
        );
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            command.env_remove(name);
        }
        let ran = Ran::from(command.envs(hub.oidc_environment()).output().unwrap());
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
    assert_eq!(member.key_statuses("undone"), ["Inactive"]);
    assert_eq!((denied(&hub), denied(&member.account)), (vec![], vec![]));
}

/// Sends a call with the credentials of the role. Returns the status and the error code, if any.
fn send(account: &Account, fields: &str) -> (u16, String) {
    let environment = account.environment();
    let of = |name: &str| environment.iter().find(|(it, _)| it == name).unwrap().1.clone();
    let scope = format!("{}/20300101/us-east-1/iam/aws4_request", of("AWS_ACCESS_KEY_ID"));
    let authorization = format!("AWS4-HMAC-SHA256 Credential={scope}, Signature=0");
    let token = of("AWS_SESSION_TOKEN");
    let headers = [("Authorization", &*authorization), ("X-Amz-Security-Token", &token)];
    let port = account.endpoint().rsplit(':').next().unwrap().parse().unwrap();
    let form = format!("{fields}&Version=2010-05-08");
    let (status, body) = request(port, "POST /", &headers, form.as_bytes());
    let body = String::from_utf8(body).unwrap();
    let code = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    (status, code.map_or(String::new(), |(code, _)| code.to_owned()))
}

/// The forms of a call that sets tags with these keys, and of a call that removes them.
fn tagging(keys: &[&str]) -> [String; 2] {
    let numbered = |field: &dyn Fn(usize, &str) -> String| -> String {
        keys.iter()
            .enumerate()
            .map(|(place, key)| field(place + 1, &key.replace(':', "%3A")))
            .collect()
    };
    let set = numbered(&|n, key| format!("&Tags.member.{n}.Key={key}&Tags.member.{n}.Value=x"));
    let take = numbered(&|n, key| format!("&TagKeys.member.{n}={key}"));
    [
        format!("Action=TagUser&UserName=whole{set}"),
        format!("Action=UntagUser&UserName=whole{take}"),
    ]
}

#[test]
fn roles_cannot_change_other_tags() {
    let world = World::new(&allowlist(&[DELETE, PASSWORDS, USERS]), all_users());
    let account = &world.account;
    account.change(json!([{"tag_user": {"user": "whole", "tags": {"owner": "team-web"}}}]));
    let ours = "iam-stocktake:user";
    let done = (200, String::new());
    let refused = (403, "AccessDenied".to_owned());
    for role in ["notify", "deactivate", "delete"] {
        account.policy(printed_policy(&world, role));
        for keys in [
            &["owner"][..],
            &[ours, "owner"],
            &["owner", ours],
            &["iam-stocktake"],
            &["IAM-Stocktake:user"],
            &["x-iam-stocktake:user"],
            // An empty list of keys matches any condition on all keys.
            &[],
        ] {
            for call in tagging(keys) {
                assert_eq!(send(account, &call), refused, "{role}: {call}");
            }
        }
        assert_eq!(world.user("whole")["tags"], json!({"owner": "team-web"}));
        for call in tagging(&[ours]) {
            assert_eq!(send(account, &call), done, "{role}: {call}");
        }
        let role_of_ours = "Action=TagRole&RoleName=audit&Tags.member.1.Key=iam-stocktake%3Auser\
                            &Tags.member.1.Value=x";
        assert_eq!(send(account, role_of_ours), refused, "{role}");
    }
    account.policy(printed_policy(&world, "plan"));
    for call in tagging(&[ours]) {
        assert_eq!(send(account, &call), refused, "{call}");
    }
}

/// An account with one stale key.
fn one_key() -> World {
    let key = json!({"created": 300, "last_used": 200});
    World::new(ALLOWLIST, json!([{"name": "ci-deploy", "created": 400, "keys": [key]}]))
}

#[test]
fn role_of_a_stage_cannot_run_the_next_stage() {
    let world = one_key();
    for (role, day, refused) in [
        ("plan", 0.0, "iam:TagUser"),
        ("notify", 14.0, "iam:UpdateAccessKey"),
        ("deactivate", 44.0, "iam:DeleteAccessKey"),
    ] {
        world.account.policy(printed_policy(&world, role));
        world.account.reset_log();
        let before = world.user("ci-deploy");
        let run = world.run(day, &["--apply"]);
        assert_eq!(run.code, 4, "{role}: {}{}", run.stdout, run.stderr);
        assert_eq!(denied(&world.account), [refused], "{role}");
        assert_eq!(world.writes(), [refused], "{role}");
        let output = format!("{}{}", run.stdout, run.stderr);
        assert!(output.contains(&format!("{refused} failed")), "{role}: {output}");
        assert_eq!(world.user("ci-deploy"), before, "{role}");
        let failed = world.journal().into_iter().rfind(|line| line["event"] == "failed").unwrap();
        assert_eq!(failed["refused"], true, "{role}: {failed}");

        // A run with the role of the stage continues.
        world.account.policy(Value::Null);
        world.apply(day);
        assert_ne!(world.user("ci-deploy"), before, "{role}");
    }
    assert_eq!(world.key_statuses("ci-deploy"), [""; 0]);
}

#[test]
fn older_delete_role_deletes_no_users() {
    let world = World::new(&allowlist(&[DELETE, PASSWORDS]), all_users());
    for day in [0.0, 14.0, 15.0] {
        world.apply(day);
    }
    let policy = printed_policy(&world, "delete");
    world.allow(&allowlist(&[DELETE, PASSWORDS, USERS]));
    world.account.policy(policy);
    let before = world.user("whole");
    for day in [44.0, 75.0] {
        let run = world.run(day, &["--apply"]);
        // Without permissions for groups and policies, the data about the user is incomplete.
        assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
        let output = format!("{}{}", run.stdout, run.stderr);
        assert!(output.contains("whole: evidence is missing: iam:List"), "{output}");
        assert_eq!(world.user("whole"), before);
    }
}

#[test]
fn open_step_is_resolved_with_the_permissions_of_its_stage() {
    let world = one_key();
    world.account.policy(printed_policy(&world, "notify"));
    world.apply(0.0);
    // The run was interrupted before it recorded the result.
    let journal = world.sandbox.read("iam-stocktake-journal.jsonl");
    let lines: Vec<&str> = journal.lines().collect();
    let first_begin = lines.iter().position(|line| line.contains("\"begin\"")).unwrap();
    let cut: String = lines[..=first_begin].iter().map(|line| format!("{line}\n")).collect();
    world.sandbox.file("iam-stocktake-journal.jsonl", cut);
    world.account.reset_log();
    let run = world.run(1.0, &["--apply", "--stage", "notify"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(denied(&world.account), [""; 0]);
    let resolved = world.journal().into_iter().find(|line| line["event"] == "settled").unwrap();
    assert_eq!(resolved["done"], true, "{resolved}");
}
