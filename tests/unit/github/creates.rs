//! Creates whose answers are lost: whatever happens, there is one afterwards.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use iam_stocktake::github::{Error, ErrorKind, NewIssue};
use serde_json::{Value, json};

use super::server::{Asked, Reply, Server, html, json as answer};
use super::{PATIENCE, comment, infra, issue, within};

const US: &str = "github-actions[bot]";
/// The highest number and id before the create.
const AFTER: u64 = 5;

/// An issue tracker whose first create is answered with a fault.
struct Tracker {
    fault: Option<Reply>,
    /// Whether the create that is answered so happens.
    carries_out: bool,
    /// What the question whom the token belongs to is answered with, of GraphQL and of REST.
    viewer: Reply,
    user: Reply,
    /// How many lists still leave out what was created.
    lag: usize,
    /// Who the token speaks for.
    us: &'static str,
    issues: Vec<Value>,
    comments: Vec<Value>,
}

impl Tracker {
    fn failing(fault: Reply, carries_out: bool) -> Self {
        Self {
            fault: Some(fault),
            carries_out,
            viewer: answer(200, &json!({ "data": { "viewer": { "login": US } } })),
            user: answer(403, &json!({ "message": "Resource not accessible by integration" })),
            lag: 0,
            us: US,
            issues: vec![issue(AFTER, "Stale users", "- mallory", US)],
            comments: vec![comment(AFTER, "New: mallory", US)],
        }
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        let is_comment = asked.target.contains("/comments");
        let kept = if is_comment { &mut self.comments } else { &mut self.issues };
        match asked.target.as_str() {
            "/graphql" => return self.viewer.clone(),
            "/user" => return self.user.clone(),
            _ => {}
        }
        if asked.method == "GET" {
            let mut shown = kept.clone();
            if self.lag > 0 {
                self.lag -= 1;
                shown.retain(|it| it["number"] == AFTER || it["id"] == AFTER);
            }
            if asked.parameter("direction") == "desc" {
                shown.reverse();
            }
            return answer(200, &json!(shown));
        }
        let next = AFTER + u64::try_from(kept.len()).unwrap();
        let text = |name: &str| asked.json()[name].as_str().unwrap().to_owned();
        let made = match is_comment {
            true => comment(next, &text("body"), self.us),
            false => issue(next, &text("title"), &text("body"), self.us),
        };
        let fault = self.fault.take();
        if fault.is_none() || self.carries_out {
            kept.push(made.clone());
        }
        fault.unwrap_or_else(|| answer(201, &made))
    }
}

/// What came of a create: the number or id, what was kept, and what the server was asked.
struct Made {
    outcome: Result<u64, Error>,
    issues: usize,
    comments: usize,
    server: Server,
}

/// How often the create was sent.
fn creates(server: &Server) -> usize {
    server.lines().iter().filter(|line| line.starts_with("POST /repos/")).count()
}

#[derive(Debug, Clone, Copy)]
enum What {
    Issue,
    Comment,
}

fn create(what: What, tracker: Tracker, timeout: Duration) -> Made {
    let before = (tracker.issues.len(), tracker.comments.len());
    let tracker = Arc::new(Mutex::new(tracker));
    let serving = Arc::clone(&tracker);
    let server = Server::start(move |asked| serving.lock().unwrap().answer(asked));
    let new = NewIssue {
        title: "Stale users".to_owned(),
        body: "- alice\n- bob\n".to_owned(),
        labels: vec!["iam-stocktake".to_owned()],
        assignees: vec!["octocat".to_owned()],
    };
    let outcome = within(timeout, &server.url(), async |github| match what {
        What::Issue => infra(github).create_issue(&new, AFTER).await.map(|issue| issue.number),
        What::Comment => {
            infra(github).create_comment(1, &new.body, AFTER).await.map(|comment| comment.id)
        }
    });
    let kept = tracker.lock().unwrap();
    let (issues, comments) = (kept.issues.len() - before.0, kept.comments.len() - before.1);
    Made { outcome, issues, comments, server }
}

/// Creates, with the fault once, and holds that there is one afterwards. Gives how often the
/// create was sent.
fn one_of(what: What, fault: Reply, carries_out: bool, timeout: Duration) -> usize {
    let shown = format!("{what:?} {carries_out} {fault:?}");
    let made = create(what, Tracker::failing(fault, carries_out), timeout);
    assert_eq!(made.outcome.unwrap(), AFTER + 1, "{shown}");
    assert_eq!(made.issues + made.comments, 1, "{shown}");
    creates(&made.server)
}

#[test]
fn a_create_that_was_carried_out_is_not_sent_again() {
    for what in [What::Issue, What::Comment] {
        for fault in [html(502), html(201), answer(500, &json!({})), Reply::Closed] {
            assert_eq!(one_of(what, fault, true, PATIENCE), 1);
        }
    }
}

#[test]
fn a_create_that_was_not_carried_out_is_sent_again() {
    for what in [What::Issue, What::Comment] {
        for fault in [html(502), html(201), answer(500, &json!({})), Reply::Closed] {
            assert_eq!(one_of(what, fault, false, PATIENCE), 2);
        }
    }
}

#[test]
fn a_list_that_lags_behind_makes_no_twin() {
    for what in [What::Issue, What::Comment] {
        for lag in [1, 3] {
            let tracker = Tracker { lag, ..Tracker::failing(html(502), true) };
            let made = create(what, tracker, PATIENCE);
            assert_eq!(creates(&made.server), 1, "{what:?} {lag}");
            assert_eq!(made.issues + made.comments, 1, "{what:?} {lag}");
            assert_eq!(made.outcome.unwrap(), AFTER + 1);
        }
    }
}

#[test]
fn a_create_is_not_sent_again_without_time_to_look_for_it() {
    // Less than what the looks take.
    let timeout = Duration::from_secs(3);
    let made = create(What::Issue, Tracker::failing(html(502), false), timeout);
    let error = made.outcome.as_ref().unwrap_err();
    assert!(error.message.ends_with("it is unknown whether GitHub created it"), "{error}");
    assert_eq!((creates(&made.server), made.issues), (1, 0));
}

#[test]
fn a_create_without_an_answer_is_looked_for() {
    // The attempt that nobody answers takes a quarter of it; the looks take their time as well.
    let timeout = Duration::from_secs(24);
    assert_eq!(one_of(What::Issue, Reply::Silence, true, timeout), 1);
    assert_eq!(one_of(What::Comment, Reply::Silence, false, timeout), 2);
}

#[test]
fn an_answer_of_another_shape_is_looked_past() {
    assert_eq!(one_of(What::Issue, answer(201, &json!({ "id": 1 })), true, PATIENCE), 1);
}

#[test]
fn what_others_wrote_or_what_was_there_before_is_not_taken_for_it() {
    let mut tracker = Tracker::failing(html(502), false);
    let text = "- alice\n- bob\n";
    tracker.issues = vec![
        issue(AFTER, "Stale users", text, US),
        issue(AFTER + 1, "Stale users", text, "mallory"),
        issue(AFTER + 2, "Stale users", "- alice", US),
        issue(AFTER + 3, "Other users", text, US),
    ];
    let made = create(What::Issue, tracker, PATIENCE);
    assert_eq!((made.outcome.unwrap(), made.issues), (AFTER + 4, 1));
    assert_eq!(creates(&made.server), 2);

    let mut tracker = Tracker::failing(html(502), false);
    tracker.comments = vec![
        comment(AFTER, text, US),
        comment(AFTER + 1, text, "mallory"),
        comment(AFTER + 2, "- alice", US),
    ];
    let made = create(What::Comment, tracker, PATIENCE);
    assert_eq!((made.outcome.unwrap(), made.comments), (AFTER + 3, 1));
    assert_eq!(creates(&made.server), 2);
}

#[test]
fn an_issue_is_known_again_by_the_author_that_github_tells_or_by_any_app_if_it_does_not() {
    let viewer = |login: &str| answer(200, &json!({ "data": { "viewer": { "login": login } } }));
    let told = answer(200, &json!({ "login": "Octocat" }));
    let untold = answer(403, &json!({ "message": "Resource not accessible by integration" }));
    let absent = answer(404, &json!({ "message": "Not Found" }));
    let denied = answer(200, &json!({ "data": null, "errors": [{ "type": "FORBIDDEN" }] }));
    for (viewer, user, us, sent) in [
        (viewer("My-App[bot]"), untold.clone(), "my-app[bot]", 1),
        (viewer("my-app[bot]"), untold.clone(), "github-actions[bot]", 2),
        (absent.clone(), told.clone(), "octocat", 1),
        (denied.clone(), told.clone(), "octocat", 1),
        (denied, untold.clone(), "my-app[bot]", 1),
        (absent.clone(), untold, "octocat", 2),
        (absent, told, "my-app[bot]", 2),
    ] {
        let tracker = Tracker { viewer, user, us, ..Tracker::failing(html(502), true) };
        assert_eq!(creates(&create(What::Issue, tracker, PATIENCE).server), sent, "{us}");
    }
}

#[test]
fn a_create_beyond_a_limit_is_sent_again_without_a_look() {
    let limit = answer(403, &json!({ "message": "You have exceeded a secondary rate limit" }));
    let made =
        create(What::Issue, Tracker::failing(limit.with("Retry-After", "0"), false), PATIENCE);
    assert_eq!(made.outcome.unwrap(), AFTER + 1);
    assert_eq!(made.server.lines(), ["POST /repos/acme/infra/issues"; 2]);
    let sent = json!({
        "title": "Stale users",
        "body": "- alice\n- bob\n",
        "labels": ["iam-stocktake"],
        "assignees": ["octocat"],
    });
    assert_eq!(made.server.asked()[1].json(), sent);
}

#[test]
fn a_create_that_is_refused_is_not_sent_again() {
    let refusal = answer(410, &json!({ "message": "Issues are disabled for this repo" }));
    let made = create(What::Issue, Tracker::failing(refusal, false), PATIENCE);
    assert_eq!(made.outcome.unwrap_err().kind, ErrorKind::Gone);
    assert_eq!(made.server.lines(), ["POST /repos/acme/infra/issues"]);
}

#[test]
fn a_create_is_not_sent_again_when_it_cannot_be_looked_for() {
    let viewer = answer(401, &json!({ "message": "Bad credentials" }));
    let tracker = Tracker { viewer, ..Tracker::failing(html(502), true) };
    let made = create(What::Issue, tracker, PATIENCE);
    let error = made.outcome.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(error.message.ends_with("it is unknown whether GitHub created it"), "{error}");
    assert_eq!((creates(&made.server), made.issues), (1, 1));
}
