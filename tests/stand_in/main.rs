//! The AWS stand-in itself: what the other tests lean on, asked over plain HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "the test process is at the edge itself")]

#[path = "../support/aws.rs"]
mod aws;
mod call;
mod changes;
mod clock;
mod credential_report;
mod deletion;
mod faults;
mod holds;
mod life;
mod paging;
mod policy;
mod sts;
mod tags;
mod users;
mod writes;
