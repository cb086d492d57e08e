//! The GitHub stand-in itself: what the tests of the queue lean on, asked over plain HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "the test process is at the edge itself")]

mod client;
mod contract;
mod faults;
#[path = "../support/github.rs"]
mod github;
mod life;
mod limits;
mod permissions;
mod runs;
mod ways;
