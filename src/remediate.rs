//! Stale credentials, and what they leave behind, removed in stages that can be undone: a notice,
//! the deactivation, the deletion.
//!
//! [`plan`] says what is to be changed, and is pure. What is planned is carried out step by step by
//! `apply`, which looks again just before each change; every step stands in the [`journal`] before
//! and after it is done, so that a run that was cut off can be finished and deactivations undone.

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
    LookupError, MissingEvidence, RemediationAccounts, RemediationUser, users_in_scope,
};
pub use apply::{ApplyResult, Executor, ResolveError, needs_holdings};
pub use undo::{UndoPlan, UndoResult, UndoSkipReason, plan_undo};
