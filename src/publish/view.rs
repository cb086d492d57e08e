//! What the pages of the queue show: dates and never ages, so that a run without news writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use super::ledger::{Person, person_of};
use super::memory::{Entry, Memory, State};
use super::observation::Matter;
use crate::inventory::{AccountId, CredentialKind};
use crate::judge::Fingerprint;
use crate::policy::{Level, Rule};
use crate::report::Plain;

/// How many days what was settled is shown.
const SETTLED_DAYS: i64 = 30;

/// One finding.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    /// The marker by which its box is known again.
    marker: Plain,
    ticked: bool,
    id: Plain,
    account: Plain,
    user: String,
    kind: Option<&'static str>,
    slot: Option<u8>,
    id_ending: Option<String>,
    rule: Plain,
    level: &'static str,
    reference: Option<&'static str>,
    reference_date: Option<Plain>,
    owner: Option<String>,
    /// `open`, `exempted`, `cleared` or `not-counted`.
    state: &'static str,
    /// Since when it is in that state; none where the queue does not hold it.
    since: Option<Plain>,
    due: Option<Plain>,
    overdue: bool,
    acknowledged: bool,
    /// The issue of the user, where each has one.
    issue: Option<Plain>,
}

impl Row {
    /// A finding that the queue need not hold.
    pub(super) fn of(id: Fingerprint, matter: &Matter, level: Level) -> Self {
        Self {
            marker: Plain::row_marker(id),
            ticked: false,
            id: Plain::id(id),
            account: Plain::account(matter.account),
            user: matter.user.clone(),
            kind: matter.kind.map(CredentialKind::id),
            slot: matter.slot,
            id_ending: matter.id_ending.clone(),
            rule: Plain::rule(matter.rule),
            level: level.id(),
            reference: matter.reference.map(|(what, _)| what.id()),
            reference_date: matter.reference.map(|(_, at)| Plain::day(at.date_naive())),
            owner: matter.owner.clone(),
            state: "open",
            since: None,
            due: None,
            overdue: false,
            acknowledged: false,
            issue: None,
        }
    }
}

/// What rows are made with.
pub(super) struct Rows<'a> {
    pub(super) memory: &'a Memory,
    pub(super) remedy_within_days: u32,
    /// The boxes that people ticked.
    pub(super) ticked: &'a BTreeSet<Fingerprint>,
    /// The numbers of the users' issues.
    pub(super) issues: &'a BTreeMap<Person, u64>,
}

impl Rows<'_> {
    pub(super) fn row(&self, id: Fingerprint, entry: &Entry) -> Row {
        let matter = &entry.matter;
        let (state, since, acknowledged, overdue) = match entry.state {
            State::Open { since, acknowledged, overdue_told } => {
                ("open", since, acknowledged, overdue_told)
            }
            State::Exempted { since } => ("exempted", since, false, false),
            State::Cleared { on } => ("cleared", on, false, false),
            State::NotCounted { since } => ("not-counted", since, false, false),
        };
        let issue = self.issues.get(&person_of(matter));
        Row {
            ticked: self.ticked.contains(&id),
            state,
            since: Some(Plain::day(since)),
            due: entry.due(self.remedy_within_days).map(Plain::day),
            overdue,
            acknowledged,
            issue: issue.map(|number| Plain::issue(None, *number)),
            ..Row::of(id, matter, entry.level)
        }
    }

    /// The rows of these findings, in this order.
    pub(super) fn of(&self, ids: &[Fingerprint]) -> Vec<Row> {
        let entries = &self.memory.entries;
        ids.iter().filter_map(|id| Some(self.row(*id, entries.get(id)?))).collect()
    }

    /// What stands, by account and then the longest disuse first.
    pub(super) fn open(&self, of: impl Fn(&Entry) -> bool) -> Vec<(Fingerprint, &Entry)> {
        let mut open: Vec<_> = self
            .memory
            .open()
            .filter(|(_, entry)| of(entry))
            .map(|(id, entry)| (*id, entry))
            .collect();
        open.sort_by(|one, other| order(one).cmp(&order(other)));
        open
    }

    /// What was settled lately, the latest first. `today` is the day that the queue was last written,
    /// so that the passing of days alone changes nothing.
    pub(super) fn settled(
        &self,
        today: NaiveDate,
        of: impl Fn(&Entry) -> bool,
    ) -> Vec<(Fingerprint, &Entry)> {
        let day = |entry: &Entry| match entry.state {
            State::Open { .. } => None,
            State::Cleared { on: day }
            | State::Exempted { since: day }
            | State::NotCounted { since: day } => Some(day),
        };
        let is_late =
            |entry: &Entry| day(entry).is_some_and(|day| (today - day).num_days() <= SETTLED_DAYS);
        let mut settled: Vec<_> = self
            .memory
            .entries
            .iter()
            .filter(|(_, entry)| is_late(entry) && of(entry))
            .map(|(id, entry)| (*id, entry))
            .collect();
        settled.sort_by(|one, other| {
            (std::cmp::Reverse(day(one.1)), order(one))
                .cmp(&(std::cmp::Reverse(day(other.1)), order(other)))
        });
        settled
    }
}

fn order<'a>((id, entry): &'a (Fingerprint, &Entry)) -> impl Ord + use<'a> {
    let matter = &entry.matter;
    let date = matter.reference.map(|(_, at)| at);
    (matter.account, date.is_none(), date, matter.user.clone(), *id)
}

/// An account of the index.
#[derive(Debug, Serialize)]
pub(super) struct AccountView {
    id: Plain,
    alias: Option<String>,
    rows: Vec<Row>,
    /// Rules that were not completely observed in the newest audits, by the day they last were.
    unobserved: Vec<Unobserved>,
}

/// Rules that nobody knows about now.
#[derive(Debug, Serialize)]
pub(super) struct Unobserved {
    since: Plain,
    rules: Vec<Plain>,
}

/// The index.
#[derive(Debug, Serialize)]
pub(super) struct QueueView {
    open: usize,
    errors: usize,
    overdue: usize,
    acknowledged: usize,
    users: usize,
    accounts: Vec<AccountView>,
    rows_left_out: usize,
    settled: Vec<Row>,
    settled_left_out: usize,
    remedy_within_days: u32,
    per_user: bool,
    /// Users who will get their issues in later runs.
    without_issue: usize,
    checked: Plain,
}

/// What the index is made of.
pub(super) struct QueuePage<'a> {
    pub(super) rows: Rows<'a>,
    /// The pairs that this run has observed completely.
    pub(super) observed_now: &'a BTreeSet<(AccountId, Rule)>,
    pub(super) per_user: bool,
}

impl QueuePage<'_> {
    /// How many rows there are at most.
    pub(super) fn most_rows(&self) -> usize {
        self.rows.memory.entries.len()
    }

    /// The index with at most so many rows: what stands first, then what was settled.
    pub(super) fn view(&self, most_rows: usize) -> QueueView {
        let memory = self.rows.memory;
        let open = self.rows.open(|_| true);
        let settled = self.rows.settled(memory.checked, |_| true);
        let users: BTreeSet<_> = open.iter().map(|(_, entry)| person_of(&entry.matter)).collect();
        let without_issue = users.iter().filter(|it| !self.rows.issues.contains_key(*it)).count();
        let shown = most_rows.min(open.len());
        let settled_shown = (most_rows - shown).min(settled.len());
        let count = |of: fn(&Entry) -> bool| open.iter().filter(|(_, entry)| of(entry)).count();
        QueueView {
            open: open.len(),
            errors: count(|entry| entry.level == Level::Error),
            overdue: count(|entry| matches!(entry.state, State::Open { overdue_told: true, .. })),
            acknowledged: count(|entry| !entry.calls_for_action()),
            users: users.len(),
            accounts: self.accounts(open.get(..shown).unwrap_or_default()),
            rows_left_out: open.len() - shown,
            settled: settled
                .iter()
                .take(settled_shown)
                .map(|(id, entry)| self.rows.row(*id, entry))
                .collect(),
            settled_left_out: settled.len() - settled_shown,
            remedy_within_days: self.rows.remedy_within_days,
            per_user: self.per_user,
            without_issue: if self.per_user { without_issue } else { 0 },
            checked: Plain::day(memory.checked),
        }
    }

    fn accounts(&self, open: &[(Fingerprint, &Entry)]) -> Vec<AccountView> {
        let memory = self.rows.memory;
        let mut rows: BTreeMap<AccountId, Vec<Row>> = BTreeMap::new();
        for (id, entry) in open {
            rows.entry(entry.matter.account).or_default().push(self.rows.row(*id, entry));
        }
        let mut unobserved = self.unobserved();
        let accounts: BTreeSet<_> = rows.keys().chain(unobserved.keys()).copied().collect();
        let view = |id: AccountId| AccountView {
            id: Plain::account(id),
            alias: memory.aliases.get(&id).cloned(),
            rows: rows.remove(&id).unwrap_or_default(),
            unobserved: unobserved.remove(&id).unwrap_or_default(),
        };
        accounts.into_iter().map(view).collect()
    }

    /// What this run has not observed completely, and some run before it had.
    fn unobserved(&self) -> BTreeMap<AccountId, Vec<Unobserved>> {
        let mut days: BTreeMap<(AccountId, NaiveDate), Vec<Plain>> = BTreeMap::new();
        for ((account, rule), observed) in &self.rows.memory.observed {
            if !self.observed_now.contains(&(*account, *rule)) {
                let day = observed.at.date_naive();
                days.entry((*account, day)).or_default().push(Plain::rule(*rule));
            }
        }
        let mut views: BTreeMap<AccountId, Vec<Unobserved>> = BTreeMap::new();
        for ((account, day), rules) in days {
            let unobserved = Unobserved { since: Plain::day(day), rules };
            views.entry(account).or_default().push(unobserved);
        }
        views
    }
}

/// The issue of one user.
#[derive(Debug, Serialize)]
pub(super) struct PersonView {
    account: Plain,
    alias: Option<String>,
    user: String,
    owner: Option<String>,
    rows: Vec<Row>,
    settled: Vec<Row>,
    remedy_within_days: u32,
}

/// The issue of a user: all that stands against them, and what was settled lately.
pub(super) fn person_view(rows: &Rows<'_>, person: &Person) -> Option<PersonView> {
    let of = |entry: &Entry| person_of(&entry.matter) == *person;
    let (open, settled) = (rows.open(of), rows.settled(rows.memory.checked, of));
    let (_, first) = open.first().or_else(|| settled.first())?;
    let row = |(id, entry): &(Fingerprint, &Entry)| rows.row(*id, entry);
    Some(PersonView {
        account: Plain::account(person.0),
        alias: rows.memory.aliases.get(&person.0).cloned(),
        user: first.matter.user.clone(),
        owner: first.matter.owner.clone(),
        rows: open.iter().map(row).collect(),
        settled: settled.iter().map(row).collect(),
        remedy_within_days: rows.remedy_within_days,
    })
}

/// The comment about what has happened.
#[derive(Debug, Serialize)]
pub(super) struct NewsView {
    pub(super) new: Named,
    pub(super) returned: Named,
    pub(super) overdue: Named,
    /// The page of the run that tells more.
    pub(super) run: Option<Plain>,
}

/// Some findings by name, and how many more there are.
#[derive(Debug, Serialize)]
pub(super) struct Named {
    rows: Vec<Row>,
    more: usize,
}

impl Named {
    /// The first so many of these.
    pub(super) fn first(most: usize, rows: &Rows<'_>, ids: &[Fingerprint]) -> Self {
        let named = ids.get(..most).unwrap_or(ids);
        Self { rows: rows.of(named), more: ids.len() - named.len() }
    }
}
