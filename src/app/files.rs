//! Reading and writing files. An output file appears whole or not at all.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::report::json::v1;
use crate::settings::Input;

/// Reads all of an input.
pub(super) fn read(input: &Input, stdin: &mut dyn Read) -> io::Result<Vec<u8>> {
    match input {
        Input::File(path) => std::fs::read(path),
        Input::Stdin => {
            let mut bytes = Vec::new();
            stdin.read_to_end(&mut bytes)?;
            Ok(bytes)
        }
    }
}

/// Reads an audit JSON; the error is what is wrong, and what to do.
pub(super) fn read_audit(
    input: &Input,
    stdin: &mut dyn Read,
) -> Result<v1::Audit, (String, String)> {
    let make_one = || "make one with: iam-stocktake audit … --output audit.json".to_owned();
    let bytes =
        read(input, stdin).map_err(|error| (format!("cannot be read: {error}"), make_one()))?;
    let audit: v1::Audit = serde_json::from_slice(&bytes)
        .map_err(|error| (format!("is no audit JSON: {error}"), make_one()))?;
    if audit.schema == v1::SCHEMA {
        Ok(audit)
    } else {
        let message = format!("has the schema `{}`, not `{}`", audit.schema, v1::SCHEMA);
        Err((message, "use the iam-stocktake that made it".to_owned()))
    }
}

/// A file that is written beside its target and not there yet.
pub(super) struct Staged {
    target: PathBuf,
    content: Content,
}

enum Content {
    /// Takes the target's place by a rename.
    Beside(NamedTempFile),
    /// The target is a pipe or a device, which nothing can take the place of.
    Through(Vec<u8>),
}

/// Writes `content` beside `path`, so that [`Staged::publish`] has nothing left to do that is
/// likely to fail.
pub(super) fn stage(path: &Path, content: &[u8]) -> io::Result<Staged> {
    // A link's target is what is meant to be replaced, not the link.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let metadata = target.metadata().ok();
    if metadata.as_ref().is_some_and(std::fs::Metadata::is_dir) {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    if metadata.as_ref().is_some_and(|it| !it.is_file()) {
        return Ok(Staged { target, content: Content::Through(content.to_vec()) });
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
        // What a plain new file gets; the process's mask takes its part away.
        Some(std::fs::Permissions::from_mode(0o666))
    });
    if let Some(permissions) = permissions {
        builder.permissions(permissions);
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(Staged { target, content: Content::Beside(file) })
}

impl Staged {
    /// Puts the file in its place.
    pub(super) fn publish(self) -> io::Result<()> {
        match self.content {
            Content::Beside(file) => file.persist(&self.target).map(drop).map_err(|it| it.error),
            Content::Through(content) => {
                std::fs::OpenOptions::new().write(true).open(&self.target)?.write_all(&content)
            }
        }
    }
}
