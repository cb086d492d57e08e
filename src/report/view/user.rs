//! Users and their findings, as the Markdown templates see them.

use serde::Serialize;

use crate::audit::{Audit, AuditedAccount, Finding, FindingStatus, Note, ReferenceKind};
use crate::model::inventory::{CredentialHandle, id_ending};
use crate::model::policy::Level;
use crate::report::danger::is_notice;
use crate::report::user_remediation::{UserRemediation, user_remediation};
use crate::templates::SafeText;

/// A row of a table: one finding.
#[derive(Clone, Serialize)]
pub(super) struct ReportRow {
    user: String,
    /// The credential's kind; none for a finding about the user.
    kind: Option<&'static str>,
    slot: Option<u8>,
    /// The last four characters of the credential's id.
    id_ending: Option<String>,
    created: Option<SafeText>,
    last_service: Option<String>,
    rule: &'static str,
    level: &'static str,
    status: &'static str,
    days: Option<i64>,
    reference: Option<&'static str>,
    reference_date: Option<SafeText>,
    notes: Vec<NoteView>,
    remediation_tag: Option<RemediationTagView>,
    id: SafeText,
}

/// The remediation stage of a credential.
#[derive(Clone, Serialize)]
struct RemediationTagView {
    /// `notified`, `deactivated` or `inactive`.
    status: &'static str,
    since: SafeText,
    /// `deactivate` or `delete`, and the first day of that stage; none if unknown.
    next: Option<&'static str>,
    next_from: Option<SafeText>,
}

#[derive(Clone, Serialize)]
struct NoteView {
    code: &'static str,
    /// The field that is not readable.
    column: Option<String>,
    text: Option<String>,
    /// The day of a password's last change, or an exemption's expiry date.
    day: Option<SafeText>,
    /// The line of the exemption in the allowlist.
    line: Option<usize>,
}

/// A user with findings that are not exempted, and the remediation steps.
#[derive(Serialize)]
pub(super) struct ReportUser {
    name: String,
    arn: String,
    user_id: Option<String>,
    created: Option<SafeText>,
    mfa: Option<bool>,
    evidence: &'static str,
    owner: Option<String>,
    groups: Vec<String>,
    policies: Vec<String>,
    /// Whether `AdministratorAccess` is attached to the user or one of the groups, if that is known.
    administrator: Option<bool>,
    /// The highest level of the findings, and whether the first finding is unknown.
    level: &'static str,
    unknown: bool,
    only_notices: bool,
    /// The last service that the user accessed, and the day.
    last_service: Option<String>,
    last_seen: Option<SafeText>,
    in_use: bool,
    all_kinds_seen: bool,
    findings: Vec<ReportRow>,
    /// The findings in the headline: without notices, unless there are only notices.
    headline: Vec<ReportRow>,
    remediation: UserRemediation,
}

pub(super) fn user_view(
    audit: &Audit,
    account: &AuditedAccount,
    unresolved: &[&Finding],
    of_account: &[Finding],
    full_ids: bool,
) -> ReportUser {
    // `group_by_user` makes no empty groups.
    let subject = unresolved.first().map(|finding| finding.user.as_ref());
    let permissions = subject.and_then(|it| it.permissions.as_ref());
    let last_accessed = subject.and_then(|it| it.last_accessed.as_ref());
    let name = subject.map(|it| it.name.clone()).unwrap_or_default();
    let exempted = of_account
        .iter()
        .any(|finding| finding.status == FindingStatus::Exempted && finding.user.name == name);
    let findings: Vec<ReportRow> = unresolved.iter().map(|finding| row(audit, finding)).collect();
    let only_notices = unresolved.iter().all(|finding| is_notice(finding));
    let level = unresolved.iter().map(|finding| finding.level).max();
    ReportUser {
        remediation: user_remediation(audit, account, unresolved, exempted, full_ids),
        name,
        arn: subject.map(|it| it.arn.clone()).unwrap_or_default(),
        user_id: subject.and_then(|it| it.user_id.clone()),
        created: subject.and_then(|it| it.created).map(SafeText::day),
        mfa: subject.and_then(|it| it.mfa),
        evidence: subject.map_or("", |it| it.evidence.id()),
        owner: subject.and_then(|it| it.owner.clone()),
        groups: permissions.map(|it| it.groups.clone()).unwrap_or_default(),
        policies: permissions
            .map(|it| {
                let attached = it.attached_policies.iter().map(|policy| &policy.name);
                attached.chain(&it.inline_policies).cloned().collect()
            })
            .unwrap_or_default(),
        administrator: permissions.and_then(|it| it.administrator),
        level: level.map_or("", Level::id),
        unknown: unresolved.first().is_some_and(|it| it.status == FindingStatus::Unknown),
        only_notices,
        last_service: last_accessed.map(|it| it.service.clone()),
        last_seen: last_accessed.map(|it| SafeText::day(it.at)),
        in_use: subject.is_some_and(|it| it.in_use),
        all_kinds_seen: subject.is_some_and(|it| it.all_kinds_seen),
        headline: findings
            .iter()
            .filter(|row| only_notices || row.level != Level::Notice.id())
            .cloned()
            .collect(),
        findings,
    }
}

pub(super) fn row(audit: &Audit, finding: &Finding) -> ReportRow {
    let credential = finding.credential.as_ref();
    let (slot, id) = match credential.and_then(|it| it.handle.as_ref()) {
        Some(CredentialHandle::Slot(slot)) => (Some(*slot), None),
        Some(CredentialHandle::Id(id)) => (None, Some(id_ending(id))),
        None => (None, None),
    };
    ReportRow {
        user: finding.user.name.clone(),
        kind: credential.map(|it| it.kind.id()),
        slot,
        id_ending: id,
        created: credential.and_then(|it| it.created).map(SafeText::day),
        last_service: credential.and_then(|it| it.last_used_service.clone()),
        rule: finding.rule.id(),
        level: finding.level.id(),
        status: finding.status.id(),
        days: finding.days,
        reference: finding.reference.map(|(reference, _)| ReferenceKind::id(reference)),
        reference_date: finding.reference.map(|(_, moment)| SafeText::day(moment)),
        notes: finding.notes.iter().map(|note| note_view(audit, note)).collect(),
        remediation_tag: remediation_tag_view(audit, finding),
        id: SafeText::new(finding.id),
    }
}

fn remediation_tag_view(audit: &Audit, finding: &Finding) -> Option<RemediationTagView> {
    let next = audit.next_stage(finding);
    finding.remediation_tag.map(|tag| RemediationTagView {
        status: tag.reached.id(),
        since: SafeText::day(tag.since),
        next: next.map(|it| it.stage.id()),
        next_from: next.map(|it| SafeText::new(it.from)),
    })
}

fn note_view(audit: &Audit, note: &Note) -> NoteView {
    let mut view = NoteView { code: note.id(), column: None, text: None, day: None, line: None };
    match note {
        Note::RecentlyReset(changed) => view.day = Some(SafeText::day(*changed)),
        Note::Unreadable(field) => {
            view.column = Some(field.column.clone());
            view.text = Some(field.text.clone());
        }
        Note::HiddenCredentials => {}
        Note::ExemptionExpired(index) | Note::ExemptionNeedsLiveEvidence(index) => {
            let exemption = audit.exemptions.get(*index).map(|it| &it.exemption);
            view.day = exemption.map(|it| SafeText::new(it.expires));
            view.line = exemption.map(|it| it.place.line);
        }
    }
    view
}
