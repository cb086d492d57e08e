//! The policies as documents: what a role may do, and who may assume it.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{AccessLevel, Feature, Features, PERMISSIONS, Resource};
use crate::model::identity::{
    Audience, ExternalId, GithubId, Partition, RepositoryName, RoleArn, SubjectContext,
};
use crate::model::inventory::AccountId;
use crate::model::remediation_tag;

/// The issuer of GitHub's tokens, without its scheme: the OIDC provider's name in an account.
pub(super) const ISSUER: &str = "token.actions.githubusercontent.com";

/// A part of a document. Keys keep their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyNode {
    /// A text, as it is.
    Text(String),
    /// An expression of Terraform. JSON knows none.
    Expression(String),
    /// A list.
    List(Vec<Self>),
    /// Keys with their values.
    Object(Vec<(String, Self)>),
}

impl PolicyNode {
    pub(super) fn text(text: &(impl ToString + ?Sized)) -> Self {
        Self::Text(text.to_string())
    }

    pub(super) fn texts<T: ToString>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(texts.into_iter().map(|text| Self::text(&text)).collect())
    }

    pub(super) fn object<const N: usize>(entries: [(&str, Self); N]) -> Self {
        Self::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }
}

impl Serialize for PolicyNode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            // So does Terraform's own JSON syntax.
            Self::Expression(expression) => {
                serializer.collect_str(&format_args!("${{{expression}}}"))
            }
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// What one role is to be allowed.
#[derive(Debug, Clone, Copy)]
pub struct RoleGrant<'a> {
    /// What it does in its own account; `None` where it only assumes other roles.
    pub features: Option<Features>,
    /// The partition of the account.
    pub partition: Partition,
    /// The account, which narrows the resources; any if `None`.
    pub account: Option<AccountId>,
    /// The roles that it assumes, each one named.
    pub members: &'a [RoleArn],
}

impl RoleGrant<'_> {
    /// The permissions policy of the role: one statement for each resource and what is done to it,
    /// actions in order.
    #[must_use]
    pub fn policy(&self) -> PolicyNode {
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
            let mut statement = vec![
                ("Sid".to_owned(), PolicyNode::text(sid)),
                ("Effect".to_owned(), PolicyNode::text("Allow")),
                ("Action".to_owned(), PolicyNode::texts(&actions)),
                ("Resource".to_owned(), self.arns(resource)),
            ];
            if access == Tag {
                statement.push(("Condition".to_owned(), only_our_tags()));
            }
            (!actions.is_empty()).then_some(PolicyNode::Object(statement))
        });
        document(statements.collect())
    }

    fn arns(&self, resource: Resource) -> PolicyNode {
        let account = self.account.as_ref().map_or("*", AccountId::as_str);
        let all =
            |kind| PolicyNode::text(&format!("arn:{}:iam::{account}:{kind}/*", self.partition));
        match resource {
            Resource::Any => PolicyNode::text("*"),
            Resource::Users => all("user"),
            Resource::Groups => all("group"),
            Resource::MfaDevices => all("mfa"),
            Resource::MemberRoles => PolicyNode::texts(self.members),
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

/// The condition under which tags may be set and taken away: all of them are ours. Of no tags at
/// all that is true as well, so that there must be some (IAM User Guide, "Set operators for
/// multivalued context keys").
fn only_our_tags() -> PolicyNode {
    let own_tag_keys = format!("{}*", remediation_tag::TAG_KEY_PREFIX);
    PolicyNode::object([
        (
            "ForAllValues:StringLike",
            PolicyNode::object([("aws:TagKeys", PolicyNode::text(&own_tag_keys))]),
        ),
        ("Null", PolicyNode::object([("aws:TagKeys", PolicyNode::text("false"))])),
    ])
}

fn document(statements: Vec<PolicyNode>) -> PolicyNode {
    PolicyNode::object([
        ("Version", PolicyNode::text("2012-10-17")),
        ("Statement", PolicyNode::List(statements)),
    ])
}

/// The ARN of GitHub's OIDC provider in an account.
#[must_use]
pub fn oidc_provider(partition: Partition, account: AccountId) -> String {
    format!("arn:{partition}:iam::{account}:oidc-provider/{ISSUER}")
}

/// The subjects that GitHub gives the tokens of a repository, both forms of each context: by names
/// alone, and, for repositories created or renamed since July 2026, with the ids of owner and
/// repository (GitHub's "OpenID Connect", "Immutable subject claims").
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

/// The trust policy of a role that workflows assume with their tokens. Audience and subject are
/// compared whole: a wildcard in place of an id would let another repository in.
#[must_use]
pub fn web_identity_trust(
    provider: PolicyNode,
    audience: &Audience,
    subjects: PolicyNode,
) -> PolicyNode {
    let (aud, sub) = (format!("{ISSUER}:aud"), format!("{ISSUER}:sub"));
    let equals = PolicyNode::object([(&*aud, PolicyNode::text(audience)), (&*sub, subjects)]);
    trust(
        "GitHubActions",
        PolicyNode::object([("Federated", provider)]),
        "sts:AssumeRoleWithWebIdentity",
        Some(equals),
    )
}

/// The trust policy of a role with these features that the first role, `hub`, assumes.
#[must_use]
pub fn member_trust(
    features: Features,
    hub: PolicyNode,
    external_id: Option<&ExternalId>,
) -> PolicyNode {
    let sid = if features.remediation.is_some() { "RemedyRole" } else { "AuditRole" };
    let equals =
        external_id.map(|id| PolicyNode::object([("sts:ExternalId", PolicyNode::text(id))]));
    trust(sid, PolicyNode::object([("AWS", hub)]), "sts:AssumeRole", equals)
}

fn trust(sid: &str, principal: PolicyNode, action: &str, equals: Option<PolicyNode>) -> PolicyNode {
    let mut statement = vec![
        ("Sid".to_owned(), PolicyNode::text(sid)),
        ("Effect".to_owned(), PolicyNode::text("Allow")),
        ("Principal".to_owned(), principal),
        ("Action".to_owned(), PolicyNode::text(action)),
    ];
    if let Some(equals) = equals {
        statement.push(("Condition".to_owned(), PolicyNode::object([("StringEquals", equals)])));
    }
    document(vec![PolicyNode::Object(statement)])
}
