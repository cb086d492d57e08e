//! The facts that a change depends on. If any of them differs when the change is due, the change is
//! not made.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::inventory::{CredentialHandle, CredentialKind, Flag, Timestamp, User};
use crate::model::remediation_tag::{self, RemediationStatus, TagSubject};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Whether the credential is active. `None` for a user, and if the credential does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// When the credential was created. For a password, when it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<DateTime<Utc>>,
    /// Stage and start of the remediation tag, if it can be read. The last-seen time is left out
    /// because another run may update it.
    #[serde(rename = "clock", default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<(RemediationStatus, DateTime<Utc>)>,
    /// The credentials of a user to delete, and whether each is active.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<(TagSubject, bool)>,
}

impl Facts {
    /// The facts about a credential of the user, or about the user as a whole.
    pub(in crate::remediate) fn of(subject: &TagSubject, user: &User<'_>) -> Self {
        let tag = user.tags.as_ref().and_then(|tags| remediation_tag::find(subject, tags));
        let tag = tag.map(|tag| (tag.reached, tag.since));
        let seen = credentials(user).into_iter().find(|it| it.subject == *subject);
        let seen = seen.map(|it| Self {
            active: Some(may_be_active(it.active)),
            created: it.created.at(),
            last_used: it.last_used.and_then(Timestamp::at),
            ..Self::default()
        });
        Self { tag, ..seen.unwrap_or_default() }
    }
}

/// A credential of any kind.
pub(in crate::remediate) struct PlanCredential<'a> {
    pub(in crate::remediate) subject: TagSubject,
    pub(super) active: &'a Flag,
    /// For a password, when it was last changed.
    pub(super) created: &'a Timestamp,
    /// `None` if IAM does not record the last use of this kind.
    pub(super) last_used: Option<&'a Timestamp>,
}

/// A status that cannot be read counts as active.
pub(super) fn may_be_active(flag: &Flag) -> bool {
    *flag != Flag::No
}

/// All credentials of the user, the password first.
pub(in crate::remediate) fn credentials<'a>(user: &'a User<'_>) -> Vec<PlanCredential<'a>> {
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

/// The subject of a credential. A re-check returns ids, never slots.
pub(super) fn subject(kind: CredentialKind, handle: &CredentialHandle) -> TagSubject {
    let id = match handle {
        CredentialHandle::Id(id) => id.clone(),
        CredentialHandle::Slot(slot) => slot.to_string(),
    };
    TagSubject::Credential(kind, Some(id))
}
