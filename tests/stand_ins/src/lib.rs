//! Stand-ins for AWS, GitHub and the runner, and helpers for tests of several levels.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    clippy::new_without_default
)]

pub mod aws;
pub mod expect;
pub mod gfm;
pub mod github;
pub mod http;
pub mod job;
pub mod mutate;
pub mod network;
pub mod sandbox;
pub mod services;
pub mod shell;
pub mod workflow_commands;
pub mod world;

// The tests use them through this crate: see `default-members` in Cargo.toml.
pub use {hcl, jsonschema, proptest};
