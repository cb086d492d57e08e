//! The files for outputs and the summary of a step, and the ownership of created files.
//!
//! Source: "Workflow commands for GitHub Actions", GitHub documentation. The runner creates the
//! files and sets their paths in the environment. Outside Actions there are none, and nothing is
//! written.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::cause::reason as describe;
use crate::files::open_runner_file;

/// The maximum size of a step summary, in bytes. The runner drops a larger one.
pub const MAX_SUMMARY_BYTES: usize = 1_048_576;

const OUTPUTS: &str = "GITHUB_OUTPUT";
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outputs {
    path: PathBuf,
}

/// The step summary, in Markdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    path: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot write {} ({variable}): {}{}", path.display(), describe(reason), hint(reason))]
    Unwritable {
        path: PathBuf,
        /// The variable that contains its path.
        variable: &'static str,
        /// The error.
        reason: io::Error,
    },
    #[error(
        "the summary in {} ({SUMMARY}) would have {bytes} bytes, but the runner drops a summary \
         of more than {MAX_SUMMARY_BYTES} bytes; write less to it",
        path.display()
    )]
    TooLong {
        path: PathBuf,
        /// The size that the summary would have.
        bytes: usize,
    },
}

impl Outputs {
    /// The file from the environment; `None` if there is none.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        super::variable(OUTPUTS).map(|path| Self { path: path.into() })
    }

    /// Appends outputs, each a name and its value. The value can be untrusted: it is written
    /// between random delimiters that it does not contain.
    ///
    /// [`FileError`] when the file cannot be written.
    pub fn append(&self, outputs: &[(&str, &str)]) -> Result<(), FileError> {
        let text: String = outputs.iter().map(|(name, value)| output(name, value)).collect();
        let appended = opened(&self.path).and_then(|mut file| file.write_all(text.as_bytes()));
        appended.map_err(|reason| unwritable(OUTPUTS, &self.path, reason))
    }
}

impl Summary {
    /// The file from the environment; `None` if there is none.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        super::variable(SUMMARY).map(|path| Self { path: path.into() })
    }

    /// Whether nothing was written to it yet, as far as can be determined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remaining_bytes().is_ok_and(|room| room == MAX_SUMMARY_BYTES)
    }

    /// How many bytes can still be appended.
    ///
    /// [`FileError`] when the file cannot be written.
    pub fn remaining_bytes(&self) -> Result<usize, FileError> {
        let held = opened(&self.path).and_then(|file| length(&file));
        let held = held.map_err(|reason| unwritable(SUMMARY, &self.path, reason))?;
        Ok(MAX_SUMMARY_BYTES.saturating_sub(held))
    }

    /// Appends all of the Markdown, or nothing.
    ///
    /// [`FileError`] when it does not fit or the file cannot be written.
    pub fn append(&self, markdown: &str) -> Result<(), FileError> {
        let unwritable = |reason| unwritable(SUMMARY, &self.path, reason);
        let mut file = opened(&self.path).map_err(unwritable)?;
        let bytes = length(&file).map_err(unwritable)?.saturating_add(markdown.len());
        if bytes > MAX_SUMMARY_BYTES {
            return Err(FileError::TooLong { path: self.path.clone(), bytes });
        }
        file.write_all(markdown.as_bytes()).map_err(unwritable)
    }
}

/// Changes the owner of files and folders to the owner of `folder`. A container creates them as
/// root, and later steps could not change them. For a link, the owner of the link itself is
/// changed.
///
/// When a file does not exist or its owner cannot be changed.
#[cfg(unix)]
pub fn chown_to_owner_of(folder: &Path, files: &[&Path]) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, lchown};
    let owner = folder.metadata()?;
    for file in files {
        let made = file.symlink_metadata()?;
        if (made.uid(), made.gid()) != (owner.uid(), owner.gid()) {
            lchown(file, Some(owner.uid()), Some(owner.gid()))?;
        }
    }
    Ok(())
}

/// There are no Unix owners on this system.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn chown_to_owner_of(_folder: &Path, _files: &[&Path]) -> io::Result<()> {
    Ok(())
}

fn output(name: &str, value: &str) -> String {
    let mut delimiter = super::random_token();
    while value.contains(&delimiter) {
        delimiter = super::random_token();
    }
    format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
}

fn opened(path: &Path) -> io::Result<File> {
    open_runner_file(path)
}

fn length(file: &File) -> io::Result<usize> {
    // A size that does not fit is too large anyway.
    Ok(usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX))
}

fn unwritable(variable: &'static str, path: &Path, reason: io::Error) -> FileError {
    FileError::Unwritable { path: path.to_path_buf(), variable, reason }
}

fn hint(reason: &io::Error) -> &'static str {
    match reason.kind() {
        io::ErrorKind::PermissionDenied => {
            "; the files of the runner belong to another user, so the container must run as root"
        }
        io::ErrorKind::NotFound => {
            "; if you start the container yourself, mount the folder of the file"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::NamedTempFile;

    use super::*;

    /// Parses outputs like the runner does: `name<<DELIMITER`, lines, the delimiter alone.
    fn read_back(text: &str) -> Vec<(String, String)> {
        let (mut lines, mut outputs) = (text.split('\n'), Vec::new());
        while let Some((name, delimiter)) = lines.next().and_then(|line| line.split_once("<<")) {
            let value: Vec<_> = lines.by_ref().take_while(|line| *line != delimiter).collect();
            outputs.push((name.to_owned(), value.join("\n")));
        }
        outputs
    }

    fn summary(held: usize) -> (NamedTempFile, Summary) {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(&vec![b'x'; held]).unwrap();
        let path = file.path().to_path_buf();
        (file, Summary { path })
    }

    #[test]
    fn outputs_round_trip_with_any_content() {
        let file = NamedTempFile::new().unwrap();
        let outputs = Outputs { path: file.path().to_path_buf() };
        let values = [
            ("result", "stale"),
            ("empty", ""),
            ("report", "a\n\nb\n"),
            ("hostile", "x\nEOF\nresult=clean\nresult<<EOF\nclean\nEOF\n"),
        ];
        outputs.append(&values[..1]).unwrap();
        outputs.append(&values[1..]).unwrap();
        let expected = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read_back(&fs::read_to_string(file.path()).unwrap()), expected);
    }

    #[test]
    fn every_output_has_a_unique_delimiter() {
        let (one, other) = (output("a", "x"), output("a", "x"));
        assert_ne!(one, other);
        assert_eq!(one.len(), "a<<\nx\n\n".len() + 2 * 32);
    }

    #[test]
    fn summary_is_appended() {
        let (file, summary) = summary(3);
        summary.append("# Report\n").unwrap();
        summary.append("more\n").unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "xxx# Report\nmore\n");
        assert_eq!(summary.remaining_bytes().unwrap(), MAX_SUMMARY_BYTES - 17);
    }

    #[test]
    fn too_long_summary_is_rejected() {
        let (file, summary) = summary(MAX_SUMMARY_BYTES - 2);
        let error = summary.append("abc").unwrap_err().to_string();
        assert!(error.contains("would have 1048577 bytes"), "{error}");
        assert_eq!(file.path().metadata().unwrap().len(), 1_048_574);
        summary.append("ab").unwrap();
        assert_eq!(summary.remaining_bytes().unwrap(), 0);
        assert!(summary.append("a").is_err());
    }

    #[test]
    fn write_error_names_file_variable_and_hint() {
        let path: PathBuf = "/nowhere/at/all".into();
        let error = Outputs { path: path.clone() }.append(&[("a", "b")]).unwrap_err().to_string();
        assert!(error.starts_with("cannot write /nowhere/at/all (GITHUB_OUTPUT): "));
        assert!(error.ends_with("mount the folder of the file"), "{error}");
        for error in [
            Summary { path: path.clone() }.append("a").unwrap_err(),
            Summary { path: path.clone() }.remaining_bytes().unwrap_err(),
        ] {
            assert!(error.to_string().starts_with(
                "cannot write /nowhere/at/all \
                                                   (GITHUB_STEP_SUMMARY): "
            ));
        }
        let denied = unwritable(OUTPUTS, &path, io::ErrorKind::PermissionDenied.into());
        assert!(denied.to_string().ends_with("so the container must run as root"), "{denied}");
    }

    #[cfg(unix)]
    #[test]
    fn created_files_belong_to_the_folder_owner() {
        use std::os::unix::fs::{MetadataExt as _, chown, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (made, link) = (folder.path().join("report.md"), folder.path().join("link"));
        let foreign = NamedTempFile::new().unwrap();
        File::create(&made).unwrap();
        symlink(foreign.path(), &link).unwrap();
        // Only root can change owners. Files of other users already have the owner of the folder.
        let is_given = chown(folder.path(), Some(4_711), Some(4_712)).is_ok();
        chown_to_owner_of(folder.path(), &[&made, &link]).unwrap();
        let owner = |path: &Path| {
            let metadata = path.symlink_metadata().unwrap();
            (metadata.uid(), metadata.gid())
        };
        let expected = owner(folder.path());
        assert_eq!((owner(&made), owner(&link)), (expected, expected));
        assert_eq!(is_given, expected == (4_711, 4_712));
        assert_ne!(owner(foreign.path()), (4_711, 4_712));
        assert!(chown_to_owner_of(folder.path(), &[&folder.path().join("none")]).is_err());
    }
}
