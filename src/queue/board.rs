//! What GitHub shows of a queue: its issues, the comments that hold its memory, and twins.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::ledger::{Closures, Person, person_of};
use super::markers::{self, MemoryBlock};
use super::memory::{Damage, Memory, QueueName};

/// An issue or a comment by one of those who are trusted with a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The issue's number.
    pub number: u64,
    /// The issue's page.
    pub url: String,
    /// The body, its line ends `\n`.
    pub body: String,
    /// Whether it is open.
    pub is_open: bool,
    /// Why it is closed, in GitHub's words.
    pub closed_as: Option<String>,
    /// When it was closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// Its labels.
    pub labels: Vec<String>,
    /// Set when a bot closed it. Lists do not say who closed an issue, so this is known only after
    /// [`read::closings`](super::read::closings).
    pub closed_by_bot: Option<BotClosing>,
}

/// A bot closed an issue: no decision of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotClosing {
    /// The bot's login.
    pub login: String,
    /// Whether a comment on the issue explains already what to do about the bot.
    pub is_explained: bool,
}

impl Shown {
    /// When a person closed it as not planned.
    pub(super) fn set_aside(&self) -> Option<DateTime<Utc>> {
        let not_planned = self.closed_as.as_deref() == Some("not_planned");
        let by_person = self.closed_by_bot.is_none();
        self.closed_at.filter(|_| !self.is_open && not_planned && by_person)
    }

    /// The bot that closed it, if no comment explains yet what to do about that.
    #[must_use]
    pub fn unexplained_bot(&self) -> Option<&str> {
        let closing = self.closed_by_bot.as_ref().filter(|closing| !closing.is_explained);
        closing.map(|closing| closing.login.as_str())
    }
}

/// An issue that a parallel run has made as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Twin {
    /// The one to close.
    pub number: u64,
    /// The one that stays.
    pub of: u64,
}

/// An issue with the label and a marker of the queue, by an account that is not trusted with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its number.
    pub number: u64,
    /// The author's login; `None` where the account is gone.
    pub author: Option<String>,
}

/// A queue as GitHub shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Board {
    /// The number of the queue issue, by the description of the queue's label.
    pub number: Option<u64>,
    /// The index.
    pub index: Option<Shown>,
    /// Whether the index that the label names does not begin as one does.
    pub is_unmarked: bool,
    /// Issues that pass for this queue's and are ignored.
    pub foreign: Vec<Foreign>,
    /// Issues of single users, by the key of their markers.
    pub people: BTreeMap<String, Shown>,
    /// Open issues that stand for what a lower number stands for.
    pub twins: Vec<Twin>,
    /// The comments on the index by those who are trusted, by their ids.
    pub comments: BTreeMap<u64, String>,
    /// The highest number among the issues that were listed.
    pub highest_issue: u64,
}

impl Board {
    /// Sorts issues by their markers. Of several that bear the same, the lowest number counts; but
    /// where the label names the queue issue by its `number`, no other is.
    #[must_use]
    pub fn of(mut issues: Vec<Shown>, queue: &QueueName, number: Option<u64>) -> Self {
        issues.sort_by_key(|issue| issue.number);
        let mut board = Self { number, ..Self::default() };
        let marker = markers::index(queue);
        if let Some(position) = issues.iter().position(|issue| Some(issue.number) == number) {
            let index = issues.remove(position);
            board.highest_issue = index.number;
            board.is_unmarked = !markers::begins_with(&index.body, &marker);
            board.index = Some(index);
        }
        for issue in issues {
            board.highest_issue = board.highest_issue.max(issue.number);
            let person = markers::key_of_person(&issue.body, queue).map(str::to_owned);
            let first = if markers::begins_with(&issue.body, &marker) {
                if number.is_some() && board.index.is_none() {
                    // The queue issue is gone, and this is none.
                    continue;
                }
                board.index.as_ref()
            } else if let Some(key) = &person {
                board.people.get(key)
            } else {
                continue;
            };
            match (first, person) {
                (Some(first), _) if issue.is_open => {
                    board.twins.push(Twin { number: issue.number, of: first.number });
                }
                (Some(_), _) => {}
                (None, Some(key)) => {
                    board.people.insert(key, issue);
                }
                (None, None) => board.index = Some(issue),
            }
        }
        board
    }

    /// The queue's memory; `None` where there is no queue yet, or an index that a run could not
    /// fill, since it ended before. It is the writer's view: whoever only reads goes by the label,
    /// and takes a queue that the label does not name for none.
    ///
    /// # Errors
    /// [`Damage`] when there is a queue, and its memory does not check.
    pub fn memory(&self) -> Result<Option<Memory>, Damage> {
        let Some(index) = &self.index else {
            return if self.number.is_some() { Err(Damage::Gone) } else { Ok(None) };
        };
        if self.is_unmarked {
            return Err(Damage::Unmarked);
        }
        let block = MemoryBlock::of(&index.body)?;
        let packed = block.packed(|id| self.comments.get(&id).map(String::as_str))?;
        let memory = Memory::unpack(&packed)?;
        if memory.generation == 0 {
            // A queue that has never known anything cannot tell what is new. The label names a
            // queue only once it knows something.
            return if self.number.is_some() { Err(Damage::Empty) } else { Ok(None) };
        }
        if memory.issue != Some(index.number) {
            return Err(Damage::Elsewhere { issue: memory.issue, run: memory.run });
        }
        Ok(Some(memory))
    }

    /// Closed issues with findings that still call for action: who closed them decides what that
    /// means. `per_user` tells whether the users' issues are kept up.
    pub fn closed_too_early(
        &mut self,
        memory: Option<&Memory>,
        per_user: bool,
    ) -> impl Iterator<Item = &mut Shown> {
        let open = memory.into_iter().flat_map(Memory::open);
        let calls = open.filter(|(_, entry)| entry.calls_for_action());
        let keys: BTreeSet<_> =
            calls.map(|(_, entry)| markers::person_key(&person_of(&entry.matter))).collect();
        let index = self.index.as_mut().filter(|_| !keys.is_empty());
        let people = self.people.iter_mut().filter(move |(key, _)| per_user && keys.contains(*key));
        let issues = index.into_iter().chain(people.map(|(_, issue)| issue));
        issues.filter(|issue| !issue.is_open)
    }

    /// What people have set aside, of those whom the memory knows. `per_user` tells whether the
    /// users' issues are kept up.
    #[must_use]
    pub fn closures(&self, memory: Option<&Memory>, per_user: bool) -> Closures {
        let index = self.index.as_ref();
        let mut closures = Closures {
            index: index.and_then(Shown::set_aside),
            index_reopened: index.is_some_and(|it| it.is_open)
                && memory.is_some_and(Memory::is_set_aside),
            ..Closures::default()
        };
        // For each user, whether something stands that calls for action.
        let mut people: BTreeMap<Person, bool> = BTreeMap::new();
        let open = memory.iter().filter(|_| per_user).flat_map(|memory| memory.open());
        for (_, entry) in open {
            *people.entry(person_of(&entry.matter)).or_default() |= entry.calls_for_action();
        }
        for (person, calls_for_action) in people {
            let Some(issue) = self.people.get(&markers::person_key(&person)) else { continue };
            if let Some(at) = issue.set_aside() {
                closures.people.insert(person, at);
            } else if issue.is_open && !calls_for_action {
                closures.people_reopened.insert(person);
            }
        }
        closures
    }
}
