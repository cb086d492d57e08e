//! Mutated responses of AWS and GitHub: the program exits with one of its exit codes and never
//! panics. `MUTATION_SECONDS=300` searches longer, `MUTATION_SEED=…` changes the random numbers.

mod proxy;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use proxy::MutationRng;
use stand_ins::github::Pull;
use stand_ins::world::{EMPTY, QUICK, World};

/// The number of rounds without `MUTATION_SECONDS`.
const ROUNDS: u64 = 6;
/// The longest time that a run may wait for mutated responses. A longer run is killed and counted.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The proxies in front of the stand-ins.
struct Proxies {
    rng: MutationRng,
    aws: u16,
    github: u16,
}

impl Proxies {
    fn new(world: &World) -> Self {
        let rng = MutationRng::new();
        let port = |url: &str| url.rsplit(':').next().unwrap().split('/').next().unwrap().parse();
        let aws = proxy::start(port(&world.account.endpoint()).unwrap(), &rng);
        let github = proxy::start(world.repo.port(), &rng);
        Self { rng, aws, github }
    }

    /// Replaces the addresses of the stand-ins in a text with those of the proxies.
    fn through(&self, world: &World, text: &str) -> String {
        let address = |port: u16| format!("127.0.0.1:{port}");
        let aws = world.account.endpoint();
        let aws = aws.trim_start_matches("http://").split('/').next().unwrap();
        text.replace(aws, &address(self.aws))
            .replace(&address(world.repo.port()), &address(self.github))
    }
}

/// The action as a job runs it, with all requests through the proxies.
fn action(world: &World, proxies: &Proxies, folder: &Path, pull: Option<&Pull>) -> Command {
    let event = if pull.is_some() { "pull_request" } else { "schedule" };
    let mut command = world.sandbox.command(&["action", "--now", &world.moment(0)]);
    let job = world.repo.job(folder, event, pull);
    for (name, value) in job.iter().chain(&world.account.oidc_environment()) {
        command.env(name, proxies.through(world, value));
    }
    command.env("INPUT_ROLE-TO-ASSUME", world.account.role_arn());
    command.env("GITHUB_WORKSPACE", world.sandbox.path("."));
    command
}

/// Waits for the end of a run. Returns `None` if it takes too long.
fn wait(mut command: Command) -> Option<(Option<i32>, String)> {
    let log = tempfile::NamedTempFile::new().unwrap();
    let append = || std::fs::OpenOptions::new().append(true).open(log.path()).unwrap();
    command.stdout(append()).stderr(append());
    let mut child = command.spawn().unwrap();
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            let log = std::fs::read(log.path()).unwrap();
            return Some((status.code(), String::from_utf8_lossy(&log).into_owned()));
        }
        if began.elapsed() > TIMEOUT {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn no_response_of_aws_or_github_makes_a_run_panic() {
    let variable = |name| std::env::var(name).ok().and_then(|it| it.parse().ok());
    let seconds: Option<u64> = variable("MUTATION_SECONDS");
    let seed: u64 = variable("MUTATION_SEED").unwrap_or(1);
    let world = World::new();
    for (name, unused) in [("alice", 200), ("bob", 150), ("carol", 1)] {
        world.user(name, unused);
    }
    assert_eq!(world.day(0, EMPTY).code, 0);
    let pull = world.pull(EMPTY, EMPTY);
    let proxies = Proxies::new(&world);
    let began = Instant::now();
    let mut timed_out = 0;
    for round in 0.. {
        let is_over = match seconds {
            Some(seconds) => began.elapsed() > Duration::from_secs(seconds),
            None => round >= ROUNDS,
        };
        if is_over {
            println!("answers: {round} rounds, {timed_out} timed out");
            return;
        }
        proxies.rng.reseed(seed.wrapping_mul(1_000_000_007).wrapping_add(round));
        let folder = tempfile::tempdir().unwrap();
        let mut command =
            action(&world, &proxies, folder.path(), (round % 2 == 1).then_some(&pull));
        if round % 4 < 2 {
            for (name, value) in QUICK {
                command.env(format!("INPUT_{}", name.to_uppercase()), value);
            }
        }
        match wait(command) {
            None => timed_out += 1,
            Some((code, log)) => {
                let is_known = code.is_some_and(|code| (0..=4).contains(&code));
                let details = format!("seed {seed}, round {round}: {code:?}: {log}");
                assert!(is_known && !log.contains("panicked"), "{details}");
            }
        }
    }
}
