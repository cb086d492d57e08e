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

use std::collections::BTreeMap;

use aws_sdk_iam::primitives::DateTime as AwsDateTime;
use chrono::{DateTime, Utc};

pub use account::{ObserveOptions, ProgressStep};
pub use accounts::{ProgressCallback, ProgressEvent, observe, open_sessions};
pub(crate) use user_record::{UserLookup, UserRecordOptions, fetch_user_record, user_id_and_tags};

use crate::model::inventory::{Timestamp, UnreadableField};
use call::{AwsError, CallLimits};
use session::Session;

/// The tags of all users of an account, by user name in lower case.
pub(crate) async fn user_tags(
    session: &Session,
    limits: &CallLimits,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, AwsError> {
    let details = user_details::of_all(session, limits).await?;
    Ok(details.into_iter().map(|(name, details)| (name, details.tags)).collect())
}

/// A time in a response, in whole seconds like in the credential report. For a missing required
/// date, the SDK returns 1970-01-01, which is older than IAM. That is `None`.
fn moment(date: &AwsDateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(date.secs(), 0).filter(|it| it.timestamp() > 0)
}

/// A date in a response. A missing date is unreadable, not absent.
fn timestamp(field: &str, date: &AwsDateTime) -> Timestamp {
    moment(date).map_or_else(|| missing_date(field), Timestamp::At)
}

fn missing_date(field: &str) -> Timestamp {
    let (column, text) = (field.to_owned(), "missing".to_owned());
    Timestamp::Unreadable(Box::new(UnreadableField { column, text }))
}

/// A date that the response must contain.
fn required_date(
    action: &'static str,
    field: &str,
    date: Option<&AwsDateTime>,
) -> Result<DateTime<Utc>, AwsError> {
    date.and_then(moment).ok_or_else(|| missing(action, field))
}

/// A name or ID that the response must contain. For a missing one, the SDK returns an empty string.
fn required<'a>(
    action: &'static str,
    field: &str,
    text: Option<&'a str>,
) -> Result<&'a str, AwsError> {
    text.filter(|text| !text.is_empty()).ok_or_else(|| missing(action, field))
}

fn missing(action: &'static str, field: &str) -> AwsError {
    AwsError::unexpected(action, format!("the response has no {field}"))
}
