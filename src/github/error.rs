//! Why a call to GitHub failed, and what to do about it.

use std::fmt;

use chrono::{DateTime, Utc};

/// How much of GitHub's words is kept, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// A call to GitHub that came to nothing.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}: {message}")]
pub struct Error {
    /// What was tried, and where, as in `listing the issues of acme/infra`.
    pub what: String,
    /// What kind of failure it was.
    pub kind: ErrorKind,
    /// GitHub's own words, or the network's, in one line.
    pub message: String,
    pub(super) details: Option<Box<ErrorDetails>>,
    /// How often the request was sent.
    pub(super) attempts: u32,
}

/// What kind of failure a call ended in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The token is none that GitHub knows (401).
    Unauthorized,
    /// The token may not do this (403).
    Forbidden,
    /// Too many requests, and no end of it in time (403 or 429).
    RateLimited,
    /// It does not exist, or the token cannot see it (404).
    NotFound,
    /// It is no more, or issues are turned off (410).
    Gone,
    /// GitHub takes the request's fields for wrong (422).
    Unprocessable,
    /// GitHub said yes, and kept something else than it was sent.
    NotApplied,
    /// GitHub is in trouble (5xx).
    Unavailable,
    /// The address of the API is none.
    Misconfigured,
    /// No connection, or one that broke.
    Unreachable,
    /// An answer that makes no sense.
    Unexpected,
    /// Time was up, or an answer took too long.
    TimedOut,
}

/// What GitHub tells beside its words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ErrorDetails {
    /// The permissions that would have done, as the header `X-Accepted-GitHub-Permissions` has
    /// them: `issues=write; pull_requests=write`.
    pub(super) permissions: Option<String>,
    /// When the rate limit is reset.
    pub(super) resets_at: Option<DateTime<Utc>>,
    /// The fields that are wrong.
    pub(super) fields: Vec<String>,
    /// The codes of what is wrong with them, as `already_exists`.
    pub(super) codes: Vec<String>,
}

impl Error {
    pub(super) fn new(what: impl Into<String>, kind: ErrorKind, message: impl AsRef<str>) -> Self {
        let message = one_line(message.as_ref());
        Self { what: what.into(), kind, message, details: None, attempts: 0 }
    }

    /// The system lets nothing out.
    #[must_use]
    pub fn without_network(error: &std::io::Error) -> Self {
        Self::new("preparing calls to GitHub", ErrorKind::Unreachable, crate::cause::reason(error))
    }

    /// What went wrong without GitHub's words, which may repeat names: for where everybody can read it.
    #[must_use]
    pub fn without_github_message(&self) -> String {
        match self.kind {
            // These words are ours.
            ErrorKind::TimedOut => self.to_string(),
            kind => format!(
                "{}: {kind} (the details are withheld, since everybody can read this log)",
                self.what
            ),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let hint = match self.kind {
            ErrorKind::Unauthorized => {
                "the token (`github-token`) is wrong, revoked or out of date; a job's own token \
                 ends with its job"
            }
            ErrorKind::Forbidden => return self.forbidden_hint(),
            ErrorKind::RateLimited => return self.rate_limit_hint(),
            ErrorKind::NotFound => {
                "the name is wrong, or the token cannot see it: a job's own token sees its own \
                 repository alone, and only with `contents: read` and `issues: read` at least"
            }
            ErrorKind::Gone if self.message_contains("deleted") => {
                "it was deleted: run again to have another made"
            }
            ErrorKind::Gone => {
                "issues are turned off in this repository: turn them on in its settings, or name \
                 another repository with `queue-repository`"
            }
            ErrorKind::Unprocessable => return self.fields_hint(),
            ErrorKind::NotApplied => {
                "GitHub keeps at most 65 536 characters of an issue or a comment; if the text is \
                 shorter, somebody else wrote at the same time: run again"
            }
            ErrorKind::Unavailable => {
                "GitHub is in trouble, or something on the way to it: look at \
                 https://www.githubstatus.com and run again"
            }
            ErrorKind::Misconfigured => {
                "correct GITHUB_API_URL, or remove it: it is https://HOST/api/v3 of a GitHub \
                 Enterprise Server"
            }
            ErrorKind::Unreachable => {
                "look at the way there: HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE (the root \
                 certificates), GITHUB_API_URL (GitHub Enterprise Server: https://HOST/api/v3)"
            }
            ErrorKind::Unexpected => {
                "something else than GitHub's API seems to answer: look at GITHUB_API_URL (GitHub \
                 Enterprise Server: https://HOST/api/v3) and at HTTPS_PROXY"
            }
            ErrorKind::TimedOut => "run again when GitHub is quicker",
        };
        hint.to_owned()
    }

    /// Whether GitHub gave the code for one of the fields.
    pub(super) fn has_error_code(&self, code: &str) -> bool {
        let codes = self.details.iter().flat_map(|details| &details.codes);
        codes.into_iter().any(|it| it == code)
    }

    /// Whether the conversation is locked, so that this token may not write there.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.kind == ErrorKind::Forbidden && self.message_contains("is locked")
    }

    /// Whether GitHub's words hold this one, in whatever case.
    fn message_contains(&self, word: &str) -> bool {
        self.message.to_lowercase().contains(word)
    }

    /// Source: "Permissions required for fine-grained personal access tokens" and "Controlling
    /// permissions for GITHUB_TOKEN", GitHub documentation.
    fn forbidden_hint(&self) -> String {
        if self.is_locked() {
            return "the conversation is locked, and this token may not write there: unlock it on \
                    its page (\"Unlock conversation\") and run again"
                .to_owned();
        }
        if self.message_contains("archived") {
            return "the repository is archived: name another with `queue-repository`".to_owned();
        }
        if self.message_contains("saml") {
            return "authorize the token for the organization's single sign-on".to_owned();
        }
        let told = self.details.as_ref().and_then(|details| details.permissions.as_deref());
        let told = told.filter(|told| is_plain(told));
        let named = told.map_or_else(
            || "`issues: write`, or for a pull request `pull-requests: write`".to_owned(),
            workflow_syntax,
        );
        format!(
            "give the job `permissions:` {named}; a job's permissions replace the workflow's, and \
             a run for a fork or by Dependabot may only read"
        )
    }

    fn rate_limit_hint(&self) -> String {
        match self.details.as_ref().and_then(|details| details.resets_at) {
            Some(at) => {
                format!("the limit is reset at {}: run again then", at.format("%Y-%m-%d %H:%M UTC"))
            }
            None => "run again in some minutes, or with a token that others do not use".to_owned(),
        }
    }

    fn fields_hint(&self) -> String {
        let fields = self.details.as_ref().map(|details| details.fields.as_slice());
        match fields {
            Some(fields) if !fields.is_empty() && fields.iter().all(|it| is_plain(it)) => {
                let named: Vec<_> = fields.iter().map(|field| format!("`{field}`")).collect();
                format!("set {} to something that GitHub takes", named.join(", "))
            }
            _ => "GitHub's words say what it does not take: look at `issue-title`, `labels` and \
                  `assignees`"
                .to_owned(),
        }
    }
}

/// Whether a name in an answer is one that GitHub would use, and no text of somebody else.
fn is_plain(name: &str) -> bool {
    let is_part = |it: char| it.is_ascii_alphanumeric() || "_-.=;, ".contains(it);
    name.len() <= 200 && name.chars().all(is_part)
}

/// The permissions of the header as a workflow grants them: what is parted by `;` does alone, what
/// is parted by `,` does together.
fn workflow_syntax(permissions: &str) -> String {
    let granted = |pair: &str| {
        let (name, level) = pair.trim().split_once('=').unwrap_or((pair.trim(), "write"));
        format!("`{}: {level}`", name.replace('_', "-"))
    };
    let together = |set: &str| set.split(',').map(granted).collect::<Vec<_>>().join(" and ");
    permissions.split(';').map(together).collect::<Vec<_>>().join(" or ")
}

/// The text in one line of bounded length; whoever wrote it, it begins no line of its own.
pub(super) fn one_line(text: &str) -> String {
    let blank = |c: char| c.is_whitespace() || c.is_control();
    let error_message: Vec<_> = text.split(blank).filter(|word| !word.is_empty()).collect();
    let line = crate::secrets::redact(&error_message.join(" ")).into_owned();
    match line.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate-limited",
            Self::NotFound => "not-found",
            Self::Gone => "gone",
            Self::Unprocessable => "unprocessable",
            Self::NotApplied => "not-taken",
            Self::Unavailable => "unavailable",
            Self::Misconfigured => "misconfigured",
            Self::Unreachable => "unreachable",
            Self::Unexpected => "unexpected",
            Self::TimedOut => "out-of-time",
        })
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
        let told = error.without_github_message();
        assert!(told.starts_with("listing the issues of acme/infra: forbidden"), "{told}");
        assert!(!told.contains("zaphod"), "{told}");
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
        let told = format!("first\r\n::error::second\u{7}\u{85}{}", "é".repeat(500));
        let error = Error::new("trying", ErrorKind::Unexpected, told);
        assert!(error.message.starts_with("first ::error::second é"), "{error}");
        assert!(error.message.ends_with("é…") && error.message.chars().count() == 301);
    }
}
