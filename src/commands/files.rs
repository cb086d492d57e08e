//! Files of the commands. In a job, the rules of its workspace apply.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::CommandError;
use crate::cause::reason;
use crate::cli::Input;
use crate::files::{self, FileKind, Staged, Workspace};
use crate::report::json::v1;
use crate::runner;
use crate::runner::checkout::as_relative;

/// The job's workspace; `None` on the command line.
pub(super) fn workspace() -> Option<Workspace> {
    runner::workspace().map(|folder| Workspace::new(&folder))
}

/// An input with a path that is relative if it is in the workspace.
pub(super) fn in_workspace(input: &Input) -> Input {
    match input {
        Input::File(path) => Input::File(as_relative(path.clone())),
        Input::Stdin => Input::Stdin,
    }
}

/// Reads an input.
pub(super) fn read(input: &Input, kind: FileKind, stdin: &mut dyn Read) -> io::Result<Vec<u8>> {
    match input {
        Input::File(path) => files::read(path, kind, workspace().as_ref()),
        Input::Stdin => files::read_stream(stdin, kind),
    }
}

/// The JSON files in a folder and its subfolders, by name; `None` if the path is not a folder.
pub(super) fn json_below(path: &Path) -> io::Result<Option<Vec<PathBuf>>> {
    files::files_below(path, "json", workspace().as_ref())
}

/// Reads an audit JSON.
pub(super) fn read_audit(input: &Input, stdin: &mut dyn Read) -> Result<v1::Audit, CommandError> {
    // The message can contain names from the file.
    let unusable = |message: String| {
        CommandError::usage(format!("{input}: {message}")).with_public_message(format!(
            "{input}: cannot be used as an audit (details are hidden because this log is public)"
        ))
    };
    let hint = "create one with: iam-stocktake audit … --output audit.json";
    let bytes = read(input, FileKind::Audit, stdin)
        .map_err(|error| unusable(format!("cannot be read: {}", reason(&error))).with_hint(hint))?;
    let audit: v1::Audit = serde_json::from_slice(&bytes)
        .map_err(|error| unusable(format!("is not an audit JSON: {error}")).with_hint(hint))?;
    if audit.schema == v1::SCHEMA {
        return Ok(audit);
    }
    Err(unusable(format!("has the schema `{}`, not `{}`", audit.schema, v1::SCHEMA))
        .with_hint("use the version of iam-stocktake that created it"))
}

/// Writes `content` to a file.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), CommandError> {
    stage(path, content).and_then(Staged::publish).map_err(|error| write_error(path, &error))
}

/// A file cannot be written.
pub(super) fn write_error(path: &Path, error: &io::Error) -> CommandError {
    let message = format!("{} cannot be written: {}", path.display(), reason(error));
    CommandError::write_failed(message)
}

/// Writes `content` to a temporary file, which later replaces `path`.
pub(super) fn stage(path: &Path, content: &[u8]) -> io::Result<Staged> {
    files::stage(path, content, workspace().as_ref())
}

/// Creates a folder and its missing parents.
pub(super) fn create_folders(path: &Path) -> io::Result<()> {
    files::create_folders(path, workspace().as_ref())
}
