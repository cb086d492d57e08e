//! The image, run as GitHub's runner runs it and by act with the example workflows, against the
//! stand-ins for AWS and GitHub. `tests/container/run.sh` builds the image and runs these tests; they
//! are ignored without it, since they need a container engine.
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

mod act;
#[path = "../support/aws.rs"]
mod aws;
mod engine;
mod examples;
#[path = "../support/github.rs"]
mod github;
mod image;
mod locked_down;
mod runner;
#[path = "../support/services.rs"]
#[allow(dead_code, reason = "every user has a copy of its own and uses a part of it")]
mod services;
mod stocktake;
mod world;
