//! The environment of a job: variables, files and the event payload.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use stand_ins::github::{GitHub, Pull, Repo};

/// The environment of a job, and the event payload.
fn job(repo: &Repo, event: &str, pull: Option<&Pull>) -> (BTreeMap<String, String>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let environment: BTreeMap<_, _> = repo.job(folder.path(), event, pull).into_iter().collect();
    for name in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
        assert!(Path::new(&environment[name]).starts_with(folder.path()));
        assert_eq!(std::fs::read(&environment[name]).unwrap(), b"");
    }
    let payload = std::fs::read(&environment["GITHUB_EVENT_PATH"]).unwrap();
    (environment, serde_json::from_slice(&payload).unwrap())
}

#[test]
fn job_on_the_default_branch_has_its_commit_and_repository() {
    let repo = GitHub::shared().repository("internal");
    let head = repo.commit("main", "a", "b");
    for event in ["push", "workflow_dispatch", "schedule"] {
        let (environment, payload) = job(&repo, event, None);
        assert_eq!(environment["GITHUB_REF"], "refs/heads/main");
        assert_eq!(environment["GITHUB_SHA"], head);
        assert_eq!(environment["GITHUB_REPOSITORY"], repo.full_name());
        assert_eq!(environment["INPUT_GITHUB-TOKEN"], repo.token());
        if event == "schedule" {
            assert_eq!(payload, json!({ "schedule": "17 5 * * *" }));
        } else {
            let repository = &payload["repository"];
            assert_eq!(repository["full_name"], repo.full_name());
            assert_eq!(
                (&repository["visibility"], &repository["private"]),
                (&json!("internal"), &json!(true))
            );
            assert_eq!(repository["default_branch"], "main");
        }
    }
}

#[test]
fn job_of_a_pull_request_has_the_head_and_the_base() {
    let repo = GitHub::shared().repository("private");
    let base = repo.branch("topic", "main");
    let head = repo.commit("topic", "a", "b");
    let pull = repo.pull("A change", "topic", "main");
    let (environment, payload) = job(&repo, "pull_request", Some(&pull));
    assert_eq!(environment["GITHUB_REF"], "refs/pull/1/merge");
    assert_eq!(
        (environment["GITHUB_HEAD_REF"].as_str(), &environment["GITHUB_BASE_REF"][..]),
        ("topic", "main")
    );
    assert_ne!(environment["GITHUB_SHA"], head);
    let pull_request = &payload["pull_request"];
    assert_eq!(
        (&pull_request["head"]["sha"], &pull_request["base"]["sha"]),
        (&json!(head), &json!(base))
    );
    assert_eq!(pull_request["head"]["repo"]["full_name"], repo.full_name());

    let fork = Pull {
        head_repository: "mallory/r".to_owned(),
        author: "dependabot[bot]".to_owned(),
        ..pull.clone()
    };
    let (environment, payload) = job(&repo, "pull_request", Some(&fork));
    assert_eq!(environment["GITHUB_ACTOR"], "dependabot[bot]");
    let head = &payload["pull_request"]["head"]["repo"];
    assert_eq!((&head["full_name"], &head["fork"]), (&json!("mallory/r"), &json!(true)));

    let (environment, payload) = job(&repo, "merge_group", Some(&pull));
    assert_eq!(environment["GITHUB_REF"], payload["merge_group"]["head_ref"]);
    let (environment, payload) = job(&repo, "pull_request_target", Some(&pull));
    assert_eq!(environment["GITHUB_REF"], "refs/heads/main");
    assert_eq!(payload["pull_request"]["number"], 1);
}
