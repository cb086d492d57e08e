//! What is said on a pull request: what is new, what is known, and what it does to the allowlist.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use super::gate::{AccountList, Gate, Standing};
use super::markers;
use super::memory::{Entry, Memory, QueueName};
use super::observation::{Observation, Seen};
use super::plan::LONGEST_BODY;
use super::room::fitting;
use super::view::Row;
use crate::allowlist::FormerAccount;
use crate::audit::{Coverage, Fingerprint, Status};
use crate::model::inventory::AccountId;
use crate::model::policy::remediation::RemediationPolicy;
use crate::model::policy::{Level, Policy, Rule};
use crate::report::{Language, Page, Plain, TemplateError, page};

/// The most rows of each list.
const MOST_ROWS: usize = 50;
/// After how many days without a sign of life the queue's schedule counts as dead.
const DEAD_DAYS: i64 = 8;
/// The most characters of a list of owners or paths: the file may name any number of them.
const MOST_OF_A_LIST: usize = 400;

/// What a pull request changes about the findings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proposal {
    /// Open without it, exempted with it.
    pub exempts: BTreeSet<Fingerprint>,
    /// Open with it, and without it exempted or not counted: it removes an exemption, or its policy
    /// is stricter.
    pub uncovers: BTreeSet<Fingerprint>,
    /// Open only by the older policy of the commit that it branched off from: merging it does not
    /// bring them.
    pub outdated: BTreeSet<Fingerprint>,
    /// Where it would have the policy ask for less: not heeded in this run.
    pub loosens: Vec<PolicyChange>,
    /// What it changes about the remedy, to the looser or the stricter: this run remedies nothing.
    pub remedy: Vec<PolicyChange>,
    /// Accounts that it declares to be no longer audited.
    pub drops: Vec<FormerAccount>,
    /// What it was compared with.
    pub compared: Compared,
}

/// What a proposal's allowlist was compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compared {
    /// The earlier allowlist, or the defaults where there was none.
    #[default]
    Earlier,
    /// The defaults: the earlier allowlist is broken.
    Defaults,
    /// Nothing: the earlier allowlist could not be read.
    Nothing,
    /// Nothing: the allowlist is in another repository, so that the proposal does not change it.
    Elsewhere,
}

impl Compared {
    const fn id(self) -> &'static str {
        match self {
            Self::Earlier => "earlier",
            Self::Defaults => "defaults",
            Self::Nothing => "nothing",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// A place in which the head's policy is another than the base's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyChange {
    /// What is changed: the key of the allowlist's policy, or the rule.
    pub what: String,
    /// As the base has it; empty where it has none.
    pub from: String,
    /// As the head has it; empty where it has none.
    pub to: String,
}

impl Proposal {
    /// Compares the same evidence judged by the earlier allowlists, each with its own policy, and as
    /// this run judges it. Only what no earlier allowlist has is the proposal's own doing. What the
    /// queue would not hold anyway is left out.
    #[must_use]
    pub fn comparing(self, earlier: &[Observation], head: &Observation) -> Self {
        let status = |observation: &Observation, id: &Fingerprint| {
            let seen = observation.findings.get(id);
            seen.filter(|seen| seen.level >= Level::Warning).map(|seen| seen.status)
        };
        let turned = |to: Status, from: &[Option<Status>]| -> BTreeSet<Fingerprint> {
            let was = |id: &Fingerprint| earlier.iter().all(|it| from.contains(&status(it, id)));
            let is_turned = |id: &&Fingerprint| status(head, id) == Some(to) && was(id);
            head.findings.keys().filter(is_turned).copied().collect()
        };
        if earlier.is_empty() {
            return self;
        }
        Self {
            exempts: turned(Status::Exempted, &[Some(Status::Open)]),
            uncovers: turned(Status::Open, &[Some(Status::Exempted), None]),
            ..self
        }
    }

    /// Sets apart what is open in this run, and neither by the head's own allowlist and policy nor by
    /// the tip's. What the proposal uncovers is said of those findings anyway.
    #[must_use]
    pub fn without_outdated(
        self,
        own: &Observation,
        tip: &Observation,
        judged: &Observation,
    ) -> Self {
        let is_open = |observation: &Observation, id: &Fingerprint| {
            observation.findings.get(id).is_some_and(Seen::needs_remedy)
        };
        // Nobody knows of a finding whose evidence is missing.
        let is_unknown = |observation: &Observation, id: &Fingerprint| {
            observation.findings.get(id).is_some_and(|seen| seen.status == Status::Unknown)
        };
        let is_outdated = |id: &&Fingerprint| {
            is_open(judged, id)
                && ![own, tip].iter().any(|it| is_open(it, id) || is_unknown(it, id))
                && !self.uncovers.contains(*id)
        };
        let outdated = judged.findings.keys().filter(is_outdated).copied().collect();
        Self { outdated, ..self }
    }

    /// The findings that do not count as new though the queue does not hold them.
    #[must_use]
    pub fn not_new(&self) -> BTreeSet<Fingerprint> {
        self.uncovers.union(&self.outdated).copied().collect()
    }

    /// Whether there is nothing to say about what it changes.
    fn is_quiet(&self) -> bool {
        let compared = match self.compared {
            // It says the same about every pull request.
            Compared::Elsewhere => Compared::Earlier,
            compared => compared,
        };
        Self { compared, ..self.clone() } == Self::default()
    }
}

/// The stricter of two policies, and where the head's is the looser one.
#[must_use]
pub fn stricter(base: &Policy, head: &Policy) -> (Policy, Vec<PolicyChange>) {
    let mut loosens = Vec::new();
    let mut note = |what: &str, from: String, to: String| {
        loosens.push(PolicyChange { what: what.to_owned(), from, to });
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

/// What a head changes about the remedy, key by key; where the file says nothing of it, no key has a
/// value. Whose users are remedied is named only if `names` may be.
#[must_use]
pub fn remedy_changes(
    base: Option<&RemediationPolicy>,
    head: Option<&RemediationPolicy>,
    names: bool,
) -> Vec<PolicyChange> {
    let written = |policy: Option<&RemediationPolicy>| policy.map(written).unwrap_or_default();
    let (base, head) = (written(base), written(head));
    let keys: BTreeSet<&str> = base.keys().chain(head.keys()).copied().collect();
    let text = |policy: &BTreeMap<&str, String>, key| {
        let text = policy.get(key).cloned().unwrap_or_default();
        let is_name = ["owners", "paths"].contains(&key) && !text.is_empty();
        if is_name && !names { "…".to_owned() } else { cut(&text) }
    };
    keys.into_iter()
        .filter(|key| base.get(key) != head.get(key))
        .map(|key| PolicyChange {
            what: key.to_owned(),
            from: text(&base, key),
            to: text(&head, key),
        })
        .collect()
}

/// The beginning of a text of which there may be any amount.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_OF_A_LIST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The keys of the remedy that have a value, as the allowlist file has them.
fn written(policy: &RemediationPolicy) -> BTreeMap<&'static str, String> {
    // Every field is named, so that a new one cannot be changed unsaid.
    let RemediationPolicy {
        deactivate_after_days,
        delete_after_days,
        delete_passwords,
        delete_users,
        max_changes,
        max_share,
        max_gap_days,
        owners,
        paths,
        rules,
    } = policy;
    let paths: Vec<_> = paths.iter().map(ToString::to_string).collect();
    let values = [
        ("deactivate_after_days", deactivate_after_days.to_string()),
        ("delete_after_days", delete_after_days.map(|it| it.to_string()).unwrap_or_default()),
        ("delete_passwords", delete_passwords.to_string()),
        ("delete_users", delete_users.to_string()),
        ("max_changes", max_changes.to_string()),
        ("max_share", max_share.to_string()),
        ("max_gap_days", max_gap_days.to_string()),
        ("owners", owners.join(", ")),
        ("paths", paths.join(", ")),
        ("rules", rules.iter().map(|rule| rule.id()).collect::<Vec<_>>().join(", ")),
    ];
    values.into_iter().filter(|(_, text)| !text.is_empty()).collect()
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
    /// Accounts that the queue knows and this run did not audit.
    pub unaudited: &'a BTreeSet<AccountId>,
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
    /// Of level error, and not held by the queue.
    new: List,
    /// The others that the queue does not hold.
    warnings: List,
    known: List,
    uncovers: List,
    outdated: List,
    exempts: List,
    loosens: Vec<PolicyChange>,
    remedy: Vec<PolicyChange>,
    drops: DropList,
    compared: &'static str,
    /// Findings that stand.
    open: usize,
    errors: usize,
    overdue: usize,
    overdue_errors: usize,
    has_queue: bool,
    index: Option<Plain>,
    /// The day on which the queue was last checked, if that is too long ago.
    dead_since: Option<Plain>,
    incomplete: IncompleteList,
    unaudited: AccountList,
    allowlist: Option<String>,
    run: Option<Plain>,
    /// Whether names may be named.
    names: bool,
}

#[derive(Debug, Serialize)]
struct List {
    count: usize,
    rows: Vec<Row>,
    left_out: usize,
}

#[derive(Debug, Serialize)]
struct DropList {
    /// How many accounts.
    count: usize,
    rows: Vec<Dropped>,
    left_out: usize,
}

#[derive(Debug, Serialize)]
struct Dropped {
    account: Plain,
    reason: String,
    owner: String,
}

#[derive(Debug, Serialize)]
struct IncompleteList {
    /// How many accounts.
    count: usize,
    rows: Vec<Incomplete>,
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
            || self.dead_since().is_some()
            || self.observation.is_incomplete()
            || !self.unaudited.is_empty()
            || !self.proposal.is_quiet()
    }

    /// The comment's body.
    ///
    /// # Errors
    /// [`TemplateError`] when the page cannot be rendered.
    pub fn body(&self, language: Language) -> Result<String, TemplateError> {
        let marker = markers::pull_request(self.queue);
        let most_rows = if self.names { MOST_ROWS } else { 0 };
        fitting(most_rows, LONGEST_BODY, |most_rows| {
            let text = page(Page::PullRequest, language, self.view(most_rows))?;
            Ok(format!("{marker}\n{}", text.trim_end()))
        })
    }

    /// The day on which the queue was last checked, if that is too long ago.
    fn dead_since(&self) -> Option<NaiveDate> {
        let checked = self.memory.map(|memory| memory.checked);
        checked.filter(|day| (self.today - *day).num_days() > DEAD_DAYS)
    }

    /// Each list with at most so many rows.
    fn view(&self, most_rows: usize) -> View {
        let Self { standing, proposal, .. } = self;
        let not_new = proposal.not_new();
        let is_new = |id: &Fingerprint| !self.is_held(*id) && !not_new.contains(id);
        let of_warning = |id: &Fingerprint| !standing.new.contains(id);
        let open = || standing.open.iter().copied();
        View {
            gate: self.gate.id(),
            new: self.list(standing.new.iter().copied(), most_rows),
            // Without a queue nobody can tell.
            warnings: self.list(
                open().filter(|id| self.memory.is_some() && is_new(id) && of_warning(id)),
                most_rows,
            ),
            known: self.list(open().filter(|id| self.is_held(*id)), most_rows),
            uncovers: self.list(proposal.uncovers.iter().copied(), most_rows),
            outdated: self
                .list(proposal.outdated.iter().copied().filter(|id| !self.is_held(*id)), most_rows),
            exempts: self.list(proposal.exempts.iter().copied(), most_rows),
            loosens: proposal.loosens.clone(),
            remedy: proposal.remedy.clone(),
            drops: self.drops(most_rows),
            compared: proposal.compared.id(),
            open: standing.open.len(),
            errors: standing.errors,
            overdue: standing.overdue,
            overdue_errors: standing.overdue_errors,
            has_queue: self.memory.is_some(),
            index: self.index.clone(),
            dead_since: self.dead_since().map(Plain::day),
            incomplete: self.incomplete(most_rows),
            unaudited: AccountList::of(self.unaudited, self.names),
            allowlist: self.allowlist.map(str::to_owned),
            run: self.run.clone(),
            names: self.names,
        }
    }

    /// Whether the queue holds the finding, and this pull request does not bring it back.
    fn is_held(&self, id: Fingerprint) -> bool {
        self.open_entry(id).is_some() && !self.proposal.uncovers.contains(&id)
    }

    /// What the queue holds of a finding; `None` where it is not open there.
    fn open_entry(&self, id: Fingerprint) -> Option<&Entry> {
        let entry = self.memory?.entries.get(&id)?;
        entry.open_since().map(|_| entry)
    }

    fn drops(&self, most_rows: usize) -> DropList {
        let drops = &self.proposal.drops;
        let row = |former: &FormerAccount| Dropped {
            account: Plain::account(former.account),
            reason: cut(&former.reason),
            owner: cut(&former.owner),
        };
        let rows: Vec<_> = drops.iter().take(most_rows).map(row).collect();
        DropList { count: drops.len(), left_out: drops.len() - rows.len(), rows }
    }

    /// The longest disuse first.
    fn list(&self, ids: impl IntoIterator<Item = Fingerprint>, most_rows: usize) -> List {
        let seen = |id| Some((id, self.observation.findings.get(&id)?));
        let mut found: Vec<_> = ids.into_iter().filter_map(seen).collect();
        found.sort_by_key(|(id, seen)| {
            let date = seen.matter.reference.map(|(_, at)| at);
            (date.is_none(), date, *id)
        });
        let row = |(id, seen): &(Fingerprint, &Seen)| match self.open_entry(*id) {
            Some(entry) => Row::known(*id, seen, entry),
            None => Row::of(*id, &seen.matter, seen.level),
        };
        let rows: Vec<_> = found.iter().take(most_rows).map(row).collect();
        List { count: found.len(), left_out: found.len() - rows.len(), rows }
    }

    fn incomplete(&self, most_rows: usize) -> IncompleteList {
        let mut incomplete: BTreeMap<AccountId, Vec<Plain>> = BTreeMap::new();
        for (account, audited) in &self.observation.accounts {
            for (rule, coverage) in &audited.coverage {
                if *coverage == Coverage::Incomplete {
                    incomplete.entry(*account).or_default().push(Plain::rule(*rule));
                }
            }
        }
        let count = incomplete.len();
        let view = |(account, rules)| Incomplete { account: Plain::account(account), rules };
        let rows: Vec<_> = incomplete.into_iter().take(most_rows).map(view).collect();
        IncompleteList { count, left_out: count - rows.len(), rows }
    }
}
