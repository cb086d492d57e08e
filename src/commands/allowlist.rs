//! `iam-stocktake allowlist`: check the file, print its schema, suggest exemptions.

use std::io;
use std::path::PathBuf;

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::{Exit, Streams, files};
use crate::allowlist::{
    self, Allowlist, Diagnostic, Position, SuggestedExemption, audited_former_accounts,
    expiry_notices, render,
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
) -> Exit {
    match command {
        AllowlistCommand::Check { files, clock } => {
            check(files, clock.now.unwrap_or(now).date_naive(), streams)
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

/// Which details of an invalid file are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum DetailLevel {
    /// The lines, which contain user names.
    Lines,
    /// Only the positions and codes, because the output may be public.
    Places,
}

/// The hint for [`DetailLevel::Places`].
pub(super) const HIDDEN_USERS_HINT: &str = "users are hidden, because this repository is not known to be \
                                            private; run `iam-stocktake allowlist check` on your \
                                            machine to see them";

impl AllowlistReadError {
    /// Reports all problems. `hint` is for a missing file.
    pub(super) fn report(
        &self,
        name: &str,
        hint: &str,
        detail: DetailLevel,
        streams: &mut Streams<'_>,
    ) {
        streams.record_problem(&self.summary(name));
        if matches!(self, Self::Missing) {
            streams.record_hint(hint);
        }
        match self {
            Self::Broken { source, problems } if detail == DetailLevel::Places => {
                for Diagnostic { code, span, .. } in problems {
                    let place = Position::of(source, span.start);
                    let (line, column) = (place.line, place.column);
                    streams.eprintln(&format!(
                        "error[{code}]: {}:{line}:{column}",
                        escape_invisible(name)
                    ));
                }
                streams.hint(HIDDEN_USERS_HINT);
            }
            Self::Missing => {
                let error = io::Error::from(io::ErrorKind::NotFound);
                show(&allowlist::unreadable(&error, hint), name, "", streams);
            }
            Self::Unreadable(error) => {
                show(&allowlist::unreadable(error, "check the path"), name, "", streams);
            }
            Self::Broken { source, problems } => {
                for problem in problems {
                    show(problem, name, source, streams);
                }
            }
        }
    }
}

impl AllowlistReadError {
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
    /// Rejects former accounts that are audited. An error has been reported.
    pub(super) fn reject_audited_former_accounts(
        &self,
        audited: impl Iterator<Item = AccountId>,
        detail: DetailLevel,
        streams: &mut Streams<'_>,
    ) -> Result<(), AllowlistReadError> {
        let problems = audited_former_accounts(&self.allowlist, &audited.collect());
        if problems.is_empty() {
            return Ok(());
        }
        let unread = AllowlistReadError::Broken { source: self.source.clone(), problems };
        if let AllowlistOrigin::File(name) = &self.origin {
            unread.report(name, "", detail, streams);
        }
        Err(unread)
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

/// Reads the allowlist of the settings. An error has been reported.
pub(super) fn load_allowlist(
    setting: &AllowlistSetting,
    if_missing: MissingAllowlist,
    detail: DetailLevel,
    today: NaiveDate,
    streams: &mut Streams<'_>,
) -> Result<LoadedAllowlist, AllowlistReadError> {
    let without =
        |origin| LoadedAllowlist { allowlist: Allowlist::default(), origin, source: String::new() };
    let (path, is_default) = match setting {
        AllowlistSetting::None => return Ok(without(AllowlistOrigin::None)),
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
            Ok(without(AllowlistOrigin::Missing(name)))
        }
        Err(unread) => {
            let hint = match if_missing {
                MissingAllowlist::Fail if is_default => {
                    "check out the repository first (actions/checkout), add the file, or set \
                     `allowlist: none` for no exemptions"
                }
                _ => "set another file, or `--allowlist none` for no exemptions",
            };
            unread.report(&name, hint, detail, streams);
            Err(unread)
        }
    }
}

fn show(diagnostic: &Diagnostic, name: &str, source: &str, streams: &mut Streams<'_>) {
    let color = streams.stderr_style.color;
    streams.eprintln(&render(diagnostic, &escape_invisible(name), source, color));
}

/// Checks files: exit code 2 if one is invalid. Exemptions that have expired or expire soon are shown.
fn check(inputs: &[Input], today: NaiveDate, streams: &mut Streams<'_>) -> Exit {
    let mut exit = Exit::Done;
    for input in inputs {
        let name = input.to_string();
        match read(input, today, streams) {
            Err(unread) => {
                unread.report(&name, "check the path", DetailLevel::Lines, streams);
                let problems = match &unread {
                    AllowlistReadError::Broken { problems, .. } => problems.len(),
                    AllowlistReadError::Missing | AllowlistReadError::Unreadable(_) => 1,
                };
                let noun = if problems == 1 { "problem" } else { "problems" };
                streams.error(&format!("{}: {problems} {noun}", escape_invisible(&name)));
                exit = Exit::Usage;
            }
            Ok(ParsedAllowlist { allowlist, source }) => {
                for notice in expiry_notices(&allowlist, today) {
                    show(&notice, &name, &source, streams);
                }
                let exemptions = allowlist.exemptions.len();
                let noun = if exemptions == 1 { "exemption" } else { "exemptions" };
                let line = format!("{}: ok, {exemptions} {noun}\n", escape_invisible(&name));
                exit = exit.max(streams.print(&line));
            }
        }
    }
    exit
}

/// Prints the JSON Schema of the file.
fn schema(streams: &mut Streams<'_>) -> Exit {
    // Maps with string keys can always be serialized.
    let text = serde_json::to_string_pretty(&allowlist::schema()).unwrap_or_default();
    streams.print(&format!("{text}\n"))
}

/// Prints the exemptions to paste for the findings of an audit.
fn suggest(settings: &SuggestArgs, today: NaiveDate, streams: &mut Streams<'_>) -> Exit {
    match run_suggest(settings, today, streams) {
        Ok(text) => {
            let exit = streams.print(&text);
            streams.hint("paste this under `exemptions:` and fill in the reason and the owner");
            exit
        }
        Err((message, hint)) => {
            streams.error(&escape_invisible(&format!("{}: {message}", settings.audit)));
            streams.hint(&hint);
            Exit::Usage
        }
    }
}

fn run_suggest(
    settings: &SuggestArgs,
    today: NaiveDate,
    streams: &mut Streams<'_>,
) -> Result<String, (String, String)> {
    let audit = files::read_audit(&settings.audit, streams.stdin)?;
    let reach = audit.policy.max_exemption_days;
    let last = today.checked_add_days(Days::new(reach.into()));
    let Some(last) = last.filter(|_| (1..=MAX_DAYS).contains(&reach)) else {
        let message =
            format!("its `max_exemption_days` is {reach}, and must be between 1 and {MAX_DAYS}");
        return Err((message, "use an unchanged audit JSON of iam-stocktake".to_owned()));
    };
    let expires =
        settings.expires.unwrap_or_else(|| SuggestedExemption::suggested_expiry_date(today, reach));
    if expires > last {
        let message = format!(
            "its policy allows exemptions of at most {reach} days, so {expires} is too late"
        );
        return Err((message, "set an earlier date with --expires".to_owned()));
    }
    let suggestions = suggestions(&audit, settings, expires);
    if suggestions.is_empty() {
        let message = "has no open finding that matches".to_owned();
        return Err((message, "its `findings` list the IDs and users".to_owned()));
    }
    Ok(suggestions.iter().map(ToString::to_string).collect())
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
