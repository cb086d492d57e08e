//! Why there is no session in an account, and what to do about it.

use crate::model::identity::{Partition, RoleArn};
use crate::model::inventory::{AccountId, Cause, Denial, PolicyKind};
use crate::observe::call::Failure;
use crate::observe::foreign::is_foreign;

use super::token::Claims;

const WEB_IDENTITY: &str = "sts:AssumeRoleWithWebIdentity";

/// Why no session was had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
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
    OutOfTime,
    /// The OIDC token could not be had.
    #[error("the OIDC token could not be had: {0}")]
    NoToken(String),
    /// The role's trust policy does not let the token in.
    #[error("{role} does not trust this workflow: {message}{}", shown(.claims.as_ref()))]
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
    #[error("the OIDC provider of account {account} refuses the audience: {message}{}", shown(.claims.as_ref()))]
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
        cause: Cause,
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
    #[error("the region {region} is in the partition {of_region}, the role in {of_role}")]
    Partition {
        /// The region.
        region: String,
        /// The region's partition.
        of_region: Partition,
        /// The role's partition.
        of_role: Partition,
    },
}

impl Refusal {
    /// A setting that means nothing.
    pub(super) fn setting(name: &str, problem: &str) -> Self {
        Self::Setting { name: name.to_owned(), problem: problem.to_owned() }
    }

    /// What a failed `AssumeRoleWithWebIdentity` comes to.
    pub(super) fn of_web_identity(
        failure: Failure,
        role: &RoleArn,
        claims: Option<Claims>,
    ) -> Self {
        let (role, account) = (Box::new(role.clone()), role.account);
        let Failure { cause, message, .. } = failure;
        let says = |words: &str| message.to_ascii_lowercase().contains(words);
        if cause == Cause::Denied {
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
    pub(super) fn of_assume_role(failure: Failure, role: &RoleArn) -> Self {
        match failure {
            Failure { cause: Cause::Denied, message, .. } => {
                Self::NotAssumable { role: Box::new(role.clone()), message }
            }
            other => Self::from(other),
        }
    }

    /// The same without words of others, which may repeat names: for where everybody can read it. AWS's
    /// code for the error stays.
    #[must_use]
    pub fn without_foreign_words(mut self) -> Self {
        if let Self::NotTrusted { message, .. }
        | Self::NoProvider { message, .. }
        | Self::Audience { message, .. }
        | Self::NotAssumable { message, .. }
        | Self::Failed { message, .. }
        | Self::NoCredentials { why: message, .. } = &mut self
        {
            *message = withheld(message);
        }
        self
    }

    /// Whether the settings or the role are to blame, and not the moment.
    #[must_use]
    pub const fn is_setup(&self) -> bool {
        match self {
            Self::Failed { cause, .. } => {
                matches!(cause, Cause::Denied | Cause::Credentials | Cause::Unexpected)
            }
            Self::OutOfTime => false,
            _ => true,
        }
    }

    /// Why evidence is missing, where the session was one of several.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        match self {
            Self::NotTrusted { .. } | Self::NotAssumable { .. } => Cause::Denied,
            Self::Failed { cause, .. } => *cause,
            Self::OutOfTime => Cause::TimedOut,
            _ => Cause::Credentials,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        if let Some(advice) = self.advice_on_denial() {
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
            Self::OutOfTime => {
                "check what the credentials come from: the runner's token endpoint, \
                 single sign-on, a credential_process; or give a longer --timeout"
                    .to_owned()
            }
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
            Self::Failed { cause: Cause::Unexpected, message, .. } if is_foreign(message) => {
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
fn hint_of_failure(action: &str, cause: Cause) -> String {
    let hint = match (action, cause) {
        (WEB_IDENTITY, Cause::Credentials) => {
            "run the job again; if that does not help, compare the role's OIDC provider with what \
             `iam-stocktake iam-policy --format terraform` prints"
        }
        (WEB_IDENTITY, Cause::Unavailable) => {
            "run the job again; where a matrix starts many jobs at once, limit it (`max-parallel`)"
        }
        (_, Cause::Credentials) => "the credentials ran out or are wrong: sign in again",
        (_, Cause::Unreachable) => {
            "check the network, HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, AWS_CA_BUNDLE and \
             AWS_ENDPOINT_URL"
        }
        (_, Cause::Unexpected) => {
            "correct what the message speaks of; --role-duration-seconds may not exceed what the \
             role itself allows"
        }
        (action, Cause::Denied) => return format!("the credentials need {action}"),
        _ => "AWS could not answer now: try again later",
    };
    hint.to_owned()
}

impl Refusal {
    /// What AWS says of who denied the call, where granting a permission or trust would not help.
    fn advice_on_denial(&self) -> Option<String> {
        let (action, message) = match self {
            Self::NotTrusted { message, .. } => (WEB_IDENTITY, message),
            Self::NotAssumable { message, .. } => ("sts:AssumeRole", message),
            Self::Failed { cause: Cause::Denied, action, message } => (*action, message),
            _ => return None,
        };
        let denial = Denial::of(message);
        // That a role does not trust, or a resource does not allow, has a hint of its own.
        let by_trust = matches!(denial.policy, Some(PolicyKind::Trust | PolicyKind::Resource));
        denial.advice(action).filter(|_| denial.is_explicit || !by_trust)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed { action: failure.action, cause: failure.cause, message: failure.message }
    }
}

/// The code that a message of AWS begins with, without the message.
fn withheld(message: &str) -> String {
    const WITHHELD: &str = "the details are withheld, since everybody can read this log";
    let is_code = |code: &&str| {
        code.len() <= 64 && code.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'.')
    };
    let reason = Denial::of(message).reason();
    let reason = reason.map_or_else(String::new, |reason| format!("; denied {reason}"));
    match message.split_once(": ").map(|(code, _)| code).filter(is_code) {
        Some(code) => format!("{code} ({WITHHELD}{reason})"),
        None => format!("{WITHHELD}{reason}"),
    }
}

/// The token's own words for the trust policy.
fn shown(claims: Option<&Claims>) -> String {
    claims.map_or_else(String::new, |Claims { sub, aud }| {
        format!("; the token says sub `{sub}`, aud `{aud}`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_an_explicit_deny_the_hint_is_to_lift_it_even_where_words_are_withheld() {
        let role: RoleArn = "arn:aws:iam::111122223333:role/audit".parse().unwrap();
        let not_assumable = |message: &str| Refusal::NotAssumable {
            role: role.clone().into(),
            message: message.into(),
        };
        let denied = "AccessDenied: User: arn:aws:iam::111122223333:user/alice is not authorized to \
                      perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/audit";
        let explicit = format!("{denied} with an explicit deny in a service control policy");
        for refusal in [
            not_assumable(&explicit),
            not_assumable(&explicit).without_foreign_words(),
            Refusal::NotTrusted {
                role: role.clone().into(),
                message: explicit.clone(),
                claims: None,
            },
            Refusal::Failed {
                action: "iam:ListUsers",
                cause: Cause::Denied,
                message: explicit.clone(),
            },
        ] {
            let hint = refusal.hint();
            assert!(hint.contains("a service control policy denies"), "{refusal}: {hint}");
            assert!(hint.contains("lift that deny"), "{refusal}: {hint}");
            assert!(!refusal.without_foreign_words().to_string().contains("alice"));
        }
        let by_trust = format!("{denied} because no role trust policy allows the action");
        for message in [denied, &by_trust] {
            assert!(not_assumable(message).hint().contains("must trust it"), "{message}");
        }
    }

    #[test]
    fn of_words_that_are_withheld_the_code_stays() {
        let words = "User: arn:aws:iam::111122223333:user/zaphod is not authorized";
        for (message, code) in [
            (format!("AccessDenied: {words}"), "AccessDenied ("),
            (words.to_owned(), ""),
            (format!("zaphod beeblebrox: {words}"), ""),
        ] {
            let account = "111122223333".parse().unwrap();
            let told = Refusal::NoProvider { account, message: message.clone() };
            assert!(told.to_string().contains("zaphod"), "{told}");
            let told = told.without_foreign_words().to_string();
            assert!(!told.contains("zaphod") && told.contains(code), "{told}");
            assert!(told.contains("withheld"), "{told}");
            let told = Refusal::NoCredentials { why: message, help: None }
                .without_foreign_words()
                .to_string();
            assert!(!told.contains("zaphod"), "{told}");
        }
    }
}
