//! The allowlist files in `tests/allowlists`, with one folder per case.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

pub(crate) struct Fixture {
    pub(crate) directory: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

impl Fixture {
    pub(crate) fn name(&self) -> &str {
        self.directory.file_name().and_then(|name| name.to_str()).expect("a name")
    }
}

/// The day on which the expiry dates are checked.
pub(crate) fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 6, 30).expect("a day")
}

/// All cases, sorted by name.
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
