//! Audits × the issues on GitHub → a plan → the remediation queue, the pull request comment, the
//! gate.
//!
//! Everything here is pure except `read` and `apply`, which read from GitHub and carry out a plan.

pub mod apply;
pub mod by_account;
pub mod destination;
mod exemptions;
mod fit;
pub mod gate;
mod invalid_state;
pub mod limited_list;
pub mod limits;
pub mod markers;
pub mod observation;
pub mod plan;
pub mod pull_request;
mod queue_name;
mod queue_page;
pub mod read;
pub mod remediation_entry;
pub mod remediation_progress;
mod remediation_update;
pub mod snapshot;
pub mod state;
pub mod unix_time;
pub mod update;
mod view;
pub mod warning;
