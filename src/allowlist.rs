//! The YAML allowlist → [`Allowlist`], with problems that point at line and column.
//!
//! The file is parsed into a tree (`node`), from there read into raw types that mirror what is
//! written (`reader`, `raw`), and those are checked (`check`). Every stage notes what is wrong and
//! goes on, so that all problems of a file are reported together.

mod check;
mod diagnostic;
mod former_accounts;
mod help;
mod node;
mod pattern;
mod raw;
mod reader;
mod remediation;
mod suggestion;
mod syntax;

use std::fmt;
use std::ops::Range;

use chrono::NaiveDate;

pub use check::{EXPIRES_SOON_DAYS, expiry_notices};
pub use diagnostic::{Diagnostic, DiagnosticCode, Severity, render};
pub use former_accounts::{FormerAccount, audited_former_accounts};
pub use pattern::{Pattern, is_user_name_char};
pub use suggestion::{ExemptedFinding, SuggestedExemption};

use crate::cause::reason;
use crate::model::inventory::AccountId;
use crate::model::policy::remediation::RemediationPolicy;
use crate::model::policy::{PolicyOverrides, Rule};

/// Where the allowlist is looked for unless told otherwise.
pub const DEFAULT_PATH: &str = ".github/iam-allowlist.yml";

/// What some editors put before a file's first character; no column counts it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A checked allowlist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowlist {
    /// What the file says about the policy.
    pub policy: PolicyOverrides,
    /// The exemptions, in the file's order.
    pub exemptions: Vec<Exemption>,
    /// What the file says about the remedy; `None` where it says nothing.
    pub remediation: Option<RemediationPolicy>,
    /// Accounts that are no longer audited, in the file's order.
    pub former_accounts: Vec<FormerAccount>,
}

/// Who may keep which credential, why, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// Whom it is about.
    pub user: UserSelector,
    /// The account; every audited one if `None`.
    pub account: Option<AccountId>,
    /// The user's unique id; any user of the name if `None`.
    pub user_id: Option<String>,
    /// The credentials; all if empty.
    pub credentials: Vec<CredentialSelector>,
    /// The rules whose findings it exempts.
    pub rules: Vec<Rule>,
    /// Whether it names neither `credentials` nor `rules`: then nothing of the user's is
    /// remediated, also by rules whose findings it does not exempt.
    pub protects_user: bool,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day (UTC) on which it holds.
    pub expires: NaiveDate,
    /// The bytes of the file at which it begins.
    pub span: Range<usize>,
    /// The same place for people.
    pub place: Position,
}

/// Whom an exemption is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserSelector {
    /// One user; names are compared without case.
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
    /// What to write instead, where a pattern reads like a regular expression and so may match
    /// nobody.
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

/// A place in the file; both count from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// The place of a byte offset.
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

/// Where an exemption stands in time.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum ExemptionStatus {
    /// It holds.
    InForce,
    /// It holds for at most [`EXPIRES_SOON_DAYS`] more days.
    ExpiresSoon,
    /// Its last day has passed.
    Expired,
}

impl ExemptionStatus {
    /// The term's name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.into_str()
    }
}

impl Exemption {
    /// Whether the exemption is about this user, by account, name and, where it names one, unique id.
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

    /// Where the exemption stands on `today` (UTC).
    #[must_use]
    pub fn status_on(&self, today: NaiveDate) -> ExemptionStatus {
        match (self.expires - today).num_days() {
            ..0 => ExemptionStatus::Expired,
            0..=EXPIRES_SOON_DAYS => ExemptionStatus::ExpiresSoon,
            _ => ExemptionStatus::InForce,
        }
    }
}

/// Reads an allowlist as seen on `today` (UTC), since an exemption may not reach too far from it.
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
    let label = format!("the byte 0x{byte:02X} is no character in UTF-8");
    Diagnostic::error(DiagnosticCode::NotUtf8, at..at + 1, message).label(label).help(help)
}

fn null_byte(at: usize) -> Diagnostic {
    Diagnostic::error(DiagnosticCode::NotUtf8, at..at + 1, "the file is no text, or UTF-16")
        .label("a null byte")
        .help("save it as UTF-8")
}

fn empty(source: &str) -> Diagnostic {
    let help = "an allowlist without exemptions is written `version: 1`";
    let comments = source.lines().any(|line| line.starts_with('#'));
    let problem = if comments {
        Diagnostic::error(DiagnosticCode::EmptyFile, 0..1, "the file holds nothing but comments")
            .label("no key follows")
    } else {
        Diagnostic::error(DiagnosticCode::EmptyFile, 0..0, "the file is empty")
            .label("nothing here")
    };
    problem.help(help)
}

/// A day written as `YYYY-MM-DD`, and in no other way.
#[must_use]
pub fn parse_day(text: &str) -> Option<NaiveDate> {
    let date = check::is_day_shaped(text).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok());
    date.flatten()
}

/// The diagnostic for a file that cannot be opened or read.
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
