//! An audit → the structs of version 1.

use super::incomplete_reason::IncompleteReason;
use super::v1::{
    Account, AccountError, Audit, Cleared, Counts, Credential, Exemption, Finding, FindingNote,
    FormerAccount, Gap, LastAccessed, Policy, Remediation, RemediationProgress, SCHEMA, Text,
    UserResources,
};
use crate::allowlist::{self, UserSelector};
use crate::audit::{self, ExemptionMatch, FindingStatus, Note};
use crate::model::inventory::id_ending;
use crate::model::inventory::{self, CredentialHandle};
use crate::model::policy;
use crate::model::remediation_tag::{RemediationTag, TagSubject};

impl From<&audit::Audit> for Audit {
    fn from(audit: &audit::Audit) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            generated_at: audit.now,
            run: None,
            result: Text::Known(audit.outcome()),
            policy: (&audit.policy).into(),
            allowlist: match &audit.allowlist {
                audit::AllowlistOrigin::File(path) => Some(path.clone()),
                audit::AllowlistOrigin::Missing(_) | audit::AllowlistOrigin::None => None,
            },
            counts: audit.counts().into(),
            accounts: audit.accounts.iter().map(|it| account(it, &audit.findings)).collect(),
            findings: audit.findings.iter().map(|it| finding(it, audit.next_stage(it))).collect(),
            remediations: audit
                .remediations
                .iter()
                .map(|it| remediation(it, audit.next_stage_of(it)))
                .collect(),
            exemptions: audit.exemptions.iter().map(Into::into).collect(),
            former_accounts: audit.former_accounts.iter().map(Into::into).collect(),
        }
    }
}

impl From<&allowlist::FormerAccount> for FormerAccount {
    fn from(former: &allowlist::FormerAccount) -> Self {
        Self {
            account: Text::Known(former.account),
            reason: former.reason.clone(),
            owner: former.owner.clone(),
        }
    }
}

impl From<&policy::Policy> for Policy {
    fn from(policy: &policy::Policy) -> Self {
        let level = |rule| (Text::Known(rule), Text::Known(policy.level(rule)));
        Self {
            hash: policy.hash(),
            stale_after_days: policy.stale_after_days,
            max_exemption_days: policy.max_exemption_days,
            expiry_tag: policy.expiry_tag.clone(),
            rules: policy::Rule::ALL.into_iter().map(level).collect(),
        }
    }
}

impl From<audit::FindingCounts> for Counts {
    fn from(counts: audit::FindingCounts) -> Self {
        let audit::FindingCounts { errors, warnings, notices, exempted, unknown, users } = counts;
        Self { errors, warnings, notices, exempted, unknown, users }
    }
}

fn account(account: &audit::AuditedAccount, findings: &[audit::Finding]) -> Account {
    let unknown = |rule| {
        let of_rule = |finding: &&audit::Finding| {
            finding.user.account == account.id
                && finding.rule == rule
                && finding.status == FindingStatus::Unknown
        };
        findings.iter().filter(of_rule).count()
    };
    Account {
        id: Text::Known(account.id),
        alias: account.alias.clone(),
        partition: account.partition.clone(),
        report_generated_at: account.report_generated_at,
        report_newest_date: account.age.newest_date,
        users: account.users,
        evidence: Text::Known(account.evidence_source),
        candidates: account.flagged_users,
        rechecked: account.rechecked,
        complete: account
            .coverage
            .iter()
            .map(|(rule, coverage)| (Text::Known(*rule), Text::Known(*coverage)))
            .collect(),
        errors: account
            .incomplete_rules()
            .map(|rule| AccountError {
                rule: Text::Known(rule),
                code: Text::Known(IncompleteReason::of(account, rule, unknown(rule))),
                findings: unknown(rule),
            })
            .collect(),
        gaps: account.gaps.iter().map(Into::into).collect(),
        cleared: account.cleared.iter().map(Into::into).collect(),
        asked_after: account.queried_users.clone(),
        rechecked_users: account.rechecked_users.clone(),
    }
}

impl From<&inventory::EvidenceGap> for Gap {
    fn from(gap: &inventory::EvidenceGap) -> Self {
        Self {
            piece: Text::Known(gap.item),
            cause: Text::Known(gap.cause),
            action: gap.action.to_owned(),
            message: gap.message.clone(),
            users: gap.users,
            rules: audit::rules_requiring(gap.item).map(Text::Known).collect(),
        }
    }
}

impl From<&audit::ClearedFinding> for Cleared {
    fn from(cleared: &audit::ClearedFinding) -> Self {
        Self {
            id: Text::Known(cleared.id),
            rule: Text::Known(cleared.rule),
            user: cleared.user.clone(),
            kind: Text::Known(cleared.kind),
            created: cleared.created,
            clearing: Text::Known(cleared.reason.into()),
            used: match cleared.reason {
                audit::ClearedReason::Used(moment) => Some(moment),
                _ => None,
            },
        }
    }
}

fn remediation(record: &audit::RemediationRecord, next: Option<audit::NextStage>) -> Remediation {
    let (kind, id) = match &record.subject {
        TagSubject::User => (None, None),
        TagSubject::Credential(kind, id) => (Some(*kind), id.as_deref()),
    };
    Remediation {
        id: Text::Known(record.id),
        account: Text::Known(record.account),
        user: record.user.clone(),
        owner: record.owner.clone(),
        kind: kind.map(Text::Known),
        credential: id.map(id_ending),
        active: record.active,
        progress: record.tag.map(|tag| progress(tag, next)),
    }
}

fn progress(tag: RemediationTag, next: Option<audit::NextStage>) -> RemediationProgress {
    RemediationProgress {
        reached: Text::Known(tag.reached),
        since: tag.since,
        next: next.map(|it| Text::Known(it.stage)),
        next_from: next.map(|it| it.from),
    }
}

fn finding(finding: &audit::Finding, next: Option<audit::NextStage>) -> Finding {
    let subject = &finding.user;
    Finding {
        id: Text::Known(finding.id),
        rule: Text::Known(finding.rule),
        level: Text::Known(finding.level),
        status: Text::Known(finding.status),
        account: Text::Known(subject.account),
        user: subject.name.clone(),
        arn: subject.arn.clone(),
        user_id: subject.user_id.clone(),
        credential: finding.credential.as_ref().map(Into::into),
        reference_date: finding.reference.map(|(_, moment)| moment),
        reference: finding.reference.map(|(reference, _)| Text::Known(reference)),
        days: finding.days,
        evidence: Text::Known(finding.evidence),
        notes: finding.notes.iter().map(Into::into).collect(),
        exemption: finding.exemption,
        owner: subject.owner.clone(),
        last_service: finding
            .credential
            .as_ref()
            .and_then(|credential| credential.last_used_service.clone()),
        last_accessed: subject
            .last_accessed
            .as_ref()
            .map(|seen| LastAccessed { service: seen.service.clone(), at: seen.at }),
        remedy: finding.remediation_tag.map(|tag| progress(tag, next)),
        belongings: subject.permissions.as_ref().map(|it| UserResources {
            mfa: subject.mfa,
            groups: it.groups.clone(),
            attached_policies: it.attached_policies.iter().map(|it| it.name.clone()).collect(),
            inline_policies: it.inline_policies.clone(),
        }),
    }
}

impl From<&audit::Credential> for Credential {
    fn from(credential: &audit::Credential) -> Self {
        let (slot, id) = match &credential.handle {
            Some(CredentialHandle::Slot(slot)) => (Some(*slot), None),
            Some(CredentialHandle::Id(id)) => (None, Some(id_ending(id))),
            None => (None, None),
        };
        Self { kind: Text::Known(credential.kind), slot, id, created: credential.created }
    }
}

impl From<&Note> for FindingNote {
    fn from(note: &Note) -> Self {
        let mut written = Self {
            code: Text::Known(note.into()),
            column: None,
            text: None,
            changed: None,
            exemption: None,
        };
        match note {
            Note::RecentlyReset(changed) => written.changed = Some(*changed),
            Note::Unreadable(field) => {
                written.column = Some(field.column.clone());
                written.text = Some(field.text.clone());
            }
            Note::HiddenCredentials => {}
            Note::ExemptionExpired(index) | Note::ExemptionNeedsLiveEvidence(index) => {
                written.exemption = Some(*index);
            }
        }
        written
    }
}

impl From<&audit::ExemptionResult> for Exemption {
    fn from(reviewed: &audit::ExemptionResult) -> Self {
        let exemption = &reviewed.exemption;
        let (user, pattern) = match &exemption.user {
            UserSelector::Name(name) => (Some(name.clone()), None),
            UserSelector::Pattern(pattern) => (None, Some(pattern.as_str().to_owned())),
        };
        Self {
            user,
            pattern,
            account: exemption.account.map(Text::Known),
            user_id: exemption.user_id.clone(),
            credentials: exemption.credentials.iter().map(ToString::to_string).collect(),
            rules: exemption.rules.iter().copied().map(Text::Known).collect(),
            reason: exemption.reason.clone(),
            owner: exemption.owner.clone(),
            expires: exemption.expires,
            state: Text::Known(reviewed.status),
            matched: Text::Known(reviewed.matched.into()),
            users: match reviewed.matched {
                ExemptionMatch::Users(users) => users,
                ExemptionMatch::ByCaseOnly => 1,
                ExemptionMatch::NoUser | ExemptionMatch::NotAudited => 0,
            },
            exempts: reviewed.exempts,
            line: exemption.place.line,
            column: exemption.place.column,
        }
    }
}
