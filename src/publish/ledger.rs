//! What a new observation makes of the queue's memory.
//!
//! A finding that is gone is not remedied by that alone: cleared is what a newer observation, in
//! which its rule was complete, did not find although it would have.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::memory::{Entry, Memory, Observed, State};
use super::observation::{Audited, Matter, Observation, Seen};
use crate::inventory::AccountId;
use crate::judge::{Fingerprint, Reference, Status};
use crate::policy::{Level, Rule};

/// The user whom an issue of their own is about: the account, and the name in lower case.
pub type Person = (AccountId, String);

/// The user of a finding.
#[must_use]
pub fn person_of(matter: &Matter) -> Person {
    (matter.account, matter.user.to_ascii_lowercase())
}

/// The days on which people closed issues as not planned, so that what was listed then is
/// acknowledged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closures {
    /// The index.
    pub index: Option<DateTime<Utc>>,
    /// Issues of single users.
    pub people: BTreeMap<Person, DateTime<Utc>>,
}

/// The memory as it is to be, and what has happened since it was written last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// As it is to be; its generation is still the last one's.
    pub memory: Memory,
    /// When the audits were made, the newest of them.
    pub at: DateTime<Utc>,
    /// Findings that the queue did not hold, the longest disuse first.
    pub new: Vec<Fingerprint>,
    /// Findings that were settled and are back.
    pub returned: Vec<Fingerprint>,
    /// Findings that have become overdue.
    pub overdue: Vec<Fingerprint>,
    /// Findings that were remedied.
    pub cleared: Vec<Fingerprint>,
    /// Findings that an exemption has come to cover, or that the policy asks for no longer.
    pub excused: Vec<Fingerprint>,
}

/// The audits are older than what the queue knows already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the audit of account {account} is of {at}, and the queue knows of a newer one, of {newest}"
)]
pub struct OlderThanMemory {
    /// The account.
    pub account: AccountId,
    /// The moment of the audit.
    pub at: DateTime<Utc>,
    /// The moment that the queue knows of.
    pub newest: DateTime<Utc>,
}

/// Brings the memory up to an observation. `today` is the day of the run; a finding that stands for
/// more than `remedy_within_days` is overdue.
///
/// # Errors
/// [`OlderThanMemory`], and then nothing may be written.
pub fn advance(
    memory: Option<&Memory>,
    observation: &Observation,
    closures: &Closures,
    today: NaiveDate,
    remedy_within_days: u32,
) -> Result<Ledger, OlderThanMemory> {
    let memory = memory.cloned().unwrap_or_else(|| Memory::new(today));
    refuse_older(&memory, observation)?;
    let at = observation.accounts.values().map(|it| it.at).max().unwrap_or_default();
    let mut ledger = Ledger {
        memory,
        at,
        new: Vec::new(),
        returned: Vec::new(),
        overdue: Vec::new(),
        cleared: Vec::new(),
        excused: Vec::new(),
    };
    ledger.acknowledge(closures);
    ledger.take_in(observation, today);
    ledger.settle_absent(observation, today);
    ledger.note_observed(observation);
    ledger.tell_overdue(today, remedy_within_days);
    let entries = &ledger.memory.entries;
    for list in [
        &mut ledger.new,
        &mut ledger.returned,
        &mut ledger.overdue,
        &mut ledger.cleared,
        &mut ledger.excused,
    ] {
        list.sort_by(|one, other| order(entries, one).cmp(&order(entries, other)));
    }
    Ok(ledger)
}

/// The longest disuse first; the rest makes the order total.
fn order<'a>(entries: &'a BTreeMap<Fingerprint, Entry>, id: &'a Fingerprint) -> impl Ord + use<'a> {
    let date = entries.get(id).and_then(|entry| entry.matter.reference).map(|(_, date)| date);
    (date.is_none(), date, id)
}

fn refuse_older(memory: &Memory, observation: &Observation) -> Result<(), OlderThanMemory> {
    for (account, audited) in &observation.accounts {
        match memory.newest_of([account]) {
            // The memory knows seconds.
            Some(newest) if newest.timestamp() > audited.at.timestamp() => {
                return Err(OlderThanMemory { account: *account, at: audited.at, newest });
            }
            _ => {}
        }
    }
    Ok(())
}

impl Ledger {
    /// What was listed when a person closed the issue as not planned is acknowledged.
    fn acknowledge(&mut self, closures: &Closures) {
        for entry in self.memory.entries.values_mut() {
            let person = closures.people.get(&person_of(&entry.matter));
            let State::Open { since, acknowledged, .. } = &mut entry.state else { continue };
            let listed = |closed: &DateTime<Utc>| *since <= closed.date_naive();
            *acknowledged |= closures.index.iter().chain(person).any(listed);
        }
    }

    fn take_in(&mut self, observation: &Observation, today: NaiveDate) {
        for (id, seen) in &observation.findings {
            match self.memory.entries.get_mut(id) {
                Some(entry) => {
                    let was_open = entry.open_since().is_some();
                    match entry.take_in(seen, today) {
                        Some(State::Open { .. }) => self.returned.push(*id),
                        Some(_) if was_open => self.excused.push(*id),
                        _ => {}
                    }
                }
                None if seen.needs_remedy() => {
                    let entry = Entry {
                        matter: seen.matter.clone(),
                        level: seen.level,
                        first_seen: today,
                        state: opened(today),
                    };
                    self.memory.entries.insert(*id, entry);
                    self.new.push(*id);
                }
                None => {}
            }
        }
    }

    fn settle_absent(&mut self, observation: &Observation, today: NaiveDate) {
        for (id, entry) in &mut self.memory.entries {
            let Some(audited) = observation.accounts.get(&entry.matter.account) else { continue };
            if observation.findings.contains_key(id) {
                continue;
            }
            let known = self.memory.observed.get(&(entry.matter.account, entry.matter.rule));
            let was_open = entry.open_since().is_some();
            match (absence(&entry.matter, known, audited), entry.state) {
                (Absence::Remedied, State::Cleared { .. })
                | (Absence::Policy, State::Cleared { .. } | State::NotCounted { .. })
                | (Absence::Unexplained, _) => {}
                (Absence::Remedied, _) => {
                    entry.state = State::Cleared { on: today };
                    if was_open {
                        self.cleared.push(*id);
                    }
                }
                (Absence::Policy, _) => {
                    entry.state = State::NotCounted { since: today };
                    if was_open {
                        self.excused.push(*id);
                    }
                }
            }
        }
    }

    fn note_observed(&mut self, observation: &Observation) {
        for (account, audited) in &observation.accounts {
            if let Some(alias) = &audited.alias {
                self.memory.aliases.insert(*account, alias.clone());
            }
            for rule in Rule::ALL {
                let complete = audited.coverage.get(&rule).is_some_and(|it| it.is_whole());
                if complete {
                    let observed = Observed {
                        // As the memory keeps it.
                        at: DateTime::from_timestamp(audited.at.timestamp(), 0)
                            .unwrap_or(audited.at),
                        terms: audited.terms_of(rule),
                    };
                    self.memory.observed.insert((*account, rule), observed);
                } else if !audited.coverage.contains_key(&rule) {
                    // A rule that is off is not waited for.
                    self.memory.observed.remove(&(*account, rule));
                }
            }
        }
    }

    fn tell_overdue(&mut self, today: NaiveDate, remedy_within_days: u32) {
        for (id, entry) in &mut self.memory.entries {
            let is_overdue = entry.due(remedy_within_days).is_some_and(|due| due < today);
            if let State::Open { acknowledged: false, overdue_told, .. } = &mut entry.state
                && is_overdue
                && !*overdue_told
            {
                *overdue_told = true;
                self.overdue.push(*id);
            }
        }
    }

    /// Whether something has happened that people are to be told of.
    #[must_use]
    pub const fn has_news(&self) -> bool {
        !(self.new.is_empty() && self.returned.is_empty() && self.overdue.is_empty())
    }
}

const fn opened(today: NaiveDate) -> State {
    State::Open { since: today, acknowledged: false, overdue_told: false }
}

impl Entry {
    /// Takes in how the finding was seen; the state, if it is another now.
    fn take_in(&mut self, seen: &Seen, today: NaiveDate) -> Option<State> {
        self.matter = seen.matter.clone();
        if seen.level >= Level::Warning {
            self.level = seen.level;
        }
        let state = match (seen.status, self.state) {
            // Nobody knows: it stays what it was.
            (Status::Unknown, _) => return None,
            (Status::Exempted, State::Exempted { .. }) => return None,
            (Status::Exempted, _) => State::Exempted { since: today },
            (Status::Open, State::Open { .. }) if seen.needs_remedy() => return None,
            (Status::Open, _) if seen.needs_remedy() => opened(today),
            (Status::Open, State::NotCounted { .. }) => return None,
            (Status::Open, _) => State::NotCounted { since: today },
        };
        self.state = state;
        Some(state)
    }
}

/// Why a finding is not there.
enum Absence {
    /// It would have been found.
    Remedied,
    /// The policy asks for it no longer.
    Policy,
    /// Nobody can say.
    Unexplained,
}

fn absence(matter: &Matter, known: Option<&Observed>, audited: &Audited) -> Absence {
    if !audited.coverage.contains_key(&matter.rule) {
        return Absence::Policy;
    }
    if !audited.may_clear(matter) {
        return Absence::Unexplained;
    }
    let terms = audited.terms_of(matter.rule);
    let same_terms = known.is_none_or(|known| known.terms == terms);
    match matter.reference {
        // Its date alone is too young for today's threshold, whatever has become of it.
        Some((Reference::LastUsed | Reference::NeverUsedSince | Reference::Created, since))
            if counts_days(matter.rule)
                && (audited.at - since).num_days() < i64::from(audited.stale_after_days) =>
        {
            Absence::Policy
        }
        _ if counts_days(matter.rule) || same_terms => Absence::Remedied,
        _ => Absence::Policy,
    }
}

/// Whether the policy's threshold decides about the rule.
const fn counts_days(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::StalePassword
            | Rule::StaleAccessKey
            | Rule::OldServiceCredential
            | Rule::InactiveAccessKey
    )
}
