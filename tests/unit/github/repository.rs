//! A repository: its properties, its labels, and the files in its commits.

use iam_stocktake::github::{Error, ErrorKind, RepositoryInfo};
use iam_stocktake::model::identity::Visibility;
use serde_json::{Value, json};

use super::server::{Reply, Server, json as answer};
use super::{at, infra};

#[test]
fn unknown_visibility_is_not_guessed() {
    for (fields, visibility) in [
        (json!({ "visibility": "public", "private": false }), Some(Visibility::Public)),
        (json!({ "visibility": "internal", "private": true }), Some(Visibility::Internal)),
        (json!({ "visibility": "private", "private": true }), Some(Visibility::Private)),
        (json!({ "private": true }), Some(Visibility::Private)),
        (json!({ "private": false }), Some(Visibility::Public)),
        (json!({ "visibility": "private", "private": false }), Some(Visibility::Public)),
        (json!({ "visibility": "shared", "private": true }), None),
        (json!({}), None),
    ] {
        let mut shown = json!({
            "full_name": "acme/platform", "default_branch": "trunk", "has_issues": false,
        });
        shown.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let server = Server::replying([answer(200, &shown)]);
        let info = at(&server.url(), async |github| infra(github).info().await).unwrap();
        let expected = RepositoryInfo {
            visibility,
            default_branch: "trunk".to_owned(),
            has_issues: false,
            full_name: "acme/platform".to_owned(),
        };
        assert_eq!(info, expected, "{fields}");
        assert_eq!(server.lines(), ["GET /repos/acme/infra"]);
    }
}

#[test]
fn label_is_requested_by_its_encoded_name() {
    let server = Server::start(|request| match request.target.as_str() {
        "/repos/acme/infra/labels/a%2Fb%20c%3F" => answer(200, &json!({ "name": "a/b c?" })),
        _ => answer(404, &json!({ "message": "Not Found" })),
    });
    at(&server.url(), async |github| {
        let found = infra(github).label("a/b c?").await.unwrap().unwrap();
        assert_eq!((found.name.as_str(), found.description), ("a/b c?", None));
        assert_eq!(infra(github).label("other").await.unwrap(), None);
        // This would be the URL of something else.
        assert_eq!(infra(github).label("..").await.unwrap(), None);
    });
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn merge_base_is_read_from_a_comparison() {
    let server = Server::replying([answer(
        200,
        &json!({ "merge_base_commit": { "sha": "c0ffee" }, "commits": [] }),
    )]);
    let base = async |github: &_| infra(github).merge_base("main", "fork:fix/it").await;
    assert_eq!(at(&server.url(), base).unwrap(), "c0ffee");
    assert_eq!(server.lines(), ["GET /repos/acme/infra/compare/main...fork:fix%2Fit?per_page=1"]);
}

/// The result of reading a file with these responses, and the requests.
fn read(path: &str, replies: &[Reply]) -> (Result<Option<Vec<u8>>, Error>, Vec<String>) {
    let server = Server::replying(replies);
    let bytes = at(&server.url(), async |github| infra(github).file_at(path, "c0ffee").await);
    (bytes, server.lines())
}

fn file(kind: &str, encoding: &str, content: &str) -> Value {
    json!({ "type": kind, "encoding": encoding, "content": content, "size": 1 })
}

#[test]
fn line_breaks_in_the_base64_of_a_file_are_ignored() {
    let found = answer(200, &file("file", "base64", "dmVyc2lv\nbjogMQr/\n"));
    let (bytes, lines) = read("./.github/iam allow#list.yml", &[found]);
    assert_eq!(bytes.unwrap().unwrap(), b"version: 1\n\xff");
    let line = "GET /repos/acme/infra/contents/.github/iam%20allow%23list.yml?ref=c0ffee";
    assert_eq!(lines, [line]);
}

#[test]
fn empty_file_is_not_a_missing_file() {
    let (bytes, _) = read("a.yml", &[answer(200, &file("file", "base64", ""))]);
    assert_eq!(bytes.unwrap(), Some(vec![]));
}

#[test]
fn missing_file_is_none() {
    let (bytes, _) = read("a.yml", &[answer(404, &json!({ "message": "Not Found" }))]);
    assert_eq!(bytes.unwrap(), None);
}

#[test]
fn large_file_is_requested_as_raw_content() {
    let text = "version: 1\n".to_owned();
    let whole = Reply::Answer(200, vec![], text.clone());
    let refused = json!({ "message": "too large", "errors": [{ "code": "too_large" }] });
    for large in [answer(200, &file("file", "none", "")), answer(403, &refused)] {
        let server = Server::replying([large, whole.clone()]);
        let bytes = at(&server.url(), async |github| infra(github).file_at("a", "c0ffee").await);
        assert_eq!(bytes.unwrap(), Some(text.clone().into_bytes()));
        assert_eq!(server.requests()[1].header("accept"), ["application/vnd.github.raw+json"]);
    }
}

#[test]
fn anything_but_a_file_is_an_error() {
    let mut submodule = file("file", "base64", "");
    submodule["submodule_git_url"] = json!("git://example.com/a.git");
    for (found, says) in [
        (json!([file("file", "base64", "")]), "a folder"),
        (json!([]), "a folder"),
        (submodule, "a submodule"),
        (json!({ "type": "submodule" }), "a submodule"),
        (json!({ "type": "symlink", "target": "/etc/passwd" }), "a symlink"),
        (file("file", "base64", "%"), "invalid base64"),
    ] {
        let (bytes, _) = read("a", &[answer(200, &found)]);
        let error = bytes.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unexpected, "{found}: {error}");
        assert!(error.message.contains(says), "{found}: {error}");
    }
}

#[test]
fn path_outside_the_repository_is_not_requested() {
    for path in ["../other/contents/a", "a/../../b", "", "."] {
        let (bytes, lines) = read(path, &[answer(200, &json!([]))]);
        assert_eq!(bytes.unwrap_err().kind, ErrorKind::Unexpected, "{path}");
        assert_eq!(lines, [""; 0], "{path}");
    }
}
