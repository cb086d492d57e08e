//! The id of a finding: the same in every run, from a report or from the live API.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike as _, SecondsFormat, Timelike as _, Utc};
use sha2::{Digest as _, Sha256};

use crate::model::inventory::{AccountId, CredentialKind, Timestamp};
use crate::model::policy::Rule;
use crate::templates::SafeDisplay;

/// A finding id: sixteen hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId([u8; 8]);

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl serde::Serialize for FindingId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for FindingId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl SafeDisplay for FindingId {}

impl FindingId {
    /// The first eight bytes of a digest.
    pub(super) fn of_digest(digest: &[u8]) -> Self {
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().zip(digest) {
            *to = *from;
        }
        Self(first)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a finding's ID has sixteen hex digits")]
pub struct InvalidFindingId;

impl FromStr for FindingId {
    type Err = InvalidFindingId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // There is one way to write an id. A number parser would also accept signs and capital
        // letters.
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 16 || !text.bytes().all(digit) {
            return Err(InvalidFindingId);
        }
        let number = u64::from_str_radix(text, 16).map_err(|_| InvalidFindingId)?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl fmt::Debug for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What identifies a finding. Slots and key ids are not part of it, because a report does not show
/// ids and the live API does not show slots.
pub(super) struct FindingIdentity<'a> {
    pub(super) account: AccountId,
    pub(super) user: &'a str,
    pub(super) user_created: &'a Timestamp,
    pub(super) rule: Rule,
    pub(super) kind: Option<CredentialKind>,
    /// The creation of the credential; `None` for a password and for a user.
    pub(super) created: Option<&'a Timestamp>,
    /// The position, from 0, among the user's credentials of the same kind that were created in the
    /// same second.
    pub(super) ordinal: usize,
}

impl FindingIdentity<'_> {
    /// The first eight bytes of SHA-256 over `v1|account|lower-case user|user creation
    /// time|rule|kind|credential creation time`. Times are RFC 3339 in UTC, to the second. The kind
    /// is `user` for a finding about the user. Further credentials that were created in the same
    /// second have `|1`, `|2`, … at the end.
    pub(super) fn finding_id(&self) -> FindingId {
        let mut text = String::with_capacity(160);
        for part in ["v1|", self.account.as_str(), "|"] {
            text.push_str(part);
        }
        let user = text.len();
        text.push_str(self.user);
        if let Some(user) = text.get_mut(user..) {
            user.make_ascii_lowercase();
        }
        text.push('|');
        push_stamp(&mut text, self.user_created);
        for part in ["|", self.rule.id(), "|", self.kind.map_or("user", CredentialKind::id), "|"] {
            text.push_str(part);
        }
        if let Some(created) = self.created {
            push_stamp(&mut text, created);
        }
        if self.ordinal > 0 {
            text.push('|');
            text.push_str(&self.ordinal.to_string());
        }
        FindingId::of_digest(&Sha256::digest(text.as_bytes()))
    }
}

fn push_stamp(text: &mut String, stamp: &Timestamp) {
    match stamp {
        Timestamp::At(moment) => push_seconds(text, *moment),
        Timestamp::Absent | Timestamp::Unreadable(_) => text.push_str(placeholder(stamp)),
    }
}

/// Whether two creation times look the same in an id, so that a position must tell the credentials
/// apart.
pub(super) fn same_creation(one: &Timestamp, other: &Timestamp) -> bool {
    match (one, other) {
        (Timestamp::At(one), Timestamp::At(other)) => one.timestamp() == other.timestamp(),
        (Timestamp::At(_), _) | (_, Timestamp::At(_)) => false,
        (one, other) => placeholder(one) == placeholder(other),
    }
}

/// What an id has instead of a missing date.
fn placeholder(stamp: &Timestamp) -> &str {
    match stamp {
        Timestamp::Unreadable(field) => &field.text,
        Timestamp::Absent | Timestamp::At(_) => "",
    }
}

/// `2026-06-30T12:00:00Z`, digit by digit: each finding has two, and the general formatter takes
/// longer than SHA-256.
fn push_seconds(text: &mut String, moment: DateTime<Utc>) {
    let Some(year) = u32::try_from(moment.year()).ok().filter(|year| *year < 10_000) else {
        text.push_str(&moment.to_rfc3339_opts(SecondsFormat::Secs, true));
        return;
    };
    let parts = [
        (year / 100, None),
        (year % 100, Some('-')),
        (moment.month(), Some('-')),
        (moment.day(), Some('T')),
        (moment.hour(), Some(':')),
        (moment.minute(), Some(':')),
        (moment.second(), Some('Z')),
    ];
    // All of the numbers have at most two digits.
    let digit = |number: u32| char::from_digit(number, 10).unwrap_or('?');
    for (number, behind) in parts {
        text.push(digit(number / 10));
        text.push(digit(number % 10));
        if let Some(behind) = behind {
            text.push(behind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finding_id_parses_only_its_own_format() {
        let one = FindingId([0, 1, 0x2a, 0xff, 4, 5, 6, 7]);
        assert_eq!(one.to_string().parse(), Ok(one));
        for other in
            ["", "00012aff0405060", "00012AFF04050607", "+0012aff04050607", "00012aff040506 7"]
        {
            assert_eq!(other.parse::<FindingId>(), Err(InvalidFindingId), "{other}");
        }
    }

    #[test]
    fn timestamps_match_the_chrono_formatter() {
        for seconds in
            [-62_167_219_200, -1, 0, 951_782_399, 1_782_820_800, 253_402_300_799, 1 << 40]
        {
            let moment = DateTime::from_timestamp(seconds, 999_999_999).unwrap();
            let mut text = String::new();
            push_seconds(&mut text, moment);
            assert_eq!(text, moment.to_rfc3339_opts(SecondsFormat::Secs, true));
        }
    }
}
