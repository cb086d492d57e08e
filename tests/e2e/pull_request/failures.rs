//! Every run that ends with another exit code than 0 leaves one `::error::`, a line in the summary and
//! the outputs `result` and `gate`, whichever command fails and however early. A broken allowlist
//! leaves an `::error::` on each of its lines instead.

use serde_json::json;

use crate::pull_request::exemption;
use stand_ins::gfm::exposed;
use stand_ins::workflow_commands::{Stops, read};
use stand_ins::world::{EMPTY, QUICK, Run, RunOptions, World};

/// Takes the runner's OIDC tokens away.
const WITHOUT_OIDC: [(&str, &str); 2] =
    [("ACTIONS_ID_TOKEN_REQUEST_URL", ""), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")];

/// The messages of level error that the runner shows.
fn errors(run: &Run) -> Vec<String> {
    let commands = read(&run.log, Stops::Supported).into_iter();
    commands.filter(|it| it.name == "error").map(|it| it.data).collect()
}

/// Asserts that the annotation and the summary of a failed run contain these words.
fn assert_reported(what: &str, run: &Run, code: i32, words: &str) {
    assert_eq!(run.code, code, "{what}: {}", run.log);
    let errors = errors(run);
    assert_eq!(errors.len(), 1, "{what}: {errors:?} in {}", run.log);
    assert!(errors[0].contains(words), "{what}: {words}: {errors:?}");
    assert!(run.summary.contains(words), "{what}: {words}: {}", run.summary);
    let result = match code {
        1 => "stale",
        3 => "incomplete",
        _ => "error",
    };
    let found = exposed(&run.summary);
    assert!(!found.text.contains('@') && !found.text.contains("github.com"), "{what}");
    // Commands whose result is their standard output have no outputs.
    if !run.outputs.is_empty() {
        assert_eq!(run.output("result"), result, "{what}: {:?}", run.outputs);
        assert!(!run.output("gate").is_empty(), "{what}: {:?}", run.outputs);
    }
}

#[test]
fn errors_of_aws_and_the_runner_are_reported() {
    let world = World::new();
    world.user("alice", 200);
    let no_role = ("INPUT_ROLE-TO-ASSUME", "");
    let nobody = [no_role, WITHOUT_OIDC[0], WITHOUT_OIDC[1], ("AWS_EC2_METADATA_DISABLED", "true")];
    for (what, environment, faults, code, words) in [
        ("no credentials", &nobody[..], json!({}), 2, "no AWS credentials"),
        ("no OIDC token", &WITHOUT_OIDC[..], json!({}), 2, "OIDC token"),
        ("untrusted", &[], json!({ "oidc": "not-authorized" }), 2, "does not trust this workflow"),
        ("no provider", &[], json!({ "oidc": "no-provider" }), 2, "no OIDC provider"),
        ("bare token", &[], json!({ "oidc_bare": true }), 2, "returned no token"),
        ("denied", &[], json!({ "deny_account": true }), 3, "ncomplete"),
    ] {
        world.account.faults(faults);
        let run = world.run(RunOptions { environment, ..RunOptions::default() });
        assert_reported(what, &run, code, words);
        assert_eq!(run.output("gate"), "not-evaluated", "{what}");
    }
}

#[test]
fn errors_of_github_are_reported() {
    let world = World::new();
    world.user("alice", 200);
    let message = |text: &str| json!({ "message": text });
    let not_accessible = message("Resource not accessible by integration");
    let off = message("Issues has been disabled in this repository.");
    for (what, method, status, body, code, words) in [
        ("not writable", "POST", 403, &not_accessible, 4, "Resource not accessible by integration"),
        ("not readable", "GET", 403, &not_accessible, 3, "Resource not accessible by integration"),
        ("issues off", "POST", 410, &off, 4, "issues are disabled in this repository: enable them"),
        (
            "issues off to read",
            "GET",
            410,
            &off,
            3,
            "issues are disabled in this repository: \
                                                     enable them",
        ),
    ] {
        let path = "/(issues|labels)";
        let fault = json!({ "method": method, "path": path, "status": status, "body": body });
        world.repo.faults(json!([fault]));
        let run = world.day(0, EMPTY);
        assert_reported(what, &run, code, words);
    }
}

#[test]
fn rejected_events_and_environments_are_reported() {
    let world = World::new();
    for (what, event, environment, words) in [
        ("event", "workflow_run", &[][..], "the event `workflow_run` is not supported"),
        ("no pull request", "pull_request", &[], "pull_request"),
        ("no ref", "schedule", &[("GITHUB_REF", "")], "GITHUB_REF is not set"),
        (
            "no event file",
            "schedule",
            &[("GITHUB_EVENT_PATH", "/nowhere/e.json")],
            "/nowhere/e.json",
        ),
        ("odd repository", "push", &[("GITHUB_REPOSITORY", "a b")], "GITHUB_REPOSITORY is `a b`"),
        ("no token", "schedule", &[("INPUT_GITHUB-TOKEN", "")], "without a GitHub token"),
    ] {
        let run = world.run(RunOptions { event, environment, ..RunOptions::default() });
        assert_reported(what, &run, 2, words);
    }
    // The commands too.
    for command in [&["publish", "audit.json"][..], &["remediate", "--allowlist", "none"]] {
        let environment = &[("GITHUB_REF", "")];
        let run = world.run(RunOptions { command, environment, ..RunOptions::default() });
        assert_reported(command[0], &run, 2, "GITHUB_REF is not set");
    }
}

#[test]
fn rejected_inputs_and_arguments_are_reported() {
    let world = World::new();
    let id = "111122223333";
    let twice = format!("{id},arn:aws:iam::{id}:role/a");
    let (unknown, text) = (format!("[\"{id}\"]"), "\u{202e}::error::x");
    for (what, inputs, words) in [
        ("unknown input", &[("acounts", id)][..], "unknown input: `acounts`"),
        ("value", &[("publish", "nowhere")], "the input `publish` is `nowhere`"),
        ("twice", &[("accounts", twice.as_str())], "is listed twice"),
        ("list", &[("accounts", unknown.as_str())], "the input `accounts`"),
        (
            "together",
            &[("command", "remediate"), ("plan", "plan.json")],
            "the input `plan` needs `plan-digest`",
        ),
        ("unused", &[("stage", "notify")], "the input `stage` is not used by `command: check`"),
        ("hostile", &[("publish", text)], r"`\u{202e}::error::x`"),
    ] {
        let run = world.run(RunOptions { inputs, ..RunOptions::default() });
        assert_reported(what, &run, 2, words);
        assert!(!run.log.contains('\u{202e}'), "{}", run.log);
    }
    for (command, words) in [
        (&["audit", "--credential-reprt", "x"][..], "--credential-reprt"),
        (&["audit", "--credential-report", "x", "--accounts", id], "'--accounts"),
        (&["publish"], "AUDIT.json"),
        (&["remediate", "--plan", "p.json"], "'--plan' needs '--apply'"),
        (&["iam-policy", "--format", "trust"], "--format trust needs"),
        (&["nonsense"], "nonsense"),
    ] {
        let run = world.run(RunOptions { command, ..RunOptions::default() });
        assert_reported(command[0], &run, 2, words);
    }
}

#[test]
fn files_that_cannot_be_read_or_written_are_reported() {
    let world = World::new();
    world.user("alice", 200);
    world.sandbox.file("a-file", "").file("broken.md.j2", "{{ nothing.at.all }}");
    let blocked = ("report-dir", "a-file");
    for (what, allowlist, inputs, code, words) in [
        ("no allowlist", "", &[][..], 2, ".github/iam-allowlist.yml does not exist"),
        ("no template", EMPTY, &[("template", "nowhere.md.j2")], 2, "nowhere.md.j2"),
        ("broken template", EMPTY, &[("template", "broken.md.j2")], 2, "broken.md.j2"),
        ("report folder", EMPTY, &[blocked], 4, "a-file"),
        (
            "no audits",
            EMPTY,
            &[("command", "publish"), ("audits", "nowhere.json")],
            2,
            "nowhere.json",
        ),
    ] {
        let run = world.run(RunOptions { allowlist, inputs, ..RunOptions::default() });
        assert_reported(what, &run, code, words);
    }
}

/// Neither can be compared with anything, and what is not compared must not pass.
#[test]
fn a_pull_request_or_merge_group_without_a_base_is_rejected() {
    let world = World::new();
    for (event, words) in [
        ("pull_request", "the event payload has no pull request"),
        ("merge_group", "the event payload has no base commit of the merge group"),
    ] {
        let run = world.run(RunOptions { event, ..RunOptions::default() });
        assert_reported(event, &run, 2, words);
    }
}

#[test]
fn files_of_the_runner_that_cannot_be_written_are_reported() {
    let world = World::new();
    let folder = world.sandbox.path(".");
    let folder = folder.to_str().unwrap();
    let run = world
        .run(RunOptions { environment: &[("GITHUB_OUTPUT", folder)], ..RunOptions::default() });
    assert_eq!((run.code, errors(&run).len()), (4, 1), "{}", run.log);
    let run = world.run(RunOptions {
        environment: &[("GITHUB_STEP_SUMMARY", folder)],
        ..RunOptions::default()
    });
    assert_eq!((run.code, run.output("result")), (4, "error"), "{}", run.log);
    assert!(errors(&run)[0].contains("GITHUB_STEP_SUMMARY"), "{}", run.log);
    // A summary that is full.
    let full = world.sandbox.path("summary.md");
    world.sandbox.file("summary.md", "x".repeat(1_048_576 - 700));
    let environment = [("GITHUB_STEP_SUMMARY", full.to_str().unwrap()), ("GITHUB_REF", "")];
    let run = world.run(RunOptions { environment: &environment, ..RunOptions::default() });
    assert_eq!((run.code, errors(&run).len()), (2, 1), "{}", run.log);
    assert!(world.sandbox.read("summary.md").contains("GITHUB_REF is not set"));
}

#[test]
fn an_invalid_allowlist_is_annotated_on_its_lines_and_once_in_the_summary() {
    let world = World::new();
    let broken = format!("{EMPTY}exemptions:\n{}", exemption("alice", "tomorrow").repeat(2));
    let run = world.day(0, &broken);
    assert_eq!((run.code, errors(&run).len()), (2, 2), "{}", run.log);
    let words = ".github/iam-allowlist.yml has 2 problems, the first at line 3";
    assert!(run.summary.contains(words), "{}", run.summary);
}

#[test]
fn a_failed_gate_and_missing_evidence_are_reported_once() {
    let world = World::new();
    assert_eq!(world.day(0, EMPTY).code, 0);
    world.user("alice", 200);
    let pull = world.pull(EMPTY, EMPTY);
    let run = world.check(&pull, EMPTY, 0);
    assert_eq!((run.code, run.output("gate")), (1, "failed"), "{}", run.log);
    assert_eq!(errors(&run), ["the gate failed: 1 open finding, 1 new, 0 overdue"]);
    assert!(run.summary.contains("blocks the merge"), "{}", run.summary);
    // A comment that cannot be written does not take the place of the reason.
    world.repo.faults(json!([{ "method": "POST", "path": "/comments$", "status": 403 }]));
    let other = world.pull_from("other", EMPTY, EMPTY);
    let run = world.check(&other, EMPTY, 0);
    assert_eq!((run.code, errors(&run).len()), (1, 1), "{}", run.log);
    assert!(errors(&run)[0].starts_with("the gate failed"), "{}", run.log);
}

#[test]
fn the_commands_report_errors_too() {
    let world = World::new();
    world.user("alice", 200);
    world.audit("audit.json", 0);
    let proposed = world.sandbox.read("audit.json");
    let mut proposed: serde_json::Value = serde_json::from_str(&proposed).unwrap();
    proposed["run"] = json!({ "event": "pull_request", "ref": "", "repository": "", "id": "" });
    world.sandbox.file("proposed.json", proposed.to_string()).file("odd.json", "{}");
    world.sandbox.file("broken.yml", "version: 1\nexemptions: 7\n").file("line.jsonl", "x\ny\n");
    std::fs::create_dir(world.sandbox.path("empty")).unwrap();
    let environment = [("GITHUB_TOKEN", world.repo.token())];
    let none = ["--allowlist", "none"];
    for (command, code, words) in [
        (&["publish", "nowhere.json"][..], 2, "nowhere.json"),
        (&["publish", "empty"], 2, "no JSON file"),
        (&["publish", "odd.json"], 2, "odd.json"),
        (&["publish", "proposed.json"], 2, "pull_request"),
        (&["remediate"], 2, "iam-allowlist.yml"),
        (&["remediate", "--allowlist", "broken.yml"], 2, "broken.yml is invalid"),
        (&["remediate", "--undo", "--journal", "line.jsonl"], 2, "line.jsonl"),
        (&["remediate", none[0], none[1], "--journal", "line.jsonl"], 2, "line.jsonl"),
        (&["audit", "--credential-report", "nowhere.csv", none[0], none[1]], 2, "nowhere.csv"),
        (&["allowlist", "check", "broken.yml"], 2, "broken.yml"),
        (&["allowlist", "suggest", "odd.json"], 2, "odd.json"),
        (&["iam-policy", "--allowlist", "broken.yml"], 2, "broken.yml is invalid"),
    ] {
        let options = RunOptions {
            command,
            event: "push",
            environment: &environment,
            ..RunOptions::default()
        };
        let run = world.run(RunOptions { allowlist: "", ..options });
        assert_reported(&command.join(" "), &run, code, words);
    }
    world.repo.faults(json!([{ "method": "POST", "status": 403 }]));
    let command = &["publish", "audit.json"];
    let run = world.run(RunOptions { command, environment: &environment, ..RunOptions::default() });
    assert_reported("publish", &run, 4, "HTTP status 403");
}

/// The binary is gone once it has begun, so that it cannot start itself again without the empty
/// variables.
#[cfg(target_os = "linux")]
#[test]
fn a_program_that_cannot_restart_itself_reports_why() {
    use std::os::fd::AsRawFd as _;
    use std::process::Command;

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Another process makes the copy: a file that this process had open for writing could still be
    // open in a child that another test has just forked, and then cannot be started ("text file busy").
    let copied = Command::new("cp")
        .args([env!("CARGO_BIN_EXE_iam-stocktake").as_ref(), path("program").as_os_str()])
        .status();
    assert!(copied.unwrap().success());
    let program = std::fs::File::open(path("program")).unwrap();
    std::fs::remove_file(path("program")).unwrap();
    let ran = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()))
        .arg("action")
        .current_dir(folder.path())
        .env_clear()
        .env("AWS_PROFILE", "")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", path("output"))
        .env("GITHUB_STEP_SUMMARY", path("summary.md"))
        .output()
        .unwrap();
    let log = [ran.stdout, ran.stderr].map(|it| String::from_utf8(it).unwrap()).concat();
    assert_eq!(ran.status.code(), Some(2), "{log}");
    let commands = read(&log, Stops::Supported).into_iter();
    let errors: Vec<_> = commands.filter(|it| it.name == "error").map(|it| it.data).collect();
    let summary = std::fs::read_to_string(path("summary.md")).unwrap_or_default();
    let outputs = std::fs::read_to_string(path("output")).unwrap_or_default();
    assert_eq!(errors.len(), 1, "{log}");
    for told in [&errors[0], &summary] {
        assert!(told.contains("these variables are set but empty"), "{told}");
    }
    for output in ["result", "gate"] {
        assert!(outputs.contains(&format!("{output}<<")), "{outputs}");
    }
}

#[test]
fn an_audit_in_a_job_reports_its_outcome_and_prints_only_the_result() {
    let world = World::new();
    world.user("alice", 200);
    let variables = world.account.environment();
    let variables: Vec<_> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let quick = ["--last-accessed", "false", "--allowlist", "none"];
    let error = json!({ "error": { "actions": ["GetCallerIdentity"], "code": "AccessDenied", "status": 403 } });
    for (faults, more, code, words) in [
        (json!({}), &["--output", "a.json"][..], 1, "the gate failed: 1 finding is open"),
        (json!({ "deny": ["ListUsers"] }), &["--output", "a.json"], 3, "incomplete"),
        (error, &[], 2, "GetCallerIdentity"),
        (json!({}), &["--output", "no/where/a.json"], 4, "no/where/a.json"),
    ] {
        world.account.faults(faults);
        let command = [&["audit"], &quick[..], more].concat();
        let options =
            RunOptions { command: &command, environment: &variables, ..RunOptions::default() };
        let run = world.run(options);
        assert_reported(&format!("{more:?}"), &run, code, words);
        assert!(run.outputs.is_empty(), "{:?}", run.outputs);
    }
}

#[test]
fn a_successful_run_reports_no_error() {
    let world = World::new();
    world.user("alice", 200);
    let inputs = [QUICK[0]];
    for _ in 0..2 {
        let run = world.run(RunOptions { inputs: &inputs, ..RunOptions::default() });
        assert_eq!((run.code, errors(&run)), (0, vec![]), "{}", run.log);
        assert!(!run.summary.contains("[!CAUTION]"), "{}", run.summary);
    }
}
