//! The steps of a change. Each step is one IAM call that writes, and is recorded in the journal
//! before and after the call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::inventory::{AccountId, CredentialKind, UserRecord};
use crate::model::remediation_tag::TagSubject;

/// One IAM call that writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemediationStep {
    pub account: AccountId,
    pub user: String,
    pub user_id: String,
    #[serde(flatten)]
    pub write: IamWrite,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum IamWrite {
    /// Sets a remediation tag.
    Tag {
        subject: TagSubject,
        value: String,
        /// The value at the re-check, empty if there was no tag. `None` to set the tag whatever its
        /// value is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<String>,
    },
    /// Removes a remediation tag.
    Untag {
        subject: TagSubject,
        /// The value at the re-check. `None` to remove the tag whatever its value is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<String>,
    },
    Deactivate {
        kind: CredentialKind,
        id: String,
    },
    Activate {
        kind: CredentialKind,
        id: String,
    },
    DeletePassword,
    DeleteCredential {
        kind: CredentialKind,
        id: String,
    },
    DeactivateMfaDevice {
        serial: String,
    },
    DeleteVirtualMfaDevice {
        /// The serial number, which is an ARN.
        serial: String,
    },
    DeleteInlinePolicy {
        name: String,
    },
    DetachPolicy {
        arn: String,
    },
    RemoveFromGroup {
        group: String,
    },
    DeleteUser,
}

impl IamWrite {
    /// The name of the action in an IAM policy.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        use CredentialKind::{
            AccessKey, Password, ServiceSpecificCredential, SigningCertificate, SshKey,
        };
        match self {
            Self::Tag { .. } => "iam:TagUser",
            Self::Untag { .. } => "iam:UntagUser",
            Self::Deactivate { kind, .. } | Self::Activate { kind, .. } => match kind {
                AccessKey => "iam:UpdateAccessKey",
                SshKey => "iam:UpdateSSHPublicKey",
                ServiceSpecificCredential => "iam:UpdateServiceSpecificCredential",
                SigningCertificate => "iam:UpdateSigningCertificate",
                Password => "iam:UpdateLoginProfile",
            },
            Self::DeleteCredential { kind, .. } => match kind {
                AccessKey => "iam:DeleteAccessKey",
                SshKey => "iam:DeleteSSHPublicKey",
                ServiceSpecificCredential => "iam:DeleteServiceSpecificCredential",
                SigningCertificate => "iam:DeleteSigningCertificate",
                Password => "iam:DeleteLoginProfile",
            },
            Self::DeletePassword => "iam:DeleteLoginProfile",
            Self::DeactivateMfaDevice { .. } => "iam:DeactivateMFADevice",
            Self::DeleteVirtualMfaDevice { .. } => "iam:DeleteVirtualMFADevice",
            Self::DeleteInlinePolicy { .. } => "iam:DeleteUserPolicy",
            Self::DetachPolicy { .. } => "iam:DetachUserPolicy",
            Self::RemoveFromGroup { .. } => "iam:RemoveUserFromGroup",
            Self::DeleteUser => "iam:DeleteUser",
        }
    }

    /// The credential or user that the step is about. `None` if it has no remediation tag.
    #[must_use]
    pub fn subject(&self) -> Option<TagSubject> {
        match self {
            Self::Tag { subject, .. } | Self::Untag { subject, .. } => Some(subject.clone()),
            Self::Deactivate { kind, id }
            | Self::Activate { kind, id }
            | Self::DeleteCredential { kind, id } => {
                Some(TagSubject::Credential(*kind, Some(id.clone())))
            }
            Self::DeletePassword => Some(TagSubject::PASSWORD),
            Self::DeleteUser => Some(TagSubject::User),
            Self::DeactivateMfaDevice { .. }
            | Self::DeleteVirtualMfaDevice { .. }
            | Self::DeleteInlinePolicy { .. }
            | Self::DetachPolicy { .. }
            | Self::RemoveFromGroup { .. } => None,
        }
    }

    /// Whether the step removes something, so that it is done if the thing no longer exists.
    #[must_use]
    pub const fn is_removal(&self) -> bool {
        !matches!(self, Self::Tag { .. } | Self::Deactivate { .. } | Self::Activate { .. })
    }

    /// Whether the step may run with these tags: the remediation tag has the value of the
    /// re-check, or already has the new value.
    #[must_use]
    pub fn allows_tags(&self, tags: &BTreeMap<String, String>) -> bool {
        let (subject, target, was) = match self {
            Self::Tag { subject, value, was: Some(was) } => (subject, value.as_str(), was),
            Self::Untag { subject, was: Some(was) } => (subject, "", was),
            _ => return true,
        };
        let current = tags.get(&subject.key()).map_or("", String::as_str);
        current == was || current == target
    }

    /// Whether `is_done` needs the groups, policies and MFA devices of the user.
    #[must_use]
    pub const fn needs_holdings_to_verify(&self) -> bool {
        matches!(
            self,
            Self::DeactivateMfaDevice { .. }
                | Self::DeleteInlinePolicy { .. }
                | Self::DetachPolicy { .. }
                | Self::RemoveFromGroup { .. }
        )
    }

    /// Whether the user is in the state that the step produces. `None` is a user who no longer
    /// exists.
    #[must_use]
    pub fn is_done(&self, seen: Option<&UserRecord>) -> bool {
        let Some(user_record) = seen else {
            // A virtual device exists independently of its user.
            return self.is_removal() && !matches!(self, Self::DeleteVirtualMfaDevice { .. });
        };
        let user = &user_record.user;
        let tag = |subject: &TagSubject| user.tags.as_ref().and_then(|it| it.get(&subject.key()));
        let active = |kind: CredentialKind, id: &str| {
            let subject = TagSubject::Credential(kind, Some(id.to_owned()));
            super::Facts::of(&subject, user).active
        };
        let holdings = user_record.holdings.as_ref();
        match self {
            Self::Tag { subject, value, .. } => tag(subject) == Some(value),
            Self::Untag { subject, .. } => tag(subject).is_none(),
            Self::Deactivate { kind, id } => active(*kind, id) == Some(false),
            Self::Activate { kind, id } => active(*kind, id) == Some(true),
            Self::DeletePassword => user.password.is_none(),
            Self::DeleteCredential { kind, id } => active(*kind, id).is_none(),
            Self::DeactivateMfaDevice { serial } => {
                holdings.is_some_and(|it| !it.mfa_devices.contains(serial))
            }
            // The user's data does not show it. The step runs again, which is harmless.
            Self::DeleteVirtualMfaDevice { .. } | Self::DeleteUser => false,
            Self::DeleteInlinePolicy { name } => {
                holdings.is_some_and(|it| it.inline_policies.iter().all(|it| it.name != *name))
            }
            Self::DetachPolicy { arn } => {
                holdings.is_some_and(|it| !it.attached_policies.contains(arn))
            }
            Self::RemoveFromGroup { group } => {
                holdings.is_some_and(|it| !it.groups.contains(group))
            }
        }
    }
}
