//! The files anywhere below a folder, found without following a link.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::{Entry, Workspace, beneath};

/// The most files and folders that are looked at.
pub(super) const MOST: usize = 10_000;

/// How many folders deep the search goes.
pub(super) const DEEPEST: usize = 16;

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
        None => beneath::Folder::open_anywhere(path),
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
    let mut search = Search { extension: extension.as_ref(), seen: 0, found: Vec::new() };
    search.look_into(&folder, path, 1)?;
    search.found.sort();
    Ok(Some(search.found))
}

struct Search<'a> {
    extension: &'a OsStr,
    seen: usize,
    found: Vec<PathBuf>,
}

impl Search<'_> {
    fn look_into(&mut self, folder: &beneath::Folder, path: &Path, depth: usize) -> io::Result<()> {
        if depth > DEEPEST {
            return Err(io::Error::other(format!(
                "it is more than {DEEPEST} folders deep; name the folder that holds the files"
            )));
        }
        let entries: Vec<(OsString, Entry)> = folder.entries(MOST + 1 - self.seen)?;
        self.seen += entries.len();
        if self.seen > MOST {
            return Err(io::Error::other(format!(
                "it holds more than {MOST} files and folders; name the folder that holds the files"
            )));
        }
        for (name, entry) in entries {
            let path = path.join(&name);
            let is_wanted =
                || path.extension().is_some_and(|it| it.eq_ignore_ascii_case(self.extension));
            match entry {
                Entry::Folder => self.look_into(&folder.folder(&name)?, &path, depth + 1)?,
                Entry::File if is_wanted() => self.found.push(path),
                Entry::File | Entry::Other => {}
            }
        }
        Ok(())
    }
}
