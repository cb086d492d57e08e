//! Mutated input files do not make the program panic. The tests run the fuzz targets on a stable
//! toolchain. `MUTATION_SECONDS=600` searches longer, and `MUTATION_SEED=…` sets another seed. See
//! `fuzz/README.md`.

mod bodies;

use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;
use stand_ins::mutate::mutate;

/// The number of mutations in a normal run.
const ROUNDS: u64 = 300;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target} has no seeds");
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Mutates the seeds of a target.
fn search((name, body): bodies::Target) {
    let variable = |name| std::env::var(name).ok().and_then(|it| it.parse().ok());
    let seconds: Option<u64> = variable("MUTATION_SECONDS");
    let seed: u64 = variable("MUTATION_SEED").unwrap_or(1);
    let began = Instant::now();
    let seeds = seeds(name);
    for seed in &seeds {
        body(seed);
    }
    for round in 0.. {
        let is_over = match seconds {
            Some(seconds) => began.elapsed() > Duration::from_secs(seconds),
            None => round >= ROUNDS,
        };
        if is_over {
            println!("{name}: {round} rounds");
            return;
        }
        let mut rng = Rng::with_seed(seed.wrapping_mul(1_000_000_007).wrapping_add(round));
        let mut bytes = seeds[rng.usize(..seeds.len())].clone();
        let other = &seeds[rng.usize(..seeds.len())];
        for _ in 0..rng.usize(1..=6) {
            mutate(&mut rng, &mut bytes, other);
        }
        if catch_unwind(|| body(&bytes)).is_err() {
            let path = std::env::temp_dir().join(format!("iam-stocktake-{name}-{round}"));
            std::fs::write(&path, &bytes).unwrap();
            panic!("{name}: seed {seed}, round {round}: its bytes are in {}", path.display());
        }
    }
}

/// Mutations of an invalid seed would test little.
#[test]
fn seeds_are_valid_files() {
    use iam_stocktake::remediate::plan::file::SavedPlan;
    use iam_stocktake::report::json::v1;
    for seed in seeds("plan") {
        let plan: SavedPlan = serde_json::from_slice(&seed).unwrap();
        assert!(plan.plan.changes.len() > 3);
    }
    for seed in seeds("audit_json") {
        let audit: v1::Audit = serde_json::from_slice(&seed).unwrap();
        assert!(!audit.findings.is_empty());
    }
    for seed in seeds("journal") {
        assert!(bodies::lines_of(&seed) > 5);
    }
    assert!(seeds("queue_body").iter().any(|seed| bodies::is_state(seed)));
    assert_eq!(seeds("event").iter().filter(|seed| bodies::is_event(seed)).count(), 3);
}

macro_rules! searched {
    ($($target:ident)+) => {
        $(
            #[test]
            fn $target() {
                search((stringify!($target), bodies::$target));
            }
        )+

        #[test]
        fn every_target_has_a_test() {
            let names = bodies::TARGETS.map(|(name, _)| name);
            assert_eq!(names, [$(stringify!($target)),+]);
        }
    };
}

searched!(credential_report allowlist audit_json plan journal event queue_body);
