//! Journals that a run reads and writes, with their errors reported.

use std::io;
use std::path::Path;

use super::{Exit, Streams, files};
use crate::remediate::journal::{self, Journal, JournalContents, JournalError, JournalLine};
use crate::templates::escape_invisible;

pub(super) fn report_journal_error(error: &JournalError, streams: &mut Streams<'_>) -> Exit {
    streams.error(&escape_invisible(&error.to_string()));
    match error {
        JournalError::InUse { .. } => streams.hint("wait for the other run, or use another file"),
        JournalError::File { .. } => streams.hint("set a writable file with --journal"),
        JournalError::DamagedLine { .. } => {
            streams.hint("journals must not be edited: keep this file, and use a new one");
        }
    }
    Exit::Usage
}

/// Opens a journal to write it, and reads what earlier runs did.
pub(super) fn open_journal(
    path: &Path,
    run: String,
    streams: &mut Streams<'_>,
) -> Result<(Journal, Vec<JournalLine>), Exit> {
    let opened = Journal::open(path, run, files::workspace().as_ref());
    let (journal, contents) = opened.map_err(|error| report_journal_error(&error, streams))?;
    Ok((journal, lines_of(path, contents, "removed", streams)))
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
        streams.eprintln(&escape_invisible(&format!(
            "note: {name}: line {line} is incomplete, because a run ended while it wrote the line. \
             Its change was not made, so the line is {action}"
        )));
    }
    contents.lines
}

/// The lines of a journal; none if it does not exist.
pub(super) fn read_lines(path: &Path, streams: &mut Streams<'_>) -> Result<Vec<JournalLine>, Exit> {
    match journal::read(path, files::workspace().as_ref()) {
        Ok(contents) => Ok(lines_of(path, contents, "ignored", streams)),
        Err(JournalError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        Err(error) => Err(report_journal_error(&error, streams)),
    }
}
