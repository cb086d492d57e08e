//! Output files, written completely or not at all.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Workspace, beneath, is_folder, is_link};

/// A file that is written, but not at its target yet.
pub struct Staged {
    content: StagedContent,
}

enum StagedContent {
    /// Renamed to its target, in a folder of the workspace.
    Beneath(beneath::TemporaryFile),
    /// Renamed to its target.
    TemporaryFile { target: PathBuf, file: NamedTempFile },
    /// The target is a pipe or a device, which cannot be replaced.
    Through { target: PathBuf, bytes: Vec<u8> },
}

/// Writes `content` next to `path`, so that [`Staged::publish`] is unlikely to fail. In a job, no
/// link is followed, and only a regular file is replaced.
///
/// When the file cannot be written, or may not be written in a job.
pub fn stage(path: &Path, content: &[u8], workspace: Option<&Workspace>) -> io::Result<Staged> {
    let Some(workspace) = workspace else { return stage_on_command_line(path, content) };
    if let Some(parts) = workspace.parts(path) {
        let temporary_file = beneath::TemporaryFile::write(&workspace.canonical, &parts, content)?;
        return Ok(Staged { content: StagedContent::Beneath(temporary_file) });
    }
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => Err(is_link(path)),
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
            Err(io::Error::other("it is a device or a pipe, not a regular file"))
        }
        _ => stage_on_command_line(path, content),
    }
}

/// On the command line, the target of a link is replaced, not the link.
fn stage_on_command_line(path: &Path, content: &[u8]) -> io::Result<Staged> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let metadata = target.metadata().ok();
    if metadata.as_ref().is_some_and(std::fs::Metadata::is_dir) {
        return Err(is_folder());
    }
    if metadata.as_ref().is_some_and(|it| !it.is_file()) {
        return Ok(Staged { content: StagedContent::Through { target, bytes: content.to_vec() } });
    }
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".iam-stocktake-");
    let permissions = metadata.map(|it| it.permissions());
    #[cfg(unix)]
    let permissions = permissions.or_else(|| {
        use std::os::unix::fs::PermissionsExt as _;
        // The mode of a new file, reduced by the umask.
        Some(std::fs::Permissions::from_mode(0o666))
    });
    if let Some(permissions) = permissions {
        builder.permissions(permissions);
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(Staged { content: StagedContent::TemporaryFile { target, file } })
}

impl Staged {
    /// Moves the file to its target.
    ///
    /// When the file cannot be moved.
    pub fn publish(self) -> io::Result<()> {
        match self.content {
            StagedContent::Beneath(temporary_file) => temporary_file.publish(),
            StagedContent::TemporaryFile { target, file } => {
                file.persist(target).map(drop).map_err(|it| it.error)
            }
            StagedContent::Through { target, bytes } => {
                std::fs::OpenOptions::new().write(true).open(target)?.write_all(&bytes)
            }
        }
    }
}

/// Creates a folder and missing parent folders.
///
/// When a folder cannot be created, or a link leads out of the workspace of a job.
pub fn create_folders(path: &Path, workspace: Option<&Workspace>) -> io::Result<()> {
    match workspace.and_then(|it| Some((it, it.parts(path)?))) {
        Some((workspace, parts)) => beneath::create_folders(&workspace.canonical, &parts),
        None => std::fs::create_dir_all(path),
    }
}
