//! The real binary against stand-ins for AWS and GitHub, on what it sends and what it makes of the
//! answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    clippy::print_stdout
)]

mod aws_stand_in;
mod cli;
mod github_stand_in;
mod live;
mod mutated_answers;
mod pull_request;
mod queue;
mod remediate;
