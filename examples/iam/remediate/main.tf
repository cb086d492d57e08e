# What `iam-stocktake remediate` needs in AWS to deactivate, and nothing else. Written by
# `iam-stocktake iam-policy --remediate deactivate`: write it anew when `remediation` changes.

terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.81"
    }
  }
}

variable "repository" {
  description = "The repository whose workflows assume the role, as GitHub spells it."
  type        = string
  default     = "acme/infra"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "Write the repository as OWNER/NAME."
  }
}

variable "repository_owner_id" {
  description = "The id of the repository's owner: gh api repos/OWNER/NAME --jq .owner.id"
  type        = string
  default     = "583231"

  validation {
    condition     = can(regex("^[1-9][0-9]*$", var.repository_owner_id))
    error_message = "The id is a number, such as 583231."
  }
}

variable "repository_id" {
  description = "The id of the repository: gh api repos/OWNER/NAME --jq .id"
  type        = string
  default     = "1296269"

  validation {
    condition     = can(regex("^[1-9][0-9]*$", var.repository_id))
    error_message = "The id is a number, such as 583231."
  }
}

variable "create_oidc_provider" {
  description = "Whether to create GitHub's OIDC provider, or to use the one that is there."
  type        = bool
  default     = false
}

# Both forms of the subject: by names alone, and with the ids that a repository created or renamed
# since July 2026 bears. Compared whole: a wildcard for an id would let another repository in.
locals {
  owner    = split("/", var.repository)[0]
  name     = split("/", var.repository)[1]
  contexts = ["environment:iam-remediation"]
  subjects = flatten([for context in local.contexts : [
    "repo:${local.owner}/${local.name}:${context}",
    "repo:${local.owner}@${var.repository_owner_id}/${local.name}@${var.repository_id}:${context}",
  ]])
}

# An account has one OIDC provider for GitHub: the audit's Terraform makes it, or somebody else has. It
# must have the audience below among its client ids. Where there is none, set create_oidc_provider.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.create_oidc_provider ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_openid_connect_provider" "github" {
  count = var.create_oidc_provider ? 0 : 1

  url = "https://token.actions.githubusercontent.com"
}

locals {
  oidc_provider_arn = var.create_oidc_provider ? aws_iam_openid_connect_provider.github[0].arn : data.aws_iam_openid_connect_provider.github[0].arn
}

resource "aws_iam_role" "remedy" {
  name        = "iam-stocktake-remediate"
  description = "Remedies IAM for iam-stocktake"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "GitHubActions"
        Effect = "Allow"
        Principal = {
          Federated = local.oidc_provider_arn
        }
        Action = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
            "token.actions.githubusercontent.com:sub" = local.subjects
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "remedy" {
  name = "iam-stocktake-remediate"
  role = aws_iam_role.remedy.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ReadAccount"
        Effect = "Allow"
        Action = [
          "iam:GenerateCredentialReport",
          "iam:GetAccountAuthorizationDetails",
          "iam:GetCredentialReport",
          "iam:ListAccountAliases",
          "iam:ListServiceSpecificCredentials",
          "iam:ListUsers",
        ]
        Resource = "*"
      },
      {
        Sid    = "ReadUsers"
        Effect = "Allow"
        Action = [
          "iam:GetAccessKeyLastUsed",
          "iam:GetLoginProfile",
          "iam:GetUser",
          "iam:ListAccessKeys",
          "iam:ListSSHPublicKeys",
          "iam:ListSigningCertificates",
        ]
        Resource = "arn:aws:iam::111122223333:user/*"
      },
      {
        Sid    = "TagUsers"
        Effect = "Allow"
        Action = [
          "iam:TagUser",
          "iam:UntagUser",
        ]
        Resource = "arn:aws:iam::111122223333:user/*"
        Condition = {
          "ForAllValues:StringLike" = {
            "aws:TagKeys" = "iam-stocktake:*"
          }
          Null = {
            "aws:TagKeys" = "false"
          }
        }
      },
      {
        Sid      = "ChangeUsers"
        Effect   = "Allow"
        Action   = ["iam:UpdateAccessKey"]
        Resource = "arn:aws:iam::111122223333:user/*"
      },
    ]
  })
}

output "role_to_assume" {
  description = "For --role-to-assume."
  value       = aws_iam_role.remedy.arn
}
