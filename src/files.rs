//! Reading and writing files safely.
//!
//! On the command line, a path can be anything: a link, a pipe, a device. In a GitHub Actions job,
//! the workspace can contain files from a pull request, so paths in it must not lead elsewhere: no
//! part of a path is a link, and only regular files are read and written. Every file kind has a
//! size limit.

#[cfg_attr(not(unix), path = "beneath_portable.rs")]
mod beneath;
mod limits;
mod listing;
mod write;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

pub use limits::{FileKind, read_stream};
pub use listing::files_below;
pub use write::{Staged, create_folders, stage};

/// The folder of a job that the repository is checked out to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// The absolute path, as given.
    folder: PathBuf,
    /// The path with links resolved.
    canonical: PathBuf,
}

impl Workspace {
    /// Links in the path to the workspace itself are followed.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        let canonical = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        Self { folder, canonical }
    }

    /// The parts of a path in the workspace; `None` for a path outside.
    fn parts(&self, path: &Path) -> Option<Vec<OsString>> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let mut plain = PathBuf::new();
        for component in absolute.components() {
            match component {
                Component::ParentDir => drop(plain.pop()),
                Component::CurDir => {}
                part => plain.push(part),
            }
        }
        let below =
            plain.strip_prefix(&self.folder).or_else(|_| plain.strip_prefix(&self.canonical));
        Some(below.ok()?.iter().map(OsString::from).collect())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    Folder,
    File,
    /// A link, a device or a pipe.
    Other,
}

/// Reads a file. `workspace` is the workspace of the job; `None` on the command line.
///
/// When the file cannot be read, is larger than the limit, or may not be read in a job.
pub fn read(path: &Path, kind: FileKind, workspace: Option<&Workspace>) -> io::Result<Vec<u8>> {
    read_opened(&open(path, kind, workspace)?, kind)
}

fn open(path: &Path, kind: FileKind, workspace: Option<&Workspace>) -> io::Result<File> {
    if let Some(workspace) = workspace {
        if let Some(parts) = workspace.parts(path) {
            return beneath::open(&workspace.canonical, &parts);
        }
        if kind.is_repository_file() {
            let folder = workspace.folder.display();
            return Err(io::Error::other(format!(
                "it is outside the workspace {folder}; in a job it must be a file in the \
                 checked-out repository"
            )));
        }
    }
    if kind.is_regular() { regular(beneath::open_any(path)?) } else { File::open(path) }
}

/// Reads an open file to its end.
///
/// When it cannot be read or is larger than the limit.
pub fn read_opened(file: &File, kind: FileKind) -> io::Result<Vec<u8>> {
    let mut file: &File = file;
    read_stream(&mut file as &mut dyn Read, kind)
}

/// Opens a journal for reading and appending. A new one can only be read by its user, since it
/// contains names and credentials of users. In a job, it belongs to the owner of the workspace.
///
/// When it cannot be opened or is not a regular file.
pub fn open_journal(path: &Path, workspace: Option<&Workspace>) -> io::Result<File> {
    let Some(workspace) = workspace else { return open_private(path) };
    let file = match workspace.parts(path) {
        Some(parts) => beneath::open_to_append(&workspace.canonical, &parts)?,
        None => open_private(path)?,
    };
    // Change the owner now, not at the end of the run: the next steps need the journal most if the
    // run is interrupted. Only root can do this; other users in a job are usually the owner.
    let _ = chown_to_owner_of(&file, &workspace.canonical);
    Ok(file)
}

/// Changes the owner of an open file to the owner of a folder.
#[cfg(unix)]
fn chown_to_owner_of(file: &File, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let (made, owner) = (file.metadata()?, folder.metadata()?);
    if (made.uid(), made.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    fchown(file, Some(owner.uid()), Some(owner.gid()))
}

/// There are no Unix owners on this system.
#[cfg(not(unix))]
fn chown_to_owner_of(_file: &File, _folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens a regular file for reading and appending. A new one can only be read by its user.
fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    regular(options.open(path)?)
}

/// Opens a file of the runner for appending. It must not be a link or a pipe.
///
/// When it cannot be opened or is not a regular file.
pub fn open_runner_file(path: &Path) -> io::Result<File> {
    regular(beneath::append_any(path)?)
}

/// Rejects anything but a regular file. A device can be endless, and a pipe can block.
fn regular(file: File) -> io::Result<File> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok(file)
    } else if metadata.is_dir() {
        Err(is_folder())
    } else {
        Err(io::Error::other("it is a device or a pipe, not a regular file"))
    }
}

fn is_folder() -> io::Error {
    io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")
}

fn is_link(name: &Path) -> io::Error {
    io::Error::other(format!(
        "`{}` is a symbolic link, which is not followed in a job",
        name.display()
    ))
}

#[cfg(test)]
mod tests;
