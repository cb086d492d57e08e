//! What the queue makes of audits over the days, the gate, and what is said on a pull request: the
//! pure part of `publish`, against an issue tracker in memory.

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

/// A harness in English that keeps one issue.
fn harness() -> Harness {
    Harness::new(Language::English, false)
}

/// A harness in English that keeps an issue for each user as well.
fn harness_per_user() -> Harness {
    Harness::new(Language::English, true)
}

const NOTHING: &str = "nothing to change\n";
