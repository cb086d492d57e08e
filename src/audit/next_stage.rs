//! How far the remedy has come with a credential, and what it does next, from which day on.

use chrono::NaiveDate;

use super::finding::{Credential, Finding, FindingStatus};
use super::result::Audit;
use super::rules::RemediationAction;
use crate::allowlist::ExemptionStatus;
use crate::model::inventory::{CredentialHandle, CredentialKind, User};
use crate::model::policy::Rule;
use crate::model::policy::remediation::{RemediationPolicy, Stage};
use crate::model::remediation_tag::{self, RemediationStatus, RemediationTag};

/// What the remedy does next with a credential, unless it is used or exempted meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NextStage {
    /// What it does.
    pub stage: Stage,
    /// The first day on which it does.
    pub from: NaiveDate,
}

impl Audit {
    /// What the remedy does next with the credential of a finding; `None` where that is not known:
    /// without a policy for it, without a notice, or where no run has seen it for too long.
    #[must_use]
    pub fn next_stage(&self, finding: &Finding) -> Option<NextStage> {
        let policy = self.remediation.as_ref()?;
        let tag = finding.remediation_tag?;
        let kind = finding.credential.as_ref()?.kind;
        if !is_remediated(finding.rule, tag.reached, policy) || self.protects(finding) {
            return None;
        }
        let subject = &finding.user;
        if finding.status != FindingStatus::Open
            || finding.recently_reset()
            || tag.exceeds_max_gap(self.now, policy.max_gap_days)
            || !policy.covers_owner(subject.owner.as_deref())
            || !path(&subject.arn).is_some_and(|path| policy.covers_path(path))
        {
            return None;
        }
        let (stage, days) = match (tag.reached, kind) {
            // A password has no other way of being deactivated.
            (RemediationStatus::Notified, CredentialKind::Password) if policy.delete_passwords => {
                (Stage::Delete, policy.deactivate_after_days)
            }
            (RemediationStatus::Notified, CredentialKind::Password) => return None,
            (RemediationStatus::Notified, _) => (Stage::Deactivate, policy.deactivate_after_days),
            (RemediationStatus::Deactivated | RemediationStatus::Inactive, _) => {
                (Stage::Delete, policy.delete_after_days?)
            }
        };
        Some(NextStage { stage, from: tag.due_after(days).date_naive() })
    }

    /// Whether an exemption in force keeps the whole user of the finding from remediation.
    fn protects(&self, finding: &Finding) -> bool {
        let subject = &finding.user;
        self.exemptions.iter().any(|reviewed| {
            let exemption = &reviewed.exemption;
            exemption.protects_user
                && reviewed.status != ExemptionStatus::Expired
                && exemption.applies_to(subject.account, &subject.name, subject.user_id.as_deref())
        })
    }
}

/// Whether a finding with such a tag is remediated: a key that a run deactivated is deleted also
/// where keys that were found inactive are not.
fn is_remediated(rule: Rule, reached: RemediationStatus, policy: &RemediationPolicy) -> bool {
    let before = rule.remediation().before_deactivation;
    policy.covers_rule(rule)
        || (reached == RemediationStatus::Deactivated
            && before.is_some_and(|before| policy.covers_rule(before)))
}

/// What the tag of a finding's credential says, if the credential was seen in that state: whatever
/// was made active again is no longer deactivated.
pub(super) fn remediation_tag_of(
    rule: Rule,
    credential: Option<&Credential>,
    user: &User<'_>,
) -> Option<RemediationTag> {
    let credential = credential?;
    let is_of_inactive = match rule.remediation().action {
        RemediationAction::DeletePassword | RemediationAction::DeactivateAndDelete => false,
        RemediationAction::Delete => true,
        RemediationAction::DeleteUser | RemediationAction::Rotate | RemediationAction::Manual => {
            return None;
        }
    };
    let id = match &credential.handle {
        Some(CredentialHandle::Id(id)) => Some(id.clone()),
        None => None,
        // A slot may hold another key by now.
        Some(CredentialHandle::Slot(_)) => return None,
    };
    let subject = remediation_tag::TagSubject::Credential(credential.kind, id);
    let tag = remediation_tag::find(&subject, user.tags.as_ref()?)?;
    (tag.reached.is_inactive() == is_of_inactive).then_some(tag)
}

/// The path in the ARN of a user, with the slashes around it.
fn path(arn: &str) -> Option<&str> {
    let (_, resource) = arn.split_once(":user")?;
    resource.get(..=resource.rfind('/')?)
}
