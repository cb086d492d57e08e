//! What a change hangs on: when any of it has moved between the plan and the change, nothing is done.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::inventory::{CredentialHandle, CredentialKind, Flag, Timestamp, User};
use crate::model::remediation_tag::{self, RemediationStatus, TagSubject};

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
    pub clock: Option<(RemediationStatus, DateTime<Utc>)>,
    /// The credentials of a user that is to be deleted whole, and whether they are accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<(TagSubject, bool)>,
}

impl Facts {
    /// What is seen of a credential of the user, or of the user as a whole.
    pub(in crate::remediate) fn of(subject: &TagSubject, user: &User<'_>) -> Self {
        let clock = user.tags.as_ref().and_then(|tags| remediation_tag::find(subject, tags));
        let clock = clock.map(|clock| (clock.reached, clock.since));
        let seen = credentials(user).into_iter().find(|it| it.subject == *subject);
        let seen = seen.map(|it| Self {
            active: Some(may_be_active(it.active)),
            created: it.created.at(),
            last_used: it.last_used.and_then(Timestamp::at),
            ..Self::default()
        });
        Self { clock, ..seen.unwrap_or_default() }
    }
}

/// A credential of whichever kind.
pub(super) struct PlanCredential<'a> {
    pub(super) subject: TagSubject,
    pub(super) active: &'a Flag,
    /// For a password when it was last changed.
    pub(super) created: &'a Timestamp,
    /// `None` where its kind has no such date.
    pub(super) last_used: Option<&'a Timestamp>,
}

/// What cannot be read may be accepted.
pub(super) fn may_be_active(flag: &Flag) -> bool {
    *flag != Flag::No
}

/// Every credential of the user, the password first.
pub(super) fn credentials<'a>(user: &'a User<'_>) -> Vec<PlanCredential<'a>> {
    let password = user.password.iter().map(|it| PlanCredential {
        subject: TagSubject::PASSWORD,
        active: &it.enabled,
        created: &it.last_changed,
        last_used: Some(&it.last_used),
    });
    let keys = user.access_keys.iter().map(|it| PlanCredential {
        subject: subject(CredentialKind::AccessKey, &it.handle),
        active: &it.active,
        created: &it.created,
        last_used: Some(&it.last_used),
    });
    let others = user.other_credentials.iter().map(|it| PlanCredential {
        subject: subject(it.kind, &it.handle),
        active: &it.active,
        created: &it.created,
        last_used: None,
    });
    password.chain(keys).chain(others).collect()
}

/// What a finding or a credential is about. A close look shows ids, and never slots.
pub(super) fn subject(kind: CredentialKind, handle: &CredentialHandle) -> TagSubject {
    let id = match handle {
        CredentialHandle::Id(id) => id.clone(),
        CredentialHandle::Slot(slot) => slot.to_string(),
    };
    TagSubject::Credential(kind, Some(id))
}
