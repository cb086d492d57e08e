//! How long a credential has not been used: reference dates and days of disuse.
//!
//! Every credential is judged alone; no use of one hides the disuse of another.

use chrono::{DateTime, Utc};

use super::finding::Reference;
use crate::inventory::{AccessKey, Flag, Handle, OtherCredential, Password, Stamp, Unreadable};

/// The date from which disuse is counted.
pub(super) type Since = (Reference, DateTime<Utc>);

/// Whether a credential is enabled, and since when it is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Disuse {
    /// It is not enabled.
    Disabled,
    /// It is enabled and unused since then.
    Since(Since),
    /// A field that the verdict hangs on cannot be read.
    Unknown(Unreadable),
}

/// `floor((now - reference) / 86 400 s)`, never below 0.
pub(super) fn days(now: DateTime<Utc>, reference: DateTime<Utc>) -> i64 {
    (now - reference).num_days().max(0)
}

/// The password's disuse: from the last use; if never used from its last change; if that is not
/// known either from the user's creation.
pub(super) fn password(password: &Password, user_created: &Stamp) -> Disuse {
    enabled(&password.enabled, || {
        let column = || "password_last_changed".to_owned();
        since(&password.last_used, &[&password.last_changed, user_created], column)
    })
}

/// The key's disuse, whether it is active or not: from the last use; if never used from its
/// creation.
pub(super) fn access_key_since(key: &AccessKey<'_>) -> Result<Since, Unreadable> {
    since(&key.last_used, &[&key.created], || created_column("access_key", &key.handle))
}

/// The key's disuse if it is active.
pub(super) fn access_key(key: &AccessKey<'_>) -> Disuse {
    enabled(&key.active, || access_key_since(key))
}

/// The age of an active key.
pub(super) fn access_key_age(key: &AccessKey<'_>) -> Disuse {
    enabled(&key.active, || created(&key.created, || created_column("access_key", &key.handle)))
}

/// The age of an active credential that bears no last-used date.
pub(super) fn other_age(credential: &OtherCredential) -> Disuse {
    enabled(&credential.active, || {
        created(&credential.created, || created_column("cert", &credential.handle))
    })
}

fn enabled(flag: &Flag, since: impl FnOnce() -> Result<Since, Unreadable>) -> Disuse {
    match flag {
        Flag::No => Disuse::Disabled,
        Flag::Unreadable(field) => Disuse::Unknown((**field).clone()),
        Flag::Yes => since().map_or_else(Disuse::Unknown, Disuse::Since),
    }
}

/// The last use, or the first of `fallbacks` that is there. An unreadable date before that is the
/// end: the dates behind it would only make a guess.
fn since(
    last_used: &Stamp,
    fallbacks: &[&Stamp],
    column: impl FnOnce() -> String,
) -> Result<Since, Unreadable> {
    match last_used {
        Stamp::At(moment) => return Ok((Reference::LastUsed, *moment)),
        Stamp::Unreadable(field) => return Err((**field).clone()),
        Stamp::Absent => {}
    }
    for fallback in fallbacks {
        match fallback {
            Stamp::At(moment) => return Ok((Reference::NeverUsedSince, *moment)),
            Stamp::Unreadable(field) => return Err((**field).clone()),
            Stamp::Absent => {}
        }
    }
    Err(no_date(column()))
}

fn created(stamp: &Stamp, column: impl FnOnce() -> String) -> Result<Since, Unreadable> {
    match stamp {
        Stamp::At(moment) => Ok((Reference::Created, *moment)),
        Stamp::Unreadable(field) => Err((**field).clone()),
        Stamp::Absent => Err(no_date(column())),
    }
}

/// Where the creation of a credential would stand: the report's column, or the API's field.
fn created_column(kind: &str, handle: &Handle) -> String {
    match handle {
        Handle::Slot(slot) => format!("{kind}_{slot}_last_rotated"),
        Handle::Id(_) => "CreateDate".to_owned(),
    }
}

/// An enabled credential that nothing dates.
fn no_date(column: String) -> Unreadable {
    Unreadable { column, text: "N/A".to_owned() }
}
