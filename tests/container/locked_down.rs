//! The container with restricted permissions.

use super::engine::run;
use super::runner::{self, Job};
use super::world::{FIRST, World, repository};

/// Only the capabilities to write and chown files of other users.
const LOCKED: [&str; 7] = [
    "--read-only",
    "--cap-drop=ALL",
    "--cap-add=DAC_OVERRIDE",
    "--cap-add=CHOWN",
    "--security-opt=no-new-privileges",
    "--memory=256m",
    "--pids-limit=64",
];

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
fn the_whole_action_needs_but_two_capabilities_and_a_system_that_is_read_only() {
    let world = World::new();
    world.user("alice", 200);
    let done = runner::run(&world, Job { options: &LOCKED, ..Job::default() });
    assert_eq!(done.code, 0, "{}", done.log);
    assert_eq!(done.acts, FIRST);
    assert_eq!(done.output("result"), "stale");
    assert!(world.workspace().join(done.output("report-json")).is_file());
    assert!(!done.log.contains("note: the owner of the written files"), "{}", done.log);
}

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
fn without_the_right_to_write_the_runners_files_the_exit_code_is_4_and_says_what_to_do() {
    let world = World::new();
    world.user("alice", 200);
    for options in [&["--cap-drop=ALL"][..], &["--user=4711"]] {
        let done = runner::run(&world, Job { options, ..Job::default() });
        assert_eq!(done.code, 4, "{}", done.log);
        for name in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
            let told = done.log.lines().find(|it| it.starts_with("error: cannot write "));
            assert!(done.log.contains(&format!(" ({name}): ")) && told.is_some(), "{}", done.log);
        }
        assert!(done.log.contains("the container must run as root"), "{}", done.log);
        assert_eq!((done.outputs.len(), done.summary.as_str()), (0, ""));
    }
}

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
fn the_command_line_needs_no_capability_no_network_and_no_file_to_write() {
    let examples = format!("{}:/examples:ro", repository("examples").display());
    let options =
        ["--cap-drop=ALL", "--read-only", "--network=none", "--user=65532", "-v", &examples];
    let ended = run(
        &options,
        &[
            "audit",
            "--credential-report",
            "/examples/credential-report.csv",
            "--allowlist",
            "/examples/iam-allowlist.yml",
            "--now",
            "2026-06-30T12:00:00Z",
            "--format",
            "markdown",
        ],
    );
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let expected = std::fs::read_to_string(repository("examples/report.en.md")).unwrap();
    // The report uses the file names as given.
    assert_eq!(ended.stdout.replace("/examples/", "examples/"), expected);
}
