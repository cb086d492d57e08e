//! Audit JSON of one or more runs → what the queue needs to know.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::limits::{MAX_USER_NAME_CHARS, truncate};
use super::remediation_progress::{RemediationProgress, UserResources};
use super::unix_time::UnixTime;
use crate::audit::{
    AgeProblem, Coverage, DayCount, EvidenceAge, FindingId, FindingStatus, NoteKind, ReferenceKind,
};
use crate::model::inventory::{
    AccountId, CLOCK_SKEW, CredentialKind, EvidenceItem, EvidenceSource, MaxEvidenceAge,
};
use crate::model::policy::{Level, Rule};
use crate::report::json::v1::{self, Text};

/// The number of characters that are published of a credential id.
const ID_ENDING: usize = 4;

/// What the audits of a run observed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    pub accounts: BTreeMap<AccountId, ObservedAccount>,
    /// The findings.
    pub findings: BTreeMap<FindingId, ObservedFinding>,
    /// Credentials and users with a remediation tag, and all credentials of the re-checked users.
    pub remediations: BTreeMap<FindingId, ObservedRemediation>,
    /// The number of findings with an expired exemption.
    pub expired_exemptions: usize,
    /// Former accounts: every audit's allowlist lists them, and the evidence of at least one of
    /// these audits is recent enough.
    pub former_accounts: BTreeSet<AccountId>,
}

/// One audited account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedAccount {
    /// The account's alias, if it is known.
    pub alias: Option<String>,
    /// The partition, such as `aws`.
    pub partition: String,
    /// When it was audited.
    pub at: UnixTime,
    /// When its evidence was collected, as far as that is known: a credential report may be days
    /// older than its audit.
    pub evidence_at: UnixTime,
    /// The policy's `stale_after_days`.
    pub stale_after_days: u32,
    /// The policy's `max_exemption_days`.
    pub max_exemption_days: u32,
    /// The policy's `expiry_tag`.
    pub expiry_tag: Option<String>,
    /// How complete the evidence of each rule is. Rules that are off are missing.
    pub coverage: BTreeMap<Rule, Coverage>,
    /// Whether it was audited live, and recently enough.
    pub is_live: bool,
    /// Why the age of the evidence makes every rule incomplete, if it does. Such evidence can add
    /// findings and clears none.
    pub age_problem: Option<AgeProblem>,
    /// Users, in lower case, whose other credentials are all in the evidence, or that no longer
    /// exist.
    pub queried_users: BTreeSet<String>,
    /// Users, in lower case, whose credentials and tags are all in the evidence, or that no longer
    /// exist.
    pub rechecked_users: BTreeSet<String>,
}

/// An observed finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedFinding {
    pub account: AccountId,
    pub finding: FindingRef,
    pub level: Level,
    pub status: FindingStatus,
    /// What the user has besides credentials, if it was requested.
    pub user_resources: Option<UserResources>,
}

/// A credential or user in an audit that has a remediation tag, or that the queue asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRemediation {
    pub account: AccountId,
    pub user: String,
    pub kind: Option<CredentialKind>,
    pub id_ending: Option<String>,
    pub owner: Option<String>,
    pub active: bool,
    /// The progress; `None` without a tag.
    pub progress: Option<RemediationProgress>,
}

/// What a finding of an account is about. The queue state keeps it, so it has dates instead of
/// numbers of days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingRef {
    #[serde(rename = "u")]
    pub user: String,
    #[serde(rename = "r")]
    pub rule: Rule,
    /// The credential's kind; `None` if the finding is about the user.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<CredentialKind>,
    /// The slot of a key or certificate whose id is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u8>,
    /// The last four characters of the credential's id.
    #[serde(rename = "end", default, skip_serializing_if = "Option::is_none")]
    pub id_ending: Option<String>,
    /// The date from which days are counted, and what it is.
    #[serde(rename = "at", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<(ReferenceKind, UnixTime)>,
    /// The owner in the user's tags.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The service that the credential was last used for, or the user accessed last, if that is old
    /// enough not to change from day to day.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub last_service: Option<String>,
    /// The remediation of the credential, if the user has a remediation tag for it.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<RemediationProgress>,
}

impl FindingRef {
    /// The date from which days are counted.
    #[must_use]
    pub fn reference_date(&self) -> Option<UnixTime> {
        self.reference.map(|(_, at)| at)
    }
}

/// An audit JSON that cannot be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAudit {
    /// A later version created it, or someone edited it.
    #[error("its {member} `{text}` is not supported by this version")]
    UnknownValue {
        member: &'static str,
        /// Its value.
        text: String,
    },
    /// The allowlist lists an account as no longer audited, and an audit has the account.
    #[error(
        "account {0} is audited, but `former_accounts` in the allowlist lists it: remove the entry, or \
         stop auditing the account"
    )]
    FormerAccountAudited(AccountId),
    /// A name that is too long for an IAM user.
    #[error("it has a user name with {0} characters, but IAM allows 64: create the audit again")]
    NameTooLong(usize),
    /// An account is in two audits.
    #[error("account {0} is in another audit too: publish one audit per account")]
    DuplicateAccount(AccountId),
    /// The audit has no accounts.
    #[error("it has no accounts")]
    NoAccount,
    /// The time of the audit is in the future, so the queue would reject every later audit as
    /// older.
    #[error("its time {0} is in the future: create it without --now")]
    FromFuture(DateTime<Utc>),
}

impl Observation {
    /// Like [`Observation::with_max_age`], with the default limits on the age of evidence.
    ///
    /// # Errors
    /// [`InvalidAudit`], with the index of the audit.
    pub fn of(audits: &[v1::Audit], now: DateTime<Utc>) -> Result<Self, (usize, InvalidAudit)> {
        Self::with_max_age(audits, now, MaxEvidenceAge::default())
    }

    /// Combines audits of different accounts. Evidence that is older than `limit` at `now` is
    /// incomplete.
    ///
    /// # Errors
    /// [`InvalidAudit`], with the index of the audit.
    pub fn with_max_age(
        audits: &[v1::Audit],
        now: DateTime<Utc>,
        limit: MaxEvidenceAge,
    ) -> Result<Self, (usize, InvalidAudit)> {
        let mut joined = Self::default();
        for (index, audit) in audits.iter().enumerate() {
            joined.add(audit, now, limit).map_err(|unusable| (index, unusable))?;
        }
        let mut lists = Vec::new();
        for (index, audit) in audits.iter().enumerate() {
            lists.push(joined.former_accounts_of(audit).map_err(|unusable| (index, unusable))?);
        }
        let recent = audits.iter().zip(&lists).filter(|(audit, _)| joined.is_recent(audit));
        let named = recent.flat_map(|(_, list)| list).copied();
        joined.former_accounts =
            named.filter(|id| lists.iter().all(|list| list.contains(id))).collect();
        Ok(joined)
    }

    fn add(
        &mut self,
        audit: &v1::Audit,
        now: DateTime<Utc>,
        limit: MaxEvidenceAge,
    ) -> Result<(), InvalidAudit> {
        if audit.generated_at - now > CLOCK_SKEW {
            return Err(InvalidAudit::FromFuture(audit.generated_at));
        }
        if audit.accounts.is_empty() {
            return Err(InvalidAudit::NoAccount);
        }
        for account in &audit.accounts {
            let id = known("account", &account.id)?;
            let audited = ObservedAccount::of(account, audit, now, limit)?;
            if self.accounts.insert(id, audited).is_some() {
                return Err(InvalidAudit::DuplicateAccount(id));
            }
        }
        for seen in &audit.remediations {
            let id = known("remediation's id", &seen.id)?;
            self.remediations.insert(id, observed_remediation(seen)?);
        }
        for finding in &audit.findings {
            let id = known("finding's id", &finding.id)?;
            self.findings.insert(id, ObservedFinding::of(finding, audit)?);
            let expired = finding
                .notes
                .iter()
                .any(|note| note.code == Text::Known(NoteKind::ExemptionExpired));
            self.expired_exemptions += usize::from(expired);
        }
        Ok(())
    }

    /// The former accounts of an audit. It is an error if an audit has the account.
    fn former_accounts_of(&self, audit: &v1::Audit) -> Result<BTreeSet<AccountId>, InvalidAudit> {
        let former = audit.former_accounts.iter().map(|former| {
            let id = known("former account", &former.account)?;
            if self.accounts.contains_key(&id) {
                return Err(InvalidAudit::FormerAccountAudited(id));
            }
            Ok(id)
        });
        former.collect()
    }

    /// Whether no account of the audit has an age problem. The allowlist of an older audit may have
    /// been changed since.
    fn is_recent(&self, audit: &v1::Audit) -> bool {
        audit.accounts.iter().all(|account| {
            let audited = account.id.known().and_then(|id| self.accounts.get(id));
            audited.is_some_and(|it| it.age_problem.is_none())
        })
    }

    /// The rules, by account, for which all requested evidence is there. What a setting leaves out,
    /// such as the SSH keys of users who are not flagged, is not missing.
    #[must_use]
    pub fn observed_as_requested(&self) -> BTreeSet<(AccountId, Rule)> {
        let of_account = |(account, audited): (&AccountId, &ObservedAccount)| {
            let observed =
                audited.coverage.iter().filter(|(_, coverage)| **coverage != Coverage::Incomplete);
            observed.map(|(rule, _)| (*account, *rule)).collect::<Vec<_>>()
        };
        self.accounts.iter().flat_map(of_account).collect()
    }

    /// The longest exemption that the policies of all accounts allow, in days.
    #[must_use]
    pub fn max_exemption_days(&self) -> u32 {
        self.accounts.values().map(|it| it.max_exemption_days).min().unwrap_or_default()
    }

    /// Whether a rule is incomplete in an account, or no account was audited.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        let coverage = self.accounts.values().flat_map(|it| it.coverage.values());
        let has_problem = |it: &ObservedAccount| it.age_problem.is_some();
        self.accounts.is_empty()
            || self.accounts.values().any(has_problem)
            || coverage.into_iter().any(|it| *it == Coverage::Incomplete)
    }
}

impl ObservedAccount {
    fn of(
        account: &v1::Account,
        audit: &v1::Audit,
        now: DateTime<Utc>,
        limit: MaxEvidenceAge,
    ) -> Result<Self, InvalidAudit> {
        let age_problem = age_problem(account, audit, now, limit)?;
        let coverage = account.complete.iter().map(|(rule, coverage)| {
            let rule = known("rule", rule)?;
            let coverage = known("coverage", coverage)?;
            Ok((rule, if age_problem.is_some() { Coverage::Incomplete } else { coverage }))
        });
        Ok(Self {
            alias: account.alias.as_deref().map(truncate),
            partition: truncate(&account.partition),
            at: audit.generated_at.into(),
            evidence_at: evidence_date(account, audit).into(),
            stale_after_days: audit.policy.stale_after_days,
            max_exemption_days: audit.policy.max_exemption_days,
            expiry_tag: audit.policy.expiry_tag.as_deref().map(truncate),
            coverage: coverage.collect::<Result<_, _>>()?,
            is_live: account.evidence == Text::Known(EvidenceSource::Live) && age_problem.is_none(),
            age_problem,
            queried_users: account.asked_after.iter().cloned().collect(),
            rechecked_users: account.rechecked_users.iter().cloned().collect(),
        })
    }

    /// Whether the evidence can clear this finding.
    #[must_use]
    pub fn may_clear(&self, finding: &FindingRef) -> bool {
        match self.coverage.get(&finding.rule) {
            Some(Coverage::Complete) => true,
            // A live audit can leave out optional credentials of users for whom they were not
            // requested.
            Some(Coverage::NotShown) => match finding.rule.is_optional(finding.kind) {
                Some(false) => self.is_live,
                Some(true) => {
                    self.is_live && self.queried_users.contains(&finding.user.to_ascii_lowercase())
                }
                None => false,
            },
            _ => false,
        }
    }

    /// The part of the policy that decides what the rule finds, as the queue state keeps it.
    #[must_use]
    pub fn criteria_for(&self, rule: Rule) -> String {
        match rule.day_count() {
            DayCount::StaleAfterDays => self.stale_after_days.to_string(),
            DayCount::ExpiryTag => self.expiry_tag.clone().unwrap_or_default(),
            DayCount::Fixed => String::new(),
        }
    }
}

/// When the evidence was collected. A live audit reads the account itself; other audits only have
/// the credential report.
fn evidence_date(account: &v1::Account, audit: &v1::Audit) -> DateTime<Utc> {
    let of_report = account.report_generated_at.or(account.report_newest_date);
    let is_live = account.evidence == Text::Known(EvidenceSource::Live);
    of_report.filter(|_| !is_live).unwrap_or(audit.generated_at).min(audit.generated_at)
}

/// Why the age of an account's evidence makes it incomplete, if it does. Both the credential report
/// and its audit age.
fn age_problem(
    account: &v1::Account,
    audit: &v1::Audit,
    now: DateTime<Utc>,
    limit: MaxEvidenceAge,
) -> Result<Option<AgeProblem>, InvalidAudit> {
    let form = known("evidence", &account.evidence)?;
    let age = |generated_at, newest| EvidenceAge::of(form, generated_at, newest, limit, now);
    let is_unseen =
        account.gaps.iter().any(|gap| gap.piece == Text::Known(EvidenceItem::CredentialReport));
    // An account without a report is incomplete for that reason.
    let of_report = if is_unseen {
        None
    } else {
        age(account.report_generated_at, account.report_newest_date).problem
    };
    Ok(of_report.or(age(Some(audit.generated_at), None).problem))
}

impl ObservedFinding {
    fn of(finding: &v1::Finding, audit: &v1::Audit) -> Result<Self, InvalidAudit> {
        let credential = finding.credential.as_ref();
        let kind = credential.map(|it| known("credential's kind", &it.kind)).transpose()?;
        let rule = known("rule", &finding.rule)?;
        Ok(Self {
            account: known("account", &finding.account)?,
            finding: FindingRef {
                user: user_name(&finding.user)?,
                rule,
                kind,
                slot: credential.and_then(|it| it.slot),
                id_ending: credential.and_then(|it| it.id.as_deref()).map(id_ending),
                reference: reference(rule, finding)?,
                owner: finding.owner.as_deref().map(truncate),
                last_service: last_service(rule, finding, audit).map(truncate),
                progress: finding.remedy.as_ref().map(remediation_progress).transpose()?,
            },
            level: known("level", &finding.level)?,
            status: known("status", &finding.status)?,
            user_resources: finding.belongings.as_ref().map(Into::into),
        })
    }

    /// Whether it enters the queue.
    #[must_use]
    pub fn needs_remediation(&self) -> bool {
        self.status == FindingStatus::Open && self.level >= Level::Warning
    }

    /// Whether it counts for the gate.
    #[must_use]
    pub fn counts_for_gate(&self) -> bool {
        self.status == FindingStatus::Open && self.level == Level::Error
    }
}

/// A name identifies the user, so it is not shortened. Everyone can write an audit, and the space
/// in the queue is limited.
fn user_name(name: &str) -> Result<String, InvalidAudit> {
    match name.chars().count() {
        length if length > MAX_USER_NAME_CHARS => Err(InvalidAudit::NameTooLong(length)),
        _ => Ok(name.to_owned()),
    }
}

/// The service of the last use. The last use of an active credential changes from day to day, and is no
/// news.
fn last_service<'a>(rule: Rule, finding: &'a v1::Finding, audit: &v1::Audit) -> Option<&'a str> {
    let stale = chrono::TimeDelta::days(audit.policy.stale_after_days.into());
    let of_user = finding.last_accessed.as_ref();
    let of_user = of_user.filter(|it| audit.generated_at - it.at >= stale);
    let of_credential = finding.last_service.as_deref().filter(|_| rule.finds_disuse());
    of_credential.or(of_user.map(|it| it.service.as_str()))
}

/// The reference date to show.
fn reference(
    rule: Rule,
    finding: &v1::Finding,
) -> Result<Option<(ReferenceKind, UnixTime)>, InvalidAudit> {
    // The finding is about the existence of the credential. Its last use changes from day to day
    // and is no news.
    let created = finding.credential.as_ref().and_then(|it| it.created);
    let (what, at) = match created.filter(|_| rule.shows_creation()) {
        Some(created) => (Some(ReferenceKind::Created), Some(created)),
        None => {
            let what = finding.reference.as_ref();
            let what = what.map(|what| known("reference", what)).transpose()?;
            (what, finding.reference_date)
        }
    };
    Ok(what.zip(at.map(UnixTime::from)))
}

/// The remediation of a credential.
fn remediation_progress(
    written: &v1::RemediationProgress,
) -> Result<RemediationProgress, InvalidAudit> {
    let stage = |stage| known("stage", stage);
    Ok(RemediationProgress {
        reached: known("remediation status", &written.reached)?,
        since: written.since.date_naive(),
        next: written.next.as_ref().map(stage).transpose()?.zip(written.next_from),
    })
}

fn observed_remediation(written: &v1::Remediation) -> Result<ObservedRemediation, InvalidAudit> {
    let kind = written.kind.as_ref();
    Ok(ObservedRemediation {
        account: known("account", &written.account)?,
        user: user_name(&written.user)?,
        kind: kind.map(|kind| known("credential's kind", kind)).transpose()?,
        id_ending: written.credential.as_deref().map(id_ending),
        owner: written.owner.as_deref().map(truncate),
        active: written.active,
        progress: written.progress.as_ref().map(remediation_progress).transpose()?,
    })
}

/// The end of an id. An audit has only these characters, but everyone can write an audit.
fn id_ending(id: &str) -> String {
    let length = id.chars().count();
    id.chars().skip(length.saturating_sub(ID_ENDING)).collect()
}

fn known<T: Copy>(member: &'static str, value: &Text<T>) -> Result<T, InvalidAudit> {
    match value {
        Text::Known(value) => Ok(*value),
        Text::Unknown(text) => Err(InvalidAudit::UnknownValue { member, text: text.clone() }),
    }
}

impl Observation {
    /// The number of findings with this status.
    #[must_use]
    pub fn count(&self, status: FindingStatus) -> usize {
        self.findings.values().filter(|seen| seen.status == status).count()
    }
}
