//! How long a credential has not been used: reference dates and days of disuse.
//!
//! Each credential is evaluated on its own.

use chrono::{DateTime, SecondsFormat, Utc};

use super::finding::ReferenceKind;
use crate::model::inventory::{
    AccessKey, CredentialHandle, Flag, OtherCredential, Password, Timestamp, UnreadableField,
};

pub(super) type ReferenceDate = (ReferenceKind, DateTime<Utc>);

/// The report's column for the last change of a password.
pub(super) const PASSWORD_LAST_CHANGED: &str = "password_last_changed";
/// The report's column for the creation of a user.
pub(super) const USER_CREATION_TIME: &str = "user_creation_time";

/// Whether a credential is enabled, and since when it is unused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Disuse {
    /// It is not enabled.
    Disabled,
    /// It is enabled and unused since then.
    Since(ReferenceDate),
    /// A field that is needed cannot be read.
    Unknown(UnreadableField),
}

/// `floor((now - reference) / 86 400 s)`, never below 0.
pub(super) fn days(now: DateTime<Utc>, reference: DateTime<Utc>) -> i64 {
    (now - reference).num_days().max(0)
}

/// The disuse of a password: since its last use; if it was never used, since its last change; if
/// that is unknown, since the creation of the user. A date after `latest` cannot be read.
pub(super) fn password(
    password: &Password,
    user_created: &Timestamp,
    latest: DateTime<Utc>,
) -> Disuse {
    enabled(&password.enabled, || {
        let last_used = || "password_last_used".to_owned();
        let changed = || PASSWORD_LAST_CHANGED.to_owned();
        let created = || USER_CREATION_TIME.to_owned();
        let fallbacks: [DateField<'_>; 2] =
            [(&password.last_changed, &changed), (user_created, &created)];
        since((&password.last_used, &last_used), &fallbacks, latest)
    })
}

/// The disuse of an access key, active or not: since its last use; if it was never used, since its
/// creation.
pub(super) fn access_key_since(
    key: &AccessKey<'_>,
    latest: DateTime<Utc>,
) -> Result<ReferenceDate, UnreadableField> {
    let last_used = || last_used_column(&key.handle);
    let created = || created_column("access_key", &key.handle);
    since((&key.last_used, &last_used), &[(&key.created, &created)], latest)
}

/// The disuse of an access key, if it is active.
pub(super) fn access_key(key: &AccessKey<'_>, latest: DateTime<Utc>) -> Disuse {
    enabled(&key.active, || access_key_since(key, latest))
}

/// The age of an access key, if it is active.
pub(super) fn access_key_age(key: &AccessKey<'_>, latest: DateTime<Utc>) -> Disuse {
    enabled(&key.active, || {
        created(&key.created, latest, || created_column("access_key", &key.handle))
    })
}

/// The age of a credential without a last-used date, if it is active.
pub(super) fn other_age(credential: &OtherCredential, latest: DateTime<Utc>) -> Disuse {
    enabled(&credential.active, || {
        created(&credential.created, latest, || created_column("cert", &credential.handle))
    })
}

fn enabled(flag: &Flag, since: impl FnOnce() -> Result<ReferenceDate, UnreadableField>) -> Disuse {
    match flag {
        Flag::No => Disuse::Disabled,
        Flag::Unreadable(field) => Disuse::Unknown((**field).clone()),
        Flag::Yes => since().map_or_else(Disuse::Unknown, Disuse::Since),
    }
}

/// A date, and the name of its field.
type DateField<'a> = (&'a Timestamp, &'a dyn Fn() -> String);

/// The time, or `None` if it is absent. A date after `latest` counts as unreadable: the date or the
/// local clock is wrong, and either could make a used credential look unused.
pub(super) fn moment(
    stamp: &Timestamp,
    latest: DateTime<Utc>,
    name: impl FnOnce() -> String,
) -> Result<Option<DateTime<Utc>>, UnreadableField> {
    match stamp {
        Timestamp::Absent => Ok(None),
        Timestamp::At(at) if *at > latest => {
            let date = at.to_rfc3339_opts(SecondsFormat::Secs, true);
            Err(UnreadableField { column: name(), text: format!("{date} (in the future)") })
        }
        Timestamp::At(at) => Ok(Some(*at)),
        Timestamp::Unreadable(field) => Err((**field).clone()),
    }
}

/// The last use, or the first of `fallbacks` that is present. After an unreadable date the next one
/// would only be a guess.
fn since(
    last_used: DateField<'_>,
    fallbacks: &[DateField<'_>],
    latest: DateTime<Utc>,
) -> Result<ReferenceDate, UnreadableField> {
    let (stamp, name) = last_used;
    if let Some(at) = moment(stamp, latest, name)? {
        return Ok((ReferenceKind::LastUsed, at));
    }
    for (stamp, name) in fallbacks {
        if let Some(at) = moment(stamp, latest, name)? {
            return Ok((ReferenceKind::NeverUsedSince, at));
        }
    }
    Err(no_date(fallbacks.first().map(|(_, name)| name()).unwrap_or_default()))
}

/// The creation of a credential or a user.
pub(super) fn created(
    stamp: &Timestamp,
    latest: DateTime<Utc>,
    column: impl Fn() -> String,
) -> Result<ReferenceDate, UnreadableField> {
    match moment(stamp, latest, &column)? {
        Some(at) => Ok((ReferenceKind::Created, at)),
        None => Err(no_date(column())),
    }
}

/// The field for the last use of an access key, in the report or the API.
fn last_used_column(handle: &CredentialHandle) -> String {
    match handle {
        CredentialHandle::Slot(slot) => format!("access_key_{slot}_last_used_date"),
        CredentialHandle::Id(_) => "LastUsedDate".to_owned(),
    }
}

/// The field for the creation of a credential, in the report or the API.
fn created_column(kind: &str, handle: &CredentialHandle) -> String {
    match handle {
        CredentialHandle::Slot(slot) => format!("{kind}_{slot}_last_rotated"),
        CredentialHandle::Id(_) => "CreateDate".to_owned(),
    }
}

/// For an enabled credential without any date.
fn no_date(column: String) -> UnreadableField {
    UnreadableField { column, text: "N/A".to_owned() }
}
