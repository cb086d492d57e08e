//! The audit, as the Markdown templates see it. `docs/template.md` describes it for users' own
//! templates; keep the two in sync.

mod exemption;
mod user;

use std::collections::BTreeSet;

use serde::Serialize;

use super::by_account;
use super::danger::{by_danger, is_notice};
use crate::audit::{
    self, AgeProblem, AllowlistOrigin, Audit, AuditedAccount, ClearedFinding, ClearedReason,
    Coverage, Finding, FindingStatus,
};
use crate::model::inventory::{Denial, DenyingPolicyKind, EvidenceGap, GapCause};
use crate::model::policy::Rule;
use crate::templates::SafeText;
use exemption::{ExemptionView, exemption_view, needs_attention};
use user::{ReportRow, ReportUser, row, user_view};

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
    needing_remediation: usize,
    users_needing_remediation: usize,
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
    /// The newest date in a report without a date: IAM generated it on this day or later.
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
    findings_by_user: Vec<ReportUser>,
    users_left_out: usize,
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
    item: &'static str,
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
    reason: &'static str,
    used: Option<SafeText>,
}

/// Builds the view. A table has at most `max_rows` rows; 0 for all.
pub(super) fn view(audit: &Audit, max_rows: usize, full_ids: bool) -> ReportView {
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
                account_view(audit, account, findings, limit, full_ids)
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
        needing_remediation: counts.needing_remediation(),
        users_needing_remediation: users.len(),
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
    full_ids: bool,
) -> ReportAccountView {
    let unresolved = || findings.iter().filter(|finding| finding.status != FindingStatus::Exempted);
    let users = by_danger(unresolved());
    let (notices, rows): (Vec<_>, Vec<_>) =
        users.iter().flatten().copied().partition(|finding| is_notice(finding));
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
        users_left_out: users.len().saturating_sub(limit),
        findings_by_user: users
            .into_iter()
            .take(limit)
            .map(|unresolved| user_view(audit, account, &unresolved, findings, full_ids))
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
        item: gap.item.id(),
        cause: gap.cause.id(),
        action: gap.action,
        message: gap.message.clone(),
        users: gap.users,
        optional: audit::is_optional_evidence(gap.item),
    }
}

fn cleared_view(cleared: &ClearedFinding) -> ClearedView {
    ClearedView {
        user: cleared.user.clone(),
        kind: cleared.kind.id(),
        created: cleared.created.map(SafeText::day),
        reason: cleared.reason.id(),
        used: match cleared.reason {
            ClearedReason::Used(moment) => Some(SafeText::day(moment)),
            _ => None,
        },
    }
}
