//! The state of a remediation tag: whether it must be set again, updated or removed.

use chrono::TimeDelta;

use super::facts::credentials;
use super::{PlanSettings, StartReason};
use crate::model::inventory::{CredentialKind, User, UserRecord};
use crate::model::remediation_tag::{self, RemediationStatus, RemediationTag, TagSubject};

/// The state of a remediation tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagState {
    Absent,
    Unreadable,
    Valid(RemediationTag),
}

impl TagState {
    pub(super) fn of(subject: &TagSubject, user: &User<'_>) -> Self {
        let tags = user.tags.as_ref();
        match tags.and_then(|tags| tags.get(&subject.key())) {
            None => Self::Absent,
            Some(text) => text.parse().map_or(Self::Unreadable, Self::Valid),
        }
    }

    pub(super) fn is_present(self) -> bool {
        self != Self::Absent
    }

    /// Whether the tag says that a run deactivated the credential.
    pub(super) fn is_deactivated(self) -> bool {
        matches!(self, Self::Valid(tag) if tag.reached == RemediationStatus::Deactivated)
    }
}

/// Why the tag has to be set again, if it does.
pub(super) fn restart_reason(
    tag: RemediationTag,
    settings: PlanSettings<'_>,
) -> Option<StartReason> {
    if tag.since > settings.now || tag.seen > settings.now {
        return Some(StartReason::Unreadable);
    }
    let is_lost = tag.exceeds_max_gap(settings.now, settings.remediation.max_gap_days);
    is_lost.then_some(StartReason::NotSeen)
}

/// Whether the tag is old enough to be updated, so that the next run does not find a gap.
pub(super) fn needs_refresh(tag: RemediationTag, settings: PlanSettings<'_>) -> bool {
    // One day before half of the gap: a weekly run that starts some minutes early must not wait a
    // week.
    let half = TimeDelta::days(i64::from(settings.remediation.max_gap_days)) / 2;
    settings.now - tag.seen > (half - TimeDelta::days(1)).max(half / 2)
}

/// Whether the tag has to be updated although evidence about other users is missing. This user was
/// fetched completely, so the run confirms the notice.
pub(super) fn needs_refresh_while_held(tag: TagState, settings: PlanSettings<'_>) -> bool {
    match tag {
        TagState::Valid(tag) => {
            restart_reason(tag, settings).is_none() && needs_refresh(tag, settings)
        }
        TagState::Absent | TagState::Unreadable => false,
    }
}

/// The remediation tags of credentials that the user no longer has.
pub(super) fn orphaned_tags(user_record: &UserRecord) -> Vec<TagSubject> {
    let user = &user_record.user;
    let existing: Vec<String> = credentials(user).iter().map(|it| it.subject.key()).collect();
    let tags = user.tags.iter().flat_map(remediation_tag::stocktake_tags);
    let gone = tags
        .map(|(key, _)| key)
        .filter(|key| *key != TagSubject::User.key() && !existing.iter().any(|known| known == key));
    // A tag with a different spelling was not set by this program.
    gone.map(|key| (subject_of(key), key))
        .filter(|(subject, key)| subject.key() == *key)
        .map(|(it, _)| it)
        .collect()
}

/// The subject of the tag with this key.
fn subject_of(key: &str) -> TagSubject {
    let name = key.strip_prefix(remediation_tag::TAG_KEY_PREFIX).unwrap_or(key);
    let (kind, id) = name.split_once(':').map_or((name, None), |(kind, id)| (kind, Some(id)));
    match (kind.parse().ok(), id) {
        (Some(CredentialKind::Password), None) => TagSubject::PASSWORD,
        // A password has no id. All other credentials have one.
        (Some(CredentialKind::Password) | None, _) | (Some(_), None) => TagSubject::User,
        (Some(kind), Some(id)) => TagSubject::Credential(kind, Some(id.to_owned())),
    }
}
