//! Decides about one credential, from its findings and its remediation tag.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::facts::{PlanCredential, credentials, may_be_active, subject};
use super::{
    AccountFacts, ChangeKind, PlanSettings, RemediationSkipReason, StartReason, TagRemovalReason,
    needs_refresh, restart_reason, skip_reason,
};
use crate::audit::{self, AllowlistOrigin, Audit, Finding, FindingStatus, Note, ReferenceKind};
use crate::model::inventory::{Account, CredentialKind, EvidenceSource, Flag, User, UserRecord};
use crate::model::policy::remediation::{RemediationPolicy, Stage};
use crate::model::policy::{Level, Rule};
use crate::model::remediation_tag::{
    self, RemediationStatus, RemediationTag, TagSubject, days_after,
};

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

/// The state of a remediation tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagState {
    Absent,
    Unreadable,
    Valid(RemediationTag),
}

impl TagState {
    pub(super) fn of(subject: &TagSubject, user: &User<'_>) -> Self {
        let tags = user.tags.as_ref();
        match tags.and_then(|tags| tags.get(&subject.key())) {
            None => Self::Absent,
            Some(text) => text.parse().map_or(Self::Unreadable, Self::Valid),
        }
    }

    pub(super) fn is_present(self) -> bool {
        self != Self::Absent
    }

    /// Whether the tag says that a run deactivated the credential.
    fn is_deactivated(self) -> bool {
        matches!(self, Self::Valid(clock) if clock.reached == RemediationStatus::Deactivated)
    }
}

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
        // An inactive key with this finding would be a stale key if it were active.
        let as_inactive = !may_be_active && self.remediation.covers_rule(Rule::InactiveAccessKey);
        let covers = |rule: Rule| {
            self.remediation.covers_rule(rule) || (as_inactive && rule == Rule::StaleAccessKey)
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
        // The rule for inactive keys does not show whether the key was used again.
        let mut stale = remediated().filter(|finding| finding.rule != Rule::InactiveAccessKey);
        match stale.next() {
            None => CredentialFinding::Nothing,
            Some(finding) if finding.status == FindingStatus::Unknown => {
                CredentialFinding::Unknown(unreadable_message(finding))
            }
            Some(finding) if finding.level < Level::Warning => CredentialFinding::Nothing,
            Some(finding) => CredentialFinding::Open(finding),
        }
    }

    /// Whether the key has an open finding of the rule for inactive keys.
    fn has_inactive_key_finding(&self, on: &TagSubject) -> bool {
        self.remediation.covers_rule(Rule::InactiveAccessKey)
            && self.actual.findings.iter().any(|finding| {
                finding.rule == Rule::InactiveAccessKey
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
        let used = credential.last_used.and_then(crate::model::inventory::Timestamp::at);
        // The tag of a credential that a run deactivated is needed to undo the deactivation, unless
        // the credential was used since.
        if let TagState::Valid(clock) = tag
            && tag.is_deactivated()
            && !may_be_active(credential.active)
            && used.is_none_or(|at| at < clock.since)
        {
            return Decision::Nothing;
        }
        match used.filter(|at| self.settings.now - *at < recent) {
            Some(at) => {
                Decision::Skip(RemediationSkipReason::Used(at), Some(TagRemovalReason::Used(at)))
            }
            None => Decision::Change(ChangeKind::Clear(TagRemovalReason::NotStale)),
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
        let clock = match tag {
            TagState::Absent if self.has_known_tag => return notify(StartReason::Vanished),
            TagState::Absent => return notify(StartReason::First),
            TagState::Unreadable => return notify(StartReason::Unreadable),
            TagState::Valid(clock) if clock.reached.is_inactive() => {
                return notify(StartReason::Reactivated);
            }
            TagState::Valid(clock) => clock,
        };
        let is_password = credential.subject == TagSubject::PASSWORD;
        let changed = credential.created.at().is_some_and(|changed| changed >= clock.since);
        let restart = restart_reason(clock, self.settings)
            .or((is_password && changed).then_some(StartReason::PasswordChanged))
            .or(used_since(clock, finding))
            .or_else(|| self.exemption_expired_since(clock, finding));
        if let Some(why) = restart {
            return notify(why);
        }
        let PlanSettings { remediation, stage, now, .. } = self.settings;
        let due = clock
            .due_after(remediation.deactivate_after_days)
            .max(self.disuse_certain_from(finding));
        let renew = needs_refresh(clock, self.settings);
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
        let settle = |why| Decision::Change(ChangeKind::Settle(why));
        let Some(days) = remediation.delete_after_days else {
            return match tag {
                TagState::Valid(RemediationTag {
                    reached: RemediationStatus::Notified, ..
                })
                | TagState::Unreadable => {
                    Decision::Change(ChangeKind::Clear(TagRemovalReason::Inactive))
                }
                TagState::Valid(_) | TagState::Absent => Decision::Nothing,
            };
        };
        let clock = match tag {
            TagState::Absent if self.has_known_tag => return settle(StartReason::Vanished),
            // Someone else deactivated the key. The rule for inactive keys covers it.
            TagState::Absent if self.user_audit.has_inactive_key_finding(&credential.subject) => {
                return settle(StartReason::First);
            }
            TagState::Absent => return Decision::Nothing,
            TagState::Unreadable => return settle(StartReason::Unreadable),
            TagState::Valid(RemediationTag { reached: RemediationStatus::Notified, .. }) => {
                return settle(StartReason::First);
            }
            TagState::Valid(clock) if !self.handles_inactive(credential, clock) => {
                return Decision::Change(ChangeKind::Clear(TagRemovalReason::NotStale));
            }
            TagState::Valid(clock) => clock,
        };
        if let Some(why) = restart_reason(clock, self.settings)
            .or(used_since(clock, finding))
            .or_else(|| self.exemption_expired_since(clock, finding))
        {
            return settle(why);
        }
        let due = clock.due_after(days).max(self.disuse_certain_from(finding));
        if now < due || stage < Stage::Delete {
            let renew = needs_refresh(clock, self.settings);
            return Decision::Wait { stage: Stage::Delete, due, renew, by_hand: false };
        }
        Decision::Change(ChangeKind::DeleteCredential)
    }

    /// Whether an inactive credential with this tag is remediated. A key that someone else
    /// deactivated has its own rule.
    fn handles_inactive(&self, credential: &PlanCredential<'_>, clock: RemediationTag) -> bool {
        let is_key =
            matches!(credential.subject, TagSubject::Credential(CredentialKind::AccessKey, _));
        let rule = if is_key { Rule::InactiveAccessKey } else { Rule::OldServiceCredential };
        clock.reached != RemediationStatus::Inactive || self.settings.remediation.covers_rule(rule)
    }

    /// When the disuse is certain. IAM reports the last use with a delay, so this is one day more
    /// than the stale limit.
    fn disuse_certain_from(&self, finding: &Finding) -> DateTime<Utc> {
        days_after(reference(finding), self.settings.policy.stale_after_days.saturating_add(1))
    }

    fn exemption_expired_since(
        &self,
        clock: RemediationTag,
        finding: &Finding,
    ) -> Option<StartReason> {
        let expired = self.user_audit.exemption_expired_at(finding)?;
        (clock.since < expired).then_some(StartReason::ExemptionLapsed)
    }
}

/// Whether the tag has to be updated although evidence about other users is missing. This user was
/// fetched completely, so the run confirms the notice.
pub(super) fn needs_refresh_while_held(tag: TagState, settings: PlanSettings<'_>) -> bool {
    match tag {
        TagState::Valid(clock) => {
            restart_reason(clock, settings).is_none() && needs_refresh(clock, settings)
        }
        TagState::Absent | TagState::Unreadable => false,
    }
}

/// Returns the reason to skip a password that was or may have been recently reset.
pub(super) fn recently_reset(finding: &Finding) -> Option<RemediationSkipReason> {
    finding.notes.iter().find_map(|note| match note {
        Note::RecentlyReset(changed) => Some(RemediationSkipReason::RecentlyReset(*changed)),
        Note::Unreadable(_) => Some(RemediationSkipReason::Incomplete(unreadable_message(finding))),
        _ => None,
    })
}

/// Whether the credential was used after the tag was set, between two runs that both found it
/// stale.
fn used_since(clock: RemediationTag, finding: &Finding) -> Option<StartReason> {
    let used = finding.reference.filter(|(reference, _)| *reference == ReferenceKind::LastUsed);
    used.filter(|(_, at)| *at >= clock.since).map(|_| StartReason::Used)
}

/// The date from which disuse is counted. An open finding of these rules always has one.
fn reference(finding: &Finding) -> DateTime<Utc> {
    finding.reference.map_or(DateTime::<Utc>::MAX_UTC, |(_, moment)| moment)
}

/// The remediation tags of credentials that the user no longer has.
pub(super) fn orphaned_tags(user_record: &UserRecord) -> Vec<TagSubject> {
    let user = &user_record.user;
    let existing: Vec<String> = credentials(user).iter().map(|it| it.subject.key()).collect();
    let tags = user.tags.iter().flat_map(remediation_tag::stocktake_tags);
    let gone = tags
        .map(|(key, _)| key)
        .filter(|key| *key != TagSubject::User.key() && !existing.iter().any(|known| known == key));
    // A tag with a different spelling was not set by this program.
    gone.map(|key| (subject_of(key), key))
        .filter(|(subject, key)| subject.key() == *key)
        .map(|(it, _)| it)
        .collect()
}

/// The subject of the tag with this key.
fn subject_of(key: &str) -> TagSubject {
    let name = key.strip_prefix(remediation_tag::TAG_KEY_PREFIX).unwrap_or(key);
    let (kind, id) = name.split_once(':').map_or((name, None), |(kind, id)| (kind, Some(id)));
    match (kind.parse().ok(), id) {
        (Some(CredentialKind::Password), None) => TagSubject::PASSWORD,
        // A password has no id. All other credentials have one.
        (Some(CredentialKind::Password) | None, _) | (Some(_), None) => TagSubject::User,
        (Some(kind), Some(id)) => TagSubject::Credential(kind, Some(id.to_owned())),
    }
}
