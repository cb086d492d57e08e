//! Tokens and keys: in no log at any level, no file, no output and no error.

use serde_json::json;

use crate::pull_request::left_behind;
use stand_ins::aws::StandIn;
use stand_ins::sandbox::Ran;
use stand_ins::world::{EMPTY, QUICK, Run, RunOptions, World};

/// What makes programs say more than they otherwise do.
const TALKATIVE: [(&str, &str); 3] =
    [("RUST_LOG", "trace"), ("RUNNER_DEBUG", "1"), ("RUST_BACKTRACE", "full")];

/// Searches all output of the run for every secret and for these texts. The lines that mask secrets are
/// excluded, because only the runner reads them.
fn assert_kept(world: &World, run: &Run, more: &[&str]) {
    let mut secrets = StandIn::shared().secrets();
    secrets.extend([world.repo.token(), world.repo.personal_token()].map(str::to_owned));
    secrets.extend(more.iter().map(|it| (*it).to_owned()));
    for variable in world.account.environment().into_iter().chain(world.account.oidc_environment())
    {
        if variable.0.ends_with("TOKEN") || variable.0.ends_with("SECRET_ACCESS_KEY") {
            secrets.push(variable.1);
        }
    }
    assert!(secrets.iter().all(|secret| secret.len() >= 8), "{secrets:?}");
    for (place, text) in left_behind(world, run) {
        let unmasked: Vec<_> =
            text.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
        let text = unmasked.join("\n");
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{place} holds {secret}: {text}");
        }
    }
}

fn talkative<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    TALKATIVE.iter().chain(more).copied().collect()
}

#[test]
fn no_secret_leaks_from_a_successful_run_and_the_token_is_masked_first() {
    let world = World::new();
    world.user("alice", 200);
    let pull = world.pull(EMPTY, EMPTY);
    let environment = talkative(&[]);
    for (event, pull) in
        [("schedule", None), ("pull_request", Some(&pull)), ("merge_group", Some(&pull))]
    {
        let options =
            RunOptions { event, pull, environment: &environment, ..RunOptions::default() };
        let run = world.run(options);
        assert_eq!(run.code, 0, "{}", run.log);
        assert_kept(&world, &run, &[]);
        let mut lines = run.log.lines();
        let stop = lines.next().unwrap().strip_prefix("::stop-commands::").unwrap();
        assert_eq!(lines.next().unwrap(), format!("::{stop}::"));
        assert_eq!(lines.next().unwrap(), format!("::add-mask::{}", world.repo.token()));
        // The request's token, the OIDC token, the session's key and token.
        let masked = |secret: &&String| run.log.contains(&format!("::add-mask::{secret}\n"));
        let secrets = StandIn::shared().secrets();
        assert_eq!(secrets.iter().filter(masked).count(), 4, "{}", run.log);
    }
}

#[test]
fn no_secret_leaks_from_a_run_whose_errors_contain_it() {
    let repeated = "you sent {token} and {session}";
    let error = |action: &str, code: &str, status: u16| {
        let fault = json!({ "actions": [action], "code": code, "status": status,
                            "message": repeated });
        json!({ "error": fault })
    };
    for visibility in ["private", "public"] {
        let world = World::in_repository(visibility);
        world.user("alice", 200);
        for faults in [
            json!({ "oidc_bare": true }),
            error("AssumeRoleWithWebIdentity", "AccessDenied", 403),
            error("AssumeRoleWithWebIdentity", "InvalidIdentityToken", 400),
            error("AssumeRoleWithWebIdentity", "ValidationError", 400),
            error("ListUsers", "AccessDenied", 403),
            error("GenerateCredentialReport", "InvalidClientTokenId", 403),
            error("GetLoginProfile", "ServiceFailure", 418),
        ] {
            world.account.faults(faults.clone());
            for environment in [talkative(&[]), vec![]] {
                let run =
                    world.run(RunOptions { environment: &environment, ..RunOptions::default() });
                assert!(run.code >= 2, "{faults}: {}", run.log);
                assert_kept(&world, &run, &[]);
            }
        }
    }
    // Nor on the command line.
    let world = World::new();
    let token = "FwoGZXIvYXdzEJr-a-session-token-of-somebody";
    let echo = json!({ "error": { "actions": ["GetCallerIdentity"], "code": "AccessDenied",
                                  "status": 403, "message": format!("you sent {token}") } });
    world.account.faults(echo);
    let mut command = world.sandbox.command(&["audit", "--allowlist", "none", "--verbose"]);
    command.envs(world.account.environment()).env("AWS_SESSION_TOKEN", token);
    let ran = Ran::from(command.output().unwrap());
    assert!(ran.code >= 2 && ran.stderr.contains("you sent ***"), "{}", ran.stderr);
    assert!(!ran.stderr.contains(token), "{}", ran.stderr);
}

#[test]
fn no_secret_leaks_from_a_run_with_rejected_inputs() {
    let world = World::new();
    let token = world.repo.token();
    // A token where another input was meant.
    for name in ["publish", "accounts", "queue-repository"] {
        let inputs = [(name, token)];
        let run = world.run(RunOptions {
            inputs: &inputs,
            environment: &talkative(&[]),
            ..RunOptions::default()
        });
        assert_eq!(run.code, 2, "{}", run.log);
        assert_kept(&world, &run, &[]);
        assert!(run.log.contains(&format!("::add-mask::{token}\n")), "{}", run.log);
    }
}

#[test]
fn no_secret_leaks_from_a_run_that_aws_or_the_runner_rejects() {
    let world = World::new();
    for (faults, code) in [
        (json!({ "oidc": "not-authorized" }), 2),
        (json!({ "oidc": "no-provider" }), 2),
        (json!({ "oidc": "expired-token" }), 2),
        (json!({ "oidc_errors": 9 }), 2),
        (json!({ "deny_account": true }), 3),
        (json!({ "expired": { "after": 1 } }), 3),
    ] {
        world.account.faults(faults.clone());
        let run = world.run(RunOptions { environment: &talkative(&[]), ..RunOptions::default() });
        assert_eq!(run.code, code, "{faults}: {}", run.log);
        assert_kept(&world, &run, &[]);
    }
}

#[test]
fn no_secret_leaks_from_a_run_with_credentials_in_the_environment() {
    let world = World::new();
    let variables = world.account.environment();
    let mut environment: Vec<_> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    environment.extend(talkative(&[("INPUT_ROLE-TO-ASSUME", "")]));

    let run = world.run(RunOptions { environment: &environment, ..RunOptions::default() });
    assert_eq!(run.code, 0, "{}", run.log);
    assert_kept(&world, &run, &[]);

    let wrong = "wrongwrongwrongwrongwrong+wrong/wrong";
    environment.push(("AWS_SESSION_TOKEN", wrong));
    let run = world.run(RunOptions { environment: &environment, ..RunOptions::default() });
    assert!(run.code >= 2, "{}", run.log);
    assert_kept(&world, &run, &[wrong]);
}

#[test]
fn session_token_in_the_environment_is_masked_even_if_it_is_not_used() {
    let world = World::new();
    let token = "FwoGZXIvYXdzEJr-a-session-token-of-another-step";
    let environment = [("AWS_SESSION_TOKEN", token)];
    let run = world.run(RunOptions { environment: &environment, ..RunOptions::default() });
    assert_eq!(run.code, 0, "{}", run.log);
    assert!(run.log.contains(&format!("::add-mask::{token}\n")), "{}", run.log);
}

#[test]
fn no_secret_leaks_from_a_run_that_github_rejects() {
    let world = World::new();
    let token = world.repo.token();
    for faults in [
        json!([{ "status": 401 }]),
        json!([{ "status": 403, "method": "POST" }]),
        json!([{ "status": 422, "method": "POST", "path": "/issues$" }]),
        json!([{ "status": 404 }]),
    ] {
        world.repo.faults(faults.clone());
        let run = world.run(RunOptions { environment: &talkative(&[]), ..RunOptions::default() });
        assert!(run.code >= 2 || run.output("gate") == "not-evaluated", "{faults}: {}", run.log);
        assert_kept(&world, &run, &[token]);
    }
}

#[test]
fn a_secret_that_cannot_be_sent_is_not_shown() {
    let world = World::new();
    let (first, second) = ("ghs_first-line-of-a-token", "second-line-of-a-token");
    let token = format!("{first}\n{second}");
    let inputs = [QUICK[0], ("github-token", token.as_str())];
    let broken = format!("{second}\n{first}");
    let of_runner = [("ACTIONS_ID_TOKEN_REQUEST_TOKEN", broken.as_str())];
    for environment in [talkative(&[]), talkative(&of_runner)] {
        let run = world.run(RunOptions {
            inputs: &inputs,
            environment: &environment,
            ..RunOptions::default()
        });
        assert!(run.code >= 2, "{}", run.log);
        assert_kept(&world, &run, &[first, second]);
        for line in [first, second] {
            assert!(run.log.contains(&format!("::add-mask::{line}\n")), "{}", run.log);
        }
    }
    let inputs = [("publish", "nowhere"), ("github-token", first)];
    let run = world.run(RunOptions {
        inputs: &inputs,
        environment: &talkative(&[]),
        ..RunOptions::default()
    });
    assert_eq!(run.code, 2, "{}", run.log);
    assert!(run.log.contains("the input `publish` is `nowhere`"), "{}", run.log);
    assert_kept(&world, &run, &[first]);
}
