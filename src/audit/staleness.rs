//! How long a credential has not been used: reference dates and days of disuse.
//!
//! Every credential is judged alone; no use of one hides the disuse of another.

use chrono::{DateTime, SecondsFormat, Utc};

use super::finding::ReferenceKind;
use crate::model::inventory::{
    AccessKey, CredentialHandle, Flag, OtherCredential, Password, Timestamp, UnreadableField,
};

/// The date from which disuse is counted.
pub(super) type ReferenceDate = (ReferenceKind, DateTime<Utc>);

/// The report's column with the last change of a password.
pub(super) const PASSWORD_LAST_CHANGED: &str = "password_last_changed";
/// The report's column with the creation of a user.
pub(super) const USER_CREATION_TIME: &str = "user_creation_time";

/// Whether a credential is enabled, and since when it is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Disuse {
    /// It is not enabled.
    Disabled,
    /// It is enabled and unused since then.
    Since(ReferenceDate),
    /// A field that the verdict hangs on cannot be read.
    Unknown(UnreadableField),
}

/// `floor((now - reference) / 86 400 s)`, never below 0.
pub(super) fn days(now: DateTime<Utc>, reference: DateTime<Utc>) -> i64 {
    (now - reference).num_days().max(0)
}

/// The password's disuse: from the last use; if never used from its last change; if that is not
/// known either from the user's creation. A date after `latest` cannot be relied on.
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

/// The key's disuse, whether it is active or not: from the last use; if never used from its
/// creation.
pub(super) fn access_key_since(
    key: &AccessKey<'_>,
    latest: DateTime<Utc>,
) -> Result<ReferenceDate, UnreadableField> {
    let last_used = || last_used_column(&key.handle);
    let created = || created_column("access_key", &key.handle);
    since((&key.last_used, &last_used), &[(&key.created, &created)], latest)
}

/// The key's disuse if it is active.
pub(super) fn access_key(key: &AccessKey<'_>, latest: DateTime<Utc>) -> Disuse {
    enabled(&key.active, || access_key_since(key, latest))
}

/// The age of an active key.
pub(super) fn access_key_age(key: &AccessKey<'_>, latest: DateTime<Utc>) -> Disuse {
    enabled(&key.active, || {
        created(&key.created, latest, || created_column("access_key", &key.handle))
    })
}

/// The age of an active credential that bears no last-used date.
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

/// A date, and the name of the field that it stands in.
type DateField<'a> = (&'a Timestamp, &'a dyn Fn() -> String);

/// The moment of a date; `None` where there is none. A date after `latest` is as good as
/// unreadable: either it is wrong or our clock is, and both would make a used credential of an
/// unused one.
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

/// The last use, or the first of `fallbacks` that is there. An unreadable date before that is the
/// end: the dates behind it would only make a guess.
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

/// Where the last use of an access key would stand: the report's column, or the API's field.
fn last_used_column(handle: &CredentialHandle) -> String {
    match handle {
        CredentialHandle::Slot(slot) => format!("access_key_{slot}_last_used_date"),
        CredentialHandle::Id(_) => "LastUsedDate".to_owned(),
    }
}

/// Where the creation of a credential would stand: the report's column, or the API's field.
fn created_column(kind: &str, handle: &CredentialHandle) -> String {
    match handle {
        CredentialHandle::Slot(slot) => format!("{kind}_{slot}_last_rotated"),
        CredentialHandle::Id(_) => "CreateDate".to_owned(),
    }
}

/// An enabled credential that nothing dates.
fn no_date(column: String) -> UnreadableField {
    UnreadableField { column, text: "N/A".to_owned() }
}
