//! The queue over several days, the gate, and the pull request comment: the pure part of `publish`,
//! against an in-memory issue tracker.

mod accounts;
mod age;
mod audits;
mod clearing;
mod gate;
mod hostile;
mod large;
mod life;
mod markdown;
mod number;
mod pages;
mod people;
mod pull_request;
mod remediation;
mod state;
mod tracker;

use audits::{ACCOUNT, Audit, Found, OTHER_ACCOUNT, access_key, on, password};
use iam_stocktake::audit::FindingId;
use iam_stocktake::templates::Language;
use tracker::{Harness, QueueRun};

/// A queue in English with one issue.
fn harness() -> Harness {
    Harness::new(Language::English, false)
}

/// A queue in English with per-user issues.
fn harness_per_user() -> Harness {
    Harness::new(Language::English, true)
}

const NOTHING: &str = "nothing to change\n";
