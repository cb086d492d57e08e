//! The allowlist files of `tests/allowlists`, one directory a case.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

/// One allowlist file.
pub(crate) struct Fixture {
    /// The directory.
    pub(crate) directory: PathBuf,
    /// The file.
    pub(crate) bytes: Vec<u8>,
}

impl Fixture {
    /// The directory's name.
    pub(crate) fn name(&self) -> &str {
        self.directory.file_name().and_then(|name| name.to_str()).expect("a name")
    }
}

/// The day on which the files are read.
pub(crate) fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 6, 30).expect("a day")
}

/// All files, in the order of their directories' names.
pub(crate) fn fixtures() -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/allowlists");
    let mut fixtures: Vec<_> = fs::read_dir(root)
        .expect("the directory can be read")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .map(|directory| {
            let bytes = fs::read(directory.join("allowlist.yml")).expect("an allowlist");
            Fixture { directory, bytes }
        })
        .collect();
    fixtures.sort_by(|a, b| a.directory.cmp(&b.directory));
    fixtures
}
