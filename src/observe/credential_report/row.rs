//! One row of a credential report: its fields as text, flags and dates.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use csv::ByteRecord;

use crate::model::inventory::{Flag, Timestamp, UnreadableField};

/// The position of a column, and its name for messages.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) index: usize,
    pub(super) name: &'static str,
}

/// A row, and the file that contains it.
#[derive(Clone, Copy)]
pub(super) struct CredentialReportRow<'a, 'r> {
    csv: &'a str,
    record: &'r ByteRecord,
    /// The offset of the first byte of the row, if no field before it has quotes.
    start: usize,
}

impl<'a, 'r> CredentialReportRow<'a, 'r> {
    pub(super) fn new(csv: &'a str, record: &'r ByteRecord) -> Self {
        // The position of the reader is before the line breaks that it skips.
        let end_of_last = record.position().map_or(0, csv::Position::byte);
        let end_of_last = usize::try_from(end_of_last).unwrap_or(usize::MAX);
        let rest = csv.as_bytes().get(end_of_last..).unwrap_or_default();
        let breaks = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        Self { csv, record, start: end_of_last + breaks }
    }

    fn field(&self, column: Column) -> &'r [u8] {
        self.record.get(column.index).unwrap_or_default().trim_ascii()
    }

    /// The field as text. Borrowed from the file if it is found at its expected offset, which is so
    /// unless an earlier field of the row has quotes.
    pub(super) fn text(&self, column: Column) -> Cow<'a, str> {
        let Some(field) = self.record.get(column.index) else { return Cow::Borrowed("") };
        // Fields are stored without the commas between them.
        let in_row = self.record.range(column.index).map_or(0, |range| range.start);
        let start = self.start + in_row + column.index;
        match self.csv.get(start..start + field.len()) {
            Some(text) if text.as_bytes() == field => Cow::Borrowed(text),
            _ => Cow::Owned(String::from_utf8_lossy(field).into_owned()),
        }
    }

    /// Whether the field has a value other than "not applicable".
    pub(super) fn has_value(&self, column: Column) -> bool {
        let value = self.field(column);
        !value.is_empty() && !is_not_applicable(value)
    }

    pub(super) fn flag(&self, column: Column) -> Flag {
        match self.field(column) {
            b"true" => Flag::Yes,
            b"false" => Flag::No,
            value if value.eq_ignore_ascii_case(b"true") => Flag::Yes,
            value if value.eq_ignore_ascii_case(b"false") => Flag::No,
            value => Flag::Unreadable(unreadable(column, value)),
        }
    }

    /// A flag that can be "not applicable". If one of `dates` is present, that value is unreadable.
    pub(super) fn flag_with_dates(&self, column: Column, dates: &[&Timestamp]) -> Flag {
        let no_dates = dates.iter().all(|date| **date == Timestamp::Absent);
        if no_dates && is_not_applicable(self.field(column)) { Flag::No } else { self.flag(column) }
    }

    pub(super) fn timestamp(&self, column: Column) -> Timestamp {
        let value = self.field(column);
        if is_not_applicable(value) {
            return Timestamp::Absent;
        }
        match date(value) {
            Some(moment) => Timestamp::At(moment),
            None => Timestamp::Unreadable(unreadable(column, value)),
        }
    }
}

/// Whether the value means "not applicable". An empty field does not.
fn is_not_applicable(value: &[u8]) -> bool {
    // Dates and most other values stop here.
    matches!(value.first(), Some(b'N' | b'n'))
        && [b"N/A".as_slice(), b"no_information", b"not_supported"]
            .iter()
            .any(|none| value.eq_ignore_ascii_case(none))
}

fn unreadable(column: Column, value: &[u8]) -> Box<UnreadableField> {
    Box::new(UnreadableField {
        column: column.name.to_owned(),
        text: String::from_utf8_lossy(value).into_owned(),
    })
}

/// A date in whole seconds: `2026-06-30T12:00:00Z`, `…+00:00`, or any RFC 3339.
fn date(value: &[u8]) -> Option<DateTime<Utc>> {
    utc_date(value).or_else(|| {
        // RFC 3339 starts with a digit. Most other values stop here.
        value.first().filter(|byte| byte.is_ascii_digit())?;
        let parsed = DateTime::parse_from_rfc3339(std::str::from_utf8(value).ok()?).ok()?;
        DateTime::from_timestamp(parsed.timestamp(), 0)
    })
}

/// Parses the format that IAM writes without the general parser, because a large report consists
/// mostly of dates.
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
