//! An account, a repository and a clock, in which the action runs.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::aws::{Account, Seed, StandIn};
use crate::gfm::outline;
use crate::github::{Exchange, GitHub, Issue, Pull, Repo};
use crate::sandbox::{Ran, Sandbox};

/// An allowlist without exemptions.
pub const EMPTY: &str = "version: 1\n";

/// The path of the allowlist.
pub const ALLOWLIST: &str = ".github/iam-allowlist.yml";

/// The requests of the first run in a repository: it creates the label, the queue issue and its
/// state, and writes the issue's number into the label's description.
pub const FIRST: [&str; 4] =
    ["POST labels", "POST issues", "PATCH issues/1", "PATCH labels/iam-stocktake"];

/// The inputs of a run without optional data.
pub const QUICK: [(&str, &str); 1] = [("last-accessed", "false")];

pub struct World {
    pub account: Account,
    pub repo: Repo,
    pub sandbox: Sandbox,
    start: DateTime<Utc>,
}

/// The result of a run of the action.
pub struct Run {
    pub code: i32,
    /// The log that the runner read.
    pub log: String,
    pub outputs: BTreeMap<String, String>,
    pub summary: String,
    /// The requests that changed something.
    pub writes: Vec<Exchange>,
    /// All requests.
    pub requests: Vec<Exchange>,
}

/// The parameters of a run.
pub struct RunOptions<'a> {
    /// The command and its arguments.
    pub command: &'a [&'a str],
    /// Days since the start.
    pub day: i64,
    pub event: &'a str,
    pub pull: Option<&'a Pull>,
    /// The allowlist; empty for no file.
    pub allowlist: &'a str,
    pub inputs: &'a [(&'a str, &'a str)],
    /// Variables to set, or to remove if empty.
    pub environment: &'a [(&'a str, &'a str)],
}

impl Default for RunOptions<'_> {
    fn default() -> Self {
        Self {
            command: &["action"],
            day: 0,
            event: "schedule",
            pull: None,
            allowlist: EMPTY,
            inputs: &[],
            environment: &[],
        }
    }
}

impl World {
    /// A private repository and an account without users.
    pub fn new() -> Self {
        Self::in_repository("private")
    }

    pub fn in_repository(visibility: &str) -> Self {
        let sandbox = Sandbox::new();
        // Every checkout has this folder.
        sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
        Self {
            account: StandIn::shared().account(Seed::empty()),
            repo: GitHub::shared().repository(visibility),
            sandbox,
            start: Utc::now(),
        }
    }

    /// The time `day` days after the start.
    pub fn moment(&self, day: i64) -> String {
        (self.start + TimeDelta::days(day)).to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// The date of that time.
    pub fn date(&self, day: i64) -> String {
        self.moment(day)[..10].to_owned()
    }

    /// Adds a user with an access key that was last used some days before the start.
    pub fn user(&self, name: &str, unused: i64) {
        self.account.change(serde_json::json!([{"create_user": {
            "name": name, "created": 700, "keys": [{"created": 600, "last_used": unused}],
        }}]));
    }

    /// Runs the action as the runner does.
    pub fn run(&self, options: RunOptions<'_>) -> Run {
        self.repo.reset_log();
        self.start(options).finish(&self.repo)
    }

    /// Runs the action on a pull request with the existing allowlist.
    pub fn run_with_existing_allowlist(
        &self,
        event: &str,
        pull: &Pull,
        environment: &[(&str, &str)],
    ) -> Run {
        self.repo.reset_log();
        let mut command = self.sandbox.command(&["action"]);
        command.args(["--now", &self.moment(0)]);
        command.env("INPUT_ROLE-TO-ASSUME", self.account.role_arn());
        self.start_in_job(command, event, Some(pull), environment).finish(&self.repo)
    }

    /// Starts a run, so that others can run at the same time.
    pub fn start(&self, options: RunOptions<'_>) -> Started {
        // IAM generates a report on that day.
        self.account.make_report(1.0 - 24.0 * options.day as f64);
        let allowlist = self.sandbox.path(ALLOWLIST);
        if options.allowlist.is_empty() {
            drop(std::fs::remove_file(&allowlist));
        // Another run can be reading it.
        } else if std::fs::read_to_string(allowlist).ok().as_deref() != Some(options.allowlist) {
            self.sandbox.file(ALLOWLIST, options.allowlist);
        }
        let mut command = self.sandbox.command(options.command);
        command.args(["--now", &self.moment(options.day)]);
        command.envs(self.account.oidc_environment());
        let action = options.inputs.iter().find(|(name, _)| *name == "command");
        let action = action.map_or("check", |(_, action)| action);
        if action != "publish" {
            command.env("INPUT_ROLE-TO-ASSUME", self.account.role_arn());
        }
        let quick = if action == "check" { &QUICK[..] } else { &[] };
        for (name, value) in quick.iter().chain(options.inputs) {
            command.env(format!("INPUT_{}", name.to_uppercase()), value);
        }
        self.start_in_job(command, options.event, options.pull, options.environment)
    }

    /// Audits the account on a day with the command line, into a file in the sandbox.
    pub fn audit(&self, name: &str, day: i64) {
        self.account.make_report(1.0 - 24.0 * day as f64);
        let quick = ["--last-accessed", "false", "--allowlist", "none"];
        let now = self.moment(day);
        let rest = ["--now", &now, "--output", name, "--fail-on", "none", "--quiet"];
        let mut command = self.sandbox.command(&[&["audit"], &quick[..], &rest].concat());
        let ran = Ran::from(command.envs(self.account.environment()).output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }

    /// Runs `publish` on a day, in a job that an event started.
    pub fn publish_in_job(&self, event: &str, day: i64, arguments: &[&str]) -> Run {
        self.repo.reset_log();
        let command = self.publish_command(day, arguments);
        self.start_in_job(command, event, None, &[]).finish(&self.repo)
    }

    /// Runs `publish` on a day, outside GitHub Actions.
    pub fn publish(&self, day: i64, arguments: &[&str]) -> Run {
        self.publish_by(self.repo.token(), day, arguments)
    }

    /// Runs `publish` with a token on a day, outside GitHub Actions.
    pub fn publish_by(&self, token: &str, day: i64, arguments: &[&str]) -> Run {
        self.repo.reset_log();
        let mut command = self.publish_command(day, arguments);
        command.env("GITHUB_TOKEN", token);
        command.env("GITHUB_API_URL", self.repo.api_url());
        command.env("GITHUB_REPOSITORY", self.repo.full_name());
        Started::new(command, tempfile::tempdir().unwrap(), None).finish(&self.repo)
    }

    fn publish_command(&self, day: i64, arguments: &[&str]) -> Command {
        let now = self.moment(day);
        let mut command = self.sandbox.command(&[&["publish", "--now", &now], arguments].concat());
        command.env("GITHUB_TOKEN", self.repo.token());
        command
    }

    fn start_in_job(
        &self,
        mut command: Command,
        event: &str,
        pull: Option<&Pull>,
        environment: &[(&str, &str)],
    ) -> Started {
        let folder = tempfile::tempdir().unwrap();
        let job = self.repo.job(folder.path(), event, pull);
        let file = |name: &str| {
            job.iter().find(|(variable, _)| variable == name).map(|(_, path)| path.clone()).unwrap()
        };
        let files = Files { outputs: file("GITHUB_OUTPUT"), summary: file("GITHUB_STEP_SUMMARY") };
        // Variables of the test override those of every job.
        let set =
            |name: &str| command.get_envs().any(|(key, value)| key == name && value.is_some());
        let unset: Vec<_> = job.iter().filter(|(name, _)| !set(name)).cloned().collect();
        command.envs(unset).env("GITHUB_WORKSPACE", self.sandbox.path("."));
        for (name, value) in environment {
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        Started::new(command, folder, Some(files))
    }

    /// A pull request from one allowlist to another. If the first is empty, the base has none.
    pub fn pull(&self, base: &str, head: &str) -> Pull {
        self.pull_from("head", base, head)
    }

    /// The same, from a branch with this name.
    pub fn pull_from(&self, branch: &str, base: &str, head: &str) -> Pull {
        if !base.is_empty() {
            self.repo.commit("main", ALLOWLIST, base);
        }
        self.repo.branch(branch, "main");
        self.repo.commit(branch, ALLOWLIST, head);
        self.repo.commit(branch, "main.tf", "# another user\n");
        self.repo.pull("Change users", branch, "main")
    }

    /// Runs the check of a pull request on a day.
    pub fn check(&self, pull: &Pull, allowlist: &str, day: i64) -> Run {
        self.run(RunOptions {
            event: "pull_request",
            pull: Some(pull),
            allowlist,
            day,
            ..RunOptions::default()
        })
    }

    /// Runs the scheduled workflow on a day.
    pub fn day(&self, day: i64, allowlist: &str) -> Run {
        self.run(RunOptions { day, allowlist, ..RunOptions::default() })
    }

    /// Runs the scheduled workflow on a day, with inputs.
    pub fn day_with(&self, day: i64, inputs: &[(&str, &str)]) -> Run {
        self.run(RunOptions { day, inputs, ..RunOptions::default() })
    }

    /// A text in which values that differ between runs are replaced by names.
    pub fn normalized(&self, text: &str) -> String {
        let mut text = text
            .replace(self.account.id(), "ACCOUNT")
            .replace(&self.repo.api_url(), "GITHUB")
            .replace(self.repo.full_name(), "REPOSITORY");
        for day in -800..100 {
            text = text.replace(&self.date(day), &format!("(day {day})"));
        }
        // These depend on the account: finding ids, user keys, and the ends of ids.
        for (prefix, characters) in [
            ("<!-- f:", 16),
            ("<!-- u:", 16),
            (" user=", 16),
            ("…`", 4),
            ("ends in `", 4),
            ("\"access-key:", 4),
        ] {
            text = masked(&text, prefix, characters);
        }
        text
    }

    /// The queue issues and user issues.
    pub fn queue(&self) -> Vec<Issue> {
        let labelled = |issue: &Issue| issue.labels.iter().any(|label| label == "iam-stocktake");
        self.repo.issues().into_iter().filter(labelled).collect()
    }

    /// The queue issue, which must exist.
    pub fn queue_issue(&self) -> Issue {
        let mut issues = self.queue();
        issues.retain(|issue| issue.body.starts_with("<!-- iam-stocktake:queue "));
        assert_eq!(issues.len(), 1, "one queue issue");
        issues.remove(0)
    }
}

/// The files that the runner reads after a step.
struct Files {
    outputs: String,
    summary: String,
}

/// A run in progress.
pub struct Started {
    child: Child,
    files: Option<Files>,
    _folder: tempfile::TempDir,
}

impl Started {
    fn new(mut command: Command, folder: tempfile::TempDir, files: Option<Files>) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self { child, files, _folder: folder }
    }

    /// Waits until it ends.
    pub fn finish(self, repo: &Repo) -> Run {
        let Ran { code, stdout, stderr } = Ran::from(self.child.wait_with_output().unwrap());
        assert_eq!(repo.violations(), [""; 0], "no violations of GitHub's contract");
        let read = |path: &String| std::fs::read_to_string(path).unwrap_or_default();
        let (files, log) = (self.files, stdout + &stderr);
        let summary = files.as_ref().map(|files| read(&files.summary)).unwrap_or_default();
        outline(&summary);
        Run {
            code,
            log,
            outputs: files.as_ref().map(|files| outputs(&read(&files.outputs))).unwrap_or_default(),
            summary,
            writes: repo.writes(),
            requests: repo.log(),
        }
    }
}

impl Run {
    /// The requests that changed something, such as `PATCH issues/1`.
    pub fn acts(&self) -> Vec<String> {
        let act = |exchange: &Exchange| {
            let path = exchange.path.splitn(5, '/').nth(4).unwrap_or_default();
            format!("{} {path}", exchange.method)
        };
        self.writes.iter().map(act).collect()
    }

    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }
}

/// The outputs in a file that the runner reads.
fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line.split_once("<<").unwrap();
        let value: Vec<_> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        outputs.insert(name.to_owned(), value.join("\n"));
    }
    outputs
}

/// The text without the characters after each of these prefixes.
fn masked(text: &str, prefix: &str, characters: usize) -> String {
    let mut pieces = text.split(prefix);
    let mut masked = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest: String = piece.chars().skip(characters).collect();
        masked.push_str(&format!("{prefix}{}{rest}", "#".repeat(characters)));
    }
    masked
}

/// The visible text of a body.
pub fn visible(body: &str) -> &str {
    body.split("<!-- iam-stocktake:queue-state").next().unwrap().trim_end()
}
