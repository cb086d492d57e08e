//! What the queue knows of each finding, and how it is kept in the queue's issue.
//!
//! It is untrusted input: whoever may edit issues can edit it. What does not check is damaged, and
//! damaged is neither "all new" nor "none".

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::observation::Matter;
use super::progress::{self, Belongings, Progress};
use crate::inventory::{AccountId, CredentialKind};
use crate::judge::{Fingerprint, Reference};
use crate::policy::{Level, Rule, hex16};

/// The most that a memory may unpack to, in bytes: many times what 100 accounts would fill.
const LARGEST: usize = 64 * 1024 * 1024;
/// How long a finding that is no longer open is remembered.
const KEPT_DAYS: u64 = 180;

/// What the queue knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Counts the times that it was written.
    pub generation: u64,
    /// The day that the line "last checked" names.
    pub checked: NaiveDate,
    /// The accounts' aliases, where they are known.
    pub aliases: BTreeMap<AccountId, String>,
    /// When the newest audit of each account was made.
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

/// Why a memory cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The issue has no memory.
    #[error("the issue holds no memory")]
    Missing,
    /// Its first line is none that was written by this program.
    #[error("the line before the memory is damaged")]
    Header,
    /// A comment that holds a part of it is gone or is another's.
    #[error("part {0} of the memory is missing")]
    Part(usize),
    /// Text and checksum do not fit each other.
    #[error("the memory's checksum does not fit")]
    Checksum,
    /// It is no memory.
    #[error("the memory cannot be unpacked")]
    Unreadable,
    /// A newer version of this program has written it.
    #[error("the memory is of version {0}, which this version does not know")]
    Version(u32),
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

/// The name of a queue: several may share a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueName(String);

/// A text that names no queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a queue's name has 1 to 40 lower-case letters, digits and single dashes between them")]
pub struct InvalidQueueName;

impl std::str::FromStr for QueueName {
    type Err = InvalidQueueName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let of_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        // Two dashes would end the comment of the marker that it stands in.
        let valid = (1..=40).contains(&text.len())
            && text.split('-').all(|word| !word.is_empty() && word.bytes().all(of_word));
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidQueueName) }
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
