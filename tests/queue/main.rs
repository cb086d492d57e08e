//! The loop closed: the real binary as the action, from AWS to the issue tracker and back, against
//! stand-ins for both. Every request of every test must keep GitHub's contract.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    missing_docs
)]

mod audits;
#[path = "../support/aws.rs"]
mod aws;
mod dry_run;
mod faults;
#[path = "../support/github.rs"]
#[allow(dead_code, reason = "every test binary has its own copy and uses a part of it")]
mod github;
mod keeps;
mod life;
mod many;
mod page;
mod people;
mod runner;
#[path = "../end_to_end/sandbox.rs"]
#[allow(dead_code, reason = "every test binary has its own copy and uses a part of it")]
mod sandbox;
mod settings;
mod twins;
mod world;
