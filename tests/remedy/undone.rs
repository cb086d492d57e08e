//! Undoing by the journal: what was deactivated is active again, and what cannot come back is named.

use serde_json::json;

use super::life::{of_all_kinds, stale, statuses};
use super::world::{ALLOWLIST, Run, World};

const UNDO: [&str; 2] = ["--undo", "iam-stocktake-journal.jsonl"];

/// Undoes on a day; it must be done whole.
fn undo(world: &World, day: f64, more: &[&str]) -> Run {
    let run = world.run(day, &[&UNDO, more].concat());
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    run
}

#[test]
fn credentials_of_all_kinds_are_active_again_and_their_clocks_start_anew() {
    let world = of_all_kinds(ALLOWLIST);
    world.apply(0.0);
    world.apply(14.0);
    undo(&world, 20.0, &["--apply"]);
    assert_eq!(statuses(&world, "robot"), ["Active"; 4]);
    assert_eq!(world.tags("robot"), [""; 0]);

    let run = world.apply(21.0);
    assert_eq!(run.stdout.matches("give notice (").count(), 4, "{}", run.stdout);
    world.apply(34.9);
    assert_eq!(statuses(&world, "robot"), ["Active"; 4]);
    world.apply(35.0);
    assert_eq!(statuses(&world, "robot"), ["Inactive"; 4]);
    // What was deactivated again can be undone again.
    undo(&world, 36.0, &["--apply"]);
    assert_eq!(statuses(&world, "robot"), ["Active"; 4]);
}

#[test]
fn without_apply_it_is_only_said() {
    let world = stale();
    world.apply(0.0);
    world.apply(14.0);
    let before = world.journal();
    world.account.reset_log();
    let run = undo(&world, 15.0, &[]);
    assert!(run.stdout.contains("To be done:\n"), "{}", run.stdout);
    assert!(run.stdout.contains(": activate\n"), "{}", run.stdout);
    assert!(run.stderr.contains("nothing was changed: add --apply"), "{}", run.stderr);
    assert_eq!(world.writes(), [""; 0]);
    assert_eq!(world.journal(), before);
    assert_eq!(world.key_statuses("ci-deploy"), ["Inactive"]);
}

#[test]
fn a_second_undoing_finds_nothing_to_do() {
    let world = stale();
    world.apply(0.0);
    world.apply(14.0);
    undo(&world, 15.0, &["--apply"]);
    world.account.reset_log();
    let run = undo(&world, 16.0, &["--apply"]);
    assert_eq!(run.stdout, "Nothing is to be undone.\n");
    assert_eq!(world.writes(), [""; 0]);
}

#[test]
fn one_user_is_undone_and_another_is_not() {
    let key = json!([{"created": 300, "last_used": 200}]);
    let world = World::new(
        ALLOWLIST,
        json!([
            {"name": "one", "created": 400, "keys": key},
            {"name": "other", "created": 400, "keys": key},
        ]),
    );
    world.apply(0.0);
    world.apply(14.0);
    undo(&world, 15.0, &["--user", "One", "--apply"]);
    assert_eq!(world.key_statuses("one"), ["Active"]);
    assert_eq!(world.key_statuses("other"), ["Inactive"]);
}

#[test]
fn what_cannot_come_back_is_named() {
    let world = World::new(
        &format!("{ALLOWLIST}  delete_passwords: true\n"),
        json!([{
            "name": "bob", "created": 400,
            "password": {"changed": 300, "last_used": 200},
            "keys": [{"created": 300, "last_used": 200}],
        }]),
    );
    world.apply(0.0);
    world.apply(14.0);
    let told = undo(&world, 15.0, &[]).stdout;
    let (account, keys) = (world.account.id(), world.user("bob")["keys"].clone());
    assert!(
        told.contains(&format!("Deleted, and cannot come back:\n  {account} bob, password\n")),
        "{told}"
    );
    world.apply(44.0);
    let told = undo(&world, 45.0, &["--apply"]).stdout;
    let ending = keys[0]["id"].as_str().unwrap().split_at(16).1;
    let lost = format!(
        "Deleted, and cannot come back:\n  {account} bob, password\n  {account} bob, access-key …{ending}\n"
    );
    assert!(told.contains(&lost) && !told.contains("Done:"), "{told}");
}

#[test]
fn what_a_person_did_meanwhile_stands() {
    let world = of_all_kinds(ALLOWLIST);
    world.apply(0.0);
    world.apply(14.0);
    world.account.change(json!([
        {"set_key_status": {"user": "robot", "status": "Active"}},
        {"delete_ssh_keys": {"user": "robot"}},
    ]));
    world.account.reset_log();
    let told = undo(&world, 15.0, &["--apply"]).stdout;
    assert!(told.contains("it is active already\n"), "{told}");
    assert!(told.contains("the credential is gone\n"), "{told}");
    let mut activated = world.writes();
    activated.retain(|call| call.starts_with("iam:Update"));
    let expected = ["iam:UpdateServiceSpecificCredential", "iam:UpdateSigningCertificate"];
    activated.sort();
    assert_eq!(activated, expected);
}

#[test]
fn a_user_who_was_created_anew_is_another_one() {
    let world = stale();
    world.apply(0.0);
    world.apply(14.0);
    let key = json!([{"created": 1, "status": "Inactive"}]);
    world.account.change(json!([
        {"delete_user": {"user": "ci-deploy"}},
        {"create_user": {"name": "ci-deploy", "created": 1, "keys": key}},
    ]));
    world.account.reset_log();
    let told = undo(&world, 15.0, &["--apply"]).stdout;
    assert!(told.contains("the user is gone\n"), "{told}");
    assert_eq!(world.writes(), [""; 0]);
}

#[test]
fn what_somebody_else_made_inactive_again_stays_so() {
    // A run has seen it active meanwhile, or nobody has but IAM, which dates its use.
    for seen_by_a_run in [true, false] {
        let world = of_all_kinds(ALLOWLIST);
        world.apply(0.0);
        world.apply(14.0);
        let status =
            |status: &str| json!([{"set_key_status": {"user": "robot", "status": status}}]);
        world.set_day(16.0);
        world.account.change(status("Active"));
        if seen_by_a_run {
            world.apply(17.0);
        } else {
            world.account.change(json!([{"use_key": {"user": "robot", "at": 0}}]));
        }
        world.account.change(status("Inactive"));
        undo(&world, 20.0, &["--apply"]);
        assert_eq!(world.key_statuses("robot"), ["Inactive"], "{seen_by_a_run}");
    }
}

#[test]
fn a_user_who_cannot_be_seen_whole_is_told_and_nothing_is_said_to_be_gone() {
    let world = of_all_kinds(ALLOWLIST);
    world.apply(0.0);
    world.apply(14.0);
    world.account.faults(json!({ "deny": ["ListAccessKeys"] }));
    let run = world.run(15.0, &UNDO);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("iam:ListAccessKeys"), "{}", run.stdout);
    assert!(!run.stdout.contains("is gone"), "{}", run.stdout);
}
