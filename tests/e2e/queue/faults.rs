//! Failures of GitHub: how a run handles them, and that the queue stays complete.

use serde_json::{Value, json};

use stand_ins::world::{EMPTY, Run, World};

/// A queue with alice, and bob as a new finding: a run lists, comments and edits.
fn kept() -> World {
    let world = World::new();
    world.user("alice", 200);
    assert_eq!(world.day(0, EMPTY).code, 0);
    world.user("bob", 150);
    world
}

/// No queue yet, and alice as a new finding: a run lists and creates.
fn fresh() -> World {
    let world = World::new();
    world.user("alice", 200);
    world
}

/// The request that fails.
#[derive(Debug, Clone, Copy, PartialEq)]
enum FailingCall {
    List,
    Create,
    Comment,
    Edit,
}

impl FailingCall {
    const ALL: [Self; 4] = [Self::List, Self::Create, Self::Comment, Self::Edit];

    fn world(self) -> World {
        if self == Self::Create { fresh() } else { kept() }
    }

    /// The fault, limited to these requests.
    fn for_requests(self, mut fault: Value) -> Value {
        let (method, path) = match self {
            Self::List => ("GET", "/issues$"),
            Self::Create => ("POST", "/issues$"),
            Self::Comment => ("POST", "/issues/1/comments$"),
            Self::Edit => ("PATCH", "/issues/1$"),
        };
        fault["method"] = json!(method);
        fault["path"] = json!(path);
        fault
    }

    /// The exit code of a run that fails here.
    fn code(self) -> i32 {
        if self == Self::List { 3 } else { 4 }
    }
}

fn refusal(status: u16, message: &str) -> Value {
    json!({ "status": status, "body": { "message": message } })
}

/// The queue's issues and comments without dates, to compare.
fn state(world: &World) -> Vec<(String, String, usize)> {
    let issues = world.repo.issues().into_iter();
    issues.map(|issue| (issue.body, issue.state, issue.comments.len())).collect()
}

/// Asserts that one open issue has each stale user once, and that the next run changes nothing.
fn assert_complete(world: &World, users: &[&str]) {
    let queue_issue = world.queue_issue();
    assert_eq!(queue_issue.state, "open");
    for user in users {
        assert_eq!(
            queue_issue.body.matches(&format!("- [ ] `{user}`")).count(),
            1,
            "{}",
            queue_issue.body
        );
    }
    assert_eq!(world.day(2, EMPTY).acts(), [""; 0]);
}

fn assert_failed(run: &Run, at: FailingCall, says: &str, hint: &str) {
    assert_eq!(run.code, at.code(), "{at:?}: {}", run.log);
    let result = if at == FailingCall::List { "incomplete" } else { "error" };
    assert_eq!(run.output("result"), result, "{at:?}: {}", run.log);
    let error = run.log.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    assert!(error.contains(says), "{at:?}: {}", run.log);
    let help = run.log.lines().find(|line| line.starts_with("help: ")).unwrap_or_default();
    assert!(help.contains(hint), "{at:?}: {}", run.log);
    assert!(run.summary.contains("The queue could not be read or written"), "{}", run.summary);
}

/// Permanent rejections, each with the message and the hint of the run.
fn refusals() -> [(Value, &'static str, &'static str); 7] {
    let limited = json!({ "status": 403, "headers": { "Retry-After": "600" },
        "body": { "message": "You have exceeded a secondary rate limit." } });
    let too_many = json!({ "status": 429, "headers": { "Retry-After": "600" },
        "body": { "message": "Too many requests" } });
    let invalid = json!({ "status": 422, "body": { "message": "Validation Failed",
        "errors": [{ "resource": "Issue", "field": "title", "code": "invalid" }] } });
    [
        (refusal(401, "Bad credentials"), "401: Bad credentials", "`github-token`"),
        (refusal(403, "Resource not accessible by integration"), "403", "`permissions:`"),
        (limited, "secondary rate limit", "run again"),
        (refusal(404, "Not Found"), "404: Not Found", "`issues: read`"),
        (refusal(410, "Issues are disabled for this repo"), "410", "`queue-repository`"),
        (invalid, "Validation Failed: `title` invalid", "set `title`"),
        (too_many, "429: Too many requests", "run again"),
    ]
}

#[test]
fn rejection_ends_the_run_and_the_next_run_recovers() {
    for at in FailingCall::ALL {
        let world = at.world();
        let before = state(&world);
        for (fault, says, hint) in refusals() {
            world.repo.faults(json!([at.for_requests(fault)]));
            assert_failed(&world.day(1, EMPTY), at, says, hint);
            // If the edit after a comment fails, the comment is written again.
            if at != FailingCall::Edit {
                assert_eq!(state(&world), before, "{at:?}: {says}");
            }
        }
        world.repo.faults(json!([]));
        assert_eq!(world.day(1, EMPTY).code, 0);
        assert_complete(
            &world,
            if at == FailingCall::Create { &["alice"] } else { &["alice", "bob"] },
        );
    }
}

/// Temporary failures. Some respond only after the request was carried out.
fn passing() -> [Value; 8] {
    let page = json!({ "max": 1, "body": "<html>A unicorn</html>", "content_type": "text/html" });
    let with = |status: u16, after: bool| {
        let mut fault = page.clone();
        fault["status"] = json!(status);
        fault["after"] = json!(after);
        fault
    };
    [
        json!({ "status": 500, "max": 1 }),
        json!({ "status": 429, "max": 1, "headers": { "Retry-After": "1" } }),
        with(502, false),
        with(502, true),
        with(200, false),
        with(200, true),
        json!({ "reset": true, "max": 1 }),
        json!({ "reset": true, "max": 1, "after": true }),
    ]
}

#[test]
fn retries_temporary_failures_without_duplicate_comments() {
    let world = fresh();
    world.day(0, EMPTY);
    let mut users = vec!["alice".to_owned()];
    for at in [FailingCall::List, FailingCall::Comment, FailingCall::Edit] {
        for fault in passing() {
            let name = format!("user-{}", users.len());
            world.user(&name, 150);
            users.push(name);
            world.repo.faults(json!([at.for_requests(fault.clone())]));
            let run = world.day(1, EMPTY);
            assert_eq!(run.code, 0, "{at:?}, {fault}: {}", run.log);
            // One for each user except the first.
            assert_eq!(world.repo.comments(1).len(), users.len() - 1, "{at:?}, {fault}");
        }
    }
    world.repo.faults(json!([]));
    assert_eq!(world.repo.issues().len(), 1);
    assert_complete(&world, &users.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn retries_temporary_failures_without_duplicate_issues() {
    for fault in passing() {
        let world = fresh();
        world.repo.faults(json!([FailingCall::Create.for_requests(fault.clone())]));
        let run = world.day(0, EMPTY);
        assert_eq!(run.code, 0, "{fault}: {}", run.log);
        assert_eq!((world.repo.issues().len(), run.output("issue-number")), (1, "1"), "{fault}");
        assert_complete(&world, &["alice"]);
    }
}

#[test]
fn html_response_is_not_a_queue() {
    let world = fresh();
    let html =
        json!({ "status": 200, "body": "<html>A unicorn</html>", "content_type": "text/html" });
    world.repo.faults(json!([FailingCall::List.for_requests(html)]));
    let run = world.day(0, EMPTY);
    assert_failed(&run, FailingCall::List, "not JSON", "GITHUB_API_URL");
    assert!(!run.log.contains("unicorn"), "{}", run.log);
    assert_eq!(world.repo.issues(), []);
}

#[test]
fn body_that_github_did_not_store_is_an_error() {
    let world = kept();
    let before = world.queue_issue().body;
    world.repo.faults(json!([FailingCall::Edit.for_requests(json!({ "keep_old_body": true }))]));
    let run = world.day(1, EMPTY);
    assert_failed(&run, FailingCall::Edit, "issue #1 has a different body", "65,536 characters");
    assert_eq!(world.queue_issue().body, before);
    world.repo.faults(json!([]));
    assert_eq!(world.day(1, EMPTY).code, 0);
    assert_complete(&world, &["alice", "bob"]);
}

#[test]
fn assigns_valid_logins_and_names_the_others_once() {
    for mode in ["issue", "issue-per-user"] {
        let world = fresh();
        world.user("bob", 150);
        let assignees = "@octocat, left-the-company, no.login, OctoCat, mallory, secteam";
        let inputs = [("publish", mode), ("assignees", assignees)];
        let run = world.day_with(0, &inputs);
        assert_eq!((run.code, run.output("result")), (0, "stale"), "{}", run.log);
        let issues = world.queue();
        assert_eq!(issues.len(), if mode == "issue" { 1 } else { 3 });
        for issue in issues {
            assert_eq!(issue.assignees, ["octocat", "secteam"], "{}", issue.title);
        }
        let warnings: Vec<_> =
            run.log.lines().filter(|line| line.starts_with("warning: not assigned")).collect();
        assert_eq!(warnings.len(), 1, "{}", run.log);
        assert!(warnings[0].ends_with(": left-the-company, mallory, no.login"), "{}", warnings[0]);
        assert_eq!(world.day_with(1, &inputs).acts(), [""; 0]);
    }
}

#[test]
fn creates_the_issue_if_assignees_cannot_be_checked() {
    let world = fresh();
    world.repo.faults(json!([{ "status": 403, "path": "/assignees/" }]));
    let run = world.day_with(0, &[("assignees", "octocat, left-the-company")]);
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(world.queue_issue().assignees, [""; 0]);
    let warning = "warning: no one was assigned. Requested: octocat, left-the-company. GitHub: ";
    assert!(run.log.contains(warning), "{}", run.log);
}

#[test]
fn names_assignees_that_github_drops_silently() {
    let world = fresh();
    // If the token cannot assign, GitHub drops the assignees and creates the issue.
    world.repo.drop_assignees();
    let run = world.day_with(0, &[("assignees", "octocat")]);
    assert_eq!((run.code, world.queue_issue().assignees), (0, vec![]), "{}", run.log);
    assert!(run.log.contains("warning: not assigned") && run.log.contains(": octocat"));
}

#[test]
fn issue_by_a_deleted_account_hides_no_other_issue() {
    let world = fresh();
    let person = world.repo.as_person();
    person.create_label("iam-stocktake");
    person.create_issue("Another's", "A body.", &["iam-stocktake"]);
    world.repo.faults(json!([{ "null_user": [1], "path": "/issues$" }]));
    let acts = ["POST issues", "PATCH issues/2", "PATCH labels/iam-stocktake"];
    assert_eq!(world.day(0, EMPTY).acts(), acts);
    assert_eq!(world.day(1, EMPTY).acts(), [""; 0]);
    assert_eq!(world.day(1, EMPTY).output("issue-number"), "2");
}

#[test]
fn pull_requests_in_the_issue_list_are_ignored() {
    let world = fresh();
    world.repo.branch("feature", "main");
    world.repo.commit("feature", "a.txt", "a");
    let pull = world.repo.pull("A change", "feature", "main");
    let person = world.repo.as_person();
    person.create_label("iam-stocktake");
    person.add_label(pull.number, "iam-stocktake");
    let acts = ["POST issues", "PATCH issues/2", "PATCH labels/iam-stocktake"];
    assert_eq!(world.day(0, EMPTY).acts(), acts);
    assert_eq!(world.day(1, EMPTY).acts(), [""; 0]);
}

#[test]
fn not_found_responses_are_not_logged_as_failures() {
    let world = fresh();
    world.audit("audit.json", 0);
    let assignees = ["--assignees", "octocat,left-the-company"];
    let arguments = [&["audit.json", "--publish", "issue", "--verbose"], &assignees[..]].concat();
    // Without GraphQL, the REST API is used.
    world.repo.faults(json!([{ "status": 404, "path": "^/graphql$" }]));
    let run = world.publish(0, &arguments);
    assert_eq!(run.code, 0, "{}", run.log);
    // The label, the assignee, and the account of the job's token, which it cannot read.
    let paths = [("/labels/", 404), ("/assignees/left", 404), ("/graphql", 404), ("/user", 403)];
    for (path, status) in paths {
        let logged =
            |line: &&str| line.contains(path) && line.contains(&format!("status={status}"));
        let line = run.log.lines().find(logged).unwrap_or_else(|| panic!("{path}: {}", run.log));
        assert!(line.contains("answered"), "{line}");
    }
}

#[test]
fn missing_permission_of_the_token_is_named() {
    let world = fresh();
    world.repo.permissions(json!({ "issues": "read" }));
    let run = world.day(0, EMPTY);
    assert_failed(&run, FailingCall::Create, "403", "`issues: write`");
    world.repo.permissions(json!({ "issues": "none" }));
    assert_failed(&world.day(0, EMPTY), FailingCall::List, "403", "`issues: read`");
    world.repo.permissions(json!({ "issues": "write" }));
    world.repo.turn_issues_off();
    assert_failed(&world.day(0, EMPTY), FailingCall::List, "410", "enable them in its settings");
}
