//! Takes stock of the IAM users in AWS accounts.
//!
//! Data flows one way, and so do imports:
//!
//! 1. [`observe`] reads accounts and users from AWS or from an exported credential report;
//!    [`allowlist`] reads the committed exemptions.
//! 2. [`audit`] applies rules, exemptions and policy to them, which gives an [`audit::Audit`].
//! 3. [`report`] turns the audit into Markdown, JSON and a table.
//! 4. [`queue`] plans and writes the issues and the pull request comment, and evaluates the gate;
//!    [`remediate`] plans and carries out the removal of credentials.
//!
//! [`commands`] connects the stages for each subcommand of [`cli`]. [`model`] has the plain values
//! that the stages hand to each other, [`permissions`] the IAM policies that the stages need, and
//! [`github`], [`runner`] and [`files`] are the adapters. `docs/architecture.md` shows the map, and
//! `tests/unit/architecture.rs` checks it.

pub mod allowlist;
pub mod audit;
pub mod cause;
pub mod cli;
pub mod commands;
pub mod files;
pub mod github;
pub mod model;
pub mod observe;
pub mod permissions;
pub mod queue;
pub mod remediate;
pub mod report;
mod retry;
pub mod runner;
pub mod secrets;
pub mod templates;
