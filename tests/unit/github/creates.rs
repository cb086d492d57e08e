//! Create requests whose response is lost: exactly one issue or comment exists afterwards.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use iam_stocktake::github::{Error, ErrorKind, NewIssue};
use serde_json::{Value, json};

use super::server::{Reply, Request, Server, html, json as answer};
use super::{LONG_TIMEOUT, comment, infra, issue, within};

/// The login of the token.
const US: &str = "github-actions[bot]";
/// The highest issue number and comment id before the create.
const AFTER: u64 = 5;

/// An issue tracker that responds to the first create with a fault.
struct Tracker {
    fault: Option<Reply>,
    /// Whether that create takes effect.
    takes_effect: bool,
    /// The response to the GraphQL query for the login of the token.
    viewer: Reply,
    /// The response to the REST request for it.
    user: Reply,
    /// How many list responses still omit what was created.
    lag: usize,
    /// The author of what is created.
    author: &'static str,
    issues: Vec<Value>,
    comments: Vec<Value>,
}

impl Tracker {
    fn failing(fault: Reply, takes_effect: bool) -> Self {
        Self {
            fault: Some(fault),
            takes_effect,
            viewer: answer(200, &json!({ "data": { "viewer": { "login": US } } })),
            user: answer(403, &json!({ "message": "Resource not accessible by integration" })),
            lag: 0,
            author: US,
            issues: vec![issue(AFTER, "Stale users", "- mallory", US)],
            comments: vec![comment(AFTER, "New: mallory", US)],
        }
    }

    fn answer(&mut self, request: &Request) -> Reply {
        let is_comment = request.target.contains("/comments");
        let stored = if is_comment { &mut self.comments } else { &mut self.issues };
        match request.target.as_str() {
            "/graphql" => return self.viewer.clone(),
            "/user" => return self.user.clone(),
            _ => {}
        }
        if request.method == "GET" {
            let mut listed = stored.clone();
            if self.lag > 0 {
                self.lag -= 1;
                listed.retain(|item| item["number"] == AFTER || item["id"] == AFTER);
            }
            if request.parameter("direction") == "desc" {
                listed.reverse();
            }
            return answer(200, &json!(listed));
        }
        let next = AFTER + u64::try_from(stored.len()).unwrap();
        let text = |name: &str| request.json()[name].as_str().unwrap().to_owned();
        let created = match is_comment {
            true => comment(next, &text("body"), self.author),
            false => issue(next, &text("title"), &text("body"), self.author),
        };
        let fault = self.fault.take();
        if fault.is_none() || self.takes_effect {
            stored.push(created.clone());
        }
        fault.unwrap_or_else(|| answer(201, &created))
    }
}

/// The result of a create: the number or id, how much was stored, and the server with its requests.
struct CreateResult {
    outcome: Result<u64, Error>,
    issues: usize,
    comments: usize,
    server: Server,
}

/// How many times the create was sent.
fn creates(server: &Server) -> usize {
    server.lines().iter().filter(|line| line.starts_with("POST /repos/")).count()
}

#[derive(Debug, Clone, Copy)]
enum ItemKind {
    Issue,
    Comment,
}

fn create(kind: ItemKind, tracker: Tracker, timeout: Duration) -> CreateResult {
    let before = (tracker.issues.len(), tracker.comments.len());
    let tracker = Arc::new(Mutex::new(tracker));
    let serving = Arc::clone(&tracker);
    let server = Server::start(move |request| serving.lock().unwrap().answer(request));
    let new = NewIssue {
        title: "Stale users".to_owned(),
        body: "- alice\n- bob\n".to_owned(),
        labels: vec!["iam-stocktake".to_owned()],
        assignees: vec!["octocat".to_owned()],
    };
    let outcome = within(timeout, &server.url(), async |github| match kind {
        ItemKind::Issue => infra(github).create_issue(&new, AFTER).await.map(|issue| issue.number),
        ItemKind::Comment => {
            infra(github).create_comment(1, &new.body, AFTER).await.map(|comment| comment.id)
        }
    });
    let tracker = tracker.lock().unwrap();
    let (issues, comments) = (tracker.issues.len() - before.0, tracker.comments.len() - before.1);
    CreateResult { outcome, issues, comments, server }
}

/// Creates an issue or comment with one fault and asserts that exactly one exists afterwards.
/// Returns how many times the create was sent.
fn assert_one_created(
    kind: ItemKind,
    fault: Reply,
    takes_effect: bool,
    timeout: Duration,
) -> usize {
    let shown = format!("{kind:?} {takes_effect} {fault:?}");
    let result = create(kind, Tracker::failing(fault, takes_effect), timeout);
    assert_eq!(result.outcome.unwrap(), AFTER + 1, "{shown}");
    assert_eq!(result.issues + result.comments, 1, "{shown}");
    creates(&result.server)
}

#[test]
fn create_that_took_effect_is_not_sent_again() {
    for kind in [ItemKind::Issue, ItemKind::Comment] {
        for fault in [html(502), html(201), answer(500, &json!({})), Reply::Closed] {
            assert_eq!(assert_one_created(kind, fault, true, LONG_TIMEOUT), 1);
        }
    }
}

#[test]
fn create_that_did_not_take_effect_is_sent_again() {
    for kind in [ItemKind::Issue, ItemKind::Comment] {
        for fault in [html(502), html(201), answer(500, &json!({})), Reply::Closed] {
            assert_eq!(assert_one_created(kind, fault, false, LONG_TIMEOUT), 2);
        }
    }
}

#[test]
fn stale_list_does_not_cause_a_duplicate() {
    for kind in [ItemKind::Issue, ItemKind::Comment] {
        for lag in [1, 3] {
            let tracker = Tracker { lag, ..Tracker::failing(html(502), true) };
            let result = create(kind, tracker, LONG_TIMEOUT);
            assert_eq!(creates(&result.server), 1, "{kind:?} {lag}");
            assert_eq!(result.issues + result.comments, 1, "{kind:?} {lag}");
            assert_eq!(result.outcome.unwrap(), AFTER + 1);
        }
    }
}

#[test]
fn create_is_not_retried_without_time_to_check_for_it() {
    // Less than the checks take.
    let timeout = Duration::from_secs(3);
    let result = create(ItemKind::Issue, Tracker::failing(html(502), false), timeout);
    let error = result.outcome.as_ref().unwrap_err();
    assert!(error.message.ends_with("it is unknown whether GitHub created it"), "{error}");
    assert_eq!((creates(&result.server), result.issues), (1, 0));
}

#[test]
fn create_without_a_response_is_checked_before_a_retry() {
    // The attempt without a response takes a quarter of it; the checks take time as well.
    let timeout = Duration::from_secs(24);
    assert_eq!(assert_one_created(ItemKind::Issue, Reply::NoResponse, true, timeout), 1);
    assert_eq!(assert_one_created(ItemKind::Comment, Reply::NoResponse, false, timeout), 2);
}

#[test]
fn create_with_an_unexpected_response_is_found_in_the_list() {
    assert_eq!(
        assert_one_created(ItemKind::Issue, answer(201, &json!({ "id": 1 })), true, LONG_TIMEOUT),
        1
    );
}

#[test]
fn items_by_others_and_earlier_items_are_not_taken_for_the_new_one() {
    let mut tracker = Tracker::failing(html(502), false);
    let text = "- alice\n- bob\n";
    tracker.issues = vec![
        issue(AFTER, "Stale users", text, US),
        issue(AFTER + 1, "Stale users", text, "mallory"),
        issue(AFTER + 2, "Stale users", "- alice", US),
        issue(AFTER + 3, "Other users", text, US),
    ];
    let result = create(ItemKind::Issue, tracker, LONG_TIMEOUT);
    assert_eq!((result.outcome.unwrap(), result.issues), (AFTER + 4, 1));
    assert_eq!(creates(&result.server), 2);

    let mut tracker = Tracker::failing(html(502), false);
    tracker.comments = vec![
        comment(AFTER, text, US),
        comment(AFTER + 1, text, "mallory"),
        comment(AFTER + 2, "- alice", US),
    ];
    let result = create(ItemKind::Comment, tracker, LONG_TIMEOUT);
    assert_eq!((result.outcome.unwrap(), result.comments), (AFTER + 3, 1));
    assert_eq!(creates(&result.server), 2);
}

#[test]
fn created_issue_is_recognized_by_the_login_of_the_token_or_any_app_if_it_is_unknown() {
    let viewer = |login: &str| answer(200, &json!({ "data": { "viewer": { "login": login } } }));
    let known = answer(200, &json!({ "login": "Octocat" }));
    let unknown = answer(403, &json!({ "message": "Resource not accessible by integration" }));
    let absent = answer(404, &json!({ "message": "Not Found" }));
    let denied = answer(200, &json!({ "data": null, "errors": [{ "type": "FORBIDDEN" }] }));
    for (viewer, user, author, sent) in [
        (viewer("My-App[bot]"), unknown.clone(), "my-app[bot]", 1),
        (viewer("my-app[bot]"), unknown.clone(), "github-actions[bot]", 2),
        (absent.clone(), known.clone(), "octocat", 1),
        (denied.clone(), known.clone(), "octocat", 1),
        (denied, unknown.clone(), "my-app[bot]", 1),
        (absent.clone(), unknown, "octocat", 2),
        (absent, known, "my-app[bot]", 2),
    ] {
        let tracker = Tracker { viewer, user, author, ..Tracker::failing(html(502), true) };
        assert_eq!(
            creates(&create(ItemKind::Issue, tracker, LONG_TIMEOUT).server),
            sent,
            "{author}"
        );
    }
}

#[test]
fn rate_limited_create_is_retried_without_a_check() {
    let limit = answer(403, &json!({ "message": "You have exceeded a secondary rate limit" }));
    let result = create(
        ItemKind::Issue,
        Tracker::failing(limit.with("Retry-After", "0"), false),
        LONG_TIMEOUT,
    );
    assert_eq!(result.outcome.unwrap(), AFTER + 1);
    assert_eq!(result.server.lines(), ["POST /repos/acme/infra/issues"; 2]);
    let sent = json!({
        "title": "Stale users",
        "body": "- alice\n- bob\n",
        "labels": ["iam-stocktake"],
        "assignees": ["octocat"],
    });
    assert_eq!(result.server.requests()[1].json(), sent);
}

#[test]
fn rejected_create_is_not_retried() {
    let refusal = answer(410, &json!({ "message": "Issues are disabled for this repo" }));
    let result = create(ItemKind::Issue, Tracker::failing(refusal, false), LONG_TIMEOUT);
    assert_eq!(result.outcome.unwrap_err().kind, ErrorKind::Gone);
    assert_eq!(result.server.lines(), ["POST /repos/acme/infra/issues"]);
}

#[test]
fn create_is_not_retried_when_the_check_fails() {
    let viewer = answer(401, &json!({ "message": "Bad credentials" }));
    let tracker = Tracker { viewer, ..Tracker::failing(html(502), true) };
    let result = create(ItemKind::Issue, tracker, LONG_TIMEOUT);
    let error = result.outcome.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(error.message.ends_with("it is unknown whether GitHub created it"), "{error}");
    assert_eq!((creates(&result.server), result.issues), (1, 1));
}
