//! Sessions: OIDC, rejected sessions with their hints, and secrets in the output.

use serde_json::json;

use super::{Audited, audit_in};
use stand_ins::aws::{Account, OIDC_SUBJECT, Seed, StandIn};

pub(super) fn with_users() -> Account {
    StandIn::shared().account(Seed::users(40, 21))
}

/// Audits with only the runner's variables.
pub(super) fn audit_with_oidc(account: &Account, more: &[&str]) -> Audited {
    let role = account.role_arn().to_owned();
    audit_in(&account.oidc_environment(), &[&["--role-to-assume", role.as_str()], more].concat())
}

#[test]
fn oidc_token_assumes_the_role_for_the_audit() {
    let account = with_users();
    let audited = audit_with_oidc(&account, &["--role-session-name", "nightly-audit"]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    assert!(!audited.stale_ids().is_empty());

    let [request] = account.token_requests().try_into().unwrap();
    assert_eq!((request.audience.as_str(), request.authorized), ("sts.amazonaws.com", true));

    let log = account.log();
    let (sts, iam): (Vec<_>, Vec<_>) = log.iter().partition(|call| call.service == "sts");
    let [assumed] = sts.try_into().unwrap();
    assert_eq!(assumed.action, "AssumeRoleWithWebIdentity");
    let sent = |name: &str| assumed.parameters[name].as_str();
    assert_eq!(sent("RoleArn"), account.role_arn());
    assert_eq!(sent("RoleSessionName"), "nightly-audit");
    assert_eq!(sent("DurationSeconds"), "3600");
    assert!(assumed.access_key_id.is_empty(), "only the token authenticates the call");

    // All IAM calls are signed with the session credentials.
    let signers: std::collections::BTreeSet<_> =
        iam.iter().map(|call| &call.access_key_id).collect();
    assert_eq!(signers.len(), 1);
    assert!(signers.first().unwrap().starts_with("ASIA"));
    let reads = |action: &str| ["Generate", "Get", "List"].iter().any(|it| action.starts_with(it));
    assert!(iam.iter().all(|call| reads(&call.action)), "the audit only reads");
    let listing = iam.iter().find(|call| call.action == "ListServiceSpecificCredentials").unwrap();
    assert_eq!(listing.parameters["AllUsers"], "true");
    let users = iam.iter().find(|call| call.action == "ListUsers").unwrap();
    assert_eq!(users.parameters["MaxItems"], "1000");
}

#[test]
fn expiring_session_is_renewed_with_a_new_token() {
    let account = with_users();
    // Credentials this short-lived are renewed before every call.
    account.session_seconds(5.0);
    let audited = audit_with_oidc(&account, &["--recheck", "false"]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    let renewed = account.counts()["sts:AssumeRoleWithWebIdentity"];
    assert!(renewed > 1, "{renewed}");
    assert_eq!(account.token_requests().len(), renewed);
}

#[test]
fn temporary_failure_of_the_token_endpoint_is_retried() {
    let account = with_users();
    account.faults(json!({"oidc_errors": 2}));
    let audited = audit_with_oidc(&account, &["--recheck", "false"]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    assert_eq!(account.token_requests().len(), 3);
}

#[test]
fn token_endpoint_that_never_answers_times_out() {
    let account = with_users();
    // The system accepts connections, and nothing reads from them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut environment = account.oidc_environment();
    environment[0].1 = format!("http://{}/token?", silent.local_addr().unwrap());
    let role = ["--role-to-assume", account.role_arn(), "--timeout", "1"];
    let audited = audit_in(&environment, &role);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    assert!(audited.stderr.contains("--timeout"), "{}", audited.stderr);
    assert!(account.log().is_empty() && audited.json.is_null());
}

/// Asserts that the session is rejected with exit code 2 and these words on standard error.
pub(super) fn assert_rejected(audited: &Audited, says: &[&str]) {
    assert_eq!(audited.code, 2, "{}", audited.stderr);
    assert!(audited.json.is_null(), "nothing is written");
    for words in says {
        assert!(audited.stderr.contains(words), "`{words}` is not in:\n{}", audited.stderr);
    }
}

#[test]
fn role_that_does_not_trust_the_workflow_is_reported_with_the_claims_of_the_token() {
    let account = with_users();
    account.faults(json!({"oidc": "not-authorized"}));
    let sub = format!("sub `{OIDC_SUBJECT}`");
    assert_rejected(
        &audit_with_oidc(&account, &[]),
        &[
            account.role_arn(),
            "does not trust this workflow",
            &sub,
            "aud `sts.amazonaws.com`",
            "iam-policy --format trust",
        ],
    );
}

#[test]
fn account_without_the_oidc_provider_is_reported() {
    let account = with_users();
    account.faults(json!({"oidc": "no-provider"}));
    assert_rejected(
        &audit_with_oidc(&account, &[]),
        &[account.id(), "has no OIDC provider", "help:"],
    );
}

#[test]
fn wrong_audience_is_reported() {
    let account = with_users();
    assert_rejected(
        &audit_with_oidc(&account, &["--audience", "https://elsewhere.example"]),
        &["does not accept the audience", "aud `https://elsewhere.example`", "--audience"],
    );
}

#[test]
fn job_without_the_id_token_permission_is_reported() {
    let account = with_users();
    let environment =
        [("GITHUB_ACTIONS", "true".to_owned()), ("AWS_ENDPOINT_URL", account.endpoint())]
            .map(|(name, value)| (name.to_owned(), value));
    let audited = audit_in(&environment, &["--role-to-assume", account.role_arn()]);
    assert_rejected(&audited, &["id-token: write", "fork"]);
    assert!(account.log().is_empty());
}

#[test]
fn rejected_request_token_is_reported() {
    let account = with_users();
    let mut environment = account.oidc_environment();
    environment[1].1 = "another-token".to_owned();
    let audited = audit_in(&environment, &["--role-to-assume", account.role_arn()]);
    assert_rejected(&audited, &["status 401"]);
    assert!(!audited.stderr.contains("another-token"));
}

#[test]
fn missing_credentials_are_reported() {
    let environment = [("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned())];
    assert_rejected(&audit_in(&environment, &[]), &["no AWS credentials found", "AWS_PROFILE"]);
}

/// The message of STS when it cannot fetch the issuer's keys, word for word.
const NO_KEY: &str = "Couldn't retrieve verification key from your identity provider, please \
                      reference AssumeRoleWithWebIdentity documentation for requirements";

#[test]
fn verification_key_that_sts_cannot_fetch_is_waited_for() {
    let account = with_users();
    let no_key = |max: u32| {
        json!({"error": {"actions": ["AssumeRoleWithWebIdentity"], "max": max, "status": 400,
                         "code": "InvalidIdentityToken", "message": NO_KEY}})
    };
    account.faults(no_key(3));
    let audited = audit_with_oidc(&account, &["--recheck", "false"]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    assert_eq!(account.counts()["sts:AssumeRoleWithWebIdentity"], 4);

    account.faults(no_key(1_000));
    let audited = audit_with_oidc(&account, &["--recheck", "false", "--timeout", "2"]);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    for words in ["retrieve verification key", "run the job again", "max-parallel"] {
        assert!(audited.stderr.contains(words), "{words}: {}", audited.stderr);
    }
    assert!(!audited.stderr.contains("sign in"), "{}", audited.stderr);
}

#[test]
fn web_identity_token_file_waits_for_the_verification_key_too() {
    let (account, other) = (with_users(), with_users());
    let issued = account.token("sts.amazonaws.com");
    let sandbox = super::Sandbox::new();
    sandbox.file("token", issued);
    account.faults(json!({"error": {
        "actions": ["AssumeRoleWithWebIdentity"], "max": 2, "status": 400,
        "code": "InvalidIdentityToken", "message": NO_KEY}}));
    let environment = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", sandbox.path("token").display().to_string()),
        ("AWS_ROLE_ARN", account.role_arn().to_owned()),
        ("AWS_REGION", account.region().to_owned()),
        ("AWS_ENDPOINT_URL", account.endpoint()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let audited = audit_in(&environment, &["--recheck", "false"]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    assert_eq!(account.counts()["sts:AssumeRoleWithWebIdentity"], 3);
    assert!(other.log().is_empty());
}

#[test]
fn session_renewed_for_another_account_is_rejected() {
    let account = with_users();
    account.session_seconds(5.0);
    account.faults(json!({"hold": {"action": "GenerateCredentialReport", "when": "after"}}));
    let role = account.role_arn().to_owned();
    let environment = account.oidc_environment();
    let run = std::thread::spawn(move || {
        audit_in(
            &environment,
            &["--role-to-assume", &role, "--recheck", "false", "--timeout", "20"],
        )
    });
    while !account.held() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // The attempt fails, and the next one renews the session first.
    account.faults(json!({"other_account": "999988887777"}));
    let audited = run.join().unwrap();
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    assert!(audited.json.to_string().contains("999988887777"), "{}", audited.json);
}

#[test]
fn flag_without_effect_is_noted() {
    let account = with_users();
    for (arguments, flag) in [
        (&["--audience", "mine"][..], "--audience"),
        (&["--member-role-name", "reader"], "--member-role-name"),
        (&["--external-id", "acme-audit"], "--external-id"),
        (&["--role-session-name", "nightly"], "--role-session-name"),
        (&["--recheck", "false", "--owner-tags", "team"], "--owner-tags"),
        (&["--recheck", "false", "--ssh-keys", "all"], "--ssh-keys"),
        (&["--recheck", "false", "--last-accessed", "false"], "--last-accessed"),
        (&["--language", "ja"], "--language"),
    ] {
        let audited = audit_in(&account.environment(), arguments);
        assert_eq!(audited.code, 1, "{arguments:?}: {}", audited.stderr);
        let notes = audited.stderr.lines().filter(|line| line.starts_with("note: "));
        let notes: Vec<_> = notes.collect();
        assert!(
            matches!(notes[..], [note] if note.contains(flag)),
            "{arguments:?}: {}",
            audited.stderr
        );
    }
    let plain = audit_in(&account.environment(), &[]);
    assert!(!plain.stderr.contains("note:"), "{}", plain.stderr);
}

#[test]
fn redirect_of_the_token_endpoint_is_not_followed() {
    use std::io::{Read as _, Write as _};
    let account = with_users();
    let mut environment = account.oidc_environment();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let redirecting = format!("http://{}/token?", listener.local_addr().unwrap());
    let target = std::mem::replace(&mut environment[0].1, redirecting);
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let _ = client.read(&mut [0; 4096]).unwrap();
        let head = format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\nconnection: close");
        write!(client, "{head}\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    let audited = audit_in(&environment, &["--role-to-assume", account.role_arn()]);
    assert_rejected(&audited, &["status 302"]);
    assert!(account.token_requests().is_empty());
}

/// A server that responds with this many bytes, until the client stops reading. Returns its port and
/// a thread that ends with the number of bytes sent.
fn endless(bytes: usize) -> (u16, std::thread::JoinHandle<usize>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let _ = client.read(&mut head).unwrap();
        let _ = write!(client, "HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n{{\"value\":\"");
        let (chunk, mut sent) = ([b'x'; 64 * 1024], 0);
        while sent < bytes {
            match client.write(&chunk) {
                Ok(written) if written > 0 => sent += written,
                _ => break,
            }
        }
        sent
    });
    (port, server)
}

#[test]
fn oversized_token_response_is_not_read_completely() {
    let account = with_users();
    let (port, server) = endless(1 << 30);
    let mut environment = account.oidc_environment();
    environment[0].1 = format!("http://127.0.0.1:{port}/token?");
    let audited = audit_in(&environment, &["--role-to-assume", account.role_arn()]);
    assert_rejected(&audited, &["more than 64 KiB"]);
    // Only the buffers of the system were filled.
    assert!(server.join().unwrap() < 64 << 20);
    assert!(account.log().is_empty());
}

#[test]
fn endless_response_of_aws_is_not_read_completely() {
    let account = with_users();
    let (port, server) = endless(1 << 30);
    let mut environment = account.environment();
    environment.push(("AWS_ENDPOINT_URL_IAM".to_owned(), format!("http://127.0.0.1:{port}")));
    let audited = audit_in(&environment, &["--recheck", "false", "--timeout", "120"]);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
    assert!(audited.json.to_string().contains("larger than 64 MiB"), "{}", audited.json);
    assert!(server.join().unwrap() < 128 << 20);
}

#[test]
fn region_and_role_of_different_partitions_are_rejected() {
    let account = with_users();
    assert_rejected(
        &audit_with_oidc(&account, &["--aws-region", "cn-north-1"]),
        &["aws-cn", "--aws-region"],
    );
}

#[test]
fn every_partition_has_its_own_region_and_audience() {
    for (partition, region, audience) in [
        ("aws-cn", "cn-north-1", "sts.amazonaws.com.cn"),
        ("aws-us-gov", "us-gov-west-1", "sts.amazonaws.com"),
        ("aws-eusc", "eusc-de-east-1", "sts.amazonaws.com"),
    ] {
        let account = StandIn::shared().account(Seed::users(20, 22).partition(partition));
        assert!(account.role_arn().starts_with(&format!("arn:{partition}:")));
        let audited = audit_with_oidc(&account, &[]);
        assert_eq!(audited.json["accounts"][0]["partition"], partition, "{}", audited.stderr);
        assert_eq!(account.token_requests()[0].audience, audience);
        assert_eq!(account.region(), region);
    }
}

#[test]
fn invalid_or_contradictory_settings_are_rejected() {
    let account = with_users();
    let twice = format!("{0} arn:aws:iam::{0}:role/audit", account.id());
    for (arguments, says) in [
        (["--accounts", twice.as_str()], "twice"),
        (["--accounts", "12345"], "an account ID (twelve digits)"),
        (["--role-to-assume", "arn:aws:iam::1:role/x"], "looks like arn:aws:iam::"),
        (["--aws-region", "Frankfurt"], "eu-central-1"),
        (["--external-id", "a b"], "letters, digits"),
        (["--timeout", "0"], "0 is not in"),
    ] {
        let audited = audit_in(&account.environment(), &arguments);
        assert_rejected(&audited, &[says]);
    }
    assert!(account.log().is_empty());
}

#[test]
fn no_secret_is_ever_printed() {
    let account = with_users();
    let untrusting = with_users();
    untrusting.faults(json!({"oidc": "not-authorized"}));
    let expiring = with_users();
    expiring.faults(json!({"expired": {"after": 3}}));
    let mut output = Vec::new();
    for account in [&account, &untrusting, &expiring] {
        for format in ["json", "markdown", "table"] {
            let sandbox = super::Sandbox::new();
            let mut command = sandbox.command(&[
                "audit",
                "--allowlist",
                "none",
                "--verbose",
                "--format",
                format,
                "--role-to-assume",
                account.role_arn(),
            ]);
            // The most verbose level of the SDK and its HTTP client.
            command.env("RUST_LOG", "trace").envs(account.oidc_environment());
            let ran = super::Ran::from(command.output().unwrap());
            output.push(ran.stdout);
            output.push(ran.stderr);
        }
    }
    let secrets = StandIn::shared().secrets();
    assert!(secrets.len() > 6, "{}", secrets.len());
    assert!(
        output.iter().any(|text| text.contains("AssumeRoleWithWebIdentity")),
        "calls are logged"
    );
    for secret in &secrets {
        assert!(secret.len() > 8);
        assert!(!output.iter().any(|text| text.contains(secret.as_str())), "a secret is printed");
    }
}
