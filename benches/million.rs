//! A million users in 200 accounts, read from disk: time and memory for parsing and evaluating,
//! compared with a plain read of the same files.
//!
//! `cargo bench --bench million` prints the medians. Each measurement is its own process, so that none
//! reuses memory of another one. The two kinds take turns, so that both see the same machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod organization;

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use csv::ByteRecord;
use iam_stocktake::allowlist;
use iam_stocktake::audit::{AllowlistOrigin, Auditor};
use iam_stocktake::model::policy::Policy;
use iam_stocktake::observe::{credential_report, export};

const ACCOUNTS: u32 = 200;
const ROUNDS: usize = 5;
/// Targets: time as a multiple of the plain read's, and memory as a multiple of the files' size.
const TIME_TARGET: f64 = 2.0;
const MEMORY_TARGET: f64 = 12.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        // Writes the files and keeps them, for profiling the two below.
        ["write", directory] => println!("{} bytes", write_files(Path::new(directory))),
        ["plain", directory] => measured(|| plain_read(Path::new(directory))),
        ["records", directory] => measured(|| read_records(Path::new(directory))),
        ["evaluate", directory] => measured(|| parse_and_evaluate(Path::new(directory), 1)),
        ["evaluate-in-parallel", directory] => {
            let threads = thread::available_parallelism().unwrap().get();
            measured(|| parse_and_evaluate(Path::new(directory), threads));
        }
        arguments if arguments.contains(&"--bench") => compare(),
        // `cargo test --all-targets` runs benches without that flag and needs no measurement.
        _ => {}
    }
}

/// Runs the work and prints its seconds and the peak of this process's memory in bytes.
fn measured(work: impl FnOnce()) {
    let start = Instant::now();
    work();
    let seconds = start.elapsed().as_secs_f64();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kibibytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    println!("{seconds} {}", kibibytes * 1024);
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The leanest plain read: the whole file in memory, and one record for all rows.
fn plain_read(directory: &Path) {
    let mut record = ByteRecord::new();
    for file in files(directory) {
        let bytes = fs::read(file).unwrap();
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(bytes.as_slice());
        while reader.read_byte_record(&mut record).unwrap() {
            black_box(record.len());
        }
    }
}

/// The plain read as in most programs: from the path, with a new record for every row.
fn read_records(directory: &Path) {
    for file in files(directory) {
        let mut reader = csv::ReaderBuilder::new().from_path(file).unwrap();
        for record in reader.byte_records() {
            black_box(record.unwrap());
        }
    }
}

/// Each thread takes the next file until none is left.
fn parse_and_evaluate(directory: &Path, threads: usize) {
    let yaml = organization::allowlist();
    let today = organization::now().date_naive();
    let allowlist = allowlist::parse(yaml.as_bytes(), today).unwrap();
    let policy = Policy::new(&allowlist.policy, None);
    let (files, next) = (files(directory), AtomicUsize::new(0));
    let work = || {
        let mut auditor = Auditor::new(&allowlist, &policy, organization::now());
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let export = export::parse_export(fs::read(file).unwrap()).unwrap();
            auditor
                .add_account(&credential_report::parse(&export.csv, export.generated_at).unwrap());
        }
        auditor
    };
    let auditor = thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut auditor = work();
        for helper in helpers {
            auditor.merge(helper.join().unwrap());
        }
        auditor
    });
    // Freeing memory is not measured: the process ends.
    std::mem::forget(black_box(auditor.finish(AllowlistOrigin::None)));
}

#[allow(clippy::disallowed_methods, reason = "a scratch file that nobody reads half written")]
fn write_files(directory: &Path) -> usize {
    let write = |account| {
        let csv = organization::report(account, organization::USERS_PER_ACCOUNT);
        fs::write(directory.join(format!("{account:03}.csv")), &csv).unwrap();
        csv.len()
    };
    (0..ACCOUNTS).map(write).sum()
}

/// What is compared with the leanest plain read, by argument: another plain read, and evaluating on
/// one thread and on all processors.
const COMPARED: [&str; 3] = ["records", "evaluate", "evaluate-in-parallel"];

struct Measurement {
    seconds: f64,
    peak: f64,
}

fn measure(what: &str, directory: &Path) -> Measurement {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).arg(what).arg(directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (seconds, peak) = text.trim().split_once(' ').unwrap();
    Measurement { seconds: seconds.parse().unwrap(), peak: peak.parse().unwrap() }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn compare() {
    let directory = tempfile::tempdir().unwrap();
    let size = write_files(directory.path()) as f64;
    let users = f64::from(ACCOUNTS) * organization::USERS_PER_ACCOUNT as f64;
    println!("{users} users, {:.0} MB, {:.0} bytes a user", size / 1e6, size / users);
    let mut plain = Vec::new();
    let mut compared = COMPARED.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        plain.push(measure("plain", directory.path()));
        for (name, measurements) in COMPARED.iter().zip(&mut compared) {
            measurements.push(measure(name, directory.path()));
        }
    }
    let seconds = |list: &[Measurement]| median(list.iter().map(|it| it.seconds).collect());
    println!("plain: {:.2} s", seconds(&plain));
    let [records, ..] = &compared;
    for (name, list) in COMPARED.iter().zip(&compared) {
        let ratio_to = |reads: &[Measurement]| {
            let ratios = list.iter().zip(reads).map(|(it, read)| it.seconds / read.seconds);
            median(ratios.collect())
        };
        let memory = median(list.iter().map(|it| it.peak / size).collect());
        println!(
            "{name}: {:.2} s, {:.2} x plain, {:.2} x records (target {TIME_TARGET}),",
            seconds(list),
            ratio_to(&plain),
            ratio_to(records),
        );
        println!("    peak memory {memory:.2} x the files (target {MEMORY_TARGET})");
    }
}
