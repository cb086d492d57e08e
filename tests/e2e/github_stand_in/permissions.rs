//! Tokens: their logins, repositories and permissions, and the errors for missing permissions.

use super::client::Requests as _;
use serde_json::{Value, json};

use stand_ins::github::GitHub;

#[test]
fn job_token_cannot_exceed_its_permissions() {
    let repo = GitHub::shared().repository("private");
    repo.branch("topic", "main");
    repo.commit("topic", "a", "b");
    repo.pull("A change", "topic", "main");
    repo.as_bot().create_issue("queue", "", &[]);
    let issue = json!({ "title": "x" });
    let comment = json!({ "body": "x" });
    repo.permissions(json!({ "issues": "read", "pull_requests": "write", "contents": "none" }));
    for (method, below, body, accepted) in [
        ("POST", "/issues", issue.clone(), "issues=write"),
        ("GET", "/contents/README.md", Value::Null, "contents=read"),
        ("PUT", "/contents/README.md", json!({}), "contents=write"),
    ] {
        let answer = repo.send(method, below, body);
        assert_eq!((answer.status, answer.accepted.as_str()), (403, accepted), "{method} {below}");
        assert_eq!(answer.json["message"], "Resource not accessible by integration");
    }
    assert_eq!(repo.get("/issues").status, 200);
    assert_eq!(repo.send("POST", "/issues/1/comments", comment.clone()).status, 201);
    assert_eq!(repo.send("POST", "/issues/2/comments", comment.clone()).status, 403);
    repo.permissions(json!({ "issues": "none", "pull_requests": "none" }));
    let answer = repo.send("POST", "/issues/1/comments", comment);
    assert_eq!(
        (answer.status, answer.accepted.as_str()),
        (403, "issues=write; pull_requests=write")
    );
    assert_eq!(repo.get("/issues").status, 403);
    repo.permissions(json!({}));
    assert_eq!(repo.send("POST", "/issues", issue).status, 201);
}

#[test]
fn job_token_is_valid_for_its_repository_and_a_personal_token_for_all() {
    let [private, other, public] =
        ["private", "internal", "public"].map(|it| GitHub::shared().repository(it));
    let to = |token: &str, method: &str, target: String, body: Value| {
        private.send_by(token, method, &target, body).unwrap().status
    };
    let at =
        |repo: &stand_ins::github::Repo, below: &str| format!("/repos/{}{below}", repo.full_name());
    let title = json!({ "title": "x" });
    let job = private.token();
    assert_eq!(to(job, "GET", at(&other, "/issues"), Value::Null), 404);
    assert_eq!(to(job, "GET", at(&public, "/issues"), Value::Null), 200);
    assert_eq!(to(job, "POST", at(&public, "/issues"), title.clone()), 403);
    assert_eq!(to(job, "GET", "/user".to_owned(), Value::Null), 403);
    assert_eq!(to(job, "GET", "/repos/acme/nowhere".to_owned(), Value::Null), 404);
    // An app token is valid where the app is installed, and cannot request its login either.
    let app = private.app_token();
    assert_eq!(to(app, "POST", at(&other, "/issues"), title.clone()), 201);
    assert_eq!(to(app, "GET", "/user".to_owned(), Value::Null), 403);
    let person = private.personal_token();
    assert_eq!(to(person, "POST", at(&other, "/issues"), title.clone()), 201);
    assert_eq!(to(person, "GET", "/user".to_owned(), Value::Null), 200);
    assert_eq!(to("ghs_unknown", "POST", at(&private, "/issues"), title), 401);
    let authors: Vec<_> = other.issues().into_iter().map(|it| it.author).collect();
    assert_eq!(authors, ["acme-audit[bot]", "octocat"]);
    // Requests for no repository are in the log of the token's repository.
    let issues = at(&private, "/issues");
    let paths: Vec<_> = private.log().into_iter().map(|it| it.path).collect();
    assert_eq!(paths, ["/user", "/repos/acme/nowhere", "/user", "/user", &issues]);
    assert_eq!(private.writes()[0].login, "");
    assert_eq!(private.violations(), [""; 0]);
    assert_eq!(other.writes().len(), 2);
}

#[test]
fn graphql_returns_the_login_of_every_kind_of_token() {
    let repo = GitHub::shared().repository("private");
    let ask = |token: &str, query: &str| {
        let body = json!({ "query": query });
        repo.send_by(token, "POST", "/graphql", body).unwrap()
    };
    let viewer = "query { viewer { login } }";
    for (token, login) in [
        (repo.token(), "github-actions[bot]"),
        (repo.app_token(), "acme-audit[bot]"),
        (repo.personal_token(), "octocat"),
    ] {
        let answer = ask(token, viewer);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json, json!({ "data": { "viewer": { "login": login } } }));
    }
    assert_eq!(ask("ghs_unknown", viewer).status, 401);
    assert!(ask(repo.token(), "query { rateLimit { cost } }").json["errors"].is_array());
    assert_eq!(repo.violations(), [""; 0]);
    // A query changes nothing.
    assert_eq!(repo.writes().len(), 0);
}
