//! Markers that identify the program's own issues and comments, and the parts of their bodies that
//! are read back. Titles are never read, and nothing is found by search.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::state::{InvalidQueueState, PackedState, QueueName};
use super::update::UserKey;
use crate::audit::FindingId;
use crate::model::policy::hex16;

/// The label of the default queue's issues, and the prefix of the labels of other queues.
const LABEL: &str = "iam-stocktake";

/// The label of all issues of a queue. Its description has the number of the queue issue.
#[must_use]
pub fn label(queue: &QueueName) -> String {
    if queue.is_default() { LABEL.to_owned() } else { format!("{LABEL}:{queue}") }
}

/// The description of a queue's label after the first state is written, which [`queue_number`]
/// reads.
#[must_use]
pub fn label_description(number: u64) -> String {
    format!("IAM credentials to remediate. The queue is issue #{number}")
}

/// The number of the queue issue in the label's description; `None` if it has none, because there
/// is no queue yet.
///
/// # Errors
/// [`InvalidQueueState::Label`] when it names several issues, or one that cannot exist.
pub fn queue_number(description: Option<&str>) -> Result<Option<u64>, InvalidQueueState> {
    let behind = description.unwrap_or_default().split('#').skip(1);
    let digits = behind.map(|text| {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text.get(..end).unwrap_or_default()
    });
    let mut numbers = digits.filter(|digits| !digits.is_empty());
    match (numbers.next(), numbers.next()) {
        (None, _) => Ok(None),
        (Some(digits), None) => {
            let number = digits.parse().ok().filter(|number| *number > 0);
            number.map(Some).ok_or(InvalidQueueState::Label)
        }
        (Some(_), Some(_)) => Err(InvalidQueueState::Label),
    }
}

/// The first line of the queue issue's body.
#[must_use]
pub fn queue_marker(queue: &QueueName) -> String {
    format!("<!-- iam-stocktake:queue v1 name={queue} -->")
}

/// The first line of a per-user issue's body.
#[must_use]
pub fn user_marker(queue: &QueueName, user_key: &UserKey) -> String {
    format!("<!-- iam-stocktake:user v1 queue={queue} user={} -->", user_hash(user_key))
}

/// The first line of the comment on a pull request.
#[must_use]
pub fn pull_request_marker(queue: &QueueName) -> String {
    format!("<!-- iam-stocktake:pull-request v1 queue={queue} -->")
}

/// The first line of the comment that explains why an issue is open again that a bot closed.
pub const CLOSED_BY_BOT: &str = "<!-- iam-stocktake:closed-by-a-bot v1 -->";

/// Sixteen hex digits for a user in a marker.
#[must_use]
pub fn user_hash((account, user): &UserKey) -> String {
    hex16(&Sha256::digest(format!("v1|{account}|{user}").as_bytes()))
}

/// Whether the first line of an issue's body has one of this queue's markers.
#[must_use]
pub fn is_marked(body: &str, queue: &QueueName) -> bool {
    begins_with(body, &queue_marker(queue)) || parse_user_hash(body, queue).is_some()
}

/// Whether the body begins with the marker, after any white space.
#[must_use]
pub fn begins_with(body: &str, marker: &str) -> bool {
    body.trim_start().starts_with(marker)
}

/// The key of the user in the marker, if it is a per-user issue of this queue.
#[must_use]
pub fn parse_user_hash<'b>(body: &'b str, queue: &QueueName) -> Option<&'b str> {
    let beginning = format!("<!-- iam-stocktake:user v1 queue={queue} user=");
    let (key, _) = body.trim_start().strip_prefix(&beginning)?.split_once(" -->")?;
    Some(key)
}

/// The findings whose checkboxes are selected.
#[must_use]
pub fn ticked(body: &str) -> BTreeSet<FindingId> {
    ticked_keys(body, "<!-- f:").filter_map(|key| key.parse().ok()).collect()
}

/// The users whose checkboxes are selected, by the key in their marker.
#[must_use]
pub fn ticked_users(body: &str) -> BTreeSet<String> {
    ticked_keys(body, "<!-- u:").map(str::to_owned).collect()
}

/// The keys in the markers of selected checkboxes.
fn ticked_keys<'b>(body: &'b str, marker: &'static str) -> impl Iterator<Item = &'b str> {
    body.lines().filter_map(move |line| {
        let line = line.trim_start();
        let rest = line.strip_prefix("- [x] ").or_else(|| line.strip_prefix("- [X] "))?;
        let (_, key) = rest.rsplit_once(marker)?;
        Some(key.split_once(" -->")?.0)
    })
}

/// The block with the queue state: its generation and checksum, and where its text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateBlock {
    /// The generation of the state.
    pub generation: u64,
    /// The checksum of the text.
    pub checksum: String,
    /// The comments with the parts of the text, in order; empty if the text is in the body.
    pub parts: Vec<u64>,
    /// Comments with parts of an earlier generation, which will be written next.
    pub spare: Vec<u64>,
    /// The text, if it is in the body.
    pub text: String,
}

/// The start of the block. It is on a line of its own, because a user name in a row may look the
/// same.
const STATE_BLOCK_START: &str = "\n<!-- iam-stocktake:queue-state v1 ";

impl StateBlock {
    /// The block for a state whose parts are in these comments, or in the body if there are none.
    #[must_use]
    pub fn new(packed: &PackedState, parts: Vec<u64>, spare: Vec<u64>) -> Self {
        let text = if parts.is_empty() { packed.text.clone() } else { String::new() };
        Self {
            generation: packed.generation,
            checksum: packed.checksum.clone(),
            parts,
            spare,
            text,
        }
    }

    /// The block at the end of the body.
    #[must_use]
    pub fn written(&self) -> String {
        let ids = |ids: &[u64]| ids.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let head = format!(
            "generation={} sum={} parts={} spare={}",
            self.generation,
            self.checksum,
            ids(&self.parts),
            ids(&self.spare),
        );
        // The list of spare comments is not part of the text, and is checked as well.
        let check = hex16(&Sha256::digest(head.as_bytes()));
        format!("{}{head} check={check}\n{}\n-->", STATE_BLOCK_START.trim_start(), self.text)
    }

    /// Parses the block of a body.
    ///
    /// # Errors
    /// [`InvalidQueueState`] when there is none, or none that can be read.
    pub fn of(body: &str) -> Result<Self, InvalidQueueState> {
        let (_, block) =
            body.rsplit_once(STATE_BLOCK_START).ok_or(InvalidQueueState::MissingBlock)?;
        let (block, _) = block.split_once("\n-->").ok_or(InvalidQueueState::Header)?;
        let (head, text) = block.split_once('\n').ok_or(InvalidQueueState::Header)?;
        let mut words = head.split(' ');
        let mut word = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=');
        let ids = |text: &str| -> Option<Vec<u64>> {
            text.split(',').filter(|id| !id.is_empty()).map(|id| id.parse().ok()).collect()
        };
        let mut read = || {
            Some(Self {
                generation: word("generation")?.parse().ok()?,
                checksum: word("sum")?.to_owned(),
                parts: ids(word("parts")?)?,
                spare: ids(word("spare")?)?,
                text: text.to_owned(),
            })
        };
        let read = read().ok_or(InvalidQueueState::Header)?;
        // There is only one way to write it, including the check of its first line.
        let written = read.written();
        let as_read = written
            .strip_prefix(STATE_BLOCK_START.trim_start())
            .and_then(|it| it.strip_suffix("\n-->"));
        if as_read == Some(block) { Ok(read) } else { Err(InvalidQueueState::Header) }
    }

    /// The packed state; `part` returns the body of a trusted comment.
    ///
    /// # Errors
    /// [`InvalidQueueState`] when a part is missing.
    pub fn packed<'b>(
        &self,
        part: impl Fn(u64) -> Option<&'b str>,
    ) -> Result<PackedState, InvalidQueueState> {
        let mut text = self.text.clone();
        for (index, id) in self.parts.iter().enumerate() {
            let missing = InvalidQueueState::MissingPart(index + 1);
            let body = part(*id).ok_or_else(|| missing.clone())?;
            text.push_str(part_text(body).ok_or(missing)?);
        }
        Ok(PackedState { generation: self.generation, checksum: self.checksum.clone(), text })
    }
}

/// The body without the queue state.
#[must_use]
pub fn without_state_block(body: &str) -> &str {
    body.rsplit_once(STATE_BLOCK_START).map_or(body, |(visible, _)| visible).trim_end()
}

const PART_MARKER: &str = "<!-- iam-stocktake:queue-state-part v1\n";

/// A comment with a part of the state; `page` is the visible text.
#[must_use]
pub fn part_comment(page: &str, text: &str) -> String {
    format!("{PART_MARKER}{text}\n-->\n{page}")
}

fn part_text(body: &str) -> Option<&str> {
    let (text, _) = body.trim_start().strip_prefix(PART_MARKER)?.split_once("-->")?;
    Some(text.trim())
}
