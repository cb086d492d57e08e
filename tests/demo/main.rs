//! The whole loop without an AWS account. `cargo test --test demo -- show` starts stand-ins for
//! AWS, GitHub and the runner's OIDC endpoint, runs the real binary as the action, and shows each
//! step. Without `show` it is a silent test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    clippy::print_stdout
)]

use serde_json::json;
use stand_ins::world::{EMPTY, Run, RunOptions, World, visible};

/// An allowlist with an exemption that expires on a day.
fn exemption(until: &str) -> String {
    format!(
        "version: 1
exemptions:
  - user: ci-deploy
    reason: Legacy Jenkins agent, moves to OIDC in Q1 (PLAT-123)
    owner: \"@acme/platform\"
    expires: {until}
"
    )
}

/// Prints the steps, or nothing.
struct Stage {
    shows: bool,
}

impl Stage {
    fn scene(&self, title: &str) {
        self.say(&format!("\n\u{2501}\u{2501} {title}\n"));
    }

    fn say(&self, text: &str) {
        if self.shows {
            println!("{text}");
        }
    }

    /// The log without workflow commands.
    fn run(&self, run: &Run) {
        for line in run.log.lines().filter(|line| !line.starts_with("::")) {
            self.say(&format!("    {line}"));
        }
        self.say(&format!("    exit {}; gate: {}", run.code, run.output("gate")));
    }

    fn issue(&self, world: &World) {
        let index = world.queue_issue();
        self.say(&format!("\nissue #{}, {}: {}\n", index.number, index.state, index.title));
        let body: Vec<_> =
            visible(&index.body).lines().filter(|it| !it.starts_with("<!--")).collect();
        for line in body {
            let shown = line.split(" <!-- f:").next().unwrap_or_default();
            self.say(&format!("    {}", shown.replace("&nbsp;", " ")));
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // nextest asks every test binary for this.
    if arguments.iter().any(|it| it == "--list") {
        if !arguments.iter().any(|it| it == "--ignored") {
            println!("the_loop_is_closed: test");
        }
        return;
    }
    let stage = Stage { shows: arguments.iter().any(|it| it == "show") };
    tell(&stage);
    println!("1 passed, 0 failed");
}

fn tell(stage: &Stage) {
    stage.scene(
        "An account with a former employee, an unused deploy user, a password that was never used, and a healthy user",
    );
    let world = World::new();
    world.account.change(json!([
        {"alias": {"name": "acme-production"}},
        {"create_user": {"name": "alice", "created": 700,
            "password": {"changed": 600, "last_used": 210}, "keys": [{"created": 600, "last_used": 205}]}},
        {"create_user": {"name": "ci-deploy", "created": 500, "keys": [{"created": 500, "last_used": 130}]}},
        {"create_user": {"name": "newcomer", "created": 120,
            "password": {"changed": 120, "last_used": null}}},
        {"create_user": {"name": "healthy", "created": 300, "keys": [{"created": 60, "last_used": 1}]}},
    ]));

    stage.scene("Monday: the scheduled workflow runs for the first time");
    let first = world.day(0, EMPTY);
    stage.run(&first);
    stage.issue(&world);
    assert_eq!((first.code, first.output("stale-count")), (0, "4"), "{}", first.log);

    stage.scene("Tuesday: nothing has changed, so nothing is written");
    let second = world.day(1, EMPTY);
    stage.run(&second);
    assert!(second.writes.is_empty());

    let exemption = exemption(&world.date(60));
    stage.scene("Wednesday: Alice's key and password were deleted, and ci-deploy has an exemption");
    world.account.change(json!([
        {"delete_key": {"user": "alice"}},
        {"delete_password": {"user": "alice"}},
    ]));
    let third = world.day(2, &exemption);
    stage.run(&third);
    stage.issue(&world);
    assert_eq!(third.output("stale-count"), "1", "{}", third.log);

    stage.scene("Thursday: a pull request is opened, and there is a new stale key");
    world.user("contractor", 95);
    world.repo.commit("main", ".github/iam-allowlist.yml", &exemption);
    world.repo.branch("feature", "main");
    world.repo.commit("feature", "README.md", "hello\n");
    let pull = world.repo.pull("A feature", "feature", "main");
    let on_pull_request = RunOptions {
        day: 3,
        event: "pull_request",
        pull: Some(&pull),
        allowlist: &exemption,
        ..RunOptions::default()
    };
    let fourth = world.run(on_pull_request);
    stage.run(&fourth);
    let comments = world.repo.comments(pull.number);
    stage.say("\nthe comment on the pull request:\n");
    for line in comments[0].body.lines().filter(|line| !line.starts_with("<!--")) {
        stage.say(&format!("    {}", line.replace("&nbsp;", " ")));
    }
    assert_eq!((fourth.code, fourth.output("gate")), (1, "failed"), "{}", fourth.log);
    tell_of_the_remedy(stage, &world, &exemption);
}

/// The inputs that apply the remediation.
const APPLY: [(&str, &str); 2] = [("command", "remediate"), ("task", "apply")];

fn tell_of_the_remedy(stage: &Stage, world: &World, exemption: &str) {
    stage.scene("Friday: remediation is turned on, and users with stale credentials are notified");
    let remedy = format!("{exemption}remediation: {{ max_share: 50 }}\n");
    let apply =
        |day| RunOptions { day, allowlist: &remedy, inputs: &APPLY, ..RunOptions::default() };
    let fifth = world.run(apply(4));
    stage.run(&fifth);
    assert_eq!(fifth.code, 0, "{}", fifth.log);

    stage.scene(
        "Two weeks later: the key is deactivated, and the password is listed for manual removal",
    );
    let sixth = world.run(apply(18));
    stage.run(&sixth);
    assert_eq!(world.account.user("contractor")["keys"][0]["status"], "Inactive", "{}", sixth.log);
    assert_eq!(world.account.user("newcomer")["password"], true);
    let seventh = world.day(18, &remedy);
    stage.run(&seventh);
    stage.issue(world);
    assert_eq!(seventh.output("stale-count"), "1", "{}", seventh.log);
}
