//! The shared part of `action` and `publish`: the queue or the comment, the gate, and the reports.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::error::CommandError;
use super::job::JobReport;
use super::publish_target::PublishTarget;
use super::queue_client::{LoadedQueue, QueueWriteResult};
use super::queue_error::describe_issues;
use super::{Exit, Streams};
use crate::audit::{AuditOutcome, FindingStatus};
use crate::cli::{Output, PublishArgs};
use crate::model::identity::RepositoryName;
use crate::model::inventory::AccountId;
use crate::queue::destination::{Destination, SkipReason};
use crate::queue::gate::{FailOn, Gate, GateCounts, account_list, unaudited};
use crate::queue::limited_list::LimitedList;
use crate::queue::observation::Observation;
use crate::queue::plan::QueueOptions;
use crate::queue::pull_request::{Baseline, PullRequestChanges, PullRequestComment};
use crate::queue::snapshot::UntrustedIssue;
use crate::queue::state::QueueState;
use crate::runner::command::{Annotation, AnnotationLevel};
use crate::runner::job::Job;
use crate::templates::{Page, SafeText, render};

/// What is published, and where.
pub(super) struct PublishRun<'a> {
    pub(super) publish_target: &'a PublishTarget,
    pub(super) settings: &'a PublishArgs,
    pub(super) job: Option<&'a Job>,
    pub(super) observation: &'a Observation,
    /// The changes of a pull request.
    pub(super) pull_request_changes: &'a PullRequestChanges,
    /// The path of the allowlist.
    pub(super) allowlist: Option<&'a str>,
    pub(super) now: DateTime<Utc>,
}

/// The result of reading or updating the queue.
struct PublishOutcome {
    exit: Exit,
    /// The queue state; `None` if there is no queue, or if it was not read.
    queue_state: Option<QueueState>,
    /// The queue state before this run.
    previous_state: Option<QueueState>,
    queue_issue: Option<(u64, String)>,
    /// The changes, in a dry run.
    plan: Option<String>,
    /// Accounts in the queue that this run did not audit.
    unaudited: BTreeSet<AccountId>,
}

/// The values of the summary before the report.
#[derive(Serialize)]
struct SummaryView {
    result: &'static str,
    gate: &'static str,
    skip_reason: Option<&'static str>,
    open: usize,
    new: usize,
    overdue: usize,
    exempted: usize,
    unknown: usize,
    unaudited: LimitedList<SafeText>,
    has_queue: bool,
    queue_issue: Option<SafeText>,
    /// The changes that a dry run would make.
    plan: Option<String>,
    failed: bool,
    names: bool,
}

impl PublishRun<'_> {
    /// Publishes, evaluates the gate, and writes the outputs and the start of the summary.
    pub(super) fn publish(&self, job_report: &mut JobReport, streams: &mut Streams<'_>) -> Exit {
        let mut published = match self.publish_target.destination {
            Destination::Queue { per_user } => self.update_queue(per_user, streams),
            Destination::PullRequest | Destination::Nothing(_) => self.read_queue(streams),
        }
        .unwrap_or_else(|error| PublishOutcome::nothing(streams.report(error)));
        if let Some(queue_state) = &published.previous_state {
            published.unaudited = unaudited(self.observation, queue_state);
        }
        let today = self.now.date_naive();
        let days = self.settings.due_within_days;
        let not_new = self.pull_request_changes.not_new();
        let known = published.previous_state.as_ref();
        let mut gate_counts = GateCounts::of(self.observation, known, &not_new, today, days)
            .with_uncovered(&self.pull_request_changes.uncovered, self.observation);
        if let Some(queue_state) = &published.queue_state {
            gate_counts.overdue = queue_state.overdue(days, today).count();
        }
        let gate =
            if published.exit == Exit::Incomplete && self.publish_target.fail_on.needs_queue() {
                // The content of the queue is unknown.
                Gate::NotEvaluated
            } else {
                gate_counts.evaluate(self.publish_target.fail_on, known.is_some())
            };
        let is_compared = self.pull_request_changes.baseline != Baseline::Unavailable;
        // The earlier policy is unknown and may be stricter than the head's.
        let gate = if gate == Gate::Passed && !is_compared { Gate::NotEvaluated } else { gate };
        let mut exit = published.exit;
        if gate == Gate::Failed {
            exit = exit.max(Exit::GateFailed);
        }
        if self.is_incomplete(&published) {
            exit = exit.max(Exit::Incomplete);
        }
        if published.exit == Exit::Done
            && known.is_none()
            && self.publish_target.fail_on.needs_queue()
        {
            report_missing_queue(job_report, streams);
        }
        job_report.outcomes.extend(self.outcomes(&published, &gate_counts));
        self.report(&published, &gate_counts, gate, streams);
        self.write_job_report(&published, &gate_counts, gate, job_report, streams);
        exit
    }

    /// Whether evidence is missing, for an audited account or because an account was not audited.
    fn is_incomplete(&self, published: &PublishOutcome) -> bool {
        self.observation.is_incomplete() || !published.unaudited.is_empty()
    }

    /// The reasons for exit codes other than 0 without an error.
    fn outcomes(
        &self,
        published: &PublishOutcome,
        gate_counts: &GateCounts,
    ) -> Vec<(Exit, String)> {
        let (open, new, overdue) =
            (gate_counts.open.len(), gate_counts.new.len(), gate_counts.overdue);
        let findings = if open == 1 { "finding" } else { "findings" };
        let counts = format!("{open} open {findings}, {new} new, {overdue} overdue");
        let mut outcomes = vec![(Exit::GateFailed, format!("the gate failed: {counts}"))];
        if self.is_incomplete(published) {
            let message = format!(
                "incomplete: some evidence is missing ({counts} in the available evidence)"
            );
            outcomes.push((Exit::Incomplete, message));
        }
        outcomes
    }

    fn update_queue(
        &self,
        per_user: bool,
        streams: &mut Streams<'_>,
    ) -> Result<PublishOutcome, CommandError> {
        let settings = self.settings;
        let options = QueueOptions {
            queue: settings.queue.clone(),
            per_user,
            title: settings.issue_title.clone(),
            labels: settings.labels.to_vec(),
            assignees: settings.assignees.to_vec(),
            assign_owners: settings.assign_owners,
            language: settings.language.language,
            due_within_days: settings.due_within_days,
            today: self.now.date_naive(),
            run: self.publish_target.run.clone(),
            run_url: self.job.map(Job::run_url),
            max_exemption_days: self.observation.max_exemption_days(),
            allowlist: self.allowlist.map(str::to_owned),
            workflow: self.job.and_then(Job::workflow_file).map(str::to_owned),
            workflow_host: self
                .job
                .map(|job| job.server_url.clone())
                .zip(self.publish_target.repository.clone()),
            observed_now: self.observation.observed_as_requested(),
        };
        let (queue_client, repository) = self.publish_target.queue()?;
        let written =
            queue_client.update_queue(repository, self.observation, &options, settings.dry_run)?;
        self.show_written_queue(&written, repository, streams);
        let QueueWriteResult { queue_issue, queue_state, previous_state, plan, .. } = written;
        Ok(PublishOutcome {
            exit: Exit::Done,
            // A new queue had no entries before.
            previous_state: Some(
                previous_state.unwrap_or_else(|| QueueState::new(self.now.date_naive())),
            ),
            queue_state: Some(queue_state),
            queue_issue,
            plan: settings.dry_run.then(|| plan.to_string()),
            unaudited: BTreeSet::new(),
        })
    }

    /// Shows the changes of a queue, and its warnings.
    fn show_written_queue(
        &self,
        written: &QueueWriteResult,
        repository: &RepositoryName,
        streams: &mut Streams<'_>,
    ) {
        let names = self.publish_target.names;
        report_untrusted(&written.untrusted, streams);
        for warning in &written.warnings {
            let warning = if names { warning.to_string() } else { warning.redacted() };
            streams.eprintln(&format!("warning: {warning}"));
        }
        if names {
            let verb = if self.settings.dry_run { "would " } else { "" };
            for line in written.plan.to_string().lines() {
                streams.eprintln(&format!("{repository}: {verb}{line}"));
            }
        }
    }

    /// Reads the queue if the gate or the comment needs it.
    fn read_queue(&self, streams: &mut Streams<'_>) -> Result<PublishOutcome, CommandError> {
        let is_needed = match self.publish_target.destination {
            Destination::PullRequest => true,
            Destination::Nothing(SkipReason::Requested | SkipReason::Public) => {
                self.publish_target.fail_on.needs_queue()
            }
            // The gate checks that all accounts in the queue were audited.
            _ => self.publish_target.fail_on != FailOn::NONE,
        };
        if !is_needed {
            return Ok(PublishOutcome::nothing(Exit::Done));
        }
        let (queue_client, repository) = self.publish_target.queue()?;
        let LoadedQueue { snapshot, queue_state } =
            queue_client.queue(repository, &self.settings.queue)?;
        report_untrusted(&snapshot.untrusted, streams);
        Ok(PublishOutcome {
            exit: Exit::Done,
            previous_state: queue_state.clone(),
            queue_state,
            queue_issue: snapshot.queue_issue.map(|issue| (issue.number, issue.url)),
            plan: None,
            unaudited: BTreeSet::new(),
        })
    }

    fn report(
        &self,
        published: &PublishOutcome,
        gate_counts: &GateCounts,
        gate: Gate,
        streams: &mut Streams<'_>,
    ) {
        Self::report_unaudited(&published.unaudited, streams);
        let (open, new, overdue) =
            (gate_counts.open.len(), gate_counts.all_new(), gate_counts.overdue);
        streams.eprintln(&format!(
            "{open} open, {new} new, {overdue} overdue (errors and warnings); gate (errors only): {}",
            gate.id()
        ));
        if let Some((_, url)) = &published.queue_issue {
            streams.eprintln(&format!("queue: {url}"));
        }
    }

    fn report_unaudited(unaudited: &BTreeSet<AccountId>, streams: &mut Streams<'_>) {
        if unaudited.is_empty() {
            return;
        }
        let message = "accounts in the queue were not audited";
        let ids: Vec<_> = unaudited.iter().map(ToString::to_string).collect();
        let error = CommandError::incomplete(format!("{message}: {}", ids.join(", ")))
            .with_public_message(format!("{message}: {}", ids.len()))
            .with_hint(
                "audit the same accounts in every run that uses this queue, use another `queue` for \
                 other accounts, or list accounts that are no longer audited under \
                 `former_accounts` in the allowlist",
            );
        streams.report(error);
    }

    /// Writes the outputs, the comment, and the start of the summary.
    fn write_job_report(
        &self,
        published: &PublishOutcome,
        gate_counts: &GateCounts,
        gate: Gate,
        job_report: &mut JobReport,
        streams: &mut Streams<'_>,
    ) {
        let queue_issue = published.queue_issue.as_ref();
        let link = queue_issue.map(|(number, _)| self.publish_target.queue_issue_link(*number));
        let mut comment_url = None;
        if self.publish_target.destination == Destination::PullRequest
            && published.exit == Exit::Done
        {
            let comment = PullRequestComment {
                queue: &self.settings.queue,
                observation: self.observation,
                queue_state: published.queue_state.as_ref(),
                queue_issue: link.clone(),
                pull_request_changes: self.pull_request_changes,
                gate_counts,
                unaudited: &published.unaudited,
                gate,
                uncovered_block: self.publish_target.fail_on.uncovered,
                today: self.now.date_naive(),
                allowlist: self.allowlist,
                run: self.publish_target.run.clone(),
                names: self.publish_target.names,
            };
            comment_url = self.comment(&comment, job_report, streams);
        }
        let view = self.view(published, gate_counts, gate, link);
        let result = view.result;
        if self.publish_target.destination != Destination::PullRequest
            || published.exit != Exit::Done
        {
            match render(Page::Summary, self.settings.language.language, view) {
                Ok(text) => job_report.add_to_summary(&text),
                Err(error) => {
                    streams.report(error);
                }
            }
        }
        let count = |number: usize| number.to_string();
        job_report.outputs.extend([
            (Output::Result, result.to_owned()),
            (Output::Gate, gate.id().to_owned()),
            (Output::StaleCount, count(gate_counts.open.len())),
            (Output::NewCount, count(gate_counts.all_new())),
            (Output::OverdueCount, count(gate_counts.overdue)),
            (Output::ExemptedCount, count(self.observation.count(FindingStatus::Exempted))),
            (Output::ExpiredExemptionCount, count(self.observation.expired_exemptions)),
            (
                Output::IssueNumber,
                queue_issue.map(|(number, _)| number.to_string()).unwrap_or_default(),
            ),
            (Output::IssueUrl, queue_issue.map(|(_, url)| url.clone()).unwrap_or_default()),
            (Output::CommentUrl, comment_url.unwrap_or_default()),
        ]);
    }

    /// Comments on the pull request. If that fails, the run does not fail.
    fn comment(
        &self,
        comment: &PullRequestComment<'_>,
        job_report: &mut JobReport,
        streams: &mut Streams<'_>,
    ) -> Option<String> {
        let body = match comment.body(self.settings.language.language) {
            Ok(body) => body,
            Err(error) => {
                streams.report(error);
                return None;
            }
        };
        // The summary has the same text, without the marker.
        job_report.add_to_summary(body.split_once('\n').map_or("", |(_, text)| text));
        let pull_request = self.job?.payload.pull_request.as_ref()?;
        if self.settings.dry_run {
            streams.eprintln(&format!("would comment on #{}", pull_request.number));
            return None;
        }
        let has_content = comment.has_content();
        let written = self.publish_target.queue_client.as_ref()?.comment(
            self.publish_target.repository.as_ref()?,
            pull_request.number,
            &body,
            has_content,
        );
        written.unwrap_or_else(|error| {
            let error = CommandError::from(error);
            streams.eprintln(&format!("warning: {}", error.message(streams.redacted)));
            streams.hint(error.hint.as_deref().unwrap_or_default());
            streams.eprintln(
                "warning: the comment on the pull request was not written; its text is in the summary",
            );
            job_report.add_to_summary(
                "> [!WARNING]\n> This text could not be added as a comment on the pull request.",
            );
            None
        })
    }

    fn view(
        &self,
        published: &PublishOutcome,
        gate_counts: &GateCounts,
        gate: Gate,
        queue_issue: Option<SafeText>,
    ) -> SummaryView {
        // A queue or a base that cannot be read makes the run incomplete.
        let is_unread = published.exit == Exit::Incomplete
            || self.pull_request_changes.baseline == Baseline::Unavailable;
        let result = if is_unread || self.is_incomplete(published) {
            AuditOutcome::Incomplete
        } else if gate_counts.open.is_empty() {
            AuditOutcome::Clean
        } else {
            AuditOutcome::Stale
        };
        let skip_reason = match self.publish_target.destination {
            Destination::Queue { .. } | Destination::PullRequest => None,
            Destination::Nothing(reason) => Some(reason.id()),
        };
        SummaryView {
            result: result.id(),
            gate: gate.id(),
            skip_reason,
            open: gate_counts.open.len(),
            new: gate_counts.all_new(),
            overdue: gate_counts.overdue,
            exempted: self.observation.count(FindingStatus::Exempted),
            unknown: self.observation.count(FindingStatus::Unknown),
            unaudited: account_list(&published.unaudited, self.publish_target.names),
            has_queue: published.previous_state.is_some(),
            queue_issue,
            plan: published.plan.clone().filter(|_| self.publish_target.names),
            failed: published.exit != Exit::Done,
            names: self.publish_target.names,
        }
    }
}

/// Warns that the gate was not evaluated because there is no queue.
fn report_missing_queue(job_report: &mut JobReport, streams: &mut Streams<'_>) {
    let message = "there is no remediation queue yet, so the gate was not evaluated; run the action on \
                   the default branch, or set `fail-on: any`";
    streams.eprintln(&format!("warning: {message}"));
    job_report.annotations.push(Annotation::new(AnnotationLevel::Warning, message));
}

/// Reports issues that look like issues of the queue but were ignored.
fn report_untrusted(untrusted: &[UntrustedIssue], streams: &mut Streams<'_>) {
    if untrusted.is_empty() {
        return;
    }
    streams.eprintln(&format!(
        "note: ignored, because the author is not trusted: {}",
        describe_issues(untrusted)
    ));
}

impl PublishOutcome {
    const fn nothing(exit: Exit) -> Self {
        Self {
            exit,
            queue_state: None,
            previous_state: None,
            queue_issue: None,
            plan: None,
            unaudited: BTreeSet::new(),
        }
    }
}

/// Outside of a pull request there are no changes.
pub(super) const NO_PULL_REQUEST_CHANGES: PullRequestChanges = PullRequestChanges {
    exempted: BTreeSet::new(),
    uncovered: BTreeSet::new(),
    outdated: BTreeSet::new(),
    loosened: Vec::new(),
    remediation: Vec::new(),
    former_accounts: Vec::new(),
    baseline: Baseline::BaseAllowlist,
};
