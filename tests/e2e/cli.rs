//! What users see, through the real binary.

mod allowlist;
mod arguments;
mod audit;
mod completions;
mod determinism;
mod examples;
#[cfg(unix)]
mod files;
mod hostile;
mod iam_policy;
mod readme;
mod scripts;
mod templates;
