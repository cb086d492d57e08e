//! What is said on a pull request: what is new, what is known, and what it does to the allowlist.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use super::gate::{Gate, Standing};
use super::markers;
use super::memory::{Memory, QueueName};
use super::observation::Observation;
use super::view::Row;
use crate::inventory::AccountId;
use crate::judge::{Coverage, Fingerprint, Status};
use crate::policy::{Policy, Rule};
use crate::report::{Language, Page, Plain, TemplateError, page};

/// The most rows of each list.
const MOST_ROWS: usize = 50;
/// After how many days without a sign of life the queue's schedule counts as dead.
const DEAD_DAYS: i64 = 8;

/// What a pull request changes about the findings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proposal {
    /// Open without it, exempted with it.
    pub exempts: BTreeSet<Fingerprint>,
    /// Exempted without it, open with it.
    pub uncovers: BTreeSet<Fingerprint>,
    /// Where it would have the policy ask for less: not heeded in this run.
    pub loosens: Vec<Loosening>,
}

/// A place in which the head's policy asks for less than the base's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loosening {
    /// What is changed: the key of the allowlist's policy, or the rule.
    pub what: String,
    /// As the base has it.
    pub from: String,
    /// As the head has it.
    pub to: String,
}

impl Proposal {
    /// Compares the same evidence judged by the base's exemptions and by the head's.
    #[must_use]
    pub fn of(base: &Observation, head: &Observation, loosens: Vec<Loosening>) -> Self {
        let status =
            |observation: &Observation, id| observation.findings.get(id).map(|seen| seen.status);
        let turned = |from: Status, to: Status| {
            let ids = head
                .findings
                .keys()
                .filter(|id| status(base, id) == Some(from) && status(head, id) == Some(to));
            ids.copied().collect()
        };
        Self {
            exempts: turned(Status::Open, Status::Exempted),
            uncovers: turned(Status::Exempted, Status::Open),
            loosens,
        }
    }
}

/// The stricter of two policies, and where the head's is the looser one.
#[must_use]
pub fn stricter(base: &Policy, head: &Policy) -> (Policy, Vec<Loosening>) {
    let mut loosens = Vec::new();
    let mut note = |what: &str, from: String, to: String| {
        loosens.push(Loosening { what: what.to_owned(), from, to });
    };
    for (what, from, to) in [
        ("stale_after_days", base.stale_after_days, head.stale_after_days),
        ("max_exemption_days", base.max_exemption_days, head.max_exemption_days),
    ] {
        if to > from {
            note(what, from.to_string(), to.to_string());
        }
    }
    if base.expiry_tag.is_some() && base.expiry_tag != head.expiry_tag {
        let text = |tag: &Option<String>| tag.clone().unwrap_or_default();
        note("expiry_tag", text(&base.expiry_tag), text(&head.expiry_tag));
    }
    for rule in Rule::ALL {
        if head.level(rule) < base.level(rule) {
            note(rule.id(), base.level(rule).to_string(), head.level(rule).to_string());
        }
    }
    (base.stricter(head), loosens)
}

/// What the comment is made of.
#[derive(Debug)]
pub struct Comment<'a> {
    /// Which queue.
    pub queue: &'a QueueName,
    /// What was seen.
    pub observation: &'a Observation,
    /// What the queue knows; `None` where there is none.
    pub memory: Option<&'a Memory>,
    /// The queue's index, as GitHub links it from here.
    pub index: Option<Plain>,
    /// What the pull request changes.
    pub proposal: &'a Proposal,
    /// Its findings by what the queue knows of them.
    pub standing: &'a Standing,
    /// What the gate says.
    pub gate: Gate,
    /// The day of the run.
    pub today: NaiveDate,
    /// The allowlist's path.
    pub allowlist: Option<&'a str>,
    /// The page of the run.
    pub run: Option<Plain>,
    /// Whether names may be named.
    pub names: bool,
}

#[derive(Debug, Serialize)]
struct View {
    gate: &'static str,
    new: List,
    known: List,
    uncovers: List,
    exempts: List,
    loosens: Vec<Loosening>,
    overdue: usize,
    has_queue: bool,
    index: Option<Plain>,
    /// The day on which the queue was last checked, if that is too long ago.
    dead_since: Option<Plain>,
    is_incomplete: bool,
    /// What is incomplete, where it may be named.
    incomplete: Vec<Incomplete>,
    allowlist: Option<String>,
    run: Option<Plain>,
    names: bool,
}

#[derive(Debug, Serialize)]
struct List {
    count: usize,
    rows: Vec<Row>,
    left_out: usize,
}

#[derive(Debug, Serialize)]
struct Incomplete {
    account: Plain,
    rules: Vec<Plain>,
}

impl Comment<'_> {
    /// Whether there is anything to say but that all is well.
    #[must_use]
    pub fn has_something_to_say(&self) -> bool {
        !self.standing.new.is_empty()
            || self.gate == Gate::Failed
            || self.memory.is_none()
            || self.observation.is_incomplete()
            || *self.proposal != Proposal::default()
    }

    /// The comment's body.
    ///
    /// # Errors
    /// [`TemplateError`] when the page cannot be rendered.
    pub fn body(&self, language: Language) -> Result<String, TemplateError> {
        let text = page(Page::PullRequest, language, self.view())?;
        Ok(format!("{}\n{}", markers::pull_request(self.queue), text.trim_end()))
    }

    fn view(&self) -> View {
        let new: BTreeSet<_> = self.standing.new.iter().copied().collect();
        let open = self.standing.open.iter().copied();
        let known: Vec<_> =
            open.filter(|id| !new.contains(id) && !self.proposal.uncovers.contains(id)).collect();
        let checked = self.memory.map(|memory| memory.checked);
        let dead = checked.filter(|day| (self.today - *day).num_days() > DEAD_DAYS);
        View {
            gate: self.gate.id(),
            new: self.list(new),
            known: self.list(known),
            uncovers: self.list(self.proposal.uncovers.iter().copied()),
            exempts: self.list(self.proposal.exempts.iter().copied()),
            loosens: self.proposal.loosens.clone(),
            overdue: self.standing.overdue,
            has_queue: self.memory.is_some(),
            index: self.index.clone(),
            dead_since: dead.map(Plain::day),
            is_incomplete: self.observation.is_incomplete(),
            incomplete: if self.names { self.incomplete() } else { Vec::new() },
            allowlist: self.allowlist.map(str::to_owned),
            run: self.run.clone(),
            names: self.names,
        }
    }

    /// The longest disuse first.
    fn list(&self, ids: impl IntoIterator<Item = Fingerprint>) -> List {
        let seen = |id| Some((id, self.observation.findings.get(&id)?));
        let mut found: Vec<_> = ids.into_iter().filter_map(seen).collect();
        found.sort_by_key(|(id, seen)| {
            let date = seen.matter.reference.map(|(_, at)| at);
            (date.is_none(), date, *id)
        });
        let count = found.len();
        let most = if self.names { MOST_ROWS } else { 0 };
        let row = |(id, seen): &(Fingerprint, &super::observation::Seen)| {
            Row::of(*id, &seen.matter, seen.level)
        };
        let rows: Vec<_> = found.iter().take(most).map(row).collect();
        List { count, left_out: count - rows.len(), rows }
    }

    fn incomplete(&self) -> Vec<Incomplete> {
        let mut incomplete: BTreeMap<AccountId, Vec<Plain>> = BTreeMap::new();
        for (account, audited) in &self.observation.accounts {
            for (rule, coverage) in &audited.coverage {
                if *coverage == Coverage::Incomplete {
                    incomplete.entry(*account).or_default().push(Plain::rule(*rule));
                }
            }
        }
        let view = |(account, rules)| Incomplete { account: Plain::account(account), rules };
        incomplete.into_iter().map(view).collect()
    }
}
