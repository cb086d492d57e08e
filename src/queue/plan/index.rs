//! The index: the queue's face and its memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::super::board::{Board, Shown};
use super::super::ledger::{Ledger, Person, person_of};
use super::super::markers::{self, MemoryBlock};
use super::super::memory::{Entry, Memory, Packed};
use super::super::room::fitting;
use super::super::view::{QueuePage, Rows};
use super::{LONGEST_BODY, Turn, Wanted, assignees, news, reopened, write_edit};
use crate::audit::Fingerprint;
use crate::model::inventory::AccountId;
use crate::model::policy::Rule;
use crate::report::{Page, TemplateError, page};

/// The longest memory that stands in the index itself, in characters.
pub const MOST_INLINE: usize = 20_000;
/// The longest memory that stands in the index where its conversation is locked and takes no new
/// comment, in characters. The page still has room for some rows.
pub const MOST_INLINE_LOCKED: usize = 45_000;
/// The longest part of a memory that stands in a comment.
pub const PART: usize = 55_000;
/// The title of an index, unless another is given.
const TITLE: &str = "IAM credentials to remedy";
/// After how many days the line "last checked" is written anew, though nothing else has changed: a
/// weekly schedule is to show that it lives.
const CHECKED_DAYS: i64 = 7;

/// The index as it is to be. Its body is complete only once the numbers of the issues and comments
/// that it names are known.
#[derive(Debug, Clone)]
pub struct IndexDraft {
    /// The index that is there.
    pub existing: Option<Shown>,
    /// Whether the body is written; otherwise the state alone changes.
    pub writes_body: bool,
    /// The state, if it changes.
    pub turn: Option<Turn>,
    /// What is said.
    pub comment: Option<String>,
    /// The title of a new one.
    pub title: String,
    /// The labels of a new one.
    pub labels: Vec<String>,
    /// Who is assigned to a new one.
    pub assignees: Vec<String>,
    wanted: Wanted,
    memory: Memory,
    ticked: BTreeSet<Fingerprint>,
    issues: BTreeMap<Person, u64>,
    incomplete_now: BTreeSet<(AccountId, Rule)>,
}

/// What is to be done about the index; `None` if nothing. `makes_issues` tells whether users get
/// issues, which it will name.
pub(super) fn plan(
    board: &Board,
    previous: Option<&Memory>,
    ledger: &Ledger,
    wanted: &Wanted,
    makes_issues: bool,
) -> Result<Option<IndexDraft>, TemplateError> {
    let mut draft = IndexDraft::new(board, ledger, wanted);
    let entries = || draft.memory.entries.values();
    let stands = entries().any(|entry| entry.open_since().is_some());
    let calls = entries().any(Entry::calls_for_action);
    let is_open = draft.existing.as_ref().is_none_or(|shown| shown.is_open);
    draft.turn = match (is_open, stands, calls) {
        (false, _, true) => Some(Turn::Reopen),
        // Where evidence is missing, or the policy looks away, nobody can say that all is done.
        (true, false, _) if ledger.is_whole() => Some(Turn::Complete),
        (true, true, false) => Some(Turn::SetAside),
        _ => None,
    };
    draft.writes_body = makes_issues || draft.differs(previous)?;
    if draft.writes_body {
        draft.memory.checked = wanted.today;
        draft.memory.run.clone_from(&wanted.run_url);
        draft.memory.advance_generation();
        draft.memory.forget(wanted.today);
    }
    // Whoever is told of a new issue needs no comment on it, nor of one that another run is about to
    // fill, or could not.
    if draft.existing.is_some() {
        let news = match previous {
            Some(_) => news(ledger, &draft.rows(), wanted)?,
            None => None,
        };
        draft.comment = draft.told(news)?;
    }
    let acts = draft.writes_body || draft.turn.is_some() || draft.comment.is_some();
    Ok(acts.then_some(draft))
}

impl IndexDraft {
    /// The comment on an index that is there: what is new, and why the issue is open again.
    fn told(&self, news: Option<String>) -> Result<Option<String>, TemplateError> {
        let Some(shown) = self.existing.as_ref().filter(|_| self.turn == Some(Turn::Reopen)) else {
            return Ok(news);
        };
        Ok(match news {
            None => reopened(shown, &self.wanted)?,
            Some(news) if shown.unexplained_bot().is_none() => Some(news),
            // The marker of an explanation is the comment's first line.
            Some(news) => {
                reopened(shown, &self.wanted)?.map(|explanation| format!("{explanation}\n\n{news}"))
            }
        })
    }

    fn new(board: &Board, ledger: &Ledger, wanted: &Wanted) -> Self {
        let people = ledger.memory.entries.values().map(|entry| person_of(&entry.matter));
        let people: BTreeSet<_> = people.collect();
        let number = |person: Person| {
            let shown = board.people.get(&markers::person_key(&person))?;
            Some((person, shown.number))
        };
        let issues = if wanted.per_user {
            people.into_iter().filter_map(number).collect()
        } else {
            BTreeMap::new()
        };
        let names = wanted.assignees.iter().map(String::as_str);
        let mut memory = ledger.memory.clone();
        if !wanted.per_user {
            // Only the users' own issues show them: nothing else is to be written for their sake.
            memory.belongings.clear();
        }
        Self {
            existing: board.index.clone(),
            writes_body: false,
            turn: None,
            comment: None,
            title: wanted.title.clone().unwrap_or_else(|| TITLE.to_owned()),
            labels: wanted.all_labels(),
            assignees: assignees::logins(names, &mut BTreeSet::new()),
            wanted: wanted.clone(),
            memory,
            ticked: board.index.as_ref().map_or_else(BTreeSet::new, |it| markers::ticked(&it.body)),
            issues,
            incomplete_now: ledger.incomplete.clone(),
        }
    }

    /// Whether the index must be written: it says something else, or said it too long ago.
    fn differs(&self, previous: Option<&Memory>) -> Result<bool, TemplateError> {
        let (Some(previous), Some(existing)) = (previous, &self.existing) else { return Ok(true) };
        let age = (self.wanted.today - previous.checked).num_days();
        if age >= CHECKED_DAYS || !previous.says_the_same(&self.memory) {
            return Ok(true);
        }
        // The same body, with the memory as it is.
        let Ok(block) = MemoryBlock::of(&existing.body) else { return Ok(true) };
        Ok(self.body(&BTreeMap::new(), &block)? != existing.body.trim_end())
    }

    /// The memory that will stand when this is carried out.
    pub(super) const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The memory as it will stand in the issue of this number. If its text is longer than
    /// [`MOST_INLINE`], it needs comments.
    #[must_use]
    pub fn packed(&self, issue: u64) -> Packed {
        Memory { issue: Some(issue), ..self.memory.clone() }.pack()
    }

    /// An empty memory: what an index starts with, since the memory names its issue, whose number is
    /// not known before. A run that ends then leaves a queue that knows nothing, and no damage.
    #[must_use]
    pub fn packed_empty(&self) -> Packed {
        Memory::new(self.wanted.today).pack()
    }

    /// A comment that holds a part of the memory.
    ///
    /// # Errors
    /// [`TemplateError`] when its page cannot be rendered.
    pub fn part(&self, text: &str) -> Result<String, TemplateError> {
        let page = page(Page::MemoryPart, self.wanted.language, ())?;
        Ok(markers::part(page.trim_end(), text))
    }

    /// The whole body. `more_issues` are those that were made since this was planned.
    ///
    /// # Errors
    /// [`TemplateError`] when the page cannot be rendered.
    pub fn body(
        &self,
        more_issues: &BTreeMap<Person, u64>,
        block: &MemoryBlock,
    ) -> Result<String, TemplateError> {
        let mut issues = self.issues.clone();
        issues.extend(more_issues.iter().map(|(person, number)| (person.clone(), *number)));
        let block = block.written();
        Ok(format!("{}\n\n{block}", self.visible(&issues, block.len())?))
    }

    /// What people are shown, beside a memory of so many bytes: as many rows as there is room for.
    fn visible(
        &self,
        issues: &BTreeMap<Person, u64>,
        room: usize,
    ) -> Result<String, TemplateError> {
        let queue_page = QueuePage {
            rows: Rows { issues, ..self.rows() },
            observed_now: &self.wanted.observed_now,
            incomplete_now: &self.incomplete_now,
            per_user: self.wanted.per_user,
        };
        let marker = markers::index(&self.wanted.queue);
        let render = |rows: usize| {
            let text = page(Page::Queue, self.wanted.language, queue_page.view(rows))?;
            Ok(format!("{marker}\n{}", text.trim_end()))
        };
        let longest = LONGEST_BODY.saturating_sub(room + 2);
        fitting(queue_page.most_rows(), longest, render)
    }

    fn rows(&self) -> Rows<'_> {
        Rows {
            memory: &self.memory,
            remedy_within_days: self.wanted.remedy_within_days,
            ticked: &self.ticked,
            issues: &self.issues,
        }
    }
}

impl fmt::Display for IndexDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.memory.open().count();
        match &self.existing {
            None => {
                write!(f, "create issue {:?}, the index: {open} open", self.title)?;
                if self.turn == Some(Turn::Complete) { write!(f, "; and close it") } else { Ok(()) }
            }
            Some(shown) => {
                let what = format!("issue #{}, the index: {open} open", shown.number);
                write_edit(f, &what, self.writes_body, self.turn, self.comment.is_some())
            }
        }
    }
}
