//! Which users there are now, and when their passwords were last used.

use chrono::{DateTime, Utc};

use super::call::{Failure, Pace};
use super::moment;
use super::pages::{PAGE, Page, gather};
use super::session::Session;

const LIST: &str = "iam:ListUsers";

/// A user as `ListUsers` shows it.
#[derive(Debug, Clone)]
pub(super) struct ListedUser {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) id: String,
    pub(super) created: Option<DateTime<Utc>>,
    /// Stays after the password was deleted: it says nothing without a login profile.
    pub(super) password_last_used: Option<DateTime<Utc>>,
}

/// Lists all users of the account: a thousand in a call, password use included.
pub(super) async fn list(session: &Session, pace: &Pace) -> Result<Vec<ListedUser>, Failure> {
    gather(LIST, async |marker| {
        let request = || session.iam.list_users().max_items(PAGE).set_marker(marker.clone()).send();
        let answer = pace.call(LIST, request).await?;
        let users = answer.users().iter().map(|user| ListedUser {
            name: user.user_name().to_owned(),
            arn: user.arn().to_owned(),
            id: user.user_id().to_owned(),
            created: moment(user.create_date()),
            password_last_used: user.password_last_used().and_then(moment),
        });
        Ok(Page::new(users.collect(), answer.is_truncated(), answer.marker()))
    })
    .await
}
