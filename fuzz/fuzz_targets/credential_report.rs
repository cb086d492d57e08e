//! Any bytes as an exported credential report: recognised, parsed and judged without a panic.
#![no_main]

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use iam_stocktake::allowlist::{self, Allowlist};
use iam_stocktake::judge::{AllowlistOrigin, judge};
use iam_stocktake::observe::{credential_report, export};
use iam_stocktake::policy::{Level, Policy, PolicyOverrides, Rule};
use libfuzzer_sys::fuzz_target;

static NOW: LazyLock<DateTime<Utc>> =
    LazyLock::new(|| "2026-06-30T12:00:00Z".parse().expect("a date"));

static ALLOWLIST: LazyLock<Allowlist> = LazyLock::new(|| {
    let source = include_bytes!("../../examples/iam-allowlist.yml");
    allowlist::parse(source, NOW.date_naive()).expect("the example is in order")
});

/// Every rule on, so that every rule is run.
static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let levels = Rule::ALL.map(|rule| (rule, Level::Error)).into();
    Policy::new(&PolicyOverrides { levels, ..PolicyOverrides::default() }, None)
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(export) = export::recognise(bytes.to_vec()) else { return };
    let Ok(account) = credential_report::parse(&export.csv, export.generated_at) else { return };
    let users = account.users.len();
    let audit = judge(&[account], &ALLOWLIST, AllowlistOrigin::None, &POLICY, *NOW);
    assert_eq!(audit.accounts.iter().map(|it| it.users).sum::<usize>(), users);
});
