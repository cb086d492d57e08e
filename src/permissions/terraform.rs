//! The Terraform of the roles: GitHub's OIDC provider, the first role, and a role in each other account.

use serde::Serialize;

use super::document::member_sid;
use super::role::RemediationRole;
use super::{Features, PolicyDocument, RoleGrant};
use crate::model::identity::{
    Audience, ExternalId, GithubId, RepositoryName, RoleArn, RoleName, SubjectContext,
};
use crate::templates::{SafeText, TemplateError, render_terraform};

/// The first role, and the roles that it assumes.
#[derive(Debug, Clone, Copy)]
pub struct TerraformFile<'a> {
    /// The permissions of the first role.
    pub grant: RoleGrant<'a>,
    /// What is done in each account.
    pub features: Features,
    /// Which remediation role it is; `None` for the audit role.
    pub remediation: Option<RemediationRole>,
    /// The first role's name.
    pub role_name: &'a RoleName,
    /// The repository whose workflows assume the first role. `None` gives a variable without a default;
    /// so it does for the ids.
    pub repository: Option<&'a RepositoryName>,
    /// The id of the repository's owner.
    pub owner_id: Option<GithubId>,
    /// The id of the repository.
    pub repository_id: Option<GithubId>,
    /// The contexts of the workflow runs.
    pub contexts: &'a [SubjectContext],
    /// Audience (`aud`) of the OIDC token.
    pub audience: &'a Audience,
    /// The external id that the roles of the other accounts require.
    pub external_id: Option<&'a ExternalId>,
}

/// Everything that the template can name.
#[derive(Serialize)]
struct TerraformView {
    is_remediation: bool,
    /// The last stage of the remediation role; none for the audit role and for a role that only plans.
    stage: Option<SafeText>,
    role_name: String,
    repository: Option<String>,
    owner_id: Option<String>,
    repository_id: Option<String>,
    contexts: Vec<String>,
    audience: String,
    policy: PolicyDocument,
    partition: SafeText,
    members: Vec<MemberView>,
    member_sid: &'static str,
    external_id: Option<String>,
    /// One policy for all other accounts. In each it covers the users of that account.
    member_policy: PolicyDocument,
}

/// The role of one other account.
#[derive(Serialize)]
struct MemberView {
    account: SafeText,
    region: &'static str,
    name: String,
    path: String,
}

impl TerraformFile<'_> {
    /// The text of the file, formatted as by `terraform fmt`.
    ///
    /// # Errors
    /// [`TemplateError`] if the template does not fit the view.
    pub fn file(&self) -> Result<String, TemplateError> {
        let partition = self.grant.partition;
        let features = Some(self.features);
        let member_grant = RoleGrant { features, partition, account: None, members: &[] };
        render_terraform(TerraformView {
            is_remediation: self.remediation.is_some(),
            stage: self.remediation.and_then(RemediationRole::stage).map(SafeText::new),
            role_name: self.role_name.to_string(),
            repository: self.repository.map(ToString::to_string),
            owner_id: self.owner_id.map(|id| id.to_string()),
            repository_id: self.repository_id.map(|id| id.to_string()),
            contexts: self.contexts.iter().map(ToString::to_string).collect(),
            audience: self.audience.to_string(),
            policy: self.grant.policy(),
            partition: SafeText::new(partition),
            members: self.grant.members.iter().map(member).collect(),
            member_sid: member_sid(self.features),
            external_id: self.external_id.map(ToString::to_string),
            member_policy: member_grant.policy(),
        })
    }
}

fn member(role: &RoleArn) -> MemberView {
    MemberView {
        account: SafeText::new(role.account),
        region: role.partition.region(),
        name: role.name.to_string(),
        path: role.path().to_owned(),
    }
}
