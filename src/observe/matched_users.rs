//! Matches the rows of the credential report with the current users.

use std::collections::{BTreeSet, HashMap};

use futures_util::{StreamExt as _, stream};

use super::call::{AwsError, CallLimits};
use super::session::Session;
use super::users::{self, ListedUser};
use crate::model::inventory::{Timestamp, User};

#[derive(Default)]
pub(super) struct MatchedUsers {
    /// Users in the report who still exist.
    pub(super) present: Vec<(User<'static>, ListedUser)>,
    /// Rows of deleted users.
    pub(super) deleted: Vec<User<'static>>,
    /// Rows whose users could not be checked.
    pub(super) unverified: Vec<User<'static>>,
    /// Users who are not in the report.
    pub(super) not_in_report: Vec<ListedUser>,
    /// Failed calls.
    pub(super) failures: Vec<AwsError>,
}

/// Matches rows with the listed users. A row without a listed user is looked up by name, so that no
/// user is lost when the list is incomplete.
pub(super) async fn match_users(
    session: &Session,
    limits: &CallLimits,
    rows: Vec<User<'static>>,
    listed: Vec<ListedUser>,
    concurrency: usize,
) -> MatchedUsers {
    let mut matched = MatchedUsers::default();
    let mut reported = BTreeSet::new();
    let mut unlisted = Vec::new();
    let by_name: HashMap<String, &ListedUser> =
        listed.iter().map(|user| (user.name.to_ascii_lowercase(), user)).collect();
    for row in rows {
        match by_name.get(&row.name.to_ascii_lowercase()) {
            None => unlisted.push(row),
            Some(user) if is_same(&row, user) => {
                reported.insert(user.id.clone());
                matched.present.push((row, (*user).clone()));
            }
            // A user with the same name but another creation time is a different user.
            Some(_) => matched.deleted.push(row),
        }
    }
    let lookups = stream::iter(unlisted).map(async |row| {
        let found = users::get(session, limits, &row.name).await;
        (row, found)
    });
    let mut lookups = lookups.buffered(concurrency);
    let mut missed = Vec::new();
    while let Some((row, found)) = lookups.next().await {
        match found {
            Ok(None) => matched.deleted.push(row),
            Ok(Some((user, _))) if is_same(&row, &user) => {
                matched.failures.push(not_listed());
                reported.insert(user.id.clone());
                matched.present.push((row, user));
            }
            Ok(Some((user, _))) => {
                matched.failures.push(not_listed());
                matched.deleted.push(row);
                missed.push(user);
            }
            Err(failure) => {
                matched.failures.push(failure);
                matched.unverified.push(row);
            }
        }
    }
    drop(lookups);
    let listed_ids: BTreeSet<String> = listed.iter().map(|user| user.id.clone()).collect();
    missed.retain(|user| !listed_ids.contains(&user.id));
    matched.not_in_report = listed.into_iter().chain(missed).collect();
    matched.not_in_report.retain(|user| !reported.contains(&user.id));
    matched
}

/// Whether the row belongs to the user. An unreadable creation time may match.
fn is_same(row: &User<'_>, user: &ListedUser) -> bool {
    match &row.created {
        Timestamp::At(created) => *created == user.created,
        Timestamp::Absent | Timestamp::Unreadable(_) => true,
    }
}

/// The list is incomplete. Users who are not in the report may be missing as well.
fn not_listed() -> AwsError {
    AwsError::unexpected(
        "iam:ListUsers",
        "the list does not contain a user that iam:GetUser \
                                           returns",
    )
}
