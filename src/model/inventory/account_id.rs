//! AWS account ids.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A twelve-digit AWS account id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId([u8; 12]);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAccountId {
    /// It is not a number of twelve digits.
    #[error("an AWS account ID has twelve digits")]
    NotTwelveDigits,
    /// It is a number with fewer digits.
    #[error(
        "an AWS account ID has twelve digits. A leading zero may be missing: in YAML, write the ID in \
         quotes"
    )]
    TooFewDigits,
}

impl FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        match text.as_bytes().try_into() {
            Ok(digits) if is_number => Ok(Self(digits)),
            // Spreadsheets and YAML parsers read an id as a number and drop its leading zeros.
            _ if is_number && (9..12).contains(&text.len()) => Err(InvalidAccountId::TooFewDigits),
            _ => Err(InvalidAccountId::NotTwelveDigits),
        }
    }
}

impl AccountId {
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for AccountId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for AccountId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
