//! What the credentials of a user say about the user as a whole.

use super::criteria::Criteria;
use super::staleness::{self, Disuse, ReferenceDate};
use crate::model::inventory::{Flag, Timestamp, UnreadableField, User};

/// When the user was created.
pub(super) fn created(
    user: &User<'_>,
    criteria: Criteria<'_>,
) -> Result<ReferenceDate, UnreadableField> {
    staleness::created(&user.created, criteria.latest, || staleness::USER_CREATION_TIME.to_owned())
}

/// Whether the evidence shows no password, key or other credential.
pub(super) fn has_no_visible_credential(user: &User<'_>) -> bool {
    user.password.is_none() && user.access_keys.is_empty() && user.other_credentials.is_empty()
}

/// Whether a credential of the user is in use, or may be: only a credential that is known to be
/// unused does not count.
pub(super) fn in_use(user: &User<'_>, criteria: Criteria<'_>) -> bool {
    let unused = |disuse: Disuse| match disuse {
        Disuse::Disabled => true,
        Disuse::Since((_, moment)) => criteria.has_passed(moment),
        Disuse::Unknown(_) => false,
    };
    // An unreadable date of the last change may be yesterday.
    let may_be_reset = |changed: &Timestamp| match changed {
        Timestamp::At(changed) => !criteria.has_passed(*changed),
        Timestamp::Unreadable(_) => true,
        Timestamp::Absent => false,
    };
    user.hidden_credentials
        || user.password.as_ref().is_some_and(|password| {
            may_be_reset(&password.last_changed)
                || !unused(staleness::password(password, &user.created, criteria.latest))
        })
        || user.access_keys.iter().any(|key| !unused(staleness::access_key(key, criteria.latest)))
        // These have no last-used date, so they cannot be known to be unused.
        || user.other_credentials.iter().any(|other| other.active != Flag::No)
}

/// Whether the credential report cannot clear the user, so the user must be re-checked.
#[must_use]
pub(super) fn is_flagged(user: &User<'_>, criteria: Criteria<'_>) -> bool {
    let doubtful = |disuse: Disuse| match disuse {
        Disuse::Disabled => false,
        Disuse::Since((_, moment)) => criteria.has_passed(moment),
        Disuse::Unknown(_) => true,
    };
    user.hidden_credentials
        || user
            .password
            .as_ref()
            .is_some_and(|it| doubtful(staleness::password(it, &user.created, criteria.latest)))
        || user.access_keys.iter().any(|key| doubtful(staleness::access_key(key, criteria.latest)))
}
