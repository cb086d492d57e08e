//! What a new observation makes of the queue's memory.
//!
//! A finding that is gone is not remedied by that alone: cleared is what a newer observation, in
//! which its rule was complete, did not find although it would have.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::gate::unaudited;
use super::memory::{Entry, Memory, Observed, State};
use super::observation::{Audited, Matter, Observation, Seen};
use crate::audit::{Coverage, Fingerprint, Reference, Status};
use crate::model::inventory::AccountId;
use crate::model::policy::{Level, Rule};

/// The user whom an issue of their own is about: the account, and the name in lower case.
pub type Person = (AccountId, String);

/// The user of a finding.
#[must_use]
pub fn person_of(matter: &Matter) -> Person {
    (matter.account, matter.user.to_ascii_lowercase())
}

/// When people closed issues as not planned, so that what was listed then is acknowledged, and
/// which of those they have opened again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closures {
    /// The index.
    pub index: Option<DateTime<Utc>>,
    /// Issues of single users.
    pub people: BTreeMap<Person, DateTime<Utc>>,
    /// The index is open again, though nothing but what is acknowledged stands.
    pub index_reopened: bool,
    /// So are the issues of these users.
    pub people_reopened: BTreeSet<Person>,
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
    /// The rules whose evidence could not be had this time: nothing is closed on the strength of it.
    pub incomplete: BTreeSet<(AccountId, Rule)>,
    /// Accounts that the queue state knows and this run did not audit.
    pub unaudited: BTreeSet<AccountId>,
    /// Accounts that are no longer audited, on purpose.
    pub former_accounts: BTreeSet<AccountId>,
}

/// The evidence of the audits is older than what the queue knows already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the evidence in the audit of account {account} is of {at}, and the queue knows of a newer \
     one, of {newest}"
)]
pub struct OlderThanMemory {
    /// The account.
    pub account: AccountId,
    /// The date of the audit's evidence.
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
    let unaudited = unaudited(observation, &memory);
    let at = observation.accounts.values().map(|it| it.at).max().unwrap_or_default();
    let mut ledger = Ledger {
        memory,
        at,
        new: Vec::new(),
        returned: Vec::new(),
        overdue: Vec::new(),
        cleared: Vec::new(),
        excused: Vec::new(),
        incomplete: incomplete(observation),
        unaudited,
        former_accounts: observation.former_accounts.clone(),
    };
    ledger.acknowledge(closures);
    ledger.take_in(observation, today);
    ledger.settle_absent(observation, today);
    ledger.settle_former_accounts(today);
    ledger.note_belongings(observation);
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

fn incomplete(observation: &Observation) -> BTreeSet<(AccountId, Rule)> {
    let of_account = |(account, audited): (&AccountId, &Audited)| {
        let incomplete = audited.coverage.iter().filter(|(_, it)| **it == Coverage::Incomplete);
        incomplete.map(|(rule, _)| (*account, *rule)).collect::<Vec<_>>()
    };
    observation.accounts.iter().flat_map(of_account).collect()
}

/// The longest disuse first; the rest makes the order total.
fn order<'a>(entries: &'a BTreeMap<Fingerprint, Entry>, id: &'a Fingerprint) -> impl Ord + use<'a> {
    let date = entries.get(id).and_then(|entry| entry.matter.reference).map(|(_, date)| date);
    (date.is_none(), date, id)
}

fn refuse_older(memory: &Memory, observation: &Observation) -> Result<(), OlderThanMemory> {
    for (account, audited) in &observation.accounts {
        match memory.audited.get(account) {
            Some(newest) if *newest > audited.evidence_at => {
                let at = audited.evidence_at;
                return Err(OlderThanMemory { account: *account, at, newest: *newest });
            }
            _ => {}
        }
    }
    Ok(())
}

impl Ledger {
    /// What was listed when a person closed the issue as not planned is acknowledged, until a person
    /// opens the issue again.
    fn acknowledge(&mut self, closures: &Closures) {
        for entry in self.memory.entries.values_mut() {
            let person = person_of(&entry.matter);
            let State::Open { since, acknowledged, .. } = &mut entry.state else { continue };
            let listed = |closed: &DateTime<Utc>| *since <= closed.date_naive();
            let by_person = closures.people.get(&person).is_some_and(listed);
            let by_index = closures.index.as_ref().is_some_and(listed);
            let reopened = closures.index_reopened || closures.people_reopened.contains(&person);
            *acknowledged = by_person || (!reopened && (*acknowledged || by_index));
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
                // By which terms it was found is forgotten, and other terms may not show it.
                (Absence::Remedied, State::NotCounted { .. })
                    if !counts_days(entry.matter.rule) => {}
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

    /// What was found in a former account is not counted any more, and not waited for.
    fn settle_former_accounts(&mut self, today: NaiveDate) {
        for (id, entry) in &mut self.memory.entries {
            let is_former = self.former_accounts.contains(&entry.matter.account);
            let is_settled =
                matches!(entry.state, State::Cleared { .. } | State::NotCounted { .. });
            if !is_former || is_settled {
                continue;
            }
            if entry.open_since().is_some() {
                self.excused.push(*id);
            }
            entry.state = State::NotCounted { since: today };
        }
        self.memory.observed.retain(|(account, _), _| !self.former_accounts.contains(account));
    }

    /// Whether nothing is missing, and nothing is looked away from, so that a queue in which nothing
    /// is open is done.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let is_ignored = |entry: &Entry| {
            entry.is_not_counted() && !self.former_accounts.contains(&entry.matter.account)
        };
        self.incomplete.is_empty()
            && self.unaudited.is_empty()
            && !self.memory.entries.values().any(is_ignored)
    }

    /// What a user has is known as it was seen last, and of interest while something stands.
    fn note_belongings(&mut self, observation: &Observation) {
        let belongings = &mut self.memory.belongings;
        for seen in observation.findings.values() {
            let person = person_of(&seen.matter);
            match &seen.belongings {
                Some(has) => belongings.insert(person, has.clone()),
                None => belongings.remove(&person),
            };
        }
        let open: BTreeSet<_> =
            self.memory.open().map(|(_, entry)| person_of(&entry.matter)).collect();
        self.memory.belongings.retain(|person, _| open.contains(person));
    }

    fn note_observed(&mut self, observation: &Observation) {
        for (account, audited) in &observation.accounts {
            let newest = self.memory.audited.entry(*account).or_insert(audited.evidence_at);
            // Evidence whose age is a problem must not outdate other evidence.
            if audited.age_problem.is_none() {
                *newest = audited.evidence_at;
            }
            if let Some(alias) = &audited.alias {
                self.memory.aliases.insert(*account, alias.clone());
            }
            for rule in Rule::ALL {
                let complete = audited.coverage.get(&rule).is_some_and(|it| it.is_whole());
                if complete {
                    let observed =
                        Observed { at: audited.evidence_at, terms: audited.terms_of(rule) };
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
            let State::Open { acknowledged, overdue_told, .. } = &mut entry.state else { continue };
            // What is acknowledged is overdue too, and nobody wants to hear of it.
            if is_overdue && !*overdue_told && !*acknowledged {
                self.overdue.push(*id);
            }
            // It may have got more time since it was told.
            *overdue_told = is_overdue;
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
        // Nobody knows: it stays what it was, and as it was seen when it could be judged.
        if seen.status == Status::Unknown {
            return None;
        }
        self.matter = seen.matter.clone();
        if seen.level >= Level::Warning {
            self.level = seen.level;
        }
        let state = match (seen.status, self.state) {
            (Status::Exempted, State::Exempted { .. }) => return None,
            (Status::Exempted, _) => State::Exempted { since: today },
            (_, State::Open { .. }) if seen.needs_remedy() => return None,
            _ if seen.needs_remedy() => opened(today),
            (_, State::NotCounted { .. }) => return None,
            _ => State::NotCounted { since: today },
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
