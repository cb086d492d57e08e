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
#![allow(clippy::duplicate_mod, reason = "each stand-in brings along what it is made of")]

mod accounts;
mod anew;
#[path = "../support/aws.rs"]
mod aws;
mod faults;
#[path = "../support/gfm.rs"]
#[allow(dead_code, reason = "every test binary has its own copy and uses a part of it")]
mod gfm;
#[path = "../support/github.rs"]
mod github;
mod guards;
mod identity;
mod job;
mod journals;
mod killed;
mod killed_deletion;
mod life;
mod meanwhile;
mod overlap;
mod permissions;
mod plans;
mod replaced;
#[path = "../end_to_end/sandbox.rs"]
#[allow(dead_code, reason = "every test binary has its own copy and uses a part of it")]
mod sandbox;
mod shown;
mod undone;
mod whole_user;
mod workflow;
#[path = "../support/workflow_commands.rs"]
mod workflow_commands;
mod world;
