//! Faults: each affects only its requests, as often as requested.

use super::client::Requests as _;
use std::thread;

use serde_json::{Value, json};

use stand_ins::github::{GitHub, Repo};

fn create(repo: &Repo, title: &str) -> Option<u16> {
    let issue = json!({ "title": title, "body": "body" });
    repo.try_send("POST", "/issues", issue).ok().map(|it| it.status)
}

fn titles(repo: &Repo) -> Vec<String> {
    repo.issues().into_iter().map(|it| it.title).collect()
}

#[test]
fn fault_affects_only_matching_requests() {
    let repo = GitHub::shared().repository("private");
    repo.faults(json!([
        { "status": 502, "method": "POST", "path": "/issues$", "skip": 1, "max": 2 },
        { "status": 503, "query": "page=2" },
    ]));
    let statuses = ["a", "b", "c", "d"].map(|it| create(&repo, it).unwrap());
    assert_eq!(statuses, [201, 502, 502, 201]);
    assert_eq!(repo.get("/issues?page=1").status, 200);
    assert_eq!(repo.get("/issues?page=2").status, 503);
    assert_eq!(titles(&repo), ["a", "d"]);
    assert_eq!(repo.writes()[1].faults, ["status"]);
    repo.faults(json!([]));
    assert_eq!(repo.get("/issues?page=2").status, 200);
    assert_eq!(repo.violations(), [""; 0]);
}

#[test]
fn fault_responds_like_github_or_as_requested() {
    let repo = GitHub::shared().repository("private");
    let ask = |fault: Value| {
        repo.faults(json!([fault]));
        repo.send("POST", "/issues", json!({ "title": "x" }))
    };
    let forbidden = ask(json!({ "status": 403 }));
    assert_eq!((forbidden.status, forbidden.accepted.as_str()), (403, "issues=write"));
    assert_eq!(ask(json!({ "status": 401 })).json["message"], "Bad credentials");
    let html = ask(json!({ "status": 500 }));
    assert!(html.content_type.starts_with("text/html"), "{}", html.content_type);
    let limited = json!({
        "status": 403, "headers": { "retry-after": 7 }, "body": { "message": "secondary rate limit" },
    });
    let limited = ask(limited);
    assert_eq!((limited.status, limited.retry_after.as_str()), (403, "7"));
    assert_eq!(limited.json, json!({ "message": "secondary rate limit" }));
    let odd = ask(json!({ "status": 200, "body": "<html>", "content_type": "text/html" }));
    assert_eq!((odd.status, odd.json), (200, json!("<html>")));
    assert!(titles(&repo).is_empty());
}

#[test]
fn connection_fails_before_or_after_the_request_takes_effect() {
    let repo = GitHub::shared().repository("private");
    repo.faults(json!([
        { "reset": true, "max": 1 },
        { "reset": true, "after": true, "max": 1 },
        { "status": 502, "after": true, "max": 1 },
    ]));
    let statuses = ["before", "after", "done", "fine"].map(|it| create(&repo, it));
    assert_eq!(statuses, [None, None, Some(502), Some(201)]);
    assert_eq!(titles(&repo), ["after", "done", "fine"]);
    let logged: Vec<_> = repo.writes().iter().map(|it| it.status).collect();
    assert_eq!(logged, [0, 0, 502, 201]);
}

#[test]
fn request_without_a_response_waits_until_the_client_disconnects() {
    let repo = GitHub::shared().repository("private");
    repo.faults(json!([{ "silence": true, "method": "POST" }]));
    let (port, target) = (repo.port(), format!("/repos/{}/issues", repo.full_name()));
    let head = format!(
        "POST {target} HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Length: 2\r\n\r\n{{}}",
        repo.token()
    );
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    while repo.writes().is_empty() {
        thread::yield_now();
    }
    stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
    let read = std::io::Read::read(&mut stream, &mut [0; 1]);
    assert!(read.is_err(), "no response, and the connection is open: {read:?}");
}

#[test]
fn update_can_be_ignored_with_status_200() {
    let repo = GitHub::shared().repository("private");
    repo.as_bot().create_issue("queue", "old", &[]);
    repo.faults(json!([{ "keep_old_body": true, "method": "PATCH", "max": 1 }]));
    let change = || repo.send("PATCH", "/issues/1", json!({ "body": "new" }));
    let answer = change();
    assert_eq!((answer.status, &answer.json["body"]), (200, &json!("old")));
    assert_eq!(repo.issue(1).body, "old");
    assert_eq!(change().json["body"], "new");
}

#[test]
fn requests_can_be_held_until_all_have_arrived() {
    let repo = GitHub::shared().repository("private");
    repo.faults(json!([{ "hold": 2, "method": "POST", "path": "/issues$" }]));
    thread::scope(|scope| {
        let first = scope.spawn(|| create(&repo, "twin"));
        while repo.writes().is_empty() {
            thread::yield_now();
        }
        assert!(titles(&repo).is_empty(), "the first request is held");
        assert_eq!(create(&repo, "twin"), Some(201));
        assert_eq!(first.join().unwrap(), Some(201));
    });
    assert_eq!(titles(&repo), ["twin", "twin"]);
    assert_eq!(create(&repo, "alone"), Some(201));
}

#[test]
fn issue_can_appear_late_in_lists() {
    let repo = GitHub::shared().repository("private");
    create(&repo, "first");
    repo.faults(json!([{ "hide": [1], "path": "/issues$", "max": 1 }]));
    assert!(repo.get("/issues").numbers().is_empty());
    assert_eq!(repo.get("/issues").numbers(), [1]);
    repo.faults(json!([{ "hide": 2, "path": "/issues$" }]));
    create(&repo, "second");
    let seen: Vec<_> = (0..3).map(|_| repo.get("/issues").numbers()).collect();
    assert_eq!(seen, [vec![1], vec![1], vec![2, 1]]);
}

#[test]
fn author_can_be_missing() {
    let repo = GitHub::shared().repository("private");
    repo.as_bot().create_issues(&["a", "b"].map(|it| (it.to_owned(), String::new())), &[]);
    repo.faults(json!([{ "null_user": [2] }]));
    let list = repo.get("/issues?direction=asc").json;
    assert_eq!(
        (&list[0]["user"]["login"], &list[1]["user"]),
        (&json!("github-actions[bot]"), &Value::Null)
    );
}

#[test]
#[should_panic(expected = "not one fault")]
fn unknown_fault_is_an_error() {
    GitHub::shared().repository("private").faults(json!([{ "status": 500, "paths": "x" }]));
}
