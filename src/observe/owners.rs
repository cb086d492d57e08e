//! Tags, groups and policies: who owns a user, and where the user's rights come from.

use std::collections::BTreeMap;

use aws_sdk_iam::types::{EntityType, Tag};

use super::call::{Failure, Pace};
use super::pages::{PAGE, Page, gather};
use super::session::Session;
use crate::inventory::Permissions;

const DETAILS: &str = "iam:GetAccountAuthorizationDetails";
const LIST_TAGS: &str = "iam:ListUserTags";

/// What is known of a user besides the credentials.
#[derive(Debug, Clone)]
pub(super) struct Details {
    pub(super) tags: BTreeMap<String, String>,
    /// `None` where only the tags were asked for.
    pub(super) permissions: Option<Permissions>,
}

/// The details of all users, by the name in lower case.
pub(super) async fn of_all(
    session: &Session,
    pace: &Pace,
) -> Result<BTreeMap<String, Details>, Failure> {
    let found = gather(DETAILS, async |marker| {
        let request = || {
            let details = session.iam.get_account_authorization_details();
            details.filter(EntityType::User).max_items(PAGE).set_marker(marker.clone()).send()
        };
        let answer = pace.call(DETAILS, request).await?;
        let users = answer.user_detail_list().iter().map(|user| {
            let attached = user.attached_managed_policies().iter();
            let inline = user.user_policy_list().iter();
            let permissions = Permissions {
                groups: user.group_list().to_vec(),
                attached_policies: attached.filter_map(|it| it.policy_name.clone()).collect(),
                inline_policies: inline.filter_map(|it| it.policy_name.clone()).collect(),
            };
            let name = user.user_name().unwrap_or_default().to_ascii_lowercase();
            let tags = by_key(user.tags());
            (name, Details { tags, permissions: Some(permissions) })
        });
        Ok(Page::new(users.collect(), answer.is_truncated(), answer.marker()))
    })
    .await?;
    Ok(found.into_iter().collect())
}

/// The tags of one user.
pub(super) async fn of_user(
    session: &Session,
    pace: &Pace,
    user: &str,
) -> Result<Details, Failure> {
    let tags = gather(LIST_TAGS, async |marker| {
        let request =
            || session.iam.list_user_tags().user_name(user).set_marker(marker.clone()).send();
        let answer = pace.call(LIST_TAGS, request).await?;
        Ok(Page::new(answer.tags().to_vec(), answer.is_truncated(), answer.marker()))
    })
    .await?;
    Ok(Details { tags: by_key(&tags), permissions: None })
}

fn by_key(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}
