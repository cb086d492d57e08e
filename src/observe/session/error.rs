//! Why there is no session in an account, and what to do about it.

use crate::model::identity::{Partition, RoleArn};
use crate::model::inventory::{AccountId, Denial, DenyingPolicyKind, GapCause};
use crate::observe::call::AwsError;
use crate::observe::non_aws_response::is_non_aws_response;

use super::token::Claims;

const WEB_IDENTITY: &str = "sts:AssumeRoleWithWebIdentity";

/// Why no session was had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The default chain found no credentials.
    #[error("there are no AWS credentials: {why}")]
    NoCredentials {
        /// Why, in one line.
        why: String,
        /// What to do about it, where more is known than what fits everywhere.
        help: Option<String>,
    },
    /// A variable of the environment, or a setting of the AWS CLI's profile, means nothing.
    #[error("{name} {problem}")]
    Setting {
        /// The variable, or the setting and its profile.
        name: String,
        /// What is wrong with it, without its value.
        problem: String,
    },
    /// The session is in another account than the role.
    #[error("AWS answered with credentials of account {found} for {whose}, of account {expected}")]
    OtherAccount {
        /// The role, or what else names the account.
        whose: String,
        /// The account that it should be.
        expected: AccountId,
        /// The account that it is.
        found: AccountId,
    },
    /// The partition is none that we know, so that no role can be named.
    #[error("the partition {0} is not one of aws, aws-cn, aws-us-gov and aws-eusc")]
    UnknownPartition(String),
    /// Time was up before there was a session.
    #[error("there was no session yet when time was up (--timeout)")]
    TimedOut,
    /// The OIDC token could not be had.
    #[error("the OIDC token could not be had: {0}")]
    NoToken(String),
    /// The role's trust policy does not let the token in.
    #[error("{role} does not trust this workflow: {message}{}", describe_claims(.claims.as_ref()))]
    NotTrusted {
        /// The role.
        role: Box<RoleArn>,
        /// AWS's words.
        message: String,
        /// What the trust policy was compared with.
        claims: Option<Claims>,
    },
    /// The account has no OIDC provider for GitHub.
    #[error("account {account} has no OIDC provider for the token's issuer: {message}")]
    NoProvider {
        /// The role's account.
        account: AccountId,
        /// AWS's words.
        message: String,
    },
    /// The token was made for another audience than the provider expects.
    #[error("the OIDC provider of account {account} refuses the audience: {message}{}", describe_claims(.claims.as_ref()))]
    Audience {
        /// The role's account.
        account: AccountId,
        /// AWS's words.
        message: String,
        /// What the token says.
        claims: Option<Claims>,
    },
    /// A role may not be assumed from the first one.
    #[error("{role} cannot be assumed: {message}")]
    NotAssumable {
        /// The role.
        role: Box<RoleArn>,
        /// AWS's words.
        message: String,
    },
    /// The credentials are refused, or something could not be reached.
    #[error("{action} failed: {message}")]
    Failed {
        /// As a policy names it.
        action: &'static str,
        /// Why.
        cause: GapCause,
        /// AWS's words, or the client's.
        message: String,
    },
    /// The session is in an account that was not asked for.
    #[error("the credentials are of account {0}, which --allowed-account-ids does not name")]
    AccountNotAllowed(AccountId),
    /// The answer names no account.
    #[error("{0} names no account")]
    NoAccount(&'static str),
    /// Accounts are given by their ids, and nothing says which role they have.
    #[error("the accounts are given by their ids, and nothing names the role to assume in them")]
    NoMemberRole,
    /// Region and role are in different partitions.
    #[error("the region {region} is in the partition {region_partition}, the role in {of_role}")]
    Partition {
        /// The region.
        region: String,
        /// The region's partition.
        region_partition: Partition,
        /// The role's partition.
        of_role: Partition,
    },
}

impl SessionError {
    /// A setting that means nothing.
    pub(super) fn setting(name: &str, problem: &str) -> Self {
        Self::Setting { name: name.to_owned(), problem: problem.to_owned() }
    }

    /// What a failed `AssumeRoleWithWebIdentity` comes to.
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

    /// What a failed `AssumeRole` comes to.
    pub(super) fn from_assume_role(failure: AwsError, role: &RoleArn) -> Self {
        match failure {
            AwsError { cause: GapCause::Denied, message, .. } => {
                Self::NotAssumable { role: Box::new(role.clone()), message }
            }
            other => Self::from(other),
        }
    }

    /// The same without words of others, which may repeat names: for where everybody can read it. AWS's
    /// code for the error stays.
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

    /// Whether the settings or the role are to blame, and not the moment.
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

    /// Why evidence is missing, where the session was one of several.
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
            Self::Setting { name, .. } => format!("correct {name}, or remove it"),
            Self::OtherAccount { .. } => "check AWS_ENDPOINT_URL and what answers there: nothing \
                 was read"
                .to_owned(),
            Self::UnknownPartition(_) => {
                "audit it account by account, with credentials of each".to_owned()
            }
            Self::NoCredentials { .. } => "sign in (aws sso login), set AWS_PROFILE, or give \
                 --role-to-assume in a workflow with `permissions: id-token: write`"
                .to_owned(),
            Self::TimedOut => "check what the credentials come from: the runner's token endpoint, \
                 single sign-on, a credential_process; or give a longer --timeout"
                .to_owned(),
            Self::NoToken(_) => "the job needs `permissions: id-token: write`; a job's \
                 permissions replace the workflow's, and a fork's pull request gets none"
                .to_owned(),
            Self::NotTrusted { .. } => "the role's trust policy must name this `sub` exactly; \
                 `iam-stocktake iam-policy --format trust` prints one with both of its forms"
                .to_owned(),
            Self::NoProvider { account, .. } => format!(
                "create the provider token.actions.githubusercontent.com in account {account}; \
                 `iam-stocktake iam-policy --format terraform` prints it"
            ),
            Self::Audience { .. } => {
                "give --audience as the provider's client id list has it".to_owned()
            }
            Self::NotAssumable { role, .. } => format!(
                "the first role needs sts:AssumeRole on {role}, and that role must trust it \
                 (and its external id, if it asks for one)"
            ),
            Self::Failed { cause: GapCause::Unexpected, message, .. }
                if is_non_aws_response(message) =>
            {
                "check AWS_ENDPOINT_URL, HTTPS_PROXY and what answers there".to_owned()
            }
            Self::Failed { action, cause, .. } => hint_of_failure(action, *cause),
            Self::AccountNotAllowed(_) => {
                "check which account the credentials belong to before anything else".to_owned()
            }
            Self::NoMemberRole => "give --member-role-name".to_owned(),
            Self::NoAccount(_) => "is AWS_ENDPOINT_URL an AWS endpoint?".to_owned(),
            Self::Partition { of_role, .. } => {
                format!("give --aws-region a region of the partition {of_role}")
            }
        }
    }
}

/// What to do about a call that failed.
fn hint_of_failure(action: &str, cause: GapCause) -> String {
    let hint = match (action, cause) {
        (WEB_IDENTITY, GapCause::Credentials) => {
            "run the job again; if that does not help, compare the role's OIDC provider with what \
             `iam-stocktake iam-policy --format terraform` prints"
        }
        (WEB_IDENTITY, GapCause::Unavailable) => {
            "run the job again; where a matrix starts many jobs at once, limit it (`max-parallel`)"
        }
        (_, GapCause::Credentials) => "the credentials ran out or are wrong: sign in again",
        (_, GapCause::Unreachable) => {
            "check the network, HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, AWS_CA_BUNDLE and \
             AWS_ENDPOINT_URL"
        }
        (_, GapCause::Unexpected) => "correct what the message says",
        (action, GapCause::Denied) => return format!("the credentials need {action}"),
        _ => "AWS could not answer now: try again later",
    };
    hint.to_owned()
}

impl SessionError {
    /// What AWS says of who denied the call, where granting a permission or trust would not help.
    fn denial_advice(&self) -> Option<String> {
        let (action, message) = match self {
            Self::NotTrusted { message, .. } => (WEB_IDENTITY, message),
            Self::NotAssumable { message, .. } => ("sts:AssumeRole", message),
            Self::Failed { cause: GapCause::Denied, action, message } => (*action, message),
            _ => return None,
        };
        let denial = Denial::from_message(message);
        // That a role does not trust, or a resource does not allow, has a hint of its own.
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

/// The code that a message of AWS begins with, without the message.
fn redact(message: &str) -> String {
    const WITHHELD: &str = "the details are withheld, since everybody can read this log";
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

/// The token's own words for the trust policy.
fn describe_claims(claims: Option<&Claims>) -> String {
    claims.map_or_else(String::new, |Claims { sub, aud }| {
        format!("; the token says sub `{sub}`, aud `{aud}`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explicit_deny_has_a_hint_even_in_a_redacted_message() {
        let role: RoleArn = "arn:aws:iam::111122223333:role/audit".parse().unwrap();
        let not_assumable = |message: &str| SessionError::NotAssumable {
            role: role.clone().into(),
            message: message.into(),
        };
        let denied = "AccessDenied: User: arn:aws:iam::111122223333:user/alice is not authorized to \
                      perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/audit";
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
            assert!(hint.contains("lift that deny"), "{refusal}: {hint}");
            assert!(!refusal.without_aws_message().to_string().contains("alice"));
        }
        let by_trust = format!("{denied} because no role trust policy allows the action");
        for message in [denied, &by_trust] {
            assert!(not_assumable(message).hint().contains("must trust it"), "{message}");
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
            let told = SessionError::NoProvider { account, message: message.clone() };
            assert!(told.to_string().contains("zaphod"), "{told}");
            let told = told.without_aws_message().to_string();
            assert!(!told.contains("zaphod") && told.contains(code), "{told}");
            assert!(told.contains("withheld"), "{told}");
            let told = SessionError::NoCredentials { why: message, help: None }
                .without_aws_message()
                .to_string();
            assert!(!told.contains("zaphod"), "{told}");
        }
    }
}
