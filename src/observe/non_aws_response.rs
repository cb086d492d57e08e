//! Responses that AWS did not send: a proxy page, an empty body, XML that cannot be parsed.

use std::error::Error;

use super::message::{one_line, root_cause};

/// How much of such a response is quoted, in characters.
const MAX_QUOTED_CHARS: usize = 60;
/// A response that contains one of these may contain credentials, so it is not quoted.
const SECRETS: [&str; 2] = ["SecretAccessKey", "SessionToken"];

const NOT_FROM_AWS: &str = "the response is not from AWS";

/// Whether an error message describes such a response.
pub(super) fn is_non_aws_response(message: &str) -> bool {
    message.contains(NOT_FROM_AWS)
}

/// Describes a response that is not from AWS. `error` is the error of the SDK.
pub(super) fn describe(status: u16, body: Option<&[u8]>, error: &(dyn Error + 'static)) -> String {
    let what = format!("HTTP status {status}: {NOT_FROM_AWS}");
    let text = String::from_utf8_lossy(body.unwrap_or_default());
    let text = text.trim();
    if text.is_empty() {
        return format!("{what}: it is empty (perhaps a proxy sent it)");
    }
    if SECRETS.iter().any(|it| text.contains(it)) {
        return format!("{what}: it cannot be parsed");
    }
    if is_aws_xml(text) {
        return format!("{what}: {}", root_cause(error));
    }
    format!("{what} (perhaps a proxy page): `{}`", first_words(text))
}

/// Whether the response looks like XML from an AWS service in which only one field is wrong.
fn is_aws_xml(text: &str) -> bool {
    let root = text.trim_start_matches(|it| it != '<');
    let root =
        if root.starts_with("<?") { root.split_once("?>").map_or("", |it| it.1) } else { root };
    let name = root.trim_start().trim_start_matches('<');
    let name: String = name.chars().take_while(char::is_ascii_alphanumeric).collect();
    name.ends_with("Response") && text.contains("amazonaws.com/doc/")
}

/// The beginning of a text in one line, with control characters escaped.
fn first_words(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().take(MAX_QUOTED_CHARS).collect();
    let words = one_line(&words.join(" "));
    let mut quoted = String::new();
    for character in words.chars().take(MAX_QUOTED_CHARS) {
        match character {
            '`' => quoted.push('\''),
            it if it.is_control() => quoted.extend(it.escape_unicode()),
            it => quoted.push(it),
        }
    }
    if words.chars().count() > MAX_QUOTED_CHARS {
        quoted.push('…');
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> String {
        let error = std::io::Error::other("the date `soon` cannot be read");
        describe(200, Some(body.as_bytes()), &error)
    }

    #[test]
    fn unexpected_pages_are_quoted_escaped_and_shortened() {
        let message = of("<!DOCTYPE html>\n<html><title>Sign \u{1b}[2J in</title>");
        assert!(
            message.contains("(perhaps a proxy page): `<!DOCTYPE html> <html><title>Sign"),
            "{message}"
        );
        assert!(message.contains("\\u{1b}") && !message.contains('\u{1b}'), "{message}");
        let message = of(&"`é ".repeat(500));
        assert!(message.ends_with("…`") && message.chars().count() < 160, "{message}");
        assert_eq!(message.matches('`').count(), 2, "{message}");
    }

    #[test]
    fn empty_response_is_named_as_such() {
        assert!(of(" \n").contains("it is empty"));
        let error = std::io::Error::other("x");
        assert!(describe(502, None, &error).starts_with("HTTP status 502: "));
    }

    #[test]
    fn aws_xml_errors_name_the_field_and_quote_nothing() {
        let xml = "<?xml version='1.0'?>\n<GetUserResponse \
                   xmlns='https://iam.amazonaws.com/doc/2010-05-08/'><CreateDate>soon</CreateDate>";
        let message = of(xml);
        assert!(message.ends_with("the date `soon` cannot be read"), "{message}");
    }

    #[test]
    fn answer_with_credentials_is_never_quoted() {
        for body in ["<x><SecretAccessKey>wJalr</SecretAccessKey>", "SessionToken FwoG"] {
            let message = of(body);
            assert!(!message.contains("wJalr") && !message.contains("FwoG"), "{message}");
        }
    }
}
