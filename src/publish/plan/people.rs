//! An issue for each user against whom something stands.

use std::collections::BTreeMap;

use super::super::board::{Board, Shown};
use super::super::ledger::{Ledger, Person, person_of};
use super::super::markers;
use super::super::memory::Entry;
use super::super::view::{Rows, person_view};
use super::{Change, Edit, Turn, Wanted, people_by_disuse};
use crate::report::{Page, TemplateError, page, visible};

/// How many issues a run makes: GitHub limits them, and so do the people who are notified.
const MOST_CREATED: usize = 20;
/// The longest title; GitHub takes 256 characters.
const LONGEST_TITLE: usize = 200;

/// What is to be done about the users' issues.
pub(super) fn plan(
    board: &Board,
    ledger: &Ledger,
    wanted: &Wanted,
) -> Result<Vec<Change>, TemplateError> {
    let mut changes = Vec::new();
    let mut created = 0;
    let mut by_person: BTreeMap<Person, Vec<&Entry>> = BTreeMap::new();
    for entry in ledger.memory.entries.values() {
        by_person.entry(person_of(&entry.matter)).or_default().push(entry);
    }
    // Those against whom something stands come first, the longest disuse before the others.
    let open = people_by_disuse(ledger);
    let settled = by_person.keys().filter(|person| !open.contains(person)).cloned();
    for person in open.iter().cloned().chain(settled) {
        let entries = by_person.get(&person).map(Vec::as_slice).unwrap_or_default();
        match board.people.get(&markers::person_key(&person)) {
            Some(shown) => changes.extend(edit(shown, &person, entries, ledger, wanted)?),
            None if created < MOST_CREATED && entries.iter().any(|it| it.calls_for_action()) => {
                changes.extend(create(&person, entries, ledger, wanted)?);
                created += 1;
            }
            None => {}
        }
    }
    Ok(changes)
}

/// The body of a user's issue; `before` is what it was, for the boxes that people ticked.
fn body(
    person: &Person,
    before: &str,
    ledger: &Ledger,
    wanted: &Wanted,
) -> Result<Option<String>, TemplateError> {
    let ticked = markers::ticked(before);
    let rows = Rows {
        memory: &ledger.memory,
        remedy_within_days: wanted.remedy_within_days,
        ticked: &ticked,
        issues: &BTreeMap::new(),
    };
    let Some(view) = person_view(&rows, person) else { return Ok(None) };
    let text = page(Page::Person, wanted.language, view)?;
    Ok(Some(format!("{}\n{}", markers::person(&wanted.queue, person), text.trim_end())))
}

fn create(
    person: &Person,
    entries: &[&Entry],
    ledger: &Ledger,
    wanted: &Wanted,
) -> Result<Option<Change>, TemplateError> {
    let Some(body) = body(person, "", ledger, wanted)? else { return Ok(None) };
    let Some(matter) = entries.first().map(|entry| &entry.matter) else { return Ok(None) };
    let mut assignees = wanted.assignees.clone();
    if wanted.assign_owners {
        assignees.extend(matter.owner.as_deref().and_then(login));
    }
    assignees.dedup();
    let title =
        format!("IAM user {} of account {}: unused credentials", inert(&matter.user), person.0);
    let title = title.chars().take(LONGEST_TITLE).collect();
    let labels = wanted.all_labels();
    Ok(Some(Change::CreatePerson { person: person.clone(), title, body, labels, assignees }))
}

/// A user's name in a title, which knows no code span: an `@` or a `#` before a letter would mention
/// or link somebody.
fn inert(name: &str) -> String {
    visible(name).replace('@', "(at)").replace('#', "(number)")
}

/// The login that an owner's tag names, if it is one.
fn login(owner: &str) -> Option<String> {
    let login = owner.strip_prefix('@').unwrap_or(owner);
    let is_login = (1..=39).contains(&login.len())
        && login.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !login.starts_with('-');
    is_login.then(|| login.to_owned())
}

fn edit(
    shown: &Shown,
    person: &Person,
    entries: &[&Entry],
    ledger: &Ledger,
    wanted: &Wanted,
) -> Result<Option<Change>, TemplateError> {
    let stands = entries.iter().any(|entry| entry.open_since().is_some());
    let calls = entries.iter().any(|entry| entry.calls_for_action());
    let turn = match (shown.is_open, stands, calls) {
        (false, _, true) => Some(Turn::Reopen),
        (true, false, _) => Some(Turn::Complete),
        (true, true, false) => Some(Turn::SetAside),
        _ => None,
    };
    // What is closed and stays closed is left as it is.
    if !shown.is_open && turn.is_none() {
        return Ok(None);
    }
    let body = body(person, &shown.body, ledger, wanted)?
        .filter(|body| body.trim_end() != shown.body.trim_end())
        .map(|body| Edit { body, instead_of: shown.body.clone() });
    let of_person =
        |id| ledger.memory.entries.get(id).is_some_and(|entry| person_of(&entry.matter) == *person);
    let told = ledger.new.iter().chain(&ledger.returned).any(of_person);
    let comment = if turn == Some(Turn::Reopen) && !told {
        Some(page(Page::StillOpen, wanted.language, ())?)
    } else {
        None
    };
    if body.is_none() && turn.is_none() {
        return Ok(None);
    }
    Ok(Some(Change::EditPerson { number: shown.number, body, turn, comment }))
}
