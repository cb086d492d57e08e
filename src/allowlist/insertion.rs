//! Adds entries to the `exemptions` list of a file without changing any other byte.
//!
//! The place and the style come from the lines of the file. The result is parsed again: it must be
//! the old allowlist plus the new exemptions, otherwise nothing is added.

use std::ops::Range;

use chrono::NaiveDate;

use super::diagnostic::Diagnostic;
use super::node::{self, YamlNode};
use super::overlap::overlapping_exemptions;
use super::suggestion::{EntryStyle, SuggestedExemption};
use super::{Allowlist, BYTE_ORDER_MARK, Exemption, Position, UserSelector};

/// A file with new exemptions at the end of its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendedFile {
    pub text: String,
    /// The line of the first new exemption.
    pub line: usize,
    pub allowlist: Allowlist,
}

/// Why exemptions cannot be added to a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InsertionError {
    /// The file is invalid already.
    #[error("it is invalid")]
    Invalid(Vec<Diagnostic>),
    #[error("it has no `exemptions` list")]
    NoList,
    #[error("its `exemptions` list does not start with `- ` on a line below `exemptions:`")]
    NotBlockStyle,
    /// Another parser could read the new file in another way.
    #[error("the end of its `exemptions` list is not clear")]
    Unclear,
    #[error("it already has an exemption for the same credential of `{user}` on line {line}")]
    AlreadyExempt { user: String, line: usize },
    /// The new exemptions are invalid, such as an expiry date that is too late.
    #[error("with the new exemption it would be invalid: {}", .0.message)]
    WouldBeInvalid(Box<Diagnostic>),
}

/// Adds exemptions, all with this reason and owner, to the end of the `exemptions` list. The expiry
/// dates are checked against `today` (UTC).
///
/// # Errors
/// If the file or the new exemptions are invalid, or if it is not clear where and how to add them.
pub fn extend_list(
    source: &str,
    suggestions: &[SuggestedExemption],
    reason: &str,
    owner: &str,
    today: NaiveDate,
) -> Result<ExtendedFile, InsertionError> {
    let before = super::parse(source.as_bytes(), today).map_err(InsertionError::Invalid)?;
    let list = BlockList::find(source)?;
    let mut entries = String::new();
    for suggestion in suggestions {
        if list.is_spaced {
            entries.push('\n');
        }
        entries.push_str(&suggestion.entry(list.style, reason, owner));
    }
    let (old_start, old_end) = source.split_at_checked(list.end).ok_or(InsertionError::Unclear)?;
    let mut new = entries.replace('\n', list.line_break);
    if !old_start.ends_with('\n') {
        // The file does not end with a line break, and should not end with one afterward.
        new = format!("{}{}", list.line_break, new.trim_end_matches(['\r', '\n']));
    }
    let text = format!("{old_start}{new}{old_end}");
    let mut after = super::parse(text.as_bytes(), today).map_err(first_problem)?;
    let count = before.exemptions.len();
    let allowlist = after.clone();
    let added = after.exemptions.split_off(count.min(after.exemptions.len()));
    let is_added = |(added, wanted): (&Exemption, &SuggestedExemption)| {
        is_written(added, wanted, reason, owner)
    };
    let all_added = added.len() == suggestions.len() && added.iter().zip(suggestions).all(is_added);
    if !all_added || without_positions(after) != without_positions(before) {
        return Err(InsertionError::Unclear);
    }
    check_not_exempt(&allowlist, count)?;
    let line = added.first().map_or(1, |it| it.place.line);
    Ok(ExtendedFile { text, line, allowlist })
}

fn first_problem(problems: Vec<Diagnostic>) -> InsertionError {
    let first = problems.into_iter().next();
    first.map_or(InsertionError::Unclear, |it| InsertionError::WouldBeInvalid(Box::new(it)))
}

/// Rejects a new exemption for a credential of one user that an old entry for that user exempts.
fn check_not_exempt(allowlist: &Allowlist, old: usize) -> Result<(), InsertionError> {
    for (earlier, later) in overlapping_exemptions(allowlist) {
        let is_new = allowlist.exemptions.iter().skip(old).any(|it| it.span == later.span);
        if let UserSelector::Name(user) = &earlier.user
            && is_new
        {
            return Err(InsertionError::AlreadyExempt {
                user: user.clone(),
                line: earlier.place.line,
            });
        }
    }
    Ok(())
}

fn is_written(added: &Exemption, wanted: &SuggestedExemption, reason: &str, owner: &str) -> bool {
    added.user == UserSelector::Name(wanted.user.clone())
        && added.account.is_some_and(|it| it.to_string() == wanted.account)
        && added.user_id == wanted.user_id
        && added.credentials.iter().map(ToString::to_string).eq(wanted.credentials.iter().cloned())
        && wanted.rules.iter().all(|rule| added.rules.contains(rule))
        && (added.reason.as_str(), added.owner.as_str()) == (reason, owner)
        && added.expires == wanted.expires
}

fn without_positions(mut allowlist: Allowlist) -> Allowlist {
    let nowhere = Position { line: 1, column: 1 };
    for it in &mut allowlist.exemptions {
        (it.span, it.place) = (0..0, nowhere);
    }
    for it in &mut allowlist.former_accounts {
        (it.span, it.place) = (0..0, nowhere);
    }
    allowlist
}

/// The `exemptions` list of a file, with one or more lines for each exemption.
struct BlockList {
    /// The end of its last line, in bytes.
    end: usize,
    style: EntryStyle,
    line_break: &'static str,
    /// Whether there is an empty line between the last two entries.
    is_spaced: bool,
}

impl BlockList {
    fn find(source: &str) -> Result<Self, InsertionError> {
        if source.replace("\r\n", "\n").contains('\r') {
            return Err(InsertionError::Unclear);
        }
        let region = list_region(source)?;
        let mut lines = lines_of(source, region);
        let content = |line: &Line<'_>| !line.is_blank() && !line.is_comment();
        let first = *lines.iter().find(|it| content(it)).ok_or(InsertionError::NotBlockStyle)?;
        let dash = first.dash().ok_or(InsertionError::NotBlockStyle)?;
        // Deeper comments belong to the last entry, and others to what follows.
        let trailing =
            |it: &Line<'_>| it.is_blank() || (it.is_comment() && it.indentation() <= dash);
        while lines.pop_if(|it| trailing(it)).is_some() {}
        let is_dash = |it: &Line<'_>| it.dash() == Some(dash);
        let last_entry = lines.iter().rposition(is_dash).ok_or(InsertionError::NotBlockStyle)?;
        let (Some(entry), Some(last)) = (lines.get(last_entry), lines.last()) else {
            return Err(InsertionError::NotBlockStyle);
        };
        let above = lines.iter().take(last_entry).rev().find(|it| !it.is_comment());
        let line_break = if last.ends_with_break() { *last } else { first };
        Ok(Self {
            end: last.start + last.text.len(),
            style: EntryStyle { dash, keys: entry.keys_behind_dash(dash) },
            line_break: if line_break.text.ends_with("\r\n") { "\r\n" } else { "\n" },
            is_spaced: above.is_some_and(Line::is_blank),
        })
    }
}

/// The lines below `exemptions:`, up to the next key of the file or to the end of the document.
fn list_region(source: &str) -> Result<Range<usize>, InsertionError> {
    let root = node::parse(source).map_err(|problem| InsertionError::Invalid(vec![*problem]))?;
    let YamlNode::Mapping(entries) = root.value else { return Err(InsertionError::NoList) };
    let key = entries.iter().find(|(key, _)| key.value == "exemptions");
    let Some((key, _)) = key else { return Err(InsertionError::NoList) };
    let before = source.get(..key.span.start).unwrap_or_default();
    let starts_line = matches!(before.chars().next_back(), None | Some('\n' | BYTE_ORDER_MARK));
    let rest = source.get(key.span.end..).unwrap_or_default();
    let key_line = rest.split_inclusive('\n').next().unwrap_or_default();
    let behind = key_line.trim_start_matches(' ').strip_prefix(':').unwrap_or("-");
    let comment = behind.trim_start();
    let has_no_value =
        comment.is_empty() || (comment.starts_with('#') && comment.len() < behind.len());
    if !starts_line || !has_no_value {
        return Err(InsertionError::NotBlockStyle);
    }
    let start = key.span.end + key_line.len();
    let next = entries.iter().map(|(key, _)| key.span.start).filter(|at| *at >= start).min();
    let mut end = next.unwrap_or(source.len());
    let ends_document = |line: &Line<'_>| line.text.starts_with("...");
    if let Some(line) = lines_of(source, start..end).into_iter().find(ends_document) {
        end = line.start;
    }
    Ok(start..end)
}

/// A line with its line break.
#[derive(Clone, Copy)]
struct Line<'a> {
    start: usize,
    text: &'a str,
}

fn lines_of(source: &str, region: Range<usize>) -> Vec<Line<'_>> {
    let mut start = region.start;
    let text = source.get(region).unwrap_or_default();
    text.split_inclusive('\n')
        .map(|text| {
            let line = Line { start, text };
            start += text.len();
            line
        })
        .collect()
}

impl Line<'_> {
    fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    fn is_comment(&self) -> bool {
        self.text.trim_start().starts_with('#')
    }

    fn ends_with_break(&self) -> bool {
        self.text.ends_with('\n')
    }

    fn indentation(&self) -> usize {
        self.text.len() - self.text.trim_start_matches(' ').len()
    }

    /// The column of the dash, if the line starts an entry of a list.
    fn dash(&self) -> Option<usize> {
        let rest = self.text.trim_start_matches(' ').strip_prefix('-')?;
        let is_alone = rest.is_empty() || rest.starts_with([' ', '\r', '\n']);
        is_alone.then(|| self.indentation())
    }

    /// The columns from the dash to the first key, or the usual ones if no key is on the line.
    fn keys_behind_dash(&self, dash: usize) -> usize {
        let rest = self.text.get(dash + 1..).unwrap_or_default();
        let key = rest.trim_start_matches(' ');
        let is_key = key.starts_with(|c: char| c.is_ascii_alphabetic());
        if is_key { 1 + rest.len() - key.len() } else { EntryStyle::default().keys }
    }
}
