//! What goes over the wire, and where to: headers, addresses, redirects, and the token.

use std::time::Duration;

use iam_stocktake::github::{ErrorKind, GitHub, IssueChange, IssueFilter, NewIssue, NewLabel};
use serde_json::json;

use super::server::{Reply, Server, json as answer};
use super::{LOG, PATIENCE, TOKEN, at, infra, issue, within};

#[test]
fn every_request_bears_the_headers_that_github_wants_and_each_once() {
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
    // Whose the token is, is asked in two ways.
    assert_eq!(server.asked().len(), 17);
    for asked in server.asked() {
        let version = concat!("iam-stocktake/", env!("CARGO_PKG_VERSION"));
        for (name, value) in [
            ("authorization", format!("Bearer {TOKEN}").as_str()),
            ("accept", "application/vnd.github+json"),
            ("x-github-api-version", "2022-11-28"),
            ("user-agent", version),
        ] {
            assert_eq!(asked.header(name), [value], "{}", asked.line());
        }
        let is_json = asked.header("content-type") == ["application/json"];
        assert_eq!(is_json, !asked.body.is_empty(), "{}", asked.line());
    }
}

#[test]
fn the_path_of_an_enterprise_server_is_kept() {
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

/// The answer of GraphQL to whom the token belongs.
fn viewer(login: &str) -> Reply {
    answer(200, &json!({ "data": { "viewer": { "login": login } } }))
}

/// The answer of REST.
fn user(login: &str) -> Reply {
    answer(200, &json!({ "login": login }))
}

#[test]
fn the_token_goes_to_no_graphql_of_another_origin() {
    let elsewhere = Server::replying([viewer("mallory")]);
    let server = Server::replying([viewer("octocat")]);
    for (named, asked) in [
        (format!("{}/graphql", elsewhere.url()), "POST /graphql"),
        ("no address".to_owned(), "POST /graphql"),
        (format!("{}/elsewhere/graphql", server.url()), "POST /elsewhere/graphql"),
    ] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let logins = runtime.block_on(async {
            let github = GitHub::new(&server.url(), TOKEN.into(), PATIENCE).unwrap();
            github.with_graphql_url(Some(&named)).logins().await
        });
        assert_eq!(logins.unwrap(), ["octocat"]);
        assert_eq!(server.lines().last().unwrap(), asked, "{named}");
    }
    assert_eq!(elsewhere.lines(), [""; 0]);
}

#[test]
fn whom_the_token_belongs_to_is_asked_once_and_else_learned_from_what_is_created() {
    let forbidden = || answer(403, &json!({ "message": "Resource not accessible by integration" }));
    let asked = ["POST /graphql", "GET /user"];
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
        assert_eq!(server.lines(), asked[..requests]);
    }
    let server = Server::start(move |asked| match asked.method.as_str() {
        "POST" if asked.target != "/graphql" => answer(201, &issue(7, "t", "b", "my-app[bot]")),
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
    assert_eq!(error.kind, ErrorKind::RateLimited, "a limit says nothing of who we are: {error}");
}

#[test]
fn a_passing_error_of_graphql_says_nothing_about_who_we_are() {
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
fn a_redirect_within_the_origin_is_followed_with_what_was_sent() {
    for status in [301, 302, 307, 308] {
        let server = Server::start(move |asked| {
            if asked.target.starts_with("/repos/acme/") {
                let target = asked.target.replace("/repos/acme/infra", "/repositories/42");
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
        let asked = server.asked();
        assert_eq!(asked[2].body, asked[3].body);
        assert_eq!(asked[3].header("authorization"), [format!("Bearer {TOKEN}")]);
    }
}

#[test]
fn a_redirect_to_another_origin_is_not_followed() {
    let elsewhere = Server::replying([answer(200, &issue(7, "t", "b", "octocat"))]);
    for target in [format!("{}/steal", elsewhere.url()), elsewhere.url().replace("http:", "")] {
        let to = vec![("Location", target)];
        let server = Server::replying([Reply::Answer(301, to, String::new())]);
        let error = at(&server.url(), async |github| infra(github).issue(7).await).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unexpected, "{error}");
        assert!(error.message.contains(&elsewhere.url()), "{error}");
        assert_eq!(server.asked().len(), 1);
    }
    assert_eq!(elsewhere.lines(), [""; 0]);
}

#[test]
fn redirects_without_end_are_given_up() {
    let to = vec![("Location", "/repos/acme/infra".to_owned())];
    let server = Server::replying([Reply::Answer(302, to, String::new())]);
    let error = at(&server.url(), async |github| infra(github).info().await).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unexpected, "{error}");
    assert!(error.message.contains("redirects"), "{error}");
}

#[test]
fn the_token_is_in_no_log_error_or_debug_print_even_if_a_server_repeats_it() {
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
fn a_client_that_can_be_none_is_refused_with_what_to_do() {
    let make = |url: &str, token: &str| GitHub::new(url, token.into(), PATIENCE).unwrap_err();
    let error = make("https://api.github.com", "two words");
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert!(!error.to_string().contains("two words"), "{error}");
    let error = make("api.github.com", TOKEN);
    assert_eq!(error.kind, ErrorKind::Misconfigured);
    assert!(error.hint().contains("GITHUB_API_URL"), "{}", error.hint());
    // Outside of a runtime.
    assert_eq!(make("https://api.github.com", TOKEN).kind, ErrorKind::Unexpected);
}

#[test]
fn a_slow_answer_does_not_outlive_its_attempt() {
    // The first connection is never answered; a later one is.
    let server = Server::replying([Reply::Silence, viewer("octocat")]);
    let logins =
        within(Duration::from_secs(8), &server.url(), async |github| github.logins().await);
    assert_eq!(logins.unwrap(), ["octocat"]);
    assert_eq!(server.asked().len(), 2);
}
