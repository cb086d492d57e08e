//! The journal: JSON lines that record each step before and after it runs. Each line is written to
//! the disk before the run continues. An interrupted run can be finished from the journal, and
//! deactivations can be undone.
//!
//! The last member of each line is its checksum. If a run is interrupted while it writes a line,
//! the file ends with a part of that line. Nothing depends on that line yet, so the next run removes
//! it. Any other line that does not match its checksum is damaged, and the journal is rejected.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::plan::step::RemediationStep;
use crate::cause::reason;
use crate::files::{self, FileKind, Workspace};
use crate::model::inventory::{AccountId, Holdings};

pub const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalLine {
    pub v: u32,
    pub at: DateTime<Utc>,
    pub run: String,
    #[serde(flatten)]
    pub entry: JournalEntry,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum JournalEntry {
    Run {
        version: String,
        /// The digest of the plan, or what is undone.
        plan: String,
    },
    /// A step is about to start.
    Begin {
        /// The number of the step in the run.
        n: u64,
        #[serde(flatten)]
        step: RemediationStep,
    },
    /// The step is done.
    Done {
        n: u64,
        /// Whether the thing to remove did not exist any more.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        was_gone: bool,
    },
    /// The call failed. Unless AWS rejected it, it may still have been carried out.
    Failed {
        n: u64,
        message: String,
        /// Whether AWS rejected the call, so that it had no effect.
        refused: bool,
    },
    /// The result of a step that an earlier run left open, as found by a later run.
    #[serde(rename = "settled")]
    Resolved {
        /// The run that started the step.
        of: String,
        /// The number of the step in that run.
        n: u64,
        done: bool,
    },
    /// A user is about to be deleted. Contains what a person needs to create the user again.
    Deletion(Box<UserDeletion>),
    /// A planned change was not made.
    Skipped { account: AccountId, user: String, why: String },
    /// The run is complete.
    End,
}

/// A user that is about to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDeletion {
    pub account: AccountId,
    pub user: String,
    /// The unique id of the user, which no other user will ever have.
    pub user_id: String,
    pub arn: String,
    pub path: String,
    pub tags: std::collections::BTreeMap<String, String>,
    /// Groups, policies, permissions boundary and MFA devices.
    pub holdings: Holdings,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened, read or written.
    #[error("{}: {}", .path.display(), reason(.error))]
    File { path: PathBuf, error: io::Error },
    #[error("{}: another run is using this journal", .path.display())]
    InUse { path: PathBuf },
    /// A line is damaged.
    #[error("{}, line {line}: {message}", .path.display())]
    DamagedLine {
        path: PathBuf,
        /// The line number, starting at 1.
        line: usize,
        message: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalContents {
    pub lines: Vec<JournalLine>,
    /// The number of the last line, starting at 1, if it is incomplete.
    pub cut_off: Option<usize>,
}

/// Reads a journal. An incomplete last line is left out.
///
/// # Errors
/// [`JournalError`] if the file cannot be read, or a line is damaged.
pub fn read(path: &Path, workspace: Option<&Workspace>) -> Result<JournalContents, JournalError> {
    let text =
        files::read(path, FileKind::Journal, workspace).map_err(|error| file(path, error))?;
    parse(path, &text).map(|(contents, _)| contents)
}

fn file(path: &Path, error: io::Error) -> JournalError {
    JournalError::File { path: path.to_owned(), error }
}

/// Parses a journal. Returns its contents, and the number of bytes in complete lines.
///
/// # Errors
/// [`JournalError`] if a line is damaged.
pub fn parse(path: &Path, text: &[u8]) -> Result<(JournalContents, usize), JournalError> {
    let mut contents = JournalContents { lines: Vec::new(), cut_off: None };
    let mut complete = 0;
    for (index, ended) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let damaged =
            |message| JournalError::DamagedLine { path: path.to_owned(), line: number, message };
        let (bytes, has_end) = match ended.strip_suffix(b"\n") {
            Some(bytes) => (bytes, true),
            None => (ended, false),
        };
        match JournalLine::read(bytes) {
            Ok(line) => contents.lines.push(line),
            // Only the end of the file can be an incomplete line. A complete line that ends with
            // another byte instead of a line feed is damaged.
            Err(_) if !has_end && !bytes.split_last().is_some_and(|(_, it)| is_intact(it)) => {
                contents.cut_off = Some(number);
                break;
            }
            Err(message) => return Err(damaged(message)),
        }
        complete += ended.len();
    }
    Ok((contents, complete))
}

/// The bytes before and after the checksum of a line.
const CHECKSUM: (&[u8], &[u8]) = (br#","checksum":""#, br#""}"#);

/// The first 16 hex digits of SHA-256 over the bytes of the line before the checksum.
fn checksum(body: &[u8]) -> String {
    Sha256::digest(body).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Splits a line into the part before the checksum, and the checksum.
fn split_checksum(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, after) = CHECKSUM;
    let (rest, sum) = bytes.strip_suffix(after)?.split_last_chunk::<16>()?;
    Some((rest.strip_suffix(before)?, sum))
}

fn is_intact(bytes: &[u8]) -> bool {
    split_checksum(bytes).is_some_and(|(body, sum)| checksum(body).as_bytes() == sum)
}

impl JournalLine {
    /// Parses a line without its line feed.
    fn read(bytes: &[u8]) -> Result<Self, String> {
        if !is_intact(bytes) {
            return Err(match split_checksum(bytes) {
                Some(_) => "the line was changed: it does not match its checksum".to_owned(),
                None => "the line was changed: it does not end with a checksum".to_owned(),
            });
        }
        // The checksum is a member that no field of the struct reads.
        let line: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if line.v == VERSION {
            Ok(line)
        } else {
            Err(format!("journal version {} is not supported, only {VERSION}", line.v))
        }
    }

    /// Returns the line with its checksum and line feed.
    fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = serde_json::to_vec(self)?;
        // The closing brace follows the checksum.
        text.pop();
        let sum = checksum(&text);
        let (before, after) = CHECKSUM;
        text.extend([before, sum.as_bytes(), after, b"\n"].concat());
        Ok(text)
    }
}

/// A journal that is open for writing.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    run: String,
    next: u64,
}

impl Journal {
    /// Opens a journal for a run, and returns its contents. The file is locked for other runs. An
    /// incomplete last line is removed from the file.
    ///
    /// # Errors
    /// [`JournalError`] if the file cannot be opened or read, is damaged, or is in use.
    pub fn open(
        path: &Path,
        run: String,
        workspace: Option<&Workspace>,
    ) -> Result<(Self, JournalContents), JournalError> {
        let failed = |error| file(path, error);
        let mut opened = files::open_journal(path, workspace).map_err(failed)?;
        match opened.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(JournalError::InUse { path: path.to_owned() });
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        let text = files::read_opened(&opened, FileKind::Journal).map_err(failed)?;
        let (contents, complete) = parse(path, &text)?;
        if contents.cut_off.is_some() {
            let length = u64::try_from(complete).unwrap_or(u64::MAX);
            opened.set_len(length).and_then(|()| opened.sync_all()).map_err(failed)?;
        } else if text.last().is_some_and(|byte| *byte != b'\n') {
            // The line is complete. Only its line feed is missing.
            opened.write_all(b"\n").map_err(failed)?;
        }
        sync_folder(path).map_err(failed)?;
        Ok((Self { path: path.to_owned(), file: opened, run, next: 1 }, contents))
    }

    /// Writes a line, and waits until it is on the disk.
    ///
    /// # Errors
    /// [`JournalError`] if this fails. The run must not make any further changes.
    pub fn write(&mut self, at: DateTime<Utc>, entry: JournalEntry) -> Result<(), JournalError> {
        let line = JournalLine { v: VERSION, at: at_second(at), run: self.run.clone(), entry };
        let failed = |error: io::Error| file(&self.path, error);
        let text = line.to_bytes().map_err(|error| failed(error.into()))?;
        self.file.write_all(&text).and_then(|()| self.file.sync_data()).map_err(failed)
    }

    pub const fn next_step_number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

/// A new file is durable once its directory is on the disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

fn at_second(at: DateTime<Utc>) -> DateTime<Utc> {
    let text = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    text.parse().unwrap_or(at)
}

/// Returns a unique name for a run.
#[must_use]
pub fn new_run_name(now: DateTime<Utc>) -> String {
    format!("{}-{:08x}", now.format("%Y%m%dT%H%M%SZ"), fastrand::u32(..))
}

#[cfg(test)]
mod tests;
