//! Hostile text from AWS, the allowlist, and audits creates no mentions, links, or markup in issues,
//! comments, and the summary, and no workflow commands in the log.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use stand_ins::gfm::exposed;
use stand_ins::workflow_commands::{Read, Stops, read};
use stand_ins::world::{ALLOWLIST, EMPTY, QUICK, Run, RunOptions, World};

/// Texts that mean something to GitHub, to Markdown, to HTML or to the runner.
const HOSTILE: [&str; 19] = [
    "@octocat",
    "@acme/everybody",
    "#77",
    "]]>",
    "`a` `",
    "a | b | c",
    "::set-output name=x::y",
    " ::error::x",
    "##[add-mask]x",
    "a ##[error]x",
    "a --> b",
    "<!-- a",
    "<!-- f:0123456789abcdef -->",
    "<!-- iam-stocktake:queue v1 name=other -->",
    "</details><img src=x onerror=alert(1)>",
    "- [x] done <!-- f:0123456789abcdef -->",
    "[a](https://github.com/octocat) www.github.com",
    "\u{202e}\u{200b}a",
    "a\\|b ~~c~~ **d**",
];

/// Texts that only YAML and JSON can hold.
const OF_CONTROLS: [&str; 4] =
    ["\u{1b}[31mred\u{1b}[0m", "a\n::error::x", "a\r\n\r\n- [x] b", "a\u{8}\u{85}\u{2028}b"];

/// Holds a document of ours against what GitHub would make of it.
fn assert_inert(world: &World, what: &str, document: &str) {
    let found = exposed(document);
    for (place, text) in [("text", &found.text), ("html", &found.html.replace("&#", "&"))] {
        for foreign in ["@", "#77", "octocat/", "github.com", "\u{202e}", "\u{1b}"] {
            assert!(!text.contains(foreign), "{what}: {foreign} in its {place}: {text}");
        }
    }
    let ours = ["/code", "/details", "/summary", "br", "code", "details", "summary"];
    let tags = found.tags();
    assert!(tags.is_subset(&BTreeSet::from(ours)), "{what}: {tags:?}");
    for comment in found.comments() {
        let key = comment.strip_prefix("f:").or_else(|| comment.strip_prefix("u:"));
        let is_row = key.is_some_and(|key| key.len() == 16);
        assert!(is_row || comment.starts_with("iam-stocktake:"), "{what}: <!-- {comment} -->");
        assert!(comment != "f:0123456789abcdef" && !comment.contains("name=other"), "{what}");
    }
    let pages = [world.repo.api_url(), "https://console.aws.amazon.com/iam/".to_owned()];
    for link in &found.links {
        let is_ours = link.starts_with('#') || pages.iter().any(|page| link.starts_with(page));
        assert!(is_ours, "{what}: {link}");
    }
    for (cells, columns) in found.rows {
        assert_eq!(cells, columns, "{what}");
    }
}

/// Holds everything that a run wrote for people against what GitHub would make of it.
fn assert_all_inert(world: &World, run: &Run) {
    assert_inert(world, "the summary", &run.summary);
    for issue in world.repo.issues() {
        assert_inert(world, "an issue", &issue.body);
        for comment in issue.comments {
            assert_inert(world, "a comment", &comment.body);
        }
    }
}

/// The commands of a log that annotate. Before them come masks, the token's first; there are no others.
fn annotations(world: &World, run: &Run) -> Vec<Read> {
    let mut commands = read(&run.log, Stops::Supported);
    assert_eq!(commands, read(&run.log, Stops::Ignored), "{}", run.log);
    let mask = &commands[0];
    assert_eq!((mask.name.as_str(), mask.data.as_str()), ("add-mask", world.repo.token()));
    commands.retain(|it| it.name != "add-mask");
    for command in &commands {
        let name = command.name.as_str();
        assert!(["error", "warning", "notice"].contains(&name), "{command:?}");
        for key in command.properties.keys() {
            assert!(["title", "file", "line", "col"].contains(&key.as_str()), "{command:?}");
        }
        let file = command.properties.get("file").map(String::as_str);
        let is_rest = command.data.contains("more annotations of this level are not shown");
        // Why the run failed is about no file.
        let is_of_run = command.name == "error" && command.properties.is_empty();
        assert!(is_rest || is_of_run || file == Some(ALLOWLIST), "{command:?}");
        for foreign in ["\u{202e}", "\u{1b}", "##[", "\r"] {
            assert!(!command.data.contains(foreign), "{command:?}");
        }
    }
    assert!(!run.log.contains('\u{1b}') && !run.log.contains('\u{202e}'), "{}", run.log);
    commands
}

/// An account whose users have hostile paths and owners, under a hostile alias.
fn hostile_world() -> World {
    let world = World::new();
    let user = |(n, text): (usize, &&str)| {
        let path: String = text.chars().filter(char::is_ascii_graphic).collect();
        json!({ "create_user": {
            "name": format!("@user+{n}"), "path": format!("/{path}/"), "created": 700,
            "tags": { "owner": text }, "keys": [{ "created": 600, "last_used": 100 + n }],
        }})
    };
    let mut changes: Vec<Value> = HOSTILE.iter().enumerate().map(user).collect();
    changes.push(json!({ "alias": { "name": "@octocat`-->|" } }));
    world.account.change(Value::from(changes));
    world
}

/// An allowlist with hostile reasons and owners. One exemption matches the first user, the others match
/// no user.
fn hostile_allowlist(world: &World) -> String {
    let (mut text, day) = (format!("{EMPTY}exemptions:\n"), world.date(90));
    for (n, hostile) in HOSTILE.iter().chain(&OF_CONTROLS).enumerate() {
        let user = if n == 0 { "\"@user+0\"".to_owned() } else { format!("nobody-{n}") };
        let quoted = json!(hostile);
        let entry =
            format!("{{ user: {user}, reason: {quoted}, owner: {quoted}, expires: {day} }}\n");
        text.push_str(&format!("  - {entry}"));
    }
    text
}

#[test]
fn text_from_aws_and_the_allowlist_stays_text() {
    for language in ["en", "ja"] {
        let world = hostile_world();
        let allowlist = hostile_allowlist(&world);
        let inputs = [("language", language)];
        let per_user = [inputs[0], ("publish", "issue-per-user")];
        // IAM's refusals repeat the user's ARN, path and all.
        world.account.faults(json!({ "deny": ["iam:GetLoginProfile"] }));

        let run = world.run(RunOptions {
            inputs: &per_user,
            allowlist: &allowlist,
            ..RunOptions::default()
        });
        assert_eq!(run.code, 3, "{}", run.log);
        assert!(run.summary.contains("iam:GetLoginProfile"), "{}", run.summary);
        assert!(world.queue().len() > 10);
        let index = exposed(&world.queue_issue().body);
        assert_eq!(index.boxes, [false; HOSTILE.len() - 1]);
        for hostile in &HOSTILE[1..] {
            let shown = iam_stocktake::templates::escape_invisible(hostile);
            assert!(index.code.iter().any(|code| code.trim() == shown.trim()), "{shown}");
        }
        assert_all_inert(&world, &run);
        let annotations_of_run = annotations(&world, &run);
        let notices = annotations_of_run.iter().filter(|it| it.name == "notice").count();
        assert_eq!((annotations_of_run.len(), notices), (11, 10), "{}", run.log);

        let pull = world.pull(EMPTY, &allowlist);
        world.user("@octocat", 300);
        let options =
            RunOptions { pull: Some(&pull), event: "pull_request", ..RunOptions::default() };
        let run = world.run(RunOptions { inputs: &inputs, allowlist: &allowlist, ..options });
        assert_eq!(run.output("gate"), "failed", "{}", run.log);
        let comment = &world.repo.comments(pull.number)[0].body;
        assert!(comment.contains("`@octocat`") && comment.contains("`@user+0`"), "{comment}");
        assert_inert(&world, "the comment", comment);
        assert_all_inert(&world, &run);
        annotations(&world, &run);
    }
}

#[test]
fn an_invalid_allowlist_runs_no_workflow_commands() {
    let world = World::new();
    let mut broken = format!("{EMPTY}exemptions:\n");
    for hostile in HOSTILE.iter().chain(&OF_CONTROLS) {
        let quoted = json!(hostile);
        broken.push_str(&format!(
            "  - {{ user: {quoted}, reason: x, owner: y, expires: {quoted}, {quoted}: 1 }}\n"
        ));
    }
    let pull = world.pull(EMPTY, &broken);

    let run = world.check(&pull, &broken, 0);

    assert_eq!(run.code, 2, "{}", run.log);
    let annotations = annotations(&world, &run);
    assert_eq!(annotations.len(), 10);
    assert!(annotations.iter().all(|it| it.name == "error"), "{annotations:?}");
}

/// The audit's JSON that a run leaves behind.
const REPORT: &str = "iam-stocktake-report/iam-stocktake.json";

/// An audit with one finding for each text, whose user, owner and alias are that text; as many of
/// them as are asked for.
fn hostile_audit(world: &World, most: usize) -> String {
    world.user("alice", 200);
    let inputs = [QUICK[0], ("publish", "none")];
    assert_eq!(world.run(RunOptions { inputs: &inputs, ..RunOptions::default() }).code, 0);
    let mut audit: Value = serde_json::from_str(&world.sandbox.read(REPORT)).unwrap();
    let finding = audit["findings"][0].take();
    let of = |(n, text): (usize, &&str)| {
        let mut finding = finding.clone();
        (finding["user"], finding["owner"]) = (json!(text), json!(text));
        finding["arn"] = json!(format!("arn:aws:iam::{}:user/{text}", world.account.id()));
        finding["id"] = json!(format!("{n:016x}"));
        finding["credential"]["id"] = json!(text);
        finding
    };
    let texts = HOSTILE.iter().chain(&OF_CONTROLS).take(most).enumerate();
    audit["findings"] = texts.map(of).collect();
    audit["accounts"][0]["alias"] = json!("a\n- [x] `@octocat` -->");
    world.account.change(json!([{ "delete_user": { "user": "alice" } }]));
    audit.to_string()
}

/// Publishes an audit of any origin.
fn publish(world: &World, audit: &str, options: RunOptions<'_>) -> Run {
    world.sandbox.file("audit.json", audit);
    let environment = [("GITHUB_TOKEN", world.repo.token())];
    world.run(RunOptions {
        command: &["publish", "audit.json"],
        environment: &environment,
        ..options
    })
}

#[test]
fn any_name_in_an_audit_stays_text_and_keeps_its_checkbox() {
    let world = World::new();
    let all = HOSTILE.len() + OF_CONTROLS.len();
    let fewer = hostile_audit(&world, all - 1);

    let run = publish(&world, &fewer, RunOptions::default());
    assert_eq!((run.code, run.output("new-count")), (0, (all - 1).to_string().as_str()));
    assert_all_inert(&world, &run);
    assert_eq!(annotations(&world, &run), []);
    assert_eq!(exposed(&world.queue_issue().body).boxes.len(), all - 1);
    // The complete queue state is read again.
    let again = publish(&world, &fewer, RunOptions::default());
    assert_eq!((again.acts(), again.output("new-count")), (vec![], "0"), "{}", again.log);

    // A person ticks one box.
    let (body, number) = (world.queue_issue().body, world.queue_issue().number);
    let ticked = |body: &str| -> Vec<String> {
        let lines = body.lines().filter(|line| line.starts_with("- [x] "));
        lines.map(|line| line[line.len() - 21..line.len() - 4].to_owned()).collect()
    };
    let line = body.lines().filter(|line| line.starts_with("- [ ] ")).nth(5).unwrap();
    let by_hand = body.replace(line, &line.replacen("- [ ] ", "- [x] ", 1));
    world.repo.as_person().edit_body(number, &by_hand);
    let one = ticked(&by_hand);
    let more = publish(&world, &hostile_audit(&world, all), RunOptions::default());
    assert_eq!(more.output("new-count"), "1", "{}", more.log);
    assert_eq!((ticked(&world.queue_issue().body), one.len()), (one, 1));
    assert_all_inert(&world, &more);

    let pull = world.pull(EMPTY, EMPTY);
    let options = RunOptions { event: "pull_request", pull: Some(&pull), ..RunOptions::default() };
    let renamed = hostile_audit(&world, all).replace("\"id\":\"00000", "\"id\":\"fffff");
    let run = publish(&world, &renamed, options);
    // What a pull request publishes of earlier jobs is compared with nothing.
    assert_eq!((run.code, run.output("gate")), (3, "failed"), "{}", run.log);
    let comment = &world.repo.comments(pull.number)[0].body;
    assert!(comment.matches("access key").count() >= all, "{comment}");
    assert_inert(&world, "the comment", comment);
    annotations(&world, &run);
}

#[test]
fn unusual_text_in_an_audit_runs_no_workflow_commands() {
    let world = World::new();
    let audit = hostile_audit(&world, 1);
    for (member, path) in [("rule", "/findings/0/rule"), ("id", "/accounts/0/id"), ("", "/schema")]
    {
        for hostile in HOSTILE.iter().chain(&OF_CONTROLS) {
            let mut odd: Value = serde_json::from_str(&audit).unwrap();
            *odd.pointer_mut(path).unwrap() = json!(hostile);
            let run = publish(&world, &odd.to_string(), RunOptions::default());
            assert_eq!(run.code, 2, "{member} {hostile:?}: {}", run.log);
            assert_eq!(annotations(&world, &run).len(), 1, "{}", run.log);
            assert_inert(&world, "the summary", &run.summary);
            assert_eq!(run.acts(), [""; 0]);
        }
    }
}

#[test]
fn messages_of_github_run_no_workflow_commands_at_any_log_level() {
    let world = World::new();
    let audit = hostile_audit(&world, 2);
    let body = json!({ "message": "a ##[error]x\n::error::y\r::set-output name=x::z" });
    let create =
        |status| json!({ "method": "POST", "path": "/issues$", "status": status, "body": body });
    // After a request to create an issue without a known result: the request that checks the result.
    let look =
        json!({ "method": "GET", "path": "/issues$", "status": 403, "body": body, "skip": 2 });
    for faults in [json!([create(403)]), json!([create(422)]), json!([create(502), look])] {
        world.repo.faults(faults);
        world.sandbox.file("audit.json", &audit);
        let environment = [("GITHUB_TOKEN", world.repo.token())];
        let command = &["publish", "audit.json", "--verbose"];
        let run =
            world.run(RunOptions { command, environment: &environment, ..RunOptions::default() });
        assert!(run.log.contains("error]x"), "{}", run.log);
        assert_eq!(annotations(&world, &run).len(), 1, "{}", run.log);
        assert_inert(&world, "the summary", &run.summary);
    }
}
