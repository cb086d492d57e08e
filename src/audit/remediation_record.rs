//! The remediation of credentials as the users' tags record it, including credentials that no rule
//! finds anymore because they were deactivated.

use sha2::{Digest as _, Sha256};

use super::finding_id::FindingId;
use crate::model::inventory::{Account, AccountId, CredentialHandle, CredentialKind, Flag, User};
use crate::model::remediation_tag::{self, RemediationTag, TagSubject};

/// A credential or user with a remediation tag, or a credential of a user that the queue asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemediationRecord {
    /// The same in every run for the same credential or user.
    pub id: FindingId,
    pub account: AccountId,
    pub user: String,
    pub arn: String,
    pub user_id: Option<String>,
    pub owner: Option<String>,
    pub subject: TagSubject,
    /// Whether the credential can be used. A user counts as active.
    pub active: bool,
    /// The remediation tag, if it matches the state of the credential.
    pub tag: Option<RemediationTag>,
}

/// The records of an account, sorted by id.
pub(super) fn of_account(account: &Account<'_>) -> Vec<RemediationRecord> {
    let mut records: Vec<_> = account.users.iter().flat_map(|it| of_user(account, it)).collect();
    records.sort_by_key(|record| record.id);
    records
}

fn of_user(account: &Account<'_>, user: &User<'_>) -> Vec<RemediationRecord> {
    let (Some(tags), Some(user_id)) = (&user.tags, &user.id) else { return Vec::new() };
    let is_queried = account.rechecked_users.contains(&user.name.to_ascii_lowercase());
    let has_tag = remediation_tag::stocktake_tags(tags).next().is_some();
    if !is_queried && !has_tag {
        return Vec::new();
    }
    let record = |(subject, active): (TagSubject, bool)| {
        let tag = remediation_tag::find(&subject, tags);
        let tag =
            tag.filter(|tag| subject == TagSubject::User || tag.reached.is_inactive() != active);
        (is_queried || tag.is_some()).then(|| RemediationRecord {
            id: id(account, user_id, &subject),
            account: account.id,
            user: user.name.clone().into_owned(),
            arn: user.arn.clone().into_owned(),
            user_id: Some(user_id.clone()),
            owner: user.owner.clone(),
            subject,
            active,
            tag,
        })
    };
    subjects(user).into_iter().filter_map(record).collect()
}

/// What can have a tag, and whether it is active.
fn subjects(user: &User<'_>) -> Vec<(TagSubject, bool)> {
    let subject = |kind, handle: &CredentialHandle, active: &Flag| match handle {
        CredentialHandle::Id(id) => {
            Some((TagSubject::Credential(kind, Some(id.clone())), *active != Flag::No))
        }
        CredentialHandle::Slot(_) => None,
    };
    let password = user.password.as_ref().filter(|it| it.enabled != Flag::No);
    let password = password.map(|_| (TagSubject::PASSWORD, true));
    let keys = user.access_keys.iter();
    let keys = keys.filter_map(|it| subject(CredentialKind::AccessKey, &it.handle, &it.active));
    let others = user.other_credentials.iter();
    let others = others.filter_map(|it| subject(it.kind, &it.handle, &it.active));
    let mut subjects: Vec<_> = password.into_iter().chain(keys).chain(others).collect();
    subjects.push((TagSubject::User, true));
    subjects
}

fn id(account: &Account<'_>, user_id: &str, subject: &TagSubject) -> FindingId {
    let text = format!("v1|{}|{user_id}|{}", account.id, subject.key());
    FindingId::of_digest(&Sha256::digest(text.as_bytes()))
}
