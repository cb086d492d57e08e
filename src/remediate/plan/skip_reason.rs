//! The reasons not to change a credential or user, whatever the remediation tag says.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountFacts, PlanSettings};
use crate::allowlist::{Exemption, ExemptionStatus};
use crate::model::inventory::{UserRecord, owner};
use crate::model::policy::Rule;
use crate::model::remediation_tag;

/// The number of tags that IAM allows per user.
const MAX_TAGS: usize = 50;

/// Why a credential or user is not changed.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum RemediationSkipReason {
    /// It belongs to the root user.
    Root,
    /// An exemption is valid.
    Exempted {
        /// The line in the allowlist file.
        line: usize,
        /// The last day on which the exemption is valid.
        expires: NaiveDate,
    },
    /// The password was recently reset.
    RecentlyReset(DateTime<Utc>),
    /// It is the identity that this run uses.
    Ourselves,
    /// Evidence is missing. Contains the error message.
    Incomplete(String),
    /// It was used after the notice.
    Used(DateTime<Utc>),
    /// A tag names an owner that the policy does not list.
    Owner(String),
    /// The user has a path that the policy does not list.
    Path(String),
    /// The user already has the maximum number of tags.
    Tags,
}

impl fmt::Display for RemediationSkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |moment: &DateTime<Utc>| moment.date_naive();
        match self {
            Self::Root => f.write_str("only the root user can change the root user's credentials"),
            Self::Exempted { line, expires } => {
                write!(f, "exempt until {expires} (allowlist line {line})")
            }
            Self::RecentlyReset(at) => write!(f, "the password was reset on {}", day(at)),
            Self::Ourselves => f.write_str("this run uses the user's credentials"),
            Self::Incomplete(message) => write!(f, "evidence is missing: {message}"),
            Self::Used(at) => write!(f, "it was used on {}", day(at)),
            Self::Owner(owner) => {
                write!(f, "the owner, {owner}, is not listed in `remediation.owners`")
            }
            Self::Path(path) => {
                write!(f, "the path, {path}, is not listed in `remediation.paths`")
            }
            Self::Tags => write!(f, "the user cannot have another tag: IAM allows {MAX_TAGS}"),
        }
    }
}

/// Returns the reason to skip the whole user, if there is one.
pub(super) fn of_user(
    user_record: &UserRecord,
    account: &AccountFacts,
    settings: PlanSettings<'_>,
) -> Option<RemediationSkipReason> {
    let user = &user_record.user;
    if account.own_users.contains(&user.name.to_ascii_lowercase()) {
        return Some(RemediationSkipReason::Ourselves);
    }
    if let Some(gap) = user_record.gaps.first() {
        return Some(RemediationSkipReason::Incomplete(format!("{}: {}", gap.action, gap.message)));
    }
    let Some(tags) = &user.tags else {
        return Some(RemediationSkipReason::Incomplete(
            "IAM did not return the user's tags".to_owned(),
        ));
    };
    let owner = owner(tags, settings.owner_tags);
    if !settings.remediation.covers_owner(owner) {
        return Some(RemediationSkipReason::Owner(owner.unwrap_or_default().to_owned()));
    }
    if !settings.remediation.covers_path(&user_record.path) {
        return Some(RemediationSkipReason::Path(user_record.path.clone()));
    }
    None
}

/// Returns the reason if a valid exemption names the user, whatever it exempts. Such a user is not
/// deleted, even if the user no longer has what is exempted.
pub(super) fn of_exemption(
    user_record: &UserRecord,
    settings: PlanSettings<'_>,
) -> Option<RemediationSkipReason> {
    let user = &user_record.user;
    let id = user.id.as_deref();
    let exemption = settings.allowlist.exemptions.iter().find(|exemption| {
        is_in_force(exemption, settings)
            && exemption.applies_to(user_record.account, &user.name, id)
    });
    exemption.map(|it| RemediationSkipReason::Exempted { line: it.place.line, expires: it.expires })
}

/// Returns the reason if a valid exemption without `credentials` and `rules` protects the whole
/// user. If there are several, the one that expires last counts.
pub(super) fn of_protection(
    user_record: &UserRecord,
    settings: PlanSettings<'_>,
) -> Option<RemediationSkipReason> {
    let in_force = protections(user_record, settings).filter(|it| is_in_force(it, settings));
    let longest = in_force.max_by_key(|it| it.expires);
    longest.map(|it| RemediationSkipReason::Exempted { line: it.place.line, expires: it.expires })
}

/// The last expiry date of the expired exemptions that protected the whole user.
pub(super) fn protection_expired_on(
    user_record: &UserRecord,
    settings: PlanSettings<'_>,
) -> Option<NaiveDate> {
    let expired = protections(user_record, settings).filter(|it| !is_in_force(it, settings));
    expired.map(|it| it.expires).max()
}

fn is_in_force(exemption: &Exemption, settings: PlanSettings<'_>) -> bool {
    exemption.status_on(settings.now.date_naive()) != ExemptionStatus::Expired
}

fn protections<'a>(
    user_record: &'a UserRecord,
    settings: PlanSettings<'a>,
) -> impl Iterator<Item = &'a Exemption> + 'a {
    let (user, id) = (&user_record.user, user_record.user.id.as_deref());
    let exemptions = settings.allowlist.exemptions.iter();
    exemptions.filter(move |exemption| {
        exemption.protects_user && exemption.applies_to(user_record.account, &user.name, id)
    })
}

/// Returns the reason if the rule is incomplete in the account.
pub(super) fn of_rule(rule: Rule, account: &AccountFacts) -> Option<RemediationSkipReason> {
    let message = || format!("the rule {rule} is incomplete in this account");
    account.incomplete.contains(&rule).then(|| RemediationSkipReason::Incomplete(message()))
}

/// Returns the reason if this number of new tags exceeds the quota.
pub(super) fn of_tags(user_record: &UserRecord, more: usize) -> Option<RemediationSkipReason> {
    let tags = user_record.user.tags.as_ref().map_or(0, std::collections::BTreeMap::len);
    (more > 0 && tags + more > MAX_TAGS).then_some(RemediationSkipReason::Tags)
}

pub(super) fn has_remediation_tag(user_record: &UserRecord) -> bool {
    user_record
        .user
        .tags
        .as_ref()
        .is_some_and(|tags| remediation_tag::stocktake_tags(tags).next().is_some())
}
