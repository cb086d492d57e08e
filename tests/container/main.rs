//! Runs the image as GitHub's runner does, and the example workflows in act, against the stand-ins
//! for AWS and GitHub. `tests/container/run.sh` builds the image and runs these tests. Otherwise
//! they are ignored, because they need a container engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value
)]

mod act;
mod engine;
mod examples;
mod image;
mod locked_down;
mod runner;
mod stocktake;
mod world;
