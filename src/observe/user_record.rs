//! Everything about one user: all credentials with their IDs, tags, and optionally what else the
//! user has.

use std::collections::BTreeMap;

use aws_sdk_iam::types::User as IamUser;
use chrono::{DateTime, Utc};
use futures_util::future::{join3, join4};

use super::call::{AwsError, CallLimits};
use super::pages::{IamPage, collect_pages};
use super::recheck::{RecheckResult, recheck_user};
use super::service_credentials::{service_specific_of, ssh_keys};
use super::session::Session;
use super::{required, user_details, users};
use crate::model::inventory::{EvidenceItem, Holdings, InlinePolicy, Timestamp, User, UserRecord};

const LIST_MFA: &str = "iam:ListMFADevices";
const LIST_GROUPS: &str = "iam:ListGroupsForUser";
const LIST_ATTACHED: &str = "iam:ListAttachedUserPolicies";
const LIST_INLINE: &str = "iam:ListUserPolicies";
const GET_INLINE: &str = "iam:GetUserPolicy";

#[derive(Debug, Clone)]
pub(crate) enum UserLookup {
    NotFound,
    Found(Box<UserRecord>),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct UserRecordOptions {
    /// The current time, which decides whether a credential has expired.
    pub(crate) now: DateTime<Utc>,
    /// Whether to fetch groups, policies and MFA devices as well.
    pub(crate) with_holdings: bool,
}

/// Fetches a user. `row` is the user's row in the credential report, the only source of when a
/// password was changed.
pub(crate) async fn fetch_user_record(
    session: &Session,
    limits: &CallLimits,
    name: &str,
    row: Option<&User<'static>>,
    options: UserRecordOptions,
) -> Result<UserLookup, AwsError> {
    let Some((listed, shown)) = users::get(session, limits, name).await? else {
        return Ok(UserLookup::NotFound);
    };
    let name = &listed.name;
    let holdings = async {
        if options.with_holdings {
            Some(holdings(session, limits, name, boundary(&shown)).await)
        } else {
            None
        }
    };
    let (seen, keys, specific, holdings) = join4(
        recheck_user(session, limits, &listed, None, true),
        ssh_keys(session, limits, name),
        service_specific_of(session, limits, name, options.now),
        holdings,
    )
    .await;
    let RecheckResult::Rechecked(mut user, failures) = seen else {
        return Ok(UserLookup::NotFound);
    };
    let mut gaps: Vec<_> = failures.into_iter().map(|(item, it)| it.into_gap(item, 1)).collect();
    for (item, outcome) in
        [(EvidenceItem::SshKeys, keys), (EvidenceItem::ServiceSpecificCredentials, specific)]
    {
        match outcome {
            Ok(found) => user.other_credentials.extend(found),
            Err(failure) => gaps.push(failure.into_gap(item, 1)),
        }
    }
    let holdings = holdings.transpose().unwrap_or_else(|failure| {
        gaps.push(failure.into_gap(EvidenceItem::Holdings, 1));
        None
    });
    user.other_credentials_complete = gaps.is_empty();
    user.tags = Some(user_details::tag_map("iam:GetUser", shown.tags())?);
    merge_report_row(&mut user, row);
    let user_record = UserRecord {
        account: session.account,
        partition: session.partition.clone(),
        user: *user,
        path: shown.path,
        holdings,
        gaps,
    };
    Ok(UserLookup::Found(Box::new(user_record)))
}

/// The unique ID and tags of the user with this name; `None` if there is none.
pub(crate) async fn user_id_and_tags(
    session: &Session,
    limits: &CallLimits,
    name: &str,
) -> Result<Option<(String, BTreeMap<String, String>)>, AwsError> {
    let Some((listed, shown)) = users::get(session, limits, name).await? else { return Ok(None) };
    Ok(Some((listed.id, user_details::tag_map("iam:GetUser", shown.tags())?)))
}

fn boundary(shown: &IamUser) -> Option<String> {
    shown.permissions_boundary()?.permissions_boundary_arn().map(str::to_owned)
}

/// Adds what only the row shows: the last password change, a use, and permissions. The row of another user with
/// the same name is ignored.
fn merge_report_row(user: &mut User<'static>, row: Option<&User<'static>>) {
    let Some(row) = row.filter(|row| row.created == user.created) else { return };
    user.mfa = row.mfa;
    user.permissions.clone_from(&row.permissions);
    let (Some(password), Some(known)) = (&mut user.password, &row.password) else { return };
    let later = |one: &Timestamp, other: &Timestamp| {
        // A date that cannot be read may be the later one.
        let unreadable = [one, other].into_iter().find(|it| matches!(it, Timestamp::Unreadable(_)));
        let later = || one.at().max(other.at()).map_or(Timestamp::Absent, Timestamp::At);
        unreadable.cloned().unwrap_or_else(later)
    };
    password.last_used = later(&password.last_used, &known.last_used);
    password.last_changed = later(&password.last_changed, &known.last_changed);
}

/// What the user has in addition to credentials.
async fn holdings(
    session: &Session,
    limits: &CallLimits,
    user: &str,
    permissions_boundary: Option<String>,
) -> Result<Holdings, AwsError> {
    let (mfa_devices, groups, policies) = join3(
        mfa_devices(session, limits, user),
        groups(session, limits, user),
        policies(session, limits, user),
    )
    .await;
    let (attached_policies, inline_policies) = policies?;
    Ok(Holdings {
        permissions_boundary,
        mfa_devices: mfa_devices?,
        inline_policies,
        attached_policies,
        groups: groups?,
    })
}

async fn mfa_devices(
    session: &Session,
    limits: &CallLimits,
    user: &str,
) -> Result<Vec<String>, AwsError> {
    collect_pages(LIST_MFA, async |marker| {
        let list =
            || session.iam.list_mfa_devices().user_name(user).set_marker(marker.clone()).send();
        let answer = limits.call(LIST_MFA, list).await?;
        let serials = answer.mfa_devices().iter().map(|it| Some(it.serial_number()));
        let serials = required_all(LIST_MFA, "SerialNumber", serials)?;
        Ok(IamPage::new(serials, answer.is_truncated(), answer.marker()))
    })
    .await
}

async fn groups(
    session: &Session,
    limits: &CallLimits,
    user: &str,
) -> Result<Vec<String>, AwsError> {
    collect_pages(LIST_GROUPS, async |marker| {
        let list =
            || session.iam.list_groups_for_user().user_name(user).set_marker(marker.clone()).send();
        let answer = limits.call(LIST_GROUPS, list).await?;
        let names = answer.groups().iter().map(|it| Some(it.group_name()));
        let names = required_all(LIST_GROUPS, "GroupName", names)?;
        Ok(IamPage::new(names, answer.is_truncated(), answer.marker()))
    })
    .await
}

async fn policies(
    session: &Session,
    limits: &CallLimits,
    user: &str,
) -> Result<(Vec<String>, Vec<InlinePolicy>), AwsError> {
    let attached = collect_pages(LIST_ATTACHED, async |marker| {
        let list = session.iam.list_attached_user_policies().user_name(user);
        let list = || list.clone().set_marker(marker.clone()).send();
        let answer = limits.call(LIST_ATTACHED, list).await?;
        let arns = answer.attached_policies().iter().map(|it| it.policy_arn());
        let arns = required_all(LIST_ATTACHED, "PolicyArn", arns)?;
        Ok(IamPage::new(arns, answer.is_truncated(), answer.marker()))
    })
    .await?;
    let names = collect_pages(LIST_INLINE, async |marker| {
        let list =
            || session.iam.list_user_policies().user_name(user).set_marker(marker.clone()).send();
        let answer = limits.call(LIST_INLINE, list).await?;
        Ok(IamPage::new(answer.policy_names().to_vec(), answer.is_truncated(), answer.marker()))
    })
    .await?;
    let mut inline = Vec::new();
    for name in names {
        let get = || session.iam.get_user_policy().user_name(user).policy_name(&name).send();
        match limits.call(GET_INLINE, get).await {
            Ok(answer) => {
                let document = Some(answer.policy_document());
                let document = decode_document(required(GET_INLINE, "PolicyDocument", document)?);
                inline.push(InlinePolicy { name: name.clone(), document });
            }
            // Deleted in the meantime.
            Err(failure) if failure.is_not_found() => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok((attached, inline))
}

/// The names or IDs of a page. Each one is required.
fn required_all<'a>(
    action: &'static str,
    field: &str,
    texts: impl Iterator<Item = Option<&'a str>>,
) -> Result<Vec<String>, AwsError> {
    texts.map(|text| required(action, field, text).map(str::to_owned)).collect()
}

/// Decodes a policy document, which IAM returns URL-encoded.
fn decode_document(document: &str) -> String {
    percent_encoding::percent_decode_str(document).decode_utf8_lossy().into_owned()
}
