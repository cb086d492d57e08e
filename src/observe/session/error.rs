//! Why a session could not be opened, and what to do about it.

use crate::model::identity::{Partition, RoleArn};
use crate::model::inventory::{AccountId, Denial, DenyingPolicyKind, GapCause};
use crate::observe::call::AwsError;
use crate::observe::non_aws_response::is_non_aws_response;

use super::token::Claims;

const WEB_IDENTITY: &str = "sts:AssumeRoleWithWebIdentity";

/// Why a session could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The default credential provider chain found no credentials.
    #[error("no AWS credentials found: {why}")]
    NoCredentials {
        why: String,
        /// A more specific hint.
        help: Option<String>,
    },
    /// An environment variable or a profile setting is invalid.
    #[error("{name} {problem}")]
    Setting {
        /// The variable, or the setting and its profile.
        name: String,
        /// What is wrong with it, without the value.
        problem: String,
    },
    /// The session is in a different account than the role.
    #[error(
        "AWS returned credentials for account {found}, but {whose} belongs to account {expected}"
    )]
    OtherAccount {
        /// The role or profile that names the account.
        whose: String,
        expected: AccountId,
        found: AccountId,
    },
    /// The partition is unknown, so the role ARN cannot be built.
    #[error("unknown partition {0}: expected aws, aws-cn, aws-us-gov, or aws-eusc")]
    UnknownPartition(String),
    #[error("could not open a session before the timeout (--timeout)")]
    TimedOut,
    #[error("cannot get an OIDC token: {0}")]
    NoToken(String),
    /// The trust policy of the role does not accept the token.
    #[error("{role} does not trust this workflow: {message}{}", describe_claims(.claims.as_ref()))]
    NotTrusted {
        role: Box<RoleArn>,
        /// The AWS error message.
        message: String,
        /// The claims of the token that the trust policy is compared with.
        claims: Option<Claims>,
    },
    #[error("account {account} has no OIDC provider for the token's issuer: {message}")]
    NoProvider {
        account: AccountId,
        /// The AWS error message.
        message: String,
    },
    /// The audience of the token is not a client ID of the OIDC provider.
    #[error("the OIDC provider in account {account} does not accept the audience: {message}{}", describe_claims(.claims.as_ref()))]
    Audience {
        account: AccountId,
        /// The AWS error message.
        message: String,
        /// The claims of the token.
        claims: Option<Claims>,
    },
    /// The first role is not allowed to assume this role.
    #[error("cannot assume {role}: {message}")]
    NotAssumable {
        role: Box<RoleArn>,
        /// The AWS error message.
        message: String,
    },
    /// AWS rejected the credentials, or could not be reached.
    #[error("{action} failed: {message}")]
    Failed {
        /// The IAM action of the call.
        action: &'static str,
        /// Why.
        cause: GapCause,
        /// The error message from AWS or the client.
        message: String,
    },
    /// The account is not in `--allowed-account-ids`.
    #[error("the credentials belong to account {0}, which is not in --allowed-account-ids")]
    AccountNotAllowed(AccountId),
    /// The response contains no account ID.
    #[error("the response to {0} contains no account ID")]
    NoAccount(&'static str),
    /// `--accounts` contains account IDs, but there is no role name for them.
    #[error("--accounts contains account IDs, but the name of the role to assume is missing")]
    NoMemberRole,
    #[error(
        "Region {region} is in partition {region_partition}, but the role is in partition {of_role}"
    )]
    Partition { region: String, region_partition: Partition, of_role: Partition },
}

impl SessionError {
    /// An invalid setting.
    pub(super) fn setting(name: &str, problem: &str) -> Self {
        Self::Setting { name: name.to_owned(), problem: problem.to_owned() }
    }

    pub(super) fn from_web_identity(
        failure: AwsError,
        role: &RoleArn,
        claims: Option<Claims>,
    ) -> Self {
        let (role, account) = (Box::new(role.clone()), role.account);
        let AwsError { cause, message, .. } = failure;
        let says = |words: &str| message.to_ascii_lowercase().contains(words);
        if cause == GapCause::Denied {
            Self::NotTrusted { role, message, claims }
        } else if says("no openidconnect provider") {
            Self::NoProvider { account, message }
        } else if says("audience") {
            Self::Audience { account, message, claims }
        } else {
            Self::Failed { action: WEB_IDENTITY, cause, message }
        }
    }

    pub(super) fn from_assume_role(failure: AwsError, role: &RoleArn) -> Self {
        match failure {
            AwsError { cause: GapCause::Denied, message, .. } => {
                Self::NotAssumable { role: Box::new(role.clone()), message }
            }
            other => Self::from(other),
        }
    }

    /// The same error without text from AWS, which can contain names, for a log that everyone can
    /// read. The AWS error code stays.
    #[must_use]
    pub fn without_aws_message(mut self) -> Self {
        if let Self::NotTrusted { message, .. }
        | Self::NoProvider { message, .. }
        | Self::Audience { message, .. }
        | Self::NotAssumable { message, .. }
        | Self::Failed { message, .. }
        | Self::NoCredentials { why: message, .. } = &mut self
        {
            *message = redact(message);
        }
        self
    }

    /// Whether a setting or the role must be changed, so that running again does not help.
    #[must_use]
    pub const fn is_configuration_error(&self) -> bool {
        match self {
            Self::Failed { cause, .. } => {
                matches!(cause, GapCause::Denied | GapCause::Credentials | GapCause::Unexpected)
            }
            Self::TimedOut => false,
            _ => true,
        }
    }

    /// The cause of the evidence gap if this account is one of several.
    #[must_use]
    pub const fn cause(&self) -> GapCause {
        match self {
            Self::NotTrusted { .. } | Self::NotAssumable { .. } => GapCause::Denied,
            Self::Failed { cause, .. } => *cause,
            Self::TimedOut => GapCause::TimedOut,
            _ => GapCause::Credentials,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        if let Some(advice) = self.denial_advice() {
            return advice;
        }
        match self {
            Self::NoCredentials { help: Some(help), .. } => help.clone(),
            Self::Setting { name, .. } => format!("correct or remove {name}"),
            Self::OtherAccount { .. } => "check AWS_ENDPOINT_URL and the endpoint it points to; \
                                          the account was not audited"
                .to_owned(),
            Self::UnknownPartition(_) => {
                "audit each account separately, with its own credentials".to_owned()
            }
            Self::NoCredentials { .. } => "sign in (aws sso login), set AWS_PROFILE, or in a \
                                           workflow use --role-to-assume with `permissions: \
                                           id-token: write`"
                .to_owned(),
            Self::TimedOut => "check the source of the credentials (the OIDC token endpoint of \
                               the runner, single sign-on, a credential_process), or set a longer \
                               --timeout"
                .to_owned(),
            Self::NoToken(_) => "the job needs `permissions: id-token: write`. Permissions of a \
                                 job replace those of the workflow, and a pull request from a \
                                 fork gets no token"
                .to_owned(),
            Self::NotTrusted { .. } => "the trust policy of the role must contain this `sub` \
                                        exactly; `iam-stocktake iam-policy --format trust` prints \
                                        a trust policy with both forms of it"
                .to_owned(),
            Self::NoProvider { account, .. } => format!(
                "create an OIDC provider for token.actions.githubusercontent.com in account \
                 {account}; `iam-stocktake iam-policy --format terraform` prints it"
            ),
            Self::Audience { .. } => {
                "set --audience to a client ID (audience) of the OIDC provider".to_owned()
            }
            Self::NotAssumable { role, .. } => format!(
                "allow the first role sts:AssumeRole on {role}, and let the trust policy of that \
                 role accept the first role (and the external ID, if it requires one)"
            ),
            Self::Failed { cause: GapCause::Unexpected, message, .. }
                if is_non_aws_response(message) =>
            {
                "check AWS_ENDPOINT_URL, HTTPS_PROXY, and the servers they point to".to_owned()
            }
            Self::Failed { action, cause, .. } => hint_of_failure(action, *cause),
            Self::AccountNotAllowed(_) => {
                "check that these are the credentials you want to use".to_owned()
            }
            Self::NoMemberRole => "set --member-role-name".to_owned(),
            Self::NoAccount(_) => "check that AWS_ENDPOINT_URL is an AWS endpoint".to_owned(),
            Self::Partition { of_role, .. } => {
                format!("set --aws-region to a Region of partition {of_role}")
            }
        }
    }
}

fn hint_of_failure(action: &str, cause: GapCause) -> String {
    let hint = match (action, cause) {
        (WEB_IDENTITY, GapCause::Credentials) => {
            "run the job again; if that does not help, compare the OIDC provider of the role with \
             the output of `iam-stocktake iam-policy --format terraform`"
        }
        (WEB_IDENTITY, GapCause::Unavailable) => {
            "run the job again; if a matrix starts many jobs at once, set `max-parallel`"
        }
        (_, GapCause::Credentials) => "the credentials are invalid or expired: sign in again",
        (_, GapCause::Unreachable) => {
            "check the network, HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, AWS_CA_BUNDLE, and \
             AWS_ENDPOINT_URL"
        }
        (_, GapCause::Unexpected) => "correct the problem that the message describes",
        (action, GapCause::Denied) => return format!("the credentials need {action}"),
        _ => "AWS is unavailable or throttles requests: try again later",
    };
    hint.to_owned()
}

impl SessionError {
    /// The hint for a denial by a policy that a new permission or trust policy does not change.
    fn denial_advice(&self) -> Option<String> {
        let (action, message) = match self {
            Self::NotTrusted { message, .. } => (WEB_IDENTITY, message),
            Self::NotAssumable { message, .. } => ("sts:AssumeRole", message),
            Self::Failed { cause: GapCause::Denied, action, message } => (*action, message),
            _ => return None,
        };
        let denial = Denial::from_message(message);
        // Denials by a trust policy or a resource policy have a hint of their own.
        let by_trust =
            matches!(denial.policy, Some(DenyingPolicyKind::Trust | DenyingPolicyKind::Resource));
        denial.advice(action).filter(|_| denial.is_explicit || !by_trust)
    }
}

impl From<AwsError> for SessionError {
    fn from(failure: AwsError) -> Self {
        Self::Failed { action: failure.action, cause: failure.cause, message: failure.message }
    }
}

/// The AWS error code at the beginning of a message, without the message.
fn redact(message: &str) -> String {
    const WITHHELD: &str = "details are hidden because this log is public";
    let is_code = |code: &&str| {
        code.len() <= 64 && code.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'.')
    };
    let reason = Denial::from_message(message).reason();
    let reason = reason.map_or_else(String::new, |reason| format!("; denied {reason}"));
    match message.split_once(": ").map(|(code, _)| code).filter(is_code) {
        Some(code) => format!("{code} ({WITHHELD}{reason})"),
        None => format!("{WITHHELD}{reason}"),
    }
}

fn describe_claims(claims: Option<&Claims>) -> String {
    claims.map_or_else(String::new, |Claims { sub, aud }| {
        format!("; the token has sub `{sub}` and aud `{aud}`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explicit_deny_has_a_hint_even_in_a_redacted_message() {
        let role: RoleArn = "arn:aws:iam::111122223333:role/audit".parse().unwrap();
        let not_assumable = |message: &str| SessionError::NotAssumable {
            role: role.clone().into(),
            message: message.into(),
        };
        let denied = "AccessDenied: User: arn:aws:iam::111122223333:user/alice is not authorized \
                      to perform: sts:AssumeRole on resource: \
                      arn:aws:iam::444455556666:role/audit";
        let explicit = format!("{denied} with an explicit deny in a service control policy");
        for refusal in [
            not_assumable(&explicit),
            not_assumable(&explicit).without_aws_message(),
            SessionError::NotTrusted {
                role: role.clone().into(),
                message: explicit.clone(),
                claims: None,
            },
            SessionError::Failed {
                action: "iam:ListUsers",
                cause: GapCause::Denied,
                message: explicit.clone(),
            },
        ] {
            let hint = refusal.hint();
            assert!(hint.contains("a service control policy denies"), "{refusal}: {hint}");
            assert!(hint.contains("remove that deny"), "{refusal}: {hint}");
            assert!(!refusal.without_aws_message().to_string().contains("alice"));
        }
        let by_trust = format!("{denied} because no role trust policy allows the action");
        for message in [denied, &by_trust] {
            assert!(not_assumable(message).hint().contains("accept the first role"), "{message}");
        }
    }

    #[test]
    fn redacted_messages_keep_the_error_code() {
        let words = "User: arn:aws:iam::111122223333:user/zaphod is not authorized";
        for (message, code) in [
            (format!("AccessDenied: {words}"), "AccessDenied ("),
            (words.to_owned(), ""),
            (format!("zaphod beeblebrox: {words}"), ""),
        ] {
            let account = "111122223333".parse().unwrap();
            let error = SessionError::NoProvider { account, message: message.clone() };
            assert!(error.to_string().contains("zaphod"), "{error}");
            let error = error.without_aws_message().to_string();
            assert!(!error.contains("zaphod") && error.contains(code), "{error}");
            assert!(error.contains("details are hidden"), "{error}");
            let error = SessionError::NoCredentials { why: message, help: None }
                .without_aws_message()
                .to_string();
            assert!(!error.contains("zaphod"), "{error}");
        }
    }
}
