//! Removes stale credentials in stages: notice, deactivation, deletion.
//!
//! [`plan`] is pure and computes the changes. `apply` makes them step by step, with a re-check
//! right before each change. Every step is recorded in the [`journal`] before and after it runs, so
//! an interrupted run can be finished and deactivations can be undone.

mod accounts;
mod apply;
mod delete;
pub mod history;
pub mod journal;
pub mod pages;
pub mod plan;
mod undo;
mod write;

pub use accounts::{
    AccountTags, LookupError, MissingEvidence, RemediationAccounts, RemediationUser, users_in_scope,
};
pub use apply::{ApplyResult, Executor, ResolveError, needs_holdings};
pub use undo::{UndoPlan, UndoResult, UndoSkipReason, plan_undo};
