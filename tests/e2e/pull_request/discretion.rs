//! In a public repository, no output of a run contains a user, unless `allow-public` is set.

use serde_json::json;

use crate::pull_request::{allowlist_of, exemption, left_behind};
use stand_ins::world::{ALLOWLIST, EMPTY, FIRST, QUICK, Run, RunOptions, World};

const NAME: &str = "zaphod.beeblebrox";
const PATH: &str = "/betelgeuse/";
const OWNER: &str = "trillian";

/// What identifies the user of [`world`]: the name, the path, the owner, and the end of the key IDs.
struct Traces(Vec<String>);

/// An account with a user of two stale keys and a stale password.
fn world(visibility: &str) -> (World, Traces) {
    let world = World::in_repository(visibility);
    let key = json!({ "created": 600, "last_used": 200 });
    let made = world.account.change(json!([{ "create_user": {
        "name": NAME, "path": PATH, "created": 700, "tags": { "owner": OWNER },
        "password": { "changed": 600, "last_used": 300 }, "keys": [key, key],
    }}]));
    let keys = made[0]["keys"].as_array().unwrap().iter();
    let endings = keys.map(|key| key.as_str().unwrap().chars().skip(16).collect::<String>());
    // Four digits may be a year.
    let endings = endings.filter(|ending| ending.contains(char::is_alphabetic));
    let words = [NAME, PATH.trim_matches('/'), OWNER, ":user/"].map(str::to_owned);
    (world, Traces(words.into_iter().chain(endings).collect()))
}

impl Traces {
    /// Each trace in the output of a run, with its place.
    fn found_in(&self, world: &World, run: &Run) -> Vec<String> {
        let mut found = Vec::new();
        for (place, text) in left_behind(world, run) {
            let lower = text.to_lowercase();
            for trace in &self.0 {
                // The ending of a key is in capitals, as other texts of four letters are not.
                if text.contains(trace) || (trace.len() > 4 && lower.contains(trace)) {
                    found.push(format!("{place} names {trace}: {text}"));
                }
            }
        }
        found
    }
}

/// An allowlist that names the user, and more that are wrong about it.
fn broken(world: &World) -> String {
    let named = exemption(NAME, &world.date(90));
    let far = exemption(NAME, &world.date(4000));
    allowlist_of(&[named, far, format!("  - {{ user: {NAME}, pattern: \"{NAME}*\" }}\n")])
}

#[test]
fn in_public_no_output_of_a_run_contains_a_user() {
    let (world, traces) = world("public");
    let expired =
        allowlist_of(&[exemption(NAME, &world.date(-1)), exemption("nobody", "2020-01-01")]);
    let denied = ["ListAccessKeys", "GetAccessKeyLastUsed", "GetLoginProfile", "ListUserTags"];
    let pull = world.pull(EMPTY, &expired);
    for (event, allowlist, denied, code) in [
        ("schedule", EMPTY, &[][..], 0),
        ("schedule", &expired, &[], 0),
        ("schedule", EMPTY, &denied, 3),
        ("pull_request", EMPTY, &[], 0),
        ("pull_request", &expired, &denied, 3),
        ("merge_group", EMPTY, &[], 0),
    ] {
        for debug in ["0", "1"] {
            world.account.faults(json!({ "deny": denied }));
            let pull = (event != "schedule").then_some(&pull);
            let environment = &[("RUNNER_DEBUG", debug), ("RUST_LOG", "trace")];
            let inputs = &[QUICK[0]];
            let run = world.run(RunOptions {
                event,
                pull,
                allowlist,
                environment,
                inputs,
                ..RunOptions::default()
            });
            assert_eq!(run.code, code, "{event}: {}", run.log);
            assert_eq!(traces.found_in(&world, &run), [""; 0]);
            assert_eq!(run.output("stale-count"), "3", "counts go out: {}", run.log);
            assert!(run.output("report-json").is_empty() && !run.summary.is_empty());
        }
    }
    let body = &world.repo.comments(pull.number)[0].body;
    assert!(
        body.contains("There is no queue yet") && body.contains("3 findings are open"),
        "{body}"
    );
    assert!(body.contains("Some evidence is missing"), "{body}");
    assert_eq!(world.queue(), [], "no queue is kept in public");
}

#[test]
fn in_public_an_invalid_allowlist_is_reported_by_positions() {
    let (world, traces) = world("public");
    let broken = broken(&world);
    let pull = world.pull(EMPTY, &broken);
    for event in ["schedule", "pull_request"] {
        let pull = (event == "pull_request").then_some(&pull);
        let options = RunOptions { event, pull, allowlist: &broken, ..RunOptions::default() };
        let run = world.run(options);
        assert_eq!(run.code, 2, "{}", run.log);
        assert_eq!(traces.found_in(&world, &run), [""; 0]);
        for (code, line) in [("expires-too-far", 4), ("user-and-pattern", 5)] {
            let place = format!("::error title={code},file={ALLOWLIST},line={line},col=");
            assert!(run.log.contains(&place), "{place}: {}", run.log);
            let place = format!("error[{code}]: {ALLOWLIST}:{line}:");
            assert!(run.log.contains(&place), "{place}: {}", run.log);
        }
        assert!(run.log.contains("iam-stocktake allowlist check"), "{}", run.log);
    }
}

#[test]
fn in_public_an_exemption_that_is_too_long_is_listed_without_its_user() {
    let (world, traces) = world("public");
    let entry = exemption(NAME, &world.date(3000));
    let head = format!("version: 1\npolicy: {{ max_exemption_days: 3650 }}\nexemptions:\n{entry}");
    let pull = world.pull(EMPTY, &head);

    let run = world.check(&pull, &head, 0);

    assert_eq!(traces.found_in(&world, &run), [""; 0]);
    let body = &world.repo.comments(pull.number)[0].body;
    let reach = format!("- `exemption`: `{}` → `{}`", world.date(365), world.date(3000));
    assert!(body.contains(&reach), "{body}");
}

#[test]
fn in_public_messages_of_aws_with_a_user_are_hidden() {
    let (world, traces) = world("public");
    // The run has keys of an IAM user, who may not even ask who they are.
    let message = format!("User: arn:aws:iam::111122223333:user{PATH}{NAME} is not authorized");
    world.account.faults(json!({ "error": {
        "actions": ["sts:GetCallerIdentity"], "code": "AccessDenied", "status": 403, "message": message,
    }}));
    let mut environment = world.account.environment();
    environment.push(("INPUT_ROLE-TO-ASSUME".to_owned(), String::new()));
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();

    let run = world.run(RunOptions { environment: &environment, ..RunOptions::default() });

    assert_eq!(run.code, 2, "{}", run.log);
    assert_eq!(traces.found_in(&world, &run), [""; 0]);
    assert!(run.log.contains("error: sts:GetCallerIdentity failed: "), "{}", run.log);
}

#[test]
fn in_public_messages_of_other_programs_are_hidden() {
    for visibility in ["public", "private"] {
        let (world, traces) = world(visibility);
        let says = format!("says {NAME} of {OWNER}");
        let error = |action: &str, code: &str| json!({ "error": { "actions": [action], "code": code, "status": 403, "message": says } });
        let body = json!({ "message": says });
        let github = |path: &str| json!([{ "path": path, "status": 403, "body": body }]);
        let pull = world.pull(EMPTY, EMPTY);
        for (aws, github, pull) in [
            (error("AssumeRoleWithWebIdentity", "AccessDenied"), json!([]), None),
            (error("AssumeRoleWithWebIdentity", "ValidationError"), json!([]), None),
            (json!({}), github("/contents/"), Some(&pull)),
            (json!({}), github("/compare/"), Some(&pull)),
            (json!({}), github("/issues"), Some(&pull)),
            (json!({}), github("^/repos/[^/]+/[^/]+$"), None),
        ] {
            world.account.faults(aws.clone());
            world.repo.faults(github.clone());
            let environment = &[("RUNNER_DEBUG", "1")];
            let event = if pull.is_some() { "pull_request" } else { "schedule" };
            let run = world.run(RunOptions { event, pull, environment, ..RunOptions::default() });
            let what = format!("{visibility}: {aws} {github}");
            assert!(run.code >= 2, "{what}: {}", run.log);
            if visibility == "public" {
                assert_eq!(traces.found_in(&world, &run), [""; 0], "{what}");
                assert!(run.log.contains("details are hidden"), "{what}: {}", run.log);
                assert!(run.summary.contains("details are hidden"), "{what}: {}", run.summary);
            } else if event == "pull_request" {
                assert!(run.log.contains(&says) && run.summary.contains(&says), "{what}");
            }
        }
    }
}

#[test]
fn in_public_an_invalid_audit_is_reported_without_its_content() {
    let (world, traces) = world("public");
    world.sandbox.file("odd.json", format!("{{ \"schema\": \"x\", \"accounts\": \"{NAME}\" }}"));
    let environment = [("GITHUB_TOKEN", world.repo.token())];
    let command = &["publish", "odd.json"];
    let run = world.run(RunOptions { command, environment: &environment, ..RunOptions::default() });
    assert_eq!(run.code, 2, "{}", run.log);
    std::fs::remove_file(world.sandbox.path("odd.json")).unwrap();
    assert_eq!(traces.found_in(&world, &run), [""; 0]);
    assert!(run.summary.contains("hidden"), "{}", run.summary);
}

#[test]
fn an_unknown_visibility_is_treated_as_public() {
    let (world, traces) = world("private");
    let name = world.repo.full_name().to_owned();
    let path = format!("^/repos/{name}$");
    let answer = json!({ "full_name": name, "default_branch": "main" });
    world.repo.faults(json!([{ "status": 200, "method": "GET", "path": path, "body": answer }]));
    let run = world.day(0, EMPTY);
    assert!(run.requests.iter().any(|it| it.path == format!("/repos/{name}")), "it is asked");
    assert_eq!(traces.found_in(&world, &run), [""; 0]);
    assert_eq!(run.acts(), [""; 0]);
    assert!(run.summary.contains("Users and findings are not named"), "{}", run.summary);
    // Without a response, the default branch is unknown.
    world.repo.faults(json!([{ "status": 403, "method": "GET", "path": path }]));
    let run = world.day(0, EMPTY);
    assert_eq!((run.code, run.acts()), (3, vec![]), "{}", run.log);
    assert_eq!(traces.found_in(&world, &run), [""; 0]);
    world.repo.faults(json!([]));
    let told = world.day(0, EMPTY);
    assert_eq!(told.acts(), FIRST, "{}", told.log);
}

#[test]
fn private_and_internal_repositories_show_users() {
    for visibility in ["private", "internal"] {
        let (world, traces) = world(visibility);
        let run = world.run(RunOptions { inputs: &[QUICK[0]], ..RunOptions::default() });
        assert_eq!(run.code, 0, "{visibility}: {}", run.log);
        let found = traces.found_in(&world, &run).join("\n");
        for trace in &traces.0 {
            assert!(found.contains(&format!("names {trace}: ")), "{visibility}: {trace}");
        }
        for place in ["the summary", "a POST", "iam-stocktake.json", "iam-stocktake.md"] {
            assert!(found.contains(&format!("{place} names ")), "{visibility}: {place}");
        }
        assert!(world.queue_issue().body.contains(&format!("`{NAME}`")), "{visibility}");
    }
}

#[test]
fn a_public_repository_with_allow_public_shows_users() {
    let (world, _) = world("public");
    let inputs = &[QUICK[0], ("allow-public", "true")];

    let run = world.run(RunOptions { inputs, ..RunOptions::default() });

    assert_eq!(run.acts(), FIRST, "{}", run.log);
    assert!(world.queue_issue().body.contains(&format!("`{NAME}`")));
    assert!(run.summary.contains(NAME), "{}", run.summary);
}

#[test]
fn a_public_repository_can_have_its_queue_in_a_private_one() {
    let (world, traces) = world("public");
    let elsewhere = World::new();
    let queue = elsewhere.repo.full_name();
    let inputs = [
        QUICK[0],
        ("queue-repository", queue),
        ("github-token", world.repo.personal_token()),
        ("publish", "issue-per-user"),
        ("assign-owners", "true"),
    ];

    let run = world.run(RunOptions { inputs: &inputs, ..RunOptions::default() });

    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(traces.found_in(&world, &run), [""; 0]);
    assert_eq!(world.queue(), []);
    assert!(elsewhere.queue_issue().body.contains(&format!("`{NAME}`")));
    assert_eq!(elsewhere.queue().len(), 2, "the index and the user's");
    assert_eq!(elsewhere.repo.violations(), [""; 0]);
    assert!(run.output("issue-url").contains(queue), "{:?}", run.outputs);

    // Pull requests are compared with that queue, whatever they do.
    let other = format!("{NAME}.2");
    world.user(&other, 150);
    let exempting = allowlist_of(&[NAME, &other].map(|name| exemption(name, &world.date(90))));
    let inputs = [QUICK[0], inputs[1], inputs[2]];
    for (branch, base, head, gate, said) in [
        ("new", EMPTY, EMPTY, "failed", "### 1 new finding blocks the merge"),
        ("exempting", EMPTY, &exempting, "passed", "**This pull request exempts 4 findings.**"),
        ("uncovering", &exempting, EMPTY, "passed", "**This pull request uncovers 4 findings**"),
    ] {
        let pull = world.pull_from(branch, base, head);
        let options =
            RunOptions { event: "pull_request", pull: Some(&pull), ..RunOptions::default() };
        let run = world.run(RunOptions { inputs: &inputs, allowlist: head, ..options });
        assert_eq!(run.output("gate"), gate, "{branch}: {}", run.log);
        assert_eq!(traces.found_in(&world, &run), [""; 0]);
        let body = &world.repo.comments(pull.number)[0].body;
        assert!(body.contains(said), "{body}");
        // No report of a public run says what to do for each user.
        assert!(!body.contains("report of the run"), "{body}");
    }
}

#[test]
fn in_public_an_audit_with_user_names_is_published_as_counts() {
    let (world, traces) = world("public");
    let named = [QUICK[0], ("publish", "none"), ("allow-public", "true")];
    assert_eq!(world.run(RunOptions { inputs: &named, ..RunOptions::default() }).code, 0);
    let audit = world.sandbox.read("iam-stocktake-report/iam-stocktake.json");
    std::fs::remove_dir_all(world.sandbox.path("iam-stocktake-report")).unwrap();
    let elsewhere = World::new();
    elsewhere.sandbox.file("audit.json", audit);
    let file = elsewhere.sandbox.path("audit.json").to_str().unwrap().to_owned();
    let pull = world.pull(EMPTY, EMPTY);
    let environment = [("GITHUB_TOKEN", world.repo.token()), ("RUNNER_DEBUG", "1")];
    // What a pull request publishes of earlier jobs is compared with nothing.
    for (event, pull, code) in [("schedule", None, 0), ("pull_request", Some(&pull), 3)] {
        let command = &["publish", &file, "--verbose"];
        let options =
            RunOptions { command, event, pull, environment: &environment, ..RunOptions::default() };
        let run = world.run(options);
        assert_eq!((run.code, run.output("stale-count")), (code, "3"), "{}", run.log);
        assert_eq!(traces.found_in(&world, &run), [""; 0]);
    }
    assert_eq!(world.repo.comments(pull.number).len(), 1);
}

#[test]
fn a_public_queue_repository_is_not_written() {
    let (world, _) = world("private");
    let elsewhere = World::in_repository("public");
    let queue = elsewhere.repo.full_name();
    let token = ("github-token", world.repo.personal_token());
    let inputs = [QUICK[0], ("queue-repository", queue), token];

    let run = world.run(RunOptions { inputs: &inputs, ..RunOptions::default() });

    assert_eq!(run.code, 0, "{}", run.log);
    let note = format!("note: {queue} is not known to be private, so no queue is written there");
    assert!(run.log.contains(&note), "{}", run.log);
    assert!(run.summary.contains("Nothing was published, because the repository is public."));
    assert_eq!((elsewhere.queue(), world.queue()), (vec![], vec![]));
    assert_eq!(elsewhere.repo.writes().len(), 0);
}
