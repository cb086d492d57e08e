//! The check of a pull request, with the real binary as the action: the gate, the comment, the output in
//! public repositories, text from others, and secrets. Every request must conform to GitHub's API.

mod access;
mod accounts;
mod allowlist;
mod annotations;
mod base;
mod comment;
mod discretion;
mod failures;
mod gate;
mod hostile;
mod paths;
mod secrets;

use stand_ins::github::Pull;
use stand_ins::world::{ALLOWLIST, EMPTY, Run, World};

/// A private repository with `alice` in the queue, and a pull request that does not change the
/// allowlist.
fn with_alice_known() -> (World, Pull) {
    let world = World::new();
    world.user("alice", 200);
    assert_eq!(world.day(0, EMPTY).code, 0);
    let pull = world.pull(EMPTY, EMPTY);
    (world, pull)
}

/// An exemption of a user, up to a day, as an entry of an allowlist.
fn exemption(user: &str, expires: &str) -> String {
    format!("  - {{ user: {user}, reason: Moves to OIDC, owner: Platform, expires: {expires} }}\n")
}

/// An allowlist with these entries.
fn allowlist_of(entries: &[String]) -> String {
    format!("{EMPTY}exemptions:\n{}", entries.concat())
}

/// Everything that left a run in its own repository: the log, the outputs, the summary, files, and
/// what was sent.
fn left_behind(world: &World, run: &Run) -> Vec<(String, String)> {
    let mut left = vec![
        ("the log".to_owned(), run.log.clone()),
        ("the outputs".to_owned(), format!("{:?}", run.outputs)),
        ("the summary".to_owned(), run.summary.clone()),
    ];
    for request in &run.requests {
        let sent = format!("{}?{} {}", request.path, request.query, request.body);
        left.push((format!("a {}", request.method), sent));
    }
    let mut folders = vec![world.sandbox.path(".")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with(ALLOWLIST) {
                let text = std::fs::read(&path).unwrap();
                let text = String::from_utf8_lossy(&text).into_owned();
                left.push((path.display().to_string(), text));
            }
        }
    }
    left
}
