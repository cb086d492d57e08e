//! Undo from the journal and from the remediation tags: deactivated credentials become active again,
//! and deletions are listed.

use serde_json::json;

use super::stages::{of_all_kinds, stale, statuses};
use super::world::{ALLOWLIST, Run, World};

const UNDO: [&str; 1] = ["--undo"];

/// Undoes on the given day. The run must succeed.
fn undo(world: &World, day: f64, more: &[&str]) -> Run {
    let run = world.run(day, &[&UNDO, more].concat());
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    run
}

#[test]
fn undo_activates_all_kinds_and_the_days_restart() {
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
    // A second deactivation can be undone too.
    undo(&world, 36.0, &["--apply"]);
    assert_eq!(statuses(&world, "robot"), ["Active"; 4]);
}

#[test]
fn undo_without_apply_changes_nothing() {
    let world = stale();
    world.apply(0.0);
    world.apply(14.0);
    let before = world.journal();
    world.account.reset_log();
    let run = undo(&world, 15.0, &[]);
    assert!(run.stdout.contains("To be done:\n"), "{}", run.stdout);
    assert!(run.stdout.contains(": reactivate\n"), "{}", run.stdout);
    assert!(run.stderr.contains("nothing was changed; add --apply"), "{}", run.stderr);
    assert_eq!(world.writes(), [""; 0]);
    assert_eq!(world.journal(), before);
    assert_eq!(world.key_statuses("ci-deploy"), ["Inactive"]);
}

#[test]
fn second_undo_has_nothing_to_do() {
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
fn undo_can_be_limited_to_one_user() {
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
fn deletions_are_listed_as_irreversible() {
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
    let output = undo(&world, 15.0, &[]).stdout;
    let (account, keys) = (world.account.id(), world.user("bob")["keys"].clone());
    assert!(
        output.contains(&format!("Deleted, which cannot be undone:\n  {account} bob, password\n")),
        "{output}"
    );
    world.apply(44.0);
    let output = undo(&world, 45.0, &["--apply"]).stdout;
    let ending = keys[0]["id"].as_str().unwrap().split_at(16).1;
    let deleted = format!(
        "Deleted, which cannot be undone:\n  {account} bob, password\n  {account} bob, access key …{ending}\n"
    );
    assert!(output.contains(&deleted) && !output.contains("Done:"), "{output}");
}

#[test]
fn undo_skips_credentials_that_a_person_changed() {
    let world = of_all_kinds(ALLOWLIST);
    world.apply(0.0);
    world.apply(14.0);
    world.account.change(json!([
        {"set_key_status": {"user": "robot", "status": "Active"}},
        {"delete_ssh_keys": {"user": "robot"}},
    ]));
    world.account.reset_log();
    let output = undo(&world, 15.0, &["--apply"]).stdout;
    assert!(output.contains("the credential is already active\n"), "{output}");
    assert!(output.contains("the credential no longer exists\n"), "{output}");
    let mut activated = world.writes();
    activated.retain(|call| call.starts_with("iam:Update"));
    let expected = ["iam:UpdateServiceSpecificCredential", "iam:UpdateSigningCertificate"];
    activated.sort();
    assert_eq!(activated, expected);
}

#[test]
fn undo_skips_a_new_user_with_the_same_name() {
    let world = stale();
    world.apply(0.0);
    world.apply(14.0);
    let key = json!([{"created": 1, "status": "Inactive"}]);
    world.account.change(json!([
        {"delete_user": {"user": "ci-deploy"}},
        {"create_user": {"name": "ci-deploy", "created": 1, "keys": key}},
    ]));
    world.account.reset_log();
    let output = undo(&world, 15.0, &["--apply"]).stdout;
    assert!(output.contains("the user no longer exists\n"), "{output}");
    assert_eq!(world.writes(), [""; 0]);
}

#[test]
fn undo_skips_a_key_that_somebody_else_deactivated() {
    // Either a run has found the key active, or only its last use shows that it was active.
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
fn undo_fails_if_tag_and_journal_differ() {
    let assert_conflict = |change: &dyn Fn(&World)| {
        let world = stale();
        world.apply(0.0);
        world.apply(14.0);
        change(&world);
        let before = world.user("ci-deploy");
        // The undo is incomplete.
        let run = world.run(20.0, &[&UNDO[..], &["--apply"]].concat());
        assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
        let output = run.stdout;
        assert!(output.starts_with("Not undone:\n"), "{output}");
        assert!(output.contains("the remediation tag does not match the journal"), "{output}");
        assert_eq!(world.user("ci-deploy"), before);
    };
    let status =
        |status: &str| json!([{"set_key_status": {"user": "ci-deploy", "status": status}}]);
    let tag = |world: &World| {
        let tags = world.user("ci-deploy")["tags"].as_object().unwrap().clone();
        tags.keys().find(|it| it.starts_with("iam-stocktake:")).unwrap().clone()
    };
    // The owner activates the key, a run with another journal finds it active, and somebody
    // deactivates it.
    assert_conflict(&|world| {
        world.account.change(status("Active"));
        let other = ["--apply", "--journal", "other.jsonl"];
        assert_eq!(world.run(15.0, &other).code, 0);
        assert!(world.tags("ci-deploy")[0].contains(" notified since="));
        world.account.change(status("Inactive"));
        assert_eq!(world.run(16.0, &other).code, 0);
        assert!(world.tags("ci-deploy")[0].contains(" inactive since="));
    });
    // Somebody removes the tag.
    assert_conflict(&|world| {
        let untag = json!([{"untag_user": {"user": "ci-deploy", "keys": [tag(world)]}}]);
        world.account.change(untag);
    });
    // Somebody writes another tag.
    for forged in ["inactive", "notified", "deactivated"] {
        assert_conflict(&|world| {
            let value = format!("{forged} since={0} seen={0}", world.written(13.0));
            let tags = json!({ (tag(world)): value });
            world.account.change(json!([{"tag_user": {"user": "ci-deploy", "tags": tags}}]));
        });
    }
}

#[test]
fn undo_activates_only_keys_that_a_run_deactivated() {
    let world = World::new(
        ALLOWLIST,
        json!([
            {"name": "deactivated-by-run", "created": 400, "keys": [{"created": 300, "last_used": 200}]},
            {"name": "found-inactive", "created": 400,
             "keys": [{"created": 300, "last_used": 200, "status": "Inactive"}]},
            {"name": "deactivated-later", "created": 400, "keys": [{"created": 300, "last_used": 200}]},
        ]),
    );
    world.apply(0.0);
    world
        .account
        .change(json!([{"set_key_status": {"user": "deactivated-later", "status": "Inactive"}}]));
    world.apply(14.0);
    for (name, expected) in [
        ("deactivated-by-run", "deactivated"),
        ("found-inactive", "inactive"),
        ("deactivated-later", "inactive"),
    ] {
        let tags = world.tags(name);
        assert!(tags[0].contains(&format!(" {expected} since=")), "{name}: {tags:?}");
    }
    undo(&world, 15.0, &["--apply"]);
    for (name, status) in [
        ("deactivated-by-run", "Active"),
        ("found-inactive", "Inactive"),
        ("deactivated-later", "Inactive"),
    ] {
        assert_eq!(world.key_statuses(name), [status], "{name}");
    }
    // Keys with either status are deleted when they are due.
    world.apply(44.0);
    assert_eq!(world.key_statuses("found-inactive"), [""; 0]);
    assert_eq!(world.key_statuses("deactivated-later"), [""; 0]);
    assert_eq!(world.key_statuses("deactivated-by-run"), ["Active"]);
}

#[test]
fn undo_rechecks_each_key_before_it_activates_it() {
    let world = stale();
    world.apply(0.0);
    world.apply(14.0);
    // The plan uses the first lookup. The second one is held.
    world.account.faults(json!({"hold": {"action": "GetUser", "nth": 2, "when": "before"}}));
    let run = world.run_until_held(20.0, &[&UNDO[..], &["--apply"]].concat());
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
fn failed_undo_keeps_the_tag() {
    let world = stale();
    world.apply(0.0);
    world.apply(14.0);
    let tags = world.tags("ci-deploy");
    world.account.faults(json!({ "deny": ["UpdateAccessKey"] }));
    let run = world.run(15.0, &[&UNDO[..], &["--apply"]].concat());
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert_eq!(world.tags("ci-deploy"), tags);
    // Without the tag, the key could not be activated any more.
    world.account.faults(json!({}));
    undo(&world, 16.0, &["--apply"]);
    assert_eq!(world.key_statuses("ci-deploy"), ["Active"]);
}

#[test]
fn undo_reports_incomplete_evidence() {
    let world = of_all_kinds(ALLOWLIST);
    world.apply(0.0);
    world.apply(14.0);
    world.account.faults(json!({ "deny": ["ListAccessKeys"] }));
    let run = world.run(15.0, &UNDO);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("iam:ListAccessKeys"), "{}", run.stdout);
    assert!(!run.stdout.contains("no longer exists"), "{}", run.stdout);
}

#[test]
fn key_without_findings_can_still_be_activated() {
    for what in ["exempt", "higher limit", "rules not listed"] {
        let world = stale();
        world.apply(0.0);
        world.apply(14.0);
        world.allow(&match what {
            "exempt" => format!(
                "{ALLOWLIST}exemptions:\n  - {{user: ci-deploy, reason: r, owner: o, expires: {}}}\n",
                world.at(100.0).date_naive()
            ),
            "higher limit" => {
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
fn undo_skips_a_key_whose_tag_a_run_removed() {
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

/// The credentials of all kinds, deactivated on day 14, without the journal.
fn without_journal() -> World {
    let world = of_all_kinds(ALLOWLIST);
    world.apply(0.0);
    world.apply(14.0);
    std::fs::remove_file(world.sandbox.path("iam-stocktake-journal.jsonl")).unwrap();
    world
}

#[test]
fn undo_without_journal_uses_the_tags() {
    let world = without_journal();
    world.account.reset_log();
    let run = undo(&world, 20.0, &[]);
    assert_eq!(run.stdout.matches(": reactivate\n").count(), 4, "{}", run.stdout);
    assert!(run.stderr.contains("the undo uses only the remediation tags"), "{}", run.stderr);
    assert_eq!(world.writes(), [""; 0]);
    undo(&world, 20.0, &["--user", "Robot", "--apply"]);
    assert_eq!(statuses(&world, "robot"), ["Active"; 4]);
    assert_eq!(world.tags("robot"), [""; 0]);
    assert_eq!(world.journal().iter().filter(|it| it["step"] == "activate").count(), 4);
}

#[test]
fn undo_with_another_journal_uses_the_tags() {
    // The journal of the notices is left, the journal of the deactivation is lost.
    let world = stale();
    world.apply(0.0);
    let text = world.sandbox.read("iam-stocktake-journal.jsonl");
    world.apply(14.0);
    world.sandbox.file("iam-stocktake-journal.jsonl", text);
    undo(&world, 20.0, &["--apply"]);
    assert_eq!(world.key_statuses("ci-deploy"), ["Active"]);
}

#[test]
fn undo_from_tags_skips_what_was_used_or_changed_since() {
    let world = without_journal();
    world.set_day(16.0);
    world.account.change(json!([{"use_key": {"user": "robot", "at": 0}}]));
    let run = undo(&world, 20.0, &["--apply"]);
    assert!(
        run.stdout.contains("the credential was used after the deactivation"),
        "{}",
        run.stdout
    );
    let mut statuses = statuses(&world, "robot");
    assert_eq!(statuses.remove(0), "Inactive");
    assert_eq!(statuses, ["Active"; 3]);
}

#[test]
fn undo_from_tags_ignores_forged_tags() {
    let world = stale();
    world.apply(0.0);
    let key = super::skips::key_of(&world, "ci-deploy");
    world.account.change(json!([{"set_key_status": {"user": "ci-deploy", "status": "Inactive"}}]));
    // A tag that is older than the key, and a tag from the future.
    for (day, code) in [(-350.0, 0), (30.0, 4)] {
        let value = format!("deactivated since={0} seen={0}", world.written(day));
        let tags = json!({ format!("iam-stocktake:access-key:{key}"): value });
        world.account.change(json!([{"tag_user": {"user": "ci-deploy", "tags": tags}}]));
        let run = world.run(20.0, &["--undo", "--journal", "new.jsonl", "--apply"]);
        assert_eq!(run.code, code, "{}{}", run.stdout, run.stderr);
        assert_eq!(world.key_statuses("ci-deploy"), ["Inactive"]);
    }
}

#[test]
fn undo_without_journal_reports_an_account_that_cannot_be_read() {
    let world = without_journal();
    world.account.faults(json!({ "deny": ["GetAccountAuthorizationDetails"] }));
    let run = world.run(15.0, &UNDO);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    let line = format!(
        "Could not be checked:\n  {}: iam:GetAccountAuthorizationDetails",
        world.account.id()
    );
    assert!(run.stdout.contains(&line), "{}", run.stdout);
}

#[test]
fn undo_of_an_unknown_user_is_refused() {
    let world = without_journal();
    let run = world.run(15.0, &["--undo", "--user", "robto"]);
    assert_eq!(run.code, 2, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("no audited account has a user named `robto`"), "{}", run.stderr);
    assert!(run.stderr.contains("similar names: `robot`"), "{}", run.stderr);
}
