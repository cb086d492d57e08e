//! The pull request comment: what is new, what is known, and what the pull request changes in the
//! allowlist.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use super::exemptions::suggested_exemptions;
use super::fit::fit_rows;
use super::gate::{Gate, GateCounts, account_list};
use super::limited_list::LimitedList;
use super::markers;
use super::observation::{Observation, ObservedFinding};
use super::plan::MAX_BODY_BYTES;
use super::state::{QueueEntry, QueueName, QueueState};
use super::view::FindingRow;
use crate::allowlist::{FormerAccount, SuggestedExemption};
use crate::audit::{Coverage, FindingId, FindingStatus};
use crate::model::inventory::AccountId;
use crate::model::policy::remediation::RemediationPolicy;
use crate::model::policy::{Level, Policy, Rule};
use crate::templates::{Language, Page, SafeText, TemplateError, render};

/// The maximum number of rows in each list.
const MAX_ROWS: usize = 50;
/// The maximum number of findings for which exemptions are suggested.
const MAX_SUGGESTED: usize = 20;
/// The days without an update after which the queue's schedule is reported as not working.
const SCHEDULE_STOPPED_DAYS: i64 = 8;
/// The longest list of owners or paths, in characters: the file can contain any number.
const MAX_LIST_CHARS: usize = 400;

/// What a pull request changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PullRequestChanges {
    /// Findings that are open without it, and exempted with it.
    pub exempted: BTreeSet<FindingId>,
    /// Findings that it brings back: they are exempted or not counted without it, because it
    /// removes an exemption or has a stricter policy.
    pub uncovered: BTreeSet<FindingId>,
    /// Findings that are open only because of the older policy of the merge base. Merging does not
    /// bring them.
    pub outdated: BTreeSet<FindingId>,
    /// Where its policy is less strict. This run ignores that.
    pub loosened: Vec<PolicyChange>,
    /// What it changes about remediation, in either direction. This run does not remediate.
    pub remediation: Vec<PolicyChange>,
    /// Accounts that it adds to `former_accounts`.
    pub former_accounts: Vec<FormerAccount>,
    /// What it was compared with.
    pub baseline: Baseline,
}

/// What the allowlist of a pull request was compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// The earlier allowlist, or the defaults if there was none.
    #[default]
    BaseAllowlist,
    /// The defaults, because the earlier allowlist is invalid.
    Defaults,
    /// Nothing, because the earlier allowlist could not be read.
    Unavailable,
    /// Nothing, because the allowlist is in another repository and the pull request does not change
    /// it.
    OtherRepository,
}

/// A setting that differs between the head and the base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyChange {
    /// The key in the allowlist's policy, or the rule.
    pub what: String,
    /// The value in the base; empty if it has none.
    pub from: String,
    /// The value in the head; empty if it has none.
    pub to: String,
}

impl PullRequestChanges {
    /// Compares the findings for the earlier allowlists, each with its own policy, with the
    /// findings of this run. Only what no earlier allowlist has is caused by the pull request.
    /// Findings that do not enter the queue are ignored.
    #[must_use]
    pub fn compare(self, earlier: &[Observation], head: &Observation) -> Self {
        let status = |observation: &Observation, id: &FindingId| {
            let seen = observation.findings.get(id);
            seen.filter(|seen| seen.level >= Level::Warning).map(|seen| seen.status)
        };
        let turned = |to: FindingStatus, from: &[Option<FindingStatus>]| -> BTreeSet<FindingId> {
            let was = |id: &FindingId| earlier.iter().all(|it| from.contains(&status(it, id)));
            let is_turned = |id: &&FindingId| status(head, id) == Some(to) && was(id);
            head.findings.keys().filter(is_turned).copied().collect()
        };
        if earlier.is_empty() {
            return self;
        }
        Self {
            exempted: turned(FindingStatus::Exempted, &[Some(FindingStatus::Open)]),
            uncovered: turned(FindingStatus::Open, &[Some(FindingStatus::Exempted), None]),
            ..self
        }
    }

    /// Separates the findings that are open in this run, but neither with the head's own allowlist
    /// and policy nor with the tip's. Findings that the pull request brings back are not affected.
    #[must_use]
    pub fn mark_outdated(
        self,
        own: &Observation,
        tip: &Observation,
        audited: &Observation,
    ) -> Self {
        let is_open = |observation: &Observation, id: &FindingId| {
            observation.findings.get(id).is_some_and(ObservedFinding::needs_remediation)
        };
        // A finding with missing evidence is unknown.
        let is_unknown = |observation: &Observation, id: &FindingId| {
            observation.findings.get(id).is_some_and(|seen| seen.status == FindingStatus::Unknown)
        };
        let is_outdated = |id: &&FindingId| {
            is_open(audited, id)
                && ![own, tip].iter().any(|it| is_open(it, id) || is_unknown(it, id))
                && !self.uncovered.contains(*id)
        };
        let outdated = audited.findings.keys().filter(is_outdated).copied().collect();
        Self { outdated, ..self }
    }

    /// The findings that do not count as new although they are not in the queue.
    #[must_use]
    pub fn not_new(&self) -> BTreeSet<FindingId> {
        self.uncovered.union(&self.outdated).copied().collect()
    }

    /// Whether there is nothing to report.
    fn is_empty(&self) -> bool {
        let baseline = match self.baseline {
            // It is the same for every pull request.
            Baseline::OtherRepository => Baseline::BaseAllowlist,
            baseline => baseline,
        };
        Self { baseline, ..self.clone() } == Self::default()
    }
}

/// The stricter of two policies, and where the head's policy is less strict.
#[must_use]
pub fn stricter(base: &Policy, head: &Policy) -> (Policy, Vec<PolicyChange>) {
    let mut loosened = Vec::new();
    let mut note = |what: &str, from: String, to: String| {
        loosened.push(PolicyChange { what: what.to_owned(), from, to });
    };
    for (what, from, to) in [
        ("stale_after_days", base.stale_after_days, head.stale_after_days),
        ("max_exemption_days", base.max_exemption_days, head.max_exemption_days),
    ] {
        if to > from {
            note(what, from.to_string(), to.to_string());
        }
    }
    if base.expiry_tag.is_some() && base.expiry_tag != head.expiry_tag {
        let text = |tag: &Option<String>| tag.clone().unwrap_or_default();
        note("expiry_tag", text(&base.expiry_tag), text(&head.expiry_tag));
    }
    for rule in Rule::ALL {
        if head.level(rule) < base.level(rule) {
            note(rule.id(), base.level(rule).to_string(), head.level(rule).to_string());
        }
    }
    (base.stricter(head), loosened)
}

/// What the head changes about remediation, key by key. Keys have no value if the file has no
/// `remediation`. Owners are shown only if `names` can be.
#[must_use]
pub fn remediation_changes(
    base: Option<&RemediationPolicy>,
    head: Option<&RemediationPolicy>,
    names: bool,
) -> Vec<PolicyChange> {
    let written =
        |policy: Option<&RemediationPolicy>| policy.map(remediation_settings).unwrap_or_default();
    let (base, head) = (written(base), written(head));
    let keys: BTreeSet<&str> = base.keys().chain(head.keys()).copied().collect();
    let text = |policy: &BTreeMap<&str, String>, key| {
        let text = policy.get(key).cloned().unwrap_or_default();
        let is_name = ["owners", "paths"].contains(&key) && !text.is_empty();
        if is_name && !names { "…".to_owned() } else { cut(&text) }
    };
    keys.into_iter()
        .filter(|key| base.get(key) != head.get(key))
        .map(|key| PolicyChange {
            what: key.to_owned(),
            from: text(&base, key),
            to: text(&head, key),
        })
        .collect()
}

/// The beginning of a long text.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_LIST_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The `remediation` keys with their values, as in the allowlist file.
fn remediation_settings(policy: &RemediationPolicy) -> BTreeMap<&'static str, String> {
    // All fields are listed, so that a new one cannot be forgotten.
    let RemediationPolicy {
        deactivate_after_days,
        delete_after_days,
        delete_passwords,
        delete_users,
        max_changes,
        max_share,
        max_gap_days,
        owners,
        paths,
        rules,
    } = policy;
    let paths: Vec<_> = paths.iter().map(ToString::to_string).collect();
    let values = [
        ("deactivate_after_days", deactivate_after_days.to_string()),
        ("delete_after_days", delete_after_days.map(|it| it.to_string()).unwrap_or_default()),
        ("delete_passwords", delete_passwords.to_string()),
        ("delete_users", delete_users.to_string()),
        ("max_changes", max_changes.to_string()),
        ("max_share", max_share.to_string()),
        ("max_gap_days", max_gap_days.to_string()),
        ("owners", owners.join(", ")),
        ("paths", paths.join(", ")),
        ("rules", rules.iter().map(|rule| rule.id()).collect::<Vec<_>>().join(", ")),
    ];
    values.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

/// What the comment is made from.
#[derive(Debug)]
pub struct PullRequestComment<'a> {
    pub queue: &'a QueueName,
    /// The observation of this run.
    pub observation: &'a Observation,
    /// The queue state; `None` without a queue.
    pub queue_state: Option<&'a QueueState>,
    /// The link to the queue issue.
    pub queue_issue: Option<SafeText>,
    pub pull_request_changes: &'a PullRequestChanges,
    /// Its findings, by their state in the queue.
    pub gate_counts: &'a GateCounts,
    /// Accounts in the queue state that this run did not audit.
    pub unaudited: &'a BTreeSet<AccountId>,
    /// The result of the gate.
    pub gate: Gate,
    /// Whether findings that the pull request uncovers fail the gate.
    pub uncovered_block: bool,
    /// The day of the run.
    pub today: NaiveDate,
    /// The allowlist's path.
    pub allowlist: Option<&'a str>,
    /// The run's page.
    pub run: Option<SafeText>,
    /// Whether names can be shown.
    pub names: bool,
}

#[derive(Debug, Serialize)]
struct PullRequestView {
    gate: &'static str,
    /// Errors that are not in the queue.
    new: FindingList,
    /// Warnings that are not in the queue.
    warnings: FindingList,
    known: FindingList,
    uncovered: FindingList,
    outdated: FindingList,
    exempted: FindingList,
    loosened: Vec<PolicyChange>,
    remediation: Vec<PolicyChange>,
    former_accounts: LimitedList<FormerAccountRow>,
    baseline: Baseline,
    /// Open findings.
    open: usize,
    errors: usize,
    overdue: usize,
    overdue_errors: usize,
    /// Uncovered errors, if they fail the gate.
    uncovered_errors: usize,
    /// The exemptions of the findings that block the merge, for the allowlist; empty if names must not
    /// be shown.
    suggested_exemptions: String,
    has_queue: bool,
    queue_issue: Option<SafeText>,
    /// The day on which the queue was last checked, if that is too long ago.
    schedule_stopped_since: Option<SafeText>,
    incomplete: LimitedList<IncompleteAccountRow>,
    unaudited: LimitedList<SafeText>,
    allowlist: Option<String>,
    run: Option<SafeText>,
    /// Whether names can be shown.
    names: bool,
}

type FindingList = LimitedList<FindingRow>;

#[derive(Debug, Serialize)]
struct FormerAccountRow {
    account: SafeText,
    reason: String,
    owner: String,
}

#[derive(Debug, Serialize)]
struct IncompleteAccountRow {
    account: SafeText,
    rules: Vec<SafeText>,
}

impl PullRequestComment<'_> {
    /// Whether there is anything to report.
    #[must_use]
    pub fn has_content(&self) -> bool {
        !self.gate_counts.new.is_empty()
            || self.gate == Gate::Failed
            || self.queue_state.is_none()
            || self.schedule_stopped_since().is_some()
            || self.observation.is_incomplete()
            || !self.unaudited.is_empty()
            || !self.pull_request_changes.is_empty()
    }

    /// The comment's body.
    ///
    /// # Errors
    /// [`TemplateError`] when the page cannot be rendered.
    pub fn body(&self, language: Language) -> Result<String, TemplateError> {
        let marker = markers::pull_request_marker(self.queue);
        let max_rows = if self.names { MAX_ROWS } else { 0 };
        fit_rows(max_rows, MAX_BODY_BYTES, |max_rows| {
            let text = render(Page::PullRequest, language, self.view(max_rows))?;
            Ok(format!("{marker}\n{}", text.trim_end()))
        })
    }

    /// The day on which the queue was last checked, if that is too long ago.
    fn schedule_stopped_since(&self) -> Option<NaiveDate> {
        let checked = self.queue_state.map(|queue_state| queue_state.checked);
        checked.filter(|day| (self.today - *day).num_days() > SCHEDULE_STOPPED_DAYS)
    }

    /// The page with at most this many rows per list.
    fn view(&self, max_rows: usize) -> PullRequestView {
        let Self { gate_counts, pull_request_changes, .. } = self;
        let not_new = pull_request_changes.not_new();
        let is_new = |id: &FindingId| !self.is_in_queue(*id) && !not_new.contains(id);
        let of_warning = |id: &FindingId| !gate_counts.new.contains(id);
        let open = || gate_counts.open.iter().copied();
        PullRequestView {
            gate: self.gate.id(),
            new: self.list(gate_counts.new.iter().copied(), max_rows),
            // Unknown without a queue.
            warnings: self.list(
                open().filter(|id| self.queue_state.is_some() && is_new(id) && of_warning(id)),
                max_rows,
            ),
            known: self.list(open().filter(|id| self.is_in_queue(*id)), max_rows),
            uncovered: self.list(pull_request_changes.uncovered.iter().copied(), max_rows),
            outdated: self.list(
                pull_request_changes.outdated.iter().copied().filter(|id| !self.is_in_queue(*id)),
                max_rows,
            ),
            exempted: self.list(pull_request_changes.exempted.iter().copied(), max_rows),
            loosened: pull_request_changes.loosened.clone(),
            remediation: pull_request_changes.remediation.clone(),
            former_accounts: self.former_accounts(max_rows),
            baseline: pull_request_changes.baseline,
            open: gate_counts.open.len(),
            errors: gate_counts.errors,
            overdue: gate_counts.overdue,
            overdue_errors: gate_counts.overdue_errors,
            uncovered_errors: self.uncovered_errors(),
            suggested_exemptions: self.suggested_exemptions(max_rows),
            has_queue: self.queue_state.is_some(),
            queue_issue: self.queue_issue.clone(),
            schedule_stopped_since: self.schedule_stopped_since().map(SafeText::new),
            incomplete: self.incomplete(max_rows),
            unaudited: account_list(self.unaudited, self.names),
            allowlist: self.allowlist.map(str::to_owned),
            run: self.run.clone(),
            names: self.names,
        }
    }

    /// The number of uncovered errors, if they fail the gate.
    const fn uncovered_errors(&self) -> usize {
        if self.uncovered_block { self.gate_counts.uncovered_errors } else { 0 }
    }

    /// The exemptions of the first findings that block the merge.
    fn suggested_exemptions(&self, max_rows: usize) -> String {
        let uncovered = self.pull_request_changes.uncovered.iter();
        let uncovered = uncovered.filter(|_| self.uncovered_errors() > 0);
        let ids: BTreeSet<_> = self.gate_counts.new.iter().chain(uncovered).copied().collect();
        let findings = ids.iter().filter_map(|id| self.observation.findings.get(id));
        let findings = findings.filter(|seen| seen.counts_for_gate());
        let findings = findings.take(max_rows.min(MAX_SUGGESTED));
        let max_days = self.observation.max_exemption_days();
        let expires = SuggestedExemption::suggested_expiry_date(self.today, max_days);
        let refs = findings.map(|seen| (seen.account, &seen.finding));
        suggested_exemptions(refs, expires)
    }

    /// Whether the finding is in the queue, and this pull request does not bring it back.
    fn is_in_queue(&self, id: FindingId) -> bool {
        self.open_entry(id).is_some() && !self.pull_request_changes.uncovered.contains(&id)
    }

    /// The entry in the queue; `None` if it is not open there.
    fn open_entry(&self, id: FindingId) -> Option<&QueueEntry> {
        let account = self.observation.findings.get(&id)?.account;
        let entry = self.queue_state?.entries.get(account, &id)?;
        entry.open_since().map(|_| entry)
    }

    fn former_accounts(&self, max_rows: usize) -> LimitedList<FormerAccountRow> {
        let accounts = &self.pull_request_changes.former_accounts;
        let row = |former: &FormerAccount| FormerAccountRow {
            account: SafeText::new(former.account),
            reason: cut(&former.reason),
            owner: cut(&former.owner),
        };
        LimitedList::new(accounts.iter(), max_rows, row)
    }

    /// The longest disuse first.
    fn list(&self, ids: impl IntoIterator<Item = FindingId>, max_rows: usize) -> FindingList {
        let seen = |id| Some((id, self.observation.findings.get(&id)?));
        let mut found: Vec<_> = ids.into_iter().filter_map(seen).collect();
        found.sort_by_key(|(id, seen)| {
            let date = seen.finding.reference_date();
            (date.is_none(), date, *id)
        });
        let row = |(id, seen): (FindingId, &ObservedFinding)| match self.open_entry(id) {
            Some(entry) => FindingRow::from_entry(id, seen, entry),
            None => FindingRow::of(seen.account, id, &seen.finding, seen.level),
        };
        LimitedList::new(found.into_iter(), max_rows, row)
    }

    fn incomplete(&self, max_rows: usize) -> LimitedList<IncompleteAccountRow> {
        let mut incomplete: BTreeMap<AccountId, Vec<SafeText>> = BTreeMap::new();
        for (account, audited) in &self.observation.accounts {
            for (rule, coverage) in &audited.coverage {
                if *coverage == Coverage::Incomplete {
                    incomplete.entry(*account).or_default().push(SafeText::new(*rule));
                }
            }
        }
        let view =
            |(account, rules)| IncompleteAccountRow { account: SafeText::new(account), rules };
        LimitedList::new(incomplete.into_iter(), max_rows, view)
    }
}
