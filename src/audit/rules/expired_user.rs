//! `expired-user`: a user whose expiry tag names a day before today. The tag is valid through its
//! day, UTC.

use chrono::NaiveTime;

use super::{
    Automation, Availability, DayCount, Remediation, RemediationAction, RuleDefinition, Subjects,
};
use crate::allowlist::parse_day;
use crate::audit::criteria::Criteria;
use crate::audit::draft::DraftFinding;
use crate::audit::finding::ReferenceKind;
use crate::model::inventory::{Account, EvidenceItem, UnreadableField, User};
use crate::model::policy::{Level, Rule};

pub(super) const DEFINITION: RuleDefinition = RuleDefinition {
    default_level: Level::Off,
    controls: &[],
    finds_disuse: false,
    finds_unlisted: false,
    applies_to: Subjects::Users,
    kinds: &[],
    optional_kinds: &[],
    evidence: &[EvidenceItem::Users, EvidenceItem::Tags],
    days: DayCount::ExpiryTag,
    shows_creation: false,
    remediation: Remediation {
        action: RemediationAction::DeleteUser,
        automation: Automation::Never,
        may_delete_user: true,
        before_deactivation: None,
    },
    availability,
    check,
};

fn availability(account: &Account<'_>, criteria: Criteria<'_>) -> Availability {
    let is_shown = criteria.policy.expiry_tag.is_none()
        || account.users.iter().all(|user| user.tags.is_some());
    Availability::live_only(is_shown, account)
}

fn check<'a>(user: &'a User<'_>, criteria: Criteria<'_>, drafts: &mut Vec<DraftFinding<'a>>) {
    let (Some(key), Some(tags)) = (&criteria.policy.expiry_tag, &user.tags) else { return };
    let Some(value) = tags.get(key) else { return };
    let outcome = match parse_day(value.trim()) {
        Some(day) if criteria.now.date_naive() <= day => return,
        Some(day) => Ok(Some((ReferenceKind::Expired, day.and_time(NaiveTime::MIN).and_utc()))),
        None => Err(UnreadableField { column: format!("tag {key}"), text: value.clone() }),
    };
    drafts.push(DraftFinding::for_user(Rule::ExpiredUser, outcome));
}
