//! Which IAM user the credentials of a profile belong to. That user is skipped. If the user is
//! unknown, nothing is changed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use serde_json::json;

use super::skips::{key_of, stale};
use super::world::World;
use stand_ins::sandbox::Ran;

/// Runs with a profile, without credentials in the environment.
fn with_profile(world: &World, day: f64, config: &str, arguments: &[&str]) -> Ran {
    let role = world.account.role_arn();
    let keys = format!(
        "aws_access_key_id = {}\naws_secret_access_key = geheim\n",
        key_of(world, "deployer")
    );
    let config = config.replace("ROLE", role).replace("KEYS", &keys);
    world.sandbox.file("aws-config", config);
    let mut command = world.command(day, arguments);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        command.env_remove(name);
    }
    command.env("AWS_CONFIG_FILE", world.sandbox.path("aws-config"));
    command.env("AWS_SHARED_CREDENTIALS_FILE", world.sandbox.path("no-credentials"));
    command.env("AWS_PROFILE", "audit");
    Ran::from(command.output().unwrap())
}

#[test]
fn user_whose_key_a_profile_uses_is_skipped() {
    for (what, config) in [
        ("keys", "[profile audit]\nKEYS"),
        ("a role", "[profile audit]\nrole_arn = ROLE\nsource_profile = keys\n[profile keys]\nKEYS"),
        (
            "a role in the profile of the keys",
            "[profile audit]\nrole_arn = ROLE\nsource_profile = audit\nKEYS",
        ),
        (
            "two roles",
            "[profile audit]\nrole_arn = ROLE\nsource_profile = middle\n[profile middle]\nrole_arn = \
             ROLE\nsource_profile = keys\n[profile keys]\nKEYS",
        ),
        (
            "a source with keys and a role",
            "[profile audit]\nrole_arn = ROLE\nsource_profile = keys\n[profile keys]\nrole_arn = \
             ROLE\nsource_profile = keys\nKEYS",
        ),
    ] {
        let world = stale(&["deployer", "other"]);
        for day in [0.0, 14.0] {
            let ran = with_profile(&world, day, config, &["--apply"]);
            assert_eq!(ran.code, 0, "{what}: {}{}", ran.stdout, ran.stderr);
            let expected = "deployer: this run uses the user's credentials";
            assert!(ran.stdout.contains(expected), "{what}: {}", ran.stdout);
        }
        assert_eq!(world.key_statuses("deployer"), ["Active"], "{what}");
        assert_eq!(world.tags("deployer"), [""; 0], "{what}");
        assert_eq!(world.key_statuses("other"), ["Inactive"], "{what}");
    }
}

#[test]
fn user_is_found_through_two_roles() {
    let world = stale(&["deployer", "other"]);
    let config = "[profile audit]\nrole_arn = ROLE\nsource_profile = keys\n[profile keys]\nKEYS";
    let role = world.account.role_arn().to_owned();
    for day in [0.0, 14.0] {
        let arguments = ["--apply", "--role-to-assume", &role];
        let ran = with_profile(&world, day, config, &arguments);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
    assert_eq!(world.key_statuses("deployer"), ["Active"]);
    assert_eq!(world.key_statuses("other"), ["Inactive"]);
}

#[test]
fn nothing_is_changed_with_credentials_of_an_unknown_user() {
    let world = stale(&["deployer", "other"]);
    let environment = world.account.environment();
    let of = |name: &str| environment.iter().find(|it| it.0 == name).unwrap().1.clone();
    let session = json!({
        "Version": 1,
        "AccessKeyId": of("AWS_ACCESS_KEY_ID"),
        "SecretAccessKey": of("AWS_SECRET_ACCESS_KEY"),
        "SessionToken": of("AWS_SESSION_TOKEN"),
    });
    world.sandbox.file("session.json", session.to_string());
    let process =
        format!("credential_process = cat {}\n", world.sandbox.path("session.json").display());
    for config in [
        format!("[profile audit]\n{process}"),
        format!(
            "[profile audit]\nrole_arn = ROLE\nsource_profile = tool\n[profile tool]\n{process}"
        ),
    ] {
        let planned = with_profile(&world, 0.0, &config, &[]);
        assert_eq!(planned.code, 0, "{}", planned.stderr);
        assert!(planned.stderr.contains("; --apply requires this"), "{}", planned.stderr);
        world.account.reset_log();
        let refused = with_profile(&world, 0.0, &config, &["--apply"]);
        assert_eq!(refused.code, 2, "{}{}", refused.stdout, refused.stderr);
        let expected = "cannot determine whose credentials this run uses: the profile `";
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
        assert_eq!(world.writes(), [""; 0]);
    }
    // A program that returns the access key of a user identifies the user.
    let key = json!({
        "Version": 1, "AccessKeyId": key_of(&world, "deployer"), "SecretAccessKey": "geheim",
    });
    world.sandbox.file("session.json", key.to_string());
    let ran = with_profile(&world, 0.0, &format!("[profile audit]\n{process}"), &["--apply"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("deployer: this run uses the user's credentials"),
        "{}",
        ran.stdout
    );
}

#[test]
fn role_session_in_a_profile_is_used_and_noted() {
    let world = stale(&["deployer", "other"]);
    let environment = world.account.environment();
    let of = |name: &str| environment.iter().find(|it| it.0 == name).unwrap().1.clone();
    let config = format!(
        "[profile audit]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        of("AWS_ACCESS_KEY_ID"),
        of("AWS_SECRET_ACCESS_KEY"),
        of("AWS_SESSION_TOKEN")
    );
    let ran = with_profile(&world, 0.0, &config, &["--apply"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    // The note is printed unless `--quiet` is set.
    let now = world.written(1.0);
    let mut command =
        world.sandbox.command(&["remediate", "--now", &now, "--allowlist", "allow.yml"]);
    let ran = Ran::from(command.envs(environment.clone()).output().unwrap());
    assert!(ran.stderr.contains("this run uses a role session created earlier"), "{}", ran.stderr);
}

#[test]
fn nothing_is_changed_with_credentials_from_a_local_container_endpoint() {
    let world = stale(&["deployer", "other"]);
    let environment = world.account.environment();
    let of = |name: &str| environment.iter().find(|it| it.0 == name).unwrap().1.clone();
    // Like `aws-vault exec --ecs-server` with a session of a role.
    let answer = json!({
        "AccessKeyId": of("AWS_ACCESS_KEY_ID"),
        "SecretAccessKey": of("AWS_SECRET_ACCESS_KEY"),
        "Token": of("AWS_SESSION_TOKEN"),
        "Expiration": "2999-01-01T00:00:00Z",
    })
    .to_string();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/credentials", listener.local_addr().unwrap());
    // The thread ends with the process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let _request: Vec<_> =
                lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            let length = answer.len();
            write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{answer}").unwrap();
        }
    });
    let role = world.account.role_arn();
    for config in ["", "[profile audit]\nrole_arn = ROLE\ncredential_source = EcsContainer\n"] {
        world.sandbox.file("aws-config", config.replace("ROLE", role));
        world.account.reset_log();
        let mut command = world.command(0.0, &["--apply"]);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            command.env_remove(name);
        }
        command.env("AWS_CONFIG_FILE", world.sandbox.path("aws-config"));
        command.env("AWS_SHARED_CREDENTIALS_FILE", world.sandbox.path("no-credentials"));
        command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri);
        if !config.is_empty() {
            command.env("AWS_PROFILE", "audit");
        }
        let ran = Ran::from(command.output().unwrap());
        assert_eq!(ran.code, 2, "{config}: {}{}", ran.stdout, ran.stderr);
        let expected = "AWS_CONTAINER_CREDENTIALS_FULL_URI points to a program on this machine";
        assert!(ran.stderr.contains(expected), "{config}: {}", ran.stderr);
        assert_eq!(world.writes(), [""; 0], "{config}");
    }
}
