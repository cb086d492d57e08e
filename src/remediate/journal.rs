//! The journal: JSON lines that say what is about to be done and what came of it, each on the disk
//! before anything follows from it. What a run left half done is found in it, and what it
//! deactivated can be undone by it.
//!
//! The last member of each line is its checksum. A run that ends while it writes a line leaves the
//! beginning of that line at the end of the file: nothing was done because of it, so the next run
//! removes it. Everything else that does not match its checksum is damage, and refused.

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

/// The version of the lines.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalLine {
    /// [`VERSION`].
    pub v: u32,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// The run that wrote it.
    pub run: String,
    /// What it says.
    #[serde(flatten)]
    pub entry: JournalEntry,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum JournalEntry {
    /// A run begins.
    Run {
        /// The version of the program.
        version: String,
        /// The digest of the plan, or what is undone.
        plan: String,
    },
    /// A step is about to be done.
    Begin {
        /// The step's number in its run.
        n: u64,
        /// The step.
        #[serde(flatten)]
        step: RemediationStep,
    },
    /// It was done.
    Done {
        /// The step's number in its run.
        n: u64,
        /// Whether what it was to take away was gone already.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        was_gone: bool,
    },
    /// It was not answered as hoped. Where AWS did not refuse it, it may have been done.
    Failed {
        /// The step's number in its run.
        n: u64,
        /// What was answered.
        message: String,
        /// Whether AWS refused it, so that it was not done.
        refused: bool,
    },
    /// What became of a step that an earlier run left open, as a later run found it.
    #[serde(rename = "settled")]
    Resolved {
        /// The run that began the step.
        of: String,
        /// The step's number in that run.
        n: u64,
        /// Whether it was done.
        done: bool,
    },
    /// A user is about to be deleted: what it takes to make the user again by hand.
    Deletion(Box<UserDeletion>),
    /// A change of the plan was not made.
    Skipped {
        /// The account.
        account: AccountId,
        /// The user's name.
        user: String,
        /// Why.
        why: String,
    },
    /// The run has come to its end.
    End,
}

/// A user who is about to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDeletion {
    /// The account.
    pub account: AccountId,
    /// The user's name.
    pub user: String,
    /// The user's unique id, which no other user will have.
    pub user_id: String,
    /// The user's ARN.
    pub arn: String,
    /// The user's path.
    pub path: String,
    /// The tags.
    pub tags: std::collections::BTreeMap<String, String>,
    /// Groups, policies, boundary and MFA devices.
    pub holdings: Holdings,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened, read or written.
    #[error("{}: {}", .path.display(), reason(.error))]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Another run is writing it.
    #[error("{}: another run is writing this journal", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A line that no run wrote like this.
    #[error("{}, line {line}: {message}", .path.display())]
    DamagedLine {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

/// What a journal holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalContents {
    /// The lines, in their order.
    pub lines: Vec<JournalLine>,
    /// The number of the line, from 1, that the end of its run cut off.
    pub cut_off: Option<usize>,
}

/// Reads a journal. A last line that was cut off is left out.
///
/// # Errors
/// [`JournalError`] where the file cannot be read, or a line is damaged.
pub fn read(path: &Path, workspace: Option<&Workspace>) -> Result<JournalContents, JournalError> {
    let text =
        files::read(path, FileKind::Journal, workspace).map_err(|error| file(path, error))?;
    parse(path, &text).map(|(contents, _)| contents)
}

fn file(path: &Path, error: io::Error) -> JournalError {
    JournalError::File { path: path.to_owned(), error }
}

/// Reads a journal's text: its contents, and how many bytes of it are whole lines.
///
/// # Errors
/// [`JournalError`] where a line is damaged.
pub fn parse(path: &Path, text: &[u8]) -> Result<(JournalContents, usize), JournalError> {
    let mut contents = JournalContents { lines: Vec::new(), cut_off: None };
    let mut whole = 0;
    for (index, ended) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let broken =
            |message| JournalError::DamagedLine { path: path.to_owned(), line: number, message };
        let (bytes, has_end) = match ended.strip_suffix(b"\n") {
            Some(bytes) => (bytes, true),
            None => (ended, false),
        };
        match JournalLine::read(bytes) {
            Ok(line) => contents.lines.push(line),
            // Only the end of the file can be the beginning of a line. A whole line with a last
            // byte that is no line feed was not cut off but damaged.
            Err(_) if !has_end && !bytes.split_last().is_some_and(|(_, it)| is_intact(it)) => {
                contents.cut_off = Some(number);
                break;
            }
            Err(message) => return Err(broken(message)),
        }
        whole += ended.len();
    }
    Ok((contents, whole))
}

/// What stands before a line's checksum, and behind it.
const CHECKSUM: (&[u8], &[u8]) = (br#","checksum":""#, br#""}"#);

/// The first 16 hex digits of SHA-256 over the line's bytes before the checksum.
fn checksum(body: &[u8]) -> String {
    Sha256::digest(body).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The line without its checksum, and the checksum.
fn split_checksum(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, behind) = CHECKSUM;
    let (rest, sum) = bytes.strip_suffix(behind)?.split_last_chunk::<16>()?;
    Some((rest.strip_suffix(before)?, sum))
}

fn is_intact(bytes: &[u8]) -> bool {
    split_checksum(bytes).is_some_and(|(body, sum)| checksum(body).as_bytes() == sum)
}

impl JournalLine {
    /// Reads a line, without its line feed. The error says what is wrong.
    fn read(bytes: &[u8]) -> Result<Self, String> {
        if !is_intact(bytes) {
            return Err(match split_checksum(bytes) {
                Some(_) => "the line does not match its checksum: it was changed".to_owned(),
                None => "the line does not end with a checksum: it was changed".to_owned(),
            });
        }
        // The checksum is a member that nothing else reads.
        let line: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if line.v == VERSION { Ok(line) } else { Err(format!("version {}, not {VERSION}", line.v)) }
    }

    /// The line with its checksum and its line feed.
    fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = serde_json::to_vec(self)?;
        // The object is closed behind the checksum.
        text.pop();
        let sum = checksum(&text);
        let (before, behind) = CHECKSUM;
        text.extend([before, sum.as_bytes(), behind, b"\n"].concat());
        Ok(text)
    }
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    run: String,
    next: u64,
}

impl Journal {
    /// Opens a journal for a run, and gives what stands in it. Nobody else writes it meanwhile. A
    /// last line that was cut off is removed from the file.
    ///
    /// # Errors
    /// [`JournalError`] where it cannot be opened or read, or is in use.
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
        let (contents, whole) = parse(path, &text)?;
        if contents.cut_off.is_some() {
            let length = u64::try_from(whole).unwrap_or(u64::MAX);
            opened.set_len(length).and_then(|()| opened.sync_all()).map_err(failed)?;
        } else if text.last().is_some_and(|byte| *byte != b'\n') {
            // The line is whole; only its line feed did not reach the disk.
            opened.write_all(b"\n").map_err(failed)?;
        }
        sync_folder(path).map_err(failed)?;
        Ok((Self { path: path.to_owned(), file: opened, run, next: 1 }, contents))
    }

    /// Writes a line, and waits until it is on the disk.
    ///
    /// # Errors
    /// [`JournalError`] where it is not: then nothing more may be done.
    pub fn write(&mut self, at: DateTime<Utc>, entry: JournalEntry) -> Result<(), JournalError> {
        let line = JournalLine { v: VERSION, at: at_second(at), run: self.run.clone(), entry };
        let failed = |error: io::Error| file(&self.path, error);
        let text = line.to_bytes().map_err(|error| failed(error.into()))?;
        self.file.write_all(&text).and_then(|()| self.file.sync_data()).map_err(failed)
    }

    /// The number of the next step.
    pub const fn next_step_number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

/// A new file is there for good once its folder is on the disk.
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

/// A name for a run that no other run of the journal has.
#[must_use]
pub fn new_run_name(now: DateTime<Utc>) -> String {
    format!("{}-{:08x}", now.format("%Y%m%dT%H%M%SZ"), fastrand::u32(..))
}

#[cfg(test)]
mod tests;
