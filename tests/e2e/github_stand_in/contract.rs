//! The contract of the GitHub API: violations are detected, valid requests have none.

use super::client::Requests as _;
use serde_json::{Value, json};

use stand_ins::github::{GitHub, Repo};
use stand_ins::http;

#[test]
fn every_operation_of_the_queue_follows_the_contract() {
    let repo = GitHub::shared().repository("private");
    repo.branch("topic", "main");
    let head = repo.commit("topic", "docs/a b.md", "text\n");
    let pull = repo.pull("A change", "topic", "main").number;
    let secret = repo.as_person().comment(pull, "by a person");
    let compare = format!("/compare/{}...{head}?per_page=1", repo.first_commit());
    let contents = format!("/contents/docs/a%20b.md?ref={head}");
    let own = json!({ "body": "said" });
    let issue = json!({
        "title": "Stale users", "body": "many", "labels": ["one", "two"], "assignees": ["octocat"],
    });
    // The pull request has number 1. The next comment has the next id.
    let comment = format!("/issues/comments/{}", secret + 1);
    for (method, below, body, status) in [
        ("GET", "", Value::Null, 200),
        ("GET", "/issues?state=all&per_page=100&page=1&labels=x&creator=octocat", Value::Null, 200),
        ("POST", "/issues", issue, 201),
        ("GET", "/issues?state=all&sort=created&direction=asc", Value::Null, 200),
        ("GET", "/issues/1", Value::Null, 200),
        ("GET", "/issues/2", Value::Null, 200),
        ("GET", "/issues/99", Value::Null, 404),
        ("PATCH", "/issues/2", json!({ "title": "Staler", "body": "more", "labels": [] }), 200),
        ("PATCH", "/issues/2", json!({ "state": "closed", "state_reason": "completed" }), 200),
        ("PATCH", "/issues/2", json!({ "state": "open" }), 200),
        ("POST", "/issues/2/comments", own.clone(), 201),
        ("PATCH", &comment, own.clone(), 200),
        ("GET", &comment, Value::Null, 200),
        ("GET", "/issues/2/comments?per_page=100", Value::Null, 200),
        ("DELETE", &comment, Value::Null, 204),
        ("POST", "/issues/1/comments", own, 201),
        ("GET", "/labels/one", Value::Null, 200),
        ("PATCH", "/labels/one", json!({ "description": "#1" }), 200),
        ("GET", "/labels/none%20such", Value::Null, 404),
        ("GET", "/labels", Value::Null, 200),
        ("POST", "/labels", json!({ "name": "a b", "color": "ff0000", "description": "c" }), 201),
        ("POST", "/issues/2/labels", json!({ "labels": ["a b"] }), 200),
        ("DELETE", "/issues/2/labels/a%20b", Value::Null, 200),
        ("GET", "/pulls/1", Value::Null, 200),
        ("GET", &compare, Value::Null, 200),
        ("GET", "/compare/main...nowhere", Value::Null, 404),
        ("GET", &contents, Value::Null, 200),
        ("GET", "/contents/docs", Value::Null, 404),
        ("GET", "/contents/docs?ref=topic", Value::Null, 200),
    ] {
        assert_eq!(repo.send(method, below, body).status, status, "{method} {below}");
    }
    assert_eq!(repo.violations(), [""; 0]);
    assert_eq!(repo.log().len(), 29);
}

/// The violations of a request with these headers and this body.
fn violations(repo: &Repo, line: &str, headers: &[(&str, &str)], body: &str) -> Vec<String> {
    repo.reset_log();
    let authorization = format!("Bearer {}", repo.token());
    let mut all = vec![("Authorization", authorization.as_str())];
    all.extend(headers);
    let (method, below) = line.split_once(' ').unwrap();
    let line = format!("{method} /repos/{}{below}", repo.full_name());
    http::send(repo.port(), &line, &all, body.as_bytes()).unwrap();
    repo.log().remove(0).violations
}

#[test]
fn violations_of_the_contract_are_detected() {
    let repo = GitHub::shared().repository("private");
    let all_headers = [
        ("Accept", "application/vnd.github+json"),
        ("Content-Type", "application/json"),
        ("User-Agent", "a-test"),
        ("X-GitHub-Api-Version", "2022-11-28"),
    ];
    for (line, body, expected) in [
        ("POST /issues", r#"{ "body": "no title" }"#, "\"title\" is a required property"),
        ("POST /issues", r#"{ "title": "x", "label": ["y"] }"#, "('label' was unexpected)"),
        ("POST /issues", r#"{ "title": "x", "labels": "y" }"#, "body['labels']"),
        ("POST /issues", "{", "body: not JSON"),
        ("POST /issues", "", "body: missing"),
        ("PATCH /issues/1", r#"{ "state": "shut" }"#, "body['state']"),
        ("POST /issues/1/labels", r#"{ "labels": ["x"], "names": 1 }"#, "request: body"),
        ("GET /issues?label=x", "", "query label: not a documented parameter"),
        ("GET /issues?state=shut", "", "query state"),
        ("GET /issues?per_page=500", "", "query per_page: 500 is more than 100"),
        ("GET /issues/one", "", "path issue_number"),
        ("GET /issues/1?page=x", "", "query page: not a documented parameter"),
        ("GET /stargazers", "", "is no operation of the contract"),
        ("POST /issues/comments/1", r#"{ "body": "x" }"#, "is no operation of the contract"),
    ] {
        let found = violations(&repo, line, &all_headers, body);
        assert!(found.iter().any(|it| it.contains(expected)), "{line} {body}: {found:?}");
    }
    let body = r#"{ "title": "x" }"#;
    assert_eq!(violations(&repo, "POST /issues", &all_headers, body), [""; 0]);
    for (omitted, _) in all_headers {
        let headers: Vec<_> =
            all_headers.into_iter().filter(|(name, _)| *name != omitted).collect();
        let found = violations(&repo, "POST /issues", &headers, body);
        assert_eq!(found.len(), 1, "{omitted}: {found:?}");
        assert!(found[0].starts_with(&format!("request: header {omitted}: ")), "{found:?}");
    }
}
