//! The job summary of a live audit as GitHub renders it.

use serde_json::json;

use stand_ins::gfm::outline;
use stand_ins::world::{EMPTY, Run, RunOptions, World};

/// A run in English and one in Japanese on the same day, in separate worlds.
fn in_both_languages(prepare: impl Fn(&World), inputs: &[(&str, &str)]) -> [Run; 2] {
    ["en", "ja"].map(|language| {
        let world = World::new();
        world.user("alice", 200);
        prepare(&world);
        let inputs = [inputs, &[("language", language)]].concat();
        world.run(RunOptions { day: 1, inputs: &inputs, ..RunOptions::default() })
    })
}

#[test]
fn summary_has_the_same_blocks_in_both_languages() {
    let deny = |world: &World| {
        world.account.policy(json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": "*", "Resource": "*" },
            { "Effect": "Deny", "Action": "iam:ListAccessKeys", "Resource": "*" },
        ]}));
    };
    let unread = |world: &World| {
        world.repo.faults(json!([{ "status": 403, "method": "GET", "path": "/issues$" }]));
    };
    for (name, prepare, inputs, code) in [
        ("kept", &(|_: &World| {}) as &dyn Fn(&World), &[][..], 0),
        ("a dry run", &|_: &World| {}, &[("dry-run", "true")], 0),
        ("nothing published", &|_: &World| {}, &[("publish", "none")], 0),
        ("a failed gate", &|_: &World| {}, &[("fail-on", "any")], 1),
        ("evidence missing", &deny, &[], 3),
        ("evidence missing and a failed gate", &deny, &[("fail-on", "new")], 3),
        ("a queue that cannot be read", &unread, &[], 3),
    ] {
        let runs = in_both_languages(prepare, inputs);
        assert_eq!(runs.each_ref().map(|run| run.code), [code; 2], "{name}: {}", runs[0].log);
        let [english, japanese] = runs.map(|run| outline(&run.summary));
        assert_eq!(english, japanese, "{name}");
    }
}

#[test]
fn caution_is_separate_from_the_evidence_line() {
    let world = World::new();
    world.user("alice", 200);
    world.repo.faults(json!([{ "status": 403, "method": "GET", "path": "/issues$" }]));
    let run = world.day(0, EMPTY);
    let blocks = outline(&run.summary);
    let expected = ["alert caution", "  paragraph", "quote", "  paragraph", "heading 1"];
    assert!(blocks.windows(5).any(|it| it == expected), "{blocks:#?}\n{}", run.summary);
}

#[test]
fn user_details_show_the_key_as_code() {
    for run in in_both_languages(|_| {}, &[]) {
        let line = run.summary.lines().find(|line| line.starts_with("<summary><code>alice"));
        let line = line.unwrap_or_else(|| panic!("{}", run.summary));
        assert_eq!(line.matches("<code>").count(), 2, "{line}");
        assert!(!line.contains('`'), "{line}");
    }
}

#[test]
fn summary_of_other_commands_keeps_its_blocks() {
    let world = World::new();
    world.user("alice", 200);
    let summary = world.sandbox.path("summary.md");
    world.sandbox.file("summary.md", "> What another command wrote.");
    let environment = [("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())];
    let run = world.run(RunOptions { environment: &environment, ..RunOptions::default() });
    assert_eq!(run.code, 0, "{}", run.log);
    let text = world.sandbox.read("summary.md");
    assert_eq!(outline(&text)[..3], ["quote", "  paragraph", "paragraph"], "{text}");
}
