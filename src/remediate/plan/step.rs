//! The steps that a change is carried out in, each one call that writes. They stand in the journal
//! before and after they are done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::inventory::{AccountId, CredentialKind, UserRecord};
use crate::model::remediation_tag::TagSubject;

/// One call that writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemediationStep {
    /// The account.
    pub account: AccountId,
    /// The user's name.
    pub user: String,
    /// The user's unique id.
    pub user_id: String,
    /// What the call does.
    #[serde(flatten)]
    pub write: IamWrite,
}

/// What a call does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum IamWrite {
    /// Sets a tag of ours.
    Tag {
        /// What it is about.
        subject: TagSubject,
        /// What it says.
        value: String,
        /// What it said when the user was looked at, empty where there was none. `None` where it is
        /// set whatever it says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<String>,
    },
    /// Takes a tag of ours away.
    Untag {
        /// What it is about.
        subject: TagSubject,
        /// What it said when the user was looked at. `None` where it is removed whatever it says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<String>,
    },
    /// Makes a credential inactive.
    Deactivate {
        /// Its kind.
        kind: CredentialKind,
        /// Its id.
        id: String,
    },
    /// Makes a credential active again.
    Activate {
        /// Its kind.
        kind: CredentialKind,
        /// Its id.
        id: String,
    },
    /// Deletes the login profile.
    DeletePassword,
    /// Deletes a credential.
    DeleteCredential {
        /// Its kind.
        kind: CredentialKind,
        /// Its id.
        id: String,
    },
    /// Takes an MFA device from the user.
    DeactivateMfaDevice {
        /// Its serial number.
        serial: String,
    },
    /// Deletes a virtual MFA device.
    DeleteVirtualMfaDevice {
        /// Its serial number, which is an ARN.
        serial: String,
    },
    /// Deletes a policy that is written into the user.
    DeleteInlinePolicy {
        /// Its name.
        name: String,
    },
    /// Detaches a managed policy.
    DetachPolicy {
        /// Its ARN.
        arn: String,
    },
    /// Takes the user out of a group.
    RemoveFromGroup {
        /// The group's name.
        group: String,
    },
    /// Deletes the user.
    DeleteUser,
}

impl IamWrite {
    /// The action, as a policy names it.
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

    /// The credential, or the user as a whole, that the step is about; `None` for what has no tag
    /// of ours.
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

    /// Whether something that is gone is what the step is for: then there is nothing to be done.
    #[must_use]
    pub const fn is_removal(&self) -> bool {
        !matches!(self, Self::Tag { .. } | Self::Deactivate { .. } | Self::Activate { .. })
    }

    /// Whether the user's tags still admit the step: ours says what it said when the user was looked
    /// at, or already what it is to say.
    #[must_use]
    pub fn allows_tags(&self, tags: &BTreeMap<String, String>) -> bool {
        let (subject, target, was) = match self {
            Self::Tag { subject, value, was: Some(was) } => (subject, value.as_str(), was),
            Self::Untag { subject, was: Some(was) } => (subject, "", was),
            _ => return true,
        };
        let says = tags.get(&subject.key()).map_or("", String::as_str);
        says == was || says == target
    }

    /// Whether it shows only in what the user has besides credentials and tags that it was done.
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

    /// Whether what the step is for holds of the user as seen; `None` is a user who is gone.
    #[must_use]
    pub fn is_done(&self, seen: Option<&UserRecord>) -> bool {
        let Some(user_record) = seen else {
            // A virtual device outlives its user.
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
            // Nothing that is seen of the user tells: it is done again, which does no harm.
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
