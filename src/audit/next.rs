//! How far the remedy has come with a credential, and what it does next, from which day on.

use chrono::NaiveDate;

use super::finding::{Credential, Finding, Status};
use super::result::Audit;
use crate::allowlist::Term;
use crate::model::clock::{self, Clock, Reached};
use crate::model::inventory::{CredentialKind, Handle, User};
use crate::model::policy::Rule;
use crate::model::policy::remediation::{RemediationPolicy, Stage};

/// What the remedy does next with a credential, unless it is used or exempted meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Next {
    /// What it does.
    pub stage: Stage,
    /// The first day on which it does.
    pub from: NaiveDate,
}

impl Audit {
    /// What the remedy does next with the credential of a finding; `None` where that is not known:
    /// without a policy for it, without a notice, or where no run has seen it for too long.
    #[must_use]
    pub fn next_stage(&self, finding: &Finding) -> Option<Next> {
        let policy = self.remediation.as_ref()?;
        let clock = finding.clock?;
        let kind = finding.credential.as_ref()?.kind;
        if !is_remediated(finding.rule, clock.reached, policy) || self.protects(finding) {
            return None;
        }
        let subject = &finding.subject;
        if finding.status != Status::Open
            || finding.recently_reset()
            || clock.is_lost_sight_of(self.now, policy.max_gap_days)
            || !policy.takes_owner(subject.owner.as_deref())
            || !path(&subject.arn).is_some_and(|path| policy.takes_path(path))
        {
            return None;
        }
        let (stage, days) = match (clock.reached, kind) {
            // A password has no other way of being deactivated.
            (Reached::Notified, CredentialKind::Password) if policy.delete_passwords => {
                (Stage::Delete, policy.deactivate_after_days)
            }
            (Reached::Notified, CredentialKind::Password) => return None,
            (Reached::Notified, _) => (Stage::Deactivate, policy.deactivate_after_days),
            (Reached::Deactivated | Reached::Inactive, _) => {
                (Stage::Delete, policy.delete_after_days?)
            }
        };
        Some(Next { stage, from: clock.after(days).date_naive() })
    }

    /// Whether an exemption in force keeps the whole user of the finding from remediation.
    fn protects(&self, finding: &Finding) -> bool {
        let subject = &finding.subject;
        self.exemptions.iter().any(|reviewed| {
            let exemption = &reviewed.exemption;
            exemption.protects_user
                && reviewed.term != Term::Expired
                && exemption.speaks_of(subject.account, &subject.name, subject.user_id.as_deref())
        })
    }
}

/// Whether a finding with such a tag is remediated: a key that a run deactivated is deleted also
/// where keys that were found inactive are not.
fn is_remediated(rule: Rule, reached: Reached, policy: &RemediationPolicy) -> bool {
    policy.takes_rule(rule)
        || (rule == Rule::InactiveAccessKey
            && reached == Reached::Deactivated
            && policy.takes_rule(Rule::StaleAccessKey))
}

/// What the tag of a finding's credential says, if the credential was seen in that state: whatever
/// was made active again is no longer deactivated.
pub(super) fn clock(rule: Rule, credential: Option<&Credential>, user: &User<'_>) -> Option<Clock> {
    let credential = credential?;
    let is_of_inactive = match rule {
        Rule::StalePassword | Rule::StaleAccessKey | Rule::OldServiceCredential => false,
        Rule::InactiveAccessKey => true,
        _ => return None,
    };
    let id = match &credential.handle {
        Some(Handle::Id(id)) => Some(id.clone()),
        None => None,
        // A slot may hold another key by now.
        Some(Handle::Slot(_)) => return None,
    };
    let subject = clock::Subject::Credential(credential.kind, id);
    let clock = clock::of(&subject, user.tags.as_ref()?)?;
    (clock.reached.is_inactive() == is_of_inactive).then_some(clock)
}

/// The path in the ARN of a user, with the slashes around it.
fn path(arn: &str) -> Option<&str> {
    let (_, resource) = arn.split_once(":user")?;
    resource.get(..=resource.rfind('/')?)
}
