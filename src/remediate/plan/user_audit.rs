//! The audit of one user, for the decisions about the user's credentials.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::facts::subject;
use super::{PlanSettings, RemediationSkipReason, skip_reason};
use crate::audit::{self, AllowlistOrigin, Audit, Finding, FindingStatus, Note};
use crate::model::inventory::{Account, EvidenceSource, Flag, User, UserRecord};
use crate::model::policy::remediation::RemediationPolicy;
use crate::model::policy::{Level, Rule};
use crate::model::remediation_tag::{TagSubject, days_after};

/// The audit results for one user.
pub(super) struct UserAudit<'a> {
    remediation: &'a RemediationPolicy,
    /// The valid exemption that protects the whole user.
    protection: Option<RemediationSkipReason>,
    /// When the last such exemption expired.
    protection_expired_at: Option<DateTime<Utc>>,
    /// The audit of the credentials as they are.
    actual: Audit,
    /// The audit as if all credentials were active. It shows whether a deactivated credential would
    /// still be stale, or is exempt now.
    as_if_active: Audit,
}

/// The audit result for one credential.
pub(super) enum CredentialFinding<'a> {
    /// No finding that the policy remediates.
    Nothing,
    /// A valid exemption covers it.
    Exempted(RemediationSkipReason),
    /// The evidence cannot be read.
    Unknown(String),
    Open(&'a Finding),
}

impl<'a> UserAudit<'a> {
    pub(super) fn of(user_record: &UserRecord, settings: PlanSettings<'a>) -> Self {
        let actual = user_record.user.clone();
        let mut all_active = actual.clone();
        all_active.access_keys.iter_mut().for_each(|key| key.active = Flag::Yes);
        all_active.other_credentials.iter_mut().for_each(|other| other.active = Flag::Yes);
        let audit_user = |user| {
            let account = single_user_account(user_record, user, settings.now);
            let origin = AllowlistOrigin::None;
            audit::audit_accounts(
                &[account],
                settings.allowlist,
                origin,
                settings.policy,
                settings.now,
            )
        };
        Self {
            remediation: settings.remediation,
            protection: skip_reason::of_protection(user_record, settings),
            protection_expired_at: skip_reason::protection_expired_on(user_record, settings)
                .map(day_after),
            actual: audit_user(actual),
            as_if_active: audit_user(all_active),
        }
    }

    /// All findings of the user.
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.actual.findings.iter().chain(&self.as_if_active.findings)
    }

    /// Whether the user has findings that the policy remediates.
    pub(super) fn has_findings(&self) -> bool {
        self.findings().any(|finding| self.remediation.covers_rule(finding.rule))
    }

    fn exemption(&self, finding: &Finding) -> Option<RemediationSkipReason> {
        let reviewed = self.actual.exemptions.get(finding.exemption?)?;
        let exemption = &reviewed.exemption;
        (finding.status == FindingStatus::Exempted).then_some(RemediationSkipReason::Exempted {
            line: exemption.place.line,
            expires: exemption.expires,
        })
    }

    /// Returns the audit result for one credential.
    pub(super) fn credential_finding(
        &self,
        on: &TagSubject,
        may_be_active: bool,
    ) -> CredentialFinding<'_> {
        let about_it =
            || self.findings().filter(|finding| finding_subject(finding).as_ref() == Some(on));
        // The rule that would report an inactive credential if it were active.
        let if_active = |rule: &Rule| rule.remediation().before_deactivation;
        let covers = |rule: Rule| {
            self.remediation.covers_rule(rule)
                || (!may_be_active
                    && self.remediation.rules.iter().filter_map(if_active).any(|it| it == rule))
        };
        let remediated = || about_it().filter(|finding| covers(finding.rule));
        if remediated().next().is_some()
            && let Some(reason) = &self.protection
        {
            return CredentialFinding::Exempted(reason.clone());
        }
        if let Some(reason) = remediated().find_map(|finding| self.exemption(finding)) {
            return CredentialFinding::Exempted(reason);
        }
        // A rule about inactive credentials does not show whether the credential was used again.
        let mut stale = remediated().filter(|finding| !finding.rule.requires_inactive());
        match stale.next() {
            None => CredentialFinding::Nothing,
            Some(finding) if finding.status == FindingStatus::Unknown => {
                CredentialFinding::Unknown(unreadable_message(finding))
            }
            Some(finding) if finding.level < Level::Warning => CredentialFinding::Nothing,
            Some(finding) => CredentialFinding::Open(finding),
        }
    }

    /// Whether the credential has an open finding of a rule about inactive credentials.
    pub(super) fn has_inactive_finding(&self, on: &TagSubject) -> bool {
        self.actual.findings.iter().any(|finding| {
            finding.rule.requires_inactive()
                && self.remediation.covers_rule(finding.rule)
                && finding.status == FindingStatus::Open
                && finding_subject(finding).as_ref() == Some(on)
        })
    }

    /// When the last exemption that covered the finding expired.
    pub(super) fn exemption_expired_at(&self, finding: &Finding) -> Option<DateTime<Utc>> {
        let expired = finding.notes.iter().filter_map(|note| match note {
            Note::ExemptionExpired(index) => self.actual.exemptions.get(*index),
            _ => None,
        });
        let last = expired.map(|reviewed| reviewed.exemption.expires).max();
        last.map(day_after).max(self.protection_expired_at)
    }

    /// When the last exemption that covered any finding of the user expired.
    pub(super) fn any_exemption_expired_at(&self) -> Option<DateTime<Utc>> {
        let expired =
            self.findings().filter_map(|finding| self.exemption_expired_at(finding)).max();
        expired.max(self.protection_expired_at)
    }
}

/// The start of the next day.
fn day_after(day: NaiveDate) -> DateTime<Utc> {
    days_after(day.and_time(NaiveTime::MIN).and_utc(), 1)
}

/// An account that has only this user, with complete and current evidence.
fn single_user_account(
    user_record: &UserRecord,
    user: User<'static>,
    now: DateTime<Utc>,
) -> Account<'static> {
    Account {
        id: user_record.account,
        partition: user_record.partition.clone(),
        alias: None,
        evidence_source: EvidenceSource::Live,
        report_generated_at: Some(now),
        root: None,
        users: vec![user],
        replaced_rows: Vec::new(),
        gaps: Vec::new(),
        queried_users: Vec::new(),
        rechecked_users: Vec::new(),
    }
}

fn finding_subject(finding: &Finding) -> Option<TagSubject> {
    let credential = finding.credential.as_ref()?;
    Some(match &credential.handle {
        Some(handle) => subject(credential.kind, handle),
        None => TagSubject::Credential(credential.kind, None),
    })
}

fn unreadable_message(finding: &Finding) -> String {
    let field = finding.notes.iter().find_map(|note| match note {
        Note::Unreadable(field) => Some(format!("{} cannot be read: {}", field.column, field.text)),
        _ => None,
    });
    field.unwrap_or_else(|| "its evidence cannot be read".to_owned())
}

/// Returns the reason to skip a password that was or may have been recently reset.
pub(super) fn recently_reset(finding: &Finding) -> Option<RemediationSkipReason> {
    finding.notes.iter().find_map(|note| match note {
        Note::RecentlyReset(changed) => Some(RemediationSkipReason::RecentlyReset(*changed)),
        Note::Unreadable(_) => Some(RemediationSkipReason::Incomplete(unreadable_message(finding))),
        _ => None,
    })
}
