//! Parses the CSV of a credential report into an [`Account`].
//!
//! Source: "Get credential reports for your AWS account", IAM User Guide. Columns are found by
//! header name. A problem with the whole file is an error. A single field that cannot be read is
//! kept as [`UnreadableField`](crate::model::inventory::UnreadableField).

mod columns;
mod row;

use std::collections::HashSet;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};

use chrono::{DateTime, Utc};
use csv::ByteRecord;

use columns::Columns;
use row::CredentialReportRow;

use crate::model::inventory::{Account, AccountId, EvidenceSource, ROOT_USER, User};

/// Why a CSV is not a credential report. Line numbers start at 1, the header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Required columns are missing.
    #[error("not a credential report: the header has no column {}", .0.join(", "))]
    MissingColumns(Vec<String>),
    #[error("the header contains the column {0} twice")]
    DuplicateColumn(String),
    /// A row is cut off, or has an unquoted comma in a field.
    #[error(
        "line {line} has {found} fields, but the header has {expected}: the file may be \
         incomplete or edited"
    )]
    FieldCount {
        line: u64,
        /// Number of fields in the header.
        expected: usize,
        /// Number of fields in the row.
        found: usize,
    },
    /// A second header: files were concatenated.
    #[error("line {line} is a second header")]
    RepeatedHeader { line: u64 },
    /// A row of another account: files were concatenated.
    #[error(
        "line {line} belongs to account {found}, but the rows before it belong to account \
             {expected}"
    )]
    ForeignAccount {
        line: u64,
        /// The account of the previous rows.
        expected: AccountId,
        found: AccountId,
    },
    /// User names in IAM are unique without regard to case.
    #[error("line {line} lists the user `{name}` a second time")]
    DuplicateUser {
        /// The line of the second row.
        line: u64,
        name: String,
    },
    #[error("line {line} has no user name")]
    NoUserName { line: u64 },
    /// No row has an ARN, so the account is unknown.
    #[error("no row has an ARN with an account ID")]
    NoAccount,
    #[error("the CSV cannot be read: {0}")]
    Csv(String),
}

impl ReportError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::ForeignAccount { .. }
            | Self::RepeatedHeader { .. }
            | Self::DuplicateUser { .. } => {
                "provide the report of each account as a separate, unedited file"
            }
            _ => {
                "export it again: aws iam generate-credential-report, then \
                 aws iam get-credential-report --output json > report.json"
            }
        }
    }
}

/// Parses the report of one account.
///
/// `generated_at` is when IAM generated the report, if known.
///
/// [`ReportError`] when the file is not a report of exactly one account.
pub fn parse(csv: &str, generated_at: Option<DateTime<Utc>>) -> Result<Account<'_>, ReportError> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(csv.as_bytes());
    let mut record = ByteRecord::new();
    if !read(&mut reader, &mut record, csv)? {
        return Err(ReportError::NoAccount);
    }
    let columns = Columns::find(&record)?;
    let width = record.len();
    let mut owner = ReportAccount::default();
    let mut names = SeenNames::default();
    let mut root: Option<User<'_>> = None;
    // Real rows have more than 150 bytes. Unused capacity costs almost nothing, but growing the
    // vector moves all users.
    let mut users: Vec<User<'_>> = Vec::with_capacity(csv.len() / 150);
    while read(&mut reader, &mut record, csv)? {
        let line = || line_of(csv, &record);
        if record.len() != width {
            return Err(ReportError::FieldCount {
                line: line(),
                expected: width,
                found: record.len(),
            });
        }
        let user = columns.user(CredentialReportRow::new(csv, &record));
        if user.name.is_empty() {
            return Err(ReportError::NoUserName { line: line() });
        }
        if is_header(&user) {
            return Err(ReportError::RepeatedHeader { line: line() });
        }
        owner.check(&user.arn, line)?;
        let seen = || users.iter().chain(&root).map(|user| user.name.as_ref());
        if names.is_repeated(&user.name, seen) {
            return Err(ReportError::DuplicateUser { line: line(), name: user.name.into_owned() });
        }
        if user.name == ROOT_USER {
            root = Some(user);
        } else {
            users.push(user);
        }
    }
    let (id, partition) = owner.found.ok_or(ReportError::NoAccount)?;
    Ok(Account {
        id,
        partition,
        alias: None,
        evidence_source: EvidenceSource::ExportedReport,
        report_generated_at: generated_at,
        root,
        users,
        replaced_rows: Vec::new(),
        queried_users: Vec::new(),
        rechecked_users: Vec::new(),
        gaps: Vec::new(),
    })
}

fn read(
    reader: &mut csv::Reader<&[u8]>,
    record: &mut ByteRecord,
    csv: &str,
) -> Result<bool, ReportError> {
    let found =
        reader.read_byte_record(record).map_err(|error| ReportError::Csv(error.to_string()))?;
    // IAM values have no line breaks. A line break means that a quote is not closed.
    if memchr::memchr2(b'\n', b'\r', record.as_slice()).is_some() {
        let line = line_of(csv, record);
        return Err(ReportError::Csv(format!(
            "a field on line {line} contains a line break: a quote may not be closed"
        )));
    }
    Ok(found)
}

/// The line on which the record starts, from 1. The line count of the reader is taken before the
/// rest of a CRLF and empty lines that it skips, and ignores a lone CR.
fn line_of(csv: &str, record: &ByteRecord) -> u64 {
    let end_of_last = record.position().map_or(0, csv::Position::byte);
    let (before, rest) = usize::try_from(end_of_last)
        .ok()
        .and_then(|at| csv.as_bytes().split_at_checked(at))
        .unwrap_or_default();
    let skipped = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let (mut lines, mut last) = (1, b' ');
    for &byte in before.iter().chain(skipped) {
        let ends_line = byte == b'\r' || (byte == b'\n' && last != b'\r');
        lines += u64::from(ends_line);
        last = byte;
    }
    lines
}

/// Whether the row is a header. A concatenated file can start with a byte order mark.
fn is_header(user: &User<'_>) -> bool {
    let names = |field: &str, column| field.trim().eq_ignore_ascii_case(column);
    names(user.name.trim_start_matches('\u{feff}'), "user") && names(&user.arn, "arn")
}

/// Hashes of the user names so far. Keeping the lower-case names would take an allocation per user.
#[derive(Default)]
struct SeenNames {
    hasher: RandomState,
    hashes: HashSet<u64, BuildHasherDefault<PassThroughHasher>>,
    lower_case: String,
}

impl SeenNames {
    /// Whether the name occurred before, ignoring case. `seen` returns the names so far; it is only
    /// called if hashes are equal, which can be a collision.
    fn is_repeated<'a, I: Iterator<Item = &'a str>>(
        &mut self,
        name: &str,
        seen: impl FnOnce() -> I,
    ) -> bool {
        self.lower_case.clear();
        self.lower_case.push_str(name);
        self.lower_case.make_ascii_lowercase();
        !self.hashes.insert(self.hasher.hash_one(&self.lower_case))
            && seen().any(|other| other.eq_ignore_ascii_case(name))
    }
}

/// Uses a hash as its own hash.
#[derive(Default)]
struct PassThroughHasher(u64);

impl Hasher for PassThroughHasher {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The account of the rows.
#[derive(Default)]
struct ReportAccount {
    found: Option<(AccountId, String)>,
    /// The ARN up to the colon after the account ID. Most rows start with it.
    prefix: String,
}

impl ReportAccount {
    /// An ARN that cannot be parsed is ignored.
    fn check(&mut self, arn: &str, line: impl FnOnce() -> u64) -> Result<(), ReportError> {
        if !self.prefix.is_empty() && arn.starts_with(&self.prefix) {
            return Ok(());
        }
        let mut parts = arn.splitn(6, ':');
        let (Some("arn"), Some(partition), Some("iam"), Some(""), Some(account)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Ok(());
        };
        let Ok(account) = account.parse() else { return Ok(()) };
        match &self.found {
            Some((expected, _)) if *expected != account => {
                let (line, expected) = (line(), *expected);
                Err(ReportError::ForeignAccount { line, expected, found: account })
            }
            Some(_) => Ok(()),
            None => {
                self.prefix = format!("arn:{partition}:iam::{account}:");
                self.found = Some((account, partition.to_owned()));
                Ok(())
            }
        }
    }
}
