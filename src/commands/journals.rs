//! The journals that a run reads and writes.

use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::error::CommandError;
use super::{Streams, files};
use crate::remediate::ResolveError;
use crate::remediate::journal::{
    self, Journal, JournalContents, JournalEntry, JournalError, JournalLine,
};

/// The error of a journal before a run made changes.
impl From<JournalError> for CommandError {
    fn from(error: JournalError) -> Self {
        let hint = match error {
            JournalError::InUse { .. } => "wait for the other run, or use another file",
            JournalError::File { .. } => "set a writable file with --journal",
            JournalError::DamagedLine { .. } => {
                "journals must not be edited: keep this file, and use a new one"
            }
        };
        Self::usage(error.to_string()).with_hint(hint)
    }
}

/// Why a run stopped while it made changes.
#[derive(Debug, thiserror::Error)]
pub(super) enum RemediationError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("cannot determine whether the last step of an earlier run was made: {0}")]
    ResolveError(#[from] ResolveError),
}

impl From<RemediationError> for CommandError {
    fn from(error: RemediationError) -> Self {
        let hint = match error {
            RemediationError::Journal(_) => {
                "no further changes were made, because each one must be in the journal; run again \
                 when it is writable"
            }
            RemediationError::ResolveError(_) => "nothing was changed; run again",
        };
        Self::write_failed(error.to_string()).with_hint(hint)
    }
}

/// Opens a journal to write it, and reads what earlier runs did.
pub(super) fn open_journal(
    path: &Path,
    run: String,
    streams: &mut Streams<'_>,
) -> Result<(Journal, Vec<JournalLine>), JournalError> {
    let (journal, contents) = Journal::open(path, run, files::workspace().as_ref())?;
    Ok((journal, lines_of(path, contents, "removed", streams)))
}

/// Writes the first entry of a run. `plan` is the digest of its plan.
pub(super) fn begin_run(
    journal: &mut Journal,
    now: DateTime<Utc>,
    plan: &str,
) -> Result<(), JournalError> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    journal.write(now, JournalEntry::Run { version, plan: plan.to_owned() })
}

/// The lines of a journal. Reports an incomplete last line; `action` is what happens to it.
pub(super) fn lines_of(
    path: &Path,
    contents: JournalContents,
    action: &str,
    streams: &mut Streams<'_>,
) -> Vec<JournalLine> {
    if let Some(line) = contents.cut_off {
        let name = path.display();
        streams.eprintln(&format!(
            "note: {name}: line {line} is incomplete, because a run ended while it wrote the line. \
             Its change was not made, so the line is {action}"
        ));
    }
    contents.lines
}

/// The lines of a journal; none if it does not exist.
pub(super) fn read_lines(
    path: &Path,
    streams: &mut Streams<'_>,
) -> Result<Vec<JournalLine>, JournalError> {
    match journal::read(path, files::workspace().as_ref()) {
        Ok(contents) => Ok(lines_of(path, contents, "ignored", streams)),
        Err(JournalError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}
