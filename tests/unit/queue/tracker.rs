//! An in-memory issue tracker, and a harness that runs the queue against it day by day.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use iam_stocktake::audit::FindingId;
use iam_stocktake::queue::markers::{self, StateBlock};
use iam_stocktake::queue::observation::Observation;
use iam_stocktake::queue::plan::{
    self, MAX_INLINE_CHARS, MAX_PART_CHARS, QueueChange, QueueIssueDraft, QueueOptions, QueuePlan,
    StateChange,
};
use iam_stocktake::queue::snapshot::{BotClosure, ExistingIssue, QueueSnapshot};
use iam_stocktake::queue::state::{QueueEntry, QueueName, QueueState};
use iam_stocktake::queue::update::{self, OutdatedEvidence, QueueUpdate, UserKey};
use iam_stocktake::templates::Language;

use crate::queue::audits::{Audit, on};

/// The page of the run.
pub(crate) const RUN: &str = "https://github.example/acme/iam/actions/runs/42";

/// The state on GitHub.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tracker {
    pub(crate) issues: BTreeMap<u64, Issue>,
    /// The issue and the body, by id.
    pub(crate) comments: BTreeMap<u64, (u64, String)>,
    /// The numbers in label descriptions.
    pub(crate) numbers: BTreeMap<String, u64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Issue {
    pub(crate) title: String,
    pub(crate) assignees: Vec<String>,
    pub(crate) shown: ExistingIssue,
}

impl Tracker {
    pub(crate) fn create(&mut self, title: &str, body: &str, labels: &[String]) -> u64 {
        let number = self.issues.len() as u64 + 1;
        let shown = ExistingIssue {
            number,
            url: format!("https://github.example/acme/iam/issues/{number}"),
            body: stored(body),
            is_open: true,
            is_not_planned: false,
            closed_at: None,
            labels: labels.to_vec(),
            closed_by_bot: None,
        };
        let issue = Issue { title: title.to_owned(), assignees: Vec::new(), shown };
        self.issues.insert(number, issue);
        number
    }

    pub(crate) fn issue(&mut self, number: u64) -> &mut ExistingIssue {
        &mut self.issues.get_mut(&number).unwrap().shown
    }

    pub(crate) fn close_as_completed(&mut self, number: u64, at: DateTime<Utc>) {
        self.close(number, false, at);
    }

    pub(crate) fn close_as_not_planned(&mut self, number: u64, at: DateTime<Utc>) {
        self.close(number, true, at);
    }

    fn close(&mut self, number: u64, is_not_planned: bool, at: DateTime<Utc>) {
        let issue = self.issue(number);
        assert!(issue.is_open, "closing #{number} changes something");
        issue.is_open = false;
        (issue.is_not_planned, issue.closed_at) = (is_not_planned, Some(at));
    }

    /// Closes an issue as a bot. A comment may already explain what to do about it.
    pub(crate) fn close_by_bot(&mut self, number: u64, is_explained: bool, at: DateTime<Utc>) {
        self.close_as_not_planned(number, at);
        let bot = BotClosure { login: "stale[bot]".to_owned(), is_explained };
        self.issue(number).closed_by_bot = Some(bot);
    }

    pub(crate) fn reopen(&mut self, number: u64) {
        let issue = self.issue(number);
        assert!(!issue.is_open, "reopening #{number} changes something");
        issue.is_open = true;
        (issue.is_not_planned, issue.closed_at) = (false, None);
        issue.closed_by_bot = None;
    }

    fn comment(&mut self, number: u64, body: &str) -> u64 {
        let id = 1_000 + self.comments.len() as u64;
        self.comments.insert(id, (number, stored(body)));
        id
    }

    fn set_state(&mut self, number: u64, state_change: Option<StateChange>, at: DateTime<Utc>) {
        match state_change {
            Some(StateChange::Reopen) => self.reopen(number),
            Some(StateChange::CloseCompleted) => self.close_as_completed(number, at),
            Some(StateChange::CloseNotPlanned) => self.close_as_not_planned(number, at),
            None => {}
        }
    }

    pub(crate) fn snapshot(&self, queue: &QueueName) -> QueueSnapshot {
        let issues = self.issues.values().map(|issue| issue.shown.clone()).collect();
        let number = self.numbers.get(&markers::label(queue)).copied();
        let mut snapshot = QueueSnapshot::of(issues, queue, number);
        if let Some(queue_issue) = &snapshot.queue_issue {
            let of_queue_issue = |(_, (number, _)): &(_, &(u64, _))| *number == queue_issue.number;
            let comments = self.comments.iter().filter(of_queue_issue);
            snapshot.comments = comments.map(|(id, (_, body))| (*id, body.clone())).collect();
        }
        snapshot
    }

    pub(crate) fn apply(&mut self, plan: &QueuePlan, snapshot: &QueueSnapshot, at: DateTime<Utc>) {
        let mut created = BTreeMap::new();
        for change in &plan.changes {
            match change {
                QueueChange::CreateLabel(_) => {}
                QueueChange::CloseDuplicate { duplicate, comment } => {
                    self.comment(duplicate.number, comment);
                    self.close_as_not_planned(duplicate.number, at);
                }
                QueueChange::AddLabels { number, labels } => {
                    self.issue(*number).labels.extend_from_slice(labels);
                }
                QueueChange::CreateUserIssue { user_key, title, body, labels, assignees } => {
                    let number = self.create(title, body, labels);
                    self.issues.get_mut(&number).unwrap().assignees = assignees.clone();
                    created.insert(user_key.clone(), number);
                }
                QueueChange::UpdateUserIssue { number, body, state_change, comment } => {
                    if let Some(edit) = body {
                        assert_eq!(self.issue(*number).body, edit.previous_body);
                        self.issue(*number).body = stored(&edit.body);
                    }
                    self.set_state(*number, *state_change, at);
                    comment.iter().for_each(|comment| _ = self.comment(*number, comment));
                }
                QueueChange::WriteQueueIssue(draft) => {
                    self.apply_queue_issue(draft, snapshot, &created, at);
                }
                QueueChange::RecordNumber { label, queue_issue } => {
                    let number = queue_issue.unwrap_or(self.issues.len() as u64);
                    assert_eq!(self.numbers.insert(label.clone(), number), None, "{label}");
                }
            }
        }
    }

    fn apply_queue_issue(
        &mut self,
        draft: &QueueIssueDraft,
        snapshot: &QueueSnapshot,
        created: &BTreeMap<UserKey, u64>,
        at: DateTime<Utc>,
    ) {
        let number = match &draft.existing {
            Some(shown) => shown.number,
            None => {
                let empty = StateBlock::new(&draft.packed_empty(), Vec::new(), Vec::new());
                let body = draft.body(created, &empty).unwrap();
                self.create(&draft.title, &body, &draft.labels)
            }
        };
        if draft.writes_body {
            let block = self.write_parts(draft, snapshot, number, usize::MAX).unwrap();
            self.issue(number).body = stored(&draft.body(created, &block).unwrap());
        }
        self.set_state(number, draft.state_change, at);
        draft.comment.iter().for_each(|comment| _ = self.comment(number, comment));
    }

    /// Writes the parts of a state that needs comments, at most `most`; `None` if that is too few.
    /// Each generation is written next to the previous one.
    pub(crate) fn write_parts(
        &mut self,
        draft: &QueueIssueDraft,
        snapshot: &QueueSnapshot,
        number: u64,
        most: usize,
    ) -> Option<StateBlock> {
        let old = snapshot.queue_issue.as_ref().and_then(|shown| StateBlock::of(&shown.body).ok());
        let (old_parts, mut spare) = old.map_or_else(Default::default, |it| (it.parts, it.spare));
        let packed = draft.packed(number);
        let mut parts = Vec::new();
        if packed.text.len() > MAX_INLINE_CHARS {
            for text in packed.text.as_bytes().chunks(MAX_PART_CHARS) {
                if parts.len() == most {
                    return None;
                }
                let body = draft.part(std::str::from_utf8(text).unwrap()).unwrap();
                let id = if spare.is_empty() { self.comment(number, "") } else { spare.remove(0) };
                self.comments.get_mut(&id).unwrap().1 = stored(&body);
                parts.push(id);
            }
        }
        spare.splice(0..0, old_parts);
        Some(StateBlock::new(&packed, parts, spare))
    }
}

/// The body as GitHub stores it: limited in length, without white space at the end.
fn stored(body: &str) -> String {
    assert!(body.len() <= plan::MAX_BODY_BYTES, "a body of {} bytes", body.len());
    stand_ins::gfm::outline(body);
    body.trim_end().to_owned()
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct QueueRun {
    pub(crate) update: QueueUpdate,
    /// The plan, as `--dry-run` prints it.
    pub(crate) plan: String,
    pub(crate) changes: Vec<QueueChange>,
    /// The created comments, without parts of the state.
    pub(crate) comments: Vec<String>,
}

/// Runs the queue.
#[derive(Debug, Clone)]
pub(crate) struct Harness {
    pub(crate) tracker: Tracker,
    pub(crate) options: QueueOptions,
}

impl Harness {
    pub(crate) fn new(language: Language, per_user: bool) -> Self {
        let options = QueueOptions {
            queue: "default".parse().unwrap(),
            per_user,
            title: None,
            labels: vec!["security".to_owned()],
            assignees: Vec::new(),
            assign_owners: false,
            language,
            due_within_days: 30,
            today: on("2026-07-01").date_naive(),
            run: None,
            run_url: Some(RUN.to_owned()),
            max_exemption_days: 365,
            allowlist: Some(".github/iam-allowlist.yml".to_owned()),
            workflow: Some("scheduled.yml".to_owned()),
            workflow_host: Some(("https://github.com".to_owned(), "acme/infra".parse().unwrap())),
            observed_now: Default::default(),
        };
        Self { tracker: Tracker::default(), options }
    }

    pub(crate) fn snapshot(&self) -> QueueSnapshot {
        self.tracker.snapshot(&self.options.queue)
    }

    pub(crate) fn queue_state(&self) -> QueueState {
        self.snapshot().queue_state().unwrap().unwrap()
    }

    /// The finding in the queue state.
    pub(crate) fn entry(&self, id: FindingId) -> QueueEntry {
        self.queue_state().entries.find(&id).unwrap().1.clone()
    }

    /// The queue issue.
    pub(crate) fn queue_issue(&mut self) -> &mut ExistingIssue {
        let number = self.snapshot().queue_issue.unwrap().number;
        self.tracker.issue(number)
    }

    /// The visible text of the queue issue.
    pub(crate) fn page(&mut self) -> String {
        let body = self.queue_issue().body.clone();
        iam_stocktake::queue::markers::without_state_block(&body).to_owned()
    }

    /// Plans and applies the run of a day.
    pub(crate) fn run(&mut self, day: &str, audits: &[Audit]) -> QueueRun {
        self.try_run(day, audits).unwrap()
    }

    pub(crate) fn try_run(
        &mut self,
        day: &str,
        audits: &[Audit],
    ) -> Result<QueueRun, OutdatedEvidence> {
        let (update, plan, snapshot) = self.plan(day, audits)?;
        let before = self.tracker.comments.clone();
        self.tracker.apply(&plan, &snapshot, on(day));
        let comments = self.tracker.comments.iter().filter(|(id, _)| !before.contains_key(id));
        let comments = comments.map(|(_, (_, body))| body.clone());
        let comments = comments.filter(|body| !body.contains("queue-state-part")).collect();
        Ok(QueueRun { update, plan: plan.to_string(), changes: plan.changes, comments })
    }

    /// Plans the run of a day.
    pub(crate) fn plan(
        &mut self,
        day: &str,
        audits: &[Audit],
    ) -> Result<(QueueUpdate, QueuePlan, QueueSnapshot), OutdatedEvidence> {
        let json: Vec<_> = audits.iter().map(|audit| audit.0.clone()).collect();
        let observation = Observation::of(&json, on(day)).unwrap();
        let snapshot = self.snapshot();
        let queue_state = snapshot.queue_state().unwrap();
        let closures = snapshot.closures(queue_state.as_ref(), self.options.per_user);
        self.options.today = on(day).date_naive();
        self.options.observed_now = observation.observed_as_requested();
        let QueueOptions { today, due_within_days, .. } = self.options;
        let queue_state = queue_state.as_ref();
        let update = update::apply_observation(
            queue_state,
            &observation,
            &closures,
            today,
            due_within_days,
        )?;
        let plan = plan::plan(&snapshot, queue_state, &update, &self.options).unwrap();
        Ok((update, plan, snapshot))
    }

    /// Removes the fixed label from an issue.
    pub(crate) fn unlabel(&mut self, number: u64) {
        let queue = self.options.queue.clone();
        self.tracker.issue(number).labels.retain(|label| *label != markers::label(&queue));
    }
}
