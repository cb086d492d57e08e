//! The credential report's CSV → [`Account`].
//!
//! Source: "Get credential reports for your AWS account", IAM User Guide. Columns are found by
//! their header names. What is wrong with the file as a whole is an error; a single field that
//! cannot be read is kept as [`Unreadable`] and stops nothing.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};

use chrono::{DateTime, NaiveDate, Utc};
use csv::ByteRecord;

use crate::inventory::{
    AccessKey, Account, AccountId, CredentialKind, Evidence, Flag, Form, Handle, OtherCredential,
    Password, ROOT_USER, Stamp, Unreadable, User,
};

/// Why a CSV is no credential report. Lines count from 1, the header being line 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Columns that every credential report has are not there.
    #[error("this is no credential report: the header has no column {}", .0.join(", "))]
    MissingColumns(Vec<String>),
    /// The header names a column twice.
    #[error("the header names the column {0} twice")]
    DuplicateColumn(String),
    /// A row that is cut, or that a comma without quotes has shifted.
    #[error("line {line} has {found} fields where the header has {expected}")]
    FieldCount {
        /// The row's line.
        line: u64,
        /// Fields in the header.
        expected: usize,
        /// Fields in the row.
        found: usize,
    },
    /// A second header: files were joined.
    #[error("line {line} is a second header")]
    RepeatedHeader {
        /// The second header's line.
        line: u64,
    },
    /// A row of another account: files were joined.
    #[error("line {line} belongs to account {found}, the rows before it to {expected}")]
    ForeignAccount {
        /// The row's line.
        line: u64,
        /// The account of the rows before.
        expected: AccountId,
        /// The account of this row.
        found: AccountId,
    },
    /// IAM names are unique without case.
    #[error("line {line} lists the user `{name}` for the second time")]
    DuplicateUser {
        /// The second row's line.
        line: u64,
        /// The user's name.
        name: String,
    },
    /// A row whose user name is empty.
    #[error("line {line} names no user")]
    NoUserName {
        /// The row's line.
        line: u64,
    },
    /// No row has an ARN, so that nobody knows whose report it is.
    #[error("no row has an ARN with an account id")]
    NoAccount,
    /// The CSV cannot be split into fields.
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
                "give each account's report as a file of its own, unchanged"
            }
            _ => {
                "export it anew: aws iam generate-credential-report, then \
                 aws iam get-credential-report > report.json"
            }
        }
    }
}

/// Reads the report of one account.
///
/// `generated_at` is the moment at which IAM generated it, where that is known.
///
/// # Errors
/// [`ReportError`] when the file as a whole is no report of one account.
pub fn parse(csv: &str, generated_at: Option<DateTime<Utc>>) -> Result<Account, ReportError> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(csv.as_bytes());
    let mut record = ByteRecord::new();
    if !read(&mut reader, &mut record, csv)? {
        return Err(ReportError::NoAccount);
    }
    let columns = Columns::find(&record)?;
    let width = record.len();
    let mut owner = Owner::default();
    let mut names = Names::default();
    let mut root: Option<User> = None;
    // A row of a real report takes more than 150 bytes. Room that stays empty costs next to
    // nothing, whereas users that outgrow their place are all moved.
    let mut users: Vec<User> = Vec::with_capacity(csv.len() / 150);
    while read(&mut reader, &mut record, csv)? {
        let line = || line_of(csv, &record);
        if record.len() != width {
            return Err(ReportError::FieldCount {
                line: line(),
                expected: width,
                found: record.len(),
            });
        }
        let user = columns.user(&record);
        if user.name.is_empty() {
            return Err(ReportError::NoUserName { line: line() });
        }
        if is_header(&user) {
            return Err(ReportError::RepeatedHeader { line: line() });
        }
        owner.check(&user.arn, line)?;
        let seen = || users.iter().chain(&root).map(|user| user.name.as_str());
        if names.repeats(&user.name, seen) {
            return Err(ReportError::DuplicateUser { line: line(), name: user.name });
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
        form: Form::ExportedReport,
        report_generated_at: generated_at,
        root,
        users,
    })
}

fn read(
    reader: &mut csv::Reader<&[u8]>,
    record: &mut ByteRecord,
    csv: &str,
) -> Result<bool, ReportError> {
    let found =
        reader.read_byte_record(record).map_err(|error| ReportError::Csv(error.to_string()))?;
    // No value of IAM's has a line break: a quote that is not closed has swallowed other rows.
    if record.as_slice().contains(&b'\n') || record.as_slice().contains(&b'\r') {
        let line = line_of(csv, record);
        return Err(ReportError::Csv(format!(
            "a field of line {line} runs over the line's end: is a quote not closed?"
        )));
    }
    Ok(found)
}

/// The line on which the record begins, from 1. The reader's own count is taken before the rest of
/// a CRLF and the empty lines that it skips, and knows no lone CR.
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

/// Whether the row is a header. A file that was appended may begin with a byte order mark.
fn is_header(user: &User) -> bool {
    let names = |field: &str, column| field.trim().eq_ignore_ascii_case(column);
    names(user.name.trim_start_matches('\u{feff}'), "user") && names(&user.arn, "arn")
}

/// The hashes of the names that occurred: keeping the names themselves in lower case would cost an
/// allocation a user.
#[derive(Default)]
struct Names {
    hasher: RandomState,
    hashes: HashSet<u64, BuildHasherDefault<AsItIs>>,
    lower_case: String,
}

impl Names {
    /// Whether the name occurred before, compared without case. `seen` are the names that did:
    /// they are asked only where hashes are equal, which need not mean that the names are.
    fn repeats<'a, I: Iterator<Item = &'a str>>(
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

/// Hashes a hash: it is random enough as it is.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
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

/// The account whose rows these are.
#[derive(Default)]
struct Owner {
    found: Option<(AccountId, String)>,
    /// The ARN up to the colon behind the account id: most rows begin with it.
    prefix: String,
}

impl Owner {
    /// An ARN that cannot be read says nothing about the account and passes.
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

/// Where a column stands, and its name for messages.
#[derive(Clone, Copy)]
struct Column {
    index: usize,
    name: &'static str,
}

/// The columns of one access key slot.
struct KeyColumns {
    slot: u8,
    active: Column,
    last_rotated: Column,
    last_used_date: Column,
    last_used_service: Option<Column>,
}

/// The columns of one signing certificate slot.
struct CertificateColumns {
    slot: u8,
    active: Column,
    last_rotated: Column,
}

/// Where each column that matters stands.
struct Columns {
    user: Column,
    arn: Column,
    user_creation_time: Column,
    password_enabled: Column,
    password_last_used: Column,
    password_last_changed: Column,
    keys: [KeyColumns; 2],
    certificates: Vec<CertificateColumns>,
    mfa_active: Option<Column>,
    additional_credentials_info: Option<Column>,
}

/// A header row, with the required columns that it turned out to lack.
struct Header<'a> {
    record: &'a ByteRecord,
    missing: Vec<String>,
}

impl Header<'_> {
    fn optional(&self, name: &'static str) -> Option<Column> {
        let found = |field: &[u8]| field.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        self.record.iter().position(found).map(|index| Column { index, name })
    }

    fn required(&mut self, name: &'static str) -> Column {
        self.optional(name).unwrap_or_else(|| {
            self.missing.push(name.to_owned());
            Column { index: 0, name }
        })
    }
}

impl Columns {
    fn find(record: &ByteRecord) -> Result<Self, ReportError> {
        let mut seen = HashSet::new();
        for field in record {
            let name = field.trim_ascii().to_ascii_lowercase();
            if !name.is_empty() && !seen.insert(name.clone()) {
                return Err(ReportError::DuplicateColumn(
                    String::from_utf8_lossy(&name).into_owned(),
                ));
            }
        }
        let mut header = Header { record, missing: Vec::new() };
        let columns = Self {
            user: header.required("user"),
            arn: header.required("arn"),
            user_creation_time: header.required("user_creation_time"),
            password_enabled: header.required("password_enabled"),
            password_last_used: header.required("password_last_used"),
            password_last_changed: header.required("password_last_changed"),
            keys: [
                KeyColumns {
                    slot: 1,
                    active: header.required("access_key_1_active"),
                    last_rotated: header.required("access_key_1_last_rotated"),
                    last_used_date: header.required("access_key_1_last_used_date"),
                    last_used_service: header.optional("access_key_1_last_used_service"),
                },
                KeyColumns {
                    slot: 2,
                    active: header.required("access_key_2_active"),
                    last_rotated: header.required("access_key_2_last_rotated"),
                    last_used_date: header.required("access_key_2_last_used_date"),
                    last_used_service: header.optional("access_key_2_last_used_service"),
                },
            ],
            certificates: [
                (1, "cert_1_active", "cert_1_last_rotated"),
                (2, "cert_2_active", "cert_2_last_rotated"),
            ]
            .into_iter()
            .filter_map(|(slot, active, last_rotated)| {
                let active = header.optional(active)?;
                let last_rotated = header.optional(last_rotated)?;
                Some(CertificateColumns { slot, active, last_rotated })
            })
            .collect(),
            mfa_active: header.optional("mfa_active"),
            additional_credentials_info: header.optional("additional_credentials_info"),
        };
        if header.missing.is_empty() {
            Ok(columns)
        } else {
            Err(ReportError::MissingColumns(header.missing))
        }
    }

    fn user(&self, row: &ByteRecord) -> User {
        User {
            name: text(row, self.user).to_owned(),
            arn: text(row, self.arn).to_owned(),
            id: None,
            created: stamp(row, self.user_creation_time),
            evidence: Evidence::CredentialReport,
            mfa: self.mfa_active.and_then(|column| match flag(row, column) {
                Flag::Yes => Some(true),
                Flag::No => Some(false),
                Flag::Unreadable(_) => None,
            }),
            password: self.password(row),
            access_keys: self.access_keys(row),
            other_credentials: self.certificates.iter().filter_map(|cert| cert.read(row)).collect(),
            other_credentials_complete: false,
            hidden_credentials: self
                .additional_credentials_info
                .is_some_and(|column| !means_none(field(row, column))),
            tags: None,
        }
    }

    /// Most users have one key or none: room for exactly those is half the inventory's size.
    fn access_keys(&self, row: &ByteRecord) -> Vec<AccessKey> {
        let slots = self.keys.each_ref().map(|key| key.read(row));
        let mut keys = Vec::with_capacity(slots.iter().flatten().count());
        keys.extend(slots.into_iter().flatten());
        keys
    }

    fn password(&self, row: &ByteRecord) -> Option<Password> {
        match flag(row, self.password_enabled) {
            Flag::No => None,
            enabled => Some(Password {
                enabled,
                last_used: stamp(row, self.password_last_used),
                last_changed: stamp(row, self.password_last_changed),
            }),
        }
    }
}

impl KeyColumns {
    /// The key in this slot. An inactive key keeps its creation date; an empty slot has none.
    fn read(&self, row: &ByteRecord) -> Option<AccessKey> {
        let active = flag(row, self.active);
        let created = stamp(row, self.last_rotated);
        let last_used = stamp(row, self.last_used_date);
        if (&active, &created, &last_used) == (&Flag::No, &Stamp::Absent, &Stamp::Absent) {
            return None;
        }
        let last_used_service = self
            .last_used_service
            .filter(|column| !means_none(field(row, *column)))
            .map(|column| text(row, column).to_owned());
        Some(AccessKey {
            handle: Handle::Slot(self.slot),
            active,
            created,
            last_used,
            last_used_service,
        })
    }
}

impl CertificateColumns {
    fn read(&self, row: &ByteRecord) -> Option<OtherCredential> {
        let active = flag(row, self.active);
        let created = stamp(row, self.last_rotated);
        if (&active, &created) == (&Flag::No, &Stamp::Absent) {
            return None;
        }
        Some(OtherCredential {
            kind: CredentialKind::SigningCertificate,
            handle: Handle::Slot(self.slot),
            active,
            created,
        })
    }
}

fn field(row: &ByteRecord, column: Column) -> &[u8] {
    row.get(column.index).unwrap_or_default().trim_ascii()
}

/// The field as text. The whole file was text, so that a part of it is too.
fn text(row: &ByteRecord, column: Column) -> &str {
    std::str::from_utf8(row.get(column.index).unwrap_or_default()).unwrap_or_default()
}

/// Whether the report says by this value that there is nothing.
fn means_none(value: &[u8]) -> bool {
    value.is_empty()
        || [b"N/A".as_slice(), b"no_information", b"not_supported"]
            .iter()
            .any(|none| value.eq_ignore_ascii_case(none))
}

fn flag(row: &ByteRecord, column: Column) -> Flag {
    match field(row, column) {
        b"true" => Flag::Yes,
        b"false" => Flag::No,
        value if value.eq_ignore_ascii_case(b"true") => Flag::Yes,
        value if value.eq_ignore_ascii_case(b"false") => Flag::No,
        value if !value.is_empty() && means_none(value) => Flag::No,
        value => Flag::Unreadable(unreadable(column, value)),
    }
}

fn stamp(row: &ByteRecord, column: Column) -> Stamp {
    let value = field(row, column);
    match value {
        b"N/A" => Stamp::Absent,
        _ => match date(value) {
            Some(moment) => Stamp::At(moment),
            None if !value.is_empty() && means_none(value) => Stamp::Absent,
            None => Stamp::Unreadable(unreadable(column, value)),
        },
    }
}

fn unreadable(column: Column, value: &[u8]) -> Box<Unreadable> {
    Box::new(Unreadable {
        column: column.name.to_owned(),
        text: String::from_utf8_lossy(value).into_owned(),
    })
}

/// A date of the report, to the second: `2026-06-30T12:00:00Z`, `…+00:00`, or any RFC 3339.
fn date(value: &[u8]) -> Option<DateTime<Utc>> {
    utc_date(value).or_else(|| {
        // RFC 3339 begins with a digit; most other values end here.
        value.first().filter(|byte| byte.is_ascii_digit())?;
        let parsed = DateTime::parse_from_rfc3339(std::str::from_utf8(value).ok()?).ok()?;
        DateTime::from_timestamp(parsed.timestamp(), 0)
    })
}

/// The form that IAM writes, read without the general parser: a report of a large account is
/// mostly dates.
fn utc_date(value: &[u8]) -> Option<DateTime<Utc>> {
    let stamp = value.strip_suffix(b"Z").or_else(|| value.strip_suffix(b"+00:00"))?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2] =
        *stamp
    else {
        return None;
    };
    let two = |tens: u8, ones: u8| {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| u32::from(tens * 10 + ones))
    };
    let year = i32::try_from(two(y1, y2)? * 100 + two(y3, y4)?).ok()?;
    NaiveDate::from_ymd_opt(year, two(m1, m2)?, two(d1, d2)?)?
        .and_hms_opt(two(h1, h2)?, two(n1, n2)?, two(s1, s2)?)
        .map(|moment| moment.and_utc())
}
