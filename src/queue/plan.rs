//! What is to be changed in the issue tracker, as a value: computed from what is wanted and what is
//! there, printed by `--dry-run`, and carried out by `apply`.

mod assignees;
mod index;
mod people;

use std::collections::BTreeSet;
use std::fmt;

use chrono::NaiveDate;

pub use assignees::MOST_ASSIGNEES;
pub use index::{IndexDraft, MOST_INLINE, MOST_INLINE_LOCKED, PART};

use super::board::{Board, Shown, Twin};
use super::ledger::{Ledger, Person, person_of};
use super::markers;
use super::memory::{Memory, QueueName};
use super::view::{Named, NewsView, Rows};
use crate::model::inventory::AccountId;
use crate::model::policy::Rule;
use crate::report::{Language, Page, Plain, TemplateError, page};

/// How many findings of a kind the comment names; the rest is counted.
const NAMED: usize = 10;
/// GitHub refuses bodies of over 65 536 characters; ours stay well below, in characters and bytes.
pub const LONGEST_BODY: usize = 60_000;

/// What the queue is to be like.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which queue.
    pub queue: QueueName,
    /// Whether each user has an issue as well.
    pub per_user: bool,
    /// The index's title, when it is made.
    pub title: Option<String>,
    /// Labels besides the fixed one.
    pub labels: Vec<String>,
    /// Who is assigned to issues that are made.
    pub assignees: Vec<String>,
    /// Whether owners are assigned to their users' issues.
    pub assign_owners: bool,
    /// The language of what people are shown.
    pub language: Language,
    /// How long a finding may stand before it is overdue.
    pub remedy_within_days: u32,
    /// The day of the run.
    pub today: NaiveDate,
    /// The page of the run that tells more.
    pub run: Option<Plain>,
    /// The address of that page, for the memory; `None` where this is no workflow run.
    pub run_url: Option<String>,
    /// What this run has observed as completely as it was asked to.
    pub observed_now: BTreeSet<(AccountId, Rule)>,
}

impl Wanted {
    /// The fixed label and the others, each once.
    fn all_labels(&self) -> Vec<String> {
        let mut labels = vec![markers::label(&self.queue)];
        for label in &self.labels {
            // GitHub compares labels without case.
            if !labels.iter().any(|other| other.eq_ignore_ascii_case(label)) {
                labels.push(label.clone());
            }
        }
        labels
    }
}

/// A change of an issue's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Open it again.
    Reopen,
    /// Close it: nothing stands any more.
    Complete,
    /// Close it: whatever stands was set aside by a person.
    SetAside,
}

/// One change.
#[derive(Debug, Clone)]
pub enum Change {
    /// Make a label, unless it is there.
    CreateLabel(String),
    /// Close an issue that a parallel run made, and point at the one that stays.
    CloseTwin {
        /// Which.
        twin: Twin,
        /// What is said.
        comment: String,
    },
    /// Put back labels that somebody took away.
    AddLabels {
        /// The issue.
        number: u64,
        /// The labels.
        labels: Vec<String>,
    },
    /// Make the issue of a user.
    CreatePerson {
        /// Whom it is about.
        person: Person,
        /// Its title.
        title: String,
        /// Its body.
        body: String,
        /// Its labels.
        labels: Vec<String>,
        /// Who is assigned.
        assignees: Vec<String>,
    },
    /// Bring the issue of a user up to date.
    EditPerson {
        /// The issue.
        number: u64,
        /// The body, if it is another than this was planned on.
        body: Option<Edit>,
        /// Its state, if that changes.
        turn: Option<Turn>,
        /// What is said besides.
        comment: Option<String>,
    },
    /// Make or write the index, and with it the memory.
    Index(Box<IndexDraft>),
    /// Write the number of the index into the description of the queue's label, once the index has
    /// its first memory: from then on no other issue is the queue.
    RecordNumber {
        /// The label.
        label: String,
        /// The index, where it is not made by this plan.
        index: Option<u64>,
    },
}

/// A body in the place of another. If somebody has changed that meanwhile, a new plan is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The body that is to be.
    pub body: String,
    /// The body that this was planned on.
    pub instead_of: String,
}

/// All changes, in the order in which they are carried out.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The changes.
    pub changes: Vec<Change>,
    /// Names that issues were to be assigned to and that cannot be a login.
    pub not_logins: BTreeSet<String>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Computes what is to be done. `previous` is the memory that the board holds.
///
/// # Errors
/// [`TemplateError`] when a page cannot be rendered.
pub fn plan(
    board: &Board,
    previous: Option<&Memory>,
    ledger: &Ledger,
    wanted: &Wanted,
) -> Result<Plan, TemplateError> {
    let (mut changes, mut not_logins) = (Vec::new(), BTreeSet::new());
    for twin in &board.twins {
        let of = Plain::issue(None, twin.of);
        let comment =
            page(Page::Twin, wanted.language, std::collections::BTreeMap::from([("of", of)]))?;
        changes.push(Change::CloseTwin { twin: *twin, comment });
    }
    let makes_issues = wanted.per_user && people::lacks_issue(board, &ledger.memory);
    let index = index::plan(board, previous, ledger, wanted, makes_issues)?;
    if wanted.per_user {
        // They show the memory that the index will hold, so that the next run finds them as they are
        // to be.
        let memory = index.as_ref().map_or(&ledger.memory, IndexDraft::memory);
        changes.extend(people::plan(board, memory, ledger, wanted, &mut not_logins)?);
    }
    let unlabelled = unlabelled(board, &markers::label(&wanted.queue));
    let makes_index = index.as_ref().is_some_and(|draft| draft.existing.is_none());
    if makes_index {
        assignees::logins(wanted.assignees.iter().map(String::as_str), &mut not_logins);
    }
    let mut ordered = Vec::new();
    if makes_issues || makes_index || !unlabelled.is_empty() {
        ordered.extend(wanted.all_labels().into_iter().map(Change::CreateLabel));
    }
    let label = |number| Change::AddLabels { number, labels: vec![markers::label(&wanted.queue)] };
    ordered.extend(unlabelled.into_iter().map(label));
    ordered.extend(changes);
    ordered.extend(index.map(|draft| Change::Index(Box::new(draft))));
    if board.number.is_none() {
        let label = markers::label(&wanted.queue);
        let index = board.index.as_ref().map(|index| index.number);
        ordered.push(Change::RecordNumber { label, index });
    }
    Ok(Plan { changes: ordered, not_logins })
}

/// The issues from which somebody has taken the fixed label. The others are people's to choose.
fn unlabelled(board: &Board, fixed: &str) -> Vec<u64> {
    let is_label = |label: &String| label.eq_ignore_ascii_case(fixed);
    let issues = board.index.iter().chain(board.people.values());
    let unlabelled = issues.filter(|issue| !issue.labels.iter().any(is_label));
    unlabelled.map(|issue| issue.number).collect()
}

/// The comment about what has happened, if anything has that people are to be told of.
fn news(
    ledger: &Ledger,
    rows: &Rows<'_>,
    wanted: &Wanted,
) -> Result<Option<String>, TemplateError> {
    if !ledger.has_news() {
        return Ok(None);
    }
    let view = NewsView {
        new: Named::first(NAMED, rows, &ledger.new),
        returned: Named::first(NAMED, rows, &ledger.returned),
        overdue: Named::first(NAMED, rows, &ledger.overdue),
        run: wanted.run.clone(),
    };
    page(Page::News, wanted.language, view).map(Some)
}

/// The comment on an issue that is opened again: what a bot should be told, once, or that a person
/// closed it too early.
fn reopened(shown: &Shown, wanted: &Wanted) -> Result<Option<String>, TemplateError> {
    match (&shown.closed_by_bot, shown.unexplained_bot()) {
        (Some(_), None) => Ok(None),
        (_, Some(bot)) => {
            let label = markers::label(&wanted.queue);
            let context = std::collections::BTreeMap::from([("bot", bot), ("label", &label)]);
            let text = page(Page::ClosedByBot, wanted.language, context)?;
            Ok(Some(format!("{}\n{}", markers::CLOSED_BY_BOT, text.trim_end())))
        }
        (None, None) => page(Page::StillOpen, wanted.language, ()).map(Some),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "nothing to change");
        }
        self.changes.iter().try_for_each(|change| writeln!(f, "{change}"))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateLabel(label) => write!(f, "make sure of the label {label:?}"),
            Self::CloseTwin { twin, .. } => {
                write!(f, "close issue #{}, the twin of #{}", twin.number, twin.of)
            }
            Self::AddLabels { number, labels } => write!(f, "label issue #{number}: {labels:?}"),
            Self::CreatePerson { title, assignees, .. } if assignees.is_empty() => {
                write!(f, "create issue {title:?}")
            }
            Self::CreatePerson { title, assignees, .. } => {
                write!(f, "create issue {title:?}, assigned to {}", assignees.join(", "))
            }
            Self::EditPerson { number, body, turn, comment } => {
                write_edit(f, &format!("issue #{number}"), body.is_some(), *turn, comment.is_some())
            }
            Self::Index(draft) => draft.fmt(f),
            Self::RecordNumber { label, .. } => {
                write!(f, "write the index's number into the description of the label {label:?}")
            }
        }
    }
}

fn write_edit(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    edits: bool,
    turn: Option<Turn>,
    comments: bool,
) -> fmt::Result {
    let turned = match turn {
        Some(Turn::Reopen) => Some("reopen"),
        Some(Turn::Complete) => Some("close as completed"),
        Some(Turn::SetAside) => Some("close as not planned"),
        None => None,
    };
    let acts = [edits.then_some("edit"), turned, comments.then_some("comment on")];
    let acts: Vec<_> = acts.into_iter().flatten().collect();
    write!(f, "{} {what}", acts.join(" and "))
}

/// The users against whom something stands, the longest disuse first.
fn people_by_disuse(memory: &Memory) -> Vec<Person> {
    let mut open: Vec<_> = memory
        .open()
        .map(|(id, entry)| {
            (entry.matter.reference.map(|(_, at)| at), person_of(&entry.matter), *id)
        })
        .collect();
    // What has no date comes last.
    open.sort_by(|a, b| (a.0.is_none(), a).cmp(&(b.0.is_none(), b)));
    let mut people = Vec::new();
    let mut seen = BTreeSet::new();
    for (_, person, _) in open {
        if seen.insert(person.clone()) {
            people.push(person);
        }
    }
    people
}
