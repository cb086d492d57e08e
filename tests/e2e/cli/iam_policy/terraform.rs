//! The Terraform that `iam-policy` prints is evaluated, and must contain the policies that are printed as
//! JSON.

use serde_json::{Value, json};
use stand_ins::hcl::eval::{Context, Evaluate as _, FuncDef, ParamType};
use stand_ins::hcl::{self, Block, Body, Expression};

use super::{ACCOUNTS, DEACTIVATE, REPOSITORY, json_of, print};

/// A Terraform file, and the variables and locals of its expressions.
struct Terraform {
    body: Body,
    variables: hcl::Map<String, hcl::Value>,
    locals: hcl::Map<String, hcl::Value>,
}

impl Terraform {
    /// Parses a file. `given` are the variables without a default.
    #[track_caller]
    fn read(text: &str, given: &[(&str, &str)]) -> Self {
        let body: Body = hcl::parse(text).unwrap();
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).into()));
        let mut file = Self { body, variables: given.collect(), locals: hcl::Map::new() };
        let blocks: Vec<Block> = file.body.blocks().cloned().collect();
        for block in blocks.iter().filter(|block| block.identifier() == "variable") {
            if let Some(default) = attribute(block, "default") {
                let value = file.evaluate(default);
                file.variables.insert(block.labels()[0].as_str().to_owned(), value);
            }
        }
        for block in blocks.iter().filter(|block| block.identifier() == "locals") {
            for local in block.body().attributes() {
                let value = file.evaluate(local.expr());
                file.locals.insert(local.key().to_owned(), value);
            }
        }
        file
    }

    #[track_caller]
    fn evaluate(&self, expression: &Expression) -> hcl::Value {
        let mut context = Context::new();
        context.declare_var("var", self.variables.clone());
        context.declare_var("local", self.locals.clone());
        // The attributes of existing resources.
        let provider =
            "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
        context.declare_var(
            "aws_iam_openid_connect_provider",
            hcl::value!({ github = [{ arn = (provider) }] }),
        );
        context.declare_var(
            "data",
            hcl::value!({ aws_iam_openid_connect_provider = { github = [{ arn = "existing" }] } }),
        );
        context.declare_var(
            "aws_iam_role",
            hcl::value!({
                audit = { arn = "arn:aws:iam::111122223333:role/iam-stocktake-audit" },
                remediation = { arn = "arn:aws:iam::111122223333:role/iam-stocktake-remediate" },
            }),
        );
        let any = || FuncDef::builder().param(ParamType::Any);
        context.declare_func("jsonencode", any().build(|arguments| jsonencode(&arguments)));
        context.declare_func("flatten", any().build(|arguments| flatten(&arguments)));
        let split = FuncDef::builder()
            .params([ParamType::String, ParamType::String])
            .build(|arguments| split(&arguments));
        context.declare_func("split", split);
        expression.evaluate(&context).unwrap()
    }

    /// The block with this identifier and these labels.
    #[track_caller]
    fn block(&self, header: &[&str]) -> &Block {
        let is = |block: &&Block| {
            let labels = block.labels().iter().map(hcl::BlockLabel::as_str);
            std::iter::once(block.identifier()).chain(labels).eq(header.iter().copied())
        };
        self.body.blocks().find(is).unwrap()
    }

    /// The policy in an attribute of a resource.
    #[track_caller]
    fn policy(&self, kind: &str, name: &str, key: &str) -> Value {
        let value = self.evaluate(attribute(self.block(&["resource", kind, name]), key).unwrap());
        serde_json::from_str(value.as_str().unwrap()).unwrap()
    }
}

fn attribute<'a>(block: &'a Block, key: &str) -> Option<&'a Expression> {
    block.body().attributes().find(|it| it.key() == key).map(hcl::Attribute::expr)
}

fn jsonencode(arguments: &[hcl::Value]) -> Result<hcl::Value, String> {
    serde_json::to_string(&arguments[0]).map(Into::into).map_err(|error| error.to_string())
}

fn flatten(arguments: &[hcl::Value]) -> Result<hcl::Value, String> {
    let lists = arguments[0].as_array().unwrap();
    Ok(lists.iter().flat_map(|list| list.as_array().unwrap().clone()).collect())
}

fn split(arguments: &[hcl::Value]) -> Result<hcl::Value, String> {
    let (separator, text) = (arguments[0].as_str().unwrap(), arguments[1].as_str().unwrap());
    Ok(text.split(separator).map(hcl::Value::from).collect())
}

#[test]
fn terraform_has_the_printed_policies() {
    let odd = ["--subject", "ref:refs/heads/a\"b\\%{x}%%{y}$", "--subject", "environment:Prod EU"];
    for more in [
        &[][..],
        &odd,
        &["--last-accessed", "false", "--role-name", "other"],
        &["--recheck", "false"],
    ] {
        let common = [&ACCOUNTS[..2], &REPOSITORY, more].concat();
        let file = print(&[&["--format", "terraform"], &common[..]].concat());
        let file = Terraform::read(&file, &[]);
        assert_eq!(file.policy("aws_iam_role_policy", "audit", "policy"), json_of(&common));
        let trust = json_of(&[&["--format", "trust"], &common[..]].concat());
        assert_eq!(file.policy("aws_iam_role", "audit", "assume_role_policy"), trust);
    }
}

#[test]
fn terraform_of_other_accounts_has_the_printed_policies() {
    let file = print(&[&["--format", "terraform"], &ACCOUNTS[..], &REPOSITORY].concat());
    let file = Terraform::read(&file, &[]);
    assert_eq!(file.policy("aws_iam_role_policy", "audit", "policy"), json_of(&ACCOUNTS));
    let member = "account_444455556666";
    assert_eq!(file.policy("aws_iam_role_policy", member, "policy"), json_of(&[]));
    let trust = json_of(&[&["--format", "member-trust"], &ACCOUNTS[..]].concat());
    assert_eq!(file.policy("aws_iam_role", member, "assume_role_policy"), trust);
    let provider = file.block(&["provider", "aws"]);
    assert_eq!(
        file.evaluate(attribute(provider, "allowed_account_ids").unwrap()),
        hcl::value!(["444455556666"])
    );
}

#[test]
fn terraform_of_remediation_has_the_printed_policies() {
    let common = [&DEACTIVATE, &ACCOUNTS[..], &REPOSITORY].concat();
    let text = print(&[&["--format", "terraform"], &common[..]].concat());
    let file = Terraform::read(&text, &[]);
    assert_eq!(file.policy("aws_iam_role_policy", "remediation", "policy"), json_of(&common));
    let mut trust = json_of(&[&["--format", "trust"], &common[..]].concat());
    trust["Statement"][0]["Principal"]["Federated"] = json!("existing");
    assert_eq!(file.policy("aws_iam_role", "remediation", "assume_role_policy"), trust);
    let member = "account_444455556666";
    assert_eq!(file.policy("aws_iam_role_policy", member, "policy"), json_of(&DEACTIVATE));
    let trust = json_of(&[&["--format", "member-trust"], &common[..]].concat());
    assert_eq!(file.policy("aws_iam_role", member, "assume_role_policy"), trust);
    assert_eq!(
        trust["Statement"][0]["Principal"]["AWS"],
        "arn:aws:iam::111122223333:role/iam-stocktake-remediate"
    );
    // The file of the audit role creates the provider.
    let count =
        attribute(file.block(&["resource", "aws_iam_openid_connect_provider", "github"]), "count");
    assert_eq!(file.evaluate(count.unwrap()), hcl::Value::from(0));
    assert!(!text.contains("\"audit\""), "{text}");
}

#[test]
fn terraform_has_variables_for_missing_settings() {
    let text = print(&["--format", "terraform"]);
    let given = [("repository", "o/r"), ("repository_owner_id", "5"), ("repository_id", "6")];
    let file = Terraform::read(&text, &given);
    for (name, _) in given {
        let variable = file.block(&["variable", name]);
        assert!(attribute(variable, "default").is_none(), "{name}");
        assert!(variable.body().blocks().any(|block| block.identifier() == "validation"));
    }
    let trust = file.policy("aws_iam_role", "audit", "assume_role_policy");
    assert_eq!(
        trust["Statement"][0]["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"],
        json!([
            "repo:o/r:ref:refs/heads/main",
            "repo:o@5/r@6:ref:refs/heads/main",
            "repo:o/r:pull_request",
            "repo:o@5/r@6:pull_request",
        ])
    );
}

#[test]
fn existing_provider_can_be_used_instead() {
    let text = print(&["--format", "terraform"]).replace(
        "type        = bool\n  default     = true",
        "type        = bool\n  default     = false",
    );
    let given = [("repository", "o/r"), ("repository_owner_id", "5"), ("repository_id", "6")];
    let file = Terraform::read(&text, &given);
    let trust = file.policy("aws_iam_role", "audit", "assume_role_policy");
    assert_eq!(trust["Statement"][0]["Principal"]["Federated"], "existing");
    let kind = "aws_iam_openid_connect_provider";
    for (block, count) in [(["resource", kind, "github"], 0), (["data", kind, "github"], 1)] {
        let value = file.evaluate(attribute(file.block(&block), "count").unwrap());
        assert_eq!(value, hcl::Value::from(count));
    }
}
