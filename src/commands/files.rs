//! Files as the commands name them: where a job is at work, by the rules of its workspace.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

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

/// Reads all of an input.
pub(super) fn read(input: &Input, kind: FileKind, stdin: &mut dyn Read) -> io::Result<Vec<u8>> {
    match input {
        Input::File(path) => files::read(path, kind, workspace().as_ref()),
        Input::Stdin => files::read_stream(stdin, kind),
    }
}

/// The JSON files anywhere below a folder, by name; `None` where the path is no folder.
pub(super) fn json_below(path: &Path) -> io::Result<Option<Vec<PathBuf>>> {
    files::files_below(path, "json", workspace().as_ref())
}

/// Reads an audit JSON; the error is what is wrong, and what to do.
pub(super) fn read_audit(
    input: &Input,
    stdin: &mut dyn Read,
) -> Result<v1::Audit, (String, String)> {
    let make_one = || "create one with: iam-stocktake audit … --output audit.json".to_owned();
    let bytes = read(input, FileKind::Audit, stdin)
        .map_err(|error| (format!("cannot be read: {}", reason(&error)), make_one()))?;
    let audit: v1::Audit = serde_json::from_slice(&bytes)
        .map_err(|error| (format!("is not an audit JSON: {error}"), make_one()))?;
    if audit.schema == v1::SCHEMA {
        Ok(audit)
    } else {
        let message = format!("has the schema `{}`, not `{}`", audit.schema, v1::SCHEMA);
        Err((message, "use the version of iam-stocktake that created it".to_owned()))
    }
}

/// Writes `content` beside `path`, to be put in its place later.
pub(super) fn stage(path: &Path, content: &[u8]) -> io::Result<Staged> {
    files::stage(path, content, workspace().as_ref())
}

/// Makes a folder and those around it that are not there yet.
pub(super) fn create_folders(path: &Path) -> io::Result<()> {
    files::create_folders(path, workspace().as_ref())
}
