//! What a change hangs on: when any of it has moved between the plan and the act, nothing is done.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::clock::{self, Reached, Subject};
use crate::model::inventory::{CredentialKind, Flag, Handle, Stamp, User};

/// What was seen of a credential or of the whole user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Whether the credential is accepted; `None` for a user and where it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// When it was created; for a password when it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<DateTime<Utc>>,
    /// The last use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<DateTime<Utc>>,
    /// What our tag says, if it can be read: how far it has come, and since when. Not when a run last
    /// saw it so: another run may write that anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<(Reached, DateTime<Utc>)>,
    /// The credentials of a user that is to be deleted whole, and whether they are accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<(Subject, bool)>,
}

impl Facts {
    /// What is seen of a credential of the user, or of the user as a whole.
    pub(in crate::remediate) fn of(subject: &Subject, user: &User<'_>) -> Self {
        let clock = user.tags.as_ref().and_then(|tags| clock::of(subject, tags));
        let clock = clock.map(|clock| (clock.reached, clock.since));
        let seen = credentials(user).into_iter().find(|it| it.subject == *subject);
        let seen = seen.map(|it| Self {
            active: Some(is_accepted(it.active)),
            created: it.created.at(),
            last_used: it.last_used.and_then(Stamp::at),
            ..Self::default()
        });
        Self { clock, ..seen.unwrap_or_default() }
    }
}

/// A credential of whichever kind.
pub(super) struct Credential<'a> {
    pub(super) subject: Subject,
    pub(super) active: &'a Flag,
    /// For a password when it was last changed.
    pub(super) created: &'a Stamp,
    /// `None` where its kind has no such date.
    pub(super) last_used: Option<&'a Stamp>,
}

/// What cannot be read may be accepted.
pub(super) fn is_accepted(flag: &Flag) -> bool {
    *flag != Flag::No
}

/// Every credential of the user, the password first.
pub(super) fn credentials<'a>(user: &'a User<'_>) -> Vec<Credential<'a>> {
    let password = user.password.iter().map(|it| Credential {
        subject: Subject::PASSWORD,
        active: &it.enabled,
        created: &it.last_changed,
        last_used: Some(&it.last_used),
    });
    let keys = user.access_keys.iter().map(|it| Credential {
        subject: subject(CredentialKind::AccessKey, &it.handle),
        active: &it.active,
        created: &it.created,
        last_used: Some(&it.last_used),
    });
    let others = user.other_credentials.iter().map(|it| Credential {
        subject: subject(it.kind, &it.handle),
        active: &it.active,
        created: &it.created,
        last_used: None,
    });
    password.chain(keys).chain(others).collect()
}

/// What a finding or a credential is about. A close look shows ids, and never slots.
pub(super) fn subject(kind: CredentialKind, handle: &Handle) -> Subject {
    let id = match handle {
        Handle::Id(id) => id.clone(),
        Handle::Slot(slot) => slot.to_string(),
    };
    Subject::Credential(kind, Some(id))
}
