//! An issue tracker in memory, and a desk that runs the queue against it day by day.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use iam_stocktake::queue::board::{Board, BotClosing, Shown};
use iam_stocktake::queue::ledger::{self, Ledger, OlderThanMemory, Person};
use iam_stocktake::queue::markers::{self, MemoryBlock};
use iam_stocktake::queue::memory::{Memory, QueueName};
use iam_stocktake::queue::observation::Observation;
use iam_stocktake::queue::plan::{self, Change, IndexDraft, MOST_INLINE, PART, Plan, Turn, Wanted};
use iam_stocktake::report::Language;

use crate::queue::audits::{Audit, on};

/// The run that writes.
pub(crate) const RUN: &str = "https://github.example/acme/iam/actions/runs/42";

/// What GitHub would hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tracker {
    pub(crate) issues: BTreeMap<u64, Issue>,
    /// By their ids: the issue, and the body.
    pub(crate) comments: BTreeMap<u64, (u64, String)>,
    /// The numbers in the descriptions of labels.
    pub(crate) numbers: BTreeMap<String, u64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Issue {
    pub(crate) title: String,
    pub(crate) assignees: Vec<String>,
    pub(crate) shown: Shown,
}

impl Tracker {
    pub(crate) fn create(&mut self, title: &str, body: &str, labels: &[String]) -> u64 {
        let number = self.issues.len() as u64 + 1;
        let shown = Shown {
            number,
            url: format!("https://github.example/acme/iam/issues/{number}"),
            body: stored(body),
            is_open: true,
            closed_as: None,
            closed_at: None,
            labels: labels.to_vec(),
            closed_by_bot: None,
        };
        let issue = Issue { title: title.to_owned(), assignees: Vec::new(), shown };
        self.issues.insert(number, issue);
        number
    }

    pub(crate) fn issue(&mut self, number: u64) -> &mut Shown {
        &mut self.issues.get_mut(&number).unwrap().shown
    }

    pub(crate) fn close(&mut self, number: u64, closed_as: &str, at: DateTime<Utc>) {
        let issue = self.issue(number);
        assert!(issue.is_open, "closing #{number} changes something");
        issue.is_open = false;
        (issue.closed_as, issue.closed_at) = (Some(closed_as.to_owned()), Some(at));
    }

    /// Closes an issue as a bot, to which it was or was not explained what to do.
    pub(crate) fn close_by_bot(&mut self, number: u64, is_explained: bool, at: DateTime<Utc>) {
        self.close(number, "not_planned", at);
        let bot = BotClosing { login: "stale[bot]".to_owned(), is_explained };
        self.issue(number).closed_by_bot = Some(bot);
    }

    pub(crate) fn reopen(&mut self, number: u64) {
        let issue = self.issue(number);
        assert!(!issue.is_open, "reopening #{number} changes something");
        issue.is_open = true;
        (issue.closed_as, issue.closed_at) = (Some("reopened".to_owned()), None);
        issue.closed_by_bot = None;
    }

    fn comment(&mut self, number: u64, body: &str) -> u64 {
        let id = 1_000 + self.comments.len() as u64;
        self.comments.insert(id, (number, stored(body)));
        id
    }

    fn turn(&mut self, number: u64, turn: Option<Turn>, at: DateTime<Utc>) {
        match turn {
            Some(Turn::Reopen) => self.reopen(number),
            Some(Turn::Complete) => self.close(number, "completed", at),
            Some(Turn::SetAside) => self.close(number, "not_planned", at),
            None => {}
        }
    }

    pub(crate) fn board(&self, queue: &QueueName) -> Board {
        let issues = self.issues.values().map(|issue| issue.shown.clone()).collect();
        let number = self.numbers.get(&markers::label(queue)).copied();
        let mut board = Board::of(issues, queue, number);
        if let Some(index) = &board.index {
            let of_index = |(_, (number, _)): &(_, &(u64, _))| *number == index.number;
            let comments = self.comments.iter().filter(of_index);
            board.comments = comments.map(|(id, (_, body))| (*id, body.clone())).collect();
        }
        board
    }

    pub(crate) fn apply(&mut self, plan: &Plan, board: &Board, at: DateTime<Utc>) {
        let mut made = BTreeMap::new();
        for change in &plan.changes {
            match change {
                Change::CreateLabel(_) => {}
                Change::CloseTwin { twin, comment } => {
                    self.comment(twin.number, comment);
                    self.close(twin.number, "not_planned", at);
                }
                Change::AddLabels { number, labels } => {
                    self.issue(*number).labels.extend_from_slice(labels);
                }
                Change::CreatePerson { person, title, body, labels, assignees } => {
                    let number = self.create(title, body, labels);
                    self.issues.get_mut(&number).unwrap().assignees = assignees.clone();
                    made.insert(person.clone(), number);
                }
                Change::EditPerson { number, body, turn, comment } => {
                    if let Some(edit) = body {
                        assert_eq!(self.issue(*number).body, edit.instead_of);
                        self.issue(*number).body = stored(&edit.body);
                    }
                    self.turn(*number, *turn, at);
                    comment.iter().for_each(|comment| _ = self.comment(*number, comment));
                }
                Change::Index(draft) => self.apply_index(draft, board, &made, at),
                Change::RecordNumber { label, index } => {
                    let number = index.unwrap_or(self.issues.len() as u64);
                    assert_eq!(self.numbers.insert(label.clone(), number), None, "{label}");
                }
            }
        }
    }

    fn apply_index(
        &mut self,
        draft: &IndexDraft,
        board: &Board,
        made: &BTreeMap<Person, u64>,
        at: DateTime<Utc>,
    ) {
        let number = match &draft.existing {
            Some(shown) => shown.number,
            None => {
                let empty = MemoryBlock::new(&draft.packed_empty(), Vec::new(), Vec::new());
                let body = draft.body(made, &empty).unwrap();
                self.create(&draft.title, &body, &draft.labels)
            }
        };
        if draft.writes_body {
            let block = self.write_parts(draft, board, number, usize::MAX).unwrap();
            self.issue(number).body = stored(&draft.body(made, &block).unwrap());
        }
        self.turn(number, draft.turn, at);
        draft.comment.iter().for_each(|comment| _ = self.comment(number, comment));
    }

    /// Writes the parts of a memory that needs comments, at most so many; `None` if that were too
    /// few. A generation is written beside the one before.
    pub(crate) fn write_parts(
        &mut self,
        draft: &IndexDraft,
        board: &Board,
        number: u64,
        most: usize,
    ) -> Option<MemoryBlock> {
        let old = board.index.as_ref().and_then(|shown| MemoryBlock::of(&shown.body).ok());
        let (old_parts, mut spare) = old.map_or_else(Default::default, |it| (it.parts, it.spare));
        let packed = draft.packed(number);
        let mut parts = Vec::new();
        if packed.text.len() > MOST_INLINE {
            for text in packed.text.as_bytes().chunks(PART) {
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
        Some(MemoryBlock::new(&packed, parts, spare))
    }
}

/// GitHub refuses what is longer, and takes away what stands at the end.
fn stored(body: &str) -> String {
    assert!(body.len() <= plan::LONGEST_BODY, "a body of {} bytes", body.len());
    stand_ins::gfm::outline(body);
    body.trim_end().to_owned()
}

/// What one run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) ledger: Ledger,
    /// The plan, as `--dry-run` prints it.
    pub(crate) plan: String,
    pub(crate) changes: Vec<Change>,
    /// The comments that were made, memory left out.
    pub(crate) said: Vec<String>,
}

/// Who runs the queue.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) tracker: Tracker,
    pub(crate) wanted: Wanted,
}

impl Desk {
    pub(crate) fn new(language: Language, per_user: bool) -> Self {
        let wanted = Wanted {
            queue: "default".parse().unwrap(),
            per_user,
            title: None,
            labels: vec!["security".to_owned()],
            assignees: Vec::new(),
            assign_owners: false,
            language,
            remedy_within_days: 30,
            today: on("2026-07-01").date_naive(),
            run: None,
            run_url: Some(RUN.to_owned()),
            observed_now: Default::default(),
        };
        Self { tracker: Tracker::default(), wanted }
    }

    pub(crate) fn board(&self) -> Board {
        self.tracker.board(&self.wanted.queue)
    }

    pub(crate) fn memory(&self) -> Memory {
        self.board().memory().unwrap().unwrap()
    }

    /// The index.
    pub(crate) fn index(&mut self) -> &mut Shown {
        let number = self.board().index.unwrap().number;
        self.tracker.issue(number)
    }

    /// What people see of the index.
    pub(crate) fn page(&mut self) -> String {
        let body = self.index().body.clone();
        iam_stocktake::queue::markers::visible_part(&body).to_owned()
    }

    /// Plans the run of a day and carries it out.
    pub(crate) fn run(&mut self, day: &str, audits: &[Audit]) -> Ran {
        self.try_run(day, audits).unwrap()
    }

    pub(crate) fn try_run(&mut self, day: &str, audits: &[Audit]) -> Result<Ran, OlderThanMemory> {
        let (ledger, plan, board) = self.plan(day, audits)?;
        let before = self.tracker.comments.clone();
        self.tracker.apply(&plan, &board, on(day));
        let said = self.tracker.comments.iter().filter(|(id, _)| !before.contains_key(id));
        let said = said.map(|(_, (_, body))| body.clone());
        let said = said.filter(|body| !body.contains("memory-part")).collect();
        Ok(Ran { ledger, plan: plan.to_string(), changes: plan.changes, said })
    }

    /// Plans the run of a day.
    pub(crate) fn plan(
        &mut self,
        day: &str,
        audits: &[Audit],
    ) -> Result<(Ledger, Plan, Board), OlderThanMemory> {
        let json: Vec<_> = audits.iter().map(|audit| audit.0.clone()).collect();
        let observation = Observation::of(&json, on(day)).unwrap();
        let board = self.board();
        let memory = board.memory().unwrap();
        let closures = board.closures(memory.as_ref(), self.wanted.per_user);
        self.wanted.today = on(day).date_naive();
        self.wanted.observed_now = observation.observed_as_asked();
        let Wanted { today, remedy_within_days, .. } = self.wanted;
        let memory = memory.as_ref();
        let ledger = ledger::advance(memory, &observation, &closures, today, remedy_within_days)?;
        let plan = plan::plan(&board, memory, &ledger, &self.wanted).unwrap();
        Ok((ledger, plan, board))
    }

    /// Takes the fixed label from an issue.
    pub(crate) fn unlabel(&mut self, number: u64) {
        let queue = self.wanted.queue.clone();
        self.tracker.issue(number).labels.retain(|label| *label != markers::label(&queue));
    }
}
