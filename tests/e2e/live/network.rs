//! Company networks: proxies and private certificate authorities.

use super::audit_in;
use stand_ins::aws::{Account, Seed, StandIn};
use stand_ins::network::{Proxy, TlsFront, more};
use stand_ins::sandbox::Sandbox;

/// The runner's variables, with all endpoints behind TLS.
fn behind_tls(account: &Account, front: &TlsFront) -> Vec<(String, String)> {
    let secure = format!("https://localhost:{}", front.port);
    let environment = account.oidc_environment().into_iter();
    environment.map(|(name, value)| (name, value.replace(&account.endpoint(), &secure))).collect()
}

#[test]
fn private_certificate_authorities_and_proxies_come_from_the_environment() {
    let account = StandIn::shared().account(Seed::users(10, 61));
    let sandbox = Sandbox::new();
    let front = TlsFront::start(
        &stand_ins::aws::python(),
        StandIn::shared().port(),
        &sandbox.path("ca.pem"),
    );
    let environment = behind_tls(&account, &front);
    let role = ["--role-to-assume", account.role_arn(), "--recheck", "false", "--timeout", "20"];

    // With an unknown authority nothing is sent, neither to GitHub nor to AWS.
    let untrusted = audit_in(&environment, &role);
    assert_eq!(untrusted.code, 2, "{}", untrusted.stderr);
    assert!(untrusted.stderr.to_lowercase().contains("certificate"), "{}", untrusted.stderr);
    assert!(account.log().is_empty() && account.token_requests().is_empty());

    let ca = sandbox.path("ca.pem").display().to_string();
    let trusting = more(&environment, &[("SSL_CERT_FILE", ca)]);
    let direct = audit_in(&trusting, &role);
    assert_eq!(direct.code, 1, "{}", direct.stderr);

    let proxy = Proxy::start();
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let proxied = more(&trusting, &[("HTTPS_PROXY", address.clone())]);
    let through = audit_in(&proxied, &role);
    assert_eq!(through.code, 1, "{}", through.stderr);
    assert_eq!(through.stale_ids(), direct.stale_ids());
    let requests = proxy.requests();
    // One client requests the token, the SDK is another.
    assert!(requests.len() >= 2, "{requests:?}");
    let expected = format!("CONNECT localhost:{} ", front.port);
    assert!(requests.iter().all(|line| line.starts_with(&expected)), "{requests:?}");

    let excepted = more(&proxied, &[("NO_PROXY", "localhost".to_owned())]);
    let around = audit_in(&excepted, &role);
    assert_eq!(around.code, 1, "{}", around.stderr);
    assert_eq!(proxy.requests().len(), requests.len(), "NO_PROXY bypasses the proxy");
}
