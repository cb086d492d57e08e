//! Where the evidence about an account comes from, and what could not be collected.

use crate::model::text_enum;

text_enum! {
    /// Where the evidence of an account comes from.
    pub enum EvidenceSource {
        /// An exported credential report. What it does not show was not requested.
        ExportedReport,
        /// A credential report that was fetched without a re-check, by the user's choice.
        FetchedReport,
        /// A credential report and a re-check. What is missing could not be collected.
        Live,
    }
}

text_enum! {
    /// A kind of evidence.
    pub enum EvidenceItem {
        /// The credential report, without which nothing is known about the account.
        CredentialReport,
        /// The current users, and when their passwords were last used.
        Users,
        /// Whether a user currently has a password.
        LoginProfile,
        /// The current access keys of a user.
        AccessKeys,
        /// When an access key was last used.
        AccessKeyUse,
        /// The signing certificates of a user, if the report cannot show them.
        SigningCertificates,
        /// The SSH keys of a user.
        SshKeys,
        /// The service-specific credentials of the account.
        ServiceSpecificCredentials,
        /// The tags of all users.
        Tags,
        /// The tags with a user's owner. Optional.
        Owners,
        /// The account's alias. Optional.
        Alias,
        /// The service that a user last accessed. Optional.
        LastAccessed,
        /// The groups, policies and MFA devices of a user. Only `remediate` requests them.
        Holdings,
    }
}

/// Evidence that could not be collected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvidenceGap {
    pub item: EvidenceItem,
    /// The cause.
    pub cause: GapCause,
    /// The action that failed, as in an IAM policy: `iam:ListUsers`, `sts:AssumeRole`.
    pub action: &'static str,
    /// The error in one line.
    pub message: String,
    /// The number of users without the evidence; 0 if it is missing for the account.
    pub users: usize,
}

text_enum! {
    /// Why evidence could not be collected.
    pub enum GapCause {
        /// A permission is missing.
        Denied,
        /// The AWS credentials have expired or were rejected.
        Credentials,
        /// AWS throttled the call until the timeout.
        Throttled,
        /// AWS returned server errors until the timeout.
        Unavailable,
        /// The endpoint could not be reached, or did not respond.
        Unreachable,
        /// The call was not made or completed before the timeout.
        TimedOut,
        /// The response was not usable.
        Unexpected,
    }
}

text_enum! {
    /// How the evidence of a credential was collected.
    pub enum Evidence {
        /// By a re-check, which replaced the report's row.
        ReChecked,
        /// From a row of the credential report, which may be hours old.
        CredentialReport,
        /// From a row of the credential report, because the re-check failed.
        NotReChecked,
    }
}
