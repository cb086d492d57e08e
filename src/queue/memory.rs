//! What the queue knows of each finding, and how it is kept in the queue's issue.
//!
//! It is untrusted input: whoever may edit issues can edit it. What does not check is damaged, and
//! damaged is neither "all new" nor "none".

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::bounds::{LONGEST_TEXT, LONGEST_USER};
pub use super::damage::Damage;
use super::observation::Matter;
use super::progress::{self, Belongings, Progress};
pub use super::queue_name::{InvalidQueueName, QueueName};
use crate::audit::{Fingerprint, Reference};
use crate::model::inventory::{AccountId, CredentialKind};
use crate::model::policy::{Level, Rule, hex16};

/// The most that a memory may unpack to, in bytes: many times what 100 accounts would fill.
const LARGEST: usize = 64 * 1024 * 1024;
/// The most names of a kind that a memory holds of a user.
const MOST_NAMES: usize = super::progress::MOST_NAMES;
/// The highest generation: more than a memory can reach by being written.
const LAST_GENERATION: u64 = 1 << 53;
/// How long a finding that is no longer open is remembered.
const KEPT_DAYS: u64 = 180;

/// What the queue knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Counts the times that it was written.
    pub generation: u64,
    /// The number of the issue that it belongs to; `None` before its first generation.
    pub issue: Option<u64>,
    /// The page of the run that wrote it; `None` where it was no workflow run.
    pub run: Option<String>,
    /// The day that the line "last checked" names.
    pub checked: NaiveDate,
    /// The accounts' aliases, where they are known.
    pub aliases: BTreeMap<AccountId, String>,
    /// The date of each account's newest evidence.
    pub audited: BTreeMap<AccountId, DateTime<Utc>>,
    /// When each rule was last observed completely in each account.
    pub observed: BTreeMap<(AccountId, Rule), Observed>,
    /// Every finding that the queue has held.
    pub entries: BTreeMap<Fingerprint, Entry>,
    /// What the users have against whom something stands, where it was looked at: by account, and
    /// name in lower case.
    pub belongings: BTreeMap<(AccountId, String), Belongings>,
}

/// A complete observation of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// When.
    pub at: DateTime<Utc>,
    /// What of the policy decided about the rule.
    pub terms: String,
}

/// What is known of one finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is about, as it was last seen.
    pub matter: Matter,
    /// The rule's level when it was last seen.
    pub level: Level,
    /// The day on which the queue first held it.
    pub first_seen: NaiveDate,
    /// What has become of it.
    pub state: State,
}

/// What has become of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It stands.
    Open {
        /// Since when, without a break.
        since: NaiveDate,
        /// A person closed the issue over it as not planned.
        acknowledged: bool,
        /// It is overdue, and that was told.
        overdue_told: bool,
    },
    /// An exemption covers it.
    Exempted {
        /// The day on which that was first seen.
        since: NaiveDate,
    },
    /// It was remedied.
    Cleared {
        /// The day on which that was first seen.
        on: NaiveDate,
    },
    /// The policy asks for it no longer.
    NotCounted {
        /// The day on which that was first seen.
        since: NaiveDate,
    },
}

impl Entry {
    /// Since when it stands; `None` where it does not.
    #[must_use]
    pub const fn open_since(&self) -> Option<NaiveDate> {
        match self.state {
            State::Open { since, .. } => Some(since),
            _ => None,
        }
    }

    /// Whether it stands, and nobody has closed the issue over it as not planned.
    #[must_use]
    pub const fn calls_for_action(&self) -> bool {
        matches!(self.state, State::Open { acknowledged: false, .. })
    }

    /// Whether the policy asks for it no longer, and nobody knows what has become of it.
    #[must_use]
    pub const fn is_not_counted(&self) -> bool {
        matches!(self.state, State::NotCounted { .. })
    }

    /// The last day on which it is not overdue.
    #[must_use]
    pub fn due(&self, remedy_within_days: u32) -> Option<NaiveDate> {
        self.open_since()?.checked_add_days(Days::new(remedy_within_days.into()))
    }

    fn is_forgotten(&self, today: NaiveDate) -> bool {
        match self.state {
            State::Open { .. } | State::Exempted { .. } => false,
            State::Cleared { on: day } | State::NotCounted { since: day } => {
                // Whoever edits the issue may have written any year.
                day.checked_add_days(Days::new(KEPT_DAYS)).is_some_and(|last| last < today)
            }
        }
    }
}

impl Memory {
    /// A memory of nothing.
    #[must_use]
    pub const fn new(today: NaiveDate) -> Self {
        Self {
            generation: 0,
            issue: None,
            run: None,
            checked: today,
            aliases: BTreeMap::new(),
            audited: BTreeMap::new(),
            observed: BTreeMap::new(),
            entries: BTreeMap::new(),
            belongings: BTreeMap::new(),
        }
    }

    /// The findings that stand.
    pub fn open(&self) -> impl Iterator<Item = (&Fingerprint, &Entry)> {
        self.entries.iter().filter(|(_, entry)| entry.open_since().is_some())
    }

    /// The findings that are overdue on a day.
    pub fn overdue(
        &self,
        remedy_within_days: u32,
        today: NaiveDate,
    ) -> impl Iterator<Item = (&Fingerprint, &Entry)> {
        self.entries
            .iter()
            .filter(move |(_, entry)| entry.due(remedy_within_days).is_some_and(|due| due < today))
    }

    /// Whether something stands, and a person has closed the issue over all of it as not planned.
    #[must_use]
    pub fn is_set_aside(&self) -> bool {
        let mut open = self.open().peekable();
        open.peek().is_some() && open.all(|(_, entry)| !entry.calls_for_action())
    }

    /// Whether it says the same as another, but for the moments of observations that go on as
    /// before: those alone are no reason to write.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let terms = |memory: &Self| -> Vec<_> {
            memory.observed.iter().map(|(key, it)| (*key, it.terms.clone())).collect()
        };
        self.entries == other.entries
            && self.aliases == other.aliases
            && self.belongings == other.belongings
            && terms(self) == terms(other)
    }

    /// Makes it the next generation.
    pub fn advance_generation(&mut self) {
        // Reading refuses generations that are near the end.
        self.generation = self.generation.saturating_add(1);
    }

    /// Whether it can be read again once it is written: its texts are bounded where they come from,
    /// and together they must not exceed what is unpacked.
    #[must_use]
    pub fn fits(&self) -> bool {
        let written = Written::from(self);
        let is_small = serde_json::to_vec(&written).is_ok_and(|json| json.len() <= LARGEST);
        is_small && written.is_bounded()
    }

    /// Leaves out what was settled long ago.
    pub fn forget(&mut self, today: NaiveDate) {
        self.entries.retain(|_, entry| !entry.is_forgotten(today));
    }

    /// Packs it into text of the base64 alphabet.
    #[must_use]
    pub fn pack(&self) -> Packed {
        let written = Written::from(self);
        // Structs of texts and numbers, which always can be written.
        let json = serde_json::to_vec(&written).unwrap_or_default();
        let text = STANDARD.encode(miniz_oxide::deflate::compress_to_vec_zlib(&json, 9));
        Packed { generation: self.generation, sum: sum(&text), text }
    }

    /// Unpacks what [`Memory::pack`] packed.
    ///
    /// # Errors
    /// [`Damage`] when it is anything else.
    pub fn unpack(packed: &Packed) -> Result<Self, Damage> {
        if sum(&packed.text) != packed.sum {
            return Err(Damage::Checksum);
        }
        let zlib = STANDARD.decode(&packed.text).map_err(|_| Damage::Unreadable)?;
        let json = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&zlib, LARGEST)
            .map_err(|_| Damage::Unreadable)?;
        let version: Version = serde_json::from_slice(&json).map_err(|_| Damage::Unreadable)?;
        if version.v != VERSION {
            return Err(Damage::Version(version.v));
        }
        let written: Written = serde_json::from_slice(&json).map_err(|_| Damage::Unreadable)?;
        if !written.is_bounded() {
            return Err(Damage::Unbounded);
        }
        if written.generation > LAST_GENERATION {
            return Err(Damage::Generation(written.generation));
        }
        let memory = written.read().ok_or(Damage::Unreadable)?;
        // Old text under a new number would bring back what was settled.
        if memory.generation == packed.generation { Ok(memory) } else { Err(Damage::Checksum) }
    }
}

/// A memory as text, with what tells whether it is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The memory's generation.
    pub generation: u64,
    /// Sixteen hex digits over the text.
    pub sum: String,
    /// The text: letters, digits, `+`, `/` and `=`.
    pub text: String,
}

fn sum(text: &str) -> String {
    hex16(&Sha256::digest(text.as_bytes()))
}

const VERSION: u32 = 1;

#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// A memory as JSON: short names, since it is packed into an issue.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    v: u32,
    generation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issue: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    checked: NaiveDate,
    aliases: BTreeMap<String, String>,
    audited: BTreeMap<String, i64>,
    observed: Vec<WrittenObserved>,
    entries: Vec<WrittenEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    users: Vec<WrittenUser>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUser {
    a: String,
    u: String,
    h: Belongings,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenObserved {
    a: String,
    r: String,
    at: i64,
    t: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEntry {
    id: String,
    a: String,
    u: String,
    r: String,
    l: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slot: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<(String, i64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    o: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<(String, NaiveDate)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<(String, NaiveDate)>,
    first: NaiveDate,
    s: WrittenState,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenState {
    Open(NaiveDate),
    Overdue(NaiveDate),
    Acknowledged(NaiveDate),
    AcknowledgedOverdue(NaiveDate),
    Exempted(NaiveDate),
    Cleared(NaiveDate),
    NotCounted(NaiveDate),
}

impl From<&Memory> for Written {
    fn from(memory: &Memory) -> Self {
        let observed = memory.observed.iter().map(|((account, rule), it)| WrittenObserved {
            a: account.to_string(),
            r: rule.to_string(),
            at: it.at.timestamp(),
            t: it.terms.clone(),
        });
        let alias = |(account, alias): (&AccountId, &String)| (account.to_string(), alias.clone());
        Self {
            v: VERSION,
            generation: memory.generation,
            issue: memory.issue,
            run: memory.run.clone(),
            checked: memory.checked,
            aliases: memory.aliases.iter().map(alias).collect(),
            audited: memory
                .audited
                .iter()
                .map(|(account, at)| (account.to_string(), at.timestamp()))
                .collect(),
            observed: observed.collect(),
            entries: memory.entries.iter().map(|(id, entry)| written_entry(*id, entry)).collect(),
            users: memory.belongings.iter().map(written_user).collect(),
        }
    }
}

fn written_user(((account, user), has): (&(AccountId, String), &Belongings)) -> WrittenUser {
    WrittenUser { a: account.to_string(), u: user.clone(), h: has.clone() }
}

fn written_entry(id: Fingerprint, entry: &Entry) -> WrittenEntry {
    let matter = &entry.matter;
    WrittenEntry {
        id: id.to_string(),
        a: matter.account.to_string(),
        u: matter.user.clone(),
        r: matter.rule.to_string(),
        l: entry.level.to_string(),
        k: matter.kind.map(|kind| kind.id().to_owned()),
        slot: matter.slot,
        end: matter.id_ending.clone(),
        reference: matter.reference.map(|(what, at)| (what.id().to_owned(), at.timestamp())),
        o: matter.owner.clone(),
        c: matter.progress.map(|it| (it.reached.id().to_owned(), it.since)),
        n: matter.progress.and_then(|it| it.next).map(|(stage, from)| (stage.to_string(), from)),
        first: entry.first_seen,
        s: match entry.state {
            State::Open { since, acknowledged, overdue_told } => match (acknowledged, overdue_told)
            {
                (false, false) => WrittenState::Open(since),
                (false, true) => WrittenState::Overdue(since),
                (true, false) => WrittenState::Acknowledged(since),
                (true, true) => WrittenState::AcknowledgedOverdue(since),
            },
            State::Exempted { since } => WrittenState::Exempted(since),
            State::Cleared { on } => WrittenState::Cleared(on),
            State::NotCounted { since } => WrittenState::NotCounted(since),
        },
    }
}

impl Written {
    /// Whether no text and no list is longer than any that is written.
    fn is_bounded(&self) -> bool {
        let of_entry = |entry: &WrittenEntry| {
            fits(&entry.u, LONGEST_USER)
                && [&entry.end, &entry.o].into_iter().flatten().all(|it| fits(it, LONGEST_TEXT))
        };
        let of_user = |user: &WrittenUser| {
            let Belongings { groups, attached_policies, inline_policies, .. } = &user.h;
            let names = [groups, attached_policies, inline_policies];
            fits(&user.u, LONGEST_USER)
                && names.iter().all(|it| {
                    it.names.len() <= MOST_NAMES && it.names.iter().all(|it| fits(it, LONGEST_TEXT))
                })
        };
        self.run.iter().chain(self.aliases.values()).all(|it| fits(it, LONGEST_TEXT))
            && self.observed.iter().all(|it| fits(&it.t, LONGEST_TEXT))
            && self.entries.iter().all(of_entry)
            && self.users.iter().all(of_user)
    }

    fn read(self) -> Option<Memory> {
        let observed = self.observed.into_iter().map(|it| {
            let at = DateTime::from_timestamp(it.at, 0)?;
            Some(((it.a.parse().ok()?, it.r.parse().ok()?), Observed { at, terms: it.t }))
        });
        let aliases = self.aliases.into_iter();
        let audited = self
            .audited
            .into_iter()
            .map(|(account, at)| Some((account.parse().ok()?, DateTime::from_timestamp(at, 0)?)));
        Some(Memory {
            generation: self.generation,
            issue: self.issue,
            run: self.run,
            checked: self.checked,
            aliases: aliases
                .map(|(account, alias)| Some((account.parse().ok()?, alias)))
                .collect::<Option<_>>()?,
            audited: audited.collect::<Option<_>>()?,
            observed: observed.collect::<Option<_>>()?,
            entries: self.entries.into_iter().map(WrittenEntry::read).collect::<Option<_>>()?,
            belongings: self
                .users
                .into_iter()
                .map(|it| Some(((it.a.parse().ok()?, it.u), it.h)))
                .collect::<Option<_>>()?,
        })
    }
}

impl WrittenEntry {
    fn read(self) -> Option<(Fingerprint, Entry)> {
        let open =
            |since, acknowledged, overdue_told| State::Open { since, acknowledged, overdue_told };
        let kind = match self.k {
            Some(kind) => Some(CredentialKind::from_id(&kind)?),
            None => None,
        };
        let reference = match self.reference {
            Some((what, at)) => {
                Some((Reference::from_id(&what)?, DateTime::from_timestamp(at, 0)?))
            }
            None => None,
        };
        let next = match self.n {
            Some((stage, from)) => Some((stage.parse().ok()?, from)),
            None => None,
        };
        let progress = match self.c {
            Some((what, since)) => {
                Some(Progress { reached: progress::reached(&what)?, since, next })
            }
            None => None,
        };
        let matter = Matter {
            account: self.a.parse().ok()?,
            user: self.u,
            rule: self.r.parse().ok()?,
            kind,
            slot: self.slot,
            id_ending: self.end,
            reference,
            owner: self.o,
            progress,
        };
        let state = match self.s {
            WrittenState::Open(since) => open(since, false, false),
            WrittenState::Overdue(since) => open(since, false, true),
            WrittenState::Acknowledged(since) => open(since, true, false),
            WrittenState::AcknowledgedOverdue(since) => open(since, true, true),
            WrittenState::Exempted(since) => State::Exempted { since },
            WrittenState::Cleared(on) => State::Cleared { on },
            WrittenState::NotCounted(since) => State::NotCounted { since },
        };
        let level = self.l.parse().ok()?;
        Some((self.id.parse().ok()?, Entry { matter, level, first_seen: self.first, state }))
    }
}

fn fits(text: &str, most: usize) -> bool {
    // No text has more characters than bytes.
    text.len() <= most || text.chars().nth(most).is_none()
}
