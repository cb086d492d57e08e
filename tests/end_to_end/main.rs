//! What users see, through the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "the test process is at the edge itself")]

mod action;
mod allowlist;
mod audit;
mod determinism;
mod examples;
#[path = "../support/expect.rs"]
mod expect;
mod hostile;
mod iam_policy;
mod readme;
mod remedies;
mod sandbox;
mod templates;
