//! How long one account's report takes: to read its CSV, to parse it, and to parse and judge it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs
)]

mod organisation;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use csv::ByteRecord;
use iam_stocktake::judge::{AllowlistOrigin, judge};
use iam_stocktake::observe::credential_report::parse;
use iam_stocktake::policy::Policy;

fn audit(criterion: &mut Criterion) {
    let csv = organisation::report(0, organisation::USERS_PER_ACCOUNT);
    let allowlist = organisation::allowlist();
    let policy = Policy::new(&allowlist.policy, None);
    let now = organisation::now();
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
    group.bench_function("parse and judge", |bencher| {
        bencher.iter(|| {
            let accounts = [parse(black_box(&csv), None).unwrap()];
            judge(&accounts, &allowlist, AllowlistOrigin::None, &policy, now)
        });
    });
    group.finish();
}

criterion_group!(benches, audit);
criterion_main!(benches);
