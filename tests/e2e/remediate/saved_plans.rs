//! Saved plans: exactly the plan that was reviewed is applied.

use serde_json::{Value, json};

use super::skips::{key_of, stale};
use super::world::{ALLOWLIST, Run, World};

const SAVED: [&str; 3] = ["--apply", "--plan", "plan.json"];

/// Two users whose keys are due on day 14, and the saved plan of that day.
fn planned() -> (World, Run) {
    let world = stale(&["anna", "bert"]);
    world.apply(0.0);
    let planned = world.plan(14.0);
    assert_eq!(planned.code, 0, "{}", planned.stderr);
    world.account.reset_log();
    (world, planned)
}

/// Replaces the saved plan.
fn replace(world: &World, plan: &Value) {
    world.sandbox.file("plan.json", plan.to_string());
}

fn digest(run: &Run) -> String {
    run.plan["digest"].as_str().unwrap().to_owned()
}

/// Asserts that a run was refused before any AWS call.
#[track_caller]
fn assert_refused(world: &World, run: &Run, message: &str) {
    assert_eq!(run.code, 2, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(message), "{message}: {}", run.stderr);
    assert_eq!(world.account.log().len(), 0);
}

#[test]
fn saved_plan_is_applied_with_and_without_its_digest() {
    for with_digest in [false, true] {
        let (world, planned) = planned();
        let digest = digest(&planned).to_ascii_uppercase();
        let digest = ["--plan-digest", &digest];
        let arguments = [&SAVED[..], if with_digest { &digest[..] } else { &[] }].concat();
        let run = world.run(14.0, &arguments);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        assert_eq!(world.key_statuses("anna"), ["Inactive"]);
        assert_eq!(world.key_statuses("bert"), ["Inactive"]);
        let journal = world.journal();
        let last = journal.iter().rfind(|it| it["event"] == "run").unwrap();
        assert_eq!(last["plan"], planned.plan["digest"]);
    }
}

#[test]
fn printed_plan_is_the_saved_plan() {
    let (world, planned) = planned();
    assert!(planned.stdout.contains(&digest(&planned)), "{}", planned.stdout);
    for name in ["anna", "bert"] {
        let key = key_of(&world, name);
        let line = format!("{name}, access key …{}: deactivate", &key[16..]);
        assert!(planned.stdout.contains(&line), "{}", planned.stdout);
    }
    let printed = world.run(14.0, &["--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&printed.stdout).unwrap(), planned.plan);
    assert_eq!(world.writes(), [""; 0]);
}

#[test]
fn changed_plan_is_refused() {
    type Tampering = fn(&mut Value);
    let cases: [(&str, Tampering); 8] = [
        ("a change removed", |it| drop(it["plan"]["changes"].as_array_mut().unwrap().pop())),
        ("a change added", |it| {
            let changes = it["plan"]["changes"].as_array_mut().unwrap();
            let mut more = changes[0].clone();
            more["user"] = json!("carl");
            changes.push(more);
        }),
        ("another user", |it| it["plan"]["changes"][0]["user"] = json!("carl")),
        ("another user's id", |it| it["plan"]["changes"][0]["user_id"] = json!("AIDACARL")),
        ("another change", |it| it["plan"]["changes"][0]["act"] = json!("delete-credential")),
        ("another fact", |it| it["plan"]["changes"][0]["facts"]["active"] = json!(false)),
        ("another stage", |it| it["stage"] = json!("deactivate")),
        ("another day", |it| it["made_at"] = json!("2030-01-01T00:00:00Z")),
    ];
    let (world, planned) = planned();
    for (what, tamper) in cases {
        let mut plan = planned.plan.clone();
        tamper(&mut plan);
        assert_ne!(plan, planned.plan, "{what}");
        replace(&world, &plan);
        let run = world.run(14.0, &SAVED);
        assert_refused(&world, &run, "plan.json: the plan was changed after it was created");
    }
    // The original plan can be applied.
    replace(&world, &planned.plan);
    assert_eq!(world.run(14.0, &SAVED).code, 0);
}

#[test]
fn plan_with_another_digest_is_refused() {
    let (world, approved) = planned();
    world.account.change(json!([{"use_key": {"user": "bert", "at": 0}}]));
    let other = world.plan(14.0);
    assert_ne!(digest(&other), digest(&approved));
    world.account.reset_log();
    let approved = digest(&approved);
    let arguments = [&SAVED[..], &["--plan-digest", &approved]].concat();
    let run = world.run(14.0, &arguments);
    assert_refused(&world, &run, &format!("{approved} was requested"));
}

#[test]
fn invalid_plan_is_refused() {
    let (world, planned) = planned();
    let with = |key: &str, value: Value| {
        let mut plan = planned.plan.clone();
        plan[key] = value;
        plan.to_string()
    };
    for (text, message) in [
        (String::new(), "the plan is not valid: "),
        ("{}".to_owned(), "the plan is not valid: missing field `schema`"),
        (planned.plan.to_string()[..500].to_owned(), "the plan is not valid: "),
        (with("schema", json!("iam-stocktake/remediation-plan/v2")), "the plan has the schema `"),
        (with("more", json!(1)), "the plan is not valid: unknown field `more`"),
    ] {
        world.sandbox.file("other.json", &text);
        let run = world.run(14.0, &["--apply", "--plan", "other.json"]);
        assert_refused(&world, &run, message);
    }
    std::fs::remove_file(world.sandbox.path("other.json")).unwrap();
    let run = world.run(14.0, &["--apply", "--plan", "other.json"]);
    assert_refused(&world, &run, "the plan cannot be read: ");
}

#[test]
fn conflicting_arguments_are_refused() {
    let (world, planned) = planned();
    let digest = digest(&planned);
    for arguments in [
        &["--plan", "plan.json"][..],
        &["--apply", "--plan", "plan.json", "--stage", "notify"],
        &["--apply", "--plan", "plan.json", "--audit", "audit.json"],
        &["--apply", "--plan-digest", &digest],
        &["--apply", "--plan", "plan.json", "--plan-digest", "abc"],
    ] {
        let run = world.run(14.0, arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert_eq!(world.account.log().len(), 0);
    }
}

#[test]
fn outdated_plan_is_refused() {
    let key = json!({"created": 300, "last_used": 200});
    for (what, changes) in [
        ("key used", json!([{"use_key": {"user": "bert", "at": 0}}])),
        ("key deactivated", json!([{"set_key_status": {"user": "bert", "status": "Inactive"}}])),
        ("key deleted", json!([{"delete_key": {"user": "bert"}}])),
        (
            "user created again",
            json!([
                {"delete_user": {"user": "bert"}},
                {"create_user": {"name": "bert", "created": 400, "keys": [key]}},
            ]),
        ),
        ("user deleted", json!([{"delete_user": {"user": "bert"}}])),
        ("owner changed", json!([{"tag_user": {"user": "bert", "tags": {"owner": "mail"}}}])),
        ("path changed", json!([{"rename_user": {"user": "bert", "path": "/ci/"}}])),
    ] {
        let (world, _) = planned();
        world.account.change(changes);
        let run = world.run(14.0, &SAVED);
        assert_outdated(&world, &run, what);
    }
}

#[track_caller]
fn assert_outdated(world: &World, run: &Run, what: &str) {
    assert_eq!(run.code, 4, "{what}: {}{}", run.stdout, run.stderr);
    let message = "the plan is outdated: account ";
    assert!(run.stderr.contains(message) && run.stderr.contains("bert"), "{what}: {}", run.stderr);
    assert_eq!(world.writes(), [""; 0], "{what}");
    assert_eq!(world.key_statuses("anna"), ["Active"], "{what}");
}

#[test]
fn plan_is_refused_after_changes_to_tags_exemptions_or_policy() {
    let (world, _) = planned();
    let tag = format!("iam-stocktake:access-key:{}", key_of(&world, "bert"));
    world.account.change(json!([{"untag_user": {"user": "bert", "keys": [tag]}}]));
    assert_outdated(&world, &world.run(14.0, &SAVED), "tag removed");

    let (world, _) = planned();
    let until = world.at(30.0).date_naive();
    let exemption =
        format!("exemptions:\n  - {{user: bert, reason: r, owner: o, expires: {until}}}\n");
    world.allow(&format!("{ALLOWLIST}{exemption}"));
    assert_outdated(&world, &world.run(14.0, &SAVED), "exemption added");

    let (world, _) = planned();
    world.allow(&ALLOWLIST.replace("delete_after", "deactivate_after_days: 15\n  delete_after"));
    assert_outdated(&world, &world.run(14.0, &SAVED), "policy with more days");
}

#[test]
fn plan_is_refused_after_a_password_change() {
    let password = json!({"changed": 400, "last_used": 200});
    let allowlist = ALLOWLIST.replace("delete_after", "delete_passwords: true\n  delete_after");
    let world = World::new(&allowlist, json!([{"name": "bert", "password": password}]));
    world.apply(0.0);
    world.plan(14.0);
    world.account.change(json!([{"set_password": {"user": "bert", "changed": 0}}]));
    world.account.reset_log();
    let run = world.run(14.0, &SAVED);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("the plan is outdated: account "), "{}", run.stderr);
    assert_eq!(world.writes(), [""; 0]);
    assert!(world.user("bert")["password"].as_bool().unwrap());
}

#[test]
fn plan_is_applied_if_only_its_notices_are_outdated() {
    let world = stale(&["anna"]);
    world.apply(0.0);
    let dora = json!({"name": "dora", "keys": [{"created": 300, "last_used": 200}]});
    world.account.change(json!([{"create_user": dora}]));
    world.plan(14.0);
    world.account.change(json!([{"use_key": {"user": "dora", "at": 0}}]));
    let run = world.run(14.0, &SAVED);
    // A notice that is no longer needed is reported, and does not fail the run.
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("Not changed, because the plan is outdated:"), "{}", run.stdout);
    assert_eq!(world.key_statuses("anna"), ["Inactive"]);
    assert_eq!(world.tags("dora"), [""; 0]);
}

#[test]
fn plan_is_applied_after_another_run_updates_a_tag() {
    let world = stale(&["anna"]);
    world.allow(&ALLOWLIST.replace("max_gap_days: 60", "max_gap_days: 28"));
    world.apply(0.0);
    assert_eq!(world.plan(14.0).code, 0);
    world.account.reset_log();
    assert_eq!(world.run(15.0, &["--apply", "--stage", "notify"]).code, 0);
    assert_eq!(world.writes(), ["iam:TagUser"]);
    let run = world.run(16.0, &SAVED);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(world.key_statuses("anna"), ["Inactive"]);
}

#[test]
fn days_of_a_plan_count_from_when_it_is_applied() {
    let (world, _) = planned();
    let run = world.run(20.0, &SAVED);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(world.key_statuses("anna"), ["Inactive"]);
    let [tag] = &world.tags("anna")[..] else { panic!() };
    assert!(tag.contains(&format!(" deactivated since={}", world.written(20.0))), "{tag}");
}

#[test]
fn expired_or_future_plan_is_refused() {
    let (world, _) = planned();
    for (day, message) in [
        (21.01, "plan.json: the plan has expired: it was created on "),
        (300.0, "and a plan is valid for 7 days"),
        (13.9, "plan.json: the plan was created in the future, on "),
    ] {
        assert_refused(&world, &world.run(day, &SAVED), message);
    }
    let run = world.run(20.99, &SAVED);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(world.key_statuses("anna"), ["Inactive"]);
}

#[test]
fn changes_that_are_not_in_the_plan_are_not_made() {
    let (world, _) = planned();
    let late = json!({"name": "late", "keys": [{"created": 300, "last_used": 200}]});
    world.account.change(json!([{"create_user": late}]));
    let run = world.run(14.0, &SAVED);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(world.tags("late"), [""; 0]);
}

#[test]
fn plan_cannot_be_applied_twice() {
    let (world, _) = planned();
    assert_eq!(world.run(14.0, &SAVED).code, 0);
    world.account.reset_log();
    let run = world.run(14.0, &SAVED);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("the plan is outdated: account "), "{}", run.stderr);
    assert_eq!(world.writes(), [""; 0]);
}
