//! Permissions policies and trust policies as JSON documents.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{AccessLevel, Feature, Features, PERMISSIONS, Resource};
use crate::model::identity::{
    Audience, ExternalId, GithubId, Partition, RepositoryName, RoleArn, SubjectContext,
};
use crate::model::inventory::AccountId;
use crate::model::remediation_tag;

/// The issuer of GitHub's tokens without its scheme, which names the OIDC provider in an account.
const ISSUER: &str = "token.actions.githubusercontent.com";

/// A policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyDocument {
    version: &'static str,
    statement: Vec<Statement>,
}

impl PolicyDocument {
    fn new(statement: Vec<Statement>) -> Self {
        Self { version: "2012-10-17", statement }
    }
}

/// A statement that allows something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<BTreeMap<&'static str, String>>,
    action: OneOrMany,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<OneOrMany>,
    /// Operator → condition key → value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<String, OneOrMany>>,
}

/// A value that policies write as a string or as a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn one(value: &impl ToString) -> Self {
        Self::One(value.to_string())
    }

    fn many<T: ToString>(values: impl IntoIterator<Item = T>) -> Self {
        Self::Many(values.into_iter().map(|value| value.to_string()).collect())
    }
}

/// The permissions of one role.
#[derive(Debug, Clone, Copy)]
pub struct RoleGrant<'a> {
    /// What it does in its own account; `None` if it only assumes other roles.
    pub features: Option<Features>,
    /// The partition of the account.
    pub partition: Partition,
    /// The account of the resources; any account if `None`.
    pub account: Option<AccountId>,
    /// The roles that it assumes.
    pub members: &'a [RoleArn],
}

impl RoleGrant<'_> {
    /// The permissions policy of the role: one statement for each resource and access level, with
    /// sorted actions.
    #[must_use]
    pub fn policy(&self) -> PolicyDocument {
        use AccessLevel::{Change, Read, Tag};
        use Resource::{Any, Groups, MemberRoles, MfaDevices, Users};
        let statements = [
            ("ReadAccount", Any, Read),
            ("ReadUsers", Users, Read),
            ("TagUsers", Users, Tag),
            ("ChangeUsers", Users, Change),
            ("LeaveGroups", Groups, Change),
            ("DeleteMfaDevices", MfaDevices, Change),
            ("AssumeMemberRoles", MemberRoles, Read),
        ];
        let statements = statements.into_iter().filter_map(|(sid, resource, access)| {
            let actions = self.actions(resource, access);
            (!actions.is_empty()).then(|| Statement {
                sid,
                effect: "Allow",
                principal: None,
                action: OneOrMany::many(actions),
                resource: Some(self.arns(resource)),
                condition: if access == Tag { only_our_tags() } else { BTreeMap::new() },
            })
        });
        PolicyDocument::new(statements.collect())
    }

    fn arns(&self, resource: Resource) -> OneOrMany {
        let account = self.account.as_ref().map_or("*", AccountId::as_str);
        let all =
            |kind| OneOrMany::one(&format_args!("arn:{}:iam::{account}:{kind}/*", self.partition));
        match resource {
            Resource::Any => OneOrMany::one(&"*"),
            Resource::Users => all("user"),
            Resource::Groups => all("group"),
            Resource::MfaDevices => all("mfa"),
            Resource::MemberRoles => OneOrMany::many(self.members),
        }
    }

    fn actions(&self, resource: Resource, access: AccessLevel) -> Vec<&'static str> {
        let is_granted = |feature| match feature {
            Feature::Accounts => !self.members.is_empty(),
            _ => self.features.is_some_and(|features| features.has(feature)),
        };
        let mut granted: Vec<_> = PERMISSIONS
            .iter()
            .filter(|it| it.resource == resource && it.feature.access() == access)
            .filter(|it| is_granted(it.feature))
            .map(|it| it.action)
            .collect();
        granted.sort_unstable();
        granted
    }
}

/// The condition that only our tags can be set and removed. `ForAllValues` is also true without any tag
/// key, so `Null` requires one (IAM User Guide, "Set operators for multivalued context keys").
fn only_our_tags() -> BTreeMap<&'static str, BTreeMap<String, OneOrMany>> {
    let own_tag_keys = OneOrMany::one(&format_args!("{}*", remediation_tag::TAG_KEY_PREFIX));
    let tag_keys = |value| BTreeMap::from([("aws:TagKeys".to_owned(), value)]);
    BTreeMap::from([
        ("ForAllValues:StringLike", tag_keys(own_tag_keys)),
        ("Null", tag_keys(OneOrMany::one(&"false"))),
    ])
}

/// The ARN of GitHub's OIDC provider in an account.
#[must_use]
pub fn oidc_provider(partition: Partition, account: AccountId) -> String {
    format!("arn:{partition}:iam::{account}:oidc-provider/{ISSUER}")
}

/// The subject claims of a repository's tokens, two for each context: with names, and with the ids of owner
/// and repository, which repositories created or renamed since July 2026 use (GitHub Docs, "OpenID
/// Connect", "Immutable subject claims").
#[must_use]
pub fn subjects(
    repository: &RepositoryName,
    owner_id: GithubId,
    repository_id: GithubId,
    contexts: &[SubjectContext],
) -> Vec<String> {
    let RepositoryName { owner, name } = repository;
    let forms = |context| {
        [
            format!("repo:{owner}/{name}:{context}"),
            format!("repo:{owner}@{owner_id}/{name}@{repository_id}:{context}"),
        ]
    };
    contexts.iter().flat_map(forms).collect()
}

/// The trust policy of a role that workflows assume with their tokens. Audience and subject are compared
/// as a whole: a wildcard in place of an id would let another repository assume the role.
#[must_use]
pub fn web_identity_trust(
    provider: String,
    audience: &Audience,
    subjects: Vec<String>,
) -> PolicyDocument {
    let equals = BTreeMap::from([
        (format!("{ISSUER}:aud"), OneOrMany::one(&audience)),
        (format!("{ISSUER}:sub"), OneOrMany::Many(subjects)),
    ]);
    let principal = ("Federated", provider);
    trust("GitHubActions", principal, "sts:AssumeRoleWithWebIdentity", Some(equals))
}

/// The trust policy of a role with these features that the first role, `hub`, assumes.
#[must_use]
pub fn member_trust(
    features: Features,
    hub: String,
    external_id: Option<&ExternalId>,
) -> PolicyDocument {
    let equals =
        external_id.map(|id| BTreeMap::from([("sts:ExternalId".to_owned(), OneOrMany::one(&id))]));
    trust(member_sid(features), ("AWS", hub), "sts:AssumeRole", equals)
}

/// The statement id of such a trust policy.
pub(super) const fn member_sid(features: Features) -> &'static str {
    if features.remediation.is_some() { "RemediationRole" } else { "AuditRole" }
}

fn trust(
    sid: &'static str,
    principal: (&'static str, String),
    action: &str,
    equals: Option<BTreeMap<String, OneOrMany>>,
) -> PolicyDocument {
    PolicyDocument::new(vec![Statement {
        sid,
        effect: "Allow",
        principal: Some(BTreeMap::from([principal])),
        action: OneOrMany::one(&action),
        resource: None,
        condition: equals.map(|equals| ("StringEquals", equals)).into_iter().collect(),
    }])
}
