//! The remedy: the real binary against the AWS stand-in, day by day, on what it does to users as
//! well as on what it says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    missing_docs
)]

#[path = "../support/aws.rs"]
mod aws;
mod faults;
mod guards;
mod life;
mod meanwhile;
mod plans;
#[path = "../end_to_end/sandbox.rs"]
#[allow(dead_code, reason = "every test binary has its own copy and uses a part of it")]
mod sandbox;
mod world;
