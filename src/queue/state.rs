//! The queue state: what the queue knows about each finding, and how it is stored in the queue
//! issue.
//!
//! The stored state is untrusted, because everyone who can edit issues can edit it. A state that
//! does not pass the checks is damaged, and a damaged state means neither "everything is new" nor
//! "nothing is".

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::by_account::ByAccount;
pub use super::invalid_state::InvalidQueueState;
use super::limits::{MAX_TEXT_CHARS, MAX_USER_NAME_CHARS};
use super::observation::FindingRef;
pub use super::queue_name::{InvalidQueueName, QueueName};
use super::remediation_entry::{RemediationEntry, Remediations};
use super::remediation_progress::{MAX_NAMES, NameList, UserResources};
use super::unix_time::UnixTime;
use crate::audit::FindingId;
use crate::model::inventory::{AccountId, ROOT_USER};
use crate::model::policy::{Level, Rule, hex16};

/// The maximum size after decompression, in bytes: many times the size for 100 accounts.
const MAX_UNPACKED_BYTES: usize = 64 * 1024 * 1024;
/// The highest generation, which cannot be reached by writing.
const MAX_GENERATION: u64 = 1 << 53;
/// How long a finding is kept after it is no longer open.
const RETENTION_DAYS: u64 = 180;

/// What the queue knows. It is stored as JSON in the queue issue, so its fields have short names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueState {
    /// How many times it was written.
    pub generation: u64,
    /// The number of the issue that it belongs to; `None` before its first generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<u64>,
    /// The page of the run that wrote it; `None` outside of a workflow run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The name of the file of the workflow that wrote it; `None` outside of a workflow run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The day in the line "last checked".
    pub checked: NaiveDate,
    /// The accounts' aliases, where they are known.
    pub aliases: BTreeMap<AccountId, String>,
    /// The accounts' partitions, if they are not `aws`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub partitions: BTreeMap<AccountId, String>,
    /// The date of each account's newest evidence.
    pub audited: BTreeMap<AccountId, UnixTime>,
    /// When each rule was last observed completely in each account.
    pub observed: ByAccount<Rule, RuleObservation>,
    /// Every finding that was in the queue. A finding's id is in one account only.
    pub entries: ByAccount<FindingId, QueueEntry>,
    /// What the users with open findings have besides credentials, where it is known: by account,
    /// and name in lower case.
    #[serde(rename = "users", default, skip_serializing_if = "ByAccount::is_empty")]
    pub user_resources: ByAccount<String, UserResources>,
    /// The remediation of credentials and users, as the remediation tags recorded it last.
    #[serde(default, skip_serializing_if = "ByAccount::is_empty")]
    pub remediations: Remediations,
}

/// A complete observation of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleObservation {
    /// When.
    pub at: UnixTime,
    /// The part of the policy that decided what the rule finds.
    #[serde(rename = "t")]
    pub criteria: String,
}

/// What is known about one finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueEntry {
    /// The finding, as it was last observed.
    #[serde(rename = "f")]
    pub finding: FindingRef,
    /// The rule's level when the finding was last observed.
    #[serde(rename = "l")]
    pub level: Level,
    /// The day on which the finding entered the queue for the first time.
    #[serde(rename = "first")]
    pub first_seen: NaiveDate,
    /// What happened to it.
    #[serde(rename = "s")]
    pub state: FindingState,
}

/// What happened to a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[strum(serialize_all = "kebab-case")]
pub enum FindingState {
    /// It is open.
    Open {
        /// The day since which it has been open without interruption.
        since: NaiveDate,
        /// A person closed the issue about it as not planned.
        #[serde(rename = "ack", default, skip_serializing_if = "is_false")]
        acknowledged: bool,
        /// It is overdue, and a comment said so.
        #[serde(rename = "overdue", default, skip_serializing_if = "is_false")]
        overdue_reported: bool,
    },
    /// An exemption covers it.
    Exempted {
        /// The day on which that was first observed.
        since: NaiveDate,
    },
    /// The credential was removed, deactivated or used.
    Cleared {
        /// The day on which that was first observed.
        on: NaiveDate,
    },
    /// The policy no longer asks for it.
    NotCounted {
        /// The day on which that was first observed.
        since: NaiveDate,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl QueueEntry {
    /// The day since which it is open; `None` if it is not.
    #[must_use]
    pub const fn open_since(&self) -> Option<NaiveDate> {
        match self.state {
            FindingState::Open { since, .. } => Some(since),
            _ => None,
        }
    }

    /// Whether it is open, and nobody closed the issue about it as not planned.
    #[must_use]
    pub const fn needs_action(&self) -> bool {
        matches!(self.state, FindingState::Open { acknowledged: false, .. })
    }

    /// Whether the policy no longer asks for it, so that nobody knows whether it was remediated.
    #[must_use]
    pub const fn is_not_counted(&self) -> bool {
        matches!(self.state, FindingState::NotCounted { .. })
    }

    /// The last day before it is overdue.
    #[must_use]
    pub fn due(&self, due_within_days: u32) -> Option<NaiveDate> {
        self.open_since()?.checked_add_days(Days::new(due_within_days.into()))
    }

    fn is_past_retention(&self, today: NaiveDate) -> bool {
        match self.state {
            FindingState::Open { .. } | FindingState::Exempted { .. } => false,
            FindingState::Cleared { on: day } | FindingState::NotCounted { since: day } => {
                // Someone may have edited the issue and written any year.
                day.checked_add_days(Days::new(RETENTION_DAYS)).is_some_and(|last| last < today)
            }
        }
    }
}

impl QueueState {
    /// An empty state.
    #[must_use]
    pub const fn new(today: NaiveDate) -> Self {
        Self {
            generation: 0,
            issue: None,
            run: None,
            workflow: None,
            checked: today,
            aliases: BTreeMap::new(),
            partitions: BTreeMap::new(),
            audited: BTreeMap::new(),
            observed: ByAccount::new(),
            entries: ByAccount::new(),
            user_resources: ByAccount::new(),
            remediations: ByAccount::new(),
        }
    }

    /// The open findings.
    pub fn open(&self) -> impl Iterator<Item = (AccountId, &FindingId, &QueueEntry)> {
        self.entries.iter().filter(|(_, _, entry)| entry.open_since().is_some())
    }

    /// The users with open findings or a remediation: by account, and name in lower case.
    pub fn users_to_recheck(&self) -> impl Iterator<Item = (AccountId, String)> {
        let open = self.open().map(|(account, _, entry)| (account, entry.finding.user.as_str()));
        let remediations = self.remediations.iter();
        let remediations = remediations.map(|(account, _, entry)| (account, entry.user.as_str()));
        let users = open.chain(remediations).filter(|(_, user)| *user != ROOT_USER);
        users.map(|(account, user)| (account, user.to_ascii_lowercase()))
    }

    /// The findings that are overdue on `today`.
    pub fn overdue(
        &self,
        due_within_days: u32,
        today: NaiveDate,
    ) -> impl Iterator<Item = &QueueEntry> {
        self.entries
            .values()
            .filter(move |entry| entry.due(due_within_days).is_some_and(|due| due < today))
    }

    /// Whether findings are open, and a person closed the issues about all of them as not planned.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        let mut open = self.open().peekable();
        open.peek().is_some() && open.all(|(_, _, entry)| !entry.needs_action())
    }

    /// Whether it has the same content as another state. The times of observations do not count:
    /// they alone are no reason to write.
    #[must_use]
    pub fn has_same_content(&self, other: &Self) -> bool {
        self.entries == other.entries
            && self.aliases == other.aliases
            && self.user_resources == other.user_resources
            && self.remediations == other.remediations
            && self.criteria().eq(other.criteria())
    }

    fn criteria(&self) -> impl Iterator<Item = (AccountId, Rule, &str)> {
        self.observed.iter().map(|(account, rule, it)| (account, *rule, it.criteria.as_str()))
    }

    /// Starts the next generation.
    pub fn advance_generation(&mut self) {
        // Generations near the maximum are rejected when a state is read.
        self.generation = self.generation.saturating_add(1);
    }

    /// Whether it can be read again after it was written: every text is limited where it comes
    /// from, and all of them together must not exceed the maximum size.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.json().len() <= MAX_UNPACKED_BYTES
            && self.is_within_limits()
            && self.has_unique_findings()
    }

    /// Removes findings that were closed long ago.
    pub fn drop_old_entries(&mut self, today: NaiveDate) {
        self.entries.retain(|_, _, entry| !entry.is_past_retention(today));
    }

    /// Packs it into base64 text.
    #[must_use]
    pub fn pack(&self) -> PackedState {
        let zlib = miniz_oxide::deflate::compress_to_vec_zlib(&self.json(), 9);
        let text = STANDARD.encode(zlib);
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
        let Stored { state: queue_state, .. } = serde_json::from_slice::<Stored<Self>>(&json)
            .map_err(|_| InvalidQueueState::Unreadable)?;
        if !queue_state.has_unique_findings() {
            return Err(InvalidQueueState::Unreadable);
        }
        if !queue_state.is_within_limits() {
            return Err(InvalidQueueState::TooLong);
        }
        if queue_state.generation > MAX_GENERATION {
            return Err(InvalidQueueState::Generation(queue_state.generation));
        }
        // Old text under a new generation would bring back an old state.
        if queue_state.generation == packed.generation {
            Ok(queue_state)
        } else {
            Err(InvalidQueueState::Checksum)
        }
    }
}

/// A packed state, with what is needed to check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedState {
    /// The generation of the state.
    pub generation: u64,
    /// Sixteen hex digits of the text's SHA-256.
    pub checksum: String,
    /// Base64 text.
    pub text: String,
}

fn checksum(text: &str) -> String {
    hex16(&Sha256::digest(text.as_bytes()))
}

const FORMAT_VERSION: u32 = 2;

/// The queue state as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored<S> {
    v: u32,
    state: S,
}

/// The version, whatever else the JSON has.
#[derive(Deserialize)]
struct FormatVersion {
    v: u32,
}

impl QueueState {
    fn json(&self) -> Vec<u8> {
        let stored = Stored { v: FORMAT_VERSION, state: self };
        // Text, numbers, and maps with text as keys: serialization cannot fail.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Whether no finding is in two accounts.
    fn has_unique_findings(&self) -> bool {
        let mut ids = BTreeSet::new();
        self.entries.iter().all(|(_, id, _)| ids.insert(id))
    }

    /// Whether no text and no list is longer than any that the program writes.
    fn is_within_limits(&self) -> bool {
        let entry_fits = |entry: &QueueEntry| {
            let FindingRef { user, id_ending, owner, last_service, .. } = &entry.finding;
            fits(user, MAX_USER_NAME_CHARS)
                && [id_ending, owner, last_service]
                    .into_iter()
                    .flatten()
                    .all(|it| fits(it, MAX_TEXT_CHARS))
        };
        let list_fits = |list: &NameList| {
            list.names.len() <= MAX_NAMES && list.names.iter().all(|it| fits(it, MAX_TEXT_CHARS))
        };
        let user_fits = |(_, user, has): (AccountId, &String, &UserResources)| {
            let UserResources { groups, attached_policies, inline_policies, .. } = has;
            fits(user, MAX_USER_NAME_CHARS)
                && [groups, attached_policies, inline_policies].into_iter().all(list_fits)
        };
        let remediation_fits = |it: &RemediationEntry| {
            fits(&it.user, MAX_USER_NAME_CHARS)
                && [&it.id_ending, &it.owner]
                    .into_iter()
                    .flatten()
                    .all(|it| fits(it, MAX_TEXT_CHARS))
        };
        self.run
            .iter()
            .chain(&self.workflow)
            .chain(self.aliases.values())
            .chain(self.partitions.values())
            .all(|it| fits(it, MAX_TEXT_CHARS))
            && self.observed.values().all(|it| fits(&it.criteria, MAX_TEXT_CHARS))
            && self.entries.values().all(entry_fits)
            && self.user_resources.iter().all(user_fits)
            && self.remediations.values().all(remediation_fits)
    }
}

fn fits(text: &str, most: usize) -> bool {
    // A text has at most as many characters as bytes.
    text.len() <= most || text.chars().nth(most).is_none()
}
