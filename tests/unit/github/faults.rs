//! Errors that are final, and errors that are retried.

use std::net::TcpListener;
use std::time::Duration;

use iam_stocktake::github::{Error, ErrorKind, IssueChange, NewLabel};
use serde_json::{Value, json};

use super::server::{Reply, Server, html, json as answer};
use super::{at, infra, issue, within, within_mut};

const NOW: &str = "Tue, 24 Nov 2026 12:00:00 GMT";
/// `NOW` in seconds since the epoch.
const EPOCH: u64 = 1_795_521_600;

fn error_response(status: u16, message: &str) -> Reply {
    answer(status, &json!({ "message": message, "documentation_url": "https://docs.github.com/" }))
}

fn invalid(errors: &Value) -> Reply {
    answer(422, &json!({ "message": "Validation Failed", "errors": errors }))
}

fn fine() -> Reply {
    answer(200, &issue(7, "title", "body", "octocat"))
}

/// The error of reading an issue from a server that always replies this way, and the number of
/// requests.
fn failing(reply: Reply) -> (Error, usize) {
    let server = Server::replying([reply]);
    let error = at(&server.url(), async |github| infra(github).issue(7).await).unwrap_err();
    (error, server.requests().len())
}

/// A response, and what the error must have: its kind, a part of its message, a part of its hint.
type Case = (Reply, ErrorKind, &'static str, &'static str);

/// Asserts that each response is final, with the expected error.
fn assert_final(table: impl IntoIterator<Item = Case>) {
    for (reply, kind, says, hint) in table {
        let shown = format!("{reply:?}");
        let (error, requests) = failing(reply);
        assert_eq!((error.kind, requests), (kind, 1), "{shown}: {error}");
        assert!(error.message.contains(says), "{shown}: {error}");
        assert!(error.hint().contains(hint), "{shown}: {}", error.hint());
        assert!(error.to_string().starts_with("getting issue #7 of acme/infra: "), "{error}");
    }
}

#[test]
fn rejected_request_is_final_and_has_a_hint() {
    let errors = json!([
        { "resource": "Issue", "code": "missing_field", "field": "title" },
        { "resource": "Issue", "code": "invalid", "field": "assignees", "message": "nobody" },
        "and more",
    ]);
    assert_final([
        (
            error_response(401, "Bad credentials"),
            ErrorKind::Unauthorized,
            "HTTP status 401: Bad credentials",
            "`github-token`",
        ),
        (
            error_response(404, "Not Found"),
            ErrorKind::NotFound,
            "Not Found",
            "the permissions of the token",
        ),
        (
            error_response(410, "Issues are disabled for this repo"),
            ErrorKind::Gone,
            "disabled",
            "enable them in its settings, or set `queue-repository` to another repository",
        ),
        (error_response(410, "This issue was deleted"), ErrorKind::Gone, "deleted", "run again"),
        (
            invalid(&errors),
            ErrorKind::Unprocessable,
            "Validation Failed: `title` missing_field; `assignees` invalid, nobody; and more",
            "set `title`, `assignees` to a value that GitHub accepts",
        ),
        (
            error_response(400, "Problems parsing JSON"),
            ErrorKind::Unexpected,
            "parsing",
            "GITHUB_API_URL",
        ),
        (
            answer(200, &json!({ "hello": "world" })),
            ErrorKind::Unexpected,
            "missing field `number`",
            "GITHUB_API_URL",
        ),
    ]);
}

#[test]
fn missing_permission_is_named() {
    let unnamed = "`issues: write`, or for a pull request `pull-requests: write`";
    assert_final([
        (
            error_response(403, "Resource not accessible by integration")
                .with("X-Accepted-GitHub-Permissions", "issues=read; pull_requests=read"),
            ErrorKind::Forbidden,
            "Resource not accessible by integration",
            "`issues: read` or `pull-requests: read` to `permissions:` of the job",
        ),
        (
            error_response(403, "Must have admin rights."),
            ErrorKind::Forbidden,
            "admin rights",
            unnamed,
        ),
        (
            error_response(403, "Unable to create comment because issue is locked."),
            ErrorKind::Forbidden,
            "is locked",
            "unlock it",
        ),
        (
            error_response(403, "Repository was archived so is read-only."),
            ErrorKind::Forbidden,
            "archived",
            "`queue-repository`",
        ),
        (
            error_response(403, "Resource protected by organization SAML enforcement."),
            ErrorKind::Forbidden,
            "SAML",
            "single sign-on",
        ),
    ]);
}

#[test]
fn long_rate_limit_is_final_and_its_end_is_named() {
    assert_final([
        (
            error_response(403, "API rate limit exceeded")
                .with("Date", NOW)
                .with("X-RateLimit-Remaining", "0")
                .with("X-RateLimit-Reset", (EPOCH + 3000).to_string()),
            ErrorKind::RateLimited,
            "rate limit",
            "resets at 2026-11-24 12:50 UTC",
        ),
        (
            error_response(429, "Slow down").with("Date", NOW).with("Retry-After", "600"),
            ErrorKind::RateLimited,
            "Slow down",
            "resets at 2026-11-24 12:10 UTC",
        ),
        (
            invalid(&json!([{ "message": "was submitted too quickly" }]))
                .with("Retry-After", "600"),
            ErrorKind::RateLimited,
            "too quickly",
            "in a few minutes",
        ),
    ]);
}

#[test]
fn temporary_failure_is_retried() {
    let reset = (EPOCH - 1).to_string();
    let table = [
        error_response(403, "Forbidden")
            .with("Date", NOW)
            .with("X-RateLimit-Remaining", "0")
            .with("X-RateLimit-Reset", reset),
        error_response(403, "You have exceeded a secondary rate limit").with("Retry-After", "0"),
        error_response(403, "Wait").with("Retry-After", "0"),
        error_response(429, "Too many requests").with("Retry-After", "1"),
        error_response(500, "Server Error"),
        error_response(503, "Maintenance").with("Retry-After", "0"),
        html(502),
        html(200),
        Reply::Answer(200, vec![], String::new()),
        Reply::Closed,
    ];
    for reply in table {
        let shown = format!("{reply:?}");
        let server = Server::replying([reply.clone(), reply, fine()]);
        let got = at(&server.url(), async |github| infra(github).issue(7).await);
        assert_eq!(got.unwrap().number, 7, "{shown}");
        assert_eq!(server.requests().len(), 3, "{shown}");
    }
}

/// The error of reading an issue with a short deadline.
fn error_at_deadline(url: &str) -> Error {
    let soon = Duration::from_secs(3);
    within(soon, url, async |github| infra(github).issue(7).await).unwrap_err()
}

#[test]
fn lasting_failure_is_reported_at_the_deadline() {
    let table = [
        (html(502), ErrorKind::Unavailable, "HTTP status 502 Bad Gateway", "www.githubstatus.com"),
        (html(200), ErrorKind::Unexpected, "not JSON", "GITHUB_API_URL"),
        (Reply::Closed, ErrorKind::Unreachable, "closed", "HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE"),
        (Reply::NoResponse, ErrorKind::TimedOut, "no response within", "set a longer timeout"),
    ];
    // In parallel, because each takes until the deadline.
    std::thread::scope(|threads| {
        for (reply, kind, says, hint) in table {
            threads.spawn(move || {
                let server = Server::replying([reply]);
                let error = error_at_deadline(&server.url());
                assert_eq!(error.kind, kind, "{error}");
                assert!(error.message.contains(says) && error.hint().contains(hint), "{error}");
                assert!(!error.message.contains("Unicorn"), "{error}");
            });
        }
        threads.spawn(|| {
            let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let error = error_at_deadline(&format!("http://{free}"));
            assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
            assert!(error.message.contains("refused"), "{error}");
        });
    });
}

#[test]
fn failure_before_the_deadline_is_reported_instead_of_the_timeout() {
    let server = Server::replying([html(502), Reply::NoResponse]);
    let error = error_at_deadline(&server.url());
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(server.requests().len() > 1);
}

#[test]
fn no_request_is_sent_after_the_deadline() {
    let server = Server::replying([fine()]);
    let ask = async |github: &_| infra(github).issue(7).await;
    let error = within(Duration::ZERO, &server.url(), ask).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TimedOut, "{error}");
    assert_eq!(server.lines(), [""; 0]);
}

#[test]
fn deadline_can_be_reset() {
    let server = Server::replying([fine()]);
    within_mut(Duration::from_secs(1), &server.url(), async |github| {
        // Until the deadline.
        while infra(github).issue(7).await.is_ok() {}
        assert!(infra(github).issue(7).await.is_err());
        github.reset_deadline(Duration::from_secs(60));
        assert_eq!(infra(github).issue(7).await.unwrap().number, 7);
    });
}

#[test]
fn idempotent_changes_are_retried() {
    let change = IssueChange { body: Some("body".to_owned()), ..IssueChange::default() };
    let server = Server::replying([html(502), fine()]);
    let updated = at(&server.url(), async |github| infra(github).update_issue(7, &change).await);
    assert_eq!(updated.unwrap().number, 7);
    assert_eq!(server.lines(), ["PATCH /repos/acme/infra/issues/7"; 2]);

    let server = Server::replying([Reply::Closed, html(200), answer(200, &json!([]))]);
    let labels = ["one".to_owned()];
    at(&server.url(), async |github| infra(github).add_labels(7, &labels).await).unwrap();
    assert_eq!(server.lines(), ["POST /repos/acme/infra/issues/7/labels"; 3]);
    assert_eq!(server.requests()[2].json(), json!({ "labels": ["one"] }));
}

#[test]
fn creating_a_label_that_exists_succeeds() {
    let label = NewLabel { name: "iam-stocktake".to_owned(), ..NewLabel::default() };
    let create = |replies: &[Reply]| {
        let server = Server::replying(replies);
        (at(&server.url(), async |github| infra(github).create_label(&label).await), server)
    };
    let exists = |code| invalid(&json!([{ "resource": "Label", "code": code, "field": "name" }]));
    let (created, server) = create(&[html(502), exists("already_exists")]);
    created.unwrap();
    assert_eq!(server.lines(), ["POST /repos/acme/infra/labels"; 2]);
    assert_eq!(create(&[exists("invalid")]).0.unwrap_err().kind, ErrorKind::Unprocessable);
}

#[test]
fn delete_that_an_earlier_attempt_completed_succeeds() {
    let delete = |replies: &[Reply]| {
        let server = Server::replying(replies);
        at(&server.url(), async |github| infra(github).delete_comment(5).await)
    };
    let done = Reply::Answer(204, vec![], String::new());
    delete(&[done]).unwrap();
    delete(&[Reply::Closed, error_response(404, "Not Found")]).unwrap();
    assert_eq!(delete(&[error_response(404, "Not Found")]).unwrap_err().kind, ErrorKind::NotFound);
}
