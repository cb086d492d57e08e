//! Fields of a credential report or an API response, which may be unreadable.

use chrono::{DateTime, Utc};

/// A date that may be absent or unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timestamp {
    /// The field has no value: `N/A`, `no_information`, `not_supported`.
    Absent,
    /// A time, to the second.
    At(DateTime<Utc>),
    /// There is text that is not a date.
    Unreadable(Box<UnreadableField>),
}

impl Timestamp {
    /// The time, if it can be read.
    #[must_use]
    pub const fn at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(moment) => Some(*moment),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }
}

/// A Boolean that may be unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flag {
    /// `true`.
    Yes,
    /// `false`, or a value that says that the credential does not exist.
    No,
    /// There is text that is neither.
    Unreadable(Box<UnreadableField>),
}

/// A field that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadableField {
    /// The column of the credential report, or the field of the API's answer.
    pub column: String,
    /// Its content.
    pub text: String,
}
