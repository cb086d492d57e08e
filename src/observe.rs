//! AWS → inventory: exported credential reports, and live accounts.

mod account;
mod accounts;
pub(crate) mod call;
mod closely;
pub mod credential_report;
pub mod export;
mod foreign;
mod last_accessed;
pub(crate) mod limit;
mod message;
mod owners;
pub(crate) mod pages;
mod population;
mod same_second;
mod second_look;
mod service_credentials;
pub mod session;
mod sweep;
mod users;

use aws_sdk_iam::primitives::DateTime as AwsDateTime;
use chrono::{DateTime, Utc};

pub use account::{Brief, Step};
pub use accounts::{Event, Progress, observe, open};
pub(crate) use closely::{Closeness, Glance, identity, look_closely};

use crate::model::inventory::{Stamp, Unreadable};
use call::Failure;

/// A moment of the API, to the second, as the credential report has it; `None` where the answer has
/// none. The SDK fills 1970-01-01 in for a required date that is missing, and nothing in IAM is as old
/// as that.
fn moment(date: &AwsDateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(date.secs(), 0).filter(|it| it.timestamp() > 0)
}

/// A date of the API's answer; one that is missing is unreadable, not absent.
fn stamp(field: &str, date: &AwsDateTime) -> Stamp {
    moment(date).map_or_else(|| missing_date(field), Stamp::At)
}

/// A date that the answer should have.
fn missing_date(field: &str) -> Stamp {
    let (column, text) = (field.to_owned(), "missing".to_owned());
    Stamp::Unreadable(Box::new(Unreadable { column, text }))
}

/// A date without which the answer says nothing.
fn required_date(
    action: &'static str,
    field: &str,
    date: Option<&AwsDateTime>,
) -> Result<DateTime<Utc>, Failure> {
    date.and_then(moment).ok_or_else(|| missing(action, field))
}

/// A name or an id without which the answer says nothing. The SDK fills an empty text in for a
/// required one that is missing.
fn required<'a>(
    action: &'static str,
    field: &str,
    text: Option<&'a str>,
) -> Result<&'a str, Failure> {
    text.filter(|text| !text.is_empty()).ok_or_else(|| missing(action, field))
}

fn missing(action: &'static str, field: &str) -> Failure {
    Failure::unexpected(action, format!("the answer lacks {field}"))
}
