//! What the pages of the queue show: dates and never ages, so that a run without news writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use super::ledger::{Person, person_of};
use super::memory::{Entry, Memory, State};
use super::observation::{Matter, Seen};
use super::progress::{Belongings, Names, Progress};
use crate::audit::Fingerprint;
use crate::model::inventory::{AccountId, CredentialKind};
use crate::model::policy::{Level, Rule};
use crate::report::{Plain, visible};

/// How many days what was settled is shown.
const SETTLED_DAYS: i64 = 30;
/// The most characters of a name that are shown; IAM's are shorter, but audits hold anything.
const LONGEST_NAME: usize = 128;
/// The most warnings about what was not observed, and the most accounts that each of them names.
const MOST_UNOBSERVED: usize = 10;
const MOST_ACCOUNTS: usize = 50;

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
    clock: Option<ClockView>,
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

/// How far the remedy has come with a credential.
#[derive(Debug, Clone, Serialize)]
struct ClockView {
    /// `notified`, `deactivated` or `inactive`.
    reached: &'static str,
    since: Plain,
    /// `deactivate` or `delete`, and the first day of it; none where nobody can say.
    next: Option<&'static str>,
    next_from: Option<Plain>,
}

impl From<Progress> for ClockView {
    fn from(progress: Progress) -> Self {
        Self {
            reached: progress.reached.id(),
            since: Plain::day(progress.since),
            next: progress.next.map(|(stage, _)| stage.id()),
            next_from: progress.next.map(|(_, from)| Plain::day(from)),
        }
    }
}

impl Row {
    /// A finding that the queue need not hold.
    pub(super) fn of(id: Fingerprint, matter: &Matter, level: Level) -> Self {
        Self {
            marker: Plain::row_marker(id),
            ticked: false,
            id: Plain::id(id),
            account: Plain::account(matter.account),
            user: shortened(&matter.user),
            kind: matter.kind.map(CredentialKind::id),
            slot: matter.slot,
            id_ending: matter.id_ending.clone(),
            rule: Plain::rule(matter.rule),
            level: level.id(),
            reference: matter.reference.map(|(what, _)| what.id()),
            reference_date: matter.reference.map(|(_, at)| Plain::day(at.date_naive())),
            owner: matter.owner.as_deref().map(shortened),
            clock: matter.progress.map(Into::into),
            state: "open",
            since: None,
            due: None,
            overdue: false,
            acknowledged: false,
            issue: None,
        }
    }

    /// A finding that the queue holds, as it is seen now.
    pub(super) fn known(id: Fingerprint, seen: &Seen, entry: &Entry) -> Self {
        Self {
            since: entry.open_since().map(Plain::day),
            overdue: matches!(entry.state, State::Open { overdue_told: true, .. }),
            ..Self::of(id, &seen.matter, seen.level)
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
}

/// A text as people are shown it: what is invisible made visible, and what is too long cut.
fn shortened(text: &str) -> String {
    let text = visible(text);
    match text.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}

/// What stands, the longest disuse first.
fn open_of<'a>(
    entries: impl Iterator<Item = (Fingerprint, &'a Entry)>,
) -> Vec<(Fingerprint, &'a Entry)> {
    let mut open: Vec<_> = entries.filter(|(_, entry)| entry.open_since().is_some()).collect();
    open.sort_by(|one, other| order(*one).cmp(&order(*other)));
    open
}

/// What was settled lately, the latest first. `today` is the day that the queue was last written, so
/// that the passing of days alone changes nothing.
fn settled_of<'a>(
    entries: impl Iterator<Item = (Fingerprint, &'a Entry)>,
    today: NaiveDate,
) -> Vec<(Fingerprint, &'a Entry)> {
    let day = |entry: &Entry| match entry.state {
        State::Open { .. } => None,
        State::Cleared { on: day }
        | State::Exempted { since: day }
        | State::NotCounted { since: day } => Some(day),
    };
    let is_late =
        |entry: &Entry| day(entry).is_some_and(|day| (today - day).num_days() <= SETTLED_DAYS);
    let mut settled: Vec<_> = entries.filter(|(_, entry)| is_late(entry)).collect();
    settled.sort_by(|one, other| {
        day(other.1).cmp(&day(one.1)).then_with(|| order(*one).cmp(&order(*other)))
    });
    settled
}

fn order((id, entry): (Fingerprint, &Entry)) -> impl Ord + use<'_> {
    let matter = &entry.matter;
    let date = matter.reference.map(|(_, at)| at);
    (date.is_none(), date, matter.account, matter.user.as_str(), id)
}

/// An account of the index.
#[derive(Debug, Serialize)]
pub(super) struct AccountView {
    id: Plain,
    alias: Option<String>,
    rows: Vec<Row>,
}

/// Rules that nobody knows about now, in some accounts.
#[derive(Debug, Serialize)]
pub(super) struct Unobserved {
    /// The day on which they were last observed completely; none if that never was.
    since: Option<Plain>,
    rules: Vec<Plain>,
    accounts: Vec<AccountName>,
    /// How many accounts more.
    more: usize,
}

#[derive(Debug, Serialize)]
struct AccountName {
    id: Plain,
    alias: Option<String>,
}

/// The index.
#[derive(Debug, Serialize)]
pub(super) struct QueueView {
    open: usize,
    errors: usize,
    overdue: usize,
    acknowledged: usize,
    users: usize,
    unobserved: Vec<Unobserved>,
    /// Whether there are warnings of that kind that are not shown.
    more_unobserved: bool,
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
    /// The pairs whose evidence this run could not have.
    pub(super) incomplete_now: &'a BTreeSet<(AccountId, Rule)>,
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
        let entries = || memory.entries.iter().map(|(id, entry)| (*id, entry));
        let open = open_of(entries());
        let settled = settled_of(entries(), memory.checked);
        let users: BTreeSet<_> = open.iter().map(|(_, entry)| person_of(&entry.matter)).collect();
        let without_issue = users.iter().filter(|it| !self.rows.issues.contains_key(*it)).count();
        let shown = most_rows.min(open.len());
        let settled_shown = (most_rows - shown).min(settled.len());
        let count = |of: fn(&Entry) -> bool| open.iter().filter(|(_, entry)| of(entry)).count();
        let mut unobserved = self.unobserved();
        let more_unobserved = unobserved.len() > MOST_UNOBSERVED;
        unobserved.truncate(MOST_UNOBSERVED);
        QueueView {
            unobserved,
            more_unobserved,
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
        let mut rows: BTreeMap<AccountId, Vec<Row>> = BTreeMap::new();
        for (id, entry) in open {
            rows.entry(entry.matter.account).or_default().push(self.rows.row(*id, entry));
        }
        let view = |(id, rows)| AccountView { id: Plain::account(id), alias: self.alias(id), rows };
        rows.into_iter().map(view).collect()
    }

    fn alias(&self, account: AccountId) -> Option<String> {
        self.rows.memory.aliases.get(&account).map(|alias| shortened(alias))
    }

    /// What this run has not observed completely, although it tried or some run before it had. What
    /// is alike in several accounts is said once.
    fn unobserved(&self) -> Vec<Unobserved> {
        let observed = &self.rows.memory.observed;
        let before = observed.iter().filter(|(pair, _)| !self.observed_now.contains(pair));
        let before = before.map(|(pair, observed)| (*pair, Some(observed.at.date_naive())));
        let never = self.incomplete_now.iter().filter(|pair| !observed.contains_key(*pair));
        let mut rules: BTreeMap<(Option<NaiveDate>, AccountId), BTreeSet<Rule>> = BTreeMap::new();
        for ((account, rule), day) in before.chain(never.map(|pair| (*pair, None))) {
            rules.entry((day, account)).or_default().insert(rule);
        }
        let mut alike: BTreeMap<(Option<NaiveDate>, BTreeSet<Rule>), Vec<AccountId>> =
            BTreeMap::new();
        for ((day, account), rules) in rules {
            alike.entry((day, rules)).or_default().push(account);
        }
        let name = |id: &AccountId| AccountName { id: Plain::account(*id), alias: self.alias(*id) };
        let view =
            |((day, rules), accounts): ((Option<NaiveDate>, BTreeSet<Rule>), Vec<_>)| Unobserved {
                since: day.map(Plain::day),
                rules: rules.into_iter().map(Plain::rule).collect(),
                more: accounts.len().saturating_sub(MOST_ACCOUNTS),
                accounts: accounts.iter().take(MOST_ACCOUNTS).map(name).collect(),
            };
        alike.into_iter().map(view).collect()
    }
}

/// The issue of one user.
#[derive(Debug, Serialize)]
pub(super) struct PersonView {
    account: Plain,
    alias: Option<String>,
    user: String,
    owner: Option<String>,
    open: usize,
    rows: Vec<Row>,
    settled: Vec<Row>,
    rows_left_out: usize,
    remedy_within_days: u32,
    /// The day by which something is due first.
    due: Option<Plain>,
    /// What goes with the user; none where it was not looked at.
    belongings: Option<BelongingsView>,
}

/// What a user has besides credentials.
#[derive(Debug, Serialize)]
struct BelongingsView {
    mfa: Option<bool>,
    groups: NamesView,
    attached_policies: NamesView,
    inline_policies: NamesView,
}

#[derive(Debug, Serialize)]
struct NamesView {
    names: Vec<String>,
    more: usize,
}

impl From<&Names> for NamesView {
    fn from(names: &Names) -> Self {
        Self { names: names.names.iter().map(|it| shortened(it)).collect(), more: names.more }
    }
}

impl From<&Belongings> for BelongingsView {
    fn from(has: &Belongings) -> Self {
        Self {
            mfa: has.mfa,
            groups: (&has.groups).into(),
            attached_policies: (&has.attached_policies).into(),
            inline_policies: (&has.inline_policies).into(),
        }
    }
}

/// The issue of a user: what stands against them, and what was settled lately, in at most so many
/// rows. `entries` are theirs.
pub(super) fn person_view(
    rows: &Rows<'_>,
    person: &Person,
    entries: &[(Fingerprint, &Entry)],
    most_rows: usize,
) -> PersonView {
    let (account, name) = person;
    let open = open_of(entries.iter().copied());
    let settled = settled_of(entries.iter().copied(), rows.memory.checked);
    // The name as the evidence spells it.
    let matter = open.iter().chain(&settled).map(|(_, entry)| &entry.matter).next();
    let shown = most_rows.min(open.len());
    let settled_shown = (most_rows - shown).min(settled.len());
    let row = |(id, entry): &(Fingerprint, &Entry)| rows.row(*id, entry);
    let calling = open.iter().map(|(_, entry)| *entry).filter(|entry| entry.calls_for_action());
    PersonView {
        account: Plain::account(*account),
        alias: rows.memory.aliases.get(account).map(|alias| shortened(alias)),
        user: shortened(matter.map_or(name, |it| &it.user)),
        owner: matter.and_then(|it| it.owner.as_deref()).map(shortened),
        rows: open.iter().take(shown).map(row).collect(),
        settled: settled.iter().take(settled_shown).map(row).collect(),
        rows_left_out: open.len() - shown + settled.len() - settled_shown,
        open: open.len(),
        remedy_within_days: rows.remedy_within_days,
        due: calling.filter_map(|entry| entry.due(rows.remedy_within_days)).min().map(Plain::day),
        belongings: rows.memory.belongings.get(person).map(Into::into),
    }
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
    left_out: usize,
}

impl Named {
    /// The first so many of these.
    pub(super) fn first(most: usize, rows: &Rows<'_>, ids: &[Fingerprint]) -> Self {
        let named = ids.get(..most).unwrap_or(ids);
        Self { rows: rows.of(named), left_out: ids.len() - named.len() }
    }
}
