//! Remediation tags: the tags on an IAM user that record the stage of each credential, and since
//! when. The audit shows them; only `remediate` sets them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Days, SecondsFormat, Utc};
use sha2::{Digest as _, Sha256};

use crate::model::inventory::CredentialKind;
use crate::model::policy::hex16;
use crate::model::text_enum;

/// The prefix of the tag keys. The remediation role may not set other tags.
pub const TAG_KEY_PREFIX: &str = "iam-stocktake:";
/// IAM's limit for the length of a tag key.
const MAX_TAG_KEY_LENGTH: usize = 128;
/// The name of the whole user in tag keys.
const USER: &str = "user";

/// What a remediation tag is about: a credential, or the user as a whole.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum TagSubject {
    /// A credential; a password has no id.
    Credential(CredentialKind, Option<String>),
    /// The user as a whole.
    User,
}

impl TagSubject {
    /// The password.
    pub const PASSWORD: Self = Self::Credential(CredentialKind::Password, None);

    /// The key of its tag.
    #[must_use]
    pub fn key(&self) -> String {
        let name = match self {
            Self::User => USER.to_owned(),
            Self::Credential(kind, None) => kind.id().to_owned(),
            Self::Credential(kind, Some(id)) => format!("{}:{id}", kind.id()),
        };
        let key = format!("{TAG_KEY_PREFIX}{name}");
        match self {
            Self::Credential(kind, Some(id)) if key.len() > MAX_TAG_KEY_LENGTH => {
                format!("{TAG_KEY_PREFIX}{}:{}", kind.id(), hex16(&Sha256::digest(id.as_bytes())))
            }
            _ => key,
        }
    }
}

impl fmt::Display for TagSubject {
    /// Shows only the last four characters of an id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => f.write_str(USER),
            Self::Credential(kind, None) => f.write_str(kind.id()),
            Self::Credential(kind, Some(id)) => {
                let ending = id.len().saturating_sub(4);
                write!(f, "{} …{}", kind.id(), id.get(ending..).unwrap_or_default())
            }
        }
    }
}

text_enum! {
    /// The remediation status of a credential or user.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum RemediationStatus {
        /// The next stage was announced.
        Notified,
        /// A run deactivated it.
        Deactivated,
        /// It was inactive already: someone else deactivated it.
        Inactive,
    }
}

impl RemediationStatus {
    /// Whether the tag says that the credential is inactive.
    #[must_use]
    pub const fn is_inactive(self) -> bool {
        matches!(self, Self::Deactivated | Self::Inactive)
    }
}

/// The value of a remediation tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RemediationTag {
    /// The status.
    pub reached: RemediationStatus,
    /// The start of the days until the next stage.
    pub since: DateTime<Utc>,
    /// When a run last saw this status, within about half of the allowed gap.
    pub seen: DateTime<Utc>,
}

impl RemediationTag {
    /// The time after this many days.
    #[must_use]
    pub fn due_after(self, days: u32) -> DateTime<Utc> {
        days_after(self.since, days)
    }

    /// Whether no run has seen it for longer than the policy allows, so nobody was reminded in the
    /// meantime.
    #[must_use]
    pub fn exceeds_max_gap(self, now: DateTime<Utc>, max_gap_days: u32) -> bool {
        now > days_after(self.seen, max_gap_days)
    }
}

/// The time this many days after another.
#[must_use]
pub fn days_after(moment: DateTime<Utc>, days: u32) -> DateTime<Utc> {
    moment.checked_add_days(Days::new(days.into())).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value of the tag cannot be read")]
pub struct InvalidRemediationTag;

impl fmt::Display for RemediationTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = |it: DateTime<Utc>| it.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (since, seen) = (moment(self.since), moment(self.seen));
        write!(f, "{} since={since} seen={seen}", self.reached.id())
    }
}

impl FromStr for RemediationTag {
    type Err = InvalidRemediationTag;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let moment = |word: &str, name: &str| {
            let value = word.strip_prefix(name)?.strip_prefix('=')?;
            DateTime::parse_from_rfc3339(value).ok().map(|it| it.to_utc())
        };
        let words: Vec<_> = text.split(' ').collect();
        let [reached, since, seen] = words.as_slice() else { return Err(InvalidRemediationTag) };
        let reached = reached.parse().ok();
        match (reached, moment(since, "since"), moment(seen, "seen")) {
            (Some(reached), Some(since), Some(seen)) => Ok(Self { reached, since, seen }),
            _ => Err(InvalidRemediationTag),
        }
    }
}

/// The remediation tags among a user's tags, by key.
pub fn stocktake_tags(tags: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    let stocktake_tags = tags.iter().filter(|(key, _)| key.starts_with(TAG_KEY_PREFIX));
    stocktake_tags.map(|(key, value)| (key.as_str(), value.as_str()))
}

/// The remediation tag of a credential or user; `None` if it is absent or cannot be read.
#[must_use]
pub fn find(subject: &TagSubject, tags: &BTreeMap<String, String>) -> Option<RemediationTag> {
    tags.get(&subject.key())?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn tag_value_round_trips() {
        for reached in RemediationStatus::ALL {
            let (since, seen) = (moment("2026-11-01T06:00:00Z"), moment("2026-11-08T06:00:00Z"));
            let tag = RemediationTag { reached, since, seen };
            assert_eq!(tag.to_string().parse(), Ok(tag));
        }
        for text in
            ["", "notified", "notified since=x seen=y", "deleted since=2026-11-01T06:00:00Z"]
        {
            assert_eq!(text.parse::<RemediationTag>(), Err(InvalidRemediationTag), "{text}");
        }
    }

    #[test]
    fn tag_is_valid_for_iam() {
        let allowed = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
        let tag = RemediationTag {
            reached: RemediationStatus::Deactivated,
            since: moment("2026-11-01T06:00:00Z"),
            seen: moment("2026-11-08T06:00:00Z"),
        };
        assert!(tag.to_string().chars().all(allowed) && tag.to_string().len() <= 256);
        for subject in [
            TagSubject::User,
            TagSubject::Credential(CredentialKind::Password, None),
            TagSubject::Credential(CredentialKind::SigningCertificate, Some("A".repeat(128))),
            TagSubject::Credential(
                CredentialKind::AccessKey,
                Some("AKIAIOSFODNN7EXAMPLE".to_owned()),
            ),
        ] {
            let key = subject.key();
            assert!(key.starts_with(TAG_KEY_PREFIX) && key.len() <= MAX_TAG_KEY_LENGTH, "{key}");
            assert!(key.chars().all(allowed), "{key}");
        }
    }

    #[test]
    fn long_ids_get_distinct_tag_keys() {
        let key = |id: &str| {
            let id = format!("{}{id}", "A".repeat(127));
            TagSubject::Credential(CredentialKind::SigningCertificate, Some(id)).key()
        };
        assert_ne!(key("1"), key("2"));
    }
}
