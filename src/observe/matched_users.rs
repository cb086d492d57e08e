//! Which users of the credential report are still there, and who else is.

use std::collections::{BTreeSet, HashMap};

use futures_util::{StreamExt as _, stream};

use super::call::{AwsError, CallLimits};
use super::session::Session;
use super::users::{self, ListedUser};
use crate::model::inventory::{Timestamp, User};

/// The report's rows and the users of the account, matched.
#[derive(Default)]
pub(super) struct MatchedUsers {
    /// Users whom the report shows and who are there.
    pub(super) present: Vec<(User<'static>, ListedUser)>,
    /// The rows of users who are deleted.
    pub(super) deleted: Vec<User<'static>>,
    /// Rows of which nobody knows whether their users are still there.
    pub(super) unverified: Vec<User<'static>>,
    /// Users whom the report does not show.
    pub(super) not_in_report: Vec<ListedUser>,
    /// What could not be found out.
    pub(super) failures: Vec<AwsError>,
}

/// Matches the report's rows with the listed users. A row that the list does not show is looked up
/// by name: a list that is empty or short by mistake makes nobody disappear.
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
            // One of the same name that was created at another moment is another user.
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

/// Whether the row is about the user. A creation that cannot be read may be this one.
fn is_same(row: &User<'_>, user: &ListedUser) -> bool {
    match &row.created {
        Timestamp::At(created) => *created == user.created,
        Timestamp::Absent | Timestamp::Unreadable(_) => true,
    }
}

/// The list leaves somebody out, and with them perhaps others whom the report does not show.
fn not_listed() -> AwsError {
    AwsError::unexpected("iam:ListUsers", "the list leaves users out that iam:GetUser shows")
}
