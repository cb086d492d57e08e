//! Several accounts in one run: a failure in one account does not stop the others.

use chrono::{DateTime, SecondsFormat, SubsecRound as _, TimeDelta, Utc};
use serde_json::json;

use super::world::{ALLOWLIST, with_checksum};
use stand_ins::aws::{Account, Seed, StandIn};
use stand_ins::sandbox::{Ran, Sandbox};

/// A hub account, two member accounts with the same user, and a sandbox with the allowlist.
struct Organization {
    hub: Account,
    members: [Account; 2],
    sandbox: Sandbox,
    started: DateTime<Utc>,
}

impl Organization {
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
        Self { hub, members, sandbox, started: Utc::now().trunc_subsecs(0) }
    }

    /// Applies a plan in both member accounts on the given day.
    fn apply(&self, day: i64) -> Ran {
        self.run(day, &["--apply"])
    }

    /// Runs `remediate` for both member accounts on the given day.
    fn run(&self, day: i64, more: &[&str]) -> Ran {
        let now = self.started + TimeDelta::days(day);
        let now = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        for member in &self.members {
            member.stop_clock(&now);
            member.expire_report();
        }
        let ids = self.members.each_ref().map(Account::id).join(",");
        let role = ["--role-to-assume", self.hub.role_arn(), "--accounts", &ids];
        let fixed = ["remediate", "--quiet", "--allowlist", "allow.yml", "--now", &now];
        let mut command = self.sandbox.command(&[&fixed[..], &role, more].concat());
        command.env("HOME", self.sandbox.path("home")).envs(self.hub.oidc_environment());
        Ran::from(command.output().unwrap())
    }

    /// The key status in each account.
    fn statuses(&self) -> [String; 2] {
        let key = |it: &Account| it.user("ci-deploy")["keys"][0]["status"].clone();
        self.members.each_ref().map(|it| key(it).as_str().unwrap().to_owned())
    }
}

#[test]
fn all_accounts_are_remediated() {
    let organization = Organization::new();
    for day in [0, 14] {
        let ran = organization.apply(day);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
    assert_eq!(organization.statuses(), ["Inactive"; 2]);
    assert_eq!(organization.hub.log().iter().filter(|call| call.service == "iam").count(), 0);
}

#[test]
fn denied_account_is_incomplete_and_the_other_is_remediated() {
    let organization = Organization::new();
    assert_eq!(organization.apply(0).code, 0);
    organization.members[0].faults(json!({"deny_account": true}));
    let ran = organization.apply(14);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(organization.statuses(), ["Active", "Inactive"]);

    // Once the account is readable again, its days keep counting.
    organization.members[0].faults(json!({}));
    assert_eq!(organization.apply(15).code, 0);
    assert_eq!(organization.statuses(), ["Inactive"; 2]);
}

#[test]
fn unavailable_account_is_named_and_the_other_is_planned_and_applied() {
    for fault in [json!({"refuse_role": true}), json!({"deny": ["GetCredentialReport"]})] {
        let organization = Organization::new();
        assert_eq!(organization.apply(0).code, 0);
        organization.members[0].faults(fault.clone());
        let [unavailable, other] = organization.members.each_ref().map(Account::id);
        let outputs = ["--output", "plan.json", "--output", "plan.md"];
        let planned = organization.run(14, &outputs);
        assert_eq!(planned.code, 3, "{fault}: {}{}", planned.stdout, planned.stderr);
        let page = organization.sandbox.read("plan.md");
        let title = "# IAM remediation: incomplete, 1 deactivation, 0 deletions planned\n";
        assert!(page.starts_with(title), "{fault}: {page}");
        assert!(page.contains(&format!("> - Account {unavailable}: ")), "{fault}: {page}");
        assert!(page.contains(&format!("## To be changed in account {other}\n")), "{page}");

        let applied = organization.run(14, &["--apply", "--plan", "plan.json"]);
        assert_eq!(applied.code, 3, "{fault}: {}{}", applied.stdout, applied.stderr);
        assert_eq!(organization.statuses(), ["Active", "Inactive"], "{fault}");
        // An undo without a journal names the account too.
        if fault["refuse_role"] == true {
            let undone = organization.run(15, &["--undo", "--journal", "new.jsonl", "--apply"]);
            assert_eq!(undone.code, 3, "{}{}", undone.stdout, undone.stderr);
            assert!(undone.stdout.contains(&format!("  {unavailable}: ")), "{}", undone.stdout);
            assert_eq!(organization.statuses(), ["Active", "Active"]);
        }
    }
}

#[test]
fn denied_write_fails_and_the_other_account_is_remediated() {
    let organization = Organization::new();
    assert_eq!(organization.apply(0).code, 0);
    organization.members[0].faults(json!({"deny": ["UpdateAccessKey"]}));
    let ran = organization.apply(14);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("iam:UpdateAccessKey failed: AccessDenied"), "{}", ran.stdout);
    assert_eq!(organization.statuses(), ["Active", "Inactive"]);
}

#[test]
fn open_steps_stay_open_while_their_account_is_unavailable() {
    let organization = Organization::new();
    assert_eq!(organization.apply(0).code, 0);
    // The journal of a run that was killed before it deactivated the key.
    let path = organization.sandbox.path("iam-stocktake-journal.jsonl");
    let before = std::fs::read_to_string(&path).unwrap();
    let id = organization.members[0].id();
    let key = organization.members[0].user("ci-deploy")["keys"][0]["id"].clone();
    let notice = before.lines().find(|line| line.contains(id)).unwrap();
    let notice: serde_json::Value = serde_json::from_str(notice).unwrap();
    let open = json!({
        "v": 1, "at": notice["at"], "run": "cut-off", "event": "begin", "n": 1, "account": id,
        "user": "ci-deploy", "user_id": notice["user_id"], "step": "deactivate",
        "kind": "access-key", "id": key,
    });
    std::fs::write(&path, format!("{before}{}\n", with_checksum(&open))).unwrap();

    organization.members[0].faults(json!({"refuse_role": true}));
    let ran = organization.apply(14);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(organization.statuses(), ["Active", "Inactive"]);
    let resolved = || std::fs::read_to_string(&path).unwrap().matches(r#""settled""#).count();
    assert_eq!(resolved(), 0);
    organization.members[0].faults(json!({}));
    assert_eq!(organization.apply(15).code, 0);
    assert_eq!(
        (resolved(), organization.statuses()),
        (1, ["Inactive", "Inactive"].map(str::to_owned))
    );
}
