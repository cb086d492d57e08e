//! What `action` and `publish` share: the queue or the comment, the gate, and what is told of both.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::job::Left;
use super::scene::Scene;
use super::tracker::{Queue, Written, named, words};
use super::{Exit, Streams};
use crate::audit::{Outcome, Status};
use crate::model::inventory::AccountId;
use crate::queue::board::Foreign;
use crate::queue::gate::{AccountList, FailOn, Gate, Standing, unaudited};
use crate::queue::memory::Memory;
use crate::queue::observation::Observation;
use crate::queue::occasion::{Target, Why};
use crate::queue::plan::Wanted;
use crate::queue::pull_request::{Comment, Compared, Proposal};
use crate::report::{Page, Plain, page, visible};
use crate::runner::job::Job;
use crate::settings::PublishSettings;

/// What is published, and by whom.
pub(super) struct Publishing<'a> {
    pub(super) scene: &'a Scene,
    pub(super) settings: &'a PublishSettings,
    pub(super) job: Option<&'a Job>,
    pub(super) observation: &'a Observation,
    /// What a pull request changes.
    pub(super) proposal: &'a Proposal,
    /// The allowlist's path.
    pub(super) allowlist: Option<&'a str>,
    pub(super) now: DateTime<Utc>,
}

/// How it went.
struct Published {
    exit: Exit,
    /// The queue's memory; `None` where there is no queue, or it was not asked for.
    memory: Option<Memory>,
    /// The memory before this run.
    before: Option<Memory>,
    index: Option<(u64, String)>,
    /// The changes, in a dry run.
    plan: Option<String>,
    /// Accounts that the queue knows and this run did not audit.
    unaudited: BTreeSet<AccountId>,
}

/// What stands in the summary before the report.
#[derive(Serialize)]
struct SummaryView {
    result: &'static str,
    gate: &'static str,
    target: &'static str,
    why: Option<&'static str>,
    open: usize,
    new: usize,
    overdue: usize,
    exempted: usize,
    unknown: usize,
    unaudited: AccountList,
    has_queue: bool,
    index: Option<Plain>,
    /// Changes that a dry run has not made.
    plan: Option<String>,
    failed: bool,
    names: bool,
}

impl Publishing<'_> {
    /// Publishes, evaluates the gate, and leaves outputs and the beginning of the summary behind.
    pub(super) fn publish(&self, left: &mut Left, streams: &mut Streams<'_>) -> Exit {
        let mut published = match self.scene.target {
            Target::Queue { per_user } => self.keep_queue(per_user, streams),
            Target::PullRequest | Target::Nothing(_) => self.read_queue(streams),
        };
        if let Some(memory) = &published.before {
            published.unaudited = unaudited(self.observation, memory);
        }
        let today = self.now.date_naive();
        let days = self.settings.remedy_within_days;
        let not_new = self.proposal.not_new();
        let known = published.before.as_ref();
        let mut standing = Standing::of(self.observation, known, &not_new, today, days);
        if let Some(memory) = &published.memory {
            standing.overdue = memory.overdue(days, today).count();
        }
        let gate = if published.exit == Exit::Incomplete && self.scene.fail_on.needs_queue() {
            // Nobody knows what the queue holds.
            Gate::NotEvaluated
        } else {
            standing.gate(self.scene.fail_on, known.is_some(), self.settings.require_queue)
        };
        let is_compared = self.proposal.compared != Compared::Nothing;
        // What the head's policy lets pass, an earlier one that nobody knows may not.
        let gate = if gate == Gate::Passed && !is_compared { Gate::NotEvaluated } else { gate };
        let mut exit = published.exit;
        if gate == Gate::Failed {
            exit = exit.max(Exit::GateFailed);
        }
        if self.is_incomplete(&published) {
            exit = exit.max(Exit::Incomplete);
        }
        left.outcomes.extend(self.outcomes(&published, &standing));
        self.tell(&published, &standing, gate, streams);
        self.leave(&published, &standing, gate, left, streams);
        exit
    }

    /// Whether evidence is missing, for an audited account or because an account was not audited.
    fn is_incomplete(&self, published: &Published) -> bool {
        self.observation.is_incomplete() || !published.unaudited.is_empty()
    }

    /// What is said of a run that ends with another exit code than 0 though nothing went wrong.
    fn outcomes(&self, published: &Published, standing: &Standing) -> Vec<(Exit, String)> {
        let (open, new, overdue) = (standing.open.len(), standing.new.len(), standing.overdue);
        let findings = if open == 1 { "finding" } else { "findings" };
        let counts = format!("{open} open {findings}, {new} new, {overdue} overdue");
        let mut outcomes = vec![(Exit::GateFailed, format!("the gate failed: {counts}"))];
        if self.is_incomplete(published) {
            let message = format!("incomplete: some evidence is missing ({counts} in the rest)");
            outcomes.push((Exit::Incomplete, message));
        }
        outcomes
    }

    fn keep_queue(&self, per_user: bool, streams: &mut Streams<'_>) -> Published {
        let settings = self.settings;
        let wanted = Wanted {
            queue: settings.queue.clone(),
            per_user,
            title: settings.issue_title.clone(),
            labels: settings.labels.clone(),
            assignees: settings.assignees.clone(),
            assign_owners: settings.assign_owners,
            language: settings.language,
            remedy_within_days: settings.remedy_within_days,
            today: self.now.date_naive(),
            run: self.scene.run.clone(),
            run_url: self.job.map(Job::run_url),
            observed_now: self.observation.observed_as_asked(),
        };
        let (Some(tracker), Some(repository)) = (&self.scene.tracker, &self.scene.queue_repository)
        else {
            return Published::nothing(Exit::Usage);
        };
        match tracker.keep_queue(repository, self.observation, &wanted, settings.dry_run) {
            Err(trouble) => Published::nothing(trouble.tell(streams)),
            Ok(Written { index, memory, before, plan, warnings, foreign }) => {
                tell_foreign(&foreign, streams);
                for warning in warnings {
                    let warning =
                        if self.scene.names { warning.to_string() } else { warning.discreet() };
                    streams.say(&format!("warning: {}", visible(&warning)));
                }
                let told = plan.to_string();
                if self.scene.names {
                    let verb = if settings.dry_run { "would " } else { "" };
                    for line in told.lines() {
                        streams.say(&format!("{repository}: {verb}{}", visible(line)));
                    }
                }
                Published {
                    exit: Exit::Done,
                    // A queue that is made now holds nothing before.
                    before: Some(before.unwrap_or_else(|| Memory::new(self.now.date_naive()))),
                    memory: Some(memory),
                    index,
                    plan: settings.dry_run.then_some(told),
                    unaudited: BTreeSet::new(),
                }
            }
        }
    }

    /// Reads the queue where the gate or the comment needs it.
    fn read_queue(&self, streams: &mut Streams<'_>) -> Published {
        let is_needed = match self.scene.target {
            Target::PullRequest => true,
            Target::Nothing(Why::Asked | Why::Public) => self.scene.fail_on.needs_queue(),
            // The gate wants to know which accounts there should be.
            _ => self.scene.fail_on != FailOn::NONE,
        };
        if !is_needed {
            return Published::nothing(Exit::Done);
        }
        let (Some(tracker), Some(repository)) = (&self.scene.tracker, &self.scene.queue_repository)
        else {
            streams.error("there is no token for GitHub, so that the queue cannot be read");
            streams.hint("give `github-token`, or set GITHUB_TOKEN");
            return Published::nothing(Exit::Usage);
        };
        match tracker.queue(repository, &self.settings.queue) {
            Err(trouble) => Published::nothing(trouble.tell(streams)),
            Ok(Queue { board, memory }) => {
                tell_foreign(&board.foreign, streams);
                Published {
                    exit: Exit::Done,
                    before: memory.clone(),
                    memory,
                    index: board.index.map(|index| (index.number, index.url)),
                    plan: None,
                    unaudited: BTreeSet::new(),
                }
            }
        }
    }

    fn tell(
        &self,
        published: &Published,
        standing: &Standing,
        gate: Gate,
        streams: &mut Streams<'_>,
    ) {
        self.tell_unaudited(&published.unaudited, streams);
        let (open, new, overdue) = (standing.open.len(), standing.all_new(), standing.overdue);
        streams.say(&format!(
            "{open} to remedy, {new} new, {overdue} overdue (levels error and warning); gate (level \
             error alone): {}",
            gate.id()
        ));
        if let Some((_, url)) = &published.index {
            streams.say(&format!("the queue is {}", visible(url)));
        }
    }

    fn tell_unaudited(&self, unaudited: &BTreeSet<AccountId>, streams: &mut Streams<'_>) {
        if unaudited.is_empty() {
            return;
        }
        let which = if self.scene.names {
            let ids: Vec<_> = unaudited.iter().map(ToString::to_string).collect();
            ids.join(", ")
        } else {
            unaudited.len().to_string()
        };
        streams.error(&format!("accounts that the queue knows were not audited: {which}"));
        streams.hint(
            "audit the same accounts in every run that uses this queue, give runs that audit other \
             accounts another `queue`, or list an account that is dropped on purpose under \
             `former_accounts` in the allowlist",
        );
    }

    /// Leaves outputs, the comment and the beginning of the summary.
    fn leave(
        &self,
        published: &Published,
        standing: &Standing,
        gate: Gate,
        left: &mut Left,
        streams: &mut Streams<'_>,
    ) {
        let index = published.index.as_ref();
        let link = index.map(|(number, _)| self.scene.index_link(*number));
        let mut comment_url = None;
        if self.scene.target == Target::PullRequest && published.exit == Exit::Done {
            let comment = Comment {
                queue: &self.settings.queue,
                observation: self.observation,
                memory: published.memory.as_ref(),
                index: link.clone(),
                proposal: self.proposal,
                standing,
                unaudited: &published.unaudited,
                gate,
                today: self.now.date_naive(),
                allowlist: self.allowlist,
                run: self.scene.run.clone(),
                names: self.scene.names,
            };
            comment_url = self.comment(&comment, left, streams);
        }
        let view = self.view(published, standing, gate, link);
        let result = view.result;
        if self.scene.target != Target::PullRequest || published.exit != Exit::Done {
            match page(Page::Summary, self.settings.language, view) {
                Ok(text) => left.add_to_summary(&text),
                Err(error) => streams.error(&visible(&error.to_string())),
            }
        }
        let count = |number: usize| number.to_string();
        left.outputs.extend([
            ("result", result.to_owned()),
            ("gate", gate.id().to_owned()),
            ("stale-count", count(standing.open.len())),
            ("new-count", count(standing.all_new())),
            ("overdue-count", count(standing.overdue)),
            ("exempted-count", count(self.observation.count(Status::Exempted))),
            ("expired-exemption-count", count(self.observation.expired_exemptions)),
            ("issue-number", index.map(|(number, _)| number.to_string()).unwrap_or_default()),
            ("issue-url", index.map(|(_, url)| url.clone()).unwrap_or_default()),
            ("comment-url", comment_url.unwrap_or_default()),
        ]);
    }

    /// Comments on the pull request. That is a service: what fails here fails nothing else.
    fn comment(
        &self,
        comment: &Comment<'_>,
        left: &mut Left,
        streams: &mut Streams<'_>,
    ) -> Option<String> {
        let body = match comment.body(self.settings.language) {
            Ok(body) => body,
            Err(error) => {
                streams.error(&visible(&error.to_string()));
                return None;
            }
        };
        // The summary says the same, without the marker.
        left.add_to_summary(body.split_once('\n').map_or("", |(_, text)| text));
        let pull_request = self.job?.payload.pull_request.as_ref()?;
        if self.settings.dry_run {
            streams.say(&format!("would comment on #{}", pull_request.number));
            return None;
        }
        let says_something = comment.has_something_to_say();
        let written = self.scene.tracker.as_ref()?.comment(
            self.scene.repository.as_ref()?,
            pull_request.number,
            &body,
            self.settings.comment_on,
            says_something,
        );
        written.unwrap_or_else(|error| {
            streams.say(&format!("warning: {}", visible(&words(&error, streams))));
            streams.say(&format!("help: {}", visible(&error.hint())));
            streams.say(
                "warning: the comment on the pull request was not written; the summary has it",
            );
            left.add_to_summary("> [!WARNING]\n> This could not be written as a comment.");
            None
        })
    }

    fn view(
        &self,
        published: &Published,
        standing: &Standing,
        gate: Gate,
        index: Option<Plain>,
    ) -> SummaryView {
        // A queue or a base that could not be read is missing as evidence is.
        let unread =
            published.exit == Exit::Incomplete || self.proposal.compared == Compared::Nothing;
        let result = if unread || self.is_incomplete(published) {
            Outcome::Incomplete
        } else if standing.open.is_empty() {
            Outcome::Clean
        } else {
            Outcome::Stale
        };
        let (target, why) = match self.scene.target {
            Target::Queue { .. } => ("queue", None),
            Target::PullRequest => ("pull-request", None),
            Target::Nothing(why) => ("nothing", Some(why.id())),
        };
        SummaryView {
            result: result.id(),
            gate: gate.id(),
            target,
            why,
            open: standing.open.len(),
            new: standing.all_new(),
            overdue: standing.overdue,
            exempted: self.observation.count(Status::Exempted),
            unknown: self.observation.count(Status::Unknown),
            unaudited: AccountList::of(&published.unaudited, self.scene.names),
            has_queue: published.before.is_some(),
            index,
            plan: published.plan.clone().filter(|_| self.scene.names),
            failed: published.exit != Exit::Done,
            names: self.scene.names,
        }
    }
}

/// Says which issues were ignored although they pass for the queue's.
fn tell_foreign(foreign: &[Foreign], streams: &mut Streams<'_>) {
    if foreign.is_empty() {
        return;
    }
    streams.say(&format!(
        "notice: ignored because the author is not trusted with the queue: {}",
        visible(&named(foreign))
    ));
}

impl Published {
    const fn nothing(exit: Exit) -> Self {
        Self {
            exit,
            memory: None,
            before: None,
            index: None,
            plan: None,
            unaudited: BTreeSet::new(),
        }
    }
}

/// No change of a pull request.
pub(super) const NO_PROPOSAL: Proposal = Proposal {
    exempts: BTreeSet::new(),
    uncovers: BTreeSet::new(),
    outdated: BTreeSet::new(),
    loosens: Vec::new(),
    remedy: Vec::new(),
    drops: Vec::new(),
    compared: Compared::Earlier,
};
