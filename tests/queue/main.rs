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
#![allow(clippy::duplicate_mod, reason = "each stand-in brings along what it is made of")]

mod audits;
#[path = "../support/aws.rs"]
mod aws;
mod bots;
#[path = "../support/network.rs"]
mod company;
mod dry_run;
mod faults;
#[path = "../support/gfm.rs"]
#[allow(dead_code, reason = "every test binary has its own copy and uses a part of it")]
mod gfm;
#[path = "../support/github.rs"]
mod github;
mod identity;
mod keeps;
mod life;
mod locked;
mod many;
mod network;
mod number;
mod page;
mod pages;
mod people;
mod runner;
#[path = "../end_to_end/sandbox.rs"]
#[allow(dead_code, reason = "every test binary has its own copy and uses a part of it")]
mod sandbox;
mod settings;
mod ssh_keys;
mod twins;
#[allow(dead_code, reason = "every test binary has its own copy and uses a part of it")]
mod world;
