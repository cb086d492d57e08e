//! A time in the precision of the queue state.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// A time in whole seconds, so that observed and stored times can be compared. It is stored as the
/// seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnixTime(#[serde(with = "chrono::serde::ts_seconds")] DateTime<Utc>);

impl UnixTime {
    #[must_use]
    pub const fn get(self) -> DateTime<Utc> {
        self.0
    }

    #[must_use]
    pub fn day(self) -> NaiveDate {
        self.0.date_naive()
    }
}

impl From<DateTime<Utc>> for UnixTime {
    fn from(moment: DateTime<Utc>) -> Self {
        Self(DateTime::from_timestamp(moment.timestamp(), 0).unwrap_or(moment))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
