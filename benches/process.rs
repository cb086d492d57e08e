//! One account of 5,000 users as a whole process, from start to exit, compared with a process that
//! only reads the same file.
//!
//! `cargo bench --bench process` prints the medians; the processes take turns.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod organization;

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use csv::ByteRecord;

const ROUNDS: usize = 15;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["plain", file] => plain_read(Path::new(file)),
        arguments if arguments.contains(&"--bench") => compare(),
        // `cargo test --all-targets` runs benches without that flag and needs no measurement.
        _ => {}
    }
}

fn plain_read(file: &Path) {
    let bytes = std::fs::read(file).unwrap();
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes.as_slice());
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).unwrap() {
        black_box(record.len());
    }
}

/// The milliseconds from the start of a process to its end.
fn milliseconds(command: &mut Command) -> f64 {
    let start = Instant::now();
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    start.elapsed().as_secs_f64() * 1e3
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

#[allow(clippy::disallowed_methods, reason = "a scratch file that nobody reads half written")]
fn write(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
}

fn compare() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.csv");
    let csv = organization::report(0, organization::USERS_PER_ACCOUNT);
    let allowlist = directory.path().join("allowlist.yml");
    write(&file, &csv);
    write(&allowlist, &organization::allowlist());
    let plain = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("plain").arg(&file);
        command
    };
    let audit = |format: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iam-stocktake"));
        let now = organization::now().to_rfc3339();
        command.args(["audit", "--format", format, "--now", &now]);
        command.arg("--allowlist").arg(&allowlist).arg("--credential-report").arg(&file);
        command
    };
    let mut version = Command::new(env!("CARGO_BIN_EXE_iam-stocktake"));
    version.arg("--version");
    let (mut of_plain, mut of_version) = (Vec::new(), Vec::new());
    let mut of_audits = ["table", "json", "markdown"].map(|format| (format, Vec::new()));
    // The first round has cold caches and does not count.
    for round in 0..=ROUNDS {
        let counts = round > 0;
        let keep = |list: &mut Vec<f64>, time| {
            if counts {
                list.push(time);
            }
        };
        keep(&mut of_plain, milliseconds(&mut plain()));
        keep(&mut of_version, milliseconds(&mut version));
        for (format, list) in &mut of_audits {
            keep(list, milliseconds(&mut audit(format)));
        }
    }
    let plain = median(of_plain);
    println!("plain read: {plain:.1} ms; allowed: {:.1} ms", 2.0 * plain + 10.0);
    println!("--version: {:.1} ms", median(of_version));
    for (format, list) in of_audits {
        println!("audit --format {format}: {:.1} ms", median(list));
    }
}
