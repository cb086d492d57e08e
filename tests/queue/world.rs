//! An account, a repository and a clock: a run of the action in them.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::aws::{Account, Seed, StandIn};
use super::github::{Exchange, GitHub, Issue, Pull, Repo};
use super::sandbox::{Ran, Sandbox};

/// An allowlist without exemptions.
pub(crate) const EMPTY: &str = "version: 1\n";

/// Where the allowlist is.
pub(crate) const ALLOWLIST: &str = ".github/iam-allowlist.yml";

/// The inputs of a run that asks for no ornaments.
pub(crate) const QUICK: [(&str, &str); 2] = [("last-accessed", "none"), ("owners", "none")];

pub(crate) struct World {
    pub(crate) account: Account,
    pub(crate) repo: Repo,
    pub(crate) sandbox: Sandbox,
    start: DateTime<Utc>,
}

/// What a run of the action came to.
pub(crate) struct Run {
    pub(crate) code: i32,
    /// Everything that the runner read.
    pub(crate) log: String,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) summary: String,
    /// The requests that changed something.
    pub(crate) writes: Vec<Exchange>,
    /// All requests.
    pub(crate) requests: Vec<Exchange>,
}

/// How the action is run.
pub(crate) struct How<'a> {
    /// The command and its arguments.
    pub(crate) command: &'a [&'a str],
    /// Days since the world began.
    pub(crate) day: i64,
    pub(crate) event: &'a str,
    pub(crate) pull: Option<&'a Pull>,
    pub(crate) allowlist: &'a str,
    pub(crate) inputs: &'a [(&'a str, &'a str)],
    /// Variables set or, where empty, taken away.
    pub(crate) environment: &'a [(&'a str, &'a str)],
}

impl Default for How<'_> {
    fn default() -> Self {
        Self {
            command: &["action"],
            day: 0,
            event: "schedule",
            pull: None,
            allowlist: EMPTY,
            inputs: &QUICK,
            environment: &[],
        }
    }
}

impl World {
    /// A private repository and an account without users.
    pub(crate) fn new() -> Self {
        Self::in_repository("private")
    }

    pub(crate) fn in_repository(visibility: &str) -> Self {
        Self {
            account: StandIn::shared().account(Seed::empty()),
            repo: GitHub::shared().repository(visibility),
            sandbox: Sandbox::new(),
            start: Utc::now(),
        }
    }

    /// The moment so many days after the beginning.
    pub(crate) fn moment(&self, day: i64) -> String {
        (self.start + TimeDelta::days(day)).to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// The date of that moment.
    pub(crate) fn date(&self, day: i64) -> String {
        self.moment(day)[..10].to_owned()
    }

    /// A user with a key that was last used so many days before the beginning.
    pub(crate) fn user(&self, name: &str, unused: i64) {
        self.account.change(serde_json::json!([{"create_user": {
            "name": name, "created": 700, "keys": [{"created": 600, "last_used": unused}],
        }}]));
    }

    /// Runs the action's entry point as the runner would.
    pub(crate) fn run(&self, how: How<'_>) -> Run {
        // IAM makes a report on that day.
        self.account.make_report(1.0 - 24.0 * how.day as f64);
        self.sandbox.file(ALLOWLIST, how.allowlist);
        let folder = tempfile::tempdir().unwrap();
        let job = self.repo.job(folder.path(), how.event, how.pull);
        let file = |name: &str| {
            job.iter().find(|(variable, _)| variable == name).map(|(_, path)| path.clone()).unwrap()
        };
        let mut command = self.sandbox.command(how.command);
        command.args(["--now", &self.moment(how.day)]);
        command.envs(job.iter().cloned()).envs(self.account.oidc_environment());
        command.env("INPUT_ROLE-TO-ASSUME", self.account.role_arn());
        command.env("GITHUB_WORKSPACE", self.sandbox.path("."));
        for (name, value) in how.inputs {
            command.env(format!("INPUT_{}", name.to_uppercase()), value);
        }
        for (name, value) in how.environment {
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        self.repo.reset_log();
        let Ran { code, stdout, stderr } = Ran::from(command.output().unwrap());
        assert_eq!(self.repo.violations(), [""; 0], "GitHub's contract is kept");
        let read = |path: String| std::fs::read_to_string(path).unwrap();
        Run {
            code,
            log: stdout + &stderr,
            outputs: outputs(&read(file("GITHUB_OUTPUT"))),
            summary: read(file("GITHUB_STEP_SUMMARY")),
            writes: self.repo.writes(),
            requests: self.repo.log(),
        }
    }

    /// A pull request from an allowlist to another; the base has none where it is empty.
    pub(crate) fn pull(&self, base: &str, head: &str) -> Pull {
        self.pull_from("head", base, head)
    }

    /// The same, from a branch of this name.
    pub(crate) fn pull_from(&self, branch: &str, base: &str, head: &str) -> Pull {
        if !base.is_empty() {
            self.repo.commit("main", ALLOWLIST, base);
        }
        self.repo.branch(branch, "main");
        self.repo.commit(branch, ALLOWLIST, head);
        self.repo.commit(branch, "main.tf", "# another user\n");
        self.repo.pull("Change users", branch, "main")
    }

    /// Runs the check of a pull request, on a day.
    pub(crate) fn check(&self, pull: &Pull, allowlist: &str, day: i64) -> Run {
        self.run(How { event: "pull_request", pull: Some(pull), allowlist, day, ..How::default() })
    }

    /// A scheduled run on a day.
    pub(crate) fn day(&self, day: i64, allowlist: &str) -> Run {
        self.run(How { day, allowlist, ..How::default() })
    }

    /// The issues that are a queue's or a user's.
    pub(crate) fn queue(&self) -> Vec<Issue> {
        let labelled = |issue: &Issue| issue.labels.iter().any(|label| label == "iam-stocktake");
        self.repo.issues().into_iter().filter(labelled).collect()
    }

    /// The index, of which there must be one.
    pub(crate) fn index(&self) -> Issue {
        let mut issues = self.queue();
        issues.retain(|issue| issue.body.starts_with("<!-- iam-stocktake:queue "));
        assert_eq!(issues.len(), 1, "one index");
        issues.remove(0)
    }
}

impl Run {
    /// The requests that changed something, each as `PATCH issues/1`.
    pub(crate) fn acts(&self) -> Vec<String> {
        let act = |it: &Exchange| {
            let path = it.path.splitn(5, '/').nth(4).unwrap_or_default();
            format!("{} {path}", it.method)
        };
        self.writes.iter().map(act).collect()
    }

    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }
}

/// The outputs of a file that the runner reads.
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

/// What people see of a body.
pub(crate) fn visible(body: &str) -> &str {
    body.split("<!-- iam-stocktake:memory").next().unwrap().trim_end()
}
