//! AWS → inventory: exported credential reports, and live accounts.

mod account;
mod accounts;
pub(crate) mod call;
mod closely;
pub mod credential_report;
pub mod export;
mod last_accessed;
mod owners;
pub(crate) mod pages;
mod second_look;
mod service_credentials;
pub mod session;
mod sweep;
mod users;

use aws_sdk_iam::primitives::DateTime as AwsDateTime;
use chrono::{DateTime, Utc};

pub use account::{Brief, Step};
pub use accounts::{Event, Progress, observe, open};
pub(crate) use closely::{Closeness, Glance, look_closely, user_id};

use crate::inventory::{Stamp, Unreadable};

/// A moment of the API, to the second, as the credential report has it.
fn moment(date: &AwsDateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(date.secs(), 0)
}

/// A date of the API's answer.
fn stamp(field: &str, date: &AwsDateTime) -> Stamp {
    moment(date).map_or_else(
        || {
            let text = date.secs().to_string();
            Stamp::Unreadable(Box::new(Unreadable { column: field.to_owned(), text }))
        },
        Stamp::At,
    )
}
