//! `user-without-credentials`: a user with no credential of any kind.

use super::{
    Automation, Availability, DayCount, Remediation, RemediationAction, RuleDefinition, Subjects,
};
use crate::audit::criteria::Criteria;
use crate::audit::draft::DraftFinding;
use crate::audit::user_state::{created, has_no_visible_credential};
use crate::model::inventory::{Account, EvidenceItem, EvidenceSource, User};
use crate::model::policy::{Level, Rule};

pub(super) const DEFINITION: RuleDefinition = RuleDefinition {
    default_level: Level::Notice,
    controls: &[],
    finds_disuse: false,
    finds_unlisted: false,
    applies_to: Subjects::Users,
    kinds: &[],
    optional_kinds: &[],
    evidence: &[
        EvidenceItem::Users,
        EvidenceItem::LoginProfile,
        EvidenceItem::AccessKeys,
        EvidenceItem::SigningCertificates,
        EvidenceItem::SshKeys,
        EvidenceItem::ServiceSpecificCredentials,
    ],
    days: DayCount::Fixed,
    shows_creation: false,
    remediation: Remediation {
        action: RemediationAction::DeleteUser,
        automation: Automation::ByDefault,
        may_delete_user: true,
        before_deactivation: None,
    },
    availability,
    check,
};

fn availability(account: &Account<'_>, _: Criteria<'_>) -> Availability {
    let is_live = account.evidence_source == EvidenceSource::Live;
    let is_shown = |user: &User<'_>| {
        user.other_credentials_complete || (is_live && !has_no_visible_credential(user))
    };
    Availability::live_only(account.users.iter().all(is_shown), account)
}

fn check<'a>(user: &'a User<'_>, criteria: Criteria<'_>, drafts: &mut Vec<DraftFinding<'a>>) {
    if user.other_credentials_complete
        && !user.hidden_credentials
        && has_no_visible_credential(user)
    {
        let draft = DraftFinding::for_user(Rule::UserWithoutCredentials, Ok(None));
        drafts.push(draft.regardless_of_date(created(user, criteria)));
    }
}
