//! Remediation in workflow jobs: one job plans, and another job applies that plan.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::world::{ALLOWLIST, World};
use stand_ins::github::{GitHub, Pull, Repo};
use stand_ins::sandbox::Ran;
use stand_ins::workflow_commands::{Stops, read};

/// An account, and the repository whose jobs remediate it.
pub(crate) struct Jobs {
    pub(crate) world: World,
    repo: Repo,
}

/// The result of a job.
pub(crate) struct Job {
    pub(crate) code: i32,
    pub(crate) log: String,
    outputs: BTreeMap<String, String>,
    pub(crate) summary: String,
}

/// The day on which a key with a notice on day 0 is due.
pub(crate) const DUE: f64 = 14.0;

impl Jobs {
    fn new(visibility: &str, users: Value) -> Self {
        let world = World::new(ALLOWLIST, users);
        Self { world, repo: GitHub::shared().repository(visibility) }
    }

    /// A user with a stale key, and a user whose key is in use.
    pub(crate) fn with_a_stale_key(visibility: &str) -> Self {
        Self::new(
            visibility,
            json!([
                {"name": "ci-deploy", "created": 400, "keys": [{"created": 300, "last_used": 200}]},
                {"name": "alice", "created": 400, "keys": [{"created": 300, "last_used": 1}]},
            ]),
        )
    }

    /// The same users, with a notice on day 0.
    fn with_a_key_that_is_due(visibility: &str) -> Self {
        let jobs = Self::with_a_stale_key(visibility);
        jobs.world.apply(0.0);
        std::fs::remove_file(jobs.world.sandbox.path("iam-stocktake-journal.jsonl")).unwrap();
        jobs.world.account.reset_log();
        jobs
    }

    /// Runs the action with these inputs in a job for the event.
    pub(crate) fn action(&self, day: f64, event: &str, inputs: &[(&str, &str)]) -> Job {
        self.of_pull(day, event, None, inputs)
    }

    fn of_pull(&self, day: f64, event: &str, pull: Option<&Pull>, inputs: &[(&str, &str)]) -> Job {
        let now = self.world.written(day);
        let mut command = self.world.sandbox.command(&["action", "--now", &now]);
        command.env("INPUT_ALLOWLIST", "allow.yml");
        command.env("INPUT_ROLE-TO-ASSUME", self.world.account.role_arn());
        command.envs(self.world.account.oidc_environment());
        for (name, value) in inputs {
            command.env(format!("INPUT_{}", name.to_uppercase()), value);
        }
        self.run(day, event, pull, command)
    }

    /// Runs the command `remediate` in a job for the event.
    fn command(&self, day: f64, event: &str, arguments: &[&str]) -> Job {
        let command = self.world.command(day, arguments);
        self.run(day, event, None, command)
    }

    /// Starts the command `remediate` in a job, and kills it at the first call of an action.
    fn killed(&self, day: f64, arguments: &[&str], action: &str) {
        let folder = tempfile::tempdir().unwrap();
        let mut command = self.world.command(day, arguments);
        command.envs(self.repo.job(folder.path(), "push", None));
        command.env("GITHUB_WORKSPACE", self.world.sandbox.path("."));
        let account = &self.world.account;
        account.faults(json!({"hold": {"action": action, "nth": 1, "when": "before"}}));
        let mut run = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        while !account.held() {
            assert!(run.try_wait().unwrap().is_none(), "it ended before the call");
            std::thread::yield_now();
        }
        run.kill().unwrap();
        run.wait().unwrap();
        account.faults(json!({}));
    }

    fn run(
        &self,
        day: f64,
        event: &str,
        pull: Option<&Pull>,
        mut command: std::process::Command,
    ) -> Job {
        self.world.set_day(day);
        let folder = tempfile::tempdir().unwrap();
        command.envs(self.repo.job(folder.path(), event, pull));
        command.env("GITHUB_WORKSPACE", self.world.sandbox.path("."));
        let Ran { code, stdout, stderr } = Ran::from(command.output().unwrap());
        let read = |name: &str| {
            std::fs::read_to_string(folder.path().join("_runner").join(name)).unwrap_or_default()
        };
        assert_eq!(stderr, "", "a job has one log");
        Job { code, log: stdout, outputs: outputs(&read("output")), summary: read("summary.md") }
    }

    /// Plans in a job on the due day, and returns the digest of the plan.
    fn planned(&self) -> String {
        let plan = self.action(DUE, "schedule", &[("command", "remediate"), ("task", "plan")]);
        assert_eq!(plan.code, 0, "{}", plan.log);
        plan.output("plan-digest").to_owned()
    }

    /// Applies the plan with this digest in a job.
    fn apply(&self, digest: &str) -> Job {
        self.action(
            DUE,
            "schedule",
            &[
                ("command", "remediate"),
                ("task", "apply"),
                ("plan", "iam-stocktake-report/iam-stocktake-plan.json"),
                ("plan-digest", digest),
            ],
        )
    }

    pub(crate) fn key_statuses(&self) -> Vec<String> {
        self.world.key_statuses("ci-deploy")
    }
}

impl Job {
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }

    /// The error annotations that the runner shows.
    fn errors(&self) -> Vec<String> {
        let commands = read(&self.log, Stops::Supported).into_iter();
        commands.filter(|it| it.name == "error").map(|it| it.data).collect()
    }

    /// Asserts that the job was refused before any AWS call, with this message.
    fn is_refused(&self, jobs: &Jobs, expected: &str) {
        assert_eq!((self.code, self.output("result")), (2, "error"), "{expected}: {}", self.log);
        assert!(self.log.contains(expected), "{expected}: {}", self.log);
        assert!(self.summary.contains("failed with exit code 2"), "{expected}: {}", self.summary);
        assert_eq!(self.errors().len(), 1, "{expected}: {}", self.log);
        assert!(jobs.world.account.log().is_empty(), "{expected}: AWS was called");
    }
}

/// Parses the output file of a job.
fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line.split_once("<<").unwrap();
        let value: Vec<_> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        let before = outputs.insert(name.to_owned(), value.join("\n"));
        assert_eq!(before, None, "{name} is written once");
    }
    outputs
}

#[test]
fn one_job_plans_and_another_applies_that_plan() {
    let jobs = Jobs::with_a_key_that_is_due("private");

    let plan = jobs.action(DUE, "schedule", &[("command", "remediate"), ("task", "plan")]);
    assert_eq!((plan.code, plan.output("result")), (0, "stale"), "{}", plan.log);
    assert_eq!((plan.output("change-count"), plan.output("gate")), ("1", "not-evaluated"));
    assert_eq!(plan.output("plan"), "iam-stocktake-report/iam-stocktake-plan.json");
    assert_eq!(plan.output("report-markdown"), "iam-stocktake-report/iam-stocktake-plan.md");
    let saved: Value = serde_json::from_str(&jobs.world.sandbox.read(plan.output("plan"))).unwrap();
    assert_eq!(saved["digest"], plan.output("plan-digest"));
    let markdown = jobs.world.sandbox.read(plan.output("report-markdown"));
    assert_eq!(plan.summary, markdown);
    assert!(
        markdown.starts_with("# IAM remediation: 1 deactivation, 0 deletions planned\n"),
        "{markdown}"
    );
    assert!(
        markdown.contains("| `ci-deploy` ([console](") && !markdown.contains("alice"),
        "{markdown}"
    );
    assert!(markdown.contains(plan.output("plan-digest")), "{markdown}");
    assert_eq!(jobs.world.writes(), [""; 0], "a plan changes nothing");
    assert_eq!(plan.output("journal"), "");

    let applied = jobs.apply(plan.output("plan-digest"));
    assert_eq!(applied.code, 0, "{}", applied.log);
    assert_eq!(applied.output("journal"), "iam-stocktake-journal.jsonl");
    assert_eq!(jobs.key_statuses(), ["Inactive"]);
    let summary = &applied.summary;
    assert!(
        summary.starts_with("# IAM remediation: 1 deactivation, 0 deletions made\n"),
        "{summary}"
    );
    let undo = "iam-stocktake remediate --undo --journal iam-stocktake-journal.jsonl --apply";
    assert!(summary.contains(undo), "{summary}");
    assert_eq!(jobs.world.journal().last().unwrap()["event"], "end");

    // Nothing is left to do, so the next plan has no changes.
    let next = jobs.action(DUE + 1.0, "schedule", &[("command", "remediate"), ("task", "plan")]);
    assert_eq!((next.code, next.output("result")), (0, "clean"), "{}", next.log);
    assert_eq!(next.output("change-count"), "0");
}

#[test]
fn notice_does_not_count_as_a_change() {
    let jobs = Jobs::new(
        "private",
        json!([
            {"name": "ci-deploy", "created": 400, "keys": [{"created": 300, "last_used": 200}]},
        ]),
    );
    let plan = jobs.action(0.0, "schedule", &[("command", "remediate"), ("task", "plan")]);
    assert_eq!((plan.output("result"), plan.output("change-count")), ("stale", "0"));
    let applied = jobs.action(
        0.0,
        "schedule",
        &[("command", "remediate"), ("task", "apply"), ("stage", "notify")],
    );
    assert_eq!(applied.code, 0, "{}", applied.log);
    assert_eq!(jobs.world.tags("ci-deploy").len(), 1);
    assert_eq!(jobs.key_statuses(), ["Active"]);
}

#[test]
fn plan_that_was_not_approved_is_refused() {
    let jobs = Jobs::with_a_key_that_is_due("private");
    let digest = jobs.planned();
    jobs.world.account.reset_log();
    let other = "0".repeat(64);
    let refused = jobs.apply(&other);
    refused.is_refused(&jobs, "is not the requested plan: its digest is");
    assert!(refused.log.contains("::error::"), "{}", refused.log);

    // A missing output becomes an empty input. That must not disable the check of the digest.
    jobs.apply("").is_refused(&jobs, "the input `plan` needs `plan-digest`");
    let without_plan =
        [("command", "remediate"), ("task", "apply"), ("plan-digest", digest.as_str())];
    let refused = jobs.action(DUE, "schedule", &without_plan);
    refused.is_refused(&jobs, "the input `plan-digest` needs `plan`");
    assert_eq!(jobs.key_statuses(), ["Active"]);
}

#[test]
fn outdated_plan_fails_the_job_with_an_annotation() {
    let jobs = Jobs::with_a_key_that_is_due("private");
    let digest = jobs.planned();
    let change = json!([{"set_key_status": {"user": "ci-deploy", "key": 1, "status": "Inactive"}}]);
    jobs.world.account.change(change);
    let refused = jobs.apply(&digest);
    assert_eq!((refused.code, refused.output("result")), (4, "error"), "{}", refused.log);
    assert!(refused.log.contains("the plan is outdated: account "), "{}", refused.log);
    assert_eq!(refused.errors().len(), 1, "{}", refused.log);
    assert!(refused.errors()[0].starts_with("the plan is outdated: account "), "{}", refused.log);
    assert!(refused.summary.contains("the plan is outdated: account "), "{}", refused.summary);
    assert_eq!(jobs.world.writes(), [""; 0]);
}

#[test]
fn input_that_remediate_does_not_use_is_refused() {
    let jobs = Jobs::with_a_key_that_is_due("private");
    let inputs = [("command", "remediate"), ("task", "apply"), ("dry-run", "true")];
    let refused = jobs.action(DUE, "schedule", &inputs);
    refused.is_refused(
        &jobs,
        "the input `dry-run` is not used by `command: remediate`, only by `check` and `publish`",
    );
}

#[test]
fn remediation_is_refused_on_pull_requests_and_other_branches() {
    let jobs = Jobs::with_a_key_that_is_due("private");
    jobs.repo.commit("main", "main.tf", "# users\n");
    jobs.repo.branch("topic", "main");
    jobs.repo.commit("topic", "main.tf", "# another user\n");
    let pull = jobs.repo.pull("Change users", "topic", "main");
    for mode in ["plan", "apply"] {
        let inputs = [("command", "remediate"), ("task", mode)];
        for event in ["pull_request", "merge_group", "pull_request_target"] {
            let refused = jobs.of_pull(DUE, event, Some(&pull), &inputs);
            refused
                .is_refused(&jobs, &format!("remediation is not allowed for the event `{event}`"));
        }
        let mut command = jobs.world.sandbox.command(&["action", "remediate", "--task", mode]);
        command.env("GITHUB_REF", "refs/heads/topic");
        let folder = tempfile::tempdir().unwrap();
        let mut job = jobs.repo.job(folder.path(), "push", None);
        job.retain(|(name, _)| name != "GITHUB_REF");
        let ran = Ran::from(command.envs(job).output().unwrap());
        assert_eq!(ran.code, 2, "{}", ran.stdout);
        assert!(ran.stdout.contains("on `refs/heads/topic`"), "{}", ran.stdout);
    }
    assert!(jobs.world.account.log().is_empty(), "AWS was called");
}

#[test]
fn plan_is_refused_in_a_public_repository() {
    let jobs = Jobs::with_a_key_that_is_due("public");
    for event in ["schedule", "push"] {
        let refused = jobs.action(DUE, event, &[("command", "remediate"), ("task", "plan")]);
        refused.is_refused(&jobs, "is not known to be private");
        assert!(!refused.log.contains("ci-deploy"), "{}", refused.log);
    }
    let inputs = [("command", "remediate"), ("task", "plan"), ("allow-public", "true")];
    let plan = jobs.action(DUE, "schedule", &inputs);
    assert_eq!(plan.code, 0, "{}", plan.log);
}

#[test]
fn command_in_a_job_has_the_same_checks() {
    // Without a token, the visibility comes from the event.
    let public = Jobs::with_a_key_that_is_due("public");
    public.command(DUE, "push", &[]).is_refused(&public, "is not known to be private");
    let jobs = Jobs::with_a_key_that_is_due("private");
    jobs.command(DUE, "schedule", &[])
        .is_refused(&jobs, "it cannot be requested without a GitHub token");

    let plan = jobs.command(DUE, "push", &["--output", "plan.json"]);
    assert_eq!((plan.code, plan.output("change-count")), (0, "1"), "{}", plan.log);
    assert!(
        plan.summary.starts_with("# IAM remediation: 1 deactivation, 0 deletions planned\n"),
        "{}",
        plan.summary
    );
    let applied = jobs.command(DUE, "push", &["--apply", "--plan", "plan.json"]);
    assert_eq!(applied.code, 0, "{}", applied.log);
    assert_eq!(applied.output("journal"), "iam-stocktake-journal.jsonl");
    assert_eq!(jobs.key_statuses(), ["Inactive"]);
    let undone = jobs.command(DUE, "push", &["--undo", "--apply"]);
    assert_eq!(undone.code, 0, "{}", undone.log);
    assert!(undone.log.contains("reactivate"), "{}", undone.log);
    assert_eq!(jobs.key_statuses(), ["Active"]);
}

#[test]
fn names_from_iam_cannot_run_workflow_commands() {
    let path = "/##[error]forged/";
    let jobs = Jobs::new(
        "private",
        json!([{
            "name": "ci-deploy", "created": 400, "keys": [{"created": 300, "last_used": 200}],
            "path": path,
        }]),
    );
    let plan = jobs.action(0.0, "schedule", &[("command", "remediate"), ("task", "plan")]);
    assert_eq!(plan.code, 0, "{}", plan.log);
    assert!(plan.log.contains("forged"), "{}", plan.log);
    let commands = read(&plan.log, Stops::Supported);
    let names: Vec<_> = commands.iter().map(|command| command.name.as_str()).collect();
    assert!(names.iter().all(|name| *name == "add-mask"), "{}", plan.log);
    assert!(plan.summary.contains(&format!("`{path}`")), "{}", plan.summary);
}

#[test]
fn plan_for_more_than_half_of_an_account_fails_the_job() {
    let jobs = Jobs::with_a_key_that_is_due("private");
    let users: Vec<_> = (0..8)
        .map(|n| json!({"create_user": {
            "name": format!("old-{n}"), "created": 400, "keys": [{"created": 300, "last_used": 200}],
        }}))
        .collect();
    jobs.world.account.change(json!(users));
    jobs.world.apply(0.0);
    let plan = jobs.action(DUE, "schedule", &[("command", "remediate"), ("task", "plan")]);
    assert_eq!((plan.code, plan.output("result")), (1, "stale"), "{}", plan.log);
    assert!(
        plan.log.contains(
            "::error::nothing was changed: more than half of the users of an account are due"
        ),
        "{}",
        plan.log
    );
    assert!(
        plan.summary.starts_with("# IAM remediation: nothing is changed\n"),
        "{}",
        plan.summary
    );
    let applied = jobs.apply(plan.output("plan-digest"));
    assert_eq!((applied.code, applied.output("result")), (4, "error"), "{}", applied.log);
    assert_eq!(jobs.key_statuses(), ["Active"]);
}

#[test]
fn journal_of_an_interrupted_job_belongs_to_the_workspace_owner() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let jobs = Jobs::with_a_stale_key("private");
    let path = |name: &str| jobs.world.sandbox.path(name);
    // Only root can change the owner. For other users, files belong to the owner of the directory
    // anyway.
    let is_given = chown(path("."), Some(4_711), Some(4_712)).is_ok();
    jobs.killed(0.0, &["--apply"], "TagUser");
    let owner = |name: &str| {
        let metadata = path(name).metadata().unwrap();
        (metadata.uid(), metadata.gid())
    };
    assert_eq!(owner("iam-stocktake-journal.jsonl"), owner("."));
    assert_eq!(is_given, owner(".") == (4_711, 4_712));
}

#[test]
fn job_notes_that_it_uses_a_role_session() {
    let jobs = Jobs::with_a_stale_key("private");
    let job = jobs.command(0.0, "push", &["--apply"]);
    assert_eq!(job.code, 0, "{}", job.log);
    assert!(job.log.contains("this run uses a role session created earlier"), "{}", job.log);
}
