//! The printed policies of the remedy's roles against the calls that are made: whatever they do not
//! allow is denied, and whatever they allow is called.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::world::{ALLOWLIST, World};
use stand_ins::aws::{Account, Call, Seed, StandIn, request};
use stand_ins::sandbox::Ran;

/// An allowlist that goes as far as these keys say.
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

/// A user who has everything, one who comes back, one whose deactivation is undone, and one whom
/// nobody has anything against.
fn everybody() -> Value {
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

/// The policy of a role in the account of a world, by its allowlist.
fn printed(world: &World, role: &str) -> Value {
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

/// Every action of a policy, with the one resource that it is allowed on.
fn allowed(policy: &Value) -> Vec<(String, String)> {
    let statements = policy["Statement"].as_array().unwrap().iter();
    let of = |statement: &Value| {
        let resource = statement["Resource"].as_str().unwrap().to_owned();
        let actions = statement["Action"].as_array().unwrap().clone().into_iter();
        actions.map(move |it| (it.as_str().unwrap().to_owned(), resource.clone()))
    };
    statements.flat_map(of).collect()
}

/// The calls of an account that need a permission.
fn calls(account: &Account) -> Vec<Call> {
    account.log().into_iter().filter(|call| call.service == "iam").collect()
}

fn denied(account: &Account) -> Vec<String> {
    let calls = account.log().into_iter().filter(|call| call.status == 403);
    calls.map(|call| call.name()).collect()
}

/// Checks that nothing was denied, that each call is within the policy by its action and its
/// resource, and that each action of the policy was called.
#[track_caller]
fn assert_just(account: &Account, policy: &Value, case: &str) {
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

/// Lives through all days under the role's policy, as far as the role goes.
fn live(world: &World, role: &str) {
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
    let undo = ["--undo", "iam-stocktake-journal.jsonl", "--user", "undone", "--apply"];
    let undone = world.run(15.0, &undo);
    assert_eq!(undone.code, 0, "{role}: {}{}", undone.stdout, undone.stderr);
    assert_eq!(world.key_statuses("undone"), ["Active"], "{role}");
    apply(15.0);
    apply(44.0);
    apply(46.0);
}

/// Checks that a role's policy is just what its runs call, by an allowlist with these keys.
#[track_caller]
fn assert_least(role: &str, keys: &[&str]) {
    let world = World::new(&allowlist(keys), everybody());
    let policy = printed(&world, role);
    world.account.policy(policy.clone());
    world.account.reset_log();
    live(&world, role);
    let case = format!("{role} with {keys:?}");
    assert_just(&world.account, &policy, &case);
    let is_gone = world.user("whole").is_null();
    assert_eq!(is_gone, role == "delete" && keys.contains(&USERS), "{case}");
    assert_eq!(world.key_statuses("alice"), ["Active"], "{case}");
}

#[test]
fn the_role_that_plans_may_just_look() {
    assert_least("plan", &[]);
    assert_least("plan", &[DELETE, USERS]);
}

#[test]
fn the_role_that_gives_notice_may_do_just_that() {
    assert_least("notify", &[]);
    assert_least("notify", &[DELETE, PASSWORDS, USERS]);
}

#[test]
fn the_role_that_deactivates_may_do_just_that_and_undo_it() {
    assert_least("deactivate", &[]);
    assert_least("deactivate", &[PASSWORDS]);
    assert_least("deactivate", &[OLD]);
    assert_least("deactivate", &[DELETE, PASSWORDS, USERS, OLD]);
}

#[test]
fn the_role_that_deletes_may_delete_just_what_the_allowlist_says() {
    assert_least("delete", &[]);
    assert_least("delete", &[DELETE]);
    assert_least("delete", &[DELETE, PASSWORDS]);
    assert_least("delete", &[DELETE, OLD]);
}

#[test]
fn the_role_that_deletes_whole_users_may_do_just_that() {
    assert_least("delete", &[DELETE, USERS, OLD]);
    assert_least("delete", &[DELETE, PASSWORDS, USERS, OLD]);
}

#[test]
fn a_hub_needs_to_assume_the_members_and_nothing_else() {
    let member = World::new(&allowlist(&[]), everybody());
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
    member.account.policy(printed(&member, "deactivate"));
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

/// Sends a call of the account's role, with a form's fields; gives the status and the code of the
/// error, if it is one.
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

/// The fields of a call that sets tags of these keys, and of one that takes them away.
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
fn tags_other_than_ours_are_refused() {
    let world = World::new(&allowlist(&[DELETE, PASSWORDS, USERS]), everybody());
    let account = &world.account;
    account.change(json!([{"tag_user": {"user": "whole", "tags": {"owner": "team-web"}}}]));
    let ours = "iam-stocktake:user";
    let done = (200, String::new());
    let refused = (403, "AccessDenied".to_owned());
    for role in ["notify", "deactivate", "delete"] {
        account.policy(printed(&world, role));
        for keys in [
            &["owner"][..],
            &[ours, "owner"],
            &["owner", ours],
            &["iam-stocktake"],
            &["IAM-Stocktake:user"],
            &["x-iam-stocktake:user"],
            // Of no keys at all it is true that all are ours.
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
    account.policy(printed(&world, "plan"));
    for call in tagging(&[ours]) {
        assert_eq!(send(account, &call), refused, "{call}");
    }
}

/// A world with one stale key, of which what a run changes is easily told.
fn one_key() -> World {
    let key = json!({"created": 300, "last_used": 200});
    World::new(ALLOWLIST, json!([{"name": "ci-deploy", "created": 400, "keys": [key]}]))
}

#[test]
fn the_policy_of_a_stage_refuses_the_next_stage_and_nothing_is_half_done() {
    let world = one_key();
    for (role, day, refused) in [
        ("plan", 0.0, "iam:TagUser"),
        ("notify", 14.0, "iam:UpdateAccessKey"),
        ("deactivate", 44.0, "iam:DeleteAccessKey"),
    ] {
        world.account.policy(printed(&world, role));
        world.account.reset_log();
        let before = world.user("ci-deploy");
        let run = world.run(day, &["--apply"]);
        assert_eq!(run.code, 4, "{role}: {}{}", run.stdout, run.stderr);
        assert_eq!(denied(&world.account), [refused], "{role}");
        assert_eq!(world.writes(), [refused], "{role}");
        let told = format!("{}{}", run.stdout, run.stderr);
        assert!(told.contains(&format!("{refused} failed")), "{role}: {told}");
        assert_eq!(world.user("ci-deploy"), before, "{role}");
        let failed = world.journal().into_iter().rfind(|line| line["event"] == "failed").unwrap();
        assert_eq!(failed["refused"], true, "{role}: {failed}");

        // With a role of the stage it goes on where it was.
        world.account.policy(Value::Null);
        world.apply(day);
        assert_ne!(world.user("ci-deploy"), before, "{role}");
    }
    assert_eq!(world.key_statuses("ci-deploy"), [""; 0]);
}

#[test]
fn a_role_from_before_users_were_to_be_deleted_deletes_none() {
    let world = World::new(&allowlist(&[DELETE, PASSWORDS]), everybody());
    for day in [0.0, 14.0, 15.0] {
        world.apply(day);
    }
    let policy = printed(&world, "delete");
    world.allow(&allowlist(&[DELETE, PASSWORDS, USERS]));
    world.account.policy(policy);
    let before = world.user("whole");
    for day in [44.0, 75.0] {
        let run = world.run(day, &["--apply"]);
        // A user whose groups and policies cannot be seen is not seen whole.
        assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
        let told = format!("{}{}", run.stdout, run.stderr);
        assert!(told.contains("whole: evidence is missing: iam:List"), "{told}");
        assert_eq!(world.user("whole"), before);
    }
}

#[test]
fn an_open_step_is_settled_by_what_its_own_stage_may_see() {
    let world = one_key();
    world.account.policy(printed(&world, "notify"));
    world.apply(0.0);
    // The run was cut off before the answer was written down.
    let journal = world.sandbox.read("iam-stocktake-journal.jsonl");
    let lines: Vec<&str> = journal.lines().collect();
    let begun = lines.iter().position(|line| line.contains("\"begin\"")).unwrap();
    let cut: String = lines[..=begun].iter().map(|line| format!("{line}\n")).collect();
    world.sandbox.file("iam-stocktake-journal.jsonl", cut);
    world.account.reset_log();
    let run = world.run(1.0, &["--apply", "--stage", "notify"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(denied(&world.account), [""; 0]);
    let settled = world.journal().into_iter().find(|line| line["event"] == "settled").unwrap();
    assert_eq!(settled["done"], true, "{settled}");
}
