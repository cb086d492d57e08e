//! Annotations on the lines of the allowlist, and a summary within the runner's limits.

use serde_json::{Value, json};

use crate::pull_request::{allowlist_of, exemption};
use stand_ins::gfm::exposed;
use stand_ins::workflow_commands::{Read, Stops, read};
use stand_ins::world::{ALLOWLIST, EMPTY, QUICK, Run, RunOptions, World};

fn annotations(run: &Run) -> Vec<Read> {
    read(&run.log, Stops::Supported).into_iter().filter(|it| it.name != "add-mask").collect()
}

#[test]
fn exemptions_that_need_attention_are_annotated_on_their_lines() {
    let world = World::new();
    for name in ["alice", "bob", "carol"] {
        world.user(name, 200);
    }
    let allowlist = allowlist_of(&[
        exemption("alice", &world.date(-1)),
        exemption("bob", &world.date(10)),
        exemption("nobody", &world.date(90)),
        exemption("CAROL", &world.date(90)),
        exemption("carol", &world.date(91)),
        exemption("svc", &world.date(92)).replace("user: svc", "pattern: svc-.*"),
    ]);

    let run = world.day(0, &allowlist);

    assert_eq!((run.code, run.output("expired-exemption-count")), (0, "1"), "{}", run.log);
    let annotations = annotations(&run);
    let told: Vec<_> = annotations
        .iter()
        .map(|it| {
            assert_eq!((it.name.as_str(), it.properties["file"].as_str()), ("notice", ALLOWLIST));
            let title = it.properties.get("title").map_or("", String::as_str);
            (it.properties["line"].as_str(), title, it.data.split(':').next().unwrap())
        })
        .collect();
    assert_eq!(told.len(), 6, "{told:?}");
    let regex = annotations.iter().find(|it| it.properties["line"] == "8").unwrap();
    assert!(regex.data.ends_with("did you mean `svc-*`?"), "{}", regex.data);
    for (line, title, said) in [
        ("3", "exemption-expired", "expired"),
        ("4", "exemption-expires-soon", "expires"),
        ("5", "", "the exemption for `nobody` matches no user"),
        ("6", "", "the exemption for `CAROL` differs from the user name only in case"),
        ("7", "duplicate-exemption", "the exemption for `CAROL` on line 6 also covers"),
    ] {
        let found = told.iter().find(|it| it.0 == line).unwrap();
        assert!(found.1 == title && found.2.contains(said), "{found:?}");
    }
    assert!(run.summary.contains("**5 exemptions need attention**"), "{}", run.summary);
}

#[test]
fn each_level_has_ten_annotations_and_the_last_has_the_number_of_hidden_ones() {
    let world = World::new();
    let expired: Vec<_> =
        (0..12).map(|n| exemption(&format!("gone-{n}"), &world.date(-1))).collect();
    let run = world.day(0, &allowlist_of(&expired));
    let found = annotations(&run);
    assert_eq!((found.len(), found[0].properties["line"].as_str()), (10, "3"), "{}", run.log);
    // Each has expired, and matches no user either.
    assert!(found[9].data.starts_with("15 more annotations of this level"), "{:?}", found[9]);

    let broken: Vec<_> = (0..12).map(|n| exemption(&format!("a-{n}"), "tomorrow")).collect();
    let run = world.day(0, &allowlist_of(&broken));
    let found = annotations(&run);
    assert_eq!((run.code, found.len()), (2, 10), "{}", run.log);
    assert!(found.iter().all(|it| it.name == "error"));
    assert!(found[9].data.starts_with("3 more annotations of this level"), "{:?}", found[9]);
}

#[test]
fn two_thousand_findings_are_cut_between_rows_in_the_summary_and_the_comment() {
    let world = World::new();
    assert_eq!(world.day(0, EMPTY).code, 0);
    let pull = world.pull(EMPTY, EMPTY);
    let user = |n| {
        json!({ "create_user": {
            "name": format!("user-with-a-long-name-to-fill-the-rows-{n:04}"), "created": 700,
            "password": { "changed": 600, "last_used": 300 },
            "keys": [{ "created": 600, "last_used": 100 + n }],
        }})
    };
    world.account.change((0..1000).map(user).collect::<Vec<Value>>().into());
    let inputs = [QUICK[0], ("recheck", "false")];

    let options = RunOptions {
        event: "pull_request",
        pull: Some(&pull),
        inputs: &inputs,
        ..RunOptions::default()
    };
    let run = world.run(options);

    assert_eq!((run.code, run.output("new-count")), (1, "2000"), "{}", run.log);
    let comment = &world.repo.comments(pull.number)[0].body;
    assert_eq!(comment.matches("`user-with-a-long-name").count(), 50);
    assert!(comment.contains("\n- and 1950 more\n") && comment.len() < 60_000, "{comment}");
    let bytes = run.summary.len();
    assert!(bytes < 1_048_576, "{bytes} bytes");
    let found = exposed(&run.summary);
    assert!(found.rows.len() >= 200 && found.rows.iter().all(|(cells, of)| cells == of));
    assert!(run.summary.contains(" more users are not shown"), "it says what is left out");
    assert_eq!(found.tags().iter().filter(|tag| tag.starts_with('/')).count(), 3);
    let count = |text: &str| run.summary.matches(text).count();
    assert_eq!(count("<details>"), count("</details>"));
    let whole = world.sandbox.read("iam-stocktake-report/iam-stocktake.md");
    assert!(whole.contains("800 more users are not shown"), "{whole}");
    let json = world.sandbox.read("iam-stocktake-report/iam-stocktake.json");
    assert!(json.contains("fill-the-rows-0999"), "the JSON has them all");
}
