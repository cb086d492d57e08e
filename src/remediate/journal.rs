//! The journal: JSON lines that say what is about to be done and what came of it, each on the disk
//! before anything follows from it. What a run left half done is found in it, and what it
//! deactivated can be undone by it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::plan::step::Step;
use crate::inventory::{AccountId, Holdings};

/// The version of the lines.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// [`VERSION`].
    pub v: u32,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// The run that wrote it.
    pub run: String,
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Entry {
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
        step: Step,
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
    Settled {
        /// The run that began the step.
        of: String,
        /// The step's number in that run.
        n: u64,
        /// Whether it was done.
        done: bool,
    },
    /// A user is about to be deleted: what it takes to make the user again by hand.
    Deletion(Box<Deletion>),
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
pub struct Deletion {
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
    #[error("{}: {error}", .path.display())]
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
    /// A line says nothing that can be read.
    #[error("{}, line {line}: {message}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

/// Reads a journal. A last line that was cut off, and one that a run then began behind, were never
/// relied upon.
///
/// # Errors
/// [`JournalError`] where it cannot be read, or another line is broken.
pub fn read(path: &Path) -> Result<Vec<Line>, JournalError> {
    let text = File::open(path).and_then(|mut opened| whole(&mut opened));
    parse(path, &text.map_err(|error| file(path, error))?)
}

/// All that stands in a file. What is none, as a device, may have no end.
fn whole(opened: &mut File) -> io::Result<Vec<u8>> {
    if !opened.metadata()?.is_file() {
        return Err(io::Error::other("it is no file that a journal can be kept in"));
    }
    let mut text = Vec::new();
    opened.read_to_end(&mut text)?;
    Ok(text)
}

fn file(path: &Path, error: io::Error) -> JournalError {
    JournalError::File { path: path.to_owned(), error }
}

fn parse(path: &Path, text: &[u8]) -> Result<Vec<Line>, JournalError> {
    let mut lines = Vec::new();
    let mut torn = None;
    for (index, bytes) in text.split(|byte| *byte == b'\n').enumerate() {
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let broken = |message: String| JournalError::Line {
            path: path.to_owned(),
            line: index + 1,
            message,
        };
        match serde_json::from_slice::<Line>(bytes) {
            Ok(line) if line.v != VERSION => {
                return Err(broken(format!("version {}, not {VERSION}", line.v)));
            }
            Ok(line) => {
                // A line is cut off by the end of its process; what follows is another run's.
                match torn.take() {
                    Some(error) if !matches!(line.entry, Entry::Run { .. }) => return Err(error),
                    _ => lines.push(line),
                }
            }
            Err(_) if torn.is_some() => return Err(broken("two broken lines follow".to_owned())),
            Err(error) => torn = Some(broken(error.to_string())),
        }
    }
    Ok(lines)
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
    /// Opens a journal for a run, and gives what stands in it. Nobody else writes it meanwhile.
    ///
    /// # Errors
    /// [`JournalError`] where it cannot be opened or read, or is in use.
    pub fn open(path: &Path, run: String) -> Result<(Self, Vec<Line>), JournalError> {
        let failed = |error| file(path, error);
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            // It names users and their credentials.
            options.mode(0o600);
        }
        let mut opened = options.open(path).map_err(failed)?;
        match opened.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(JournalError::InUse { path: path.to_owned() });
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        let text = whole(&mut opened).map_err(failed)?;
        let lines = parse(path, &text)?;
        if text.last().is_some_and(|byte| *byte != b'\n') {
            opened.write_all(b"\n").map_err(failed)?;
        }
        sync_folder(path).map_err(failed)?;
        Ok((Self { path: path.to_owned(), file: opened, run, next: 1 }, lines))
    }

    /// Writes a line, and waits until it is on the disk.
    ///
    /// # Errors
    /// [`JournalError`] where it is not: then nothing more may be done.
    pub fn write(&mut self, at: DateTime<Utc>, entry: Entry) -> Result<(), JournalError> {
        let line = Line { v: VERSION, at: at_second(at), run: self.run.clone(), entry };
        let failed = |error: io::Error| file(&self.path, error);
        let mut text = serde_json::to_vec(&line).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        self.file.write_all(&text).and_then(|()| self.file.sync_data()).map_err(failed)
    }

    /// The number of the next step.
    pub const fn number(&mut self) -> u64 {
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
pub fn run_name(now: DateTime<Utc>) -> String {
    format!("{}-{:08x}", now.format("%Y%m%dT%H%M%SZ"), fastrand::u32(..))
}
