//! Pull requests that GitHub gives no tokens, jobs that lack them, and events that are refused.

use crate::pull_request::with_alice_known;
use stand_ins::github::Pull;
use stand_ins::world::{EMPTY, Run, RunOptions, World};

/// Takes the runner's OIDC tokens away.
const WITHOUT_OIDC: [(&str, &str); 2] =
    [("ACTIONS_ID_TOKEN_REQUEST_URL", ""), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")];

/// What those may do who come from outside: read.
fn read_only(world: &World) {
    let read = serde_json::json!({ "issues": "read", "pull_requests": "read" });
    world.repo.permissions(read);
}

fn without_oidc(world: &World, pull: &Pull, allowlist: &str) -> Run {
    read_only(world);
    world.account.reset_log();
    let run = world.run(RunOptions {
        event: "pull_request",
        pull: Some(pull),
        allowlist,
        environment: &WITHOUT_OIDC,
        ..RunOptions::default()
    });
    assert_eq!((run.acts(), world.account.log().len()), (vec![], 0), "{}", run.log);
    run
}

fn of_a_fork(pull: &Pull) -> Pull {
    let head_repository = "mallory/infra".to_owned();
    Pull { head_repository, author: "mallory".to_owned(), ..pull.clone() }
}

fn of_dependabot(pull: &Pull) -> Pull {
    Pull { author: "dependabot[bot]".to_owned(), ..pull.clone() }
}

#[test]
fn a_fork_or_dependabot_without_oidc_passes_and_reports_why_nothing_was_audited() {
    let (world, pull) = with_alice_known();
    world.user("bob", 150);
    for pull in [of_a_fork(&pull), of_dependabot(&pull)] {
        let run = without_oidc(&world, &pull, EMPTY);
        assert_eq!(run.code, 0, "{}", run.log);
        let outputs = ["result", "gate"].map(|name| run.output(name));
        assert_eq!(outputs, ["incomplete", "not-evaluated"]);
        let why = "This pull request comes from a fork or from Dependabot: GitHub gives it no OIDC \
                   token, so no account was audited. Only the allowlist was checked.";
        assert!(run.summary.contains(why), "{}", run.summary);
        assert!(run.log.contains(why), "{}", run.log);
    }
}

#[test]
fn an_invalid_allowlist_in_a_fork_is_rejected() {
    let (world, pull) = with_alice_known();
    let broken = "version: 1\nexemptions:\n  - user: bob\n";
    for pull in [of_a_fork(&pull), of_dependabot(&pull)] {
        let run = without_oidc(&world, &pull, broken);
        assert_eq!((run.code, run.output("result")), (2, "error"), "{}", run.log);
        let place = "::error title=missing-key,file=.github/iam-allowlist.yml,line=3,";
        assert!(run.log.contains(place), "{}", run.log);
    }
}

#[test]
fn a_fork_without_the_secret_for_the_role_passes() {
    let (world, pull) = with_alice_known();
    let pull = of_a_fork(&pull);
    // A secret is empty in a fork's run.
    let environment = [WITHOUT_OIDC[0], WITHOUT_OIDC[1], ("INPUT_ROLE-TO-ASSUME", "")];
    let environment = &[environment.as_slice(), &[NO_METADATA]].concat();
    read_only(&world);

    let run = world.run(RunOptions {
        event: "pull_request",
        pull: Some(&pull),
        environment,
        ..RunOptions::default()
    });

    assert_eq!((run.code, run.output("gate")), (0, "not-evaluated"), "{}", run.log);
    assert!(run.summary.contains("no account was audited"), "{}", run.summary);
}

/// Disables credentials from the instance metadata.
const NO_METADATA: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");

#[test]
fn without_oidc_anywhere_else_the_permission_is_missing() {
    let (world, pull) = with_alice_known();
    for (event, pull) in
        [("schedule", None), ("pull_request", Some(&pull)), ("merge_group", Some(&pull))]
    {
        world.account.reset_log();
        let options =
            RunOptions { event, pull, environment: &WITHOUT_OIDC, ..RunOptions::default() };
        let run = world.run(options);
        assert_eq!((run.code, run.output("result")), (2, "error"), "{event}: {}", run.log);
        assert!(run.log.contains("error: cannot get an OIDC token"), "{}", run.log);
        assert!(run.log.contains("the job needs `permissions: id-token: write`"), "{}", run.log);
        assert_eq!((run.acts(), world.account.log().len()), (vec![], 0), "{event}");
    }
}

#[test]
fn a_fork_with_tokens_is_audited_and_a_failed_comment_does_not_fail_it() {
    let (world, pull) = with_alice_known();
    world.user("bob", 150);
    let pull = of_a_fork(&pull);
    read_only(&world);

    let run = world.check(&pull, EMPTY, 0);

    assert_eq!((run.code, run.output("gate")), (1, "failed"), "{}", run.log);
    assert_eq!(world.repo.comments(pull.number), []);
    let warning = "This text could not be added as a comment on the pull request.";
    assert!(run.summary.contains(warning), "{}", run.summary);
}

#[test]
fn events_with_untrusted_content_and_write_access_are_rejected() {
    let (world, pull) = with_alice_known();
    for event in ["pull_request_target", "workflow_run", "issue_comment"] {
        world.account.reset_log();
        let pull = (event == "pull_request_target").then_some(&pull);

        let run = world.run(RunOptions { event, pull, ..RunOptions::default() });

        assert_eq!((run.code, run.output("result")), (2, "error"), "{event}: {}", run.log);
        assert!(run.log.contains(&format!("the event `{event}` is not supported")), "{}", run.log);
        assert!(run.log.contains("help: audit on `schedule`"), "{}", run.log);
        assert_eq!(run.requests.len(), 0, "{event}");
        let (calls, tokens) = (world.account.log(), world.account.token_requests());
        assert_eq!((calls.len(), tokens.len()), (0, 0), "{event}");
    }
}

#[cfg(unix)]
#[test]
fn only_the_allowlist_of_a_fork_is_read() {
    let (world, pull) = with_alice_known();
    let pull = of_a_fork(&pull);
    world.sandbox.file("secret", "hunter2: [");
    std::os::unix::fs::symlink("secret", world.sandbox.path("template.md.j2")).unwrap();
    read_only(&world);
    // A runner that has access all the same.
    for environment in [&WITHOUT_OIDC[..], &[]] {
        let run = world.run(RunOptions {
            event: "pull_request",
            pull: Some(&pull),
            inputs: &[("template", "template.md.j2")],
            environment,
            ..RunOptions::default()
        });
        assert_eq!(run.code, 0, "{}", run.log);
        assert!(run.log.contains("note: the template is not used"), "{}", run.log);
        assert!(!run.log.contains("hunter2"), "{}", run.log);
    }

    let allowlist = world.sandbox.path(stand_ins::world::ALLOWLIST);
    for target in ["/dev/zero", "../secret"] {
        std::fs::remove_file(&allowlist).unwrap();
        std::os::unix::fs::symlink(target, &allowlist).unwrap();
        let run = world.run_with_existing_allowlist("pull_request", &pull, &WITHOUT_OIDC);
        assert_eq!(run.code, 2, "{}", run.log);
        assert!(run.log.contains("is a symbolic link"), "{}", run.log);
        assert!(!format!("{}{}", run.log, run.summary).contains("hunter2"), "{}", run.log);
    }
}

#[cfg(unix)]
#[test]
fn audits_of_a_fork_are_not_read() {
    let (world, pull) = with_alice_known();
    let outside = tempfile::tempdir().unwrap();
    std::fs::File::create(outside.path().join("hunter2.json")).unwrap();
    std::os::unix::fs::symlink(outside.path(), world.sandbox.path("audits")).unwrap();
    world.sandbox.file("audit.json", "hunter2");
    read_only(&world);
    let token = [("GITHUB_TOKEN", world.repo.token())];
    for pull in [of_a_fork(&pull), of_dependabot(&pull)] {
        for audits in ["audits", "audit.json", "nowhere"] {
            let options =
                RunOptions { event: "pull_request", pull: Some(&pull), ..RunOptions::default() };
            let command = ["publish", audits];
            for run in [
                world.run(RunOptions {
                    inputs: &[("command", "publish"), ("audits", audits)],
                    ..options
                }),
                world.run(RunOptions { command: &command, environment: &token, ..options }),
            ] {
                assert_eq!((run.code, run.acts()), (0, vec![]), "{}", run.log);
                let outputs = ["result", "gate"].map(|name| run.output(name));
                assert_eq!(outputs, ["incomplete", "not-evaluated"]);
                let why = "No audit was read";
                assert!(run.log.contains(why) && run.summary.contains(why), "{}", run.log);
                assert!(!run.log.contains("hunter2"), "{}", run.log);
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn no_audit_folder_of_a_pull_request_leads_out_of_the_workspace() {
    let (world, pull) = with_alice_known();
    let outside = tempfile::tempdir().unwrap();
    std::fs::File::create(outside.path().join("hunter2.json")).unwrap();
    std::os::unix::fs::symlink(outside.path(), world.sandbox.path("audits")).unwrap();
    std::fs::create_dir(world.sandbox.path("real")).unwrap();
    std::os::unix::fs::symlink(outside.path(), world.sandbox.path("real/below")).unwrap();
    for (audits, why) in [
        ("audits", "`audits` is a symbolic link"),
        ("real/below", "`below` is a symbolic link"),
        ("real", "the folder has no JSON file"),
    ] {
        let inputs = &[("command", "publish"), ("audits", audits)];
        let options = RunOptions {
            event: "pull_request",
            pull: Some(&pull),
            inputs,
            ..RunOptions::default()
        };
        let run = world.run(options);
        assert_eq!((run.code, run.output("gate")), (2, "not-evaluated"), "{}", run.log);
        assert!(run.log.contains(why), "{}", run.log);
        assert!(!run.log.contains("hunter2"), "{}", run.log);
    }
}

#[cfg(unix)]
#[test]
fn no_report_is_written_through_a_link_of_a_pull_request() {
    let (world, pull) = with_alice_known();
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), world.sandbox.path("reports")).unwrap();
    for folder in ["reports", "reports/below"] {
        let run = world.run(RunOptions {
            event: "pull_request",
            pull: Some(&pull),
            inputs: &[("report-dir", folder)],
            ..RunOptions::default()
        });
        assert_eq!(run.code, 4, "{}", run.log);
        assert!(run.log.contains("`reports` is a symbolic link"), "{}", run.log);
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
