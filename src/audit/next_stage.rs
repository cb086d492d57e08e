//! The next remediation stage of a credential, and its first day.

use chrono::NaiveDate;

use super::finding::{Credential, Finding, FindingStatus};
use super::remediation_record::RemediationRecord;
use super::result::Audit;
use super::rules::RemediationAction;
use crate::allowlist::ExemptionStatus;
use crate::model::inventory::{AccountId, CredentialHandle, CredentialKind, User};
use crate::model::policy::Rule;
use crate::model::policy::remediation::{RemediationPolicy, Stage};
use crate::model::remediation_tag::{self, RemediationStatus, RemediationTag, TagSubject};

/// The next remediation stage of a credential, unless it is used or exempted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NextStage {
    pub stage: Stage,
    /// The first day of the stage.
    pub from: NaiveDate,
}

impl Audit {
    /// The next remediation stage of a finding's credential; `None` if it is unknown: without a
    /// remediation policy, without a remediation tag, or if no run has seen the credential for too
    /// long.
    #[must_use]
    pub fn next_stage(&self, finding: &Finding) -> Option<NextStage> {
        let policy = self.remediation.as_ref()?;
        let tag = finding.remediation_tag?;
        let kind = finding.credential.as_ref()?.kind;
        if !is_remediated(finding.rule, tag.reached, policy) || self.protects_user_of(finding) {
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
            // A password cannot be deactivated in another way.
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

    /// The next stage of a credential or user with a remediation tag; `None` if it is unknown.
    #[must_use]
    pub fn next_stage_of(&self, record: &RemediationRecord) -> Option<NextStage> {
        let tag = record.tag?;
        let is_about = |finding: &&Finding| {
            finding.user.account == record.account
                && finding.user.name == record.user
                && finding.remediation_tag == Some(tag)
                && finding.credential.as_ref().is_some_and(|it| {
                    let id = match &it.handle {
                        Some(CredentialHandle::Id(id)) => Some(id.clone()),
                        _ => None,
                    };
                    record.subject == TagSubject::Credential(it.kind, id)
                })
        };
        match self.findings.iter().find(is_about) {
            Some(finding) => self.next_stage(finding),
            None => self.deletion_of(record, tag),
        }
    }

    /// The deletion of a credential that no rule finds, or of a user.
    fn deletion_of(&self, record: &RemediationRecord, tag: RemediationTag) -> Option<NextStage> {
        let policy = self.remediation.as_ref()?;
        let is_due = match &record.subject {
            TagSubject::User => {
                tag.reached == RemediationStatus::Notified && policy.deletes_users()
            }
            TagSubject::Credential(kind, _) => {
                tag.reached.is_inactive()
                    && Rule::about_inactive(*kind)
                        .is_some_and(|rule| is_remediated(rule, tag.reached, policy))
            }
        };
        let is_covered = policy.covers_owner(record.owner.as_deref())
            && path(&record.arn).is_some_and(|path| policy.covers_path(path))
            && !self.protects(record.account, &record.user, record.user_id.as_deref())
            && !tag.exceeds_max_gap(self.now, policy.max_gap_days);
        (is_due && is_covered).then_some(NextStage {
            stage: Stage::Delete,
            from: tag.due_after(policy.delete_after_days?).date_naive(),
        })
    }

    fn protects_user_of(&self, finding: &Finding) -> bool {
        let user = &finding.user;
        self.protects(user.account, &user.name, user.user_id.as_deref())
    }

    /// Whether a valid exemption protects the whole user.
    fn protects(&self, account: AccountId, user: &str, user_id: Option<&str>) -> bool {
        self.exemptions.iter().any(|reviewed| {
            let exemption = &reviewed.exemption;
            exemption.protects_user
                && reviewed.status != ExemptionStatus::Expired
                && exemption.applies_to(account, user, user_id)
        })
    }
}

/// Whether a finding with such a tag is remediated. A key that a run deactivated is deleted even if
/// the policy does not cover keys that were already inactive.
fn is_remediated(rule: Rule, reached: RemediationStatus, policy: &RemediationPolicy) -> bool {
    let before = rule.remediation().before_deactivation;
    policy.covers_rule(rule)
        || (reached == RemediationStatus::Deactivated
            && before.is_some_and(|before| policy.covers_rule(before)))
}

/// The remediation tag of a finding's credential, if it matches the credential's state: a
/// credential that was re-enabled is no longer deactivated.
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
        // The slot may have another key by now.
        Some(CredentialHandle::Slot(_)) => return None,
    };
    let subject = TagSubject::Credential(credential.kind, id);
    let tag = remediation_tag::find(&subject, user.tags.as_ref()?)?;
    (tag.reached.is_inactive() == is_of_inactive).then_some(tag)
}

/// The path in a user's ARN, including its slashes.
fn path(arn: &str) -> Option<&str> {
    let (_, resource) = arn.split_once(":user")?;
    resource.get(..=resource.rfind('/')?)
}
