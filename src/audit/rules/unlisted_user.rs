//! `unlisted-user`: a user with a password or access key and without a valid exemption. The
//! exemptions are applied later.

use super::{Availability, DayCount, Remediation, RuleDefinition, Subjects};
use crate::audit::criteria::Criteria;
use crate::audit::draft::DraftFinding;
use crate::audit::user_state::created;
use crate::model::inventory::{EvidenceItem, User};
use crate::model::policy::{Level, Rule};

pub(super) const DEFINITION: RuleDefinition = RuleDefinition {
    default_level: Level::Off,
    controls: &[],
    finds_disuse: false,
    finds_unlisted: true,
    applies_to: Subjects::Users,
    kinds: &[],
    optional_kinds: &[],
    evidence: &[EvidenceItem::Users, EvidenceItem::LoginProfile, EvidenceItem::AccessKeys],
    days: DayCount::Fixed,
    shows_creation: false,
    remediation: Remediation::MANUAL,
    availability: |_, _| Availability::Shown,
    check,
};

fn check<'a>(user: &'a User<'_>, criteria: Criteria<'_>, drafts: &mut Vec<DraftFinding<'a>>) {
    if user.password.is_some() || !user.access_keys.is_empty() || user.hidden_credentials {
        let draft = DraftFinding::for_user(Rule::UnlistedUser, Ok(None));
        drafts.push(draft.regardless_of_date(created(user, criteria)));
    }
}
