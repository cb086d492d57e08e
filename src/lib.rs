//! Takes stock of the IAM users of AWS accounts.
//!
//! Data flows one way: [`observe`] makes an [`inventory`] of a credential report, [`allowlist`]
//! reads the committed exemptions, [`judge`] weighs both into an audit, and [`report`] writes the
//! audit down. [`app`] wires the stages for the commands of [`cli`]. Between the stages stand
//! plain values; `judge` and `report` are pure: no clock, no environment, no file. [`permissions`]
//! knows what AWS must allow for it, and [`github`] speaks to GitHub.

pub mod allowlist;
pub mod app;
pub mod cause;
pub mod cli;
pub mod clock;
pub mod files;
pub mod github;
pub mod identity;
pub mod inventory;
pub mod judge;
pub mod observe;
pub mod permissions;
pub mod policy;
pub mod publish;
pub mod remediate;
pub mod report;
pub mod runner;
pub mod secrets;
pub mod settings;
