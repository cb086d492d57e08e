//! Responses to changes are compared with what was sent.

use iam_stocktake::github::{
    Error, ErrorKind, GitHub, IssueChange, IssueState, NewIssue, StateReason,
};
use serde_json::{Value, json};

use super::server::{Server, json as answer};
use super::{at, comment, infra, issue};

const SENT: &str = "- alice\n- bob\n";

/// Sends the body in one of four ways and returns the body of the response.
async fn send(way: usize, github: &GitHub) -> Result<String, Error> {
    let (infra, body) = (infra(github), SENT.to_owned());
    match way {
        0 => {
            let new = NewIssue { title: "t".to_owned(), body, ..NewIssue::default() };
            infra.create_issue(&new, 0).await.map(|issue| issue.body)
        }
        1 => {
            let change = IssueChange { body: Some(body), ..IssueChange::default() };
            infra.update_issue(7, &change).await.map(|issue| issue.body)
        }
        2 => infra.create_comment(7, &body, 0).await.map(|comment| comment.body),
        _ => infra.update_comment(7, &body).await.map(|comment| comment.body),
    }
}

/// A response that can be read as an issue and as a comment.
fn shown(body: &str) -> Value {
    let (mut one, other) = (issue(7, "t", body, "octocat"), comment(7, body, "octocat"));
    one.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    one
}

#[test]
fn body_that_github_did_not_save_is_an_error() {
    for way in 0..4 {
        let server = Server::replying([answer(200, &shown("- alice"))]);
        let error = at(&server.url(), async |github| send(way, github).await).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotApplied, "{way}: {error}");
        assert!(error.message.contains("a different body"), "{way}: {error}");
        assert!(error.hint().contains("65,536"), "{way}: {}", error.hint());
        assert_eq!(server.requests().len(), 1, "{way}");
    }
}

#[test]
fn different_line_endings_and_trailing_white_space_are_accepted() {
    for way in 0..4 {
        let server = Server::replying([answer(200, &shown("- alice\r\n- bob"))]);
        let body = at(&server.url(), async |github| send(way, github).await).unwrap();
        assert_eq!(body, "- alice\n- bob", "{way}");
    }
}

#[test]
fn state_that_github_did_not_save_is_an_error() {
    let server = Server::replying([answer(200, &issue(7, "t", "b", "octocat"))]);
    let state = |state| IssueChange { state: Some(state), ..IssueChange::default() };
    at(&server.url(), async |github| {
        let error = infra(github).update_issue(7, &state(IssueState::Closed)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotApplied, "{error}");
        infra(github).update_issue(7, &state(IssueState::Open)).await.unwrap();
    });
}

#[test]
fn only_changed_fields_are_sent() {
    let mut closed = issue(7, "t", "b", "octocat");
    closed["state"] = json!("closed");
    let server = Server::replying([answer(200, &closed)]);
    let changes = [
        IssueChange { body: Some("b".to_owned()), ..IssueChange::default() },
        IssueChange {
            state: Some(IssueState::Closed),
            state_reason: Some(StateReason::NotPlanned),
            ..IssueChange::default()
        },
    ];
    at(&server.url(), async |github| {
        for change in &changes {
            infra(github).update_issue(7, change).await.unwrap();
        }
        infra(github).update_comment(9, "b").await.unwrap_err();
    });
    let sent: Vec<_> = server.requests().iter().map(|request| request.json().to_string()).collect();
    assert_eq!(
        sent,
        [
            r#"{"body":"b"}"#,
            r#"{"state":"closed","state_reason":"not_planned"}"#,
            r#"{"body":"b"}"#,
        ]
    );
    assert_eq!(server.lines()[2], "PATCH /repos/acme/infra/issues/comments/9");
}
