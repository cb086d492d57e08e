//! Time for the report of one account: reading the CSV, parsing it, and parsing and evaluating it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod organization;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use csv::ByteRecord;
use iam_stocktake::allowlist;
use iam_stocktake::audit::{AllowlistOrigin, Audit, audit_accounts};
use iam_stocktake::model::policy::Policy;
use iam_stocktake::observe::credential_report::parse;
use iam_stocktake::report::{self, MarkdownOptions, TableOptions};

fn audit(criterion: &mut Criterion) {
    let csv = organization::report(0, organization::USERS_PER_ACCOUNT);
    let yaml = organization::allowlist();
    let today = organization::now().date_naive();
    let allowlist = allowlist::parse(yaml.as_bytes(), today).unwrap();
    let policy = Policy::new(&allowlist.policy, None);
    let now = organization::now();
    let mut group = criterion.benchmark_group("audit");
    group.throughput(Throughput::Bytes(csv.len() as u64));
    group.bench_function("plain read", |bencher| {
        bencher.iter(|| {
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(csv.as_bytes());
            let mut record = ByteRecord::new();
            while reader.read_byte_record(&mut record).unwrap() {
                black_box(record.len());
            }
        });
    });
    group.bench_function("parse", |bencher| {
        bencher.iter(|| parse(black_box(&csv), None).unwrap());
    });
    group.bench_function("parse and evaluate", |bencher| {
        bencher.iter(|| {
            let accounts = [parse(black_box(&csv), None).unwrap()];
            audit_accounts(&accounts, &allowlist, AllowlistOrigin::None, &policy, now)
        });
    });
    group.finish();
    let accounts = [parse(&csv, None).unwrap()];
    reports(criterion, &audit_accounts(&accounts, &allowlist, AllowlistOrigin::None, &policy, now));
}

/// Writing the report, without evaluating.
fn reports(criterion: &mut Criterion, audit: &Audit) {
    let mut group = criterion.benchmark_group("report");
    group.bench_function("json", |bencher| bencher.iter(|| report::json::json(audit)));
    let markdown = |max_rows| {
        let options = MarkdownOptions { max_rows, ..MarkdownOptions::default() };
        report::markdown(audit, &options).unwrap()
    };
    group.bench_function("markdown, 200 rows", |bencher| bencher.iter(|| markdown(200)));
    group.bench_function("markdown, all rows", |bencher| bencher.iter(|| markdown(0)));
    let options = TableOptions { color: false, width: None, max_rows: 200 };
    group.bench_function("table, 200 rows", |bencher| {
        bencher.iter(|| report::table(audit, options));
    });
    group.finish();
}

criterion_group!(benches, audit);
criterion_main!(benches);
