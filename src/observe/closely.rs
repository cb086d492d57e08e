//! A close look at one user: every credential by its id, the tags, and whatever else the user has.

use std::collections::BTreeMap;

use aws_sdk_iam::types::User as Shown;
use chrono::{DateTime, Utc};
use futures_util::future::{join3, join4};

use super::call::{Failure, Pace};
use super::pages::{Page, gather};
use super::second_look::{Look, look};
use super::service_credentials::{service_specific_of, ssh_keys};
use super::session::Session;
use super::{owners, required, users};
use crate::model::inventory::{Dossier, Holdings, InlinePolicy, Piece, Stamp, User};

const LIST_MFA: &str = "iam:ListMFADevices";
const LIST_GROUPS: &str = "iam:ListGroupsForUser";
const LIST_ATTACHED: &str = "iam:ListAttachedUserPolicies";
const LIST_INLINE: &str = "iam:ListUserPolicies";
const GET_INLINE: &str = "iam:GetUserPolicy";

/// What a close look at a user came to.
#[derive(Debug, Clone)]
pub(crate) enum Glance {
    /// There is no such user.
    Gone,
    /// The user now.
    Seen(Box<Dossier>),
}

/// How closely a user is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closeness {
    /// The moment by which credentials that run out are judged.
    pub(crate) now: DateTime<Utc>,
    /// Whether groups, policies and MFA devices are asked for as well.
    pub(crate) with_holdings: bool,
}

/// Looks at a user. `row` is what the credential report has of the user: it alone knows when a
/// password was changed.
pub(crate) async fn look_closely(
    session: &Session,
    pace: &Pace,
    name: &str,
    row: Option<&User<'static>>,
    closeness: Closeness,
) -> Result<Glance, Failure> {
    let Some((listed, shown)) = users::get(session, pace, name).await? else {
        return Ok(Glance::Gone);
    };
    let name = &listed.name;
    let holdings = async {
        if closeness.with_holdings {
            Some(holdings(session, pace, name, boundary(&shown)).await)
        } else {
            None
        }
    };
    let (seen, keys, specific, holdings) = join4(
        look(session, pace, &listed, None),
        ssh_keys(session, pace, name),
        service_specific_of(session, pace, name, closeness.now),
        holdings,
    )
    .await;
    let Look::Seen(mut user, failures) = seen else { return Ok(Glance::Gone) };
    let mut gaps: Vec<_> = failures.into_iter().map(|(piece, it)| it.gap(piece, 1)).collect();
    for (piece, outcome) in [(Piece::SshKeys, keys), (Piece::ServiceSpecificCredentials, specific)]
    {
        match outcome {
            Ok(found) => user.other_credentials.extend(found),
            Err(failure) => gaps.push(failure.gap(piece, 1)),
        }
    }
    let holdings = holdings.transpose().unwrap_or_else(|failure| {
        gaps.push(failure.gap(Piece::Holdings, 1));
        None
    });
    user.other_credentials_complete = gaps.is_empty();
    user.tags = Some(owners::by_key("iam:GetUser", shown.tags())?);
    recall(&mut user, row);
    let dossier = Dossier {
        account: session.account,
        partition: session.partition.clone(),
        user: *user,
        path: shown.path,
        holdings,
        gaps,
    };
    Ok(Glance::Seen(Box::new(dossier)))
}

/// The unique id and the tags of the user who has a name now; `None` where nobody has it.
pub(crate) async fn identity(
    session: &Session,
    pace: &Pace,
    name: &str,
) -> Result<Option<(String, BTreeMap<String, String>)>, Failure> {
    let Some((listed, shown)) = users::get(session, pace, name).await? else { return Ok(None) };
    Ok(Some((listed.id, owners::by_key("iam:GetUser", shown.tags())?)))
}

fn boundary(shown: &Shown) -> Option<String> {
    shown.permissions_boundary()?.permissions_boundary_arn().map(str::to_owned)
}

/// Adds what the report's row knows better: a password's last change, and a use that it has seen.
/// A row of another user of the name says nothing.
fn recall(user: &mut User<'static>, row: Option<&User<'static>>) {
    let Some(row) = row.filter(|row| row.created == user.created) else { return };
    user.mfa = row.mfa;
    let (Some(password), Some(known)) = (&mut user.password, &row.password) else { return };
    let later = |one: &Stamp, other: &Stamp| {
        // What cannot be read may be the later one.
        let unreadable = [one, other].into_iter().find(|it| matches!(it, Stamp::Unreadable(_)));
        let later = || one.at().max(other.at()).map_or(Stamp::Absent, Stamp::At);
        unreadable.cloned().unwrap_or_else(later)
    };
    password.last_used = later(&password.last_used, &known.last_used);
    password.last_changed = later(&password.last_changed, &known.last_changed);
}

/// What the user has besides credentials.
async fn holdings(
    session: &Session,
    pace: &Pace,
    user: &str,
    permissions_boundary: Option<String>,
) -> Result<Holdings, Failure> {
    let (mfa_devices, groups, policies) = join3(
        mfa_devices(session, pace, user),
        groups(session, pace, user),
        policies(session, pace, user),
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

async fn mfa_devices(session: &Session, pace: &Pace, user: &str) -> Result<Vec<String>, Failure> {
    gather(LIST_MFA, async |marker| {
        let list =
            || session.iam.list_mfa_devices().user_name(user).set_marker(marker.clone()).send();
        let answer = pace.call(LIST_MFA, list).await?;
        let serials = answer.mfa_devices().iter().map(|it| Some(it.serial_number()));
        let serials = all(LIST_MFA, "SerialNumber", serials)?;
        Ok(Page::new(serials, answer.is_truncated(), answer.marker()))
    })
    .await
}

async fn groups(session: &Session, pace: &Pace, user: &str) -> Result<Vec<String>, Failure> {
    gather(LIST_GROUPS, async |marker| {
        let list =
            || session.iam.list_groups_for_user().user_name(user).set_marker(marker.clone()).send();
        let answer = pace.call(LIST_GROUPS, list).await?;
        let names = answer.groups().iter().map(|it| Some(it.group_name()));
        let names = all(LIST_GROUPS, "GroupName", names)?;
        Ok(Page::new(names, answer.is_truncated(), answer.marker()))
    })
    .await
}

/// The ARNs of attached policies, and the inline policies.
async fn policies(
    session: &Session,
    pace: &Pace,
    user: &str,
) -> Result<(Vec<String>, Vec<InlinePolicy>), Failure> {
    let attached = gather(LIST_ATTACHED, async |marker| {
        let list = session.iam.list_attached_user_policies().user_name(user);
        let list = || list.clone().set_marker(marker.clone()).send();
        let answer = pace.call(LIST_ATTACHED, list).await?;
        let arns = answer.attached_policies().iter().map(|it| it.policy_arn());
        let arns = all(LIST_ATTACHED, "PolicyArn", arns)?;
        Ok(Page::new(arns, answer.is_truncated(), answer.marker()))
    })
    .await?;
    let names = gather(LIST_INLINE, async |marker| {
        let list =
            || session.iam.list_user_policies().user_name(user).set_marker(marker.clone()).send();
        let answer = pace.call(LIST_INLINE, list).await?;
        Ok(Page::new(answer.policy_names().to_vec(), answer.is_truncated(), answer.marker()))
    })
    .await?;
    let mut inline = Vec::new();
    for name in names {
        let get = || session.iam.get_user_policy().user_name(user).policy_name(&name).send();
        match pace.call(GET_INLINE, get).await {
            Ok(answer) => {
                let document = Some(answer.policy_document());
                let document = decoded(required(GET_INLINE, "PolicyDocument", document)?);
                inline.push(InlinePolicy { name: name.clone(), document });
            }
            // Taken away meanwhile.
            Err(failure) if failure.is_absence() => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok((attached, inline))
}

/// The names or ids of a page, each of which must be there.
fn all<'a>(
    action: &'static str,
    field: &str,
    texts: impl Iterator<Item = Option<&'a str>>,
) -> Result<Vec<String>, Failure> {
    texts.map(|text| required(action, field, text).map(str::to_owned)).collect()
}

/// A policy's document, which IAM hands over as a part of a URL.
fn decoded(document: &str) -> String {
    percent_encoding::percent_decode_str(document).decode_utf8_lossy().into_owned()
}
