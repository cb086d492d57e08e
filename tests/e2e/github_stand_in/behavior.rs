//! Behavior of GitHub that the emulator does not have.

use super::client::Requests as _;
use serde_json::json;

use stand_ins::github::GitHub;

#[test]
fn pull_requests_are_listed_as_issues() {
    let repo = GitHub::shared().repository("private");
    repo.as_bot().create_issue("queue", "body", &["iam-stocktake"]);
    repo.branch("topic", "main");
    repo.commit("topic", "a", "b");
    let pull = repo.pull("A change", "topic", "main");
    repo.as_person().add_label(pull.number, "iam-stocktake");
    let list = repo.get("/issues?labels=iam-stocktake&direction=asc");
    assert_eq!(list.numbers(), [1, 2]);
    assert!(list.json[0].get("pull_request").is_none());
    assert!(list.json[1]["pull_request"]["url"].as_str().unwrap().ends_with("/pulls/2"));
    assert!(repo.get("/issues/2").json["pull_request"].is_object());
    let comment = repo.send("POST", "/issues/2/comments", json!({ "body": "x" })).json;
    assert!(comment["html_url"].as_str().unwrap().contains("/pull/2#issuecomment-"), "{comment}");
    assert_eq!(repo.issues().len(), 1);
    assert_eq!(repo.violations(), [""; 0]);
}

#[test]
fn lists_are_filtered_and_paged() {
    let repo = GitHub::shared().repository("private");
    let issues: Vec<_> = (1..=230).map(|it| (format!("issue {it}"), String::new())).collect();
    repo.as_bot().create_issues(&issues[..220], &["Queue"]);
    repo.as_person().create_issues(&issues[220..], &["other"]);
    repo.as_person().close(3, "completed");
    let first = repo.get("/issues?state=all&per_page=100");
    assert_eq!(first.numbers(), (131..=230).rev().collect::<Vec<_>>());
    assert!(first.link.contains("page=2>; rel=\"next\""), "{}", first.link);
    assert!(first.link.contains("page=3>; rel=\"last\""), "{}", first.link);
    let last = repo.get("/issues?state=all&per_page=100&page=3");
    assert_eq!(last.numbers().len(), 30);
    assert!(!last.link.contains("next"), "{}", last.link);
    let count = |query: &str| repo.get(&format!("/issues?per_page=100&{query}")).numbers().len();
    assert_eq!(count("page=3&labels=queue"), 19);
    assert_eq!(count("labels=queue,other"), 0);
    assert_eq!(count("creator=octocat"), 10);
    assert_eq!(count("state=closed"), 1);
    assert_eq!(repo.violations(), [""; 0]);
}

#[test]
fn changes_by_people_are_shown_like_on_github() {
    let repo = GitHub::shared().repository("private");
    let (bot, person) = (repo.as_bot(), repo.as_person());
    for title in ["one", "two", "three"] {
        bot.create_issue(title, "body", &["gone", "old"]);
    }
    for (number, reason) in [(1, "completed"), (2, "not_planned"), (3, "duplicate")] {
        person.close(number, reason);
        let issue = repo.get(&format!("/issues/{number}")).json;
        assert_eq!(issue["state_reason"], reason);
        assert_eq!(issue["user"]["type"], "Bot");
        assert_eq!(issue["author_association"], "NONE");
        let closed = issue["closed_at"].as_str().unwrap();
        assert_eq!(closed.len(), "2026-01-02T03:04:05Z".len(), "{closed}");
    }
    person.reopen(3);
    person.delete_label("gone");
    person.rename_label("old", "new one");
    person.remove_label(1, "new one");
    person.edit_body(2, "edited\r\n");
    person.edit_title(2, "zwei");
    let id = person.comment(1, "first");
    bot.comment(1, "second");
    person.edit_comment(id, "edited");
    let issues = repo.issues();
    assert_eq!(issues[2].state_reason.as_deref(), Some("reopened"));
    assert_eq!((issues[2].state.as_str(), &issues[2].closed_at), ("open", &None));
    assert!(issues[0].labels.is_empty());
    assert_eq!(issues[1].labels, ["new one"]);
    assert_eq!((issues[1].title.as_str(), issues[1].body.as_str()), ("zwei", "edited\r\n"));
    let comments = issues[0].comments.iter().map(|it| (it.author.as_str(), it.body.as_str()));
    let expected = [("octocat", "edited"), ("github-actions[bot]", "second")];
    assert_eq!(comments.collect::<Vec<_>>(), expected);
    person.delete_comment(id);
    assert_eq!(repo.comments(1).len(), 1);
    // None of these is a request of the program under test.
    assert!(repo.writes().is_empty());
}

#[test]
fn files_are_read_at_a_commit_and_the_merge_base_is_found() {
    let repo = GitHub::shared().repository("private");
    let old = repo.commit("main", ".github/iam-allowlist.yml", &"version: 1\n".repeat(20));
    repo.branch("topic", "main");
    let head = repo.commit("topic", ".github/iam-allowlist.yml", "version: 1\n");
    let moved = repo.commit("main", "README.md", "moved on\n");
    let compared = repo.get(&format!("/compare/{moved}...{head}?per_page=1"));
    assert_eq!(compared.json["merge_base_commit"]["sha"], old);
    let file =
        |commit: &str| repo.get(&format!("/contents/.github/iam-allowlist.yml?ref={commit}"));
    let content = file(&old).json["content"].as_str().unwrap().to_owned();
    // GitHub wraps the base64.
    assert!(
        content.lines().all(|line| line.len() <= 60) && content.lines().count() > 1,
        "{content}"
    );
    assert_eq!(file(&head).json["content"], "dmVyc2lvbjogMQo=\n");
    assert_eq!(file(repo.first_commit()).status, 404);
    repo.commit("main", "large", &"x".repeat(1024 * 1024 + 1));
    assert_eq!(repo.get("/contents/large").json["encoding"], "none");
    repo.remove("main", "large");
    assert_eq!(repo.get("/contents/large").status, 404);
    assert_eq!(repo.violations(), [""; 0]);
}

#[test]
fn repository_has_its_visibility() {
    for (visibility, private) in [("private", true), ("internal", true), ("public", false)] {
        let repository = GitHub::shared().repository(visibility).get("").json;
        assert_eq!(repository["visibility"], visibility);
        assert_eq!(repository["private"], private);
        assert_eq!(repository["default_branch"], "main");
    }
}
