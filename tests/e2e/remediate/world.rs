//! The test environment: an account with a simulated clock, a sandbox with an allowlist and a
//! journal, and runs of `remediate`.

use std::process::Stdio;

use chrono::{DateTime, SecondsFormat, SubsecRound as _, TimeDelta, Utc};
use serde_json::{Value, json};

use stand_ins::aws::{Account, Seed, StandIn};
use stand_ins::sandbox::{Ran, Sandbox};

/// The allowlist of most tests: deactivation 14 days after the notice, deletion 30 days later, all
/// rules.
pub(crate) const ALLOWLIST: &str = "version: 1\nremediation:\n  delete_after_days: 30\n  \
                                    max_share: 100\n  max_gap_days: 60\n  \
                                    rules: [stale-password, stale-access-key, \
                                    old-service-credential, inactive-access-key, \
                                    user-without-credentials]\n";

/// An account, and the sandbox of its runs.
pub(crate) struct World {
    pub(crate) account: Account,
    pub(crate) sandbox: Sandbox,
    started: DateTime<Utc>,
}

/// A run of `remediate`.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The saved plan, or null if there is none.
    pub(crate) plan: Value,
}

impl World {
    /// An account with these users on day 0, and this allowlist.
    pub(crate) fn new(allowlist: &str, users: Value) -> Self {
        let account = StandIn::shared().account(Seed::empty());
        let world = Self { account, sandbox: Sandbox::new(), started: Utc::now().trunc_subsecs(0) };
        world.allow(allowlist);
        world.set_day(0.0);
        let users = users.as_array().unwrap().iter();
        let create: Vec<_> = users.map(|user| json!({"create_user": user})).collect();
        world.account.change(json!(create));
        world
    }

    pub(crate) fn allow(&self, allowlist: &str) {
        self.sandbox.file("allow.yml", allowlist);
    }

    /// The time of a day.
    pub(crate) fn at(&self, day: f64) -> DateTime<Utc> {
        self.started + TimeDelta::seconds((day * 86_400.0) as i64)
    }

    /// The time of a day in the format of IAM and of remediation tags.
    pub(crate) fn written(&self, day: f64) -> String {
        self.at(day).to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// Sets the clock of the account, and makes IAM generate a new credential report.
    pub(crate) fn set_day(&self, day: f64) {
        self.account.stop_clock(&self.written(day));
        self.account.expire_report();
    }

    /// The command line of a run on the given day.
    pub(crate) fn command(&self, day: f64, arguments: &[&str]) -> std::process::Command {
        self.set_day(day);
        let now = self.written(day);
        let fixed = ["remediate", "--now", &now, "--quiet"];
        let of_plan = ["--allowlist", "allow.yml"];
        let mut command = self.sandbox.command(&[&fixed, &of_plan[..], arguments].concat());
        command.env("HOME", self.sandbox.path("home")).envs(self.account.environment());
        command
    }

    /// Runs `remediate` on the given day with more arguments.
    pub(crate) fn run(&self, day: f64, arguments: &[&str]) -> Run {
        let Ran { code, stdout, stderr, .. } =
            Ran::from(self.command(day, arguments).output().unwrap());
        let plan = std::fs::read_to_string(self.sandbox.path("plan.json"));
        let plan = plan.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
        Run { code, stdout, stderr, plan }
    }

    /// Starts a run on the given day with more arguments, and waits until the stand-in holds a
    /// call.
    pub(crate) fn run_until_held(&self, day: f64, arguments: &[&str]) -> std::process::Child {
        let mut command = self.command(day, arguments);
        let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut run = run.unwrap();
        while !self.account.held() {
            if run.try_wait().unwrap().is_some() {
                let Ran { code, stdout, stderr } = Ran::from(run.wait_with_output().unwrap());
                panic!("the run ended before the call came, with {code}: {stdout}{stderr}");
            }
            std::thread::yield_now();
        }
        run
    }

    /// Applies a plan, and calls `change` just before the first call of an action. Returns the
    /// exit code and the output.
    pub(crate) fn interrupted(
        &self,
        day: f64,
        action: &str,
        change: impl FnOnce(),
    ) -> (i32, String) {
        self.account.faults(json!({"hold": {"action": action, "nth": 1, "when": "before"}}));
        let run = self.run_until_held(day, &["--apply"]);
        change();
        self.account.faults(json!({}));
        let Ran { code, stdout, stderr } = Ran::from(run.wait_with_output().unwrap());
        (code, stdout + &stderr)
    }

    /// Creates a plan, and saves it as `plan.json`.
    pub(crate) fn plan(&self, day: f64) -> Run {
        self.run(day, &["--output", "plan.json", "--format", "table"])
    }

    /// Applies a plan on the given day. The run must succeed.
    pub(crate) fn apply(&self, day: f64) -> Run {
        let run = self.run(day, &["--apply"]);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        run
    }

    pub(crate) fn user(&self, name: &str) -> Value {
        self.account.user(name)
    }

    /// The statuses of the access keys of a user.
    pub(crate) fn key_statuses(&self, name: &str) -> Vec<String> {
        let user = self.user(name);
        let keys = user["keys"].as_array().unwrap().iter();
        keys.map(|key| key["status"].as_str().unwrap().to_owned()).collect()
    }

    /// The remediation tags of a user, for example `access-key:… notified since=…`.
    pub(crate) fn tags(&self, name: &str) -> Vec<String> {
        let user = self.user(name);
        let tags = user["tags"].as_object().unwrap().iter();
        let ours = tags.filter_map(|(key, value)| {
            let name = key.strip_prefix("iam-stocktake:")?;
            Some(format!("{name} {}", value.as_str().unwrap()))
        });
        ours.collect()
    }

    /// The calls that write since the last reset of the log, for example `iam:UpdateAccessKey`.
    pub(crate) fn writes(&self) -> Vec<String> {
        let writes = ["Update", "Delete", "Tag", "Untag", "Deactivate", "Detach", "Remove", "Put"];
        let log = self.account.log().into_iter();
        let wrote = log.filter(|call| writes.iter().any(|it| call.action.starts_with(it)));
        wrote.map(|call| call.name()).collect()
    }

    /// The lines of the journal.
    pub(crate) fn journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.sandbox.path("iam-stocktake-journal.jsonl"));
        let text = text.unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A journal line with its checksum as the last member.
pub(crate) fn with_checksum(line: &Value) -> String {
    use sha2::Digest as _;
    let body = line.to_string();
    let body = body.trim_end_matches('}');
    let digest = sha2::Sha256::digest(body);
    let sum: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{body},\"checksum\":\"{sum}\"}}")
}
