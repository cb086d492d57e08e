//! `iam-stocktake allowlist`: check the file, print its schema, suggest exemptions.

use std::io;
use std::path::PathBuf;

use chrono::{Days, NaiveDate};

use super::{Exit, Streams, files};
use crate::allowlist::{
    self, Allowlist, Diagnostic, Place, Suggestion, audited_former_accounts, lapsing, render,
};
use crate::audit::{AllowlistOrigin, Status};
use crate::files::Kind;
use crate::model::inventory::AccountId;
use crate::model::policy::{Level, MAX_DAYS, Rule};
use crate::report::json::v1;
use crate::report::visible;
use crate::settings::{AllowlistSetting, Input, SuggestSettings};

/// A file that passed.
pub(super) struct Read {
    pub(super) allowlist: Allowlist,
    source: String,
}

/// A file that did not.
pub(super) enum Unread {
    /// There is no such file.
    Missing,
    /// It cannot be opened or read.
    Unreadable(io::Error),
    /// There is something wrong with what it says.
    Broken { source: String, problems: Vec<Diagnostic> },
}

/// Reads an allowlist as seen on `today` (UTC).
pub(super) fn read(
    input: &Input,
    today: NaiveDate,
    streams: &mut Streams<'_>,
) -> Result<Read, Unread> {
    let bytes =
        files::read(input, Kind::Allowlist, streams.stdin).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Unread::Missing,
            _ => Unread::Unreadable(error),
        })?;
    let source = String::from_utf8_lossy(&bytes).into_owned();
    match allowlist::parse(&bytes, today) {
        Ok(allowlist) => Ok(Read { allowlist, source }),
        Err(problems) => Err(Unread::Broken { source, problems }),
    }
}

/// What is told of a broken file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Its lines, which name users.
    Lines,
    /// Where something is wrong, and of what kind it is: everybody can read it.
    Places,
}

/// Where more is told of a broken file than everybody may read.
pub(super) const MORE: &str = "users are not named here, since everybody can read this: \
                               `iam-stocktake allowlist check` says more on a machine of yours";

impl Unread {
    /// Tells the user all that is wrong. `hint` is what to do about a file that is not there.
    pub(super) fn tell(&self, name: &str, hint: &str, told: Told, streams: &mut Streams<'_>) {
        streams.note_problem(&self.in_short(name));
        if matches!(self, Self::Missing) {
            streams.note_hint(hint);
        }
        match self {
            Self::Broken { source, problems } if told == Told::Places => {
                for Diagnostic { code, span, .. } in problems {
                    let place = Place::of(source, span.start);
                    let (line, column) = (place.line, place.column);
                    streams.say(&format!("error[{code}]: {}:{line}:{column}", visible(name)));
                }
                streams.hint(MORE);
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

impl Unread {
    /// What is wrong in one line, without words of the file.
    fn in_short(&self, name: &str) -> String {
        match self {
            Self::Missing => format!("the allowlist {name} does not exist"),
            Self::Unreadable(_) => format!("the allowlist {name} cannot be read"),
            Self::Broken { source, problems } => {
                let first = problems.first().map(|it| Place::of(source, it.span.start));
                let at = first.map_or_else(String::new, |it| format!(" at line {}", it.line));
                match problems.len() {
                    1 => format!("the allowlist {name} is broken{at}"),
                    count => format!("the allowlist {name} has {count} problems, the first{at}"),
                }
            }
        }
    }
}

/// The allowlist that a run goes by.
pub(super) struct Chosen {
    pub(super) allowlist: Allowlist,
    pub(super) origin: AllowlistOrigin,
    /// The file's text, for the places in it.
    pub(super) source: String,
}

impl Chosen {
    /// Refuses former accounts that are audited. What is wrong was told when it fails.
    pub(super) fn refuse_audited_former_accounts(
        &self,
        audited: impl Iterator<Item = AccountId>,
        told: Told,
        streams: &mut Streams<'_>,
    ) -> Result<(), Unread> {
        let problems = audited_former_accounts(&self.allowlist, &audited.collect());
        if problems.is_empty() {
            return Ok(());
        }
        let unread = Unread::Broken { source: self.source.clone(), problems };
        if let AllowlistOrigin::File(name) = &self.origin {
            unread.tell(name, "", told, streams);
        }
        Err(unread)
    }
}

/// What to do where the default file is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IfMissing {
    /// Go on without exemptions, and say so.
    GoWithout,
    /// Stop: a checkout that was forgotten looks like an allowlist without exemptions.
    Stop,
}

/// Reads the allowlist that the settings choose. What is wrong was told when it fails.
pub(super) fn chosen(
    setting: &AllowlistSetting,
    if_missing: IfMissing,
    told: Told,
    today: NaiveDate,
    streams: &mut Streams<'_>,
) -> Result<Chosen, Unread> {
    let without =
        |origin| Chosen { allowlist: Allowlist::default(), origin, source: String::new() };
    let (path, is_default) = match setting {
        AllowlistSetting::None => return Ok(without(AllowlistOrigin::None)),
        AllowlistSetting::Default => (PathBuf::from(allowlist::DEFAULT_PATH), true),
        AllowlistSetting::File(path) => (path.clone(), false),
    };
    let name = path.display().to_string();
    match read(&Input::File(path), today, streams) {
        Ok(Read { allowlist, source }) => {
            Ok(Chosen { allowlist, origin: AllowlistOrigin::File(name), source })
        }
        Err(Unread::Missing) if is_default && if_missing == IfMissing::GoWithout => {
            streams.say(&format!("note: there is no allowlist at {name}: nothing is exempted"));
            Ok(without(AllowlistOrigin::Missing(name)))
        }
        Err(unread) => {
            let hint = match if_missing {
                IfMissing::Stop if is_default => {
                    "check the repository out first (actions/checkout), add the file, or set \
                     `allowlist: none` for no exemptions"
                }
                _ => "name another file, or `--allowlist none` for no exemptions",
            };
            unread.tell(&name, hint, told, streams);
            Err(unread)
        }
    }
}

fn show(diagnostic: &Diagnostic, name: &str, source: &str, streams: &mut Streams<'_>) {
    let color = streams.stderr_style.color;
    streams.say(&render(diagnostic, &visible(name), source, color));
}

/// Checks files: exit code 2 if one is wrong. Exemptions that have lapsed or soon will are told of.
pub(super) fn check(inputs: &[Input], today: NaiveDate, streams: &mut Streams<'_>) -> Exit {
    let mut exit = Exit::Done;
    for input in inputs {
        let name = input.to_string();
        match read(input, today, streams) {
            Err(unread) => {
                unread.tell(&name, "check the path", Told::Lines, streams);
                let problems = match &unread {
                    Unread::Broken { problems, .. } => problems.len(),
                    Unread::Missing | Unread::Unreadable(_) => 1,
                };
                let noun = if problems == 1 { "problem" } else { "problems" };
                streams.error(&format!("{}: {problems} {noun}", visible(&name)));
                exit = Exit::Usage;
            }
            Ok(Read { allowlist, source }) => {
                for notice in lapsing(&allowlist, today) {
                    show(&notice, &name, &source, streams);
                }
                let exemptions = allowlist.exemptions.len();
                let noun = if exemptions == 1 { "exemption" } else { "exemptions" };
                let line = format!("{}: ok, {exemptions} {noun}\n", visible(&name));
                exit = exit.max(streams.print(&line));
            }
        }
    }
    exit
}

/// Prints the JSON Schema of the file.
pub(super) fn schema(streams: &mut Streams<'_>) -> Exit {
    // A schema is made of maps with text keys, which always can be written.
    let text = serde_json::to_string_pretty(&allowlist::schema()).unwrap_or_default();
    streams.print(&format!("{text}\n"))
}

/// Prints the exemptions to paste for the findings of an audit.
pub(super) fn suggest(settings: &SuggestSettings, streams: &mut Streams<'_>) -> Exit {
    match run_suggest(settings, streams) {
        Ok(text) => {
            let exit = streams.print(&text);
            streams.hint("paste this under `exemptions:` and fill in the reason and the owner");
            exit
        }
        Err((message, hint)) => {
            streams.error(&visible(&format!("{}: {message}", settings.audit)));
            streams.hint(&hint);
            Exit::Usage
        }
    }
}

fn run_suggest(
    settings: &SuggestSettings,
    streams: &mut Streams<'_>,
) -> Result<String, (String, String)> {
    let audit = files::read_audit(&settings.audit, streams.stdin)?;
    let reach = audit.policy.max_exemption_days;
    let last = settings.today.checked_add_days(Days::new(reach.into()));
    let Some(last) = last.filter(|_| (1..=MAX_DAYS).contains(&reach)) else {
        let message =
            format!("its `max_exemption_days` is {reach}, and must be between 1 and {MAX_DAYS}");
        return Err((message, "use the audit JSON as iam-stocktake wrote it".to_owned()));
    };
    let expires = settings.expires.unwrap_or_else(|| Suggestion::last_day(settings.today, reach));
    if expires > last {
        let message = format!("its policy lets an exemption reach {reach} days, not to {expires}");
        return Err((message, "give an earlier day to --expires".to_owned()));
    }
    let suggestions = suggestions(&audit, settings, expires);
    if suggestions.is_empty() {
        let message = "has no open finding that this asks for".to_owned();
        return Err((message, "the ids and users stand in its `findings`".to_owned()));
    }
    Ok(suggestions.iter().map(ToString::to_string).collect())
}

fn suggestions(
    audit: &v1::Audit,
    settings: &SuggestSettings,
    expires: NaiveDate,
) -> Vec<Suggestion> {
    let asked = |finding: &&v1::Finding| {
        // What nobody can judge is to be found out, not to be excused.
        finding.status == Status::Open.id()
            && finding.level != Level::Notice.id()
            && settings.id.as_ref().is_none_or(|id| *id == finding.id)
            && settings.user.as_ref().is_none_or(|user| user.eq_ignore_ascii_case(&finding.user))
    };
    let items = audit.findings.iter().filter(asked).filter_map(|finding| {
        let rule: Rule = finding.rule.parse().ok()?;
        Some(allowlist::Excused {
            user: &finding.user,
            account: &finding.account,
            user_id: finding.user_id.as_deref(),
            rule,
            credential: finding.credential.as_ref().map(|it| (it.kind.as_str(), it.id.as_deref())),
        })
    });
    Suggestion::gather(items, expires)
}
