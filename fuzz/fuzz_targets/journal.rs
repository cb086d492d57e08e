//! See `bodies::journal`.
#![no_main]

#[path = "../../tests/unit/mutations/bodies.rs"]
#[allow(dead_code)]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::journal(bytes));
