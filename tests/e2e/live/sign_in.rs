//! Credentials outside of a workflow: AWS CLI profiles, and the errors when they give none.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Audited, audit_in};
use stand_ins::aws::{Account, Seed, StandIn};
use stand_ins::sandbox::Sandbox;

fn with_users() -> Account {
    StandIn::shared().account(Seed::users(20, 71))
}

/// The environment without credentials, with a file of profiles.
fn with_profiles(account: &Account, sandbox: &Sandbox, config: &str) -> Vec<(String, String)> {
    sandbox.file("config", config);
    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    let mut environment = account.environment();
    environment.retain(|(name, _)| !keys.contains(&name.as_str()));
    let files = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"].into_iter();
    let paths = files.zip(["config", "credentials"]);
    environment.extend(
        paths.map(|(name, file)| (name.to_owned(), sandbox.path(file).display().to_string())),
    );
    environment
}

fn with(environment: &[(String, String)], more: &[(&str, &str)]) -> Vec<(String, String)> {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    environment.iter().cloned().chain(more).collect()
}

/// A program that prints the auditor's credentials and counts its runs.
fn process(account: &Account, sandbox: &Sandbox, more: &str) -> String {
    let environment = account.environment();
    let of = |name: &str| &environment.iter().find(|(key, _)| key == name).unwrap().1;
    let printed = format!(
        r#"{{"Version":1,"AccessKeyId":"{}","SecretAccessKey":"{}","SessionToken":"{}"{more}}}"#,
        of("AWS_ACCESS_KEY_ID"),
        of("AWS_SECRET_ACCESS_KEY"),
        of("AWS_SESSION_TOKEN")
    );
    sandbox.file("printed", printed);
    let counter = sandbox.path("runs").display().to_string();
    let printed = sandbox.path("printed").display().to_string();
    let script = format!("#!/bin/sh\necho >> '{counter}'\ncat '{printed}'\n");
    sandbox.file("process.sh", script);
    format!("sh {}", sandbox.path("process.sh").display())
}

fn times_run(sandbox: &Sandbox) -> usize {
    sandbox.read("runs").lines().count()
}

#[test]
fn credential_process_is_run_once() {
    let (account, sandbox) = (with_users(), Sandbox::new());
    for expiration in ["", r#","Expiration":"2099-01-01T00:00:00Z""#] {
        let process = process(&account, &sandbox, expiration);
        let config = format!("[profile touch]\ncredential_process = {process}\n");
        let environment = with_profiles(&account, &sandbox, &config);
        let audited = audit_in(&with(&environment, &[("AWS_PROFILE", "touch")]), &[]);
        assert_eq!(audited.code, 1, "{}", audited.stderr);
        assert_eq!(times_run(&sandbox), 1, "with `{expiration}`");
        std::fs::remove_file(sandbox.path("runs")).unwrap();
    }
}

#[test]
fn profile_with_a_role_assumes_it_once() {
    let (hub, account, sandbox) = (with_users(), with_users(), Sandbox::new());
    let process = process(&hub, &sandbox, "");
    let config = format!(
        "[profile role]\nrole_arn = {}\nsource_profile = base\n\
         [profile base]\ncredential_process = {process}\n",
        account.role_arn()
    );
    let environment = with_profiles(&hub, &sandbox, &config);
    for variable in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
        hub.reset_log();
        account.reset_log();
        let audited = audit_in(&with(&environment, &[(variable, "role")]), &[]);
        assert_eq!(audited.code, 1, "{}", audited.stderr);
        assert_eq!(audited.account()["id"], account.id());
        let mut assumed = hub.log();
        assumed.extend(account.log());
        assumed.retain(|call| call.action == "AssumeRole");
        assert_eq!(assumed.len(), 1, "{assumed:?}");
    }
}

/// Asserts that standard error has one `error:` line and one `help:` line, without debug formatting,
/// and contains these words.
#[track_caller]
fn assert_error(audited: &Audited, says: &[&str]) {
    assert_eq!(audited.code, 2, "{}", audited.stderr);
    let lines: Vec<_> = audited.stderr.lines().collect();
    assert!(
        matches!(lines[..], [error, help] if error.starts_with("error: ") && help.starts_with("help: ")),
        "{}",
        audited.stderr
    );
    for words in says {
        assert!(audited.stderr.contains(words), "`{words}` is not in:\n{}", audited.stderr);
    }
    for debug in ["Error(", "Error {", "Some(", "{ ", "[\"", "Attempted:", "…"] {
        assert!(!audited.stderr.contains(debug), "`{debug}` is in:\n{}", audited.stderr);
    }
}

/// Profiles that give no credentials, each for another reason.
const PROFILES: &str = "\
[profile sso]
sso_session = acme
sso_account_id = 111122223333
sso_role_name = audit
[sso-session acme]
sso_region = us-east-1
sso_start_url = https://acme.awsapps.com/start
[profile old-sso]
sso_region = us-east-1
sso_start_url = https://acme.awsapps.com/start
sso_account_id = 111122223333
sso_role_name = audit
[profile token-only]
sso_session = acme
[profile console]
login_session = arn:aws:iam::111122223333:user/alice
[profile broken-process]
credential_process = sh -c 'echo the vault is sealed >&2; exit 3'
[profile no-program]
credential_process = /nowhere/to/be/found
[profile mfa]
role_arn = arn:aws:iam::111122223333:role/audit
source_profile = base
mfa_serial = arn:aws:iam::111122223333:mfa/alice
[profile base]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = secret
[profile behind-mfa]
role_arn = arn:aws:iam::111122223333:role/other
source_profile = mfa
[profile lost]
role_arn = arn:aws:iam::111122223333:role/audit
source_profile = gone
[profile file]
role_arn = arn:aws:iam::111122223333:role/audit
web_identity_token_file = /nowhere/token
[profile circle]
role_arn = arn:aws:iam::111122223333:role/audit
source_profile = circle-back
[profile circle-back]
role_arn = arn:aws:iam::111122223333:role/audit
source_profile = circle
[profile unknown-source]
role_arn = arn:aws:iam::111122223333:role/audit
credential_source = Hsm
[profile empty]
output = json
";

#[test]
fn missing_credentials_are_reported_with_the_profile_and_the_root_cause() {
    let (account, sandbox) = (with_users(), Sandbox::new());
    let environment = with_profiles(&account, &sandbox, PROFILES);
    let export = "aws configure export-credentials --profile";
    for (profile, says) in [
        ("nope", &["`nope` (AWS_PROFILE)", "aws configure list-profiles"][..]),
        ("sso", &["`sso`", "No such file", "aws sso login --profile sso"]),
        ("old-sso", &["`old-sso`", "No such file", "aws sso login --profile old-sso"]),
        ("token-only", &["`token-only`", "no sso_account_id or no sso_role_name"]),
        ("console", &["`console`", "aws login --profile console"]),
        ("broken-process", &["`broken-process`", "the vault is sealed"]),
        ("no-program", &["`no-program`", "not found"]),
        ("mfa", &["`mfa`", "MFA code (mfa_serial)", export]),
        ("behind-mfa", &["`mfa`", "export-credentials --profile behind-mfa"]),
        ("lost", &["`lost`", "source_profile `gone`"]),
        ("file", &["`file`", "No such file"]),
        ("circle", &["`circle`", "source_profile chain"]),
        ("unknown-source", &["`unknown-source`", "Hsm"]),
        ("empty", &["`empty`", "AWS_PROFILE"]),
    ] {
        let audited = audit_in(&with(&environment, &[("AWS_PROFILE", profile)]), &[]);
        assert_error(&audited, says);
    }
    assert!(account.log().is_empty());

    sandbox.file("config", "[profile x\naws_access_key_id");
    assert_error(&audit_in(&environment, &[]), &["config"]);
}

/// The key with which a refresh request is signed (DPoP). It protects nothing.
const DPOP_KEY: &str = "-----BEGIN EC PRIVATE KEY-----\n\
                     MHcCAQEEIFDZHUzOG1Pzq+6F0mjMlOSp1syN9LRPBuHMoCFXTcXhoAoGCCqGSM49\n\
                     AwEHoUQDQgAE9qhj+KtcdHj1kVgwxWWWw++tqoh7H7UHs7oXh8jBbgF47rrYGC+t\n\
                     djiIaHK3dBvvdE7MGj5HsepzLm3Kj91bqA==\n-----END EC PRIVATE KEY-----\n";

#[test]
fn profile_of_aws_login_works_until_its_session_ends() {
    let (account, sandbox) = (with_users(), Sandbox::new());
    let arn = format!("arn:aws:iam::{}:user/alice", account.id());
    let config = format!("[profile console]\nlogin_session = {arn}\nregion = us-east-1\n");
    let environment = with_profiles(&account, &sandbox, &config);
    let cache = sandbox.path("cache").display().to_string();
    let environment =
        with(&environment, &[("AWS_PROFILE", "console"), ("AWS_LOGIN_CACHE_DIRECTORY", &cache)]);
    assert_error(&audit_in(&environment, &[]), &["`console`", "aws login --profile console"]);

    let hash = Sha256::digest(arn.as_bytes());
    let file: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let variables = account.environment();
    let of = |name: &str| variables.iter().find(|(key, _)| key == name).unwrap().1.clone();
    for (expires, code) in [("2099-01-01T00:00:00Z", 1), ("2020-01-01T00:00:00Z", 2)] {
        let token = json!({
            "accessToken": {
                "accessKeyId": of("AWS_ACCESS_KEY_ID"),
                "secretAccessKey": of("AWS_SECRET_ACCESS_KEY"),
                "sessionToken": of("AWS_SESSION_TOKEN"),
                "accountId": account.id(),
                "expiresAt": expires,
            },
            "tokenType": "aws_sigv4",
            "refreshToken": "refresh-token",
            "identityToken": "identity-token",
            "clientId": "arn:aws:signin:::devtools/same-device",
            "dpopKey": DPOP_KEY,
        });
        sandbox.file(&format!("cache/{file}.json"), token.to_string());
        let audited = audit_in(&environment, &["--recheck", "false", "--timeout", "20"]);
        assert_eq!(audited.code, code, "{}", audited.stderr);
        if code == 2 {
            // The stand-in has no sign-in service, so nothing renews the session.
            assert_error(&audited, &["`console`", "aws login --profile console"]);
        }
    }
}

#[test]
fn keys_in_the_environment_have_precedence_over_profiles() {
    let (account, sandbox) = (with_users(), Sandbox::new());
    let environment = with_profiles(&account, &sandbox, "");
    let environment = [environment, account.environment()].concat();
    let audited = audit_in(&with(&environment, &[("AWS_PROFILE", "nope")]), &[]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
}

#[test]
fn profile_whose_credentials_are_of_another_account_is_rejected() {
    let (account, sandbox) = (with_users(), Sandbox::new());
    let process = process(&account, &sandbox, "");
    let config = format!(
        "[profile other]\nlogin_session = arn:aws:iam::999988887777:user/alice\n\
         [profile role]\nrole_arn = {}\nsource_profile = base\n\
         [profile base]\ncredential_process = {process}\n",
        account.role_arn()
    );
    let environment = with_profiles(&account, &sandbox, &config);
    account.faults(json!({"other_account": "999988887777"}));
    let audited = audit_in(&with(&environment, &[("AWS_PROFILE", "role")]), &[]);
    assert_error(&audited, &["999988887777", "the profile `role`", account.id()]);
    assert!(account.counts().keys().all(|name| name.starts_with("sts:")), "{:?}", account.counts());
}
