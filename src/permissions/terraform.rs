//! The Terraform of the roles of the audit or the remedy: GitHub's OIDC provider, the first role, and
//! a role in each other account.

use super::document::ISSUER;
use super::hcl::{self, Item, Value, quoted};
use super::role::RemedyRole;
use super::{Features, Grant, Node, member_trust, web_identity_trust};
use crate::model::identity::{
    Audience, ExternalId, GithubId, Repository, RoleArn, RoleName, SubjectContext,
};

/// What the first role, and the roles that it assumes, are made of.
#[derive(Debug, Clone, Copy)]
pub struct Stack<'a> {
    /// What the first role is allowed.
    pub grant: Grant<'a>,
    /// What is done in each account.
    pub features: Features,
    /// Which role of the remedy it is; the audit's if `None`.
    pub remedy: Option<RemedyRole>,
    /// The first role's name.
    pub role_name: &'a RoleName,
    /// Whose workflows assume the first role; a variable without a default if `None`, as the ids.
    pub repository: Option<&'a Repository>,
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
struct Words {
    header: String,
    provider: &'static str,
    creates_provider: &'static str,
    /// The name of the first role within the file.
    label: &'static str,
    description: &'static str,
}

impl Words {
    fn of(remedy: Option<RemedyRole>) -> Self {
        let header = match remedy {
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
        let is_audit = remedy.is_none();
        Self {
            header,
            provider: if is_audit { EXISTING_PROVIDER } else { PROVIDER_OF_THE_AUDIT },
            creates_provider: if is_audit { "true" } else { "false" },
            label: if is_audit { "audit" } else { "remedy" },
            description: match remedy {
                None => "Reads IAM for iam-stocktake",
                Some(RemedyRole::Plan) => "Plans the remedy of IAM for iam-stocktake",
                Some(_) => "Remedies IAM for iam-stocktake",
            },
        }
    }
}

impl Stack<'_> {
    /// The text of the file, as `terraform fmt` leaves it.
    #[must_use]
    pub fn file(&self) -> String {
        let words = Words::of(self.remedy);
        let mut sections = vec![Item::Comment(words.header.clone()), requirements()];
        sections.extend(self.variables(&words));
        sections.extend(self.locals());
        sections.extend(self.provider(&words));
        sections.extend(self.role(&words));
        if !self.grant.members.is_empty() {
            sections.extend(self.members(&words));
        }
        let mut items: Vec<Item> = Vec::new();
        for section in sections {
            // A comment stands on what it speaks of.
            if !matches!(items.last(), None | Some(Item::Comment(_))) || items.len() == 1 {
                items.push(Item::Blank);
            }
            items.push(section);
        }
        hcl::body(&items)
    }

    fn variables(&self, words: &Words) -> [Item; 4] {
        let id = |text: &str| format!("can(regex(\"^[1-9][0-9]*$\", {text}))");
        let number = "The id is a number, such as 583231.";
        [
            variable(
                "repository",
                REPOSITORY,
                self.repository.map(Node::text),
                "can(regex(\"^[A-Za-z0-9_-]+/[A-Za-z0-9._-]+$\", var.repository))",
                "Write the repository as OWNER/NAME.",
            ),
            variable(
                "repository_owner_id",
                OWNER_ID,
                self.owner_id.as_ref().map(Node::text),
                &id("var.repository_owner_id"),
                number,
            ),
            variable(
                "repository_id",
                REPOSITORY_ID,
                self.repository_id.as_ref().map(Node::text),
                &id("var.repository_id"),
                number,
            ),
            block(
                "variable \"create_oidc_provider\"",
                [
                    attribute("description", Node::text(CREATE)),
                    attribute("type", expression("bool")),
                    attribute("default", expression(words.creates_provider)),
                ],
            ),
        ]
    }

    fn locals(&self) -> [Item; 2] {
        let subjects = "flatten([for context in local.contexts : [\n  \
             \"repo:${local.owner}/${local.name}:${context}\",\n  \
             \"repo:${local.owner}@${var.repository_owner_id}/${local.name}@${var.repository_id}:${context}\",\n\
             ]])";
        let items = [
            attribute("owner", expression("split(\"/\", var.repository)[0]")),
            attribute("name", expression("split(\"/\", var.repository)[1]")),
            attribute("contexts", Node::texts(self.contexts)),
            attribute("subjects", expression(subjects)),
        ];
        [Item::Comment(SUBJECTS.to_owned()), block("locals", items)]
    }

    fn provider(&self, words: &Words) -> [Item; 4] {
        let url = || attribute("url", Node::text(&format!("https://{ISSUER}")));
        let count = |expression_: &str| attribute("count", expression(expression_));
        let clients = Node::List(vec![Node::text(self.audience)]);
        let arn = "var.create_oidc_provider ? aws_iam_openid_connect_provider.github[0].arn \
                   : data.aws_iam_openid_connect_provider.github[0].arn";
        [
            Item::Comment(words.provider.to_owned()),
            block(
                "resource \"aws_iam_openid_connect_provider\" \"github\"",
                [
                    count("var.create_oidc_provider ? 1 : 0"),
                    Item::Blank,
                    url(),
                    attribute("client_id_list", clients),
                ],
            ),
            block(
                "data \"aws_iam_openid_connect_provider\" \"github\"",
                [count("var.create_oidc_provider ? 0 : 1"), Item::Blank, url()],
            ),
            block("locals", [attribute("oidc_provider_arn", expression(arn))]),
        ]
    }

    fn role(&self, words: &Words) -> [Item; 3] {
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
                    attribute("name", Node::text(self.role_name)),
                    attribute("description", Node::text(words.description)),
                    Item::Attribute("assume_role_policy", Value::Json(trust)),
                ],
            ),
            block(
                format!("resource \"aws_iam_role_policy\" \"{label}\""),
                [
                    attribute("name", Node::text(self.role_name)),
                    attribute("role", expression(format!("aws_iam_role.{label}.id"))),
                    Item::Attribute("policy", Value::Json(self.grant.policy())),
                ],
            ),
            block(
                "output \"role_to_assume\"",
                [
                    attribute("description", Node::text("For --role-to-assume.")),
                    attribute("value", expression(format!("aws_iam_role.{label}.arn"))),
                ],
            ),
        ]
    }

    fn members(&self, words: &Words) -> Vec<Item> {
        let partition = self.grant.partition;
        let features = Some(self.features);
        // One for all: in each account it reaches the users of that account.
        let policy = Grant { features, partition, account: None, members: &[] }.policy();
        let hub = expression(format!("aws_iam_role.{}.arn", words.label));
        let trust = member_trust(self.features, hub, self.external_id);
        let mut items = vec![
            Item::Comment(MEMBERS.to_owned()),
            block(
                "variable \"member_admin_role_name\"",
                [
                    attribute("description", Node::text(ADMIN)),
                    attribute("type", expression("string")),
                    attribute("default", Node::text("OrganizationAccountAccessRole")),
                ],
            ),
            block(
                "locals",
                [
                    Item::Attribute("member_trust", Value::Json(trust)),
                    Item::Blank,
                    Item::Attribute("member_policy", Value::Json(policy)),
                ],
            ),
        ];
        items.extend(self.grant.members.iter().flat_map(|role| member(role, words)));
        items
    }
}

/// The provider, the role and the policy of one other account.
fn member(role: &RoleArn, words: &Words) -> [Item; 3] {
    let (partition, account) = (role.partition, role.account);
    let name = format!("account_{account}");
    let admin = format!("\"arn:{partition}:iam::{account}:role/${{var.member_admin_role_name}}\"");
    let alias = || attribute("provider", expression(format!("aws.{name}")));
    [
        block(
            "provider \"aws\"",
            [
                attribute("alias", Node::text(&name)),
                attribute("region", Node::text(partition.region())),
                attribute("allowed_account_ids", Node::texts([account])),
                Item::Blank,
                block("assume_role", [attribute("role_arn", expression(admin))]),
            ],
        ),
        block(
            format!("resource \"aws_iam_role\" \"{name}\""),
            [
                alias(),
                Item::Blank,
                attribute("name", Node::text(&role.name)),
                attribute("path", Node::text(role.path())),
                attribute("description", Node::text(words.description)),
                attribute("assume_role_policy", expression("local.member_trust")),
            ],
        ),
        block(
            format!("resource \"aws_iam_role_policy\" \"{name}\""),
            [
                alias(),
                Item::Blank,
                attribute("name", Node::text(&role.name)),
                attribute("role", expression(format!("aws_iam_role.{name}.id"))),
                attribute("policy", expression("local.member_policy")),
            ],
        ),
    ]
}

/// The versions: from this one on the provider takes an OIDC provider without thumbprints, which
/// AWS does not look at for GitHub.
fn requirements() -> Item {
    let aws =
        Node::object([("source", Node::text("hashicorp/aws")), ("version", Node::text(">= 5.81"))]);
    let providers = block("required_providers", [attribute("aws", aws)]);
    let version = attribute("required_version", Node::text(">= 1.3"));
    block("terraform", [version, Item::Blank, providers])
}

/// A variable that holds a text, with a default where there is one.
fn variable(
    name: &str,
    description: &str,
    default: Option<Node>,
    condition: &str,
    error: &str,
) -> Item {
    let mut items = vec![
        attribute("description", Node::text(description)),
        attribute("type", expression("string")),
    ];
    items.extend(default.map(|default| attribute("default", default)));
    let validation = [
        attribute("condition", expression(condition)),
        attribute("error_message", Node::text(error)),
    ];
    items.extend([Item::Blank, block("validation", validation)]);
    block(format!("variable {}", quoted(name)), items)
}

fn block(header: impl Into<String>, items: impl Into<Vec<Item>>) -> Item {
    Item::Block(header.into(), items.into())
}

fn attribute(name: &'static str, value: impl Into<Value>) -> Item {
    Item::Attribute(name, value.into())
}

fn expression(text: impl Into<String>) -> Node {
    Node::Expression(text.into())
}
