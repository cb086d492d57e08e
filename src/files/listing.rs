//! Lists files in a folder and its subfolders without following links.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::{EntryKind, Workspace, beneath};

/// The maximum number of files and folders.
pub(super) const MAX_ENTRIES: usize = 10_000;

/// The maximum depth.
pub(super) const MAX_DEPTH: usize = 16;

/// The regular files with this extension in a folder and its subfolders, sorted by name; `None` if
/// the path is not a folder. In a job, no part of a path in `workspace` can be a link.
///
/// When a folder cannot be read, a link is found in a job, or there are too many files or levels.
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
        // Reading it as a file gives the error.
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
                "it is more than {MAX_DEPTH} levels deep; use the folder that contains the files"
            )));
        }
        let entries: Vec<(OsString, EntryKind)> = folder.entries(MAX_ENTRIES + 1 - self.seen)?;
        self.seen += entries.len();
        if self.seen > MAX_ENTRIES {
            return Err(io::Error::other(format!(
                "it contains more than {MAX_ENTRIES} files and folders; use the folder that \
                 contains the files"
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
