//! Live audits against the AWS stand-in: the time besides the two calls for the credential report,
//! the delay until a new report is noticed, flagged users per second, and accounts in parallel.
//!
//! `cargo bench --bench live` prints medians of interleaved rounds. `-- reports`, `waits`,
//! `re-checks` and `accounts` select parts. The stand-in is a Python process on the same machine: without latency, the
//! re-check waits for it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods
)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::Utc;
use iam_stocktake::model::policy::Policy;
use iam_stocktake::observe::session::{Environment, SessionConfig};
use iam_stocktake::observe::{ObserveOptions, observe, open_sessions};
use iam_stocktake::permissions::Features;
use serde_json::json;
use stand_ins::aws::{Account, Seed, StandIn};

const ROUNDS: usize = 15;
/// No optional data: only the re-check.
const PLAIN: [&str; 2] = ["--last-accessed", "false"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == ["report"] {
        report_in_process();
    } else if arguments.iter().any(|argument| argument == "--bench") {
        let stand_in = StandIn::start();
        let is_named = |name: &str| arguments.iter().any(|argument| argument == name);
        let all = !["reports", "waits", "re-checks", "accounts"].into_iter().any(is_named);
        let measured = |name| all || is_named(name);
        if measured("reports") {
            credential_reports(&stand_in);
        }
        if measured("waits") {
            reports_not_ready(&stand_in);
        }
        if measured("re-checks") {
            rechecks(&stand_in);
        }
        if measured("accounts") {
            accounts_in_parallel(&stand_in);
        }
    }
    // `cargo test --all-targets` runs benches without that flag and needs no measurement.
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Measures in turn: the two calls, the same with a call for the identity, and our audit of the
/// credential report, which makes all three. Runs in the environment of an account.
fn report_in_process() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = report_only();
    let (mut bare, mut with_caller, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    // The first round has cold caches and does not count.
    for round in 0..=ROUNDS {
        for (kind, list) in [&mut bare, &mut with_caller].into_iter().enumerate() {
            let start = Instant::now();
            runtime.block_on(bare_calls(kind == 1));
            if round > 0 {
                list.push(milliseconds(start));
            }
        }
        let start = Instant::now();
        let accounts = runtime.block_on(async {
            let sessions = open_sessions(&options).await.unwrap();
            observe(&sessions, &options, &|_| {}).await
        });
        if round > 0 {
            ours.push(milliseconds(start));
        }
        assert!(accounts[0].gaps.is_empty() && !accounts[0].users.is_empty());
    }
    println!("{} {} {}", median(bare), median(with_caller), median(ours));
}

async fn bare_calls(with_caller: bool) {
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest()).load().await;
    if with_caller {
        aws_sdk_sts::Client::new(&config).get_caller_identity().send().await.unwrap();
    }
    let iam = aws_sdk_iam::Client::new(&config);
    iam.generate_credential_report().send().await.unwrap();
    let report = iam.get_credential_report().send().await.unwrap();
    assert!(!report.content().unwrap().as_ref().is_empty());
}

fn report_only() -> ObserveOptions {
    let policy = Policy::default();
    ObserveOptions {
        session: SessionConfig {
            role: None,
            tokens: None,
            audience: None,
            region: None,
            session_name: "bench".parse().unwrap(),
            members: Vec::new(),
            member_role_name: None,
            external_id: None,
            allowed: Vec::new(),
            environment: Environment::new(std::env::vars()),
        },
        features: Features::new(&policy, false, false),
        policy,
        now: Utc::now(),
        all_ssh_keys: false,
        known_users: std::collections::BTreeSet::new(),
        owner_tags: Vec::new(),
        timeout: Duration::from_secs(600),
        concurrency: 8,
    }
}

fn credential_reports(stand_in: &StandIn) {
    println!("credential report, ready; medians of {ROUNDS}, ms");
    println!("| users | two calls | with caller identity | our audit | added | allowed |");
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    for users in [1_000, 5_000] {
        let account = stand_in.account(Seed::users(users, 1));
        account.make_report(1.0);
        let mut child = Command::new(std::env::current_exe().unwrap());
        let output = child.arg("report").envs(account.environment()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let times: Vec<f64> = text.split_whitespace().map(|time| time.parse().unwrap()).collect();
        let [bare, with_caller, ours] = times.try_into().unwrap();
        let (added, allowed) = (ours - bare, bare * 0.1 + 25.0);
        println!(
            "| {users} | {bare:.1} | {with_caller:.1} | {ours:.1} | {added:.1} | {allowed:.1} |"
        );
    }
}

/// A run of `audit`.
struct Run {
    seconds: f64,
    /// User and system time of the audit's process.
    cpu: f64,
    /// CPU time of the stand-in during the run.
    stand_in: f64,
}

fn audit(stand_in: &StandIn, environment: &[(String, String)], arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iam-stocktake"));
    command.args(["audit", "--allowlist", "none", "--quiet", "--format", "json"]).args(arguments);
    command.envs(environment.iter().cloned()).stdout(Stdio::null()).stderr(Stdio::null());
    let (own, theirs) = (cpu_of_children(), cpu_of(stand_in.process_id()));
    let start = Instant::now();
    let code = command.status().unwrap().code();
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(code, Some(1), "the audit is complete and has findings");
    Run { seconds, cpu: cpu_of_children() - own, stand_in: cpu_of(stand_in.process_id()) - theirs }
}

/// Numbers in /proc/PID/stat after the command's name, in clock ticks of 10 ms.
fn ticks(process: &str) -> Vec<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1;
    fields.split_whitespace().skip(1).map(|field| field.parse().unwrap_or_default()).collect()
}

/// CPU seconds of finished child processes.
fn cpu_of_children() -> f64 {
    let ticks = ticks("self");
    (ticks[12] + ticks[13]) / 100.0
}

fn cpu_of(process: u32) -> f64 {
    let ticks = ticks(&process.to_string());
    (ticks[10] + ticks[11]) / 100.0
}

fn reports_not_ready(stand_in: &StandIn) {
    println!("\nreport ready after T; medians of 5, seconds");
    println!("| T | noticed after | delay | allowed |");
    println!("| ---: | ---: | ---: | ---: |");
    let account = stand_in.account(Seed::users(100, 2));
    for delay in [0.5, 1.0, 2.0, 5.0] {
        let seen = (0..5).map(|_| {
            account.expire_report();
            account.report_delay(delay);
            account.reset_log();
            audit(stand_in, &account.environment(), &["--recheck", "false"]);
            let log = account.log();
            let started =
                log.iter().find(|call| call.action == "GenerateCredentialReport").unwrap().at;
            let received =
                log.iter().rfind(|call| call.action == "GetCredentialReport").unwrap().at;
            received - started
        });
        let seen = median(seen.collect());
        println!("| {delay} | {seen:.2} | {:.2} | {:.2} |", seen - delay, 0.3 * delay);
    }
}

fn rechecks(stand_in: &StandIn) {
    println!("\nthe whole run with the re-check; medians of {ROUNDS}, in turn");
    println!(
        "| users | latency | what | flagged users | calls | wall, s | flagged users/s | CPU, s | stand-in's CPU, s |"
    );
    println!("| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for users in [1_000, 5_000] {
        let account = stand_in.account(Seed::users(users, 3));
        account.make_report(1.0);
        for latency in [0, 50] {
            account.faults(json!({"latency": {"milliseconds": latency}}));
            let mut runs =
                [("re-check only", &PLAIN[..], vec![], 0, 0), ("all", &[][..], vec![], 0, 0)];
            // With latency and optional data a run takes long and varies little.
            let rounds = if latency > 0 && users > 1_000 { 5 } else { ROUNDS };
            for _ in 0..rounds {
                for (_, arguments, runs, calls, flagged_users) in &mut runs {
                    account.reset_log();
                    runs.push(audit(stand_in, &account.environment(), arguments));
                    let counts = account.counts();
                    *calls = counts.values().sum();
                    *flagged_users = counts["iam:ListAccessKeys"];
                }
            }
            for (what, _, runs, calls, flagged_users) in runs {
                let value = |figure: fn(&Run) -> f64| median(runs.iter().map(figure).collect());
                let wall = value(|run| run.seconds);
                println!(
                    "| {users} | {latency} ms | {what} | {flagged_users} | {calls} | {wall:.2} | {:.0} | {:.2} | {:.2} |",
                    flagged_users as f64 / wall,
                    value(|run| run.cpu),
                    value(|run| run.stand_in),
                );
            }
        }
    }
}

fn accounts_in_parallel(stand_in: &StandIn) {
    println!("\n20 accounts of 500 users; medians of 3, seconds of wall time");
    println!("| latency | one audit after the other | one audit of all | ratio |");
    println!("| ---: | ---: | ---: | ---: |");
    let sessions = stand_in.account(Seed::empty());
    let accounts: Vec<Account> =
        (0..20).map(|seed| stand_in.account(Seed::users(500, 100 + seed))).collect();
    let ids: Vec<&str> = accounts.iter().map(Account::id).collect();
    let ids = ids.join(",");
    for latency in [0, 50] {
        for account in &accounts {
            account.make_report(1.0);
            account.faults(json!({"latency": {"milliseconds": latency}}));
        }
        let (mut one, mut eight) = (Vec::new(), Vec::new());
        let seconds = |ids: &str| {
            let own = ["--role-to-assume", sessions.role_arn(), "--accounts", ids];
            let arguments = [&own[..], &PLAIN[..]].concat();
            audit(stand_in, &sessions.oidc_environment(), &arguments).seconds
        };
        for _ in 0..3 {
            one.push(accounts.iter().map(|account| seconds(account.id())).sum());
            eight.push(seconds(&ids));
        }
        let (one, eight) = (median(one), median(eight));
        println!("| {latency} ms | {one:.2} | {eight:.2} | {:.1} |", one / eight);
    }
}
