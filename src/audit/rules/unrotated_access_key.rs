//! `unrotated-access-key`: an active access key that was created more than 90 days ago.

use chrono::TimeDelta;

use super::{
    Automation, Availability, Control, DayCount, Remediation, RemediationAction, RuleDefinition,
    Subjects,
};
use crate::audit::criteria::Criteria;
use crate::audit::draft::DraftFinding;
use crate::audit::staleness::{self, Disuse};
use crate::model::inventory::{CredentialKind, EvidenceItem, User};
use crate::model::policy::{Level, Rule};

/// Source: "Security Hub controls for IAM", control IAM.3. The number of days is fixed, and unlike
/// in the rules about disuse, the key must be older than that.
const MAX_AGE_DAYS: i64 = 90;

pub(super) const DEFINITION: RuleDefinition = RuleDefinition {
    default_level: Level::Off,
    controls: &[Control::new("IAM.3")],
    finds_disuse: false,
    finds_unlisted: false,
    applies_to: Subjects::Users,
    kinds: &[CredentialKind::AccessKey],
    optional_kinds: &[],
    evidence: &[EvidenceItem::Users, EvidenceItem::AccessKeys, EvidenceItem::AccessKeyUse],
    days: DayCount::Fixed,
    shows_creation: false,
    remediation: Remediation {
        action: RemediationAction::Rotate,
        automation: Automation::Never,
        may_delete_user: false,
        before_deactivation: None,
    },
    availability: |account, criteria| {
        Availability::of_access_keys(Rule::UnrotatedAccessKey, account, criteria)
    },
    check,
};

fn check<'a>(user: &'a User<'_>, criteria: Criteria<'_>, drafts: &mut Vec<DraftFinding<'a>>) {
    let is_old = |created| criteria.now - created > TimeDelta::days(MAX_AGE_DAYS);
    for key in &user.access_keys {
        let outcome = match staleness::access_key_age(key, criteria.latest) {
            Disuse::Since(since) if is_old(since.1) => Ok(Some(since)),
            Disuse::Unknown(field) => Err(field),
            Disuse::Since(_) | Disuse::Disabled => continue,
        };
        drafts.push(DraftFinding::for_access_key(Rule::UnrotatedAccessKey, user, key, outcome));
    }
}
