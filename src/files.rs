//! Files that the program reads and writes, and what it accepts as one.
//!
//! On the command line a path is whatever its user means by it: a link, a pipe, a device. In a job
//! of GitHub Actions the workspace may hold somebody's proposal, so below it nothing leads
//! elsewhere: no part of a path is a link, and what is read or written is a regular file. Every
//! file has a limit, so that none can fill the memory.

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

/// The folder of a job into which the repository is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// The folder as it was named, absolute.
    folder: PathBuf,
    /// The same folder, without links in its own path.
    canonical: PathBuf,
}

impl Workspace {
    /// A workspace. Links on the way to the folder itself are followed.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        let canonical = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        Self { folder, canonical }
    }

    /// The parts of a path below the workspace; `None` for a path that leads elsewhere.
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

/// What an entry of a folder is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    Folder,
    File,
    /// A link, which may lead out of the folder, a device or a pipe.
    Other,
}

/// Reads all of a file. `workspace` is that of the job, `None` on the command line.
///
/// # Errors
/// When the file cannot be read, is larger than its kind's limit, or is not what a job may read.
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
                "it is outside of the workspace {folder}; in a job it must be a file of the \
                 checked-out repository"
            )));
        }
    }
    if kind.is_regular() { regular(beneath::open_any(path)?) } else { File::open(path) }
}

/// Reads all of an open file, from its beginning.
///
/// # Errors
/// When it cannot be read or is larger than its kind's limit.
pub fn read_opened(file: &File, kind: FileKind) -> io::Result<Vec<u8>> {
    let mut file: &File = file;
    read_stream(&mut file as &mut dyn Read, kind)
}

/// Opens a journal to read it and to append to it; it is made where there is none, for its user's
/// eyes alone, since it names users and their credentials. In a job it belongs to the workspace's owner.
///
/// # Errors
/// When it cannot be opened or is no regular file.
pub fn open_journal(path: &Path, workspace: Option<&Workspace>) -> io::Result<File> {
    let Some(workspace) = workspace else { return open_private(path) };
    let file = match workspace.parts(path) {
        Some(parts) => beneath::open_to_append(&workspace.canonical, &parts)?,
        None => open_private(path)?,
    };
    // Now, not at the end of the run: the next steps need it most where the run was cut off. Only root
    // can do so; whoever else runs in a job mostly is that owner.
    let _ = chown_to_owner_of(&file, &workspace.canonical);
    Ok(file)
}

/// Gives an open file to whom a folder belongs.
#[cfg(unix)]
fn chown_to_owner_of(file: &File, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let (made, owner) = (file.metadata()?, folder.metadata()?);
    if (made.uid(), made.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    fchown(file, Some(owner.uid()), Some(owner.gid()))
}

/// Files have no owner of this kind here.
#[cfg(not(unix))]
fn chown_to_owner_of(_file: &File, _folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens a regular file to read it and to append to it; a new one is for its user alone.
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

/// Opens one of the runner's files to append to it: it is never a link or a pipe.
///
/// # Errors
/// When it cannot be opened or is no regular file.
pub fn open_runner_file(path: &Path) -> io::Result<File> {
    regular(beneath::append_any(path)?)
}

/// Refuses what is no regular file: it may have no end, or never answer.
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
        "`{}` is a symbolic link, and links are not followed in a job",
        name.display()
    ))
}

#[cfg(test)]
mod tests;
