//! Requests on the wire: headers, URLs, redirects, and the token.

use std::time::Duration;

use iam_stocktake::github::{ErrorKind, GitHub, IssueChange, IssueFilter, NewIssue, NewLabel};
use serde_json::json;

use super::server::{Reply, Server, json as answer};
use super::{LOG, LONG_TIMEOUT, TOKEN, at, infra, issue, within};

#[test]
fn every_request_has_each_required_header_once() {
    let server = Server::replying([answer(404, &json!({ "message": "Not Found" }))]);
    at(&server.url(), async |github| {
        let infra = infra(github);
        let new = NewIssue { title: "t".to_owned(), ..NewIssue::default() };
        drop(github.logins().await);
        drop(infra.info().await);
        drop(infra.issues(&IssueFilter::default()).await);
        drop(infra.create_issue(&new, 0).await);
        drop(infra.update_issue(7, &IssueChange::default()).await);
        drop(infra.comments(7).await);
        drop(infra.create_comment(7, "b", 0).await);
        drop(infra.update_comment(7, "b").await);
        drop(infra.delete_comment(7).await);
        drop(infra.label("l").await);
        drop(infra.describe_label("l", "d").await);
        drop(infra.find_issue(7).await);
        drop(infra.create_label(&NewLabel::default()).await);
        drop(infra.add_labels(7, &[]).await);
        drop(infra.merge_base("a", "b").await);
        drop(infra.file_at("f", "a").await);
    });
    // The login of the token takes two requests.
    assert_eq!(server.requests().len(), 17);
    for request in server.requests() {
        let version = concat!("iam-stocktake/", env!("CARGO_PKG_VERSION"));
        for (name, value) in [
            ("authorization", format!("Bearer {TOKEN}").as_str()),
            ("accept", "application/vnd.github+json"),
            ("x-github-api-version", "2022-11-28"),
            ("user-agent", version),
        ] {
            assert_eq!(request.header(name), [value], "{}", request.line());
        }
        let is_json = request.header("content-type") == ["application/json"];
        assert_eq!(is_json, !request.body.is_empty(), "{}", request.line());
    }
}

#[test]
fn path_of_an_enterprise_server_url_is_kept() {
    for base in ["/api/v3", "/api/v3/"] {
        let server = Server::replying([viewer("octocat")]);
        let logins = at(&format!("{}{base}", server.url()), async |github| github.logins().await);
        assert_eq!(logins.unwrap(), ["octocat"]);
        assert_eq!(server.lines(), ["POST /api/graphql"]);
        let server = Server::replying([answer(404, &json!({})), user("octocat")]);
        let logins = at(&format!("{}{base}", server.url()), async |github| github.logins().await);
        assert_eq!(logins.unwrap(), ["octocat"]);
        assert_eq!(server.lines(), ["POST /api/graphql", "GET /api/v3/user"]);
    }
}

/// The GraphQL response with the login of the token.
fn viewer(login: &str) -> Reply {
    answer(200, &json!({ "data": { "viewer": { "login": login } } }))
}

/// The REST response with it.
fn user(login: &str) -> Reply {
    answer(200, &json!({ "login": login }))
}

#[test]
fn token_is_not_sent_to_a_graphql_url_of_another_origin() {
    let elsewhere = Server::replying([viewer("mallory")]);
    let server = Server::replying([viewer("octocat")]);
    for (graphql_url, expected) in [
        (format!("{}/graphql", elsewhere.url()), "POST /graphql"),
        ("not a URL".to_owned(), "POST /graphql"),
        (format!("{}/elsewhere/graphql", server.url()), "POST /elsewhere/graphql"),
    ] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let logins = runtime.block_on(async {
            let github = GitHub::new(&server.url(), TOKEN.into(), LONG_TIMEOUT).unwrap();
            github.with_graphql_url(Some(&graphql_url)).logins().await
        });
        assert_eq!(logins.unwrap(), ["octocat"]);
        assert_eq!(server.lines().last().unwrap(), expected, "{graphql_url}");
    }
    assert_eq!(elsewhere.lines(), [""; 0]);
}

#[test]
fn login_of_the_token_is_requested_once_or_learned_from_a_created_issue() {
    let forbidden = || answer(403, &json!({ "message": "Resource not accessible by integration" }));
    let lines = ["POST /graphql", "GET /user"];
    for (replies, logins, requests) in [
        (vec![viewer("acme-audit[bot]")], vec!["acme-audit[bot]"], 1),
        (vec![forbidden(), user("octocat")], vec!["octocat"], 2),
        (vec![answer(200, &json!({ "data": null })), user("octocat")], vec!["octocat"], 2),
        (vec![forbidden(), forbidden()], vec![], 2),
    ] {
        let server = Server::replying(replies);
        at(&server.url(), async |github| {
            assert_eq!(github.logins().await.unwrap(), logins);
            assert_eq!(github.logins().await.unwrap(), logins);
        });
        assert_eq!(server.lines(), lines[..requests]);
    }
    let server = Server::start(move |request| match request.method.as_str() {
        "POST" if request.target != "/graphql" => answer(201, &issue(7, "t", "b", "my-app[bot]")),
        _ => forbidden(),
    });
    at(&server.url(), async |github| {
        assert_eq!(github.logins().await.unwrap(), [""; 0]);
        let new = NewIssue { title: "t".to_owned(), body: "b".to_owned(), ..NewIssue::default() };
        infra(github).create_issue(&new, 0).await.unwrap();
        assert_eq!(github.logins().await.unwrap(), ["my-app[bot]"]);
    });
    let limit = answer(403, &json!({ "message": "API rate limit exceeded" }));
    let server = Server::replying([limit.with("Retry-After", "600")]);
    let error = at(&server.url(), async |github| github.logins().await).unwrap_err();
    assert_eq!(
        error.kind,
        ErrorKind::RateLimited,
        "a rate limit does not mean an unknown login: {error}"
    );
}

#[test]
fn temporary_graphql_error_does_not_mean_an_unknown_login() {
    let forbidden = || answer(403, &json!({ "message": "Resource not accessible by integration" }));
    let error = |kind: &str, message: &str| {
        answer(200, &json!({ "data": null, "errors": [{ "type": kind, "message": message }] }))
    };
    for kind in ["FORBIDDEN", "INSUFFICIENT_SCOPES", "NOT_FOUND"] {
        let server = Server::replying([error(kind, "No."), forbidden()]);
        let logins = at(&server.url(), async |github| github.logins().await);
        assert_eq!(logins.unwrap(), [""; 0], "{kind}");
    }
    let limit = "API rate limit exceeded for installation ID 7.";
    for (kind, message, expected) in [
        ("RATE_LIMITED", "Wait.", ErrorKind::RateLimited),
        ("", limit, ErrorKind::RateLimited),
        ("INTERNAL", "Something went wrong.", ErrorKind::Unavailable),
    ] {
        let server = Server::replying([error(kind, message), forbidden()]);
        let error = at(&server.url(), async |github| github.logins().await).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (expected, message), "{kind}");
        assert_eq!(server.lines(), ["POST /graphql"], "{kind}");
    }
}

#[test]
fn redirect_within_the_origin_is_followed_with_the_same_request() {
    for status in [301, 302, 307, 308] {
        let server = Server::start(move |request| {
            if request.target.starts_with("/repos/acme/") {
                let target = request.target.replace("/repos/acme/infra", "/repositories/42");
                return Reply::Answer(status, vec![("Location", target)], String::new());
            }
            answer(200, &issue(7, "t", "b", "octocat"))
        });
        let new = NewIssue { title: "t".to_owned(), body: "b".to_owned(), ..NewIssue::default() };
        at(&server.url(), async |github| {
            infra(github).issue(7).await.unwrap();
            infra(github).create_issue(&new, 0).await.unwrap();
        });
        assert_eq!(
            server.lines(),
            [
                "GET /repos/acme/infra/issues/7",
                "GET /repositories/42/issues/7",
                "POST /repos/acme/infra/issues",
                "POST /repositories/42/issues",
            ]
        );
        let requests = server.requests();
        assert_eq!(requests[2].body, requests[3].body);
        assert_eq!(requests[3].header("authorization"), [format!("Bearer {TOKEN}")]);
    }
}

#[test]
fn redirect_to_another_origin_is_not_followed() {
    let elsewhere = Server::replying([answer(200, &issue(7, "t", "b", "octocat"))]);
    for target in [format!("{}/steal", elsewhere.url()), elsewhere.url().replace("http:", "")] {
        let to = vec![("Location", target)];
        let server = Server::replying([Reply::Answer(301, to, String::new())]);
        let error = at(&server.url(), async |github| infra(github).issue(7).await).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unexpected, "{error}");
        assert!(error.message.contains(&elsewhere.url()), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
    assert_eq!(elsewhere.lines(), [""; 0]);
}

#[test]
fn endless_redirects_are_an_error() {
    let to = vec![("Location", "/repos/acme/infra".to_owned())];
    let server = Server::replying([Reply::Answer(302, to, String::new())]);
    let error = at(&server.url(), async |github| infra(github).info().await).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unexpected, "{error}");
    assert!(error.message.contains("redirects"), "{error}");
}

#[test]
fn token_is_not_in_logs_errors_or_debug_output() {
    let server = Server::replying([
        answer(200, &json!([issue(7, "t", "the body", "octocat")])),
        answer(400, &json!({ "message": format!("no such token: Bearer {TOKEN}") })),
    ]);
    let shown = at(&server.url(), async |github| {
        let listed = infra(github).issues(&IssueFilter::default()).await.unwrap();
        assert_eq!(listed.len(), 1);
        let error = infra(github).issue(7).await.unwrap_err();
        assert!(error.message.contains("no such token: Bearer ***"), "{error}");
        format!("{github:?} {:?} {error:?} {error} {}", infra(github), error.hint())
    });
    let log = LOG.text();
    assert!(!shown.contains(TOKEN), "{shown}");
    assert!(!log.contains(TOKEN), "{log}");
    for line in [
        r#"answered method=GET route="/repos/acme/infra/issues" status=200 attempt=1 milliseconds="#,
        r#"failed method=GET route="/repos/acme/infra/issues/7" status=400 kind=unexpected attempt=1"#,
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    assert!(!log.contains("the body"), "{log}");
}

#[test]
fn invalid_token_or_url_is_rejected_with_a_hint() {
    let error_of =
        |url: &str, token: &str| GitHub::new(url, token.into(), LONG_TIMEOUT).unwrap_err();
    let error = error_of("https://api.github.com", "two words");
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert!(!error.to_string().contains("two words"), "{error}");
    let error = error_of("api.github.com", TOKEN);
    assert_eq!(error.kind, ErrorKind::Misconfigured);
    assert!(error.hint().contains("GITHUB_API_URL"), "{}", error.hint());
    // Outside of an async runtime.
    assert_eq!(error_of("https://api.github.com", TOKEN).kind, ErrorKind::Unexpected);
}

#[test]
fn attempt_without_a_response_is_retried() {
    // The first request gets no response; the second does.
    let server = Server::replying([Reply::NoResponse, viewer("octocat")]);
    let logins =
        within(Duration::from_secs(8), &server.url(), async |github| github.logins().await);
    assert_eq!(logins.unwrap(), ["octocat"]);
    assert_eq!(server.requests().len(), 2);
}
