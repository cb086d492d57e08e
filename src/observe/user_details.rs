//! Tags, groups and policies of users: owners, and where permissions come from.

use std::collections::BTreeMap;

use aws_sdk_iam::types::{EntityType, Tag, UserDetail};

use super::call::{AwsError, CallLimits};
use super::pages::{IamPage, PAGE_SIZE, collect_pages};
use super::required;
use super::session::Session;
use crate::model::inventory::{AttachedPolicy, Permissions};

const DETAILS: &str = "iam:GetAccountAuthorizationDetails";
const LIST_TAGS: &str = "iam:ListUserTags";

#[derive(Debug, Clone)]
pub(super) struct UserDetails {
    pub(super) tags: BTreeMap<String, String>,
    /// `None` if only the tags were requested.
    pub(super) permissions: Option<Permissions>,
}

/// The details of all users, by user name in lower case.
pub(super) async fn of_all(
    session: &Session,
    limits: &CallLimits,
) -> Result<BTreeMap<String, UserDetails>, AwsError> {
    let found = collect_pages(DETAILS, async |marker| {
        let request = || {
            let details = session.iam.get_account_authorization_details();
            details.filter(EntityType::User).max_items(PAGE_SIZE).set_marker(marker.clone()).send()
        };
        let answer = limits.call(DETAILS, request).await?;
        let users =
            answer.user_detail_list().iter().map(read_user_detail).collect::<Result<_, _>>()?;
        Ok(IamPage::new(users, answer.is_truncated(), answer.marker()))
    })
    .await?;
    Ok(found.into_iter().collect())
}

/// The end of the ARN of the AWS managed policy, in each partition.
const ADMINISTRATOR_ACCESS: &str = ":iam::aws:policy/AdministratorAccess";

/// The user name in lower case, and the details.
fn read_user_detail(user: &UserDetail) -> Result<(String, UserDetails), AwsError> {
    let named = |name| required(DETAILS, "PolicyName", name).map(str::to_owned);
    let attached = user.attached_managed_policies().iter().map(|it| -> Result<_, AwsError> {
        let arn = required(DETAILS, "PolicyArn", it.policy_arn())?.to_owned();
        Ok(AttachedPolicy { name: named(it.policy_name())?, arn })
    });
    let inline = user.user_policy_list().iter().map(|it| named(it.policy_name()));
    let attached_policies = attached.collect::<Result<Vec<_>, _>>()?;
    // A policy of a group can also grant these rights, so without the attachment they are unknown.
    let is_administrator =
        attached_policies.iter().any(|it| it.arn.ends_with(ADMINISTRATOR_ACCESS));
    let permissions = Permissions {
        groups: user.group_list().to_vec(),
        attached_policies,
        inline_policies: inline.collect::<Result<_, _>>()?,
        administrator: is_administrator.then_some(true),
    };
    let name = required(DETAILS, "UserName", user.user_name())?.to_ascii_lowercase();
    let tags = tag_map(DETAILS, user.tags())?;
    Ok((name, UserDetails { tags, permissions: Some(permissions) }))
}

pub(super) async fn of_user(
    session: &Session,
    limits: &CallLimits,
    user: &str,
) -> Result<UserDetails, AwsError> {
    let tags = collect_pages(LIST_TAGS, async |marker| {
        let request =
            || session.iam.list_user_tags().user_name(user).set_marker(marker.clone()).send();
        let answer = limits.call(LIST_TAGS, request).await?;
        Ok(IamPage::new(answer.tags().to_vec(), answer.is_truncated(), answer.marker()))
    })
    .await?;
    Ok(UserDetails { tags: tag_map(LIST_TAGS, &tags)?, permissions: None })
}

/// Tags by key. A value can be empty, a key cannot.
pub(super) fn tag_map(
    action: &'static str,
    tags: &[Tag],
) -> Result<BTreeMap<String, String>, AwsError> {
    let read = |tag: &Tag| {
        let key = required(action, "Key", Some(tag.key()))?;
        Ok((key.to_owned(), tag.value().to_owned()))
    };
    tags.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::AttachedPolicy;

    use super::*;

    #[test]
    fn administrator_is_known_only_with_the_managed_policy_of_aws() {
        for (arn, expected) in [
            ("arn:aws:iam::aws:policy/AdministratorAccess", Some(true)),
            ("arn:aws-cn:iam::aws:policy/AdministratorAccess", Some(true)),
            ("arn:aws:iam::111122223333:policy/AdministratorAccess", None),
            ("arn:aws:iam::aws:policy/ReadOnlyAccess", None),
        ] {
            let policy = AttachedPolicy::builder().policy_name("policy").policy_arn(arn).build();
            let user =
                UserDetail::builder().user_name("ci").attached_managed_policies(policy).build();
            let (_, details) = read_user_detail(&user).unwrap();
            assert_eq!(details.permissions.unwrap().administrator, expected, "{arn}");
        }
    }
}
