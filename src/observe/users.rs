//! The users of an account, and when their passwords were last used.

use aws_sdk_iam::types::User as IamUser;
use chrono::{DateTime, Utc};

use super::call::{AwsError, CallLimits};
use super::pages::{IamPage, PAGE_SIZE, collect_pages};
use super::session::Session;
use super::{moment, required, required_date};

const LIST: &str = "iam:ListUsers";
const GET: &str = "iam:GetUser";

/// A user as returned by `ListUsers` and `GetUser`.
#[derive(Debug, Clone)]
pub(super) struct ListedUser {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) id: String,
    pub(super) created: DateTime<Utc>,
    /// Kept by IAM after the password is deleted: it means nothing without a login profile.
    pub(super) password_last_used: Option<DateTime<Utc>>,
}

impl ListedUser {
    fn read(action: &'static str, user: &IamUser) -> Result<Self, AwsError> {
        let text = |field, text| required(action, field, Some(text)).map(str::to_owned);
        Ok(Self {
            name: text("UserName", user.user_name())?,
            arn: text("Arn", user.arn())?,
            id: text("UserId", user.user_id())?,
            created: required_date(action, "CreateDate", Some(user.create_date()))?,
            password_last_used: user.password_last_used().and_then(moment),
        })
    }
}

/// Lists all users of the account, 1 000 per call.
pub(super) async fn list(
    session: &Session,
    limits: &CallLimits,
) -> Result<Vec<ListedUser>, AwsError> {
    collect_pages(LIST, async |marker| {
        let request =
            || session.iam.list_users().max_items(PAGE_SIZE).set_marker(marker.clone()).send();
        let answer = limits.call(LIST, request).await?;
        let users = answer.users().iter().map(|user| ListedUser::read(LIST, user));
        let users = users.collect::<Result<_, _>>()?;
        Ok(IamPage::new(users, answer.is_truncated(), answer.marker()))
    })
    .await
}

/// One user by name, as a listed user and as the full response; `None` if the user does not exist.
pub(super) async fn get(
    session: &Session,
    limits: &CallLimits,
    name: &str,
) -> Result<Option<(ListedUser, IamUser)>, AwsError> {
    let request = || session.iam.get_user().user_name(name).send();
    let shown = match limits.call(GET, request).await {
        Ok(answer) => answer.user,
        Err(failure) if failure.is_not_found() => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let shown = shown.ok_or_else(|| AwsError::unexpected(GET, "the response contains no user"))?;
    let listed = ListedUser::read(GET, &shown)?;
    if listed.name.eq_ignore_ascii_case(name) {
        Ok(Some((listed, shown)))
    } else {
        Err(AwsError::unexpected(GET, "the response is about a different user"))
    }
}
