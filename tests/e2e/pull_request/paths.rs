//! Paths of the workspace and paths of the repository: a checkout in a folder of the workspace, and
//! absolute paths.

use std::fs;

use crate::pull_request::{allowlist_of, exemption};
use stand_ins::github::Pull;
use stand_ins::world::{ALLOWLIST, EMPTY, QUICK, Run, RunOptions, World};

/// A repository with an allowlist that exempts `bob` and allows 180 days, and a pull request that does
/// not change it. The workspace is empty.
fn untouched() -> (World, Pull, String) {
    let world = World::new();
    world.user("bob", 150);
    world.user("carol", 200);
    let entries = allowlist_of(&[exemption("carol", &world.date(90))]);
    let allowlist = entries.replace(EMPTY, "version: 1\npolicy: { stale_after_days: 180 }\n");
    assert_eq!(world.day(0, &allowlist).code, 0);
    let pull = world.pull(&allowlist, &allowlist);
    fs::remove_dir_all(world.sandbox.path(".git")).unwrap();
    fs::remove_file(world.sandbox.path(ALLOWLIST)).unwrap();
    (world, pull, allowlist)
}

fn check(world: &World, pull: &Pull, inputs: &[(&str, &str)]) -> Run {
    let inputs = [&QUICK[..], inputs].concat();
    let options = RunOptions {
        event: "pull_request",
        pull: Some(pull),
        allowlist: "",
        inputs: &inputs,
        ..RunOptions::default()
    };
    world.run(options)
}

/// Checks out into a folder of the workspace, and gives the file's absolute path.
fn checked_out(world: &World, folder: &str, allowlist: &str) -> String {
    let path = format!("{folder}/{ALLOWLIST}");
    world.sandbox.file(&path, allowlist).file(&format!("{folder}/.git/HEAD"), "ref: x\n");
    world.sandbox.path(&path).to_str().unwrap().to_owned()
}

fn assert_quiet(world: &World, pull: &Pull, run: &Run) {
    assert_eq!((run.code, run.output("gate")), (0, "passed"), "{}", run.log);
    let (body, _) = run.summary.split_once("> Evidence:").unwrap();
    assert!(!body.contains("loosens") && !body.contains("exempts"), "{body}");
    assert_eq!(world.repo.comments(pull.number).len(), 0, "there is nothing to say");
}

#[test]
fn an_allowlist_in_a_checkout_below_the_workspace_is_compared_with_its_earlier_version() {
    let (world, pull, allowlist) = untouched();
    let absolute = checked_out(&world, "repo", &allowlist);
    for path in
        ["repo/.github/iam-allowlist.yml", "./repo/.github/../.github/iam-allowlist.yml", &absolute]
    {
        let run = check(&world, &pull, &[("allowlist", path)]);
        assert_quiet(&world, &pull, &run);
        let asked = |it: &&stand_ins::github::Exchange| it.path.contains("/contents/");
        let asked: Vec<_> = run.requests.iter().filter(asked).map(|it| it.path.clone()).collect();
        assert!(
            !asked.is_empty()
                && asked.iter().all(|it| it.ends_with(&format!("/contents/{ALLOWLIST}"))),
            "{asked:?}"
        );
    }
    // What the comment names is the file in the repository, and so do annotations and the report.
    world.user("dave", 250);
    let run = check(&world, &pull, &[("allowlist", &absolute)]);
    assert_eq!(run.code, 1, "{}", run.log);
    let body = &world.repo.comments(pull.number)[0].body;
    assert!(body.contains("to `exemptions` in `.github/iam-allowlist.yml`,"), "{body}");
    let json = world.sandbox.read(run.output("report-json"));
    assert!(json.contains("\"allowlist\": \".github/iam-allowlist.yml\""), "{json}");
}

#[test]
fn annotations_are_on_the_file_in_the_repository() {
    let (world, pull, allowlist) = untouched();
    let gone = exemption("nobody", &world.date(90));
    let absolute = checked_out(&world, "repo", &format!("{allowlist}{gone}"));
    for path in ["repo/.github/iam-allowlist.yml", &absolute] {
        let run = check(&world, &pull, &[("allowlist", path)]);
        let place = format!("::notice file={ALLOWLIST},line=5,");
        assert!(run.log.contains(&place), "{path}: {}", run.log);
    }
    checked_out(&world, "repo", "version: 2\n");
    for path in ["repo/.github/iam-allowlist.yml", &absolute] {
        let run = check(&world, &pull, &[("allowlist", path)]);
        assert_eq!(run.code, 2, "{}", run.log);
        let place = format!("::error title=unsupported-version,file={ALLOWLIST},line=1,");
        assert!(run.log.contains(&place), "{path}: {}", run.log);
    }
}

#[test]
fn an_allowlist_in_the_checkout_of_another_repository_is_not_compared() {
    let (world, pull, allowlist) = untouched();
    checked_out(&world, "policies", &allowlist);
    let config = "[remote \"origin\"]\n\turl = https://github.com/acme/policies\n";
    world.sandbox.file("policies/.git/config", config);

    let run = check(&world, &pull, &[("allowlist", "policies/.github/iam-allowlist.yml")]);

    assert_quiet(&world, &pull, &run);
    assert!(run.log.contains("is in a checkout of acme/policies"), "{}", run.log);
    let said = "The allowlist is in another repository";
    assert!(run.summary.contains(said), "{}", run.summary);
}

#[test]
fn a_missing_file_means_nothing_if_the_path_in_the_repository_is_unknown() {
    let (world, pull, allowlist) = untouched();
    // Without git, actions/checkout leaves no `.git` behind.
    let run = world.check(&pull, &allowlist, 0);
    assert_quiet(&world, &pull, &run);

    world.sandbox.file("repo/allow.yml", &allowlist);
    let run = check(&world, &pull, &[("allowlist", "repo/allow.yml")]);
    assert_eq!((run.code, run.output("stale-count")), (3, "0"), "{}", run.log);
    assert!(run.log.contains("the allowlist has no known path in acme/"), "{}", run.log);
    let body = &world.repo.comments(pull.number)[0].body;
    assert!(body.contains("could not be compared with"), "{body}");
    assert!(!body.contains("loosens the policy") && !body.contains("exempts"), "{body}");
}

#[test]
fn absolute_paths_in_the_workspace_are_accepted_and_outputs_are_relative() {
    let (world, pull, allowlist) = untouched();
    let absolute = |name: &str| world.sandbox.path(name).to_str().unwrap().to_owned();
    let file = checked_out(&world, "repo", &allowlist);
    let folder = absolute("out/reports");
    let inputs = [("allowlist", file.as_str()), ("report-dir", &folder)];
    let run = check(&world, &pull, &inputs);
    assert_eq!(run.code, 0, "{}", run.log);
    let outputs = ["report-markdown", "report-json"].map(|name| run.output(name));
    assert_eq!(outputs, ["out/reports/iam-stocktake.md", "out/reports/iam-stocktake.json"]);
    assert!(world.sandbox.read(outputs[0]).contains("IAM stocktake"));

    // What an earlier step wrote is found by its absolute path as well.
    world.audit("a.json", 0);
    let audits = absolute("a.json");
    let inputs = [("command", "publish"), ("audits", audits.as_str()), ("publish", "none")];
    let run = world.run(RunOptions { inputs: &inputs, ..RunOptions::default() });
    assert_eq!((run.code, run.output("result")), (0, "stale"), "{}", run.log);

    for (command, input, path) in
        [("check", "report-dir", "/elsewhere"), ("remediate", "journal", "/elsewhere/journal")]
    {
        let inputs = [("command", command), (input, path)];
        let run = world.run(RunOptions { inputs: &inputs, ..RunOptions::default() });
        assert_eq!(run.code, 2, "{input}: {}", run.log);
        assert!(run.log.contains("the path must be in the workspace"), "{}", run.log);
    }
}
