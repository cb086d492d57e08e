//! What users see, through the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod allowlist;
mod audit;
mod determinism;
mod examples;
mod hostile;
mod remedies;
mod sandbox;
mod templates;
