//! Files in a folder, for systems that cannot open a path part by part. Every part is checked
//! before the file is opened.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{EntryKind, is_folder, is_link, regular};

/// Opens a regular file for reading.
pub(super) fn open(root: &Path, parts: &[OsString]) -> io::Result<File> {
    regular(File::open(checked(root, parts)?)?)
}

/// Opens a regular file for reading and appending.
pub(super) fn open_to_append(root: &Path, parts: &[OsString]) -> io::Result<File> {
    let path = checked(root, parts)?;
    regular(OpenOptions::new().read(true).append(true).create(true).open(path)?)
}

/// Opens anything for reading.
pub(super) fn open_any(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Opens anything but a link for appending.
pub(super) fn append_any(path: &Path) -> io::Result<File> {
    if path.is_symlink() {
        return Err(is_link(path));
    }
    OpenOptions::new().append(true).create(true).open(path)
}

/// Creates missing folders.
pub(super) fn create_folders(root: &Path, parts: &[OsString]) -> io::Result<()> {
    fs::create_dir_all(checked(root, parts)?)
}

pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn open(root: &Path, parts: &[OsString]) -> io::Result<Self> {
        Self::open_any(&checked(root, parts)?)
    }

    /// Any folder. A link to a folder is followed.
    pub(super) fn open_any(path: &Path) -> io::Result<Self> {
        if fs::metadata(path)?.is_dir() {
            Ok(Self(path.to_path_buf()))
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    pub(super) fn folder(&self, name: &OsStr) -> io::Result<Self> {
        Self::open(&self.0, &[name.to_owned()])
    }

    /// The entries of the folder, at most `most`.
    pub(super) fn entries(&self, most: usize) -> io::Result<Vec<(OsString, EntryKind)>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.0)?.take(most) {
            let entry = entry?;
            let kind = entry.file_type()?;
            let is = if kind.is_dir() {
                EntryKind::Folder
            } else if kind.is_file() {
                EntryKind::File
            } else {
                EntryKind::Other
            };
            entries.push((entry.file_name(), is));
        }
        Ok(entries)
    }
}

/// A temporary file next to its target, which is renamed to the target at the end.
pub(super) struct TemporaryFile {
    target: PathBuf,
    file: NamedTempFile,
}

impl TemporaryFile {
    /// Writes the content next to its target and syncs it to disk.
    pub(super) fn write(root: &Path, parts: &[OsString], content: &[u8]) -> io::Result<Self> {
        let target = checked(root, parts)?;
        if target.is_dir() {
            return Err(is_folder());
        }
        let folder = target.parent().unwrap_or(root);
        let mut file = tempfile::Builder::new().prefix(".iam-stocktake-").tempfile_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        Ok(Self { target, file })
    }

    /// Renames the file to its target.
    pub(super) fn publish(self) -> io::Result<()> {
        self.file.persist(&self.target).map(drop).map_err(|it| it.error)
    }
}

/// The path, if none of its parts below the folder is a link.
fn checked(root: &Path, parts: &[OsString]) -> io::Result<PathBuf> {
    let mut path = root.to_path_buf();
    for part in parts {
        path.push(part);
        if path.is_symlink() {
            return Err(is_link(Path::new(part)));
        }
    }
    Ok(path)
}
