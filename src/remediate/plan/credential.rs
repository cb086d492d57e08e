//! Decides about one credential, from its findings and its remediation tag.

use chrono::{DateTime, TimeDelta, Utc};

use super::facts::{PlanCredential, may_be_active};
use super::tag_state::{TagState, needs_refresh, needs_refresh_while_held, restart_reason};
use super::user_audit::{CredentialFinding, UserAudit, recently_reset};
use super::{
    AccountFacts, ChangeKind, PlanSettings, RemediationSkipReason, StartReason, TagRemovalReason,
    skip_reason,
};
use crate::audit::{Finding, ReferenceKind};
use crate::model::inventory::{Flag, Timestamp, UserRecord};
use crate::model::policy::Rule;
use crate::model::policy::remediation::Stage;
use crate::model::remediation_tag::{RemediationStatus, RemediationTag, TagSubject, days_after};

/// What to do about a credential or a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// No finding is open, and there is nothing to do.
    Nothing,
    Change(ChangeKind),
    /// A change that is not due yet.
    Wait {
        stage: Stage,
        due: DateTime<Utc>,
        /// Whether the tag has to be updated.
        renew: bool,
        /// Whether a person has to make the change.
        by_hand: bool,
    },
    /// A person has to make the change.
    ByHand {
        /// Whether the tag has to be updated.
        renew: bool,
    },
    /// No change, except that an existing tag is removed for the given reason.
    Skip(RemediationSkipReason, Option<TagRemovalReason>),
    /// Evidence is missing, but not about this user. No change, and the days keep counting.
    Hold {
        reason: RemediationSkipReason,
        /// Whether the tag has to be updated.
        renew: bool,
    },
}

/// The input for the decision about one credential.
pub(super) struct DecisionContext<'a> {
    pub(super) user_record: &'a UserRecord,
    pub(super) account: &'a AccountFacts,
    pub(super) user_audit: &'a UserAudit<'a>,
    pub(super) settings: PlanSettings<'a>,
    /// Whether an earlier run set a tag that no run has removed.
    pub(super) has_known_tag: bool,
}

impl DecisionContext<'_> {
    /// Decides about one credential.
    pub(super) fn decide(&self, credential: &PlanCredential<'_>) -> Decision {
        let subject = &credential.subject;
        let tag = TagState::of(subject, &self.user_record.user);
        let may_be_active = may_be_active(credential.active);
        let clearing = |why| tag.is_present().then_some(why);
        let finding = match self.user_audit.credential_finding(subject, may_be_active) {
            CredentialFinding::Nothing => return self.decide_without_finding(credential, tag),
            CredentialFinding::Unknown(message) => {
                return Decision::Skip(RemediationSkipReason::Incomplete(message), None);
            }
            // The tag of a credential that a run deactivated is needed to undo the deactivation.
            CredentialFinding::Exempted(reason) if !may_be_active && tag.is_deactivated() => {
                return Decision::Skip(reason, None);
            }
            CredentialFinding::Exempted(reason) => {
                return Decision::Skip(reason, clearing(TagRemovalReason::Exempted));
            }
            CredentialFinding::Open(finding) => finding,
        };
        if let Some(reason) = skip_reason::of_rule(finding.rule, self.account) {
            return Decision::Hold { reason, renew: needs_refresh_while_held(tag, self.settings) };
        }
        match recently_reset(finding) {
            Some(reason @ RemediationSkipReason::RecentlyReset(_)) => {
                return Decision::Skip(reason, clearing(TagRemovalReason::RecentlyReset));
            }
            // Missing evidence does not restart the days.
            Some(reason) => return Decision::Skip(reason, None),
            None => {}
        }
        match credential.active {
            Flag::Unreadable(field) => {
                let message = format!("{} cannot be read: {}", field.column, field.text);
                Decision::Skip(RemediationSkipReason::Incomplete(message), None)
            }
            Flag::Yes => self.decide_active(credential, tag, finding),
            Flag::No => self.decide_inactive(credential, tag, finding),
        }
    }

    /// Decides about a credential that has no finding: an existing tag is removed.
    fn decide_without_finding(&self, credential: &PlanCredential<'_>, tag: TagState) -> Decision {
        if !tag.is_present() {
            return Decision::Nothing;
        }
        let recent = TimeDelta::days(i64::from(self.settings.policy.stale_after_days));
        let used = credential.last_used.and_then(Timestamp::at);
        // The tag of a credential that a run deactivated is needed to undo the deactivation, unless
        // the credential was used since.
        if let TagState::Valid(tag) = tag
            && tag.reached == RemediationStatus::Deactivated
            && !may_be_active(credential.active)
            && used.is_none_or(|at| at < tag.since)
        {
            return Decision::Nothing;
        }
        match used.filter(|at| self.settings.now - *at < recent) {
            Some(at) => {
                Decision::Skip(RemediationSkipReason::Used(at), Some(TagRemovalReason::Used(at)))
            }
            None => Decision::Change(ChangeKind::RemoveTag(TagRemovalReason::NotStale)),
        }
    }

    /// Decides about a stale credential that is active: notice, then deactivation.
    fn decide_active(
        &self,
        credential: &PlanCredential<'_>,
        tag: TagState,
        finding: &Finding,
    ) -> Decision {
        let notify = |why| Decision::Change(ChangeKind::Notify(why));
        let tag = match tag {
            TagState::Absent if self.has_known_tag => return notify(StartReason::TagRemoved),
            TagState::Absent => return notify(StartReason::First),
            TagState::Unreadable => return notify(StartReason::Unreadable),
            TagState::Valid(tag) if tag.reached.is_inactive() => {
                return notify(StartReason::Reactivated);
            }
            TagState::Valid(tag) => tag,
        };
        let is_password = credential.subject == TagSubject::PASSWORD;
        let changed = credential.created.at().is_some_and(|changed| changed >= tag.since);
        let restart = restart_reason(tag, self.settings)
            .or((is_password && changed).then_some(StartReason::PasswordChanged))
            .or(used_since(tag, finding))
            .or_else(|| self.exemption_expired_since(tag, finding));
        if let Some(why) = restart {
            return notify(why);
        }
        let PlanSettings { remediation, stage, now, .. } = self.settings;
        let due =
            tag.due_after(remediation.deactivate_after_days).max(self.disuse_certain_from(finding));
        let renew = needs_refresh(tag, self.settings);
        if now < due || stage < Stage::Deactivate {
            // A password cannot be deactivated, only deleted.
            let (stage, by_hand) = match (is_password, remediation.delete_passwords) {
                (true, deletes) => (Stage::Delete, !deletes),
                (false, _) => (Stage::Deactivate, false),
            };
            return Decision::Wait { stage, due, renew, by_hand };
        }
        match (is_password, remediation.delete_passwords) {
            (true, false) => Decision::ByHand { renew },
            (true, true) => Decision::Change(ChangeKind::DeletePassword),
            (false, _) => Decision::Change(ChangeKind::Deactivate),
        }
    }

    /// Decides about a credential that is inactive and would be stale if it were active: deletion,
    /// if the policy allows it.
    fn decide_inactive(
        &self,
        credential: &PlanCredential<'_>,
        tag: TagState,
        finding: &Finding,
    ) -> Decision {
        let PlanSettings { remediation, stage, now, .. } = self.settings;
        let schedule = |why| Decision::Change(ChangeKind::ScheduleDeletion(why));
        let Some(days) = remediation.delete_after_days else {
            return match tag {
                TagState::Valid(RemediationTag {
                    reached: RemediationStatus::Notified, ..
                })
                | TagState::Unreadable => {
                    Decision::Change(ChangeKind::RemoveTag(TagRemovalReason::Inactive))
                }
                TagState::Valid(_) | TagState::Absent => Decision::Nothing,
            };
        };
        let tag = match tag {
            TagState::Absent if self.has_known_tag => return schedule(StartReason::TagRemoved),
            // Someone else deactivated the credential.
            TagState::Absent if self.user_audit.has_inactive_finding(&credential.subject) => {
                return schedule(StartReason::First);
            }
            TagState::Absent => return Decision::Nothing,
            TagState::Unreadable => return schedule(StartReason::Unreadable),
            TagState::Valid(RemediationTag { reached: RemediationStatus::Notified, .. }) => {
                return schedule(StartReason::First);
            }
            TagState::Valid(tag) if !self.handles_inactive(credential, tag) => {
                return Decision::Change(ChangeKind::RemoveTag(TagRemovalReason::NotStale));
            }
            TagState::Valid(tag) => tag,
        };
        if let Some(why) = restart_reason(tag, self.settings)
            .or(used_since(tag, finding))
            .or_else(|| self.exemption_expired_since(tag, finding))
        {
            return schedule(why);
        }
        let due = tag.due_after(days).max(self.disuse_certain_from(finding));
        if now < due || stage < Stage::Delete {
            let renew = needs_refresh(tag, self.settings);
            return Decision::Wait { stage: Stage::Delete, due, renew, by_hand: false };
        }
        Decision::Change(ChangeKind::DeleteCredential)
    }

    /// Whether an inactive credential with this tag is remediated. If someone else deactivated it,
    /// that is up to the rule about such credentials.
    fn handles_inactive(&self, credential: &PlanCredential<'_>, tag: RemediationTag) -> bool {
        let TagSubject::Credential(kind, _) = credential.subject else { return false };
        tag.reached != RemediationStatus::Inactive
            || Rule::about_inactive(kind)
                .is_some_and(|rule| self.settings.remediation.covers_rule(rule))
    }

    /// When the disuse is certain. IAM reports the last use with a delay, so this is one day more
    /// than the stale limit.
    fn disuse_certain_from(&self, finding: &Finding) -> DateTime<Utc> {
        days_after(reference(finding), self.settings.policy.stale_after_days.saturating_add(1))
    }

    fn exemption_expired_since(
        &self,
        tag: RemediationTag,
        finding: &Finding,
    ) -> Option<StartReason> {
        let expired = self.user_audit.exemption_expired_at(finding)?;
        (tag.since < expired).then_some(StartReason::ExemptionExpired)
    }
}

/// Whether the credential was used after the tag was set, between two runs that both found it
/// stale.
fn used_since(tag: RemediationTag, finding: &Finding) -> Option<StartReason> {
    let used = finding.reference.filter(|(reference, _)| *reference == ReferenceKind::LastUsed);
    used.filter(|(_, at)| *at >= tag.since).map(|_| StartReason::Used)
}

/// The date from which disuse is counted. An open finding of these rules always has one.
fn reference(finding: &Finding) -> DateTime<Utc> {
    finding.reference.map_or(DateTime::<Utc>::MAX_UTC, |(_, moment)| moment)
}
