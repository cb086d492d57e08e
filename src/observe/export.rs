//! The formats of an exported credential report: CSV, the base64 that the API returns, and the
//! output of the AWS CLI and boto3.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::model::inventory::ROOT_USER;

/// A credential report, and its date if the format includes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    pub csv: String,
    /// When IAM generated the report. The JSON, YAML and text output of the AWS CLI include it; a
    /// CSV does not.
    pub generated_at: Option<DateTime<Utc>>,
}

/// Why a file is not a credential report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    #[error("the file is empty")]
    Empty,
    /// The file is recognized as something else.
    #[error("the file contains {0}, not a credential report")]
    NotAReport(&'static str),
    /// The report, in a format that cannot be parsed.
    #[error("the file contains {0}, which cannot be read as a credential report")]
    UnsupportedFormat(&'static str),
    #[error("the file is not UTF-8 text: invalid byte at offset {offset}, line {line}")]
    NotText {
        /// The offset of the first invalid byte, from 0.
        offset: usize,
        /// The line of that byte, from 1.
        line: usize,
    },
    #[error("the file is JSON, but not the output of `aws iam get-credential-report`: {0}")]
    Json(String),
    #[error("the file is YAML, but not the output of `aws iam get-credential-report`: {0}")]
    Yaml(String),
    /// Invalid base64, usually because part of it is missing.
    #[error("the file looks like base64, but cannot be decoded ({0}): part of it may be missing")]
    Base64(String),
    /// The date of the report is invalid.
    #[error("`GeneratedTime` is not a valid date: `{0}`")]
    GeneratedTime(String),
}

impl ExportError {
    /// What to do about it. The command sets the output format, because a profile or an environment
    /// variable can set another one.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        "export it with: aws iam generate-credential-report; \
         aws iam get-credential-report --output json > report.json"
    }
}

/// Padding is optional, because it is often lost when text is copied.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Detects the format and extracts the CSV.
///
/// [`ExportError`] when the bytes are not a credential report in a supported format.
pub fn parse_export(bytes: Vec<u8>) -> Result<Export, ExportError> {
    let text = decode_text(bytes)?;
    let trimmed = text.trim_ascii();
    match trimmed.as_bytes() {
        [] => Err(ExportError::Empty),
        [b'{', b'\'', ..] => Err(ExportError::UnsupportedFormat("a response printed by Python")),
        [b'{' | b'[', ..] => from_json(trimmed),
        [b'<', ..] if !trimmed.starts_with(ROOT_USER) => {
            Err(ExportError::NotAReport("HTML or XML"))
        }
        _ if is_table(trimmed) => {
            Err(ExportError::UnsupportedFormat("the output of `--output table`"))
        }
        _ if is_yaml(trimmed) => from_yaml(trimmed),
        // The CSV header has commas; base64 and the text output of the AWS CLI do not.
        _ if first_line(trimmed).contains(',') => Ok(Export { csv: text, generated_at: None }),
        _ if first_line(trimmed).contains([';', '\t']) && first_line(trimmed).contains("user") => {
            Err(ExportError::NotAReport("a table that was saved without commas as separators"))
        }
        [b'"' | b'\'', ..] => Err(ExportError::UnsupportedFormat("text in quotes")),
        [b'b', b'\'' | b'"', ..] => {
            Err(ExportError::UnsupportedFormat("a response printed by Python"))
        }
        _ => from_base64(trimmed),
    }
}

/// Whether the text is the output of `--output table`: a line of dashes, then the title.
fn is_table(text: &str) -> bool {
    let mut lines = text.lines();
    let rule = lines.next().unwrap_or_default().trim_end();
    rule.len() > 3
        && rule.bytes().all(|byte| byte == b'-')
        && lines.next().is_some_and(|line| line.starts_with('|'))
}

/// Whether the text is YAML that starts with a key of the AWS CLI output.
fn is_yaml(text: &str) -> bool {
    let begins = |line: &str| {
        ["Content:", "GeneratedTime:", "ReportFormat:", "ResponseMetadata:"]
            .iter()
            .any(|key| line.starts_with(key))
    };
    let mut lines = text.lines();
    let first = lines.find(|line| *line != "---" && !line.starts_with('#'));
    first.is_some_and(begins)
}

/// UTF-8, or UTF-16, which PowerShell redirection writes on Windows.
fn decode_text(mut bytes: Vec<u8>) -> Result<String, ExportError> {
    match bytes.as_slice() {
        [0xFF, 0xFE, rest @ ..] => return decode_utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => return decode_utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, ..] => drop(bytes.drain(..3)),
        [b'%', b'P', b'D', b'F', ..] => return Err(ExportError::NotAReport("a PDF")),
        [b'P', b'K', 3 | 5, ..] => {
            return Err(ExportError::NotAReport("a zip archive or a spreadsheet"));
        }
        [0x1F, 0x8B, ..] => return Err(ExportError::NotAReport("gzip-compressed data")),
        _ => {}
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..offset).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        ExportError::NotText { offset, line }
    })
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, ExportError> {
    let (pairs, _) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    text.map_err(|_| ExportError::NotAReport("damaged UTF-16 text"))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The output of `aws iam get-credential-report --output json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CliJson {
    content: String,
    generated_time: Option<serde_json::Value>,
}

fn from_json(text: &str) -> Result<Export, ExportError> {
    let answer: CliJson =
        serde_json::from_str(text).map_err(|error| ExportError::Json(error.to_string()))?;
    let generated_at = match answer.generated_time {
        None | Some(serde_json::Value::Null) => None,
        Some(serde_json::Value::String(date)) => Some(parse_generated_time(&date)?),
        // Version 1 of the AWS CLI prints seconds since 1970.
        Some(other) => Some(
            other
                .as_f64()
                .and_then(|seconds| DateTime::from_timestamp(seconds as i64, 0))
                .ok_or_else(|| ExportError::GeneratedTime(other.to_string()))?,
        ),
    };
    Ok(Export { csv: decode_content(&answer.content)?, generated_at })
}

/// The output with `--output yaml`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CliYaml {
    content: String,
    generated_time: Option<String>,
}

fn from_yaml(text: &str) -> Result<Export, ExportError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
        // Base64 is decoded by `decode_content`.
        ignore_binary_tag_for_string: true,
        with_snippet: false,
    };
    let answer: CliYaml = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| ExportError::Yaml(error.render()))?;
    let generated_at = answer.generated_time.as_deref().map(parse_generated_time).transpose()?;
    Ok(Export { csv: decode_content(&answer.content)?, generated_at })
}

/// The output is two levels deep. The limit protects the recursive parser.
const MAX_DEPTH: usize = 16;

/// The CSV in the field `Content`: base64 from the AWS CLI, or text from boto3. With `json.dumps(…,
/// default=str)`, Python prints bytes as `b'…'`.
fn decode_content(content: &str) -> Result<String, ExportError> {
    match content.trim_ascii().as_bytes() {
        [b'b', quote @ (b'\'' | b'"'), inner @ .., end] if quote == end => {
            let bytes = python_bytes(inner)
                .ok_or(ExportError::UnsupportedFormat("JSON with invalid Python bytes"))?;
            decode_text(bytes)
        }
        _ if first_line(content.trim_ascii()).contains(',') => decode_text(content.into()),
        _ => decode_base64(content),
    }
}

/// Parses the part between the quotes of Python's `b'…'`.
fn python_bytes(printed: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(printed.len());
    let mut rest = printed.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                literal @ (b'\\' | b'\'' | b'"') => literal,
                _ => return None,
            },
            byte => byte,
        });
    }
    Some(bytes)
}

/// Base64, wrapped or not, or `--output text`: base64, date and `text/csv`, separated by tabs.
fn from_base64(text: &str) -> Result<Export, ExportError> {
    let (content, generated_at) = match text.split_whitespace().collect::<Vec<_>>().as_slice() {
        [content, date, "text/csv"] => ((*content).to_owned(), Some(parse_generated_time(date)?)),
        words => (words.concat(), None),
    };
    Ok(Export { csv: decode_base64(&content)?, generated_at })
}

fn decode_base64(content: &str) -> Result<String, ExportError> {
    let packed: String = content.split_ascii_whitespace().collect();
    if !packed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)) {
        return Err(ExportError::NotAReport("text that is neither CSV nor base64"));
    }
    let bytes = BASE64.decode(packed).map_err(|error| ExportError::Base64(error.to_string()))?;
    let csv = decode_text(bytes)
        .map_err(|_| ExportError::NotAReport("base64 of something other than a CSV"))?;
    if csv.trim_ascii().is_empty() { Err(ExportError::Empty) } else { Ok(csv) }
}

fn parse_generated_time(text: &str) -> Result<DateTime<Utc>, ExportError> {
    DateTime::parse_from_rfc3339(text)
        .map(|date| date.to_utc())
        .map_err(|_| ExportError::GeneratedTime(text.to_owned()))
}
