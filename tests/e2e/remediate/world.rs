//! An account whose clock the test sets, a folder with an allowlist and a journal, and runs of
//! `remediate` there.

use std::process::Stdio;

use chrono::{DateTime, SecondsFormat, SubsecRound as _, TimeDelta, Utc};
use serde_json::{Value, json};

use stand_ins::aws::{Account, Seed, StandIn};
use stand_ins::sandbox::{Ran, Sandbox};

/// The allowlist of most tests: a notice for 14 days, deletion 30 days later, by every rule.
pub(crate) const ALLOWLIST: &str = "version: 1\nremediation:\n  delete_after_days: 30\n  \
                                    max_share: 100\n  max_gap_days: 60\n  \
                                    rules: [stale-password, stale-access-key, \
                                    old-service-credential, inactive-access-key, \
                                    user-without-credentials]\n";

/// An account, and the folder in which it is remedied.
pub(crate) struct World {
    pub(crate) account: Account,
    pub(crate) sandbox: Sandbox,
    began: DateTime<Utc>,
}

/// A run of `remediate`.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The plan that was saved; null where none was.
    pub(crate) plan: Value,
}

impl World {
    /// An account with these users on day 0, by an allowlist's text.
    pub(crate) fn new(allowlist: &str, users: Value) -> Self {
        let account = StandIn::shared().account(Seed::empty());
        let world = Self { account, sandbox: Sandbox::new(), began: Utc::now().trunc_subsecs(0) };
        world.allow(allowlist);
        world.set_day(0.0);
        let users = users.as_array().unwrap().iter();
        let create: Vec<_> = users.map(|user| json!({"create_user": user})).collect();
        world.account.change(json!(create));
        world
    }

    /// Replaces the allowlist.
    pub(crate) fn allow(&self, allowlist: &str) {
        self.sandbox.file("allow.yml", allowlist);
    }

    /// The moment of a day.
    pub(crate) fn at(&self, day: f64) -> DateTime<Utc> {
        self.began + TimeDelta::seconds((day * 86_400.0) as i64)
    }

    /// The moment of a day, as IAM and we write it.
    pub(crate) fn written(&self, day: f64) -> String {
        self.at(day).to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// Sets the account's clock to a day, and lets its credential report be made anew.
    pub(crate) fn set_day(&self, day: f64) {
        self.account.stop_clock(&self.written(day));
        self.account.expire_report();
    }

    /// The command that a run on a day is.
    pub(crate) fn command(&self, day: f64, arguments: &[&str]) -> std::process::Command {
        self.set_day(day);
        let now = self.written(day);
        let fixed = ["remediate", "--now", &now, "--quiet"];
        let of_plan = ["--allowlist", "allow.yml"];
        let mut command = self.sandbox.command(&[&fixed, &of_plan[..], arguments].concat());
        command.env("HOME", self.sandbox.path("home")).envs(self.account.environment());
        command
    }

    /// Runs `remediate` on a day, with these arguments more.
    pub(crate) fn run(&self, day: f64, arguments: &[&str]) -> Run {
        let Ran { code, stdout, stderr, .. } =
            Ran::from(self.command(day, arguments).output().unwrap());
        let plan = std::fs::read_to_string(self.sandbox.path("plan.json"));
        let plan = plan.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
        Run { code, stdout, stderr, plan }
    }

    /// Starts a run on a day, with these arguments more, and waits until the stand-in holds the
    /// call that its faults ask for.
    pub(crate) fn held(&self, day: f64, arguments: &[&str]) -> std::process::Child {
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

    /// Carries out on a day, and lets something happen just before the first call of an action;
    /// gives how the run ended, and what it said.
    pub(crate) fn interrupted(
        &self,
        day: f64,
        action: &str,
        happens: impl FnOnce(),
    ) -> (i32, String) {
        self.account.faults(json!({"hold": {"action": action, "nth": 1, "when": "before"}}));
        let run = self.held(day, &["--apply"]);
        happens();
        self.account.faults(json!({}));
        let Ran { code, stdout, stderr } = Ran::from(run.wait_with_output().unwrap());
        (code, stdout + &stderr)
    }

    /// Plans on a day, and saves the plan as `plan.json`.
    pub(crate) fn plan(&self, day: f64) -> Run {
        self.run(day, &["--output", "plan.json", "--format", "table"])
    }

    /// Plans and carries out on a day; it must be done whole.
    pub(crate) fn apply(&self, day: f64) -> Run {
        let run = self.run(day, &["--apply"]);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        run
    }

    /// All that a user has.
    pub(crate) fn user(&self, name: &str) -> Value {
        self.account.user(name)
    }

    /// The statuses of a user's keys.
    pub(crate) fn key_statuses(&self, name: &str) -> Vec<String> {
        let user = self.user(name);
        let keys = user["keys"].as_array().unwrap().iter();
        keys.map(|key| key["status"].as_str().unwrap().to_owned()).collect()
    }

    /// Our tags of a user, each as `access-key:… notified since=…`.
    pub(crate) fn tags(&self, name: &str) -> Vec<String> {
        let user = self.user(name);
        let tags = user["tags"].as_object().unwrap().iter();
        let ours = tags.filter_map(|(key, value)| {
            let name = key.strip_prefix("iam-stocktake:")?;
            Some(format!("{name} {}", value.as_str().unwrap()))
        });
        ours.collect()
    }

    /// The calls since the log was reset that write, each as `iam:UpdateAccessKey`.
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

/// A line of the journal as a run writes it: the object with its checksum as the last member.
pub(crate) fn with_checksum(line: &Value) -> String {
    use sha2::Digest as _;
    let body = line.to_string();
    let body = body.trim_end_matches('}');
    let digest = sha2::Sha256::digest(body);
    let sum: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{body},\"checksum\":\"{sum}\"}}")
}
