//! `old-service-credential`: an active SSH key, service-specific credential or signing certificate
//! that is at least `stale_after_days` old. IAM does not record when these were last used.

use super::{
    Automation, Availability, DayCount, Remediation, RemediationAction, RuleDefinition, Subjects,
};
use crate::audit::criteria::Criteria;
use crate::audit::draft::DraftFinding;
use crate::audit::staleness::{self, Disuse};
use crate::model::inventory::{
    Account, CredentialKind, Evidence, EvidenceItem, EvidenceSource, User,
};
use crate::model::policy::{Level, Rule};

pub(super) const DEFINITION: RuleDefinition = RuleDefinition {
    default_level: Level::Warning,
    controls: &[],
    finds_disuse: false,
    finds_unlisted: false,
    applies_to: Subjects::UsersAndRootUser,
    kinds: &[
        CredentialKind::SigningCertificate,
        CredentialKind::SshKey,
        CredentialKind::ServiceSpecificCredential,
    ],
    optional_kinds: &[CredentialKind::SshKey],
    evidence: &[
        EvidenceItem::Users,
        EvidenceItem::SigningCertificates,
        EvidenceItem::SshKeys,
        EvidenceItem::ServiceSpecificCredentials,
    ],
    days: DayCount::StaleAfterDays,
    shows_creation: false,
    remediation: Remediation {
        action: RemediationAction::DeactivateAndDelete,
        // An old credential is not necessarily unused.
        automation: Automation::IfListed,
        may_delete_user: false,
        before_deactivation: None,
    },
    availability,
    check,
};

fn availability(account: &Account<'_>, _: Criteria<'_>) -> Availability {
    // Only the report shows the signing certificates of the root user.
    let has_root = account.root.is_some();
    let is_shown = |user: &User<'_>| user.other_credentials_complete;
    if has_root && account.users.iter().all(is_shown) {
        return Availability::Shown;
    }
    // Listing the SSH keys of users who are not flagged takes a call per user, and is a setting.
    let is_left_out = |user: &User<'_>| is_shown(user) || user.evidence() != Evidence::ReChecked;
    match account.evidence_source {
        EvidenceSource::Live if has_root && account.users.iter().all(is_left_out) => {
            Availability::LeftOut
        }
        _ => Availability::live_only(false, account),
    }
}

fn check<'a>(user: &'a User<'_>, criteria: Criteria<'_>, drafts: &mut Vec<DraftFinding<'a>>) {
    const RULE: Rule = Rule::OldServiceCredential;
    for credential in &user.other_credentials {
        let outcome = match staleness::other_age(credential, criteria.latest) {
            Disuse::Since(since) if criteria.has_passed(since.1) => Ok(Some(since)),
            Disuse::Unknown(field) => Err(field),
            Disuse::Since(_) | Disuse::Disabled => continue,
        };
        drafts.push(DraftFinding::for_other_credential(RULE, user, credential, outcome));
    }
}
