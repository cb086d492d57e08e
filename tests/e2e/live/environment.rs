//! Environment variables that are empty or invalid, and private certificate authorities.

use super::audit_in;
use stand_ins::aws::{Account, Seed, StandIn};
use stand_ins::network::{Proxy, TlsFront, more};
use stand_ins::sandbox::Sandbox;

fn with_users() -> Account {
    StandIn::shared().account(Seed::users(10, 81))
}

/// The account's environment with some variables replaced.
fn with(account: &Account, changed: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut environment = account.environment();
    for (name, value) in changed {
        environment.retain(|(key, _)| key != name);
        environment.push(((*name).to_owned(), (*value).to_owned()));
    }
    environment
}

#[test]
fn empty_variable_counts_as_unset() {
    let account = with_users();
    let every = [
        "AWS_ENDPOINT_URL_IAM",
        "AWS_ENDPOINT_URL_STS",
        "AWS_ENDPOINT_URL_SSO",
        "AWS_REGION",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CA_BUNDLE",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "AWS_MAX_ATTEMPTS",
        "AWS_RETRY_MODE",
        "AWS_SDK_UA_APP_ID",
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "GITHUB_ACTIONS",
        "GITHUB_OUTPUT",
        "GITHUB_STEP_SUMMARY",
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "NO_COLOR",
        "COLUMNS",
    ];
    let all: Vec<_> = every.into_iter().map(|name| (name, "")).collect();
    let region = [("AWS_REGION", ""), ("AWS_DEFAULT_REGION", account.region())];
    for variables in [&all[..], &region] {
        let audited = audit_in(&with(&account, variables), &["--recheck", "false"]);
        assert_eq!(audited.code, 1, "{variables:?}: {}", audited.stderr);
    }
    // Without an endpoint AWS itself would be called. This checks only that the run does not panic.
    let nowhere = [("AWS_ENDPOINT_URL", ""), ("HTTPS_PROXY", "http://127.0.0.1:9")];
    let audited = audit_in(&with(&account, &nowhere), &["--timeout", "1"]);
    assert_eq!(audited.code, 3, "{}", audited.stderr);
}

#[test]
fn invalid_variable_is_an_error_that_names_it() {
    let account = with_users();
    for (variable, value) in [
        ("AWS_ENDPOINT_URL", "localhost:4566"),
        ("AWS_ENDPOINT_URL_IAM", " "),
        ("HTTPS_PROXY", "http://user:geheim@ proxy"),
        ("AWS_CA_BUNDLE", "/nowhere/ca.pem"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
        ("SSL_CERT_DIR", "/nowhere"),
        ("AWS_SECRET_ACCESS_KEY", ""),
    ] {
        let audited = audit_in(&with(&account, &[(variable, value)]), &[]);
        assert_eq!(audited.code, 2, "{variable}={value}: {}", audited.stderr);
        assert!(audited.stderr.contains(variable), "{variable}={value}: {}", audited.stderr);
        assert!(!audited.stderr.contains("geheim"), "{}", audited.stderr);
    }
    assert!(account.log().is_empty());
}

#[test]
fn invalid_profile_setting_is_an_error_that_names_it() {
    let account = with_users();
    let sandbox = Sandbox::new();
    let path = sandbox.path("config").display().to_string();
    for (config, says) in [
        ("[default]\nendpoint_url = localhost:4566\n", "`endpoint_url` of the profile `default`"),
        ("[default]\nregion = Frank furt\n", "`region` of the profile `default`"),
        ("[default]\nca_bundle = ~/ca.pem\n", "`ca_bundle` of the profile `default`"),
        (
            "[default]\nservices = own\n[services own]\niam =\n  endpoint_url = localhost\n",
            "`endpoint_url` of the profile `default` for IAM",
        ),
    ] {
        sandbox.file("config", config);
        let mut environment = with(&account, &[("AWS_CONFIG_FILE", &path)]);
        environment.retain(|(name, _)| name != "AWS_ENDPOINT_URL" && name != "AWS_REGION");
        let audited = audit_in(&environment, &[]);
        assert_eq!(audited.code, 2, "{config}: {}", audited.stderr);
        assert!(audited.stderr.contains(says), "{config}: {}", audited.stderr);
    }
}

#[test]
fn ca_bundle_of_the_aws_cli_replaces_the_system_roots_for_aws() {
    let account = with_users();
    let sandbox = Sandbox::new();
    let front = TlsFront::start(
        &stand_ins::aws::python(),
        StandIn::shared().port(),
        &sandbox.path("ca.pem"),
    );
    let secure = format!("https://localhost:{}", front.port);
    let environment = with(&account, &[("AWS_ENDPOINT_URL", &secure)]);
    let ca = sandbox.path("ca.pem").display().to_string();
    let quick = ["--recheck", "false", "--timeout", "20"];

    let untrusted = audit_in(&environment, &quick);
    assert!(matches!(untrusted.code, 2 | 3), "{}", untrusted.stderr);
    assert!(untrusted.stderr.to_lowercase().contains("certificate"), "{}", untrusted.stderr);

    let by_variable = more(&environment, &[("AWS_CA_BUNDLE", ca.clone())]);
    let trusting = audit_in(&by_variable, &quick);
    assert_eq!(trusting.code, 1, "{}", trusting.stderr);

    sandbox.file("config", format!("[default]\nca_bundle = {ca}\n"));
    let config = sandbox.path("config").display().to_string();
    let by_profile = more(&environment, &[("AWS_CONFIG_FILE", config.clone())]);
    let trusting = audit_in(&by_profile, &quick);
    assert_eq!(trusting.code, 1, "{}", trusting.stderr);

    // The variable has precedence, and a proxy is used as without a bundle.
    sandbox.file("config", "[default]\nca_bundle = /nowhere/ca.pem\n");
    let proxy = Proxy::start();
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let both = more(&by_variable, &[("AWS_CONFIG_FILE", config), ("HTTPS_PROXY", address)]);
    let trusting = audit_in(&both, &quick);
    assert_eq!(trusting.code, 1, "{}", trusting.stderr);
    assert!(!proxy.requests().is_empty());

    let pem = sandbox.read("ca.pem");
    let cut: String = pem.chars().filter(|it| *it != 'M').collect();
    for (content, says) in [
        ("", "no certificate"),
        ("no pem at all\n", "no certificate"),
        (cut.as_str(), "cannot be parsed"),
        (&format!("{pem}{cut}"), "certificate 2 cannot be parsed"),
    ] {
        sandbox.file("other.pem", content);
        let other = sandbox.path("other.pem").display().to_string();
        let audited = audit_in(&more(&environment, &[("AWS_CA_BUNDLE", other.clone())]), &quick);
        assert_eq!(audited.code, 2, "{}", audited.stderr);
        for words in ["AWS_CA_BUNDLE", &other, says] {
            assert!(audited.stderr.contains(words), "{words}: {}", audited.stderr);
        }
    }
}
