//! Errors of calls to AWS: what they mean, and whether the call is retried.

use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};

use crate::model::inventory::{EvidenceGap, EvidenceItem, GapCause};
use crate::observe::message::{cause_chain, one_line, root_cause};
use crate::observe::{non_aws_response, response_limit};
use crate::retry::{AttemptFailure, Retry};

/// The HTTP status of `NoSuchEntity`.
///
/// Source: the errors of the actions in the IAM API Reference.
const NOT_FOUND: u16 = 404;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AwsError {
    /// The IAM action of the call, such as `iam:ListUsers`.
    pub(crate) action: &'static str,
    pub(crate) cause: GapCause,
    /// The error code, if AWS responded.
    pub(crate) code: Option<String>,
    /// The HTTP status, if there was a response.
    pub(crate) status: Option<u16>,
    pub(crate) message: String,
    /// Whether an earlier attempt may have been carried out: it got no response, or a server error.
    pub(crate) outcome_unknown: bool,
}

impl AwsError {
    pub(crate) fn from_sdk<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let failed = |cause, message| Self { cause, ..Self::unexpected(action, message) };
        match error {
            SdkError::ServiceError(answer) => {
                let code = answer.err().code();
                let status = answer.raw().status().as_u16();
                let message = answer.err().message();
                let cause =
                    cause_of(action, code.unwrap_or_default(), status, message.unwrap_or_default());
                let message = match code {
                    None => non_aws_response::describe(
                        status,
                        answer.raw().body().bytes(),
                        answer.err(),
                    ),
                    Some(_) => service_message(code, status, message.unwrap_or("no message")),
                };
                Self {
                    action,
                    cause,
                    code: code.map(str::to_owned),
                    status: Some(status),
                    message,
                    outcome_unknown: false,
                }
            }
            SdkError::TimeoutError(_) => {
                failed(GapCause::Unreachable, "no response before the timeout".to_owned())
            }
            SdkError::DispatchFailure(failure) => {
                if let Some(RefreshFailed(why)) = find_source(error) {
                    failed(GapCause::Credentials, why.clone())
                } else if let Some(why) = find_source::<CredentialsError>(error) {
                    failed(GapCause::Credentials, cause_chain(why))
                } else if failure.is_io() || failure.is_timeout() {
                    failed(GapCause::Unreachable, root_cause(error))
                } else if failure.is_user() {
                    failed(GapCause::Unexpected, root_cause(error))
                } else {
                    failed(GapCause::Credentials, root_cause(error))
                }
            }
            SdkError::ResponseError(_) if response_limit::is_exceeded(error) => {
                failed(GapCause::Unexpected, response_limit::TOO_LARGE_MESSAGE.to_owned())
            }
            SdkError::ResponseError(_) => failed(GapCause::Unreachable, root_cause(error)),
            _ => failed(GapCause::Unexpected, root_cause(error)),
        }
    }

    /// A response that AWS does not send.
    pub(crate) fn unexpected(action: &'static str, message: impl Into<String>) -> Self {
        let (cause, message) = (GapCause::Unexpected, message.into());
        Self { action, cause, code: None, status: None, message, outcome_unknown: false }
    }

    pub(crate) fn deadline_exceeded(action: &'static str) -> Self {
        Self {
            cause: GapCause::TimedOut,
            ..Self::unexpected(action, "the timeout was reached (--timeout)")
        }
    }

    pub(super) fn attempt_timed_out(action: &'static str, waited: Duration) -> Self {
        let message = format!("no response within {} s", waited.as_secs());
        Self { cause: GapCause::TimedOut, ..Self::unexpected(action, message) }
    }

    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether the user or credential does not exist. IAM sends `NoSuchEntity` with status 404.
    /// With another status, such as a server error, the code proves nothing.
    pub(crate) fn is_not_found(&self) -> bool {
        self.has_code("NoSuchEntity") && self.status == Some(NOT_FOUND)
    }

    /// Whether callers expect this error: the item does not exist, or not yet, or is not empty.
    pub(super) fn is_expected(&self) -> bool {
        let codes = ["ReportInProgress", "ReportNotPresent", "ReportExpired", "DeleteConflict"];
        self.is_not_found() || codes.iter().any(|code| self.has_code(code))
    }

    /// Whether AWS may have carried out the call although it failed.
    const fn may_have_been_carried_out(&self) -> bool {
        matches!(self.cause, GapCause::Unavailable | GapCause::TimedOut | GapCause::Unreachable)
    }

    /// Whether AWS rejected this call and every earlier attempt at it.
    pub(crate) fn is_rejected(&self) -> bool {
        !self.outcome_unknown && self.code.is_some() && !self.may_have_been_carried_out()
    }

    /// The evidence gap that the failure causes. `users` is 0 if it affects the whole account.
    pub(crate) fn into_gap(self, item: EvidenceItem, users: usize) -> EvidenceGap {
        EvidenceGap { item, cause: self.cause, action: self.action, message: self.message, users }
    }
}

impl AttemptFailure for AwsError {
    fn retry(&self) -> Retry {
        match self.cause {
            // A timeout of one attempt. After the deadline of the run there is no further attempt.
            GapCause::Throttled | GapCause::Unavailable | GapCause::TimedOut => {
                Retry::UNTIL_DEADLINE
            }
            GapCause::Unreachable => Retry::FewTimes,
            GapCause::Denied | GapCause::Credentials | GapCause::Unexpected => Retry::Never,
        }
    }

    fn after(self, earlier: Self) -> Self {
        let outcome_unknown = earlier.outcome_unknown || earlier.may_have_been_carried_out();
        Self { outcome_unknown, ..self }
    }
}

impl<X> AttemptFailure for CheckedAwsError<X> {
    fn retry(&self) -> Retry {
        match self {
            Self::Check { .. } => Retry::Never,
            Self::Call(error) => error.retry(),
        }
    }

    fn after(self, earlier: Self) -> Self {
        let Self::Call(earlier) = earlier else { return self };
        match self {
            Self::Check { error, .. } => {
                let outcome_unknown =
                    earlier.outcome_unknown || earlier.may_have_been_carried_out();
                Self::Check { error, outcome_unknown }
            }
            Self::Call(error) => Self::Call(error.after(earlier)),
        }
    }
}

#[derive(Debug)]
pub(crate) enum CheckedAwsError<X> {
    Check {
        error: X,
        /// Whether an earlier attempt may have been carried out.
        outcome_unknown: bool,
    },
    Call(AwsError),
}

/// Source: "Common errors" of the IAM and STS API references, and "Error retries" of the SDKs.
fn cause_of(action: &str, code: &str, status: u16, message: &str) -> GapCause {
    match code {
        // The code means that the token is wrong, but the message can say that STS could not verify
        // it.
        "InvalidIdentityToken" if is_transient_message(message) => GapCause::Unavailable,
        // For `Generate…` actions, this means that the report was requested too often. Elsewhere a
        // quota is exceeded.
        "LimitExceeded" if !action.starts_with("iam:Generate") => GapCause::Unexpected,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => GapCause::Denied,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "InvalidIdentityToken" => GapCause::Credentials,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "BandwidthLimitExceeded"
        | "SlowDown"
        | "PriorRequestNotComplete"
        | "LimitExceeded" => GapCause::Throttled,
        "IDPCommunicationError"
        | "EntityTemporarilyUnmodifiable"
        | "ConcurrentModification"
        | "RequestTimeout"
        | "RequestTimeoutException" => GapCause::Unavailable,
        _ if status == 429 => GapCause::Throttled,
        _ if status >= 500 => GapCause::Unavailable,
        _ => GapCause::Unexpected,
    }
}

/// Whether the message describes a temporary error: STS could not fetch the public key of the
/// token's issuer, which happens when many jobs start at once. The error code is ambiguous, and the
/// SDK's credential providers only return the message.
pub(crate) fn is_transient_message(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("retrieve verification key") || message.contains("idpcommunicationerror")
}

/// The AWS error message in one line. Messages about a wrong signature are left out because they
/// repeat the signed headers, including the session token.
fn service_message(code: Option<&str>, status: u16, message: &str) -> String {
    let code = code.map_or_else(|| format!("HTTP status {status}"), str::to_owned);
    if matches!(code.as_str(), "SignatureDoesNotMatch" | "IncompleteSignature") {
        return format!(
            "{code}: the secret access key does not match the access key ID, or the system clock \
             is wrong"
        );
    }
    format!("{code}: {}", one_line(message))
}

/// The credentials could not be refreshed for a call.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct RefreshFailed(pub(in crate::observe) String);

/// The first source of an error that has this type.
fn find_source<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::message::MAX_MESSAGE_CHARS;

    #[test]
    fn signature_errors_do_not_repeat_headers() {
        let sent = "The request signature we calculated does not match. The Canonical String was\n\
                    'POST\n/\nx-amz-security-token:FwoGZXIvYXdzEJr'";
        let message = service_message(Some("SignatureDoesNotMatch"), 403, sent);
        assert!(message.starts_with("SignatureDoesNotMatch: "), "{message}");
        assert!(!message.contains("Canonical") && !message.contains("FwoG"), "{message}");
    }

    #[test]
    fn not_found_requires_status_404() {
        let not_found = |status| AwsError {
            code: Some("NoSuchEntity".to_owned()),
            status,
            ..AwsError::unexpected("iam:GetUser", "")
        };
        assert!(not_found(Some(404)).is_not_found());
        for status in [None, Some(200), Some(400), Some(403), Some(500), Some(503)] {
            assert!(!not_found(status).is_not_found(), "{status:?}");
        }
    }

    #[test]
    fn messages_are_one_line_of_limited_length() {
        let message =
            service_message(None, 502, &format!("é{}\nx-amz-security-token", "é".repeat(500)));
        assert!(message.starts_with("HTTP status 502: é"), "{message}");
        assert!(message.ends_with("é…") && message.chars().count() < MAX_MESSAGE_CHARS + 40);
    }

    #[test]
    fn long_messages_keep_the_reason_for_a_denial() {
        let sent = format!(
            "User: arn:aws:sts::111122223333:assumed-role/{}/run is not authorized to perform: \
             iam:ListUsers with an explicit deny in a service control policy",
            "a".repeat(400)
        );
        let message = service_message(Some("AccessDenied"), 403, &sent);
        assert!(message.starts_with("AccessDenied: User: arn:"), "{message}");
        assert!(message.ends_with("… with an explicit deny in a service control policy"));
        assert!(message.chars().count() < MAX_MESSAGE_CHARS + 40, "{message}");
    }

    #[test]
    fn credential_ids_are_shortened_to_four_characters() {
        for (text, shown) in [
            (
                "The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found.",
                "The Access Key with id …MPLE cannot be found.",
            ),
            ("access key 'ASIAIOSFODNN7EXAMPLE'", "access key '…MPLE'"),
            ("é ACCAEXAMPLE123EXAMPLE", "é …MPLE"),
            ("user AIDAIOSFODNN7EXAMPLE, AKIA", "user AIDAIOSFODNN7EXAMPLE, AKIA"),
        ] {
            assert_eq!(one_line(text), shown);
        }
    }

    #[test]
    fn rejection_after_an_unanswered_attempt_is_not_final() {
        let denied = |outcome_unknown| AwsError {
            cause: GapCause::Denied,
            code: Some("AccessDenied".to_owned()),
            outcome_unknown,
            ..AwsError::unexpected("", "")
        };
        assert!(denied(false).is_rejected() && !denied(true).is_rejected());
        assert!(!AwsError { cause: GapCause::Unavailable, ..denied(false) }.is_rejected());
        assert!(!AwsError { code: None, ..denied(false) }.is_rejected());
    }

    #[test]
    fn message_decides_when_the_code_is_ambiguous() {
        let cause = |message| {
            cause_of("sts:AssumeRoleWithWebIdentity", "InvalidIdentityToken", 400, message)
        };
        let no_key = "Couldn't retrieve verification key from your identity provider, please \
                      reference AssumeRoleWithWebIdentity documentation for requirements";
        assert_eq!(cause(no_key), GapCause::Unavailable);
        assert_eq!(cause("Incorrect token audience"), GapCause::Credentials);
    }

    #[test]
    fn only_transient_errors_are_retried() {
        let after = |code: &str, status| {
            let cause = cause_of("iam:GenerateCredentialReport", code, status, "");
            AwsError { cause, ..AwsError::unexpected("", "") }.retry()
        };
        for (code, status) in [
            ("Throttling", 400),
            ("RequestLimitExceeded", 503),
            ("LimitExceeded", 409),
            ("ServiceFailure", 500),
            ("RequestTimeout", 400),
            ("", 502),
            ("", 429),
        ] {
            assert_eq!(after(code, status), Retry::UNTIL_DEADLINE, "{code} {status}");
        }
        for (code, status) in [
            ("AccessDenied", 403),
            ("ExpiredToken", 403),
            ("InvalidClientTokenId", 403),
            ("ReportInProgress", 404),
            ("NoSuchEntity", 404),
            ("ValidationError", 400),
        ] {
            assert_eq!(after(code, status), Retry::Never, "{code} {status}");
        }
    }

    #[test]
    fn unreachable_hosts_are_retried_a_limited_number_of_times() {
        let failure = AwsError { cause: GapCause::Unreachable, ..AwsError::unexpected("", "") };
        assert_eq!(failure.retry(), Retry::FewTimes);
    }

    #[test]
    fn error_after_an_unanswered_attempt_has_an_unknown_outcome() {
        let failed = |cause| AwsError { cause, ..AwsError::unexpected("iam:DeleteUser", "") };
        for (cause, outcome_unknown) in [
            (GapCause::Unavailable, true),
            (GapCause::TimedOut, true),
            (GapCause::Unreachable, true),
            (GapCause::Throttled, false),
        ] {
            let second = failed(GapCause::Throttled).after(failed(cause));
            let third = failed(GapCause::Denied).after(second);
            assert_eq!(third.outcome_unknown, outcome_unknown, "{cause:?}");
            let check = CheckedAwsError::Check { error: "outdated", outcome_unknown: false };
            let check = check.after(CheckedAwsError::Call(failed(cause)));
            assert!(matches!(
                check,
                CheckedAwsError::Check { outcome_unknown: it, .. } if it == outcome_unknown
            ));
        }
    }
}
