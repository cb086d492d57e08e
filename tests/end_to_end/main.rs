//! What users see, through the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "the test process is at the edge itself")]

mod action;
mod allowlist;
mod arguments;
mod audit;
mod completions;
mod determinism;
mod examples;
#[path = "../support/expect.rs"]
mod expect;
#[cfg(unix)]
mod files;
#[path = "../support/gfm.rs"]
#[allow(dead_code, reason = "every test binary has its own copy and uses a part of it")]
mod gfm;
mod hostile;
mod iam_policy;
mod readme;
mod remedies;
mod sandbox;
mod templates;
#[path = "../support/workflow_commands.rs"]
mod workflow_commands;
