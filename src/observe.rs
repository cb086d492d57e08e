//! AWS → inventory: exported credential reports, and live accounts.

mod account;
mod accounts;
pub(crate) mod call;
pub mod credential_report;
pub mod export;
mod fetch_report;
mod last_accessed;
mod matched_users;
mod message;
mod non_aws_response;
pub(crate) mod pages;
mod recheck;
pub(crate) mod response_limit;
mod same_second;
mod service_credentials;
pub mod session;
mod user_details;
mod user_record;
mod users;

use aws_sdk_iam::primitives::DateTime as AwsDateTime;
use chrono::{DateTime, Utc};

pub use account::{ObserveOptions, ProgressStep};
pub use accounts::{ProgressCallback, ProgressEvent, observe, open_sessions};
pub(crate) use user_record::{UserLookup, UserRecordOptions, fetch_user_record, user_id_and_tags};

use crate::model::inventory::{Timestamp, UnreadableField};
use call::AwsError;

/// A moment of the API, to the second, as the credential report has it; `None` where the answer has
/// none. The SDK fills 1970-01-01 in for a required date that is missing, and nothing in IAM is as old
/// as that.
fn moment(date: &AwsDateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(date.secs(), 0).filter(|it| it.timestamp() > 0)
}

/// A date of the API's answer; one that is missing is unreadable, not absent.
fn timestamp(field: &str, date: &AwsDateTime) -> Timestamp {
    moment(date).map_or_else(|| missing_date(field), Timestamp::At)
}

/// A date that the answer should have.
fn missing_date(field: &str) -> Timestamp {
    let (column, text) = (field.to_owned(), "missing".to_owned());
    Timestamp::Unreadable(Box::new(UnreadableField { column, text }))
}

/// A date without which the answer says nothing.
fn required_date(
    action: &'static str,
    field: &str,
    date: Option<&AwsDateTime>,
) -> Result<DateTime<Utc>, AwsError> {
    date.and_then(moment).ok_or_else(|| missing(action, field))
}

/// A name or an id without which the answer says nothing. The SDK fills an empty text in for a
/// required one that is missing.
fn required<'a>(
    action: &'static str,
    field: &str,
    text: Option<&'a str>,
) -> Result<&'a str, AwsError> {
    text.filter(|text| !text.is_empty()).ok_or_else(|| missing(action, field))
}

fn missing(action: &'static str, field: &str) -> AwsError {
    AwsError::unexpected(action, format!("the answer lacks {field}"))
}
