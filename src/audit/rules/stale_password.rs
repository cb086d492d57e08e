//! `stale-password`: an enabled password that has not been used for `stale_after_days`.

use super::{
    Automation, Availability, DayCount, Remediation, RemediationAction, RuleDefinition, Subjects,
    UNUSED_CREDENTIAL_CONTROLS,
};
use crate::audit::criteria::Criteria;
use crate::audit::draft::DraftFinding;
use crate::audit::finding::{Credential, Note};
use crate::audit::staleness::{self, Disuse};
use crate::model::inventory::{CredentialKind, EvidenceItem, User};
use crate::model::policy::{Level, Rule};

pub(super) const DEFINITION: RuleDefinition = RuleDefinition {
    default_level: Level::Error,
    controls: UNUSED_CREDENTIAL_CONTROLS,
    finds_disuse: true,
    finds_unlisted: false,
    applies_to: Subjects::Users,
    kinds: &[CredentialKind::Password],
    optional_kinds: &[],
    evidence: &[EvidenceItem::Users, EvidenceItem::LoginProfile],
    days: DayCount::StaleAfterDays,
    shows_creation: false,
    remediation: Remediation {
        action: RemediationAction::DeletePassword,
        automation: Automation::ByDefault,
        may_delete_user: true,
        before_deactivation: None,
    },
    availability: |_, _| Availability::Shown,
    check,
};

fn check<'a>(user: &'a User<'_>, criteria: Criteria<'_>, drafts: &mut Vec<DraftFinding<'a>>) {
    let Some(password) = &user.password else { return };
    let mut notes = Vec::new();
    let outcome = match staleness::password(password, &user.created, criteria.latest) {
        Disuse::Disabled => return,
        Disuse::Unknown(field) => Err(field),
        Disuse::Since((_, moment)) if !criteria.has_passed(moment) => return,
        Disuse::Since(since) => {
            let column = || staleness::PASSWORD_LAST_CHANGED.to_owned();
            match staleness::moment(&password.last_changed, criteria.latest, column) {
                Ok(Some(changed)) if !criteria.has_passed(changed) => {
                    notes.push(Note::RecentlyReset(changed));
                }
                Ok(_) => {}
                Err(field) => notes.push(Note::Unreadable(field)),
            }
            Ok(Some(since))
        }
    };
    let credential = Credential {
        kind: CredentialKind::Password,
        handle: None,
        created: password.last_changed.at(),
        last_used_service: None,
    };
    let draft = DraftFinding::for_password(Rule::StalePassword, credential, outcome);
    drafts.push(DraftFinding { notes, ..draft });
}
