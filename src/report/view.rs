//! The audit, as the Markdown templates see it. `docs/template.md` describes it for users' own
//! templates; keep the two in sync.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::by_account;
use super::user_remediation::{UserRemediation, user_remediation};
use crate::allowlist::{ExemptionStatus, UserSelector};
use crate::audit::{
    self, AgeProblem, AllowlistOrigin, Audit, AuditedAccount, ClearedFinding, ClearedReason,
    Coverage, ExemptionMatch, ExemptionResult, Finding, FindingStatus, Note, ReferenceKind,
};
use crate::model::inventory::{
    CredentialHandle, Denial, DenyingPolicyKind, EvidenceGap, GapCause, id_ending,
};
use crate::model::policy::{Level, Rule};
use crate::templates::SafeText;

/// Everything a template can name.
#[derive(Serialize)]
pub(super) struct ReportView {
    /// `clean`, `stale` or `incomplete`.
    outcome: &'static str,
    /// The day of the audit and the moment to the minute.
    today: SafeText,
    now: SafeText,
    stale_after_days: u32,
    /// The allowlist's path; none if the user chose no allowlist.
    allowlist_path: Option<String>,
    /// Whether the allowlist file exists.
    allowlist_found: bool,
    counts: CountsView,
    rules: Vec<RuleView>,
    accounts: Vec<ReportAccountView>,
    exemptions: Vec<ExemptionView>,
    /// How many exemptions need attention.
    exemption_notices: usize,
    /// Whether both stale rules are on and have no finding that is not exempted.
    nothing_stale: bool,
}

/// Counts of findings.
#[derive(Serialize)]
struct CountsView {
    accounts: usize,
    users: usize,
    /// Open findings of level error and warning.
    to_remediate: usize,
    users_to_remediate: usize,
    errors: usize,
    warnings: usize,
    notices: usize,
    exempted: usize,
    unknown: usize,
}

#[derive(Serialize)]
struct RuleView {
    id: &'static str,
    level: &'static str,
    controls: Vec<&'static str>,
    open: usize,
    exempted: usize,
    unknown: usize,
    /// The worst coverage of all accounts; none if the rule is off.
    coverage: Option<&'static str>,
}

#[derive(Serialize)]
struct ReportAccountView {
    id: SafeText,
    alias: Option<String>,
    users: usize,
    flagged_users: usize,
    users_without_shown_credentials: usize,
    /// When IAM generated the report; none if the report has no date.
    generated_at: Option<SafeText>,
    /// The newest date in a report that has no date of its own: IAM generated it on this day or later.
    newest_date: Option<SafeText>,
    /// The report's age in days, or the most that it can be; none if unknown.
    age_days: Option<i64>,
    /// The maximum age of the evidence, in days.
    max_age_days: u32,
    /// `evidence-too-old`, `evidence-age-unknown` or `evidence-in-future`, if that makes the account
    /// incomplete.
    age_problem: Option<&'static str>,
    /// Open findings of level error and warning, and unknown findings.
    rows: Vec<ReportRow>,
    rows_left_out: usize,
    notices: Vec<ReportRow>,
    notices_left_out: usize,
    users_with_findings: Vec<ReportUser>,
    users_with_findings_left_out: usize,
    /// Rules by their coverage.
    incomplete: Vec<&'static str>,
    not_shown: Vec<&'static str>,
    /// `exported-report`, `fetched-report` or `live`.
    evidence: &'static str,
    /// How many users were re-checked.
    rechecked: usize,
    /// Whether the credential report is missing.
    report_missing: bool,
    gaps: Vec<GapView>,
    cleared: Vec<ClearedView>,
}

/// Missing evidence.
#[derive(Serialize)]
struct GapView {
    piece: &'static str,
    cause: &'static str,
    action: &'static str,
    message: String,
    users: usize,
    /// Whether a deny statement denied the call, so that granting the permission does not help.
    denied_explicitly: bool,
    /// The kind of policy that denied the call, in AWS's words; none if AWS names none.
    denied_by: Option<&'static str>,
    /// Whether no rule needs it.
    optional: bool,
}

/// A finding of the credential report that the re-check cleared.
#[derive(Serialize)]
struct ClearedView {
    user: String,
    kind: &'static str,
    created: Option<SafeText>,
    clearing: &'static str,
    used: Option<SafeText>,
}

/// A row of a table: one finding.
#[derive(Clone, Serialize)]
struct ReportRow {
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
    reached: &'static str,
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
struct ReportUser {
    name: String,
    arn: String,
    user_id: Option<String>,
    created: Option<SafeText>,
    mfa: Option<bool>,
    evidence: &'static str,
    owner: Option<String>,
    groups: Vec<String>,
    policies: Vec<String>,
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

#[derive(Serialize)]
struct ExemptionView {
    user: Option<String>,
    pattern: Option<String>,
    /// The pattern that was probably meant, if this one looks like a regular expression.
    meant: Option<String>,
    account: Option<SafeText>,
    credentials: Vec<String>,
    rules: Vec<&'static str>,
    /// Whether these are the default rules of an exemption.
    default_rules: bool,
    reason: String,
    owner: String,
    expires: SafeText,
    term: &'static str,
    matched: &'static str,
    users: usize,
    exempts: usize,
    line: usize,
}

/// Builds the view. A table has at most `max_rows` rows; 0 for all.
pub(super) fn view(audit: &Audit, max_rows: usize) -> ReportView {
    let limit = if max_rows == 0 { usize::MAX } else { max_rows };
    let found = by_account(audit);
    let (allowlist_path, allowlist_found) = match &audit.allowlist {
        AllowlistOrigin::File(path) => (Some(path.clone()), true),
        AllowlistOrigin::Missing(path) => (Some(path.clone()), false),
        AllowlistOrigin::None => (None, false),
    };
    ReportView {
        outcome: audit.outcome().id(),
        today: SafeText::day(audit.now),
        now: SafeText::minute(audit.now),
        stale_after_days: audit.policy.stale_after_days,
        allowlist_path,
        allowlist_found,
        counts: counts(audit),
        rules: Rule::ALL.into_iter().map(|rule| rule_view(audit, rule)).collect(),
        accounts: audit
            .accounts
            .iter()
            .map(|account| {
                let findings = found.get(&account.id).copied().unwrap_or_default();
                account_view(audit, account, findings, limit)
            })
            .collect(),
        exemptions: audit.exemptions.iter().map(exemption_view).collect(),
        exemption_notices: audit.exemptions.iter().filter(|it| needs_attention(it)).count(),
        nothing_stale: Rule::disuse_rules().into_iter().all(|rule| {
            let against = |it: &Finding| it.rule == rule && it.status != FindingStatus::Exempted;
            audit.policy.is_enabled(rule) && !audit.findings.iter().any(against)
        }),
    }
}

fn counts(audit: &Audit) -> CountsView {
    let counts = audit.counts();
    let users: BTreeSet<_> = audit
        .findings
        .iter()
        .filter(|finding| finding.needs_remediation())
        .map(|finding| (finding.user.account, finding.user.name.as_str()))
        .collect();
    CountsView {
        accounts: audit.accounts.len(),
        users: counts.users,
        to_remediate: counts.needing_remediation(),
        users_to_remediate: users.len(),
        errors: counts.errors,
        warnings: counts.warnings,
        notices: counts.notices,
        exempted: counts.exempted,
        unknown: counts.unknown,
    }
}

fn rule_view(audit: &Audit, rule: Rule) -> RuleView {
    let count = |status| {
        let of_rule = |finding: &&Finding| finding.rule == rule && finding.status == status;
        audit.findings.iter().filter(of_rule).count()
    };
    let coverage = audit.accounts.iter().filter_map(|account| account.coverage.get(&rule)).max();
    RuleView {
        id: rule.id(),
        level: audit.policy.level(rule).id(),
        controls: audit.policy.controls(rule).collect(),
        open: count(FindingStatus::Open),
        exempted: count(FindingStatus::Exempted),
        unknown: count(FindingStatus::Unknown),
        coverage: coverage.map(|it| it.id()),
    }
}

fn account_view(
    audit: &Audit,
    account: &AuditedAccount,
    findings: &[Finding],
    limit: usize,
) -> ReportAccountView {
    let unresolved = || findings.iter().filter(|finding| finding.status != FindingStatus::Exempted);
    let is_notice = |finding: &&Finding| {
        finding.level == Level::Notice && finding.status == FindingStatus::Open
    };
    let notices: Vec<_> = unresolved().filter(is_notice).collect();
    let rows: Vec<_> = unresolved().filter(|finding| !is_notice(finding)).collect();
    let people = group_by_user(rows.iter().chain(&notices).copied());
    let row = |finding: &&Finding| row(audit, finding);
    let with = |coverage: Coverage| {
        let rules = account.coverage.iter().filter(move |(_, it)| **it == coverage);
        rules.map(|(rule, _)| rule.id()).collect()
    };
    ReportAccountView {
        id: SafeText::new(account.id),
        alias: account.alias.clone(),
        users: account.users,
        flagged_users: account.flagged_users,
        users_without_shown_credentials: account.users_without_shown_credentials,
        generated_at: account.report_generated_at.map(SafeText::minute),
        newest_date: account.age.newest_date.map(SafeText::day),
        age_days: account.age.days,
        max_age_days: account.age.max_days,
        age_problem: account
            .age
            .problem
            .filter(|_| !account.has_no_credential_report())
            .map(AgeProblem::id),
        rows: rows.iter().take(limit).map(row).collect(),
        rows_left_out: rows.len().saturating_sub(limit),
        notices: notices.iter().take(limit).map(row).collect(),
        notices_left_out: notices.len().saturating_sub(limit),
        users_with_findings_left_out: people.len().saturating_sub(limit),
        users_with_findings: people
            .into_iter()
            .take(limit)
            .map(|unresolved| user_view(audit, account, &unresolved, findings))
            .collect(),
        incomplete: with(Coverage::Incomplete),
        not_shown: with(Coverage::NotShown),
        evidence: account.evidence_source.id(),
        rechecked: account.rechecked,
        report_missing: account.has_no_credential_report(),
        gaps: account.gaps.iter().map(gap_view).collect(),
        cleared: account.cleared.iter().take(limit).map(cleared_view).collect(),
    }
}

fn gap_view(gap: &EvidenceGap) -> GapView {
    let denial = (gap.cause == GapCause::Denied).then(|| Denial::from_message(&gap.message));
    GapView {
        denied_explicitly: denial.is_some_and(|denial| denial.is_explicit),
        denied_by: denial.and_then(|denial| denial.policy).map(DenyingPolicyKind::id),
        piece: gap.piece.id(),
        cause: gap.cause.id(),
        action: gap.action,
        message: gap.message.clone(),
        users: gap.users,
        optional: audit::is_optional_evidence(gap.piece),
    }
}

fn cleared_view(cleared: &ClearedFinding) -> ClearedView {
    ClearedView {
        user: cleared.user.clone(),
        kind: cleared.kind.id(),
        created: cleared.created.map(SafeText::day),
        clearing: cleared.reason.id(),
        used: match cleared.reason {
            ClearedReason::Used(moment) => Some(SafeText::day(moment)),
            _ => None,
        },
    }
}

/// The findings grouped by user, in the order in which the users first appear.
fn group_by_user<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<Vec<&'a Finding>> {
    let mut places = BTreeMap::new();
    let mut users: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings {
        let place = *places.entry(finding.user.name.as_str()).or_insert(users.len());
        match users.get_mut(place) {
            Some(of_user) => of_user.push(finding),
            None => users.push(vec![finding]),
        }
    }
    users
}

fn user_view(
    audit: &Audit,
    account: &AuditedAccount,
    unresolved: &[&Finding],
    of_account: &[Finding],
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
    let only_notices = findings.iter().all(|row| row.level == Level::Notice.id());
    ReportUser {
        remediation: user_remediation(audit, account, unresolved, exempted),
        name,
        arn: subject.map(|it| it.arn.clone()).unwrap_or_default(),
        user_id: subject.and_then(|it| it.user_id.clone()),
        created: subject.and_then(|it| it.created).map(SafeText::day),
        mfa: subject.and_then(|it| it.mfa),
        evidence: subject.map_or("", |it| it.evidence.id()),
        owner: subject.and_then(|it| it.owner.clone()),
        groups: permissions.map(|it| it.groups.clone()).unwrap_or_default(),
        policies: permissions
            .map(|it| [it.attached_policies.as_slice(), &it.inline_policies].concat())
            .unwrap_or_default(),
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

fn row(audit: &Audit, finding: &Finding) -> ReportRow {
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
    finding.remediation_tag.map(|clock| RemediationTagView {
        reached: clock.reached.id(),
        since: SafeText::day(clock.since),
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

fn needs_attention(reviewed: &ExemptionResult) -> bool {
    reviewed.status != ExemptionStatus::InForce
        || matches!(reviewed.matched, ExemptionMatch::NoUser | ExemptionMatch::ByCaseOnly)
}

fn exemption_view(reviewed: &ExemptionResult) -> ExemptionView {
    let exemption = &reviewed.exemption;
    let (user, pattern) = match &exemption.user {
        UserSelector::Name(name) => (Some(name.clone()), None),
        UserSelector::Pattern(pattern) => (None, Some(pattern.as_str().to_owned())),
    };
    ExemptionView {
        user,
        pattern,
        meant: exemption.user.suggested_pattern(),
        account: exemption.account.map(SafeText::new),
        credentials: exemption.credentials.iter().map(ToString::to_string).collect(),
        rules: exemption.rules.iter().map(|rule| rule.id()).collect(),
        default_rules: exemption.rules == Rule::disuse_rules(),
        reason: exemption.reason.clone(),
        owner: exemption.owner.clone(),
        expires: SafeText::new(exemption.expires),
        term: reviewed.status.id(),
        matched: reviewed.matched.id(),
        users: match reviewed.matched {
            ExemptionMatch::Users(users) => users,
            _ => 0,
        },
        exempts: reviewed.exempts,
        line: exemption.place.line,
    }
}
