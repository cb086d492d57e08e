//! Time for one account of 5,000 users: parsing and evaluating its credential report, and writing each report format,
//! as multiples of a plain read of the same bytes.
//!
//! `cargo bench --bench audit` prints the medians.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod organization;

use std::hint::black_box;
use std::time::Instant;

use csv::ByteRecord;
use iam_stocktake::allowlist;
use iam_stocktake::audit::{AllowlistOrigin, audit_accounts};
use iam_stocktake::model::policy::Policy;
use iam_stocktake::observe::credential_report::parse;
use iam_stocktake::report::{self, MarkdownOptions, TableOptions};

const ROUNDS: usize = 31;

fn main() {
    // `cargo test --all-targets` runs benches without that flag and needs no measurement.
    if std::env::args().any(|argument| argument == "--bench") {
        compare();
    }
}

fn compare() {
    let csv = organization::report(0, organization::USERS_PER_ACCOUNT);
    let now = organization::now();
    let allowlist =
        allowlist::parse(organization::allowlist().as_bytes(), now.date_naive()).unwrap();
    let policy = Policy::new(&allowlist.policy, None);
    let evaluate = || {
        let accounts = [parse(black_box(&csv), None).unwrap()];
        audit_accounts(&accounts, &allowlist, AllowlistOrigin::None, &policy, now)
    };
    let audit = evaluate();
    let markdown = |max_rows| {
        let options = MarkdownOptions { max_rows, ..MarkdownOptions::default() };
        report::markdown(&audit, &options).unwrap()
    };
    let table = TableOptions { color: false, width: None, max_rows: 200 };
    let plain = || plain_read(csv.as_bytes());
    measure("parse", plain, || parse(black_box(&csv), None).unwrap());
    measure("parse and evaluate", plain, evaluate);
    measure("json", plain, || report::json::json(&audit));
    measure("markdown, 200 rows", plain, || markdown(200));
    measure("markdown, all rows", plain, || markdown(0));
    measure("table, 200 rows", plain, || report::table(&audit, table));
}

fn plain_read(bytes: &[u8]) {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).unwrap() {
        black_box(record.len());
    }
}

/// Prints the median time of `work`, and the median of its ratios to `base`. The two take turns, so that both see the
/// same machine.
fn measure<T>(name: &str, base: impl Fn(), work: impl Fn() -> T) {
    let (mut times, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let base = seconds(&base);
        let time = seconds(&work);
        times.push(time);
        ratios.push(time / base);
    }
    println!("{name:20} {:8.2} ms {:7.2} x", median(times) * 1e3, median(ratios));
}

fn seconds<T>(work: impl Fn() -> T) -> f64 {
    let start = Instant::now();
    black_box(work());
    start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
