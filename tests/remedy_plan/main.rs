//! What the remedy plans, over values alone: each guard with a case beside it in which it does not
//! stand in the way, so that a guard that is gone shows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod case;
mod clocks;
mod guards;
mod limits;
mod properties;
#[path = "../support/mod.rs"]
mod support;
mod whole_user;
