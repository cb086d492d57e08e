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
    assert_eq!(run.stdout, "Nothing to undo.\n");
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
        told.contains(&format!("Deleted, which cannot be undone:\n  {account} bob, password\n")),
        "{told}"
    );
    world.apply(44.0);
    let told = undo(&world, 45.0, &["--apply"]).stdout;
    let ending = keys[0]["id"].as_str().unwrap().split_at(16).1;
    let lost = format!(
        "Deleted, which cannot be undone:\n  {account} bob, password\n  {account} bob, access key …{ending}\n"
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
    assert!(told.contains("the credential is already active\n"), "{told}");
    assert!(told.contains("the credential no longer exists\n"), "{told}");
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
    assert!(told.contains("the user no longer exists\n"), "{told}");
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
fn what_journal_and_tag_contradict_each_other_about_stays_as_it_is() {
    let contradicted = |happens: &dyn Fn(&World)| {
        let world = stale();
        world.apply(0.0);
        world.apply(14.0);
        happens(&world);
        let before = world.user("ci-deploy");
        // What was asked for was not done.
        let run = world.run(20.0, &[&UNDO[..], &["--apply"]].concat());
        assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
        let told = run.stdout;
        assert!(told.starts_with("Not undone:\n"), "{told}");
        assert!(told.contains("the remediation tag does not match the journal"), "{told}");
        assert_eq!(world.user("ci-deploy"), before);
    };
    let status =
        |status: &str| json!([{"set_key_status": {"user": "ci-deploy", "status": status}}]);
    let tag = |world: &World| {
        let tags = world.user("ci-deploy")["tags"].as_object().unwrap().clone();
        tags.keys().find(|it| it.starts_with("iam-stocktake:")).unwrap().clone()
    };
    // Its owner activates it, a run of another journal sees that, and somebody disables it.
    contradicted(&|world| {
        world.account.change(status("Active"));
        let other = ["--apply", "--journal", "other.jsonl"];
        assert_eq!(world.run(15.0, &other).code, 0);
        assert!(world.tags("ci-deploy")[0].contains(" notified since="));
        world.account.change(status("Inactive"));
        assert_eq!(world.run(16.0, &other).code, 0);
        assert!(world.tags("ci-deploy")[0].contains(" inactive since="));
    });
    // Somebody takes the tag away.
    contradicted(&|world| {
        let untag = json!([{"untag_user": {"user": "ci-deploy", "keys": [tag(world)]}}]);
        world.account.change(untag);
    });
    // Somebody writes another.
    for forged in ["inactive", "notified", "deactivated"] {
        contradicted(&|world| {
            let value = format!("{forged} since={0} seen={0}", world.written(13.0));
            let tags = json!({ (tag(world)): value });
            world.account.change(json!([{"tag_user": {"user": "ci-deploy", "tags": tags}}]));
        });
    }
}

#[test]
fn what_was_found_inactive_is_told_from_what_a_run_made_inactive() {
    let world = World::new(
        ALLOWLIST,
        json!([
            {"name": "ours", "created": 400, "keys": [{"created": 300, "last_used": 200}]},
            {"name": "found", "created": 400,
             "keys": [{"created": 300, "last_used": 200, "status": "Inactive"}]},
            {"name": "disabled", "created": 400, "keys": [{"created": 300, "last_used": 200}]},
        ]),
    );
    world.apply(0.0);
    world.account.change(json!([{"set_key_status": {"user": "disabled", "status": "Inactive"}}]));
    world.apply(14.0);
    for (name, says) in [("ours", "deactivated"), ("found", "inactive"), ("disabled", "inactive")] {
        let tags = world.tags(name);
        assert!(tags[0].contains(&format!(" {says} since=")), "{name}: {tags:?}");
    }
    undo(&world, 15.0, &["--apply"]);
    for (name, status) in [("ours", "Active"), ("found", "Inactive"), ("disabled", "Inactive")] {
        assert_eq!(world.key_statuses(name), [status], "{name}");
    }
    // Both kinds are deleted on their days.
    world.apply(44.0);
    assert_eq!(world.key_statuses("found"), [""; 0]);
    assert_eq!(world.key_statuses("disabled"), [""; 0]);
    assert_eq!(world.key_statuses("ours"), ["Active"]);
}

#[test]
fn what_changes_just_before_it_is_activated_stays_as_it_is() {
    let world = stale();
    world.apply(0.0);
    world.apply(14.0);
    // Planned by the first look, and held just before the second.
    world.account.faults(json!({"hold": {"action": "GetUser", "nth": 2, "when": "before"}}));
    let run = world.held(20.0, &[&UNDO[..], &["--apply"]].concat());
    world.account.change(json!([{"use_key": {"user": "ci-deploy", "at": 0}}]));
    world.account.faults(json!({}));
    let ran = stand_ins::sandbox::Ran::from(run.wait_with_output().unwrap());
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("the credential was used after the run deactivated it"),
        "{}",
        ran.stdout
    );
    assert_eq!(world.key_statuses("ci-deploy"), ["Inactive"]);
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

#[test]
fn a_key_that_the_rules_have_nothing_against_any_more_can_still_be_activated() {
    for what in ["exempted", "less strict", "no rule"] {
        let world = stale();
        world.apply(0.0);
        world.apply(14.0);
        world.allow(&match what {
            "exempted" => format!(
                "{ALLOWLIST}exemptions:\n  - {{user: ci-deploy, reason: r, owner: o, expires: {}}}\n",
                world.at(100.0).date_naive()
            ),
            "less strict" => {
                ALLOWLIST.replace("remediation:", "policy: { stale_after_days: 365 }\nremediation:")
            }
            _ => ALLOWLIST.replace("stale-access-key, ", "").replace("inactive-access-key, ", ""),
        });
        world.account.reset_log();
        world.apply(15.0);
        assert_eq!(world.writes(), [""; 0], "{what}");
        undo(&world, 16.0, &["--apply"]);
        assert_eq!(world.key_statuses("ci-deploy"), ["Active"], "{what}");
    }
}

#[test]
fn a_tag_that_a_run_took_away_from_an_active_key_says_that_somebody_activated_it() {
    let world = stale();
    world.apply(0.0);
    world.apply(14.0);
    let status =
        |status: &str| json!([{"set_key_status": {"user": "ci-deploy", "status": status}}]);
    world.account.change(status("Active"));
    let expires = world.at(100.0).date_naive();
    world.allow(&format!(
        "{ALLOWLIST}exemptions:\n  - {{user: ci-deploy, reason: r, owner: o, expires: {expires}}}\n"
    ));
    world.apply(15.0);
    assert_eq!(world.tags("ci-deploy"), [""; 0]);
    world.account.change(status("Inactive"));
    let run = undo(&world, 16.0, &["--apply"]);
    assert_eq!(run.stdout, "Nothing to undo.\n");
    assert_eq!(world.key_statuses("ci-deploy"), ["Inactive"]);
}
