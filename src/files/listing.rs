//! The files anywhere below a folder, found without following a link.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::{EntryKind, Workspace, beneath};

/// The most files and folders that are looked at.
pub(super) const MAX_ENTRIES: usize = 10_000;

/// How many folders deep the search goes.
pub(super) const MAX_DEPTH: usize = 16;

/// The regular files with an extension anywhere below a folder, by name; `None` where the path is no
/// folder. `workspace` is that of the job: below it no part of the path is a link.
///
/// # Errors
/// When a folder cannot be read, in a job the path leads through a link, or there is more below the
/// folder than is looked at.
pub fn files_below(
    path: &Path,
    extension: &str,
    workspace: Option<&Workspace>,
) -> io::Result<Option<Vec<PathBuf>>> {
    let parts = workspace.and_then(|it| Some((it, it.parts(path)?)));
    let opened = match parts {
        Some((workspace, parts)) => beneath::Folder::open(&workspace.canonical, &parts),
        None => beneath::Folder::open_any(path),
    };
    let folder = match opened {
        Ok(folder) => folder,
        // Whoever reads it as a file says what is wrong.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::NotFound) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut search = FileSearch { extension: extension.as_ref(), seen: 0, found: Vec::new() };
    search.search_folder(&folder, path, 1)?;
    search.found.sort();
    Ok(Some(search.found))
}

struct FileSearch<'a> {
    extension: &'a OsStr,
    seen: usize,
    found: Vec<PathBuf>,
}

impl FileSearch<'_> {
    fn search_folder(
        &mut self,
        folder: &beneath::Folder,
        path: &Path,
        depth: usize,
    ) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(io::Error::other(format!(
                "it is more than {MAX_DEPTH} folders deep; name the folder that holds the files"
            )));
        }
        let entries: Vec<(OsString, EntryKind)> = folder.entries(MAX_ENTRIES + 1 - self.seen)?;
        self.seen += entries.len();
        if self.seen > MAX_ENTRIES {
            return Err(io::Error::other(format!(
                "it holds more than {MAX_ENTRIES} files and folders; name the folder that holds the files"
            )));
        }
        for (name, entry) in entries {
            let path = path.join(&name);
            let is_wanted =
                || path.extension().is_some_and(|it| it.eq_ignore_ascii_case(self.extension));
            match entry {
                EntryKind::Folder => {
                    self.search_folder(&folder.folder(&name)?, &path, depth + 1)?;
                }
                EntryKind::File if is_wanted() => self.found.push(path),
                EntryKind::File | EntryKind::Other => {}
            }
        }
        Ok(())
    }
}
