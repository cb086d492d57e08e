//! Files in a folder, opened part by part without following links. The opened file is the one that
//! was checked, so nobody can replace it with a link in between.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{EntryKind, is_folder, is_link, regular};

/// Opening does not block on a pipe without a writer, and does not take over a terminal.
const OPEN_FLAGS: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const APPEND_FLAGS: OFlags = OFlags::APPEND.union(OFlags::CREATE);

/// Opens a regular file for reading.
pub(super) fn open(root: &Path, parts: &[OsString]) -> io::Result<File> {
    let (folder, name) = parent(root, parts, false)?;
    open_in(&folder, name, OFlags::RDONLY, Mode::empty())
}

/// Opens a regular file for reading and appending. A new one can only be read by its user.
pub(super) fn open_to_append(root: &Path, parts: &[OsString]) -> io::Result<File> {
    let (folder, name) = parent(root, parts, false)?;
    open_in(&folder, name, OFlags::RDWR.union(APPEND_FLAGS), Mode::RUSR | Mode::WUSR)
}

/// Opens anything for reading, without blocking.
pub(super) fn open_any(path: &Path) -> io::Result<File> {
    Ok(fs::open(path, OPEN_FLAGS | OFlags::RDONLY, Mode::empty())?.into())
}

/// Opens anything but a link for appending, without blocking.
pub(super) fn append_any(path: &Path) -> io::Result<File> {
    let flags = OPEN_FLAGS | OFlags::WRONLY | APPEND_FLAGS | OFlags::NOFOLLOW;
    Ok(fs::open(path, flags, Mode::from_raw_mode(0o666))?.into())
}

/// Creates missing folders.
pub(super) fn create_folders(root: &Path, parts: &[OsString]) -> io::Result<()> {
    folder(root, parts, true).map(drop)
}

/// An open folder.
pub(super) struct Folder(OwnedFd);

impl Folder {
    pub(super) fn open(root: &Path, parts: &[OsString]) -> io::Result<Self> {
        folder(root, parts, false).map(Self)
    }

    /// Opens any folder. A link to a folder is followed.
    pub(super) fn open_any(path: &Path) -> io::Result<Self> {
        folder(path, &[], false).map(Self)
    }

    pub(super) fn folder(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let opened = fs::openat(&self.0, name, flags, Mode::empty());
        opened.map(Self).map_err(|error| link_error_or(&self.0, name, error))
    }

    /// The entries of the folder, at most `most`.
    pub(super) fn entries(&self, most: usize) -> io::Result<Vec<(OsString, EntryKind)>> {
        let mut entries = Vec::new();
        for entry in fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if entries.len() == most {
                break;
            }
            // Not every file system returns the type here.
            let kind = match entry.file_type() {
                FileType::Unknown => kind_of(&self.0, name)?.0,
                kind => kind,
            };
            let entry = match kind {
                FileType::Directory => EntryKind::Folder,
                FileType::RegularFile => EntryKind::File,
                _ => EntryKind::Other,
            };
            entries.push((name.to_owned(), entry));
        }
        Ok(entries)
    }
}

/// A temporary file next to its target, which is renamed to the target at the end.
pub(super) struct TemporaryFile {
    folder: OwnedFd,
    target: OsString,
    /// `None` after the rename.
    temporary: Option<String>,
}

impl TemporaryFile {
    /// Writes the content next to its target and syncs it to disk.
    pub(super) fn write(root: &Path, parts: &[OsString], content: &[u8]) -> io::Result<Self> {
        let (folder, name) = parent(root, parts, false)?;
        let target = name.to_owned();
        let mode = match kind_of(&folder, name) {
            Ok((FileType::RegularFile, mode)) => mode,
            Ok((FileType::Symlink, _)) => return Err(is_link(Path::new(name))),
            Ok((FileType::Directory, _)) => return Err(is_folder()),
            Ok(_) => return Err(io::Error::other("it is a device or a pipe, not a regular file")),
            // The mode of a new file, reduced by the umask.
            Err(Errno::NOENT) => Mode::from_raw_mode(0o666),
            Err(error) => return Err(error.into()),
        };
        let temporary = format!(".iam-stocktake-{:016x}", fastrand::u64(..));
        let flags = OPEN_FLAGS | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mut file = File::from(fs::openat(&folder, &temporary, flags, mode)?);
        let temporary_file = Self { folder, target, temporary: Some(temporary) };
        io::Write::write_all(&mut file, content)?;
        file.sync_all()?;
        Ok(temporary_file)
    }

    /// Renames the file to its target. A link that was created there in the meantime is replaced,
    /// not followed.
    pub(super) fn publish(mut self) -> io::Result<()> {
        if let Some(temporary) = &self.temporary {
            fs::renameat(&self.folder, temporary, &self.folder, &self.target)?;
            self.temporary = None;
        }
        Ok(())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // Nothing can be done about an error here.
            let _ = fs::unlinkat(&self.folder, temporary, AtFlags::empty());
        }
    }
}

/// The open parent folder of a file, and the name of the file.
fn parent<'a>(root: &Path, parts: &'a [OsString], makes: bool) -> io::Result<(OwnedFd, &'a OsStr)> {
    let (name, folders) = parts.split_last().ok_or_else(is_folder)?;
    Ok((folder(root, folders, makes)?, name))
}

fn folder(root: &Path, parts: &[OsString], makes: bool) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = fs::open(root, flags, Mode::empty())?;
    for part in parts {
        if makes {
            match fs::mkdirat(&folder, part, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        folder = fs::openat(&folder, part, flags | OFlags::NOFOLLOW, Mode::empty())
            .map_err(|error| link_error_or(&folder, part, error))?;
    }
    Ok(folder)
}

fn open_in(folder: &OwnedFd, name: &OsStr, flags: OFlags, mode: Mode) -> io::Result<File> {
    let opened = fs::openat(folder, name, flags | OPEN_FLAGS | OFlags::NOFOLLOW, mode)
        .map_err(|error| link_error_or(folder, name, error))?;
    regular(opened.into())
}

/// Systems return different errors for a link.
fn link_error_or(folder: &OwnedFd, name: &OsStr, error: Errno) -> io::Error {
    match kind_of(folder, name) {
        Ok((FileType::Symlink, _)) => is_link(Path::new(name)),
        _ => error.into(),
    }
}

fn kind_of(folder: &OwnedFd, name: &OsStr) -> Result<(FileType, Mode), Errno> {
    let stat = fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok((FileType::from_raw_mode(stat.st_mode), Mode::from_raw_mode(stat.st_mode)))
}
