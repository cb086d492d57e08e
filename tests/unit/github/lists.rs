//! Lists: paging, filters, and unusual entries.

use iam_stocktake::github::{ErrorKind, Issue, IssueFilter};
use serde_json::{Value, json};

use super::server::{Reply, Request, Server, json as answer};
use super::{at, comment, infra, issue};

fn all_issues(server: &Server) -> Vec<Issue> {
    at(&server.url(), async |github| infra(github).issues(&IssueFilter::default()).await).unwrap()
}

/// The requested page of a list with this many entries.
fn page(request: &Request, count: u64, entry: impl Fn(u64) -> Value) -> Reply {
    let (size, page) = (request.parameter("per_page"), request.parameter("page"));
    let (size, page): (u64, u64) = (size.parse().unwrap(), page.parse().unwrap());
    let entries = ((page - 1) * size + 1)..=(page * size).min(count);
    answer(200, &json!(entries.map(entry).collect::<Vec<_>>()))
}

fn numbered(number: u64) -> Value {
    issue(number, "title", "body", "octocat")
}

#[test]
fn all_pages_are_read() {
    for (count, pages) in [(0, 1), (99, 1), (100, 2), (250, 3)] {
        let server = Server::start(move |request| page(request, count, numbered));
        let numbers: Vec<_> = all_issues(&server).iter().map(|issue| issue.number).collect();
        assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
        assert_eq!(server.requests().len(), pages, "{count}");
    }
    let server = Server::start(|request| page(request, 150, |id| comment(id, "body", "octocat")));
    let comments = at(&server.url(), async |github| infra(github).comments(7).await).unwrap();
    assert_eq!(comments.len(), 150);
    assert_eq!(
        server.lines(),
        [1, 2].map(|page| format!(
            "GET /repos/acme/infra/issues/7/comments?per_page=100&page={page}"
        ))
    );
}

#[test]
fn next_link_is_followed_after_a_short_page() {
    let server = Server::start(|request| {
        let host = &request.header("host")[0];
        match request.parameter("after").as_str() {
            "" => answer(200, &json!([numbered(1)])).with(
                "Link",
                format!(r#"<http://{host}/issues?after=Y3Vyc29y>; rel="next", <http://{host}/>; rel="first""#),
            ),
            _ => answer(200, &json!([numbered(2)]))
                .with("Link", format!(r#"<http://{host}/>; rel="first""#)),
        }
    });
    assert_eq!(all_issues(&server).len(), 2);
    assert_eq!(server.lines()[1], "GET /issues?after=Y3Vyc29y");
}

#[test]
fn next_link_to_another_host_is_not_followed_and_the_next_page_is_read() {
    let elsewhere = Server::replying([answer(200, &json!([numbered(1)]))]);
    let link = format!(r#"<{}/issues?page=2>; rel="next""#, elsewhere.url());
    let server = Server::start(move |request| {
        let reply = page(request, 150, numbered);
        if request.parameter("page") == "1" { reply.with("Link", link.as_str()) } else { reply }
    });
    assert_eq!(all_issues(&server).len(), 150);
    assert_eq!(elsewhere.lines(), [""; 0]);
}

#[test]
fn page_that_fails_is_an_error_and_not_the_end_of_the_list() {
    let server = Server::start(|request| match request.parameter("page").as_str() {
        "3" => answer(404, &json!({ "message": "Not Found" })),
        _ => page(request, 250, numbered),
    });
    let list = async |github: &_| infra(github).issues(&IssueFilter::default()).await;
    assert_eq!(at(&server.url(), list).unwrap_err().kind, ErrorKind::NotFound);
}

#[test]
fn filter_is_part_of_the_request() {
    let server = Server::replying([answer(200, &json!([]))]);
    let filter = IssueFilter {
        label: Some("iam stocktake".to_owned()),
        creator: Some("github-actions[bot]".to_owned()),
    };
    at(&server.url(), async |github| infra(github).issues(&filter).await).unwrap();
    let query = "state=all&sort=created&direction=asc&labels=iam+stocktake\
                 &creator=github-actions%5Bbot%5D&per_page=100&page=1";
    assert_eq!(server.lines(), [format!("GET /repos/acme/infra/issues?{query}")]);
}

#[test]
fn pull_requests_are_not_listed_as_issues() {
    let mut pull_request = numbered(2);
    pull_request["pull_request"] = json!({ "url": "https://api.github.com/…" });
    let server = Server::replying([answer(200, &json!([numbered(3), pull_request, numbered(1)]))]);
    let numbers: Vec<_> = all_issues(&server).iter().map(|issue| issue.number).collect();
    assert_eq!(numbers, [1, 3]);
}

#[test]
fn unusual_entries_do_not_hide_others() {
    let mut odd = issue(1, "title", "a\r\nb", "octocat");
    odd["user"] = Value::Null;
    odd["body"] = Value::Null;
    odd["state"] = json!("closed");
    odd["state_reason"] = json!("merged_into_the_void");
    odd["closed_at"] = json!("2026-11-24T12:00:00Z");
    odd["labels"] = json!(["text", { "name": "object", "default": false }, { "name": null }]);
    odd["locked"] = json!(true);
    let server = Server::replying([answer(200, &json!([odd, issue(2, "t", "a\r\nb", "octocat")]))]);
    let issues = all_issues(&server);
    let odd = &issues[0];
    assert_eq!((odd.author.as_deref(), odd.body.as_str(), odd.is_open), (None, "", false));
    assert_eq!(odd.state_reason, None);
    assert_eq!(odd.closed_at, Some(odd.created_at));
    assert_eq!(
        (odd.labels.as_slice(), odd.locked),
        (["text", "object"].map(str::to_owned).as_slice(), true)
    );
    let plain = &issues[1];
    assert_eq!((plain.author.as_deref(), plain.body.as_str()), (Some("octocat"), "a\nb"));
    assert_eq!((plain.is_open, plain.closed_at, plain.state_reason), (true, None, None));
    assert_eq!(plain.url, "https://github.com/acme/infra/issues/2");
}
