//! The audit as a table for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, presets,
};

use super::by_account;
use crate::allowlist::ExemptionStatus;
use crate::audit::{
    self, AgeProblem, AllowlistOrigin, Audit, AuditedAccount, Coverage, ExemptionMatch, Finding,
    FindingStatus, Note, ReferenceKind,
};
use crate::model::inventory::{
    AccountId, CredentialHandle, CredentialKind, Denial, EvidenceSource, GapCause, id_ending,
};
use crate::model::policy::{Level, Rule};
use crate::templates::escape_invisible;

/// How the table is printed.
#[derive(Debug, Clone, Copy)]
pub struct TableOptions {
    /// Whether to use ANSI colors.
    pub color: bool,
    /// The terminal's width in columns; `None` for no limit.
    pub width: Option<u16>,
    /// The maximum number of rows per account; 0 for all.
    pub max_rows: usize,
}

/// Prints the audit as text, ending with a line feed.
#[must_use]
pub fn table(audit: &Audit, options: TableOptions) -> String {
    let mut text = String::new();
    let found = by_account(audit);
    for account in &audit.accounts {
        let findings = found.get(&account.id).copied().unwrap_or_default();
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "{}", heading(account));
        account_table(audit, account, findings, options, &mut text);
        text.push('\n');
    }
    exemptions(audit, &mut text);
    for account in &audit.accounts {
        incomplete(account, findings_of(&found, account), &mut text);
        not_shown(account, &mut text);
    }
    let _ = writeln!(text, "{}", summary(audit));
    text
}

fn heading(account: &AuditedAccount) -> String {
    let alias = account.alias.as_deref().map(|it| format!(" ({})", escape_invisible(it)));
    let evidence = match account.report_generated_at {
        Some(at) => {
            let age = account.age.days.map_or_else(
                || "from the future".to_owned(),
                |days| format!("{} old", count_days(days)),
            );
            let live = match account.evidence_source {
                EvidenceSource::Live => format!(", {} re-checked", account.rechecked),
                EvidenceSource::ExportedReport | EvidenceSource::FetchedReport => String::new(),
            };
            format!("credential report of {}, {age}{live}", at.format("%Y-%m-%d %H:%M UTC"))
        }
        None if account.has_no_credential_report() => {
            return format!("Account {}: the credential report is not available", account.id);
        }
        None => match account.age.days {
            Some(days) => {
                format!(
                    "exported credential report without a date, at most {} old",
                    count_days(days)
                )
            }
            None => "exported credential report of unknown age".to_owned(),
        },
    };
    let users = count(account.users, "user");
    format!("Account {}{}: {users}, {evidence}", account.id, alias.unwrap_or_default())
}

fn account_table(
    audit: &Audit,
    account: &AuditedAccount,
    findings: &[Finding],
    options: TableOptions,
    text: &mut String,
) {
    let mut shown: Vec<_> =
        findings.iter().filter(|it| it.status != FindingStatus::Exempted).collect();
    // Notices come last.
    shown.sort_by_key(|it| it.level == Level::Notice && it.status == FindingStatus::Open);
    if shown.is_empty() {
        text.push_str(match account.incomplete_rules().next() {
            _ if account.has_no_credential_report() => "  not audited\n",
            Some(_) => "  no findings, but the evidence is incomplete\n",
            None => "  no open findings\n",
        });
        return;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_truncation_indicator("…");
    match options.width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        // Without a width, the table would ask the terminal.
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    if options.color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let bold = |title: &str| Cell::new(title).add_attribute(Attribute::Bold);
    table.set_header(["user", "credential", "days", "since", "rule", "note"].map(bold));
    let limit = if options.max_rows == 0 { usize::MAX } else { options.max_rows };
    for finding in shown.iter().take(limit) {
        table.add_row(row(audit, finding));
    }
    drop_empty_columns(&mut table);
    let _ = writeln!(text, "{}", table.trim_fmt());
    if shown.len() > limit {
        let _ = writeln!(
            text,
            "  … and {} (the JSON report has all rows)",
            count(shown.len() - limit, "more row")
        );
    }
}

/// Hides the columns without a value, such as `note` if there is no note.
fn drop_empty_columns(table: &mut Table) {
    let columns = 0..table.column_count();
    let is_empty = |column: &usize| {
        let mut cells = table.row_iter().filter_map(|row| row.cell_iter().nth(*column));
        cells.all(|cell| cell.content().is_empty())
    };
    let empty: Vec<_> = columns.filter(is_empty).collect();
    for column in empty {
        if let Some(column) = table.column_mut(column) {
            column.set_constraint(ColumnConstraint::Hidden);
        }
    }
}

fn row(audit: &Audit, finding: &Finding) -> Vec<Cell> {
    let color = match (finding.status, finding.level) {
        (FindingStatus::Unknown, _) => Color::Magenta,
        (_, Level::Error) => Color::Red,
        (_, Level::Warning) => Color::Yellow,
        _ => Color::Reset,
    };
    let days = finding.days.map_or_else(|| "?".to_owned(), |days| days.to_string());
    let notes: Vec<String> = finding.notes.iter().map(|it| note(audit, it)).collect();
    vec![
        Cell::new(escape_invisible(&finding.user.name)),
        Cell::new(credential(finding)),
        Cell::new(days).fg(color).set_alignment(CellAlignment::Right),
        Cell::new(since(finding)),
        Cell::new(finding.rule.id()).fg(color),
        Cell::new(notes.join("; ")),
    ]
}

fn credential(finding: &Finding) -> String {
    let Some(credential) = &finding.credential else { return "the user".to_owned() };
    let kind = match credential.kind {
        CredentialKind::Password => "password",
        CredentialKind::AccessKey => "access key",
        CredentialKind::SigningCertificate => "certificate",
        CredentialKind::SshKey => "SSH key",
        CredentialKind::ServiceSpecificCredential => "service credential",
    };
    match &credential.handle {
        None => kind.to_owned(),
        Some(CredentialHandle::Slot(slot)) => format!("{kind} {slot}"),
        Some(CredentialHandle::Id(id)) => format!("{kind} …{}", escape_invisible(&id_ending(id))),
    }
}

fn since(finding: &Finding) -> String {
    let Some((reference, moment)) = finding.reference else { return "–".to_owned() };
    let words = match reference {
        ReferenceKind::LastUsed => "last used",
        ReferenceKind::NeverUsedSince => "never used, created",
        ReferenceKind::Created => "created",
        ReferenceKind::Expired => "expired",
    };
    format!("{words} {}", moment.date_naive())
}

fn note(audit: &Audit, note: &Note) -> String {
    let exemption = |index: &usize| audit.exemptions.get(*index).map(|it| &it.exemption);
    match note {
        Note::RecentlyReset(changed) => format!("password changed {}", changed.date_naive()),
        Note::Unreadable(field) => {
            format!("{} is `{}`", escape_invisible(&field.column), escape_invisible(&field.text))
        }
        Note::HiddenCredentials => "has more credentials than the report shows".to_owned(),
        Note::ExemptionExpired(index) => match exemption(index) {
            Some(it) => format!("exemption expired {} (line {})", it.expires, it.place.line),
            None => String::new(),
        },
        Note::ExemptionNeedsLiveEvidence(index) => match exemption(index) {
            Some(it) => format!("exemption needs live evidence (line {})", it.place.line),
            None => String::new(),
        },
    }
}

fn exemptions(audit: &Audit, text: &mut String) {
    if let AllowlistOrigin::Missing(path) = &audit.allowlist {
        let _ =
            writeln!(text, "No allowlist at {}, so nothing is exempted.\n", escape_invisible(path));
    }
    let mut any = false;
    for reviewed in &audit.exemptions {
        let it = &reviewed.exemption;
        let remark = match (reviewed.status, reviewed.matched) {
            (_, ExemptionMatch::NoUser) => match it.user.suggested_pattern() {
                Some(meant) => format!(
                    "matches no user: a pattern is not a regular expression, and `.` matches only a \
                     dot. Did you mean `{meant}`?"
                ),
                None => "matches no user: remove it".to_owned(),
            },
            (ExemptionStatus::Expired, ExemptionMatch::NotAudited) => {
                format!("expired on {}", it.expires)
            }
            (ExemptionStatus::Expired, _) => {
                format!("expired on {}: its findings are open again", it.expires)
            }
            (_, ExemptionMatch::ByCaseOnly) => {
                "differs from the user name only in case: correct it".to_owned()
            }
            (ExemptionStatus::ExpiresSoon, _) => format!("expires on {}", it.expires),
            (ExemptionStatus::InForce, _) => continue,
        };
        any = true;
        let _ = writeln!(text, "Exemption on line {} for `{}`: {remark}", it.place.line, it.user);
    }
    if any {
        text.push('\n');
    }
}

fn findings_of<'a>(
    found: &BTreeMap<AccountId, &'a [Finding]>,
    account: &AuditedAccount,
) -> &'a [Finding] {
    found.get(&account.id).copied().unwrap_or_default()
}

/// Which rules are incomplete, and why.
fn incomplete(account: &AuditedAccount, findings: &[Finding], text: &mut String) {
    let rules: Vec<_> = account.incomplete_rules().map(Rule::id).collect();
    if !rules.is_empty() {
        let rules = if account.has_no_credential_report() {
            "every rule".to_owned()
        } else {
            rules.join(", ")
        };
        let unknown = findings.iter().any(|finding| finding.status == FindingStatus::Unknown);
        let rows = if unknown { ". See the rows with `?`" } else { "" };
        let _ = writeln!(text, "Account {} is incomplete for {rules}{rows}.", account.id);
    }
    if let Some(problem) = account.age.problem.filter(|_| !account.has_no_credential_report()) {
        let _ = writeln!(text, "  {}", age_problem(problem, account.age.max_days));
    }
    for gap in &account.gaps {
        let users = if gap.users == 0 {
            String::new()
        } else {
            format!(" for {}", count(gap.users, "user"))
        };
        let weight = if audit::is_optional_evidence(gap.item) { " (no rule needs it)" } else { "" };
        let message = escape_invisible(&gap.message);
        let _ = writeln!(text, "  {} failed{users}{weight}: {message}", gap.action);
        let denied = (gap.cause == GapCause::Denied).then(|| Denial::from_message(&gap.message));
        if let Some(advice) = denied.and_then(|denial| denial.advice(gap.action)) {
            let _ = writeln!(text, "    {advice}");
        }
    }
}

/// Why the age of the evidence makes the account incomplete, and how to fix it.
fn age_problem(problem: AgeProblem, max_days: u32) -> String {
    let limit = count_days(max_days.into());
    match problem {
        AgeProblem::TooOld => format!("the evidence is more than {limit} old (--max-evidence-age)"),
        AgeProblem::Unknown => format!(
            "the report has no date, and its newest entry is more than {limit} old. Set its date \
             with --report-generated-at"
        ),
        AgeProblem::InFuture => {
            "the evidence is from the future. Check the clock of the machine".to_owned()
        }
    }
}

fn not_shown(account: &AuditedAccount, text: &mut String) {
    let hidden = |coverage: Option<&Coverage>| coverage == Some(&Coverage::NotShown);
    let rules = Rule::ALL.into_iter().filter(|rule| hidden(account.coverage.get(rule)));
    let rules: Vec<_> = rules.map(Rule::id).collect();
    if rules.is_empty() {
        return;
    }
    let why = match account.evidence_source {
        EvidenceSource::ExportedReport => {
            "an exported report does not contain all evidence for these rules"
        }
        EvidenceSource::FetchedReport => {
            "without the re-check, not all evidence for these rules is available"
        }
        EvidenceSource::Live => {
            "SSH keys were listed for flagged users only (--ssh-keys all lists the keys of all users)"
        }
    };
    let _ = writeln!(text, "Account {}: {why}: {}.", account.id, rules.join(", "));
}

/// The result in one line.
#[must_use]
pub fn summary(audit: &Audit) -> String {
    let counts = audit.counts();
    format!(
        "{}: {} open, {} unknown, {} exempted, {}",
        audit.outcome().id(),
        counts.needing_remediation(),
        counts.unknown,
        counts.exempted,
        count(counts.notices, "notice")
    )
}

fn count_days(days: i64) -> String {
    format!("{days} day{}", if days == 1 { "" } else { "s" })
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
