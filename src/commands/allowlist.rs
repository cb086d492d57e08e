//! `iam-stocktake allowlist`: check the file, print its schema, suggest exemptions.

use std::io;
use std::path::PathBuf;

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::error::{CommandError, CommandResult, ErrorDetails, Failure};
use super::{Exit, Streams, files};
use crate::allowlist::{
    self, Allowlist, Diagnostic, Position, SuggestedExemption, audited_former_accounts,
    expiry_notices,
};
use crate::audit::{AllowlistOrigin, FindingStatus};
use crate::cli::{AllowlistCommand, AllowlistSetting, Input, SuggestArgs};
use crate::files::FileKind;
use crate::model::inventory::AccountId;
use crate::model::policy::{Level, MAX_DAYS};
use crate::report::json::v1::{self, Text};
use crate::templates::escape_invisible;

/// Runs the command.
pub(super) fn run(
    command: &AllowlistCommand,
    now: DateTime<Utc>,
    streams: &mut Streams<'_>,
) -> CommandResult {
    match command {
        AllowlistCommand::Check { files, clock } => {
            Ok(check(files, clock.now.unwrap_or(now).date_naive(), streams))
        }
        AllowlistCommand::Schema => schema(streams),
        AllowlistCommand::Suggest(args) => {
            suggest(args, args.clock.now.unwrap_or(now).date_naive(), streams)
        }
    }
}

/// A valid file.
pub(super) struct ParsedAllowlist {
    pub(super) allowlist: Allowlist,
    source: String,
}

/// Why there is no valid file.
pub(super) enum AllowlistReadError {
    /// There is no such file.
    Missing,
    /// It cannot be opened or read.
    Unreadable(io::Error),
    /// The content is invalid.
    Broken { source: String, problems: Vec<Diagnostic> },
}

/// Reads an allowlist. `today` is the date in UTC.
pub(super) fn read(
    input: &Input,
    today: NaiveDate,
    streams: &mut Streams<'_>,
) -> Result<ParsedAllowlist, AllowlistReadError> {
    let bytes =
        files::read(input, FileKind::Allowlist, streams.stdin).map_err(|error| {
            match error.kind() {
                io::ErrorKind::NotFound => AllowlistReadError::Missing,
                _ => AllowlistReadError::Unreadable(error),
            }
        })?;
    let source = String::from_utf8_lossy(&bytes).into_owned();
    match allowlist::parse(&bytes, today) {
        Ok(allowlist) => Ok(ParsedAllowlist { allowlist, source }),
        Err(problems) => Err(AllowlistReadError::Broken { source, problems }),
    }
}

impl AllowlistReadError {
    /// The error for a file with this name. `hint` is for a missing file.
    pub(super) fn into_error(self, name: &str, hint: &str) -> CommandError {
        let error = CommandError::usage(self.summary(name));
        let (error, source, problems) = match self {
            Self::Missing => {
                let problem = allowlist::unreadable(&io::ErrorKind::NotFound.into(), hint);
                (error.with_hint(hint), None, vec![problem])
            }
            Self::Unreadable(cause) => {
                (error, None, vec![allowlist::unreadable(&cause, "check the path")])
            }
            Self::Broken { source, problems } => (error, Some(source), problems),
        };
        error.with_details(ErrorDetails::File { name: name.to_owned(), source, problems })
    }

    /// The problem in one line, without content of the file.
    fn summary(&self, name: &str) -> String {
        match self {
            Self::Missing => format!("the allowlist {name} does not exist"),
            Self::Unreadable(_) => format!("the allowlist {name} cannot be read"),
            Self::Broken { source, problems } => {
                let first = problems.first().map(|it| Position::of(source, it.span.start));
                let at = first.map_or_else(String::new, |it| format!(" at line {}", it.line));
                match problems.len() {
                    1 => format!("the allowlist {name} is invalid{at}"),
                    count => format!("the allowlist {name} has {count} problems, the first{at}"),
                }
            }
        }
    }
}

/// The allowlist of a run.
pub(super) struct LoadedAllowlist {
    pub(super) allowlist: Allowlist,
    pub(super) origin: AllowlistOrigin,
    /// The text of the file, for the positions of problems.
    pub(super) source: String,
}

impl LoadedAllowlist {
    /// No exemptions.
    fn without_exemptions(origin: AllowlistOrigin) -> Self {
        Self { allowlist: Allowlist::default(), origin, source: String::new() }
    }

    /// Rejects former accounts that are audited.
    pub(super) fn reject_audited_former_accounts(
        &self,
        audited: impl Iterator<Item = AccountId>,
    ) -> Result<(), CommandError> {
        let problems = audited_former_accounts(&self.allowlist, &audited.collect());
        match &self.origin {
            AllowlistOrigin::File(name) if !problems.is_empty() => {
                let source = self.source.clone();
                Err(AllowlistReadError::Broken { source, problems }.into_error(name, ""))
            }
            _ => Ok(()),
        }
    }
}

impl Default for LoadedAllowlist {
    fn default() -> Self {
        Self::without_exemptions(AllowlistOrigin::None)
    }
}

/// What to do if the default file is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingAllowlist {
    /// Continue without exemptions, with a note.
    Continue,
    /// Fail: the checkout step may be missing.
    Fail,
}

/// Reads the allowlist of the settings.
pub(super) fn load_allowlist(
    setting: &AllowlistSetting,
    if_missing: MissingAllowlist,
    today: NaiveDate,
    streams: &mut Streams<'_>,
) -> Result<LoadedAllowlist, CommandError> {
    let (path, is_default) = match setting {
        AllowlistSetting::None => return Ok(LoadedAllowlist::default()),
        AllowlistSetting::Default => (PathBuf::from(allowlist::DEFAULT_PATH), true),
        AllowlistSetting::File(path) => (path.clone(), false),
    };
    let name = path.display().to_string();
    match read(&Input::File(path), today, streams) {
        Ok(ParsedAllowlist { allowlist, source }) => {
            Ok(LoadedAllowlist { allowlist, origin: AllowlistOrigin::File(name), source })
        }
        Err(AllowlistReadError::Missing)
            if is_default && if_missing == MissingAllowlist::Continue =>
        {
            streams.eprintln(&format!(
                "note: the allowlist {name} does not exist, so nothing is exempt"
            ));
            Ok(LoadedAllowlist::without_exemptions(AllowlistOrigin::Missing(name)))
        }
        Err(unread) => {
            let hint = match if_missing {
                MissingAllowlist::Fail if is_default => {
                    "check out the repository first (actions/checkout), add the file, or set \
                     `allowlist: none` for no exemptions"
                }
                _ => "set another file, or `--allowlist none` for no exemptions",
            };
            Err(unread.into_error(&name, hint))
        }
    }
}

/// Checks files: exit code 2 if one is invalid. Exemptions that have expired or expire soon are shown.
fn check(inputs: &[Input], today: NaiveDate, streams: &mut Streams<'_>) -> Exit {
    let exits = inputs.iter().map(|input| {
        let checked = check_file(input, today, streams);
        streams.exit_of(checked)
    });
    exits.max().unwrap_or(Exit::Done)
}

fn check_file(input: &Input, today: NaiveDate, streams: &mut Streams<'_>) -> CommandResult {
    let name = input.to_string();
    let ParsedAllowlist { allowlist, source } = read(input, today, streams).map_err(|unread| {
        let problems = match &unread {
            AllowlistReadError::Broken { problems, .. } => problems.len(),
            AllowlistReadError::Missing | AllowlistReadError::Unreadable(_) => 1,
        };
        let noun = if problems == 1 { "problem" } else { "problems" };
        let count = CommandError::usage(format!("{name}: {problems} {noun}"));
        Failure(vec![unread.into_error(&name, "check the path"), count])
    })?;
    for notice in expiry_notices(&allowlist, today) {
        streams.show(&notice, &name, &source);
    }
    let exemptions = allowlist.exemptions.len();
    let noun = if exemptions == 1 { "exemption" } else { "exemptions" };
    streams.print(&format!("{}: ok, {exemptions} {noun}\n", escape_invisible(&name)))?;
    Ok(Exit::Done)
}

/// Prints the JSON Schema of the file.
fn schema(streams: &mut Streams<'_>) -> CommandResult {
    // Maps with string keys can always be serialized.
    let text = serde_json::to_string_pretty(&allowlist::schema()).unwrap_or_default();
    streams.print(&format!("{text}\n"))?;
    Ok(Exit::Done)
}

/// Prints the exemptions to paste for the findings of an audit.
fn suggest(settings: &SuggestArgs, today: NaiveDate, streams: &mut Streams<'_>) -> CommandResult {
    let refused = |message: String, hint: &str| {
        let message = format!("{}: {message}", settings.audit);
        Err(CommandError::usage(message).with_hint(hint).into())
    };
    let audit = files::read_audit(&settings.audit, streams.stdin)?;
    let reach = audit.policy.max_exemption_days;
    let last = today.checked_add_days(Days::new(reach.into()));
    let Some(last) = last.filter(|_| (1..=MAX_DAYS).contains(&reach)) else {
        let message =
            format!("its `max_exemption_days` is {reach}, and must be between 1 and {MAX_DAYS}");
        return refused(message, "use an unchanged audit JSON of iam-stocktake");
    };
    let expires =
        settings.expires.unwrap_or_else(|| SuggestedExemption::suggested_expiry_date(today, reach));
    if expires > last {
        let message = format!(
            "its policy allows exemptions of at most {reach} days, so {expires} is too late"
        );
        return refused(message, "set an earlier date with --expires");
    }
    let suggestions = suggestions(&audit, settings, expires);
    if suggestions.is_empty() {
        let message = "has no open finding that matches".to_owned();
        return refused(message, "its `findings` list the IDs and users");
    }
    let text: String = suggestions.iter().map(ToString::to_string).collect();
    streams.print(&text)?;
    streams.hint("paste this under `exemptions:` and fill in the reason and the owner");
    Ok(Exit::Done)
}

fn suggestions(
    audit: &v1::Audit,
    settings: &SuggestArgs,
    expires: NaiveDate,
) -> Vec<SuggestedExemption> {
    let matches = |finding: &&v1::Finding| {
        // Unknown findings must be investigated, not exempted.
        finding.status == Text::Known(FindingStatus::Open)
            && finding.level != Text::Known(Level::Notice)
            && settings.id.as_ref().is_none_or(|id| *id == finding.id.to_string())
            && settings.user.as_ref().is_none_or(|user| user.eq_ignore_ascii_case(&finding.user))
    };
    let matching = audit.findings.iter().filter(matches);
    let matching: Vec<_> = matching.map(|finding| (finding, finding.account.to_string())).collect();
    let items = matching.iter().filter_map(|(finding, account)| {
        Some(allowlist::ExemptedFinding {
            user: &finding.user,
            account,
            user_id: finding.user_id.as_deref(),
            rule: *finding.rule.known()?,
            credential: finding.credential.as_ref().map(|it| (it.kind.as_str(), it.id.as_deref())),
        })
    });
    SuggestedExemption::for_findings(items, expires)
}
