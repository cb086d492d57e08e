//! Any bytes as an allowlist: read, and every problem rendered, without a panic.
#![no_main]

use chrono::NaiveDate;
use iam_stocktake::allowlist;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let today = NaiveDate::from_ymd_opt(2026, 6, 30).expect("a date");
    let source = String::from_utf8_lossy(bytes);
    let diagnostics = match allowlist::parse(bytes, today) {
        Ok(allowlist) => allowlist::lapsing(&allowlist, today),
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            problems
        }
    };
    for diagnostic in &diagnostics {
        for color in [false, true] {
            let _ = allowlist::render(diagnostic, "iam-allowlist.yml", &source, color);
        }
    }
});
