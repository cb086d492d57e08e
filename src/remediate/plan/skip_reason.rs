//! What keeps a credential or a user as it is, whatever the clock says.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountFacts, PlanSettings};
use crate::allowlist::{Exemption, ExemptionStatus};
use crate::model::inventory::{UserRecord, owner};
use crate::model::policy::Rule;
use crate::model::remediation_tag;

/// The most tags that IAM lets a user have.
const MAX_TAGS: usize = 50;

/// Why something is kept as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemediationSkipReason {
    /// It is the root user's.
    Root,
    /// An exemption is in force.
    Exempted {
        /// The line of the allowlist file.
        line: usize,
        /// Its last day.
        expires: NaiveDate,
    },
    /// The password was reset lately.
    RecentlyReset(DateTime<Utc>),
    /// It is the identity that we run as.
    Ourselves,
    /// Evidence could not be had: what was answered.
    Incomplete(String),
    /// It was used after the notice.
    Used(DateTime<Utc>),
    /// A tag names another owner.
    Owner(String),
    /// The user stands under another path.
    Path(String),
    /// The user has so many tags that there is no room for ours.
    Tags,
}

impl fmt::Display for RemediationSkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |moment: &DateTime<Utc>| moment.date_naive();
        match self {
            Self::Root => f.write_str("only the root user changes the root user's credentials"),
            Self::Exempted { line, expires } => {
                write!(f, "exempted until {expires} (line {line} of the allowlist)")
            }
            Self::RecentlyReset(at) => write!(f, "the password was reset on {}", day(at)),
            Self::Ourselves => f.write_str("it is the identity that this runs as"),
            Self::Incomplete(message) => write!(f, "evidence is missing: {message}"),
            Self::Used(at) => write!(f, "it was used on {}", day(at)),
            Self::Owner(owner) => write!(f, "it belongs to {owner}, whom the policy does not name"),
            Self::Path(path) => {
                write!(f, "the user stands under {path}, which the policy does not name")
            }
            Self::Tags => write!(f, "the user has {MAX_TAGS} tags or nearly so: no room for ours"),
        }
    }
}

/// The reason that keeps the whole user as it is, if one does.
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
        return Some(RemediationSkipReason::Incomplete("the user's tags were not seen".to_owned()));
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

/// The reason from an exemption in force that names the user, whatever it exempts: such a user is not
/// deleted, also where nothing is left of what is exempted.
pub(super) fn of_exemption(
    user_record: &UserRecord,
    settings: PlanSettings<'_>,
) -> Option<RemediationSkipReason> {
    let user = &user_record.user;
    let id = user.id.as_deref();
    let naming = settings.allowlist.exemptions.iter().find(|exemption| {
        is_in_force(exemption, settings)
            && exemption.applies_to(user_record.account, &user.name, id)
    });
    naming.map(|it| RemediationSkipReason::Exempted { line: it.place.line, expires: it.expires })
}

/// The reason from an exemption in force that keeps the whole user from remediation, since it names
/// neither credentials nor rules. Of several the one that lasts longest.
pub(super) fn of_protection(
    user_record: &UserRecord,
    settings: PlanSettings<'_>,
) -> Option<RemediationSkipReason> {
    let in_force = protections(user_record, settings).filter(|it| is_in_force(it, settings));
    let longest = in_force.max_by_key(|it| it.expires);
    longest.map(|it| RemediationSkipReason::Exempted { line: it.place.line, expires: it.expires })
}

/// The last day of the last such exemption that has expired.
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

/// Whether a rule's verdicts may be acted upon in the account.
pub(super) fn of_rule(rule: Rule, account: &AccountFacts) -> Option<RemediationSkipReason> {
    let message = || format!("the rule {rule} is incomplete in this account");
    account.incomplete.contains(&rule).then(|| RemediationSkipReason::Incomplete(message()))
}

/// Whether so many more tags of ours would be too many.
pub(super) fn of_tags(user_record: &UserRecord, more: usize) -> Option<RemediationSkipReason> {
    let tags = user_record.user.tags.as_ref().map_or(0, std::collections::BTreeMap::len);
    (more > 0 && tags + more > MAX_TAGS).then_some(RemediationSkipReason::Tags)
}

/// Whether the user bears a tag of ours.
pub(super) fn has_our_tag(user_record: &UserRecord) -> bool {
    user_record
        .user
        .tags
        .as_ref()
        .is_some_and(|tags| remediation_tag::stocktake_tags(tags).next().is_some())
}
