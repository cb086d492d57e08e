//! What a person who approves the plan needs to know about a user.

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use super::facts::subject;
use super::user_audit::UserAudit;
use super::{PlanSettings, RemediationPlan};
use crate::model::inventory::{AccountId, CredentialKind, UserRecord, owner};
use crate::model::remediation_tag::TagSubject;

/// A user of the plan. Nothing here decides about a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanUser {
    pub account: AccountId,
    pub user: String,
    pub arn: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Groups and policies, if they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<PlanPermissions>,
    /// The services for which access keys were last used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_services: Vec<(TagSubject, String)>,
    /// The last day of an exemption that has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exemption_expired: Option<NaiveDate>,
}

/// The groups and policies of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanPermissions {
    pub groups: Vec<String>,
    /// The names of the attached and the inline policies.
    pub policies: Vec<String>,
    pub is_administrator: bool,
}

/// Adds the user, if the plan has a deactivation or deletion of the user from this position on.
pub(super) fn add(
    plan: &mut RemediationPlan,
    from: usize,
    user_record: &UserRecord,
    user_audit: &UserAudit<'_>,
    settings: PlanSettings<'_>,
) {
    if !plan.changes.iter().skip(from).any(|change| change.kind.removes_access()) {
        return;
    }
    let user = &user_record.user;
    let tags = user.tags.as_ref();
    let expired = user_audit.any_exemption_expired_at();
    let services = user.access_keys.iter().filter_map(|key| {
        let service = key.last_used_service.as_ref()?;
        Some((subject(CredentialKind::AccessKey, &key.handle), service.clone().into_owned()))
    });
    plan.users.push(PlanUser {
        account: user_record.account,
        user: user.name.clone().into_owned(),
        arn: user.arn.clone().into_owned(),
        owner: tags.and_then(|tags| owner(tags, settings.owner_tags)).map(str::to_owned),
        permissions: permissions(user_record),
        last_services: services.collect(),
        exemption_expired: expired.and_then(|at| at.date_naive().checked_sub_days(Days::new(1))),
    });
}

fn permissions(user_record: &UserRecord) -> Option<PlanPermissions> {
    let known = user_record.user.permissions.as_ref();
    if let Some(it) = known {
        let attached = it.attached_policies.iter().map(|policy| policy.name.clone());
        return Some(PlanPermissions {
            groups: it.groups.clone(),
            policies: attached.chain(it.inline_policies.iter().cloned()).collect(),
            is_administrator: it.administrator == Some(true),
        });
    }
    let holdings = user_record.holdings.as_ref()?;
    let name = |arn: &String| arn.rsplit('/').next().unwrap_or_default().to_owned();
    let inline = holdings.inline_policies.iter().map(|policy| policy.name.clone());
    Some(PlanPermissions {
        groups: holdings.groups.clone(),
        policies: holdings.attached_policies.iter().map(name).chain(inline).collect(),
        is_administrator: false,
    })
}
