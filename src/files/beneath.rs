//! Files below a folder, opened part by part without following a link. What was checked is what is
//! open: nobody can put a link in its place in between.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{EntryKind, is_folder, is_link, regular};

/// Neither a pipe without a writer nor a terminal holds up who opens it so.
const OPEN_FLAGS: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const APPEND_FLAGS: OFlags = OFlags::APPEND.union(OFlags::CREATE);

/// Opens a regular file to read it.
pub(super) fn open(root: &Path, parts: &[OsString]) -> io::Result<File> {
    let (folder, name) = parent(root, parts, false)?;
    open_in(&folder, name, OFlags::RDONLY, Mode::empty())
}

/// Opens a regular file to read it and to append to it; a new one is for its user alone.
pub(super) fn open_to_append(root: &Path, parts: &[OsString]) -> io::Result<File> {
    let (folder, name) = parent(root, parts, false)?;
    open_in(&folder, name, OFlags::RDWR.union(APPEND_FLAGS), Mode::RUSR | Mode::WUSR)
}

/// Opens anything to read it, without waiting for it.
pub(super) fn open_any(path: &Path) -> io::Result<File> {
    Ok(fs::open(path, OPEN_FLAGS | OFlags::RDONLY, Mode::empty())?.into())
}

/// Opens anything but a link to append to it, without waiting for it.
pub(super) fn append_any(path: &Path) -> io::Result<File> {
    let flags = OPEN_FLAGS | OFlags::WRONLY | APPEND_FLAGS | OFlags::NOFOLLOW;
    Ok(fs::open(path, flags, Mode::from_raw_mode(0o666))?.into())
}

/// Makes the folders of a path that are not there yet.
pub(super) fn create_folders(root: &Path, parts: &[OsString]) -> io::Result<()> {
    folder(root, parts, true).map(drop)
}

/// An open folder, to find out what is in it.
pub(super) struct Folder(OwnedFd);

impl Folder {
    /// Opens a folder below another.
    pub(super) fn open(root: &Path, parts: &[OsString]) -> io::Result<Self> {
        folder(root, parts, false).map(Self)
    }

    /// Opens any folder; a link to one is followed.
    pub(super) fn open_any(path: &Path) -> io::Result<Self> {
        folder(path, &[], false).map(Self)
    }

    /// Opens a folder in this one.
    pub(super) fn folder(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let opened = fs::openat(&self.0, name, flags, Mode::empty());
        opened.map(Self).map_err(|error| link_error_or(&self.0, name, error))
    }

    /// What is in the folder, so many entries at most.
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
            // Not every file system tells it with the name.
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

/// A file that is written beside its target, and put in its place at the end.
pub(super) struct TemporaryFile {
    folder: OwnedFd,
    target: OsString,
    /// `None` once it is in its place.
    temporary: Option<String>,
}

impl TemporaryFile {
    /// Writes the content beside its target and waits until it is on the disk.
    pub(super) fn write(root: &Path, parts: &[OsString], content: &[u8]) -> io::Result<Self> {
        let (folder, name) = parent(root, parts, false)?;
        let target = name.to_owned();
        let mode = match kind_of(&folder, name) {
            Ok((FileType::RegularFile, mode)) => mode,
            Ok((FileType::Symlink, _)) => return Err(is_link(Path::new(name))),
            Ok((FileType::Directory, _)) => return Err(is_folder()),
            Ok(_) => return Err(io::Error::other("it is a device or a pipe, not a regular file")),
            // What a plain new file gets; the process's mask takes its part away.
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

    /// Puts the file in its place. A link that was put there meanwhile is replaced, not followed.
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
            // Nobody is left to be told of it.
            let _ = fs::unlinkat(&self.folder, temporary, AtFlags::empty());
        }
    }
}

/// The folder of a file, open, and the file's name in it.
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

/// Systems differ in what they answer for a link.
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
