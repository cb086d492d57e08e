//! Requests that GitHub rejects: long or missing text, existing labels, locked issues.

use super::client::Requests as _;
use serde_json::{Value, json};

use stand_ins::github::GitHub;

#[test]
fn long_or_missing_text_is_rejected_with_its_field() {
    let repo = GitHub::shared().repository("private");
    repo.as_person().create_issue("first", "", &["There"]);
    let long = |length| "ä".repeat(length);
    for (method, below, body, error) in [
        ("POST", "/issues", json!({ "title": " " }), (422, "missing_field", "title")),
        ("PATCH", "/issues/1", json!({ "title": "" }), (422, "missing_field", "title")),
        ("POST", "/issues", json!({ "title": long(257) }), (422, "custom", "title")),
        ("POST", "/issues", json!({ "title": "x", "body": long(65537) }), (422, "custom", "body")),
        ("PATCH", "/issues/1", json!({ "body": long(65537) }), (422, "custom", "body")),
        ("PATCH", "/issues/1", json!({ "assignees": ["no"] }), (422, "invalid", "assignees")),
        ("POST", "/issues/1/comments", json!({ "body": "" }), (422, "unprocessable", "data")),
        (
            "POST",
            "/issues/1/comments",
            json!({ "body": long(65537) }),
            (422, "unprocessable", "data"),
        ),
        ("POST", "/labels", json!({ "name": long(51) }), (422, "custom", "name")),
        ("POST", "/labels", json!({ "name": "x", "color": "red" }), (422, "invalid", "color")),
        ("POST", "/labels", json!({ "name": "There" }), (422, "already_exists", "name")),
        ("POST", "/labels", json!({ "name": "there" }), (422, "already_exists", "name")),
    ] {
        assert_eq!(repo.send(method, below, body).error(), error, "{method} {below}");
    }
    assert_eq!(repo.violations(), [""; 0]);
    let longest = json!({ "title": long(256), "body": long(65536) });
    assert_eq!(repo.send("POST", "/issues", longest).status, 201);
    assert_eq!(repo.issue(2).body, long(65536));
}

#[test]
fn workflow_cannot_comment_on_a_locked_issue() {
    let repo = GitHub::shared().repository("private");
    let number = repo.as_bot().create_issue("queue", "body", &[]);
    repo.as_person().lock(number);
    let comment = json!({ "body": "said" });
    let answer = repo.send("POST", "/issues/1/comments", comment);
    assert_eq!(answer.status, 403);
    assert!(answer.json["message"].as_str().unwrap().contains("locked"), "{:?}", answer.json);
    // People with write access can comment, and the bot can still edit the body.
    repo.as_person().comment(number, "still open to me");
    assert_eq!(repo.send("PATCH", "/issues/1", json!({ "body": "new" })).status, 200);
    let issue = repo.issue(number);
    assert!(issue.locked);
    assert_eq!(issue.comments.len(), 1);
    // After unlocking, the workflow can comment.
    assert_eq!(repo.send("DELETE", "/issues/1/lock", json!(null)).status, 204);
    assert_eq!(repo.send("POST", "/issues/1/comments", json!({ "body": "said" })).status, 201);
    assert_eq!(repo.violations(), [""; 0]);
}

#[test]
fn only_people_with_write_access_can_be_assigned() {
    let repo = GitHub::shared().repository("private");
    for (login, status) in
        [("octocat", 204), ("OctoCat", 204), ("mallory", 404), ("stale%5Bbot%5D", 404)]
    {
        assert_eq!(repo.get(&format!("/assignees/{login}")).status, status, "{login}");
    }
    let issue = json!({ "title": "x", "assignees": ["octocat", "mallory"] });
    assert_eq!(repo.send("POST", "/issues", issue).error(), (422, "invalid", "assignees"));
    assert_eq!(repo.issues(), []);
    assert_eq!(repo.violations(), [""; 0]);
}

#[test]
fn closed_by_is_in_an_issue_but_not_in_a_list() {
    let repo = GitHub::shared().repository("private");
    repo.as_bot().create_issue("queue", "body", &[]);
    assert_eq!(repo.get("/issues/1").json["closed_by"], Value::Null);
    for (login, kind) in [("octocat", "User"), ("stale[bot]", "Bot")] {
        repo.by(login).close(1, "not_planned");
        let closer = &repo.get("/issues/1").json["closed_by"];
        assert_eq!((&closer["login"], &closer["type"]), (&json!(login), &json!(kind)));
        assert_eq!(repo.get("/issues?state=all").json[0].get("closed_by"), None);
        repo.as_person().reopen(1);
        assert_eq!(repo.get("/issues/1").json["closed_by"], Value::Null);
    }
    assert_eq!(repo.violations(), [""; 0]);
}

#[test]
fn without_issues_only_pull_requests_have_comments() {
    let repo = GitHub::shared().repository("private");
    repo.branch("topic", "main");
    repo.commit("topic", "a", "b");
    repo.pull("A change", "topic", "main");
    repo.turn_issues_off();
    assert_eq!(repo.get("/issues").status, 410);
    assert_eq!(repo.send("POST", "/issues", json!({ "title": "x" })).status, 410);
    assert_eq!(repo.get("/issues/2/comments").status, 410);
    assert_eq!(repo.get("").json["has_issues"], json!(false));
    assert_eq!(repo.send("POST", "/issues/1/comments", json!({ "body": "x" })).status, 201);
    assert_eq!(repo.get("/issues/1/comments").json.as_array().unwrap().len(), 1);
    repo.turn_issues_on();
    assert_eq!(repo.get("/issues").status, 200);
    assert_eq!(repo.violations(), [""; 0]);
}

#[test]
fn body_that_is_not_an_object_is_rejected() {
    let repo = GitHub::shared().repository("private");
    assert_eq!(repo.send("POST", "/issues", Value::from(1)).status, 400);
}
