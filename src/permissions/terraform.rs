//! The Terraform of the roles of the audit or the remedy: GitHub's OIDC provider, the first role, and
//! a role in each other account.

use super::document::ISSUER;
use super::hcl::{self, HclItem, HclValue, quoted};
use super::role::RemediationRole;
use super::{Features, PolicyNode, RoleGrant, member_trust, web_identity_trust};
use crate::model::identity::{
    Audience, ExternalId, GithubId, RepositoryName, RoleArn, RoleName, SubjectContext,
};

/// What the first role, and the roles that it assumes, are made of.
#[derive(Debug, Clone, Copy)]
pub struct TerraformFile<'a> {
    /// What the first role is allowed.
    pub grant: RoleGrant<'a>,
    /// What is done in each account.
    pub features: Features,
    /// Which role of the remedy it is; the audit's if `None`.
    pub remediation: Option<RemediationRole>,
    /// The first role's name.
    pub role_name: &'a RoleName,
    /// Whose workflows assume the first role; a variable without a default if `None`, as the ids.
    pub repository: Option<&'a RepositoryName>,
    /// The id of the repository's owner.
    pub owner_id: Option<GithubId>,
    /// The id of the repository.
    pub repository_id: Option<GithubId>,
    /// The contexts of the workflow runs.
    pub contexts: &'a [SubjectContext],
    /// Whom the tokens are for.
    pub audience: &'a Audience,
    /// What the roles of the other accounts ask for.
    pub external_id: Option<&'a ExternalId>,
}

const EXISTING_PROVIDER: &str = "\
An account has one OIDC provider for GitHub. Where it is there already, it must have the audience
below among its client ids; then set create_oidc_provider to false.";

const PROVIDER_OF_THE_AUDIT: &str = "\
An account has one OIDC provider for GitHub: the audit's Terraform makes it, or somebody else has. It
must have the audience below among its client ids. Where there is none, set create_oidc_provider.";

const SUBJECTS: &str = "\
Both forms of the subject: by names alone, and with the ids that a repository created or renamed
since July 2026 bears. Compared whole: a wildcard for an id would let another repository in.";

const MEMBERS: &str = "\
The other accounts: a role in each that only the role above may assume. Terraform makes it with an
administrator's role of that account; change the providers to what your organisation has.";

const REPOSITORY: &str = "The repository whose workflows assume the role, as GitHub spells it.";
const OWNER_ID: &str = "The id of the repository's owner: gh api repos/OWNER/NAME --jq .owner.id";
const REPOSITORY_ID: &str = "The id of the repository: gh api repos/OWNER/NAME --jq .id";
const CREATE: &str = "Whether to create GitHub's OIDC provider, or to use the one that is there.";
const ADMIN: &str = "The role of each other account with which Terraform makes the one below.";

/// What is called differently in the audit's file and in those of the remedy.
struct TerraformText {
    header: String,
    provider: &'static str,
    creates_provider: &'static str,
    /// The name of the first role within the file.
    label: &'static str,
    description: &'static str,
}

impl TerraformText {
    fn of(remediation: Option<RemediationRole>) -> Self {
        let header = match remediation {
            None => "What `iam-stocktake audit` needs in AWS, and nothing else. Written by \
                     `iam-stocktake iam-policy`:\nwrite it anew when the features of the audit change."
                .to_owned(),
            Some(role) => format!(
                "What `iam-stocktake remediate` needs in AWS to {}, and nothing else. Written by\n\
                 `iam-stocktake iam-policy --remediate {}`: write it anew when `remediation` changes.",
                role.id(),
                role.id()
            ),
        };
        let is_audit = remediation.is_none();
        Self {
            header,
            provider: if is_audit { EXISTING_PROVIDER } else { PROVIDER_OF_THE_AUDIT },
            creates_provider: if is_audit { "true" } else { "false" },
            label: if is_audit { "audit" } else { "remedy" },
            description: match remediation {
                None => "Reads IAM for iam-stocktake",
                Some(RemediationRole::Plan) => "Plans the remedy of IAM for iam-stocktake",
                Some(_) => "Remedies IAM for iam-stocktake",
            },
        }
    }
}

impl TerraformFile<'_> {
    /// The text of the file, as `terraform fmt` leaves it.
    #[must_use]
    pub fn file(&self) -> String {
        let words = TerraformText::of(self.remediation);
        let mut sections = vec![HclItem::Comment(words.header.clone()), requirements()];
        sections.extend(self.variables(&words));
        sections.extend(self.locals());
        sections.extend(self.provider(&words));
        sections.extend(self.role(&words));
        if !self.grant.members.is_empty() {
            sections.extend(self.members(&words));
        }
        let mut items: Vec<HclItem> = Vec::new();
        for section in sections {
            // A comment stands on what it speaks of.
            if !matches!(items.last(), None | Some(HclItem::Comment(_))) || items.len() == 1 {
                items.push(HclItem::Blank);
            }
            items.push(section);
        }
        hcl::body(&items)
    }

    fn variables(&self, words: &TerraformText) -> [HclItem; 4] {
        let id = |text: &str| format!("can(regex(\"^[1-9][0-9]*$\", {text}))");
        let number = "The id is a number, such as 583231.";
        [
            variable(
                "repository",
                REPOSITORY,
                self.repository.map(PolicyNode::text),
                "can(regex(\"^[A-Za-z0-9_-]+/[A-Za-z0-9._-]+$\", var.repository))",
                "Write the repository as OWNER/NAME.",
            ),
            variable(
                "repository_owner_id",
                OWNER_ID,
                self.owner_id.as_ref().map(PolicyNode::text),
                &id("var.repository_owner_id"),
                number,
            ),
            variable(
                "repository_id",
                REPOSITORY_ID,
                self.repository_id.as_ref().map(PolicyNode::text),
                &id("var.repository_id"),
                number,
            ),
            block(
                "variable \"create_oidc_provider\"",
                [
                    attribute("description", PolicyNode::text(CREATE)),
                    attribute("type", expression("bool")),
                    attribute("default", expression(words.creates_provider)),
                ],
            ),
        ]
    }

    fn locals(&self) -> [HclItem; 2] {
        let subjects = "flatten([for context in local.contexts : [\n  \
             \"repo:${local.owner}/${local.name}:${context}\",\n  \
             \"repo:${local.owner}@${var.repository_owner_id}/${local.name}@${var.repository_id}:${context}\",\n\
             ]])";
        let items = [
            attribute("owner", expression("split(\"/\", var.repository)[0]")),
            attribute("name", expression("split(\"/\", var.repository)[1]")),
            attribute("contexts", PolicyNode::texts(self.contexts)),
            attribute("subjects", expression(subjects)),
        ];
        [HclItem::Comment(SUBJECTS.to_owned()), block("locals", items)]
    }

    fn provider(&self, words: &TerraformText) -> [HclItem; 4] {
        let url = || attribute("url", PolicyNode::text(&format!("https://{ISSUER}")));
        let count = |expression_: &str| attribute("count", expression(expression_));
        let clients = PolicyNode::List(vec![PolicyNode::text(self.audience)]);
        let arn = "var.create_oidc_provider ? aws_iam_openid_connect_provider.github[0].arn \
                   : data.aws_iam_openid_connect_provider.github[0].arn";
        [
            HclItem::Comment(words.provider.to_owned()),
            block(
                "resource \"aws_iam_openid_connect_provider\" \"github\"",
                [
                    count("var.create_oidc_provider ? 1 : 0"),
                    HclItem::Blank,
                    url(),
                    attribute("client_id_list", clients),
                ],
            ),
            block(
                "data \"aws_iam_openid_connect_provider\" \"github\"",
                [count("var.create_oidc_provider ? 0 : 1"), HclItem::Blank, url()],
            ),
            block("locals", [attribute("oidc_provider_arn", expression(arn))]),
        ]
    }

    fn role(&self, words: &TerraformText) -> [HclItem; 3] {
        let trust = web_identity_trust(
            expression("local.oidc_provider_arn"),
            self.audience,
            expression("local.subjects"),
        );
        let label = words.label;
        [
            block(
                format!("resource \"aws_iam_role\" \"{label}\""),
                [
                    attribute("name", PolicyNode::text(self.role_name)),
                    attribute("description", PolicyNode::text(words.description)),
                    HclItem::Attribute("assume_role_policy", HclValue::Json(trust)),
                ],
            ),
            block(
                format!("resource \"aws_iam_role_policy\" \"{label}\""),
                [
                    attribute("name", PolicyNode::text(self.role_name)),
                    attribute("role", expression(format!("aws_iam_role.{label}.id"))),
                    HclItem::Attribute("policy", HclValue::Json(self.grant.policy())),
                ],
            ),
            block(
                "output \"role_to_assume\"",
                [
                    attribute("description", PolicyNode::text("For --role-to-assume.")),
                    attribute("value", expression(format!("aws_iam_role.{label}.arn"))),
                ],
            ),
        ]
    }

    fn members(&self, words: &TerraformText) -> Vec<HclItem> {
        let partition = self.grant.partition;
        let features = Some(self.features);
        // One for all: in each account it reaches the users of that account.
        let policy = RoleGrant { features, partition, account: None, members: &[] }.policy();
        let hub = expression(format!("aws_iam_role.{}.arn", words.label));
        let trust = member_trust(self.features, hub, self.external_id);
        let mut items = vec![
            HclItem::Comment(MEMBERS.to_owned()),
            block(
                "variable \"member_admin_role_name\"",
                [
                    attribute("description", PolicyNode::text(ADMIN)),
                    attribute("type", expression("string")),
                    attribute("default", PolicyNode::text("OrganizationAccountAccessRole")),
                ],
            ),
            block(
                "locals",
                [
                    HclItem::Attribute("member_trust", HclValue::Json(trust)),
                    HclItem::Blank,
                    HclItem::Attribute("member_policy", HclValue::Json(policy)),
                ],
            ),
        ];
        items.extend(self.grant.members.iter().flat_map(|role| member(role, words)));
        items
    }
}

/// The provider, the role and the policy of one other account.
fn member(role: &RoleArn, words: &TerraformText) -> [HclItem; 3] {
    let (partition, account) = (role.partition, role.account);
    let name = format!("account_{account}");
    let admin = format!("\"arn:{partition}:iam::{account}:role/${{var.member_admin_role_name}}\"");
    let alias = || attribute("provider", expression(format!("aws.{name}")));
    [
        block(
            "provider \"aws\"",
            [
                attribute("alias", PolicyNode::text(&name)),
                attribute("region", PolicyNode::text(partition.region())),
                attribute("allowed_account_ids", PolicyNode::texts([account])),
                HclItem::Blank,
                block("assume_role", [attribute("role_arn", expression(admin))]),
            ],
        ),
        block(
            format!("resource \"aws_iam_role\" \"{name}\""),
            [
                alias(),
                HclItem::Blank,
                attribute("name", PolicyNode::text(&role.name)),
                attribute("path", PolicyNode::text(role.path())),
                attribute("description", PolicyNode::text(words.description)),
                attribute("assume_role_policy", expression("local.member_trust")),
            ],
        ),
        block(
            format!("resource \"aws_iam_role_policy\" \"{name}\""),
            [
                alias(),
                HclItem::Blank,
                attribute("name", PolicyNode::text(&role.name)),
                attribute("role", expression(format!("aws_iam_role.{name}.id"))),
                attribute("policy", expression("local.member_policy")),
            ],
        ),
    ]
}

/// The versions: from this one on the provider takes an OIDC provider without thumbprints, which
/// AWS does not look at for GitHub.
fn requirements() -> HclItem {
    let aws = PolicyNode::object([
        ("source", PolicyNode::text("hashicorp/aws")),
        ("version", PolicyNode::text(">= 5.81")),
    ]);
    let providers = block("required_providers", [attribute("aws", aws)]);
    let version = attribute("required_version", PolicyNode::text(">= 1.3"));
    block("terraform", [version, HclItem::Blank, providers])
}

/// A variable that holds a text, with a default where there is one.
fn variable(
    name: &str,
    description: &str,
    default: Option<PolicyNode>,
    condition: &str,
    error: &str,
) -> HclItem {
    let mut items = vec![
        attribute("description", PolicyNode::text(description)),
        attribute("type", expression("string")),
    ];
    items.extend(default.map(|default| attribute("default", default)));
    let validation = [
        attribute("condition", expression(condition)),
        attribute("error_message", PolicyNode::text(error)),
    ];
    items.extend([HclItem::Blank, block("validation", validation)]);
    block(format!("variable {}", quoted(name)), items)
}

fn block(header: impl Into<String>, items: impl Into<Vec<HclItem>>) -> HclItem {
    HclItem::Block(header.into(), items.into())
}

fn attribute(name: &'static str, value: impl Into<HclValue>) -> HclItem {
    HclItem::Attribute(name, value.into())
}

fn expression(text: impl Into<String>) -> PolicyNode {
    PolicyNode::Expression(text.into())
}
