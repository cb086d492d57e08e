//! `stale-access-key`: an active access key that has not been used for `stale_after_days`.

use super::{
    Automation, Availability, DayCount, Remediation, RemediationAction, RuleDefinition, Subjects,
    UNUSED_CREDENTIAL_CONTROLS, hidden_credentials,
};
use crate::audit::criteria::Criteria;
use crate::audit::draft::DraftFinding;
use crate::audit::staleness::{self, Disuse};
use crate::model::inventory::{Account, CredentialKind, EvidenceItem, User};
use crate::model::policy::{Level, Rule};

pub(super) const DEFINITION: RuleDefinition = RuleDefinition {
    default_level: Level::Error,
    controls: UNUSED_CREDENTIAL_CONTROLS,
    finds_disuse: true,
    finds_unlisted: false,
    applies_to: Subjects::Users,
    kinds: &[CredentialKind::AccessKey],
    optional_kinds: &[],
    evidence: &[EvidenceItem::Users, EvidenceItem::AccessKeys, EvidenceItem::AccessKeyUse],
    days: DayCount::StaleAfterDays,
    shows_creation: false,
    remediation: Remediation {
        action: RemediationAction::DeactivateAndDelete,
        automation: Automation::ByDefault,
        may_delete_user: true,
        before_deactivation: None,
    },
    availability,
    check,
};

fn availability(account: &Account<'_>, _: Criteria<'_>) -> Availability {
    let is_shown = account.users.iter().all(|user| !user.hidden_credentials);
    Availability::live_only(is_shown, account)
}

fn check<'a>(user: &'a User<'_>, criteria: Criteria<'_>, drafts: &mut Vec<DraftFinding<'a>>) {
    for key in &user.access_keys {
        let outcome = match staleness::access_key(key, criteria.latest) {
            Disuse::Since(since) if criteria.has_passed(since.1) => Ok(Some(since)),
            Disuse::Unknown(field) => Err(field),
            Disuse::Since(_) | Disuse::Disabled => continue,
        };
        drafts.push(DraftFinding::for_access_key(Rule::StaleAccessKey, user, key, outcome));
    }
    if user.hidden_credentials {
        drafts.push(hidden_credentials(Rule::StaleAccessKey));
    }
}
