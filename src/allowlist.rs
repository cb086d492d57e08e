//! The YAML allowlist → [`Allowlist`], with problems that point at line and column.
//!
//! The file is parsed into a tree (`node`), read into raw types that mirror the file (`reader`,
//! `raw`), and checked (`check`). Every stage records problems and continues, so that all problems
//! of a file are reported at once.

mod check;
mod diagnostic;
mod former_accounts;
mod help;
mod insertion;
mod near_name;
mod node;
mod overlap;
mod pattern;
mod raw;
mod reader;
mod remediation;
mod suggestion;
mod syntax;

use std::fmt;
use std::ops::Range;

use chrono::NaiveDate;

pub use check::{EXPIRES_SOON_DAYS, notices};
pub use diagnostic::{Diagnostic, DiagnosticCode, Severity, render};
pub use former_accounts::{FormerAccount, audited_former_accounts};
pub use insertion::{ExtendedFile, InsertionError, extend_list};
pub use near_name::{NearName, nearest_name};
pub use pattern::{Pattern, is_user_name_char};
pub use suggestion::{ExemptedFinding, SuggestedExemption};

use crate::cause::reason;
use crate::model::inventory::AccountId;
use crate::model::policy::remediation::RemediationPolicy;
use crate::model::policy::{PolicyOverrides, Rule};
use crate::model::text_enum;

/// The default path.
pub const DEFAULT_PATH: &str = ".github/iam-allowlist.yml";

/// The byte order mark that some editors put at the start of a file. Columns do not count it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A checked allowlist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowlist {
    /// `policy` in the file.
    pub policy: PolicyOverrides,
    /// The exemptions, in the order of the file.
    pub exemptions: Vec<Exemption>,
    /// `remediation` in the file; `None` if it is absent.
    pub remediation: Option<RemediationPolicy>,
    /// Accounts that are no longer audited, in the order of the file.
    pub former_accounts: Vec<FormerAccount>,
}

/// An exemption: who may keep which credential, why, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// The user or users.
    pub user: UserSelector,
    /// The account; `None` for every audited account.
    pub account: Option<AccountId>,
    /// The user's unique id; `None` for any user with the name.
    pub user_id: Option<String>,
    /// The credentials; empty for all.
    pub credentials: Vec<CredentialSelector>,
    /// The rules whose findings it exempts.
    pub rules: Vec<Rule>,
    /// Whether it names neither `credentials` nor `rules`. It then protects the whole user from
    /// remediation, even from rules whose findings it does not exempt.
    pub protects_user: bool,
    pub reason: String,
    pub owner: String,
    /// The last day (UTC) on which it is valid.
    pub expires: NaiveDate,
    /// Where it begins in the file, in bytes.
    pub span: Range<usize>,
    /// Where it begins, as line and column.
    pub place: Position,
}

/// Which users an exemption is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserSelector {
    /// One user. Names are compared without case.
    Name(String),
    /// All users whose names match.
    Pattern(Pattern),
}

impl UserSelector {
    /// The name or the pattern, as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Pattern(pattern) => pattern.as_str(),
        }
    }
}

impl UserSelector {
    /// The pattern to write instead of one that looks like a regular expression and may match no
    /// user.
    #[must_use]
    pub fn suggested_pattern(&self) -> Option<String> {
        match self {
            Self::Name(_) => None,
            Self::Pattern(pattern) => pattern.suggested_pattern(),
        }
    }
}

impl fmt::Display for UserSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which of a user's credentials an exemption is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSelector {
    /// The console password.
    Password,
    /// Every access key.
    AccessKey,
    /// The access key whose id ends in these four characters.
    AccessKeyEnding(String),
}

impl fmt::Display for CredentialSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password => f.write_str("password"),
            Self::AccessKey => f.write_str("access-key"),
            Self::AccessKeyEnding(last4) => write!(f, "access-key:{last4}"),
        }
    }
}

/// A position in the file. Lines and columns start at 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// The position of a byte offset.
    #[must_use]
    pub fn of(source: &str, offset: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let before = before.strip_prefix(BYTE_ORDER_MARK).unwrap_or(before);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: 1 + before.matches('\n').count(),
            column: 1 + before.get(line_start..).unwrap_or_default().chars().count(),
        }
    }
}

text_enum! {
    /// Whether an exemption is valid.
    pub enum ExemptionStatus {
        /// It is valid.
        InForce,
        /// It is valid for at most [`EXPIRES_SOON_DAYS`] more days.
        ExpiresSoon,
        /// Its expiry date has passed.
        Expired,
    }
}

impl Exemption {
    /// Whether the exemption names this user, by account, name and, if it has one, unique id.
    #[must_use]
    pub fn applies_to(&self, account: AccountId, name: &str, id: Option<&str>) -> bool {
        let is_named = match &self.user {
            UserSelector::Name(own) => own.eq_ignore_ascii_case(name),
            UserSelector::Pattern(pattern) => pattern.matches(name),
        };
        is_named
            && self.account.is_none_or(|own| own == account)
            && self.user_id.as_deref().is_none_or(|own| Some(own) == id)
    }

    /// The status on `today` (UTC).
    #[must_use]
    pub fn status_on(&self, today: NaiveDate) -> ExemptionStatus {
        match (self.expires - today).num_days() {
            ..0 => ExemptionStatus::Expired,
            0..=EXPIRES_SOON_DAYS => ExemptionStatus::ExpiresSoon,
            _ => ExemptionStatus::InForce,
        }
    }
}

/// Reads an allowlist. The expiry dates are checked against `today` (UTC).
///
/// # Errors
/// Everything that is wrong with the file, in the file's order.
pub fn parse(bytes: &[u8], today: NaiveDate) -> Result<Allowlist, Vec<Diagnostic>> {
    let source = std::str::from_utf8(bytes).map_err(|error| vec![not_utf8(bytes, &error)])?;
    if let Some(at) = source.find('\0') {
        return Err(vec![null_byte(at)]);
    }
    let root = node::parse(source).map_err(|problem| vec![*problem])?;
    if matches!(root.value, node::YamlNode::Null) {
        return Err(vec![empty(source)]);
    }
    let mut problems = Vec::new();
    let raw = reader::read(root, source, &mut problems);
    let allowlist = check::check(raw, source, today, &mut problems);
    if problems.is_empty() {
        return Ok(allowlist);
    }
    problems.sort_by_key(|problem| (problem.span.start, problem.code));
    Err(problems)
}

fn not_utf8(bytes: &[u8], error: &std::str::Utf8Error) -> Diagnostic {
    let at = error.valid_up_to();
    let (message, help) = match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => ("the file is UTF-16", "save it as UTF-8"),
        _ => ("the file is not UTF-8", "save it as UTF-8, or remove the character"),
    };
    let byte = bytes.get(at).copied().unwrap_or_default();
    let label = format!("the byte 0x{byte:02X} is not valid UTF-8");
    Diagnostic::error(DiagnosticCode::NotUtf8, at..at + 1, message).label(label).help(help)
}

fn null_byte(at: usize) -> Diagnostic {
    Diagnostic::error(DiagnosticCode::NotUtf8, at..at + 1, "the file is not text, or is UTF-16")
        .label("a null byte")
        .help("save it as UTF-8")
}

fn empty(source: &str) -> Diagnostic {
    let help = "for an allowlist without exemptions, write `version: 1`";
    let comments = source.lines().any(|line| line.starts_with('#'));
    let problem = if comments {
        Diagnostic::error(DiagnosticCode::EmptyFile, 0..1, "the file has only comments")
            .label("no keys")
    } else {
        Diagnostic::error(DiagnosticCode::EmptyFile, 0..0, "the file is empty")
            .label("nothing here")
    };
    problem.help(help)
}

/// Parses a day in the form `YYYY-MM-DD` and no other.
#[must_use]
pub fn parse_day(text: &str) -> Option<NaiveDate> {
    let date = check::is_day_shaped(text).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok());
    date.flatten()
}

/// The diagnostic for a file that cannot be read.
#[must_use]
pub fn unreadable(error: &std::io::Error, help: &str) -> Diagnostic {
    let message = format!("the allowlist cannot be read: {}", reason(error));
    Diagnostic::error(DiagnosticCode::UnreadableFile, 0..0, message).help(help)
}

/// The JSON Schema of the file, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    raw::schema().to_value()
}
