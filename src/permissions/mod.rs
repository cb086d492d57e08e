//! What the audit role must be allowed: each action, the resource that it is evaluated on, and the
//! feature that needs it; and the policies that say so, as JSON and as Terraform.

mod document;
mod hcl;
mod terraform;

pub use document::{Grant, Node, member_trust, oidc_provider, subjects, web_identity_trust};
pub use terraform::Stack;

use crate::policy::{Policy, Rule};
use crate::settings::{LastAccessed, Owners};

/// What an action is evaluated on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// The account as a whole: no narrower resource can be named.
    Any,
    /// The users of the account.
    Users,
    /// The roles of the other accounts.
    MemberRoles,
}

/// What an action is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// The credential report.
    Sweep,
    /// The second look at the users that the sweep cannot clear.
    Recheck,
    /// SSH keys and service-specific credentials.
    ServiceCredentials,
    /// The tags of the users that the sweep cannot clear.
    CandidateTags,
    /// The tags of every user.
    AllTags,
    /// The last service used (Access Advisor).
    LastAccessed,
    /// The roles of other accounts.
    Accounts,
}

impl Feature {
    /// What turns the feature on, in the words of the command line and of the allowlist.
    #[must_use]
    pub const fn condition(self) -> &'static str {
        match self {
            Self::Sweep => "always",
            Self::Recheck => "unless `--no-recheck`",
            Self::ServiceCredentials => {
                "`old-service-credential` or `user-without-credentials` is on"
            }
            Self::CandidateTags => "`--owners candidates` without `expiry_tag`",
            Self::AllTags => "`--owners all` or `expiry_tag`",
            Self::LastAccessed => "`--last-accessed candidates`",
            Self::Accounts => "`--accounts`",
        }
    }
}

/// One action of the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// The action, with its service.
    pub action: &'static str,
    /// What it is evaluated on.
    pub resource: Resource,
    /// What it is needed for.
    pub feature: Feature,
}

const fn needs(action: &'static str, resource: Resource, feature: Feature) -> Permission {
    Permission { action, resource, feature }
}

/// Every action that an audit can make. The resources are those of the Service Authorization
/// Reference, "Actions, resources, and condition keys for AWS Identity and Access Management
/// (IAM)" and "… AWS Security Token Service".
///
/// There `ListServiceSpecificCredentials` has the user as its resource; but the call that lists
/// those of all users names none, so that no user's ARN can be relied upon to match it.
/// `GenerateServiceLastAccessedDetails` is evaluated on what its `Arn` names: here, a user.
pub const PERMISSIONS: [Permission; 15] = {
    use Feature::{
        Accounts, AllTags, CandidateTags, LastAccessed, Recheck, ServiceCredentials, Sweep,
    };
    use Resource::{Any, MemberRoles, Users};
    [
        needs("iam:GenerateCredentialReport", Any, Sweep),
        needs("iam:GetCredentialReport", Any, Sweep),
        needs("iam:ListUsers", Any, Recheck),
        needs("iam:ListAccountAliases", Any, Recheck),
        needs("iam:ListAccessKeys", Users, Recheck),
        needs("iam:GetAccessKeyLastUsed", Users, Recheck),
        needs("iam:GetLoginProfile", Users, Recheck),
        needs("iam:ListSigningCertificates", Users, Recheck),
        needs("iam:ListServiceSpecificCredentials", Any, ServiceCredentials),
        needs("iam:ListSSHPublicKeys", Users, ServiceCredentials),
        needs("iam:ListUserTags", Users, CandidateTags),
        needs("iam:GetAccountAuthorizationDetails", Any, AllTags),
        needs("iam:GenerateServiceLastAccessedDetails", Users, LastAccessed),
        needs("iam:GetServiceLastAccessedDetails", Any, LastAccessed),
        needs("sts:AssumeRole", MemberRoles, Accounts),
    ]
};

/// The features of an audit of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// The second look. Without it nothing but the credential report is asked for, whatever else
    /// is on.
    pub recheck: bool,
    /// SSH keys and service-specific credentials.
    pub service_credentials: bool,
    /// Whose tags are read to name an owner.
    pub owners: Owners,
    /// The last service used by the users that the sweep cannot clear.
    pub last_accessed: bool,
    /// The tag that says until when a user is wanted.
    pub expiry_tag: bool,
}

impl Features {
    /// What the policy and the settings of an audit ask for.
    #[must_use]
    pub fn new(
        policy: &Policy,
        recheck: bool,
        owners: Owners,
        last_accessed: LastAccessed,
    ) -> Self {
        Self {
            recheck,
            service_credentials: policy.is_on(Rule::OldServiceCredential)
                || policy.is_on(Rule::UserWithoutCredentials),
            owners,
            last_accessed: last_accessed == LastAccessed::Candidates,
            expiry_tag: policy.expiry_tag.is_some() && policy.is_on(Rule::ExpiredUser),
        }
    }

    /// Whether a feature is on.
    #[must_use]
    pub fn has(&self, feature: Feature) -> bool {
        let all_tags = self.owners == Owners::All || self.expiry_tag;
        let asked = match feature {
            Feature::Sweep => return true,
            // It is of the account that assumes, and not of the one that is audited.
            Feature::Accounts => return false,
            Feature::Recheck => true,
            Feature::ServiceCredentials => self.service_credentials,
            Feature::CandidateTags => self.owners == Owners::Candidates && !all_tags,
            Feature::AllTags => all_tags,
            Feature::LastAccessed => self.last_accessed,
        };
        self.recheck && asked
    }

    /// What an audit with these features is to be allowed in the account.
    pub fn permissions(&self) -> impl Iterator<Item = Permission> + '_ {
        PERMISSIONS.into_iter().filter(|permission| self.has(permission.feature))
    }
}
