//! The forms in which people hold an exported credential report: the CSV itself, its base64 as the
//! API hands it over, and what the AWS CLI and boto3 print around either.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::model::inventory::ROOT_USER;

/// A credential report's text, and its date where the form bears one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The CSV.
    pub csv: String,
    /// When IAM generated it: the CLI's JSON and text output say so, a CSV does not.
    pub generated_at: Option<DateTime<Utc>>,
}

/// Why a file holds no credential report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// Nothing but white space.
    #[error("the file is empty")]
    Empty,
    /// Recognisably something else.
    #[error("the file holds {0}, not a credential report")]
    NotAReport(&'static str),
    /// The report, in a form that cannot be read back.
    #[error("the file is {0}, from which the report cannot be read")]
    EvidenceSource(&'static str),
    /// Bytes that are no text.
    #[error("the file is not UTF-8 text: byte {offset} on line {line} cannot be read")]
    NotText {
        /// Offset of the first bad byte, from 0.
        offset: usize,
        /// Its line, from 1.
        line: usize,
    },
    /// JSON that is not what `aws iam get-credential-report` prints.
    #[error("the file is JSON, but not what `aws iam get-credential-report` prints: {0}")]
    Json(String),
    /// YAML that is not what `aws iam get-credential-report` prints.
    #[error("the file is YAML, but not what `aws iam get-credential-report` prints: {0}")]
    Yaml(String),
    /// Base64 that does not decode: most often a copy that was cut.
    #[error("the file looks like base64, but does not decode ({0}): was it cut?")]
    Base64(String),
    /// The date beside the report is none.
    #[error("the report's `GeneratedTime` is no date: `{0}`")]
    GeneratedTime(String),
}

impl ExportError {
    /// What to do about it: it names the output format, which a profile or a variable may have set
    /// to another.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        "export it with: aws iam generate-credential-report; \
         aws iam get-credential-report --output json > report.json"
    }
}

/// Padding is optional: copies lose it, and it carries nothing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Recognises the form of `bytes` and takes the CSV out of it.
///
/// # Errors
/// [`ExportError`] when the bytes hold no credential report in any known form.
pub fn parse_export(bytes: Vec<u8>) -> Result<Export, ExportError> {
    let text = decode_text(bytes)?;
    let trimmed = text.trim_ascii();
    match trimmed.as_bytes() {
        [] => Err(ExportError::Empty),
        [b'{', b'\'', ..] => Err(ExportError::EvidenceSource("what Python prints of an answer")),
        [b'{' | b'[', ..] => from_json(trimmed),
        [b'<', ..] if !trimmed.starts_with(ROOT_USER) => {
            Err(ExportError::NotAReport("HTML or XML"))
        }
        _ if is_table(trimmed) => {
            Err(ExportError::EvidenceSource("a table as `--output table` prints it"))
        }
        _ if is_yaml(trimmed) => from_yaml(trimmed),
        // A CSV's header has commas; base64 and the CLI's text output have none.
        _ if first_line(trimmed).contains(',') => Ok(Export { csv: text, generated_at: None }),
        _ if first_line(trimmed).contains([';', '\t']) && first_line(trimmed).contains("user") => {
            Err(ExportError::NotAReport("a table that something has written anew without commas"))
        }
        [b'"' | b'\'', ..] => Err(ExportError::EvidenceSource("text in quotes")),
        [b'b', b'\'' | b'"', ..] => {
            Err(ExportError::EvidenceSource("what Python prints of an answer"))
        }
        _ => from_base64(trimmed),
    }
}

/// Whether the text is what `--output table` prints: a rule of dashes, then the title.
fn is_table(text: &str) -> bool {
    let mut lines = text.lines();
    let rule = lines.next().unwrap_or_default().trim_end();
    rule.len() > 3
        && rule.bytes().all(|byte| byte == b'-')
        && lines.next().is_some_and(|line| line.starts_with('|'))
}

/// Whether the text is YAML: its first key is one of the CLI's, which no header begins with.
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

/// UTF-8, or the UTF-16 that a shell's redirection makes on Windows.
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

/// The members of `aws iam get-credential-report --output json`.
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
        // The first AWS CLI printed seconds since 1970.
        Some(other) => Some(
            other
                .as_f64()
                .and_then(|seconds| DateTime::from_timestamp(seconds as i64, 0))
                .ok_or_else(|| ExportError::GeneratedTime(other.to_string()))?,
        ),
    };
    Ok(Export { csv: decode_content(&answer.content)?, generated_at })
}

/// The same members as `--output yaml` prints them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CliYaml {
    content: String,
    generated_time: Option<String>,
}

fn from_yaml(text: &str) -> Result<Export, ExportError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
        // The base64 of a binary value is decoded here.
        ignore_binary_tag_for_string: true,
        with_snippet: false,
    };
    let answer: CliYaml = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| ExportError::Yaml(error.render()))?;
    let generated_at = answer.generated_time.as_deref().map(parse_generated_time).transpose()?;
    Ok(Export { csv: decode_content(&answer.content)?, generated_at })
}

/// Answers nest two deep; the parser recurses.
const MAX_DEPTH: usize = 16;

/// The CSV in the member `Content`: base64, as the CLI leaves it, or the text, as boto3 decodes it.
/// `json.dumps(…, default=str)` makes `b'…'` of its bytes.
fn decode_content(content: &str) -> Result<String, ExportError> {
    match content.trim_ascii().as_bytes() {
        [b'b', quote @ (b'\'' | b'"'), inner @ .., end] if quote == end => {
            let bytes = python_bytes(inner)
                .ok_or(ExportError::EvidenceSource("JSON with bytes that Python did not print"))?;
            decode_text(bytes)
        }
        _ if first_line(content.trim_ascii()).contains(',') => decode_text(content.into()),
        _ => decode_base64(content),
    }
}

/// The bytes that Python's `repr` prints between `b'` and `'`.
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

/// Bare base64, wrapped or not, or `--output text`: the base64, the date and `text/csv` between
/// tabs.
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
        .map_err(|_| ExportError::NotAReport("base64 of something else than a CSV"))?;
    if csv.trim_ascii().is_empty() { Err(ExportError::Empty) } else { Ok(csv) }
}

fn parse_generated_time(text: &str) -> Result<DateTime<Utc>, ExportError> {
    DateTime::parse_from_rfc3339(text)
        .map(|date| date.to_utc())
        .map_err(|_| ExportError::GeneratedTime(text.to_owned()))
}
