//! GitHub behind a private certificate authority and a proxy.

use stand_ins::aws;
use stand_ins::network::{Proxy, TlsFront};
use stand_ins::world::{EMPTY, RunOptions, World};

#[test]
fn uses_the_root_certificates_and_proxy_of_the_environment() {
    let world = World::new();
    world.user("alice", 200);
    let ca = world.sandbox.path("ca.pem");
    let front = TlsFront::start(&aws::python(), world.repo.port(), &ca);
    let proxy = Proxy::start();
    let api = format!("https://localhost:{}", front.port);
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let run = |more: &[(&str, &str)]| {
        let environment = [&[("GITHUB_API_URL", api.as_str())], more].concat();
        world.run(RunOptions {
            allowlist: EMPTY,
            environment: &environment,
            ..RunOptions::default()
        })
    };

    // The authority is unknown: nothing is sent, and nothing counts as clean.
    let unknown = run(&[]);
    assert_eq!(unknown.code, 3, "{}", unknown.log);
    assert!(unknown.log.contains("SSL_CERT_FILE"), "{}", unknown.log);
    assert!(world.repo.log().is_empty() && world.queue().is_empty());

    let ca = ca.display().to_string();
    let through = run(&[("SSL_CERT_FILE", &ca), ("HTTPS_PROXY", &address)]);
    assert_eq!(through.code, 0, "{}", through.log);
    assert_eq!(world.queue().len(), 1);
    let expected = format!("CONNECT localhost:{} ", front.port);
    let requests = proxy.requests();
    assert!(
        !requests.is_empty() && requests.iter().all(|line| line.starts_with(&expected)),
        "{requests:?}"
    );

    let around =
        run(&[("SSL_CERT_FILE", &ca), ("HTTPS_PROXY", &address), ("NO_PROXY", "localhost")]);
    assert_eq!(around.code, 0, "{}", around.log);
    assert_eq!(proxy.requests().len(), requests.len(), "NO_PROXY goes around the proxy");
}

#[test]
fn rejects_an_invalid_api_address() {
    let world = World::new();
    for address in ["localhost:8080", "ftp://github.example"] {
        let environment = [("GITHUB_API_URL", address)];
        let run = world.run(RunOptions {
            allowlist: EMPTY,
            environment: &environment,
            ..RunOptions::default()
        });
        assert_eq!(run.code, 2, "{}", run.log);
        assert!(run.log.contains("correct or remove GITHUB_API_URL"), "{}", run.log);
    }
}
