//! Audits × what GitHub shows → a plan → the remediation queue, the pull request's comment, the gate.
//!
//! Everything here is pure but `read` and `apply`, which ask GitHub and carry a plan out.

pub mod apply;
pub mod board;
pub mod bounds;
mod damage;
pub mod gate;
pub mod ledger;
pub mod markers;
pub mod memory;
pub mod observation;
pub mod occasion;
pub mod plan;
pub mod progress;
pub mod pull_request;
mod queue_name;
pub mod read;
mod room;
mod view;
pub mod warning;
