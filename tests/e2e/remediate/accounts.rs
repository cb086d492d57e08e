//! Several accounts in one run: what goes wrong in one keeps no other from being remedied.

use chrono::{DateTime, SecondsFormat, SubsecRound as _, TimeDelta, Utc};
use serde_json::json;

use super::world::{ALLOWLIST, with_checksum};
use stand_ins::aws::{Account, Seed, StandIn};
use stand_ins::sandbox::{Ran, Sandbox};

/// A hub, two accounts with the same users, and the folder in which they are remedied.
struct Company {
    hub: Account,
    members: [Account; 2],
    sandbox: Sandbox,
    began: DateTime<Utc>,
}

impl Company {
    fn new() -> Self {
        let hub = StandIn::shared().account(Seed::empty());
        let members = [(); 2].map(|()| StandIn::shared().account(Seed::empty()));
        for member in &members {
            member.change(json!([{"create_user": {
                "name": "ci-deploy", "created": 400, "keys": [{"created": 300, "last_used": 200}],
            }}]));
        }
        let sandbox = Sandbox::new();
        sandbox.file("allow.yml", ALLOWLIST);
        Self { hub, members, sandbox, began: Utc::now().trunc_subsecs(0) }
    }

    /// Carries out on a day, in both accounts.
    fn apply(&self, day: i64) -> Ran {
        let now = self.began + TimeDelta::days(day);
        let now = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        for member in &self.members {
            member.stop_clock(&now);
            member.expire_report();
        }
        let ids = self.members.each_ref().map(Account::id).join(",");
        let role = ["--role-to-assume", self.hub.role_arn(), "--accounts", &ids];
        let fixed = ["remediate", "--apply", "--quiet", "--allowlist", "allow.yml", "--now", &now];
        let mut command = self.sandbox.command(&[&fixed[..], &role].concat());
        command.env("HOME", self.sandbox.path("home")).envs(self.hub.oidc_environment());
        Ran::from(command.output().unwrap())
    }

    /// The status of the key in each account.
    fn statuses(&self) -> [String; 2] {
        let key = |it: &Account| it.user("ci-deploy")["keys"][0]["status"].clone();
        self.members.each_ref().map(|it| key(it).as_str().unwrap().to_owned())
    }
}

#[test]
fn each_account_is_remedied() {
    let company = Company::new();
    for day in [0, 14] {
        let ran = company.apply(day);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
    assert_eq!(company.statuses(), ["Inactive"; 2]);
    assert_eq!(company.hub.log().iter().filter(|call| call.service == "iam").count(), 0);
}

#[test]
fn one_that_is_denied_is_incomplete_and_the_other_is_remedied() {
    let company = Company::new();
    assert_eq!(company.apply(0).code, 0);
    company.members[0].faults(json!({"deny_account": true}));
    let ran = company.apply(14);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(company.statuses(), ["Active", "Inactive"]);

    // When it may be seen again, the clock there goes on.
    company.members[0].faults(json!({}));
    assert_eq!(company.apply(15).code, 0);
    assert_eq!(company.statuses(), ["Inactive"; 2]);
}

#[test]
fn one_in_which_a_write_is_denied_fails_and_the_other_is_remedied() {
    let company = Company::new();
    assert_eq!(company.apply(0).code, 0);
    company.members[0].faults(json!({"deny": ["UpdateAccessKey"]}));
    let ran = company.apply(14);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("iam:UpdateAccessKey failed: AccessDenied"), "{}", ran.stdout);
    assert_eq!(company.statuses(), ["Active", "Inactive"]);
}

#[test]
fn one_whose_role_is_refused_leaves_what_a_killed_run_left_open_there_for_later() {
    let company = Company::new();
    assert_eq!(company.apply(0).code, 0);
    // A run that was killed before it deactivated the key.
    let path = company.sandbox.path("iam-stocktake-journal.jsonl");
    let before = std::fs::read_to_string(&path).unwrap();
    let id = company.members[0].id();
    let key = company.members[0].user("ci-deploy")["keys"][0]["id"].clone();
    let notice = before.lines().find(|line| line.contains(id)).unwrap();
    let notice: serde_json::Value = serde_json::from_str(notice).unwrap();
    let open = json!({
        "v": 1, "at": notice["at"], "run": "cut-off", "event": "begin", "n": 1, "account": id,
        "user": "ci-deploy", "user_id": notice["user_id"], "step": "deactivate",
        "kind": "access-key", "id": key,
    });
    std::fs::write(&path, format!("{before}{}\n", with_checksum(&open))).unwrap();

    company.members[0].faults(json!({"refuse_role": true}));
    let ran = company.apply(14);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(company.statuses(), ["Active", "Inactive"]);
    let settled = || std::fs::read_to_string(&path).unwrap().matches(r#""settled""#).count();
    assert_eq!(settled(), 0);
    company.members[0].faults(json!({}));
    assert_eq!(company.apply(15).code, 0);
    assert_eq!((settled(), company.statuses()), (1, ["Inactive", "Inactive"].map(str::to_owned)));
}
