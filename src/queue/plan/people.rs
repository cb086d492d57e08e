//! An issue for each user against whom something stands.

use std::collections::{BTreeMap, BTreeSet};

use super::super::board::{Board, Shown};
use super::super::ledger::{Ledger, Person, person_of};
use super::super::markers;
use super::super::memory::{Entry, Memory};
use super::super::room::fitting;
use super::super::view::{Rows, person_view};
use super::{Change, Edit, LONGEST_BODY, Turn, Wanted, assignees, people_by_disuse, reopened};
use crate::audit::Fingerprint;
use crate::report::{Page, TemplateError, page, visible};

/// How many issues a run makes: GitHub limits them, and so do the people who are notified.
const MOST_CREATED: usize = 20;
/// The longest name in a title, of which GitHub takes 256 characters.
const LONGEST_NAME: usize = 150;

/// What is known of one user.
type Entries<'a> = Vec<(Fingerprint, &'a Entry)>;

/// Whether somebody is to have an issue who has none.
pub(super) fn lacks_issue(board: &Board, memory: &Memory) -> bool {
    memory.entries.values().any(|entry| {
        let key = || markers::person_key(&person_of(&entry.matter));
        entry.calls_for_action() && !board.people.contains_key(&key())
    })
}

/// What is to be done about the users' issues. `memory` is what will be known when it is done.
pub(super) fn plan(
    board: &Board,
    memory: &Memory,
    ledger: &Ledger,
    wanted: &Wanted,
    not_logins: &mut BTreeSet<String>,
) -> Result<Vec<Change>, TemplateError> {
    let mut by_person: BTreeMap<Person, Entries<'_>> = BTreeMap::new();
    for (id, entry) in &memory.entries {
        by_person.entry(person_of(&entry.matter)).or_default().push((*id, entry));
    }
    // Those against whom something stands come first, the longest disuse before the others.
    let open = people_by_disuse(memory);
    let stands: BTreeSet<_> = open.iter().collect();
    let settled = by_person.keys().filter(|person| !stands.contains(person));
    let mut changes = Vec::new();
    let mut created = 0;
    let news: BTreeSet<_> = ledger.new.iter().chain(&ledger.returned).copied().collect();
    for person in open.iter().chain(settled) {
        let entries = by_person.get(person).map(Vec::as_slice).unwrap_or_default();
        let is_former = ledger.former_accounts.contains(&person.0);
        let user = User { person, entries, memory, wanted, is_former };
        match board.people.get(&markers::person_key(person)) {
            Some(shown) => changes.extend(user.edit(shown, &news)?),
            None if created < MOST_CREATED && user.calls_for_action() => {
                changes.extend(user.create(not_logins)?);
                created += 1;
            }
            None => {}
        }
    }
    Ok(changes)
}

/// A user, and what is known of them.
struct User<'a> {
    person: &'a Person,
    entries: &'a [(Fingerprint, &'a Entry)],
    memory: &'a Memory,
    wanted: &'a Wanted,
    /// Whether the account is no longer audited, on purpose.
    is_former: bool,
}

impl User<'_> {
    fn calls_for_action(&self) -> bool {
        self.entries.iter().any(|(_, entry)| entry.calls_for_action())
    }

    /// The body of the issue; `before` is what it was, for the boxes that people ticked.
    fn body(&self, before: &str) -> Result<String, TemplateError> {
        let ticked = markers::ticked(before);
        let rows = Rows {
            memory: self.memory,
            remedy_within_days: self.wanted.remedy_within_days,
            ticked: &ticked,
            issues: &BTreeMap::new(),
        };
        let marker = markers::person(&self.wanted.queue, self.person);
        let render = |most_rows| {
            let view = person_view(&rows, self.person, self.entries, most_rows);
            let text = page(Page::Person, self.wanted.language, view)?;
            Ok(format!("{marker}\n{}", text.trim_end()))
        };
        fitting(self.entries.len(), LONGEST_BODY, render)
    }

    fn create(&self, not_logins: &mut BTreeSet<String>) -> Result<Option<Change>, TemplateError> {
        let Some((_, entry)) = self.entries.first() else { return Ok(None) };
        let (account, _) = self.person;
        let name = inert(&entry.matter.user);
        Ok(Some(Change::CreatePerson {
            person: self.person.clone(),
            title: format!("IAM user {name} of account {account}: credentials to remedy"),
            body: self.body("")?,
            labels: self.wanted.all_labels(),
            assignees: self.assignees(not_logins),
        }))
    }

    fn assignees(&self, not_logins: &mut BTreeSet<String>) -> Vec<String> {
        let owners = self.entries.iter().filter_map(|(_, entry)| entry.matter.owner.as_deref());
        let owners = owners.filter(|_| self.wanted.assign_owners);
        let names = self.wanted.assignees.iter().map(String::as_str).chain(owners);
        assignees::logins(names, not_logins)
    }

    /// `news` are the findings that the index tells of in this run.
    fn edit(
        &self,
        shown: &Shown,
        news: &BTreeSet<Fingerprint>,
    ) -> Result<Option<Change>, TemplateError> {
        let stands = self.entries.iter().any(|(_, entry)| entry.open_since().is_some());
        let all_done =
            self.is_former || !self.entries.iter().any(|(_, entry)| entry.is_not_counted());
        let turn = match (shown.is_open, stands, self.calls_for_action()) {
            (false, _, true) => Some(Turn::Reopen),
            (true, false, _) if all_done => Some(Turn::Complete),
            (true, true, false) => Some(Turn::SetAside),
            _ => None,
        };
        // What is closed and stays closed is left as it is.
        if !shown.is_open && turn.is_none() {
            return Ok(None);
        }
        let body = self.body(&shown.body)?;
        let edit =
            (body != shown.body.trim_end()).then(|| Edit { body, instead_of: shown.body.clone() });
        let told = self.entries.iter().any(|(id, _)| news.contains(id));
        // What a bot has to be told is said although the index tells of something new.
        let explains = !told || shown.unexplained_bot().is_some();
        let comment = if turn == Some(Turn::Reopen) && explains {
            reopened(shown, self.wanted)?
        } else {
            None
        };
        let changes = edit.is_some() || turn.is_some();
        Ok(changes.then_some(Change::EditPerson {
            number: shown.number,
            body: edit,
            turn,
            comment,
        }))
    }
}

/// A user's name in a title, which knows no code span: an `@` or a `#` before a letter would mention
/// or link somebody, and a backtick would open one.
fn inert(name: &str) -> String {
    let name = visible(name).replace('@', "(at)").replace('#', "(number)").replace('`', "'");
    match name.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name,
    }
}
