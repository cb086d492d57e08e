//! Audits of live accounts: the real binary against the AWS stand-in. The tests check the calls it
//! sends and the results.

mod accounts;
mod answers;
mod assumed_roles;
mod calls;
mod environment;
mod faults;
mod network;
mod permissions;
mod population;
mod re_check;
mod remediation_tags;
mod report_commands;
mod session;
mod sign_in;

use std::collections::BTreeMap;

use serde_json::Value;
use stand_ins::aws::Account;
use stand_ins::sandbox::{Ran, Sandbox};

/// The result of `audit` against the stand-in.
struct Audited {
    code: i32,
    stderr: String,
    /// The audit JSON; null if the run wrote none.
    json: Value,
}

/// Runs `audit` in this environment with an empty allowlist and these additional arguments.
fn audit_in(environment: &[(String, String)], arguments: &[&str]) -> Audited {
    audit_with("version: 1\n", environment, arguments)
}

/// Runs `audit` with an allowlist.
fn audit_with(allowlist: &str, environment: &[(String, String)], arguments: &[&str]) -> Audited {
    let sandbox = Sandbox::new();
    sandbox.file("allow.yml", allowlist);
    let fixed = ["audit", "--allowlist", "allow.yml", "--output", "audit.json"];
    let mut command = sandbox.command(&[&fixed, arguments].concat());
    command.env("HOME", sandbox.path("home")).envs(environment.iter().cloned());
    let Ran { code, stderr, .. } = Ran::from(command.output().unwrap());
    let json = std::fs::read_to_string(sandbox.path("audit.json"));
    let json = json.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    Audited { code, stderr, json }
}

/// Runs `audit` with the credentials of the account's auditor role.
fn audit(account: &Account, arguments: &[&str]) -> Audited {
    audit_in(&account.environment(), arguments)
}

impl Audited {
    fn account(&self) -> &Value {
        &self.json["accounts"][0]
    }

    fn findings(&self) -> impl Iterator<Item = &Value> {
        self.json["findings"].as_array().into_iter().flatten()
    }

    /// The findings, one line each: `alice stale-access-key WXYZ open re-checked`.
    fn lines(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let line = |finding: &Value| {
            let credential = &finding["credential"];
            let subject = match credential["kind"].as_str() {
                Some("access-key" | "ssh-key" | "service-specific-credential") => credential["id"]
                    .as_str()
                    .map_or_else(|| format!("slot {}", credential["slot"]), str::to_owned),
                Some(kind) => kind.to_owned(),
                None => "user".to_owned(),
            };
            [
                text(&finding["user"]),
                text(&finding["rule"]),
                subject,
                text(&finding["status"]),
                text(&finding["evidence"]),
            ]
            .join(" ")
        };
        let mut lines: Vec<_> = self.findings().map(line).collect();
        lines.sort();
        lines
    }

    /// The ids of the findings of the rules `stale-password` and `stale-access-key`.
    fn stale_ids(&self) -> Vec<String> {
        let stale = self.findings().filter(|it| it["rule"].as_str().unwrap().starts_with("stale-"));
        let mut ids: Vec<_> = stale.map(|it| it["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    }

    /// The completeness of each rule in the account.
    fn coverage(&self) -> BTreeMap<String, String> {
        serde_json::from_value(self.account()["complete"].clone()).unwrap()
    }

    /// The rules that are incomplete in the account, sorted.
    fn incomplete(&self) -> Vec<String> {
        let coverage = self.coverage().into_iter();
        coverage.filter(|(_, it)| it == "incomplete").map(|(rule, _)| rule).collect()
    }

    /// The cleared credentials, as `alice access-key used`.
    fn cleared(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let cleared = self.account()["cleared"].as_array().unwrap().iter();
        cleared
            .map(|it| [text(&it["user"]), text(&it["kind"]), text(&it["clearing"])].join(" "))
            .collect()
    }

    /// The evidence that is missing, as `users denied iam:ListUsers`.
    fn gaps(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let gaps = self.account()["gaps"].as_array().unwrap().iter();
        gaps.map(|it| [text(&it["piece"]), text(&it["cause"]), text(&it["action"])].join(" "))
            .collect()
    }
}

/// The last four characters of a key id, as reports show it.
fn ending(id: &Value) -> String {
    let id = id.as_str().unwrap();
    id[id.len() - 4..].to_owned()
}
