//! Errors of the GitHub API, and what to do about them.

use chrono::{DateTime, Utc};

/// The maximum length of an error message, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// A failed call to GitHub.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}: {message}")]
pub struct Error {
    /// What was tried, such as `listing the issues of acme/infra`.
    pub what: String,
    pub kind: ErrorKind,
    /// The message from GitHub or the network, in one line.
    pub message: String,
    pub(super) details: Option<Box<ErrorDetails>>,
    pub(super) attempts: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum ErrorKind {
    /// The token is invalid (401).
    Unauthorized,
    /// The token does not have permission (403).
    Forbidden,
    /// Rate limited, beyond the deadline (403 or 429).
    RateLimited,
    /// It does not exist, or the token cannot see it (404).
    NotFound,
    /// It was deleted, or issues are disabled (410).
    Gone,
    /// GitHub rejected a field of the request (422).
    Unprocessable,
    /// GitHub accepted the request, but stored something else.
    NotApplied,
    /// A server error (5xx).
    Unavailable,
    /// The API URL is invalid.
    Misconfigured,
    /// The connection failed.
    Unreachable,
    /// A response that the GitHub API does not send.
    Unexpected,
    /// The timeout was reached.
    TimedOut,
}

/// More details from GitHub.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ErrorDetails {
    /// The permissions that the request needs, from the header `X-Accepted-GitHub-Permissions`:
    /// `issues=write; pull_requests=write`.
    pub(super) permissions: Option<String>,
    pub(super) resets_at: Option<DateTime<Utc>>,
    /// The rejected fields.
    pub(super) fields: Vec<String>,
    /// Their error codes, such as `already_exists`.
    pub(super) codes: Vec<String>,
}

impl Error {
    pub(super) fn new(what: impl Into<String>, kind: ErrorKind, message: impl AsRef<str>) -> Self {
        let message = one_line(message.as_ref());
        Self { what: what.into(), kind, message, details: None, attempts: 0 }
    }

    /// The runtime for network calls could not be started.
    #[must_use]
    pub fn without_network(error: &std::io::Error) -> Self {
        Self::new("preparing calls to GitHub", ErrorKind::Unreachable, crate::cause::reason(error))
    }

    /// The error without the message from GitHub, which can contain names, for a log that everyone
    /// can read.
    #[must_use]
    pub fn without_github_message(&self) -> String {
        match self.kind {
            // This message is not from GitHub.
            ErrorKind::TimedOut => self.to_string(),
            kind => {
                format!("{}: {kind} (details are hidden because this log is public)", self.what)
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let hint = match self.kind {
            ErrorKind::Unauthorized => {
                "the token (`github-token`) is invalid, revoked, or expired; GITHUB_TOKEN expires \
                 when its job ends"
            }
            ErrorKind::Forbidden => return self.forbidden_hint(),
            ErrorKind::RateLimited => return self.rate_limit_hint(),
            ErrorKind::NotFound => {
                "check the name and the permissions of the token: GITHUB_TOKEN only has access to \
                 its own repository, and needs at least `contents: read` and `issues: read`"
            }
            ErrorKind::Gone if self.message_contains("deleted") => {
                "it was deleted: run again to create a new one"
            }
            ErrorKind::Gone => {
                "issues are disabled in this repository: enable them in its settings, or set \
                 `queue-repository` to another repository"
            }
            ErrorKind::Unprocessable => return self.fields_hint(),
            ErrorKind::NotApplied => {
                "issues and comments can have at most 65,536 characters; if the text is shorter, \
                 someone else edited it at the same time: run again"
            }
            ErrorKind::Unavailable => {
                "GitHub or a proxy has a problem: check https://www.githubstatus.com and run again"
            }
            ErrorKind::Misconfigured => {
                "correct or remove GITHUB_API_URL; for GitHub Enterprise Server it is \
                 https://HOST/api/v3"
            }
            ErrorKind::Unreachable => {
                "check the network, HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE (root certificates), and \
                 GITHUB_API_URL (GitHub Enterprise Server: https://HOST/api/v3)"
            }
            ErrorKind::Unexpected => {
                "the response does not seem to come from the GitHub API: check GITHUB_API_URL \
                 (GitHub Enterprise Server: https://HOST/api/v3) and HTTPS_PROXY"
            }
            ErrorKind::TimedOut => "run again later, or set a longer timeout",
        };
        hint.to_owned()
    }

    /// Whether one of the fields has this error code.
    pub(super) fn has_error_code(&self, code: &str) -> bool {
        let codes = self.details.iter().flat_map(|details| &details.codes);
        codes.into_iter().any(|it| it == code)
    }

    /// Whether the conversation is locked, so that this token may not write to it.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.kind == ErrorKind::Forbidden && self.message_contains("is locked")
    }

    /// Whether the message contains this word, ignoring case.
    fn message_contains(&self, word: &str) -> bool {
        self.message.to_lowercase().contains(word)
    }

    /// Source: "Permissions required for fine-grained personal access tokens" and "Controlling
    /// permissions for GITHUB_TOKEN", GitHub documentation.
    fn forbidden_hint(&self) -> String {
        if self.is_locked() {
            return "the conversation is locked, and this token may not write to it: unlock it on \
                    its page (\"Unlock conversation\") and run again"
                .to_owned();
        }
        if self.message_contains("archived") {
            return "the repository is archived: set `queue-repository` to another repository"
                .to_owned();
        }
        if self.message_contains("saml") {
            return "authorize the token for single sign-on of the organization".to_owned();
        }
        let permissions = self.details.as_ref().and_then(|details| details.permissions.as_deref());
        let permissions = permissions.filter(|it| is_plain(it));
        let named = permissions.map_or_else(
            || "`issues: write`, or for a pull request `pull-requests: write`".to_owned(),
            workflow_syntax,
        );
        format!(
            "add {named} to `permissions:` of the job. Permissions of a job replace those of the \
             workflow, and runs for forks and Dependabot are read-only"
        )
    }

    fn rate_limit_hint(&self) -> String {
        match self.details.as_ref().and_then(|details| details.resets_at) {
            Some(at) => {
                format!(
                    "run again after the rate limit resets at {}",
                    at.format("%Y-%m-%d %H:%M UTC")
                )
            }
            None => {
                "run again in a few minutes, or use a token that no other program uses".to_owned()
            }
        }
    }

    fn fields_hint(&self) -> String {
        let fields = self.details.as_ref().map(|details| details.fields.as_slice());
        match fields {
            Some(fields) if !fields.is_empty() && fields.iter().all(|it| is_plain(it)) => {
                let named: Vec<_> = fields.iter().map(|field| format!("`{field}`")).collect();
                format!("set {} to a value that GitHub accepts", named.join(", "))
            }
            _ => "GitHub's message says what it does not accept: check `issue-title`, `labels`, \
                  and `assignees`"
                .to_owned(),
        }
    }
}

/// Whether a name in a response has only the characters that GitHub uses.
fn is_plain(name: &str) -> bool {
    let is_part = |it: char| it.is_ascii_alphanumeric() || "_-.=;, ".contains(it);
    name.len() <= 200 && name.chars().all(is_part)
}

/// The permissions of the header in workflow syntax. In the header, `;` means or and `,` means and.
fn workflow_syntax(permissions: &str) -> String {
    let granted = |pair: &str| {
        let (name, level) = pair.trim().split_once('=').unwrap_or((pair.trim(), "write"));
        format!("`{}: {level}`", name.replace('_', "-"))
    };
    let together = |set: &str| set.split(',').map(granted).collect::<Vec<_>>().join(" and ");
    permissions.split(';').map(together).collect::<Vec<_>>().join(" or ")
}

/// The text in one line of limited length, without secrets.
pub(super) fn one_line(text: &str) -> String {
    let blank = |c: char| c.is_whitespace() || c.is_control();
    let error_message: Vec<_> = text.split(blank).filter(|word| !word.is_empty()).collect();
    let line = crate::secrets::redact(&error_message.join(" ")).into_owned();
    match line.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_use_workflow_syntax() {
        for (header, named) in [
            ("issues=write", "`issues: write`"),
            ("issues=write; pull_requests=write", "`issues: write` or `pull-requests: write`"),
            ("contents=read,issues=write", "`contents: read` and `issues: write`"),
        ] {
            assert_eq!(workflow_syntax(header), named);
        }
    }

    #[test]
    fn github_message_is_omitted_in_public() {
        let error =
            Error::new("listing the issues of acme/infra", ErrorKind::Forbidden, "zaphod may not");
        let message = error.without_github_message();
        assert!(message.starts_with("listing the issues of acme/infra: forbidden"), "{message}");
        assert!(!message.contains("zaphod"), "{message}");
        let details = ErrorDetails {
            permissions: Some("<b>@zaphod</b>".to_owned()),
            fields: vec!["::error::zaphod".to_owned()],
            ..ErrorDetails::default()
        };
        for kind in [ErrorKind::Forbidden, ErrorKind::Unprocessable] {
            let details = Some(Box::new(details.clone()));
            let hint = Error { kind, details, ..error.clone() }.hint();
            assert!(!hint.contains("zaphod"), "{hint}");
        }
    }

    #[test]
    fn message_is_one_line_of_limited_length() {
        let text = format!("first\r\n::error::second\u{7}\u{85}{}", "é".repeat(500));
        let error = Error::new("trying", ErrorKind::Unexpected, text);
        assert!(error.message.starts_with("first ::error::second é"), "{error}");
        assert!(error.message.ends_with("é…") && error.message.chars().count() == 301);
    }
}
