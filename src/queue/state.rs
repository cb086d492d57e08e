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

pub use super::invalid_state::InvalidQueueState;
use super::limits::{MAX_TEXT_CHARS, MAX_USER_NAME_CHARS};
use super::observation::FindingRef;
pub use super::queue_name::{InvalidQueueName, QueueName};
use super::remediation_progress::{RemediationProgress, UserResources};
use crate::audit::FindingId;
use crate::model::inventory::AccountId;
use crate::model::policy::{Level, Rule, hex16};

/// The most that a memory may unpack to, in bytes: many times what 100 accounts would fill.
const MAX_UNPACKED_BYTES: usize = 64 * 1024 * 1024;
/// The most names of a kind that a memory holds of a user.
const MAX_NAMES: usize = super::remediation_progress::MAX_NAMES;
/// The highest generation: more than a memory can reach by being written.
const MAX_GENERATION: u64 = 1 << 53;
/// How long a finding that is no longer open is remembered.
const RETENTION_DAYS: u64 = 180;

/// What the queue knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueState {
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
    pub observed: BTreeMap<(AccountId, Rule), RuleObservation>,
    /// Every finding that the queue has held.
    pub entries: BTreeMap<FindingId, QueueEntry>,
    /// What the users have against whom something stands, where it was looked at: by account, and
    /// name in lower case.
    pub user_resources: BTreeMap<(AccountId, String), UserResources>,
}

/// A complete observation of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleObservation {
    /// When.
    pub at: DateTime<Utc>,
    /// What of the policy decided about the rule.
    pub criteria: String,
}

/// What is known of one finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// What it is about, as it was last seen.
    pub finding: FindingRef,
    /// The rule's level when it was last seen.
    pub level: Level,
    /// The day on which the queue first held it.
    pub first_seen: NaiveDate,
    /// What has become of it.
    pub state: FindingState,
}

/// What has become of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingState {
    /// It stands.
    Open {
        /// Since when, without a break.
        since: NaiveDate,
        /// A person closed the issue over it as not planned.
        acknowledged: bool,
        /// It is overdue, and that was told.
        overdue_reported: bool,
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

impl QueueEntry {
    /// Since when it stands; `None` where it does not.
    #[must_use]
    pub const fn open_since(&self) -> Option<NaiveDate> {
        match self.state {
            FindingState::Open { since, .. } => Some(since),
            _ => None,
        }
    }

    /// Whether it stands, and nobody has closed the issue over it as not planned.
    #[must_use]
    pub const fn needs_action(&self) -> bool {
        matches!(self.state, FindingState::Open { acknowledged: false, .. })
    }

    /// Whether the policy asks for it no longer, and nobody knows what has become of it.
    #[must_use]
    pub const fn is_not_counted(&self) -> bool {
        matches!(self.state, FindingState::NotCounted { .. })
    }

    /// The last day on which it is not overdue.
    #[must_use]
    pub fn due(&self, due_within_days: u32) -> Option<NaiveDate> {
        self.open_since()?.checked_add_days(Days::new(due_within_days.into()))
    }

    fn is_past_retention(&self, today: NaiveDate) -> bool {
        match self.state {
            FindingState::Open { .. } | FindingState::Exempted { .. } => false,
            FindingState::Cleared { on: day } | FindingState::NotCounted { since: day } => {
                // Whoever edits the issue may have written any year.
                day.checked_add_days(Days::new(RETENTION_DAYS)).is_some_and(|last| last < today)
            }
        }
    }
}

impl QueueState {
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
            user_resources: BTreeMap::new(),
        }
    }

    /// The findings that stand.
    pub fn open(&self) -> impl Iterator<Item = (&FindingId, &QueueEntry)> {
        self.entries.iter().filter(|(_, entry)| entry.open_since().is_some())
    }

    /// The findings that are overdue on a day.
    pub fn overdue(
        &self,
        due_within_days: u32,
        today: NaiveDate,
    ) -> impl Iterator<Item = (&FindingId, &QueueEntry)> {
        self.entries
            .iter()
            .filter(move |(_, entry)| entry.due(due_within_days).is_some_and(|due| due < today))
    }

    /// Whether something stands, and a person has closed the issue over all of it as not planned.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        let mut open = self.open().peekable();
        open.peek().is_some() && open.all(|(_, entry)| !entry.needs_action())
    }

    /// Whether it says the same as another, but for the moments of observations that go on as
    /// before: those alone are no reason to write.
    #[must_use]
    pub fn has_same_content(&self, other: &Self) -> bool {
        let criteria = |queue_state: &Self| -> Vec<_> {
            queue_state.observed.iter().map(|(key, it)| (*key, it.criteria.clone())).collect()
        };
        self.entries == other.entries
            && self.aliases == other.aliases
            && self.user_resources == other.user_resources
            && criteria(self) == criteria(other)
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
        let written = StoredState::from(self);
        let is_small =
            serde_json::to_vec(&written).is_ok_and(|json| json.len() <= MAX_UNPACKED_BYTES);
        is_small && written.is_within_limits()
    }

    /// Leaves out what was settled long ago.
    pub fn drop_old_entries(&mut self, today: NaiveDate) {
        self.entries.retain(|_, entry| !entry.is_past_retention(today));
    }

    /// Packs it into text of the base64 alphabet.
    #[must_use]
    pub fn pack(&self) -> PackedState {
        let written = StoredState::from(self);
        // Structs of texts and numbers, which always can be written.
        let json = serde_json::to_vec(&written).unwrap_or_default();
        let text = STANDARD.encode(miniz_oxide::deflate::compress_to_vec_zlib(&json, 9));
        PackedState { generation: self.generation, checksum: checksum(&text), text }
    }

    /// Unpacks what [`QueueState::pack`] packed.
    ///
    /// # Errors
    /// [`InvalidQueueState`] when it is anything else.
    pub fn unpack(packed: &PackedState) -> Result<Self, InvalidQueueState> {
        if checksum(&packed.text) != packed.checksum {
            return Err(InvalidQueueState::Checksum);
        }
        let zlib = STANDARD.decode(&packed.text).map_err(|_| InvalidQueueState::Unreadable)?;
        let json =
            miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&zlib, MAX_UNPACKED_BYTES)
                .map_err(|_| InvalidQueueState::Unreadable)?;
        let version: FormatVersion =
            serde_json::from_slice(&json).map_err(|_| InvalidQueueState::Unreadable)?;
        if version.v != FORMAT_VERSION {
            return Err(InvalidQueueState::Version(version.v));
        }
        let written: StoredState =
            serde_json::from_slice(&json).map_err(|_| InvalidQueueState::Unreadable)?;
        if !written.is_within_limits() {
            return Err(InvalidQueueState::TooLong);
        }
        if written.generation > MAX_GENERATION {
            return Err(InvalidQueueState::Generation(written.generation));
        }
        let queue_state = written.read().ok_or(InvalidQueueState::Unreadable)?;
        // Old text under a new number would bring back what was settled.
        if queue_state.generation == packed.generation {
            Ok(queue_state)
        } else {
            Err(InvalidQueueState::Checksum)
        }
    }
}

/// A memory as text, with what tells whether it is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedState {
    /// The memory's generation.
    pub generation: u64,
    /// Sixteen hex digits over the text.
    pub checksum: String,
    /// The text: letters, digits, `+`, `/` and `=`.
    pub text: String,
}

fn checksum(text: &str) -> String {
    hex16(&Sha256::digest(text.as_bytes()))
}

const FORMAT_VERSION: u32 = 1;

#[derive(Deserialize)]
struct FormatVersion {
    v: u32,
}

/// A memory as JSON: short names, since it is packed into an issue.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredState {
    v: u32,
    generation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issue: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    checked: NaiveDate,
    aliases: BTreeMap<String, String>,
    audited: BTreeMap<String, i64>,
    observed: Vec<StoredObservation>,
    entries: Vec<StoredEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    users: Vec<StoredUser>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredUser {
    a: String,
    u: String,
    h: UserResources,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredObservation {
    a: String,
    r: String,
    at: i64,
    t: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEntry {
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
    s: StoredFindingState,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredFindingState {
    Open(NaiveDate),
    Overdue(NaiveDate),
    Acknowledged(NaiveDate),
    AcknowledgedOverdue(NaiveDate),
    Exempted(NaiveDate),
    Cleared(NaiveDate),
    NotCounted(NaiveDate),
}

impl From<&QueueState> for StoredState {
    fn from(queue_state: &QueueState) -> Self {
        let observed = queue_state.observed.iter().map(|((account, rule), it)| StoredObservation {
            a: account.to_string(),
            r: rule.to_string(),
            at: it.at.timestamp(),
            t: it.criteria.clone(),
        });
        let alias = |(account, alias): (&AccountId, &String)| (account.to_string(), alias.clone());
        Self {
            v: FORMAT_VERSION,
            generation: queue_state.generation,
            issue: queue_state.issue,
            run: queue_state.run.clone(),
            checked: queue_state.checked,
            aliases: queue_state.aliases.iter().map(alias).collect(),
            audited: queue_state
                .audited
                .iter()
                .map(|(account, at)| (account.to_string(), at.timestamp()))
                .collect(),
            observed: observed.collect(),
            entries: queue_state
                .entries
                .iter()
                .map(|(id, entry)| stored_entry(*id, entry))
                .collect(),
            users: queue_state.user_resources.iter().map(stored_user).collect(),
        }
    }
}

fn stored_user(((account, user), has): (&(AccountId, String), &UserResources)) -> StoredUser {
    StoredUser { a: account.to_string(), u: user.clone(), h: has.clone() }
}

fn stored_entry(id: FindingId, entry: &QueueEntry) -> StoredEntry {
    let finding = &entry.finding;
    StoredEntry {
        id: id.to_string(),
        a: finding.account.to_string(),
        u: finding.user.clone(),
        r: finding.rule.to_string(),
        l: entry.level.to_string(),
        k: finding.kind.map(|kind| kind.id().to_owned()),
        slot: finding.slot,
        end: finding.id_ending.clone(),
        reference: finding.reference.map(|(what, at)| (what.id().to_owned(), at.timestamp())),
        o: finding.owner.clone(),
        c: finding.progress.map(|it| (it.reached.id().to_owned(), it.since)),
        n: finding.progress.and_then(|it| it.next).map(|(stage, from)| (stage.to_string(), from)),
        first: entry.first_seen,
        s: match entry.state {
            FindingState::Open { since, acknowledged, overdue_reported } => {
                match (acknowledged, overdue_reported) {
                    (false, false) => StoredFindingState::Open(since),
                    (false, true) => StoredFindingState::Overdue(since),
                    (true, false) => StoredFindingState::Acknowledged(since),
                    (true, true) => StoredFindingState::AcknowledgedOverdue(since),
                }
            }
            FindingState::Exempted { since } => StoredFindingState::Exempted(since),
            FindingState::Cleared { on } => StoredFindingState::Cleared(on),
            FindingState::NotCounted { since } => StoredFindingState::NotCounted(since),
        },
    }
}

impl StoredState {
    /// Whether no text and no list is longer than any that is written.
    fn is_within_limits(&self) -> bool {
        let of_entry = |entry: &StoredEntry| {
            fits(&entry.u, MAX_USER_NAME_CHARS)
                && [&entry.end, &entry.o].into_iter().flatten().all(|it| fits(it, MAX_TEXT_CHARS))
        };
        let of_user = |user: &StoredUser| {
            let UserResources { groups, attached_policies, inline_policies, .. } = &user.h;
            let names = [groups, attached_policies, inline_policies];
            fits(&user.u, MAX_USER_NAME_CHARS)
                && names.iter().all(|it| {
                    it.names.len() <= MAX_NAMES
                        && it.names.iter().all(|it| fits(it, MAX_TEXT_CHARS))
                })
        };
        self.run.iter().chain(self.aliases.values()).all(|it| fits(it, MAX_TEXT_CHARS))
            && self.observed.iter().all(|it| fits(&it.t, MAX_TEXT_CHARS))
            && self.entries.iter().all(of_entry)
            && self.users.iter().all(of_user)
    }

    fn read(self) -> Option<QueueState> {
        let observed = self.observed.into_iter().map(|it| {
            let at = DateTime::from_timestamp(it.at, 0)?;
            Some(((it.a.parse().ok()?, it.r.parse().ok()?), RuleObservation { at, criteria: it.t }))
        });
        let aliases = self.aliases.into_iter();
        let audited = self
            .audited
            .into_iter()
            .map(|(account, at)| Some((account.parse().ok()?, DateTime::from_timestamp(at, 0)?)));
        Some(QueueState {
            generation: self.generation,
            issue: self.issue,
            run: self.run,
            checked: self.checked,
            aliases: aliases
                .map(|(account, alias)| Some((account.parse().ok()?, alias)))
                .collect::<Option<_>>()?,
            audited: audited.collect::<Option<_>>()?,
            observed: observed.collect::<Option<_>>()?,
            entries: self.entries.into_iter().map(StoredEntry::read).collect::<Option<_>>()?,
            user_resources: self
                .users
                .into_iter()
                .map(|it| Some(((it.a.parse().ok()?, it.u), it.h)))
                .collect::<Option<_>>()?,
        })
    }
}

impl StoredEntry {
    fn read(self) -> Option<(FindingId, QueueEntry)> {
        let open = |since, acknowledged, overdue_reported| FindingState::Open {
            since,
            acknowledged,
            overdue_reported,
        };
        let kind = match self.k {
            Some(kind) => Some(kind.parse().ok()?),
            None => None,
        };
        let reference = match self.reference {
            Some((what, at)) => Some((what.parse().ok()?, DateTime::from_timestamp(at, 0)?)),
            None => None,
        };
        let next = match self.n {
            Some((stage, from)) => Some((stage.parse().ok()?, from)),
            None => None,
        };
        let progress = match self.c {
            Some((what, since)) => Some(RemediationProgress {
                reached: what.parse().ok()?,
                since,
                next,
            }),
            None => None,
        };
        let finding = FindingRef {
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
            StoredFindingState::Open(since) => open(since, false, false),
            StoredFindingState::Overdue(since) => open(since, false, true),
            StoredFindingState::Acknowledged(since) => open(since, true, false),
            StoredFindingState::AcknowledgedOverdue(since) => open(since, true, true),
            StoredFindingState::Exempted(since) => FindingState::Exempted { since },
            StoredFindingState::Cleared(on) => FindingState::Cleared { on },
            StoredFindingState::NotCounted(since) => FindingState::NotCounted { since },
        };
        let level = self.l.parse().ok()?;
        Some((self.id.parse().ok()?, QueueEntry { finding, level, first_seen: self.first, state }))
    }
}

fn fits(text: &str, most: usize) -> bool {
    // No text has more characters than bytes.
    text.len() <= most || text.chars().nth(most).is_none()
}
