//! The IAM permissions of the audit and remediation roles: each action, the resource that IAM evaluates it
//! on, and the feature that needs it. From this table come the policies, as JSON and as Terraform.

mod document;
mod role;
mod size;
mod terraform;

pub use document::{
    PolicyDocument, RoleGrant, member_trust, oidc_provider, subjects, web_identity_trust,
};
pub use role::RemediationRole;
pub use size::{PolicyKind, size};
pub use terraform::TerraformFile;

use crate::model::inventory::{CredentialKind, EvidenceItem};
use crate::model::policy::Policy;
use crate::model::policy::remediation::{RemediationPolicy, Stage};

/// The resource that IAM evaluates an action on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// The whole account: the action supports no narrower resource.
    Any,
    /// The users of the account.
    Users,
    /// The groups of the account.
    Groups,
    /// The virtual MFA devices of the account.
    MfaDevices,
    /// The roles of the other accounts.
    MemberRoles,
}

/// A feature that needs actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// The credential report.
    CredentialReport,
    /// The re-check of flagged users.
    Recheck,
    /// SSH keys and service-specific credentials.
    ServiceCredentials,
    /// The tags of flagged users.
    FlaggedUserTags,
    /// The tags of every user.
    AllTags,
    /// The last service used (Access Advisor).
    LastAccessed,
    /// The groups, policies and MFA devices of a user that may be deleted.
    Holdings,
    /// The remediation tags.
    RemediationTags,
    /// Deactivating access keys, and activating them again to undo it.
    Deactivation,
    /// The same for SSH keys, service-specific credentials and certificates.
    OldCredentialDeactivation,
    /// The deletion of passwords.
    PasswordDeletion,
    /// The deletion of access keys.
    CredentialDeletion,
    /// The deletion of SSH keys, service-specific credentials and certificates.
    OldCredentialDeletion,
    /// The deletion of whole users.
    UserDeletion,
    /// The roles of other accounts.
    Accounts,
}

/// The kind of access to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessLevel {
    /// Read it, or assume it.
    Read,
    /// Set and remove remediation tags only.
    Tag,
    /// Change it.
    Change,
}

impl Feature {
    /// The settings that turn the feature on, for the documentation.
    #[must_use]
    pub const fn condition(self) -> &'static str {
        match self {
            Self::CredentialReport => "always",
            Self::Recheck => "unless `--recheck false`",
            Self::ServiceCredentials => {
                "`old-service-credential` or `user-without-credentials` is on, or `--remediate`"
            }
            Self::FlaggedUserTags => "without `expiry_tag`",
            Self::AllTags => "`expiry_tag` or `--remediate`",
            Self::LastAccessed => "unless `--last-accessed false`",
            Self::Holdings => "`--remediate` with `delete_users`",
            Self::RemediationTags => "`--remediate notify`, `deactivate`, or `delete`",
            Self::Deactivation => "`--remediate deactivate` or `delete`",
            Self::OldCredentialDeactivation => {
                "`--remediate deactivate` or `delete` with `old-service-credential` in \
                 `remediation.rules`"
            }
            Self::PasswordDeletion => {
                "`--remediate deactivate` or `delete` with `delete_passwords`, or \
                 `--remediate delete` with `delete_users`"
            }
            Self::CredentialDeletion => "`--remediate delete` with `delete_after_days`",
            Self::OldCredentialDeletion => {
                "`--remediate delete` with `delete_after_days` and `old-service-credential` in \
                 `remediation.rules`, or with `delete_users`"
            }
            Self::UserDeletion => "`--remediate delete` with `delete_users`",
            Self::Accounts => "`--accounts`",
        }
    }

    /// The access that the feature needs.
    #[must_use]
    pub const fn access(self) -> AccessLevel {
        match self {
            Self::RemediationTags => AccessLevel::Tag,
            Self::Deactivation
            | Self::OldCredentialDeactivation
            | Self::PasswordDeletion
            | Self::CredentialDeletion
            | Self::OldCredentialDeletion
            | Self::UserDeletion => AccessLevel::Change,
            _ => AccessLevel::Read,
        }
    }
}

/// One action of the audit or of a remediation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// The action, with its service.
    pub action: &'static str,
    /// The resource that IAM evaluates it on.
    pub resource: Resource,
    /// The feature that needs it.
    pub feature: Feature,
}

const fn needs(action: &'static str, resource: Resource, feature: Feature) -> Permission {
    Permission { action, resource, feature }
}

/// Every action that an audit or a remediation can call. The resources are those of the Service
/// Authorization Reference, "Actions, resources, and condition keys for AWS Identity and Access
/// Management (IAM)" and "… AWS Security Token Service".
///
/// There, `ListServiceSpecificCredentials` has the user as its resource. But the call that lists the
/// credentials of all users names no user, so a user's ARN might not match it.
/// `GenerateServiceLastAccessedDetails` is evaluated on what its `Arn` names: here, a user.
/// `RemoveUserFromGroup` is evaluated on the group only.
pub const PERMISSIONS: [Permission; 38] = {
    use Feature::{
        Accounts, AllTags, CredentialDeletion, CredentialReport, Deactivation, FlaggedUserTags,
        Holdings, LastAccessed, OldCredentialDeactivation, OldCredentialDeletion, PasswordDeletion,
        Recheck, RemediationTags, ServiceCredentials, UserDeletion,
    };
    use Resource::{Any, Groups, MemberRoles, MfaDevices, Users};
    [
        needs("iam:GenerateCredentialReport", Any, CredentialReport),
        needs("iam:GetCredentialReport", Any, CredentialReport),
        needs("iam:ListUsers", Any, Recheck),
        needs("iam:GetUser", Users, Recheck),
        needs("iam:ListAccountAliases", Any, Recheck),
        needs("iam:ListAccessKeys", Users, Recheck),
        needs("iam:GetAccessKeyLastUsed", Users, Recheck),
        needs("iam:GetLoginProfile", Users, Recheck),
        needs("iam:ListSigningCertificates", Users, Recheck),
        needs("iam:ListServiceSpecificCredentials", Any, ServiceCredentials),
        needs("iam:ListSSHPublicKeys", Users, ServiceCredentials),
        needs("iam:ListUserTags", Users, FlaggedUserTags),
        needs("iam:GetAccountAuthorizationDetails", Any, AllTags),
        needs("iam:GenerateServiceLastAccessedDetails", Users, LastAccessed),
        needs("iam:GetServiceLastAccessedDetails", Any, LastAccessed),
        needs("iam:ListMFADevices", Users, Holdings),
        needs("iam:ListGroupsForUser", Users, Holdings),
        needs("iam:ListAttachedUserPolicies", Users, Holdings),
        needs("iam:ListUserPolicies", Users, Holdings),
        needs("iam:GetUserPolicy", Users, Holdings),
        needs("iam:TagUser", Users, RemediationTags),
        needs("iam:UntagUser", Users, RemediationTags),
        needs("iam:UpdateAccessKey", Users, Deactivation),
        needs("iam:UpdateSSHPublicKey", Users, OldCredentialDeactivation),
        needs("iam:UpdateServiceSpecificCredential", Users, OldCredentialDeactivation),
        needs("iam:UpdateSigningCertificate", Users, OldCredentialDeactivation),
        needs("iam:DeleteLoginProfile", Users, PasswordDeletion),
        needs("iam:DeleteAccessKey", Users, CredentialDeletion),
        needs("iam:DeleteSSHPublicKey", Users, OldCredentialDeletion),
        needs("iam:DeleteServiceSpecificCredential", Users, OldCredentialDeletion),
        needs("iam:DeleteSigningCertificate", Users, OldCredentialDeletion),
        needs("iam:DeactivateMFADevice", Users, UserDeletion),
        needs("iam:DeleteVirtualMFADevice", MfaDevices, UserDeletion),
        needs("iam:DeleteUserPolicy", Users, UserDeletion),
        needs("iam:DetachUserPolicy", Users, UserDeletion),
        needs("iam:RemoveUserFromGroup", Groups, UserDeletion),
        needs("iam:DeleteUser", Users, UserDeletion),
        needs("sts:AssumeRole", MemberRoles, Accounts),
    ]
};

/// What a remediation role must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemediationScope {
    /// The last stage; `None` if the role only plans.
    pub stage: Option<Stage>,
    /// Whether passwords are deleted at the stage `deactivate`.
    pub delete_passwords: bool,
    /// Whether credentials are deleted at the stage `delete`.
    pub delete_credentials: bool,
    /// Whether users are deleted at the stage `delete`.
    pub delete_users: bool,
    /// Whether SSH keys, service-specific credentials and certificates are remediated.
    pub old_credentials: bool,
}

impl RemediationScope {
    /// What the role must do under the policy.
    #[must_use]
    pub fn new(role: RemediationRole, policy: &RemediationPolicy) -> Self {
        let deletes = policy.delete_after_days.is_some();
        Self {
            stage: role.stage(),
            delete_passwords: policy.delete_passwords,
            delete_credentials: deletes,
            delete_users: deletes && policy.deletes_users(),
            old_credentials: policy.rules.iter().any(|rule| rule.is_about(CredentialKind::SshKey)),
        }
    }

    fn has(&self, feature: Feature) -> bool {
        let reaches = |stage| self.stage >= Some(stage);
        let deletes_users = reaches(Stage::Delete) && self.delete_users;
        match feature {
            // A plan depends on all of this evidence.
            Feature::CredentialReport
            | Feature::Recheck
            | Feature::ServiceCredentials
            | Feature::AllTags => true,
            Feature::FlaggedUserTags | Feature::LastAccessed | Feature::Accounts => false,
            // Every role can show the whole plan.
            Feature::Holdings => self.delete_users,
            Feature::RemediationTags => reaches(Stage::Notify),
            Feature::Deactivation => reaches(Stage::Deactivate),
            Feature::OldCredentialDeactivation => {
                reaches(Stage::Deactivate) && self.old_credentials
            }
            Feature::PasswordDeletion => {
                (reaches(Stage::Deactivate) && self.delete_passwords) || deletes_users
            }
            Feature::CredentialDeletion => reaches(Stage::Delete) && self.delete_credentials,
            Feature::OldCredentialDeletion => {
                let deletes = reaches(Stage::Delete) && self.delete_credentials;
                (deletes && self.old_credentials) || deletes_users
            }
            Feature::UserDeletion => deletes_users,
        }
    }
}

/// The features of an audit or a remediation of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// The re-check. Without it, only the credential report is read.
    pub recheck: bool,
    /// SSH keys and service-specific credentials.
    pub service_credentials: bool,
    /// Whether the tags of all users are read, and not only those of flagged users.
    pub all_tags: bool,
    /// The last service used by flagged users.
    pub last_accessed: bool,
    /// The tag with a user's expiry date.
    pub expiry_tag: bool,
    /// The remediation, which reads all evidence that a plan depends on.
    pub remediation: Option<RemediationScope>,
}

impl Features {
    /// The features that the policy and the settings of an audit need.
    #[must_use]
    pub fn new(policy: &Policy, recheck: bool, last_accessed: bool) -> Self {
        Self {
            recheck,
            service_credentials: policy.requires(EvidenceItem::ServiceSpecificCredentials),
            all_tags: false,
            last_accessed,
            expiry_tag: policy.expiry_tag.is_some() && policy.requires(EvidenceItem::Tags),
            remediation: None,
        }
    }

    /// What a remediation role must do.
    #[must_use]
    pub const fn for_remediation(remediation: RemediationScope) -> Self {
        Self {
            recheck: true,
            service_credentials: true,
            all_tags: true,
            last_accessed: false,
            expiry_tag: false,
            remediation: Some(remediation),
        }
    }

    /// Whether a feature is on.
    #[must_use]
    pub fn has(&self, feature: Feature) -> bool {
        if let Some(remediation) = &self.remediation {
            return remediation.has(feature);
        }
        let all_tags = self.all_tags || self.expiry_tag;
        let requested = match feature {
            Feature::CredentialReport => return true,
            // The account that assumes the roles needs it, not the audited account.
            Feature::Accounts => return false,
            Feature::Recheck => true,
            Feature::ServiceCredentials => self.service_credentials,
            Feature::FlaggedUserTags => !all_tags,
            Feature::AllTags => all_tags,
            Feature::LastAccessed => self.last_accessed,
            Feature::Holdings
            | Feature::RemediationTags
            | Feature::Deactivation
            | Feature::OldCredentialDeactivation
            | Feature::PasswordDeletion
            | Feature::CredentialDeletion
            | Feature::OldCredentialDeletion
            | Feature::UserDeletion => false,
        };
        self.recheck && requested
    }

    /// The permissions that a role with these features needs in the account.
    pub fn permissions(&self) -> impl Iterator<Item = Permission> + '_ {
        PERMISSIONS.into_iter().filter(|permission| self.has(permission.feature))
    }
}
