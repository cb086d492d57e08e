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
mod memory;
mod number;
mod pages;
mod people;
mod pull_request;
mod remedy;
mod tracker;

use audits::{ACCOUNT, Audit, Found, OTHER_ACCOUNT, access_key, on, password};
use iam_stocktake::audit::FindingId;
use iam_stocktake::templates::Language;
use tracker::{Desk, Ran};

/// A desk in English that keeps one issue.
fn desk() -> Desk {
    Desk::new(Language::English, false)
}

/// A desk in English that keeps an issue for each user as well.
fn desk_per_user() -> Desk {
    Desk::new(Language::English, true)
}

const NOTHING: &str = "nothing to change\n";
