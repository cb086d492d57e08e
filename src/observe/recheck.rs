//! The re-check: the current credentials of a flagged user, which replace the row of the report.

use aws_sdk_iam::types::{AccessKeyMetadata, LoginProfile};
use chrono::{DateTime, Utc};
use futures_util::future::{join_all, join3};

use super::call::{AwsError, CallLimits};
use super::pages::{IamPage, collect_pages};
use super::service_credentials::{signing_certificates, status};
use super::session::Session;
use super::users::ListedUser;
use super::{missing_date, required, required_date, timestamp};
use crate::model::inventory::{
    AccessKey, AccessKeys, CredentialHandle, Evidence, EvidenceItem, Flag, OtherCredential,
    Password, Timestamp, UnreadableField, User,
};

const LIST_KEYS: &str = "iam:ListAccessKeys";
const LAST_USED: &str = "iam:GetAccessKeyLastUsed";
const LOGIN_PROFILE: &str = "iam:GetLoginProfile";
/// The service that IAM returns for a key that was never used.
const NO_SERVICE: &str = "N/A";

/// The result of a re-check.
pub(super) enum RecheckResult {
    /// The user was deleted in the meantime.
    UserDeleted,
    /// The current user, and evidence that could not be fetched.
    Rechecked(Box<User<'static>>, Vec<(EvidenceItem, AwsError)>),
}

impl RecheckResult {
    /// Whether the credentials and their last use are the same as in the row.
    pub(super) fn matches_row(&self, row: &User<'static>) -> bool {
        let Self::Rechecked(user, _) = self else { return false };
        let keys = |user: &User<'_>| {
            let mut keys: Vec<_> =
                user.access_keys.iter().map(|key| (key.created.at(), key.last_used.at())).collect();
            keys.sort_unstable();
            keys
        };
        let password = |user: &User<'_>| user.password.as_ref().map(|it| it.last_used.at());
        keys(user) == keys(row) && password(user) == password(row)
    }
}

/// Re-checks one user. `row` is the user's row in the report, if any. Evidence that cannot be
/// fetched is taken from the row and marked as not re-checked; without a row, it is unknown.
pub(super) async fn recheck_user(
    session: &Session,
    limits: &CallLimits,
    listed: &ListedUser,
    row: Option<&User<'static>>,
    needs_ids: bool,
) -> RecheckResult {
    let name = &listed.name;
    // Without a row, or if the row says that there are credentials it does not show, certificates
    // must be listed as well. For those in the row, only the list has the ids (`needs_ids`).
    let wants_certificates = row
        .is_none_or(|row| row.hidden_credentials || needs_ids && !row.other_credentials.is_empty());
    let certificates = async {
        if wants_certificates {
            Some(signing_certificates(session, limits, name).await)
        } else {
            None
        }
    };
    let keys = access_keys(session, limits, name);
    let profile = login_profile(session, limits, name);
    let (keys, profile, certificates) = join3(keys, profile, certificates).await;
    let mut failures = Vec::new();
    let keys = match keys {
        Err((_, failure)) if failure.is_not_found() => return RecheckResult::UserDeleted,
        Err((item, failure)) => {
            failures.push((item, failure));
            None
        }
        Ok(keys) => Some(keys),
    };
    let profile =
        profile.map_err(|failure| failures.push((EvidenceItem::LoginProfile, failure))).ok();
    let certificates = certificates.and_then(|outcome| {
        outcome.map_err(|failure| failures.push((EvidenceItem::SigningCertificates, failure))).ok()
    });
    let user = merge(listed, row, keys, profile, certificates);
    RecheckResult::Rechecked(Box::new(user), failures)
}

fn merge(
    listed: &ListedUser,
    row: Option<&User<'static>>,
    keys: Option<AccessKeys<'static>>,
    profile: Option<Option<DateTime<Utc>>>,
    certificates: Option<Vec<OtherCredential>>,
) -> User<'static> {
    let seen = |is_seen| if is_seen { Evidence::ReChecked } else { Evidence::NotReChecked };
    User {
        name: listed.name.clone().into(),
        arn: listed.arn.clone().into(),
        id: Some(listed.id.clone()),
        created: Timestamp::At(listed.created),
        password_evidence: seen(profile.is_some()),
        access_key_evidence: seen(keys.is_some()),
        mfa: row.and_then(|row| row.mfa),
        password: match (profile, row) {
            (Some(None), _) => None,
            (Some(Some(created)), row) => Some(password(created, listed, row)),
            (None, Some(row)) => row.password.clone(),
            (None, None) => Some(unknown_password(listed)),
        },
        // Keys that could not be listed count as hidden, so the user is not reported as clean.
        hidden_credentials: keys.is_none() && row.is_none_or(|row| row.hidden_credentials),
        access_keys: keys.or_else(|| row.map(|row| row.access_keys.clone())).unwrap_or_default(),
        other_credentials: certificates
            .or_else(|| row.map(|row| row.other_credentials.clone()))
            .unwrap_or_default(),
        other_credentials_complete: false,
        tags: None,
        owner: None,
        permissions: None,
        last_accessed: None,
    }
}

/// An existing password. The date of the login profile does not change with the password, so the
/// date in the row can be the later one. A use that the row shows did happen.
fn password(created: DateTime<Utc>, listed: &ListedUser, row: Option<&User<'static>>) -> Password {
    let of_row = row.and_then(|row| row.password.as_ref());
    let last_used = of_row.and_then(|it| it.last_used.at()).max(listed.password_last_used);
    let last_changed = of_row.and_then(|it| it.last_changed.at()).max(Some(created));
    Password {
        enabled: Flag::Yes,
        last_used: last_used.map_or(Timestamp::Absent, Timestamp::At),
        last_changed: last_changed.map_or(Timestamp::Absent, Timestamp::At),
    }
}

/// A password that may exist.
fn unknown_password(listed: &ListedUser) -> Password {
    Password {
        enabled: Flag::Unreadable(Box::new(UnreadableField {
            column: "GetLoginProfile".to_owned(),
            text: "no response".to_owned(),
        })),
        last_used: listed.password_last_used.map_or(Timestamp::Absent, Timestamp::At),
        last_changed: Timestamp::Absent,
    }
}

/// When the login profile was created; `None` if there is none.
async fn login_profile(
    session: &Session,
    limits: &CallLimits,
    user: &str,
) -> Result<Option<DateTime<Utc>>, AwsError> {
    let request = || session.iam.get_login_profile().user_name(user).send();
    match limits.call(LOGIN_PROFILE, request).await {
        Ok(answer) => {
            let created = answer.login_profile().map(LoginProfile::create_date);
            required_date(LOGIN_PROFILE, "CreateDate", created).map(Some)
        }
        Err(failure) if failure.is_not_found() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// All access keys of a user with their last use, or the evidence that is missing.
async fn access_keys(
    session: &Session,
    limits: &CallLimits,
    user: &str,
) -> Result<AccessKeys<'static>, (EvidenceItem, AwsError)> {
    let listed = collect_pages(LIST_KEYS, async |marker| {
        let list =
            || session.iam.list_access_keys().user_name(user).set_marker(marker.clone()).send();
        let answer = limits.call(LIST_KEYS, list).await?;
        let keys = answer.access_key_metadata().to_vec();
        Ok(IamPage::new(keys, answer.is_truncated(), answer.marker()))
    })
    .await
    .map_err(|failure| (EvidenceItem::AccessKeys, failure))?;
    let dated: Result<Vec<_>, AwsError> = listed.iter().map(key_with_id).collect();
    let dated = dated.map_err(|failure| (EvidenceItem::AccessKeys, failure))?;
    let with_use = dated.into_iter().map(async |(key, id, created)| {
        let (last_used, last_used_service) = match get_last_use(session, limits, id).await {
            // The key was deleted in the meantime.
            Err(failure) if failure.is_not_found() => return Ok(None),
            outcome => outcome?,
        };
        Ok(Some(AccessKey {
            handle: CredentialHandle::Id(id.to_owned()),
            active: key.status().map_or_else(|| status(&"".into()), status),
            created: Timestamp::At(created),
            last_used,
            last_used_service: last_used_service.map(Into::into),
        }))
    });
    let keys: Result<Vec<_>, AwsError> = join_all(with_use).await.into_iter().collect();
    let keys = keys.map_err(|failure| (EvidenceItem::AccessKeyUse, failure))?;
    Ok(keys.into_iter().flatten().collect())
}

/// A key with its ID and creation date, which identify it.
fn key_with_id(
    key: &AccessKeyMetadata,
) -> Result<(&AccessKeyMetadata, &str, DateTime<Utc>), AwsError> {
    let id = required(LIST_KEYS, "AccessKeyId", key.access_key_id())?;
    Ok((key, id, required_date(LIST_KEYS, "CreateDate", key.create_date())?))
}

async fn get_last_use(
    session: &Session,
    limits: &CallLimits,
    id: &str,
) -> Result<(Timestamp, Option<String>), AwsError> {
    let request = || session.iam.get_access_key_last_used().access_key_id(id).send();
    let answer = limits.call(LAST_USED, request).await?;
    let Some(used) = answer.access_key_last_used() else {
        return Err(AwsError::unexpected(
            LAST_USED,
            "the response does not contain the last use of \
                                                    the key",
        ));
    };
    let service = required(LAST_USED, "ServiceName", Some(used.service_name()))?;
    let service = (service != NO_SERVICE).then(|| service.to_owned());
    let last_used = match (used.last_used_date(), &service) {
        (Some(date), _) => timestamp("LastUsedDate", date),
        // A key that was never used has no service.
        (None, None) => Timestamp::Absent,
        (None, Some(_)) => missing_date("LastUsedDate"),
    };
    Ok((last_used, service))
}
