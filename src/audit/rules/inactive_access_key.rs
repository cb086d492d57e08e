//! `inactive-access-key`: an inactive access key, `stale_after_days` after its last use or creation.

use super::{
    Automation, Availability, DayCount, Remediation, RemediationAction, RuleDefinition, Subjects,
};
use crate::audit::criteria::Criteria;
use crate::audit::draft::DraftFinding;
use crate::audit::staleness;
use crate::model::inventory::{CredentialKind, EvidenceItem, Flag, User};
use crate::model::policy::{Level, Rule};

pub(super) const DEFINITION: RuleDefinition = RuleDefinition {
    default_level: Level::Notice,
    controls: &[],
    finds_disuse: false,
    finds_unlisted: false,
    applies_to: Subjects::Users,
    kinds: &[CredentialKind::AccessKey],
    optional_kinds: &[],
    evidence: &[EvidenceItem::Users, EvidenceItem::AccessKeys, EvidenceItem::AccessKeyUse],
    days: DayCount::StaleAfterDays,
    shows_creation: false,
    remediation: Remediation {
        action: RemediationAction::Delete,
        automation: Automation::ByDefault,
        may_delete_user: false,
        before_deactivation: Some(Rule::StaleAccessKey),
    },
    availability: |account, criteria| {
        Availability::of_access_keys(Rule::InactiveAccessKey, account, criteria)
    },
    check,
};

fn check<'a>(user: &'a User<'_>, criteria: Criteria<'_>, drafts: &mut Vec<DraftFinding<'a>>) {
    for key in user.access_keys.iter().filter(|key| key.active == Flag::No) {
        let outcome = staleness::access_key_since(key, criteria.latest);
        if outcome.as_ref().is_ok_and(|(_, moment)| !criteria.has_passed(*moment)) {
            continue;
        }
        let outcome = outcome.map(Some);
        drafts.push(DraftFinding::for_access_key(Rule::InactiveAccessKey, user, key, outcome));
    }
}
